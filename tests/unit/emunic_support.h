// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_EMUNIC_SUPPORT_H
#define SLUICE_TESTS_EMUNIC_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>

#include "backend/backend.h"

// What the tests of the emulated NIC's backends share: EAL, a pool whose buffers are all counted at
// the end, and a checksum check that is independent of the code that made the packet.
// Thread-safety: init only.

struct emu_test {
	struct emu_backend_env env;
	char why[256];
};

static inline int
emu_test_eal(const char *name)
{
	char *argv[] = {(char *)(uintptr_t)name, "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--lcores=0", "-m256", "--log-level=critical",
		"--log-level=lib.vhost:emergency", NULL};

	return rte_eal_init(9, argv) < 0 ? -1 : 0;
}

static inline void
emu_test_begin(struct emu_test *t, unsigned int mbufs)
{
	memset(t, 0, sizeof(*t));
	t->env = (struct emu_backend_env){.nic = "net_emunic0",
		.side = "wire",
		.mtu = 1500,
		.pool = rte_pktmbuf_pool_create("test", mbufs, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0)};
	assert_non_null(t->env.pool);
}

static inline void
emu_test_end(struct emu_test *t)
{
	assert_int_equal(rte_mempool_in_use_count(t->env.pool), 0);
	rte_mempool_free(t->env.pool);
}

static inline struct emu_backend *
emu_test_open(struct emu_test *t, const char *text)
{
	struct emu_backend *b = NULL;
	int rc = emu_backend_open(&t->env, text, &b, t->why, sizeof(t->why));

	if (rc != 0)
		print_error("%s: %s\n", text, t->why);
	assert_int_equal(rc, 0);
	assert_non_null(b);
	return b;
}

// The text is refused with a sentence that contains what is given.
static inline void
emu_test_refused(struct emu_test *t, const char *text, const char *contains)
{
	struct emu_backend *b = NULL;
	int rc = emu_backend_open(&t->env, text, &b, t->why, sizeof(t->why));

	if (rc == 0 || strstr(t->why, contains) == NULL)
		fail_msg("%s gave %d \"%s\", expected a refusal with \"%s\"", text, rc, t->why,
			contains);
	assert_null(b);
}

// True when the IPv4 and the TCP or UDP checksums of a whole frame in one segment are right.
static inline bool
emu_test_sums_right(struct rte_mbuf *m)
{
	struct rte_net_hdr_lens lens = {0};
	uint32_t ptype = rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
	uint8_t *l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, lens.l2_len);
	uint8_t *l4 = l3 + lens.l3_len;
	uint32_t l4_len = rte_pktmbuf_data_len(m) - lens.l2_len - lens.l3_len;
	uint32_t sum = 0, pseudo_at = RTE_ETH_IS_IPV4_HDR(ptype) ? 12 : 8;

	if (RTE_ETH_IS_IPV4_HDR(ptype) && rte_raw_cksum(l3, lens.l3_len) != 0xffff)
		return false;
	for (uint32_t i = pseudo_at; i < (pseudo_at == 12 ? 20 : 40); i += 2)
		sum += l3[i] << 8 | l3[i + 1];
	sum += l4_len + (pseudo_at == 12 ? l3[9] : l3[6]);
	for (uint32_t i = 0; i < l4_len; i++)
		sum += i % 2 == 0 ? l4[i] << 8 : l4[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

// A TCP or UDP packet over IPv4 or IPv6, of so many bytes of payload. Returns its length.
static inline size_t
emu_test_packet(uint8_t *p, bool tag, bool v6, uint8_t proto, size_t payload)
{
	size_t l4 = proto == IPPROTO_TCP ? 20 : 8, l2 = tag ? 18 : 14;
	uint8_t *ip = p + l2;
	size_t l3 = v6 ? 40 : 20;
	uint16_t len = v6 ? l4 + payload : l3 + l4 + payload;

	memset(p, 0, l2 + l3 + l4 + payload);
	memcpy(p + 12, "\x81\x00\x00\x07", 4);
	memcpy(p + l2 - 2, v6 ? "\x86\xdd" : "\x08\x00", 2);
	ip[0] = v6 ? 0x60 : 0x45;
	ip[v6 ? 4 : 2] = len >> 8;
	ip[v6 ? 5 : 3] = len;
	ip[v6 ? 6 : 9] = proto;
	if (proto == IPPROTO_TCP)
		ip[l3 + 12] = 0x50;
	return l2 + l3 + l4 + payload;
}

#endif

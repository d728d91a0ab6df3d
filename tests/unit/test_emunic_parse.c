// SPDX-License-Identifier: BSD-3-Clause
// The NIC's parser and its RSS hash: fields of well-formed packets, packets cut anywhere and in any
// number of segments, and the hash against DPDK's own and Microsoft's examples.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_thash.h>

#include "eswitch/packet.h"
#include "eswitch/rss.h"

static struct rte_mempool *pool;
static uint64_t rng;

static uint32_t
draw(uint32_t below)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rng >> 33) % below;
}

// A packet with data cut into segments of random size (one segment when whole).
static struct rte_mbuf *
chain(const uint8_t *data, uint32_t len, bool whole)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool), *last = head;

	assert_non_null(head);
	for (uint32_t off = 0; off < len;) {
		uint32_t n = whole ? len : 1 + draw(24);

		n = RTE_MIN(n, len - off);
		if (off > 0) {
			last->next = rte_pktmbuf_alloc(pool);
			assert_non_null(last->next);
			last = last->next;
			head->nb_segs++;
		}
		memcpy(rte_pktmbuf_mtod(last, void *), data + off, n);
		last->data_len = n;
		head->pkt_len += n;
		off += n;
	}
	return head;
}

static bool
parse(struct emu_pkt *p, const uint8_t *data, uint32_t len, bool whole)
{
	bool ok;

	p->m = chain(data, len, whole);
	ok = emu_parse(p, 5, true);
	rte_pktmbuf_free(p->m);
	return ok;
}

// QinQ, IPv4 with one option, TCP
static const uint8_t qinq_tcp[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0x20, 0x0a, 0x81,
	0x00, 0x00, 0x14, 0x08, 0x00, 0x46, 0xb8, 0, 44, 0, 1, 0x40, 0, 63, 6, 0, 0, 10, 0, 0, 1,
	10, 0, 0, 2, 1, 1, 1, 1, 0x12, 0x34, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0,
	0, 0, 0, 0};
// IPv6, hop-by-hop, destination options, UDP
static const uint8_t ext_udp[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x6a, 0xb1, 0x23,
	0x45, 0, 32, 0, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 60, 1, 1, 12, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59,
	17, 0, 1, 4, 0, 0, 0, 0, 0x00, 0x35, 0xc0, 0x00, 0, 8, 0, 0};

// IPv4 and UDP, IPv4 and TCP, IPv6 and TCP: what the parser has a way of its own for
static const uint8_t plain_udp[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0xb8, 0,
	32, 0, 1, 0x40, 0, 63, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x00, 0x35, 0, 12, 0,
	0, 1, 2, 3, 4};
static const uint8_t plain_tcp[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0xb8, 0,
	44, 0, 1, 0x40, 0, 63, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x00, 0x50, 0, 0, 0,
	1, 0, 0, 0, 2, 0x60, 0x18, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1};
static const uint8_t plain_v6[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x6a, 0xb1, 0x23,
	0x45, 0, 20, 6, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x12, 0x34, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1,
	0, 0, 0, 0, 0};
static const struct {
	const uint8_t *data;
	uint32_t len;
} frames[] = {
	{qinq_tcp, sizeof(qinq_tcp)},
	{ext_udp, sizeof(ext_udp)},
	{plain_udp, sizeof(plain_udp)},
	{plain_tcp, sizeof(plain_tcp)},
	{plain_v6, sizeof(plain_v6)},
};

static void
test_fields(void **state)
{
	struct emu_pkt p;

	assert_true(parse(&p, qinq_tcp, sizeof(qinq_tcp), true));
	assert_int_equal(
		p.key.layers, EMU_L_HOST | EMU_L_VLAN | EMU_L_VLAN2 | EMU_L_IPV4 | EMU_L_TCP);
	assert_int_equal(p.key.port, 5);
	assert_int_equal(p.key.eth_type, RTE_BE16(0x88a8));
	assert_int_equal(p.key.tci, RTE_BE16(0x200a));
	assert_int_equal(p.key.vlan_type, RTE_BE16(0x8100));
	assert_int_equal(p.key.tci2, RTE_BE16(20));
	assert_int_equal(p.key.vlan2_type, RTE_BE16(0x0800));
	assert_int_equal(p.key.tos, 0xb8);
	assert_int_equal(p.key.ttl, 63);
	assert_int_equal(p.key.proto, 6);
	assert_int_equal(p.key.tcp_flags, 0x18);
	assert_int_equal(p.key.sport, RTE_BE16(0x1234));
	assert_int_equal(p.key.dport, RTE_BE16(80));
	assert_memory_equal(p.key.ip_dst, ((uint8_t[16]){10, 0, 0, 2}), 16);
	assert_int_equal(p.l2_len, 22);
	assert_int_equal(p.l3_len, 24);
	assert_int_equal(p.l4_len, 20);

	assert_true(parse(&p, ext_udp, sizeof(ext_udp), true));
	assert_int_equal(p.key.layers, EMU_L_HOST | EMU_L_IPV6 | EMU_L_UDP);
	assert_int_equal(p.key.tos, 0xab);
	assert_int_equal(p.key.flow_label, RTE_BE32(0x12345));
	assert_int_equal(p.key.proto, 17);
	assert_int_equal(p.key.sport, RTE_BE16(53));
	assert_int_equal(p.l3_len, 64);
}

// No fragment has an L4 layer, and a first one's key is the same as that of the others.
static void
test_fragments(void **state)
{
	uint8_t first[sizeof(qinq_tcp)], rest[sizeof(qinq_tcp)];
	struct emu_pkt a, b;

	memcpy(first, qinq_tcp, sizeof(first));
	memcpy(rest, qinq_tcp, sizeof(rest));
	first[28] = 0x20;
	rest[28] = 0;
	rest[29] = 100;
	assert_true(parse(&a, first, sizeof(first), true));
	assert_true(parse(&b, rest, sizeof(rest), true));
	assert_int_equal(a.key.layers & (EMU_L_FRAG | EMU_L_TCP), EMU_L_FRAG);
	a.key.frag = b.key.frag;
	assert_memory_equal(&a.key, &b.key, sizeof(a.key));
}

// Cut anywhere and mutated: one piece and many pieces are read alike, and nothing is read behind
// the end (the sanitizers see that).
static void
test_cut(void **state)
{
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int from = draw(RTE_DIM(frames));
		uint32_t len = draw(2) ? frames[from].len : draw(frames[from].len + 1);
		uint8_t *data = malloc(len + 1);
		struct emu_pkt a, b;
		bool ok;

		memset(&a, 0xff, sizeof(a));
		memset(&b, 0xff, sizeof(b));
		memcpy(data, frames[from].data, len);
		for (unsigned int n = draw(4); n > 0 && len > 0; n--)
			data[draw(len)] = draw(256);
		ok = parse(&a, data, len, true);
		assert_int_equal(ok, len >= 14);
		assert_int_equal(ok, parse(&b, data, len, false));
		assert_memory_equal(&a.key, &b.key, sizeof(a.key));
		if (ok && (a.l2_len != b.l2_len || a.l3_len != b.l3_len || a.l4_len != b.l4_len ||
				  a.inner_at != b.inner_at))
			fail_msg("offsets %u %u %u %u, in pieces %u %u %u %u", a.l2_len, a.l3_len,
				a.l4_len, a.inner_at, b.l2_len, b.l3_len, b.l4_len, b.inner_at);
		if (a.key.layers & (EMU_L_TCP | EMU_L_UDP))
			assert_in_range(a.l2_len + a.l3_len + a.l4_len, 42, len);
		free(data);
	}
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static uint32_t
softrss(const uint8_t *key, const uint8_t *bytes, unsigned int words)
{
	uint32_t in[9];

	for (unsigned int i = 0; i < words; i++) {
		memcpy(&in[i], bytes + 4 * i, 4);
		in[i] = rte_be_to_cpu_32(in[i]);
	}
	return rte_softrss(in, words, key);
}

static void
test_rss_reference(void **state)
{
	static struct emu_rss rss;

	for (unsigned int i = 0; i < 2000; i++) {
		struct emu_pkt p = {0};
		uint8_t key[EMU_RSS_KEY_LEN], bytes[36];
		bool v4 = draw(2), ports = draw(2);
		unsigned int addr = v4 ? 4 : 16;
		uint32_t hash;

		for (unsigned int k = 0; k < sizeof(key); k++)
			key[k] = draw(256);
		for (unsigned int k = 0; k < sizeof(bytes); k++)
			bytes[k] = draw(256);
		emu_rss_set_key(&rss, key);
		rss.types = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;
		if (ports)
			rss.types |= RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
		p.key.layers = EMU_L_UDP | (v4 ? EMU_L_IPV4 : EMU_L_IPV6);
		memcpy(p.key.ip_src, bytes, addr);
		memcpy(p.key.ip_dst, bytes + addr, addr);
		memcpy(&p.key.sport, bytes + 2 * addr, 2);
		memcpy(&p.key.dport, bytes + 2 * addr + 2, 2);
		assert_true(emu_rss_hash(&rss, &p, &hash));
		assert_int_equal(hash, softrss(key, bytes, addr / 2 + ports));
	}
}

// "Verifying the RSS Hash Calculation" of the specification.
static void
test_rss_examples(void **state)
{
	static struct emu_rss rss;
	struct emu_pkt p = {0};
	uint32_t hash;

	emu_rss_set_key(&rss, NULL);
	p.key.layers = EMU_L_IPV4 | EMU_L_TCP;
	memcpy(p.key.ip_src, ((uint8_t[]){66, 9, 149, 187}), 4);
	memcpy(p.key.ip_dst, ((uint8_t[]){161, 142, 100, 80}), 4);
	p.key.sport = RTE_BE16(2794);
	p.key.dport = RTE_BE16(1766);
	assert_false(emu_rss_hash(&rss, &p, &hash));
	rss.types = RTE_ETH_RSS_IPV4;
	assert_true(emu_rss_hash(&rss, &p, &hash));
	assert_int_equal(hash, 0x323e8fc2);
	rss.types |= RTE_ETH_RSS_NONFRAG_IPV4_TCP;
	assert_true(emu_rss_hash(&rss, &p, &hash));
	assert_int_equal(hash, 0x51ccc178);
	p.key.layers = EMU_L_IPV4 | EMU_L_FRAG;
	assert_true(emu_rss_hash(&rss, &p, &hash));
	assert_int_equal(hash, 0x323e8fc2);
	p.key.layers = EMU_L_IPV6;
	assert_false(emu_rss_hash(&rss, &p, &hash));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_rss_reference),
		cmocka_unit_test(test_rss_examples),
	};
	char *eal[] = {argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--lcores=0", "--log-level=critical", NULL};
	const char *seed = getenv("SEED");
	int failed;

	rng = seed != NULL ? strtoull(seed, NULL, 0) : 20262;
	if (rte_eal_init(7, eal) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("parse", 256, 0, 0, 256, SOCKET_ID_ANY);
	if (pool == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed != 0)
		fprintf(stderr, "SEED=%s\n", seed != NULL ? seed : "20262");
	rte_mempool_free(pool);
	rte_eal_cleanup();
	return failed;
}

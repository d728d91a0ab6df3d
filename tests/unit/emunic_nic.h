// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_EMUNIC_NIC_H
#define SLUICE_TESTS_EMUNIC_NIC_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "emunic.h"
#include "port/offload.h"

// What the tests of the whole NIC share: a NIC in this process with its firmware inline, scripted
// backends behind its wire and its VF, packets, and the judgement of what came out.
// Thread-safety: owner thread only.

#define BIG 9000u // payload of a segmentation-offload packet
#define MSS 1400u

// A backend that the test feeds and reads.
struct script {
	struct emu_backend base;
	struct rte_mbuf *in[64];
	unsigned int n_in;
	struct rte_mbuf *out[64];
	unsigned int n_out;
	unsigned int accepts; // at most so many are held in out
	bool down, takes;
	uint16_t queues; // receive queues; 0: one
};

static struct script scripts[2];
static struct rte_mempool *pools[3]; // of the test's packets, of queues 0 and 1
static uint64_t rng;

static inline uint32_t
draw(uint32_t below)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rng >> 33) % below;
}

static inline uint16_t
script_rx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct script *s = (struct script *)b;

	n = RTE_MIN(n, s->n_in);
	memcpy(pkts, s->in, n * sizeof(*pkts));
	s->n_in -= n;
	memmove(s->in, &s->in[n], s->n_in * sizeof(*pkts));
	return n;
}

static inline uint16_t
script_tx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct script *s = (struct script *)b;

	n = RTE_MIN(n, s->accepts - s->n_out);
	memcpy(&s->out[s->n_out], pkts, n * sizeof(*pkts));
	s->n_out += n;
	return n;
}

static inline bool
script_link(struct emu_backend *b)
{
	return !((struct script *)b)->down;
}

static inline bool
script_takes(struct emu_backend *b)
{
	return ((struct script *)b)->takes;
}

static inline uint16_t
script_queues(struct emu_backend *b)
{
	return RTE_MAX(((struct script *)b)->queues, 1);
}

static inline uint64_t
script_next(struct emu_backend *b)
{
	return UINT64_MAX;
}

static inline void
script_stats(struct emu_backend *b, struct emu_backend_stats *out)
{
	memset(out, 0, sizeof(*out));
}

static inline void
clear(struct script *s)
{
	rte_pktmbuf_free_bulk(s->out, s->n_out);
	s->n_out = 0;
}

static inline void
script_close(struct emu_backend *b)
{
	struct script *s = (struct script *)b;

	clear(s);
	rte_pktmbuf_free_bulk(s->in, s->n_in);
	s->n_in = 0;
}

static const struct emu_backend_ops script_ops = {
	.kind = "script",
	.close = script_close,
	.rx = script_rx,
	.tx = script_tx,
	.rx_queues = script_queues,
	.link = script_link,
	.takes_offloads = script_takes,
	.next_event = script_next,
	.stats = script_stats,
};

static inline struct emu_nic *
nic(void)
{
	return ((struct emu_port *)rte_eth_devices[0].data->dev_private)->nic;
}

static inline void
start_port(uint16_t port, uint16_t queues, uint64_t rx_offloads)
{
	struct rte_eth_conf conf = {.rxmode.offloads = rx_offloads};

	if (queues > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = EMU_RSS_TYPES;
	}
	assert_int_equal(rte_eth_dev_configure(port, queues, queues, &conf), 0);
	for (uint16_t q = 0; q < queues; q++) {
		assert_int_equal(rte_eth_rx_queue_setup(port, q, 64, 0, NULL, pools[1 + q]), 0);
		assert_int_equal(rte_eth_tx_queue_setup(port, q, 64, 0, NULL), 0);
	}
	assert_int_equal(rte_eth_promiscuous_enable(port), 0);
	assert_int_equal(rte_eth_dev_start(port), 0);
}

// A NIC with two queues at its PF, port 0, and one at the representor of its VF, port 1.
static inline void
plug_with(const char *args, uint64_t rx_offloads)
{
	assert_int_equal(rte_vdev_init("net_emunic0", args), 0);
	for (unsigned int i = 0; i < 2; i++) {
		memset(&scripts[i], 0, sizeof(scripts[i]));
		scripts[i].base.ops = &script_ops;
		scripts[i].accepts = RTE_DIM(scripts[i].out);
		nic()->sides[i].backend = &scripts[i].base;
	}
	start_port(0, 2, rx_offloads);
	start_port(1, 1, rx_offloads);
}

static inline void
plug(uint64_t rx_offloads)
{
	plug_with("queues=2,representor=vf0,firmware=inline,capacity=32", rx_offloads);
}

static inline uint64_t
xstat(const char *name)
{
	struct rte_eth_xstat_name names[2048];
	struct rte_eth_xstat values[2048];
	int n = rte_eth_xstats_get_names(0, names, 2048);

	assert_in_range(n, 1, 2048);
	assert_int_equal(rte_eth_xstats_get(0, values, 2048), n);
	for (int i = 0; i < n; i++)
		if (strcmp(names[i].name, name) == 0)
			return values[i].value;
	fail_msg("no xstat %s", name);
	return 0;
}

static inline void
balance(void)
{
	struct rte_eth_xstat_name names[2048];
	struct rte_eth_xstat values[2048];
	int n = rte_eth_xstats_get_names(0, names, 2048);
	int64_t in = 0, out = 0;

	rte_eth_xstats_get(0, values, 2048);
	for (int i = 0; i < n; i++) {
		const char *s = names[i].name;

		if (strstr(s, "_bytes") != NULL)
			continue;
		if (strncmp(s, "nic_received_", 13) == 0 || strcmp(s, "nic_copies") == 0 ||
			strncmp(s, "nic_originated_", 15) == 0)
			in += values[i].value;
		if (strncmp(s, "nic_sent_", 9) == 0 || strncmp(s, "nic_drop_", 9) == 0 ||
			strcmp(s, "nic_held") == 0 || strncmp(s, "nic_consumed_", 13) == 0)
			out += values[i].value;
	}
	assert_int_equal(in, out);
}

// Unplugs; whatever happened, no buffer may be gone.
static inline void
unplug(void)
{
	uint16_t id;

	balance();
	for (unsigned int i = 0; i < 2; i++) {
		clear(&scripts[i]);
		rte_pktmbuf_free_bulk(scripts[i].in, scripts[i].n_in);
		scripts[i].n_in = 0;
	}
	for (uint16_t port = 0; port < 2; port++)
		rte_eth_dev_stop(port);
	balance();
	assert_int_equal(rte_mempool_in_use_count(nic()->pool), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	for (unsigned int i = 0; i < RTE_DIM(pools); i++)
		assert_int_equal(rte_mempool_in_use_count(pools[i]), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_emunic0", &id), -ENODEV);
}

// A packet of payload bytes behind Ethernet, IPv4 or IPv6, and TCP or UDP, its checksums wrong, in
// segments of at most 2048 bytes.
static inline struct rte_mbuf *
packet(struct rte_mempool *pool, bool v6, bool tcp, uint32_t payload)
{
	uint8_t h[14 + 40 + 20] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	uint32_t l3 = v6 ? 40 : 20, l4 = tcp ? 20 : 8, len = 14 + l3 + l4;
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool), *last = head;

	assert_non_null(head);
	h[12] = v6 ? 0x86 : 0x08;
	h[13] = v6 ? 0xdd : 0x00;
	if (v6) {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)&h[14];

		ip->vtc_flow = RTE_BE32(0x60000000);
		ip->payload_len = rte_cpu_to_be_16(l4 + payload);
		ip->proto = tcp ? 6 : 17;
		ip->hop_limits = 64;
		h[14 + 23] = 1;
		h[14 + 39] = 2;
	} else {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)&h[14];

		ip->version_ihl = 0x45;
		ip->total_length = rte_cpu_to_be_16(l3 + l4 + payload);
		ip->packet_id = RTE_BE16(0xfffe);
		ip->time_to_live = 64;
		ip->next_proto_id = tcp ? 6 : 17;
		ip->src_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 1));
		ip->dst_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 2));
		ip->hdr_checksum = RTE_BE16(0xbad0);
	}
	if (tcp) {
		struct rte_tcp_hdr *t = (struct rte_tcp_hdr *)&h[14 + l3];

		t->src_port = RTE_BE16(1000);
		t->dst_port = RTE_BE16(80);
		t->sent_seq = RTE_BE32(0xfffff000);
		t->data_off = 0x50;
		t->tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_CWR_FLAG;
		t->cksum = RTE_BE16(0xbad1);
	} else {
		struct rte_udp_hdr *u = (struct rte_udp_hdr *)&h[14 + l3];

		u->src_port = RTE_BE16(1000);
		u->dst_port = RTE_BE16(53);
		u->dgram_len = rte_cpu_to_be_16(l4 + payload);
		u->dgram_cksum = RTE_BE16(0xbad2);
	}
	memcpy(rte_pktmbuf_append(head, len), h, len);
	for (uint32_t i = 0; i < payload; i++) {
		if (rte_pktmbuf_tailroom(last) == 0) {
			last->next = rte_pktmbuf_alloc(pool);
			last = last->next;
			assert_non_null(last);
			head->nb_segs++;
		}
		*rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len) = i * 7;
		last->data_len++;
		head->pkt_len++;
	}
	return head;
}

static inline void
ask(struct rte_mbuf *m, bool v6, bool tcp, bool tso)
{
	m->l2_len = 14;
	m->l3_len = v6 ? 40 : 20;
	m->l4_len = tcp ? 20 : 8;
	m->ol_flags |= v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	m->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	if (tso) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = MSS;
	}
}

// Judges by DPDK's own functions.
static inline void
assert_sums(struct rte_mbuf *m, bool v6, bool tcp)
{
	void *ip = rte_pktmbuf_mtod_offset(m, void *, 14);

	if (v6) {
		assert_int_equal(rte_ipv6_udptcp_cksum_mbuf_verify(m, ip, 54), 0);
		return;
	}
	assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
	assert_int_equal(rte_ipv4_udptcp_cksum_mbuf_verify(m, ip, 34), 0);
}

// The n packets are the segments of one packet(..., BIG), in order and complete.
static inline void
assert_segments(struct rte_mbuf **m, unsigned int n, bool v6)
{
	uint32_t at = 0;

	assert_int_equal(n, (BIG + MSS - 1) / MSS);
	for (unsigned int i = 0; i < n; i++) {
		uint32_t hdr = v6 ? 74 : 54, len = RTE_MIN(MSS, BIG - at);
		const struct rte_tcp_hdr *t =
			rte_pktmbuf_mtod_offset(m[i], struct rte_tcp_hdr *, hdr - 20);
		uint8_t buf[MSS];
		const uint8_t *data = rte_pktmbuf_read(m[i], hdr, len, buf);

		assert_int_equal(m[i]->pkt_len, hdr + len);
		assert_sums(m[i], v6, true);
		assert_int_equal(rte_be_to_cpu_32(t->sent_seq), 0xfffff000 + at);
		assert_int_equal(!!(t->tcp_flags & RTE_TCP_FIN_FLAG), i == n - 1);
		assert_int_equal(!!(t->tcp_flags & RTE_TCP_CWR_FLAG), i == 0);
		if (!v6)
			assert_int_equal(rte_be_to_cpu_16(rte_pktmbuf_mtod_offset(
						 m[i], struct rte_ipv4_hdr *, 14)
								  ->packet_id),
				(uint16_t)(0xfffe + i));
		for (uint32_t k = 0; k < len; k++)
			assert_int_equal(data[k], (uint8_t)((at + k) * 7));
		at += len;
	}
}

static inline bool
is_up(uint16_t port)
{
	struct rte_eth_link link;

	assert_int_equal(rte_eth_link_get_nowait(port, &link), 0);
	return link.link_status == RTE_ETH_LINK_UP;
}

static inline void
send_one(uint16_t port, struct rte_mbuf *m)
{
	assert_int_equal(rte_eth_tx_burst(port, 0, &m, 1), 1);
}

static inline unsigned int
receive(uint16_t port, struct rte_mbuf **m, unsigned int max)
{
	unsigned int n = 0;

	for (unsigned int round = 0; round < 3; round++)
		for (uint16_t q = 0; q < (port == 0 ? 2 : 1); q++)
			n += rte_eth_rx_burst(port, q, &m[n], max - n);
	return n;
}

// Starts EAL, makes the pools and runs the tests; what main returns. On failure the seed is told,
// which SEED in the environment sets.
static inline int
run_nic_tests(char *name, const struct CMUnitTest *tests, size_t n)
{
	char *eal[] = {name, "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "--lcores=0",
		"-m256", "--log-level=critical", "--log-level=pmd.net.emunic:emergency", NULL};
	const char *seed = getenv("SEED");
	int failed;

	rng = seed != NULL ? strtoull(seed, NULL, 0) : 20263;
	if (rte_eal_init(9, eal) < 0)
		return 1;
	for (unsigned int i = 0; i < RTE_DIM(pools); i++) {
		char pool[] = "pool0";

		pool[4] += i;
		pools[i] = rte_pktmbuf_pool_create(pool, 4000, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
		if (pools[i] == NULL)
			return 1;
	}
	failed = _cmocka_run_group_tests("emunic", tests, n, NULL, NULL);
	if (failed != 0)
		fprintf(stderr, "SEED=%s\n", seed != NULL ? seed : "20263");
	rte_eal_cleanup();
	return failed;
}

#endif

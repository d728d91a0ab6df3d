// SPDX-License-Identifier: BSD-3-Clause
#include <linux/virtio_net.h>

#include "dp_support.h"
#include "vring_guest.h"

// What guests ask for in the header before a packet, and are told in it (port/vring_header.h), by
// packets in one piece and in several.

#define V1 (1ULL << VIRTIO_F_VERSION_1)
#define BUFFERS 63

struct rig {
	struct rte_mempool *pool;
	uint64_t seed;
	struct guest g;
};

static int
setup(void **state)
{
	struct rig *t = calloc(1, sizeof(*t));

	if (t == NULL || bench_eal("test_datapath_vring_header") != 0)
		return -1;
	t->pool = rte_pktmbuf_pool_create("vring", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	t->seed = (uint64_t)time(NULL);
	*state = t;
	return t->pool == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct rig *t = *state;

	rte_mempool_free(t->pool);
	free(t);
	return 0;
}

static void
all_back(const struct rig *t)
{
	assert_int_equal(rte_mempool_avail_count(t->pool), BUFFERS);
}

// An Ethernet frame with an IPv4 packet of protocol, 100 bytes long.
static void
ipv4_frame(uint8_t *bytes, uint8_t protocol)
{
	const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 86, 0, 0, 0,
		0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};

	memset(bytes, 0, 100);
	memcpy(bytes, head, sizeof(head));
	bytes[sizeof(head) + 12] = 0x50; // TCP: 20 bytes of header
}

struct request {
	uint8_t protocol;
	struct virtio_net_hdr_v1 h;
	uint64_t flags;
	uint16_t size;
};

// What guests ask for, and what does not fit its packet.
static void
requests(void **state)
{
	const struct request all[] = {
		{6, {.flags = 1, .csum_start = 34, .csum_offset = 16}, RTE_MBUF_F_RX_L4_CKSUM_NONE,
			0},
		{17, {.flags = 1, .csum_start = 34, .csum_offset = 6}, RTE_MBUF_F_RX_L4_CKSUM_NONE,
			0},
		{6,
			{.flags = 1,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				.gso_size = 1000,
				.csum_start = 34,
				.csum_offset = 16},
			RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO, 1000},
		{6, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, .gso_size = 9},
			RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO, 9},
		{6, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0}, 0, 0},
		{17, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000}, 0, 0},
		{6, {.gso_type = 77, .gso_size = 1000}, 0, 0},
		{6, {.flags = 1, .csum_start = 65535, .csum_offset = 65535}, 0, 0},
		{6, {.flags = 1, .csum_start = 99, .csum_offset = 0}, 0, 0},
		{200, {.flags = 1, .csum_start = 40, .csum_offset = 59}, 0, 0},
	};
	struct rig *t = *state;
	struct guest *g = &t->g;
	uint8_t bytes[VRING_HEADER + 100];
	struct rte_mbuf *m;
	unsigned i, pieces;

	for (i = 0; i < 2 * RTE_DIM(all); i++) {
		const struct request *q = &all[i / 2];
		uint16_t head;

		pieces = 1 + i % 2 * 7;
		guest_start(g, V1, 0, t->seed + i);
		memcpy(bytes, &q->h, sizeof(q->h));
		ipv4_frame(bytes + VRING_HEADER, q->protocol);
		head = (uint16_t)guest_lay(g, sizeof(bytes), pieces, false, false);
		guest_bytes(g, head, bytes, sizeof(bytes), true);
		guest_offer(g, head);
		assert_int_equal(vring_take(&g->ring, t->pool, &m, 1), 1);
		if (m->ol_flags != q->flags || m->tso_segsz != q->size ||
			memcmp(rte_pktmbuf_mtod(m, uint8_t *), bytes + VRING_HEADER, 100) != 0)
			fail_msg("request %u: %lx", i / 2, (unsigned long)m->ol_flags);
		rte_pktmbuf_free(m);
		guest_stop(g);
	}
	all_back(t);
}

// What a guest is given unfinished.
static void
unfinished(void **state)
{
	struct rig *t = *state;
	struct guest *g = &t->g;
	struct virtio_net_hdr_v1 h;
	uint8_t bytes[100];
	unsigned i;

	for (i = 0; i < 4; i++) {
		bool tso = i % 2 != 0;
		struct rte_mbuf *m = rte_pktmbuf_alloc(t->pool);
		uint16_t head;

		guest_start(g, V1, 0, t->seed);
		ipv4_frame(bytes, 6);
		memcpy(rte_pktmbuf_append(m, sizeof(bytes)), bytes, sizeof(bytes));
		m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM |
			      (tso ? RTE_MBUF_F_TX_TCP_SEG : 0);
		m->l2_len = 14;
		m->l3_len = 20;
		m->l4_len = 20;
		m->tso_segsz = 7;
		head = (uint16_t)guest_lay(g, 1000, i < 2 ? 1 : 8, false, true);
		guest_offer(g, head);
		assert_int_equal(vring_give(&g->ring, &m, 1), 1);
		guest_bytes(g, head, (uint8_t *)&h, sizeof(h), false);
		assert_int_equal(h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(h.csum_start, 34);
		assert_int_equal(h.csum_offset, 16);
		assert_int_equal(h.gso_type, tso ? VIRTIO_NET_HDR_GSO_TCPV4 : 0);
		assert_int_equal(h.gso_size, tso ? 7 : 0);
		assert_int_equal(h.hdr_len, tso ? 54 : 0);
		assert_int_equal(h.num_buffers, 1);
		rte_pktmbuf_free(m);
		guest_stop(g);
	}
	all_back(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(unfinished),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

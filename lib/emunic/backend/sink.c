// SPDX-License-Identifier: BSD-3-Clause
#include "backend/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_bitops.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>

#include "backend/args.h"
#include "backend/mbuf.h"

// Takes every packet. With reflect=1 it answers each one: the packet comes back with MACs,
// addresses and ports swapped (their one's complement sum does not change, so every checksum stays
// right). A frame to a group address, or one too short for an Ethernet header, is not answered.
// What waits to be answered is bounded by depth: beyond it tx takes no more.

struct sink {
	struct emu_backend base;
	struct emu_backend_stats stats;
	struct rte_mempool *pool;
	bool reflect;
	uint32_t depth; // a power of two; size of ring
	uint32_t head;  // next to hand out
	uint32_t tail;  // next free
	struct rte_mbuf *ring[];
};

static void
swap(uint8_t *a, uint8_t *b, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++) {
		uint8_t keep = a[i];

		a[i] = b[i];
		b[i] = keep;
	}
}

// Swaps addresses and, of the first fragment of TCP, UDP and SCTP, ports. Headers that are not in
// the first segment are left alone.
static void
swap_l3(struct rte_mbuf *m)
{
	struct rte_net_hdr_lens lens = {0};
	uint32_t ptype = rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
	uint32_t l4 = lens.l2_len + lens.l3_len;
	uint8_t *l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, lens.l2_len);

	if (l4 > rte_pktmbuf_data_len(m))
		return;
	if (RTE_ETH_IS_IPV4_HDR(ptype) && lens.l3_len >= sizeof(struct rte_ipv4_hdr))
		swap(l3 + 12, l3 + 16, 4);
	else if (RTE_ETH_IS_IPV6_HDR(ptype) && lens.l3_len >= sizeof(struct rte_ipv6_hdr))
		swap(l3 + 8, l3 + 24, 16);
	else
		return;
	switch (ptype & RTE_PTYPE_L4_MASK) {
	case RTE_PTYPE_L4_TCP:
	case RTE_PTYPE_L4_UDP:
	case RTE_PTYPE_L4_SCTP:
		if (l4 + 4 <= rte_pktmbuf_data_len(m))
			swap(l3 + lens.l3_len, l3 + lens.l3_len + 2, 2);
	}
}

// The answer to a packet, in a buffer of the NIC's own, since the packet's own may go away with the
// application that made it. NULL with *wait set when there is no buffer for it now.
static struct rte_mbuf *
answer_to(struct sink *s, struct rte_mbuf *m, bool *wait)
{
	// A frame may begin anywhere, after a decapsulation at an odd address.
	uint8_t *eth = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_mbuf *copy;

	*wait = false;
	if (rte_pktmbuf_data_len(m) < sizeof(struct rte_ether_hdr) || eth[0] & RTE_ETHER_GROUP_ADDR)
		return NULL;
	copy = rte_pktmbuf_copy(m, s->pool, 0, UINT32_MAX);
	if (copy == NULL) {
		*wait = true;
		return NULL;
	}
	copy->ol_flags = 0;
	eth = rte_pktmbuf_mtod(copy, uint8_t *);
	swap(eth, eth + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	swap_l3(copy);
	return copy;
}

static uint16_t
sink_tx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct sink *s = (struct sink *)b;
	uint16_t taken = 0;

	for (; taken < n && s->reflect && s->tail - s->head < s->depth; taken++) {
		bool wait;
		struct rte_mbuf *answer = answer_to(s, pkts[taken], &wait);

		if (wait)
			break;
		if (answer != NULL)
			s->ring[s->tail++ & (s->depth - 1)] = answer;
	}
	if (!s->reflect)
		taken = n;
	s->stats.tx_packets += taken;
	s->stats.tx_bytes += emu_mbuf_bytes(pkts, taken);
	rte_pktmbuf_free_bulk(pkts, taken);
	return taken;
}

static uint16_t
sink_rx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct sink *s = (struct sink *)b;
	uint16_t given = 0;

	while (given < n && s->head != s->tail)
		pkts[given++] = s->ring[s->head++ & (s->depth - 1)];
	s->stats.rx_packets += given;
	s->stats.rx_bytes += emu_mbuf_bytes(pkts, given);
	return given;
}

static bool
sink_link(struct emu_backend *b)
{
	return true;
}

// A cable takes whole, finished frames only.
static bool
sink_takes_offloads(struct emu_backend *b)
{
	return false;
}

static uint64_t
sink_next_event(struct emu_backend *b)
{
	struct sink *s = (struct sink *)b;

	return s->head != s->tail ? 0 : UINT64_MAX;
}

static void
sink_move(struct emu_backend *b, const struct emu_backend_env *env)
{
	((struct sink *)b)->pool = env->pool;
}

static void
sink_stats(struct emu_backend *b, struct emu_backend_stats *out)
{
	*out = ((struct sink *)b)->stats;
}

static void
sink_close(struct emu_backend *b)
{
	struct sink *s = (struct sink *)b;

	while (s->head != s->tail)
		rte_pktmbuf_free(s->ring[s->head++ & (s->depth - 1)]);
	free(s);
}

static int
sink_open(const struct emu_backend_env *env, const char *text, struct emu_backend **out, char *why,
	size_t why_len)
{
	bool reflect = false;
	uint64_t depth = 1024;
	struct emu_arg args[] = {
		{.key = "reflect", .type = EMU_ARG_BOOL, .out = &reflect},
		{.key = "depth", .type = EMU_ARG_UINT, .out = &depth, .lo = 1, .hi = 65536},
	};
	struct sink *s;
	int rc;

	rc = emu_args_parse("sink", text, args, RTE_DIM(args), why, why_len);
	if (rc != 0)
		return rc;
	depth = reflect ? rte_align64pow2(depth) : 0;
	s = calloc(1, sizeof(*s) + depth * sizeof(s->ring[0]));
	if (s == NULL) {
		snprintf(why, why_len, "sink: no memory");
		return -ENOMEM;
	}
	s->base.ops = emu_backend_sink();
	s->pool = env->pool;
	s->reflect = reflect;
	s->depth = depth;
	*out = &s->base;
	return 0;
}

const struct emu_backend_ops *
emu_backend_sink(void)
{
	static const struct emu_backend_ops ops = {
		.kind = "sink",
		.open = sink_open,
		.close = sink_close,
		.rx = sink_rx,
		.tx = sink_tx,
		.link = sink_link,
		.takes_offloads = sink_takes_offloads,
		.next_event = sink_next_event,
		.move = sink_move,
		.stats = sink_stats,
	};

	return &ops;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "port/offload.h"
#include "eswitch/packet.h"
#include "eswitch/rss.h"

// The first bytes say where the frame is cut into three segments, which transmit flags it has and
// where its headers are said to be; the rest is the frame. Each segment is memory of its own, so
// that a read past an end is seen. The parser has to find the same in one piece and in three, no
// header that it says is there may end behind the packet, and what comes after the parser (RSS,
// checksums) has to bear whatever it let pass.

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 6
#define SEGMENTS 3

static const uint64_t flag_sets[] = {0, RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4,
	RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV6, RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4,
	RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV6, RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4,
	RTE_MBUF_F_RX_LRO, RTE_MBUF_F_RX_L4_CKSUM_NONE};

// Hangs data, cut at most twice, behind seg[0].
static void
chain(struct rte_mbuf *seg, const uint8_t *data, uint32_t len, const uint32_t *cut)
{
	uint32_t from = 0;

	memset(seg, 0, SEGMENTS * sizeof(*seg));
	for (unsigned int i = 0; i < SEGMENTS; i++) {
		uint32_t to = i + 1 < SEGMENTS ? RTE_MIN(cut[i], len) : len;

		to = RTE_MAX(from, to);
		seg[i].buf_addr = malloc(to - from + 1);
		if (seg[i].buf_addr == NULL)
			abort();
		memcpy((uint8_t *)seg[i].buf_addr + 1, data + from, to - from);
		seg[i].data_off = 1;
		seg[i].data_len = (uint16_t)(to - from);
		seg[i].next = i + 1 < SEGMENTS ? &seg[i + 1] : NULL;
		from = to;
	}
	rte_mbuf_refcnt_set(&seg[0], 1);
	seg[0].pkt_len = len;
	seg[0].nb_segs = SEGMENTS;
}

static void
unchain(struct rte_mbuf *seg)
{
	for (unsigned int i = 0; i < SEGMENTS; i++)
		free(seg[i].buf_addr);
}

// What a NIC does with a packet that its parser let pass.
static void
go_on(struct emu_pkt *p, const struct emu_rss *rss, bool host)
{
	uint64_t all = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
		       RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	uint32_t hash;

	emu_rss_hash(rss, p, &hash);
	if (!emu_offload_read(p, host))
		return;
	emu_verify_sums(p, all);
	if ((p->l4_sum || p->ip_sum) && !p->gso &&
		emu_is_own(p->m, p->l2_len + p->l3_len + p->l4_len) && emu_fill_sums(p, p->m) &&
		p->l4_sum)
		emu_leave_sums(p, p->m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct emu_rss rss; // the same for all inputs
	struct rte_mbuf whole_seg[SEGMENTS], cut_seg[SEGMENTS];
	struct emu_pkt whole = {.m = whole_seg}, cut = {.m = cut_seg};
	uint32_t len, at[2], nowhere[2];
	bool host, ok;

	if (size < HEAD || size > UINT16_MAX)
		return 0;
	if (rss.types == 0) {
		emu_rss_set_key(&rss, NULL);
		rss.types = EMU_RSS_TYPES;
	}
	len = (uint32_t)size - HEAD;
	host = data[0] & 1;
	at[0] = data[1];
	at[1] = data[1] + (uint32_t)data[2];
	nowhere[0] = nowhere[1] = len;
	chain(whole_seg, data + HEAD, len, nowhere);
	chain(cut_seg, data + HEAD, len, at);

	ok = emu_parse(&whole, 3, host);
	if (emu_parse(&cut, 3, host) != ok)
		abort();
	if (ok) {
		if (memcmp(&whole.key, &cut.key, sizeof(whole.key)) != 0 ||
			whole.l2_len != cut.l2_len || whole.l3_len != cut.l3_len ||
			whole.l4_len != cut.l4_len)
			abort();
		if (whole.l2_len > len || ((whole.key.layers & (EMU_L_TCP | EMU_L_UDP)) != 0 &&
						  whole.l2_len + whole.l3_len + whole.l4_len > len))
			abort();
		cut_seg[0].ol_flags = flag_sets[data[3] % RTE_DIM(flag_sets)];
		cut_seg[0].tso_segsz = data[4] * 8;
		cut_seg[0].l2_len = whole.l2_len;
		cut_seg[0].l3_len = data[5];
		cut_seg[0].l4_len = data[4];
		go_on(&cut, &rss, host);
	}
	unchain(whole_seg);
	unchain(cut_seg);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_OFFLOAD_H
#define SLUICE_DATAPATH_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "flow/key.h"
#include "flow/parse.h"

// What is still to be done to a packet on its way out, and who asked for it.
//
// Inside sluice a packet carries transmit requests only (RTE_MBUF_F_TX_*). Receiving turns what a
// device says (LRO with a segment size; L4 checksum "none", which stands for a partial one: DPDK
// programmer's guide, "Mbuf library", and virtio 1.1, 5.1.6) into a request without lengths;
// offload_settle, after the parser, either makes it whole (l2_len, l3_len, l4_len, type) or refuses
// it. What an output cannot do is finished in software (output.c). Thread safety: owner thread
// only (who holds the packet).

// Set by receiving; which L4 checksum it is, the parser says.
#define OFFLOAD_SUM RTE_MBUF_F_TX_UDP_CKSUM
#define OFFLOAD_SEG RTE_MBUF_F_TX_TCP_SEG
#define OFFLOAD_REQUESTS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

#define OFFLOAD_SEGMENTS_MAX 1024 // a packet that asks for more is refused

// What is kept of a received packet's flags.
#define OFFLOAD_RX_KEEP (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_RX_FDIR_ID)

// What is kept of one with a mark, once that was looked at.
#define OFFLOAD_BUFFER (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)

// flags: of one packet, or of several together. False: one may ask for something.
static inline bool
offload_asks_nothing(uint64_t flags)
{
	return (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_NONE &&
	       !(flags & (RTE_MBUF_F_RX_LRO | OFFLOAD_REQUESTS));
}

static inline uint64_t
offload_from_rx(uint64_t flags)
{
	uint64_t out = flags & OFFLOAD_RX_KEEP;

	if (unlikely((flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE))
		out |= OFFLOAD_SUM;
	if (unlikely(flags & RTE_MBUF_F_RX_LRO))
		out |= OFFLOAD_SEG | OFFLOAD_SUM;
	return out;
}

// Makes the request of m whole, or false: the packet does not fit it.
bool offload_settle(struct rte_mbuf *m, const struct flow_key *key, const struct flow_offsets *off);

// Headers of a settled packet.
static inline uint32_t
offload_l4(const struct rte_mbuf *m)
{
	return (uint32_t)m->l2_len + m->l3_len;
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_OFFLOAD_H
#define EMUNIC_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "eswitch/packet.h"

// Checksums and TCP segmentation, as the NIC's hardware does them, and the copy of a packet into a
// queue's own buffers.
//
// A sender may leave the IPv4 header checksum, the TCP or UDP checksum, or a whole TCP segment
// stream (up to 64 KB) to the NIC. Its claims are hostile until the NIC's own parser confirms them:
// offsets come from the parser only. Thread safety: any thread (no state).

#define EMU_MIN_MSS 88   // as Linux' TCP; shorter segments are an attack
#define EMU_MAX_HDRS 256 // bytes of headers that segmentation repeats

// Reads what the flags of p->m ask for into p; p was parsed. Host: the flags are those of a DPDK
// transmit; else also those of a vhost receive (RX_LRO with a segment size, RX_L4_CKSUM_NONE).
// False when the headers do not allow it.
bool emu_offload_read(struct emu_pkt *p, bool host);

// False: a fresh p needs no emu_offload_read.
static inline bool
emu_offload_asked(const struct rte_mbuf *m)
{
	return m->ol_flags &
	       (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM |
		       RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_MASK);
}

// Fill in the checksums that p asks for in m, which has p's headers, whole in its first segment and
// not shared. False when the lengths in the headers contradict the packet.
bool emu_fill_sums(const struct emu_pkt *p, struct rte_mbuf *m);

// Puts the sum of the pseudo header into the L4 checksum, the form in which an unfinished packet is
// given to a peer that takes it, and sets m's transmit flags and lengths accordingly.
bool emu_leave_sums(const struct emu_pkt *p, struct rte_mbuf *m);

// RTE_MBUF_F_RX_IP_CKSUM_* and L4_CKSUM_* of a finished packet, by verifying those in want
// (RTE_ETH_RX_OFFLOAD_*_CKSUM).
uint64_t emu_verify_sums(const struct emu_pkt *p, uint64_t want);

// True when m's first segment is ours alone and holds the first len bytes.
bool emu_is_own(const struct rte_mbuf *m, uint32_t len);

// Appends bytes [off, off + len) of src to dst, whose chain grows from pool. False: pool is empty.
bool emu_append(struct rte_mbuf *dst, struct rte_mempool *pool, const struct rte_mbuf *src,
	uint32_t off, uint32_t len);

// Cuts p (gso) into packets of pool, each finished. Ask for the next one until left is 0; NULL:
// the pool is empty.
struct emu_segments {
	const struct emu_pkt *p;
	uint32_t hdr_len;
	uint32_t off; // of the payload that comes next
	uint32_t left;
	uint16_t index;
};
void emu_segments_init(struct emu_segments *s, const struct emu_pkt *p);
struct rte_mbuf *emu_segments_next(struct emu_segments *s, struct rte_mempool *pool);

#endif

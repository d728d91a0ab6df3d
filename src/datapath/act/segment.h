// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_SEGMENT_H
#define SLUICE_DATAPATH_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

// TCP segmentation in software, for outputs that cannot do it.
//
// Problem: rte_gso of DPDK 22.11 does not know IPv6. Idea: each segment is a new packet with a copy
// of the headers and its part of the payload; lengths, IPv4 identification, sequence number and
// flags are set as RFC 9293 and RFC 3168 want them (FIN and PSH in the last one, CWR in the first
// one alone). Cost: one copy of the payload, which a guest's output makes anyway. Refuses: more
// than OFFLOAD_SEGMENTS_MAX segments (offload_settle sees to that). Thread safety: owner thread
// only (who holds the packet).

struct segment {
	const struct rte_mbuf *m; // settled, headers in the first segment; stays the caller's
	struct rte_mempool *pool;
	uint32_t header;
	uint32_t at, end; // of the payload not yet cut, in the frame
	uint16_t number;
};

void segment_start(struct segment *s, const struct rte_mbuf *m, struct rte_mempool *pool);
bool segment_more(const struct segment *s);
// The next one, with a settled request for its L4 checksum; NULL: there is no buffer.
struct rte_mbuf *segment_next(struct segment *s);

#endif

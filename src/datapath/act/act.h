// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_ACT_H
#define SLUICE_DATAPATH_ACT_H

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>

#include "lcore.h"

// The last stage of a burst: carries out the program of each packet, counts rules and places.
// Thread safety: owner thread only.

void act(struct dp_worker *w, struct dp_burst *b);
// A burst of one packet by the way of those that are nothing special, so that out/output.c sees it.
// count: rules, places and rates.
void act_traced(struct dp_worker *w, struct dp_burst *b, bool count);

// The common case: one output, by the worker's own transmit queue, the packet as it is. Told by the
// first word of a program: kind, flags, class, VLAN operation, transmit queue, output.
#define ACT_PLAIN_FLAGS                                                                            \
	(DP_PROG_RING | DP_PROG_HOST_RING | DP_PROG_STORM | DP_PROG_RATED | DP_PROG_LINGER |       \
		DP_PROG_EXT)
#define ACT_PLAIN_MASK (0xffff070000ffULL | (uint64_t)ACT_PLAIN_FLAGS << 8)
#define ACT_PLAIN (DP_PROG_OUTPUT | (uint64_t)DP_TXQ_OWN << 32)
#define ACT_OUT_SHIFT 48
#define ACT_OUT_MASK (0xffffULL << ACT_OUT_SHIFT)

static inline uint64_t
act_head(const struct dp_program *prog)
{
	uint64_t head;

	memcpy(&head, prog, sizeof(head));
	return head;
}

static inline bool
act_is_plain(const struct dp_program *prog)
{
	return (act_head(prog) & ACT_PLAIN_MASK) == ACT_PLAIN;
}
static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "the head is one little-endian word");
static_assert(offsetof(struct dp_program, flags) == 1 && offsetof(struct dp_program, cls) == 2 &&
		      offsetof(struct dp_program, txq) == 4 &&
		      offsetof(struct dp_program, out) == 6 && DP_VLAN_KEEP == 0,
	"looked at as one word");

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_ACT_H
#define SLUICE_DATAPATH_ACT_H

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "lcore.h"

// The last stage of a burst: carries out the program of each packet, counts rules and places.
// Thread safety: owner thread only.

void act(struct dp_worker *w, struct dp_burst *b);
// A burst of one packet by the way of those that are nothing special, so that out/output.c sees it.
// count: rules and places.
void act_traced(struct dp_worker *w, struct dp_burst *b, bool count);

// The common case: one output, by the worker's own transmit queue, the packet as it is.
static inline bool
act_is_plain(const struct dp_program *prog)
{
	const uint32_t flags = DP_PROG_RING | DP_PROG_HOST_RING | DP_PROG_STORM | DP_PROG_RATED |
			       DP_PROG_LINGER | DP_PROG_EXT;
	const uint32_t looked_at = 0x070000ff | flags << 8;
	uint32_t head; // kind, flags, class, VLAN operation

	memcpy(&head, prog, sizeof(head));
	return (head & looked_at) == DP_PROG_OUTPUT && prog->txq == DP_TXQ_OWN;
}
static_assert(offsetof(struct dp_program, flags) == 1 && offsetof(struct dp_program, cls) == 2 &&
		      offsetof(struct dp_program, drop) == 4 && DP_VLAN_KEEP == 0,
	"looked at as one word");

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_EXPLAIN_H
#define SLUICE_OFFLOAD_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/offload.h"

// What stands between a flow and the place that it wants, and what happens next; for people.
// Thread safety: owner thread only (control).

struct offload_rival { // who has what the flow waits for, and would have to go first
	uint32_t flow;
	uint64_t worth_bps; // what it is worth now
	uint64_t needs_bps; // what the flow has to be worth to replace it
	uint64_t has_bps;   // and is
	uint64_t stays_ns;  // it may not go before that; 0: it may
	uint32_t before;    // flows that wait for the same and are worth more
};

// False: it waits for nothing that another has.
bool offload_rival_of(
	const struct offload *o, uint32_t id, enum offload_side side, struct offload_rival *out);
// One sentence: what it waits for, and until when where that is known.
void offload_next(
	const struct offload *o, uint32_t id, enum offload_side side, char *buf, unsigned long len);

#endif

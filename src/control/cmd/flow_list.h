// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_FLOW_LIST_H
#define SLUICE_CONTROL_FLOW_LIST_H

#include "ctl/server.h"
#include "flow/match.h"
#include "state.h"

// `flow list`: what the placement manager knows, and for the rest the workers' caches, asked for in
// bounded chunks while packets flow. Keeps only the rows that the answer will have. Thread safety:
// owner thread only (control).

struct flow_filter {
	int vport, vm, sw, path, state; // -1: any
	bool has_match;
	struct flow_match match;
	char sort;      // 'b' bytes, 'p' packets, 'r' rate
	uint64_t limit; // rows, 0: FLOW_LIST_MAX
};

#define FLOW_LIST_MAX 100000

// The call is answered later. -ENOMEM, -EBUSY.
int flow_list_start(struct control *c, struct ctl_call *call, const struct flow_filter *filter);

#endif

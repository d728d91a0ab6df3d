// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_BALANCE_H
#define SLUICE_CONTROL_BALANCE_H

#include "state.h"
#include "work/plan.h"
#include "work/queues.h"

// Keeps the workers evenly loaded: once an interval (/datapath/balance) the loads of that interval
// are given to the planner (work/plan.h), and what it says is carried out, one queue after the
// other (work/move.h). Against going back and forth: a load below which nothing moves, a gain that
// has to be reached, a whole interval that is looked at, none that a move fell into, and four
// intervals in which a queue that moved stays. A queue that a person put somewhere stays
// (queue_pin). Thread safety: owner thread only (control).

struct balancer;

struct balance_view { // what would be done now
	struct balance_plan plan;
	double worker[DP_WORKERS_MAX]; // loads of the last second
	struct queue_load *queues;     // that plan.moves[].queue means; free()
	uint32_t n;
};

struct balancer *balancer_new(void); // NULL: out of memory
void balancer_free(struct balancer *b);
void balancer_tick(struct control *c);
// A dry run with the loads of the last second. -ENOMEM.
int balancer_look(const struct control *c, struct balance_view *out);
uint64_t balancer_rounds(const struct control *c); // plans that were carried out
// What the last interval's plan said; BALANCE_VERDICTS: there was none yet.
enum balance_verdict balancer_last(const struct control *c);
// Until the loads are looked at next, in ns.
uint64_t balancer_next(const struct control *c);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_PLAN_H
#define SLUICE_CONTROL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

// Which receive queues should go to another worker, and whether it is worth it.
//
// Problem: queues with known loads are dealt out to workers; the busiest worker is what limits, and
// each move costs (the flows' cache entries are made anew, their hardware queues are given back).
// Minimal makespan is NP-hard. Idea: local search from what is there: again and again one queue of
// the busiest worker goes to another one, or changes places with a lighter one there, whichever
// leaves the busier of the two the least load; no queue goes twice. It ends where no such step is
// left, which for moves and swaps on equal workers is within 2 - 2/(n + 1) of the best (Finn and
// Horowitz, BIT 1979), and mostly on it. All steps together must lower the greatest load by
// gain_min of itself, else none is taken: so that a load that goes up and down does not send queues
// back and forth. OVS looks at the variance of its PMD threads' loads and deals all queues out anew
// (pmd-auto-lb); here what limits is looked at, and what stays is not touched. Cost: steps times
// queues of the busiest times queues of another. Thread safety: any thread (a pure function).

#define BALANCE_MOVES_MAX 32
#define BALANCE_WORKERS_MAX 64
#define BALANCE_STEP_MIN 0.01 // of the busiest one's load, that a step lowers the busier one by

struct balance_queue {
	double load; // of a worker's time
	uint16_t worker;
	bool fixed; // stays where it is
};

struct balance_limits {
	double load_min;    // nothing moves while no worker has so much
	double gain_min;    // part of the busiest worker's load
	uint32_t moves_max; // at most BALANCE_MOVES_MAX
};

enum balance_verdict {
	BALANCE_MOVES,   // moves[0] to moves[n - 1], in this order
	BALANCE_CALM,    // no worker is busy enough
	BALANCE_EVEN,    // there is no step, or what all of them gain is too little
	BALANCE_UNKNOWN, // the loads are not known yet (this planner does not say so)
	BALANCE_ONE,     // there is one worker
	BALANCE_VERDICTS
};

struct balance_plan {
	enum balance_verdict verdict;
	double before, after; // load of the busiest worker; after: with all steps, also where they
			      // are not worth it
	uint32_t n;
	struct balance_move {
		uint32_t queue; // index
		uint16_t from, to;
	} moves[BALANCE_MOVES_MAX];
};

// A queue's worker is below n_workers (at most BALANCE_WORKERS_MAX).
void balance_plan(const struct balance_queue *queues, uint32_t n, uint16_t n_workers,
	const struct balance_limits *limits, struct balance_plan *out);
const char *balance_verdict_text(enum balance_verdict v); // a phrase

#endif

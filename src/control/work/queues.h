// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_QUEUES_H
#define SLUICE_CONTROL_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/snapshot.h"

// What each receive queue costs its worker.
//
// Problem: a worker's busy time is known, its parts are not, and reading the cycle counter around
// each burst would cost as much as a packet. Idea: the loops that a worker times anyhow (one in 64,
// datapath/lap.h) are timed queue by queue, which says what a packet of a queue costs; the worker's
// whole busy time is divided by that and by the packets of each. Cost: nothing for a packet. Thread
// safety: owner thread only (control).

struct control;
struct queue_reading; // what all queues had had at a time

struct queue_load {
	const struct dp_port *port; // for comparisons: it may be gone by now
	uint16_t queue, worker;
	uint8_t kind; // enum dp_rxq_kind
	double load;  // of its worker's time, 0 to 1
	double packets_per_s;
	double cycles_per_packet; // 0: it had none
};

// Of all queues that are polled now. NULL: out of memory.
struct queue_reading *queue_reading_take(const struct control *c);
void queue_reading_free(struct queue_reading *r);
bool queue_reading_has(const struct queue_reading *r, const struct dp_port *port);
// The loads between two readings of the queues that had the same worker in both: *out (free()) and
// their number. worker[] gets the busy part of each worker's time. -ENOMEM.
int queue_loads(const struct queue_reading *a, const struct queue_reading *b,
	struct queue_load **out, double worker[DP_WORKERS_MAX]);

#endif

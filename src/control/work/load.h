// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_LOAD_H
#define SLUICE_CONTROL_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/worker.h"

// What each worker did in the last whole second: how much of its time was busy, with how many
// packets, and in which stage (datapath/worker.h). Control reads the workers' counters once a
// second and keeps two readings. Thread safety: owner thread only (control).

struct control;
struct dp_port;
struct loads;
struct queue_reading; // work/queues.h

struct worker_load {
	bool known;           // two readings were made
	double busy;          // 0 to 1
	double packets_per_s; // received from devices and guests
	// 0: it had none. Thin traffic costs many: each packet has a loop of its own, after a nap.
	double cycles_per_packet;
	double packets_per_loop;       // of those that found something to do
	double stage_share[DP_STAGES]; // of the timed loops' cycles; all 0: none was timed
	double stage_cycles_per_packet[DP_STAGES];
};

struct loads *loads_new(void); // NULL: out of memory
void loads_free(struct loads *l);
// Reads the counters when a second has passed.
void loads_tick(struct control *c);
// The last two readings of the queues; false: there are none yet.
bool loads_readings(const struct control *c, const struct queue_reading **before,
	const struct queue_reading **last);
// The port is about to be closed.
void loads_port_gone(struct control *c, const struct dp_port *port);
void loads_get(const struct control *c, uint16_t worker, struct worker_load *out);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_QUEUES_H
#define SLUICE_BENCH_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "offload/offload.h"

// What the parts of `bench queues` share: eight flows, where each is, and who decided it.
// Thread-safety: owner thread only.

#define FLOWS 8
#define QUEUES 5 // 0 is the default one
#define TICK_NS SL_NS_PER_MS
#define RUN_TICKS 4000
#define ORDERS 256
#define HEAVY_BPS UINT64_C(100000000)
#define LIGHT_BPS UINT64_C(50000000)

struct bench_flow {
	struct flow_key key;
	struct offload_decision d;
	uint64_t bps;
	uint32_t id;
	uint32_t group; // flows of one belong together
	struct offload_place host, rule;
};

struct bench {
	struct sl_clock clock;
	struct offload *o;
	struct bench_flow flow[FLOWS];
	uint32_t orders; // messages of the host for flows
	uint32_t setup;  // and those that name no flow: groups, class rules
	struct offload_order open[ORDERS];
	uint32_t n_open;
};

// Who says which flows belong together.
enum kind { PLAIN, RATE_LIMITS, PRIORITIES, PARTITIONS, KINDS };

static inline uint8_t
path_of(const struct bench_flow *f)
{
	return f->rule.path != OFFLOAD_SOFTWARE ? f->rule.path : f->host.path;
}

// 0: the default queue, also that of the ring's flows.
static inline uint16_t
queue_of(const struct bench_flow *f)
{
	return f->rule.path != OFFLOAD_SOFTWARE ? f->rule.queue.index : 0;
}

// queues_engine.c: has the assignment engine of the emulated NIC place the flows, in groups that
// stand for the policy. 0 or -errno. EAL was started.
int engine_place(struct bench *b, enum kind kind, bool share);

// queues_delay.c: delays of packets in each kind of place, in ns, sorted.
struct delays;
struct delays *delays_measure(const struct bench *b); // NULL: out of memory
void delays_free(struct delays *d);
// The 99th percentile in us, or a negative number when nothing was there.
double delays_p99(const struct delays *d, enum offload_path path);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_PATH_RIG_H
#define SLUICE_BENCH_PATH_RIG_H

#include <stdint.h>

#include "datapath/mac.h"
#include "datapath/worker.h"
#include "lcore.h"
#include "loop.h"
#include "rules/rules.h"

// The packet path in one process, for benchmarks: one worker that the caller drives loop by loop,
// one switch with two ports on ethdevs, the 1000 rules of forward_policy.py. Whatever cannot be
// made ends the program with a sentence. Thread safety: owner thread only.

#define PATH_RULES 1000 // and one above them
#define PATH_POOL 16383
#define PATH_DESCRIPTORS 512

enum { PATH_IN, PATH_OUT, PATH_PORTS };

struct path {
	struct rte_mempool *pool;
	struct dp_datapath *dp;
	struct dp_worker *worker;
	struct rules *rules;
	struct rules_set *set;
	struct dp_mac_table *macs;
	struct dp_vport vport[PATH_PORTS];
	struct dp_port *port[PATH_PORTS];
	uint16_t members[PATH_PORTS];
	struct dp_rxq rxq;
	const struct dp_lane *_Atomic lanes[DP_LANES_MAX];
	struct dp_snapshot snap;
	uint16_t ethdev[PATH_PORTS];
};

struct path_conf {
	uint32_t flows;        // entries of the cache
	const char *actions;   // of the rules, NULL: output=1
	const char *above;     // match of one more rule, above the others, that drops; NULL: none
	bool candidates;       // the receiving port is a NIC's, and each flow wants its hardware
	enum dp_rxq_kind kind; // of the queue that is polled
	uint16_t queue;        // its number, and one less than the queues of each port
};

void path_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
uint32_t path_number(const char *text); // of an argument, from 1

// Packet buffers; before the devices.
void path_pool(struct path *p);
// Configures and starts the ethdev with that name, which is made with args unless they are NULL.
uint16_t path_device(struct path *p, const char *name, const char *args, uint16_t queues);
// p->ethdev[] is set. Afterwards the worker sees the first snapshot.
void path_begin(struct path *p, const struct path_conf *conf);
// All but the devices and the pool: the caller closes them afterwards.
void path_end(struct path *p);

// Cycles that calls took, sorted: what one in fifty stays below.
double path_usual(double *v, unsigned n);

#endif

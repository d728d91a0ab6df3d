// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_LOOP_H
#define SLUICE_DATAPATH_LOOP_H

#include "lcore.h"

// The loop of a worker. Thread safety: owner thread only.

// One loop, from the quiescent state to the end of transmit. Returns true when it found something
// to do. Nothing happens before the first snapshot is published.
bool dp_worker_once(struct dp_worker *w);
// No snapshot is used any more until the next loop.
void dp_worker_offline(struct dp_worker *w);
// Loops until the datapath stops; for rte_eal_remote_launch.
int dp_worker_loop(void *worker);

#endif

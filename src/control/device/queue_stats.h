// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_QUEUE_STATS_H
#define SLUICE_CONTROL_QUEUE_STATS_H

#include <stdint.h>

#include "datapath/limits.h"

// Counters of a device's queues, by the names that ethdev gives them among the extended statistics
// (DPDK programmer's guide, "Extended Statistics API": rx_q0_packets, tx_q0_bytes). The basic
// statistics had them for 16 queues at most, and from DPDK 25.11 on not at all.
// Thread safety: owner thread only (control).

struct queue_count {
	uint64_t packets, bytes, errors;
};

struct queue_stats {
	struct queue_count rx[DP_QUEUES_MAX], tx[DP_QUEUES_MAX];
};

// What the device does not count is 0.
void queue_stats_read(uint16_t ethdev, struct queue_stats *out);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_ETHDEV_SETUP_H
#define SLUICE_CONTROL_ETHDEV_SETUP_H

#include <stdint.h>

#include "base/err.h"

// Probing, configuring and starting an ethdev the way that the packet path wants it: symmetric RSS
// over the first queues, checksum and segmentation offloads where the device has them, scattered
// and multi-segment packets. Thread safety: owner thread only (control).

struct rte_mempool;

struct ethdev_plan {
	uint16_t rx_queues;  // wanted; the device's limit is an error
	uint16_t rx_default; // of these the RSS set, from queue 0
	uint16_t tx_queues;
	uint16_t rx_desc, tx_desc;
	uint16_t mtu;         // 0: the device's own
	uint32_t mbufs;       // of the default queues' pool
	uint32_t queue_mbufs; // of the pool of each other queue
};

struct ethdev_result {
	uint64_t rx_offloads, tx_offloads;
	uint16_t n_pools;
	struct rte_mempool **pools;
};

// Probes devargs unless a device of that name exists. ethdev: its first port. *probed tells whether
// we made it.
int ethdev_probe(const char *devargs, char *name, unsigned long name_len, uint16_t *ethdev,
	int *probed, struct sl_err *err);
// Removes a device that ethdev_probe made.
void ethdev_remove(const char *name);
int ethdev_setup(uint16_t ethdev, const struct ethdev_plan *plan, struct ethdev_result *out,
	struct sl_err *err);
// Starts one again that ethdev_setup set up and that was stopped since; its RSS set is as before.
int ethdev_restart(uint16_t ethdev, uint16_t rx_queues, uint16_t rx_default, struct sl_err *err);
// Stops the port and frees the pools.
void ethdev_teardown(uint16_t ethdev, struct ethdev_result *r);
// Stops and closes one that ethdev_setup refused, and frees what it made.
void ethdev_pools_free(struct ethdev_result *r);

#endif

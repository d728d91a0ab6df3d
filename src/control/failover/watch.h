// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_WATCH_H
#define SLUICE_CONTROL_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Hears at once when an ethdev's link changes or the device is gone (RTE_ETH_EVENT_INTR_LSC and
// _RMV; DPDK programmer's guide, "Poll Mode Driver: Link status"), and wakes control.
// Thread safety: owner thread only (control); the events come from EAL's interrupt thread.

struct watch {
	uint16_t ethdev;
	int wake_fd;
	atomic_bool changed, removed;
	_Atomic uint64_t told_ns; // by the driver, first since watch_heard; of CLOCK_MONOTONIC
};

int watch_start(struct watch *w, uint16_t ethdev, int wake_fd);
void watch_stop(struct watch *w);
// Whether something was heard since the last call; *removed: the device is gone.
bool watch_heard(struct watch *w, bool *removed);
// When that was told (monotonic, as sl_now); 0: nothing was. Before watch_heard.
uint64_t watch_told(const struct watch *w);
// The link as the driver tells it now.
bool watch_link(const struct watch *w);

#endif

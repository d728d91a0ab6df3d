// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_XSTATS_H
#define SLUICE_CONTROL_XSTATS_H

#include <stdbool.h>
#include <stdint.h>

// A device's extended statistics by name (DPDK programmer's guide, "Extended Statistics API").
// Thread safety: owner thread only (control).

typedef void (*xstat_fn)(void *ctx, const char *name, uint64_t value);

// Calls fn for each. False, and no call: the device has none, or they could not be read.
bool xstats_each(uint16_t ethdev, xstat_fn fn, void *ctx);

#endif

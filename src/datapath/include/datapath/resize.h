// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_RESIZE_H
#define SLUICE_DATAPATH_RESIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// Another number of flows in the workers' caches, while packets flow.
//
// Control makes a second cache for each worker (workers take no memory), hands it over by an order
// (DP_ORD_RESIZE), and frees the first one when the worker has let go of it. In between the worker
// has the entries go from one to the other (cache_move), in each loop those of some buckets, which
// takes some microseconds; and those whose packets come at once. A flow keeps what is known of it:
// counters, decision, what it was told of. Where the new cache is smaller, and all cannot stay, the
// flows that leave are those that leave a full cache; the worker waits while control has no room
// for the news of them. Cost: both caches' memory until then; with a million flows half a second.
// Thread safety: owner thread only, which is control's.

struct dp_datapath;

// Makes a cache of so many flows for each worker. All or none: -ENOMEM, -EINVAL, -EBUSY (the last
// resize has not ended).
int dp_resize_prepare(struct dp_datapath *dp, uint32_t flows, struct sl_err *err);
// What was prepared is not wanted after all. Before the first order.
void dp_resize_cancel(struct dp_datapath *dp);
// After every worker was given the order: frees what workers have let go of. Returns whether there
// is more to come.
bool dp_resize_run(struct dp_datapath *dp);
// Has anything been prepared, or does a worker have two caches?
bool dp_resizing(const struct dp_datapath *dp);

#endif

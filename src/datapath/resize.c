// SPDX-License-Identifier: BSD-3-Clause
#include "resize_step.h"

#include <errno.h>
#include <string.h>

#include "classify/report.h"
#include "datapath/resize.h"
#include "tick.h"

#define RESIZE_BUCKETS 8 // of one loop: some 36 entries, 3 to 5 us
// As many flows can leave in a loop, with those that its packets have leave.
#define RESIZE_EVENTS 256

void
resize_switch(struct dp_worker *w)
{
	struct lcore_resize *r = &w->resize;
	struct cache *old = w->cache;

	if (cache_take_over(r->cache, old) != 0) {
		atomic_store_explicit(&r->over, true, memory_order_release);
		return;
	}
	w->cache = r->cache;
	w->cache_apart = cache_apart(w->cache);
	r->cache = old;
	r->moving = true;
	tick_resized(w);
	tick_publish(w);
}

bool
resize_step(struct dp_worker *w)
{
	// That a flow has left is told once: better later than not at all.
	if (rte_ring_free_count(w->events) < RESIZE_EVENTS)
		return false;
	if (cache_move(w->cache, w->tick, RESIZE_BUCKETS))
		return true;
	w->resize.moving = false;
	tick_publish(w);
	atomic_store_explicit(&w->resize.over, true, memory_order_release);
	return true;
}

// ---- control's side

bool
dp_resizing(const struct dp_datapath *dp)
{
	for (uint16_t i = 0; i < dp->cfg.n_workers; i++)
		if (dp->worker[i]->resize.prepared)
			return true;
	return false;
}

void
dp_resize_cancel(struct dp_datapath *dp)
{
	for (uint16_t i = 0; i < dp->cfg.n_workers; i++) {
		struct lcore_resize *r = &dp->worker[i]->resize;

		cache_free(r->cache);
		r->cache = NULL;
		r->prepared = false;
	}
}

int
dp_resize_prepare(struct dp_datapath *dp, uint32_t flows, struct sl_err *err)
{
	int rc = 0;

	if (dp_resizing(dp))
		return sl_err_set(err, EBUSY, NULL,
			"the last change of the number of flows is still under way");
	for (uint16_t i = 0; i < dp->cfg.n_workers && rc == 0; i++) {
		struct dp_worker *w = dp->worker[i];

		atomic_store(&w->resize.over, false);
		rc = cache_new(
			flows, w->socket, dp->cfg.seed + w->id, report_gone, w, &w->resize.cache);
		w->resize.prepared = rc == 0;
	}
	if (rc == 0)
		return 0;
	dp_resize_cancel(dp);
	return sl_err_set(err, -rc, NULL,
		"no caches of %u flows: %zu MB for %u workers, beside the present ones: %s", flows,
		dp->cfg.n_workers * cache_memory(flows) >> 20, dp->cfg.n_workers, strerror(-rc));
}

bool
dp_resize_run(struct dp_datapath *dp)
{
	for (uint16_t i = 0; i < dp->cfg.n_workers; i++) {
		struct lcore_resize *r = &dp->worker[i]->resize;

		if (!r->prepared || !atomic_load_explicit(&r->over, memory_order_acquire))
			continue;
		cache_free(r->cache);
		r->cache = NULL;
		r->prepared = false;
	}
	return dp_resizing(dp);
}

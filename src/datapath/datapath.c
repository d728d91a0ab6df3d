// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "base/err.h"
#include "out/handover.h"
#include "loop.h"
#include "memory.h"
#include "classify/report.h"
#include "out/ring.h"
#include "classify/store.h"
#include "tick.h"

#define SYNC_LOOKS 20000  // about a millisecond
#define SYNC_NAP_NS 20000 // after that

static struct rte_ring *
ring_new(uint32_t size, uint32_t elem, int socket)
{
	ssize_t len = rte_ring_get_memsize_elem(elem, size);
	struct rte_ring *r = len > 0 ? dp_zalloc((size_t)len, socket) : NULL;

	if (r != NULL && rte_ring_init(r, "datapath", size, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
		dp_free_mem(r);
		return NULL;
	}
	return r;
}

static void
worker_free(struct dp_worker *w)
{
	unsigned i;

	if (w == NULL)
		return;
	cache_free(w->cache);
	cache_free(w->resize.cache);
	dp_store_free(w->store);
	dp_free_mem(w->reports);
	dp_free_mem(w->lane_drained);
	dp_free_mem(w->held);
	dp_free_mem(w->orders);
	dp_free_mem(w->events);
	dp_free_mem(w->inject);
	dp_free_mem(w->vports);
	dp_free_mem(w->accounts);
	dp_free_mem(w->lanes);
	for (i = 0; i < DP_SWITCHES_MAX; i++)
		dp_free_mem(atomic_load(&w->rules[i]));
	dp_free_mem(w);
}

static int
worker_parts(struct dp_worker *w, const struct dp_datapath_cfg *cfg)
{
	int socket = w->socket;
	int rc;

	w->n_reports = LCORE_REPORTS - 1; // the cache can grow
	w->store = dp_store_new(socket, cfg->seed);
	w->reports = dp_zalloc(sizeof(*w->reports) * (w->n_reports + 1), socket);
	w->lane_drained = dp_zalloc(sizeof(*w->lane_drained) * DP_LANES_MAX, socket);
	w->held = dp_zalloc(sizeof(*w->held) * LCORE_HELD * DP_BURST, socket);
	w->orders = ring_new(LCORE_ORDERS, sizeof(struct dp_order), socket);
	w->events = ring_new(LCORE_EVENTS, sizeof(struct dp_event), socket);
	w->inject = ring_new(LCORE_INJECT, sizeof(void *), socket);
	w->vports = dp_zalloc(sizeof(*w->vports) * DP_VPORTS_MAX, socket);
	w->accounts = dp_zalloc(sizeof(*w->accounts) * DP_VPORTS_MAX, socket);
	w->lanes = dp_zalloc(sizeof(*w->lanes) * DP_LANES_MAX, socket);
	if (w->store == NULL || w->reports == NULL || w->lane_drained == NULL || w->held == NULL ||
		w->orders == NULL || w->events == NULL || w->inject == NULL || w->vports == NULL ||
		w->accounts == NULL || w->lanes == NULL)
		return -ENOMEM;
	rc = cache_new(cfg->flows, socket, cfg->seed + w->id, report_gone, w, &w->cache);
	if (rc != 0)
		return rc;
	w->cache_apart = cache_apart(w->cache);
	report_init(w);
	w->now = rte_rdtsc();
	tick_start(w);
	tick_publish(w);
	return 0;
}

static int
worker_new(struct dp_datapath *dp, uint16_t id)
{
	unsigned lcore = dp->cfg.lcore[id];
	int socket = (int)rte_lcore_to_socket_id(lcore);
	struct dp_worker *w = dp_zalloc(sizeof(*w), socket);

	if (w == NULL)
		return -ENOMEM;
	dp->worker[id] = w;
	w->dp = dp;
	w->id = id;
	w->lcore = lcore;
	w->socket = socket;
	w->packet_at = dp->packet_at;
	return worker_parts(w, &dp->cfg);
}

static int
links_new(struct dp_datapath *dp)
{
	uint16_t from, to;

	for (from = 0; from < dp->cfg.n_workers; from++) {
		for (to = 0; to < dp->cfg.n_workers; to++) {
			if (from == to)
				continue;
			dp->link[from][to].ring =
				ring_new(LCORE_HANDOVER, sizeof(void *), dp->worker[to]->socket);
			if (dp->link[from][to].ring == NULL)
				return -ENOMEM;
		}
	}
	return 0;
}

static int
qsbr_new(struct dp_datapath *dp)
{
	uint16_t i;

	dp->qsbr = dp_zalloc(rte_rcu_qsbr_get_memsize(dp->cfg.n_workers), SOCKET_ID_ANY);
	if (dp->qsbr == NULL)
		return -ENOMEM;
	if (rte_rcu_qsbr_init(dp->qsbr, dp->cfg.n_workers) != 0)
		return -EINVAL;
	for (i = 0; i < dp->cfg.n_workers; i++)
		rte_rcu_qsbr_thread_register(dp->qsbr, i);
	return 0;
}

static int
parts_new(struct dp_datapath *dp)
{
	uint16_t i;
	int rc = 0;

	for (i = 0; i < dp->cfg.n_workers && rc == 0; i++)
		rc = worker_new(dp, i);
	if (rc == 0)
		rc = links_new(dp);
	if (rc == 0)
		rc = qsbr_new(dp);
	return rc;
}

int
dp_new(const struct dp_datapath_cfg *cfg, struct dp_datapath **out, struct sl_err *err)
{
	struct dp_datapath *dp;
	int rc;

	if (cfg->n_workers == 0 || cfg->n_workers > DP_WORKERS_MAX)
		return sl_err_set(err, EINVAL, NULL, "1 to %u workers, not %u", DP_WORKERS_MAX,
			cfg->n_workers);
	dp = dp_zalloc(sizeof(*dp), SOCKET_ID_ANY);
	if (dp == NULL)
		return sl_err_set(err, ENOMEM, NULL, "no memory for the packet path");
	dp->cfg = *cfg;
	memset(dp->bar, 0xff, sizeof(dp->bar)); // nobody has told any
	dp->hz = rte_get_tsc_hz();
	dp->us_cycles = dp->hz / 1000000;
	dp->tick_cycles = (uint64_t)((__uint128_t)dp->hz * DP_TICK_NS / 1000000000);
	dp->packet_at = dp_packet_register();
	if (dp->packet_at < 0) {
		rc = sl_err_set(err, -dp->packet_at, NULL,
			"no room for 8 bytes of ours in DPDK's packet buffers");
		dp_free_mem(dp);
		return rc;
	}
	rc = parts_new(dp);
	if (rc != 0) {
		rc = sl_err_set(err, -rc, NULL, "cannot make %u workers with %u flows each: %s",
			cfg->n_workers, cfg->flows, strerror(-rc));
		dp_free(dp);
		return rc;
	}
	*out = dp;
	return 0;
}

int
dp_start(struct dp_datapath *dp, const struct dp_snapshot *first, struct sl_err *err)
{
	uint16_t i;
	int rc;

	dp_publish(dp, first);
	atomic_store(&dp->stop, false);
	dp->running = true;
	for (i = 0; i < dp->cfg.n_workers; i++) {
		rc = rte_eal_remote_launch(dp_worker_loop, dp->worker[i], dp->worker[i]->lcore);
		if (rc != 0) {
			dp_stop(dp);
			return sl_err_set(err, -rc, NULL, "cannot start a worker on lcore %u: %s",
				dp->worker[i]->lcore, strerror(-rc));
		}
	}
	return 0;
}

void
dp_stop(struct dp_datapath *dp)
{
	uint16_t i;

	if (!dp->running)
		return;
	atomic_store(&dp->stop, true);
	for (i = 0; i < dp->cfg.n_workers; i++) {
		rte_eal_wait_lcore(dp->worker[i]->lcore);
		atomic_load_explicit(&dp->worker[i]->ended, memory_order_acquire);
	}
	dp->running = false;
}

// The workers are stopped: what they hold ends here.
static void
drop_held(struct dp_worker *w)
{
	struct rte_mbuf *m;

	handover_drop(w);
	while (w->n_scheds > 0)
		ring_drain(w, w->scheds[0]);
	while (rte_ring_sc_dequeue(w->inject, (void **)&m) == 0)
		lcore_free_later(w, m);
	lcore_free_flush(w);
}

void
dp_free(struct dp_datapath *dp)
{
	uint16_t i, j;

	if (dp == NULL)
		return;
	dp_stop(dp);
	for (i = 0; i < dp->cfg.n_workers; i++)
		if (dp->worker[i] != NULL && dp->worker[i]->cache != NULL)
			drop_held(dp->worker[i]);
	for (i = 0; i < dp->cfg.n_workers; i++) {
		for (j = 0; j < dp->cfg.n_workers; j++)
			dp_free_mem(dp->link[i][j].ring);
		worker_free(dp->worker[i]);
	}
	dp_free_mem(dp->qsbr);
	dp_free_mem(dp);
}

const struct dp_snapshot *
dp_publish(struct dp_datapath *dp, const struct dp_snapshot *next)
{
	const struct dp_snapshot *old =
		atomic_exchange_explicit(&dp->snapshot, next, memory_order_acq_rel);

	atomic_fetch_add_explicit(&dp->published, 1, memory_order_release);
	dp_synchronize(dp);
	return old;
}

void
dp_synchronize(struct dp_datapath *dp)
{
	const uint64_t token = rte_rcu_qsbr_start(dp->qsbr);
	const struct timespec nap = {.tv_nsec = SYNC_NAP_NS};
	unsigned looks = 0;

	while (rte_rcu_qsbr_check(dp->qsbr, token, false) == 0) {
		if (++looks < SYNC_LOOKS) { // a round takes some microseconds
			rte_pause();
			continue;
		}
		nanosleep(&nap, NULL);
		if (dp->cfg.waits != NULL)
			dp->cfg.waits(dp->cfg.waits_ctx);
	}
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "work/load.h"
#include "work/queues.h"

static uint64_t
load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static double
rounded(double x, double steps)
{
	return (double)(int64_t)(x * steps + 0.5) / steps;
}

// Totals since the start, but for the load and the cycles of a packet: of the last second.
static json_t *
worker_json(const struct control *c, uint16_t w)
{
	const struct dp_worker_counters *n = dp_worker_counters(c->dp, w);
	struct worker_load now;
	uint64_t packets = 0;
	uint16_t v;

	loads_get(c, w, &now);
	for (v = 0; v < DP_VPORTS_MAX; v++)
		packets += load(&dp_vport_counters(c->dp, w)[v].received);
	return json_pack("{si si si sI sf sf sf sf sI sI sI sI sI sI sI sI sI sI sI sI sI sI}",
		"worker", (int)w, "lcore", (int)dp_worker_lcore(c->dp, w), "rx_queues",
		(int)c->snapshot->plan[w].n_rxq, "packets", (json_int_t)packets, "busy_pct",
		rounded(100 * now.busy, 10), "packets_per_s", rounded(now.packets_per_s, 1),
		"cycles_per_packet", rounded(now.cycles_per_packet, 10), "packets_per_loop",
		rounded(now.packets_per_loop, 10), "cache_flows",
		(json_int_t)atomic_load_explicit(&n->flows, memory_order_relaxed), "cache_size",
		(json_int_t)atomic_load_explicit(&n->cache_size, memory_order_relaxed),
		"cache_moving", (json_int_t)atomic_load_explicit(&n->moving, memory_order_relaxed),
		"cache_bytes", (json_int_t)load(&n->cache_memory), "hits",
		(json_int_t)load(&n->hits), "misses", (json_int_t)load(&n->misses), "stale",
		(json_int_t)load(&n->stale), "lane_hits", (json_int_t)load(&n->lane_hits),
		"lane_stale", (json_int_t)load(&n->lane_stale), "events_lost",
		(json_int_t)load(&n->events_lost), "evicted", (json_int_t)load(&n->evicted),
		"over_budget", (json_int_t)load(&n->over_budget), "uncached",
		(json_int_t)load(&n->uncached), "naps", (json_int_t)load(&n->naps));
}

COMMAND(cmd_worker_list)
{
	struct control *c = app;
	json_t *items = json_array();
	uint16_t w;

	for (w = 0; w < c->n_workers; w++)
		json_array_append_new(items, worker_json(c, w));
	*result = json_items(items, 0);
	return 0;
}

static json_t *
stages_json(const struct control *c, uint16_t w)
{
	json_t *stages = json_array();
	struct worker_load now;
	unsigned int i;

	loads_get(c, w, &now);
	for (i = 0; i < DP_STAGES; i++)
		json_array_append_new(
			stages, json_pack("{ss sf sf}", "stage", dp_stage_name(i), "share_pct",
					rounded(100 * now.stage_share[i], 10), "cycles_per_packet",
					rounded(now.stage_cycles_per_packet[i], 10)));
	return stages;
}

// Of the last second, where it is known.
static const struct queue_load *
load_of(const struct queue_load *loads, int n, const struct dp_rxq *q, uint16_t w)
{
	int i;

	for (i = 0; i < n; i++)
		if (loads[i].port == q->port && loads[i].queue == q->queue && loads[i].worker == w)
			return &loads[i];
	return NULL;
}

static json_t *
queue_json(
	const struct control *c, const struct dp_rxq *q, uint16_t w, const struct queue_load *now)
{
	const struct dp_rxq_count *count = &q->port->worker[w]->rxq[q->queue];

	return json_pack("{ss si ss sb sf sf sf sI}", "port", port_name(c, q->port->vport), "queue",
		(int)q->queue, "kind", q->kind == DP_RXQ_ASSIGNED ? "assigned" : "default",
		"pinned", (int)q->port->rxq_pinned[q->queue], "load_pct",
		rounded(now != NULL ? 100 * now->load : 0, 10), "packets_per_s",
		rounded(now != NULL ? now->packets_per_s : 0, 1), "cycles_per_packet",
		rounded(now != NULL ? now->cycles_per_packet : 0, 10), "packets",
		(json_int_t)load(&count->packets)); // that this worker took from it
}

static json_t *
queues_json(const struct control *c, uint16_t w)
{
	const struct dp_worker_plan *plan = &c->snapshot->plan[w];
	const struct queue_reading *before, *last;
	json_t *queues = json_array();
	struct queue_load *now = NULL;
	double busy[DP_WORKERS_MAX];
	int n = 0;
	uint16_t i;

	if (loads_readings(c, &before, &last))
		n = queue_loads(before, last, &now, busy);
	for (i = 0; i < plan->n_rxq; i++)
		json_array_append_new(
			queues, queue_json(c, &plan->rxq[i], w, load_of(now, n, &plan->rxq[i], w)));
	free(now);
	return queues;
}

COMMAND(cmd_worker_show)
{
	struct control *c = app;
	int64_t w = arg_int(args, "worker", 0);

	if (w >= c->n_workers)
		return sl_err_set(err, ENOENT, "worker",
			"there is no worker %u, the last one is %u", (unsigned)w,
			c->n_workers - 1u);
	*result = worker_json(c, (uint16_t)w);
	json_object_set_new(*result, "stages", stages_json(c, (uint16_t)w));
	json_object_set_new(*result, "queues", queues_json(c, (uint16_t)w));
	return 0;
}

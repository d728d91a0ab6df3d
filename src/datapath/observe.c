// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include <rte_ring_elem.h>

#include "lcore.h"
#include "memory.h"

// Control's side of the workers: orders in, events and counters out.

bool
dp_order_put(struct dp_datapath *dp, uint16_t worker, const struct dp_order *order)
{
	return rte_ring_sp_enqueue_elem(
		       dp->worker[worker]->orders, (void *)(uintptr_t)order, sizeof(*order)) == 0;
}

unsigned
dp_events_get(struct dp_datapath *dp, struct dp_event *out, unsigned n)
{
	unsigned got = 0;
	uint16_t i;

	for (i = 0; i < dp->cfg.n_workers && got < n; i++)
		got += rte_ring_sc_dequeue_burst_elem(
			dp->worker[i]->events, &out[got], sizeof(*out), n - got, NULL);
	return got;
}

void
dp_report_bar(struct dp_datapath *dp, uint16_t vport, uint32_t bytes)
{
	if (atomic_load_explicit(&dp->bar[vport], memory_order_relaxed) != bytes)
		atomic_store_explicit(&dp->bar[vport], bytes, memory_order_relaxed);
}

bool
dp_inject(struct dp_datapath *dp, uint16_t worker, struct rte_mbuf *m, uint16_t origin)
{
	*dp_packet(m, dp->packet_at) =
		(struct dp_packet){.origin = origin, .target = DP_NO_TARGET, .txq = DP_TXQ_OWN};
	return rte_ring_sp_enqueue(dp->worker[worker]->inject, m) == 0;
}

uint16_t
dp_workers(const struct dp_datapath *dp)
{
	return dp->cfg.n_workers;
}

unsigned
dp_worker_lcore(const struct dp_datapath *dp, uint16_t worker)
{
	return dp->worker[worker]->lcore;
}

const char *
dp_stage_name(enum dp_stage stage)
{
	static const char *const name[DP_STAGES] = {
		"receive", "classify", "act", "transmit", "rings", "rest"};

	return stage < DP_STAGES ? name[stage] : "?";
}

const struct dp_worker_counters *
dp_worker_counters(const struct dp_datapath *dp, uint16_t worker)
{
	return &dp->worker[worker]->counters;
}

const struct dp_vport_counters *
dp_vport_counters(const struct dp_datapath *dp, uint16_t worker)
{
	return dp->worker[worker]->vports;
}

const struct qos_account *
dp_accounts(const struct dp_datapath *dp, uint16_t worker)
{
	return dp->worker[worker]->accounts;
}

const struct dp_count *
dp_lane_counts(const struct dp_datapath *dp, uint16_t worker)
{
	return dp->worker[worker]->lanes;
}

const struct dp_count *
dp_rule_counts(const struct dp_datapath *dp, uint16_t worker, uint16_t sw)
{
	return atomic_load_explicit(&dp->worker[worker]->rules[sw], memory_order_relaxed);
}

int
dp_rule_counts_new(struct dp_datapath *dp, uint16_t sw, uint32_t max_rules)
{
	uint16_t i;

	if (sw >= DP_SWITCHES_MAX || max_rules == 0 || max_rules > UINT16_MAX + 1u)
		return -EINVAL;
	for (i = 0; i < dp->cfg.n_workers; i++) {
		struct dp_worker *w = dp->worker[i];
		struct dp_count *counts = dp_zalloc(sizeof(*counts) * max_rules, w->socket);

		if (counts == NULL)
			return -ENOMEM;
		// No snapshot in force names the switch, so nobody counts on the old ones.
		dp_free_mem(atomic_exchange(&w->rules[sw], counts));
		w->max_rules[sw] = max_rules;
	}
	return 0;
}

void
dp_rule_counts_reset(struct dp_datapath *dp, uint16_t sw, uint32_t rule)
{
	uint16_t i;

	for (i = 0; i < dp->cfg.n_workers; i++) {
		struct dp_worker *w = dp->worker[i];
		struct dp_count *counts = atomic_load(&w->rules[sw]);

		if (counts == NULL || rule >= w->max_rules[sw])
			continue;
		atomic_store_explicit(&counts[rule].packets, 0, memory_order_relaxed);
		atomic_store_explicit(&counts[rule].bytes, 0, memory_order_relaxed);
	}
}

uint64_t
dp_held(const struct dp_datapath *dp)
{
	const struct dp_snapshot *s = atomic_load_explicit(&dp->snapshot, memory_order_acquire);
	uint64_t held = 0;
	uint16_t i, j;

	for (i = 0; i < dp->cfg.n_workers; i++)
		for (j = 0; j < dp->cfg.n_workers; j++)
			if (i != j)
				held += rte_ring_count(dp->link[i][j].ring);
	for (i = 0; s != NULL && i < DP_VPORTS_MAX; i++)
		if (s->vport[i] != NULL && s->vport[i]->port != NULL)
			held += qos_sched_held(s->vport[i]->port->sched);
	return held;
}

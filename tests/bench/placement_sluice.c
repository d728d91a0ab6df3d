// SPDX-License-Identifier: BSD-3-Clause
#include "placement_sluice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "config/config.h"
#include "datapath/worker.h"
#include "lcore.h"
#include "offload/offload.h"
#include "place/offload_run.h"
#include "placement_ahead.h"
#include "placement_nic.h"
#include "classify/entry.h"
#include "classify/report.h"

#define ORDERS_MAX 1024
#define EVENTS_MAX 256
#define COUNTS_MAX 4096
#define START_NS (1000 * SL_NS_PER_S) // so that no time is 0

struct sim_flow {
	bool placed; // the rule is in force
	bool seen;   // a packet of it was
	bool was;    // a rule of it was in force
	uint32_t id; // of the brain
	uint32_t packets;
	uint64_t bytes; // carried by its rule and not yet told
};

struct sim_counts { // counters that were asked for
	uint64_t done_ns;
	uint32_t n;
	uint32_t ids[COUNTS_MAX];
};

struct sim {
	const struct trace *t;
	struct sl_clock clock;
	struct config *cfg;
	struct offload *o;
	struct dp_datapath *dp;
	struct dp_worker *w;
	struct nic_model nic;
	struct sim_flow *flow;
	uint32_t *by_id;       // trace's flow of a brain's flow
	uint32_t *slots, mask; // trace's flow + 1 by hash of key
	struct sim_counts counts;
	struct sim_ahead *ahead;
	uint64_t placing_ns; // an event came, or an order was given
	uint64_t carried, events, counters, lost[SLUICE_LOST];
	uint32_t *took_ns, n_took, cap_took;
};

// ---- what the rules say: through the embedded switch to where the destination address is

// TRACE_NO_FLOW: the trace has no such flow.
static uint32_t
find_flow(const struct sim *s, const struct flow_key *key)
{
	uint32_t at = (uint32_t)flow_key_hash(key, 1) & s->mask;

	while (s->slots[at] != 0 && !flow_key_equal(&s->t->keys[s->slots[at] - 1], key))
		at = (at + 1) & s->mask;
	return s->slots[at] != 0 ? s->slots[at] - 1 : TRACE_NO_FLOW;
}

static struct offload_end
end_of(uint16_t port)
{
	return (struct offload_end){.nic = 0,
		.port = port,
		.vport = port,
		.vm = port > 0 ? (uint16_t)(port - 1) : OFFLOAD_NONE};
}

static void
decide_flow(const struct sim *s, const struct flow_key *key, struct offload_decision *d)
{
	*d = (struct offload_decision){
		.in = end_of(key->vport),
		.out = end_of(trace_to(key)),
		.lane_ok = true,
		.eswitch_ok = true,
		.pinned_queue = OFFLOAD_NONE,
		.vm_max_queues = OFFLOAD_NONE,
		.gen = 1,
	};
	d->actions.n = 1;
	d->actions.list[0].type = FLOW_ACT_OUTPUT;
	d->actions.list[0].port = d->out.vport;
	if (sim_ahead_serves(s->ahead, find_flow(s, key)))
		d->served = OFFLOAD_SERVED_ESWITCH;
}

// ---- the worker

static void
worker_tick(struct sim *s, uint64_t ns)
{
	uint32_t tick = (uint32_t)(ns / DP_TICK_NS);
	uint32_t idle = (uint32_t)(s->cfg->idle_ms * SL_NS_PER_MS / DP_TICK_NS);

	if (tick == s->w->tick)
		return;
	s->w->tick = tick;
	cache_expire(s->w->cache, tick, idle, s->w->expire_per_tick);
}

static void
worker_packet(struct sim *s, const struct trace_packet *p)
{
	static const struct dp_program output = {.kind = DP_PROG_OUTPUT};
	struct cache_entry *e;
	uint64_t hash;

	worker_tick(s, s->clock.manual_ns);
	if (cache_lookup_burst(s->w->cache, &s->t->keys[p->flow], 1, &hash, &e, NULL) == 0) {
		e = cache_insert(s->w->cache, &s->t->keys[p->flow], hash, s->w->tick);
		entry_set_program(s->w, e, &output);
	}
	report_packet(s->w, e, p->len, NULL, DP_NO_DSCP);
}

// ---- control

static void
note_id(struct sim *s, uint32_t id, const struct flow_key *key)
{
	uint32_t flow = find_flow(s, key);

	s->by_id[id] = flow;
	if (flow != TRACE_NO_FLOW)
		s->flow[flow].id = id;
}

// As src/control/place/offload_run.c does.
static void
expect_other(struct sim *s, uint32_t id)
{
	struct offload_decision d;
	struct flow_key key;
	uint32_t other;

	if (!offload_flow_expects(s->o, id, &key))
		return;
	decide_flow(s, &key, &d);
	other = offload_flow_expect(s->o, id, &key, &d);
	if (other != UINT32_MAX)
		note_id(s, other, &key);
}

static void
take_event(struct sim *s, const struct dp_event *ev)
{
	struct offload_decision d;
	uint32_t id;
	bool known;

	s->events++;
	if (ev->type == DP_EV_FLOW_GONE) {
		offload_flow_gone(s->o, &ev->key, ev->packets, ev->bytes);
		return;
	}
	if (ev->type != DP_EV_FLOW)
		return;
	decide_flow(s, &ev->key, &d);
	known = offload_find(s->o, &ev->key, &id) == 0;
	id = offload_flow_report(
		s->o, &ev->key, ev->worker, &d, ev->packets, ev->bytes, OFFLOAD_SOFTWARE);
	if (id == UINT32_MAX)
		return;
	note_id(s, id, &ev->key);
	if (!known)
		expect_other(s, id);
}

static bool
take_events(struct sim *s)
{
	struct dp_event events[EVENTS_MAX];
	bool any = false;
	unsigned n, i;

	while ((n = dp_events_get(s->dp, events, EVENTS_MAX)) > 0) {
		any = true;
		for (i = 0; i < n; i++)
			take_event(s, &events[i]);
	}
	return any;
}

static void
tell_counter(struct sim *s, uint32_t flow)
{
	struct sim_flow *f = &s->flow[flow];

	if (f->packets > 0)
		offload_flow_count(s->o, f->id, f->packets, f->bytes);
	f->packets = 0;
	f->bytes = 0;
}

static void
take_counts(struct sim *s, uint64_t ns)
{
	uint32_t i;

	if (s->counts.n == 0 || s->counts.done_ns > ns)
		return;
	for (i = 0; i < s->counts.n; i++) {
		uint32_t flow = s->by_id[s->counts.ids[i]];

		if (flow != TRACE_NO_FLOW && s->flow[flow].placed)
			tell_counter(s, flow);
	}
	s->counters += s->counts.n;
	s->counts.n = 0;
}

static void
ask_counts(struct sim *s, uint64_t ns)
{
	if (s->counts.n > 0)
		return;
	s->counts.n = offload_counts_due(s->o, 0, s->counts.ids, COUNTS_MAX);
	s->counts.done_ns = ns + NIC_OP_NS;
}

// What the NIC has done takes effect at its own time, also between two ticks; control hears of it
// at once (the executor wakes it).
static void
take_answers(struct sim *s, uint64_t ns)
{
	struct nic_op op;

	while (nic_model_get(&s->nic, ns, &op)) {
		struct sim_flow none = {0};
		struct sim_flow *f = op.flow != TRACE_NO_FLOW ? &s->flow[op.flow] : &none;
		uint32_t packets = 0;
		uint64_t bytes = 0;

		s->clock.manual_ns = op.done_ns;
		if (op.tag & AHEAD_TAG) {
			sim_ahead_done(s->ahead, &op);
			continue;
		}
		if (!op.insert) {
			packets = f->packets;
			bytes = f->bytes;
			f->packets = 0;
			f->bytes = 0;
		}
		f->placed = op.insert;
		f->was |= op.insert;
		offload_done(s->o, op.tag, OFFLOAD_IN, OFFLOAD_OK, 0, NULL, packets, bytes);
	}
}

static int
give_orders(struct sim *s, uint64_t ns)
{
	struct offload_order orders[ORDERS_MAX];
	uint32_t n = offload_tick(s->o, orders, ORDERS_MAX), i;

	for (i = 0; i < n; i++) {
		if (orders[i].type == OFFLOAD_SET_HOST)
			continue;
		if (nic_model_put(&s->nic, ns, s->by_id[orders[i].flow], orders[i].flow,
			    orders[i].type == OFFLOAD_INSTALL) != 0)
			return -1;
	}
	return (int)n;
}

// As src/control/place/ahead.c does.
static void
run_ahead(struct sim *s, uint64_t ns)
{
	struct offload_decision d;
	uint32_t held, i, id;

	if (!sim_ahead_run(s->ahead, ns, s->o, &s->nic, &held))
		return;
	offload_nic_reserve(s->o, 0, held);
	for (i = 0; i < s->t->n_flows; i++) {
		if (offload_find(s->o, &s->t->keys[i], &id) != 0)
			continue;
		decide_flow(s, &s->t->keys[i], &d);
		offload_flow_redecide(s->o, id, &d);
	}
}

static int
note_time(struct sim *s, uint64_t took)
{
	if (s->n_took == s->cap_took) {
		uint32_t cap = s->cap_took == 0 ? 65536 : 2 * s->cap_took;
		uint32_t *grown = realloc(s->took_ns, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		s->took_ns = grown;
		s->cap_took = cap;
	}
	s->took_ns[s->n_took++] = (uint32_t)took;
	return 0;
}

// Of this thread, so that a busy machine does not count.
static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SL_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int
control_tick(struct sim *s, uint64_t ns)
{
	uint64_t before = cpu_ns();
	bool any;
	int rc;

	s->clock.manual_ns = ns;
	any = take_events(s);
	take_counts(s, ns);
	ask_counts(s, ns);
	run_ahead(s, ns);
	rc = give_orders(s, ns);
	if (rc < 0)
		return rc;
	s->w->report_rate = offload_bar(s->o, 0);
	if (!any && rc == 0)
		return 0;
	s->placing_ns = ns;
	return note_time(s, cpu_ns() - before);
}

// ---- the whole

static int
sim_index(struct sim *s)
{
	uint32_t size = 4096, i, at;

	while (size < 2 * s->t->n_flows)
		size *= 2;
	s->mask = size - 1;
	s->slots = calloc(size, sizeof(*s->slots));
	if (s->slots == NULL)
		return -1;
	for (i = 0; i < s->t->n_flows; i++) {
		at = (uint32_t)flow_key_hash(&s->t->keys[i], 1) & s->mask;
		while (s->slots[at] != 0)
			at = (at + 1) & s->mask;
		s->slots[at] = i + 1;
	}
	return 0;
}

static int
sim_init(struct sim *s, const struct trace *t, uint32_t entries, uint16_t queues,
	const struct ahead_setup *ahead)
{
	static const char text[] = "{\"switches\":[{\"name\":\"s\"}]}";
	struct dp_datapath_cfg dp = {.n_workers = 1, .seed = 1};
	struct offload_nic_cfg nic = {.name = "nic0",
		.eswitch = true,
		.mark = true,
		.rule_limit = entries,
		.ports = TRACE_PORTS};
	struct offload_cfg cfg;
	struct sl_err err;
	uint32_t i;

	sl_err_init(&err);
	s->t = t;
	s->clock = sl_clock_manual(START_NS);
	if (config_parse(text, sizeof(text) - 1, "the defaults", NULL, &s->cfg, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	dp.flows = s->cfg->flows;
	if (dp_new(&dp, &s->dp, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	s->w = s->dp->worker[0];
	s->w->tick = (uint32_t)(START_NS / DP_TICK_NS);
	for (i = 0; i < nic.ports; i++)
		nic.port[i] = (struct offload_nic_port_cfg){
			.rx_queues = queues, .rx_default = 1, .tx_queues = queues, .tx_default = 1};
	cfg = offload_run_cfg(s->cfg, 1);
	s->flow = calloc(t->n_flows, sizeof(*s->flow));
	s->by_id = calloc(cfg.flows_max, sizeof(*s->by_id));
	s->ahead = sim_ahead_new(t, ahead, entries);
	if (s->ahead == NULL || s->flow == NULL || s->by_id == NULL || sim_index(s) != 0 ||
		nic_model_init(&s->nic) != 0 || offload_new(&cfg, &s->clock, &s->o) != 0 ||
		offload_nic_add(s->o, 0, &nic) != 0) {
		fprintf(stderr, "out of memory\n");
		return -1;
	}
	return 0;
}

static void
sim_fini(struct sim *s)
{
	offload_free(s->o);
	if (s->dp != NULL)
		dp_free(s->dp);
	config_free(s->cfg);
	nic_model_fini(&s->nic);
	free(s->flow);
	free(s->by_id);
	free(s->slots);
	free(s->took_ns);
	sim_ahead_free(s->ahead);
}

// Why no rule carries a packet of the flow.
static enum sluice_lost
why_lost(const struct sim *s, uint32_t flow)
{
	struct offload_flow_info info;
	uint32_t id;

	if (!s->flow[flow].seen)
		return SLUICE_LOST_FIRST;
	if (offload_find(s->o, &s->t->keys[flow], &id) != 0 || !offload_flow_get(s->o, id, &info))
		return SLUICE_LOST_UNTOLD;
	if (info.side[OFFLOAD_IN].state == OFFLOAD_ST_INSTALLING)
		return SLUICE_LOST_NIC;
	if (s->flow[flow].was)
		return SLUICE_LOST_EVICTED;
	switch (info.side[OFFLOAD_IN].reason) {
	case OFFLOAD_R_TABLE_FULL:
		return SLUICE_LOST_FULL;
	case OFFLOAD_R_LIGHT:
		return SLUICE_LOST_LIGHT;
	default:
		return SLUICE_LOST_WAITS;
	}
}

static int
play(struct sim *s)
{
	uint64_t next = START_NS;
	uint32_t i;

	s->w->report_rate = offload_bar(s->o, 0);
	for (i = 0; i < s->t->n_pkts; i++) {
		const struct trace_packet *p = &s->t->pkts[i];
		uint64_t ns = START_NS + p->ns;

		for (; next <= ns; next += offload_run_tick_ns(s->cfg, s->placing_ns, next)) {
			take_answers(s, next);
			if (control_tick(s, next) < 0)
				return -1;
		}
		take_answers(s, ns);
		s->clock.manual_ns = ns;
		if (p->flow == TRACE_NO_FLOW)
			continue;
		if (sim_ahead_packet(s->ahead, p->flow, p->len)) {
			s->carried += p->len;
			continue;
		}
		if (!s->flow[p->flow].placed) {
			s->lost[why_lost(s, p->flow)] += p->len;
			s->flow[p->flow].seen = true;
			worker_packet(s, p);
			continue;
		}
		s->flow[p->flow].seen = true;
		s->flow[p->flow].packets++;
		s->flow[p->flow].bytes += p->len;
		s->carried += p->len;
	}
	return 0;
}

static int
shorter(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
sum_up(struct sim *s, struct sluice_result *out)
{
	double seconds = s->t->ns > 0 ? (double)s->t->ns / 1e9 : 1.0;
	unsigned i;

	qsort(s->took_ns, s->n_took, sizeof(*s->took_ns), shorter);
	*out = (struct sluice_result){
		.share = (double)s->carried / (double)s->t->bytes,
		.rules = sim_ahead_rules(s->ahead),
		.moves_per_s = (double)s->nic.inserted / seconds,
		.events_per_s = (double)s->events / seconds,
		.counters_per_s = (double)s->counters / seconds,
		.decisions_us_p99 =
			s->n_took > 0 ? s->took_ns[(uint64_t)s->n_took * 99 / 100] / 1e3 : 0.0,
	};
	for (i = 0; i < SLUICE_LOST; i++)
		out->lost[i] = (double)s->lost[i] / (double)s->t->bytes;
}

int
sluice_run(const struct trace *t, uint32_t entries, uint16_t queues,
	const struct ahead_setup *ahead, struct sluice_result *out)
{
	struct sim *s = calloc(1, sizeof(*s));
	int rc = -1;

	if (s != NULL) {
		rc = sim_init(s, t, entries, queues, ahead);
		if (rc == 0)
			rc = play(s);
		if (rc == 0)
			sum_up(s, out);
		sim_fini(s);
	}
	free(s);
	return rc;
}

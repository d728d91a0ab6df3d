// SPDX-License-Identifier: BSD-3-Clause
#include "place/offload_run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ext/chain.h"
#include "failover/evict.h"
#include "failover/failover.h"
#include "offload/shape.h"
#include "place/ahead.h"
#include "place/hints.h"
#include "place/misses.h"
#include "switch/macs.h"
#include "place/mover.h"
#include "place/placements.h"
#include "publish.h"
#include "switch/rule_book.h"
#include "work/move.h"

#define EVENTS_AT_ONCE 256
#define EVENTS_PER_TICK 16384
#define EVENTS_IN_RUSH 64 // of a tick
#define ORDERS_MAX 1024
#define PLACING_NS (16 * SL_NS_PER_MS) // that flows are taken to come and go after one did
#define COUNT_EVERY_NS (100 * SL_NS_PER_MS)

struct offload_cfg
offload_run_cfg(const struct config *cfg, uint32_t workers)
{
	const struct config_offload *o = &cfg->offload;

	return (struct offload_cfg){
		.enabled = o->enabled,
		.heavy_bps = o->heavy_bps,
		.light_bps = o->light_bps,
		.min_bps = o->min_bps,
		.eswitch_min_bps = o->eswitch_min_bps,
		.idle_ms = o->idle_ms,
		.residency_ms = o->residency_ms,
		.retry_ms = o->retry_ms,
		.shared_flows = o->shared_flows,
		.orders_per_tick =
			o->orders_per_tick < ORDERS_MAX ? o->orders_per_tick : ORDERS_MAX,
		.flows_max = PLACEMENT_FLOWS_MAX,
		.workers = workers,
	};
}

// ---- decisions

static struct offload_end
end_of(const struct control *c, uint16_t vport)
{
	const struct control_vport *v = vport < DP_VPORTS_MAX ? &c->vports[vport] : NULL;
	struct offload_end e = {OFFLOAD_NONE, OFFLOAD_NONE, OFFLOAD_NONE, OFFLOAD_NONE};

	if (v == NULL || !v->used)
		return e;
	e.vport = vport;
	e.vm = v->cfg.vm < 0 ? OFFLOAD_NONE : (uint16_t)v->cfg.vm;
	if (v->port != NULL && v->port->nic != DP_NONE) {
		e.nic = v->port->nic;
		e.port = v->port->nic_port;
	}
	return e;
}

// Actions that a transfer rule can say in place of the switch.
static bool
eswitch_can(const struct dp_program *prog, const struct dp_verdict *v)
{
	if (prog->kind == DP_PROG_DROP)
		return prog->drop == DP_DROP_RULE || prog->drop == DP_DROP_NO_RULE ||
		       prog->drop == DP_DROP_EXTENSION;
	return v->single_output && prog->kind == DP_PROG_OUTPUT && prog->vlan_op == DP_VLAN_KEEP &&
	       prog->cls == 0 && (prog->flags & DP_PROG_RING) == 0 && !v->rated && !v->metered;
}

// The fields that a key still holds from older rules. The flow has another key by now, this one
// only waits for its end.
static uint32_t
left_over(const struct flow_key *key, uint32_t depends)
{
	uint32_t fields = 0;

	for (uint32_t f = 1; f <= FLOW_FIELD_ALL; f <<= 1) {
		struct flow_key without = *key;

		flow_key_keep(&without, ~f);
		if (!(depends & f) && !flow_key_equal(&without, key))
			fields |= f;
	}
	return fields;
}

void
offload_run_decide(struct control *c, const struct flow_key *key, uint8_t dscp,
	struct offload_decision *d, struct dp_program *prog)
{
	struct dp_verdict v;
	int sw = control_switch_of(c, key->switch_id);

	memset(prog, 0, sizeof(*prog));
	memset(d, 0, sizeof(*d));
	d->in = end_of(c, key->vport);
	d->out = end_of(c, OFFLOAD_NONE);
	d->pinned_queue = OFFLOAD_NONE;
	d->vm_max_queues = OFFLOAD_NONE;
	d->gen = c->gen;
	d->through_vm = misses_through(c, key->vport);
	if (ahead_serves(c, key, d->served_by, sizeof(d->served_by)))
		d->served = OFFLOAD_SERVED_ESWITCH;
	else if (ahead_class_serves(c, key, dscp, d->served_by, sizeof(d->served_by)))
		d->served = OFFLOAD_SERVED_QUEUES;
	if (sw < 0 || d->in.vport == OFFLOAD_NONE)
		return;
	dp_compile(c->snapshot, key, prog, &v);
	d->drop = prog->kind == DP_PROG_DROP;
	if (v.single_output)
		d->out = end_of(c, prog->out);
	d->depends = v.depends | left_over(key, v.depends);
	d->cls = prog->cls;
	d->priority = prog->cls < c->cfg->n_classes ? c->cfg->classes[prog->cls].level : 0;
	d->wants_ring = (prog->flags & DP_PROG_RING) != 0 || prog->cls != 0 || v.rated;
	d->lane_ok = v.single_output;
	d->eswitch_ok = eswitch_can(prog, &v);
	d->metered = v.metered;
	d->fragments = key->frag != FLOW_FRAG_NO;
	d->pinned_queue = v.pinned_queue == DP_NONE ? OFFLOAD_NONE : v.pinned_queue;
	d->share = c->cfg->switches[sw].mode == CONFIG_OFFLOAD_SHARE;
	d->actions = v.actions;
	if (d->eswitch_ok && d->in.nic != OFFLOAD_NONE && (d->drop || d->in.nic == d->out.nic))
		d->table = ahead_table(c, d->in.nic, d->in.port);
	d->seen = v.seen;
	if (v.viewer != NULL)
		snprintf(d->seen_by, sizeof(d->seen_by), "%s", ext_name(v.viewer));
	if (d->out.vport != OFFLOAD_NONE) {
		d->vm_max_queues = c->vports[d->out.vport].cfg.max_queues;
		d->vm_max_entries = c->vports[d->out.vport].cfg.max_entries;
	}
}

struct redecide_list {
	uint32_t *ids;
	uint32_t n, cap;
};

static void
collect(void *ctx, const struct offload_flow_info *fi)
{
	struct redecide_list *l = ctx;

	if (l->n < l->cap)
		l->ids[l->n++] = fi->id;
}

static void
redecide_one(struct control *c, uint32_t id)
{
	struct offload_flow_info fi;
	struct offload_decision d;
	struct dp_program prog;
	struct placement *pl;
	unsigned side;

	if (!offload_flow_get(c->offload, id, &fi))
		return;
	offload_run_decide(c, &fi.key, fi.dscp, &d, &prog);
	for (side = 0; side < 2; side++) {
		pl = placement_find(c, id, side);
		if (pl == NULL)
			continue;
		if (pl->has_lane)
			placement_lane_update(c, pl, &fi.key);
		placement_judge(c, pl, &d);
		if (!pl->contradicted) // what it carries from now on is that of other rules
			placement_decided_by(c, pl, &fi.key, &prog);
	}
	offload_flow_redecide(c->offload, id, &d);
	if (d.in.vm != fi.decision.in.vm || d.out.vm != fi.decision.out.vm)
		hints_flow(c, id);
}

void
offload_run_redecide(struct control *c)
{
	struct redecide_list l = {.cap = PLACEMENT_FLOWS_MAX};
	uint32_t i;

	ahead_review(c);
	l.ids = malloc(l.cap * sizeof(*l.ids));
	if (l.ids == NULL)
		return;
	offload_flow_each(c->offload, collect, &l);
	for (i = 0; i < l.n; i++)
		redecide_one(c, l.ids[i]);
	free(l.ids);
	offload_run_tick(c);
}

static uint64_t
cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SL_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void
spent(struct control *c, enum control_spent what, uint64_t *since)
{
	const uint64_t now = cpu_now();

	c->spent_ns[what] += now - *since;
	*since = now;
}

// ---- events

// A flow that was reported first: its other direction may be worth a rule before it comes.
static void
expect_other(struct control *c, uint32_t id)
{
	struct offload_decision d;
	struct dp_program prog;
	struct flow_key key;
	uint32_t other;

	if (!offload_flow_expects(c->offload, id, &key))
		return;
	offload_run_decide(c, &key, DP_NO_DSCP, &d, &prog);
	other = offload_flow_expect(c->offload, id, &key, &d);
	if (other == UINT32_MAX)
		return;
	placements_forget_host(c, other);
	hints_flow(c, other);
}

static void
flow_event(struct control *c, const struct dp_event *ev)
{
	struct offload_flow_info fi;
	struct offload_flow_view f;
	struct offload_decision d;
	struct dp_program prog;
	uint8_t worker, dscp;
	uint32_t id;
	bool known, moved;

	known = offload_find(c->offload, &ev->key, &id) == 0;
	if (ev->type == DP_EV_FLOW_GONE && known && offload_flow_get(c->offload, id, &fi) &&
		fi.worker != ev->worker) {
		// Its queue went to another worker, and the one before has forgotten it by now.
		offload_flow_left(c->offload, id, ev->path, ev->packets, ev->bytes);
		return;
	}
	if (ev->type == DP_EV_FLOW_GONE) {
		offload_flow_gone(c->offload, &ev->key, ev->packets, ev->bytes);
		if (known && offload_flow_get(c->offload, id, &fi) &&
			fi.side[OFFLOAD_OUT].actual.path != OFFLOAD_SOFTWARE)
			placements_untold_host(c, id);
		else if (known)
			placements_forget_host(c, id);
		return;
	}
	dscp = ev->dscp;
	if (dscp == DP_NO_DSCP && known && offload_flow_look(c->offload, id, &f))
		dscp = f.dscp;
	offload_run_decide(c, &ev->key, dscp, &d, &prog);
	if (d.in.vport == OFFLOAD_NONE)
		return;
	known = known && offload_flow_look(c->offload, id, &f);
	worker = known ? f.worker : 0;
	moved = known && (d.in.vm != f.decision->in.vm || d.out.vm != f.decision->out.vm);
	id = offload_flow_report(
		c->offload, &ev->key, ev->worker, &d, ev->packets, ev->bytes, ev->path);
	if (id == UINT32_MAX || !offload_flow_look(c->offload, id, &f))
		return;
	if (ev->dscp != DP_NO_DSCP)
		offload_flow_dscp(c->offload, id, ev->dscp);
	if (!known || f.worker != worker) // with a flow's worker its cache entry changes
		placements_forget_host(c, id);
	if (!known || moved)
		hints_flow(c, id);
	if (!known)
		expect_other(c, id);
	if (known)
		placements_retell_host(c, id, ev->worker, &ev->key);
}

bool
offload_run_events(struct control *c)
{
	struct dp_event events[EVENTS_AT_ONCE];
	uint64_t begun = cpu_now();
	unsigned n, i, total = 0, most = EVENTS_AT_ONCE;

	// The flows that come to the host while their rules go to another NIC are all known, and
	// will be gone from it in a moment. What a queue's old worker has told must be heard.
	if (failover_rushes(c) && !queue_moves_busy(c))
		most = EVENTS_IN_RUSH;
	do {
		n = dp_events_get(c->dp, events, most);
		for (i = 0; i < n; i++) {
			if (events[i].type == DP_EV_MAC)
				macs_learn(c, &events[i]);
			else
				flow_event(c, &events[i]);
		}
		total += n;
	} while (n == EVENTS_AT_ONCE && total < EVENTS_PER_TICK);
	if (total > 0)
		c->placing_ns = sl_now(&c->clock);
	spent(c, CONTROL_REPORTS, &begun);
	return macs_tick(c);
}

// ---- counters of placements

#define COUNTS_AT_ONCE 256

// Asks a NIC for the counters that the brain wants to know, when it has answered the last time.
static void
count_rules(struct control *c, uint16_t nic)
{
	uint32_t ids[COUNTS_AT_ONCE], n, i;
	struct nic_job *job;

	if (c->counting[nic] || c->nics[nic]->gone || offload_nic_rush(c->offload, nic) > 0)
		return;
	n = offload_counts_due(c->offload, nic, ids, COUNTS_AT_ONCE);
	job = n > 0 ? calloc(1, sizeof(*job)) : NULL;
	if (job == NULL)
		return;
	job->type = NIC_JOB_COUNT;
	job->counts = calloc(n, sizeof(*job->counts));
	for (i = 0; job->counts != NULL && i < n; i++) {
		const struct placement *pl = placement_find(c, ids[i], OFFLOAD_IN);

		if (pl != NULL && pl->state == PLACEMENT_PLACED && !pl->has_lane && pl->nic == nic)
			job->counts[job->n_counts++] = (struct nic_count){
				.id = pl->flow << 1 | pl->side,
				.ethdev = pl->ethdev,
				.flow = pl->handle,
			};
	}
	if (job->n_counts > 0 && nic_executor_put(c->nics[nic]->executor, job))
		c->counting[nic] = true;
	else
		nic_job_free(job);
}

// What hardware carries keeps the source's MAC in the table.
static void
keep_alive(struct control *c, uint32_t flow)
{
	struct offload_flow_view f;

	if (offload_flow_look(c->offload, flow, &f))
		macs_touch(c, f.key);
}

static void
count_lane(void *ctx, struct placement *pl)
{
	struct control *c = ctx;
	uint32_t packets;
	uint64_t bytes;

	if (pl->state != PLACEMENT_PLACED || !pl->has_lane)
		return;
	placement_lane_delta(c, pl, &packets, &bytes);
	if (packets > 0) {
		offload_flow_count(c->offload, pl->flow, packets, bytes);
		keep_alive(c, pl->flow);
	} else {
		offload_flow_still(c->offload, pl->flow);
	}
}

static void
count_placements(struct control *c, uint64_t now)
{
	uint16_t i;

	if (now >= c->next_count_ns) {
		c->next_count_ns = now + COUNT_EVERY_NS;
		placements_each(c, count_lane, c);
	}
	for (i = 0; i < CONFIG_NICS_MAX; i++)
		if (c->nics[i] != NULL)
			count_rules(c, i);
}

static void
take_counts(struct control *c, struct nic_job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_counts; i++) {
		const struct nic_count *n = &job->counts[i];
		struct placement *pl = placement_find(c, n->id >> 1, n->id & 1);

		if (n->error != 0 || pl == NULL || pl->handle != n->flow ||
			pl->ethdev != n->ethdev || n->packets < pl->base_packets)
			continue;
		if (n->packets > pl->base_packets) {
			placement_carried(
				c, pl, n->packets - pl->base_packets, n->bytes - pl->base_bytes);
			offload_flow_count(c->offload, pl->flow,
				(uint32_t)(n->packets - pl->base_packets),
				n->bytes - pl->base_bytes);
			keep_alive(c, pl->flow);
		} else {
			offload_flow_still(c->offload, pl->flow);
		}
		pl->base_packets = n->packets;
		pl->base_bytes = n->bytes;
	}
	nic_job_free(job);
}

void
offload_run_answers(struct control *c)
{
	uint64_t begun = cpu_now();
	struct nic_job *job;
	unsigned i;

	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		while (c->nics[i] != NULL &&
			(job = nic_executor_get(c->nics[i]->executor)) != NULL) {
			if (job->id & AHEAD_JOB) {
				ahead_answer(c, job, (uint16_t)i);
			} else if (job->type == NIC_JOB_COUNT) {
				c->counting[i] = false;
				take_counts(c, job);
			} else if (job->type == NIC_JOB_EVICT) {
				evict_answer(c, (uint16_t)i, job);
			} else if (job->type == NIC_JOB_VALIDATE || job->type == NIC_JOB_TRIAL) {
				nic_job_free(job); // of a probe that did not wait for it
			} else {
				mover_answer(c, job);
			}
		}
	}
	spent(c, CONTROL_ANSWERS, &begun);
	mover_run(c);
}

// What a flow has to reach to be told of, by the port that it comes in by.
static void
publish_bars(struct control *c)
{
	uint16_t i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = &c->vports[i];
		uint16_t nic = v->used && v->port != NULL ? v->port->nic : DP_NONE;

		if (v->used)
			dp_report_bar(c->dp, i, offload_bar(c->offload, nic));
	}
}

static void
hold_executors(struct control *c, bool on)
{
	unsigned i;

	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] != NULL)
			nic_executor_hold(c->nics[i]->executor, on);
	}
}

void
offload_run_tick(struct control *c)
{
	struct offload_order orders[ORDERS_MAX];
	uint64_t now = sl_now(&c->clock), begun;
	uint32_t n, i;

	count_placements(c, now);
	ahead_run(c);
	publish_bars(c);
	placements_reap(c);
	if (!placements_host_settled(c)) {
		mover_run(c);
		return;
	}
	begun = cpu_now();
	n = offload_tick(c->offload, orders, ORDERS_MAX);
	spent(c, CONTROL_PLAN, &begun);
	if (n == 0) {
		mover_run(c);
		return;
	}
	c->placing_ns = now;
	hold_executors(c, true);
	for (i = 0; i < n; i++)
		mover_order(c, &orders[i]);
	hold_executors(c, false);
	spent(c, CONTROL_ORDERS, &begun);
	mover_run(c);
}

uint64_t
offload_run_tick_ns(const struct config *cfg, uint64_t placing_ns, uint64_t now)
{
	uint64_t tick = (uint64_t)cfg->offload.tick_ms * SL_NS_PER_MS;

	return now - placing_ns < PLACING_NS ? tick / 4 : tick;
}

uint64_t
offload_run_pause(const struct control *c)
{
	// In a rush what matters goes on with each answer of the NIC.
	return offload_run_tick_ns(
		c->cfg, failover_rushes(c) ? 0 : c->placing_ns, sl_now(&c->clock));
}

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_OFFLOAD_MODEL_H
#define SLUICE_TESTS_OFFLOAD_MODEL_H

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

#include "offload/policy.h"
#include "offload/vm.h"
#include "offload_fixture.h"

// What test_offload_model.c throws at the placement manager: the model's state, and the random
// operations. Thread safety: owner thread only.

#define IDS 128
#define KEYS 200
#define NICS 2
#define VMS 20 // numbers below
#define POLICIES 5

struct rule { // of one flow id at its side IN
	bool have, open;
	uint8_t open_type, worker;
	uint16_t nic;
	struct offload_place place;
	struct flow_key key;
	uint64_t since_ns; // it was taken
	unsigned shape;
	bool leaves; // it was to be removed before, and that failed
	bool trial;  // of a shape that was refused
};

struct refused {     // a shape, by a NIC
	bool unsure; // rules of it may have been found to do nothing, too
	bool refused;
	unsigned fails;
	uint64_t until;
};

struct model {
	struct sl_rng rng;
	uint64_t seed;
	unsigned step;
	struct sl_clock clock;
	struct offload_cfg cfg;
	struct offload *o;
	struct offload_nic_cfg nic[NICS];
	bool present[NICS], gone[NICS], drained[NICS];
	uint16_t carrier[NICS]; // NIC that has what is attached to that one
	unsigned capacity[NICS], in_nic[NICS];
	unsigned ahead[NICS]; // entries that rules ahead of traffic have
	struct rule rule[IDS];
	struct offload_place tx[IDS]; // what SET_HOST said of side OUT
	uint32_t gen;
	bool quiet; // no failures
	bool moved; // flows may have got another VM in this step
	struct offload_vm_limits limits[VMS];
	uint32_t vm_entries[VMS], vm_queues[VMS]; // after the step before
	struct offload_policy policy[POLICIES];
	uint32_t n_policies;
	struct refused refused[NICS][12];
};

static inline uint32_t
below(struct model *m, uint32_t n)
{
	return sl_rng_below(&m->rng, n);
}

static inline void __attribute__((format(printf, 2, 3), noreturn))
wrong(const struct model *m, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_msg("seed %llu step %u: %s", (unsigned long long)m->seed, m->step, text);
	abort();
}

static inline struct flow_key
random_key(struct model *m, uint16_t *from)
{
	static const uint16_t vports[] = {1, 2, 3, 4, 9, 19};
	unsigned n = below(m, KEYS);

	*from = vports[n % 6];
	return w_key(*from, n);
}

// Ends are where their NIC's things are by now.
static inline void
carried(const struct model *m, struct offload_end *end)
{
	if (end->nic < NICS)
		end->nic = m->carrier[end->nic];
}

static inline struct offload_decision
random_decision(struct model *m, uint16_t from)
{
	static const uint16_t vports[] = {1, 2, 3, 4, 9, 19, 3, 4, OFFLOAD_NONE};
	struct offload_decision d;
	uint16_t to;

	do
		to = vports[below(m, 9)];
	while (to == from);
	d = w_decision(from, to);
	carried(m, &d.in);
	carried(m, &d.out);
	if (below(m, 12) == 0) {
		d.served = 1 + below(m, 2);
		snprintf(d.served_by, sizeof(d.served_by), "a rule");
	}
	d.table = (uint8_t)(below(m, 3) ? 0 : 1 + below(m, 3)); // of its VM
	d.gen = m->gen;
	d.depends = below(m, 20) == 0;
	d.fragments = below(m, 20) == 0;
	d.lane_ok = below(m, 10) > 0;
	d.eswitch_ok = below(m, 4) > 0;
	d.wants_ring = below(m, 5) == 0;
	d.share = m->seed & 1 ? below(m, 2) : 0;
	d.pinned_queue = below(m, 15) == 0 ? (uint16_t)below(m, 6) : OFFLOAD_NONE;
	d.vm_max_queues = (uint16_t)below(m, 4);
	d.vm_max_entries = below(m, 3) ? 0 : 1 + below(m, 8);
	return d;
}

static inline bool
same_queue(const struct offload_queue_id *a, const struct offload_queue_id *b)
{
	return a->nic == b->nic && a->port == b->port && a->kind == b->kind && a->index == b->index;
}

static inline bool
same_place(const struct offload_place *a, const struct offload_place *b)
{
	return a->path == b->path &&
	       (same_queue(&a->queue, &b->queue) ||
		       (a->queue.nic == OFFLOAD_NONE && b->queue.nic == OFFLOAD_NONE));
}

// ---- operations

static inline void
op_report(struct model *m)
{
	uint16_t from;
	struct flow_key key = random_key(m, &from);
	struct offload_decision d = random_decision(m, from);
	uint8_t worker = (uint8_t)below(m, 2);
	uint64_t bytes = (uint64_t)64 << below(m, 16);
	struct offload_flow_info info;
	uint32_t id;

	if (offload_find(m->o, &key, &id) == 0) {
		assert_true(offload_flow_get(m->o, id, &info));
		if (below(m, 4)) {
			d = info.decision;
			worker = info.worker;
		}
		if (m->rule[id].have && below(m, 2)) {
			offload_flow_count(m->o, id, 1, bytes);
			return;
		}
	} else {
		id = UINT32_MAX;
	}
	id = offload_flow_report(
		m->o, &key, worker, &d, below(m, 8) > 0, bytes, (enum offload_path)below(m, 5));
	if (id != UINT32_MAX && !offload_flow_get(m->o, id, &info))
		wrong(m, "f%u was reported and is not known", id);
}

static inline void
op_gone(struct model *m)
{
	uint16_t from;
	struct flow_key key = random_key(m, &from);
	uint32_t id;

	if (offload_find(m->o, &key, &id) < 0)
		return;
	if (!m->rule[id].have && !m->rule[id].open)
		m->tx[id].queue.nic = OFFLOAD_NONE;
	offload_flow_gone(m->o, &key, 1, 100);
}

static inline void
op_redecide(struct model *m)
{
	uint32_t id = below(m, IDS);
	struct offload_flow_info info;
	struct offload_decision d;

	m->gen++;
	if (!offload_flow_get(m->o, id, &info))
		return;
	d = random_decision(m, info.key.vport);
	offload_flow_redecide(m->o, id, &d);
}

static inline void
op_hint(struct model *m)
{
	uint16_t from;
	struct flow_key key = random_key(m, &from);

	(void)offload_hint(m->o, &key, (int8_t)(below(m, 3) - 1));
}

// A VM's part changes.
static inline void
op_limits(struct model *m)
{
	uint16_t vm = (uint16_t)(1 + below(m, 4));
	struct offload_vm_limits l = {0};

	if (below(m, 3)) {
		l.max_entries = below(m, 2) ? 1 + below(m, 12) : 0;
		l.max_queues = below(m, 2) ? 1 + below(m, 4) : 0;
		l.max_inserts = below(m, 3) ? 0 : 1 + below(m, 200);
		l.min_entries = below(m, l.max_entries ? l.max_entries + 1 : 8);
		l.min_queues = below(m, l.max_queues ? l.max_queues + 1 : 3);
		l.min_inserts = below(m, l.max_inserts ? l.max_inserts + 1 : 50);
	}
	assert_int_equal(offload_vm_set(m->o, vm, &l), 0);
	m->limits[vm] = l;
}

// A VM goes: the flows from it and to it are decided anew, without it, and its limits are gone.
static inline void
op_vm_goes(struct model *m)
{
	static const struct offload_vm_limits none;
	uint16_t vm = (uint16_t)(1 + below(m, 4));
	struct offload_flow_info info;
	uint32_t id;

	m->gen++;
	for (id = 0; id < IDS; id++) {
		struct offload_decision d;

		if (!offload_flow_get(m->o, id, &info))
			continue;
		d = info.decision;
		if (d.in.vm != vm && d.out.vm != vm)
			continue;
		d.gen = m->gen;
		if (d.in.vm == vm)
			d.in.vm = OFFLOAD_NONE;
		if (d.out.vm == vm) {
			d.out = w_end(OFFLOAD_NONE);
			d.drop = true;
			d.actions.list[0].type = FLOW_ACT_DROP;
		}
		offload_flow_redecide(m->o, id, &d);
	}
	assert_int_equal(offload_vm_set(m->o, vm, &none), 0);
	m->limits[vm] = none;
}

// A rule of a placed flow does nothing: its packets come to the host, its counter stands still.
static inline void
op_stray(struct model *m)
{
	uint32_t id = below(m, IDS), i;
	struct offload_flow_info info;

	if (!m->rule[id].have || !offload_flow_get(m->o, id, &info))
		return;
	m->refused[m->rule[id].nic][m->rule[id].shape].unsure = true;
	for (i = 0; i < 12; i++) {
		m->clock.manual_ns += 150 * SL_NS_PER_MS;
		offload_flow_still(m->o, id);
		if (offload_flow_report(m->o, &info.key, info.worker, &info.decision, 5, 500,
			    OFFLOAD_SOFTWARE) != id)
			wrong(m, "f%u is not known any more, and has a rule", id);
	}
}

static inline void
op_dscp(struct model *m)
{
	offload_flow_dscp(m->o, below(m, IDS), (uint8_t)below(m, 66));
}

static inline void
forget_nic(struct model *m, uint16_t nic)
{
	uint32_t id;

	m->gone[nic] = true;
	m->in_nic[nic] = 0;
	m->ahead[nic] = 0;
	for (id = 0; id < IDS; id++) {
		if ((m->rule[id].have || m->rule[id].open) && m->rule[id].nic == nic)
			m->rule[id] = (struct rule){0};
		if (m->tx[id].queue.nic == nic)
			m->tx[id].queue.nic = OFFLOAD_NONE;
	}
}

// A NIC comes back with other queues.
static inline void
random_ports(struct model *m, struct offload_nic_cfg *c)
{
	unsigned p;

	c->ports = 3;
	for (p = 0; p < 3; p++)
		c->port[p] = (struct offload_nic_port_cfg){.rx_queues = (uint16_t)(1 + below(m, 8)),
			.rx_default = 1,
			.tx_queues = (uint16_t)(2 + below(m, 7)),
			.tx_default = 2};
}

static inline void
op_nic(struct model *m)
{
	uint16_t nic = (uint16_t)below(m, NICS);
	uint32_t id = below(m, IDS);

	if (!m->present[nic]) {
		random_ports(m, &m->nic[nic]);
		memset(m->refused[nic], 0, sizeof(m->refused[nic]));
		assert_int_equal(offload_nic_add(m->o, nic, &m->nic[nic]), 0);
		m->present[nic] = true;
		m->gone[nic] = m->drained[nic] = false;
	} else if (m->gone[nic]) {
		offload_done(m->o, id, OFFLOAD_OUT, OFFLOAD_OK, 0, NULL, 0, 0);
		offload_nic_del(m->o, nic);
		m->present[nic] = false;
	} else if (below(m, 4) == 0) {
		offload_nic_gone(m->o, nic);
		forget_nic(m, nic);
	}
}

// A NIC stands by from here on: what it had is forgotten.
static inline void
op_standby(struct model *m)
{
	uint16_t nic = (uint16_t)below(m, NICS);

	if (!m->present[nic] || m->gone[nic])
		return;
	offload_nic_standby(m->o, nic);
	forget_nic(m, nic);
}

static inline void
names_none_left(void *ctx, const struct offload_flow_info *info)
{
	const struct model *m = ctx;

	if ((info->decision.in.nic < NICS && m->gone[info->decision.in.nic]) ||
		(info->decision.out.nic < NICS && m->gone[info->decision.out.nic]))
		wrong(m, "f%u has an end on the NIC that was left", info->id);
}

// One fails, and the other, which stands by or has failed before, takes over all that it carries.
static inline void
op_move(struct model *m)
{
	static const uint16_t ports[OFFLOAD_NIC_PORTS_MAX] = {0, 1, 2};
	uint16_t from = (uint16_t)below(m, NICS), to = !from, i;

	if (!m->present[from] || !m->present[to] || !m->gone[to])
		return;
	offload_nic_move(m->o, from, to, ports);
	forget_nic(m, from);
	m->gone[to] = m->drained[to] = false;
	for (i = 0; i < NICS; i++) {
		if (m->carrier[i] == from)
			m->carrier[i] = to;
	}
	offload_flow_each(m->o, names_none_left, m);
}

// A planned switch-over, or a restart, begins; or is called off.
static inline void
op_drain(struct model *m)
{
	uint16_t nic = (uint16_t)below(m, NICS);

	if (!m->present[nic] || m->gone[nic])
		return;
	m->drained[nic] = !m->drained[nic];
	offload_nic_drain(m->o, nic, m->drained[nic]);
}

// Rules ahead of traffic come and go: the table has room for fewer flows, or more.
static inline void
op_ahead(struct model *m)
{
	uint16_t nic = (uint16_t)below(m, NICS);

	if (!m->present[nic] || m->gone[nic] || m->drained[nic])
		return;
	m->ahead[nic] = below(m, 3) ? 0 : below(m, m->capacity[nic]);
	offload_nic_reserve(m->o, nic, m->ahead[nic]);
}

static inline void
op_reserve(struct model *m)
{
	static const uint8_t states[] = {OFFLOAD_Q_FREE, OFFLOAD_Q_FREE, OFFLOAD_Q_STOPPED,
		OFFLOAD_Q_STANDBY, OFFLOAD_Q_MONITOR};
	struct offload_queue_id q = {.nic = (uint16_t)below(m, NICS),
		.port = (uint16_t)below(m, 3),
		.kind = (uint8_t)below(m, 3),
		.index = (uint16_t)below(m, 8)};

	(void)offload_queue_reserve(m->o, q, states[below(m, 5)]);
}

// Some rules that say anything.
static inline void
op_policy(struct model *m)
{
	uint32_t n = below(m, POLICIES + 1), i, k;

	for (i = 0; i < n; i++) {
		struct offload_policy *p = &m->policy[i];

		offload_policy_init(p);
		snprintf(p->name, sizeof(p->name), "p%u", i);
		p->vm = below(m, 2) ? (uint16_t)(1 + below(m, 4)) : OFFLOAD_NONE;
		p->vport = below(m, 4) ? OFFLOAD_NONE : 9;
		p->hint = (int8_t)(below(m, 3) - 1);
		p->min_bps = below(m, 2) ? below(m, 10) * MBIT : 0;
		p->heavy_bps = below(m, 3) ? 0 : (2 + below(m, 60)) * MBIT;
		p->light_bps = p->heavy_bps / 2;
		p->n_places = (uint8_t)below(m, OFFLOAD_PATHS + 1);
		for (k = 0; k < p->n_places; k++)
			p->places[k] = (uint8_t)below(m, OFFLOAD_PATHS);
		p->share = (uint8_t)below(m, OFFLOAD_SHARES);
		p->least_bps = below(m, 3) * MBIT;
		p->no_hints = below(m, 2);
		p->scale = (uint8_t)below(m, OFFLOAD_SCALES);
		p->min_age_ns = below(m, 3) ? 0 : SL_NS_PER_S;
		p->dscp = below(m, 3) ? 0 : UINT64_C(0xffff);
		p->dscp_raise = below(m, 2) ? UINT64_C(0xff00) : 0;
		p->dscp_lower = below(m, 2) ? UINT64_C(0xff) : 0;
		p->strict_order = below(m, 4) == 0;
		p->max_entries = below(m, 2) ? 1 + below(m, 10) : 0;
		p->max_queues = below(m, 2) ? 1 + below(m, 4) : 0;
		p->max_inserts = below(m, 3) ? 0 : 1 + below(m, 100);
		p->share_ratio_pct = below(m, 2) ? 0 : 101 + below(m, 500);
		if (below(m, 3) == 0) {
			p->queue_first = (uint16_t)below(m, 6);
			p->queue_last = (uint16_t)(p->queue_first + below(m, 3));
			p->queues_owned = below(m, 2);
		}
	}
	m->n_policies = n;
	assert_int_equal(offload_policies_set(m->o, m->policy, n), 0);
}

static inline void
op_reconfigure(struct model *m)
{
	m->cfg.enabled = below(m, 6) > 0;
	m->cfg.shared_flows = (uint16_t)(1 + below(m, 5));
	m->cfg.orders_per_tick = 1 + below(m, 30);
	m->cfg.residency_ms = below(m, 500);
	m->cfg.min_bps = below(m, 3) * MBIT;
	m->cfg.heavy_bps = (4 + below(m, 60)) * MBIT;
	m->cfg.light_bps = m->cfg.heavy_bps / (1 + below(m, 3));
	offload_reconfigure(m->o, &m->cfg);
	memset(m->refused, 0, sizeof(m->refused));
	op_policy(m);
}

#endif

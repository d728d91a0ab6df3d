// SPDX-License-Identifier: BSD-3-Clause
#include "publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/tag.h"
#include "place/misses.h"
#include "switch/asked.h"
#include "switch/extensions.h"
#include "switch/macs.h"
#include "switch/meters.h"
#include "place/placements.h"
#include "switch/rule_book.h"
#include "work/move.h"

// The snapshot and all that only it owns, in one piece of memory each.
struct published {
	struct dp_snapshot s; // first: the address that workers know
	struct dp_vport vports[DP_VPORTS_MAX];
	uint64_t trunks[DP_VPORTS_MAX][64];
	uint8_t macs[DP_VPORTS_MAX][8][6];
	struct dp_ip_prefix ips[DP_VPORTS_MAX][16];
	uint16_t members[DP_SWITCHES_MAX][DP_VPORTS_MAX];
	struct rules_set *sets[DP_SWITCHES_MAX];
	struct ext_chain chains[DP_SWITCHES_MAX];
	struct dp_rxq *rxq[DP_WORKERS_MAX];
	struct dp_tag_key *keys[DP_TAG_KEYS_MAX]; // by VM
	uint16_t n_keys;
	struct dp_tags tags[DP_VPORTS_MAX];
	struct dp_meter *class_meters[CONFIG_CLASSES_MAX];
};

static void
published_free(struct published *p)
{
	unsigned i;

	if (p == NULL)
		return;
	for (i = 0; i < DP_SWITCHES_MAX; i++) {
		if (p->sets[i] != NULL)
			rules_set_put(p->sets[i]);
	}
	for (i = 0; i < DP_WORKERS_MAX; i++)
		free(p->rxq[i]);
	free(p);
}

static void
fill_vport(const struct control *c, struct published *p, const struct control_vport *v)
{
	const struct config_port *cfg = &v->cfg;
	struct dp_vport *d = &p->vports[cfg->id];
	unsigned i;

	memcpy(p->trunks[cfg->id], cfg->trunk, sizeof(cfg->trunk));
	memcpy(p->macs[cfg->id], cfg->macs, sizeof(cfg->macs));
	for (i = 0; i < cfg->n_ips; i++) {
		memcpy(p->ips[cfg->id][i].addr, cfg->ips[i].addr, 16);
		p->ips[cfg->id][i].l3 = cfg->ips[i].l3;
		p->ips[cfg->id][i].prefix = cfg->ips[i].prefix;
	}
	*d = (struct dp_vport){
		.id = cfg->id,
		.sw = cfg->sw,
		.vm = cfg->vm < 0 ? DP_NONE : (uint16_t)cfg->vm,
		.port = v->port,
		.vlan_mode = (uint8_t)cfg->vlan_mode,
		.vlan = cfg->vlan,
		.trunk = p->trunks[cfg->id],
		.mac_check = cfg->mac_check,
		.ip_check = cfg->ip_check,
		.n_macs = cfg->n_macs,
		.n_ips = cfg->n_ips,
		.macs = (const uint8_t(*)[6])p->macs[cfg->id],
		.ips = p->ips[cfg->id],
		.mtu = cfg->mtu,
		.storm_pps = cfg->storm_pps,
		.meter = meters_port(c, cfg->id),
		.vm_meter = meters_vm(c, cfg->vm),
	};
	p->s.vport[cfg->id] = d;
}

// Where a guest may hand in misses of its VFs: by any vhost-user port of its VM.
static void
fill_tags(struct control *c, struct published *p)
{
	uint16_t i, k;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = &c->vports[i];
		struct dp_tags *t = &p->tags[i];

		if (!v->used || v->cfg.vm < 0 || v->cfg.attach.kind != CONFIG_ATTACH_VHOST)
			continue;
		for (k = 0; k < i && t->n == 0; k++) {
			if (p->tags[k].n > 0 && c->vports[k].cfg.vm == v->cfg.vm)
				*t = p->tags[k];
		}
		if (t->n == 0) {
			t->keys = &p->keys[p->n_keys];
			t->n = misses_keys(c, v->cfg.vm, &p->keys[p->n_keys],
				(uint16_t)(DP_TAG_KEYS_MAX - p->n_keys));
			p->n_keys += t->n;
		}
		p->vports[i].tags = t->n > 0 ? t : NULL;
	}
}

static int
fill_switch(struct control *c, struct published *p, uint16_t sw)
{
	const struct asked_list *asked = rule_book_asked(c->book[sw]);
	struct dp_switch *d = &p->s.sw[sw];
	uint16_t v;

	if (c->set[sw] == NULL || c->rules_dirty[sw]) {
		struct rules_set *set = rule_book_commit(c->book[sw]);

		if (set == NULL)
			return -ENOMEM;
		if (c->set[sw] != NULL)
			rules_set_put(c->set[sw]);
		c->set[sw] = set;
		c->rules_dirty[sw] = false;
	}
	rules_set_ref(c->set[sw]);
	p->sets[sw] = c->set[sw];
	d->id = c->cfg->switches[sw].id;
	d->rules = c->set[sw];
	d->fields = rules_set_fields(c->set[sw]);
	d->macs = macs_table(c, sw);
	d->meters = rule_book_meters(c->book[sw]);
	d->max_rules = rule_book_max(c->book[sw]);
	d->vports = p->members[sw];
	d->asks = rules_set_asks(c->set[sw]);
	for (v = 0; v < RULES_ASK_EXTENSIONS; v++) {
		d->matchers[v] = extensions_matcher(c, sw, asked_extension(asked, v));
		d->inner[v] = *asked_inner(asked, v);
	}
	if (extensions_chain(c, sw, &p->chains[sw]))
		d->ext = &p->chains[sw];
	for (v = 0; v < DP_VPORTS_MAX; v++) {
		if (c->vports[v].used && c->vports[v].cfg.sw == sw)
			p->members[sw][d->n_vports++] = v;
	}
	return 0;
}

static int
add_rxq(struct published *p, uint16_t worker, struct dp_port *port, uint16_t queue,
	enum dp_rxq_kind kind)
{
	struct dp_worker_plan *plan = &p->s.plan[worker];
	struct dp_rxq *grown;

	if ((plan->n_rxq & (plan->n_rxq + 1)) == 0) { // full at 0, 1, 3, 7 ...
		grown = realloc(p->rxq[worker], (2 * (size_t)plan->n_rxq + 1) * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		p->rxq[worker] = grown;
	}
	p->rxq[worker][plan->n_rxq++] =
		(struct dp_rxq){.port = port, .queue = queue, .kind = (uint8_t)kind};
	plan->rxq = p->rxq[worker];
	return 0;
}

struct assigned_ctx {
	struct control *c;
	struct published *p;
	int rc;
};

// A queue that holds flows is polled by the worker that the accounts name, and goes on from there
// when it is given to a class rule, or left; a free one by nobody.
static void
add_assigned(void *ctx, const struct offload_queue *q)
{
	struct assigned_ctx *a = ctx;
	uint16_t v;

	if (q->id.kind != OFFLOAD_RX ||
		(q->state != OFFLOAD_Q_EXCLUSIVE && q->state != OFFLOAD_Q_SHARED &&
			q->state != OFFLOAD_Q_GROUP) ||
		a->rc != 0)
		return;
	for (v = 0; v < DP_VPORTS_MAX; v++) {
		struct dp_port *port = a->c->vports[v].used ? a->c->vports[v].port : NULL;

		if (port == NULL || port->nic != q->id.nic || port->nic_port != q->id.port)
			continue;
		if (q->state != OFFLOAD_Q_GROUP)
			port->rxq_worker[q->id.index] = q->worker;
		a->rc = add_rxq(
			a->p, port->rxq_worker[q->id.index], port, q->id.index, DP_RXQ_ASSIGNED);
	}
}

// What a vport left is polled on, by the same workers, until nothing is in it.
static void
add_left(void *ctx, const struct offload_queue *q)
{
	struct assigned_ctx *a = ctx;
	uint16_t v;

	for (v = 0; q->id.kind == OFFLOAD_RX && a->rc == 0 && v < DP_VPORTS_MAX; v++) {
		struct dp_port *port = a->c->vports[v].used && a->c->vports[v].port != NULL
					       ? a->c->vports[v].leaving
					       : NULL;

		if (port == NULL || port->nic != q->id.nic || port->nic_port != q->id.port)
			continue;
		a->rc = add_rxq(a->p, port->rxq_worker[q->id.index], port, q->id.index,
			q->id.index < a->c->nics[port->nic]->ports[port->nic_port].rx_default
				? DP_RXQ_DEFAULT
				: DP_RXQ_ASSIGNED);
	}
}

static int
fill_plans(struct control *c, struct published *p)
{
	struct assigned_ctx a = {.c = c, .p = p};
	uint16_t v, q;
	int rc = 0;

	for (v = 0; v < DP_VPORTS_MAX && rc == 0; v++) {
		struct dp_port *port = c->vports[v].used ? c->vports[v].port : NULL;
		uint16_t n;

		if (port == NULL)
			continue;
		n = port->nic == DP_NONE ? port->n_rxq
					 : c->nics[port->nic]->ports[port->nic_port].rx_default;
		// A queue changes its worker by a takeover only (work/move.h): while a snapshot is
		// being taken up some workers still follow the one before, and no queue may have
		// two.
		for (q = 0; q < n && rc == 0; q++)
			rc = add_rxq(p, port->rxq_worker[q], port, q, DP_RXQ_DEFAULT);
	}
	if (rc != 0)
		return rc;
	offload_queue_each(c->offload, add_assigned, &a);
	if (c->failover != NULL)
		offload_queue_each(c->offload, add_left, &a);
	return a.rc;
}

int
publish(struct control *c, bool decisions)
{
	struct published *p = calloc(1, sizeof(*p)), *old;
	uint16_t i;
	int rc = 0;

	if (p == NULL)
		return -ENOMEM;
	rc = meters_update(c);
	if (rc != 0) {
		published_free(p);
		return rc;
	}
	if (decisions)
		c->gen++;
	p->s.gen = c->gen;
	p->s.n_vports = DP_VPORTS_MAX;
	p->s.n_switches = c->cfg->n_switches;
	p->s.n_workers = c->n_workers;
	p->s.n_classes = c->cfg->n_classes;
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (c->vports[i].used)
			fill_vport(c, p, &c->vports[i]);
	}
	for (i = 0; i < c->cfg->n_classes; i++)
		p->class_meters[i] = meters_class(c, (uint8_t)i);
	p->s.class_meters = p->class_meters;
	fill_tags(c, p);
	for (i = 0; i < c->cfg->n_switches && rc == 0; i++)
		rc = fill_switch(c, p, i);
	if (rc == 0)
		rc = fill_plans(c, p);
	if (rc != 0) {
		published_free(p);
		return rc;
	}
	p->s.takeover = queue_moves_takeover(c);
	p->s.lanes = placements_lanes(c->placements);
	p->s.idle_ticks = (uint32_t)((uint64_t)c->cfg->idle_ms * SL_NS_PER_MS / DP_TICK_NS) + 1;
	if (c->cfg->insert_budget != 0)
		p->s.insert_tokens =
			(uint32_t)((uint64_t)c->cfg->insert_budget * DP_TICK_NS / SL_NS_PER_S) + 1;
	p->s.tx_hold_us = c->cfg->tx_hold_us;
	p->s.report_rate = placements_report_rate(c);
	if (c->running) {
		old = (struct published *)(uintptr_t)dp_publish(c->dp, &p->s);
		c->snapshot = &p->s;
		published_free(old);
	} else {
		old = (struct published *)(uintptr_t)c->snapshot;
		c->snapshot = &p->s;
		published_free(old);
	}
	for (i = 0; i < c->cfg->n_switches; i++)
		rule_book_retire(c->book[i]);
	extensions_retire(c);
	macs_retire(c);
	meters_retire(c);
	misses_retire(c);
	placements_retire(c);
	return 0;
}

void
publish_fini(struct control *c)
{
	unsigned i;

	published_free((struct published *)(uintptr_t)c->snapshot);
	c->snapshot = NULL;
	for (i = 0; i < DP_SWITCHES_MAX; i++) {
		if (c->set[i] != NULL)
			rules_set_put(c->set[i]);
		c->set[i] = NULL;
	}
}

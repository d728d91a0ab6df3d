// SPDX-License-Identifier: BSD-3-Clause
#include "ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orders.h"

static uint64_t
load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static void
edge_counters(struct control *c, uint16_t vport, uint64_t *received, uint64_t *delivered)
{
	uint16_t w;

	*received = *delivered = 0;
	for (w = 0; w < c->n_workers; w++) {
		const struct dp_vport_counters *n = &dp_vport_counters(c->dp, w)[vport];

		*received += load(&n->received);
		*delivered += load(&n->delivered);
	}
}

void
ledger_port_opened(struct control *c, uint16_t vport, bool on_nic)
{
	struct control_inner *in = &c->inner[vport];

	in->on_nic = on_nic;
	edge_counters(c, vport, &in->base_received, &in->base_delivered);
}

void
ledger_port_closed(struct control *c, uint16_t vport)
{
	struct control_inner *in = &c->inner[vport];
	uint64_t received, delivered;

	if (!in->on_nic || !c->running)
		return;
	orders_sync(c);
	edge_counters(c, vport, &received, &delivered);
	in->received += received - in->base_received;
	in->delivered += delivered - in->base_delivered;
	in->on_nic = false;
}

static void
add_drop(json_t *drops, const char *name, uint64_t packets)
{
	json_t *old = json_object_get(drops, name);

	if (packets != 0)
		json_object_set_new(
			drops, name, json_integer(json_integer_value(old) + (json_int_t)packets));
}

static void
read_vport(struct control *c, struct ledger *l, uint16_t v)
{
	struct ledger_line *line = &l->vport[v];
	uint64_t queued = 0, dequeued = 0;
	unsigned i;
	uint16_t w;

	for (w = 0; w < c->n_workers; w++) {
		const struct dp_vport_counters *n = &dp_vport_counters(c->dp, w)[v];

		line->received += load(&n->received);
		line->originated += load(&n->originated);
		line->copies += load(&n->copies);
		line->sent += load(&n->sent);
		line->consumed += load(&n->consumed);
		queued += load(&n->queued);
		dequeued += load(&n->dequeued);
		l->received_bytes[v] += load(&n->received_bytes);
		l->delivered[v] += load(&n->delivered);
		l->delivered_bytes[v] += load(&n->delivered_bytes);
		for (i = 0; i < DP_DROP_COUNT; i++)
			line->drops[i] += load(&n->dropped[i]);
		for (i = 0; i < OFFLOAD_PATHS; i++) {
			l->path_packets[i] += load(&n->path_packets[i]);
			l->path_bytes[i] += load(&n->path_bytes[i]);
		}
	}
	line->held = queued - dequeued;
	for (i = 0; i < DP_DROP_COUNT; i++)
		line->dropped += line->drops[i];
}

static void
add_line(struct ledger_line *sum, const struct ledger_line *l)
{
	unsigned i;

	sum->received += l->received;
	sum->originated += l->originated;
	sum->copies += l->copies;
	sum->sent += l->sent;
	sum->consumed += l->consumed;
	sum->dropped += l->dropped;
	sum->held += l->held;
	for (i = 0; i < DP_DROP_COUNT; i++)
		sum->drops[i] += l->drops[i];
}

bool
ledger_line_balanced(const struct ledger_line *l)
{
	return l->received + l->originated + l->copies ==
	       l->sent + l->consumed + l->dropped + l->held;
}

static void
nic_drop(void *ctx, const char *reason, uint64_t packets)
{
	char name[80];

	snprintf(name, sizeof(name), "nic-%s", reason);
	if (ctx != NULL)
		add_drop(ctx, name, packets);
}

static bool
nic_balanced(const struct nic_ledger *n)
{
	return n->received_wire + n->received_vf + n->received_host + n->originated + n->copies ==
	       n->sent_wire + n->sent_vf + n->sent_host + n->consumed + n->dropped + n->held;
}

// What an id's counters were when its vport of now was made.
struct ledger_base {
	struct ledger_line line;
	uint64_t received_bytes, delivered, delivered_bytes;
};

int
ledger_vport_new(struct control *c, uint16_t vport)
{
	struct ledger *l = calloc(1, sizeof(*l));
	struct ledger_base *b = c->base[vport];

	if (b == NULL)
		b = calloc(1, sizeof(*b));
	if (l == NULL || b == NULL) {
		free(l);
		if (c->base[vport] == NULL)
			free(b);
		return -ENOMEM;
	}
	read_vport(c, l, vport);
	*b = (struct ledger_base){.line = l->vport[vport],
		.received_bytes = l->received_bytes[vport],
		.delivered = l->delivered[vport],
		.delivered_bytes = l->delivered_bytes[vport]};
	c->base[vport] = b;
	memset(&c->eswitch[vport], 0, sizeof(c->eswitch[vport]));
	free(l);
	return 0;
}

void
ledger_fini(struct control *c)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		free(c->base[i]);
		c->base[i] = NULL;
	}
}

static void
subtract_base(struct ledger *l, uint16_t v, const struct ledger_base *b)
{
	struct ledger_line *line = &l->vport[v];
	unsigned i;

	line->received -= b->line.received;
	line->originated -= b->line.originated;
	line->copies -= b->line.copies;
	line->sent -= b->line.sent;
	line->consumed -= b->line.consumed;
	line->dropped -= b->line.dropped;
	line->held -= b->line.held;
	for (i = 0; i < DP_DROP_COUNT; i++)
		line->drops[i] -= b->line.drops[i];
	l->received_bytes[v] -= b->received_bytes;
	l->delivered[v] -= b->delivered;
	l->delivered_bytes[v] -= b->delivered_bytes;
}

// What sluice sent through a NIC at start, to see whether its rules work.
static void
add_probe(struct ledger_line *all, const struct nic_probe_count *probe)
{
	all->originated += probe->originated;
	all->consumed += probe->consumed;
	all->dropped += probe->dropped;
}

// The outer edge: what NICs and software hand to each other is neither received nor sent.
static void
read_edge(struct control *c, struct ledger *l)
{
	struct ledger_line *all = &l->all;
	unsigned i;

	add_line(all, &l->software);
	all->received = all->sent = 0;
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_inner *in = &c->inner[i];

		all->received += l->vport[i].received - in->received;
		all->sent += l->delivered[i] - in->delivered;
		if (in->on_nic) {
			all->received -= l->vport[i].received - in->base_received;
			all->sent -= l->delivered[i] - in->base_delivered;
		}
	}
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		const struct nic_ledger *n = &l->nic[i];

		all->received += n->received_wire + n->received_vf;
		all->sent += n->sent_wire + n->sent_vf;
		all->originated += n->originated;
		all->consumed += n->consumed;
		all->copies += n->copies;
		all->dropped += n->dropped;
		all->held += n->held;
		l->path_packets[OFFLOAD_ESWITCH] += n->eswitch_packets;
		l->path_bytes[OFFLOAD_ESWITCH] += n->eswitch_bytes;
		if (c->nics[i] != NULL)
			add_probe(all, &c->nics[i]->probe);
	}
}

void
ledger_read(struct control *c, struct ledger *l, json_t *drops)
{
	bool exact = true;
	unsigned i;

	memset(l, 0, sizeof(*l));
	l->conserved = true;
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] == NULL)
			continue;
		c->nics[i]->ops->ledger(c->nics[i]->ports[0].ethdev, &l->nic[i], nic_drop, drops);
		if (drops != NULL)
			add_drop(drops, "before-start", c->nics[i]->probe.dropped);
		exact = exact && l->nic[i].exact;
		l->conserved = l->conserved && (!l->nic[i].exact || nic_balanced(&l->nic[i]));
	}
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		read_vport(c, l, (uint16_t)i);
		add_line(&l->software, &l->vport[i]);
		l->conserved = l->conserved && ledger_line_balanced(&l->vport[i]);
	}
	l->rings_held = dp_held(c->dp);
	l->conserved = l->conserved && l->rings_held == l->software.held;
	read_edge(c, l);
	// What another NIC does with its packets is not all told.
	l->conserved = l->conserved && (!exact || ledger_line_balanced(&l->all));
	for (i = 0; drops != NULL && i < DP_DROP_COUNT; i++)
		add_drop(drops, dp_drop_name(i), l->software.drops[i]);
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (c->base[i] != NULL)
			subtract_base(l, (uint16_t)i, c->base[i]);
	}
}

json_t *
ledger_drops(const struct ledger_line *l)
{
	json_t *drops = json_object();
	unsigned i;

	for (i = 0; i < DP_DROP_COUNT; i++)
		add_drop(drops, dp_drop_name(i), l->drops[i]);
	return drops;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/known.h"
#include "cmd/vf_queues.h"
#include "device/queue_stats.h"
#include "place/class_engine.h"

struct queue_ctx {
	struct control *c;
	json_t *items;
	int nic;
	const char *kind, *use;
	// Of the port asked last: a NIC's answer may take its firmware's time.
	uint16_t ethdev;
	bool known;
	struct queue_stats stats;
	// Of the VF asked last.
	uint16_t vf_nic, vf_port;
	uint64_t vf_packets[OFFLOAD_QUEUES_MAX];
};

static const char *const kinds[] = {"rx", "tx", "vf"};

static void
port_label(uint16_t port, char *buf, size_t len)
{
	if (port == 0)
		snprintf(buf, len, "pf");
	else
		snprintf(buf, len, "vf%u", port - 1u);
}

static const struct queue_stats *
stats_of(struct queue_ctx *l, uint16_t ethdev)
{
	if (!l->known || l->ethdev != ethdev) {
		queue_stats_read(ethdev, &l->stats);
		l->ethdev = ethdev;
		l->known = true;
	}
	return &l->stats;
}

static uint64_t
vf_packets(struct queue_ctx *l, const struct offload_queue_id *id)
{
	if (l->vf_nic != id->nic || l->vf_port != id->port)
		vf_queues_packets(l->c, id->nic, id->port, l->vf_packets, OFFLOAD_QUEUES_MAX);
	l->vf_nic = id->nic;
	l->vf_port = id->port;
	return l->vf_packets[id->index];
}

static void
list_queue(void *ctx, const struct offload_queue *q)
{
	struct queue_ctx *l = ctx;
	const struct nic *nic = l->c->nics[q->id.nic];
	const char *use = offload_queue_state_name(q->state);
	struct queue_count n = {0};
	struct nic_group_queue e;
	char port[16];
	json_t *o;

	if ((l->nic >= 0 && q->id.nic != l->nic) ||
		(l->kind != NULL && strcmp(l->kind, kinds[q->id.kind]) != 0) ||
		(l->use != NULL && strcmp(l->use, use) != 0) || nic == NULL)
		return;
	// A VF's own queues are not the representor's.
	if (q->id.port < nic->n_ports && q->id.index < DP_QUEUES_MAX && q->id.kind != OFFLOAD_VF) {
		const struct queue_stats *st = stats_of(l, nic->ports[q->id.port].ethdev);

		n = q->id.kind == OFFLOAD_TX ? st->tx[q->id.index] : st->rx[q->id.index];
	}
	if (q->id.kind == OFFLOAD_VF)
		n.packets = vf_packets(l, &q->id);
	port_label(q->id.port, port, sizeof(port));
	o = json_pack("{ss ss ss si ss ss si sI sI sI so}", "nic", nic->name, "port", port, "kind",
		kinds[q->id.kind], "queue", (int)q->id.index, "use", use, "owner",
		q->vm == OFFLOAD_NONE ? "-" : vm_name(l->c, q->vm), "flows", (int)q->flows,
		"packets", (json_int_t)n.packets, "bytes", (json_int_t)n.bytes, "dropped",
		(json_int_t)n.errors, "worker",
		q->id.kind == OFFLOAD_VF ? json_null() : json_integer(q->worker));
	if (q->state == OFFLOAD_Q_GROUP && class_group_queue(l->c, &q->id, &e)) {
		json_object_set_new(o, "engine", json_string(class_group_use(e.use)));
		json_object_set_new(o, "flows", json_integer(e.flows));
	}
	json_array_append_new(l->items, o);
}

COMMAND(cmd_queue_list)
{
	struct control *c = app;
	struct queue_ctx l = {
		.c = c, .nic = -1, .kind = arg_str(args, "kind"), .use = arg_str(args, "use")};
	const char *nic = arg_str(args, "nic");

	if (nic != NULL) {
		l.nic = find_nic(c, nic);
		if (l.nic < 0)
			return no_nic(c, nic, err);
	}
	vf_queues_refresh(c);
	l.items = json_array();
	offload_queue_each(c->offload, list_queue, &l);
	*result = json_items(l.items, 0);
	return 0;
}

static json_t *
ring_json(const struct control *c, const struct dp_port *p, uint8_t cls)
{
	const struct config_class *k = &c->cfg->classes[cls];
	struct qos_class_stats st;

	qos_sched_class_stats(p->sched, cls, &st);
	return json_pack("{ss ss si si si si si sI sI sI si so}", "target", p->name, "class",
		k->name, "level", (int)k->level, "weight", (int)k->weight, "depth", (int)k->depth,
		"held", (int)st.held, "held_max", (int)st.held_max, "enqueued",
		(json_int_t)st.enqueued, "dequeued", (json_int_t)st.dequeued, "dropped",
		(json_int_t)st.full, "worker", (int)p->sched_owner, "rate",
		json_rate(k->rate_bps, k->burst_bytes));
}

COMMAND(cmd_ring_list)
{
	struct control *c = app;
	const char *port = arg_str(args, "port"), *cls = arg_str(args, "class");
	json_t *items;
	int only = -1;
	unsigned i;
	uint8_t k;

	if (port != NULL && find_port(c, port) == NULL)
		return no_port(c, port, err);
	if (cls != NULL) {
		only = find_class(c, cls);
		if (only < 0)
			return no_class(c, cls, err);
	}
	items = json_array();
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct dp_port *p = c->vports[i].used ? c->vports[i].port : NULL;

		if (p == NULL || (port != NULL && strcmp(port, p->name) != 0))
			continue;
		for (k = 0; k < c->cfg->n_classes; k++) {
			if (only < 0 || only == k)
				json_array_append_new(items, ring_json(c, p, k));
		}
	}
	*result = json_items(items, 0);
	return 0;
}

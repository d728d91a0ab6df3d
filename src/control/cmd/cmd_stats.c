// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "ledger.h"
#include "orders.h"
#include "pending.h"

#define SETTLE_MS 10000
#define SETTLE_GAP_NS (20 * SL_NS_PER_MS)

static json_t *
line_json(const struct ledger_line *l, json_t *drops)
{
	return json_pack("{sI sI sI sI sI so sI}", "received", (json_int_t)l->received,
		"originated", (json_int_t)l->originated, "copies", (json_int_t)l->copies, "sent",
		(json_int_t)l->sent, "consumed", (json_int_t)l->consumed, "dropped", drops, "held",
		(json_int_t)l->held);
}

static json_t *
ports_json(struct control *c, const struct ledger *l)
{
	json_t *ports = json_array();
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		json_t *line;

		if (!c->vports[i].used)
			continue;
		line = line_json(&l->vport[i], ledger_drops(&l->vport[i]));
		json_object_set_new(line, "name", json_string(c->vports[i].cfg.name));
		json_object_set_new(line, "delivered", json_integer((json_int_t)l->delivered[i]));
		json_object_set_new(
			line, "conserved", json_boolean(ledger_line_balanced(&l->vport[i])));
		json_array_append_new(ports, line);
	}
	return ports;
}

static json_t *
nic_json(const struct nic *nic, const struct nic_ledger *n)
{
	json_t *o = json_pack("{ss sb sI sI sI sI sI sI sI sI sI sI sI sI sb sI}", "name",
		nic->name, "exact", n->exact, "received_wire", (json_int_t)n->received_wire,
		"received_vf", (json_int_t)n->received_vf, "received_host",
		(json_int_t)n->received_host, "originated", (json_int_t)n->originated, "copies",
		(json_int_t)n->copies, "sent_wire", (json_int_t)n->sent_wire, "sent_vf",
		(json_int_t)n->sent_vf, "sent_host", (json_int_t)n->sent_host, "consumed",
		(json_int_t)n->consumed, "dropped", (json_int_t)n->dropped, "held",
		(json_int_t)n->held, "eswitch_packets", (json_int_t)n->eswitch_packets,
		"wire_finished", n->finite_finished, "wire_played", (json_int_t)n->wire_played);

	if (!n->exact)
		json_object_set_new(o, "unaccounted",
			json_integer((json_int_t)(n->received_wire + n->received_host -
						  n->sent_wire - n->sent_host - n->dropped)));
	return o;
}

static json_t *
port_rx_json(const struct control *c)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < DP_PORTS_MAX; i++) {
		const struct dp_port *p = c->ports[i];
		struct dp_port_counters n = {0};

		if (p == NULL)
			continue;
		p->ops->counters(p, &n);
		json_array_append_new(
			list, json_pack("{ss ss sI sI sI sI sI}", "port", p->name, "kind",
				      p->ops->kind, "rx_packets", (json_int_t)n.rx_packets,
				      "rx_bytes", (json_int_t)n.rx_bytes, "tx_packets",
				      (json_int_t)n.tx_packets, "tx_bytes", (json_int_t)n.tx_bytes,
				      "rx_missed", (json_int_t)n.rx_missed));
	}
	return list;
}

static json_t *
flows_json(struct control *c)
{
	struct offload_stats os;
	uint64_t seen = 0;
	json_t *o;
	uint16_t w;
	int i;

	offload_stats_get(c->offload, &os);
	for (w = 0; w < c->n_workers; w++)
		seen += atomic_load_explicit(
			&dp_worker_counters(c->dp, w)->flows_seen, memory_order_relaxed);
	o = json_pack("{sI}", "seen", (json_int_t)seen);
	for (i = OFFLOAD_ESWITCH; i > OFFLOAD_SOFTWARE; i--)
		json_object_set_new(
			o, offload_path_name(i), json_integer((json_int_t)os.ever_by_path[i]));
	// Every flow that a worker has seen was in software first.
	json_object_set_new(o, offload_path_name(OFFLOAD_SOFTWARE), json_integer((json_int_t)seen));
	return o;
}

static json_t *
refused_json(struct control *c)
{
	struct offload_stats os;
	json_t *o = json_object();
	int i;

	offload_stats_get(c->offload, &os);
	for (i = 1; i < OFFLOAD_REASONS; i++) {
		if (os.refused[i] != 0)
			json_object_set_new(
				o, offload_reason_name(i), json_integer((json_int_t)os.refused[i]));
	}
	return o;
}

static json_t *
answer(struct control *c, const struct ledger *l, json_t *drops, bool settled)
{
	json_t *places = json_object(), *nics = json_array(), *o;
	int i;

	for (i = OFFLOAD_ESWITCH; i >= 0; i--)
		json_object_set_new(
			places, offload_path_name(i), json_integer((json_int_t)l->path_packets[i]));
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] != NULL)
			json_array_append_new(nics, nic_json(c->nics[i], &l->nic[i]));
	}
	o = json_pack("{so sb sb so so so so so so so so}", "packets", line_json(&l->all, drops),
		"conserved", l->conserved, "settled", settled, "place_packets", places, "bytes",
		json_pack("{sI sI sI}", "eswitch", (json_int_t)l->path_bytes[OFFLOAD_ESWITCH],
			"queues",
			(json_int_t)(l->path_bytes[OFFLOAD_EXCLUSIVE_QUEUE] +
				     l->path_bytes[OFFLOAD_SHARED_QUEUE]),
			"software",
			(json_int_t)(l->path_bytes[OFFLOAD_SOFTWARE] +
				     l->path_bytes[OFFLOAD_RING])),
		"flows", flows_json(c), "refused", refused_json(c), "software",
		line_json(&l->software, ledger_drops(&l->software)), "ports", ports_json(c, l),
		"nics", nics, "devices", port_rx_json(c));
	return o;
}

struct settle {
	struct ctl_call *call;
	struct ledger seen[2]; // in turn
	unsigned n;            // how many were read
	uint64_t next_ns;
};

static bool
settle_step(struct control *c, void *state, bool expired)
{
	struct settle *s = state;
	uint64_t now_ns = sl_now(&c->clock);
	struct ledger *now = &s->seen[s->n % 2];
	json_t *drops;
	bool same;

	if (now_ns < s->next_ns && !expired)
		return false;
	s->next_ns = now_ns + SETTLE_GAP_NS;
	drops = json_object();
	orders_sync(c);
	ledger_read(c, now, drops);
	same = s->n++ > 0 && memcmp(&s->seen[0], &s->seen[1], sizeof(*now)) == 0;
	if (same || expired) {
		ctl_call_reply(s->call, answer(c, now, drops, same));
		free(s);
	} else {
		json_decref(drops);
	}
	return same || expired;
}

COMMAND(cmd_stats)
{
	struct control *c = app;
	struct ledger *l;
	json_t *drops;

	if (arg_bool(args, "settle")) {
		struct settle *s = calloc(1, sizeof(*s));

		if (s == NULL || pending_add(c, settle_step, s, SETTLE_MS) != 0) {
			free(s);
			return sl_err_set(err, EBUSY, NULL, "too many commands wait already");
		}
		s->call = call;
		return CTL_LATER;
	}
	l = malloc(sizeof(*l));
	if (l == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	drops = json_object();
	orders_sync(c);
	ledger_read(c, l, drops);
	*result = answer(c, l, drops, false);
	free(l);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// All that is known of one NIC as a place for flows.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/known.h"
#include "cmd/vf_queues.h"
#include "nic/errors.h"
#include "offload/shape.h"
#include "place/class_engine.h"

#define WAITS_MAX 64 // kinds of what is waited for

// ---- what was found out at start

static json_t *
probed_json(const struct nic_probed *p)
{
	return json_pack("{ss ss ss}", "driver_says",
		!p->asked  ? "not asked"
		: p->taken ? "yes"
			   : "no",
		"packets_say", p->sent ? p->result : "not tried", "words", p->words);
}

static json_t *
probe_json(const struct nic *nic)
{
	return json_pack("{so so}", "to_queue_with_mark", probed_json(&nic->to_queue), "to_port",
		probed_json(&nic->to_port));
}

// ---- shapes

struct shapes {
	uint64_t now;
	json_t *list;
};

static void
add_shape(void *ctx, const struct offload_shape_info *s)
{
	struct shapes *c = ctx;
	double left = s->retry_ns > c->now ? (double)(s->retry_ns - c->now) / 1e9 : 0;

	json_array_append_new(
		c->list, json_pack("{ss ss si so so si ss}", "shape", s->text, "state",
				 s->dead      ? "does nothing"
				 : s->refused ? "refused"
				 : s->full    ? "full"
					      : "taken",
				 "entries", (int)s->entries, "limit",
				 s->limit > 0 ? json_integer(s->limit) : json_null(), "retry_in_s",
				 s->refused ? json_real(left) : json_null(), "failures",
				 (int)s->failures, "words", s->driver_text));
}

// ---- queues

struct queues {
	uint16_t nic, ports;
	uint32_t n[OFFLOAD_NIC_PORTS_MAX][3][OFFLOAD_Q_STATES];
};

static void
count_queue(void *ctx, const struct offload_queue *q)
{
	struct queues *c = ctx;

	if (q->id.nic == c->nic && q->id.port < OFFLOAD_NIC_PORTS_MAX && q->id.kind < 3)
		c->n[q->id.port][q->id.kind][q->state]++;
}

static void
port_label(uint16_t port, char *buf, size_t len)
{
	if (port == 0)
		snprintf(buf, len, "pf");
	else
		snprintf(buf, len, "vf%u", port - 1u);
}

static json_t *
queues_json(struct control *c, const struct nic *nic)
{
	static const char *const kinds[] = {"rx", "tx", "vf"};
	struct queues q = {.nic = nic->index};
	json_t *list = json_array();
	uint16_t port, kind, state;

	vf_queues_refresh(c);
	offload_queue_each(c->offload, count_queue, &q);
	for (port = 0; port < nic->n_ports && port < OFFLOAD_NIC_PORTS_MAX; port++) {
		for (kind = 0; kind < 3; kind++) {
			uint32_t sum = 0;
			char name[16];
			json_t *o;

			for (state = 0; state < OFFLOAD_Q_STATES; state++)
				sum += q.n[port][kind][state];
			if (sum == 0)
				continue;
			port_label(port, name, sizeof(name));
			o = json_pack("{ss ss}", "port", name, "kind", kinds[kind]);
			for (state = 0; state < OFFLOAD_Q_STATES; state++)
				json_object_set_new(o, offload_queue_state_name(state),
					json_integer(q.n[port][kind][state]));
			json_array_append_new(list, o);
		}
	}
	return list;
}

// ---- who waits for what

struct wait {
	uint16_t port;
	uint8_t side, path, reason;
	uint32_t flows, heaviest;
	uint64_t rate;
};

struct waits {
	uint16_t nic;
	unsigned n;
	struct wait list[WAITS_MAX];
};

static void
add_wait(struct waits *w, const struct offload_flow_info *fi, uint8_t side)
{
	const struct offload_side_info *s = &fi->side[side];
	const struct offload_end *end = side == OFFLOAD_IN ? &fi->decision.in : &fi->decision.out;
	struct wait *at = NULL;
	unsigned i;

	if (end->nic != w->nic || s->wanted.path == s->actual.path ||
		(s->state != OFFLOAD_ST_WANTED && s->state != OFFLOAD_ST_PLACED))
		return;
	for (i = 0; i < w->n && at == NULL; i++) {
		if (w->list[i].port == end->port && w->list[i].side == side &&
			w->list[i].path == s->wanted.path && w->list[i].reason == s->reason)
			at = &w->list[i];
	}
	if (at == NULL && w->n == WAITS_MAX)
		return;
	if (at == NULL) {
		at = &w->list[w->n++];
		*at = (struct wait){.port = end->port,
			.side = side,
			.path = s->wanted.path,
			.reason = s->reason,
			.heaviest = fi->id};
	}
	at->flows++;
	if (fi->rate_fast_bps > at->rate) {
		at->rate = fi->rate_fast_bps;
		at->heaviest = fi->id;
	}
}

static void
look_at(void *ctx, const struct offload_flow_info *fi)
{
	add_wait(ctx, fi, OFFLOAD_IN);
	add_wait(ctx, fi, OFFLOAD_OUT);
}

static json_t *
waits_json(struct control *c, uint16_t nic)
{
	struct waits w = {.nic = nic};
	json_t *list = json_array();
	unsigned i;

	offload_flow_each(c->offload, look_at, &w);
	for (i = 0; i < w.n; i++) {
		const struct wait *at = &w.list[i];
		char port[16], id[16];

		port_label(at->port, port, sizeof(port));
		snprintf(id, sizeof(id), "f%u", at->heaviest);
		json_array_append_new(list,
			json_pack("{ss ss ss ss si ss sI}", "wants", offload_path_name(at->path),
				"port", port, "kind", at->side == OFFLOAD_IN ? "rx" : "tx",
				"because", offload_reason_name(at->reason), "flows", (int)at->flows,
				"heaviest", id, "rate_bps", (json_int_t)at->rate));
	}
	return list;
}

// ---- the rest

static json_t *
errors_json(const char *driver)
{
	json_t *list = json_array();
	const struct nic_error *r;
	unsigned i;

	for (i = 0; (r = nic_error_row(driver, i)) != NULL; i++)
		json_array_append_new(
			list, json_pack("{ss ss ss ss ss}", "errno", strerror(r->error), "words",
				      r->words != NULL ? r->words : "any", "means",
				      nic_outcome_name(r->means), "why", r->why, "source",
				      r->source != NULL ? r->source : "assumed"));
	return list;
}

static json_t *
table_json(const struct offload_nic_stats *st)
{
	return json_pack("{si so sI sI}", "entries", (int)st->entries, "limit",
		st->limit == 0 ? json_null() : json_integer(st->limit), "to_beat_bps",
		(json_int_t)st->to_beat_bps, "dead_rules", (json_int_t)st->dead);
}

static json_t *
insertions_json(struct control *c, const struct nic *nic, const struct offload_nic_stats *st)
{
	json_t *o = json_pack("{si si si si si sI sI}", "p50_us", (int)nic_cost_us(&nic->cost, 50),
		"p99_us", (int)nic_cost_us(&nic->cost, 99), "a_second",
		(int)nic_cost_rate(&nic->cost, sl_now(&c->clock)), "window", (int)st->window,
		"under_way", (int)st->under_way, "installed", (json_int_t)st->installed, "removed",
		(json_int_t)st->removed);
	unsigned i;

	for (i = OFFLOAD_OK; i <= OFFLOAD_GONE; i++)
		json_object_set_new(
			o, nic_outcome_name(i), json_integer((json_int_t)nic->errors[i]));
	return o;
}

COMMAND(cmd_offload_show)
{
	struct control *c = app;
	const char *name = arg_str(args, "nic");
	struct offload_nic_stats st = {0};
	struct shapes s = {.now = sl_now(&c->clock)};
	const struct nic *nic;
	int i = find_nic(c, name);

	if (i < 0 || c->nics[i] == NULL)
		return no_nic(c, name, err);
	nic = c->nics[i];
	offload_nic_stats_get(c->offload, nic->index, &st);
	s.list = json_array();
	offload_shape_each(c->offload, nic->index, add_shape, &s);
	*result = json_pack("{ss ss sb so so so so so so so}", "nic", nic->name, "driver",
		nic->driver, "gone", nic->gone, "probe", probe_json(nic), "table", table_json(&st),
		"insertions", insertions_json(c, nic, &st), "shapes", s.list, "queues",
		queues_json(c, nic), "waiting", waits_json(c, nic->index), "errors",
		errors_json(nic->driver));
	if (nic_engine_for(nic->driver) != NULL)
		json_object_set_new(*result, "engine", class_groups_json(c, nic->index));
	return 0;
}

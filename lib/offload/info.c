// SPDX-License-Identifier: BSD-3-Clause
// Copies of what is known, for people and for tests.
#include <string.h>

#include <bsd/string.h>

#include "internal.h"

static const struct offload_queue_id no_queue = {.nic = OFFLOAD_NONE};

static struct offload_queue_id
queue_of(const struct of_account *a)
{
	return a ? a->q.id : no_queue;
}

static struct offload_place
actual_place(const struct of_side *s)
{
	const struct of_account *a = s->hold[OF_HOLD_PLACE].account;

	if (s->idx == OFFLOAD_IN &&
		(s->state == OFFLOAD_ST_PLACED || s->state == OFFLOAD_ST_REMOVING))
		return (struct offload_place){
			.path = s->path, .queue = s->queue, .table = s->table};
	if (s->idx == OFFLOAD_OUT && a)
		return (struct offload_place){.path = s->host, .queue = queue_of(a)};
	// A transmit queue that is gone with its NIC.
	return (struct offload_place){
		.path = offload_in_hardware(s->host) ? OFFLOAD_SOFTWARE : s->host,
		.queue = no_queue};
}

static struct offload_place
wanted_place(const struct of_side *s, const struct offload_place *actual)
{
	const struct of_account *a = NULL;

	if (s->moving)
		a = s->hold[OF_HOLD_NEXT].account;
	else if (s->state == OFFLOAD_ST_INSTALLING || s->want == actual->path)
		a = s->hold[OF_HOLD_PLACE].account;
	return (struct offload_place){.path = offload_in_hardware(s->want) || s->want == s->host
						      ? s->want
						      : OFFLOAD_SOFTWARE,
		.queue = queue_of(a)};
}

static void
side_info(const struct offload *o, const struct of_flow *f, const struct of_side *s,
	struct offload_side_info *out)
{
	const struct of_refusal *words = s->refusal;
	const struct of_shape *shape = NULL;

	out->state = s->state;
	out->reason = s->reason;
	out->actual = actual_place(s);
	out->wanted = wanted_place(s, &out->actual);
	out->since_ns = s->since_ns;
	out->retry_ns = s->retry_ns;
	if ((s->reason == OFFLOAD_R_UNSUPPORTED || s->reason == OFFLOAD_R_DEAD) &&
		s->idx == OFFLOAD_IN && f->d.in.nic < OFFLOAD_NICS_MAX) {
		shape = offload_shape_refused(o, f->d.in.nic, f, OFFLOAD_ESWITCH);
		if (!shape)
			shape = offload_shape_refused(o, f->d.in.nic, f, OFFLOAD_SHARED_QUEUE);
	}
	if (shape) {
		words = &shape->refusal;
		if (out->retry_ns == 0)
			out->retry_ns = shape->retry_ns;
	}
	if (words) {
		out->driver_errno = words->errno_;
		strlcpy(out->driver_text, words->text, sizeof(out->driver_text));
	}
}

static void
flow_info(const struct offload *o, const struct of_flow *f, struct offload_flow_info *out)
{
	uint64_t now = sl_now(o->clock);
	int i;

	memset(out, 0, sizeof(*out));
	out->id = f->id.index;
	out->key = f->key;
	out->decision = f->d;
	out->worker = f->worker;
	out->first_ns = f->first_ns;
	out->last_ns = f->last_ns;
	memcpy(out->packets, f->packets, sizeof(out->packets));
	memcpy(out->bytes, f->bytes, sizeof(out->bytes));
	out->rate_fast_bps = offload_rate_fast(f, now);
	out->rate_slow_bps = offload_rate_slow(f, now);
	out->hint = f->hint;
	out->asked = f->asked;
	out->dscp = f->dscp;
	out->reverse = f->reverse;
	for (i = 0; i < 2; i++)
		side_info(o, f, &f->side[i], &out->side[i]);
}

bool
offload_flow_get(const struct offload *o, uint32_t id, struct offload_flow_info *out)
{
	const struct of_flow *f = offload_table_get(o, id);

	if (f)
		flow_info(o, f, out);
	return f;
}

bool
offload_flow_look(const struct offload *o, uint32_t id, struct offload_flow_view *out)
{
	const struct of_flow *f = offload_table_get(o, id);

	if (f)
		*out = (struct offload_flow_view){.key = &f->key,
			.decision = &f->d,
			.gen = f->id.gen,
			.worker = f->worker,
			.dscp = f->dscp,
			.asked = f->asked};
	return f;
}

void
offload_flow_each(const struct offload *o, offload_flow_fn fn, void *ctx)
{
	struct offload_flow_info info;
	uint32_t id, left = o->n_flows;

	for (id = 0; left > 0 && id < o->cfg.flows_max; id++) {
		if (!o->flows[id])
			continue;
		left--;
		flow_info(o, o->flows[id], &info);
		fn(ctx, &info);
	}
}

void
offload_vm_each(const struct offload *o, uint16_t vm, offload_flow_fn fn, void *ctx)
{
	struct offload_flow_info info;
	const struct of_flow *f;
	int i;

	for (i = 0; vm != OFFLOAD_NONE && i < 2; i++) {
		LIST_FOREACH(f, &o->vm[vm].flows[i], vm_link[i])
		{
			flow_info(o, f, &info);
			fn(ctx, &info);
		}
	}
}

void
offload_queue_each(const struct offload *o, offload_queue_fn fn, void *ctx)
{
	uint16_t nic, port, i;
	int kind;

	for (nic = 0; nic < OFFLOAD_NICS_MAX; nic++) {
		const struct of_nic *n = &o->nic[nic];

		for (port = 0; n->present && port < n->ports; port++) {
			for (kind = OFFLOAD_RX; kind <= OFFLOAD_VF; kind++) {
				for (i = 0; i < n->port[port].n[kind]; i++)
					fn(ctx, &n->port[port].account[kind][i].q);
			}
		}
	}
}

bool
offload_nic_stats_get(const struct offload *o, uint16_t nic, struct offload_nic_stats *out)
{
	const struct of_nic *n;
	uint32_t id;
	uint16_t i;

	memset(out, 0, sizeof(*out));
	if (nic >= OFFLOAD_NICS_MAX || !o->nic[nic].present)
		return false;
	n = &o->nic[nic];
	*out = n->stats;
	out->entries = n->entries;
	out->limit = n->limit_known ? n->limit : 0;
	out->op_us = (uint32_t)(n->op_ns / 1e3);
	out->op_least_us = (uint32_t)(n->op_least_ns / 1e3);
	out->window = (uint32_t)n->window;
	out->under_way = n->inflight;
	out->shapes_refused = offload_shapes_count(n);
	out->to_beat_bps = (uint64_t)(n->least * OF_CLEARLY * 8);
	out->waiting = n->wait.n;
	for (i = 0; i < n->ports; i++)
		out->waiting += n->port[i].wait[OFFLOAD_RX].n + n->port[i].wait[OFFLOAD_TX].n;
	for (id = 0; id < o->cfg.flows_max; id++) {
		const struct of_flow *f = o->flows[id];

		out->waiting += f && f->d.in.nic == nic && f->side[OFFLOAD_IN].yields &&
				f->side[OFFLOAD_IN].state == OFFLOAD_ST_WANTED;
	}
	return true;
}

void
offload_stats_get(const struct offload *o, struct offload_stats *out)
{
	uint32_t id, left = o->n_flows;

	*out = o->stats;
	out->flows = o->n_flows;
	for (id = 0; left > 0 && id < o->cfg.flows_max; id++) {
		uint8_t path;

		if (!o->flows[id])
			continue;
		left--;
		path = actual_place(&o->flows[id]->side[OFFLOAD_IN]).path;
		if (path == OFFLOAD_SOFTWARE)
			path = actual_place(&o->flows[id]->side[OFFLOAD_OUT]).path;
		out->by_path[path]++;
	}
}

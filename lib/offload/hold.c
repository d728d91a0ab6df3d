// SPDX-License-Identifier: BSD-3-Clause
// Flows whose worker changes: a receive queue is about to be polled by another one.
//
// A flow's queues are all polled by its worker, so that its packets stay in order when it changes
// from one to the other. When its default queue goes to another worker, that one would need them
// all: they are given back instead, and given again when the flow is known there.
#include "internal.h"

static bool
is_held(const struct offload *o, const struct of_flow *f)
{
	return f && f->worker == o->hold_worker && f->key.vport == o->hold_vport;
}

// All of a kind are judged again: a round or two of the tick's bound.
static void
each_held(struct offload *o, bool unsure)
{
	uint32_t i;

	for (i = 0; i < o->cfg.flows_max; i++) {
		struct of_flow *f = o->flows[i];

		if (!is_held(o, f))
			continue;
		f->unsure = unsure;
		offload_todo(o, f, f->kept ? OF_URGENT : OF_DIRTY);
	}
}

void
offload_hold(struct offload *o, uint16_t vport, uint8_t worker)
{
	offload_hold_end(o);
	o->holds = true;
	o->hold_vport = vport;
	o->hold_worker = worker;
	each_held(o, false);
}

void
offload_hold_end(struct offload *o)
{
	if (!o->holds)
		return;
	o->holds = false;
	each_held(o, true);
}

static bool
is_on_queue(const struct of_side *s)
{
	const bool rule = s->state == OFFLOAD_ST_INSTALLING || s->state == OFFLOAD_ST_PLACED ||
			  s->state == OFFLOAD_ST_REMOVING;

	return s->hold[OF_HOLD_PLACE].account || s->hold[OF_HOLD_NEXT].account ||
	       (rule && s->path != OFFLOAD_ESWITCH);
}

uint32_t
offload_held(const struct offload *o)
{
	uint32_t i, n = 0;

	for (i = 0; o->holds && i < o->cfg.flows_max; i++) {
		const struct of_flow *f = o->flows[i];

		n += is_held(o, f) &&
		     (is_on_queue(&f->side[OFFLOAD_IN]) || is_on_queue(&f->side[OFFLOAD_OUT]));
	}
	return n;
}

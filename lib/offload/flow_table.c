// SPDX-License-Identifier: BSD-3-Clause
// The flows that are known: an open-addressing table of ids by key, the two directions linked, and
// two lists by the age of the last packet: flows that hold something (a rule, a queue, a ring), and
// flows that hold nothing and may be forgotten for others.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#include "internal.h"

#define LEAVE_LOOK 16 // how many of the oldest are looked at when one has to leave

int
offload_table_init(struct offload *o)
{
	uint32_t slots = 128;

	while (slots < 2 * o->cfg.flows_max)
		slots *= 2;
	o->slot_mask = slots - 1;
	o->slots = calloc(slots, sizeof(*o->slots));
	o->flows = calloc(o->cfg.flows_max, sizeof(*o->flows));
	o->ids = sl_idpool_new(o->cfg.flows_max, UINT16_MAX);
	TAILQ_INIT(&o->kept);
	TAILQ_INIT(&o->host);
	TAILQ_INIT(&o->todo);
	o->seed = sl_hash_seed();
	return o->slots && o->flows && o->ids ? 0 : -ENOMEM;
}

void
offload_table_fini(struct offload *o)
{
	uint32_t id;

	for (id = 0; o->flows && id < o->cfg.flows_max; id++) {
		if (!o->flows[id])
			continue;
		free(o->flows[id]->side[OFFLOAD_IN].refusal);
		free(o->flows[id]->side[OFFLOAD_OUT].refusal);
		free(o->flows[id]);
	}
	free(o->flows);
	free(o->slots);
	sl_idpool_free(o->ids);
}

struct of_flow *
offload_table_get(const struct offload *o, uint32_t id)
{
	return id < o->cfg.flows_max ? o->flows[id] : NULL;
}

// The slot of the key, or the empty one where it would go.
static uint32_t
slot_of(const struct offload *o, const struct flow_key *key, uint32_t hash)
{
	uint32_t at = hash & o->slot_mask;

	while (o->slots[at]) {
		const struct of_flow *f = o->flows[o->slots[at] - 1];

		if (f->hash == hash && flow_key_equal(&f->key, key))
			break;
		at = (at + 1) & o->slot_mask;
	}
	return at;
}

struct of_flow *
offload_table_find(const struct offload *o, const struct flow_key *key)
{
	uint32_t at = slot_of(o, key, (uint32_t)flow_key_hash(key, o->seed));

	return o->slots[at] ? o->flows[o->slots[at] - 1] : NULL;
}

// Closes the gap that a removed entry leaves (Knuth 6.4, algorithm R).
static void
slot_clear(struct offload *o, uint32_t hole)
{
	uint32_t at = hole;

	for (;;) {
		uint32_t home;

		o->slots[hole] = 0;
		do {
			at = (at + 1) & o->slot_mask;
			if (!o->slots[at])
				return;
			home = o->flows[o->slots[at] - 1]->hash & o->slot_mask;
		} while (((at - home) & o->slot_mask) < ((at - hole) & o->slot_mask));
		o->slots[hole] = o->slots[at];
		hole = at;
	}
}

static bool
may_leave(const struct offload *o, const struct of_flow *f)
{
	int i;

	if (f->order_tick == o->tick)
		return false;
	for (i = 0; i < 2; i++) {
		if (f->side[i].state == OFFLOAD_ST_WANTED && o->now - f->last_ns < offload_idle(o))
			return false;
	}
	return true;
}

// The lightest of the oldest: a flood of unknown flows throws out itself, not who is getting busy.
static bool
make_room(struct offload *o)
{
	struct of_flow *f, *least = NULL;
	unsigned looks = 0;

	TAILQ_FOREACH(f, &o->host, lru)
	{
		if (may_leave(o, f) &&
			(!least || offload_worth(o, f, o->now) < offload_worth(o, least, o->now)))
			least = f;
		if (++looks == LEAVE_LOOK)
			break;
	}
	if (least)
		offload_forget(o, least);
	return least;
}

static void
side_init(struct of_side *s, enum offload_side idx, uint64_t now)
{
	s->idx = idx;
	s->nic = OFFLOAD_NONE;
	s->resident = OF_NEVER;
	s->queue.nic = OFFLOAD_NONE;
	s->wait.pos = OF_NOWHERE;
	s->timer.pos = OF_NOWHERE;
	s->since_ns = now;
}

struct of_flow *
offload_table_add(struct offload *o, const struct flow_key *key, uint8_t worker,
	const struct offload_decision *d)
{
	struct of_flow *f;

	if (o->n_flows == o->cfg.flows_max && !make_room(o))
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	if (sl_idpool_take(o->ids, &f->id) < 0) {
		free(f);
		return NULL;
	}
	f->key = *key;
	f->hash = (uint32_t)flow_key_hash(key, o->seed);
	f->kind = offload_kind_of(key);
	f->d = *d;
	f->worker = worker;
	f->reverse = OF_NEVER;
	f->policy = OF_NO_POLICY;
	f->dscp = OFFLOAD_NO_DSCP;
	offload_vm_link(o, f);
	f->order_tick = o->tick - 1;
	f->first_ns = f->last_ns = f->rate_ns = o->now;
	side_init(&f->side[OFFLOAD_IN], OFFLOAD_IN, o->now);
	side_init(&f->side[OFFLOAD_OUT], OFFLOAD_OUT, o->now);
	o->flows[f->id.index] = f;
	o->slots[slot_of(o, key, f->hash)] = f->id.index + 1;
	o->n_flows++;
	TAILQ_INSERT_TAIL(&o->host, f, lru);
	offload_table_link(o, f);
	offload_ever(o, f, OFFLOAD_SOFTWARE);
	return f;
}

static void
unlink_reverse(struct offload *o, struct of_flow *f)
{
	struct of_flow *r = offload_table_get(o, f->reverse);

	if (r)
		r->reverse = OF_NEVER;
	f->reverse = OF_NEVER;
}

void
offload_table_link(struct offload *o, struct of_flow *f)
{
	struct of_flow *r = NULL;
	struct flow_key key;

	unlink_reverse(o, f);
	if (f->d.out.vport != OFFLOAD_NONE && flow_key_reverse(&f->key, f->d.out.vport, &key))
		r = offload_table_find(o, &key);
	if (!r || r == f || r->d.out.vport != f->key.vport)
		return;
	unlink_reverse(o, r);
	f->reverse = r->id.index;
	r->reverse = f->id.index;
}

// The flow must hold nothing.
void
offload_forget(struct offload *o, struct of_flow *f)
{
	int i;

	slot_clear(o, slot_of(o, &f->key, f->hash));
	offload_vm_unlink(f);
	offload_kinds_forget(o, f->d.in.vm);
	offload_kinds_forget(o, f->d.out.vm);
	unlink_reverse(o, f);
	for (i = 0; i < 2; i++) {
		offload_wait_leave(&f->side[i]);
		offload_timer(o, &f->side[i], 0);
		free(f->side[i].refusal);
	}
	if (f->dirty != OF_CLEAN)
		TAILQ_REMOVE(&o->todo, f, todo);
	TAILQ_REMOVE(f->kept ? &o->kept : &o->host, f, lru);
	o->flows[f->id.index] = NULL;
	sl_idpool_put(o->ids, f->id);
	o->n_flows--;
	free(f);
}

void
offload_touch(struct offload *o, struct of_flow *f)
{
	struct of_flows *list = f->kept ? &o->kept : &o->host;

	TAILQ_REMOVE(list, f, lru);
	TAILQ_INSERT_TAIL(list, f, lru);
}

static bool
holds(const struct of_side *s)
{
	return s->has_entry || s->moving || s->hold[OF_HOLD_PLACE].account ||
	       s->host != OFFLOAD_SOFTWARE;
}

void
offload_sort(struct offload *o, struct of_flow *f)
{
	bool keep = holds(&f->side[OFFLOAD_IN]) || holds(&f->side[OFFLOAD_OUT]);

	if (keep == f->kept)
		return;
	TAILQ_REMOVE(f->kept ? &o->kept : &o->host, f, lru);
	f->kept = keep;
	TAILQ_INSERT_TAIL(keep ? &o->kept : &o->host, f, lru);
}

void
offload_todo(struct offload *o, struct of_flow *f, enum of_dirty how)
{
	if (f->dirty >= how)
		return;
	if (f->dirty != OF_CLEAN)
		TAILQ_REMOVE(&o->todo, f, todo);
	f->dirty = how;
	if (how == OF_URGENT)
		TAILQ_INSERT_HEAD(&o->todo, f, todo);
	else
		TAILQ_INSERT_TAIL(&o->todo, f, todo);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "assign/assign.h"

#include <string.h>

#include <rte_common.h>

// Which queue a flow is bound to: the states of the queues.

#define MAX_HALVINGS 16
#define CLEARLY_BETTER(load) ((load) / 4 * 3) // what the queue counts that a flow has already

uint64_t
emu_assign_bps(const struct emu_assign *a, const struct emu_assign_rate *r, uint64_t now)
{
	uint64_t ticks = now > r->since ? now - r->since : 0, windows = ticks / a->window, last;

	if (windows == 0)
		return r->bps;
	last = (unsigned __int128)r->bytes * 8 * a->hz / ticks;
	windows = RTE_MIN(windows, (uint64_t)MAX_HALVINGS);
	return r->bps > last ? last + ((r->bps - last) >> windows)
			     : last - ((last - r->bps) >> windows);
}

void
emu_assign_roll(const struct emu_assign *a, struct emu_assign_rate *r, uint64_t now)
{
	r->bps = emu_assign_bps(a, r, now);
	r->bytes = 0;
	r->since = now;
}

static bool
same_kind(const struct rte_pmd_emunic_kind *a, const struct rte_pmd_emunic_kind *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

// A flow brings its rate with it at once, before it is measured in the new place, so that the next
// one that looks for a place sees it.
static void
bind(struct emu_assign *a, uint32_t flow, uint16_t queue, bool pure)
{
	struct emu_assign_flow *f = &a->flows[flow];
	struct emu_assign_slot *s = &a->slot[queue];

	f->target = queue;
	f->pure = pure;
	s->bound++;
	s->rate.bps += f->rate.bps;
	if (pure && s->state == EMU_SLOT_SHARED)
		s->pure++;
}

void
emu_assign_release(struct emu_assign_slot *s)
{
	if (s->bound > 0 || s->here > 0)
		return;
	s->state = EMU_SLOT_FREE;
	s->owner = EMU_ASSIGN_NOBODY;
	s->pure = 0;
	s->rate.bps = s->rate.bytes = 0;
}

void
emu_assign_unbind(struct emu_assign *a, uint32_t flow)
{
	struct emu_assign_flow *f = &a->flows[flow];
	struct emu_assign_slot *s = &a->slot[f->target];

	s->bound--;
	s->rate.bps -= RTE_MIN(s->rate.bps, f->rate.bps);
	if (s->state == EMU_SLOT_SHARED && f->pure)
		s->pure--;
	if (s->state == EMU_SLOT_EXCLUSIVE && s->owner == flow)
		s->owner = EMU_ASSIGN_NOBODY;
	emu_assign_release(s);
	f->target = EMU_ASSIGN_NONE;
}

static void
make_shared(struct emu_assign *a, uint16_t queue, const struct rte_pmd_emunic_kind *kind)
{
	struct emu_assign_slot *s = &a->slot[queue];

	s->state = EMU_SLOT_SHARED;
	s->owner = EMU_ASSIGN_NOBODY;
	s->kind = *kind;
	s->pure = 0;
}

static void
make_exclusive(struct emu_assign *a, uint16_t queue, uint32_t owner)
{
	a->slot[queue].state = EMU_SLOT_EXCLUSIVE;
	a->slot[queue].owner = owner;
	a->slot[queue].pure = 0;
}

// What there is to choose from.
struct choice {
	unsigned int usable, shared, exclusive, owned;
	uint16_t same;     // of the kind, with the least load
	uint16_t vacant;   // shared, but nobody is bound to it
	uint16_t free;     // of nobody
	uint16_t foreign;  // shared by flows of kinds other than its own, so any may take it over
	uint16_t least;    // shared, with the least load
	uint16_t lightest; // with one flow, of the least rate
	uint16_t leaving;  // with one flow, which is bound elsewhere
	uint64_t same_load, least_load, lightest_load;
};

static void
consider_shared(struct choice *c, const struct emu_assign_slot *s, uint16_t queue, uint64_t load,
	const struct rte_pmd_emunic_kind *kind)
{
	c->shared++;
	if (load < c->least_load) {
		c->least = queue;
		c->least_load = load;
	}
	if (kind != NULL && same_kind(&s->kind, kind)) {
		if (load < c->same_load) {
			c->same = queue;
			c->same_load = load;
		}
	} else if (s->bound == 0) {
		c->vacant = queue;
	} else if (s->pure == 0) {
		c->foreign = queue;
	}
}

// kind: NULL for none. keep: the queue that the flow has, or EMU_ASSIGN_NONE.
static void
look_around(const struct emu_assign *a, const struct rte_pmd_emunic_kind *kind, uint16_t keep,
	uint64_t now, struct choice *c)
{
	memset(c, 0, sizeof(*c));
	c->same = c->vacant = c->free = c->foreign = c->least = EMU_ASSIGN_NONE;
	c->lightest = c->leaving = EMU_ASSIGN_NONE;
	c->same_load = c->least_load = c->lightest_load = UINT64_MAX;
	for (uint16_t i = 0; i < a->conf.n_queues; i++) {
		uint16_t queue = a->conf.queues[i];
		const struct emu_assign_slot *s = &a->slot[queue];
		uint64_t load;

		if (!emu_assign_usable(a, queue))
			continue;
		c->usable++;
		load = emu_assign_bps(a, &s->rate, now);
		if (queue == keep)
			load = CLEARLY_BETTER(load);
		if (s->state == EMU_SLOT_SHARED) {
			consider_shared(c, s, queue, load, kind);
			continue;
		}
		if (s->state == EMU_SLOT_FREE) {
			if (c->free == EMU_ASSIGN_NONE)
				c->free = queue;
			continue;
		}
		c->exclusive++;
		if (s->owner == EMU_ASSIGN_NOBODY) {
			c->leaving = queue;
			continue;
		}
		c->owned++;
		load = emu_assign_bps(a, &a->flows[s->owner].rate, now);
		if (load < c->lightest_load) {
			c->lightest = queue;
			c->lightest_load = load;
		}
	}
}

static bool
place(struct emu_assign *a, uint32_t flow, uint16_t keep, uint64_t now)
{
	const struct rte_pmd_emunic_kind *kind = &a->flows[flow].kind;
	uint64_t enough =
		a->conf.shared_load > 0 ? a->conf.shared_load * UINT64_C(1000) : UINT64_MAX;
	struct choice c;
	uint16_t take = EMU_ASSIGN_NONE;

	look_around(a, kind, keep, now, &c);
	if (a->conf.shared_max > 0 && c.shared >= a->conf.shared_max)
		c.free = EMU_ASSIGN_NONE;
	if (c.same != EMU_ASSIGN_NONE && (c.same_load <= enough || c.free == EMU_ASSIGN_NONE)) {
		bind(a, flow, c.same, true);
		return true;
	}
	take = c.vacant != EMU_ASSIGN_NONE ? c.vacant
	       : c.free != EMU_ASSIGN_NONE ? c.free
					   : c.foreign;
	if (take != EMU_ASSIGN_NONE) {
		make_shared(a, take, kind);
		bind(a, flow, take, true);
		return true;
	}
	if (a->conf.overflow != EMU_MIX) {
		bind(a, flow, a->conf.overflow, false);
		return true;
	}
	take = c.least;
	if (take == EMU_ASSIGN_NONE && c.leaving != EMU_ASSIGN_NONE) {
		take = c.leaving;
		make_shared(a, take, kind);
	} else if (take == EMU_ASSIGN_NONE && c.lightest != EMU_ASSIGN_NONE) {
		struct emu_assign_flow *owner = &a->flows[a->slot[c.lightest].owner];

		take = c.lightest;
		make_shared(a, take, &owner->kind);
		a->slot[take].pure = owner->pure = 1;
	}
	if (take != EMU_ASSIGN_NONE)
		bind(a, flow, take, same_kind(&a->slot[take].kind, kind));
	return take != EMU_ASSIGN_NONE;
}

bool
emu_assign_place(struct emu_assign *a, uint32_t flow, uint64_t now)
{
	return place(a, flow, EMU_ASSIGN_NONE, now);
}

void
emu_assign_replace(struct emu_assign *a, uint32_t flow, uint64_t now)
{
	struct emu_assign_flow *f = &a->flows[flow];
	uint16_t old = f->target;
	struct emu_assign_slot *s = &a->slot[old];

	emu_assign_unbind(a, flow);
	if (place(a, flow, old, now))
		return;
	// No queue is usable: it waits where it is.
	if (s->state == EMU_SLOT_EXCLUSIVE && s->owner == EMU_ASSIGN_NOBODY)
		s->owner = flow;
	if (s->state == EMU_SLOT_FREE)
		make_shared(a, old, &f->kind);
	bind(a, flow, old, s->state != EMU_SLOT_SHARED || same_kind(&s->kind, &f->kind));
}

static unsigned int
most_exclusive(const struct emu_assign *a, const struct choice *c)
{
	unsigned int n = c->usable;

	if (a->conf.overflow == EMU_MIX && n > 0)
		n--;
	return a->conf.exclusive_max > 0 ? RTE_MIN(n, a->conf.exclusive_max) : n;
}

bool
emu_assign_promote(struct emu_assign *a, uint32_t flow, uint64_t now)
{
	struct emu_assign_flow *f = &a->flows[flow];
	struct emu_assign_slot *s = &a->slot[f->target];
	uint32_t lighter;
	struct choice c;

	look_around(a, NULL, EMU_ASSIGN_NONE, now, &c);
	if (c.exclusive < most_exclusive(a, &c)) {
		if (s->state == EMU_SLOT_SHARED && s->bound == 1 &&
			emu_assign_usable(a, f->target)) {
			make_exclusive(a, f->target, flow); // it is alone already
			f->pure = true;
			return true;
		}
		if (c.free == EMU_ASSIGN_NONE)
			return false;
		emu_assign_unbind(a, flow);
		make_exclusive(a, c.free, flow);
		bind(a, flow, c.free, true);
		return true;
	}
	if (c.lightest == EMU_ASSIGN_NONE || c.lightest_load > f->rate.bps / 2)
		return false;
	lighter = a->slot[c.lightest].owner;
	emu_assign_unbind(a, lighter);
	emu_assign_unbind(a, flow);
	make_exclusive(a, c.lightest, flow);
	bind(a, flow, c.lightest, true);
	emu_assign_place(a, lighter, now); // there is a queue: if no other, then this one
	return true;
}

void
emu_assign_limit(struct emu_assign *a, uint64_t now)
{
	struct choice c;

	look_around(a, NULL, EMU_ASSIGN_NONE, now, &c);
	while (c.owned > most_exclusive(a, &c) && c.lightest != EMU_ASSIGN_NONE) {
		emu_assign_replace(a, a->slot[c.lightest].owner, now);
		look_around(a, NULL, EMU_ASSIGN_NONE, now, &c);
	}
}

uint16_t
emu_assign_spare(const struct emu_assign *a, uint64_t now)
{
	struct choice c;

	if (a->conf.overflow != EMU_MIX)
		return a->conf.overflow;
	look_around(a, NULL, EMU_ASSIGN_NONE, now, &c);
	return c.least != EMU_ASSIGN_NONE      ? c.least
	       : c.free != EMU_ASSIGN_NONE     ? c.free
	       : c.lightest != EMU_ASSIGN_NONE ? c.lightest
					       : c.leaving;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "assign/assign.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_random.h>

// Flows: how they become known, are measured, judged, moved and forgotten.

#define SLICE 1024    // records that one review looks at
#define CANDIDATES 16 // to give way to a new flow

static void
set_times(struct emu_assign *a)
{
	a->window = RTE_MAX(a->hz * a->conf.window / 1000, UINT64_C(1));
	a->hold = a->hz * a->conf.hold / 1000;
	a->idle = a->hz * a->conf.idle / 1000;
}

static void
set_members(struct emu_assign *a)
{
	for (unsigned int q = 0; q < EMU_MAX_QUEUES; q++)
		a->slot[q].member = false;
	for (uint16_t i = 0; i < a->conf.n_queues; i++)
		a->slot[a->conf.queues[i]].member = true;
}

struct emu_assign *
emu_assign_new(const struct emu_assign_conf *conf, uint64_t hz, const struct emu_assign_ops *ops,
	void *arg, int socket)
{
	struct emu_assign *a = rte_zmalloc_socket("emunic group", sizeof(*a), 64, socket);
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters params = {
		.name = name,
		.entries = RTE_MAX(conf->flows, 8U), // what rte_hash needs
		.key_len = sizeof(struct emu_assign_key),
		.hash_func = rte_jhash,
		.hash_func_init_val = rte_rand(), // so that nobody chooses flows that collide
		.socket_id = socket,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	if (a == NULL)
		return NULL;
	snprintf(name, sizeof(name), "emunic_%016" PRIx64, rte_rand());
	a->hash = rte_hash_create(&params);
	a->flows =
		rte_zmalloc_socket("emunic flows", params.entries * sizeof(*a->flows), 64, socket);
	if (a->hash == NULL || a->flows == NULL) {
		emu_assign_free(a);
		return NULL;
	}
	a->conf = *conf;
	a->hz = hz;
	a->ops = ops;
	a->arg = arg;
	a->unmeasured_queue = EMU_ASSIGN_NONE;
	for (unsigned int q = 0; q < EMU_MAX_QUEUES; q++)
		a->slot[q].owner = EMU_ASSIGN_NOBODY;
	set_times(a);
	set_members(a);
	return a;
}

void
emu_assign_free(struct emu_assign *a)
{
	if (a == NULL)
		return;
	rte_hash_free(a->hash);
	rte_free(a->flows);
	rte_free(a);
}

void
emu_assign_forget(struct emu_assign *a)
{
	rte_hash_reset(a->hash);
	memset(a->flows, 0, RTE_MAX(a->conf.flows, 8U) * sizeof(*a->flows));
	a->n_flows = 0;
	a->unmeasured_queue = EMU_ASSIGN_NONE;
	for (unsigned int q = 0; q < EMU_MAX_QUEUES; q++) {
		a->slot[q].here = a->slot[q].bound = 0;
		emu_assign_release(&a->slot[q]);
	}
}

static const struct emu_assign_key *
key_of(const struct emu_assign *a, uint32_t flow)
{
	void *key = NULL;

	rte_hash_get_key_with_position(a->hash, (int32_t)flow, &key);
	return key;
}

// Nothing of the flow is in its queue any more, or the queue is stopped.
static bool
has_passed(const struct emu_assign *a, const struct emu_assign_flow *f)
{
	return !a->ops->usable(a->arg, f->queue) || a->ops->passed(a->arg, f->queue, f->last_place);
}

static void
try_move(struct emu_assign *a, struct emu_assign_flow *f, uint64_t now)
{
	struct emu_assign_slot *from = &a->slot[f->queue], *to = &a->slot[f->target];

	if ((to->state == EMU_SLOT_EXCLUSIVE && to->here > 0) || !has_passed(a, f))
		return;
	from->here--;
	to->here++;
	f->queue = f->target;
	f->since = now;
	a->moves++;
	emu_assign_release(from);
}

static void
forget_flow(struct emu_assign *a, uint32_t flow)
{
	struct emu_assign_flow *f = &a->flows[flow];
	struct emu_assign_key key = *key_of(a, flow);
	struct emu_assign_slot *here = &a->slot[f->queue];

	emu_assign_unbind(a, flow);
	here->here--;
	emu_assign_release(here);
	f->used = false;
	a->n_flows--;
	rte_hash_del_key(a->hash, &key);
}

static bool
is_alone(const struct emu_assign *a, uint32_t flow)
{
	const struct emu_assign_slot *s = &a->slot[a->flows[flow].target];

	return s->state == EMU_SLOT_EXCLUSIVE && s->owner == flow;
}

// Makes room for a flow: false when none of those that it looked at may go.
static bool
evict(struct emu_assign *a, uint64_t now)
{
	uint32_t oldest = EMU_ASSIGN_NOBODY;

	for (unsigned int i = 0; i < CANDIDATES; i++) {
		const struct emu_assign_flow *f = &a->flows[a->hand];

		if (f->used && f->queue == f->target && !is_alone(a, a->hand) &&
			now - f->last >= a->window && has_passed(a, f) &&
			(oldest == EMU_ASSIGN_NOBODY || f->last < a->flows[oldest].last))
			oldest = a->hand;
		a->hand = (a->hand + 1) % RTE_MAX(a->conf.flows, 8U);
	}
	if (oldest == EMU_ASSIGN_NOBODY)
		return false;
	forget_flow(a, oldest);
	a->evicted++;
	return true;
}

// Packets without a record may still be in the queue that all such packets have.
static bool
unmeasured_waits(const struct emu_assign *a)
{
	return a->unmeasured_queue != EMU_ASSIGN_NONE &&
	       a->ops->usable(a->arg, a->unmeasured_queue) &&
	       !a->ops->passed(a->arg, a->unmeasured_queue, a->unmeasured_place);
}

// Returns the position of a new record, or -1.
static int32_t
learn(struct emu_assign *a, const struct emu_assign_key *key,
	const struct emu_assign_traits *traits, uint64_t now)
{
	struct emu_assign_flow *f;
	int32_t pos;

	if (a->n_flows >= a->conf.flows && !evict(a, now))
		return -1;
	pos = rte_hash_add_key(a->hash, key);
	if (pos < 0)
		return -1;
	f = &a->flows[pos];
	memset(f, 0, sizeof(*f));
	f->born = f->since = f->last = f->rate.since = now;
	emu_assign_kind(a, key, traits, NULL, &f->kind);
	if (!emu_assign_place(a, pos, now)) {
		rte_hash_del_key(a->hash, key);
		return -1;
	}
	f->used = true;
	a->n_flows++;
	a->mixed += !f->pure;
	f->queue = f->target;
	if (unmeasured_waits(a)) {
		f->queue = a->unmeasured_queue;
		f->last_place = a->unmeasured_place;
	}
	a->slot[f->queue].here++;
	return pos;
}

// When the rate became so, or 0.
static uint64_t
since_when(bool is, uint64_t since, uint64_t now)
{
	return !is ? 0 : since != 0 ? since : now;
}

// What a flow's rate and kind ask for, at the end of a window. key: NULL when nothing came.
static void
judge(struct emu_assign *a, uint32_t flow, const struct emu_assign_key *key, uint64_t now)
{
	struct emu_assign_flow *f = &a->flows[flow];
	const struct emu_assign_slot *s = &a->slot[f->target];
	uint32_t light = a->conf.light > 0 ? a->conf.light : a->conf.heavy / 2;
	bool alone = is_alone(a, flow), other_kind = false;

	f->high_since =
		since_when(f->rate.bps >= a->conf.heavy * UINT64_C(1000), f->high_since, now);
	f->low_since = since_when(f->rate.bps < light * UINT64_C(1000), f->low_since, now);
	if (key != NULL) {
		struct rte_pmd_emunic_kind kind;

		emu_assign_kind(a, key, &f->traits, f, &kind);
		other_kind = memcmp(&kind, &f->kind, sizeof(kind)) != 0;
		if (other_kind && !alone && f->pure)
			a->slot[f->target].pure--;
		if (other_kind && !alone)
			f->pure = false;
		f->kind = kind;
	}
	if (alone) {
		if (f->low_since != 0 && now - f->low_since >= a->hold)
			emu_assign_replace(a, flow, now);
		return;
	}
	if (f->high_since != 0 && now - f->high_since >= a->hold &&
		emu_assign_promote(a, flow, now))
		return;
	if (!f->pure ||
		(a->conf.shared_load > 0 && s->bound > 1 &&
			emu_assign_bps(a, &s->rate, now) > a->conf.shared_load * UINT64_C(1000)))
		emu_assign_replace(a, flow, now);
}

static void
account(struct emu_assign *a, uint16_t queue, uint32_t bytes, uint64_t now)
{
	struct emu_assign_slot *s = &a->slot[queue];

	if (emu_assign_window_over(a, &s->rate, now))
		emu_assign_roll(a, &s->rate, now);
	s->rate.bytes += bytes;
	s->packets++;
}

// A packet whose flow has no record goes where all of these go, until none is left there and there
// is a better queue.
static uint16_t
pick_unmeasured(struct emu_assign *a, uint32_t bytes, uint32_t n, uint64_t now)
{
	uint16_t queue = a->unmeasured_queue;
	bool good = queue != EMU_ASSIGN_NONE &&
		    (queue == a->conf.overflow ||
			    (a->conf.overflow == EMU_MIX && emu_assign_usable(a, queue) &&
				    a->slot[queue].state != EMU_SLOT_EXCLUSIVE));

	if (!good && !unmeasured_waits(a))
		queue = emu_assign_spare(a, now);
	if (queue == EMU_ASSIGN_NONE)
		return queue;
	a->unmeasured++;
	a->unmeasured_queue = queue;
	a->unmeasured_place = a->ops->place(a->arg, queue, n);
	account(a, queue, bytes, now);
	return queue;
}

uint16_t
emu_assign_pick(struct emu_assign *a, const struct emu_assign_key *key,
	const struct emu_assign_traits *traits, uint32_t bytes, uint32_t n, uint64_t now)
{
	int32_t pos = rte_hash_lookup(a->hash, key);
	struct emu_assign_flow *f;

	a->packets++;
	if (pos < 0)
		pos = learn(a, key, traits, now);
	if (pos < 0)
		return pick_unmeasured(a, bytes, n, now);
	f = &a->flows[pos];
	f->traits = *traits;
	if (emu_assign_window_over(a, &f->rate, now)) {
		emu_assign_roll(a, &f->rate, now);
		judge(a, pos, key, now);
	}
	if (unlikely(f->target != a->conf.overflow && !emu_assign_usable(a, f->target)))
		emu_assign_replace(a, pos, now);
	if (f->queue != f->target)
		try_move(a, f, now);
	f->rate.bytes += bytes;
	f->packets++;
	f->bytes += bytes;
	f->last = now;
	f->last_place = a->ops->place(a->arg, f->queue, n);
	account(a, f->queue, bytes, now);
	return f->queue;
}

void
emu_assign_change(struct emu_assign *a, const struct emu_assign_conf *conf, uint64_t now)
{
	a->conf = *conf;
	set_times(a);
	set_members(a);
	emu_assign_limit(a, now);
}

void
emu_assign_review(struct emu_assign *a, uint64_t now)
{
	uint32_t n = RTE_MAX(a->conf.flows, 8U);

	for (uint16_t i = 0; i < a->conf.n_queues; i++) {
		const struct emu_assign_slot *s = &a->slot[a->conf.queues[i]];
		uint32_t owner = s->owner;

		if (s->state != EMU_SLOT_EXCLUSIVE || owner == EMU_ASSIGN_NOBODY ||
			!emu_assign_window_over(a, &a->flows[owner].rate, now))
			continue;
		emu_assign_roll(a, &a->flows[owner].rate, now);
		judge(a, owner, NULL, now);
	}
	for (uint32_t i = 0; i < RTE_MIN(n, (uint32_t)SLICE) && a->n_flows > 0; i++) {
		struct emu_assign_flow *f = &a->flows[a->sweep];

		if (f->used && f->queue != f->target)
			try_move(a, f, now);
		if (f->used && now - f->last >= a->idle && has_passed(a, f))
			forget_flow(a, a->sweep);
		a->sweep = (a->sweep + 1) % n;
	}
}

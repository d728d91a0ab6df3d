// SPDX-License-Identifier: BSD-3-Clause
// What happened outside: reports of workers and counters, new decisions, hints.
#include <errno.h>
#include <string.h>

#include "internal.h"

static bool
same_end(const struct offload_end *a, const struct offload_end *b)
{
	return a->nic == b->nic && a->port == b->port && a->vport == b->vport && a->vm == b->vm;
}

// But for gen, which alone changes nothing.
static bool
same_decision(const struct offload_decision *a, const struct offload_decision *b)
{
	return same_end(&a->in, &b->in) && same_end(&a->out, &b->out) && a->depends == b->depends &&
	       a->cls == b->cls && a->priority == b->priority && a->wants_ring == b->wants_ring &&
	       a->lane_ok == b->lane_ok && a->eswitch_ok == b->eswitch_ok && a->drop == b->drop &&
	       a->fragments == b->fragments && a->pinned_queue == b->pinned_queue &&
	       a->table == b->table && a->share == b->share &&
	       a->vm_max_queues == b->vm_max_queues && a->vm_max_entries == b->vm_max_entries &&
	       a->seen == b->seen && strcmp(a->seen_by, b->seen_by) == 0 &&
	       a->through_vm == b->through_vm && a->served == b->served &&
	       strcmp(a->served_by, b->served_by) == 0 && a->actions.n == b->actions.n &&
	       memcmp(a->actions.list, b->actions.list,
		       a->actions.n * sizeof(a->actions.list[0])) == 0;
}

static void
redecide(struct offload *o, struct of_flow *f, const struct offload_decision *d)
{
	const uint16_t in_vm = f->d.in.vm, out_vm = f->d.out.vm;
	struct of_side *in = &f->side[OFFLOAD_IN];
	int i;

	if (same_decision(d, &f->d)) {
		f->d.gen = d->gen;
		return;
	}
	offload_vm_unlink(f);
	f->d = *d;
	offload_vm_link(o, f);
	offload_kinds_forget(o, in_vm);
	offload_kinds_forget(o, out_vm);
	offload_vm_recharge(o, f);
	in->yields = false;
	// Whether the rule that is being made follows the old or the new decision is not known.
	if (in->state == OFFLOAD_ST_INSTALLING && in->sig != offload_sig(f, in->path))
		in->sig = 0;
	// Heaps belong to the NIC of the old decision.
	for (i = 0; i < 2; i++) {
		struct of_side *s = &f->side[i];

		if (s->wait_in && s->reason != OFFLOAD_R_NONE)
			s->reason = OFFLOAD_R_STALE;
		offload_wait_leave(s);
	}
	offload_table_link(o, f);
	if (in->state == OFFLOAD_ST_PLACED && offload_outdated(f))
		in->reason = OFFLOAD_R_STALE;
	offload_todo(o, f, f->kept ? OF_URGENT : OF_DIRTY);
}

static void
rank_changed(struct offload *o, struct of_flow *f)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct of_side *s = &f->side[i];

		s->yields = false;
		if (s->wait_in)
			offload_heap_change(s->wait_in, &s->wait, offload_rank(o, f, s));
	}
	offload_todo(o, f, OF_DIRTY);
}

// A worker that does not know the flow yet handles it in software.
static void
change_worker(struct offload *o, struct of_flow *f, uint8_t worker)
{
	if (f->worker == worker || f->side[OFFLOAD_IN].has_entry)
		return;
	f->worker = worker;
	f->side[OFFLOAD_IN].host = OFFLOAD_SOFTWARE;
	if (f->side[OFFLOAD_OUT].host == OFFLOAD_RING)
		f->side[OFFLOAD_OUT].host = OFFLOAD_SOFTWARE;
	offload_sort(o, f);
}

uint32_t
offload_flow_report(struct offload *o, const struct flow_key *key, uint8_t worker,
	const struct offload_decision *d, uint32_t packets, uint64_t bytes, enum offload_path path)
{
	struct of_flow *f = offload_table_find(o, key);

	o->now = sl_now(o->clock);
	o->reports++;
	if (!f) {
		f = offload_table_add(o, key, worker, d);
		if (!f)
			return UINT32_MAX;
		offload_expect_new(o, f, bytes);
	} else {
		change_worker(o, f, worker);
		f->unsure = f->unsure && f->worker != worker;
		if ((int32_t)(d->gen - f->d.gen) >= 0)
			redecide(o, f, d);
	}
	if (f->expected && packets)
		offload_expect_seen(o, f, false, bytes);
	f->gone = false;
	if ((unsigned)path < OFFLOAD_PATHS) {
		f->packets[path] += packets;
		f->bytes[path] += bytes;
	}
	offload_traits_add(o, f, o->now, packets, bytes);
	if (packets)
		offload_touch(o, f);
	rank_changed(o, f);
	offload_proof_stray(o, f, packets);
	return f->id.index;
}

void
offload_flow_count(struct offload *o, uint32_t id, uint32_t packets, uint64_t bytes)
{
	struct of_flow *f = offload_table_get(o, id);

	if (!f)
		return;
	o->now = sl_now(o->clock);
	if (f->expected && packets)
		offload_expect_seen(o, f, true, bytes);
	f->packets[f->last_path] += packets;
	f->bytes[f->last_path] += bytes;
	offload_traits_add(o, f, o->now, packets, bytes);
	if (packets) {
		offload_touch(o, f);
		offload_proof_moved(o, f);
	}
	rank_changed(o, f);
}

void
offload_flow_left(
	struct offload *o, uint32_t id, enum offload_path path, uint32_t packets, uint64_t bytes)
{
	struct of_flow *f = offload_table_get(o, id);

	if (!f)
		return;
	o->now = sl_now(o->clock);
	if (f->expected && packets)
		offload_expect_seen(o, f, path == OFFLOAD_ESWITCH, bytes);
	f->packets[path] += packets;
	f->bytes[path] += bytes;
	offload_traits_add(o, f, o->now, packets, bytes);
	if (packets)
		offload_touch(o, f);
	rank_changed(o, f);
}

void
offload_flow_gone(struct offload *o, const struct flow_key *key, uint32_t packets, uint64_t bytes)
{
	struct of_flow *f = offload_table_find(o, key);
	struct of_side *in, *out;

	if (!f)
		return;
	o->now = sl_now(o->clock);
	in = &f->side[OFFLOAD_IN];
	out = &f->side[OFFLOAD_OUT];
	if (f->expected && packets)
		offload_expect_seen(o, f, false, bytes);
	f->packets[in->host] += packets;
	f->bytes[in->host] += bytes;
	if (packets || bytes)
		offload_traits_add(o, f, o->now, packets, bytes);
	f->gone = true;
	in->host = OFFLOAD_SOFTWARE;
	if (!in->has_entry) {
		// With its cache entry the worker forgot what it was told; a lane still knows.
		offload_queue_release(o, out, OF_HOLD_PLACE);
		offload_wait_leave(out);
		out->host = out->want = OFFLOAD_SOFTWARE;
		offload_set_state(o, out, OFFLOAD_ST_SOFTWARE);
	}
	offload_sort(o, f);
	offload_todo(o, f, OF_DIRTY);
}

void
offload_flow_redecide(struct offload *o, uint32_t id, const struct offload_decision *d)
{
	struct of_flow *f = offload_table_get(o, id);

	if (!f)
		return;
	o->now = sl_now(o->clock);
	redecide(o, f, d);
}

void
offload_flow_dscp(struct offload *o, uint32_t id, uint8_t dscp)
{
	struct of_flow *f = offload_table_get(o, id);

	if (!f || f->dscp == dscp)
		return;
	f->dscp = dscp;
	(void)offload_policy_of(o, f);
	rank_changed(o, f);
}

int
offload_hint(struct offload *o, const struct flow_key *key, int8_t hint)
{
	struct of_flow *f = offload_table_find(o, key);

	if (!f)
		return -ENOENT;
	o->now = sl_now(o->clock);
	f->asked = (int8_t)((hint > 0) - (hint < 0));
	(void)offload_policy_of(o, f);
	rank_changed(o, f);
	return 0;
}

int
offload_find(const struct offload *o, const struct flow_key *key, uint32_t *id)
{
	const struct of_flow *f = offload_table_find(o, key);

	if (!f)
		return -ENOENT;
	*id = f->id.index;
	return 0;
}

// Forgets a placement without orders: its NIC is gone.
void
offload_side_reset(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t reason)
{
	offload_wait_leave(s);
	offload_timer(o, s, 0);
	offload_queue_release(o, s, OF_HOLD_PLACE);
	offload_queue_release(o, s, OF_HOLD_NEXT);
	if (s->nic != OFFLOAD_NONE)
		offload_resident_del(&o->nic[s->nic], s);
	offload_entry_release(o, s);
	s->moving = s->resend = false;
	s->path = OFFLOAD_SOFTWARE;
	s->want = s->host;
	offload_set_state(o, s, OFFLOAD_ST_SOFTWARE);
	offload_set_reason(o, f, s, reason);
	offload_sort(o, f);
	offload_todo(o, f, OF_DIRTY);
}

// SPDX-License-Identifier: BSD-3-Clause
// The steps of one flow side's state machine: what each order does to states and accounts.
#include <stdlib.h>

#include "internal.h"

void
offload_set_state(struct offload *o, struct of_side *s, uint8_t state)
{
	if (s->state != state)
		s->since_ns = o->now;
	s->state = state;
}

void
offload_set_reason(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t reason)
{
	uint16_t nic = s->idx == OFFLOAD_IN ? f->d.in.nic : f->d.out.nic;

	s->reason = reason;
	if (reason == OFFLOAD_R_NONE || reason == OFFLOAD_R_BUDGET || reason == OFFLOAD_R_STALE)
		return;
	if (!(s->reasons_ever & 1u << reason) && nic < OFFLOAD_NICS_MAX && o->nic[nic].present)
		o->nic[nic].stats.refused[reason]++;
	if (!(f->reasons_ever & 1u << reason))
		o->stats.refused[reason]++;
	s->reasons_ever |= 1u << reason;
	f->reasons_ever |= 1u << reason;
}

void
offload_ever(struct offload *o, struct of_flow *f, uint8_t path)
{
	if (!(f->paths_ever & 1u << path))
		o->stats.ever_by_path[path]++;
	f->paths_ever |= (uint8_t)(1u << path);
}

static struct of_heap *
heap_for(struct offload *o, const struct of_flow *f, const struct of_side *s)
{
	const struct offload_end *end = s->idx == OFFLOAD_IN ? &f->d.in : &f->d.out;
	struct of_nic *n = &o->nic[end->nic];

	if (s->want == OFFLOAD_ESWITCH)
		return &n->wait;
	return &n->port[end->port].wait[s->idx == OFFLOAD_IN ? OFFLOAD_RX : OFFLOAD_TX];
}

void
offload_wait_join(struct offload *o, struct of_flow *f, struct of_side *s)
{
	struct of_heap *heap = heap_for(o, f, s);
	double rank = offload_rank(o, f, s);

	if (s->wait_in == heap) {
		if (s->wait.key != rank)
			offload_heap_change(heap, &s->wait, rank);
		return;
	}
	offload_wait_leave(s);
	if (offload_heap_push(heap, &s->wait, rank))
		s->wait_in = heap;
}

void
offload_wait_leave(struct of_side *s)
{
	if (s->wait_in)
		offload_heap_remove(s->wait_in, &s->wait);
	s->wait_in = NULL;
}

void
offload_timer(struct offload *o, struct of_side *s, uint64_t at_ns)
{
	if (s->timer.pos != OF_NOWHERE)
		offload_heap_remove(&o->timers, &s->timer);
	s->retry_ns = at_ns;
	if (at_ns)
		(void)offload_heap_push(&o->timers, &s->timer, -(double)(at_ns / SL_NS_PER_MS + 1));
}

// ---- orders

static bool
full(const struct offload *o)
{
	return o->orders.n == o->orders.max;
}

static void
give(struct offload *o, struct of_flow *f, const struct of_side *s, uint8_t type, uint8_t path,
	const struct of_account *a)
{
	struct offload_order *order = &o->orders.out[o->orders.n++];

	*order = (struct offload_order){.type = type,
		.side = s->idx,
		.worker = f->worker,
		.flow = f->id.index,
		.place = {.path = path, .queue = {.nic = OFFLOAD_NONE}}};
	if (a)
		order->place.queue = a->q.id;
	else if (type != OFFLOAD_SET_HOST)
		order->place.queue = s->queue;
	if (type != OFFLOAD_SET_HOST)
		order->place.table = s->table;
	f->order_tick = o->tick;
}

bool
offload_order_host(
	struct offload *o, struct of_flow *f, struct of_side *s, uint8_t path, struct of_account *a)
{
	if (s->host == path && s->hold[OF_HOLD_PLACE].account == a)
		return true;
	if (s->idx == OFFLOAD_IN && s->host == path)
		return true; // its account is that of a rule
	if (full(o))
		return false;
	if (s->idx == OFFLOAD_OUT) {
		offload_queue_release(o, s, OF_HOLD_PLACE);
		if (a)
			offload_queue_hold(o, s, OF_HOLD_PLACE, a, path);
		s->since_ns = o->now;
	}
	s->host = path;
	give(o, f, s, OFFLOAD_SET_HOST, path, a);
	offload_ever(o, f, path);
	offload_sort(o, f);
	return true;
}

// The entry is taken, and the queue is held, as place or as next place.
bool
offload_order_install(struct offload *o, struct of_flow *f, struct of_side *s)
{
	if (full(o))
		return false;
	if (s->moving)
		offload_queue_settle(s);
	s->moving = false;
	s->path = s->want;
	s->sig = offload_sig(f, s->path);
	s->table = s->path == OFFLOAD_ESWITCH ? f->d.table : 0;
	s->queue = (struct offload_queue_id){.nic = OFFLOAD_NONE};
	if (s->hold[OF_HOLD_PLACE].account)
		s->queue = s->hold[OF_HOLD_PLACE].account->q.id;
	offload_wait_leave(s);
	offload_timer(o, s, 0);
	offload_set_state(o, s, OFFLOAD_ST_INSTALLING);
	offload_set_reason(o, f, s, OFFLOAD_R_NONE);
	o->nic[s->nic].inflight++;
	offload_vm_inserted(o, f);
	offload_shape_take(o, f, s);
	s->stray = 0;
	s->stray_ns = s->read_ns = 0;
	give(o, f, s, OFFLOAD_INSTALL, s->path, NULL);
	offload_sort(o, f);
	return true;
}

bool
offload_order_remove(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t reason)
{
	struct of_nic *n = &o->nic[s->nic];

	if (full(o))
		return false;
	offload_wait_leave(s);
	offload_timer(o, s, 0);
	s->resend = false;
	s->moving = false;
	s->want = s->host;
	offload_set_state(o, s, OFFLOAD_ST_REMOVING);
	offload_set_reason(o, f, s, reason);
	n->inflight++;
	n->leaving++;
	give(o, f, s, OFFLOAD_REMOVE, s->path, NULL);
	return true;
}

bool
offload_order_move(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t want,
	struct of_account *a, uint8_t reason)
{
	if (!offload_order_remove(o, f, s, reason))
		return false;
	o->nic[s->nic].leaving--;
	s->moving = true;
	s->want = want;
	if (a && a == s->hold[OF_HOLD_PLACE].account)
		offload_queue_release(o, s, OF_HOLD_PLACE); // held again, in another way
	if (a)
		offload_queue_hold(o, s, OF_HOLD_NEXT, a, want);
	return true;
}

void
offload_move_cancel(struct offload *o, struct of_side *s)
{
	if (!s->moving)
		return;
	s->moving = false;
	if (s->state == OFFLOAD_ST_REMOVING && s->path != OFFLOAD_ESWITCH &&
		!s->hold[OF_HOLD_PLACE].account)
		offload_queue_settle(s); // the next queue is the one that the rule still steers to
	else
		offload_queue_release(o, s, OF_HOLD_NEXT);
	if (s->state == OFFLOAD_ST_REMOVING) {
		o->nic[s->nic].leaving++;
		s->want = s->host;
	} else {
		offload_entry_release(o, s);
	}
	offload_sort(o, offload_flow_of(s));
}

// SPDX-License-Identifier: BSD-3-Clause
// Who gets what is free.
//
// Problem: flows wait for table entries and for queues of many ports; each round may look at few.
// Idea: each port's queues (receive, transmit) and each embedded switch have a heap of those that
// wait, best first; a round takes the best of all heap tops of a NIC, again and again. What is
// blocked is set aside, and a heap that has blocked LOOKS of them is left alone but for SAMPLES at
// random, so that flows which could be served are found behind many that cannot. When the table is
// full, the weakest of 16 residents taken at random leaves for a clearly better flow (FACTS of the
// trace study: 0.90 of a clairvoyant table on the mean); a queue's owner likewise.
// Cost: O((orders + LOOKS) * log waiting) and a scan of one port's queues for each look.
#include "internal.h"

#define LOOKS 16
#define SAMPLES 4
#define ROUND 4096   // looks at one NIC in all
#define SAMPLE_VM 64 // when only one VM's are asked for

enum outcome { DONE, BLOCKED, YIELDED, NO_ORDERS };

static enum outcome
blocked(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t reason)
{
	bool first = s->fresh;

	s->fresh = false;
	offload_set_reason(o, f, s, reason);
	if (first)
		offload_todo(o, f, OF_DIRTY); // it may use the ring meanwhile
	return BLOCKED;
}

// Of a VM that has used up what it may have its own ones only; of a shape whose own table is full
// those of that shape. 0: of any shape.
static struct of_side *
weakest_of(struct offload *o, struct of_nic *n, uint16_t vm, uint8_t rule, uint8_t shape,
	uint16_t for_vm)
{
	unsigned tries = SAMPLE_VM;
	struct of_side *least = NULL;
	double least_worth = 0;

	while (n->n_residents && tries--) {
		struct of_side *s = n->residents[sl_rng_below(&o->rng, n->n_residents)];
		double worth;

		if (s->state != OFFLOAD_ST_PLACED || (vm != OFFLOAD_NONE && s->charged_vm != vm) ||
			(rule && s->part.rule != rule) || (shape && s->shape != shape) ||
			offload_vm_keeps_entry(s, for_vm, o))
			continue;
		worth = offload_worth(o, offload_flow_of(s), o->now);
		if (!least || worth < least_worth) {
			least = s;
			least_worth = worth;
		}
	}
	return least;
}

// owed: its VM has less than it is guaranteed, so that it need not be worth more.
static bool
may_replace(const struct offload *o, const struct of_flow *f, struct of_side *resident, bool owed)
{
	if (!resident || o->now - resident->since_ns < offload_residency(o, resident))
		return false;
	return owed || offload_worth(o, f, o->now) >
			       offload_worth(o, offload_flow_of(resident), o->now) * OF_CLEARLY;
}

// Who has to go for f: the least of all that may, else of its VM's own.
static struct of_side *
entry_victim(
	struct offload *o, struct of_nic *n, const struct of_flow *f, uint8_t reason, bool owed)
{
	const uint16_t vm = offload_vm(&f->d);
	uint8_t shape = offload_shape_full(n, f, f->side[OFFLOAD_IN].want);
	struct of_side *out = NULL;

	if (shape)
		n->shapes[shape - 1].wanted = true;
	if (shape && reason != OFFLOAD_R_VM_ENTRY_LIMIT)
		out = weakest_of(o, n, OFFLOAD_NONE, 0, shape, vm);
	else if (reason != OFFLOAD_R_VM_ENTRY_LIMIT)
		out = offload_pool_least(o, n, vm);
	if (!may_replace(o, f, out, owed) && vm != OFFLOAD_NONE &&
		(reason == OFFLOAD_R_VM_ENTRY_LIMIT || o->n_limited > 0)) {
		out = weakest_of(
			o, n, vm, offload_part_entries_used(o, f) ? f->policy + 1 : 0, shape, vm);
		owed = false;
	}
	return may_replace(o, f, out, owed) ? out : NULL;
}

// No entry is left for f. Entries that are on their way out are promised, one to each flow in order
// of rank; when there are none left to promise, a resident has to go.
static enum outcome
want_entry(
	struct offload *o, struct of_nic *n, struct of_flow *f, struct of_side *s, uint8_t reason)
{
	bool owed = offload_vm_owed_entry(o, f, n->nic);
	struct of_side *out;

	n->table_wanted |= reason == OFFLOAD_R_TABLE_FULL;
	if (n->promised < n->leaving) {
		n->promised++;
		offload_vm_promise(o, f);
		return blocked(o, f, s, reason);
	}
	out = entry_victim(o, n, f, reason, owed);
	if (out) {
		bool lent = owed && out->charged_vm != offload_vm(&f->d);

		if (!offload_order_remove(
			    o, offload_flow_of(out), out, lent ? OFFLOAD_R_LENT : reason))
			return NO_ORDERS;
		n->promised++;
		offload_vm_promise(o, f);
		return blocked(o, f, s, reason);
	}
	blocked(o, f, s, reason);
	if (owed || f->expected) // it has no reports to come again with
		return BLOCKED;  // until a resident may go
	s->yields = true;
	return YIELDED;
}

// The owner of a queue that another flow gets joins others, or goes to the host.
static bool
leave_queue(struct offload *o, struct of_side *out, uint8_t reason)
{
	struct of_flow *g = offload_flow_of(out);
	struct of_account *a;
	uint8_t got, why;
	bool ok;

	a = offload_queue_pick(o, g, out, OFFLOAD_SHARED_QUEUE, false, &got, &why);
	if (out->idx == OFFLOAD_IN)
		return a ? offload_order_move(o, g, out, got, a, reason)
			 : offload_order_remove(o, g, out, reason);
	ok = offload_order_host(o, g, out, a ? got : OFFLOAD_SOFTWARE, a);
	if (ok && !a)
		offload_set_state(o, out, OFFLOAD_ST_WANTED);
	if (ok) {
		offload_set_reason(o, g, out, reason);
		offload_todo(o, g, OF_DIRTY);
	}
	return ok;
}

// No queue is left for f, which is heavy or pinned: the weakest owner of one may have to go.
static enum outcome
want_queue(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t reason)
{
	const struct offload_end *end = s->idx == OFFLOAD_IN ? &f->d.in : &f->d.out;
	uint8_t kind = s->idx == OFFLOAD_IN ? OFFLOAD_RX : OFFLOAD_TX;
	struct of_port *p = &o->nic[end->nic].port[end->port];
	uint16_t payer = offload_vm_queue_payer(f, s);
	uint16_t vm = reason == OFFLOAD_R_VM_QUEUE_LIMIT ? payer : OFFLOAD_NONE;
	uint8_t rule = offload_part_queues_used(o, f, s) ? (uint8_t)(f->policy + 1) : 0;
	bool owed = offload_vm_owed_queue(o, f, s), busy;
	struct of_side *out;

	if (s->want != OFFLOAD_EXCLUSIVE_QUEUE)
		return blocked(o, f, s, reason);
	out = offload_queue_weakest(o, p, kind, rule ? payer : vm, rule, payer, &busy);
	if (busy || !may_replace(o, f, out, owed))
		return blocked(o, f, s, reason);
	if (!leave_queue(o, out, owed ? OFFLOAD_R_LENT : OFFLOAD_R_NO_FREE_QUEUE))
		return NO_ORDERS;
	return blocked(o, f, s, reason);
}

// A rule wants the flow on a queue that another has alone: that one leaves.
static enum outcome
want_pinned(struct offload *o, struct of_flow *f, struct of_side *s)
{
	struct offload_queue_id id = {.nic = f->d.in.nic,
		.port = f->d.in.port,
		.kind = OFFLOAD_RX,
		.index = f->d.pinned_queue};
	struct of_account *a = offload_account(o, id);
	struct of_side *out =
		a && a->q.state == OFFLOAD_Q_EXCLUSIVE ? TAILQ_FIRST(&a->holds)->side : NULL;

	if (out && out->state == OFFLOAD_ST_PLACED &&
		!offload_order_remove(o, offload_flow_of(out), out, OFFLOAD_R_NO_FREE_QUEUE))
		return NO_ORDERS;
	return blocked(o, f, s, OFFLOAD_R_NO_FREE_QUEUE);
}

static enum outcome
serve_out(struct offload *o, struct of_flow *f, struct of_side *s, const struct of_verdict *v)
{
	bool have = s->hold[OF_HOLD_PLACE].account;
	uint8_t got, reason;
	struct of_account *a = offload_queue_pick(o, f, s, v->path, have, &got, &reason);

	if (!a)
		return want_queue(o, f, s, reason);
	if (!offload_order_host(o, f, s, got, a))
		return NO_ORDERS;
	s->fresh = false;
	offload_set_state(o, s, OFFLOAD_ST_PLACED);
	offload_set_reason(o, f, s, got == v->path ? v->reason : reason);
	if (got != v->path)
		offload_todo(o, f, OF_DIRTY); // goes on waiting
	return DONE;
}

// No queue is to be had, and its policy takes the embedded switch then: an entry that is free.
static bool
takes_entry(const struct offload *o, const struct of_nic *n, const struct of_flow *f,
	const struct of_verdict *v)
{
	return v->then_eswitch && offload_vm_entry_reason(o, f) == OFFLOAD_R_NONE &&
	       offload_entry_free(n, f, OFFLOAD_ESWITCH) &&
	       offload_capacity_takes(n, offload_worth(o, f, o->now));
}

static enum outcome
serve_in(struct offload *o, struct of_nic *n, struct of_flow *f, struct of_side *s,
	const struct of_verdict *v)
{
	bool placed = s->state == OFFLOAD_ST_PLACED;
	uint8_t got = v->path, reason = OFFLOAD_R_NONE;
	struct of_account *a = NULL;
	uint8_t limit = offload_vm_entry_reason(o, f);
	double worth;

	if (v->path != OFFLOAD_ESWITCH) {
		a = offload_queue_pick(o, f, s, v->path, placed, &got, &reason);
		if (!a && f->d.pinned_queue != OFFLOAD_NONE)
			return want_pinned(o, f, s);
		if (!a && !placed && takes_entry(o, n, f, v))
			got = OFFLOAD_ESWITCH;
		else if (!a)
			return want_queue(o, f, s, reason);
	}
	if (!offload_capacity_room(o, n))
		return blocked(o, f, s, OFFLOAD_R_BUDGET);
	if (!offload_vm_may_insert(o, f)) {
		blocked(o, f, s, OFFLOAD_R_VM_INSERT_LIMIT);
		s->yields = !placed;
		return YIELDED;
	}
	if (placed)
		return offload_order_move(o, f, s, got, a, OFFLOAD_R_NONE) ? DONE : NO_ORDERS;
	if (limit != OFFLOAD_R_NONE)
		return want_entry(o, n, f, s, limit);
	if (!offload_entry_free(n, f, got))
		return want_entry(o, n, f, s, OFFLOAD_R_TABLE_FULL);
	worth = offload_worth(o, f, o->now);
	if (got == OFFLOAD_ESWITCH && !offload_capacity_takes(n, worth) &&
		!offload_vm_owed_entry(o, f, n->nic)) {
		blocked(o, f, s, OFFLOAD_R_TABLE_FULL);
		s->yields = !f->expected;
		return f->expected ? BLOCKED : YIELDED;
	}
	if (o->orders.n == o->orders.max)
		return NO_ORDERS;
	offload_entry_take(o, f, s, n->nic);
	offload_capacity_entered(n, worth);
	if (a)
		offload_queue_hold(o, s, OF_HOLD_PLACE, a, got);
	s->want = got;
	s->fresh = false;
	return offload_order_install(o, f, s) ? DONE : NO_ORDERS;
}

static enum outcome
serve_side(struct offload *o, struct of_nic *n, struct of_side *s)
{
	struct of_flow *f = offload_flow_of(s);
	const uint16_t rule = f->policy;
	struct of_verdict v = offload_decide(o, f, s->idx);

	// What has changed since it joined is a matter for judge.c.
	if (f->dirty != OF_CLEAN && s->state == OFFLOAD_ST_PLACED)
		return BLOCKED;
	if (v.path != s->want || f->policy != rule) {
		offload_todo(o, f, OF_DIRTY);
		return DONE;
	}
	return s->idx == OFFLOAD_IN ? serve_in(o, n, f, s, &v) : serve_out(o, f, s, &v);
}

static void
best_of(struct of_heap *h, struct of_heap **best)
{
	if (h->n && h->blocked < LOOKS &&
		(!*best || offload_heap_top(h)->key > offload_heap_top(*best)->key))
		*best = h;
}

static struct of_heap *
best_heap(struct of_nic *n)
{
	struct of_heap *best = NULL;
	uint16_t i;

	best_of(&n->wait, &best);
	for (i = 0; i < n->ports; i++) {
		best_of(&n->port[i].wait[OFFLOAD_RX], &best);
		best_of(&n->port[i].wait[OFFLOAD_TX], &best);
	}
	return best;
}

static struct of_side *
side_of(struct of_node *node)
{
	return (struct of_side *)((char *)node - offsetof(struct of_side, wait));
}

// Takes a side out of its heap and serves it; what goes on waiting is put on the stash.
static bool
serve_one(struct offload *o, struct of_nic *n, struct of_side *s, struct of_side **stash)
{
	struct of_heap *heap = s->wait_in;
	enum outcome outcome;
	double rank;

	// Its VM has got what it is guaranteed since it joined.
	if (s->wait.key >= OF_OWED) {
		rank = offload_rank(o, offload_flow_of(s), s);
		if (rank < OF_OWED) {
			offload_heap_change(heap, &s->wait, rank);
			return true;
		}
	}
	offload_wait_leave(s);
	outcome = serve_side(o, n, s);
	if (outcome == DONE || outcome == YIELDED)
		return true;
	heap->blocked++;
	s->stash_heap = heap;
	s->stash = *stash;
	*stash = s;
	return outcome != NO_ORDERS;
}

static bool
serve_samples(struct offload *o, struct of_nic *n, struct of_heap *h, struct of_side **stash)
{
	unsigned i;

	for (i = 0; i < SAMPLES && h->n && h->blocked >= LOOKS; i++) {
		if (!serve_one(o, n, side_of(h->v[sl_rng_below(&o->rng, h->n)]), stash))
			return false;
	}
	return true;
}

// Those that came from another NIC with their place known, as fast as this one takes them, and
// between them those of which something was heard meanwhile: who comes first finds room.
static bool
serve_rush(struct offload *o, struct of_nic *n, unsigned *looks, struct of_side **stash)
{
	enum outcome outcome;
	struct of_heap *h;
	struct of_flow *f;

	while (n->rush_list && o->orders.n < o->orders.max && offload_capacity_room(o, n)) {
		h = *looks < ROUND ? best_heap(n) : NULL;
		if (h && offload_rush_after(n, offload_heap_top(h)->key)) {
			(*looks)++;
			if (!serve_one(o, n, side_of(offload_heap_top(h)), stash))
				return false;
			continue;
		}
		f = offload_rush_next(o, n);
		if (!f)
			break;
		outcome = serve_side(o, n, &f->side[OFFLOAD_IN]);
		if (outcome != DONE)
			offload_todo(o, f, OF_DIRTY);
		if (outcome == NO_ORDERS)
			return false;
	}
	return true;
}

void
offload_serve(struct offload *o, struct of_nic *n)
{
	struct of_side *stash = NULL;
	struct of_heap *h;
	unsigned looks = 0;
	bool more;
	uint16_t i;

	n->promised = 0;
	n->table_wanted = false;
	more = serve_rush(o, n, &looks, &stash);
	while (more && looks++ < ROUND && (h = best_heap(n)))
		more = serve_one(o, n, side_of(offload_heap_top(h)), &stash);
	if (more)
		more = serve_samples(o, n, &n->wait, &stash);
	for (i = 0; i < n->ports; i++) {
		if (more)
			more = serve_samples(o, n, &n->port[i].wait[OFFLOAD_RX], &stash) &&
			       serve_samples(o, n, &n->port[i].wait[OFFLOAD_TX], &stash);
		n->port[i].wait[OFFLOAD_RX].blocked = n->port[i].wait[OFFLOAD_TX].blocked = 0;
	}
	n->wait.blocked = 0;
	for (; stash; stash = stash->stash) {
		bool waits = stash->state == OFFLOAD_ST_WANTED || stash->state == OFFLOAD_ST_PLACED;

		if (waits && !stash->wait_in &&
			offload_heap_push(stash->stash_heap, &stash->wait, stash->wait.key))
			stash->wait_in = stash->stash_heap;
	}
}

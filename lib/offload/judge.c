// SPDX-License-Identifier: BSD-3-Clause
// Compares where a flow is with where it should be, and takes the next step. Steps that need
// something scarce are left to serve.c: the flow joins those that wait for it.
#include "internal.h"

static bool
settled(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t path, uint8_t reason)
{
	offload_wait_leave(s);
	s->want = path;
	offload_set_reason(o, f, s, reason);
	return true;
}

// Waits for a better place than it has.
static bool
aspire(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t path)
{
	bool was = s->wait_in && s->want == path;

	s->want = path;
	if (!was)
		offload_set_reason(o, f, s, OFFLOAD_R_BUDGET);
	offload_wait_join(o, f, s);
	return true;
}

static bool
resident_long(const struct offload *o, const struct of_side *s)
{
	return o->now - s->since_ns >= offload_residency(o, s);
}

// A flow alone on a queue is not heavy any more: it joins others, or goes to the host when someone
// waits for its queue.
static bool
step_down(struct offload *o, struct of_flow *f, struct of_side *s, const struct of_verdict *v)
{
	const struct offload_end *end = s->idx == OFFLOAD_IN ? &f->d.in : &f->d.out;
	uint8_t kind = s->idx == OFFLOAD_IN ? OFFLOAD_RX : OFFLOAD_TX;
	struct of_account *a;
	uint8_t got, reason;

	offload_wait_leave(s);
	s->want = OFFLOAD_SHARED_QUEUE;
	offload_set_reason(o, f, s, OFFLOAD_R_NO_FREE_QUEUE);
	if (!resident_long(o, s))
		return true;
	a = offload_queue_pick(o, f, s, OFFLOAD_SHARED_QUEUE, false, &got, &reason);
	if (!a && (o->nic[end->nic].port[end->port].wait[kind].n == 0 || offload_took_alone(o, f)))
		return true;
	if (s->idx == OFFLOAD_IN)
		return a ? offload_order_move(o, f, s, got, a, v->reason)
			 : offload_order_remove(o, f, s, OFFLOAD_R_NO_FREE_QUEUE);
	if (!offload_order_host(o, f, s, a ? got : v->host, a))
		return false;
	offload_set_state(o, s, a ? OFFLOAD_ST_PLACED : OFFLOAD_ST_WANTED);
	if (a)
		offload_set_reason(o, f, s, v->reason);
	else
		offload_wait_join(o, f, s);
	return true;
}

static bool
queue_leaving(const struct of_side *s, enum of_holds which)
{
	const struct of_account *a = s->hold[which].account;

	return a && a->leaving != OFFLOAD_Q_STATES;
}

// The policy gives the queue to others, or keeps the flow to other ones, by now.
static bool
not_its_queue(const struct offload *o, const struct of_flow *f, const struct of_side *s,
	enum of_holds which)
{
	const struct of_account *a = s->hold[which].account;
	bool asked_for = s->idx == OFFLOAD_IN && f->d.pinned_queue != OFFLOAD_NONE;

	return a && !asked_for && !offload_policy_queue(o, f, a->q.id.index);
}

// The place that is kept for a flow that moves is still the one that it should get.
static bool
next_holds(const struct offload *o, const struct of_flow *f, const struct of_side *s,
	const struct of_verdict *v)
{
	return v->path == s->want && !queue_leaving(s, OF_HOLD_NEXT) &&
	       !not_its_queue(o, f, s, OF_HOLD_NEXT);
}

// The policy rule that it has by now does not allow where it is: it leaves at once. A rule of the
// switch that names the queue stands above the policy.
static bool
forbidden(const struct offload *o, const struct of_flow *f, const struct of_side *s, uint8_t path)
{
	bool asked_for = s->idx == OFFLOAD_IN && f->d.pinned_queue != OFFLOAD_NONE;

	return !asked_for && offload_in_hardware(path) &&
	       !offload_policy_allows(offload_policy_known(o, f), path);
}

static bool
judge_placed(struct offload *o, struct of_flow *f, struct of_side *s, const struct of_verdict *v)
{
	const bool outdated = offload_outdated(f);

	// What an outdated rule does says nothing of its shape.
	if (!outdated && offload_proof_dead(s, o->now))
		return offload_proof_remove(o, f, s);
	if (!offload_in_hardware(v->path))
		return offload_order_remove(o, f, s, v->reason);
	if (outdated || queue_leaving(s, OF_HOLD_PLACE))
		return offload_order_remove(o, f, s, OFFLOAD_R_STALE);
	if (not_its_queue(o, f, s, OF_HOLD_PLACE) || forbidden(o, f, s, s->path))
		return offload_order_remove(o, f, s, OFFLOAD_R_POLICY);
	if (v->path == s->path)
		return settled(o, f, s, v->path, v->reason);
	if (v->path == OFFLOAD_ESWITCH)
		return offload_order_move(o, f, s, OFFLOAD_ESWITCH, NULL, v->reason);
	if (s->path == OFFLOAD_ESWITCH && v->then_eswitch)
		return aspire(o, f, s, v->path);
	if (s->path == OFFLOAD_ESWITCH)
		return offload_order_remove(o, f, s, v->reason);
	if (v->path == OFFLOAD_EXCLUSIVE_QUEUE)
		return aspire(o, f, s, OFFLOAD_EXCLUSIVE_QUEUE);
	return step_down(o, f, s, v);
}

static bool
judge_removing(struct offload *o, struct of_flow *f, struct of_side *s, const struct of_verdict *v)
{
	if (s->moving && !next_holds(o, f, s, v))
		offload_move_cancel(o, s);
	if (!s->resend || o->now < s->retry_ns)
		return true;
	if (o->orders.n == o->orders.max)
		return false;
	// The same step again; the accounts stand as they are.
	s->resend = false;
	offload_timer(o, s, 0);
	o->orders.out[o->orders.n++] = (struct offload_order){.type = OFFLOAD_REMOVE,
		.side = s->idx,
		.worker = f->worker,
		.flow = f->id.index,
		.place = {.path = s->path, .queue = s->queue, .table = s->table}};
	o->nic[s->nic].inflight++;
	f->order_tick = o->tick;
	return true;
}

static bool
in_quick_rush(struct offload *o, const struct of_flow *f, const struct of_side *s)
{
	const struct of_nic *n = s->idx == OFFLOAD_IN ? offload_nic(o, f->d.in.nic) : NULL;

	return n && offload_rush_quick(o, n);
}

// Not in hardware, and no order under way. A flow that has just begun to wait is not told to use
// the ring before someone has looked whether its place is free.
static bool
judge_host(struct offload *o, struct of_flow *f, struct of_side *s, const struct of_verdict *v)
{
	if (s->moving) {
		if (next_holds(o, f, s, v))
			return offload_order_install(o, f, s);
		offload_move_cancel(o, s);
	}
	if (!offload_in_hardware(v->path)) {
		bool refusal = v->reason == OFFLOAD_R_UNSUPPORTED || v->reason == OFFLOAD_R_DEAD;

		offload_wait_leave(s);
		offload_timer(o, s, 0);
		s->want = v->host;
		offload_set_state(o, s, refusal ? OFFLOAD_ST_REFUSED : OFFLOAD_ST_SOFTWARE);
		offload_set_reason(o, f, s, v->reason);
		if (offload_order_host(o, f, s, v->host, NULL))
			return true;
		if (v->reason == OFFLOAD_R_NONE)
			offload_set_reason(o, f, s, OFFLOAD_R_BUDGET);
		return false;
	}
	s->want = v->path;
	if (s->state == OFFLOAD_ST_REFUSED && s->retry_ns > o->now) {
		offload_set_reason(o, f, s, OFFLOAD_R_DRIVER);
		return offload_order_host(o, f, s, v->host, NULL);
	}
	offload_timer(o, s, 0);
	if (s->yields && s->state == OFFLOAD_ST_WANTED)
		return offload_order_host(o, f, s, v->host, NULL);
	if (s->state != OFFLOAD_ST_WANTED) {
		offload_set_state(o, s, OFFLOAD_ST_WANTED);
		offload_set_reason(o, f, s, OFFLOAD_R_BUDGET);
		s->fresh = true;
	}
	offload_wait_join(o, f, s);
	// In a quick rush its rule is made in a moment; all are judged when that is over.
	return s->fresh || in_quick_rush(o, f, s) || offload_order_host(o, f, s, v->host, NULL);
}

static bool
judge_in(struct offload *o, struct of_flow *f)
{
	struct of_side *s = &f->side[OFFLOAD_IN];
	struct of_verdict v = offload_decide(o, f, OFFLOAD_IN);

	switch (s->state) {
	case OFFLOAD_ST_INSTALLING:
		return true; // its answer comes first
	case OFFLOAD_ST_PLACED:
		return judge_placed(o, f, s, &v);
	case OFFLOAD_ST_REMOVING:
		return judge_removing(o, f, s, &v);
	default:
		return judge_host(o, f, s, &v);
	}
}

static bool
judge_out(struct offload *o, struct of_flow *f)
{
	struct of_side *s = &f->side[OFFLOAD_OUT];
	struct of_verdict v = offload_decide(o, f, OFFLOAD_OUT);
	const struct of_account *a = s->hold[OF_HOLD_PLACE].account;

	if (!a)
		return judge_host(o, f, s, &v);
	if (!offload_in_hardware(v.path) || queue_leaving(s, OF_HOLD_PLACE) ||
		a->q.id.nic != f->d.out.nic || a->q.id.port != f->d.out.port ||
		a->q.worker != f->worker || not_its_queue(o, f, s, OF_HOLD_PLACE) ||
		forbidden(o, f, s, s->host)) {
		offload_wait_leave(s);
		if (!offload_order_host(o, f, s, v.host, NULL)) {
			offload_set_reason(o, f, s, OFFLOAD_R_STALE);
			return false;
		}
		offload_set_state(o, s, OFFLOAD_ST_SOFTWARE);
		return judge_host(o, f, s, &v);
	}
	if (v.path == s->host)
		return settled(o, f, s, v.path, v.reason);
	if (v.path == OFFLOAD_EXCLUSIVE_QUEUE)
		return aspire(o, f, s, v.path);
	return step_down(o, f, s, &v);
}

bool
offload_judge(struct offload *o, struct of_flow *f)
{
	bool in = judge_in(o, f), out = judge_out(o, f);

	offload_sort(o, f);
	return in && out;
}

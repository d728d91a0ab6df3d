// SPDX-License-Identifier: BSD-3-Clause
// Queue accounts: for each queue its state and the list of the flow sides on it. A queue belongs to
// one worker, that of its first flow, from the moment it is taken until it is empty.
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

int
offload_port_init(struct offload *o, struct of_port *p, uint16_t nic, uint16_t port,
	const struct offload_nic_port_cfg *cfg)
{
	int kind;
	uint16_t i;

	p->n[OFFLOAD_RX] = cfg->rx_queues;
	p->n_default[OFFLOAD_RX] = cfg->rx_default;
	p->n[OFFLOAD_TX] = cfg->tx_queues;
	p->n_default[OFFLOAD_TX] = cfg->tx_default;
	p->n[OFFLOAD_VF] = p->n_default[OFFLOAD_VF] = cfg->vf_queues;
	for (kind = OFFLOAD_RX; kind <= OFFLOAD_VF; kind++) {
		if (p->n[kind] > OFFLOAD_QUEUES_MAX || p->n_default[kind] > p->n[kind])
			return -EINVAL;
		p->account[kind] = calloc(p->n[kind] ? p->n[kind] : 1, sizeof(struct of_account));
		if (!p->account[kind])
			return -ENOMEM;
		for (i = 0; i < p->n[kind]; i++) {
			struct of_account *a = &p->account[kind][i];

			a->q.id = (struct offload_queue_id){
				.nic = nic, .port = port, .kind = (uint8_t)kind, .index = i};
			a->q.state = i < p->n_default[kind] ? OFFLOAD_Q_DEFAULT : OFFLOAD_Q_FREE;
			a->q.worker = (uint8_t)(i % o->cfg.workers);
			a->q.vm = OFFLOAD_NONE;
			a->leaving = OFFLOAD_Q_STATES;
			a->left_tick = o->tick - 2;
			TAILQ_INIT(&a->holds);
		}
	}
	return 0;
}

int
offload_vf_queues(struct offload *o, uint16_t nic, uint16_t port, const bool *spread, uint16_t n)
{
	struct of_port *p;
	struct of_account *list;
	uint16_t i;

	if (nic >= OFFLOAD_NICS_MAX || !o->nic[nic].present || port == 0 ||
		port >= o->nic[nic].ports || n > OFFLOAD_QUEUES_MAX)
		return -EINVAL;
	p = &o->nic[nic].port[port];
	if (n != p->n[OFFLOAD_VF]) {
		list = calloc(n ? n : 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		free(p->account[OFFLOAD_VF]);
		p->account[OFFLOAD_VF] = list;
		p->n[OFFLOAD_VF] = p->n_default[OFFLOAD_VF] = n;
	}
	for (i = 0; i < n; i++) { // no flow is ever on one of these
		struct of_account *a = &p->account[OFFLOAD_VF][i];

		a->q.id = (struct offload_queue_id){
			.nic = nic, .port = port, .kind = OFFLOAD_VF, .index = i};
		a->q.state = o->nic[nic].gone ? OFFLOAD_Q_STOPPED
			     : spread[i]      ? OFFLOAD_Q_DEFAULT
					      : OFFLOAD_Q_FREE;
		a->q.vm = OFFLOAD_NONE;
		a->leaving = OFFLOAD_Q_STATES;
		TAILQ_INIT(&a->holds);
	}
	return 0;
}

void
offload_port_fini(struct of_port *p)
{
	int kind;

	for (kind = OFFLOAD_RX; kind <= OFFLOAD_VF; kind++)
		free(p->account[kind]);
	offload_heap_fini(&p->wait[OFFLOAD_RX]);
	offload_heap_fini(&p->wait[OFFLOAD_TX]);
}

struct of_account *
offload_account(const struct offload *o, struct offload_queue_id q)
{
	const struct of_nic *n;

	if (q.nic >= OFFLOAD_NICS_MAX || q.kind > OFFLOAD_VF)
		return NULL;
	n = &o->nic[q.nic];
	if (!n->present || q.port >= n->ports || q.index >= n->port[q.port].n[q.kind])
		return NULL;
	return &n->port[q.port].account[q.kind][q.index];
}

// What a side is looking for, and what the port's queues have.
struct search {
	struct of_port *p;
	uint8_t kind, worker;
	uint16_t vm;
	bool share;
	uint32_t group;
	unsigned assignable, free, shared;
	struct of_account *unused; // a free one that this worker may take
	struct of_account *mine;   // shared by this group, with room
	struct of_account *any;    // shared by any, same worker
};

static bool
may_take(const struct offload *o, const struct of_account *a, uint8_t worker)
{
	// Another worker's last packets may still be on their way to a transmit queue in the round
	// in which it was told to leave.
	return a->q.state == OFFLOAD_Q_FREE &&
	       (a->q.id.kind != OFFLOAD_TX || a->q.worker == worker || a->left_tick != o->tick);
}

static void
look(const struct offload *o, const struct of_flow *f, struct search *s)
{
	uint16_t i;

	for (i = s->p->n_default[s->kind]; i < s->p->n[s->kind]; i++) {
		struct of_account *a = &s->p->account[s->kind][i];
		bool same = a->q.worker == s->worker && a->leaving == OFFLOAD_Q_STATES;

		if (!offload_policy_queue(o, f, i))
			continue;
		if (a->q.state == OFFLOAD_Q_FREE) {
			s->free++;
			if (!s->unused && may_take(o, a, s->worker))
				s->unused = a;
		} else if (a->q.state == OFFLOAD_Q_SHARED) {
			s->shared++;
			if (same && a->group == s->group && a->q.flows < o->cfg.shared_flows &&
				(!s->mine || a->q.flows < s->mine->q.flows))
				s->mine = a;
			if (same && (!s->any || a->q.flows < s->any->q.flows))
				s->any = a;
		} else if (a->q.state != OFFLOAD_Q_EXCLUSIVE) {
			continue;
		}
		s->assignable++;
	}
}

// Mode share keeps one queue for each worker that has none to share yet: a flow must always find
// one. Otherwise heavy flows may have them all.
static bool
alone_allowed(const struct offload *o, const struct search *s)
{
	unsigned lacking = 0;
	uint32_t w;
	uint16_t i;

	if (!s->unused)
		return false;
	if (!s->share)
		return true;
	for (w = 0; w < o->cfg.workers; w++) {
		for (i = s->p->n_default[s->kind]; i < s->p->n[s->kind]; i++) {
			const struct of_account *a = &s->p->account[s->kind][i];

			if (a->q.state == OFFLOAD_Q_SHARED && a->q.worker == w)
				break;
		}
		lacking += i == s->p->n[s->kind];
	}
	return s->free > lacking;
}

// At most half of the queues are shared, so that heavy flows find some; mode share needs no such
// bound, since its heavy flows can join.
static struct of_account *
pick_shared(const struct search *s)
{
	unsigned most = s->assignable / 2 ? s->assignable / 2 : 1;

	if (s->mine)
		return s->mine;
	if (s->unused && (s->share || s->shared < most))
		return s->unused;
	return s->share ? s->any : NULL;
}

// The side's own shared queue, on which it is alone. Mode share leaves it open for others.
static bool
shares_with_nobody(const struct of_side *s, const struct search *look_for)
{
	const struct of_account *a = s->hold[OF_HOLD_PLACE].account;

	return a && !look_for->share && a->q.state == OFFLOAD_Q_SHARED && a->q.flows == 1 &&
	       a->leaving == OFFLOAD_Q_STATES;
}

static struct of_account *
pick_pinned(const struct offload *o, const struct of_flow *f, const struct search *s)
{
	struct of_account *a;

	if (f->d.pinned_queue >= s->p->n[OFFLOAD_RX])
		return NULL;
	a = &s->p->account[OFFLOAD_RX][f->d.pinned_queue];
	if (a->leaving != OFFLOAD_Q_STATES)
		return NULL;
	if (a->q.state == OFFLOAD_Q_FREE && may_take(o, a, f->worker))
		return a;
	return a->q.state == OFFLOAD_Q_SHARED && a->q.worker == f->worker ? a : NULL;
}

// It is heavy, and its policy has a queue alone for when there is none to share.
bool
offload_took_alone(const struct offload *o, const struct of_flow *f)
{
	return f->heavy && offload_policy_prefers_shared(offload_policy_known(o, f));
}

struct of_account *
offload_queue_pick(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t want,
	bool only_better, uint8_t *got, uint8_t *reason)
{
	const struct offload_end *end = s->idx == OFFLOAD_IN ? &f->d.in : &f->d.out;
	struct search look_for = {.kind = s->idx == OFFLOAD_IN ? OFFLOAD_RX : OFFLOAD_TX,
		.worker = f->worker,
		.share = f->d.share};
	struct of_account *a;

	look_for.p = &o->nic[end->nic].port[end->port];
	look_for.vm = s->idx == OFFLOAD_OUT ? offload_vm_sends(&f->d) : offload_vm(&f->d);
	look_for.group = offload_share_group(o, f, look_for.vm);
	*got = OFFLOAD_SHARED_QUEUE;
	*reason = OFFLOAD_R_NO_FREE_QUEUE;
	if (s->idx == OFFLOAD_IN && f->d.pinned_queue != OFFLOAD_NONE)
		return pick_pinned(o, f, &look_for);
	look(o, f, &look_for);
	if (want == OFFLOAD_EXCLUSIVE_QUEUE) {
		uint8_t limit = offload_vm_queue_reason(o, f, s);

		if (limit != OFFLOAD_R_NONE) {
			*reason = limit;
		} else if (alone_allowed(o, &look_for)) {
			*got = OFFLOAD_EXCLUSIVE_QUEUE;
			return look_for.unused;
		} else if (shares_with_nobody(s, &look_for)) {
			*got = OFFLOAD_EXCLUSIVE_QUEUE;
			return s->hold[OF_HOLD_PLACE].account;
		}
		if (only_better)
			return NULL;
	}
	if (!offload_policy_allows(offload_policy_known(o, f), OFFLOAD_SHARED_QUEUE))
		return NULL;
	a = pick_shared(&look_for);
	// Who has a queue alone for that reason needs no other one.
	if (!a && !s->hold[OF_HOLD_PLACE].account && offload_took_alone(o, f) &&
		offload_vm_queue_reason(o, f, s) == OFFLOAD_R_NONE && alone_allowed(o, &look_for)) {
		*got = OFFLOAD_EXCLUSIVE_QUEUE;
		return look_for.unused;
	}
	return a;
}

void
offload_queue_hold(struct offload *o, struct of_side *s, enum of_holds which, struct of_account *a,
	uint8_t path)
{
	struct of_flow *f = offload_flow_of(s);
	struct of_hold *h = &s->hold[which];
	uint16_t vm = s->idx == OFFLOAD_OUT ? offload_vm_sends(&f->d) : offload_vm(&f->d);

	h->account = a;
	h->side = s;
	h->charged_vm = OFFLOAD_NONE;
	TAILQ_INSERT_TAIL(&a->holds, h, link);
	if (a->q.flows++ == 0) {
		a->q.state =
			path == OFFLOAD_EXCLUSIVE_QUEUE ? OFFLOAD_Q_EXCLUSIVE : OFFLOAD_Q_SHARED;
		a->q.worker = f->worker;
		a->q.vm = vm;
		a->group = offload_share_group(o, f, vm);
	} else if (a->q.vm != vm) {
		a->q.vm = OFFLOAD_NONE;
	}
	if (path == OFFLOAD_EXCLUSIVE_QUEUE)
		offload_vm_charge(o, h, offload_vm_queue_payer(f, s), 1);
	offload_part_settle(o, f);
}

void
offload_queue_release(struct offload *o, struct of_side *s, enum of_holds which)
{
	struct of_hold *h = &s->hold[which];
	struct of_account *a = h->account;

	if (!a)
		return;
	TAILQ_REMOVE(&a->holds, h, link);
	offload_vm_charge(o, h, h->charged_vm, -1);
	h->account = NULL;
	offload_part_settle(o, offload_flow_of(s));
	a->left_tick = o->tick;
	if (--a->q.flows > 0)
		return;
	a->q.state = a->leaving != OFFLOAD_Q_STATES ? a->leaving : OFFLOAD_Q_FREE;
	a->leaving = OFFLOAD_Q_STATES;
	a->q.vm = OFFLOAD_NONE;
}

void
offload_queue_settle(struct of_side *s)
{
	struct of_hold *next = &s->hold[OF_HOLD_NEXT], *h = &s->hold[OF_HOLD_PLACE];

	*h = *next;
	if (!next->account)
		return;
	TAILQ_REMOVE(&next->account->holds, next, link);
	TAILQ_INSERT_TAIL(&h->account->holds, h, link);
	next->account = NULL;
	next->part.rule = 0;
}

struct of_side *
offload_queue_weakest(struct offload *o, struct of_port *p, uint8_t kind, uint16_t vm, uint8_t rule,
	uint16_t for_vm, bool *busy)
{
	struct of_side *least = NULL;
	double least_rank = 0;
	uint16_t i;

	*busy = false;
	for (i = p->n_default[kind]; i < p->n[kind]; i++) {
		struct of_account *a = &p->account[kind][i];
		struct of_hold *h = TAILQ_FIRST(&a->holds);
		struct of_side *s;
		double rank;

		if (a->q.state == OFFLOAD_Q_FREE && kind == OFFLOAD_TX && a->left_tick == o->tick)
			*busy = true;
		if (a->q.state != OFFLOAD_Q_EXCLUSIVE || !h ||
			(vm != OFFLOAD_NONE && h->charged_vm != vm) ||
			(rule && h->part.rule != rule))
			continue;
		s = h->side;
		if (s->state != OFFLOAD_ST_PLACED) {
			*busy |= s->state == OFFLOAD_ST_REMOVING;
			continue;
		}
		if (offload_vm_keeps_queue(o, h, for_vm))
			continue;
		rank = offload_worth(o, offload_flow_of(s), o->now);
		if (o->now - s->since_ns >= offload_residency(o, s) &&
			(!least || rank < least_rank)) {
			least = s;
			least_rank = rank;
		}
	}
	return least;
}

static bool
reservable(enum offload_queue_state state)
{
	return state == OFFLOAD_Q_FREE || state == OFFLOAD_Q_STANDBY ||
	       state == OFFLOAD_Q_MONITOR || state == OFFLOAD_Q_STOPPED || state == OFFLOAD_Q_GROUP;
}

enum offload_queue_state
offload_queue_state_of(const struct offload *o, struct offload_queue_id q)
{
	const struct of_account *a = offload_account((struct offload *)(uintptr_t)o, q);

	return a ? a->q.state : OFFLOAD_Q_STATES;
}

int
offload_queue_reserve(struct offload *o, struct offload_queue_id q, enum offload_queue_state state)
{
	struct of_account *a = offload_account(o, q);
	struct of_hold *h;

	if (!a || q.kind == OFFLOAD_VF || a->q.state == OFFLOAD_Q_DEFAULT || !reservable(state))
		return -EINVAL;
	if (o->nic[q.nic].gone)
		return -ENODEV;
	if (a->q.flows == 0) {
		a->q.state = state;
		return 0;
	}
	a->leaving = state == OFFLOAD_Q_FREE ? OFFLOAD_Q_STATES : state;
	TAILQ_FOREACH(h, &a->holds, link)
	{
		offload_todo(o, offload_flow_of(h->side), OF_URGENT);
	}
	return 0;
}

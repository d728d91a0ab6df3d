// SPDX-License-Identifier: BSD-3-Clause
// Flows that go to another NIC, because theirs failed or is taken out of use.
//
// Problem: a NIC with thousands of rules is lost at once, and each moment in which its flows are on
// the host costs cycles that it may not have. Rules name vports, so what a flow wants does not
// change, only where its vport is. Idea: the ends of all flows are rewritten in place, with no look
// at the rules of the switch, and those whose next place is thereby known are served at once, the
// heaviest first (rush.c); the others are judged, and join those that wait for the other NIC. Until
// all of them were served once ("rush") the bounds that keep a round short are wide: control has
// nothing better to do. Cost: one walk over the known flows. What it refuses to do: remove the
// rules of the NIC that is left. It may be gone; who can reach it does that behind.
#include <stdlib.h>

#include "internal.h"

#define AHEAD 6
#define RUSH_NS (30 * SL_NS_PER_S)

void
offload_judge_nic(struct offload *o, uint16_t nic)
{
	uint32_t id;

	for (id = 0; id < o->cfg.flows_max; id++) {
		struct of_flow *f = o->flows[id];

		if (f && (f->d.in.nic == nic || f->d.out.nic == nic))
			offload_todo(o, f, OF_DIRTY);
	}
}

static struct of_nic *
known(const struct offload *o, uint16_t nic)
{
	if (nic >= OFFLOAD_NICS_MAX || !o->nic[nic].present)
		return NULL;
	return (struct of_nic *)(uintptr_t)&o->nic[nic];
}

void
offload_nic_drain(struct offload *o, uint16_t nic, bool on)
{
	struct of_nic *n = known(o, nic);

	if (!n || n->gone || n->drained == on)
		return;
	n->drained = on;
	n->rush = 0;
	offload_rush_fini(n);
	offload_judge_nic(o, nic);
}

static bool
holds_flows(const struct of_nic *n)
{
	uint16_t port, i;
	int kind;

	for (port = 0; port < n->ports; port++) {
		for (kind = OFFLOAD_RX; kind <= OFFLOAD_TX; kind++) {
			for (i = 0; i < n->port[port].n[kind]; i++) {
				if (n->port[port].account[kind][i].q.flows > 0)
					return true;
			}
		}
	}
	return false;
}

bool
offload_nic_empty(const struct offload *o, uint16_t nic)
{
	const struct of_nic *n = known(o, nic);

	return !n || (n->entries == 0 && n->inflight == 0 && !holds_flows(n));
}

static void
set_queues(struct of_nic *n, bool in_use)
{
	uint16_t port, i;
	int kind;

	for (port = 0; port < n->ports; port++) {
		for (kind = OFFLOAD_RX; kind <= OFFLOAD_VF; kind++) {
			const struct of_port *p = &n->port[port];

			for (i = 0; i < p->n[kind]; i++)
				p->account[kind][i].q.state = !in_use ? OFFLOAD_Q_STANDBY
							      : i < p->n_default[kind]
								      ? OFFLOAD_Q_DEFAULT
								      : OFFLOAD_Q_FREE;
		}
	}
}

void
offload_nic_standby(struct offload *o, uint16_t nic)
{
	struct of_nic *n = known(o, nic);

	if (!n)
		return;
	offload_nic_gone(o, nic);
	set_queues(n, false);
}

static bool
on_nic(const struct of_flow *f, enum offload_side side, uint16_t nic)
{
	const struct of_side *s = &f->side[side];
	const struct of_account *a = s->hold[OF_HOLD_PLACE].account;

	return (side == OFFLOAD_IN ? f->d.in.nic : f->d.out.nic) == nic || s->nic == nic ||
	       (a && a->q.id.nic == nic);
}

static void
rewrite(struct offload_end *end, uint16_t from, uint16_t to, const uint16_t *port)
{
	if (end->nic != from)
		return;
	end->port = end->port < OFFLOAD_NIC_PORTS_MAX ? port[end->port] : OFFLOAD_NONE;
	end->nic = end->port == OFFLOAD_NONE ? OFFLOAD_NONE : to;
}

// What it wants of the other NIC is what it had.
static bool
is_known(const struct of_flow *f, uint16_t from)
{
	const struct of_side *in = &f->side[OFFLOAD_IN], *out = &f->side[OFFLOAD_OUT];

	return in->state == OFFLOAD_ST_PLACED && in->path == OFFLOAD_ESWITCH && in->nic == from &&
	       f->d.in.nic == from && (f->d.drop || f->d.out.nic == from) && !in->moving &&
	       !in->wait_in && in->timer.pos == OF_NOWHERE && in->host == OFFLOAD_SOFTWARE &&
	       !in->hold[OF_HOLD_PLACE].account && !out->hold[OF_HOLD_PLACE].account &&
	       !out->wait_in && f->dirty == OF_CLEAN;
}

// Those come along as they are: on the list of what is served first. What is done with them is
// noted in `done`: the memory of 10,000 flows is looked at once, not three times.
static void
take_along(struct offload *o, struct of_nic *n, struct of_nic *to, const uint16_t *port,
	uint64_t *done)
{
	uint32_t i;

	if (!to->eswitch || !offload_rush_begin(to, n->n_residents))
		return;
	for (i = n->n_residents; i-- > 0;) { // from the end, where taking one out moves none
		struct of_side *s = n->residents[i];
		struct of_flow *f = offload_flow_of(s);

		if (i >= AHEAD) // side IN: where its flow is needs no look at it
			offload_prefetch((const struct of_flow *)((char *)n->residents[i - AHEAD] -
								  offsetof(struct of_flow, side)));
		f->gone = false; // its worker forgot it because a rule had all its packets
		if (!is_known(f, n->nic))
			continue;
		offload_resident_del(n, s);
		offload_entry_release(o, s);
		s->path = OFFLOAD_SOFTWARE;
		s->fresh = s->yields = false;
		offload_set_state(o, s, OFFLOAD_ST_WANTED);
		s->want = OFFLOAD_ESWITCH;
		f->d.table = 0; // what the other one has is not known yet
		rewrite(&f->d.in, n->nic, to->nic, port);
		rewrite(&f->d.out, n->nic, to->nic, port);
		offload_set_reason(o, f, s, OFFLOAD_R_BUDGET);
		if (done)
			done[f->id.index / 64] |= 1ULL << f->id.index % 64;
		if (f->d.in.nic != to->nic || (!f->d.drop && f->d.out.nic != to->nic))
			offload_todo(o, f, OF_DIRTY); // its end is nowhere now
		else
			offload_rush_add(o, to, f);
	}
	offload_rush_sort(to);
}

// The ends of one that did not come along. 1: it is one more that its new NIC has to look at.
static uint32_t
rewrite_flow(struct offload *o, struct of_flow *f, uint16_t from, uint16_t to, const uint16_t *port)
{
	const bool comes_in = f->d.in.nic == from;
	int side;

	for (side = 0; side < 2; side++) {
		if (on_nic(f, side, from)) // reset when its NIC went
			offload_set_reason(o, f, &f->side[side], OFFLOAD_R_BUDGET);
	}
	if (!comes_in && f->d.out.nic != from)
		return 0;
	if (comes_in)
		f->d.table = 0; // what the other one has is not known yet
	rewrite(&f->d.in, from, to, port);
	rewrite(&f->d.out, from, to, port);
	f->side[OFFLOAD_IN].yields = false;
	offload_todo(o, f, OF_DIRTY);
	return comes_in;
}

void
offload_nic_move(struct offload *o, uint16_t from, uint16_t to, const uint16_t *port)
{
	struct of_nic *n = known(o, to);
	uint64_t *done;
	uint32_t id;

	if (!n || !known(o, from) || from == to)
		return;
	o->now = sl_now(o->clock);
	done = calloc((o->cfg.flows_max + 63) / 64, sizeof(*done)); // without: each is looked at
	take_along(o, known(o, from), n, port, done);
	offload_nic_gone_but(o, from, done);
	set_queues(known(o, from), false);
	n->gone = n->drained = false;
	set_queues(n, true);
	n->rush = n->rush_n;
	n->rush_answers = 0;
	n->rush_begun = o->now;
	n->rush_end = o->now + RUSH_NS;
	for (id = 0; id < o->cfg.flows_max; id++) {
		struct of_flow *f = o->flows[id];

		if (f && !(done && done[id / 64] >> id % 64 & 1))
			n->rush += rewrite_flow(o, f, from, to, port);
	}
	free(done);
}

uint32_t
offload_nic_rush(const struct offload *o, uint16_t nic)
{
	const struct of_nic *n = known(o, nic);

	return n && !n->gone ? n->rush : 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Flows that go to another NIC, because theirs failed or is taken out of use.
//
// Problem: a NIC with thousands of rules is lost at once, and each moment in which its flows are on
// the host costs cycles that it may not have. Rules name vports, so what a flow wants does not
// change, only where its vport is. Idea: the ends of all flows are rewritten in place, with no look
// at the rules of the switch; the flows join those that wait for the other NIC, which are served by
// worth, so that the heaviest go first without a sort of their own. Until all of them were served
// once ("rush") the bounds that keep a round short are wide: control has nothing better to do.
// Cost: one walk over the known flows, then O(log waiting) each. What it refuses to do: remove the
// rules of the NIC that is left. It may be gone; who can reach it does that behind.
#include "internal.h"

#define RUSH_NS (30 * SL_NS_PER_S)

static void
judge_of(struct offload *o, uint16_t nic)
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
	judge_of(o, nic);
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

void
offload_nic_move(struct offload *o, uint16_t from, uint16_t to, const uint16_t *port)
{
	struct of_nic *n = known(o, to);
	uint32_t id;
	int side;

	if (!n || !known(o, from) || from == to)
		return;
	o->now = sl_now(o->clock);
	offload_nic_standby(o, from);
	n->gone = n->drained = false;
	set_queues(n, true);
	n->rush = 0;
	n->rush_end = o->now + RUSH_NS;
	for (id = 0; id < o->cfg.flows_max; id++) {
		struct of_flow *f = o->flows[id];

		if (!f)
			continue;
		for (side = 0; side < 2; side++) {
			if (on_nic(f, side, from)) // reset by the above
				offload_set_reason(o, f, &f->side[side], OFFLOAD_R_BUDGET);
		}
		if (f->d.in.nic != from && f->d.out.nic != from)
			continue;
		n->rush += f->d.in.nic == from;
		if (f->d.in.nic == from)
			f->d.table = 0; // what the other one has is not known yet
		rewrite(&f->d.in, from, to, port);
		rewrite(&f->d.out, from, to, port);
		f->side[OFFLOAD_IN].yields = false;
		offload_todo(o, f, OF_DIRTY);
	}
}

uint32_t
offload_nic_rush(const struct offload *o, uint16_t nic)
{
	const struct of_nic *n = known(o, nic);

	return n && !n->gone ? n->rush : 0;
}

bool
offload_rushes(const struct offload *o)
{
	uint16_t i;

	for (i = 0; i < OFFLOAD_NICS_MAX; i++) {
		if (o->nic[i].present && o->nic[i].rush > 0)
			return true;
	}
	return false;
}

// It is over when all have been judged, and nothing could be given to those that wait.
void
offload_rush_tick(struct offload *o, struct of_nic *n)
{
	if (n->rush == 0)
		return;
	n->rush = n->wait.n + n->inflight + 1;
	if (o->now < n->rush_end && (n->inflight > 0 || TAILQ_FIRST(&o->todo)))
		return;
	n->rush = 0;
	judge_of(o, n->nic);
}

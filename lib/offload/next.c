// SPDX-License-Identifier: BSD-3-Clause
#include "offload/explain.h"

#include <stdio.h>
#include <string.h>

#include "internal.h"

static uint64_t
worth_bps(const struct offload *o, const struct of_flow *f, uint64_t now)
{
	double worth = offload_worth(o, f, now) * 8;

	return worth < 1e18 ? (uint64_t)worth : (uint64_t)1e18;
}

// The resident of the table, or the flow alone on a queue of the port, that is worth least.
static struct of_side *
least_of(const struct offload *o, const struct of_flow *f, const struct of_side *s, uint64_t now)
{
	const struct offload_end *end = s->idx == OFFLOAD_IN ? &f->d.in : &f->d.out;
	const struct of_nic *n = &o->nic[end->nic];
	struct of_side *least = NULL;
	double least_worth = 0, worth;
	uint32_t i;

	for (i = 0; s->want == OFFLOAD_ESWITCH && i < n->n_residents; i++) {
		struct of_side *r = n->residents[i];

		if (offload_vm_keeps_entry(r, offload_vm(&f->d), o))
			continue;
		worth = offload_worth(o, offload_flow_of(r), now);
		if (!least || worth < least_worth) {
			least = r;
			least_worth = worth;
		}
	}
	for (i = 0; s->want == OFFLOAD_EXCLUSIVE_QUEUE && end->port < n->ports; i++) {
		const struct of_port *p = &n->port[end->port];
		int kind = s->idx == OFFLOAD_IN ? OFFLOAD_RX : OFFLOAD_TX;
		struct of_hold *h;

		if (i >= p->n[kind])
			break;
		h = TAILQ_FIRST(&p->account[kind][i].holds);
		if (!h || p->account[kind][i].q.state != OFFLOAD_Q_EXCLUSIVE || h->side == s)
			continue;
		worth = offload_worth(o, offload_flow_of(h->side), now);
		if (!least || worth < least_worth) {
			least = h->side;
			least_worth = worth;
		}
	}
	return least;
}

static uint32_t
count_before(const struct of_side *s)
{
	uint32_t i, n = 0;

	for (i = 0; s->wait_in && i < s->wait_in->n; i++)
		n += s->wait_in->v[i]->key > s->wait.key;
	return n;
}

bool
offload_rival_of(
	const struct offload *o, uint32_t id, enum offload_side side, struct offload_rival *out)
{
	const struct of_flow *f = offload_table_get(o, id);
	const struct of_side *s = f ? &f->side[side] : NULL;
	const struct offload_end *end;
	uint64_t now = sl_now(o->clock), residency;
	struct of_side *least;

	memset(out, 0, sizeof(*out));
	if (!f || (s->state != OFFLOAD_ST_WANTED && s->reason != OFFLOAD_R_NO_FREE_QUEUE &&
			  s->reason != OFFLOAD_R_VM_QUEUE_LIMIT))
		return false;
	end = side == OFFLOAD_IN ? &f->d.in : &f->d.out;
	if (end->nic >= OFFLOAD_NICS_MAX || !o->nic[end->nic].present)
		return false;
	least = least_of(o, f, s, now);
	if (!least)
		return false;
	residency = offload_residency(o, least);
	out->flow = offload_flow_of(least)->id.index;
	out->worth_bps = worth_bps(o, offload_flow_of(least), now);
	out->needs_bps = (uint64_t)((double)out->worth_bps * OF_CLEARLY);
	out->has_bps = worth_bps(o, f, now);
	out->stays_ns = now - least->since_ns < residency ? least->since_ns + residency : 0;
	out->before = count_before(s);
	return true;
}

static void
next_wait(const struct offload *o, uint32_t id, enum offload_side side, const char *what, char *buf,
	unsigned long len)
{
	struct offload_rival r;

	if (offload_rival_of(o, id, side, &r))
		snprintf(buf, len,
			"takes %s that gets free (%u wait before it), or that of f%u when it is "
			"worth "
			"more than %llu bit/s (it is worth %llu)",
			what, r.before, r.flow, (unsigned long long)r.needs_bps,
			(unsigned long long)r.has_bps);
	else
		snprintf(buf, len, "takes %s that gets free", what);
}

static unsigned long long
ms_until(uint64_t at, uint64_t now)
{
	return at > now ? (at - now) / SL_NS_PER_MS : 0;
}

// In hardware, or on the way there or back.
static bool
next_moving(const struct of_side *s, uint64_t now, char *buf, unsigned long len)
{
	switch (s->state) {
	case OFFLOAD_ST_INSTALLING:
		snprintf(buf, len, "the NIC's answer: its rule was ordered %llu ms ago",
			(unsigned long long)(now - s->since_ns) / SL_NS_PER_MS);
		return true;
	case OFFLOAD_ST_REMOVING:
		if (s->resend)
			snprintf(buf, len, "its rule is removed once more in %llu ms",
				ms_until(s->retry_ns, now));
		else
			snprintf(buf, len, "the NIC's answer, then %s",
				s->moving ? "a rule for its next place" : "the host");
		return true;
	case OFFLOAD_ST_REFUSED:
		if (s->retry_ns <= now)
			return false;
		snprintf(buf, len, "tried again in %llu ms", ms_until(s->retry_ns, now));
		return true;
	default:
		return false;
	}
}

static void
next_on_host(const struct offload *o, uint32_t id, enum offload_side side,
	const struct offload_side_info *s, uint64_t now, char *buf, unsigned long len)
{
	switch (s->reason) {
	case OFFLOAD_R_TABLE_FULL:
	case OFFLOAD_R_LENT:
		next_wait(o, id, side, "a table entry", buf, len);
		break;
	case OFFLOAD_R_NO_FREE_QUEUE:
		next_wait(o, id, side, "a queue", buf, len);
		break;
	case OFFLOAD_R_VM_ENTRY_LIMIT:
		snprintf(buf, len, "takes an entry that another flow of its VM gives back");
		break;
	case OFFLOAD_R_VM_QUEUE_LIMIT:
		snprintf(buf, len, "takes a queue that another flow of its VM gives back");
		break;
	case OFFLOAD_R_VM_INSERT_LIMIT:
		snprintf(buf, len, "its turn within its VM's insertions, with its next report");
		break;
	case OFFLOAD_R_BUDGET:
	case OFFLOAD_R_STALE:
		snprintf(buf, len, "the next round");
		break;
	case OFFLOAD_R_WORKER:
		snprintf(buf, len, "judged again when its worker reports it");
		break;
	case OFFLOAD_R_LIGHT:
		snprintf(buf, len, "judged again when more packets come");
		break;
	case OFFLOAD_R_UNSUPPORTED:
	case OFFLOAD_R_DEAD:
		if (s->retry_ns > now)
			snprintf(buf, len, "this kind of rule is tried again in %llu ms",
				ms_until(s->retry_ns, now));
		else if (s->retry_ns > 0)
			snprintf(
				buf, len, "this kind of rule is tried again with its next packets");
		else
			snprintf(buf, len, "nothing: the NIC has no such rules");
		break;
	case OFFLOAD_R_NONE:
		snprintf(buf, len,
			"stays; judged again when its rate, its hint or the rules change");
		break;
	default:
		snprintf(buf, len, "judged again when the rules or the configuration change");
	}
}

void
offload_next(
	const struct offload *o, uint32_t id, enum offload_side side, char *buf, unsigned long len)
{
	const struct of_flow *f = offload_table_get(o, id);
	uint64_t now = sl_now(o->clock);
	struct offload_flow_info info;

	if (!f || !offload_flow_get(o, id, &info)) {
		snprintf(buf, len, "no flow f%u is known", id);
		return;
	}
	if (!next_moving(&f->side[side], now, buf, len))
		next_on_host(o, id, side, &info.side[side], now, buf, len);
}

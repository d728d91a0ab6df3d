// SPDX-License-Identifier: BSD-3-Clause
// One sentence for people: why a flow is where it is.
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "internal.h"

static void
explain_depends(uint32_t fields, char *buf, unsigned long len)
{
	static const char *const names[] = {
		"dscp", "ttl", "tcp-flags", "frag", "pcp", "what is inside the tunnel"};
	unsigned i;

	strlcpy(buf, "depends on", len);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (fields & 1u << i) {
			strlcat(buf, buf[10] ? ", " : " ", len);
			strlcat(buf, names[i], len);
		}
	}
}

static void
explain_light(
	const struct offload *o, const struct offload_flow_info *info, char *buf, unsigned long len)
{
	uint64_t now = sl_now(o->clock), silent_ms = (now - info->last_ns) / SL_NS_PER_MS;
	uint64_t rate = info->rate_fast_bps > info->rate_slow_bps ? info->rate_fast_bps
								  : info->rate_slow_bps;

	if (silent_ms * SL_NS_PER_MS >= offload_idle(o))
		snprintf(buf, len, "idle: no packet for %llu ms", (unsigned long long)silent_ms);
	else
		snprintf(buf, len, "light: %llu bit/s is below %llu", (unsigned long long)rate,
			(unsigned long long)o->cfg.min_bps);
}

static void
explain_driver(
	const struct offload *o, const struct offload_side_info *s, char *buf, unsigned long len)
{
	uint64_t now = sl_now(o->clock);
	unsigned long used;

	snprintf(buf, len, "%s: %s (%s)",
		s->reason == OFFLOAD_R_UNSUPPORTED ? "the driver does not take this kind of rule"
		: s->reason == OFFLOAD_R_DEAD      ? "a rule of this kind does nothing in this NIC"
						   : "the driver failed",
		s->driver_text[0] ? s->driver_text : "it gave no words",
		s->driver_errno ? strerror(s->driver_errno) : "no errno");
	used = strlen(buf);
	if (s->retry_ns > now)
		snprintf(buf + used, len - used, ", next try in %llu ms",
			(unsigned long long)((s->retry_ns - now) / SL_NS_PER_MS));
}

static void
explain_queue(const struct offload *o, const struct offload_flow_info *info, enum offload_side side,
	char *buf, unsigned long len)
{
	const struct offload_decision *d = &info->decision;
	const struct offload_end *end = side == OFFLOAD_IN ? &d->in : &d->out;
	struct offload_queue_id q = {.nic = end->nic,
		.port = end->port,
		.kind = side == OFFLOAD_IN ? OFFLOAD_RX : OFFLOAD_TX,
		.index = d->pinned_queue};
	const struct of_account *a = offload_account(o, q);
	char name[64], *cut;

	offload_queue_name(o, q, name, sizeof(name));
	if (side == OFFLOAD_OUT || d->pinned_queue == OFFLOAD_NONE) {
		cut = strrchr(name, '/');
		if (cut)
			*cut = 0;
		snprintf(buf, len, "no %s queue of %s is free for it",
			info->side[side].wanted.path == OFFLOAD_EXCLUSIVE_QUEUE ? "exclusive"
										: "shared",
			name);
	} else if (!a) {
		snprintf(buf, len, "its rule names %s, which does not exist", name);
	} else {
		snprintf(buf, len, "its rule names %s, which is %s with worker %u (its own is %u)",
			name, offload_queue_state_name(a->q.state), a->q.worker, info->worker);
	}
}

static void
explain_place(const struct offload *o, const struct offload_side_info *s, bool expected, char *buf,
	unsigned long len)
{
	char name[64] = "";

	if (s->actual.queue.nic != OFFLOAD_NONE)
		offload_queue_name(o, s->actual.queue, name, sizeof(name));
	if (s->state == OFFLOAD_ST_INSTALLING || s->state == OFFLOAD_ST_REMOVING)
		snprintf(buf, len, "%s: the NIC has the order, it answers",
			s->state == OFFLOAD_ST_INSTALLING ? offload_path_name(s->wanted.path)
							  : "on its way to another place");
	else
		snprintf(buf, len, "where it wants to be: %s%s%s%s",
			offload_path_name(s->actual.path), name[0] ? " " : "", name,
			expected ? ", ahead of its first packet" : "");
}

// Its VM has all that its policy rule lets it have.
static bool
explain_part(const struct offload *o, const struct of_flow *f, enum offload_side side, bool queues,
	char *buf, unsigned long len)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	uint16_t vm = queues ? offload_vm_queue_payer(f, &f->side[side]) : offload_vm(&f->d);
	uint32_t has[2];

	if (queues ? !offload_part_queues_used(o, f, &f->side[side])
		   : !offload_part_entries_used(o, f))
		return false;
	offload_policy_part(o, f->policy, vm, &has[0], &has[1]);
	snprintf(buf, len, "its VM has %u of the %u %s that the policy rule \"%s\" lets it have",
		has[queues ? 0 : 1], queues ? p->max_queues : p->max_entries,
		queues ? "exclusive queues" : "table entries", p->name);
	return true;
}

static void
explain_vm(const struct offload *o, const struct offload_decision *d, enum offload_side side,
	bool queues, char *buf, unsigned long len)
{
	uint16_t vm = queues ? (side == OFFLOAD_IN ? d->out.vm : d->in.vm) : offload_vm(d);
	const struct of_vm *v;
	uint32_t all;

	if (vm == OFFLOAD_NONE) {
		snprintf(buf, len, "its VM's limit");
		return;
	}
	v = &o->vm[vm];
	all = (uint32_t)v->rx_alone + v->tx_alone;
	if (queues && v->limits.max_queues && all >= v->limits.max_queues)
		snprintf(buf, len, "its VM has %u of %u exclusive queues (max_queues of the VM)",
			all, v->limits.max_queues);
	else if (queues)
		snprintf(buf, len, "its VM has %u of %u exclusive queues", v->rx_alone,
			d->vm_max_queues);
	else if (v->limits.max_entries && v->entries >= v->limits.max_entries)
		snprintf(buf, len, "its VM has %u of %u table entries (max_entries of the VM)",
			v->entries, v->limits.max_entries);
	else
		snprintf(buf, len, "its VM has %u of %u table entries", v->entries,
			d->vm_max_entries);
}

static void
explain_inserts(const struct offload *o, const struct of_flow *f, char *buf, unsigned long len)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	uint16_t vm = offload_vm(&f->d);

	if (offload_part_inserts_used(o, f))
		snprintf(buf, len,
			"its VM may have %u insertions a second (max_inserts of the policy rule "
			"\"%s\")",
			p->max_inserts, p->name);
	else
		snprintf(buf, len, "its VM may have %u insertions a second (max_inserts of the VM)",
			vm == OFFLOAD_NONE ? 0 : o->vm[vm].limits.max_inserts);
}

static void
explain_table(const struct offload *o, const struct of_flow *f, char *buf, unsigned long len)
{
	const struct offload_decision *d = &f->d;
	const struct of_nic *n = d->in.nic < OFFLOAD_NICS_MAX ? &o->nic[d->in.nic] : NULL;
	uint32_t kept = 0, i;
	uint8_t shape = n ? offload_shape_full(n, f, f->side[OFFLOAD_IN].want) : 0;

	if (shape)
		snprintf(buf, len, "table full: %u of %u rules of its kind (%s)",
			n->shapes[shape - 1].used, n->shapes[shape - 1].limit,
			n->shapes[shape - 1].text);
	else
		snprintf(buf, len, "table full: %u of %u", n ? n->entries : 0, n ? n->limit : 0);
	for (i = 0; n && i < o->n_limited; i++) {
		const struct of_vm *v = &o->vm[o->limited[i]];
		uint32_t has = v->entries_on[n->nic];

		if (o->limited[i] != offload_vm(d))
			kept += has < v->limits.min_entries ? has : v->limits.min_entries;
	}
	if (kept > 0)
		snprintf(buf + strlen(buf), len - strlen(buf),
			", %u of them guaranteed to other VMs", kept);
}

// Reasons whose sentence has no details.
static const char *
plain(enum offload_reason reason)
{
	switch (reason) {
	case OFFLOAD_R_DISABLED:
		return "offload is disabled by configuration";
	case OFFLOAD_R_NO_NIC:
		return "neither end is on a NIC";
	case OFFLOAD_R_FRAGMENTS:
		return "it has fragments, which a rule per flow cannot match";
	case OFFLOAD_R_ACTIONS:
		return "its actions need the host: flood, rate, class, rewriting or several "
		       "outputs";
	case OFFLOAD_R_METER:
		return "its port, its VM or its class has a rate, which the host keeps: past it, "
		       "in "
		       "the NIC, nothing would count its packets";
	case OFFLOAD_R_NO_MARK:
		return "the NIC delivers no mark, so that a queue proves nothing";
	case OFFLOAD_R_NIC_GONE:
		return "its NIC is gone, or on its way out of use";
	case OFFLOAD_R_HINT:
		return "its VM asked for a lower place";
	case OFFLOAD_R_BUDGET:
		return "this round's orders are used up; next round";
	case OFFLOAD_R_THROUGH_VM:
		return "what no rule takes comes through its VM, so that no queue of the NIC has "
		       "it";
	case OFFLOAD_R_LENT:
		return "what it had was lent, and is guaranteed to another VM that wants it";
	case OFFLOAD_R_STALE:
		return "the rules changed, its placement is being replaced";
	case OFFLOAD_R_WORKER:
		return "its receive queue changes its worker, and no queue is given meanwhile";
	default:
		return "?";
	}
}

void
offload_explain(
	const struct offload *o, uint32_t id, enum offload_side side, char *buf, unsigned long len)
{
	struct offload_flow_info info;
	const struct offload_side_info *s = &info.side[side];
	const struct of_flow *f = offload_table_get(o, id);
	bool queues;

	if (!offload_flow_get(o, id, &info)) {
		snprintf(buf, len, "no flow f%u is known", id);
		return;
	}
	switch (s->reason) {
	case OFFLOAD_R_NONE:
		explain_place(o, s, f->expected, buf, len);
		break;
	case OFFLOAD_R_LIGHT:
		explain_light(o, &info, buf, len);
		break;
	case OFFLOAD_R_TABLE_FULL:
		explain_table(o, f, buf, len);
		break;
	case OFFLOAD_R_NO_FREE_QUEUE:
		explain_queue(o, &info, side, buf, len);
		break;
	case OFFLOAD_R_VM_QUEUE_LIMIT:
	case OFFLOAD_R_VM_ENTRY_LIMIT:
		queues = s->reason == OFFLOAD_R_VM_QUEUE_LIMIT;
		if (!explain_part(o, f, side, queues, buf, len))
			explain_vm(o, &info.decision, side, queues, buf, len);
		break;
	case OFFLOAD_R_VM_INSERT_LIMIT:
		explain_inserts(o, f, buf, len);
		break;
	case OFFLOAD_R_DEPENDS:
		explain_depends(info.decision.depends, buf, len);
		break;
	case OFFLOAD_R_SERVED:
		snprintf(buf, len, "decided by the NIC: served by %s, no entry of its own is spent",
			info.decision.served_by);
		break;
	case OFFLOAD_R_EXTENSION:
		snprintf(buf, len, "extension %s %s", info.decision.seen_by,
			info.decision.seen == OFFLOAD_SEEN_ALL ? "must see it"
							       : "is given a copy of it");
		break;
	case OFFLOAD_R_UNSUPPORTED:
		if (s->driver_text[0] == 0 && s->driver_errno == 0)
			snprintf(buf, len, "the NIC has no transfer rules");
		else
			explain_driver(o, s, buf, len);
		break;
	case OFFLOAD_R_DEAD:
	case OFFLOAD_R_DRIVER:
		explain_driver(o, s, buf, len);
		break;
	case OFFLOAD_R_POLICY:
		snprintf(buf, len, "the policy rule \"%s\" allows it no better place",
			offload_flow_policy(o, id) ? offload_flow_policy(o, id)->name : "?");
		break;
	default:
		snprintf(buf, len, "%s", plain(s->reason));
	}
}

// SPDX-License-Identifier: BSD-3-Clause
#include "offload/policy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define LIMIT_RATIO 2.0

void
offload_policy_init(struct offload_policy *p)
{
	memset(p, 0, sizeof(*p));
	p->vm = p->vport = OFFLOAD_NONE;
	p->cls = p->priority = -1;
	p->queue_first = p->queue_last = OFFLOAD_NONE;
}

int
offload_policies_set(struct offload *o, const struct offload_policy *list, uint32_t n)
{
	struct offload_policy *copy = NULL;
	uint32_t i, k;

	if (n > OFFLOAD_POLICIES_MAX)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		if (list[i].n_places > OFFLOAD_PATHS || list[i].share >= OFFLOAD_SHARES ||
			list[i].scale >= OFFLOAD_SCALES ||
			(list[i].share_ratio_pct && list[i].share_ratio_pct <= 100))
			return -EINVAL;
		for (k = 0; k < list[i].n_places; k++)
			if (list[i].places[k] >= OFFLOAD_PATHS)
				return -EINVAL;
	}
	if (n > 0) {
		copy = calloc(n, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, list, n * sizeof(*copy));
	}
	offload_parts_forget(o);
	free(o->policies);
	o->policies = copy;
	o->n_policies = n;
	o->policy_least_bps = UINT64_MAX;
	for (i = 0; i < n; i++)
		if (copy[i].least_bps > 0 && copy[i].least_bps < o->policy_least_bps)
			o->policy_least_bps = copy[i].least_bps;
	for (i = 0; i < o->cfg.flows_max; i++) {
		if (!o->flows[i])
			continue;
		o->flows[i]->policy = OF_NO_POLICY;
		if (o->flows[i]->kept) // what it has is charged to its rule from now on
			(void)offload_policy_of(o, o->flows[i]);
		offload_todo(o, o->flows[i], o->flows[i]->kept ? OF_URGENT : OF_DIRTY);
	}
	return 0;
}

uint32_t
offload_rate_limit(const struct of_flow *f)
{
	const struct flow_actions *a = &f->d.actions;
	unsigned i;

	for (i = 0; i < a->n && i < FLOW_ACTIONS_MAX; i++)
		if (a->list[i].type == FLOW_ACT_RATE)
			return a->list[i].rate.kbps;
	return 0;
}

static bool
has_dscp(const struct of_flow *f, uint64_t set)
{
	return f->dscp < 64 && (set >> f->dscp & 1) != 0;
}

static bool
age_hits(const struct offload *o, const struct of_flow *f, const struct offload_policy *p)
{
	const uint64_t age = o->now - f->first_ns;

	return age >= p->min_age_ns && (p->max_age_ns == 0 || age < p->max_age_ns);
}

static uint64_t
rate_on(const struct offload *o, const struct of_flow *f, uint8_t scale)
{
	return scale == OFFLOAD_SCALE_FAST   ? offload_rate_fast(f, o->now)
	       : scale == OFFLOAD_SCALE_SLOW ? offload_rate_slow(f, o->now)
					     : offload_rate(f, o->now);
}

static bool
limit_hits(const struct of_flow *f, const struct offload_policy *p)
{
	uint32_t kbps;

	if (p->min_kbps == 0 && p->max_kbps == 0)
		return true;
	kbps = offload_rate_limit(f);
	return kbps > 0 && kbps >= p->min_kbps && (p->max_kbps == 0 || kbps <= p->max_kbps);
}

static bool
hits(struct offload *o, const struct of_flow *f, uint32_t i)
{
	const struct offload_policy *p = &o->policies[i];
	uint64_t rate, least = f->policy == i ? p->min_bps / 4 * 3 : p->min_bps;

	if ((p->vm != OFFLOAD_NONE && p->vm != f->d.in.vm && p->vm != f->d.out.vm) ||
		(p->vport != OFFLOAD_NONE && p->vport != f->d.in.vport) ||
		(p->cls >= 0 && p->cls != f->d.cls) ||
		(p->priority >= 0 && p->priority != f->d.priority) ||
		(p->hint != 0 && p->hint != f->asked) || (p->dscp != 0 && !has_dscp(f, p->dscp)))
		return false;
	if (!limit_hits(f, p) || !age_hits(o, f, p))
		return false;
	if (p->has_match && !flow_match_hits(&p->match, &f->key))
		return false;
	if (least == 0 && p->max_bps == 0)
		return true;
	rate = rate_on(o, f, p->scale);
	return rate >= least && (p->max_bps == 0 || rate < p->max_bps);
}

// The first rule that matches now, and what follows from it for the flow's hint.
const struct offload_policy *
offload_policy_of(struct offload *o, struct of_flow *f)
{
	const struct offload_policy *p = NULL;
	uint16_t was;
	uint32_t i;

	for (i = 0; i < o->n_policies && !p; i++) {
		if (hits(o, f, i))
			p = &o->policies[i];
	}
	was = f->policy;
	f->policy = p ? (uint16_t)(p - o->policies) : OF_NO_POLICY;
	if (f->policy != was)
		offload_part_settle(o, f);
	f->hint = f->asked;
	if (p && f->asked == 0)
		f->hint = (int8_t)(has_dscp(f, p->dscp_raise) - has_dscp(f, p->dscp_lower));
	if (p && p->no_hints)
		f->hint = 0;
	return p;
}

bool
offload_policy_allows(const struct offload_policy *p, uint8_t path)
{
	uint8_t i;

	if (!p)
		return true;
	if (p->strict_order && path == OFFLOAD_ESWITCH)
		return false;
	if (p->share == OFFLOAD_SHARE_NONE && path == OFFLOAD_SHARED_QUEUE)
		return false;
	for (i = 0; i < p->n_places; i++)
		if (p->places[i] == path)
			return true;
	return p->n_places == 0;
}

bool
offload_policy_prefers_queue(const struct offload_policy *p)
{
	uint8_t i;

	for (i = 0; p && i < p->n_places; i++) {
		if (p->places[i] == OFFLOAD_ESWITCH)
			return false;
		if (offload_in_hardware(p->places[i]))
			return true;
	}
	return false;
}

// A queue with others comes before one alone in its list.
bool
offload_policy_prefers_shared(const struct offload_policy *p)
{
	uint8_t i, k;

	for (i = 0; p && i < p->n_places; i++) {
		if (p->places[i] == OFFLOAD_EXCLUSIVE_QUEUE)
			return false;
		if (p->places[i] != OFFLOAD_SHARED_QUEUE || p->share == OFFLOAD_SHARE_NONE)
			continue;
		for (k = i; k < p->n_places; k++)
			if (p->places[k] == OFFLOAD_EXCLUSIVE_QUEUE)
				return true;
		return false;
	}
	return false;
}

const struct offload_policy *
offload_policy_known(const struct offload *o, const struct of_flow *f)
{
	return f->policy < o->n_policies ? &o->policies[f->policy] : NULL;
}

// Steps of a factor of the ratio, from 1 kbit/s on: two limits of one step are within it.
static uint32_t
limit_group(const struct offload_policy *p, uint32_t kbps)
{
	double ratio = p->share_ratio_pct ? p->share_ratio_pct / 100.0 : LIMIT_RATIO;

	return kbps == 0 ? 0 : 1 + (uint32_t)(log(kbps) / log(ratio) + 1e-9);
}

// Flows with one group share a queue.
uint32_t
offload_share_group(const struct offload *o, const struct of_flow *f, uint16_t vm)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	switch (p ? p->share : OFFLOAD_SHARE_VM) {
	case OFFLOAD_SHARE_RATE_LIMIT:
		return 1u << 16 | limit_group(p, offload_rate_limit(f));
	case OFFLOAD_SHARE_PRIORITY:
		return 2u << 16 | f->d.priority;
	case OFFLOAD_SHARE_CLASS:
		return 3u << 16 | f->d.cls;
	default:
		return vm;
	}
}

// May a flow be on queue `index` of a port, as the rules divide them?
bool
offload_policy_queue(const struct offload *o, const struct of_flow *f, uint16_t index)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	uint32_t i;

	if (p && p->queue_first != OFFLOAD_NONE)
		return index >= p->queue_first && index <= p->queue_last;
	for (i = 0; i < o->n_policies; i++) {
		const struct offload_policy *q = &o->policies[i];

		if (q->queues_owned && q->queue_first != OFFLOAD_NONE && index >= q->queue_first &&
			index <= q->queue_last)
			return false;
	}
	return true;
}

const struct offload_policy *
offload_flow_policy(const struct offload *o, uint32_t id)
{
	const struct of_flow *f = offload_table_get(o, id);

	return f ? offload_policy_known(o, f) : NULL;
}

uint32_t
offload_policy_flows(const struct offload *o, uint32_t i)
{
	uint32_t id, n = 0;

	for (id = 0; id < o->cfg.flows_max; id++)
		n += o->flows[id] && o->flows[id]->policy == i;
	return n;
}

const char *
offload_share_name(enum offload_share s)
{
	static const char *const names[] = {"vm", "rate-limit", "priority", "qos-class", "none"};

	return (unsigned)s < OFFLOAD_SHARES ? names[s] : "?";
}

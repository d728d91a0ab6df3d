// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_OFFLOAD_MODEL_ORDERS_H
#define SLUICE_TESTS_OFFLOAD_MODEL_ORDERS_H

#include "offload_model.h"

// What must hold of each order of test_offload_model.c at the moment in which it is given: places
// that its policy rule allows and in its order, thresholds with their hysteresis, hints, the table
// of its port, residency, and shapes that a NIC has refused. Written from the documentation
// (offload/policy.h, offload/offload.h), not from the code. Thread safety: owner thread only.

static inline const struct offload_policy *
policy_of(struct model *m, uint32_t id)
{
	const struct offload_policy *p = offload_flow_policy(m->o, id);
	uint32_t k;

	for (k = 0; p && strcmp(p->name, m->policy[k].name) != 0; k++)
		;
	return p ? &m->policy[k] : NULL;
}

static inline bool
listed(const struct offload_policy *p, uint8_t path, uint8_t before)
{
	uint8_t i;

	for (i = 0; i < p->n_places && p->places[i] != before; i++)
		if (p->places[i] == path)
			return true;
	return false;
}

static inline bool
allowed(const struct offload_policy *p, uint8_t path)
{
	if (!p)
		return true;
	if ((p->strict_order && path == OFFLOAD_ESWITCH) ||
		(p->share == OFFLOAD_SHARE_NONE && path == OFFLOAD_SHARED_QUEUE))
		return false;
	return p->n_places == 0 || listed(p, path, OFFLOAD_PATHS);
}

// The queue is the rule's own, or no rule's that owns its queues.
static inline bool
allowed_queue(const struct model *m, const struct offload_policy *p, uint16_t index)
{
	uint32_t i;

	if (p && p->queue_first != OFFLOAD_NONE)
		return index >= p->queue_first && index <= p->queue_last;
	for (i = 0; i < m->n_policies; i++) {
		const struct offload_policy *q = &m->policy[i];

		if (q->queues_owned && q->queue_first != OFFLOAD_NONE && index >= q->queue_first &&
			index <= q->queue_last)
			return false;
	}
	return true;
}

// ---- shapes

// All keys of the model are alike but for these.
static inline unsigned
shape_of(const struct offload_decision *d, uint8_t path)
{
	unsigned kind = path != OFFLOAD_ESWITCH ? 0 : d->drop ? 2 : 1;

	return kind << 2 | (d->in.port > 0) << 1 | (d->out.port > 0);
}

static inline void
shape_refused(struct model *m, uint16_t nic, unsigned shape)
{
	struct refused *r = &m->refused[nic][shape];
	const uint64_t now = m->clock.manual_ns;

	if (now >= r->until) {
		r->until = now + ((uint64_t)m->cfg.retry_ms << (r->fails < 5 ? r->fails : 5)) *
					 SL_NS_PER_MS;
		r->fails++;
	}
	r->refused = true;
}

static inline void
shapes_forgiven(struct model *m)
{
	memset(m->refused, 0, sizeof(m->refused));
}

// ---- orders

static inline void
check_places(struct model *m, const struct offload_order *order,
	const struct offload_flow_info *info, const struct offload_policy *p)
{
	const uint8_t path = order->place.path;
	const bool asked_for =
		order->side == OFFLOAD_IN && info->decision.pinned_queue != OFFLOAD_NONE;

	if (path < OFFLOAD_SHARED_QUEUE) {
		if (path == OFFLOAD_RING && !allowed(p, path) && !info->decision.wants_ring)
			wrong(m, "f%u is told the ring, its policy rule says no", info->id);
		return;
	}
	if (asked_for && path != OFFLOAD_ESWITCH)
		return; // a rule of the switch stands above the policy
	if (!allowed(p, path))
		wrong(m, "f%u goes to %s, its policy rule says no", info->id,
			offload_path_name(path));
	if (path != OFFLOAD_ESWITCH && !allowed_queue(m, p, order->place.queue.index))
		wrong(m, "f%u gets queue %u, which its policy rule does not have", info->id,
			order->place.queue.index);
}

// Who gets a queue alone is heavy; who gets one at all is worth it, or was when it got one.
static inline void
check_level(struct model *m, const struct offload_order *order,
	const struct offload_flow_info *info, const struct offload_policy *p)
{
	const uint64_t light = p && p->light_bps ? p->light_bps : m->cfg.light_bps;
	const uint64_t least = p && p->least_bps ? p->least_bps : m->cfg.min_bps;
	const uint64_t rate = info->rate_fast_bps > info->rate_slow_bps ? info->rate_fast_bps
									: info->rate_slow_bps;

	if (order->place.path != OFFLOAD_EXCLUSIVE_QUEUE)
		return;
	if (info->hint < 0 && !(p && listed(p, OFFLOAD_SHARED_QUEUE, OFFLOAD_EXCLUSIVE_QUEUE)))
		wrong(m, "f%u is lowered and gets a queue alone", info->id);
	if (rate + 1 < (info->hint > 0 ? least : light) && true)
		wrong(m, "f%u of %llu bit/s, hint %d, gets a queue alone", info->id,
			(unsigned long long)rate, info->hint);
}

static inline void
check_eswitch(struct model *m, const struct offload_order *order,
	const struct offload_flow_info *info, const struct offload_policy *p)
{
	const struct offload_decision *d = &info->decision;

	if (order->place.path != OFFLOAD_ESWITCH) {
		if (order->place.table != 0)
			wrong(m, "f%u: a rule to a queue in table %u", info->id,
				order->place.table);
		return;
	}
	if (order->place.table != d->table)
		wrong(m, "f%u goes to table %u, its port has %u", info->id, order->place.table,
			d->table);
	if (info->hint < 0)
		wrong(m, "f%u is lowered and goes to the eswitch", info->id);
	if (!d->eswitch_ok || d->seen != OFFLOAD_SEEN_NO || d->served == OFFLOAD_SERVED_ESWITCH ||
		(!d->drop && d->in.nic != d->out.nic))
		wrong(m, "f%u goes to an eswitch that cannot carry it", info->id);
	(void)p;
}

static inline void
check_install(struct model *m, const struct offload_order *order,
	const struct offload_flow_info *info, const struct offload_policy *p)
{
	const struct offload_decision *d = &info->decision;
	const struct refused *r;

	if (!m->cfg.enabled || d->fragments || d->depends || d->seen == OFFLOAD_SEEN_ALL)
		wrong(m, "f%u must stay on the host", info->id);
	if (order->place.path != OFFLOAD_ESWITCH && (!d->lane_ok || !m->nic[d->in.nic].mark))
		wrong(m, "f%u goes to a queue with no lane, or no mark", info->id);
	check_level(m, order, info, p);
	check_eswitch(m, order, info, p);
	r = &m->refused[d->in.nic][shape_of(d, order->place.path)];
	if (r->refused && !r->unsure && m->clock.manual_ns < r->until)
		wrong(m, "f%u: a shape that was refused is tried too early", info->id);
}

// A better one replaces a resident no sooner than that may leave.
static inline void
check_remove(struct model *m, const struct rule *r, const struct offload_flow_info *info)
{
	if (info->side[OFFLOAD_IN].reason == OFFLOAD_R_TABLE_FULL && !r->leaves &&
		m->cfg.residency_ms &&
		m->clock.manual_ns - r->since_ns < m->cfg.residency_ms * SL_NS_PER_MS)
		wrong(m, "f%u has to leave before its residency is over", info->id);
}

static inline void
check_order(
	struct model *m, const struct offload_order *order, const struct offload_flow_info *info)
{
	const struct offload_policy *p = policy_of(m, info->id);

	if (order->type == OFFLOAD_REMOVE) {
		check_remove(m, &m->rule[info->id], info);
		return;
	}
	check_places(m, order, info, p);
	if (order->type == OFFLOAD_INSTALL)
		check_install(m, order, info, p);
	else
		check_level(m, order, info, p);
}

// ---- after quiet

// Where a flow is, its policy rule allows; hints are what they were, or what the rule makes of
// them.
static inline void
check_settled(void *ctx, const struct offload_flow_info *info)
{
	struct model *m = ctx;
	const struct offload_policy *p = policy_of(m, info->id);
	unsigned i;

	if (p && p->no_hints && info->hint != 0)
		wrong(m, "f%u has hint %d, and its policy rule counts none", info->id, info->hint);
	if (info->asked != 0 && !(p && p->no_hints) && info->hint != info->asked)
		wrong(m, "f%u was hinted %d, and %d counts", info->id, info->asked, info->hint);
	for (i = 0; i < 2; i++) {
		const struct offload_place *at = &info->side[i].actual;

		if (i == OFFLOAD_IN && info->decision.pinned_queue != OFFLOAD_NONE)
			continue;
		if (at->path >= OFFLOAD_SHARED_QUEUE && !allowed(p, at->path))
			wrong(m, "f%u is at %s, its policy rule says no", info->id,
				offload_path_name(at->path));
		if (at->queue.nic != OFFLOAD_NONE && !allowed_queue(m, p, at->queue.index))
			wrong(m,
				"f%u has queue %u (side %u, %s, reason %s), which its policy rule "
				"does not have",
				info->id, at->queue.index, i,
				offload_state_name(info->side[i].state),
				offload_reason_name(info->side[i].reason));
		// While no packet comes by the host, it needs no queue to send by.
		if (i == OFFLOAD_OUT && at->queue.nic != OFFLOAD_NONE &&
			info->side[OFFLOAD_IN].actual.path == OFFLOAD_ESWITCH)
			wrong(m, "f%u has a transmit queue, and the eswitch carries it", info->id);
	}
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// The policy: which place a flow should have at each of its two ends, and where it is handled until
// it has it. It reads traits, the rules' decision and what a NIC can do, never who else wants what:
// that is serve.c.
//
// A flow is light (below min_bps), normal, or heavy (from heavy_bps until it is below light_bps);
// a hint moves it by one step. What stays on one NIC goes to its embedded switch. What comes in by
// a NIC port for elsewhere gets a receive queue there, what leaves by a NIC port a transmit queue:
// alone when heavy, else with flows of its VM. The ring belongs to the end where the flow leaves
// the switch: side OUT when that is a NIC's, else side IN.
#include "base/hash.h"

#include "internal.h"

enum level { LIGHT, NORMAL, HEAVY };

// What several questions need to know of a flow, found out once.
struct view {
	bool stays;            // on one NIC, and no rule asks for a queue
	bool through;          // and its embedded switch can carry it
	bool queue_first;      // it could, and the policy has a queue before it
	uint8_t why;           // why it cannot
	enum level level, raw; // raw: without the hint
	uint64_t rate;         // on the scale on which it is busier
};

static void
set_level(struct offload *o, struct of_flow *f, struct view *v)
{
	uint64_t fast = offload_rate_fast(f, o->now), slow = offload_rate_slow(f, o->now);
	uint64_t rate = fast > slow ? fast : slow;
	const struct offload_policy *p = offload_policy_known(o, f);

	v->rate = rate;
	if (fast >= (p && p->heavy_bps ? p->heavy_bps : o->cfg.heavy_bps))
		f->heavy = true;
	else if (rate < (p && p->light_bps ? p->light_bps : o->cfg.light_bps))
		f->heavy = false;
	v->raw = f->heavy                                                      ? HEAVY
		 : rate >= (p && p->least_bps ? p->least_bps : o->cfg.min_bps) ? NORMAL
									       : LIGHT;
	v->level = v->raw;
	if (f->hint > 0 && v->raw < HEAVY)
		v->level = v->raw + 1;
	if (f->hint < 0 && v->raw > LIGHT)
		v->level = v->raw - 1;
}

static bool
stays_on_nic(const struct of_flow *f)
{
	const struct offload_decision *d = &f->d;

	return d->in.nic != OFFLOAD_NONE &&
	       (d->drop || (d->out.vport != OFFLOAD_NONE && d->in.nic == d->out.nic));
}

// Why a flow that stays on its NIC cannot go through the embedded switch; OFFLOAD_R_NONE: it can.
static uint8_t
eswitch_reason(struct offload *o, const struct of_flow *f)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	const struct of_nic *n = offload_nic(o, f->d.in.nic);
	const struct of_shape *shape;

	if (!n)
		return OFFLOAD_R_NIC_GONE;
	if (f->d.seen != OFFLOAD_SEEN_NO)
		return OFFLOAD_R_EXTENSION;
	if (!f->d.eswitch_ok)
		return f->d.metered ? OFFLOAD_R_METER : OFFLOAD_R_ACTIONS;
	if (!n->eswitch)
		return OFFLOAD_R_UNSUPPORTED;
	shape = offload_shape_refused(o, f->d.in.nic, f, OFFLOAD_ESWITCH);
	if (shape)
		return shape->dead ? OFFLOAD_R_DEAD : OFFLOAD_R_UNSUPPORTED;
	if (!offload_policy_allows(p, OFFLOAD_ESWITCH))
		return OFFLOAD_R_POLICY;
	return f->hint < 0 ? OFFLOAD_R_HINT : OFFLOAD_R_NONE;
}

static bool
pinned(const struct of_flow *f)
{
	return f->d.pinned_queue != OFFLOAD_NONE && !f->d.drop;
}

static uint8_t
queue_reason(struct offload *o, const struct of_flow *f)
{
	const struct of_nic *n = offload_nic(o, f->d.in.nic);
	const struct of_shape *shape;

	if (offload_on_hold(o, f))
		return OFFLOAD_R_WORKER;
	if (f->d.through_vm)
		return OFFLOAD_R_THROUGH_VM;
	if (!n->mark)
		return OFFLOAD_R_NO_MARK;
	if (!f->d.lane_ok || f->d.out.vport == OFFLOAD_NONE)
		return OFFLOAD_R_ACTIONS;
	shape = offload_shape_refused(o, f->d.in.nic, f, OFFLOAD_SHARED_QUEUE);
	if (shape)
		return shape->dead ? OFFLOAD_R_DEAD : OFFLOAD_R_UNSUPPORTED;
	if (!offload_policy_allows(offload_policy_known(o, f), OFFLOAD_SHARED_QUEUE) &&
		!offload_policy_allows(offload_policy_known(o, f), OFFLOAD_EXCLUSIVE_QUEUE))
		return OFFLOAD_R_POLICY;
	return OFFLOAD_R_NONE;
}

// A queue alone for who is heavy, else one with others, or the one of the two that the policy
// allows. OFFLOAD_SOFTWARE: it is not heavy and may not share.
static uint8_t
queue_path(const struct offload *o, const struct of_flow *f, enum level level)
{
	const struct offload_policy *p = offload_policy_known(o, f);

	if (!offload_policy_allows(p, OFFLOAD_EXCLUSIVE_QUEUE))
		return OFFLOAD_SHARED_QUEUE;
	if (level == HEAVY && !offload_policy_prefers_shared(p))
		return OFFLOAD_EXCLUSIVE_QUEUE;
	return offload_policy_allows(p, OFFLOAD_SHARED_QUEUE) ? OFFLOAD_SHARED_QUEUE
							      : OFFLOAD_SOFTWARE;
}

// The policy has a queue before the embedded switch, and one is for such a flow. Who is on one by
// now stays until it is idle, as others do.
static bool
queue_first(struct offload *o, struct of_flow *f, struct view *v)
{
	const uint8_t path = f->side[OFFLOAD_IN].path;

	if (f->d.drop || !offload_policy_prefers_queue(offload_policy_known(o, f)) ||
		queue_reason(o, f) != OFFLOAD_R_NONE)
		return false;
	set_level(o, f, v);
	if (v->level == LIGHT && path != OFFLOAD_SHARED_QUEUE && path != OFFLOAD_EXCLUSIVE_QUEUE)
		return false;
	return queue_path(o, f, v->level) != OFFLOAD_SOFTWARE;
}

static struct view
view_of(struct offload *o, struct of_flow *f)
{
	struct view v = {.stays = stays_on_nic(f) && !pinned(f)};

	v.why = v.stays ? eswitch_reason(o, f) : OFFLOAD_R_NONE;
	v.through = v.stays && v.why == OFFLOAD_R_NONE;
	v.queue_first = v.through && queue_first(o, f, &v);
	v.through &= !v.queue_first;
	return v;
}

static bool
has_out_side(const struct of_flow *f, const struct view *view)
{
	const bool carried = view->queue_first && f->side[OFFLOAD_IN].path == OFFLOAD_ESWITCH;

	return f->d.out.nic != OFFLOAD_NONE && f->d.out.vport != OFFLOAD_NONE && !f->d.drop &&
	       !view->through && !carried;
}

// No packet for idle_ms; or its worker forgot it, and no rule carries it.
static bool
silent(const struct offload *o, const struct of_flow *f)
{
	return (f->gone && !f->side[OFFLOAD_IN].has_entry) ||
	       o->now - f->last_ns >= offload_idle(o);
}

static struct of_verdict
on_host(uint8_t host, uint8_t reason)
{
	return (struct of_verdict){.path = host, .host = host, .reason = reason};
}

// An entry of the embedded switch saves all of the host's work: every flow is worth one that is
// free, and one that another has if that one is worth less, which is serve.c's to find out. Who has
// one keeps it until then.
static uint8_t
eswitch_worth(const struct offload *o, const struct of_flow *f, uint64_t rate)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	uint64_t least = o->cfg.eswitch_min_bps;
	bool has = f->side[OFFLOAD_IN].has_entry;

	if (silent(o, f) && (!has || o->cfg.idle_ms))
		return OFFLOAD_R_LIGHT;
	if (p && p->least_bps)
		least = p->least_bps;
	if (!has && !f->expected && f->hint <= 0 && rate < least)
		return OFFLOAD_R_LIGHT;
	return OFFLOAD_R_NONE;
}

// What keeps a flow that comes in by a NIC out of hardware altogether.
static uint8_t
in_reason(struct offload *o, const struct of_flow *f, const struct view *view)
{
	const struct of_nic *n = offload_nic(o, f->d.in.nic);

	if (!o->cfg.enabled)
		return OFFLOAD_R_DISABLED;
	if (!n || f->d.in.port >= n->ports)
		return OFFLOAD_R_NIC_GONE;
	if (f->d.fragments)
		return OFFLOAD_R_FRAGMENTS;
	if (f->d.depends)
		return OFFLOAD_R_DEPENDS;
	if (f->d.seen == OFFLOAD_SEEN_ALL)
		return OFFLOAD_R_EXTENSION;
	if (view->through)
		return eswitch_worth(o, f, view->rate);
	if (silent(o, f))
		return OFFLOAD_R_LIGHT;
	if (view->level == LIGHT && view->raw > LIGHT && !pinned(f))
		return OFFLOAD_R_HINT;
	// What sits there already stays until it is idle, or someone better wants its entry.
	if (view->level == LIGHT && !pinned(f) && !f->side[OFFLOAD_IN].has_entry)
		return OFFLOAD_R_LIGHT;
	return OFFLOAD_R_NONE;
}

// The ring unless the policy takes it away; what a rule asks for is not taken away.
static uint8_t
ring_host(const struct offload *o, const struct of_flow *f)
{
	return offload_policy_allows(offload_policy_known(o, f), OFFLOAD_RING) ? OFFLOAD_RING
									       : OFFLOAD_SOFTWARE;
}

static struct of_verdict
decide_in(struct offload *o, struct of_flow *f, struct view *view)
{
	const struct offload_decision *d = &f->d;
	struct of_verdict v = {.host = OFFLOAD_SOFTWARE};
	bool ring =
		d->out.vport != OFFLOAD_NONE && !d->drop && !has_out_side(f, view) && !silent(o, f);
	uint8_t reason;

	set_level(o, f, view);
	if (ring && d->wants_ring)
		v.host = OFFLOAD_RING;
	if (d->in.nic == OFFLOAD_NONE)
		return on_host(
			v.host, d->out.nic == OFFLOAD_NONE ? OFFLOAD_R_NO_NIC : OFFLOAD_R_NONE);
	if (d->served == OFFLOAD_SERVED_ESWITCH)
		return on_host(v.host, OFFLOAD_R_SERVED);
	reason = in_reason(o, f, view);
	if (reason != OFFLOAD_R_NONE)
		return on_host(v.host, reason);
	if (view->through) {
		v.path = OFFLOAD_ESWITCH;
		if (ring && !d->share && view->level > LIGHT)
			v.host = ring_host(o, f);
		return v;
	}
	if (view->stays && d->drop)
		return on_host(OFFLOAD_SOFTWARE, view->why);
	if (d->served == OFFLOAD_SERVED_QUEUES && !pinned(f))
		return on_host(v.host, OFFLOAD_R_SERVED);
	reason = queue_reason(o, f);
	if (reason != OFFLOAD_R_NONE)
		return on_host(v.host, reason);
	v.path = pinned(f) ? OFFLOAD_SHARED_QUEUE : queue_path(o, f, view->level);
	if (v.path == OFFLOAD_SOFTWARE)
		return on_host(v.host, OFFLOAD_R_POLICY);
	if (ring && !d->share && v.host == OFFLOAD_SOFTWARE)
		v.host = ring_host(o, f);
	v.then_eswitch = view->queue_first;
	v.reason = view->why != OFFLOAD_R_NONE                  ? view->why
		   : view->raw == HEAVY && view->level != HEAVY ? OFFLOAD_R_HINT
								: OFFLOAD_R_NONE;
	return v;
}

static struct of_verdict
decide_out(struct offload *o, struct of_flow *f, struct view *view)
{
	struct of_verdict v = {.host = OFFLOAD_SOFTWARE};
	const struct of_nic *n;

	if (!has_out_side(f, view))
		return on_host(OFFLOAD_SOFTWARE, OFFLOAD_R_NONE);
	set_level(o, f, view);
	if (f->d.wants_ring && !silent(o, f))
		v.host = OFFLOAD_RING;
	n = offload_nic(o, f->d.out.nic);
	if (!o->cfg.enabled)
		return on_host(v.host, OFFLOAD_R_DISABLED);
	if (!n || f->d.out.port >= n->ports)
		return on_host(v.host, OFFLOAD_R_NIC_GONE);
	if (silent(o, f))
		return on_host(v.host, OFFLOAD_R_LIGHT);
	if (view->level == LIGHT && view->raw > LIGHT)
		return on_host(v.host, OFFLOAD_R_HINT);
	if (view->level == LIGHT && !f->side[OFFLOAD_OUT].hold[OF_HOLD_PLACE].account)
		return on_host(v.host, OFFLOAD_R_LIGHT);
	if (offload_on_hold(o, f))
		return on_host(v.host, OFFLOAD_R_WORKER);
	v.path = queue_path(o, f, view->level);
	if (v.path == OFFLOAD_SOFTWARE ||
		!offload_policy_allows(offload_policy_known(o, f), v.path))
		return on_host(v.host, OFFLOAD_R_POLICY);
	v.reason = view->raw == HEAVY && view->level != HEAVY ? OFFLOAD_R_HINT : OFFLOAD_R_NONE;
	return v;
}

struct of_verdict
offload_decide(struct offload *o, struct of_flow *f, enum offload_side side)
{
	struct view view;

	(void)offload_policy_of(o, f);
	view = view_of(o, f);
	return side == OFFLOAD_IN ? decide_in(o, f, &view) : decide_out(o, f, &view);
}

static uint64_t
action_word(const struct flow_action *a)
{
	uint64_t w = (uint64_t)a->type << 56;

	switch (a->type) {
	case FLOW_ACT_OUTPUT:
		return w | a->port;
	case FLOW_ACT_PUSH_VLAN:
	case FLOW_ACT_SET_VLAN:
		return w | a->vlan;
	case FLOW_ACT_SET_ETH_SRC:
	case FLOW_ACT_SET_ETH_DST:
		return w | (uint64_t)a->mac[0] << 40 | (uint64_t)a->mac[1] << 32 |
		       (uint64_t)a->mac[2] << 24 | (uint64_t)a->mac[3] << 16 |
		       (uint64_t)a->mac[4] << 8 | a->mac[5];
	case FLOW_ACT_RATE:
		return w | (uint64_t)a->rate.kbps << 16 | a->rate.burst_kb;
	case FLOW_ACT_CLASS:
	case FLOW_ACT_QUEUE:
	case FLOW_ACT_GOTO:
		return w | a->index;
	default:
		return w;
	}
}

uint64_t
offload_sig(const struct of_flow *f, uint8_t path)
{
	const struct offload_decision *d = &f->d;
	uint64_t w[3 + FLOW_ACTIONS_MAX];
	unsigned n = 0, i;

	w[n++] = (uint64_t)d->in.nic << 16 | d->in.port;
	if (path == OFFLOAD_ESWITCH) {
		w[n++] = d->drop ? 1 : (uint64_t)d->out.nic << 32 | (uint64_t)d->out.port << 16;
		for (i = 0; !d->drop && i < d->actions.n && i < FLOW_ACTIONS_MAX; i++)
			w[n++] = action_word(&d->actions.list[i]);
	} else {
		w[n++] = (uint64_t)d->pinned_queue << 1 | d->drop;
	}
	return sl_hash_words(w, n, path == OFFLOAD_ESWITCH);
}

bool
offload_outdated(const struct of_flow *f)
{
	const struct of_side *s = &f->side[OFFLOAD_IN];

	return s->sig != offload_sig(f, s->path) || (s->table != 0 && s->table != f->d.table);
}

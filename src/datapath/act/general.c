// SPDX-License-Identifier: BSD-3-Clause
#include "act/general.h"

#include "act/edit.h"
#include "classify/vlan.h"
#include "extend/extend.h"

struct general {
	struct dp_worker *w;
	struct rte_mbuf *m;
	uint16_t origin;
	uint16_t sw;
	struct output_way *way;
	const struct sluice_ext_flow *flow;
};

static void
give(struct general *g, struct rte_mbuf *m, uint16_t vport, bool untag)
{
	if (untag && !edit_vlan(&m, DP_VLAN_POP, 0, g->w->dp->cfg.copies)) {
		lcore_drop(g->w, m, g->origin, DP_DROP_NO_BUFFER);
		return;
	}
	if (unlikely(g->flow != NULL) && !extend_output(g->w, m, g->flow, g->sw, vport)) {
		lcore_drop(g->w, m, g->origin, DP_DROP_EXTENSION);
		return;
	}
	g->way->vport = vport;
	output(g->w, m, g->origin, g->way);
}

static void
give_copy(struct general *g, uint16_t vport, bool untag)
{
	struct dp_vport_counters *from = &g->w->vports[lcore_origin(g->origin)];
	struct rte_mbuf *copy = edit_copy(g->m, g->w->dp->cfg.copies);

	lcore_add(&from->copies, 1);
	if (copy == NULL)
		lcore_add(&from->dropped[DP_DROP_NO_BUFFER], 1);
	else
		give(g, copy, vport, untag);
}

// last: the packet itself goes to the last member.
static void
flood(struct general *g, bool last)
{
	const struct dp_snapshot *s = g->w->snap;
	const struct dp_switch *sw = &s->sw[g->sw];
	uint16_t member[DP_VPORTS_MAX];
	bool untag[DP_VPORTS_MAX];
	uint32_t l2;
	uint16_t vid = edit_outer_vid(g->m, &l2);
	uint16_t n = 0, i;

	for (i = 0; i < sw->n_vports && n < DP_VPORTS_MAX; i++) {
		const struct dp_vport *v = s->vport[sw->vports[i]];

		if (v == NULL || v->port == NULL || v->id == g->origin ||
			!vlan_member(v, vid, &untag[n]))
			continue;
		member[n++] = v->id;
	}
	for (i = 0; i + (last ? 1 : 0) < n; i++)
		give_copy(g, member[i], untag[i]);
	if (!last)
		return;
	if (n == 0)
		lcore_drop(g->w, g->m, g->origin, DP_DROP_SAME_PORT);
	else
		give(g, g->m, member[n - 1], untag[n - 1]);
}

static bool
edit(struct general *g, const struct flow_action *a)
{
	struct rte_mempool *pool = g->w->dp->cfg.copies;

	switch (a->type) {
	case FLOW_ACT_PUSH_VLAN:
		return edit_vlan(&g->m, DP_VLAN_PUSH, a->vlan, pool);
	case FLOW_ACT_POP_VLAN:
		return edit_vlan(&g->m, DP_VLAN_POP, 0, pool);
	case FLOW_ACT_SET_VLAN:
		return edit_vlan(&g->m, DP_VLAN_SET, a->vlan, pool);
	case FLOW_ACT_SET_ETH_SRC:
	case FLOW_ACT_SET_ETH_DST:
		return edit_mac(&g->m, a->type == FLOW_ACT_SET_ETH_SRC, a->mac, pool);
	default:
		return true;
	}
}

static bool
is_output(const struct flow_action *a)
{
	return a->type == FLOW_ACT_OUTPUT || a->type == FLOW_ACT_FLOOD;
}

void
general(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, uint16_t sw,
	const struct flow_actions *list, struct output_way *way, const struct sluice_ext_flow *flow)
{
	struct general g = {.w = w, .m = m, .origin = origin, .sw = sw, .way = way, .flow = flow};
	unsigned n = list->n;
	unsigned i;

	while (n > 0 && !is_output(&list->list[n - 1]))
		n--;
	for (i = 0; i < n; i++) {
		const struct flow_action *a = &list->list[i];
		bool last = i + 1 == n;

		if (a->type == FLOW_ACT_FLOOD) {
			flood(&g, last);
		} else if (a->type == FLOW_ACT_OUTPUT) {
			if (last)
				give(&g, g.m, a->port, false);
			else
				give_copy(&g, a->port, false);
		} else if (!edit(&g, a)) {
			lcore_drop(w, g.m, origin, DP_DROP_NO_BUFFER);
			return;
		}
	}
	if (n == 0)
		lcore_drop(w, m, origin, DP_DROP_RULE);
}

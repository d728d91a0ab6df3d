// SPDX-License-Identifier: BSD-3-Clause
#include "classify/classify.h"
#include "out/output.h"
#include "trace/trace.h"
#include "classify/report.h"
#include "out/ring.h"
#include "classify/store.h"

#define ANY_RING (DP_PROG_RING | DP_PROG_HOST_RING)

static bool
is_dry(const struct dp_worker *w)
{
	return unlikely(w->tracing != NULL) && trace_is_dry(w);
}

bool
decide(struct dp_worker *w, const struct flow_key *key, const struct rules_result *rules,
	const struct rte_mbuf *m, struct dp_program *prog, struct flow_actions *direct)
{
	const struct dp_shown pkt = {.m = m, .worker = w->id, .dry = is_dry(w)};
	struct dp_verdict verdict;
	int number;

	dp_compile_by(w->snap, key, rules, m == NULL ? NULL : &pkt, prog, &verdict);
	if ((prog->flags & DP_PROG_MAC_DEP) && !is_dry(w)) {
		if (verdict.learn)
			report_mac(w, key, verdict.learn_vlan);
		else
			report_mac_used(w, key);
	}
	if (unlikely(verdict.of_packet)) {
		if (m != NULL && !is_dry(w))
			lcore_add(&w->counters.uncached, 1);
		*direct = verdict.actions;
		return false;
	}
	if (prog->kind != DP_PROG_GENERAL)
		return true;
	number = is_dry(w) ? -1 : dp_store_put(w->store, &verdict.actions);
	if (number >= 0) {
		prog->actions = (uint16_t)number;
		return true;
	}
	if (!is_dry(w)) {
		w->store_full = true;
		lcore_add(&w->counters.uncached, 1);
	}
	*direct = verdict.actions;
	return false;
}

// Packets of the flow may lie on the way that it leaves.
static void
keep_order(const struct dp_program *old, struct dp_program *prog)
{
	uint8_t ring = old->flags & ANY_RING, next = prog->flags & ANY_RING;

	if (old->out != prog->out || prog->kind != DP_PROG_OUTPUT)
		return;
	if (next != 0 && (ring == 0 || old->cls == prog->cls))
		return;
	if (ring == 0 && !(old->flags & DP_PROG_LINGER))
		return;
	prog->next_flags = prog->flags & DP_PROG_HOST_RING;
	prog->next_txq = prog->txq;
	prog->next_cls = prog->cls;
	prog->flags |= DP_PROG_LINGER | (ring != 0 ? DP_PROG_HOST_RING : 0);
	prog->txq = old->txq;
	prog->cls = old->cls;
}

bool
decide_again(struct dp_worker *w, struct cache_entry *e, const struct rte_mbuf *m,
	struct dp_program *prog, struct flow_actions *direct)
{
	const struct dp_program *old = entry_program(w, e);
	uint8_t host = old->flags & DP_PROG_LINGER ? old->next_flags : old->flags;
	struct flow_key key;
	bool keep;

	cache_key(e, w->cache_apart, &key);
	keep = decide(w, &key, NULL, m, prog, direct);

	prog->txq = old->flags & DP_PROG_LINGER ? old->next_txq : old->txq;
	prog->flags |= host & DP_PROG_HOST_RING;
	keep_order(old, prog);
	return keep;
}

void
decide_linger(struct dp_worker *w, struct dp_program *prog)
{
	const struct dp_port *p = prog->out < DP_VPORTS_MAX ? w->out[prog->out].port : NULL;

	if (p != NULL) {
		if (prog->flags & ANY_RING) {
			if (!ring_drained(w, p, prog->cls))
				return;
		} else if (!output_way_empty(w, p, prog->txq)) {
			return;
		}
	}
	prog->flags &= (uint8_t) ~(DP_PROG_HOST_RING | DP_PROG_LINGER);
	prog->flags |= prog->next_flags;
	prog->txq = prog->next_txq;
	prog->cls = prog->next_cls;
}

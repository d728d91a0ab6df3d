// SPDX-License-Identifier: BSD-3-Clause
#include "extend/extend.h"

#include "flow/parse.h"
#include "trace/trace.h"

// ---- decisions

static void
note(const struct ext_answer *a, struct dp_program *prog, struct dp_verdict *verdict)
{
	if (a->dropper == NULL && a->seen == EXT_SEEN_NO)
		return;
	prog->flags |= DP_PROG_EXT;
	if (a->seen > verdict->seen) {
		verdict->seen = a->seen;
		verdict->viewer = a->viewer;
	}
}

bool
extend_ingress(const struct ext_chain *chain, const struct flow_key *key, struct dp_program *prog,
	struct dp_verdict *verdict)
{
	struct sluice_ext_flow flow;
	struct ext_answer a;

	ext_flow_of_key(key, &flow);
	ext_chain_ask(chain, SLUICE_EXT_INGRESS, &flow, &a);
	note(&a, prog, verdict);
	return a.dropper == NULL;
}

bool
extend_egress(const struct ext_chain *chain, const struct flow_key *key, bool single,
	struct dp_program *prog, struct dp_verdict *verdict)
{
	struct sluice_ext_flow flow;
	struct ext_answer a;
	bool pass = true;

	ext_flow_of_key(key, &flow);
	if (single) {
		flow.out = prog->out;
		ext_chain_ask(chain, SLUICE_EXT_EGRESS, &flow, &a);
		note(&a, prog, verdict);
		pass = a.dropper == NULL;
		flow.out = SLUICE_EXT_NO_PORT;
	} else if (chain->n[SLUICE_EXT_EGRESS] > 0 && prog->kind != DP_PROG_DROP) {
		prog->flags |= DP_PROG_EXT; // asked for each output, when it is made
	}
	ext_chain_ask(chain, SLUICE_EXT_MONITOR, &flow, &a);
	note(&a, prog, verdict);
	return pass;
}

// ---- packets

// The packets of a burst that extensions have to do with.
struct shown {
	unsigned n;
	uint8_t at[DP_BURST]; // place in the burst
	struct sluice_ext_packet pkt[DP_BURST];
	struct sluice_ext_flow flow[DP_BURST];
};

// Where a header begins, when all of it is in the first segment: it ends where the next one begins.
static uint16_t
within(uint16_t at, uint32_t end, const struct rte_mbuf *m)
{
	return end > at && end <= m->data_len ? at : 0;
}

// A packet that came by a lane was not parsed before; one with a fault shows what came before it.
static void
show(const struct rte_mbuf *m, uint16_t switch_id, uint16_t origin, struct sluice_ext_flow *flow,
	struct sluice_ext_packet *pkt)
{
	struct flow_offsets off = {0};
	struct flow_key key;

	flow_parse(m, switch_id, origin, 0, &key, &off);
	ext_flow_of_key(&key, flow);
	*pkt = (struct sluice_ext_packet){
		.flow = flow,
		.data = rte_pktmbuf_mtod(m, const uint8_t *),
		.len = m->data_len,
		.total = m->pkt_len,
		.l3 = within(off.l3, off.l4 != 0 ? off.l4 : m->pkt_len, m),
		.l4 = within(off.l4, off.payload, m),
		.payload = off.payload <= m->data_len ? off.payload : 0,
		.verdict = SLUICE_EXT_PASS,
	};
}

bool
extend_match(struct ext *e, const struct flow_key *key, const struct dp_shown *pkt)
{
	struct sluice_ext_packet view;
	struct sluice_ext_flow flow;

	show(pkt->m, key->switch_id, key->vport, &flow, &view);
	return ext_match_packet(e, pkt->worker, &view);
}

static bool
is_several(const struct dp_burst *b, uint16_t i)
{
	const struct flow_actions *list = b->list[i];
	unsigned k, n = 0;

	if (b->prog[i]->kind != DP_PROG_GENERAL)
		return false;
	for (k = 0; k < list->n; k++) {
		if (list->list[k].type == FLOW_ACT_FLOOD)
			return true;
		n += list->list[k].type == FLOW_ACT_OUTPUT;
	}
	return n > 1;
}

// Does this point concern the packet? An egress filter's flow gets its output by that.
static bool
concerns(const struct dp_burst *b, uint16_t i, enum sluice_ext_point at,
	struct sluice_ext_flow *flow)
{
	const struct dp_program *prog = b->prog[i];

	flow->out = SLUICE_EXT_NO_PORT;
	if (at != SLUICE_EXT_EGRESS)
		return true;
	if (prog->out == DP_NONE ||
		(prog->kind == DP_PROG_DROP && prog->drop != DP_DROP_EXTENSION) || is_several(b, i))
		return false;
	flow->out = prog->out;
	return true;
}

static bool
is_dry(const struct dp_worker *w)
{
	return unlikely(w->tracing != NULL) && trace_is_dry(w);
}

static void
drop(struct dp_worker *w, struct dp_burst *b, uint16_t i, struct ext *e)
{
	if (!is_dry(w))
		ext_count_dropped(e, w->id, 1);
	b->prog[i] = NULL;
	lcore_drop(w, b->pkts[i], b->origin, DP_DROP_EXTENSION);
}

// Hands to e what it has to be shown, and drops what it says.
static void
hand(struct dp_worker *w, struct dp_burst *b, struct shown *s, struct ext *e,
	enum sluice_ext_point at)
{
	struct sluice_ext_packet pkts[DP_BURST];
	uint8_t of[DP_BURST];
	bool judges[DP_BURST];
	unsigned i, n = 0;

	for (i = 0; i < s->n; i++) {
		enum sluice_ext_verdict v;

		if (b->prog[s->at[i]] == NULL || !concerns(b, s->at[i], at, &s->flow[i]))
			continue;
		v = ext_ask(e, &s->flow[i]);
		if (v == SLUICE_EXT_DROP) {
			drop(w, b, s->at[i], e);
		} else if (v != SLUICE_EXT_PASS) {
			judges[n] = v == SLUICE_EXT_SEE;
			of[n] = s->at[i];
			pkts[n++] = s->pkt[i];
		}
	}
	if (n == 0 || is_dry(w))
		return;
	ext_burst(e, w->id, pkts, n);
	for (i = 0; i < n; i++) {
		if (judges[i] && pkts[i].verdict != SLUICE_EXT_PASS)
			drop(w, b, of[i], e);
	}
}

void
extend_burst(struct dp_worker *w, struct dp_burst *b)
{
	const struct ext_chain *chain = w->snap->sw[b->sw].ext;
	struct shown s;
	unsigned at, i;

	s.n = 0;
	for (i = 0; i < b->n; i++) {
		if (b->prog[i] == NULL || !(b->prog[i]->flags & DP_PROG_EXT))
			continue;
		s.at[s.n] = (uint8_t)i;
		show(b->pkts[i], w->snap->sw[b->sw].id, b->origin, &s.flow[s.n], &s.pkt[s.n]);
		s.n++;
	}
	for (at = 0; at <= SLUICE_EXT_MONITOR && s.n > 0; at++) {
		for (i = 0; i < chain->n[at]; i++)
			hand(w, b, &s, chain->list[at][i], at);
	}
}

// ---- packets that go several ways

bool
extend_several(
	struct dp_worker *w, const struct dp_burst *b, uint16_t i, struct sluice_ext_flow *flow)
{
	const struct ext_chain *chain = w->snap->sw[b->sw].ext;
	struct sluice_ext_packet pkt;

	if (chain == NULL || chain->n[SLUICE_EXT_EGRESS] == 0 || !is_several(b, i))
		return false;
	show(b->pkts[i], w->snap->sw[b->sw].id, b->origin, flow, &pkt);
	return true;
}

bool
extend_output(struct dp_worker *w, struct rte_mbuf *m, const struct sluice_ext_flow *flow,
	uint16_t sw, uint16_t vport)
{
	const struct ext_chain *chain = w->snap->sw[sw].ext;
	struct sluice_ext_flow view = *flow, leaves;
	struct sluice_ext_packet pkt;
	const bool dry = is_dry(w);
	unsigned i;

	view.out = vport;
	for (i = 0; i < chain->n[SLUICE_EXT_EGRESS]; i++) {
		struct ext *e = chain->list[SLUICE_EXT_EGRESS][i];
		enum sluice_ext_verdict v = ext_ask(e, &view);
		bool pass = v != SLUICE_EXT_DROP;

		if (!dry && (v == SLUICE_EXT_SEE || v == SLUICE_EXT_COPY)) {
			show(m, w->snap->sw[sw].id, flow->in, &leaves,
				&pkt); // its tags may have changed
			pkt.flow = &view;
			ext_burst(e, w->id, &pkt, 1);
			pass = v == SLUICE_EXT_COPY || pkt.verdict == SLUICE_EXT_PASS;
		}
		if (!pass) {
			if (!dry)
				ext_count_dropped(e, w->id, 1);
			return false;
		}
	}
	return true;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "place/ahead_steps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/rule_book.h"

#define GUARDS_MAX 8 // variants of a step that anti-spoof makes

struct entry {
	const struct rules_entry *e;
	struct ahead_rule_id id;
};

struct walk {
	const struct control *c;
	const struct control_vport *from;
	const struct dp_switch *sw;
	struct ahead_list *out;
	struct entry *entries; // by table, in the order of effect
	uint32_t n_entries, cap_entries;
	uint32_t first[RULES_TABLES + 1];
	int rc;
};

const char *
ahead_why_text(enum ahead_why why)
{
	static const char *const texts[AHEAD_WHYS] = {
		[AHEAD_WHY_NONE] = "",
		[AHEAD_WHY_NORMAL] = "the MAC table decides where its packets go",
		[AHEAD_WHY_FLOOD] = "the host makes the copies of a flood",
		[AHEAD_WHY_SEVERAL] = "it has several outputs",
		[AHEAD_WHY_ELSEWHERE] = "its packets leave by a port that is not on this NIC",
		[AHEAD_WHY_CLASS] = "a class, ring, queue or rate is kept on the host",
		[AHEAD_WHY_METER] = "its port, its VM or its class has a rate, kept on the host",
		[AHEAD_WHY_EDITS] = "it rewrites MACs, or more than one tag",
		[AHEAD_WHY_TAGS] = "frames with tags, of which it does not name one VID",
		[AHEAD_WHY_SPOOF] = "sources that its port's anti-spoof list does not name",
		[AHEAD_WHY_STORM] = "multicast is counted for the port's storm limit",
		[AHEAD_WHY_ASKS] =
			("it matches by what the switch has learned, by an extension, or by what "
			 "is inside a tunnel"),
		[AHEAD_WHY_EXTENSION] = "an extension of the switch looks at its packets",
		[AHEAD_WHY_POLICY] = "a policy rule keeps such flows out of embedded switches",
		[AHEAD_WHY_PAYS] =
			("the table is full, and single flows or other rules carry more with the "
			 "entries that it would take"),
		[AHEAD_WHY_NO_CLASS] =
			"no class rule sends its packets to a VF, and rules_ahead is 0",
		[AHEAD_WHY_GOTO] = "it changes the packet before it goes to another table",
		[AHEAD_WHY_DROP] =
			("its packets would go out where they came in, or to a port that "
			 "is not there"),
	};

	return texts[why];
}

void
ahead_list_free(struct ahead_list *l)
{
	free(l->steps);
	free(l->chains);
	memset(l, 0, sizeof(*l));
}

// ---- lists

static void *
grow(void *list, uint32_t n, uint32_t *cap, size_t size)
{
	void *grown;

	if (n < *cap)
		return list;
	grown = realloc(list, (*cap == 0 ? 64 : 2 * (size_t)*cap) * size);
	if (grown != NULL)
		*cap = *cap == 0 ? 64 : 2 * *cap;
	return grown;
}

static bool
is_full(const struct walk *w)
{
	return w->rc != 0 || w->out->n > AHEAD_STEPS_MAX;
}

static void
add_step(struct walk *w, const struct flow_match *m, const struct ahead_act *act, uint8_t why)
{
	struct ahead_list *l = w->out;
	struct ahead_step *grown;

	if (is_full(w))
		return;
	grown = grow(l->steps, l->n, &l->cap, sizeof(*l->steps));
	if (grown == NULL) {
		w->rc = -ENOMEM;
		return;
	}
	l->steps = grown;
	l->steps[l->n] =
		(struct ahead_step){.match = *m, .act = *act, .rule = l->n_chains - 1, .why = why};
	flow_match_normalise(&l->steps[l->n].match);
	l->n++;
}

static void
add_host(struct walk *w, const struct flow_match *m, enum ahead_why why)
{
	const struct ahead_act host = {.kind = AHEAD_HOST};

	add_step(w, m, &host, (uint8_t)why);
}

static bool
add_chain(struct walk *w, const struct ahead_chain *chain)
{
	struct ahead_list *l = w->out;
	struct ahead_chain *grown =
		grow(l->chains, l->n_chains, &l->cap_chains, sizeof(*l->chains));

	if (grown == NULL) {
		w->rc = -ENOMEM;
		return false;
	}
	l->chains = grown;
	l->chains[l->n_chains++] = *chain;
	return true;
}

// ---- matches

bool
ahead_both(const struct flow_match *a, const struct flow_match *b, struct flow_match *out)
{
	const uint8_t *ka = (const uint8_t *)&a->key, *ma = (const uint8_t *)&a->mask;
	const uint8_t *kb = (const uint8_t *)&b->key, *mb = (const uint8_t *)&b->mask;
	struct flow_match m = *a;
	uint8_t *k = (uint8_t *)&m.key, *mask = (uint8_t *)&m.mask;
	size_t i;

	for (i = 0; i < sizeof(m.key); i++) {
		if ((ka[i] ^ kb[i]) & ma[i] & mb[i])
			return false;
		k[i] = (uint8_t)((ka[i] & ma[i]) | (kb[i] & mb[i]));
		mask[i] = ma[i] | mb[i];
	}
	m.sport.lo = a->sport.lo > b->sport.lo ? a->sport.lo : b->sport.lo;
	m.sport.hi = a->sport.hi < b->sport.hi ? a->sport.hi : b->sport.hi;
	m.dport.lo = a->dport.lo > b->dport.lo ? a->dport.lo : b->dport.lo;
	m.dport.hi = a->dport.hi < b->dport.hi ? a->dport.hi : b->dport.hi;
	flow_match_normalise(&m);
	*out = m;
	return m.sport.lo <= m.sport.hi && m.dport.lo <= m.dport.hi;
}

static bool
untagged(const struct flow_match *m, struct flow_match *out)
{
	*out = *m;
	if ((m->key.vlan[0] & m->mask.vlan[0]) || (m->key.vlan[1] & m->mask.vlan[1]))
		return false;
	out->mask.vlan[0] = FLOW_VLAN_PRESENT;
	out->mask.vlan[1] = 0;
	return true;
}

static bool
tagged(const struct flow_match *m, struct flow_match *out)
{
	*out = *m;
	if ((m->mask.vlan[0] & FLOW_VLAN_PRESENT) && !(m->key.vlan[0] & FLOW_VLAN_PRESENT))
		return false;
	out->mask.vlan[0] |= FLOW_VLAN_PRESENT;
	out->key.vlan[0] |= FLOW_VLAN_PRESENT;
	return true;
}

uint16_t
ahead_vport_at(const struct control *c, uint16_t nic, uint16_t port)
{
	uint16_t v;

	for (v = 0; v < DP_VPORTS_MAX; v++) {
		const struct dp_port *p = c->vports[v].used ? c->vports[v].port : NULL;

		if (p != NULL && p->nic == nic && p->nic_port == port)
			return v;
	}
	return DP_NONE;
}

// ---- what is done with a step's packets

// Could a policy rule that keeps flows out of embedded switches be the one of such a flow?
static bool
policy_forbids(const struct walk *w, const struct flow_match *m, uint16_t out)
{
	const struct config *cfg = w->c->cfg;
	uint16_t i;

	for (i = 0; i < cfg->n_policies; i++) {
		const struct config_policy *p = &cfg->policies[i];
		int16_t to = out < DP_VPORTS_MAX ? w->c->vports[out].cfg.vm : -1;

		if (!p->strict_order && (p->n_places == 0 || p->places[0] == OFFLOAD_ESWITCH))
			continue;
		if (p->vm >= 0 && p->vm != w->from->cfg.vm && p->vm != to)
			continue;
		if (p->vport >= 0 && p->vport != w->from->cfg.id)
			continue;
		if (p->cls > 0 || p->min_limit_bps > 0)
			continue; // what has a class or a rate is a step for the host
		if (!p->has_match || flow_match_overlap(&p->match, m))
			return true;
	}
	return false;
}

static enum ahead_why
output_why(const struct dp_program *prog, const struct dp_verdict *v)
{
	if (prog->flags & DP_PROG_MAC_DEP)
		return AHEAD_WHY_NORMAL;
	if (prog->cls != 0 || (prog->flags & DP_PROG_RING) || v->rated ||
		v->pinned_queue != DP_NONE)
		return AHEAD_WHY_CLASS;
	if (prog->kind == DP_PROG_DROP)
		return AHEAD_WHY_DROP;
	if (v->metered)
		return AHEAD_WHY_METER;
	if (prog->flags & DP_PROG_STORM)
		return AHEAD_WHY_STORM;
	if (!v->single_output) {
		uint8_t i;

		for (i = 0; i < v->actions.n; i++)
			if (v->actions.list[i].type == FLOW_ACT_FLOOD)
				return AHEAD_WHY_FLOOD;
		return AHEAD_WHY_SEVERAL;
	}
	return prog->kind == DP_PROG_OUTPUT ? AHEAD_WHY_NONE : AHEAD_WHY_EDITS;
}

// A packet of the step is compiled as if these actions were what the rules say of it.
static enum ahead_why
compile(const struct walk *w, const struct flow_match *m, const struct flow_actions *actions,
	struct ahead_act *act)
{
	static const uint8_t ops[] = {[DP_VLAN_KEEP] = AHEAD_VLAN_KEEP,
		[DP_VLAN_PUSH] = AHEAD_VLAN_PUSH,
		[DP_VLAN_POP] = AHEAD_VLAN_POP,
		[DP_VLAN_SET] = AHEAD_VLAN_SET};
	const struct rules_result said = {.actions = *actions};
	const struct control_vport *to;
	struct flow_key key = m->key;
	struct dp_program prog;
	struct dp_verdict v;
	enum ahead_why why;

	key.switch_id = w->sw->id;
	key.vport = w->from->cfg.id;
	if (m->mask.eth_type == UINT16_MAX)
		key.l3 = key.eth_type == RTE_BE16(0x0800)   ? FLOW_L3_IPV4
			 : key.eth_type == RTE_BE16(0x86dd) ? FLOW_L3_IPV6
							    : FLOW_L3_NONE;
	dp_compile_by(w->c->snapshot, &key, &said, NULL, &prog, &v);
	why = output_why(&prog, &v);
	if (why != AHEAD_WHY_NONE)
		return why;
	to = &w->c->vports[prog.out];
	if (to->port == NULL || to->port->nic != w->from->port->nic)
		return AHEAD_WHY_ELSEWHERE;
	*act = (struct ahead_act){.kind = AHEAD_PORT,
		.vlan_op = ops[prog.vlan_op],
		.vlan = prog.vlan,
		.port = to->port->nic_port};
	return policy_forbids(w, m, prog.out) ? AHEAD_WHY_POLICY : AHEAD_WHY_NONE;
}

// ---- anti-spoof

struct guards {
	struct flow_match list[GUARDS_MAX];
	uint8_t n;
	bool more;
};

static void
add_guard(struct guards *g, const struct flow_match *m)
{
	if (g->n == GUARDS_MAX)
		g->more = true;
	else
		g->list[g->n++] = *m;
}

static void
mac_guards(const struct config_port *p, const struct flow_match *m, struct guards *g)
{
	uint8_t i;

	for (i = 0; i < p->n_macs; i++) {
		struct flow_match own, one;

		flow_match_init(&own);
		memcpy(own.key.eth_src, p->macs[i], 6);
		memset(own.mask.eth_src, 0xff, 6);
		if (ahead_both(m, &own, &one))
			add_guard(g, &one);
	}
	if (!p->mac_check)
		add_guard(g, m);
}

// A prefix with the address of zeros is left out: that is allowed to few packets only.
static void
ip_guards(const struct config_port *p, const struct flow_match *m, struct guards *g)
{
	static const uint8_t zero[16];
	uint8_t i, bit;

	for (i = 0; i < p->n_ips; i++) {
		struct flow_match own, one = *m;

		flow_match_init(&own);
		memcpy(own.key.src, p->ips[i].addr, p->ips[i].l3 == FLOW_L3_IPV4 ? 4 : 16);
		for (bit = 0; bit < p->ips[i].prefix; bit++)
			own.mask.src[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		flow_match_normalise(&own);
		if (memcmp(own.key.src, zero, 16) != 0 && ahead_only_family(&one, p->ips[i].l3) &&
			ahead_both(&one, &own, &one))
			add_guard(g, &one);
	}
}

static void
make_guards(const struct config_port *p, const struct flow_match *m, struct guards *g)
{
	struct guards macs = {.n = 0};
	uint8_t i;

	memset(g, 0, sizeof(*g));
	mac_guards(p, m, &macs);
	g->more = macs.more;
	for (i = 0; i < macs.n; i++) {
		if (p->ip_check)
			ip_guards(p, &macs.list[i], g);
		else
			add_guard(g, &macs.list[i]);
	}
}

static void
output_steps(struct walk *w, struct flow_match *m, const struct flow_actions *actions)
{
	struct guards g;
	uint8_t i;

	// Under a storm limit multicast is counted.
	if (w->from->cfg.storm_pps != 0 && !(m->mask.eth_dst[0] & 1)) {
		m->mask.eth_dst[0] |= 1;
		m->key.eth_dst[0] |= 1;
		add_host(w, m, AHEAD_WHY_STORM);
		m->key.eth_dst[0] &= 0xfe;
	}
	make_guards(&w->from->cfg, m, &g);
	if (g.more || g.n == 0) {
		add_host(w, m, AHEAD_WHY_SPOOF);
		return;
	}
	for (i = 0; i < g.n; i++) {
		struct ahead_act act = {.kind = AHEAD_HOST};
		enum ahead_why why = compile(w, &g.list[i], actions, &act);

		if (why != AHEAD_WHY_NONE) {
			add_host(w, m, why);
			return;
		}
		add_step(w, &g.list[i], &act, 0);
	}
	if (w->from->cfg.ip_check)
		add_host(w, m, AHEAD_WHY_SPOOF);
}

static bool
is_drop(const struct flow_actions *a)
{
	return a->n == 0 || a->list[0].type == FLOW_ACT_DROP;
}

static void
one_step(struct walk *w, struct flow_match *m, const struct flow_actions *actions)
{
	const struct ahead_act drop = {.kind = AHEAD_DROP};

	if (w->sw->ext != NULL)
		add_host(w, m, AHEAD_WHY_EXTENSION);
	else if (!is_drop(actions))
		output_steps(w, m, actions);
	else if (policy_forbids(w, m, DP_NONE))
		add_host(w, m, AHEAD_WHY_POLICY);
	else
		add_step(w, m, &drop, 0);
}

// Frames without a tag, with one of a VID that the rule names, and all others.
static void
steps_by_tag(struct walk *w, const struct flow_match *m, const struct flow_actions *actions)
{
	struct flow_match one, rest;

	if (untagged(m, &one))
		one_step(w, &one, actions);
	if (!tagged(m, &rest))
		return;
	if ((rest.mask.vlan[0] & 0xfff) == 0xfff && !(rest.key.vlan[1] & FLOW_VLAN_PRESENT)) {
		one = rest;
		one.mask.vlan[1] = FLOW_VLAN_PRESENT;
		one.key.vlan[1] = 0;
		one_step(w, &one, actions);
	}
	add_host(w, &rest, AHEAD_WHY_TAGS);
}

// ---- tables

static const struct flow_actions *
table_default(const struct control *c, uint16_t sw, uint16_t table)
{
	static const struct flow_actions drop = {0};
	uint16_t i;

	for (i = 0; i < c->cfg->n_tables; i++) {
		if (c->cfg->tables[i].sw == sw && c->cfg->tables[i].id == table)
			return &c->cfg->tables[i].fallback;
	}
	return &drop;
}

// What the host alone can tell, whatever tags it has.
static void
host_steps(struct walk *w, const struct flow_match *m, enum ahead_why why)
{
	struct flow_match tags;

	if (untagged(m, &tags))
		add_host(w, &tags, why);
	if (tagged(m, &tags))
		add_host(w, &tags, why);
}

static void follow_table(struct walk *w, uint16_t table, const struct flow_match *under,
	const struct ahead_chain *chain);

static void
follow(struct walk *w, const struct flow_match *m, const struct flow_actions *actions,
	const struct ahead_chain *chain)
{
	const struct flow_action *last = actions->n > 0 ? &actions->list[actions->n - 1] : NULL;

	if (last != NULL && last->type == FLOW_ACT_GOTO && actions->n == 1 &&
		chain->n < RULES_DEPTH) {
		follow_table(w, last->index, m, chain);
		return;
	}
	if (!add_chain(w, chain))
		return;
	if (last != NULL && last->type == FLOW_ACT_GOTO)
		host_steps(w, m, AHEAD_WHY_GOTO);
	else
		steps_by_tag(w, m, actions);
}

static void
follow_table(struct walk *w, uint16_t table, const struct flow_match *under,
	const struct ahead_chain *chain)
{
	struct ahead_chain next = *chain;
	uint32_t i;

	next.table = table;
	for (i = w->first[table]; i < w->first[table + 1] && !is_full(w); i++) {
		const struct entry *e = &w->entries[i];
		struct flow_match m;

		if (!ahead_both(under, &e->e->match, &m))
			continue;
		next.n = chain->n;
		next.rule[next.n++] = e->id;
		// Where it comes from is told by the list.
		m.key.vport = m.mask.vport = m.key.switch_id = m.mask.switch_id = 0;
		if (e->e->asks == 0)
			follow(w, &m, &e->e->actions, &next);
		else if (add_chain(w, &next))
			host_steps(w, &m, AHEAD_WHY_ASKS);
	}
	next.n = chain->n;
	if (!is_full(w))
		follow(w, under, table_default(w->c, w->from->cfg.sw, table), &next);
}

static void
collect(void *ctx, const struct rules_entry *e, uint32_t id, uint32_t gen)
{
	struct walk *w = ctx;
	struct entry *grown;

	if ((e->match.mask.vport & (e->match.key.vport ^ w->from->cfg.id)) || w->rc != 0)
		return;
	grown = grow(w->entries, w->n_entries, &w->cap_entries, sizeof(*w->entries));
	if (grown == NULL) {
		w->rc = -ENOMEM;
		return;
	}
	w->entries = grown;
	w->entries[w->n_entries++] = (struct entry){e, {id, gen}};
}

int
ahead_steps(const struct control *c, uint16_t vport, struct ahead_list *out)
{
	struct walk w = {.c = c, .from = &c->vports[vport], .out = out};
	const struct ahead_chain none = {0};
	struct flow_match any;
	uint32_t i = 0, t;

	out->n = out->n_chains = 0;
	w.sw = &c->snapshot->sw[w.from->cfg.sw];
	flow_match_init(&any);
	rule_book_entries(c->book[w.from->cfg.sw], collect, &w);
	for (t = 0; t <= RULES_TABLES; t++) {
		while (i < w.n_entries && w.entries[i].e->table < t)
			i++;
		w.first[t] = i;
	}
	if (w.rc == 0)
		follow_table(&w, 0, &any, &none);
	free(w.entries);
	return w.rc;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>

#include "engine_test.h"
#include "rules/rules.h"

// Random edits and look-ups against a model that tries every entry. Fields come from small domains,
// so that entries overlap in all ways.

#define RULES_MAX 200
#define TABLES 5
#define PROBES 12

struct model_rule {
	bool there;
	uint64_t seq;
	struct rules_entry e;
};

struct model {
	struct trial t;
	struct rules *rules;
	struct model_rule rule[RULES_MAX];
	struct flow_actions fallback[TABLES];
	uint64_t seq;
	uint32_t count;
};

// ---- the reference ----

// What an entry asks is answered in the place of the switch's number.
static bool
model_hits(const struct rules_entry *e, const struct flow_key *key)
{
	return (e->asks & ~key->switch_id) == 0 && flow_match_hits(&e->match, key);
}

static const struct rules_entry *
model_first(const struct model *m, uint16_t table, const struct flow_key *key)
{
	const struct model_rule *best = NULL;

	for (unsigned i = 0; i < RULES_MAX; i++) {
		const struct model_rule *r = &m->rule[i];

		if (!r->there || r->e.table != table || !model_hits(&r->e, key))
			continue;
		if (best == NULL || r->e.priority > best->e.priority ||
			(r->e.priority == best->e.priority && r->seq < best->seq))
			best = r;
	}
	return best != NULL ? &best->e : NULL;
}

static int
model_goto(const struct flow_actions *a)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->list[i].type == FLOW_ACT_GOTO)
			return a->list[i].index;
	return -1;
}

// An entry before e that matches without reading per-packet fields, or e loosely not at all.
static bool
model_unreachable(const struct model *m, const struct model_rule *e, const struct flow_key *base)
{
	struct rules_entry loose = e->e;

	flow_key_keep(&loose.match.key, 0);
	flow_key_keep(&loose.match.mask, 0);
	if (!model_hits(&loose, base))
		return true;
	for (unsigned i = 0; i < RULES_MAX; i++) {
		const struct model_rule *r = &m->rule[i];

		if (r->there && r->e.table == e->e.table && flow_match_fields(&r->e.match) == 0 &&
			model_hits(&r->e, base) &&
			(r->e.priority > e->e.priority ||
				(r->e.priority == e->e.priority && r->seq < e->seq)))
			return true;
	}
	return false;
}

static uint32_t
model_fields(const struct model *m, const struct flow_key *key)
{
	struct flow_key base = *key;
	bool reached[TABLES] = {true};
	uint32_t fields = 0;

	flow_key_keep(&base, 0);
	for (uint16_t t = 0; t < TABLES; t++) {
		bool sure = false;
		int to = model_goto(&m->fallback[t]);

		for (unsigned i = 0; reached[t] && i < RULES_MAX; i++) {
			const struct model_rule *r = &m->rule[i];
			int next = model_goto(&r->e.actions);

			if (!r->there || r->e.table != t || model_unreachable(m, r, &base))
				continue;
			fields |= flow_match_fields(&r->e.match);
			sure |= flow_match_fields(&r->e.match) == 0;
			if (next >= 0)
				reached[next] = true;
		}
		if (reached[t] && !sure && to >= 0)
			reached[to] = true;
	}
	return fields;
}

static void
model_lookup(const struct model *m, const struct flow_key *key, struct rules_result *out)
{
	int table = 0;

	memset(out, 0, sizeof(*out));
	out->fields = model_fields(m, key);
	while (table >= 0) {
		const struct rules_entry *e = model_first(m, (uint16_t)table, key);
		const struct flow_actions *a = e != NULL ? &e->actions : &m->fallback[table];

		if (e != NULL)
			out->rule[out->n++] = e->id;
		else
			out->no_rule = a->n == 0 || a->list[0].type == FLOW_ACT_DROP;
		table = model_goto(a);
		for (unsigned i = 0; i < a->n && a->list[i].type != FLOW_ACT_GOTO; i++) {
			if (out->actions.n == FLOW_ACTIONS_MAX)
				out->too_long = true;
			else
				out->actions.list[out->actions.n++] = a->list[i];
		}
	}
}

// ---- random values ----

static void
random_key(struct trial *t, struct flow_key *key)
{
	flow_key_init(key, (uint16_t)(below(t, 8) << 1), (uint16_t)below(t, 3));
	key->l3 = FLOW_L3_IPV4;
	for (unsigned i = 0; i < 4; i++) {
		key->src[i] = (uint8_t)(below(t, 2) * 0x81);
		key->dst[i] = (uint8_t)(below(t, 2) * 0x42);
	}
	key->proto = below(t, 2) ? 6 : 17;
	key->l4_src = htons((uint16_t)(1000 + below(t, 8)));
	key->l4_dst = htons((uint16_t)(below(t, 4) ? 80 + below(t, 4) : below(t, 65536)));
	key->vlan[0] = below(t, 2) ? FLOW_VLAN_PRESENT | (uint16_t)below(t, 3) : 0;
	key->tcp_flags = (uint8_t)below(t, 4);
	key->dscp = (uint8_t)below(t, 3);
	key->ttl = (uint8_t)below(t, 2);
	key->frag = below(t, 4) ? FLOW_FRAG_NO : FLOW_FRAG_FIRST;
	if (key->vlan[0] != 0)
		key->vlan[0] |= (uint16_t)(below(t, 2) << 13);
	key->eth_dst[5] = (uint8_t)below(t, 3);
}

static void
random_prefix(struct trial *t, const uint8_t *from, uint8_t *key, uint8_t *mask)
{
	unsigned len = below(t, 5) * 8;

	if (below(t, 4) == 0)
		len = below(t, 33);
	for (unsigned bit = 0; bit < len; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	memcpy(key, from, 4);
}

static struct flow_range
random_range(struct trial *t, uint16_t around)
{
	uint16_t lo = (uint16_t)(around - below(t, 4)), hi = (uint16_t)(around + below(t, 4));

	switch (below(t, 6)) {
	case 0:
		return (struct flow_range){lo, hi};
	case 1:
		return (struct flow_range){around, around};
	case 2:
		return (struct flow_range){lo, UINT16_MAX};
	default:
		return (struct flow_range){0, UINT16_MAX};
	}
}

static void
random_match(struct trial *t, struct flow_match *m)
{
	struct flow_key like;

	random_key(t, &like);
	flow_match_init(m);
	m->key.l3 = like.l3;
	m->mask.l3 = UINT8_MAX;
	random_prefix(t, like.src, m->key.src, m->mask.src);
	random_prefix(t, like.dst, m->key.dst, m->mask.dst);
	m->key.proto = like.proto;
	m->mask.proto = below(t, 2) ? UINT8_MAX : 0;
	m->key.vport = like.vport;
	m->mask.vport = below(t, 4) ? 0 : UINT16_MAX;
	m->key.vlan[0] = like.vlan[0];
	m->mask.vlan[0] = below(t, 4) ? 0 : below(t, 3) ? 0x1fff : 0xffff;
	m->key.tcp_flags = like.tcp_flags;
	m->mask.tcp_flags = (uint8_t)(below(t, 4) ? 0 : below(t, 4));
	m->key.dscp = like.dscp;
	m->mask.dscp = below(t, 6) ? 0 : 0x3f;
	m->key.ttl = like.ttl;
	m->mask.ttl = below(t, 10) ? 0 : UINT8_MAX;
	m->key.frag = like.frag;
	m->mask.frag = below(t, 10) ? 0 : 3;
	m->key.eth_dst[5] = like.eth_dst[5];
	m->mask.eth_dst[5] = below(t, 4) ? 0 : UINT8_MAX;
	m->sport = random_range(t, ntohs(like.l4_src));
	m->dport = random_range(t, ntohs(like.l4_dst));
	flow_match_normalise(m);
}

static void
random_actions(struct trial *t, uint16_t table, struct flow_actions *a)
{
	memset(a, 0, sizeof(*a));
	a->n = (uint8_t)below(t, 4);
	for (unsigned i = 0; i < a->n; i++) {
		a->list[i].type = (uint8_t)(below(t, 2) ? FLOW_ACT_OUTPUT : FLOW_ACT_CLASS);
		a->list[i].index = (uint16_t)below(t, 100);
	}
	if (table + 1 < TABLES && below(t, 2))
		a->list[a->n++] = (struct flow_action){.type = FLOW_ACT_GOTO,
			.index = (uint16_t)(table + 1 + below(t, (uint32_t)(TABLES - table - 1)))};
	else if (a->n == 0 && below(t, 2))
		a->list[a->n++] = (struct flow_action){.type = FLOW_ACT_DROP};
}

// ---- one step ----

static void
edit(struct model *m)
{
	uint32_t id = below(&m->t, RULES_MAX);
	struct model_rule *r = &m->rule[id];

	if (below(&m->t, 40) == 0) {
		uint16_t table = (uint16_t)below(&m->t, TABLES);

		random_actions(&m->t, table, &m->fallback[table]);
		expect(&m->t, rules_table_default(m->rules, table, &m->fallback[table], NULL) == 0);
	} else if (r->there) {
		expect(&m->t, rules_del(m->rules, id) == 0);
		expect(&m->t, rules_find(m->rules, id) == NULL);
		r->there = false;
		m->count--;
	} else {
		memset(&r->e, 0, sizeof(r->e));
		r->e.id = id;
		r->e.table = (uint16_t)below(&m->t, TABLES);
		r->e.priority = (uint16_t)(below(&m->t, 5) * 16383);
		if (below(&m->t, 6) == 0)
			r->e.asks = (uint16_t)(below(&m->t, 8) << 1);
		random_match(&m->t, &r->e.match);
		random_actions(&m->t, r->e.table, &r->e.actions);
		expect(&m->t, rules_add(m->rules, &r->e, NULL) == 0);
		expect(&m->t, memcmp(rules_find(m->rules, id), &r->e, sizeof(r->e)) == 0);
		r->there = true;
		r->seq = m->seq++;
		m->count++;
	}
	expect(&m->t, rules_count(m->rules) == m->count);
}

static bool
same(const struct rules_result *a, const struct rules_result *b)
{
	return a->n == b->n && a->no_rule == b->no_rule && a->too_long == b->too_long &&
	       a->fields == b->fields && a->actions.n == b->actions.n &&
	       memcmp(a->rule, b->rule, a->n * sizeof(a->rule[0])) == 0 &&
	       memcmp(a->actions.list, b->actions.list,
		       a->actions.n * sizeof(a->actions.list[0])) == 0;
}

struct probe {
	struct flow_key key;
	struct rules_result result;
};

// Packets of the flow that agree in the fields that it depends on get one decision.
static void
probe_flow(struct model *m, const struct rules_set *s, const struct flow_key *key,
	const struct rules_result *got)
{
	struct flow_key twin = *key, other;
	struct rules_result r;

	flow_key_keep(&twin, got->fields);
	rules_lookup(s, &twin, &r);
	expect(&m->t, same(&r, got));
	random_key(&m->t, &other);
	twin.dscp = got->fields & FLOW_FIELD_DSCP ? key->dscp : other.dscp;
	twin.ttl = got->fields & FLOW_FIELD_TTL ? key->ttl : other.ttl;
	twin.tcp_flags = got->fields & FLOW_FIELD_TCP_FLAGS ? key->tcp_flags : other.tcp_flags;
	twin.frag = got->fields & FLOW_FIELD_FRAG ? key->frag : other.frag;
	rules_lookup(s, &twin, &r);
	expect(&m->t, same(&r, got));
}

static void
probe_set(struct model *m, const struct rules_set *s, struct probe *p)
{
	const struct flow_key *keys[PROBES];
	struct rules_result burst[PROBES];
	uint32_t fields = rules_set_fields(s);

	for (unsigned i = 0; i < PROBES; i++) {
		struct rules_result got;

		random_key(&m->t, &p[i].key);
		keys[i] = &p[i].key;
		model_lookup(m, &p[i].key, &p[i].result);
		rules_lookup(s, &p[i].key, &got);
		expect(&m->t, same(&got, &p[i].result));
		expect(&m->t, (got.fields & ~fields) == 0);
		probe_flow(m, s, &p[i].key, &got);
	}
	rules_lookup_burst(s, keys, PROBES, burst);
	for (unsigned i = 0; i < PROBES; i++)
		expect(&m->t, same(&burst[i], &p[i].result));
}

// A set is what it was, whatever was edited since.
static void
probe_again(struct model *m, const struct rules_set *s, const struct probe *p)
{
	for (unsigned i = 0; i < PROBES; i++) {
		struct rules_result got;

		rules_lookup(s, &p[i].key, &got);
		expect(&m->t, same(&got, &p[i].result));
	}
}

struct order {
	struct model *m;
	const struct rules_entry *last;
	uint32_t n;
};

static void
in_order(void *ctx, const struct rules_entry *e)
{
	struct order *o = ctx;
	const struct rules_entry *l = o->last;

	if (l != NULL)
		expect(&o->m->t, l->table < e->table ||
					 (l->table == e->table && l->priority > e->priority) ||
					 (l->table == e->table && l->priority == e->priority &&
						 o->m->rule[l->id].seq < o->m->rule[e->id].seq));
	o->last = e;
	o->n++;
}

static void
run_model(uint64_t seed, uint32_t steps)
{
	struct model *m = calloc(1, sizeof(*m));
	struct probe old[PROBES], now[PROBES];
	struct rules_set *old_set = NULL;

	m->t = trial_start(seed);
	m->rules = rules_new(RULES_MAX);
	for (; m->t.step < steps; m->t.step++) {
		uint32_t edits = 1 + below(&m->t, below(&m->t, 30) == 0 ? 150 : 4);
		struct order order = {.m = m};
		struct rules_set_stats st;
		struct rules_set *s;

		while (edits-- > 0)
			edit(m);
		if (below(&m->t, 4) == 0) {
			rules_each(m->rules, in_order, &order);
			expect(&m->t, order.n == m->count);
		}
		s = rules_commit(m->rules);
		assert_non_null(s);
		rules_set_stats_get(s, &st);
		expect(&m->t, st.rules == m->count);
		probe_set(m, s, now);
		if (old_set != NULL)
			probe_again(m, old_set, old);
		if (old_set == NULL || below(&m->t, 3) == 0) {
			rules_set_put(old_set);
			old_set = s;
			memcpy(old, now, sizeof(old));
		} else {
			rules_set_put(s);
		}
	}
	rules_free(m->rules);
	probe_again(m, old_set, old);
	rules_set_put(old_set);
	free(m);
}

static void
test_model(void **state)
{
	(void)state;
	run_model(21, 2500);
	run_model(22, 2500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>

#include "engine_test.h"
#include "tree.h"

// The look-up in each form that this processor can do, single and in bursts of all sizes, against
// trying every entry. Entries look at anything: addresses of both families, MACs, masks that are no
// prefix, ranges under masks, ranges that nothing is in; so leaves have several parts and masks.

#define RULES_MAX 1200
#define PROBES 32
#define ROUNDS 120
#define LARGE (RULES_PAGES_FEW << RULES_PAGE_LOG) // an index has twice as many places

struct world {
	struct trial t;
	struct rules *rules;
	struct rules_entry e[RULES_MAX];
	struct flow_key key[PROBES];
	const struct flow_key *keys[PROBES];
};

static void
draw_key(struct trial *t, struct flow_key *k)
{
	bool six = below(t, 4) == 0;

	flow_key_init(k, 0, (uint16_t)below(t, 3));
	k->l3 = six ? FLOW_L3_IPV6 : FLOW_L3_IPV4;
	for (unsigned i = 0; i < (six ? 16u : 4u); i++) {
		k->src[i] = (uint8_t)below(t, i % 4 < 2 ? 4 : 256);
		k->dst[i] = (uint8_t)below(t, i % 4 < 2 ? 3 : 256);
	}
	for (unsigned i = 0; i < 6; i++) {
		k->eth_src[i] = (uint8_t)below(t, 3);
		k->eth_dst[i] = (uint8_t)below(t, 3);
	}
	k->eth_type = htons(six ? 0x86dd : 0x0800);
	k->vlan[0] = below(t, 2) ? (uint16_t)(FLOW_VLAN_PRESENT | below(t, 8)) : 0;
	k->proto = below(t, 2) ? 6 : 17;
	k->l4_src = htons((uint16_t)below(t, 65536));
	k->l4_dst = htons((uint16_t)(below(t, 2) ? 80 + below(t, 4) : below(t, 65536)));
}

static void
draw_mask(struct trial *t, void *mask, unsigned bits)
{
	uint8_t *m = mask;
	unsigned len = below(t, 3) == 0 ? 0 : below(t, bits + 1);

	for (unsigned i = 0; i < bits; i++)
		m[i / 8] |= i < len ? 0x80 >> i % 8 : 0;
	if (below(t, 24) == 0)
		m[below(t, bits / 8)] = (uint8_t)below(t, 256);
}

static struct flow_range
draw_range(struct trial *t)
{
	uint16_t lo = (uint16_t)below(t, 65536);

	if (below(t, 3) != 0)
		return (struct flow_range){0, UINT16_MAX};
	return (struct flow_range){lo, (uint16_t)(lo + below(t, 65536 - lo))};
}

static void
draw_entry(struct trial *t, struct rules_entry *e, uint32_t id)
{
	struct flow_match *m = &e->match;

	memset(e, 0, sizeof(*e));
	e->id = id;
	e->priority = (uint16_t)(RULES_PRIORITY_MAX - id); // the lowest id is first
	flow_match_init(m);
	draw_key(t, &m->key);
	m->mask.l3 = UINT8_MAX;
	draw_mask(t, m->mask.src, m->key.l3 == FLOW_L3_IPV6 ? 128 : 32);
	draw_mask(t, m->mask.dst, m->key.l3 == FLOW_L3_IPV6 ? 128 : 32);
	if (below(t, 6) == 0)
		draw_mask(t, m->mask.eth_src, 48);
	if (below(t, 6) == 0)
		draw_mask(t, m->mask.eth_dst, 48);
	m->mask.vlan[0] = below(t, 6) ? 0 : 0x1fff;
	m->mask.vport = below(t, 6) ? 0 : UINT16_MAX;
	m->mask.proto = below(t, 2) ? UINT8_MAX : 0;
	m->mask.l4_src = below(t, 3) ? 0 : (uint16_t)below(t, 65536);
	m->mask.l4_dst = below(t, 2) ? UINT16_MAX : 0;
	m->sport = draw_range(t);
	m->dport = draw_range(t);
	flow_match_normalise(m);
}

// As some entry would have it, nearly always.
static void
draw_probes(struct world *w, uint32_t n)
{
	for (unsigned p = 0; p < PROBES; p++) {
		const struct flow_match *m = &w->e[below(&w->t, n)].match;
		uint8_t *at = (uint8_t *)&w->key[p];

		draw_key(&w->t, &w->key[p]);
		w->keys[p] = &w->key[p];
		if (below(&w->t, 8) == 0)
			continue;
		for (unsigned i = 0; i < sizeof(w->key[p]); i++)
			at[i] = (uint8_t)((at[i] & ~((const uint8_t *)&m->mask)[i]) |
					  ((const uint8_t *)&m->key)[i]);
	}
}

static uint32_t
brute(const struct world *w, uint32_t n, const struct flow_key *k)
{
	for (uint32_t i = 0; i < n; i++)
		if (flow_match_hits(&w->e[i].match, k))
			return i;
	return UINT32_MAX;
}

static uint32_t
id_of(const struct rule *rule)
{
	return rule != NULL ? rule->id : UINT32_MAX;
}

struct seen {
	uint32_t n, lowest;
};

static void
see(void *ctx, const struct rule *rule)
{
	struct seen *s = ctx;

	s->n++;
	if (rule->id < s->lowest)
		s->lowest = rule->id;
}

static void
check(struct world *w, const struct rules_find *find, const struct rules_space *s, uint32_t n)
{
	const struct rule *one, *all[PROBES];
	unsigned some = 2 + below(&w->t, PROBES - 1);

	find->first(s, w->keys, some, all);
	for (unsigned p = 0; p < some; p++) {
		struct seen seen = {.lowest = UINT32_MAX};
		uint32_t want = brute(w, n, w->keys[p]), count = 0;

		find->first(s, &w->keys[p], 1, &one);
		expect(&w->t, id_of(one) == want);
		expect(&w->t, id_of(all[p]) == want);
		for (uint32_t i = 0; i < n; i++)
			count += flow_match_hits(&w->e[i].match, w->keys[p]);
		find->each(s, w->keys[p], UINT64_MAX, see, &seen);
		expect(&w->t, seen.n == count && seen.lowest == want);
	}
}

static void
check_addresses(const struct rules_find *find, const struct rules_space *s, uint32_t from)
{
	struct flow_key key[PROBES];
	const struct flow_key *keys[PROBES];
	const struct rule *rule[PROBES];

	for (uint32_t p = 0; p < PROBES; p++) {
		uint32_t address = htonl(from + p);

		flow_key_init(&key[p], 0, 0);
		key[p].l3 = FLOW_L3_IPV4;
		memcpy(key[p].dst, &address, sizeof(address));
		keys[p] = &key[p];
	}
	find->first(s, keys, PROBES, rule);
	for (uint32_t p = 0; p < PROBES; p++)
		assert_int_equal(id_of(rule[p]), (from + p) % 2 ? UINT32_MAX : (from + p) / 2);
}

static void
test_forms(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	(void)state;

	w->t = trial_start(71);
	assert_non_null(rules_find_form(0));
	for (; w->t.step < ROUNDS; w->t.step++) {
		uint32_t n = 1 + below(&w->t, below(&w->t, 4) ? RULES_MAX : 40);
		const struct rules_find *find;
		struct rules_set *s;

		w->rules = rules_new(RULES_MAX);
		for (uint32_t i = 0; i < n; i++) {
			draw_entry(&w->t, &w->e[i], i);
			expect(&w->t, rules_add(w->rules, &w->e[i], NULL) == 0);
		}
		s = rules_commit(w->rules);
		assert_non_null(s);
		draw_probes(w, n);
		for (unsigned f = 0; (find = rules_find_form(f)) != NULL; f++)
			check(w, find, s->tables[0]->sure, n);
		rules_set_put(s);
		rules_free(w->rules);
	}
	free(w);
}

// An index of more pages than a vector look-up keeps in registers: as many entries as make it so,
// each for an address of its own, and half of the keys are for none.
static void
test_large(void **state)
{
	struct rules *rules = rules_new(LARGE);
	const struct rules_find *find;
	struct rules_entry e;
	struct rules_set *s;
	(void)state;

	memset(&e, 0, sizeof(e));
	flow_match_init(&e.match);
	e.match.key.l3 = FLOW_L3_IPV4;
	e.match.mask.l3 = UINT8_MAX;
	memset(e.match.mask.dst, UINT8_MAX, 4);
	for (e.id = 0; e.id < LARGE; e.id++) {
		uint32_t address = htonl(e.id * 2);

		memcpy(e.match.key.dst, &address, sizeof(address));
		assert_int_equal(rules_add(rules, &e, NULL), 0);
	}
	s = rules_commit(rules);
	assert_non_null(s);
	for (unsigned f = 0; (find = rules_find_form(f)) != NULL; f++)
		for (uint32_t from = 0; from < 2 * LARGE; from += PROBES)
			check_addresses(find, s->tables[0]->sure, from);
	rules_set_put(s);
	rules_free(rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms), cmocka_unit_test(test_large)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

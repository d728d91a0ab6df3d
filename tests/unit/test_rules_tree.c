// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>

#include "engine_test.h"
#include "rules/rules.h"

// One large table under edits, one by one and in bulk, against trying every entry; and sets that
// must not see what came after them.

#define RULES_MAX 3000
#define PROBES 40
#define OLD_SETS 3

struct big {
	struct trial t;
	struct rules *rules;
	bool there[RULES_MAX];
	uint64_t seq[RULES_MAX];
	struct rules_entry e[RULES_MAX];
	uint64_t next;
	uint32_t n;
};

struct big_probe {
	struct flow_key key[PROBES];
	uint32_t id[PROBES]; // UINT32_MAX: none
};

static void
draw_address(struct trial *t, uint8_t *a)
{
	// Some prefixes are crowded, as in real sets.
	a[0] = (uint8_t)(10 + below(t, 3));
	a[1] = (uint8_t)below(t, 4);
	a[2] = (uint8_t)(below(t, 2) ? below(t, 256) : 7);
	a[3] = (uint8_t)below(t, 256);
}

static void
draw_key(struct trial *t, struct flow_key *k)
{
	static const uint16_t ports[] = {22, 53, 80, 443, 8080};

	flow_key_init(k, 0, (uint16_t)below(t, 4));
	k->l3 = FLOW_L3_IPV4;
	draw_address(t, k->src);
	draw_address(t, k->dst);
	k->proto = below(t, 3) ? 6 : 17;
	k->l4_src = htons((uint16_t)below(t, 65536));
	k->l4_dst = htons(below(t, 2) ? ports[below(t, 5)] : (uint16_t)below(t, 65536));
	k->dscp = (uint8_t)below(t, 4);
	k->eth_src[5] = (uint8_t)below(t, 8);
}

static void
draw_prefix(struct trial *t, uint8_t *mask)
{
	static const uint8_t lens[] = {0, 0, 8, 14, 16, 20, 24, 24, 28, 32, 32, 32};
	uint32_t len = lens[below(t, sizeof(lens))];
	uint32_t bits = htonl(len == 0 ? 0 : UINT32_MAX << (32 - len));

	memcpy(mask, &bits, sizeof(bits));
}

static void
draw_entry(struct trial *t, struct rules_entry *e, uint32_t id)
{
	struct flow_match *m = &e->match;

	memset(e, 0, sizeof(*e));
	e->id = id;
	e->priority = (uint16_t)below(t, 2000);
	flow_match_init(m);
	draw_key(t, &m->key);
	m->mask.l3 = UINT8_MAX;
	draw_prefix(t, m->mask.src);
	draw_prefix(t, m->mask.dst);
	m->mask.proto = below(t, 2) ? UINT8_MAX : 0;
	m->mask.l4_dst = below(t, 3) ? UINT16_MAX : 0;
	m->mask.vport = below(t, 8) ? 0 : UINT16_MAX;
	m->mask.eth_src[5] = below(t, 16) ? 0 : UINT8_MAX;
	m->mask.dscp = below(t, 64) ? 0 : 0x3f;
	if (below(t, 4) == 0)
		m->sport = (struct flow_range){(uint16_t)below(t, 1024), (uint16_t)below(t, 65536)};
	if (below(t, 5) == 0) {
		m->mask.l4_dst = 0;
		m->dport = (struct flow_range){1024, UINT16_MAX};
	}
	flow_match_normalise(m);
}

// As some entry would have it.
static void
draw_probe(struct big *b, struct flow_key *k)
{
	const struct rules_entry *e = &b->e[below(&b->t, RULES_MAX)];
	uint8_t *at = (uint8_t *)k;

	draw_key(&b->t, k);
	if (below(&b->t, 8) == 0)
		return;
	for (unsigned i = 0; i < sizeof(*k); i++)
		at[i] = (uint8_t)((at[i] & ~((const uint8_t *)&e->match.mask)[i]) |
				  ((const uint8_t *)&e->match.key)[i]);
}

static uint32_t
brute(const struct big *b, const struct flow_key *k)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < RULES_MAX; i++)
		if (b->there[i] && flow_match_hits(&b->e[i].match, k) &&
			(best == UINT32_MAX || b->e[i].priority > b->e[best].priority ||
				(b->e[i].priority == b->e[best].priority &&
					b->seq[i] < b->seq[best])))
			best = i;
	return best;
}

static void
check(struct big *b, const struct rules_set *s, const struct big_probe *p)
{
	const struct flow_key *keys[PROBES];
	struct rules_result burst[PROBES], one;

	for (unsigned i = 0; i < PROBES; i++)
		keys[i] = &p->key[i];
	rules_lookup_burst(s, keys, PROBES, burst);
	for (unsigned i = 0; i < PROBES; i++) {
		rules_lookup(s, keys[i], &one);
		expect(&b->t, one.n == (p->id[i] != UINT32_MAX) && one.no_rule == (one.n == 0));
		expect(&b->t, one.n == 0 || one.rule[0] == p->id[i]);
		expect(&b->t, burst[i].n == one.n && burst[i].fields == one.fields);
		expect(&b->t, one.n == 0 || burst[i].rule[0] == one.rule[0]);
	}
}

static void
edit(struct big *b, bool grow)
{
	uint32_t id = below(&b->t, RULES_MAX);

	if (b->there[id] == grow && below(&b->t, 4) != 0)
		return;
	if (b->there[id]) {
		expect(&b->t, rules_del(b->rules, id) == 0);
		b->n--;
	} else {
		draw_entry(&b->t, &b->e[id], id);
		expect(&b->t, rules_add(b->rules, &b->e[id], NULL) == 0);
		b->seq[id] = b->next++;
		b->n++;
	}
	b->there[id] = !b->there[id];
}

static void
test_edits(void **state)
{
	struct big *b = calloc(1, sizeof(*b));
	struct big_probe *old = calloc(OLD_SETS, sizeof(*old)), *p;
	struct rules_set *set[OLD_SETS] = {NULL};
	(void)state;

	b->t = trial_start(41);
	b->rules = rules_new(RULES_MAX);
	for (uint32_t i = 0; i < RULES_MAX; i++)
		draw_entry(&b->t, &b->e[i], i);
	for (; b->t.step < 900; b->t.step++) {
		// Grows from nothing by single edits, is emptied again, then filled at once.
		bool grow = b->t.step % 450 < 300;
		uint32_t edits = b->t.step == 450 ? 6000 : 1 + below(&b->t, grow ? 12 : 40);
		uint32_t turn = below(&b->t, OLD_SETS);
		struct rules_set_stats st;

		while (edits-- > 0)
			edit(b, grow);
		p = &old[turn];
		rules_set_put(set[turn]);
		set[turn] = rules_commit(b->rules);
		assert_non_null(set[turn]);
		rules_set_stats_get(set[turn], &st);
		expect(&b->t, st.rules == b->n);
		for (unsigned i = 0; i < PROBES; i++) {
			draw_probe(b, &p->key[i]);
			p->id[i] = brute(b, &p->key[i]);
		}
		for (turn = 0; turn < OLD_SETS; turn++)
			if (set[turn] != NULL)
				check(b, set[turn], &old[turn]);
	}
	rules_free(b->rules);
	for (uint32_t i = 0; i < OLD_SETS; i++) {
		check(b, set[i], &old[i]);
		rules_set_put(set[i]);
	}
	free(old);
	free(b);
}

// Memory is linear, and what old sets held is used again.
static void
test_memory(void **state)
{
	struct big *b = calloc(1, sizeof(*b));
	struct rules_set *s = NULL, *next;
	struct rules_set_stats st;
	size_t first = 0;
	(void)state;

	b->t = trial_start(42);
	b->rules = rules_new(RULES_MAX);
	for (uint32_t i = 0; i < RULES_MAX; i++) {
		draw_entry(&b->t, &b->e[i], i);
		assert_int_equal(rules_add(b->rules, &b->e[i], NULL), 0);
	}
	for (; b->t.step < 5000; b->t.step++) {
		uint32_t id = below(&b->t, RULES_MAX);

		expect(&b->t, rules_del(b->rules, id) == 0);
		expect(&b->t, rules_add(b->rules, &b->e[id], NULL) == 0);
		next = rules_commit(b->rules);
		assert_non_null(next);
		rules_set_put(s);
		s = next;
		rules_set_stats_get(s, &st);
		if (b->t.step == 0)
			first = st.memory;
		expect(&b->t, st.memory < RULES_MAX * 2000 && st.memory < 2 * first);
	}
	rules_set_put(s);
	rules_free(b->rules);
	free(b);
}

// Entries as old as each other, of which no key matches two: one for each port of a VM. They are of
// no address, so that they come to a part of the tree that few of the others are in, and grows:
// that is built anew then.
#define ALIKE 16
#define ALIKE_STEP 8 // at a time

static void
draw_alike(struct big *b, uint32_t id)
{
	struct rules_entry *e = &b->e[id];

	draw_entry(&b->t, e, id);
	if (id % ALIKE != 0) {
		*e = b->e[id - id % ALIKE];
		e->id = id;
	}
	memset(e->match.mask.src, 0, sizeof(e->match.mask.src));
	memset(e->match.mask.dst, 0, sizeof(e->match.mask.dst));
	e->match.key.vport = (uint16_t)(id % ALIKE);
	e->match.mask.vport = UINT16_MAX;
	flow_match_normalise(&e->match);
}

static void
edit_alike(struct big *b, uint32_t id, bool grow)
{
	uint32_t eldest = id - id % ALIKE;

	if (!grow)
		expect(&b->t, rules_del(b->rules, id) == 0);
	else if (id == eldest)
		expect(&b->t, rules_add(b->rules, &b->e[id], NULL) == 0);
	else
		expect(&b->t, rules_add_as_old(b->rules, &b->e[id], eldest, NULL) == 0);
	b->seq[id] = b->next + eldest;
	b->there[id] = grow;
}

// They come, some at a time, and go in the same order: tables of all sizes.
static void
test_as_old(void **state)
{
	struct big *b = calloc(1, sizeof(*b));
	struct big_probe p;
	struct rules_set *s = NULL, *next;
	(void)state;

	b->t = trial_start(43);
	b->rules = rules_new(RULES_MAX);
	for (uint32_t i = 0; i < RULES_MAX; i++) {
		draw_entry(&b->t, &b->e[i], i);
		b->there[i] = i >= RULES_MAX / 2;
		if (b->there[i])
			expect(&b->t, rules_add(b->rules, &b->e[i], NULL) == 0);
		else
			draw_alike(b, i);
		b->seq[i] = i;
	}
	for (b->next = RULES_MAX; b->t.step < 40; b->t.step++) {
		uint32_t n = ALIKE_STEP * (1 + below(&b->t, RULES_MAX / ALIKE_STEP / 4));

		for (uint32_t at = 0; at < 2 * n; at += ALIKE_STEP) {
			for (uint32_t i = at; i < at + ALIKE_STEP; i++)
				edit_alike(b, i % n, at < n);
			next = rules_commit(b->rules);
			assert_non_null(next);
			rules_set_put(s);
			s = next;
			for (unsigned i = 0; i < PROBES; i++) {
				draw_probe(b, &p.key[i]);
				p.id[i] = brute(b, &p.key[i]);
			}
			check(b, s, &p);
		}
		b->next += RULES_MAX;
	}
	rules_set_put(s);
	rules_free(b->rules);
	free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_as_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

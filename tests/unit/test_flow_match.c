// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "base/rng.h"
#include "flow/match.h"

// The reference: bit by bit, then the ranges.
static bool
ref_hits(const struct flow_match *m, const struct flow_key *key)
{
	const uint8_t *want = (const uint8_t *)&m->key, *mask = (const uint8_t *)&m->mask;
	const uint8_t *got = (const uint8_t *)key;
	unsigned i;

	for (i = 0; i < sizeof(*key) * 8; i++) {
		if ((mask[i / 8] >> i % 8 & 1) &&
			(want[i / 8] >> i % 8 & 1) != (got[i / 8] >> i % 8 & 1))
			return false;
	}
	return ntohs(key->l4_src) >= m->sport.lo && ntohs(key->l4_src) <= m->sport.hi &&
	       ntohs(key->l4_dst) >= m->dport.lo && ntohs(key->l4_dst) <= m->dport.hi;
}

// The same for a match that looks at the source port alone.
static bool
ref_hits_sport(const struct flow_match *m, unsigned port)
{
	return ((port ^ ntohs(m->key.l4_src)) & ntohs(m->mask.l4_src)) == 0 &&
	       port >= m->sport.lo && port <= m->sport.hi;
}

static uint64_t
seed(void)
{
	const char *env = getenv("SLUICE_SEED");

	return env != NULL ? strtoull(env, NULL, 0) : 1;
}

// Small numbers, so that hits, misses, folds and empty ranges all are common.
static struct flow_range
random_range(struct sl_rng *rng)
{
	uint16_t lo = (uint16_t)sl_rng_below(rng, 16), hi = (uint16_t)sl_rng_below(rng, 16);

	switch (sl_rng_below(rng, 4)) {
	case 0:
		return (struct flow_range){0, UINT16_MAX};
	case 1:
		return (struct flow_range){lo, (uint16_t)(lo + (1u << sl_rng_below(rng, 4)) - 1)};
	case 2:
		return (struct flow_range){lo, UINT16_MAX};
	default:
		return (struct flow_range){lo, hi};
	}
}

static uint16_t
random_port_mask(struct sl_rng *rng)
{
	static const uint16_t masks[] = {0, 0, 0xffff, 0xfffc, 0xfff8, 3};

	return htons(masks[sl_rng_below(rng, 6)]);
}

// Only a few fields, of few values: the key's other bytes are alike.
static void
random_key(struct sl_rng *rng, struct flow_key *key)
{
	flow_key_init(key, 1, (uint16_t)sl_rng_below(rng, 2));
	key->l4_src = htons((uint16_t)sl_rng_below(rng, 17));
	key->l4_dst = htons((uint16_t)sl_rng_below(rng, 17));
	key->proto = (uint8_t)sl_rng_below(rng, 3);
	key->dst[sl_rng_below(rng, 16)] = (uint8_t)sl_rng_below(rng, 4);
	key->frag = (uint8_t)sl_rng_below(rng, 4);
}

static void
random_match(struct sl_rng *rng, struct flow_match *m)
{
	flow_match_init(m);
	random_key(rng, &m->key);
	m->mask.vport = sl_rng_below(rng, 4) == 0 ? UINT16_MAX : 0;
	m->mask.proto = sl_rng_below(rng, 4) == 0 ? (uint8_t)sl_rng_below(rng, 4) : 0;
	m->mask.dst[sl_rng_below(rng, 16)] = (uint8_t)sl_rng_below(rng, 2);
	m->mask.frag = sl_rng_below(rng, 4) == 0 ? (uint8_t)sl_rng_below(rng, 4) : 0;
	m->mask.l4_src = random_port_mask(rng);
	m->mask.l4_dst = random_port_mask(rng);
	m->sport = random_range(rng);
	m->dport = random_range(rng);
}

static void
check_invariants(const struct flow_match *m)
{
	const uint8_t *key = (const uint8_t *)&m->key, *mask = (const uint8_t *)&m->mask;
	struct flow_match again = *m;
	unsigned i;

	for (i = 0; i < sizeof(m->key); i++)
		assert_int_equal(key[i] & ~mask[i], 0);
	assert_true(m->sport.lo <= m->sport.hi || (m->sport.lo == 1 && m->sport.hi == 0));
	assert_true(m->dport.lo != m->dport.hi);
	flow_match_normalise(&again);
	assert_true(flow_match_equal(m, &again));
}

static void
test_hits(void **state)
{
	struct sl_rng rng = {.state = seed()};
	struct flow_match raw, m;
	unsigned i, j, hits = 0;
	struct flow_key key;
	bool want;

	for (i = 0; i < 10000; i++) {
		random_match(&rng, &raw);
		m = raw;
		flow_match_normalise(&m);
		check_invariants(&m);
		for (j = 0; j < 20; j++) {
			random_key(&rng, &key);
			want = ref_hits(&raw, &key);
			if (flow_match_hits(&raw, &key) != want ||
				flow_match_hits(&m, &key) != want)
				fail_msg("seed %llu, match %u, key %u: the reference says %d",
					(unsigned long long)seed(), i, j, want);
			hits += want;
		}
	}
	assert_true(hits > 5000);
}

// Where one key hits both, they overlap; where ports alone decide, all keys are tried.
static void
test_overlap(void **state)
{
	struct sl_rng rng = {.state = seed() + 1};
	unsigned i, port, disjoint = 0;
	struct flow_match a, b;
	struct flow_key key;
	bool both;

	for (i = 0; i < 4000; i++) {
		flow_match_init(&a);
		flow_match_init(&b);
		a.key.l4_src = htons((uint16_t)sl_rng_below(&rng, 17));
		b.key.l4_src = htons((uint16_t)sl_rng_below(&rng, 17));
		a.mask.l4_src = random_port_mask(&rng);
		b.mask.l4_src = random_port_mask(&rng);
		a.sport = random_range(&rng);
		b.sport = random_range(&rng);
		if (sl_rng_below(&rng, 2)) {
			flow_match_normalise(&a);
			flow_match_normalise(&b);
		}
		both = false;
		for (port = 0; port <= UINT16_MAX && !both; port++) {
			both = ref_hits_sport(&a, port) && ref_hits_sport(&b, port);
		}
		if (both && (!flow_match_overlap(&a, &b) || !flow_match_overlap(&b, &a)))
			fail_msg("seed %llu, pair %u: port %u hits both, no overlap",
				(unsigned long long)seed(), i, port - 1);
		disjoint += !flow_match_overlap(&a, &b);
		assert_int_equal(flow_match_overlap(&a, &b), flow_match_overlap(&b, &a));
	}
	assert_true(disjoint > 400);
	for (i = 0; i < 50000; i++) {
		random_match(&rng, &a);
		random_match(&rng, &b);
		random_key(&rng, &key);
		if (ref_hits(&a, &key) && ref_hits(&b, &key))
			assert_true(flow_match_overlap(&a, &b));
	}
}

static void
test_overlap_by_mask(void **state)
{
	struct flow_match a, b;

	flow_match_init(&a);
	flow_match_init(&b);
	assert_true(flow_match_overlap(&a, &b));
	a.key.vport = 1;
	a.mask.vport = UINT16_MAX;
	assert_true(flow_match_overlap(&a, &b));
	b.key.vport = 2;
	b.mask.vport = UINT16_MAX;
	assert_false(flow_match_overlap(&a, &b));
	b.mask.vport = 0xfffc;
	b.key.vport = 0;
	assert_true(flow_match_overlap(&a, &b));
}

static void
test_normalise(void **state)
{
	static const struct {
		struct flow_range in;
		uint16_t key, mask; // before
		struct flow_range out;
		uint16_t out_key, out_mask;
	} cases[] = {
		{{80, 80}, 0, 0, {0, 65535}, 80, 0xffff},
		{{0, 65535}, 0, 0, {0, 65535}, 0, 0},
		{{1024, 2047}, 0, 0, {0, 65535}, 1024, 0xfc00},
		{{1024, 65535}, 0, 0, {1024, 65535}, 0, 0},
		{{32768, 65535}, 0, 0, {0, 65535}, 0x8000, 0x8000},
		{{9, 3}, 0, 0, {1, 0}, 0, 0},
		{{80, 80}, 81, 0xffff, {1, 0}, 81, 0xffff},
		{{1, 100}, 80, 0xffff, {0, 65535}, 80, 0xffff},
		{{1, 79}, 80, 0xffff, {1, 0}, 80, 0xffff},
		{{16, 31}, 5, 0x000f, {0, 65535}, 21, 0xffff},
		{{1, 6}, 5, 0x000f, {1, 6}, 5, 0x000f},
	};
	struct flow_match m;
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		flow_match_init(&m);
		m.dport = cases[i].in;
		m.key.l4_dst = htons(cases[i].key);
		m.mask.l4_dst = htons(cases[i].mask);
		flow_match_normalise(&m);
		if (m.dport.lo != cases[i].out.lo || m.dport.hi != cases[i].out.hi ||
			m.key.l4_dst != htons(cases[i].out_key) ||
			m.mask.l4_dst != htons(cases[i].out_mask))
			fail_msg("case %u: %u-%u 0x%x/0x%x", i, m.dport.lo, m.dport.hi,
				ntohs(m.key.l4_dst), ntohs(m.mask.l4_dst));
		assert_int_equal(flow_match_has_range(&m), m.dport.lo != 0 || m.dport.hi != 65535);
	}
}

static void
test_fields(void **state)
{
	struct flow_match m;

	flow_match_init(&m);
	assert_int_equal(flow_match_fields(&m), 0);
	m.mask.vlan[0] = 0x1fff;
	m.mask.l4_dst = UINT16_MAX;
	m.sport = (struct flow_range){1, 9};
	assert_int_equal(flow_match_fields(&m), 0);
	m.mask.vlan[1] = 0x2000;
	assert_int_equal(flow_match_fields(&m), FLOW_FIELD_PCP);
	m.mask.dscp = 1;
	m.mask.ttl = 0x80;
	assert_int_equal(flow_match_fields(&m), FLOW_FIELD_PCP | FLOW_FIELD_DSCP | FLOW_FIELD_TTL);
	m.mask.vlan[1] = 0;
	m.mask.tcp_flags = 2;
	m.mask.frag = 1;
	assert_int_equal(flow_match_fields(&m),
		FLOW_FIELD_DSCP | FLOW_FIELD_TTL | FLOW_FIELD_TCP_FLAGS | FLOW_FIELD_FRAG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hits),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_overlap_by_mask),
		cmocka_unit_test(test_normalise),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests_name("flow_match", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// The NIC's rule tables against a linear reference: seeded random rules, removals and packets.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_byteorder.h>
#include <rte_eal.h>
#include <rte_memory.h>
#include <rte_vect.h>

#include "eswitch/table_lines.h"

#define CAPACITY 300
#define ROUNDS 30000

static struct rte_flow *live[CAPACITY];
static struct emu_match live_match[CAPACITY];
static unsigned int n_live;
static uint64_t rng;

// What the rules of a comparison are like.
struct kind {
	uint32_t bucket_mask, line_mask; // of what there is of these
	unsigned int priorities;
	bool ranged;
	bool located;        // most have a locator (table_lines.h)
	unsigned int rounds; // 0: ROUNDS
};
static struct kind kind;

static uint32_t
draw(uint32_t below)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rng >> 33) % below;
}

// Few values in few fields, so that rules and packets meet often.
static void
random_key(union emu_key *k)
{
	memset(k, 0, sizeof(*k));
	k->port = draw(3);
	k->layers = draw(2) ? EMU_L_IPV4 | EMU_L_UDP : EMU_L_IPV4 | EMU_L_TCP;
	k->ip_src[0] = draw(3);
	k->ip_src[3] = draw(4);
	k->ip_dst[3] = draw(4);
	k->dport = draw(5);
	k->eth_type = draw(2);
	if (kind.located) {
		k->ip_dst[2] = draw(6);
		k->ip_src[2] = draw(2);
	}
}

static void
random_mask(union emu_key *m)
{
	memset(m, 0, sizeof(*m));
	m->port = draw(2) ? 0xffff : 0;
	m->layers = draw(2) ? EMU_L_UDP : 0;
	m->ip_src[0] = draw(2) ? 0xff : 0;
	m->ip_src[3] = draw(3) ? 0 : draw(2) ? 0xff : 0xfe;
	m->ip_dst[3] = draw(2) ? 0xff : 0;
	m->dport = draw(3) ? 0 : 0xffff;
	if (kind.located && draw(5))
		memset(draw(4) ? m->ip_dst : m->ip_src, 0xff, 3);
}

// Ranges of the last byte of the source, and of a port; often of neither.
static void
random_ranges(struct emu_ranges *r)
{
	memset(r, 0, sizeof(*r));
	if (!kind.ranged)
		return;
	if (draw(4) == 0)
		r->range[r->n++] = (struct emu_range){.at = offsetof(union emu_key, ip_src[3]),
			.size = 1,
			.mask = 0xff,
			.lo = draw(3),
			.hi = 1 + draw(3)};
	if (draw(6) == 0)
		r->range[r->n++] = (struct emu_range){.at = offsetof(union emu_key, dport),
			.size = 2,
			.mask = 0xffff,
			.lo = draw(3) << 8,
			.hi = (1 + draw(4)) << 8};
}

static bool
in_ranges(const struct emu_ranges *r, const union emu_key *k)
{
	for (unsigned int i = 0; i < r->n; i++) {
		uint32_t v = r->range[i].size == 1 ? k->ip_src[3] : rte_be_to_cpu_16(k->dport);

		if (v < r->range[i].lo || v > r->range[i].hi)
			return false;
	}
	return true;
}

static unsigned int
bits(const union emu_key *m)
{
	unsigned int n = 0;

	for (unsigned int w = 0; w < EMU_KEY_WORDS; w++)
		n += __builtin_popcountll(m->w[w]);
	return n;
}

// The order that table.h promises: negative when rule i comes before rule k.
static int
order(unsigned int i, unsigned int k)
{
	const struct emu_match *a = &live_match[i], *b = &live_match[k];
	int o;

	if (live[i]->priority != live[k]->priority)
		return live[i]->priority < live[k]->priority ? -1 : 1;
	o = (int)bits(&b->mask) - (int)bits(&a->mask);
	if (o == 0)
		o = (b->ranges.n > 0) - (a->ranges.n > 0);
	if (o == 0)
		o = memcmp(&b->mask, &a->mask, sizeof(union emu_key));
	if (o == 0)
		o = live[i]->seq < live[k]->seq ? -1 : 1;
	return o;
}

// Over all rules one by one: the index of the first that matches, of those behind rule `after`
// where that is not negative; -1: none.
static int
reference(const union emu_key *k, int after)
{
	int best = -1;

	for (int i = 0; i < (int)n_live; i++) {
		bool hit = in_ranges(&live_match[i].ranges, k);

		for (unsigned int w = 0; w < EMU_KEY_WORDS; w++)
			hit = hit &&
			      ((k->w[w] ^ live_match[i].key.w[w]) & live_match[i].mask.w[w]) == 0;
		if (hit && (after < 0 || (i != after && order(after, i) < 0)) &&
			(best < 0 || order(i, best) < 0))
			best = i;
	}
	return best;
}

static void
add_one(struct emu_rules *r, struct emu_table *t)
{
	struct emu_actions act = {.fate = EMU_FATE_DROP};
	struct emu_match m;
	struct rte_flow *f;
	int err = 0;

	random_key(&m.key);
	random_mask(&m.mask);
	random_ranges(&m.ranges);
	f = emu_table_add(r, t, &m, draw(kind.priorities), &act, &err);
	if (n_live == CAPACITY) {
		assert_null(f);
		assert_int_equal(err, ENOSPC);
		return;
	}
	assert_non_null(f);
	live[n_live] = f;
	live_match[n_live++] = m;
}

static void
del_one(struct emu_rules *r, struct emu_table *t)
{
	unsigned int i;

	if (n_live == 0)
		return;
	i = draw(n_live);
	emu_table_del(r, t, live[i]);
	live[i] = live[--n_live];
	live_match[i] = live_match[n_live];
}

static void
compare(struct emu_rules *r, struct emu_table *t)
{
	struct emu_pkt pkts[32], *p[32];
	struct rte_flow *got[32];
	unsigned int n = 1 + draw(32);
	bool wide = r->wide;
	int at = -1;

	for (unsigned int i = 0; i < n; i++) {
		random_key(&pkts[i].key);
		p[i] = &pkts[i];
	}
	r->wide = wide && draw(2);
	emu_table_lookup(r, t, p, n, got);
	r->wide = wide;
	for (unsigned int i = 0; i < n; i++) {
		at = reference(&pkts[i].key, -1);
		assert_ptr_equal(got[i], at < 0 ? emu_rule_none(r) : live[at]);
	}
	// All that match the last one, one behind the other; a rule may change it meanwhile.
	for (unsigned int left = 8; at >= 0 && left > 0; left--) {
		const struct rte_flow *f = live[at];

		if (draw(4) == 0)
			random_key(&pkts[n - 1].key);
		at = reference(&pkts[n - 1].key, at);
		assert_ptr_equal(emu_table_next(r, t, &pkts[n - 1], f),
			at < 0 ? emu_rule_none(r) : live[at]);
	}
}

// What lines did in a comparison: rounds in which they were of use, and in which some rule was in
// none.
struct lines_used {
	unsigned int lined, spilled;
};

static struct lines_used
compare_with_model(const struct kind *k)
{
	struct lines_used used = {0};
	struct emu_rules r;
	struct emu_table t = {0};
	bool growing = true;

	assert_int_equal(emu_rules_init(&r, CAPACITY, SOCKET_ID_ANY), 0);
	kind = *k;
	r.bucket_mask &= kind.bucket_mask;
	r.line_mask &= kind.line_mask;
	for (unsigned int i = 0; i < (k->rounds > 0 ? k->rounds : ROUNDS); i++) {
		if (n_live == CAPACITY && draw(20) == 0)
			growing = false;
		if (n_live == 0)
			growing = true;
		if (draw(10) < (growing ? 7 : 3))
			add_one(&r, &t);
		else
			del_one(&r, &t);
		assert_int_equal(t.n_rules, n_live);
		if (draw(4) == 0)
			compare(&r, &t);
		used.lined += t.lined;
		for (uint32_t j = 0; j < t.n_shapes; j++) {
			if (t.shapes[j]->spilled == 0)
				continue;
			used.spilled++;
			break;
		}
	}
	while (n_live > 0)
		del_one(&r, &t);
	assert_int_equal(t.n_shapes, 0);
	assert_int_equal(r.n_rules, 0);
	for (uint32_t i = 0; i <= r.line_mask; i++)
		for (unsigned int e = 0; e < EMU_LINE_ENTRIES; e++)
			assert_int_equal(r.lines[i].place[e] | r.lines[i].entry[e], 0);
	emu_table_fini(&t);
	emu_rules_fini(&r);
	return used;
}

static void
test_model(void **state)
{
	compare_with_model(&(struct kind){UINT32_MAX, UINT32_MAX, 6, true, false, 0});
}

// All rules in a few buckets, with long chains.
static void
test_model_crowded(void **state)
{
	compare_with_model(&(struct kind){7, 7, 6, true, false, 0});
}

// Shapes that are held against lines, beside some that are not.
static void
test_model_lines(void **state)
{
	struct lines_used u =
		compare_with_model(&(struct kind){UINT32_MAX, UINT32_MAX, 1, false, true, 0});

	assert_true(u.lined > ROUNDS / 2);
}

// Lines that run full, so that shapes are with them and without them by turns; and priorities.
static void
test_model_lines_crowded(void **state)
{
	struct lines_used u = compare_with_model(&(struct kind){UINT32_MAX, 15, 1, false, true, 0});

	assert_true(u.lined > 100);
	assert_true(u.spilled > 100);
	compare_with_model(&(struct kind){63, 31, 2, true, true, 0});
}

// Whatever width of vector registers DPDK allows, the same is found. What does not show in results:
// that the wide way is taken only where it may be.
static void
test_widths(void **state)
{
	static const uint16_t widths[] = {
		RTE_VECT_SIMD_DISABLED, RTE_VECT_SIMD_128, RTE_VECT_SIMD_256, RTE_VECT_SIMD_512};
	const uint16_t before = rte_vect_get_max_simd_bitwidth();
	struct emu_rules r;

	for (unsigned int i = 0; i < RTE_DIM(widths); i++) {
		assert_int_equal(rte_vect_set_max_simd_bitwidth(widths[i]), 0);
		assert_int_equal(emu_rules_init(&r, CAPACITY, SOCKET_ID_ANY), 0);
		assert_int_equal(r.wide, widths[i] >= RTE_VECT_SIMD_256 && emu_wide_here());
		emu_rules_fini(&r);
		compare_with_model(&(struct kind){UINT32_MAX, 15, 1, false, true, 3000});
	}
	assert_int_equal(rte_vect_set_max_simd_bitwidth(before), 0);
}

// Two tables of one NIC do not see each other's rules, and share the capacity.
static void
test_shared_capacity(void **state)
{
	struct emu_actions act = {.fate = EMU_FATE_DROP};
	struct emu_table a = {0}, b = {0};
	struct emu_match m = {0};
	struct emu_pkt pkt = {0}, *p = &pkt;
	struct rte_flow *got, *rules[7];
	struct emu_rules r;
	int err;

	m.mask.dport = 0xffff;
	assert_int_equal(emu_rules_init(&r, 7, SOCKET_ID_ANY), 0);
	for (unsigned int i = 0; i < 7; i++) {
		m.key.dport = i;
		rules[i] = emu_table_add(&r, i < 4 ? &a : &b, &m, 0, &act, &err);
		assert_non_null(rules[i]);
	}
	assert_null(emu_table_add(&r, &a, &m, 0, &act, &err));
	assert_int_equal(err, ENOSPC);
	for (unsigned int i = 0; i < 8; i++) {
		pkt.key.dport = i;
		emu_table_lookup(&r, &a, &p, 1, &got);
		assert_ptr_equal(got, i < 4 ? rules[i] : emu_rule_none(&r));
		emu_table_lookup(&r, &b, &p, 1, &got);
		assert_ptr_equal(got, i >= 4 && i < 7 ? rules[i] : emu_rule_none(&r));
	}
	for (unsigned int i = 0; i < 7; i++)
		emu_table_del(&r, i < 4 ? &a : &b, rules[i]);
	emu_table_fini(&a);
	emu_table_fini(&b);
	emu_rules_fini(&r);
}

// Rules that differ in their ranges only have a bound; nothing is left of the one too many.
static void
test_same_ranged(void **state)
{
	struct emu_actions act = {.fate = EMU_FATE_DROP};
	struct rte_flow *rules[EMU_MAX_SAME];
	struct emu_table t = {0};
	struct emu_match m = {.ranges = {1, {{offsetof(union emu_key, dport), 2, 0xffff, 0, 0}}}};
	struct emu_pkt pkt = {0}, *p = &pkt;
	struct rte_flow *got;
	struct emu_rules r;
	int err;

	assert_int_equal(emu_rules_init(&r, 100, SOCKET_ID_ANY), 0);
	for (unsigned int i = 0; i < EMU_MAX_SAME; i++) {
		m.ranges.range[0].lo = m.ranges.range[0].hi = i;
		rules[i] = emu_table_add(&r, &t, &m, 0, &act, &err);
		assert_non_null(rules[i]);
	}
	assert_null(emu_table_add(&r, &t, &m, 0, &act, &err));
	assert_int_equal(err, E2BIG);
	assert_int_equal(r.n_rules, EMU_MAX_SAME);
	pkt.key.dport = RTE_BE16(EMU_MAX_SAME - 1);
	emu_table_lookup(&r, &t, &p, 1, &got);
	assert_ptr_equal(got, rules[EMU_MAX_SAME - 1]);
	for (unsigned int i = 0; i < EMU_MAX_SAME; i++)
		emu_table_del(&r, &t, rules[i]);
	emu_table_fini(&t);
	emu_rules_fini(&r);
}

// A mask that has bit i of a field, and the whole port where i is odd.
static struct emu_match
one_bit(unsigned int i)
{
	struct emu_match m = {0};

	m.mask.inner.ip_src[i / 8] = 1 << i % 8;
	m.mask.dport = i % 2 ? 0xffff : 0;
	m.key.inner.ip_src[i / 8] = m.mask.inner.ip_src[i / 8];
	m.key.dport = i;
	return m;
}

// More masks than a table has terms: the shapes beyond them are found too, in whatever order they
// come and go.
static void
test_many_masks(void **state)
{
	enum { MASKS = 128, ROUND = 600 };
	struct emu_actions act = {.fate = EMU_FATE_DROP};
	struct rte_flow *rules[MASKS] = {NULL};
	struct emu_table t = {0};
	struct emu_rules r;
	int err;

	assert_int_equal(emu_rules_init(&r, MASKS, SOCKET_ID_ANY), 0);
	for (unsigned int round = 0; round < ROUND; round++) {
		unsigned int i = draw(MASKS), n = 1 + draw(32);
		struct emu_pkt pkts[32], *p[32];
		struct rte_flow *got[32], *want[32];

		if (rules[i] == NULL) {
			struct emu_match m = one_bit(i);

			rules[i] = emu_table_add(&r, &t, &m, 0, &act, &err);
			assert_non_null(rules[i]);
		} else if (draw(3) == 0) {
			emu_table_del(&r, &t, rules[i]);
			rules[i] = NULL;
		}
		for (unsigned int k = 0; k < n; k++) {
			unsigned int at = draw(MASKS);

			p[k] = &pkts[k];
			pkts[k].key = one_bit(at).key;
			want[k] = rules[at] != NULL ? rules[at] : emu_rule_none(&r);
		}
		emu_table_lookup(&r, &t, p, n, got);
		for (unsigned int k = 0; k < n; k++)
			assert_ptr_equal(got[k], want[k]);
	}
	for (unsigned int i = 0; i < MASKS; i++)
		if (rules[i] != NULL)
			emu_table_del(&r, &t, rules[i]);
	assert_int_equal(t.n_shapes, 0);
	emu_table_fini(&t);
	emu_rules_fini(&r);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_model_crowded),
		cmocka_unit_test(test_model_lines),
		cmocka_unit_test(test_model_lines_crowded),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_many_masks),
		cmocka_unit_test(test_shared_capacity),
		cmocka_unit_test(test_same_ranged),
	};
	char *eal[] = {argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--lcores=0", "--log-level=critical", NULL};
	const char *seed = getenv("SEED");
	int failed;

	rng = seed != NULL ? strtoull(seed, NULL, 0) : 20261;
	if (rte_eal_init(7, eal) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed != 0)
		fprintf(stderr, "SEED=%s\n", seed != NULL ? seed : "20261");
	rte_eal_cleanup();
	return failed;
}

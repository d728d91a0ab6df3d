// SPDX-License-Identifier: BSD-3-Clause
// What is learned by the shape of a rule: how many fit, what is refused, what does nothing.
#include <stdlib.h>

#include "offload_fixture.h"

#define NORMAL (5 * MBIT)

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct offload_cfg cfg = w_cfg();

	assert_non_null(w);
	cfg.retry_ms = 4000;
	w_init(w, &cfg);
	w_nic(w, 0, "nic0", 6, 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	w_fini(*state);
	free(*state);
	return 0;
}

static void
add_many(struct world *w, unsigned n, uint8_t proto)
{
	while (n-- > 0)
		w_add(w, 1, 2, NORMAL + n)->key.proto = proto;
}

static unsigned
placed(const struct world *w, uint8_t proto)
{
	unsigned i, n = 0;

	for (i = 0; i < w->n_flows; i++)
		n += w->flow[i].key.proto == proto && w->flow[i].rule.path == OFFLOAD_ESWITCH;
	return n;
}

struct search {
	const char *text;
	struct offload_shape_info found;
	unsigned hits;
};

static void
match(void *ctx, const struct offload_shape_info *s)
{
	struct search *c = ctx;

	if (strcmp(s->text, c->text) != 0)
		return;
	c->found = *s;
	c->hits++;
}

static struct offload_shape_info
shape(const struct world *w, const char *text)
{
	struct search c = {.text = text};

	offload_shape_each(w->o, 0, match, &c);
	assert_int_equal(c.hits, 1);
	return c.found;
}

#define UDP "to-port ipv4 udp, in by a VF"
#define TCP "to-port ipv4 tcp, in by a VF"

// UDP has a table of 6 of its own, TCP one of 20.
static enum offload_outcome
two_tables(struct world *w, const struct w_flow *f)
{
	unsigned most = f->key.proto == IPPROTO_UDP ? 6 : 20;

	return placed(w, f->key.proto) < most ? OFFLOAD_OK : OFFLOAD_FULL;
}

static void
test_each_shape_has_its_size(void **state)
{
	struct world *w = *state;
	struct w_flow *heavy;
	unsigned i, waiting = 0;

	w->judge = two_tables;
	add_many(w, 12, IPPROTO_UDP);
	w_run(w, 1000);
	assert_int_equal(placed(w, IPPROTO_UDP), 6);
	add_many(w, 30, IPPROTO_TCP);
	w_run(w, 2000);
	// The first TCP rule beyond six shows that it was UDP's table that is full.
	assert_int_equal(placed(w, IPPROTO_UDP), 6);
	assert_int_equal(placed(w, IPPROTO_TCP), 20);
	assert_int_equal(shape(w, UDP).entries, 6);
	assert_int_equal(shape(w, UDP).limit, 6);
	assert_true(shape(w, UDP).full);
	assert_true(shape(w, TCP).full);
	for (i = 0; i < 12; i++) {
		if (w->flow[i].rule.path == OFFLOAD_ESWITCH)
			continue;
		w_expect_words(w, &w->flow[i], OFFLOAD_IN,
			"table full: 6 of 6 rules of its kind (" UDP ")");
		waiting++;
	}
	assert_int_equal(waiting, 6);
	// Who is worth more gets an entry from one of its kind.
	heavy = w_add(w, 1, 2, 40 * MBIT);
	w_run(w, 2000);
	assert_int_equal(heavy->rule.path, OFFLOAD_ESWITCH);
	assert_int_equal(placed(w, IPPROTO_TCP), 20);
}

static void
test_one_table_for_all(void **state)
{
	struct world *w = *state;
	unsigned installs;

	w->capacity = 10;
	add_many(w, 8, IPPROTO_UDP);
	w_run(w, 500);
	add_many(w, 12, IPPROTO_TCP);
	w_run(w, 2000);
	assert_int_equal(w->entries, 10);
	// Both were refused once, at ten: there is one table.
	assert_true(shape(w, TCP).full);
	assert_int_equal(shape(w, UDP).limit + shape(w, TCP).limit, 0);
	installs = w->installs;
	w_run(w, 2000);
	assert_in_range(w->installs - installs, 0, 4);
}

static enum offload_outcome
no_udp(struct world *w, const struct w_flow *f)
{
	return f->key.proto == IPPROTO_UDP ? OFFLOAD_UNSUPPORTED : OFFLOAD_OK;
}

static void
test_refused_until_a_time(void **state)
{
	struct world *w = *state;
	struct offload_shape_info s;
	unsigned installs;

	w->judge = no_udp;
	add_many(w, 10, IPPROTO_UDP);
	add_many(w, 10, IPPROTO_TCP);
	w_run(w, 1000);
	assert_int_equal(placed(w, IPPROTO_TCP), 10);
	s = shape(w, UDP);
	assert_true(s.refused && !s.dead);
	assert_int_equal(s.failures, 1);
	assert_string_equal(s.driver_text, "no way");
	assert_in_range(s.retry_ns, w->clock.manual_ns + 1, w->clock.manual_ns + 4 * SL_NS_PER_S);
	// One flow tries, no more; then it is longer.
	installs = w->installs;
	w_run(w, 4000);
	assert_in_range(w->installs - installs, 1, 2); // for a queue instead, too
	assert_int_equal(shape(w, UDP).failures, 2);
	assert_true(shape(w, UDP).retry_ns > w->clock.manual_ns + 4 * SL_NS_PER_S);
	w->judge = NULL;
	w_run(w, 9000);
	assert_int_equal(placed(w, IPPROTO_UDP), 10);
	assert_false(shape(w, UDP).refused);
}

// The pause has an end: 32 times the first.
static void
test_the_longest_pause(void **state)
{
	struct world *w = *state;
	unsigned i;

	w->cfg.retry_ms = 100;
	offload_reconfigure(w->o, &w->cfg);
	w->judge = no_udp;
	add_many(w, 2, IPPROTO_UDP);
	w_run(w, 30000);
	assert_true(shape(w, UDP).failures > 8);
	for (i = 0; i < 200; i++) {
		w_run(w, W_TICK_MS);
		assert_true(shape(w, UDP).retry_ns < w->clock.manual_ns + 3201 * SL_NS_PER_MS);
	}
	w->judge = NULL;
	w_run(w, 4000);
	assert_int_equal(placed(w, IPPROTO_UDP), 2);
	assert_int_equal(shape(w, UDP).failures, 0);
}

// IP version, tags and the ways in and out are what a NIC may refuse: each is a kind of its own.
static void
test_kinds_of_rules(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 1, 2, NORMAL);

	f = w_add(w, 1, 2, NORMAL);
	f->key.l3 = FLOW_L3_IPV6;
	f = w_add(w, 1, 2, NORMAL);
	f->key.vlan[0] = 5;
	w_add(w, 9, 2, NORMAL);
	w_run(w, 500);
	assert_int_equal(shape(w, UDP).entries, 1);
	assert_int_equal(shape(w, "to-port ipv6 udp, in by a VF").entries, 1);
	assert_int_equal(shape(w, "to-port ipv4 udp vlan, in by a VF").entries, 1);
	assert_int_equal(shape(w, "to-port ipv4 udp, in by the PF").entries, 1);
}

static void
test_a_dead_rule_is_found(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b = w_add(w, 1, 2, NORMAL);
	struct offload_nic_stats ns;
	unsigned i;

	w_run(w, 3000); // both work
	a->dead = true;
	for (i = 0; i < 100 && a->rule.path == OFFLOAD_ESWITCH; i++)
		w_run(w, W_TICK_MS);
	assert_in_range(i * W_TICK_MS, 1000, 1300);
	assert_true(offload_nic_stats_get(w->o, 0, &ns));
	assert_int_equal(ns.dead, 1);
	w_run(w, W_TICK_MS);
	assert_true(shape(w, UDP).dead);
	assert_int_equal(w_get(w, a).side[OFFLOAD_IN].reason, OFFLOAD_R_DEAD);
	assert_int_equal(b->rule.path, OFFLOAD_ESWITCH); // it counts: it may stay
	w_run(w, 1000);
	assert_int_equal(a->rule.path, OFFLOAD_SHARED_QUEUE);
	// Tried again by one flow: dead still, so it takes longer; then it works.
	w_run(w, 3000);
	assert_int_equal(shape(w, UDP).failures, 1);
	w_run(w, 2000);
	assert_int_equal(shape(w, UDP).failures, 2);
	a->dead = false;
	w_run(w, 9000);
	assert_false(shape(w, UDP).refused);
	assert_int_equal(a->rule.path, OFFLOAD_ESWITCH);
}

// What the flow's rule in another NIC carried, before it came here, proves nothing of this one.
static void
test_counters_from_before(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL);
	unsigned i;

	w_run(w, 3000);
	a->dead = true;
	for (i = 0; i < 100 && a->rule.path == OFFLOAD_ESWITCH; i++) {
		const uint64_t had = w_get(w, a).packets[OFFLOAD_ESWITCH];

		offload_flow_left(w->o, a->id, OFFLOAD_ESWITCH, 5, 500);
		assert_int_equal(w_get(w, a).packets[OFFLOAD_ESWITCH], had + 5);
		w_run(w, W_TICK_MS);
	}
	assert_in_range(i * W_TICK_MS, 1000, 1300);
}

// The way into the table of its port goes: the rule does nothing any more, and its shape is none
// the worse for it.
static void
test_a_table_goes(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b = w_add(w, 1, 2, NORMAL);
	struct offload_nic_stats ns;
	unsigned i, orders;

	a->d.table = 3;
	w_run(w, 1000);
	assert_int_equal(a->rule.path, OFFLOAD_ESWITCH);
	assert_int_equal(a->rule.table, 3);
	assert_int_equal(b->rule.table, 0);
	a->dead = true;
	a->d.table = 0;
	for (i = 0; i < 100 && a->rule.path == OFFLOAD_ESWITCH; i++)
		w_run(w, W_TICK_MS);
	assert_in_range(i, 1, 5);
	a->dead = false;
	w_run(w, 2000);
	assert_int_equal(a->rule.path, OFFLOAD_ESWITCH);
	assert_int_equal(a->rule.table, 0);
	assert_true(offload_nic_stats_get(w->o, 0, &ns));
	assert_int_equal(ns.dead, 0);
	assert_false(shape(w, UDP).refused);
	// A port that gets one keeps the rules that come before the way into it.
	orders = w->installs + w->removes;
	b->d.table = 3;
	offload_flow_redecide(w->o, b->id, &b->d);
	w_run(w, 1000);
	assert_int_equal(b->rule.table, 0);
	assert_int_equal(w->installs + w->removes, orders);
}

static uint32_t
limit_of(const struct world *w)
{
	struct offload_nic_stats ns;

	assert_true(offload_nic_stats_get(w->o, 0, &ns));
	return ns.limit;
}

// What an entry is worth to rules ahead of traffic is what flows send, whatever they are hinted.
static void
test_hints_are_among_flows(void **state)
{
	double plain, hinted;
	struct world w;
	bool wanted;
	int i;

	(void)state;
	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 6, 10);
	add_many(&w, 30, IPPROTO_UDP);
	w_run(&w, 20000);
	plain = offload_nic_margin(w.o, 0, &wanted);
	assert_true(plain > 0);
	for (i = 0; i < 30; i++)
		assert_int_equal(offload_hint(w.o, &w.flow[i].key, 1), 0);
	w_run(&w, 5000);
	hinted = offload_nic_margin(w.o, 0, &wanted);
	assert_true(hinted > plain / 4 && hinted < plain * 4);
	w_fini(&w);
}

// Others may hold more than the table is said to have; when they let go it is no larger for that.
static void
test_reserved_entries_come_back(void **state)
{
	struct world w;
	bool wanted;

	(void)state;
	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 6, 10);
	offload_nic_reserve(w.o, 0, 25);
	assert_int_equal(limit_of(&w), 0);
	add_many(&w, 30, IPPROTO_UDP);
	w_run(&w, 20000); // time enough for probes beyond the limit
	assert_int_equal(w.entries, 0);
	// What an entry would carry is known while flows want one, though none of them waits: who
	// got none comes again with a report.
	w.clock.manual_ns += W_TICK_MS * SL_NS_PER_MS;
	w_tick(&w);
	w.clock.manual_ns += 100 * SL_NS_PER_MS;
	w_tick(&w);
	assert_true(offload_nic_margin(w.o, 0, &wanted) > 0);
	assert_true(wanted);
	w.clock.manual_ns += 2 * SL_NS_PER_S;
	w_tick(&w);
	assert_true(offload_nic_margin(w.o, 0, &wanted) == 0);
	assert_false(wanted);
	offload_nic_reserve(w.o, 0, 4);
	assert_int_equal(limit_of(&w), 6);
	w_run(&w, 20000);
	assert_int_equal(w.entries, 6);
	offload_nic_reserve(w.o, 0, 40);
	offload_nic_reserve(w.o, 0, 30);
	offload_nic_reserve(w.o, 0, 0);
	assert_int_equal(limit_of(&w), 10);
	w_run(&w, 20000);
	assert_int_equal(w.entries, 10);
	w_fini(&w);
}

static void
test_reserved_of_a_learned_size(void **state)
{
	struct world *w = *state;

	w->capacity = 8;
	add_many(w, 20, IPPROTO_UDP);
	w_run(w, 1000);
	assert_int_equal(limit_of(w), 8);
	offload_nic_reserve(w->o, 0, 20);
	assert_int_equal(limit_of(w), 0);
	offload_nic_reserve(w->o, 0, 3);
	assert_int_equal(limit_of(w), 5);
	offload_nic_reserve(w->o, 0, 0);
	assert_int_equal(limit_of(w), 8);
}

// A counter that is read and stands still for long, with nothing coming to the host, says nothing;
// nor do packets that come to the host while it moves.
static void
test_a_lagging_counter_is_no_lie(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b = w_add(w, 1, 2, NORMAL);
	struct offload_nic_stats ns;
	unsigned i;

	w_run(w, 500);
	a->bps = b->bps = 0; // by hand from here
	for (i = 0; i < 200; i++) {
		offload_flow_still(w->o, a->id);
		if (i % 50 == 49) // once a second
			offload_flow_count(w->o, a->id, 100, 50 * NORMAL / 8 / 50);
		if (i == 3) // what was on its way
			offload_flow_report(
				w->o, &a->key, a->worker, &a->d, 30, 3000, OFFLOAD_SOFTWARE);
		offload_flow_report(w->o, &b->key, b->worker, &b->d, 3, 300, OFFLOAD_SOFTWARE);
		offload_flow_count(w->o, b->id, 1, 100);
		w_run(w, W_TICK_MS);
	}
	assert_true(offload_nic_stats_get(w->o, 0, &ns));
	assert_int_equal(ns.dead, 0);
	assert_int_equal(a->rule.path, OFFLOAD_ESWITCH);
	assert_int_equal(b->rule.path, OFFLOAD_ESWITCH);
	// Nor do packets at the host while the counter could not be read.
	for (i = 0; i < 200; i++) {
		offload_flow_report(w->o, &b->key, b->worker, &b->d, 3, 300, OFFLOAD_SOFTWARE);
		w_run(w, W_TICK_MS);
	}
	assert_true(offload_nic_stats_get(w->o, 0, &ns));
	assert_int_equal(ns.dead, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_shape_has_its_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_table_for_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_until_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_longest_pause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds_of_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_dead_rule_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counters_from_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_table_goes, setup, teardown),
		cmocka_unit_test(test_reserved_entries_come_back),
		cmocka_unit_test(test_hints_are_among_flows),
		cmocka_unit_test_setup_teardown(test_reserved_of_a_learned_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_lagging_counter_is_no_lie, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// What workers need not tell, which counters are read, and how much is under way at a time.
#include <stdlib.h>

#include "offload_fixture.h"

#define ENTRIES 32

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct offload_cfg cfg = w_cfg();

	assert_non_null(w);
	cfg.eswitch_min_bps = 0;
	cfg.idle_ms = cfg.residency_ms = 0;
	w_init(w, &cfg);
	w_nic(w, 0, "nic0", 4, ENTRIES);
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
test_bar(void **state)
{
	struct world *w = *state;
	uint32_t low, i;

	// Room for all: every flow is worth a report. Not so where there is no embedded switch.
	assert_int_equal(offload_bar(w->o, 0), 1);
	assert_true(offload_bar(w->o, OFFLOAD_NONE) > 10000);
	for (i = 0; i < 2 * ENTRIES; i++)
		w_add(w, 1, 2, 100000);
	w_run(w, 3000);
	assert_true(w->entries <= ENTRIES);
	low = offload_bar(w->o, 0);
	assert_true(low > 1);
	for (i = 0; i < w->n_flows; i++)
		w->flow[i].bps = 400000;
	w_run(w, 3000);
	assert_true(offload_bar(w->o, 0) > 2 * low);
	w->cfg.enabled = false;
	offload_reconfigure(w->o, &w->cfg);
	assert_int_equal(offload_bar(w->o, 0), UINT32_MAX);
}

// A flood of flows of a packet each is not told one by one.
static void
test_flood_raises_the_bar(void **state)
{
	struct world *w = *state;
	struct offload_order out[W_ORDERS];
	struct offload_decision d = w_decision(1, 2);
	uint32_t n = 0, i, k, most = 0;

	for (k = 0; k < 10; k++) {
		for (i = 0; i < 900; i++) {
			struct flow_key key = w_key(1, n++);

			offload_flow_report(w->o, &key, 0, &d, 1, 60, OFFLOAD_SOFTWARE);
		}
		w->clock.manual_ns += SL_NS_PER_MS;
		offload_tick(w->o, out, W_ORDERS);
		most = offload_bar(w->o, 0);
	}
	assert_true(most > 60);
	for (k = 0; k < 1000; k++) {
		w->clock.manual_ns += SL_NS_PER_MS;
		offload_tick(w->o, out, W_ORDERS);
	}
	assert_true(offload_bar(w->o, 0) < most / 10);
}

// All residents in turn, bounded, often while entries are wanted, seldom otherwise.
static void
test_counters(void **state)
{
	struct world *w = *state;
	uint32_t ids[64], seen[64] = {0}, calm = 0, busy = 0, n, i, k;

	for (i = 0; i < ENTRIES; i++)
		w_add(w, 1, 2, 1000000);
	w_run(w, 1000);
	assert_int_equal(w->entries, ENTRIES);
	for (k = 0; k < 100; k++) {
		w->clock.manual_ns += 10 * SL_NS_PER_MS;
		n = offload_counts_due(w->o, 0, ids, 8);
		assert_in_range(n, 0, 8);
		for (i = 0; i < n; i++)
			seen[ids[i]]++;
		calm += n;
	}
	for (i = 0; i < ENTRIES; i++)
		assert_in_range(seen[w->flow[i].id], 1, 20);
	for (i = 0; i < ENTRIES; i++)
		w_add(w, 1, 2, 1000000);
	w_run(w, 200);
	for (k = 0; k < 10; k++) {
		w->clock.manual_ns += SL_NS_PER_MS;
		busy += offload_counts_due(w->o, 0, ids, 8);
	}
	assert_int_equal(busy, 80);
	assert_true(calm < 1000);
	assert_int_equal(offload_counts_due(w->o, 1, ids, 8), 0);
}

// The least leave for who is worth clearly more, and a swarm of flows of a packet each moves
// nobody.
static void
test_who_stays(void **state)
{
	struct world *w = *state;
	struct w_flow *heavy[8];
	uint32_t i, removes, in = 0;

	for (i = 0; i < ENTRIES; i++)
		w_add(w, 1, 2, 200000);
	w_run(w, 2000);
	for (i = 0; i < 8; i++)
		heavy[i] = w_add(w, 2, 1, 20 * MBIT);
	w_run(w, 500);
	for (i = 0; i < 8; i++)
		in += heavy[i]->rule.path == OFFLOAD_ESWITCH;
	assert_int_equal(in, 8);
	removes = w->removes;
	for (i = 0; i < 200; i++) {
		struct w_flow *f = w_add(w, 1, 2, 0);

		f->id = offload_flow_report(w->o, &f->key, 0, &f->d, 1, 60, OFFLOAD_SOFTWARE);
		w_run(w, W_TICK_MS);
	}
	assert_in_range(w->removes - removes, 0, 8);
	for (i = 0; i < 8; i++)
		assert_int_equal(heavy[i]->rule.path, OFFLOAD_ESWITCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood_raises_the_bar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_stays, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
	assert_true(most > 30000); // doubled each time
	for (k = 0; k < 60; k++) {
		for (i = 0; i < 900; i++) {
			struct flow_key key = w_key(1, n++);

			offload_flow_report(w->o, &key, 0, &d, 1, 60, OFFLOAD_SOFTWARE);
		}
		w->clock.manual_ns += SL_NS_PER_MS;
		offload_tick(w->o, out, W_ORDERS);
	}
	most = offload_bar(w->o, 0);
	assert_in_range(most, 10000000, 30000000); // and has an end
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

// A NIC that is told of, op by op: each takes ms, one after the other or all at once.
struct slow_nic {
	struct offload_order queue[W_ORDERS];
	uint64_t ready[W_ORDERS];
	uint32_t n, most;
};

static void
slow_round(struct world *w, struct slow_nic *nic, uint64_t op_ns, bool serial)
{
	struct offload_order out[W_ORDERS];
	uint64_t last = w->clock.manual_ns;
	uint32_t n, i, k = 0;

	w->clock.manual_ns += SL_NS_PER_MS;
	for (i = 0; i < nic->n; i++) {
		if (nic->ready[i] > w->clock.manual_ns) {
			nic->queue[k] = nic->queue[i];
			nic->ready[k++] = last = nic->ready[i];
			continue;
		}
		offload_done(w->o, nic->queue[i].flow, OFFLOAD_IN, OFFLOAD_OK, 0, NULL, 0, 0);
	}
	nic->n = k;
	n = offload_tick(w->o, out, W_ORDERS);
	for (i = 0; i < n; i++) {
		if (out[i].type == OFFLOAD_SET_HOST)
			continue;
		assert_true(nic->n < W_ORDERS);
		last = serial && last > w->clock.manual_ns ? last : w->clock.manual_ns;
		last += op_ns;
		nic->queue[nic->n] = out[i];
		nic->ready[nic->n++] = serial ? last : w->clock.manual_ns + op_ns;
	}
	if (nic->n > nic->most)
		nic->most = nic->n;
}

static uint32_t
window_of(const struct world *w)
{
	struct offload_nic_stats ns;

	assert_true(offload_nic_stats_get(w->o, 0, &ns));
	return ns.window;
}

// Orders under way: as many as a NIC takes at once, few where each waits for the one before.
static void
test_window(void **state)
{
	struct slow_nic nic = {0};
	struct world w;
	uint32_t i, k, few;

	(void)state;
	for (k = 0; k < 2; k++) {
		struct offload_cfg cfg = w_cfg();
		bool serial = k == 0;

		cfg.orders_per_tick = 32;
		w_init(&w, &cfg);
		w_nic(&w, 0, "nic0", 4, 0);
		for (i = 0; i < W_FLOWS; i++)
			w_report(&w, w_add(&w, 1, 2, 50 * MBIT));
		nic = (struct slow_nic){0};
		for (i = 0; i < 300; i++) {
			slow_round(&w, &nic, 2 * SL_NS_PER_MS, serial);
			assert_true(nic.n <= window_of(&w) + 16); // it may shrink meanwhile
		}
		assert_in_range(nic.most, 1, 2 * 32 + 1);
		if (serial)
			few = window_of(&w);
		else
			assert_true(nic.most > 32);
		assert_true(window_of(&w) >= 4);
		w_fini(&w);
	}
	assert_in_range(few, 4, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood_raises_the_bar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_stays, setup, teardown),
		cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

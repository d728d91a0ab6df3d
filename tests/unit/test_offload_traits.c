// SPDX-License-Identifier: BSD-3-Clause
// Rates against the closed form, and what they count.
#include <math.h>

#include "base/rng.h"

#include "offload_fixture.h"

static int
setup(void **state)
{
	static struct world w;

	w_init(&w, NULL);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	w_fini(*state);
	return 0;
}

static void
expect_near(uint64_t got, double want)
{
	if (fabs((double)got - want) > want * 1e-6 + 2)
		fail_msg("%llu is not %f", (unsigned long long)got, want);
}

// A flow on no NIC is told once a second, and has the rate that it has all the time.
static void
test_far(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 3, 4, 0);
	struct offload_flow_info info;
	unsigned i;

	for (i = 0; i < 20; i++) {
		w->clock.manual_ns += 1067 * SL_NS_PER_MS;
		f->id = offload_flow_report(
			w->o, &f->key, 0, &f->d, 100, 1067000, OFFLOAD_SOFTWARE);
	}
	for (i = 0; i < 10; i++) {
		assert_true(offload_flow_get(w->o, f->id, &info));
		assert_in_range(info.rate_fast_bps, 7900000, 8100000);
		assert_in_range(info.rate_slow_bps, 7300000, 8100000);
		w->clock.manual_ns += 106 * SL_NS_PER_MS;
	}
	w->clock.manual_ns += 1200 * SL_NS_PER_MS;
	assert_true(offload_flow_get(w->o, f->id, &info));
	assert_in_range(info.rate_fast_bps, 1, 8000000 >> 5);
}

// Each packet weighs 2^-(age / half-life), and a steady rate is reported as itself.
static void
test_rates(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 1, 2, 0);
	struct sl_rng rng = {.state = 42};
	uint64_t at[200], bytes[200];
	struct offload_flow_info info;
	unsigned i, n;

	for (n = 0; n < 200; n++) {
		double fast = 0, slow = 0;

		w->clock.manual_ns += sl_rng_below(&rng, 300) * SL_NS_PER_MS;
		at[n] = w->clock.manual_ns;
		bytes[n] = sl_rng_below(&rng, 1000000);
		if (n && sl_rng_below(&rng, 2))
			offload_flow_count(w->o, f->id, 1, bytes[n]);
		else
			f->id = offload_flow_report(
				w->o, &f->key, 0, &f->d, 1, bytes[n], OFFLOAD_SOFTWARE);
		w->clock.manual_ns += sl_rng_below(&rng, 100) * SL_NS_PER_MS;
		for (i = 0; i <= n; i++) {
			double age = (double)(w->clock.manual_ns - at[i]) / 1e9;

			fast += (double)bytes[i] * pow(2, -age / 0.2);
			slow += (double)bytes[i] * pow(2, -age / 5);
		}
		info = w_get(w, f);
		expect_near(info.rate_fast_bps, fast * log(2) / 0.2 * 8);
		expect_near(info.rate_slow_bps, slow * log(2) / 5 * 8);
		assert_int_equal(info.last_ns, at[n]);
	}
	assert_int_equal(info.first_ns, at[0]);
	assert_int_equal(info.packets[OFFLOAD_SOFTWARE], 200);
}

static void
test_steady(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 1, 2, 8 * MBIT);
	struct offload_flow_info info;

	w_run(w, 60000);
	info = w_get(w, f);
	assert_in_range(info.rate_fast_bps, 8 * MBIT, 8 * MBIT + MBIT / 2);
	assert_in_range(info.rate_slow_bps, 8 * MBIT - MBIT / 10, 8 * MBIT + MBIT / 10);
	w->clock.manual_ns += 200 * SL_NS_PER_MS;
	assert_in_range(
		w_get(w, f).rate_fast_bps, info.rate_fast_bps / 2 - 1, info.rate_fast_bps / 2 + 1);
	// Long silence, huge numbers: no trap.
	w->clock.manual_ns += 1000000 * SL_NS_PER_S;
	assert_int_equal(w_get(w, f).rate_slow_bps, 0);
	offload_flow_count(w->o, f->id, 1, UINT64_MAX / 2);
	assert_int_equal(w_get(w, f).rate_fast_bps, (uint64_t)1e18);
}

static void
test_counts_go_to_the_place(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 1, 2, 80 * MBIT);
	struct offload_flow_info info;

	w_nic(w, 0, "nic0", 2, 0);
	w_run(w, 1000);
	info = w_get(w, f);
	// The answer comes in the second round, before which two reports were made by the worker.
	assert_int_equal(info.packets[OFFLOAD_SOFTWARE], 2);
	assert_int_equal(info.packets[OFFLOAD_ESWITCH], 48);
	assert_int_equal(info.bytes[OFFLOAD_ESWITCH], 48 * 200000);
	offload_flow_gone(w->o, &f->key, 3, 300);
	info = w_get(w, f);
	assert_int_equal(info.packets[OFFLOAD_SOFTWARE], 5);
	assert_int_equal(info.side[0].actual.path, OFFLOAD_ESWITCH); // stays until it is idle
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_far, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_steady, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counts_go_to_the_place, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Rates of ports, VMs and classes when the configuration gives them others: what was taken of a
// burst stays taken, and no more than that.
#include <rte_cycles.h>

#include "control_support.h"
#include "datapath/meter.h"

#define FRAME 1000u

static const char json[] =
	"{\"classes\":[{\"name\":\"std\"}],\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["
	"{\"name\":\"a\",\"vm\":\"v1\"},{\"name\":\"b\"}]}]}";

// The rate of port a changes; its meter, as workers have it now.
static struct dp_meter *
change(struct control *c, uint64_t bps, uint64_t burst_bytes)
{
	struct config_port *p = &c->vports[vport_of(c, "a")].cfg;

	p->rate_bps = bps;
	p->burst_bytes = burst_bytes;
	assert_int_equal(publish(c, true), 0);
	rig_loop(c);
	return c->snapshot->vport[vport_of(c, "a")]->meter;
}

// Frames that pass at once.
static unsigned
passes(struct dp_meter *m, uint64_t now)
{
	unsigned n = 0;

	while (n < 100000 && dp_meter_take(m, FRAME, now))
		n++;
	return n;
}

static void
test_faster(void **state)
{
	struct control *c = rig_new(json);
	struct dp_meter *m = change(c, 1000, 64000);
	const uint64_t hz = rte_get_tsc_hz();
	unsigned n;

	n = passes(m, rte_get_tsc_cycles());
	assert_in_range(n, 64, 66); // and 512 s until the next one
	m = change(c, 1000000000, 64000);
	// The new rate fills its own burst within a millisecond: none of the 512 s are left.
	n = passes(m, rte_get_tsc_cycles() + hz);
	assert_in_range(n, 64, 66);
	rig_free(c);
}

static void
test_no_burst_is_given_away(void **state)
{
	struct control *c = rig_new(json);
	struct dp_meter *m = change(c, 1000000, 64000);
	uint64_t bps;

	assert_in_range(passes(m, rte_get_tsc_cycles()), 64, 66);
	for (bps = 2000; bps > 1900; bps--) // a frame in four seconds, and often another rate
		assert_in_range(passes(change(c, bps, 64000), rte_get_tsc_cycles()), 0, 2);
	rig_free(c);
}

static void
test_half_a_burst(void **state)
{
	struct control *c = rig_new(json);
	struct dp_meter *m = change(c, 1000, 64000);
	unsigned i;

	for (i = 0; i < 32; i++)
		assert_true(dp_meter_take(m, FRAME, rte_get_tsc_cycles()));
	m = change(c, 2000, 64000); // a frame in four seconds
	assert_in_range(passes(m, rte_get_tsc_cycles()), 32, 36);
	m = change(c, 1000, 2000); // less than what was taken: all of it is
	assert_in_range(passes(m, rte_get_tsc_cycles()), 0, 1);
	rig_free(c);
}

static void
test_same_rate_same_meter(void **state)
{
	struct control *c = rig_new(json);
	struct dp_meter *m = change(c, 8000, 64000);

	assert_non_null(m);
	assert_ptr_equal(change(c, 8000, 64000), m);
	assert_null(change(c, 0, 0));
	rig_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faster),
		cmocka_unit_test(test_no_burst_is_given_away),
		cmocka_unit_test(test_half_a_burst),
		cmocka_unit_test(test_same_rate_same_meter),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

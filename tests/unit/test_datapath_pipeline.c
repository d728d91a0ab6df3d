// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

// The straight line: device, parse, cache, rules, actions, device.

static struct frame
udp(uint8_t src, uint8_t dst, uint16_t dport)
{
	return (struct frame){.src = src,
		.dst = dst,
		.ip_src = src,
		.ip_dst = dst,
		.sport = 1000,
		.dport = dport,
		.len = 18};
}

static void
feed(struct bench *b, uint16_t vport, struct frame f)
{
	bench_feed(b, vport, 0, frame_make(b, &f));
}

static uint64_t
rule_packets(struct bench *b, uint32_t rule)
{
	return dp_rule_counts(b->dp, 0, 0)[rule].packets;
}

static void
output_and_drop(void **state)
{
	struct bench b;
	unsigned i;

	bench_begin(&b, 3, 1, 1);
	bench_rule(&b, 1, 100, "port=0 udp dport=53", "output=1");
	bench_rule(&b, 2, 90, "port=0 udp dport=54", "drop");
	bench_publish(&b);
	for (i = 0; i < 100; i++) {
		feed(&b, 0, udp(1, 2, 53));
		feed(&b, 0, udp(1, 2, 54));
		feed(&b, 0, udp(1, 2, 55));
	}
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 100);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_RULE), 100);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_NO_RULE), 100);
	assert_int_equal(rule_packets(&b, 1), 100);
	assert_int_equal(rule_packets(&b, 2), 100);
	assert_int_equal(dp_worker_counters(b.dp, 0)->flows_seen, 3);
	assert_int_equal(
		dp_worker_counters(b.dp, 0)->hits + dp_worker_counters(b.dp, 0)->misses, 300);
	assert_int_equal(dp_vport_counters(b.dp, 0)[0].path_packets[DP_PATH_SOFTWARE], 300);
	assert_int_equal(dp_vport_counters(b.dp, 0)[1].delivered, 100);
	bench_end(&b);
}

// The packet after dp_publish obeys the new rules; the flow's counters go on.
static void
stale_decision(void **state)
{
	struct bench b;

	bench_begin(&b, 3, 1, 1);
	bench_rule(&b, 1, 100, "port=0", "output=1");
	bench_publish(&b);
	feed(&b, 0, udp(1, 2, 53));
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 1);
	bench_rule(&b, 2, 200, "port=0 udp dport=53", "output=2");
	bench_publish(&b);
	feed(&b, 0, udp(1, 2, 53));
	feed(&b, 0, udp(1, 2, 53));
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 0);
	assert_int_equal(bench_count_out(&b, 2), 2);
	assert_int_equal(dp_worker_counters(b.dp, 0)->stale, 1);
	assert_int_equal(dp_worker_counters(b.dp, 0)->flows_seen, 1);
	bench_end(&b);
}

static void
misses_of_one_burst(void **state)
{
	struct bench b;
	unsigned i;

	bench_begin(&b, 2, 1, 1);
	bench_rule(&b, 1, 100, "port=0", "output=1");
	bench_publish(&b);
	for (i = 0; i < 30; i++)
		feed(&b, 0, udp(1, 2, (uint16_t)(100 + i % 3)));
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 30);
	assert_int_equal(dp_worker_counters(b.dp, 0)->flows_seen, 3);
	bench_end(&b);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_pipeline");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_drop),
		cmocka_unit_test(stale_decision),
		cmocka_unit_test(misses_of_one_burst),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

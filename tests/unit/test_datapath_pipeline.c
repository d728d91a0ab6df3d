// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

#include "engine_test.h"

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

static void
feed_dscp(struct bench *b, uint16_t dport, uint8_t dscp)
{
	struct frame f = udp(1, 2, dport);

	f.dscp = dscp;
	feed(b, 0, f);
}

static uint32_t
depends_on(struct bench *b, uint16_t dport)
{
	struct dp_program prog;
	struct dp_verdict v;
	struct flow_match m;
	char text[64];

	snprintf(text, sizeof(text), "port=0 udp dport=%u", dport);
	assert_int_equal(flow_match_parse(text, NULL, &m, NULL), 0);
	m.key.switch_id = 5;
	dp_compile(b->snap, &m.key, &prog, &v);
	return v.depends;
}

// A rule that reads a per-packet field splits the flows that can reach it, and no others.
static void
fields_of_reachable_rules(void **state)
{
	const _Atomic uint64_t *seen;
	struct bench b;
	unsigned i;

	bench_begin(&b, 3, 1, 1);
	seen = &dp_worker_counters(b.dp, 0)->flows_seen;
	bench_rule(&b, 1, 200, "port=0 udp dport=22 dscp=10", "output=2");
	bench_rule(&b, 2, 100, "port=0", "output=1");
	bench_publish(&b);
	assert_int_equal(depends_on(&b, 80), 0);
	assert_int_equal(depends_on(&b, 22), FLOW_FIELD_DSCP);
	for (i = 0; i < 40; i++)
		feed_dscp(&b, 80, (uint8_t)i);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 40);
	assert_int_equal(*seen, 1);

	// Alone, so that the first packets of the flow have a field that is not 0; then all kinds
	// in one burst, known and new.
	feed_dscp(&b, 22, 10);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 2), 1);
	assert_int_equal(*seen, 2);
	for (i = 0; i < 4; i++) {
		feed_dscp(&b, 22, 10);
		feed_dscp(&b, 22, 0);
		feed_dscp(&b, 22, 11);
		feed_dscp(&b, 80, 10);
	}
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 2), 4);
	assert_int_equal(bench_count_out(&b, 1), 12);
	assert_int_equal(*seen, 3);
	assert_int_equal(rule_packets(&b, 1), 5);

	// The rule goes: one flow again. It comes back under a rule for another field.
	assert_int_equal(rules_del(b.rules, 1), 0);
	bench_publish(&b);
	for (i = 0; i < 40; i++)
		feed_dscp(&b, 22, (uint8_t)i);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 40);
	assert_int_equal(*seen, 3);
	bench_rule(&b, 3, 200, "port=0 udp dport=22 ttl=64", "output=2");
	bench_rule(&b, 4, 300, "port=0 udp dport=22 dscp=11", "drop");
	bench_publish(&b);
	assert_int_equal(depends_on(&b, 22), FLOW_FIELD_DSCP | FLOW_FIELD_TTL);
	for (i = 9; i < 12; i++)
		feed_dscp(&b, 22, (uint8_t)i);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 2), 2);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_RULE), 1);
	bench_end(&b);
}

// One packet. Returns the output that it has to take; 0: it is to be dropped.
static unsigned
feed_at_random(struct bench *b, struct trial *t, uint32_t mix, bool ruled)
{
	bool one = below(t, 100) < mix;
	uint16_t dport = (uint16_t)(one ? 22 + below(t, 2) : 80 + below(t, 30));
	uint8_t dscp = (uint8_t)((9 + below(t, 4)) % 12);

	feed_dscp(b, dport, dscp);
	if (dport == 23 && dscp == 11)
		return 0;
	return ruled && dport == 22 && dscp == 10 ? 2 : 1;
}

// Bursts with few, many or no packets that depend on a field, while a rule comes and goes: each
// packet goes where the rules say, and is counted by the rule that decided.
static void
fields_at_random(void **state)
{
	static const uint32_t mixes[] = {0, 0, 0, 0, 5, 50, 100}; // per cent
	struct trial t = trial_start(20261122);
	uint64_t want[3] = {0}, before;
	bool ruled = false;
	struct bench b;
	uint32_t n;

	bench_begin(&b, 3, 1, 1);
	bench_rule(&b, 2, 300, "port=0 udp dport=23 dscp=11", "drop");
	bench_rule(&b, 3, 100, "port=0", "output=1");
	bench_publish(&b);
	for (t.step = 0; t.step < 2000; t.step++) {
		uint32_t mix = mixes[below(&t, RTE_DIM(mixes))];

		if (below(&t, 50) == 0) {
			if (ruled)
				assert_int_equal(rules_del(b.rules, 1), 0);
			else
				bench_rule(&b, 1, 200, "port=0 udp dport=22 dscp=10", "output=2");
			ruled = !ruled;
			bench_publish(&b);
		}
		before = rule_packets(&b, 1);
		want[1] = want[2] = 0;
		for (n = 1 + below(&t, 60); n > 0; n--)
			want[feed_at_random(&b, &t, mix, ruled)]++;
		bench_run(&b);
		expect(&t, bench_count_out(&b, 1) == want[1]);
		expect(&t, bench_count_out(&b, 2) == want[2]);
		expect(&t, bench_dropped(&b, 0, DP_DROP_RULE) == want[0]);
		expect(&t, rule_packets(&b, 1) - before == want[2]);
	}
	bench_check(&b, (unsigned)t.seed);
	bench_end(&b);
}

static void
run_flows(struct bench *b, uint16_t from, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		feed(b, 0, udp(1, 2, (uint16_t)(from + i)));
	bench_run(b);
	assert_int_equal(bench_count_out(b, 1), n);
}

static void
next_tick(struct bench *b)
{
	uint32_t tick = b->dp->worker[0]->tick;

	while (b->dp->worker[0]->tick == tick)
		dp_worker_once(b->dp->worker[0]);
	dp_worker_offline(b->dp->worker[0]);
}

// Flows that come once meet a full cache of flows in use: all are forwarded, and next to none of
// them takes the place of another. Each is in the cache, or counted.
static void
flood_of_flows(void **state)
{
	const uint16_t known = 500, flood = 4000;
	const struct dp_worker_counters *c;
	uint64_t misses;
	struct bench b;

	bench_begin(&b, 2, 1, 1);
	bench_rule(&b, 1, 100, "port=0", "output=1");
	bench_publish(&b);
	b.snap->insert_tokens = 1;
	bench_publish(&b);
	c = dp_worker_counters(b.dp, 0);
	next_tick(&b); // with which the budget comes
	run_flows(&b, 1000, known);
	run_flows(&b, 1000, known);
	run_flows(&b, 10000, flood);
	next_tick(&b); // with which it is told
	assert_true(c->over_budget > 2000);
	assert_int_equal(c->over_budget + c->flows_seen, known + flood);
	misses = c->misses;
	run_flows(&b, 1000, known);
	assert_true(c->misses - misses <= c->evicted);
	bench_end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_drop),
		cmocka_unit_test(stale_decision),
		cmocka_unit_test(misses_of_one_burst),
		cmocka_unit_test(fields_of_reachable_rules),
		cmocka_unit_test(fields_at_random),
		cmocka_unit_test(flood_of_flows),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

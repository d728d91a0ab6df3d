// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

#include "datapath/trace.h"

// Traces: what a record says against what the path does to the same packet without one, what a dry
// run leaves behind (nothing), and the bounds of a live trace.

static struct frame
udp(uint8_t src, uint8_t dst, uint16_t port)
{
	return (struct frame){
		.src = src, .dst = dst, .ip_src = src, .ip_dst = dst, .sport = 1000, .dport = port};
}

static void
run_order(struct bench *b, struct dp_order *o)
{
	_Atomic uint32_t done = 0;

	o->done = &done;
	assert_true(dp_order_put(b->dp, 0, o));
	bench_run(b);
	assert_int_equal(done, 1);
}

static struct dp_trace_record
trace(struct bench *b, uint16_t vport, struct frame f, bool dry)
{
	struct dp_trace_job job = {.m = frame_make(b, &f), .origin = vport, .dry = dry};
	struct dp_order o = {.type = DP_ORD_TRACE, .trace = &job};

	run_order(b, &o);
	return job.record;
}

static void
live(struct bench *b, struct dp_live *l)
{
	struct dp_order o = {.type = DP_ORD_LIVE, .live = l};

	run_order(b, &o);
}

static struct flow_match
match(const char *text)
{
	struct flow_match m;
	struct sl_err err;

	sl_err_init(&err);
	assert_int_equal(flow_match_parse(text, NULL, &m, &err), 0);
	flow_match_normalise(&m);
	return m;
}

static void
begin(struct bench *b)
{
	bench_begin(b, 6, 1, 1);
	b->vport[1].vlan_mode = DP_VLAN_ACCESS;
	b->vport[1].vlan = 10;
	bench_rule(b, 1, 5, "udp dport=1", "output=2");
	bench_rule(b, 2, 5, "udp dport=2", "output=1");
	bench_rule(b, 3, 5, "udp dport=3", "drop");
	bench_rule(b, 4, 5, "udp dport=4", "set_eth_dst=02:00:00:00:00:99,output=2,output=3");
	bench_rule(b, 5, 5, "udp dport=5", "flood");
	bench_rule(b, 6, 5, "udp dport=6", "normal");
	bench_publish(b);
}

// The ports that get a packet, as bits; what came out is freed.
static unsigned
came_out(struct bench *b)
{
	unsigned ports = 0;
	uint16_t i;

	for (i = 0; i < 6; i++)
		ports |= (bench_count_out(b, i) > 0 ? 1u : 0) << i;
	return ports;
}

static unsigned
outputs(const struct dp_trace_record *r)
{
	unsigned ports = 0, i;

	for (i = 0; i < r->n_outputs; i++)
		ports |= 1u << r->output[i].vport;
	return ports;
}

// What a dry run foretells is what happens, and it changes nothing.
static void
foretells(void **state)
{
	struct dp_vport_counters *before = malloc(sizeof(*before) * DP_VPORTS_MAX);
	struct dp_trace_record r;
	struct bench b;
	uint16_t origin, port;
	unsigned d;

	assert_non_null(before);
	begin(&b);
	for (origin = 0; origin < 6; origin++) {
		for (port = 0; port < 8; port++) {
			struct frame f = udp((uint8_t)(origin + 1), 2, port);
			struct dp_event ev;

			memcpy(before, (const void *)dp_vport_counters(b.dp, 0),
				sizeof(*before) * DP_VPORTS_MAX);
			r = trace(&b, origin, f, true);
			assert_memory_equal(before, (const void *)dp_vport_counters(b.dp, 0),
				sizeof(*before) * DP_VPORTS_MAX);
			assert_int_equal(came_out(&b), 0);
			assert_int_equal(dp_events_get(b.dp, &ev, 1), 0);
			assert_true(r.decided);
			assert_int_equal(r.from, DP_TRACE_MISS);
			bench_feed(&b, origin, 0, frame_make(&b, &f));
			bench_run(&b);
			assert_int_equal(came_out(&b), outputs(&r));
			for (d = 0; d < DP_DROP_COUNT; d++)
				assert_int_equal(
					bench_dropped(&b, origin, d) - before[origin].dropped[d],
					r.dropped[d]);
			assert_int_equal(trace(&b, origin, f, true).from, DP_TRACE_HIT);
			while (dp_events_get(b.dp, &ev, 1) != 0)
				;
		}
	}
	bench_end(&b);
	free(before);
}

static void
record(void **state)
{
	struct dp_trace_record r;
	struct dp_count count;
	struct bench b;

	begin(&b);
	r = trace(&b, 1, udp(1, 2, 4), true);
	assert_int_equal(r.fault, FLOW_OK);
	assert_int_equal(r.off.l4, 34);
	assert_int_equal(r.program.kind, DP_PROG_GENERAL);
	assert_int_equal(r.actions.n, 4); // the tag of the access port too
	assert_int_equal(r.n_outputs, 2);
	assert_int_equal(r.copies, 1);
	assert_int_equal(r.output[0].bytes[5], 0x99);
	assert_int_equal(r.output[0].bytes[12], 0x81);
	assert_int_equal(r.program.rule[0], 4);
	count = dp_rule_counts(b.dp, 0, 0)[4];
	assert_int_equal(count.packets, 0);

	// Let out it is as any packet, but originated.
	r = trace(&b, 1, udp(1, 2, 4), false);
	assert_int_equal(r.n_outputs, 2);
	assert_int_equal(came_out(&b), 1 << 2 | 1 << 3);
	count = dp_rule_counts(b.dp, 0, 0)[4];
	assert_int_equal(count.packets, 1);
	assert_int_equal(dp_vport_counters(b.dp, 0)[1].originated, 1);
	r = trace(&b, 1, udp(1, 2, 4), true);
	assert_int_equal(r.from, DP_TRACE_HIT);
	assert_int_equal(r.entry_packets, 1);
	bench_publish(&b);
	r = trace(&b, 1, udp(1, 2, 4), true);
	assert_int_equal(r.from, DP_TRACE_STALE);
	assert_int_equal(r.entry_packets, 1);
	bench_end(&b);
}

static unsigned
burst(struct bench *b, uint16_t origin, struct frame f, unsigned n)
{
	while (n-- > 0)
		bench_feed(b, origin, 0, frame_make(b, &f));
	bench_run(b);
	return bench_count_out(b, 2);
}

// Dry runs spend nothing of a rule's rate or of a port's storm limit, and foretell what these drop.
static void
rates(void **state)
{
	struct frame big = udp(1, 2, 1), all = {.src = 1, .dst = 0xff};
	struct bench b;
	unsigned i;

	begin(&b);
	b.vport[4].storm_pps = 100; // of which 10 at once
	bench_rule(&b, 7, 50, "port=3", "rate=1k/4k,output=2");
	bench_rule(&b, 8, 50, "port=4", "flood");
	bench_publish(&b);
	dp_meter_init(&b.meters[7], 1000, 4000, b.dp->hz);
	big.len = 958; // 1000 bytes in all
	for (i = 0; i < 50; i++) {
		assert_int_equal(trace(&b, 3, big, true).n_outputs, 1);
		assert_int_not_equal(trace(&b, 4, all, true).n_outputs, 0);
	}
	assert_int_equal(burst(&b, 3, big, 4), 4);
	assert_int_equal(burst(&b, 4, all, 10), 10);
	burst(&b, 3, big, 20);
	burst(&b, 4, all, 20);
	assert_int_equal(trace(&b, 3, big, true).dropped[DP_DROP_RATE], 1);
	assert_int_equal(trace(&b, 4, all, true).dropped[DP_DROP_STORM], 1);
	bench_end(&b);
}

// Where a rule reads a per-packet field: packets that share the entry, and packets that have their
// own, are each shown what they will meet, and a dry run leaves every entry and counter as it was.
static void
by_fields(void **state)
{
	struct dp_worker_counters before;
	struct dp_trace_record r;
	struct bench b;
	unsigned round, i;

	begin(&b);
	bench_rule(&b, 7, 50, "udp dport=1 dscp=10", "output=3");
	bench_rule(&b, 8, 50, "udp dport=8", "output=4");
	bench_publish(&b);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 4; i++) {
			struct frame f = udp(1, 2, i < 2 ? 1 : 8);

			f.dscp = i % 2 ? 10 : 11;
			memcpy(&before, (const void *)dp_worker_counters(b.dp, 0), sizeof(before));
			r = trace(&b, 0, f, true);
			assert_int_equal(r.from, round == 0 && i != 3 ? DP_TRACE_MISS
						 : round == 2         ? DP_TRACE_STALE
								      : DP_TRACE_HIT);
			// The second port's packets are one flow, whatever their DSCP.
			assert_int_equal(
				r.entry_packets, i < 2 ? round : RTE_MIN(2 * round + i % 2, 4u));
			assert_int_equal(outputs(&r), i == 1 ? 1 << 3 : i < 2 ? 1 << 2 : 1 << 4);
			assert_int_equal(dp_worker_counters(b.dp, 0)->hits, before.hits);
			assert_int_equal(dp_worker_counters(b.dp, 0)->misses, before.misses);
			assert_int_equal(dp_worker_counters(b.dp, 0)->stale, before.stale);
			if (round == 2)
				continue;
			bench_feed(&b, 0, 0, frame_make(&b, &f));
			bench_run(&b);
			assert_int_equal(came_out(&b), outputs(&r));
		}
		if (round == 1)
			bench_publish(&b);
	}
	bench_end(&b);
}

// A mark of a live lane, and one of nothing.
static void
lanes(void **state)
{
	struct dp_trace_job job = {.origin = 0, .dry = true};
	struct dp_order o = {.type = DP_ORD_TRACE, .trace = &job};
	struct frame f = udp(1, 2, 1);
	struct dp_verdict verdict;
	struct flow_offsets off;
	struct dp_lane lane;
	struct flow_key key;
	struct bench b;
	unsigned i;

	begin(&b);
	memset(&lane, 0, sizeof(lane));
	job.m = frame_make(&b, &f);
	assert_int_equal(flow_parse(job.m, 5, 0, 0, &key, &off), FLOW_OK);
	rte_pktmbuf_free(job.m);
	dp_compile(b.snap, &key, &lane.program, &verdict);
	lane.gen = 3;
	lane.version = 1;
	atomic_store(&b.lanes[7], &lane);
	for (i = 0; i < 2; i++) {
		job.m = frame_make(&b, &f);
		job.m->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
		job.m->hash.fdir.hi = (3 + i) << DP_LANE_INDEX_BITS | 7;
		run_order(&b, &o);
		assert_true(job.record.marked);
		assert_int_equal(job.record.from, i == 0 ? DP_TRACE_LANE : DP_TRACE_MISS);
		assert_int_equal(outputs(&job.record), 1 << 2);
	}
	assert_int_equal(dp_lane_counts(b.dp, 0)[7].packets, 0);
	bench_end(&b);
}

// All packets go on in their order; of those that match so many are recorded as the budget, the
// rate and the ring allow; of what was asked for, what they do not allow is counted.
static void
live_bounds(void **state)
{
	const struct flow_match m = match("udp dport=1");
	const unsigned seed = 77;
	struct dp_trace_record r;
	struct sl_rng rng = {.state = seed};
	struct bench b;
	unsigned run, i;

	begin(&b);
	for (run = 0; run < 20; run++) {
		uint32_t budget = 1 + sl_rng_below(&rng, 100);
		struct dp_live *l = dp_live_new(&m, budget, run % 4 == 3 ? 1 : UINT32_MAX, 0);
		unsigned n = 1 + sl_rng_below(&rng, 200), hits = 0, recorded = 0, out = 0, bound;
		struct rte_mbuf *got;

		assert_non_null(l);
		live(&b, l);
		for (i = 0; i < n; i++) {
			struct frame f = udp(1, 2, 1 + (uint16_t)(sl_rng_below(&rng, 3) == 0));

			f.stamp = i + 1;
			hits += f.dport == 1;
			bench_feed(&b, 0, 0, frame_make(&b, &f));
		}
		bench_run(&b);
		live(&b, NULL);
		assert_int_equal(l->matched, hits);
		for (i = 0; (got = bench_out(&b, 2)) != NULL; out++) {
			if (frame_stamp(got) <= i)
				fail_msg("seed %u run %u: %u after %u", seed, run, frame_stamp(got),
					i);
			i = frame_stamp(got);
			rte_pktmbuf_free(got);
		}
		assert_int_equal(out, hits);
		bench_count_out(&b, 1);
		for (; dp_live_get(l, &r); recorded++) {
			assert_int_equal(r.key.l4_dst, rte_cpu_to_be_16(1));
			assert_int_equal(outputs(&r), 1 << 2);
			assert_false(r.dry);
		}
		// What comes when the budget is spent was not asked for, and is not lost.
		if (recorded < budget)
			assert_int_equal(recorded + l->lost, hits);
		else if (run % 4 != 3)
			assert_int_equal(l->lost, 0);
		else
			assert_true(recorded + l->lost <= hits);
		assert_true(recorded <= budget && recorded < DP_LIVE_RECORDS);
		bound = budget < DP_LIVE_RECORDS ? budget : DP_LIVE_RECORDS - 1;
		if (run % 4 == 3)
			assert_true(recorded <= 11);
		else
			assert_int_equal(recorded, hits < bound ? hits : bound);
		dp_live_free(l);
	}
	bench_end(&b);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_trace");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foretells),
		cmocka_unit_test(record),
		cmocka_unit_test(rates),
		cmocka_unit_test(by_fields),
		cmocka_unit_test(lanes),
		cmocka_unit_test(live_bounds),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

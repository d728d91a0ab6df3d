// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

// Lanes, orders and events: what control and the workers tell each other.

static void
order(struct bench *b, struct dp_order *o)
{
	_Atomic uint32_t done = 0;
	unsigned i;

	o->done = &done;
	assert_true(dp_order_put(b->dp, 0, o));
	for (i = 0; i < 3 && done == 0; i++) {
		dp_worker_once(b->dp->worker[0]);
		dp_worker_offline(b->dp->worker[0]);
	}
	assert_int_equal(done, 1);
}

static struct rte_mbuf *
stamped(struct bench *b, uint16_t dport, uint32_t stamp, uint32_t mark)
{
	struct frame f = {
		.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .dport = dport, .stamp = stamp};
	struct rte_mbuf *m = frame_make(b, &f);

	if (mark != 0) {
		m->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
		m->hash.fdir.hi = mark;
	}
	return m;
}

static uint32_t
mark_of(uint32_t index, uint32_t gen)
{
	return gen << DP_LANE_INDEX_BITS | index;
}

// What came out by vport, all of it, as bytes.
static unsigned
collect(struct bench *b, uint16_t vport, uint8_t *out, unsigned size)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	while ((m = bench_out(b, vport)) != NULL) {
		assert_true(n + m->pkt_len <= size);
		memcpy(out + n, rte_pktmbuf_mtod(m, void *), m->pkt_len);
		assert_false(m->ol_flags & RTE_MBUF_F_RX_FDIR_ID);
		n += m->pkt_len;
		rte_pktmbuf_free(m);
	}
	return n;
}

// A lane does the same to its packets as software, and counts the same.
static void
lane_like_software(void **state)
{
	static const char *const actions[] = {"output=1", "set_vlan=7,output=1", "drop",
		"set_eth_dst=02:00:00:00:00:33,output=1,output=2", "ring,class=1,output=1"};
	uint8_t soft[4096], lane_bytes[4096];
	unsigned a, i, n[2];

	for (a = 0; a < RTE_DIM(actions); a++) {
		struct dp_verdict v;
		struct dp_lane lane = {.gen = 3, .path = DP_PATH_EXCLUSIVE_QUEUE};
		struct flow_key key;
		struct bench b;

		bench_begin(&b, 3, 2, 1);
		b.assigned_from = 1;
		bench_rule(&b, 1, 1, "port=0", actions[a]);
		bench_publish(&b);
		for (i = 0; i < 20; i++)
			bench_feed(&b, 0, 0, stamped(&b, 5, i, 0));
		bench_run(&b);
		n[0] = collect(&b, 1, soft, sizeof(soft));
		bench_count_out(&b, 2);
		flow_key_init(&key, 5, 0);
		key.eth_dst[0] = 2;
		dp_compile(b.snap, &key, &lane.program, &v);
		lane.actions = &v.actions;
		b.lanes[77] = &lane;
		for (i = 0; i < 20; i++)
			bench_feed(&b, 0, 1, stamped(&b, 5, i, mark_of(77, 3)));
		bench_run(&b);
		n[1] = collect(&b, 1, lane_bytes, sizeof(lane_bytes));
		bench_count_out(&b, 2);
		assert_int_equal(n[0], n[1]);
		assert_memory_equal(soft, lane_bytes, n[0]);
		assert_int_equal(dp_rule_counts(b.dp, 0, 0)[1].packets, 40);
		assert_int_equal(dp_lane_counts(b.dp, 0)[77].packets, 20);
		assert_int_equal(dp_lane_counts(b.dp, 0)[77].bytes, 20 * 46);
		assert_int_equal(
			dp_vport_counters(b.dp, 0)[0].path_packets[DP_PATH_EXCLUSIVE_QUEUE], 20);
		assert_int_equal(dp_worker_counters(b.dp, 0)->lane_hits, 20);
		assert_int_equal(dp_worker_counters(b.dp, 0)->misses, 20);
		// A mark of another generation, index or origin is an ordinary packet.
		bench_feed(&b, 0, 1, stamped(&b, 5, 0, mark_of(77, 4)));
		bench_feed(&b, 0, 1, stamped(&b, 5, 0, mark_of(78, 3)));
		bench_feed(&b, 2, 1, stamped(&b, 5, 0, mark_of(77, 3)));
		bench_feed(&b, 0, 1, stamped(&b, 5, 0, UINT32_MAX));
		bench_run(&b);
		assert_int_equal(dp_worker_counters(b.dp, 0)->lane_stale, 4);
		assert_int_equal(dp_lane_counts(b.dp, 0)[77].packets, 20);
		bench_end(&b);
	}
}

// A flow that was on the ring gets a lane: its packets do not overtake those in the ring.
static void
lane_after_ring(void **state)
{
	struct dp_lane lane = {
		.gen = 1, .path = DP_PATH_EXCLUSIVE_QUEUE, .version = 1, .was_ring = true};
	struct dp_verdict v;
	struct flow_key key;
	struct bench b;
	unsigned i;

	bench_begin(&b, 2, 2, 1);
	b.assigned_from = 1;
	bench_rule(&b, 1, 1, "port=0", "ring,output=1");
	bench_publish(&b);
	bench_dev(&b, 1)->room = 0;
	for (i = 0; i < 5; i++)
		bench_feed(&b, 0, 0, stamped(&b, 5, i, 0));
	bench_run(&b);
	flow_key_init(&key, 5, 0);
	dp_compile(b.snap, &key, &lane.program, &v);
	lane.program.flags &= (uint8_t)~DP_PROG_RING;
	b.lanes[9] = &lane;
	for (; i < 10; i++)
		bench_feed(&b, 0, 1, stamped(&b, 5, i, mark_of(9, 1)));
	bench_run(&b);
	assert_int_equal(dp_held(b.dp), 10);
	bench_dev(&b, 1)->room = UINT32_MAX;
	for (; i < 20; i++) {
		bench_feed(&b, 0, 1, stamped(&b, 5, i, mark_of(9, 1)));
		bench_run(&b);
	}
	for (i = 0; i < 20; i++) {
		struct rte_mbuf *m = bench_out(&b, 1);

		assert_int_equal(frame_stamp(m), i);
		rte_pktmbuf_free(m);
	}
	// Seen empty once: straight ever after.
	bench_dev(&b, 1)->room = 0;
	bench_feed(&b, 0, 1, stamped(&b, 5, i, mark_of(9, 1)));
	bench_run(&b);
	assert_int_equal(dp_held(b.dp), 0);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_TX_FULL), 1);
	bench_end(&b);
}

static void
sent_by(struct bench *b, uint16_t queue, uint32_t stamp)
{
	struct rte_mbuf *m = fake_pop(&bench_dev(b, 1)->tx[queue]);

	if (m == NULL)
		fail_msg("packet %u was expected on transmit queue %u", stamp, queue);
	assert_int_equal(frame_stamp(m), stamp);
	rte_pktmbuf_free(m);
}

// A flow that gets another transmit queue uses it when the device has sent what the old one held.
static void
queue_after_queue(void **state)
{
	struct dp_lane lane = {
		.gen = 1, .path = DP_PATH_EXCLUSIVE_QUEUE, .version = 7, .moved = true};
	struct dp_order to_2 = {.type = DP_ORD_SET_HOST, .txq = 2};
	struct dp_verdict v;
	struct bench b;

	bench_begin(&b, 2, 3, 1);
	b.assigned_from = 1;
	bench_rule(&b, 1, 1, "port=0", "output=1");
	bench_publish(&b);
	bench_feed(&b, 0, 0, stamped(&b, 5, 0, 0));
	bench_run(&b);
	sent_by(&b, 0, 0);
	{
		struct rte_mbuf *m = stamped(&b, 5, 0, 0);
		struct flow_offsets off;

		assert_int_equal(flow_parse(m, 5, 0, 0, &to_2.key, &off), FLOW_OK);
		rte_pktmbuf_free(m);
	}
	bench_dev(&b, 1)->tx_busy[0] = true;
	order(&b, &to_2);
	bench_feed(&b, 0, 0, stamped(&b, 5, 1, 0));
	bench_run(&b);
	sent_by(&b, 0, 1);
	bench_dev(&b, 1)->tx_busy[0] = false;
	bench_feed(&b, 0, 0, stamped(&b, 5, 2, 0));
	bench_run(&b);
	sent_by(&b, 2, 2);

	// The same on a lane: from queue 2 to 1, once and for all.
	dp_compile(b.snap, &to_2.key, &lane.program, &v);
	lane.before = lane.program;
	lane.before.txq = 2;
	lane.program.txq = 1;
	b.lanes[9] = &lane;
	bench_dev(&b, 1)->tx_busy[2] = true;
	bench_feed(&b, 0, 1, stamped(&b, 5, 3, mark_of(9, 1)));
	bench_run(&b);
	sent_by(&b, 2, 3);
	bench_dev(&b, 1)->tx_busy[2] = false;
	bench_feed(&b, 0, 1, stamped(&b, 5, 4, mark_of(9, 1)));
	bench_run(&b);
	sent_by(&b, 1, 4);
	bench_dev(&b, 1)->tx_busy[2] = true;
	bench_feed(&b, 0, 1, stamped(&b, 5, 5, mark_of(9, 1)));
	bench_run(&b);
	sent_by(&b, 1, 5);
	b.lanes[9] = NULL;
	bench_end(&b);
}

// A NIC that gives a flow's packets to one queue, and at some moment to another.
struct steering {
	struct bench *b;
	struct sl_rng rng;
	uint32_t next, end;
	uint16_t queue;
	uint32_t switch_at; // stamp
	uint16_t then;
};

static void
arrive(void *ctx)
{
	struct steering *s = ctx;
	unsigned n = sl_rng_below(&s->rng, DP_BURST + DP_BURST / 4);

	for (; n > 0 && s->next < s->end; n--) {
		if (s->next == s->switch_at)
			s->queue = s->then;
		fake_push(&bench_dev(s->b, 0)->rx[s->queue],
			stamped(s->b, 5, s->next++, s->queue == 1 ? mark_of(4, 1) : 0));
	}
}

// Returns how many packets came out before one that was sent earlier.
static unsigned
overtaken(uint64_t seed, enum dp_move_mode mode, uint16_t from)
{
	struct dp_order o = {.type = DP_ORD_MOVE_MODE, .mode = (uint8_t)mode};
	struct dp_lane lane = {.gen = 1, .path = DP_PATH_EXCLUSIVE_QUEUE};
	struct steering s = {.rng = {seed}, .queue = from, .then = 1 - from, .end = 200};
	unsigned wrong = 0, total = 0;
	struct dp_verdict v;
	struct flow_key key;
	uint32_t last = 0, stamp;
	struct rte_mbuf *m;
	struct bench b;

	bench_begin(&b, 2, 2, 1);
	b.assigned_from = 1;
	bench_rule(&b, 1, 1, "port=0", "output=1");
	bench_publish(&b);
	flow_key_init(&key, 5, 0);
	dp_compile(b.snap, &key, &lane.program, &v);
	b.lanes[4] = &lane;
	s.b = &b;
	s.switch_at = UINT32_MAX;
	bench_dev(&b, 0)->arrive = arrive;
	bench_dev(&b, 0)->ctx = &s;
	dp_worker_once(b.dp->worker[0]);
	order(&b, &o);
	// In the mode: the rule is installed at any moment from here on.
	s.end = 1000;
	s.switch_at = s.next + sl_rng_below(&s.rng, 200);
	bench_run(&b);
	while ((m = bench_out(&b, 1)) != NULL) {
		stamp = frame_stamp(m);
		wrong += stamp < last;
		last = stamp;
		total++;
		rte_pktmbuf_free(m);
	}
	assert_int_equal(total, 1000);
	assert_true(s.queue == s.then);
	bench_end(&b);
	return wrong;
}

static void
moves_keep_order(void **state)
{
	unsigned without[2] = {0, 0};
	uint64_t seed;

	for (seed = 1; seed <= 40; seed++) {
		if (overtaken(seed, DP_MOVE_IN, 0) != 0)
			fail_msg("seed %lu: overtaken on the way in", seed);
		if (overtaken(seed, DP_MOVE_OUT, 1) != 0)
			fail_msg("seed %lu: overtaken on the way out", seed);
		without[0] += overtaken(seed, DP_MOVE_NONE, 0);
		without[1] += overtaken(seed, DP_MOVE_OUT, 0);
	}
	// The test sees it when the mode is missing or the wrong one.
	assert_true(without[0] > 0);
	assert_true(without[1] > 0);
}

static void
injected(void **state)
{
	struct dp_order sync = {.type = DP_ORD_SYNC};
	struct bench b;
	unsigned i;

	bench_begin(&b, 2, 1, 1);
	bench_rule(&b, 1, 1, "port=0", "output=1");
	bench_publish(&b);
	for (i = 0; i < 3; i++)
		assert_true(dp_inject(b.dp, 0, stamped(&b, 5, i, 0), 0));
	assert_true(dp_inject(b.dp, 0, stamped(&b, 5, i, 0), DP_ORIGINATED));
	bench_run(&b);
	order(&b, &sync);
	assert_int_equal(dp_vport_counters(b.dp, 0)[0].originated, 3);
	assert_int_equal(dp_vport_counters(b.dp, 0)[0].received, 0);
	assert_int_equal(dp_vport_counters(b.dp, 0)[DP_VPORTS_MAX - 1].originated, 1);
	assert_int_equal(bench_dropped(&b, DP_VPORTS_MAX - 1, DP_DROP_NO_RULE), 1);
	assert_int_equal(bench_count_out(&b, 1), 3);
	bench_end(&b);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_order");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lane_like_software),
		cmocka_unit_test(lane_after_ring),
		cmocka_unit_test(queue_after_queue),
		cmocka_unit_test(moves_keep_order),
		cmocka_unit_test(injected),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "classify/entry.h"
#include "dp_support.h"

// Targets' rings, hand-overs between workers, and what happens when there is no room.

static struct frame
flow(uint16_t dport, uint32_t stamp)
{
	return (struct frame){
		.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .dport = dport, .stamp = stamp};
}

static void
feed(struct bench *b, uint16_t vport, uint16_t queue, uint16_t dport, uint32_t stamp)
{
	struct frame f = flow(dport, stamp);

	bench_feed(b, vport, queue, frame_make(b, &f));
}

static uint32_t
next_stamp(struct bench *b, uint16_t vport)
{
	struct rte_mbuf *m = bench_out(b, vport);
	uint32_t stamp;

	assert_non_null(m);
	stamp = frame_stamp(m);
	rte_pktmbuf_free(m);
	return stamp;
}

// Class 0 is strict above 1 and 2; a stuck target fills its own rings and no other's.
static void
priorities_and_stuck(void **state)
{
	struct bench b;
	unsigned i;

	bench_begin(&b, 4, 1, 1);
	bench_rule(&b, 1, 9, "port=0 udp dport=1", "ring,class=0,output=1");
	bench_rule(&b, 2, 9, "port=0 udp dport=2", "ring,class=1,output=1");
	bench_rule(&b, 3, 9, "port=0 udp dport=3", "ring,class=1,output=2");
	bench_publish(&b);
	bench_dev(&b, 1)->room = 0;
	for (i = 0; i < 80; i++) {
		feed(&b, 0, 0, 2, 2000 + i);
		feed(&b, 0, 0, 1, 1000 + i);
		feed(&b, 0, 0, 3, 3000 + i);
	}
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 2), 80);
	assert_int_equal(dp_held(b.dp), 128);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_RING_FULL), 32);
	assert_int_equal(dp_vport_counters(b.dp, 0)[0].path_packets[DP_PATH_RING], 240);
	bench_dev(&b, 1)->room = 64 + 10;
	bench_run(&b);
	for (i = 0; i < 64; i++)
		assert_int_equal(next_stamp(&b, 1), 1000 + i);
	for (i = 0; i < 10; i++)
		assert_int_equal(next_stamp(&b, 1), 2000 + i);
	bench_dev(&b, 1)->down = true;
	bench_run(&b);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_LINK_DOWN), 54);
	assert_int_equal(dp_held(b.dp), 0);
	bench_end(&b);
}

// Two workers, one transmit queue: worker 1 goes through worker 0.
static void
hand_over(void **state)
{
	struct bench b;
	unsigned i;

	bench_begin(&b, 3, 2, 2);
	bench_rule(&b, 1, 9, "port=0", "output=1");
	bench_rule(&b, 2, 9, "port=2", "ring,output=1");
	dp_port_free(b.vport[1].port);
	b.vport[1].port = fake_port(1, 1, 1, 2);
	bench_publish(&b);
	for (i = 0; i < 200; i++)
		feed(&b, 0, 1, 5, i);
	bench_run(&b);
	assert_int_equal(dp_vport_counters(b.dp, 1)[0].received, 200);
	assert_int_equal(dp_vport_counters(b.dp, 0)[0].sent, 200);
	for (i = 0; i < 200; i++)
		assert_int_equal(next_stamp(&b, 1), i);
	for (i = 0; i < 60; i++)
		feed(&b, 2, 1, 5, i);
	bench_run(&b);
	for (i = 0; i < 60; i++)
		assert_int_equal(next_stamp(&b, 1), i);
	// The owner does not come: its ring fills, and gives what it held when it comes.
	for (i = 0; i < 2000; i++)
		feed(&b, 0, 1, 5, i);
	for (i = 0; i < 2000 / DP_BURST + 1; i++)
		dp_worker_once(b.dp->worker[1]);
	bench_check(&b, 0);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_HANDOVER_FULL), 2000 - 1023);
	assert_int_equal(dp_held(b.dp), 1023);
	dp_worker_offline(b.dp->worker[1]);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 1023);
	bench_end(&b);
}

// The target loses its port while its packets are under way.
static void
port_removed(void **state)
{
	struct dp_port *old;
	struct dp_order drain = {.type = DP_ORD_DRAIN_PORT};
	_Atomic uint32_t done = 0;
	struct bench b;
	unsigned i;

	bench_begin(&b, 3, 2, 2);
	bench_rule(&b, 1, 9, "port=0 udp dport=5", "output=1");
	bench_rule(&b, 2, 9, "port=0 udp dport=6", "ring,output=1");
	dp_port_free(b.vport[1].port);
	b.vport[1].port = fake_port(2, 1, 1, 2);
	bench_publish(&b);
	bench_dev(&b, 1)->room = 0;
	for (i = 0; i < 10; i++)
		feed(&b, 0, 0, 6, i);
	bench_run(&b);
	for (i = 0; i < 10; i++)
		feed(&b, 0, 1, 5, i);
	dp_worker_once(b.dp->worker[1]);
	dp_worker_offline(b.dp->worker[1]);
	assert_int_equal(dp_held(b.dp), 20);
	old = b.vport[1].port;
	b.vport[1].port = NULL;
	bench_publish(&b);
	drain.port = old;
	drain.done = &done;
	assert_true(dp_order_put(b.dp, 0, &drain));
	assert_true(dp_order_put(b.dp, 1, &drain));
	for (i = 0; i < 2; i++) {
		dp_worker_once(b.dp->worker[i]);
		dp_worker_offline(b.dp->worker[i]);
	}
	assert_int_equal(done, 2);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_PORT_REMOVED), 20);
	bench_check(&b, 0);
	dp_port_free(old);
	feed(&b, 0, 0, 6, 1);
	bench_run(&b);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_NO_ATTACHMENT), 1);
	bench_end(&b);
}

static void
no_buffer(void **state)
{
	struct rte_mbuf *hog[4095];
	struct bench b;

	bench_begin(&b, 4, 1, 1);
	bench_rule(&b, 1, 9, "port=0", "output=1,output=2,output=3");
	bench_publish(&b);
	assert_int_equal(rte_pktmbuf_alloc_bulk(b.copies, hog, 4095), 0);
	feed(&b, 0, 0, 5, 1);
	bench_run(&b);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_NO_BUFFER), 2);
	assert_int_equal(bench_count_out(&b, 3), 1);
	rte_pktmbuf_free_bulk(hog, 4095);
	bench_end(&b);
}

static struct dp_program *
only_program(struct bench *b, struct cache_flow *copy)
{
	struct cache_flow entries[256];
	struct dp_flow_dump dump = {.size = 256, .entries = entries};
	_Atomic uint32_t done = 0;
	struct dp_order o = {.type = DP_ORD_DUMP, .dump = &dump, .done = &done};

	assert_true(dp_order_put(b->dp, 0, &o));
	dp_worker_once(b->dp->worker[0]);
	dp_worker_offline(b->dp->worker[0]);
	assert_int_equal(done, 1);
	assert_int_equal(dump.n, 1);
	assert_false(dump.more);
	*copy = entries[0];
	return (struct dp_program *)copy->value;
}

// From port 0 to port 1 goes a flow of one packet so far, and is ordered to the ring.
static struct dp_order
begin_ring_flow(struct bench *b)
{
	struct dp_order o = {
		.type = DP_ORD_SET_HOST, .txq = DP_TXQ_OWN, .flags = DP_PROG_HOST_RING};
	struct cache_flow copy;

	bench_begin(b, 2, 1, 1);
	bench_rule(b, 1, 9, "port=0", "output=1");
	bench_publish(b);
	feed(b, 0, 0, 5, 0);
	bench_run(b);
	only_program(b, &copy);
	o.key = copy.key;
	assert_true(dp_order_put(b->dp, 0, &o));
	return o;
}

// A flow goes to the ring by order and comes back; no packet overtakes one that lies in the ring.
static void
to_ring_and_back(void **state)
{
	struct cache_flow copy;
	struct dp_order o;
	struct bench b;
	unsigned i, seen = 0;

	o = begin_ring_flow(&b);
	bench_dev(&b, 1)->room = 0;
	for (i = 1; i <= 5; i++)
		feed(&b, 0, 0, 5, i);
	bench_run(&b);
	assert_int_equal(dp_held(b.dp), 5);
	// Kept when the flow is decided anew.
	bench_publish(&b);
	feed(&b, 0, 0, 5, 6);
	bench_run(&b);
	assert_int_equal(dp_held(b.dp), 6);
	// Back: still by the ring while that holds something.
	o.flags = 0;
	assert_true(dp_order_put(b.dp, 0, &o));
	feed(&b, 0, 0, 5, 7);
	bench_run(&b);
	assert_int_equal(dp_held(b.dp), 7);
	bench_dev(&b, 1)->room = UINT32_MAX;
	feed(&b, 0, 0, 5, 8);
	bench_run(&b);
	feed(&b, 0, 0, 5, 9);
	bench_run(&b);
	assert_int_equal(only_program(&b, &copy)->flags & (DP_PROG_HOST_RING | DP_PROG_LINGER), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(next_stamp(&b, 1), seen++);
	assert_int_equal(copy.packets, 10);
	bench_end(&b);
}

// A flow comes back from the ring at the very packet that finds its decision stale: from then on it
// takes the quick way again.
static void
back_when_stale(void **state)
{
	const struct cache_entry *e;
	struct cache_flow copy;
	struct dp_order o;
	struct bench b;

	o = begin_ring_flow(&b);
	feed(&b, 0, 0, 5, 1);
	bench_run(&b);
	e = cache_lookup(b.dp->worker[0]->cache, &o.key);
	assert_non_null(e);
	assert_false(e->hint & ENTRY_PLAIN);
	o.flags = 0;
	assert_true(dp_order_put(b.dp, 0, &o));
	bench_run(&b);
	bench_publish(&b);
	feed(&b, 0, 0, 5, 2);
	bench_run(&b);
	assert_int_equal(only_program(&b, &copy)->flags & (DP_PROG_HOST_RING | DP_PROG_LINGER), 0);
	assert_true(e->hint & ENTRY_PLAIN);
	assert_int_equal(bench_count_out(&b, 1), 3);
	bench_end(&b);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_ring");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priorities_and_stuck),
		cmocka_unit_test(hand_over),
		cmocka_unit_test(port_removed),
		cmocka_unit_test(no_buffer),
		cmocka_unit_test(to_ring_and_back),
		cmocka_unit_test(back_when_stale),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

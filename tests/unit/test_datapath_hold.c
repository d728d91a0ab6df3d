// SPDX-License-Identifier: BSD-3-Clause
#include <rte_cycles.h>

#include "dp_support.h"
#include "out/tx.h"

// Packets that wait for others to the same transmit queue (out/tx.h).

#define LONG_US 4000000000u // longer than any test takes

static void
begin(struct bench *b, uint32_t hold_us)
{
	bench_begin(b, 3, 1, 1);
	bench_rule(b, 1, 9, "port=0 udp dport=1", "output=1");
	bench_rule(b, 2, 9, "port=0 udp dport=2", "output=2");
	bench_rule(b, 3, 9, "port=0 udp dport=3", "ring,class=0,output=1");
	bench_publish(b);
	b->snap->tx_hold_us = hold_us;
	bench_publish(b);
}

static void
feed(struct bench *b, uint16_t dport, uint32_t stamp)
{
	struct frame f = {
		.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .dport = dport, .stamp = stamp};

	bench_feed(b, 0, 0, frame_make(b, &f));
}

static void
assert_next(struct bench *b, uint16_t vport, uint32_t stamp)
{
	struct rte_mbuf *m = bench_out(b, vport);

	assert_non_null(m);
	assert_int_equal(frame_stamp(m), stamp);
	rte_pktmbuf_free(m);
}

static void
assert_none(struct bench *b, uint16_t vport)
{
	assert_null(bench_out(b, vport));
}

static void
finish(struct bench *b)
{
	dp_worker_offline(b->dp->worker[0]);
	bench_end(b);
}

// Packets of several polls go together once there are enough, and those to another queue stay.
static void
test_enough(void **state)
{
	struct bench b;
	uint32_t i;

	begin(&b, LONG_US);
	feed(&b, 2, 1000);
	for (i = 0; i < TX_ENOUGH; i++) {
		assert_none(&b, 1);
		feed(&b, 1, i);
		dp_worker_once(b.dp->worker[0]);
	}
	for (i = 0; i < TX_ENOUGH; i++)
		assert_next(&b, 1, i);
	assert_none(&b, 1);
	assert_none(&b, 2);
	dp_worker_offline(b.dp->worker[0]); // before it naps, or ends
	assert_next(&b, 2, 1000);
	finish(&b);
}

// Not before its time, and then without another packet.
static void
test_time(void **state)
{
	const uint32_t hold_us = 2000;
	uint64_t start, loops = 0;
	struct rte_mbuf *m;
	struct bench b;

	begin(&b, hold_us);
	feed(&b, 1, 7);
	start = rte_rdtsc();
	do {
		dp_worker_once(b.dp->worker[0]);
		m = bench_out(&b, 1);
		loops++;
	} while (m == NULL);
	assert_true(rte_rdtsc() - start >= hold_us * b.dp->us_cycles);
	assert_true(loops > 1);
	rte_pktmbuf_free(m);
	finish(&b);
}

static void
test_off(void **state)
{
	struct bench b;

	begin(&b, 0);
	feed(&b, 1, 7);
	dp_worker_once(b.dp->worker[0]);
	assert_next(&b, 1, 7);
	finish(&b);
}

// A ring's packets stay behind those that went to its target directly.
static void
test_ring(void **state)
{
	struct bench b;

	begin(&b, LONG_US);
	feed(&b, 1, 1);
	dp_worker_once(b.dp->worker[0]);
	assert_none(&b, 1);
	feed(&b, 3, 2);
	dp_worker_once(b.dp->worker[0]);
	assert_next(&b, 1, 1);
	assert_next(&b, 1, 2);
	finish(&b);
}

// Control that publishes, or waits for counters to be whole, is not kept waiting. A worker that
// holds packets says nothing of a grace period.
static void
test_control(void **state)
{
	_Atomic uint32_t done = 0;
	struct dp_order o = {.type = DP_ORD_SYNC, .done = &done};
	struct dp_worker *w;
	struct bench b;
	uint64_t token;

	begin(&b, LONG_US);
	w = b.dp->worker[0];
	feed(&b, 1, 1);
	dp_worker_once(w);
	token = rte_rcu_qsbr_start(b.dp->qsbr);
	dp_worker_once(w);
	assert_none(&b, 1);
	assert_int_equal(rte_rcu_qsbr_check(b.dp->qsbr, token, false), 0);
	atomic_fetch_add(&b.dp->published, 1);
	dp_worker_once(w);
	assert_next(&b, 1, 1);
	assert_int_equal(rte_rcu_qsbr_check(b.dp->qsbr, token, false), 1);
	feed(&b, 1, 2);
	dp_worker_once(w);
	assert_none(&b, 1);
	assert_true(dp_order_put(b.dp, 0, &o));
	dp_worker_once(w);
	assert_int_equal(done, 1);
	assert_next(&b, 1, 2);
	finish(&b);
}

static void
order(struct bench *b, const struct flow_key *key, uint16_t txq)
{
	const struct dp_order o = {.type = DP_ORD_SET_HOST, .key = *key, .txq = txq};

	assert_true(dp_order_put(b->dp, 0, &o));
}

static unsigned
sent_by(struct bench *b, uint16_t txq)
{
	return bench_dev(b, 1)->tx[txq].n;
}

// A flow that was sent by the queue of another worker comes back: what that worker holds of it is
// not overtaken.
static void
test_another_worker(void **state)
{
	struct dp_worker *w[2];
	struct frame f = {.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .dport = 1};
	struct rte_mbuf *m;
	struct flow_key key;
	struct bench b;

	bench_begin(&b, 2, 2, 2);
	bench_rule(&b, 1, 9, "port=0", "output=1");
	bench_publish(&b);
	b.snap->tx_hold_us = LONG_US;
	bench_publish(&b);
	w[0] = b.dp->worker[0];
	w[1] = b.dp->worker[1];
	m = frame_make(&b, &f);
	assert_int_equal(
		flow_parse(m, b.snap->sw[0].id, 0, 0, &key, &(struct flow_offsets){0}), FLOW_OK);
	bench_feed(&b, 0, 0, m);
	dp_worker_once(w[0]);
	dp_worker_offline(w[0]);
	assert_int_equal(sent_by(&b, 0), 1);
	order(&b, &key, 1);
	feed(&b, 1, 1);
	dp_worker_once(w[0]); // its packet goes to worker 1
	dp_worker_once(w[1]); // which holds it
	order(&b, &key, DP_TXQ_OWN);
	feed(&b, 1, 2);
	dp_worker_once(w[0]);
	dp_worker_offline(w[0]);
	assert_int_equal(sent_by(&b, 0), 1);
	dp_worker_once(w[1]);
	assert_int_equal(sent_by(&b, 1), 0);
	dp_worker_offline(w[1]);
	assert_int_equal(sent_by(&b, 1), 2);
	feed(&b, 1, 3);
	dp_worker_once(w[0]);
	dp_worker_offline(w[0]);
	assert_int_equal(sent_by(&b, 0), 2);
	assert_int_equal(bench_count_out(&b, 1), 4);
	bench_end(&b);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_hold");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enough),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_another_worker),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

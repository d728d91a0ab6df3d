// SPDX-License-Identifier: BSD-3-Clause
#include <rte_eth_ring.h>
#include <rte_launch.h>

#include "datapath/resize.h"
#include "dp_support.h"

// Workers on lcores of their own, on real ethdevs (net_ring), while control publishes.

#define PORTS 2
#define DEADLINE_S 50 // under a sanitizer on a busy machine; never reached otherwise

struct live {
	struct bench b;
	struct rte_ring *in[PORTS], *out[PORTS]; // as the wire sees them
	uint16_t ethdev[PORTS];
};

static struct dp_port *
ring_port(struct live *l, const char *test, uint16_t i)
{
	static const struct qos_class_cfg classes[3] = {{.level = 0, .weight = 1, .depth = 1024},
		{.level = 1, .weight = 3, .depth = 64}, {.level = 1, .weight = 1, .depth = 64}};
	struct rte_eth_conf conf = {0};
	struct dp_port *p = NULL;
	char name[32];
	int ethdev;

	snprintf(name, sizeof(name), "%s-in%u", test, i);
	l->in[i] = rte_ring_create(name, 1024, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "%s-out%u", test, i);
	l->out[i] = rte_ring_create(name, 1024, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(l->in[i]);
	assert_non_null(l->out[i]);
	ethdev = rte_eth_from_rings(name, &l->in[i], 1, &l->out[i], 1, 0);
	assert_true(ethdev >= 0);
	l->ethdev[i] = (uint16_t)ethdev;
	assert_int_equal(rte_eth_dev_configure(l->ethdev[i], 1, 1, &conf), 0);
	assert_int_equal(rte_eth_rx_queue_setup(l->ethdev[i], 0, 512, 0, NULL, l->b.pool), 0);
	assert_int_equal(rte_eth_tx_queue_setup(l->ethdev[i], 0, 512, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(l->ethdev[i]), 0);
	assert_int_equal(dp_port_ethdev(l->ethdev[i], 1, 1, &p), 0);
	p->index = i;
	p->vport = i;
	assert_int_equal(dp_port_attach(p, l->b.n_workers, classes, 3, 0), 0);
	dp_port_poll_link(p);
	assert_true(p->ops->link(p));
	return p;
}

static void
begin(struct live *l, const char *test, const char *actions)
{
	struct dp_datapath_cfg cfg = {
		.n_workers = 1, .lcore = {1}, .flows = 1024, .seed = 1, .sleep_after = 1000};
	struct sl_err err;
	uint16_t i;

	memset(l, 0, sizeof(*l));
	bench_begin(&l->b, 0, 1, 1);
	dp_free(l->b.dp);
	cfg.copies = l->b.copies;
	sl_err_init(&err);
	assert_int_equal(dp_new(&cfg, &l->b.dp, &err), 0);
	assert_int_equal(dp_rule_counts_new(l->b.dp, 0, BENCH_RULES), 0);
	for (i = 0; i < PORTS; i++)
		l->b.vport[i] = (struct dp_vport){
			.id = i, .vm = DP_NONE, .mtu = 1500, .port = ring_port(l, test, i)};
	bench_rule(&l->b, 1, 1, "port=0", actions);
}

static void
settle(struct live *l)
{
	_Atomic uint32_t done = 0;
	struct dp_order o = {.type = DP_ORD_SYNC, .done = &done};
	time_t end = time(NULL) + DEADLINE_S;

	assert_true(dp_order_put(l->b.dp, 0, &o));
	while (done == 0)
		assert_true(time(NULL) <= end);
}

static void
finish(struct live *l)
{
	struct rte_mbuf *m;
	uint16_t i;

	settle(l);
	bench_check(&l->b, 0);
	dp_stop(l->b.dp);
	dp_free(l->b.dp);
	for (i = 0; i < PORTS; i++) {
		dp_port_free(l->b.vport[i].port);
		while (rte_ring_dequeue(l->out[i], (void **)&m) == 0)
			rte_pktmbuf_free(m);
		rte_eth_dev_stop(l->ethdev[i]);
		rte_eth_dev_close(l->ethdev[i]);
		rte_ring_free(l->in[i]);
		rte_ring_free(l->out[i]);
	}
	rules_set_put(l->b.set);
	rules_free(l->b.rules);
	dp_mac_table_free(l->b.macs);
	assert_int_equal(rte_mempool_in_use_count(l->b.pool), 0);
	rte_mempool_free(l->b.pool);
	rte_mempool_free(l->b.copies);
}

// Every packet comes out once and in order, while the snapshot is replaced all the time.
static void
publish_under_traffic(void **state)
{
	struct live *l = calloc(1, sizeof(*l));
	time_t end = time(NULL) + DEADLINE_S;
	uint32_t sent = 0, back = 0, published = 0;
	struct rte_mbuf *m;
	struct sl_err err;

	begin(l, "publish", "output=1");
	bench_publish(&l->b);
	sl_err_init(&err);
	assert_int_equal(dp_start(l->b.dp, l->b.snap, &err), 0);
	while (back < 20000) {
		struct frame f = {.src = 1, .dst = 2, .dport = 7, .stamp = sent};

		if (sent < 20000 && sent - back < 500) {
			m = frame_make(&l->b, &f);
			if (rte_ring_enqueue(l->in[0], m) == 0)
				sent++;
			else
				rte_pktmbuf_free(m);
		}
		while (rte_ring_dequeue(l->out[1], (void **)&m) == 0) {
			assert_int_equal(frame_stamp(m), back++);
			rte_pktmbuf_free(m);
		}
		if (sent % 64 == 0) {
			bench_publish(&l->b);
			published++;
		}
		assert_true(time(NULL) <= end);
	}
	assert_true(published >= 300);
	finish(l);
	free(l);
}

#define FLOWS 700

// What came out: of each flow in order.
static uint32_t
take_flows(struct live *l, uint32_t *next)
{
	struct rte_mbuf *m;
	uint32_t n = 0;

	for (; rte_ring_dequeue(l->out[1], (void **)&m) == 0; n++) {
		uint32_t stamp = frame_stamp(m);

		assert_int_equal(stamp, next[stamp % FLOWS]);
		next[stamp % FLOWS] += FLOWS;
		rte_pktmbuf_free(m);
	}
	return n;
}

// No packet is lost while the worker's cache is exchanged all the time.
static void
resize_under_traffic(void **state)
{
	const struct dp_order order = {.type = DP_ORD_RESIZE};
	struct live *l = calloc(1, sizeof(*l));
	time_t end = time(NULL) + DEADLINE_S;
	uint32_t sent = 0, back = 0, resizes = 0;
	const struct dp_worker_counters *c;
	uint32_t next[FLOWS];
	struct dp_event ev[64];
	struct rte_mbuf *m;
	struct sl_err err;

	for (uint32_t i = 0; i < FLOWS; i++)
		next[i] = i;
	begin(l, "resize", "output=1");
	bench_publish(&l->b);
	l->b.snap->report_rate = 1;
	sl_err_init(&err);
	assert_int_equal(dp_start(l->b.dp, l->b.snap, &err), 0);
	c = dp_worker_counters(l->b.dp, 0);
	while (back < 20000 || resizes < 30) {
		struct frame f = {
			.src = 1, .dst = 2, .dport = (uint16_t)(sent % FLOWS), .stamp = sent};

		if (sent - back < 500) {
			m = frame_make(&l->b, &f);
			if (rte_ring_enqueue(l->in[0], m) == 0)
				sent++;
			else
				rte_pktmbuf_free(m);
		}
		back += take_flows(l, next);
		while (dp_events_get(l->b.dp, ev, RTE_DIM(ev)) > 0)
			;
		if (sent % 64 == 0 && !dp_resize_run(l->b.dp)) {
			assert_int_equal(
				dp_resize_prepare(l->b.dp, resizes % 2 ? 1024 : 30000, &err), 0);
			assert_true(dp_order_put(l->b.dp, 0, &order));
			resizes++;
		}
		assert_true(time(NULL) <= end);
	}
	for (; back < sent; back += take_flows(l, next))
		assert_true(time(NULL) <= end);
	// None was ever missing.
	assert_int_equal(c->flows_seen, FLOWS);
	assert_int_equal(c->evicted, 0);
	finish(l);
	free(l);
}

static void
naps_when_idle(void **state)
{
	struct live *l = calloc(1, sizeof(*l));
	const struct dp_worker_counters *c;
	time_t end = time(NULL) + DEADLINE_S;
	struct frame f = {.src = 1, .dst = 2};
	struct rte_mbuf *m;
	struct sl_err err;
	uint64_t naps;
	unsigned i;

	begin(l, "naps", "ring,output=1");
	bench_publish(&l->b);
	sl_err_init(&err);
	assert_int_equal(dp_start(l->b.dp, l->b.snap, &err), 0);
	c = dp_worker_counters(l->b.dp, 0);
	for (i = 0; i < 20; i++) {
		naps = c->naps;
		while (c->naps < naps + 3)
			assert_true(time(NULL) <= end);
		assert_int_equal(rte_ring_enqueue(l->in[0], frame_make(&l->b, &f)), 0);
		while (rte_ring_dequeue(l->out[1], (void **)&m) != 0)
			assert_true(time(NULL) <= end);
		rte_pktmbuf_free(m);
	}
	assert_true(c->empty_loops > 0 && c->busy_cycles < c->total_cycles);
	finish(l);
	free(l);
}

static int
setup(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "test_datapath_worker", "--no-huge", "--no-shconf",
		"--no-pci", "--no-telemetry", "--lcores=0@0,1@1", "-m256", "--log-level=critical",
		NULL};

	return rte_eal_init(8, argv) < 0 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publish_under_traffic),
		cmocka_unit_test(resize_under_traffic),
		cmocka_unit_test(naps_when_idle),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

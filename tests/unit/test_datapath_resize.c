// SPDX-License-Identifier: BSD-3-Clause
// The workers' caches get another size while packets flow: no flow is lost that fits, none is told
// or counted twice, and those that leave are told with all that they had.
#include <errno.h>
#include <sys/resource.h>

#include <rte_ring_elem.h>

#include "dp_support.h"

#include "classify/report.h"
#include "datapath/resize.h"
#include "datapath/trace.h"
#include "engine_test.h"

#define FLOWS_MAX 4000

struct resizing {
	struct bench b;
	struct trial t;
	uint64_t fed[FLOWS_MAX], told[FLOWS_MAX]; // packets
	uint32_t next[FLOWS_MAX];                 // stamp that comes out next
	unsigned n_gone;
	bool out[FLOWS_MAX]; // has left the cache
};

static void
tick(struct resizing *r, uint32_t ticks)
{
	r->b.dp->worker[0]->tick += ticks;
	r->b.dp->worker[0]->next_tick = UINT64_MAX;
}

static void
once(struct resizing *r)
{
	dp_worker_once(r->b.dp->worker[0]);
	dp_worker_offline(r->b.dp->worker[0]);
	bench_check(&r->b, (unsigned)r->t.seed);
}

// A worker that tells control of every flow with a packet.
static struct resizing *
begin(uint32_t flows)
{
	struct resizing *r = calloc(1, sizeof(*r));
	const struct dp_order o = {.type = DP_ORD_RESIZE};
	struct sl_err err;

	assert_non_null(r);
	r->t = trial_start(61);
	bench_begin(&r->b, 3, 1, 1);
	r->b.vport[0].port->nic = 0;
	bench_rule(&r->b, 1, 1, "port=0", "output=1");
	bench_publish(&r->b);
	r->b.snap->report_rate = 1;
	sl_err_init(&err);
	assert_int_equal(dp_resize_prepare(r->b.dp, flows, &err), 0);
	assert_true(dp_order_put(r->b.dp, 0, &o));
	bench_run(&r->b);
	assert_false(dp_resize_run(r->b.dp));
	tick(r, 1);
	return r;
}

static void
end(struct resizing *r)
{
	bench_end(&r->b);
	free(r);
}

// Control asks for it; the worker has yet to see the order.
static void
ask(struct resizing *r, uint32_t flows)
{
	const struct dp_order o = {.type = DP_ORD_RESIZE};
	struct sl_err err;

	sl_err_init(&err);
	assert_int_equal(dp_resize_prepare(r->b.dp, flows, &err), 0);
	assert_true(dp_order_put(r->b.dp, 0, &o));
	assert_true(dp_resize_run(r->b.dp));
}

static void
feed(struct resizing *r, uint16_t flow, uint8_t dscp)
{
	struct frame f = {.src = 1,
		.dst = 2,
		.ip_src = 1,
		.ip_dst = 2,
		.dport = flow,
		.dscp = dscp,
		.stamp = (uint32_t)r->fed[flow]++};

	bench_feed(&r->b, 0, 0, frame_make(&r->b, &f));
}

static uint16_t
flow_of(const struct rte_mbuf *m)
{
	rte_be16_t port;

	memcpy(&port, rte_pktmbuf_mtod_offset(m, const char *, 36), sizeof(port));
	return rte_be_to_cpu_16(port);
}

// What came out by a port: of each flow in order.
static unsigned
take_out(struct resizing *r, uint16_t vport)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	for (; (m = bench_out(&r->b, vport)) != NULL; n++) {
		expect(&r->t, frame_stamp(m) == r->next[flow_of(m)]++);
		rte_pktmbuf_free(m);
	}
	return n;
}

static void
take_events(struct resizing *r)
{
	struct dp_event ev[256];
	unsigned n, i;

	while ((n = dp_events_get(r->b.dp, ev, 256)) > 0) {
		for (i = 0; i < n; i++) {
			uint16_t flow = rte_be_to_cpu_16(ev[i].key.l4_dst);

			if (ev[i].type == DP_EV_MAC)
				continue;
			r->told[flow] += ev[i].packets;
			if (ev[i].type != DP_EV_FLOW_GONE)
				continue;
			expect(&r->t, !r->out[flow]);
			r->out[flow] = true;
			r->n_gone++;
			expect(&r->t, r->told[flow] == r->fed[flow]);
		}
	}
}

// n packets of each of so many flows.
static void
feed_each(struct resizing *r, uint16_t first, uint16_t n_flows, unsigned n)
{
	uint16_t i;

	while (n-- > 0) {
		for (i = 0; i < n_flows; i++) {
			feed(r, (uint16_t)(first + i), 0);
			if (i % 64 != 63)
				continue;
			bench_run(&r->b);
			take_out(r, 1);
		}
	}
	bench_run(&r->b);
	take_out(r, 1);
	take_events(r);
}

static uint32_t
cached(const struct resizing *r)
{
	struct cache_stats st;

	cache_stats_get(r->b.dp->worker[0]->cache, &st);
	return st.used;
}

// Of the worker's cache, when nothing moves.
static void
dump(struct resizing *r, struct cache_flow *out, uint32_t n)
{
	struct dp_flow_dump d = {.size = n, .entries = out};
	_Atomic uint32_t done = 0;
	struct dp_order o = {.type = DP_ORD_DUMP, .dump = &d, .done = &done};

	assert_true(dp_order_put(r->b.dp, 0, &o));
	once(r);
	assert_int_equal(done, 1);
	assert_int_equal(d.n, n);
}

// Grows and shrinks again while all flows have packets: no flow is decided anew or told anew.
static void
flows_stay(void **state)
{
	static const uint32_t sizes[] = {1024, 4096, 900, 2000, 848};
	struct resizing *r = begin(1024);
	const struct dp_worker_counters *c = dp_worker_counters(r->b.dp, 0);
	struct cache_flow *flows = calloc(840, sizeof(*flows));
	struct dp_order host = {
		.type = DP_ORD_SET_HOST, .txq = DP_TXQ_OWN, .flags = DP_PROG_HOST_RING};
	uint64_t misses, told;
	unsigned i, k, loops = 0, moving = 0;
	struct dp_worker *w = r->b.dp->worker[0];
	(void)state;

	assert_non_null(flows);
	feed_each(r, 0, 840, 3);
	dump(r, flows, 840);
	host.key = flows[0].key;
	assert_true(dp_order_put(r->b.dp, 0, &host));
	once(r);
	misses = c->misses;
	told = w->reports_used;
	assert_int_equal(told, 840);
	for (i = 1; i < RTE_DIM(sizes); i++) {
		ask(r, sizes[i]);
		do {
			for (k = 0; k < 32; k++)
				feed(r, (uint16_t)below(&r->t, 840), 0);
			once(r);
			moving += w->resize.moving;
			loops++;
			take_out(r, 1);
			take_events(r);
		} while (dp_resize_run(r->b.dp));
		once(r);
		assert_in_range(c->cache_size, sizes[i], sizes[i] + 7);
		assert_int_equal(c->cache_memory, cache_memory(sizes[i]));
		assert_int_equal(c->moving, 0);
		assert_int_equal(cached(r), 840);
	}
	bench_run(&r->b);
	take_out(r, 1);
	assert_true(moving > 40);
	assert_int_equal(c->misses, misses);
	assert_int_equal(w->evicted, 0);
	assert_int_equal(r->n_gone, 0);
	assert_int_equal(w->reports_used, told);
	// Counters and decisions are those of before, with what came since.
	dump(r, flows, 840);
	for (i = 0, k = 0; i < 840; i++) {
		struct dp_program p;

		memcpy(&p, flows[i].value, sizeof(p));
		assert_int_equal(flows[i].packets, r->fed[rte_be_to_cpu_16(flows[i].key.l4_dst)]);
		assert_int_equal(flows[i].bytes, flows[i].packets * 46);
		assert_int_equal(p.out, 1);
		if (p.flags & DP_PROG_HOST_RING) {
			assert_true(flow_key_equal(&flows[i].key, &host.key));
			k++;
		}
	}
	assert_int_equal(k, 1);
	for (i = 0; i < 840; i++)
		assert_int_equal(r->next[i], r->fed[i]);
	free(flows);
	end(r);
}

// Too many for the new size: the idle ones leave, and are told with all that they had.
static void
idle_ones_leave(void **state)
{
	struct resizing *r = begin(4096);
	struct dp_worker *w = r->b.dp->worker[0];
	uint64_t misses;
	unsigned i, used = 900, all = 3000;
	(void)state;

	feed_each(r, 0, (uint16_t)all, 2);
	tick(r, 5 * CACHE_ONCE_TICKS);
	feed_each(r, 0, (uint16_t)used, 1);
	assert_int_equal(r->n_gone, 0);
	misses = w->counters.misses;
	ask(r, 1024);
	for (i = 0; i < 2000 && dp_resize_run(r->b.dp); i++)
		once(r);
	assert_false(dp_resizing(r->b.dp));
	take_events(r);
	assert_int_equal(cached(r), 1024);
	assert_int_equal(r->n_gone, all - 1024);
	assert_int_equal(w->evicted, all - 1024);
	assert_int_equal(w->reports_used, 1024);
	for (i = 0; i < used; i++)
		assert_false(r->out[i]);
	feed_each(r, 0, (uint16_t)used, 1);
	assert_int_equal(w->counters.misses, misses);
	end(r);
}

// While control has no room for the news of those that leave, none leaves.
static void
waits_for_control(void **state)
{
	struct dp_event none = {.type = DP_EV_MAC};
	struct resizing *r = begin(4096);
	struct dp_worker *w = r->b.dp->worker[0];
	uint32_t moving;
	unsigned i;
	(void)state;

	feed_each(r, 0, 3000, 2);
	ask(r, 1024);
	once(r);
	while (rte_ring_free_count(w->events) > 10)
		assert_int_equal(rte_ring_sp_enqueue_elem(w->events, &none, sizeof(none)), 0);
	moving = cache_moving(w->cache);
	assert_true(moving > 2000);
	for (i = 0; i < 100; i++)
		once(r);
	assert_int_equal(cache_moving(w->cache), moving);
	// A packet of a flow is handled as ever.
	feed(r, 2999, 0);
	once(r);
	assert_int_equal(take_out(r, 1), 1);
	for (i = 0; i < 2000 && dp_resize_run(r->b.dp); i++) {
		take_events(r);
		once(r);
	}
	assert_false(dp_resizing(r->b.dp));
	take_events(r);
	assert_int_equal(r->n_gone, 3000 - 1024);
	assert_int_equal(w->counters.events_lost, 0);
	end(r);
}

static void
trace_dry(struct resizing *r, uint16_t flow, uint8_t dscp, uint16_t out)
{
	struct frame f = {
		.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .dport = flow, .dscp = dscp};
	struct dp_trace_job job = {.m = frame_make(&r->b, &f), .dry = true};
	_Atomic uint32_t done = 0;
	const struct dp_order o = {.type = DP_ORD_TRACE, .trace = &job, .done = &done};

	assert_true(dp_order_put(r->b.dp, 0, &o));
	once(r);
	expect(&r->t, done == 1 && job.record.n_outputs == 1);
	expect(&r->t, job.record.output[0].vport == out);
}

// Decisions that depend on a field of the packet: two entries a flow, of which either may still be
// in the other cache, or leave for the other.
static void
with_fields(void **state)
{
	struct resizing *r = begin(4096);
	unsigned resizes = 0, i, sent = 0, came = 0, step;
	(void)state;

	bench_rule(&r->b, 2, 9, "port=0 udp dscp=7", "output=2");
	bench_publish(&r->b);
	for (step = 0; step < 3000; step++) {
		uint16_t flow = (uint16_t)below(&r->t, 3000);

		r->t.step = step;
		if (!dp_resize_run(r->b.dp)) {
			ask(r, 64 + below(&r->t, 2) * below(&r->t, 4000));
			resizes++;
		}
		for (i = below(&r->t, 40); i > 0; i--) {
			uint8_t dscp = (uint8_t)(below(&r->t, 3) == 0 ? 7 : 0);

			feed(r, (uint16_t)below(&r->t, 3000), dscp);
			sent += dscp == 7;
		}
		// Of the two ports no order is asked.
		memset(r->next, 0, sizeof(r->next));
		once(r);
		trace_dry(r, flow, 7, 2);
		trace_dry(r, flow, 0, 1);
		bench_count_out(&r->b, 1);
		came += bench_count_out(&r->b, 2);
		while (dp_events_get(r->b.dp, (struct dp_event[1]){0}, 1) > 0)
			;
	}
	bench_run(&r->b);
	came += bench_count_out(&r->b, 2);
	assert_int_equal(came, sent);
	assert_true(resizes > 20);
	end(r);
}

// Bursts of packets that are each decided on their own, and of some whose flow is still in the
// other cache: the look-up is made again with each that comes from there.
static void
each_decided(void **state)
{
	const struct frame vxlan = {.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .dport = 4789};
	struct resizing *r = begin(4096);
	char inner[] = "tunnel=vxlan vni=5";
	unsigned i, k, bursts = 0;
	(void)state;

	assert_int_equal(flow_inner_take(inner, &r->b.inner[0], NULL), 0);
	bench_rule(&r->b, 2, 9, "port=0 udp dscp=7", "output=2");
	bench_rule_asks(&r->b, 3, 8, RULES_ASK_EXTENSION(0), "port=0 udp dport=4789", "drop");
	bench_publish(&r->b);
	feed_each(r, 0, 3000, 1);
	ask(r, 8192);
	once(r);
	for (i = 0; i < 3000 && r->b.dp->worker[0]->resize.moving; i += 4, bursts++) {
		for (k = 0; k < DP_BURST - 4; k++)
			bench_feed(&r->b, 0, 0, frame_make(&r->b, &vxlan));
		for (k = 0; k < 4; k++)
			feed(r, (uint16_t)(2999 - i - k), 0);
		once(r);
		assert_int_equal(bench_count_out(&r->b, 1), DP_BURST);
	}
	assert_true(bursts > 3);
	assert_int_equal(r->b.dp->worker[0]->counters.misses, 3000 + bursts * (DP_BURST - 4));
	end(r);
}

// No memory, or one change too many: all is as it was.
static void
refused(void **state)
{
	struct resizing *r = begin(1024);
	struct rlimit was, low;
	struct sl_err err;
	(void)state;

	feed_each(r, 0, 500, 2);
	sl_err_init(&err);
	assert_int_equal(dp_resize_prepare(r->b.dp, 63, &err), -EINVAL);
	assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
	low = was;
	low.rlim_cur = 1 << 20; // less than there is: nothing more can be mapped
	assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
	sl_err_init(&err);
	assert_int_equal(dp_resize_prepare(r->b.dp, 16 << 20, &err), -ENOMEM);
	assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
	assert_non_null(strstr(err.text, "no caches of 16777216 flows: 2"));
	assert_false(dp_resizing(r->b.dp));
	sl_err_init(&err);
	assert_int_equal(dp_resize_prepare(r->b.dp, 2048, &err), 0);
	dp_resize_cancel(r->b.dp);
	assert_false(dp_resizing(r->b.dp));
	once(r);
	assert_int_equal(cached(r), 500);
	ask(r, 2048);
	sl_err_init(&err);
	assert_int_equal(dp_resize_prepare(r->b.dp, 4096, &err), -EBUSY);
	// The end may come at any time: nothing is leaked.
	once(r);
	assert_true(r->b.dp->worker[0]->resize.moving);
	end(r);
	r = begin(1024);
	ask(r, 2048); // nobody has seen the order
	end(r);
}

static int
setup(void **state)
{
	(void)state;
	return bench_eal("test_datapath_resize");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_stay),
		cmocka_unit_test(idle_ones_leave),
		cmocka_unit_test(waits_for_control),
		cmocka_unit_test(with_fields),
		cmocka_unit_test(each_decided),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

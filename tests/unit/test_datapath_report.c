// SPDX-License-Identifier: BSD-3-Clause
// When a worker tells control of a flow. The clock stands still, and ticks are made by hand.
#include "dp_support.h"

#include "classify/report.h"

#define FLOWS 1024 // that the worker can tell of
#define FRAME 46   // bytes

static void
tick(struct bench *b, uint32_t ticks)
{
	struct dp_worker *w = b->dp->worker[0];

	w->tick += ticks;
	w->next_tick = UINT64_MAX;
}

// Two ports, on a NIC or not; flows that reach `frames` frames are told.
static void
begin(struct bench *b, uint32_t frames, uint16_t in, uint16_t out)
{
	bench_begin(b, 2, 1, 1);
	b->dp->worker[0]->n_reports = FLOWS;
	report_init(b->dp->worker[0]);
	b->vport[0].port->nic = in;
	b->vport[1].port->nic = out;
	bench_rule(b, 1, 1, "port=0", "output=1");
	bench_rule(b, 2, 9, "port=0 udp dport=7", "ring,class=1,output=1");
	bench_publish(b);
	b->snap->report_rate = FRAME * frames;
	bench_publish(b);
	bench_run(b);
	tick(b, 1);
}

// n packets of a flow.
static void
feed(struct bench *b, uint16_t flow, unsigned n)
{
	struct frame f = {.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .dport = flow};

	while (n-- > 0)
		bench_feed(b, 0, 0, frame_make(b, &f));
	bench_run(b);
	bench_count_out(b, 1);
}

// Events of a type since the last call, and the last of them.
static unsigned
told(struct bench *b, enum dp_event_type type, struct dp_event *last)
{
	struct dp_event ev[256];
	unsigned n, hits = 0, i;

	while ((n = dp_events_get(b->dp, ev, 256)) > 0)
		for (i = 0; i < n; i++) {
			if (ev[i].type != type)
				continue;
			hits++;
			*last = ev[i];
		}
	return hits;
}

// How often a flow is told that has a frame in each of so many ticks.
static unsigned
told_in(struct bench *b, uint16_t flow, unsigned ticks)
{
	struct dp_event ev;

	while (ticks-- > 0) {
		tick(b, 1);
		feed(b, flow, 1);
	}
	return told(b, DP_EV_FLOW, &ev);
}

// When its rate passes the bar; again after 6 ticks or when it has doubled; when it leaves.
static void
on_nic(void **state)
{
	struct dp_event ev = {0};
	struct bench b;
	unsigned i;

	begin(&b, 10, 0, DP_NONE);
	feed(&b, 5, 9);
	feed(&b, 6, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 0);
	feed(&b, 5, 12);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	// From the packet that reaches the mark on; a burst of one flow is counted as a whole.
	assert_in_range(ev.packets, 10, 21);
	assert_int_equal(ev.bytes, ev.packets * FRAME);
	assert_int_equal(ev.key.l4_dst, rte_cpu_to_be_16(5));
	assert_int_equal(ev.path, DP_PATH_SOFTWARE);
	i = ev.packets;
	tick(&b, 5);
	feed(&b, 5, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 0);
	tick(&b, 1);
	feed(&b, 5, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	assert_int_equal(ev.packets, 23 - i);
	feed(&b, 5, 60);
	tick(&b, 1);
	feed(&b, 5, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	assert_int_equal(ev.packets, 60 + 1);
	// Idle: both leave, the one that was told is told.
	b.snap->idle_ticks = 2;
	bench_publish(&b);
	tick(&b, 3);
	b.dp->worker[0]->expire_credit = FLOWS;
	for (i = 0; i < FLOWS; i++)
		bench_run(&b);
	assert_int_equal(told(&b, DP_EV_FLOW_GONE, &ev), 1);
	assert_int_equal(ev.packets, 0);
	assert_int_equal(b.dp->worker[0]->evicted, 2);
	assert_int_equal(b.dp->worker[0]->reports_used, 0);
	bench_end(&b);
}

// Below the bar a flow that was told is told about once a second.
static void
below_the_bar(void **state)
{
	struct dp_event ev;
	struct bench b;

	begin(&b, 1000, 0, DP_NONE);
	feed(&b, 5, 1000);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	tick(&b, 200);
	told_in(&b, 5, 120);
	assert_in_range(told_in(&b, 5, 640), 640 / 76, 640 / REPORT_TICKS_LIGHT);
	bench_end(&b);
}

// Nobody waits for what is on no NIC, at either end; a ring is a place to be chosen for it.
static void
on_no_nic(void **state)
{
	struct dp_event ev;
	struct bench b;

	begin(&b, 1, DP_NONE, DP_NONE);
	feed(&b, 5, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	assert_int_equal(told_in(&b, 5, 640), 10);
	feed(&b, 7, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	assert_in_range(told_in(&b, 7, 600), 99, 101);
	bench_end(&b);
	begin(&b, 1, DP_NONE, 0);
	feed(&b, 5, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	assert_in_range(told_in(&b, 5, 600), 99, 101);
	bench_end(&b);
}

// Of all that can be told, flows on no NIC get a half; who waits is told when there is room.
static void
half_for_nics(void **state)
{
	struct dp_event ev;
	struct bench b;
	uint16_t i;

	begin(&b, 1, DP_NONE, DP_NONE);
	for (i = 0; i < 600; i++)
		feed(&b, 1000 + i, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), FLOWS / 2);
	assert_int_equal(dp_worker_counters(b.dp, 0)->events_lost, 600 - FLOWS / 2);
	tick(&b, REPORT_LOOK_FAR);
	for (i = FLOWS / 2; i < 600; i++)
		feed(&b, 1000 + i, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 0);
	b.vport[0].port->nic = 0;
	bench_publish(&b);
	tick(&b, 1);
	for (i = FLOWS / 2; i < 600; i++)
		feed(&b, 1000 + i, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 600 - FLOWS / 2);
	assert_int_equal(b.dp->worker[0]->reports_used, 600);
	bench_end(&b);
}

// A tick has room for so many; the others wait for the next one.
static void
room_for_first(void **state)
{
	struct dp_event ev;
	struct bench b;
	uint16_t i;

	begin(&b, 1, 0, DP_NONE);
	feed(&b, 1000, 1);
	assert_int_equal(b.dp->worker[0]->tell_first, REPORT_FIRST_MAX - 1);
	b.dp->worker[0]->tell_first = 10;
	for (i = 1; i < 30; i++)
		feed(&b, 1000 + i, 2);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1 + 10);
	tick(&b, 1);
	for (i = 1; i < 30; i++)
		feed(&b, 1000 + i, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 29 - 10);
	bench_end(&b);
}

// Where a tick has room for two reports, each of 30 flows has its turn all the same, though always
// the same come first.
static void
room_for_others(void **state)
{
	unsigned turns[30] = {0}, at, i;
	struct dp_event ev;
	struct bench b;
	uint16_t room;

	begin(&b, 1, 0, DP_NONE);
	for (i = 0; i < 30; i++)
		feed(&b, (uint16_t)(1000 + i), 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 30);
	for (at = 0; at < 120; at++) {
		tick(&b, 1);
		for (i = 0, room = 2; i < 30; i++) {
			unsigned n;

			feed(&b, (uint16_t)(1000 + i), 1);
			n = told(&b, DP_EV_FLOW, &ev);
			room = (uint16_t)(room - n);
			b.dp->worker[0]->tell_again = room;
			turns[i] += at > 60 ? n : 0;
		}
	}
	for (i = 0; i < 30; i++)
		if (turns[i] == 0)
			fail_msg("flow %u was not told again", i);
	bench_end(&b);
}

static void
keep_entry(void *ctx, const struct cache_entry *e)
{
	const struct cache_entry **out = ctx;

	*out = e;
}

// The only flow's.
static struct cache_entry *
only_entry(struct bench *b)
{
	const struct cache_entry *e = NULL;
	uint32_t at = 0;

	while (cache_walk(b->dp->worker[0]->cache, &at, 64, keep_entry, &e))
		;
	assert_non_null(e);
	return (struct cache_entry *)(uintptr_t)e;
}

// Counters that run over their low parts, of a burst of one flow and packet by packet.
static void
counts_on(void **state)
{
	struct dp_event ev;
	struct cache_entry *e;
	uint64_t packets, bytes;
	struct bench b;
	ptrdiff_t apart;
	unsigned round, i;

	begin(&b, 1, 0, DP_NONE);
	feed(&b, 5, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	e = only_entry(&b);
	apart = b.dp->worker[0]->cache_apart;
	for (round = 0; round < 40; round++) {
		// Either runs over first.
		e->packets = INT32_MAX - round % 4;
		e->bytes = INT32_MAX - round % 7 * FRAME;
		packets = cache_packets(e, apart);
		bytes = cache_bytes(e, apart);
		for (i = 0; i < 8; i++) {
			struct frame f = {.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .dport = 5};

			f.dport = (uint16_t)(round % 2 && i % 2 ? 6 : 5);
			bench_feed(&b, 0, 0, frame_make(&b, &f));
			packets += f.dport == 5;
			bytes += f.dport == 5 ? FRAME : 0;
		}
		bench_run(&b);
		assert_int_equal(bench_count_out(&b, 1), 8);
		assert_true(cache_packets(e, apart) == packets);
		assert_true(cache_bytes(e, apart) == bytes);
	}
	assert_true(cache_packets(e, apart) >> 31 == 40);
	bench_end(&b);
}

// A rate of more than 31 bits is compared as any other, and ends at what it can say.
static void
high_rates(void **state)
{
	const uint32_t half = (uint32_t)INT32_MAX;
	struct dp_event ev;
	struct cache_entry *e;
	struct bench b;

	begin(&b, (UINT32_MAX - 10 * FRAME) / FRAME, 0, DP_NONE);
	feed(&b, 5, 1);
	e = only_entry(&b);
	e->rate = half;
	feed(&b, 5, 1);
	assert_int_equal(e->rate, half + FRAME);
	feed(&b, 5, 2);
	assert_int_equal(e->rate, half + 3 * FRAME);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 0);
	e->rate = UINT32_MAX - 11 * FRAME;
	feed(&b, 5, 1);
	assert_int_equal(told(&b, DP_EV_FLOW, &ev), 1);
	// Told, it goes on; a new tick makes room for what the tick brings.
	e->rate = half - FRAME;
	feed(&b, 5, 2);
	assert_int_equal(e->rate, half + FRAME);
	e->rate = UINT32_MAX;
	tick(&b, 1);
	feed(&b, 5, 1);
	assert_int_equal(e->rate, REPORT_RATE_MAX + FRAME);
	bench_end(&b);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_report");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_nic),
		cmocka_unit_test(below_the_bar),
		cmocka_unit_test(on_no_nic),
		cmocka_unit_test(half_for_nics),
		cmocka_unit_test(room_for_first),
		cmocka_unit_test(room_for_others),
		cmocka_unit_test(counts_on),
		cmocka_unit_test(high_rates),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

#include <unistd.h>

#include "datapath/trace.h"
#include "ext/chain.h"

// Extensions in the packet path: what each answer does to packets, counters and programs, in which
// order they are called, and that nothing is called when none is bound.

#define LOG "/tmp/sluice-test-extend"

static struct frame
udp(uint8_t src, uint8_t dst, uint8_t last)
{
	return (struct frame){.src = src,
		.dst = dst,
		.ip_src = src,
		.ip_dst = dst,
		.sport = 1000,
		.dport = 53,
		.len = 4,
		.stamp = (uint32_t)last << 24};
}

static void
feed(struct bench *b, uint16_t vport, struct frame f)
{
	bench_feed(b, vport, 0, frame_make(b, &f));
	bench_run(b);
}

static struct ext *
bound(struct ext_chain *chain, enum sluice_ext_point at, const struct sluice_ext_arg *args,
	unsigned n_args)
{
	const struct ext_spec spec = {.name = "x",
		.path = MODULE,
		.at = at,
		.args = args,
		.n_args = n_args,
		.workers = 1};
	struct sl_err err;
	struct ext *e;

	sl_err_init(&err);
	if (ext_open(&spec, &e, &err) != 0)
		fail_msg("%s: %s", err.path, err.text);
	chain->list[at][chain->n[at]++] = e;
	return e;
}

static struct ext *
bound1(struct ext_chain *chain, enum sluice_ext_point at, const char *name, const char *value)
{
	const struct sluice_ext_arg arg = {name, value};

	return bound(chain, at, &arg, 1);
}

static struct ext_info
info(const struct ext *e)
{
	struct ext_info i;

	ext_info_get(e, &i);
	return i;
}

static uint64_t
asked(const struct ext *e)
{
	struct sluice_ext_counter out[3];

	assert_int_equal(ext_counters(e, out, 3), 3);
	return out[0].value;
}

// A packet of a dry run, from port 0.
static struct dp_trace_record
dry(struct bench *b, struct frame f)
{
	struct dp_trace_job job = {.m = frame_make(b, &f), .origin = 0, .dry = true};
	_Atomic uint32_t done = 0;
	struct dp_order o = {.type = DP_ORD_TRACE, .trace = &job, .done = &done};

	assert_true(dp_order_put(b->dp, 0, &o));
	bench_run(b);
	assert_int_equal(done, 1);
	return job.record;
}

// 0 gives to 1.
static void
begin(struct bench *b, struct ext_chain *chain)
{
	memset(chain, 0, sizeof(*chain));
	bench_begin(b, 4, 1, 1);
	b->ext = chain;
	bench_rule(b, 1, 1, "port=0", "output=1");
}

static void
final_answers(void **state)
{
	struct ext_chain chain;
	struct bench b;
	struct ext *e;
	unsigned i;

	begin(&b, &chain);
	e = bound1(&chain, SLUICE_EXT_INGRESS, "say", "pass");
	bench_publish(&b);
	for (i = 0; i < 10; i++)
		feed(&b, 0, udp(1, 2, 0));
	assert_int_equal(bench_count_out(&b, 1), 10);
	assert_int_equal(asked(e), 1); // then the cache knows
	assert_int_equal(info(e).packets, 0);
	ext_close(e);

	chain.n[SLUICE_EXT_INGRESS] = 0;
	e = bound1(&chain, SLUICE_EXT_INGRESS, "say", "drop");
	bench_publish(&b);
	for (i = 0; i < 10; i++)
		feed(&b, 0, udp(1, 2, 0));
	assert_int_equal(bench_count_out(&b, 1), 0);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_EXTENSION), 10);
	assert_int_equal(info(e).dropped, 10);
	assert_int_equal(info(e).packets, 0);

	// Taken out: it passes again, and nobody is called.
	b.ext = NULL;
	bench_publish(&b);
	ext_close(e);
	feed(&b, 0, udp(1, 2, 0));
	assert_int_equal(bench_count_out(&b, 1), 1);
	bench_end(&b);
}

// A dry run asks them of the flow and shows them no packet: none of their counters moves.
static void
dry_runs(void **state)
{
	static const enum sluice_ext_point points[] = {SLUICE_EXT_INGRESS, SLUICE_EXT_EGRESS};
	static const char *const says[] = {"drop", "see", "copy"};
	struct ext_chain chain;
	struct bench b;
	unsigned i, k, n;

	for (i = 0; i < 12; i++) {
		const struct sluice_ext_arg args[] = {{"say", says[i % 3]}, {"drop_below", "5"}};
		enum sluice_ext_point at = points[i / 3 % 2];
		bool several = i >= 6, drop = i % 3 == 0;
		struct dp_trace_record r;
		struct ext *e;

		begin(&b, &chain);
		e = bound(&chain, at, args, i % 3 == 1 ? 2 : 1);
		if (several)
			bench_rule(&b, 2, 5, "port=0", "output=2,output=3");
		bench_publish(&b);
		for (k = 0; k < 2; k++) {
			uint64_t dropped = info(e).dropped, packets = info(e).packets;

			for (n = 0; n < 5; n++) {
				r = dry(&b, udp(1, 2, 1));
				assert_int_equal(r.n_outputs, drop ? 0 : several ? 2 : 1);
				assert_int_equal(r.dropped[DP_DROP_EXTENSION] > 0, drop);
			}
			assert_int_equal(info(e).dropped, dropped);
			assert_int_equal(info(e).packets, packets);
			feed(&b, 0, udp(1, 2, 9)); // the flow is known in the second round
			bench_count_out(&b, 1);
			bench_count_out(&b, 2);
			bench_count_out(&b, 3);
		}
		assert_true(info(e).dropped + info(e).packets >= 2);
		bench_end(&b);
		ext_close(e);
	}
}

static void
sees_and_judges(void **state)
{
	const struct sluice_ext_arg args[] = {{"say", "see"}, {"drop_below", "5"}};
	struct ext_chain chain;
	struct bench b;
	struct ext *e;
	unsigned i;

	begin(&b, &chain);
	e = bound(&chain, SLUICE_EXT_INGRESS, args, 2);
	bench_publish(&b);
	for (i = 0; i < 20; i++) {
		struct frame f = udp(1, 2, (uint8_t)i);

		bench_feed(&b, 0, 0, frame_make(&b, &f));
	}
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 15);
	assert_int_equal(info(e).packets, 20);
	assert_int_equal(info(e).dropped, 5);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_EXTENSION), 5);

	// It has seen enough: from the next decision on the flow is not shown to it.
	feed(&b, 0, udp(1, 2, 200));
	assert_true(ext_wants_again(e));
	assert_false(ext_wants_again(e));
	bench_publish(&b);
	feed(&b, 0, udp(1, 2, 0));
	assert_int_equal(bench_count_out(&b, 1), 2);
	assert_int_equal(info(e).packets, 21);
	bench_end(&b);
	ext_close(e);
}

// A copy is not judged, and a monitor is also shown what the rules drop.
static void
copies(void **state)
{
	const struct sluice_ext_arg args[] = {{"say", "copy"}, {"drop_below", "255"}};
	struct ext_chain chain;
	struct ext *in, *monitor;
	struct bench b;

	begin(&b, &chain);
	in = bound(&chain, SLUICE_EXT_INGRESS, args, 2);
	monitor = bound1(&chain, SLUICE_EXT_MONITOR, "say", "copy");
	bench_publish(&b);
	feed(&b, 0, udp(1, 2, 0));
	feed(&b, 2, udp(3, 2, 0)); // no rule
	assert_int_equal(bench_count_out(&b, 1), 1);
	assert_int_equal(bench_dropped(&b, 2, DP_DROP_NO_RULE), 1);
	assert_int_equal(info(in).packets, 2);
	assert_int_equal(info(monitor).packets, 2);
	bench_end(&b);
	ext_close(in);
	ext_close(monitor);
}

static void
egress_of_each_output(void **state)
{
	const struct sluice_ext_arg drops[] = {{"say", "drop"}, {"out", "2"}};
	const struct sluice_ext_arg sees[] = {{"say", "see"}, {"out", "3"}, {"drop_below", "5"}};
	struct ext_chain chain;
	struct ext *e, *s;
	struct bench b;

	begin(&b, &chain);
	e = bound(&chain, SLUICE_EXT_EGRESS, drops, 2);
	s = bound(&chain, SLUICE_EXT_EGRESS, sees, 3);
	bench_rule(&b, 2, 2, "port=0 udp dport=53", "flood");
	bench_rule(&b, 3, 3, "port=0 eth_dst=02:00:00:00:00:09", "output=2");
	bench_publish(&b);
	feed(&b, 0, udp(1, 2, 9)); // to 1 and 3, not to 2
	feed(&b, 0, udp(1, 2, 1)); // to 1 alone
	assert_int_equal(bench_count_out(&b, 1), 2);
	assert_int_equal(bench_count_out(&b, 2), 0);
	assert_int_equal(bench_count_out(&b, 3), 1);
	assert_int_equal(info(e).dropped, 2);
	assert_int_equal(info(s).dropped, 1);
	assert_int_equal(info(s).packets, 2);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_EXTENSION), 3);
	// One output: known when the flow is decided.
	feed(&b, 0, udp(1, 9, 9));
	feed(&b, 0, udp(1, 9, 9));
	assert_int_equal(bench_count_out(&b, 2), 0);
	assert_int_equal(info(e).dropped, 4);
	bench_end(&b);
	ext_close(e);
	ext_close(s);
}

// Points in their order, and those of a point in theirs; what one drops the next does not see.
static void
order(void **state)
{
	const struct sluice_ext_arg a[] = {{"say", "see"}, {"log", "a" LOG}};
	const struct sluice_ext_arg c[] = {{"say", "see"}, {"log", "c" LOG}, {"drop_below", "5"}};
	const struct sluice_ext_arg e[] = {{"say", "see"}, {"log", "e" LOG}};
	const struct sluice_ext_arg m[] = {{"say", "copy"}, {"log", "m" LOG}};
	struct ext_chain chain;
	struct ext *ext[4];
	char text[16] = "";
	struct bench b;
	FILE *log;

	unlink(LOG);
	begin(&b, &chain);
	ext[0] = bound(&chain, SLUICE_EXT_MONITOR, m, 2);
	ext[1] = bound(&chain, SLUICE_EXT_EGRESS, e, 2);
	ext[2] = bound(&chain, SLUICE_EXT_INGRESS, c, 3);
	ext[3] = bound(&chain, SLUICE_EXT_INGRESS, a, 2);
	bench_publish(&b);
	feed(&b, 0, udp(1, 2, 9));
	feed(&b, 0, udp(1, 2, 1));
	log = fopen(LOG, "r");
	assert_non_null(log);
	assert_non_null(fgets(text, sizeof(text), log));
	fclose(log);
	unlink(LOG);
	assert_string_equal(text, "caemc");
	assert_int_equal(bench_count_out(&b, 1), 1);
	bench_end(&b);
	for (unsigned i = 0; i < 4; i++)
		ext_close(ext[i]);
}

// A lane's packets are not parsed; a flow that is shown is, and its last words count.
static void
by_lane(void **state)
{
	const struct sluice_ext_arg args[] = {{"say", "copy"}};
	struct frame f = udp(1, 2, 9);
	struct ext_chain chain;
	struct dp_verdict verdict;
	struct flow_offsets off;
	struct dp_lane lane;
	struct flow_key key;
	struct rte_mbuf *m;
	struct bench b;
	struct ext *e;
	unsigned i;

	begin(&b, &chain);
	e = bound(&chain, SLUICE_EXT_INGRESS, args, 1);
	bench_publish(&b);
	m = frame_make(&b, &f);
	assert_int_equal(flow_parse(m, 5, 0, 0, &key, &off), FLOW_OK);
	memset(&lane, 0, sizeof(lane));
	dp_compile(b.snap, &key, &lane.program, &verdict);
	assert_int_equal(verdict.seen, EXT_SEEN_COPY);
	assert_ptr_equal(verdict.viewer, e);
	assert_true(lane.program.flags & DP_PROG_EXT);
	lane.gen = 3;
	lane.version = 1;
	lane.path = DP_PATH_EXCLUSIVE_QUEUE;
	atomic_store(&b.lanes[7], &lane);
	rte_pktmbuf_free(m);
	for (i = 0; i < 3; i++) {
		m = frame_make(&b, &f);
		m->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
		m->hash.fdir.hi = 3 << DP_LANE_INDEX_BITS | 7;
		bench_feed(&b, 0, 0, m);
	}
	bench_run(&b);
	assert_int_equal(dp_worker_counters(b.dp, 0)->lane_hits, 3);
	assert_int_equal(bench_count_out(&b, 1), 3);
	assert_int_equal(info(e).packets, 3);
	bench_end(&b);
	ext_close(e);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_extend");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(final_answers),
		cmocka_unit_test(dry_runs),
		cmocka_unit_test(sees_and_judges),
		cmocka_unit_test(copies),
		cmocka_unit_test(egress_of_each_output),
		cmocka_unit_test(order),
		cmocka_unit_test(by_lane),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

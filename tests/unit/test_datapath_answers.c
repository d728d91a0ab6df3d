// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

#include "ext/chain.h"

// Rules that match by more than a packet's key: learned addresses, and extensions that tell by the
// flow (cached) or by the packet (not).

static void
feed(struct bench *b, uint16_t vport, uint8_t src, uint8_t dst, uint8_t last)
{
	const struct frame f = {.src = src,
		.dst = dst,
		.ip_src = src,
		.ip_dst = dst,
		.sport = 1000,
		.dport = 53,
		.len = 4,
		.stamp = (uint32_t)last << 24};

	bench_feed(b, vport, 0, frame_make(b, &f));
}

static struct ext *
matcher(const char *say, const char *below)
{
	const struct sluice_ext_arg args[] = {{"say", say}, {"drop_below", below}};
	const struct ext_spec spec = {.name = "x",
		.path = MODULE,
		.at = SLUICE_EXT_MATCH,
		.args = args,
		.n_args = 2,
		.workers = 1};
	struct sl_err err;
	struct ext *e;

	sl_err_init(&err);
	if (ext_open(&spec, &e, &err) != 0)
		fail_msg("%s: %s", err.path, err.text);
	return e;
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

static uint64_t
uncached(const struct bench *b)
{
	return dp_worker_counters(b->dp, 0)->uncached;
}

// Known destinations to 1, known sources to 2, others to 3; which is known changes under the flow.
static void
learned(void **state)
{
	struct bench b;
	unsigned i;

	bench_begin(&b, 4, 1, 1);
	bench_rule_asks(&b, 1, 3, RULES_ASK_DST, "udp", "output=1");
	bench_rule_asks(&b, 2, 2, RULES_ASK_SRC, "port=0", "output=2");
	bench_rule(&b, 3, 1, "any", "output=3");
	bench_learn(&b, 9, 0, 1); // somebody else
	bench_publish(&b);
	for (i = 0; i < 3; i++)
		feed(&b, 0, 7, 8, 0);
	feed(&b, 0, 7, 0xff, 0); // all: no address that can be learned
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 3), 4);

	bench_learn(&b, 7, 0, 0);
	bench_publish(&b);
	for (i = 0; i < 3; i++)
		feed(&b, 0, 7, 8, 0);
	feed(&b, 1, 7, 8, 0); // learned, but at another port
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 2), 3);
	assert_int_equal(bench_count_out(&b, 3), 1);

	bench_learn(&b, 8, 5, 1); // in another VLAN
	bench_learn(&b, 8, 0, 1);
	bench_publish(&b);
	for (i = 0; i < 3; i++)
		feed(&b, 0, 7, 8, 0);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 3);
	assert_int_equal(uncached(&b), 0);

	b.n_macs = 1; // forgotten
	bench_publish(&b);
	feed(&b, 0, 7, 8, 0);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 3), 1);
	bench_end(&b);
}

// An answer on the flow is asked for once, and holds for its packets.
static void
by_flow(void **state)
{
	struct ext *yes = matcher("hit", "0"), *no = matcher("pass", "0");
	struct bench b;
	unsigned i;

	bench_begin(&b, 3, 1, 1);
	b.matchers[0] = no;
	b.matchers[13] = yes;
	bench_rule_asks(&b, 1, 4, RULES_ASK_EXTENSION(0), "any", "drop");
	bench_rule_asks(&b, 2, 3, RULES_ASK_EXTENSION(0) | RULES_ASK_EXTENSION(13), "any", "drop");
	bench_rule_asks(&b, 3, 2, RULES_ASK_EXTENSION(13), "udp dport=53", "output=1");
	bench_rule(&b, 4, 1, "any", "output=2");
	bench_publish(&b);
	for (i = 0; i < 10; i++) {
		feed(&b, 0, 7, 8, 0);
		bench_run(&b);
	}
	assert_int_equal(bench_count_out(&b, 1), 10);
	assert_int_equal(asked(yes), 1);
	assert_int_equal(asked(no), 1);
	assert_int_equal(info(yes).packets, 0);
	assert_int_equal(uncached(&b), 0);
	// Nothing is bound there any more: it matches nothing.
	b.matchers[13] = NULL;
	bench_publish(&b);
	feed(&b, 0, 7, 8, 0);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 2), 1);
	bench_end(&b);
	ext_close(yes);
	ext_close(no);
}

// What reads packets is asked for each one, also in one burst, and nothing of the flow is kept:
// neither in the cache, nor may it have a lane. What was cached before does not count.
static void
by_packet(void **state)
{
	struct ext *e = matcher("see", "5");
	struct dp_verdict verdict;
	struct dp_program prog;
	struct flow_offsets off;
	struct flow_key key;
	struct frame f = {.src = 7, .dst = 8, .len = 4, .dport = 53};
	struct rte_mbuf *m;
	struct bench b;
	unsigned i, round;

	bench_begin(&b, 4, 1, 1);
	bench_rule(&b, 2, 1, "any", "output=2");
	bench_publish(&b);
	feed(&b, 0, 7, 8, 1);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 2), 1);

	b.matchers[3] = e;
	// A list of actions that has to be stored, where there is something to store.
	bench_rule_asks(&b, 1, 2, RULES_ASK_EXTENSION(3), "udp", "output=1,output=3");
	bench_publish(&b);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 10; i++)
			feed(&b, 0, 7, 8, (uint8_t)i);
		bench_run(&b);
		assert_int_equal(bench_count_out(&b, 1), 5);
		assert_int_equal(bench_count_out(&b, 3), 5);
		assert_int_equal(bench_count_out(&b, 2), 5);
		assert_int_equal(uncached(&b), 10 * (round + 1));
		assert_int_equal(info(e).packets, 10 * (round + 1));
	}
	assert_int_equal(info(e).faults, 0);
	m = frame_make(&b, &f);
	assert_int_equal(flow_parse(m, 5, 0, 0, &key, &off), FLOW_OK);
	rte_pktmbuf_free(m);
	dp_compile(b.snap, &key, &prog, &verdict);
	assert_true(verdict.of_packet);
	assert_int_equal(verdict.seen, EXT_SEEN_ALL);
	assert_ptr_equal(verdict.viewer, e);
	assert_int_equal(info(e).packets, 20); // control has no packet to show
	// The same where some rule reads a field of each packet.
	bench_rule(&b, 5, 5, "udp dscp=9", "drop");
	bench_publish(&b);
	for (i = 0; i < 10; i++)
		feed(&b, 0, 7, 8, (uint8_t)i);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 5);
	assert_int_equal(bench_count_out(&b, 2), 5);
	assert_int_equal(info(e).packets, 30);
	assert_int_equal(uncached(&b), 30);
	bench_end(&b);
	ext_close(e);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_answers");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learned),
		cmocka_unit_test(by_flow),
		cmocka_unit_test(by_packet),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

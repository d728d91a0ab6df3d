// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

#include "ext/chain.h"

// Rules that match by more than a packet's key: learned addresses, extensions that tell by the flow
// (cached) or by the packet (not), and what is inside a tunnel (cached where it makes no
// difference).

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

static void
ask_inner(struct bench *b, unsigned i, const char *text)
{
	char copy[96];

	snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(flow_inner_take(copy, &b->inner[i], NULL), 0);
}

// A VXLAN packet with a UDP packet to 192.168.0.last.
static void
feed_vxlan(struct bench *b, uint16_t vport, uint8_t vni, uint8_t last)
{
	static const uint8_t inside[] = {0x08, 0, 0, 0, 0, 0, 0, 0,       // VXLAN
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00,           // Ethernet
		0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 0, 1, // IPv4
		192, 168, 0, 0, 0, 7, 0, 8, 0, 8, 0, 0};                  // its end, UDP 7 to 8
	const struct frame f = {.src = 7,
		.dst = 8,
		.ip_src = 7,
		.ip_dst = 8,
		.dscp = 9,
		.sport = 49152,
		.dport = FLOW_PORT_VXLAN,
		.len = sizeof(inside)};
	struct rte_mbuf *m = frame_make(b, &f);
	uint8_t *p = rte_pktmbuf_mtod_offset(m, uint8_t *, 42);

	memcpy(p, inside, sizeof(inside));
	p[6] = vni;
	p[8 + 14 + 19] = last;
	bench_feed(b, vport, 0, m);
}

// Packets of one outer flow go where what is inside them says; the decision is one of the packet
// for flows of such tunnels that can reach a rule that asks, and cached for all others.
static void
inside(void **state)
{
	struct dp_verdict verdict;
	struct dp_program prog;
	struct flow_key key;
	struct bench b;
	unsigned i, round;

	bench_begin(&b, 6, 1, 1);
	ask_inner(&b, 2, "tunnel=vxlan vni=5");
	ask_inner(&b, 3, "inner_udp inner_dport=8 inner_ip_dst=192.168.0.4/30");
	ask_inner(&b, 4, "tunnel=geneve");
	bench_rule_asks(&b, 1, 9, RULES_ASK_EXTENSION(4), "port=0", "drop");
	bench_rule_asks(
		&b, 2, 8, RULES_ASK_EXTENSION(2) | RULES_ASK_EXTENSION(3), "port=0", "output=1");
	bench_rule_asks(&b, 3, 7, RULES_ASK_EXTENSION(3), "port=0", "output=2");
	bench_rule_asks(&b, 4, 6, RULES_ASK_EXTENSION(2), "any", "output=3");
	bench_rule(&b, 5, 5, "port=4", "output=3");
	bench_rule(&b, 6, 1, "any", "output=5");
	bench_publish(&b);
	for (round = 1; round <= 2; round++) {
		for (i = 0; i < 8; i++) {
			feed_vxlan(&b, 0, 5, (uint8_t)i);
			feed_vxlan(&b, 0, 6, (uint8_t)i);
		}
		bench_run(&b);
		assert_int_equal(bench_count_out(&b, 1), 4);
		assert_int_equal(bench_count_out(&b, 2), 4);
		assert_int_equal(bench_count_out(&b, 3), 4);
		assert_int_equal(bench_count_out(&b, 5), 4);
		assert_int_equal(uncached(&b), 16 * round);
	}
	// No tunnel, and a tunnel whose flow all answers send the same way.
	for (i = 0; i < 5; i++) {
		feed(&b, 0, 7, 8, (uint8_t)i);
		bench_run(&b);
	}
	assert_int_equal(bench_count_out(&b, 5), 5);
	assert_int_equal(uncached(&b), 32);
	rules_del(b.rules, 4);
	bench_publish(&b);
	for (i = 0; i < 5; i++)
		feed_vxlan(&b, 4, 5, (uint8_t)i);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 3), 5);
	assert_int_equal(uncached(&b), 32);

	// What control knows of the flow without a packet.
	flow_key_init(&key, 5, 0);
	key.eth_type = htons(RTE_ETHER_TYPE_IPV4);
	key.l3 = FLOW_L3_IPV4;
	key.proto = IPPROTO_UDP;
	key.l4_dst = htons(FLOW_PORT_VXLAN);
	dp_compile(b.snap, &key, &prog, &verdict);
	assert_true(verdict.of_packet && verdict.inside);
	assert_int_equal(verdict.depends, FLOW_FIELD_INNER);
	key.vport = 4;
	dp_compile(b.snap, &key, &prog, &verdict);
	assert_false(verdict.of_packet || verdict.depends != 0);
	key.vport = 0;
	key.l4_dst = htons(53);
	dp_compile(b.snap, &key, &prog, &verdict);
	assert_false(verdict.of_packet || verdict.depends != 0);

	// The same where some rule reads a field of each packet, which these have.
	bench_rule(&b, 7, 7, "udp dscp=8", "drop");
	bench_publish(&b);
	for (i = 0; i < 8; i++)
		feed_vxlan(&b, 0, 5, (uint8_t)i);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 4);
	assert_int_equal(bench_count_out(&b, 5), 4);
	bench_rule(&b, 8, 9, "udp dscp=9", "output=3");
	bench_publish(&b);
	for (i = 0; i < 8; i++)
		feed_vxlan(&b, 0, 5, (uint8_t)i);
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 3), 8);
	bench_end(&b);
}

// All sets of rules, keys and answers: the flow's decision is not said to depend on the packet
// where it does, and each packet gets what the rules say of its own answers.
static void
inside_at_random(void **state)
{
	const char *const matches[] = {
		"any", "udp", "dport=4789 udp", "dscp=9 udp", "udp dport=53"};
	struct sl_rng rng = {.state = 7};
	unsigned i, k, round, cached = 0;

	for (round = 0; round < 150; round++) {
		uint64_t before;
		struct bench b;

		bench_begin(&b, 4, 1, 1);
		ask_inner(&b, 0, "vni=5");
		ask_inner(&b, 1, "inner_ip_dst=192.168.0.1");
		for (i = 0; i < 4; i++) {
			const char *const actions[] = {"output=1", "output=2", "output=3", "drop"};
			uint16_t asks = (uint16_t)(sl_rng_below(&rng, 4) * RULES_ASK_EXTENSION(0));

			bench_rule_asks(&b, i + 1, (uint16_t)sl_rng_below(&rng, 9), asks,
				matches[sl_rng_below(&rng, 5)], actions[sl_rng_below(&rng, 4)]);
		}
		bench_publish(&b);
		before = uncached(&b);
		for (k = 0; k < 12; k++) {
			const uint8_t vni = (uint8_t)(5 + sl_rng_below(&rng, 2));
			const uint8_t last = (uint8_t)sl_rng_below(&rng, 2);
			const uint16_t yes = (uint16_t)((vni == 5 ? RULES_ASK_EXTENSION(0) : 0) |
							(last == 1 ? RULES_ASK_EXTENSION(1) : 0));
			struct rules_result want;
			struct flow_key key;
			uint16_t out;

			feed_vxlan(&b, 0, vni, last);
			bench_run(&b);
			flow_key_init(&key, yes, 0);
			key.eth_type = htons(RTE_ETHER_TYPE_IPV4);
			key.l3 = FLOW_L3_IPV4;
			key.proto = IPPROTO_UDP;
			key.dscp = 9;
			key.l4_dst = htons(FLOW_PORT_VXLAN);
			rules_lookup(b.set, &key, &want);
			out = want.actions.n > 0 && want.actions.list[0].type == FLOW_ACT_OUTPUT
				      ? want.actions.list[0].port
				      : 0;
			for (i = 1; i < 4; i++)
				if (bench_count_out(&b, (uint16_t)i) != (i == out))
					fail_msg("round %u: not to %u", round, out);
		}
		cached += uncached(&b) == before;
		bench_end(&b);
	}
	assert_true(cached > 20 && cached < 130);
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
		cmocka_unit_test(inside),
		cmocka_unit_test(inside_at_random),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

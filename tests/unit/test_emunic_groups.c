// SPDX-License-Identifier: BSD-3-Clause
// Groups and jumps on the emulated NIC: what the rules of a chain count and where packets end, in
// all three domains; misses, loops, capacity, groups that go when they are empty, and isolated
// ports.
#include "emunic_nic.h"

#include "rte_pmd_emunic.h"
#include "rte_flow/support.h"

static struct rte_flow_error error;

enum { JUMP = 1000, DROP, QUEUE, PASS };

static struct rte_flow_attr
attr_of(enum emu_domain domain, uint32_t group, uint32_t priority)
{
	return (struct rte_flow_attr){.group = group,
		.priority = priority,
		.ingress = domain == EMU_ON_INGRESS,
		.egress = domain == EMU_ON_EGRESS,
		.transfer = domain == EMU_ON_TRANSFER};
}

// A rule of port 0 for all packets (or UDP to port 53) that counts, and then does what is told;
// for QUEUE and JUMP with the number.
static struct rte_flow *
rule(enum emu_domain domain, uint32_t group, uint32_t priority, bool dns, int what, uint32_t arg)
{
	const struct rte_flow_attr attr = attr_of(domain, group, priority);
	const struct rte_flow_item_udp udp = {.hdr.dst_port = RTE_BE16(53)};
	const struct rte_flow_item_udp dport = {.hdr.dst_port = UINT16_MAX};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = dns ? RTE_FLOW_ITEM_TYPE_UDP : RTE_FLOW_ITEM_TYPE_VOID,
			.spec = dns ? &udp : NULL,
			.mask = dns ? &dport : NULL},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action_jump jump = {.group = arg};
	const struct rte_flow_action_queue queue = {.index = arg};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = what == JUMP    ? RTE_FLOW_ACTION_TYPE_JUMP
			 : what == DROP  ? RTE_FLOW_ACTION_TYPE_DROP
			 : what == QUEUE ? RTE_FLOW_ACTION_TYPE_QUEUE
					 : RTE_FLOW_ACTION_TYPE_VOID,
			.conf = what == JUMP ? (const void *)&jump : &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return rte_flow_create(0, &attr, pattern, actions, &error);
}

static uint64_t
hits(struct rte_flow *flow)
{
	const struct rte_flow_action count[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count out = {.reset = 1};

	assert_non_null(flow);
	assert_int_equal(rte_flow_query(0, flow, count, &out, &error), 0);
	return out.hits;
}

// A packet to UDP port 53 (or of TCP) enters by the wire. Returns whether it reached port 0, and by
// which queue.
static int
enter(bool dns)
{
	struct rte_mbuf *got[4];

	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, !dns, 10);
	for (unsigned int round = 0; round < 3; round++) {
		for (uint16_t q = 0; q < 2; q++) {
			if (rte_eth_rx_burst(0, q, got, 4) == 0)
				continue;
			rte_pktmbuf_free(got[0]);
			return q;
		}
	}
	return -1;
}

static void
test_chain(void **state)
{
	static const enum emu_domain domains[] = {EMU_ON_INGRESS, EMU_ON_TRANSFER};

	for (unsigned int d = 0; d < RTE_DIM(domains); d++) {
		enum emu_domain on = domains[d];
		struct rte_flow *first, *second, *low, *high;

		plug(0);
		first = rule(on, 0, 0, false, JUMP, UINT32_MAX);
		second = rule(on, UINT32_MAX, 7, false, JUMP, 5);
		low = rule(on, 5, 9, true, DROP, 0);
		assert_true(enter(false) >= 0); // a miss in group 5 is one in group 0
		assert_int_equal(enter(true), -1);
		high = rule(on, 5, 8, true, PASS, 0);
		assert_true(enter(true) >= 0);
		assert_int_equal(hits(first), 3);
		assert_int_equal(hits(second), 3);
		assert_int_equal(hits(low), 1);
		assert_int_equal(hits(high), 1);
		assert_int_equal(nic()->rules.n_groups, 2);
		unplug();
	}
}

static void
test_egress(void **state)
{
	struct rte_flow *jump, *drop;

	plug(0);
	jump = rule(EMU_ON_EGRESS, 0, 0, false, JUMP, 1);
	drop = rule(EMU_ON_EGRESS, 1, 0, true, DROP, 0);
	send_one(0, packet(pools[0], false, false, 10));
	send_one(0, packet(pools[0], false, true, 10));
	send_one(1, packet(pools[0], false, false, 10)); // another port's rules
	assert_int_equal(scripts[0].n_out, 1);
	assert_int_equal(scripts[1].n_out, 1);
	assert_int_equal(hits(jump), 2);
	assert_int_equal(hits(drop), 1);
	assert_int_equal(xstat("nic_drop_rule"), 1);
	assert_null(rule(EMU_ON_EGRESS, 0, 0, false, QUEUE, 0));
	assert_string_equal(error.message, "QUEUE needs an ingress or transfer rule");
	unplug();
}

static void
test_loop(void **state)
{
	struct rte_flow *a, *b;

	plug(0);
	assert_null(rule(EMU_ON_INGRESS, 3, 0, false, JUMP, 3));
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ACTION_CONF);
	a = rule(EMU_ON_INGRESS, 0, 0, false, JUMP, 1);
	b = rule(EMU_ON_INGRESS, 1, 0, true, JUMP, 0);
	assert_int_equal(enter(true), -1);
	assert_true(enter(false) >= 0);
	assert_int_equal(xstat("nic_drop_jump_loop"), 1);
	assert_int_equal(hits(a) + hits(b), 17 + 1); // 16 jumps, the next is one too many; and one
	assert_int_equal(rte_flow_destroy(0, b, &error), 0);
	assert_true(enter(true) >= 0);
	unplug();
}

static void
test_miss_drops(void **state)
{
	char why[1024];

	plug(0);
	assert_non_null(rule(EMU_ON_TRANSFER, 0, 0, true, JUMP, 1));
	assert_true(enter(true) >= 0);
	assert_int_equal(rte_pmd_emunic_set(0, "jump_miss_drop=1", why, sizeof(why)), 0);
	assert_int_equal(enter(true), -1);
	assert_int_equal(xstat("nic_drop_jump_miss"), 1);
	assert_true(enter(false) >= 0); // misses in group 0
	unplug();
}

static void
test_capacity(void **state)
{
	struct rte_flow *f;
	char why[1024];

	plug(0);
	assert_int_equal(rte_pmd_emunic_set(0, "group_capacity=2", why, sizeof(why)), 0);
	assert_non_null(rule(EMU_ON_INGRESS, 1, 0, false, DROP, 0));
	f = rule(EMU_ON_INGRESS, 1, 0, true, DROP, 0);
	assert_null(rule(EMU_ON_INGRESS, 1, 0, false, DROP, 0));
	assert_int_equal(rte_errno, ENOSPC);
	assert_string_equal(error.message, "the group is full: it holds 2 rules of 2");
	assert_non_null(rule(EMU_ON_INGRESS, 2, 0, false, DROP, 0));
	assert_non_null(rule(EMU_ON_TRANSFER, 1, 0, false, DROP, 0));
	assert_int_equal(rte_flow_destroy(0, f, &error), 0);
	assert_non_null(rule(EMU_ON_INGRESS, 1, 0, false, JUMP, 9));
	assert_int_equal(nic()->rules.n_groups, 4);
	assert_int_equal(rte_flow_flush(0, &error), 0);
	assert_int_equal(nic()->rules.n_groups, 0);
	assert_int_equal(nic()->n_transfer, 0);
	// Nothing is left of a rule that fails after its groups were made.
	assert_int_equal(rte_pmd_emunic_set(0, "masks=1", why, sizeof(why)), 0);
	assert_non_null(rule(EMU_ON_INGRESS, 0, 0, false, DROP, 0));
	assert_null(rule(EMU_ON_INGRESS, 1, 0, true, JUMP, 2));
	assert_int_equal(nic()->rules.n_groups, 0);
	unplug();
}

static void
test_isolated(void **state)
{
	plug(0);
	assert_int_equal(rte_flow_isolate(0, 1, &error), 0);
	assert_int_equal(enter(false), -1);
	assert_int_equal(xstat("nic_drop_isolated"), 1);
	assert_non_null(rule(EMU_ON_INGRESS, 0, 0, true, QUEUE, 1));
	assert_int_equal(enter(true), 1);
	assert_int_equal(enter(false), -1);
	assert_int_equal(rte_flow_isolate(0, 0, &error), 0);
	assert_true(enter(false) >= 0);
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_egress),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_miss_drops),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_isolated),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

// SPDX-License-Identifier: BSD-3-Clause
// The limits and moods of the emulated NIC, each changed while it runs, seen by the application
// through rte_flow and ethdev only.
#include "emunic_nic.h"

#include "rte_pmd_emunic.h"

static void
set(const char *text)
{
	char why[512] = "";

	if (rte_pmd_emunic_set(0, text, why, sizeof(why)) != 0)
		fail_msg("%s: %s", text, why);
}

static void
assert_refused(const char *text, const char *sentence)
{
	char why[512] = "";

	assert_int_equal(rte_pmd_emunic_set(0, text, why, sizeof(why)), -EINVAL);
	if (strstr(why, sentence) == NULL)
		fail_msg("%s: %s", text, why);
}

static struct rte_flow_error error;

enum shape { SHAPE_ETH, SHAPE_IPV4, SHAPE_UDP, SHAPE_VLAN };

// A rule that counts and drops what enters by the port's side (transfer) or reaches it.
static struct rte_flow *
rule(uint16_t port, bool transfer, enum shape shape)
{
	const struct rte_flow_attr attr = {.ingress = !transfer, .transfer = transfer};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = shape == SHAPE_ETH    ? RTE_FLOW_ITEM_TYPE_VOID
			 : shape == SHAPE_VLAN ? RTE_FLOW_ITEM_TYPE_VLAN
					       : RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = shape == SHAPE_UDP ? RTE_FLOW_ITEM_TYPE_UDP : RTE_FLOW_ITEM_TYPE_VOID},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = RTE_FLOW_ACTION_TYPE_DROP},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return rte_flow_create(port, &attr, pattern, actions, &error);
}

// n packets enter by the side, and the firmware runs until they are where they belong.
static void
enter(unsigned int side, unsigned int n)
{
	struct rte_mbuf *got[64];

	for (; n > 0; n--)
		scripts[side].in[scripts[side].n_in++] = packet(nic()->pool, false, false, 10);
	while (scripts[side].n_in > 0)
		rte_pktmbuf_free_bulk(got, rte_eth_rx_burst(side, 0, got, 64));
}

static uint64_t
hits(uint16_t port, struct rte_flow *flow, bool reset)
{
	const struct rte_flow_action count[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count out = {.reset = reset};

	assert_int_equal(rte_flow_query(port, flow, count, &out, &error), 0);
	return out.hits;
}

static void
test_capacity(void **state)
{
	plug(0);
	set("capacity=2");
	assert_int_equal(xstat("nic_rules_capacity"), 2);
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_non_null(rule(1, true, SHAPE_ETH));
	assert_null(rule(0, false, SHAPE_ETH));
	assert_int_equal(rte_errno, ENOSPC);
	assert_string_equal(error.message, "the NIC is full: it holds 2 rules of 2");
	set("capacity=1"); // what is there stays
	assert_int_equal(xstat("nic_rules"), 2);
	assert_int_equal(rte_flow_flush(0, &error), 0);
	assert_null(rule(0, false, SHAPE_ETH));
	set("capacity=32");
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_refused("capacity=33", "at most 32");
	unplug();
}

static void
test_masks(void **state)
{
	struct rte_flow *two[2];

	plug(0);
	set("masks=2");
	two[0] = rule(0, false, SHAPE_ETH);
	two[1] = rule(0, false, SHAPE_IPV4);
	assert_non_null(rule(0, false, SHAPE_IPV4));
	assert_int_equal(xstat("nic_masks"), 2);
	assert_null(rule(0, false, SHAPE_UDP));
	assert_int_equal(rte_errno, ENOSPC);
	assert_string_equal(error.message, "the NIC is full: it holds 2 masks of 2");
	assert_null(rule(1, false, SHAPE_ETH)); // another table
	assert_int_equal(rte_flow_destroy(0, two[0], &error), 0);
	assert_non_null(rule(0, false, SHAPE_UDP));
	assert_int_equal(rte_flow_destroy(0, two[1], &error), 0);
	assert_null(rule(0, false, SHAPE_ETH)); // one rule of that mask is left
	set("masks=0");
	assert_non_null(rule(0, false, SHAPE_ETH));
	unplug();
}

static void
test_fail_next(void **state)
{
	plug(0);
	set("fail_next=2,fail_errno=12");
	for (unsigned int i = 0; i < 2; i++) {
		assert_null(rule(0, false, SHAPE_ETH));
		assert_int_equal(rte_errno, ENOMEM);
	}
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_int_equal(xstat("nic_rules"), 1);
	unplug();
}

static void
test_refuse(void **state)
{
	plug(0);
	set("refuse=item.udp+action.mark");
	assert_null(rule(0, false, SHAPE_UDP));
	assert_int_equal(rte_errno, ENOTSUP);
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ITEM);
	assert_string_equal(error.message, "the NIC refuses it (refuse=item.udp)");
	assert_non_null(rule(0, false, SHAPE_IPV4));
	set("refuse=action.drop");
	assert_null(rule(0, false, SHAPE_IPV4));
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ACTION);
	set("refuse=none");
	assert_non_null(rule(0, false, SHAPE_UDP));
	unplug();
}

// Accepted, counted against the capacity, and of no effect; the next one works.
static void
test_dead_next(void **state)
{
	struct rte_flow *dead[2], *live;

	plug(0);
	set("dead_next=2");
	dead[0] = rule(0, false, SHAPE_IPV4);
	dead[1] = rule(0, true, SHAPE_IPV4);
	enter(0, 5);
	assert_int_equal(hits(0, dead[0], false) + hits(0, dead[1], false), 0);
	assert_int_equal(xstat("nic_drop_rule"), 0);
	assert_int_equal(xstat("nic_rules"), 2);
	live = rule(0, true, SHAPE_IPV4);
	enter(0, 5);
	assert_int_equal(hits(0, live, false), 5);
	assert_int_equal(xstat("nic_drop_rule"), 5);
	unplug();
}

// A query sees the counters as of the last reading, and a reset takes off what it saw.
static void
test_counter_lag(void **state)
{
	struct rte_flow *f;

	plug(0);
	f = rule(0, true, SHAPE_IPV4);
	enter(0, 3);
	set("counter_lag=600000");
	assert_int_equal(hits(0, f, false), 3);
	enter(0, 4);
	assert_int_equal(hits(0, f, true), 3);
	assert_int_equal(hits(0, f, false), 0);
	enter(0, 1);
	assert_int_equal(hits(0, f, false), 0);
	set("counter_lag=1");
	rte_delay_us_sleep(2500);
	assert_int_equal(hits(0, f, false), 5);
	set("counter_lag=0");
	enter(0, 2);
	assert_int_equal(hits(0, f, true), 7);
	assert_int_equal(hits(0, f, true), 0);
	unplug();
}

static void
test_stop_flush(void **state)
{
	struct rte_eth_dev_info info;
	struct rte_flow *f;

	plug(0);
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(xstat("nic_rules"), 1);
	assert_int_equal(rte_eth_dev_start(0), 0);
	set("stop_flush=1");
	assert_int_equal(rte_eth_dev_info_get(0, &info), 0);
	assert_false(info.dev_capa & RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP);
	assert_non_null(rule(0, true, SHAPE_ETH));
	f = rule(1, true, SHAPE_ETH);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(xstat("nic_rules"), 1); // the other port's
	assert_int_equal(rte_flow_destroy(1, f, &error), 0);
	unplug();
}

static void
test_proxy_flush(void **state)
{
	struct rte_flow *f;

	plug(0);
	set("proxy_flush=1");
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_non_null(rule(0, true, SHAPE_ETH));
	f = rule(1, true, SHAPE_ETH);
	assert_int_equal(rte_eth_dev_stop(1), 0);
	assert_int_equal(xstat("nic_rules"), 3);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(xstat("nic_rules"), 1);
	assert_int_equal(xstat("nic_rules_transfer"), 0);
	assert_int_equal(rte_flow_destroy(1, f, &error), -ENOENT);
	unplug();
}

// All of a text takes effect, or nothing.
static void
test_wrong(void **state)
{
	char why[64];

	plug(0);
	assert_refused("", "expected KEY=VALUE");
	assert_refused("capacity", "'capacity': expected KEY=VALUE");
	assert_refused("capacity=3,nonsense=1", "unknown mood 'nonsense'");
	assert_refused("masks=3,capacity=0", "capacity=0: expected a number from 1 to 1048576");
	assert_refused("fail_errno=0", "expected a number from 1 to 133");
	assert_refused("refuse=item.udp+item.nonsense", "'item.nonsense' is neither");
	assert_refused("refuse=", "''");
	assert_int_equal(nic()->moods.capacity, 32);
	assert_int_equal(nic()->moods.masks, 0);
	assert_int_equal(nic()->moods.refuse, 0);
	assert_int_equal(rte_pmd_emunic_set(7, "masks=1", why, sizeof(why)), -ENODEV);
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_fail_next),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_dead_next),
		cmocka_unit_test(test_counter_lag),
		cmocka_unit_test(test_stop_flush),
		cmocka_unit_test(test_proxy_flush),
		cmocka_unit_test(test_wrong),
	};
	char *eal[] = {argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--lcores=0", "-m256", "--log-level=critical",
		"--log-level=pmd.net.emunic:emergency", NULL};
	const char *seed = getenv("SEED");
	int failed;

	rng = seed != NULL ? strtoull(seed, NULL, 0) : 20263;
	if (rte_eal_init(9, eal) < 0)
		return 1;
	for (unsigned int i = 0; i < RTE_DIM(pools); i++) {
		char name[] = "pool0";

		name[4] += i;
		pools[i] = rte_pktmbuf_pool_create(name, 4000, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
		if (pools[i] == NULL)
			return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed != 0)
		fprintf(stderr, "SEED=%s\n", seed != NULL ? seed : "20263");
	rte_eal_cleanup();
	return failed;
}

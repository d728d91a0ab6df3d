// SPDX-License-Identifier: BSD-3-Clause
// What rte_flow on the emulated NIC can do beside rules themselves: age, shared actions, templates
// and queues, dump, and the transfer proxy.
#include "emunic_nic.h"

#include <time.h>

#include "rte_pmd_emunic.h"

static struct rte_flow_error error;

static const struct rte_flow_item any[] = {
	{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
static const struct rte_flow_attr ingress = {.ingress = 1};

// A rule of port 0 for all packets that does what is given, and drops.
static struct rte_flow *
rule(enum rte_flow_action_type type, const void *conf)
{
	const struct rte_flow_action actions[] = {
		{.type = type, .conf = conf},
		{.type = RTE_FLOW_ACTION_TYPE_DROP},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return rte_flow_create(0, &ingress, any, actions, &error);
}

static void
enter(void)
{
	struct rte_mbuf *got;

	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(rte_eth_rx_burst(0, 0, &got, 1), 0);
}

static uint64_t
hits(struct rte_flow *flow)
{
	const struct rte_flow_action count[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count out = {0};

	assert_int_equal(rte_flow_query(0, flow, count, &out, &error), 0);
	return out.hits;
}

static unsigned int events;

static int
on_aged(uint16_t port, enum rte_eth_event_type type, void *arg, void *ret)
{
	__atomic_add_fetch(&events, 1, __ATOMIC_RELAXED);
	return 0;
}

// As if so much time had passed without a packet.
static void
let_pass(uint32_t seconds)
{
	struct emu_age *age;

	emu_gate_enter(&nic()->gate);
	TAILQ_FOREACH(age, &nic()->ages.list, all)
	{
		if (age->hit) {
			emu_gate_leave(&nic()->gate);
			rte_flow_get_aged_flows(0, NULL, 0, &error); // turns hits into times
			emu_gate_enter(&nic()->gate);
		}
		age->last_ms -= seconds * 1000ULL;
	}
	emu_gate_leave(&nic()->gate);
}

static void
test_age(void **state)
{
	const struct rte_flow_action query[] = {
		{.type = RTE_FLOW_ACTION_TYPE_AGE}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	const struct rte_flow_action_age conf = {.timeout = 100};
	struct rte_flow_query_age out;
	struct rte_flow *flow;
	struct rte_mbuf *got;
	void *aged[2];

	plug(0);
	events = 0;
	assert_int_equal(
		rte_eth_dev_callback_register(0, RTE_ETH_EVENT_FLOW_AGED, on_aged, NULL), 0);
	assert_null(rule(RTE_FLOW_ACTION_TYPE_AGE, &(struct rte_flow_action_age){0}));
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ACTION_CONF);
	flow = rule(RTE_FLOW_ACTION_TYPE_AGE, &conf);
	assert_non_null(flow);
	assert_int_equal(rte_flow_get_aged_flows(0, NULL, 0, &error), 0);
	let_pass(90);
	enter();
	let_pass(90);
	assert_int_equal(rte_flow_query(0, flow, query, &out, &error), 0);
	assert_false(out.aged);
	assert_in_range(out.sec_since_last_hit, 90, 95);
	let_pass(20);
	for (unsigned int i = 0; __atomic_load_n(&events, __ATOMIC_RELAXED) == 0; i++) {
		assert_int_equal(rte_eth_rx_burst(0, 0, &got, 1), 0);
		rte_delay_us_sleep(1000);
		assert_true(i < 20000);
	}
	assert_int_equal(rte_flow_query(0, flow, query, &out, &error), 0);
	assert_true(out.aged);
	assert_int_equal(rte_flow_get_aged_flows(0, NULL, 0, &error), 1);
	assert_int_equal(rte_flow_get_aged_flows(0, aged, 2, &error), 1);
	assert_ptr_equal(aged[0], flow);
	assert_int_equal(rte_flow_get_aged_flows(0, aged, 2, &error), 0); // told once
	enter();
	let_pass(101);
	assert_int_equal(rte_flow_get_aged_flows(0, NULL, 0, &error), 1); // and again
	assert_int_equal(rte_flow_destroy(0, flow, &error), 0);
	assert_int_equal(rte_flow_get_aged_flows(0, NULL, 0, &error), 0);
	assert_int_equal(nic()->ages.n, 0);
	rte_eth_dev_callback_unregister(0, RTE_ETH_EVENT_FLOW_AGED, on_aged, NULL);
	unplug();
}

static void
test_shared(void **state)
{
	const struct rte_flow_indir_action_conf in = {.ingress = 1}, out = {.transfer = 1};
	const struct rte_flow_action count = {.type = RTE_FLOW_ACTION_TYPE_COUNT};
	const struct rte_flow_action_age conf = {.timeout = 100};
	const struct rte_flow_action age = {.type = RTE_FLOW_ACTION_TYPE_AGE, .conf = &conf};
	const struct rte_flow_action drop = {.type = RTE_FLOW_ACTION_TYPE_DROP};
	const struct rte_flow_update_age touch = {.touch = 1}, zero = {.timeout_valid = 1};
	struct rte_flow_action_handle *counter, *ager, *foreign;
	struct rte_flow_query_count n = {.reset = 1};
	struct rte_flow_query_age idle;
	struct rte_flow *rules[3];
	void *aged[2];

	plug(0);
	assert_null(rte_flow_action_handle_create(0, &in, &drop, &error));
	assert_int_equal(rte_errno, ENOTSUP);
	counter = rte_flow_action_handle_create(0, &in, &count, &error);
	ager = rte_flow_action_handle_create(0, &in, &age, &error);
	foreign = rte_flow_action_handle_create(0, &out, &count, &error);
	assert_null(rule(RTE_FLOW_ACTION_TYPE_INDIRECT, foreign));
	assert_null(rule(RTE_FLOW_ACTION_TYPE_INDIRECT, &n));
	rules[0] = rule(RTE_FLOW_ACTION_TYPE_INDIRECT, counter);
	rules[2] = rule(RTE_FLOW_ACTION_TYPE_INDIRECT, ager);
	assert_non_null(rules[2]);
	enter();
	enter(); // the first rule, both times
	rules[1] = rule(RTE_FLOW_ACTION_TYPE_INDIRECT, counter);
	assert_int_equal(rte_flow_destroy(0, rules[0], &error), 0);
	assert_int_equal(rte_flow_action_handle_destroy(0, counter, &error), -EBUSY);
	enter(); // the rule that ages, which is older
	assert_int_equal(rte_flow_destroy(0, rules[2], &error), 0);
	enter();
	assert_int_equal(hits(rules[1]), 3);
	assert_int_equal(rte_flow_action_handle_query(0, counter, &n, &error), 0);
	assert_int_equal(n.hits, 3);
	assert_int_equal(rte_flow_action_handle_query(0, counter, &n, &error), 0);
	assert_int_equal(n.hits, 0);
	rules[2] = rule(RTE_FLOW_ACTION_TYPE_INDIRECT, ager);
	let_pass(200);
	assert_int_equal(rte_flow_get_aged_flows(0, aged, 2, &error), 1);
	assert_ptr_equal(aged[0], ager);
	assert_int_equal(rte_flow_action_handle_update(0, ager, &zero, &error), -EINVAL);
	assert_int_equal(rte_flow_action_handle_update(0, ager, &touch, &error), 0);
	assert_int_equal(rte_flow_action_handle_query(0, ager, &idle, &error), 0);
	assert_int_equal(idle.sec_since_last_hit, 0);
	assert_int_equal(rte_flow_action_handle_update(0, counter, &touch, &error), -ENOTSUP);
	assert_int_equal(rte_flow_flush(0, &error), 0);
	assert_int_equal(rte_flow_action_handle_destroy(0, counter, &error), 0);
	assert_int_equal(rte_flow_action_handle_destroy(0, counter, &error), -ENOENT);
	unplug(); // the others go with the port
}

static void
test_dump(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f;

	plug(0);
	assert_non_null(rule(RTE_FLOW_ACTION_TYPE_COUNT, NULL));
	enter();
	f = open_memstream(&text, &len);
	assert_int_equal(rte_flow_dev_dump(0, NULL, f, &error), 0);
	assert_int_not_equal(rte_flow_dev_dump(0, (struct rte_flow *)&len, f, &error), 0);
	fclose(f);
	assert_non_null(strstr(text, " ingress group 0 priority 0 -> drop, packets 1 bytes 52\n"));
	free(text);
	unplug();
}

static void
test_proxy(void **state)
{
	const struct rte_flow_attr transfer = {.transfer = 1};
	const struct rte_flow_action drop[] = {
		{.type = RTE_FLOW_ACTION_TYPE_DROP}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	uint16_t proxy = 9;
	char why[1024];

	plug(0);
	assert_int_equal(rte_flow_pick_transfer_proxy(1, &proxy, &error), 0);
	assert_int_equal(proxy, 1);
	assert_non_null(rte_flow_create(1, &transfer, any, drop, &error));
	assert_int_equal(rte_pmd_emunic_set(0, "pf_proxy=1", why, sizeof(why)), 0);
	assert_int_equal(rte_flow_pick_transfer_proxy(1, &proxy, &error), 0);
	assert_int_equal(proxy, 0);
	assert_null(rte_flow_create(1, &transfer, any, drop, &error));
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER);
	assert_non_null(rte_flow_create(0, &transfer, any, drop, &error));
	unplug();
}

// The templates of one table: UDP by its port, COUNT and DROP.
static struct rte_flow_template_table *
udp_table(uint32_t size, struct rte_flow_pattern_template **p, struct rte_flow_actions_template **a)
{
	const struct rte_flow_pattern_template_attr pattern_attr = {.ingress = 1};
	const struct rte_flow_actions_template_attr actions_attr = {.ingress = 1};
	const struct rte_flow_template_table_attr attr = {
		.flow_attr = {.ingress = 1, .group = 1}, .nb_flows = size};
	const struct rte_flow_item_udp mask = {.hdr.dst_port = UINT16_MAX};
	const struct rte_flow_item items[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .mask = &mask, .spec = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = RTE_FLOW_ACTION_TYPE_DROP},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	*p = rte_flow_pattern_template_create(0, &pattern_attr, items, &error);
	*a = rte_flow_actions_template_create(0, &actions_attr, actions, actions, &error);
	return rte_flow_template_table_create(0, &attr, p, 1, a, 1, &error);
}

static struct rte_flow *
queue_rule(
	uint32_t queue, struct rte_flow_template_table *t, uint16_t port, bool postpone, void *data)
{
	const struct rte_flow_op_attr op = {.postpone = postpone};
	const struct rte_flow_item_udp spec = {.hdr.dst_port = rte_cpu_to_be_16(port)};
	const struct rte_flow_item items[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &spec},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = RTE_FLOW_ACTION_TYPE_DROP},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return rte_flow_async_create(0, queue, &op, t, items, 0, actions, 0, data, &error);
}

static void
test_queues(void **state)
{
	const struct rte_flow_port_attr attr = {.nb_counters = 8};
	const struct rte_flow_queue_attr size = {.size = 3}, none = {.size = 0};
	const struct rte_flow_queue_attr *queues[] = {&size}, *wrong[] = {&none};
	const struct rte_flow_op_attr now = {0};
	const struct rte_flow_action_jump jump = {.group = 1};
	struct rte_flow_pattern_template *pattern;
	struct rte_flow_actions_template *actions;
	struct rte_flow_template_table *table;
	struct rte_flow_op_result results[4];
	struct rte_flow_port_info info;
	struct rte_flow_queue_info queue_info;
	struct rte_flow *rules[3];
	int marks[4];

	plug(0);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_flow_info_get(0, &info, &queue_info, &error), 0);
	assert_int_equal(info.max_nb_counters, 32);
	assert_int_not_equal(rte_flow_configure(0, &attr, 1, wrong, &error), 0);
	assert_int_equal(rte_flow_configure(0, &attr, 1, queues, &error), 0);
	table = udp_table(3, &pattern, &actions);
	assert_non_null(table);
	assert_int_equal(rte_eth_dev_start(0), 0);
	rules[0] = queue_rule(0, table, 53, true, &marks[0]);
	rules[1] = queue_rule(0, table, 54, true, &marks[1]);
	assert_non_null(rules[1]);
	assert_int_equal(rte_flow_pull(0, 0, results, 4, &error), 0); // postponed
	assert_int_equal(rte_flow_push(0, 0, &error), 0);
	assert_int_equal(rte_flow_pull(0, 0, results, 4, &error), 2);
	assert_ptr_equal(results[0].user_data, &marks[0]);
	assert_ptr_equal(results[1].user_data, &marks[1]);
	assert_int_equal(results[1].status, RTE_FLOW_OP_SUCCESS);
	// They are rules as others are.
	assert_non_null(rte_flow_create(0, &ingress, any,
		(const struct rte_flow_action[]){{.type = RTE_FLOW_ACTION_TYPE_JUMP, .conf = &jump},
			{.type = RTE_FLOW_ACTION_TYPE_END}},
		&error));
	enter();
	assert_int_equal(hits(rules[0]), 1);
	assert_int_equal(hits(rules[1]), 0);
	rules[2] = queue_rule(0, table, 55, false, &marks[2]);
	assert_non_null(rules[2]);
	assert_null(queue_rule(0, table, 56, false, NULL)); // nb_flows
	assert_int_equal(rte_errno, ENOSPC);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(rte_flow_async_destroy(0, 0, &now, rules[i], NULL, &error), 0);
	assert_int_equal(rte_flow_async_destroy(0, 0, &now, rules[2], NULL, &error), -EAGAIN);
	assert_int_equal(rte_flow_pull(0, 0, results, 4, &error), 3);
	assert_int_equal(rte_flow_async_destroy(0, 0, &now, rules[0], NULL, &error), -ENOENT);
	assert_int_equal(rte_flow_template_table_destroy(0, table, &error), -EBUSY);
	assert_int_equal(rte_flow_pattern_template_destroy(0, pattern, &error), -EBUSY);
	assert_int_equal(rte_flow_destroy(0, rules[2], &error), 0);
	assert_int_equal(rte_flow_template_table_destroy(0, table, &error), 0);
	assert_int_equal(rte_flow_template_table_destroy(0, table, &error), -ENOENT);
	assert_int_equal(rte_flow_pattern_template_destroy(0, pattern, &error), 0);
	unplug(); // the actions template and the queue go with the port
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

// How long four insertions take: one by each of two queues, one by rte_flow_create, and one by a
// queue again.
static double
time_of_insertions(const char *mood)
{
	const struct rte_flow_port_attr attr = {0};
	const struct rte_flow_queue_attr size = {.size = 4};
	const struct rte_flow_queue_attr *queues[] = {&size, &size};
	const struct rte_flow_action drop[] = {
		{.type = RTE_FLOW_ACTION_TYPE_DROP}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_pattern_template *pattern;
	struct rte_flow_actions_template *actions;
	struct rte_flow_template_table *table;
	struct rte_flow_op_result results[4];
	double start, end;
	char args[128];
	int got = 0;

	snprintf(args, sizeof(args), "queues=2,representor=vf0,firmware=inline,%s", mood);
	plug_with(args, 0);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_flow_configure(0, &attr, 2, queues, &error), 0);
	table = udp_table(9, &pattern, &actions);
	assert_non_null(table);
	assert_int_equal(rte_eth_dev_start(0), 0);
	start = seconds();
	assert_non_null(queue_rule(0, table, 53, false, NULL));
	assert_non_null(queue_rule(1, table, 54, false, NULL));
	assert_non_null(rte_flow_create(0, &ingress, any, drop, &error));
	assert_non_null(queue_rule(0, table, 55, false, NULL));
	while (got < 3)
		for (uint32_t q = 0; q < 2; q++)
			got += rte_flow_pull(0, q, results, 4, &error);
	end = seconds();
	assert_int_equal(rte_flow_flush(0, &error), 0);
	unplug();
	return end - start;
}

// The NIC takes one insertion after the other, whichever way they come.
static void
test_insertion_cost(void **state)
{
	assert_true(time_of_insertions("insert_us=10000") >= 0.04);
	assert_true(time_of_insertions("insert_rate=100") >= 0.03);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_insertion_cost),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

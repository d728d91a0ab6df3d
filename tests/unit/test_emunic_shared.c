// SPDX-License-Identifier: BSD-3-Clause
// RSS that rules of the emulated NIC share, and shared actions by the queues of the template API.
// (test_emunic_rules has shared counters and ages.)
#include "emunic_actions.h"

static struct rte_flow_error error;
static const struct rte_flow_indir_action_conf in = {.ingress = 1};
static const struct rte_flow_attr ingress = {.ingress = 1};
static const uint16_t queue_0[] = {0}, queue_1[] = {1}, queue_9[] = {9};

static struct rte_flow_action_rss
rss_to(const uint16_t *queue)
{
	return (struct rte_flow_action_rss){.queue_num = 1, .queue = queue};
}

static struct rte_flow_action_handle *
share_rss(const struct rte_flow_indir_action_conf *conf, const struct rte_flow_action_rss *rss)
{
	const struct rte_flow_action action = {.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = rss};

	return rte_flow_action_handle_create(0, conf, &action, &error);
}

static int
update_rss(struct rte_flow_action_handle *h, const struct rte_flow_action_rss *rss)
{
	const struct rte_flow_action action = {.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = rss};

	return rte_flow_action_handle_update(0, h, &action, &error);
}

// A rule of port 0 for TCP or UDP, with a shared action.
static struct rte_flow *
rule_with(const struct rte_flow_attr *attr, bool tcp, struct rte_flow_action_handle *h)
{
	const struct rte_flow_item pattern[] = {
		{.type = tcp ? RTE_FLOW_ITEM_TYPE_TCP : RTE_FLOW_ITEM_TYPE_UDP},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_INDIRECT, .conf = h}, END};

	return rte_flow_create(0, attr, pattern, actions, &error);
}

// A packet enters by the wire. Returns the queue that it came by, or -1.
static int
enter(bool tcp)
{
	struct rte_mbuf *got;

	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, tcp, 10);
	for (unsigned int round = 0; round < 2; round++) {
		for (uint16_t q = 0; q < 2; q++) {
			if (rte_eth_rx_burst(0, q, &got, 1) == 0)
				continue;
			rte_pktmbuf_free(got);
			return q;
		}
	}
	return -1;
}

static void
test_rss(void **state)
{
	const struct rte_flow_action query[] = {{.type = RTE_FLOW_ACTION_TYPE_RSS}, END};
	const struct rte_flow_action drop = {.type = RTE_FLOW_ACTION_TYPE_DROP};
	struct rte_flow_action_rss first = rss_to(queue_0), second = rss_to(queue_1), out, of_rule;
	struct rte_flow_action_rss nowhere = rss_to(queue_9);
	struct rte_flow_action_handle *h;
	struct rte_flow *tcp, *udp;

	plug(0);
	h = share_rss(&in, &first);
	assert_non_null(h);
	tcp = rule_with(&ingress, true, h);
	udp = rule_with(&ingress, false, h);
	assert_non_null(tcp);
	assert_non_null(udp);
	assert_int_equal(enter(true), 0);
	assert_int_equal(enter(false), 0);
	second.func = RTE_ETH_HASH_FUNCTION_SIMPLE_XOR;
	second.types = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
	assert_int_equal(update_rss(h, &second), 0); // in both
	assert_int_equal(enter(true), 1);
	assert_int_equal(enter(false), 1);
	assert_int_equal(rte_flow_action_handle_query(0, h, &out, &error), 0);
	assert_int_equal(rte_flow_query(0, tcp, query, &of_rule, &error), 0);
	assert_memory_equal(&out, &of_rule, sizeof(out));
	assert_int_equal(out.func, RTE_ETH_HASH_FUNCTION_SIMPLE_XOR);
	assert_int_equal(out.types, RTE_ETH_RSS_NONFRAG_IPV4_TCP);
	assert_int_equal(out.queue_num, 1);
	assert_int_equal(out.queue[0], 1);
	assert_int_equal(out.key_len, 40);
	assert_memory_equal(out.key, nic()->ports[0]->rss.key, 40);
	// What is wrong changes nothing.
	assert_int_equal(update_rss(h, &nowhere), -EINVAL);
	assert_string_equal(error.message, "RSS: the port has no such receive queue");
	assert_int_equal(rte_flow_action_handle_update(0, h, &drop, &error), -EINVAL);
	assert_int_equal(rte_flow_action_handle_update(0, h, NULL, &error), -EINVAL);
	assert_int_equal(enter(true), 1);
	assert_int_equal(rte_flow_action_handle_destroy(0, h, &error), -EBUSY);
	assert_int_equal(rte_flow_destroy(0, tcp, &error), 0);
	assert_int_equal(rte_flow_action_handle_destroy(0, h, &error), -EBUSY);
	assert_int_equal(enter(false), 1);
	assert_int_equal(rte_flow_destroy(0, udp, &error), 0);
	assert_int_equal(rte_flow_action_handle_destroy(0, h, &error), 0);
	assert_int_equal(rte_flow_action_handle_destroy(0, h, &error), -ENOENT);
	unplug();
}

static void
test_refusals(void **state)
{
	const struct rte_flow_indir_action_conf transfer = {.transfer = 1}, any_way = {0};
	const struct rte_flow_attr egress = {.egress = 1};
	struct rte_flow_action_rss good = rss_to(queue_0), bad = rss_to(queue_9);
	struct rte_flow_action_handle *h;
	struct rte_flow_action both[] = {
		{.type = RTE_FLOW_ACTION_TYPE_INDIRECT}, {.type = RTE_FLOW_ACTION_TYPE_DROP}, END};

	plug(0);
	assert_null(share_rss(&transfer, &good));
	assert_int_equal(rte_errno, ENOTSUP);
	assert_string_equal(error.message, "RSS needs an ingress rule");
	assert_null(share_rss(&in, &bad));
	assert_null(share_rss(&in, NULL));
	assert_string_equal(error.message, "RSS needs a configuration");
	h = share_rss(&any_way, &good);
	assert_non_null(h);
	assert_null(rule_with(&egress, true, h));
	assert_string_equal(error.message, "RSS needs an ingress rule");
	both[0].conf = h;
	refused(&ingress, both, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, "only one action may decide");
	// No rule that was refused holds it.
	assert_int_equal(rte_flow_action_handle_destroy(0, h, &error), 0);
	h = share_rss(&in, &good); // goes with its port
	assert_non_null(rule_with(&ingress, true, h));
	unplug();
}

static const struct rte_flow_op_attr now = {0};

// A queue of three places, on the stopped port.
static void
configure(void)
{
	const struct rte_flow_port_attr attr = {0};
	const struct rte_flow_queue_attr size = {.size = 3};
	const struct rte_flow_queue_attr *queues[] = {&size};

	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_flow_configure(0, &attr, 1, queues, &error), 0);
	assert_int_equal(rte_eth_dev_start(0), 0);
}

// Takes n results, of operations with these data.
static void
pull(unsigned int n, void *const *data)
{
	struct rte_flow_op_result results[4];

	assert_int_equal(rte_flow_pull(0, 0, results, 4, &error), n);
	for (unsigned int i = 0; i < n; i++) {
		assert_ptr_equal(results[i].user_data, data[i]);
		assert_int_equal(results[i].status, RTE_FLOW_OP_SUCCESS);
	}
}

static void
test_queues(void **state)
{
	const struct rte_flow_op_attr later = {.postpone = 1};
	struct rte_flow_action_rss first = rss_to(queue_0), second = rss_to(queue_1), out;
	const struct rte_flow_action rss = {.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &first};
	const struct rte_flow_action other = {.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &second};
	const struct rte_flow_action drop = {.type = RTE_FLOW_ACTION_TYPE_DROP};
	struct rte_flow_action_handle *h;
	struct rte_flow *flow;
	int mark[4];

	plug(0);
	assert_null(rte_flow_async_action_handle_create(0, 0, &now, &in, &rss, NULL, &error));
	assert_string_equal(error.message, "rte_flow_configure was not called");
	configure();
	h = rte_flow_async_action_handle_create(0, 0, &later, &in, &rss, &mark[0], &error);
	assert_non_null(h);
	assert_null(rte_flow_async_action_handle_create(0, 0, &now, &in, &drop, NULL, &error));
	assert_string_equal(error.message, "only COUNT, AGE and RSS can be shared");
	assert_int_equal(
		rte_flow_async_action_handle_update(0, 1, &now, h, &other, NULL, &error), -EINVAL);
	pull(0, NULL); // postponed, and refusals leave no result
	flow = rule_with(&ingress, true, h);
	assert_int_equal(enter(true), 0);
	assert_int_equal(
		rte_flow_async_action_handle_update(0, 0, &now, h, &other, &mark[1], &error), 0);
	assert_int_equal(enter(true), 1);
	assert_int_equal(
		rte_flow_async_action_handle_query(0, 0, &now, h, &out, &mark[2], &error), 0);
	assert_int_equal(
		rte_flow_async_action_handle_destroy(0, 0, &now, h, &mark[3], &error), -EAGAIN);
	pull(3, (void *[]){&mark[0], &mark[1], &mark[2]});
	assert_int_equal(out.queue[0], 1);
	assert_int_equal(
		rte_flow_async_action_handle_destroy(0, 0, &now, h, &mark[3], &error), -EBUSY);
	assert_int_equal(rte_flow_destroy(0, flow, &error), 0);
	assert_int_equal(rte_flow_async_action_handle_destroy(0, 0, &now, h, &mark[3], &error), 0);
	assert_int_equal(
		rte_flow_async_action_handle_query(0, 0, &now, h, &out, NULL, &error), -ENOENT);
	pull(1, (void *[]){&mark[3]});
	unplug();
}

static struct rte_flow *
queue_rule(struct rte_flow_template_table *t, struct rte_flow_action_handle *h)
{
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_INDIRECT, .conf = h}, END};

	return rte_flow_async_create(0, 0, &now, t, any, 0, actions, 0, NULL, &error);
}

// A template says by its mask of what type a shared action will be.
static void
test_template(void **state)
{
	const struct rte_flow_pattern_template_attr pattern_attr = {.ingress = 1};
	const struct rte_flow_actions_template_attr actions_attr = {.ingress = 1};
	const struct rte_flow_template_table_attr attr = {
		.flow_attr = {.ingress = 1}, .nb_flows = 3};
	const struct rte_flow_action actions[] = {{.type = RTE_FLOW_ACTION_TYPE_INDIRECT}, END};
	const struct rte_flow_action masks[] = {{.type = RTE_FLOW_ACTION_TYPE_RSS}, END};
	const struct rte_flow_action count = {.type = RTE_FLOW_ACTION_TYPE_COUNT};
	struct rte_flow_action_rss to = rss_to(queue_1);
	struct rte_flow_pattern_template *p;
	struct rte_flow_actions_template *a;
	struct rte_flow_action_handle *rss, *counter;
	struct rte_flow_template_table *t;

	plug(0);
	configure();
	assert_null(rte_flow_actions_template_create(0, &actions_attr, masks, actions, &error));
	assert_null(rte_flow_actions_template_create(0,
		&(struct rte_flow_actions_template_attr){.transfer = 1}, actions, masks, &error));
	assert_string_equal(error.message, "RSS needs an ingress rule");
	p = rte_flow_pattern_template_create(0, &pattern_attr, any, &error);
	a = rte_flow_actions_template_create(0, &actions_attr, actions, masks, &error);
	assert_non_null(a);
	t = rte_flow_template_table_create(0, &attr, &p, 1, &a, 1, &error);
	assert_non_null(t);
	rss = share_rss(&in, &to);
	counter = rte_flow_action_handle_create(0, &in, &count, &error);
	assert_null(queue_rule(t, counter));
	assert_non_null(strstr(error.message, "that the template's mask says"));
	assert_null(queue_rule(t, NULL));
	assert_non_null(queue_rule(t, rss));
	assert_int_equal(enter(true), 1);
	assert_int_equal(rte_flow_action_handle_destroy(0, counter, &error), 0);
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rss),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_template),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

// SPDX-License-Identifier: BSD-3-Clause
// Actions templates of the emulated NIC: which fields of an action are the template's and which are
// each rule's, by the template's masks.
#include "emunic_actions.h"

static struct rte_flow_error error;
static const struct rte_flow_op_attr now = {0};

static void
configure(void)
{
	const struct rte_flow_port_attr attr = {.nb_meters = 3};
	const struct rte_flow_port_attr too_many = {.nb_meters = EMU_MAX_METERS + 1};
	const struct rte_flow_queue_attr size = {.size = 8};
	const struct rte_flow_queue_attr *queues[] = {&size};
	struct rte_flow_queue_info queue;
	struct rte_flow_port_info info;

	plug(0);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_flow_info_get(0, &info, &queue, &error), 0);
	assert_int_equal(info.max_nb_meters, EMU_MAX_METERS);
	assert_int_equal(rte_flow_configure(0, &too_many, 1, queues, &error), -ENOSPC);
	assert_int_equal(rte_flow_configure(0, &attr, 1, queues, &error), 0);
	assert_int_equal(rte_eth_dev_start(0), 0);
}

// A table of one pattern and these actions, and a rule of it with actions of its own.
static struct rte_flow *
rule_of(const struct rte_flow_action *from, const struct rte_flow_action *masks,
	const struct rte_flow_action *given)
{
	const struct rte_flow_pattern_template_attr pattern_attr = {.ingress = 1};
	const struct rte_flow_actions_template_attr actions_attr = {.ingress = 1};
	const struct rte_flow_template_table_attr attr = {
		.flow_attr = {.ingress = 1}, .nb_flows = 3};
	struct rte_flow_pattern_template *p =
		rte_flow_pattern_template_create(0, &pattern_attr, any, &error);
	struct rte_flow_actions_template *a =
		rte_flow_actions_template_create(0, &actions_attr, from, masks, &error);
	struct rte_flow_template_table *t;

	if (a == NULL)
		fail_msg("%s", error.message);
	assert_null(rte_flow_template_table_create(0, &attr, &p, 1, &a, 0, &error));
	assert_null(rte_flow_template_table_create(0, &attr, &p, 0, &a, 1, &error));
	assert_string_equal(error.message, "a table needs a template of each kind");
	t = rte_flow_template_table_create(0, &attr, &p, 1, &a, 1, &error);
	assert_non_null(t);
	return rte_flow_async_create(0, 0, &now, t, any, 0, given, 0, NULL, &error);
}

static struct rte_mbuf *
come(uint16_t *queue)
{
	struct rte_mbuf *m;

	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(rte_eth_rx_burst(0, 0, &m, 0), 0);
	for (*queue = 0; *queue < 2; ++*queue)
		if (rte_eth_rx_burst(0, *queue, &m, 1) == 1)
			return m;
	fail_msg("it did not come");
	return NULL;
}

// MARK and QUEUE with their masks. Whose each is shows at the packet.
static void
test_whole(void **state)
{
	const struct rte_flow_action_mark mark[] = {{.id = 7}, {.id = 9}, {.id = UINT32_MAX}, {0}};
	const struct rte_flow_action_queue queue[] = {{0}, {1}, {UINT16_MAX}, {0}};

	for (unsigned int i = 0; i < 9; i++) {
		// 0: no mask, 1: one of zeros, 2: one of ones
		const unsigned int m = i % 3, q = i / 3;
		const struct rte_flow_action from[] = {
			{.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &mark[0]},
			{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue[0]}, END};
		const struct rte_flow_action given[] = {
			{.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &mark[1]},
			{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue[1]}, END};
		const struct rte_flow_action masks[] = {
			{.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = m == 0 ? NULL : &mark[4 - m]},
			{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = q == 0 ? NULL : &queue[4 - q]},
			END};
		struct rte_mbuf *got;
		uint16_t by;

		configure();
		assert_non_null(rule_of(from, masks, given));
		got = come(&by);
		assert_int_equal(by, q == 2 ? 0 : 1);
		assert_int_equal(got->hash.fdir.hi, m == 2 ? 7 : 9);
		rte_pktmbuf_free(got);
		unplug();
	}
}

// The timeout of AGE is the template's, the context the rule's.
static void
test_age(void **state)
{
	static int template_context, rule_context;
	const struct rte_flow_action_age age = {.timeout = 100, .context = &template_context};
	const struct rte_flow_action_age own = {.timeout = 3, .context = &rule_context};
	const struct rte_flow_action_age mask = {.timeout = 0xffffff};
	const struct rte_flow_action from[] = {{.type = RTE_FLOW_ACTION_TYPE_AGE, .conf = &age},
		{.type = RTE_FLOW_ACTION_TYPE_DROP}, END};
	const struct rte_flow_action masks[] = {{.type = RTE_FLOW_ACTION_TYPE_AGE, .conf = &mask},
		{.type = RTE_FLOW_ACTION_TYPE_DROP}, END};
	const struct rte_flow_action given[] = {{.type = RTE_FLOW_ACTION_TYPE_AGE, .conf = &own},
		{.type = RTE_FLOW_ACTION_TYPE_DROP}, END};
	struct rte_flow *flow;

	configure();
	flow = rule_of(from, masks, given);
	assert_non_null(flow);
	assert_int_equal(flow->act.age->timeout, 100);
	assert_ptr_equal(flow->act.age->context, &rule_context);
	unplug();
}

// What is set is the template's, its value the rule's; and a header that the template gives stays
// though the application's bytes are gone.
static void
test_edits(void **state)
{
	const struct rte_flow_action_modify_field ttl[] = {
		{.dst = {.field = RTE_FLOW_FIELD_IPV4_TTL},
			.src = {.field = RTE_FLOW_FIELD_VALUE, .value = {17}},
			.width = 8},
		{.dst = {.field = RTE_FLOW_FIELD_IPV6_HOPLIMIT}, // the rule's word does not count
			.src = {.field = RTE_FLOW_FIELD_VALUE, .value = {23}},
			.width = 4},
	};
	const struct rte_flow_action_modify_field mask = {
		.dst = {.field = (enum rte_flow_field_id)UINT32_MAX},
		.src = {.field = (enum rte_flow_field_id)UINT32_MAX},
		.width = UINT32_MAX};
	uint8_t head[22] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5, 0x81, 0, 0, 6, 8, 0};
	const struct rte_flow_action_raw_encap encap = {.data = head, .size = sizeof(head)};
	const struct rte_flow_action_raw_encap all = {.data = head, .size = SIZE_MAX};
	const struct rte_flow_action_raw_decap decap = {.size = 14};
	const struct rte_flow_action_queue queue = {.index = 1};
	struct rte_flow_action from[] = {
		{.type = RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, .conf = &ttl[0]},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_DECAP, .conf = &decap},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &encap},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue}, END};
	const struct rte_flow_action masks[] = {
		{.type = RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, .conf = &mask},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_DECAP, .conf = &decap},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &all},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue}, END};
	const struct rte_flow_action given[] = {
		{.type = RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, .conf = &ttl[1]},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_DECAP}, {.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE}, END};
	const struct rte_flow_actions_template_attr actions_attr = {.ingress = 1};
	const struct rte_flow_pattern_template_attr pattern_attr = {.ingress = 1};
	const struct rte_flow_template_table_attr attr = {
		.flow_attr = {.ingress = 1}, .nb_flows = 3};
	struct rte_flow_actions_template *a;
	struct rte_flow_pattern_template *p;
	struct rte_flow_template_table *t;
	struct rte_mbuf *got;
	uint8_t *data;
	uint16_t by;

	configure();
	p = rte_flow_pattern_template_create(0, &pattern_attr, any, &error);
	a = rte_flow_actions_template_create(0, &actions_attr, from, masks, &error);
	assert_non_null(a);
	memset(head, 0xee, sizeof(head));
	t = rte_flow_template_table_create(0, &attr, &p, 1, &a, 1, &error);
	if (rte_flow_async_create(0, 0, &now, t, any, 0, given, 0, NULL, &error) == NULL)
		fail_msg("%s", error.message);
	got = come(&by);
	data = rte_pktmbuf_mtod(got, uint8_t *);
	assert_int_equal(by, 1);
	assert_int_equal(got->pkt_len, 52 + 8);
	assert_memory_equal(data + 12, ((uint8_t[]){0x81, 0, 0, 5, 0x81, 0, 0, 6, 8, 0}), 10);
	assert_int_equal(data[22 + 8], 23);
	rte_pktmbuf_free(got);
	unplug();
}

// Where a template's action leads to is copied with it: the value of MODIFY_FIELD, the actions of
// SAMPLE and what those lead to. A mask is bits, whatever pointers have them.
static void
test_leads(void **state)
{
	uint8_t mac[2][6] = {{2, 9, 9, 9, 9, 9}, {2, 8, 8, 8, 8, 8}};
	struct rte_flow_action_modify_field set[] = {
		{.dst = {.field = RTE_FLOW_FIELD_MAC_DST},
			.src = {.field = RTE_FLOW_FIELD_POINTER, .pvalue = mac[0]},
			.width = 48},
		{.dst = {.field = RTE_FLOW_FIELD_MAC_DST},
			.src = {.field = RTE_FLOW_FIELD_POINTER, .pvalue = mac[1]},
			.width = 48}};
	const struct rte_flow_action_queue queue = {.index = 1};
	uint16_t q0 = 0;
	struct rte_flow_action copied[] = {
		{.type = RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, .conf = &set[1]},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue}, END};
	const struct rte_flow_action_sample sample = {.ratio = 1, .actions = copied};
	const struct rte_flow_action_rss rss = {.queue_num = 1, .queue = &q0};
	const struct rte_flow_action from[] = {
		{.type = RTE_FLOW_ACTION_TYPE_SAMPLE, .conf = &sample},
		{.type = RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, .conf = &set[0]},
		{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss}, END};
	const struct rte_flow_action given[] = {{.type = RTE_FLOW_ACTION_TYPE_SAMPLE},
		{.type = RTE_FLOW_ACTION_TYPE_MODIFY_FIELD}, {.type = RTE_FLOW_ACTION_TYPE_RSS},
		END};
	const struct rte_flow_actions_template_attr actions_attr = {.ingress = 1};
	const struct rte_flow_pattern_template_attr pattern_attr = {.ingress = 1};
	const struct rte_flow_template_table_attr attr = {
		.flow_attr = {.ingress = 1}, .nb_flows = 3};
	struct rte_flow_action masks[RTE_DIM(from)];
	struct rte_flow_actions_template *a;
	struct rte_flow_pattern_template *p;
	struct rte_flow_template_table *t;
	struct rte_mbuf *m;
	uint8_t ones[128];

	memset(ones, UINT8_MAX, sizeof(ones));
	for (unsigned int i = 0; i < RTE_DIM(from); i++)
		masks[i] = (struct rte_flow_action){.type = from[i].type, .conf = ones};
	configure();
	p = rte_flow_pattern_template_create(0, &pattern_attr, any, &error);
	a = rte_flow_actions_template_create(0, &actions_attr, from, masks, &error);
	if (a == NULL)
		fail_msg("%s", error.message);
	memset(mac, 0, sizeof(mac));
	memset(set, 0, sizeof(set));
	memset(copied, 0, sizeof(copied));
	q0 = 9;
	t = rte_flow_template_table_create(0, &attr, &p, 1, &a, 1, &error);
	if (rte_flow_async_create(0, 0, &now, t, any, 0, given, 0, NULL, &error) == NULL)
		fail_msg("%s", error.message);
	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
	for (uint16_t q = 0; q < 2; q++) {
		const uint8_t b = q == 0 ? 9 : 8;

		assert_int_equal(rte_eth_rx_burst(0, q, &m, 1), 1);
		assert_memory_equal(
			rte_pktmbuf_mtod(m, void *), ((uint8_t[]){2, b, b, b, b, b}), 6);
		rte_pktmbuf_free(m);
	}
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_leads),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

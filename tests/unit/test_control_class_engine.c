// SPDX-License-Identifier: BSD-3-Clause
// Groups of a NIC's assignment engine for class rules: made before a rule leads there, changed with
// the policy, taken back after it, and what happens where the engine does not take one.
//
//   policy --> class_engine.c --> the engine, which the test plays (nic_engine_for is replaced)
#include "control_ahead.h"

#include "place/class_engine.h"

#define INDEX 0x1000 // of group 0

#define CONFIG(policy)                                                                             \
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_x0,queues=8\",\"queues\":8,"                  \
	"\"default_queues\":2,\"vf_queues\":4,\"vf_default_queues\":1,\"vfs\":2}],"                \
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["                                       \
	"{\"name\":\"pf0\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"                       \
	"{\"name\":\"vm1\",\"vm\":\"v1\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}}]" \
	","                                                                                        \
	"\"tables\":[{\"id\":0,\"default\":\"drop\"}]}],"                                          \
	"\"offload\":{\"rules_ahead\":0,\"policy\":[" policy "]}}"
#define ENGINE(name, queues, more)                                                                 \
	"{\"name\":\"" name "\",\"port\":\"pf0\",\"match\":\"tcp\",\"class_rule\":true,"           \
	"\"class_target\":\"engine\",\"queues\":\"" queues "\"" more "}"

// What the engine has, and how it answers.
static struct {
	bool none; // the NIC has no engine
	int set_rc, del_rc;
	unsigned sets, dels;
	unsigned led, early; // rules that lead to a group; of these, before there was one
	uint16_t ethdev, group;
	char text[160];
} played;

static int
played_set(uint16_t ethdev, uint16_t group, const char *text, char *why, size_t len)
{
	played.sets++;
	if (played.set_rc != 0) {
		snprintf(why, len, "no memory for that many queues");
		return played.set_rc;
	}
	played.ethdev = ethdev;
	played.group = group;
	snprintf(played.text, sizeof(played.text), "%s", text);
	return 0;
}

static int
played_del(uint16_t ethdev, uint16_t group)
{
	played.dels++;
	return played.del_rc;
}

static int
played_get(uint16_t ethdev, uint16_t group, struct nic_group *out)
{
	*out = (struct nic_group){.flows = 7, .packets = 70, .moves = 3, .mixed = 1};
	return 0;
}

static int
played_queues(uint16_t ethdev, uint16_t group, struct nic_group_queue *out, uint16_t n)
{
	out[0] = (struct nic_group_queue){.queue = group, .use = NIC_GROUP_ALONE, .flows = 1};
	out[1] = (struct nic_group_queue){.queue = group + 1, .use = NIC_GROUP_SHARED, .flows = 6};
	return 2;
}

static int
played_find(
	uint16_t ethdev, uint16_t group, const struct flow_key *key, struct nic_group_queue *out)
{
	if (key->l4_dst != htons(443))
		return -ENOENT;
	*out = (struct nic_group_queue){.queue = group, .use = NIC_GROUP_ALONE, .flows = 1};
	return 0;
}

// Sees each rule on its way into the NIC.
static void
judge(struct nic_job *job)
{
	const struct rte_flow_action *a = job->rule.actions;

	for (; job->type == NIC_JOB_CREATE && a->type != RTE_FLOW_ACTION_TYPE_END; a++) {
		if (a->type != RTE_FLOW_ACTION_TYPE_QUEUE ||
			((const struct rte_flow_action_queue *)a->conf)->index < INDEX)
			continue;
		played.led++;
		played.early += played.sets == 0;
	}
}

const struct nic_engine *__wrap_nic_engine_for(const char *name);

const struct nic_engine *
__wrap_nic_engine_for(const char *name)
{
	static const struct nic_engine engine = {.index = INDEX,
		.set = played_set,
		.del = played_del,
		.get = played_get,
		.queues = played_queues,
		.find = played_find};

	return played.none ? NULL : &engine;
}

static void
go_on(struct control *c, unsigned ms)
{
	for (; ms > 0; ms = ms > 20 ? ms - 20 : 0) {
		rig_pass(c, 20);
		offload_run_tick(c);
		rig_loop(c);
		rig_answers(c);
	}
}

static struct control *
begin(const char *text)
{
	struct control *c;

	memset(&played, 0, sizeof(played));
	c = rig_new(text);
	driver.judge = judge;
	in_force(c);
	return c;
}

static const struct config_policy *
rule(const struct control *c, unsigned i)
{
	return &c->cfg->policies[i];
}

// Made for the queues that are no default ones, with the policy's figures, before a rule leads to
// it.
static void
test_made_before_its_rule(void **state)
{
	struct control *c = begin(CONFIG(ENGINE("a", "1-5",
		",\"heavy_bps\":\"8M\",\"light_bps\":"
		"\"2M\",\"share\":\"qos-class\"")));
	const uint16_t pf0 = vport_of(c, "pf0");
	struct nic_group_queue q;
	struct flow_key key;
	uint16_t group = 0;
	json_t *list;

	assert_string_equal(class_group_why(c, rule(c, 0), pf0), "its group is about to be made");
	assert_false(class_group_of(c, rule(c, 0), pf0, &group));
	go_on(c, 500);
	assert_int_equal(played.sets, 1);
	assert_true(played.led > 0);
	assert_int_equal(played.early, 0);
	assert_int_equal(played.ethdev, 100);
	assert_string_equal(
		played.text, "queues=2-5,alike=dscp,heavy=8000,light=2000,shared_max=2");
	assert_true(class_group_of(c, rule(c, 0), pf0, &group));
	assert_int_equal(group, 2);
	assert_string_equal(class_group_why(c, rule(c, 0), pf0), "");
	assert_true(atomic_load(&driver.live) > 0);

	// What it tells of its queues and flows.
	assert_true(class_group_queue(c,
		&(struct offload_queue_id){.nic = 0, .port = 0, .kind = OFFLOAD_RX, .index = 3},
		&q));
	assert_int_equal(q.use, NIC_GROUP_SHARED);
	assert_int_equal(q.flows, 6);
	assert_false(class_group_queue(c,
		&(struct offload_queue_id){.nic = 0, .port = 0, .kind = OFFLOAD_RX, .index = 6},
		&q));
	assert_false(class_group_queue(c,
		&(struct offload_queue_id){.nic = 0, .port = 0, .kind = OFFLOAD_TX, .index = 3},
		&q));
	flow_key_init(&key, 5, pf0);
	key.l4_dst = htons(443);
	assert_true(class_group_flow(c, &key, &q));
	assert_string_equal(class_group_use(q.use), "alone");
	key.l4_dst = htons(80);
	assert_false(class_group_flow(c, &key, &q));
	list = class_groups_json(c, 0);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "moves")), 3);
	json_decref(list);
	rig_free(c);
}

// Other figures are told the engine as they change, once.
static void
test_figures_change(void **state)
{
	struct control *c = begin(CONFIG(ENGINE("a", "2-5", "")));

	go_on(c, 500);
	assert_string_equal(
		played.text, "queues=2-5,alike=destination,heavy=10000,light=5000,shared_max=2");
	go_on(c, 500);
	assert_int_equal(played.sets, 1);
	c->cfg->policies[0].heavy_bps = 3000000; // below the common light_bps
	go_on(c, 500);
	assert_int_equal(played.sets, 2);
	assert_string_equal(
		played.text, "queues=2-5,alike=destination,heavy=3000,light=3000,shared_max=2");
	assert_int_equal(played.dels, 0);
	rig_free(c);
}

// Refused: RSS instead, the driver's words, and no further try for a while.
static void
test_refused(void **state)
{
	struct control *c;
	uint16_t pf0, group;

	memset(&played, 0, sizeof(played));
	c = rig_new(CONFIG(ENGINE("a", "2-5", "")));
	played.set_rc = -ENOMEM;
	in_force(c);
	pf0 = vport_of(c, "pf0");
	go_on(c, 2000);
	assert_int_equal(played.sets, 1);
	assert_false(class_group_of(c, rule(c, 0), pf0, &group));
	assert_string_equal(
		class_group_why(c, rule(c, 0), pf0), "nic0: no memory for that many queues");
	assert_true(atomic_load(&driver.live) > 0); // by RSS
	played.set_rc = 0;
	go_on(c, 7000);
	assert_int_equal(played.sets, 1);
	go_on(c, 2000);
	assert_int_equal(played.sets, 2);
	assert_true(class_group_of(c, rule(c, 0), pf0, &group));
	rig_free(c);
}

static void
test_no_engine(void **state)
{
	struct control *c;
	uint16_t pf0, group;

	memset(&played, 0, sizeof(played));
	played.none = true;
	c = rig_new(CONFIG(ENGINE("a", "2-5", "")));
	snprintf(c->nics[0]->driver, sizeof(c->nics[0]->driver), "net_x");
	in_force(c);
	pf0 = vport_of(c, "pf0");
	go_on(c, 500);
	assert_false(class_group_of(c, rule(c, 0), pf0, &group));
	assert_string_equal(
		class_group_why(c, rule(c, 0), pf0), "nic0 (net_x) has no assignment engine");
	assert_true(atomic_load(&driver.live) > 0);
	rig_free(c);
}

// Of two that begin at one queue the first of the policy has it.
static void
test_two_at_one_queue(void **state)
{
	struct control *c = begin(CONFIG(ENGINE("a", "2-5", "") "," ENGINE("b", "2-3", "")));
	const uint16_t pf0 = vport_of(c, "pf0");
	uint16_t group;

	go_on(c, 500);
	assert_true(class_group_of(c, rule(c, 0), pf0, &group));
	assert_false(class_group_of(c, rule(c, 1), pf0, &group));
	assert_string_equal(
		class_group_why(c, rule(c, 1), pf0), "nic0: another group begins at queue 2");
	assert_int_equal(played.sets, 1);
	rig_free(c);
}

// Taken back when no rule wants it; while one in the NIC leads there it stays, and is tried again.
static void
test_taken_back(void **state)
{
	struct control *c = begin(CONFIG(ENGINE("a", "2-5", "")));
	const uint16_t pf0 = vport_of(c, "pf0");
	uint16_t group;

	go_on(c, 500);
	played.del_rc = -EBUSY;
	c->cfg->policies[0].class_target = CONFIG_CLASS_QUEUES;
	go_on(c, 500);
	assert_true(played.dels > 1);
	assert_false(class_group_of(c, rule(c, 0), pf0, &group));
	played.del_rc = 0;
	go_on(c, 500);
	played.dels = 0;
	go_on(c, 500);
	assert_int_equal(played.dels, 0);                             // it is gone
	assert_string_equal(class_group_why(c, rule(c, 0), pf0), ""); // and not asked for
	// Asked for again: made again.
	c->cfg->policies[0].class_target = CONFIG_CLASS_ENGINE;
	go_on(c, 500);
	assert_int_equal(played.sets, 2);
	assert_true(class_group_of(c, rule(c, 0), pf0, &group));
	rig_free(c);
}

// A NIC that is gone is asked nothing, and has no groups.
static void
test_nic_gone(void **state)
{
	struct control *c = begin(CONFIG(ENGINE("a", "2-5", "")));
	const uint16_t pf0 = vport_of(c, "pf0");
	struct nic_group_queue q;
	uint16_t group;

	go_on(c, 500);
	c->nics[0]->gone = true;
	class_groups_nic_gone(c, 0);
	assert_false(class_group_of(c, rule(c, 0), pf0, &group));
	assert_false(class_group_queue(c,
		&(struct offload_queue_id){.nic = 0, .port = 0, .kind = OFFLOAD_RX, .index = 3},
		&q));
	assert_int_equal(played.dels, 0);
	rig_free(c);
}

static int
start(void **state)
{
	return control_eal("test_control_class_engine", "0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_before_its_rule),
		cmocka_unit_test(test_figures_change),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_engine),
		cmocka_unit_test(test_two_at_one_queue),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_nic_gone),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}

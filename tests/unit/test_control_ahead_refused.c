// SPDX-License-Identifier: BSD-3-Clause
// Rules ahead of traffic where something is refused, full, slow or late: what a driver does not
// take leads to no haste, no hole and no rule that stands in the way of others.
#include "control_ahead.h"

static void
refuse(struct nic_job *job, int outcome, int error)
{
	job->outcome = outcome;
	job->error = error;
	snprintf(job->text, sizeof(job->text), "judged");
}

static bool
is_jump(const struct nic_job *job)
{
	return job->rule.actions[1].type == RTE_FLOW_ACTION_TYPE_JUMP;
}

// All that goes on with no time passing: it has an end.
static unsigned
made_at_once(struct control *c)
{
	unsigned before = atomic_load(&driver.created), i;

	for (i = 0; i < 300; i++) {
		rig_answers(c);
		offload_run_tick(c);
	}
	return atomic_load(&driver.created) - before;
}

static struct {
	unsigned char made[1024]; // by number: a rule of a table, or the way into one
	bool early, late;         // a way into a table that is not whole
	unsigned in_table;
} tables;

static void
watch_tables(struct nic_job *job)
{
	unsigned id = (unsigned)(uintptr_t)job->flow % 1024;

	if (job->type == NIC_JOB_CREATE) {
		id = (1 + atomic_load(&driver.created)) % 1024;
		tables.made[id] = is_jump(job) ? 2 : job->rule.attr.group != 0;
		tables.early |= tables.made[id] == 1 && atomic_load(&driver.destroyed) == 1000;
		if (is_jump(job))
			atomic_store(&driver.destroyed, 1000); // none of a table from now on
		tables.in_table += tables.made[id] == 1;
	} else {
		tables.late |= tables.made[id] == 2 && tables.in_table < 6;
		tables.in_table -= tables.made[id] == 1;
	}
}

static void
test_the_way_into_a_table_is_last_in_and_first_out(void **state)
{
	struct control *c = rig_new(json);

	memset(&tables, 0, sizeof(tables));
	driver.judge = watch_tables;
	c->cfg->offload.vm_tables = true;
	add(c, 0, 9, "eth_type=0x88cc", "drop");
	in_force(c);
	run_until_done(c);
	assert_true(tables.in_table >= 6); // of three ports: at least what misses and the rule
	assert_false(tables.early);
	assert_int_equal(ahead_table(c, 0, 1), 2);
	c->cfg->offload.vm_tables = false;
	in_force(c);
	run_until_done(c);
	assert_int_equal(tables.in_table, 0);
	assert_false(tables.late);
	rig_free(c);
}

static void
refuse_what_misses(struct nic_job *job)
{
	if (job->type == NIC_JOB_CREATE && job->rule.attr.priority > 60000)
		refuse(job, OFFLOAD_UNSUPPORTED, ENOTSUP);
}

static void
test_no_table_without_what_misses(void **state)
{
	struct control *c = rig_new(json);

	driver.judge = refuse_what_misses;
	c->cfg->offload.vm_tables = true;
	add(c, 0, 9, "eth_type=0x88cc", "drop");
	in_force(c);
	assert_true(made_at_once(c) < 50);
	run_until_done(c);
	assert_int_equal(ahead_table(c, 0, 0), 0);
	assert_true(ahead_entries(c, 0) > 0); // flat
	rig_free(c);
}

static void
refuse_ip(struct nic_job *job)
{
	if (job->type == NIC_JOB_CREATE && job->rule.items[2].type == RTE_FLOW_ITEM_TYPE_IPV4)
		refuse(job, OFFLOAD_UNSUPPORTED, ENOTSUP);
}

static void
test_a_shape_is_remembered_once_and_tried_again(void **state)
{
	struct control *c = rig_new(json);
	char match[96];
	unsigned i;

	driver.judge = refuse_ip;
	c->cfg->offload.rules_ahead = 400;
	for (i = 0; i < 70; i++) {
		snprintf(match, sizeof(match), "port=pf0 ip ip_dst=10.0.%u.0/24", i);
		add(c, 0, 9, match, "drop");
	}
	add(c, 0, 9, "port=pf0 ip ip_src=10.0.0.0/8", "drop");
	in_force(c);
	assert_true(made_at_once(c) < 300);
	run_until_done(c);
	assert_true(c->ahead->nic[0].n_refused <= 3);
	driver.judge = NULL;
	rig_pass(c, 3000 * 1000);
	offload_run_tick(c);
	run_until_done(c);
	assert_true(ahead_entries(c, 0) >= 71);
	rig_free(c);
}

static void
test_more_shapes_than_are_remembered(void **state)
{
	struct control *c = rig_new(json);
	char match[96];
	unsigned i;

	driver.judge = refuse_ip;
	c->cfg->offload.rules_ahead = 400;
	for (i = 0; i < 90; i++) {
		snprintf(match, sizeof(match), "port=pf0 ip ip_dst=10.0.0.0/%u ip_src=10.0.0.0/%u",
			8 + i % 9, 8 + i / 9);
		add(c, 0, 9, match, "drop");
	}
	in_force(c);
	assert_true(made_at_once(c) < 2000);
	rig_free(c);
}

static void
test_full_with_tables(void **state)
{
	struct control *c = rig_new(json);

	c->cfg->offload.vm_tables = true;
	atomic_store(&driver.outcome, OFFLOAD_FULL);
	in_force(c);
	assert_true(made_at_once(c) < 50);
	run_until_done(c);
	assert_int_equal(ahead_entries(c, 0), 0);
	atomic_store(&driver.outcome, OFFLOAD_OK);
	rig_pass(c, 11000);
	offload_run_tick(c);
	run_until_done(c);
	assert_int_equal(ahead_table(c, 0, 0), 1);
	rig_free(c);
}

static const void *lldp; // the rule for it

static void
one_of_a_match(struct nic_job *job)
{
	if (job->type == NIC_JOB_DESTROY)
		lldp = job->flow == lldp ? NULL : lldp;
	else if (job->rule.eth.hdr.ether_type == htons(0x88cc) && lldp != NULL)
		refuse(job, OFFLOAD_TRANSIENT, EEXIST);
	else if (job->rule.eth.hdr.ether_type == htons(0x88cc))
		lldp = (const void *)(uintptr_t)(1 + atomic_load(&driver.created));
}

static void
test_a_driver_with_one_rule_of_a_match(void **state)
{
	struct control *c = rig_new(json);
	uint32_t id, entries, before;

	lldp = NULL;
	driver.judge = one_of_a_match;
	id = add(c, 0, 9, "port=pf0 vlan=none eth_type=0x88cc", "drop");
	in_force(c);
	run_until_done(c);
	entries = ahead_entries(c, 0);
	assert_non_null(lldp);
	rule_book_del(c->book[0], id);
	add(c, 0, 9, "port=pf0 vlan=none eth_type=0x88cc", "output=vm1");
	before = atomic_load(&driver.destroyed);
	in_force(c);
	assert_true(made_at_once(c) <= 2);
	assert_int_equal(ahead_pending(c), 0);
	assert_int_equal(ahead_entries(c, 0), entries);
	assert_non_null(lldp);
	assert_int_equal(atomic_load(&driver.destroyed), before + 1);
	rig_free(c);
}

static void
never_ip(struct nic_job *job)
{
	if (job->type == NIC_JOB_CREATE && job->rule.items[2].type == RTE_FLOW_ITEM_TYPE_IPV4)
		refuse(job, OFFLOAD_TRANSIENT, EBUSY);
}

static void
test_one_that_always_fails_does_not_hold_the_others(void **state)
{
	struct control *c = rig_new(json);
	uint32_t defaults;

	in_force(c);
	run_until_done(c);
	defaults = ahead_entries(c, 0);
	driver.judge = never_ip;
	add(c, 0, 9, "port=pf0 ip ip_dst=10.0.0.0/24", "drop");
	add(c, 0, 8, "port=pf0 eth_dst=01:00:00:00:00:00/01:00:00:00:00:00",
		"drop"); // a level below
	in_force(c);
	run_until_done(c);
	add(c, 0, 7, "port=pf0 eth_type=0x88cc", "drop");
	in_force(c);
	run_until_done(c);
	assert_int_equal(ahead_entries(c, 0), defaults + 1); // what meets the one is the host's
	driver.judge = NULL;
	rig_pass(c, 61000);
	offload_run_tick(c);
	run_until_done(c);
	assert_int_equal(ahead_entries(c, 0), defaults + 3);
	rig_free(c);
}

// What a driver says of a removal says nothing of what it takes.
static void
test_a_removal_that_is_refused(void **state)
{
	struct control *c = rig_new(json);
	uint32_t id = add(c, 0, 9, "eth_type=0x88cc", "drop");
	unsigned before;

	in_force(c);
	run_until_done(c);
	atomic_store(&driver.undo_outcome, OFFLOAD_UNSUPPORTED);
	rule_book_del(c->book[0], id);
	before = atomic_load(&driver.destroyed);
	in_force(c);
	(void)made_at_once(c);
	assert_true(atomic_load(&driver.destroyed) - before < 10);
	assert_int_equal(c->ahead->nic[0].n_refused, 0);
	atomic_store(&driver.undo_outcome, OFFLOAD_OK);
	run_until_done(c);
	assert_int_equal(atomic_load(&driver.live), ahead_entries(c, 0));
	rig_free(c);
}

static bool no_memory; // for lists of 32-bit numbers, as a plan has one

void *__wrap_calloc(size_t n, size_t size);
void *__real_calloc(size_t n, size_t size);
void *
__wrap_calloc(size_t n, size_t size)
{
	return no_memory && size == sizeof(uint32_t) ? NULL : __real_calloc(n, size);
}

static void
test_no_memory_for_a_plan(void **state)
{
	struct control *c = rig_new(json);
	uint32_t id = add(c, 0, 9, "eth_type=0x88cc", "drop"), before;

	in_force(c);
	run_until_done(c);
	before = ahead_entries(c, 0);
	assert_true(before > 0);
	rule_book_del(c->book[0], id);
	c->rules_dirty[0] = true;
	rig_loop(c);
	assert_int_equal(publish(c, true), 0);
	no_memory = true;
	ahead_review(c);
	rig_answers(c);
	no_memory = false;
	assert_int_equal(ahead_entries(c, 0), before); // as it was
	run_until_done(c);                             // and it is made up for
	assert_true(ahead_entries(c, 0) < before);
	rig_free(c);
}

static void
test_each_rule_is_counted(void **state)
{
	struct control *c = rig_new(json);
	uint32_t ids[300];
	uint64_t packets, bytes;
	char match[96];
	unsigned i;

	c->cfg->offload.rules_ahead = 600;
	for (i = 0; i < 300; i++) {
		snprintf(match, sizeof(match),
			"port=pf0 vlan=none eth_type=0x88cc eth_dst=02:00:00:00:%02x:%02x", i / 256,
			i % 256);
		ids[i] = add(c, 0, 9, match, "drop");
	}
	in_force(c);
	run_until_done(c);
	assert_true(ahead_entries(c, 0) >= 300);
	atomic_store(&driver.packets, 10);
	atomic_store(&driver.bytes, 1000);
	for (i = 0; i < 8; i++) {
		rig_answers(c);
		rig_pass(c, 200);
		offload_run_tick(c);
	}
	rig_answers(c);
	for (i = 0; i < 300; i++) {
		rule_book_hardware(c->book[0], ids[i], &packets, &bytes);
		assert_int_equal(packets, 10);
	}
	rig_free(c);
}

// ---- policy

static void
one_policy(struct control *c, const struct config_policy *p)
{
	c->cfg->policies = realloc(c->cfg->policies, sizeof(*p));
	assert_non_null(c->cfg->policies);
	c->cfg->policies[0] = *p;
	c->cfg->n_policies = 1;
}

static const struct config_policy any_flow = {
	.name = "p", .vm = -1, .vport = -1, .cls = -1, .priority = CONFIG_ANY_LEVEL};

// What a VM's hint keeps off the embedded switch, no rule takes there unasked.
static void
test_a_policy_for_a_hint(void **state)
{
	struct control *c = rig_new(json);
	struct config_policy p = any_flow;

	p.hint = CONFIG_HINT_LOWER;
	p.n_places = 1;
	p.places[0] = OFFLOAD_SHARED_QUEUE;
	one_policy(c, &p);
	add(c, 0, 9, "eth_type=0x88cc", "drop");
	in_force(c);
	run_until_done(c);
	assert_int_equal(ahead_entries(c, 0), 0);
	rig_free(c);
}

static uint32_t
class_entries(struct control *c)
{
	json_t *list = ahead_class_json(c, 0);
	uint32_t n = (uint32_t)json_array_size(list);

	json_decref(list);
	return n;
}

static void
test_queues_that_join_a_group_late(void **state)
{
	struct control *c = rig_new(json);
	struct offload_queue_id q = {.kind = OFFLOAD_RX, .index = 2};
	struct config_policy p = any_flow;

	p.class_rule = true;
	p.queue_first = 2;
	p.queue_last = 3;
	// It is another's: it is left to it, and there is no rule.
	assert_int_equal(offload_queue_reserve(c->offload, q, OFFLOAD_Q_MONITOR), 0);
	one_policy(c, &p);
	in_force(c);
	rig_pass(c, 60);
	offload_run_tick(c);
	run_until_done(c);
	assert_int_equal(offload_queue_state_of(c->offload, q), OFFLOAD_Q_MONITOR);
	assert_int_equal(class_entries(c), 0);
	// As when the last flow leaves a queue of which that was awaited.
	assert_int_equal(offload_queue_reserve(c->offload, q, OFFLOAD_Q_GROUP), 0);
	rig_pass(c, 60);
	offload_run_tick(c);
	run_until_done(c);
	assert_true(class_entries(c) > 0);
	rig_free(c);
}

static int
start(void **state)
{
	return control_eal("test_control_ahead_refused", "0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_way_into_a_table_is_last_in_and_first_out),
		cmocka_unit_test(test_no_table_without_what_misses),
		cmocka_unit_test(test_a_shape_is_remembered_once_and_tried_again),
		cmocka_unit_test(test_more_shapes_than_are_remembered),
		cmocka_unit_test(test_full_with_tables),
		cmocka_unit_test(test_a_driver_with_one_rule_of_a_match),
		cmocka_unit_test(test_one_that_always_fails_does_not_hold_the_others),
		cmocka_unit_test(test_a_removal_that_is_refused),
		cmocka_unit_test(test_no_memory_for_a_plan),
		cmocka_unit_test(test_each_rule_is_counted),
		cmocka_unit_test(test_a_policy_for_a_hint),
		cmocka_unit_test(test_queues_that_join_a_group_late),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}

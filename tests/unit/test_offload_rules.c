// SPDX-License-Identifier: BSD-3-Clause
// Policy rules: which one a flow has, and what it changes.
#include <stdio.h>
#include <stdlib.h>

#include "offload/policy.h"
#include "offload_fixture.h"

#define NORMAL (5 * MBIT)
#define HEAVY (80 * MBIT)
#define QUEUES 6 // of a port, beside the default one

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w_init(w, NULL);
	w_nic(w, 0, "nic0", QUEUES, 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	w_fini(*state);
	free(*state);
	return 0;
}

static struct offload_policy
rule(const char *name)
{
	struct offload_policy p;

	offload_policy_init(&p);
	snprintf(p.name, sizeof(p.name), "%s", name);
	return p;
}

static void
put(struct world *w, const struct offload_policy *list, uint32_t n)
{
	assert_int_equal(offload_policies_set(w->o, list, n), 0);
}

static void
expect_rule(struct world *w, const struct w_flow *f, const char *name)
{
	const struct offload_policy *p = offload_flow_policy(w->o, f->id);

	if (name == NULL) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_string_equal(p->name, name);
}

static void
test_first_match_wins(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b = w_add(w, 2, 1, NORMAL);
	struct w_flow *c = w_add(w, 9, 3, NORMAL);
	struct offload_policy list[3] = {rule("from-1"), rule("vm-2"), rule("never")};

	list[0].vport = 1;
	list[1].vm = 2;
	list[2].vm = 2;
	put(w, list, 3);
	w_run(w, 100);
	expect_rule(w, a, "from-1");
	expect_rule(w, b, "vm-2");
	expect_rule(w, c, NULL);
	assert_int_equal(offload_policy_flows(w->o, 0), 1);
	assert_int_equal(offload_policy_flows(w->o, 2), 0);
	put(w, NULL, 0);
	w_run(w, 100);
	expect_rule(w, a, NULL);
}

static void
test_places(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 1, HEAVY), *b = w_add(w, 9, 2, HEAVY);
	struct offload_policy list[2] = {rule("queue-first"), rule("host")};

	list[0].vm = 1;
	list[0].n_places = 2;
	list[0].places[0] = OFFLOAD_EXCLUSIVE_QUEUE;
	list[0].places[1] = OFFLOAD_ESWITCH;
	list[1].vm = 2;
	list[1].n_places = 1;
	list[1].places[0] = OFFLOAD_SOFTWARE;
	w_run(w, 200);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	// Changed under traffic: what it does not allow any more leaves.
	put(w, list, 2);
	w_run(w, 1500);
	assert_int_equal(w_get(w, a).side[OFFLOAD_IN].actual.path, OFFLOAD_EXCLUSIVE_QUEUE);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_POLICY);
	w_expect_words(w, b, OFFLOAD_IN, "the policy rule \"host\" allows it no better place");
	put(w, NULL, 0);
	w_run(w, 1500);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

static unsigned
count_at(struct world *w, enum offload_path path)
{
	unsigned i, n = 0;

	for (i = 0; i < w->n_flows; i++)
		n += w_get(w, &w->flow[i]).side[OFFLOAD_IN].actual.path == path;
	return n;
}

// A queue before the embedded switch: who is not worth one, or finds none, gets an entry, and a
// queue when one is free. Nobody is on the host, and who has an entry sends by no queue.
static void
test_a_queue_and_then_the_eswitch(void **state)
{
	struct world *w = *state;
	struct offload_policy p = rule("queue-first");
	struct w_flow *a, *light = w_add(w, 9, 1, NORMAL);
	unsigned i;

	p.n_places = 2;
	p.places[0] = OFFLOAD_EXCLUSIVE_QUEUE;
	p.places[1] = OFFLOAD_ESWITCH;
	put(w, &p, 1);
	for (i = 0; i < QUEUES + 2; i++)
		w_add(w, 9, 1, HEAVY + i * MBIT);
	w_run(w, 1500);
	w_expect(w, light, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_equal(count_at(w, OFFLOAD_EXCLUSIVE_QUEUE), QUEUES);
	assert_int_equal(count_at(w, OFFLOAD_ESWITCH), 3);
	for (i = 1; i < w->n_flows; i++) {
		const struct offload_flow_info info = w_get(w, &w->flow[i]);

		if (info.side[OFFLOAD_IN].actual.path != OFFLOAD_ESWITCH)
			continue;
		w_expect(w, &w->flow[i], OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED,
			OFFLOAD_R_NO_FREE_QUEUE);
		assert_int_equal(info.side[OFFLOAD_IN].wanted.path, OFFLOAD_EXCLUSIVE_QUEUE);
		assert_int_equal(info.side[OFFLOAD_OUT].actual.path, OFFLOAD_SOFTWARE);
	}
	// Nobody moves for nothing.
	i = w->installs + w->removes;
	w_run(w, 2000);
	assert_int_equal(w->installs + w->removes, i);
	// Two go: who was in the eswitch gets their queues.
	for (i = 1, a = NULL; i < w->n_flows && w->flow[i].bps > 0; i++) {
		if (w->flow[i].rule.path != OFFLOAD_EXCLUSIVE_QUEUE)
			continue;
		w->flow[i].bps = 0;
		if (a)
			break;
		a = &w->flow[i];
	}
	w_run(w, 6000);
	assert_int_equal(count_at(w, OFFLOAD_EXCLUSIVE_QUEUE), QUEUES);
	assert_int_equal(count_at(w, OFFLOAD_ESWITCH), 1);
	// The eswitch first again: all are there.
	p.places[0] = OFFLOAD_ESWITCH;
	p.places[1] = OFFLOAD_EXCLUSIVE_QUEUE;
	put(w, &p, 1);
	w_run(w, 1000);
	assert_int_equal(count_at(w, OFFLOAD_ESWITCH), QUEUES + 1);
}

// A queue with others before one alone: heavy flows share while they can.
static void
test_shared_and_then_alone(void **state)
{
	struct world *w = *state;
	struct offload_policy p = rule("shared-first");
	unsigned i, most = QUEUES / 2 * 4; // half of the queues, and four flows on each

	p.n_places = 2;
	p.places[0] = OFFLOAD_SHARED_QUEUE;
	p.places[1] = OFFLOAD_EXCLUSIVE_QUEUE;
	put(w, &p, 1);
	for (i = 0; i < most + 1; i++)
		w_add(w, 9, 3, HEAVY + i * MBIT);
	w_run(w, 2000);
	assert_int_equal(count_at(w, OFFLOAD_SHARED_QUEUE), most);
	assert_int_equal(count_at(w, OFFLOAD_EXCLUSIVE_QUEUE), 1);
	w_add(w, 9, 3, NORMAL);
	w_run(w, 1000);
	i = w->installs + w->removes;
	w_run(w, 2000);
	assert_int_equal(count_at(w, OFFLOAD_EXCLUSIVE_QUEUE), 1);
	assert_int_equal(w->installs + w->removes, i);
	// One that shares goes: who is alone joins.
	for (i = 0; w->flow[i].rule.path != OFFLOAD_SHARED_QUEUE; i++)
		;
	w->flow[i].bps = 0;
	w->flow[w->n_flows - 1].bps = 0;
	w_run(w, 6000);
	assert_int_equal(count_at(w, OFFLOAD_SHARED_QUEUE), most);
	assert_int_equal(count_at(w, OFFLOAD_EXCLUSIVE_QUEUE), 0);
}

// A policy that comes to forbid the kind of queue that a flow is on moves it at once, though the
// flow is as heavy as before.
static void
test_a_queue_is_forbidden(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 3, HEAVY), *b = w_add(w, 3, 9, HEAVY);
	struct w_flow *c = w_add(w, 9, 4, NORMAL);
	struct offload_policy p = rule("shared");

	w_run(w, 1000);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_OUT, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, c, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	p.n_places = 1;
	p.places[0] = OFFLOAD_SHARED_QUEUE;
	put(w, &p, 1);
	w_run(w, 60); // far below the residency
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	p.places[0] = OFFLOAD_EXCLUSIVE_QUEUE;
	put(w, &p, 1);
	w_run(w, 60);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_OUT, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, c, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_POLICY);
}

static void
test_dscp(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 3, HEAVY), *b = w_add(w, 9, 4, HEAVY);
	struct offload_policy list[2] = {rule("ef"), rule("hints")};

	list[0].dscp = UINT64_C(1) << 46;
	list[0].dscp_raise = list[0].dscp;
	list[1].dscp_lower = UINT64_C(1) << 8 | 1;
	put(w, list, 2);
	w_run(w, 100);
	expect_rule(w, a, "hints"); // not known is no code point
	assert_int_equal(w_get(w, a).dscp, OFFLOAD_NO_DSCP);
	offload_flow_dscp(w->o, a->id, 46);
	offload_flow_dscp(w->o, b->id, 8);
	w_run(w, 1000);
	expect_rule(w, a, "ef");
	expect_rule(w, b, "hints");
	assert_int_equal(w_get(w, a).hint, 1);
	assert_int_equal(w_get(w, b).hint, -1);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_HINT);
	// What the VM says by its channel stands above it, and a policy above both.
	assert_int_equal(offload_hint(w->o, &b->key, 1), 0);
	assert_int_equal(w_get(w, b).hint, 1);
	assert_int_equal(offload_hint(w->o, &b->key, 0), 0);
	list[1].no_hints = true;
	put(w, list, 2);
	w_run(w, 100);
	assert_int_equal(w_get(w, b).hint, 0);
}

static void
test_age_and_scale(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b;
	struct offload_policy list[3] = {rule("old"), rule("burst"), rule("lasting")};

	list[0].min_age_ns = 2 * SL_NS_PER_S;
	list[0].max_age_ns = 4 * SL_NS_PER_S;
	list[1].min_bps = list[2].min_bps = 20 * MBIT;
	list[1].scale = OFFLOAD_SCALE_FAST;
	list[2].scale = OFFLOAD_SCALE_SLOW;
	put(w, list, 3);
	w_run(w, 1000);
	expect_rule(w, a, NULL);
	w_run(w, 1500);
	expect_rule(w, a, "old");
	w_run(w, 2000);
	expect_rule(w, a, NULL);
	b = w_add(w, 2, 1, 30 * MBIT);
	w_run(w, 1000);
	expect_rule(w, b, "burst");
	w_run(w, 20000);
	expect_rule(w, b, "burst");
	b->bps = 1 * MBIT; // at once on the fast scale, not yet on the slow one
	w_run(w, 1000);
	expect_rule(w, b, "lasting");
	w_run(w, 20000);
	expect_rule(w, b, NULL);
}

static void
test_strict_order(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, HEAVY);
	struct offload_policy p = rule("strict");

	p.strict_order = true;
	put(w, &p, 1);
	w_run(w, 500);
	assert_int_not_equal(w_get(w, a).side[OFFLOAD_IN].actual.path, OFFLOAD_ESWITCH);
	assert_int_not_equal(w_get(w, a).side[OFFLOAD_IN].actual.path, OFFLOAD_SOFTWARE);
}

static void
test_rates_have_hysteresis(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, 20 * MBIT);
	struct offload_policy p = rule("fast");

	p.min_bps = 10 * MBIT;
	put(w, &p, 1);
	w_run(w, 3000);
	expect_rule(w, a, "fast");
	a->bps = 8 * MBIT; // above three quarters
	w_run(w, 40000);
	expect_rule(w, a, "fast");
	a->bps = 7 * MBIT;
	w_run(w, 40000);
	expect_rule(w, a, NULL);
	a->bps = 9 * MBIT;
	w_run(w, 40000);
	expect_rule(w, a, NULL);
}

static void
test_hints(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b = w_add(w, 2, 1, NORMAL);
	struct offload_policy list[2] = {rule("deaf"), rule("lowered")};

	list[0].vport = 1;
	list[0].no_hints = true;
	list[1].hint = -1;
	put(w, list, 2);
	w_run(w, 100);
	assert_int_equal(offload_hint(w->o, &a->key, -1), 0);
	assert_int_equal(offload_hint(w->o, &b->key, -1), 0);
	w_run(w, 500);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_not_equal(w_get(w, b).side[OFFLOAD_IN].actual.path, OFFLOAD_ESWITCH);
	expect_rule(w, b, "lowered");
}

// VMs 3 and 4 come by the wire; what belongs to one rule's queues is for its flows only.
static void
test_queues_are_owned(void **state)
{
	struct world *w = *state;
	struct offload_policy p = rule("vm-3");
	unsigned i;

	p.vm = 3;
	p.queue_first = 5;
	p.queue_last = 6;
	p.queues_owned = true;
	put(w, &p, 1);
	for (i = 0; i < 6; i++) {
		w_add(w, 9, 3, HEAVY);
		w_add(w, 9, 4, HEAVY);
	}
	w_run(w, 2000);
	for (i = 0; i < 12; i++) {
		struct offload_place at = w_get(w, &w->flow[i]).side[OFFLOAD_IN].actual;

		if (at.queue.nic == OFFLOAD_NONE)
			continue;
		if (i % 2 == 0)
			assert_in_range(at.queue.index, 5, 6);
		else
			assert_in_range(at.queue.index, 1, 4);
	}
	assert_int_not_equal(w_queue(w, 0, 0, OFFLOAD_RX, 5).state, OFFLOAD_Q_FREE);
	assert_int_not_equal(w_queue(w, 0, 0, OFFLOAD_RX, 1).state, OFFLOAD_Q_FREE);
}

static void
test_sharing(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 3, NORMAL), *b = w_add(w, 9, 4, NORMAL);
	struct w_flow *c = w_add(w, 9, 4, NORMAL);
	struct offload_policy list[2] = {rule("class"), rule("alone")};

	a->d.cls = b->d.cls = 2;
	list[0].cls = 2;
	list[0].share = OFFLOAD_SHARE_CLASS;
	list[1].share = OFFLOAD_SHARE_NONE;
	put(w, list, 2);
	w_run(w, 1000);
	// Two VMs, one class, one queue.
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_equal(w_get(w, a).side[OFFLOAD_IN].actual.queue.index,
		w_get(w, b).side[OFFLOAD_IN].actual.queue.index);
	// Not heavy, and may not share.
	assert_int_equal(w_get(w, c).side[OFFLOAD_IN].reason, OFFLOAD_R_POLICY);
	c->bps = HEAVY;
	w_run(w, 2000);
	w_expect(w, c, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

static void
test_thresholds(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 3, 100000), *b = w_add(w, 9, 4, 100000);
	struct offload_policy p = rule("small");

	p.vm = 3;
	p.least_bps = 1;
	p.heavy_bps = 50000;
	p.light_bps = 20000;
	assert_true(offload_bar(w->o, OFFLOAD_NONE) > 1000);
	put(w, &p, 1);
	assert_int_equal(offload_bar(w->o, OFFLOAD_NONE), 1); // workers tell of such flows
	w_run(w, 3000);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_LIGHT);
}

static void
test_refused(void **state)
{
	struct world *w = *state;
	struct offload_policy p = rule("bad"), many[OFFLOAD_POLICIES_MAX + 1];

	memset(many, 0, sizeof(many));
	assert_int_equal(offload_policies_set(w->o, many, OFFLOAD_POLICIES_MAX + 1), -22);
	p.n_places = 1;
	p.places[0] = OFFLOAD_PATHS;
	assert_int_equal(offload_policies_set(w->o, &p, 1), -22);
	p.n_places = 0;
	p.share = OFFLOAD_SHARES;
	assert_int_equal(offload_policies_set(w->o, &p, 1), -22);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_match_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_queue_and_then_the_eswitch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_and_then_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_queue_is_forbidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dscp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_age_and_scale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strict_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rates_have_hysteresis, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hints, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queues_are_owned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sharing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thresholds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// What a policy rule lets each VM have of the hardware: charged, kept, taken back, explained.
#include <stdio.h>
#include <stdlib.h>

#include "offload/policy.h"
#include "offload_fixture.h"

#define NORMAL (5 * MBIT)
#define HEAVY (80 * MBIT)

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

static uint32_t
entries(struct world *w, uint32_t i, uint16_t vm)
{
	uint32_t q, e;

	offload_policy_part(w->o, i, vm, &q, &e);
	return e;
}

static uint32_t
alone(struct world *w, uint32_t i, uint16_t vm)
{
	uint32_t q, e;

	offload_policy_part(w->o, i, vm, &q, &e);
	return q;
}

static unsigned
in_eswitch(struct world *w, unsigned first, unsigned n)
{
	unsigned i, sum = 0;

	for (i = first; i < first + n; i++)
		sum += w->flow[i].rule.path == OFFLOAD_ESWITCH;
	return sum;
}

static struct w_flow *
not_at(struct world *w, uint8_t path, unsigned first)
{
	while (w->flow[first].rule.path == path)
		first++;
	assert_true(first < w->n_flows);
	return &w->flow[first];
}

static void
add_many(struct world *w, uint16_t from, uint16_t to, unsigned n)
{
	while (n-- > 0)
		w_add(w, from, to, NORMAL + n);
}

// Of each VM, in its first rule: the second one takes what the first does not match.
static void
test_entries(void **state)
{
	struct world w;
	struct w_flow *f;
	struct offload_policy list[2] = {rule("a"), rule("b")};

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 6, 0);
	list[0].has_match = true;
	flow_match_init(&list[0].match);
	list[0].match.key.l4_src = w_key(1, 0).l4_src; // of the first flow
	list[0].match.mask.l4_src = 0xffff;
	list[0].max_entries = 1;
	list[1].max_entries = 3;
	put(&w, list, 2);
	add_many(&w, 1, 2, 10);
	add_many(&w, 2, 1, 10);
	w_run(&w, 2000);
	assert_int_equal(entries(&w, 0, 2), 1);
	assert_int_equal(entries(&w, 1, 2), 3);
	assert_int_equal(entries(&w, 1, 1), 3);
	assert_int_equal(in_eswitch(&w, 0, 10), 4);
	assert_int_equal(in_eswitch(&w, 10, 10), 3);
	assert_true(w.flow[0].rule.path == OFFLOAD_ESWITCH);
	w_expect_words(&w, not_at(&w, OFFLOAD_ESWITCH, 1), OFFLOAD_IN,
		"its VM has 3 of the 3 table entries that the policy rule \"b\" lets it have");
	// The place in the rule goes to who is worth clearly more than the least that has one.
	f = not_at(&w, OFFLOAD_ESWITCH, 1);
	f->bps = 50 * MBIT;
	w_run(&w, 3000);
	assert_true(f->rule.path == OFFLOAD_ESWITCH);
	assert_int_equal(entries(&w, 1, 2), 3);
	w_fini(&w);
}

// Lower, higher, and away, under traffic: never above it for longer than a round or two.
static void
test_entries_change_live(void **state)
{
	struct world w;
	struct offload_policy p = rule("p");

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 6, 0);
	add_many(&w, 1, 2, 12);
	w_run(&w, 1000);
	assert_int_equal(in_eswitch(&w, 0, 12), 12);
	p.max_entries = 5;
	put(&w, &p, 1);
	assert_int_equal(entries(&w, 0, 2), 12); // what they have is charged at once
	w_run(&w, 200);
	assert_int_equal(entries(&w, 0, 2), 5);
	assert_int_equal(in_eswitch(&w, 0, 12), 5);
	assert_true(w.flow[0].rule.path == OFFLOAD_ESWITCH); // the greatest stay
	p.max_entries = 7;
	put(&w, &p, 1);
	w_run(&w, 1000);
	assert_int_equal(in_eswitch(&w, 0, 12), 7);
	put(&w, NULL, 0);
	w_run(&w, 1000);
	assert_int_equal(in_eswitch(&w, 0, 12), 12);
	assert_int_equal(entries(&w, 0, 2), 0); // there is no such rule
	w_fini(&w);
}

// A flow that gets another rule takes what it has with it.
static void
test_a_flow_changes_its_rule(void **state)
{
	struct world w;
	struct offload_policy list[2] = {rule("busy"), rule("rest")};

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 6, 0);
	list[0].min_bps = 40 * MBIT;
	list[0].max_entries = 2;
	list[1].max_entries = 8;
	put(&w, list, 2);
	add_many(&w, 1, 2, 8);
	w_run(&w, 1000);
	assert_int_equal(entries(&w, 0, 2), 0);
	assert_int_equal(entries(&w, 1, 2), 8);
	for (unsigned i = 0; i < 5; i++)
		w.flow[i].bps = HEAVY;
	w_run(&w, 2000);
	assert_int_equal(entries(&w, 0, 2), 2);
	assert_int_equal(entries(&w, 1, 2), 3);
	assert_int_equal(in_eswitch(&w, 0, 5), 2);
	assert_int_equal(in_eswitch(&w, 5, 3), 3);
	w_fini(&w);
}

static void
test_queues(void **state)
{
	struct world w;
	struct offload_policy p = rule("q");
	unsigned i, sum[2] = {0, 0};

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 8, 0);
	p.max_queues = 2;
	put(&w, &p, 1);
	for (i = 0; i < 10; i++)
		w_add(&w, 9, i % 2 ? 3 : 4, HEAVY + i);
	w_run(&w, 2000);
	for (i = 0; i < 10; i++)
		sum[i % 2] += w.flow[i].rule.path == OFFLOAD_EXCLUSIVE_QUEUE;
	assert_int_equal(sum[0], 2);
	assert_int_equal(sum[1], 2);
	assert_int_equal(alone(&w, 0, 3), 2);
	assert_int_equal(alone(&w, 0, 4), 2);
	w_expect_words(&w, not_at(&w, OFFLOAD_EXCLUSIVE_QUEUE, 0), OFFLOAD_IN,
		"its VM has 2 of the 2 exclusive queues that the policy rule \"q\" lets it have");
	p.max_queues = 1;
	put(&w, &p, 1);
	w_run(&w, 500);
	assert_int_equal(alone(&w, 0, 3), 1);
	assert_int_equal(alone(&w, 0, 4), 1);
	w_fini(&w);
}

// From one queue to another, and away: charged once, and given back once.
static void
test_a_queue_is_moved(void **state)
{
	struct world w;
	struct offload_policy p = rule("q");
	struct w_flow *f;
	unsigned i;

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 8, 0);
	p.max_queues = 2;
	put(&w, &p, 1);
	f = w_add(&w, 9, 3, NORMAL);
	w_add(&w, 9, 3, NORMAL);
	for (i = 0; i < 3; i++) {
		f->bps = NORMAL;
		w_run(&w, 8000);
		assert_int_equal(f->rule.path, OFFLOAD_SHARED_QUEUE);
		assert_int_equal(alone(&w, 0, 3), 0);
		f->bps = HEAVY;
		w_run(&w, 2000);
		assert_int_equal(f->rule.path, OFFLOAD_EXCLUSIVE_QUEUE);
		assert_int_equal(alone(&w, 0, 3), 1);
	}
	f->bps = 0;
	w_run(&w, 8000);
	assert_int_equal(alone(&w, 0, 3), 0);
	w_fini(&w);
}

static void
test_inserts(void **state)
{
	struct world w;
	struct offload_policy p = rule("slow");
	unsigned before;

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 6, 0);
	p.max_inserts = 20;
	p.vm = 2;
	put(&w, &p, 1);
	add_many(&w, 1, 2, 200);
	w_run(&w, 1000);
	assert_in_range(w.installs, 12, 25);
	w_expect_words(&w, &w.flow[150], OFFLOAD_IN,
		"its VM may have 20 insertions a second (max_inserts of the policy rule \"slow\")");
	before = w.installs;
	w_run(&w, 2000);
	assert_in_range(w.installs - before, 30, 45);
	put(&w, NULL, 0);
	w_run(&w, 1000);
	assert_int_equal(in_eswitch(&w, 0, 200), 200);
	w_fini(&w);
}

// Flows whose limits are within the ratio have one queue, others do not.
static void
shares(uint32_t ratio_pct, uint32_t kbps, bool together)
{
	struct world w;
	struct offload_policy p = rule("rates");
	struct w_flow *a, *b;

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 6, 0);
	p.share = OFFLOAD_SHARE_RATE_LIMIT;
	p.share_ratio_pct = ratio_pct;
	put(&w, &p, 1);
	a = w_add(&w, 9, 3, NORMAL);
	b = w_add(&w, 9, 4, NORMAL);
	a->d.actions.list[1].type = b->d.actions.list[1].type = FLOW_ACT_RATE;
	a->d.actions.n = b->d.actions.n = 2;
	a->d.actions.list[1].rate.kbps = 8192;
	b->d.actions.list[1].rate.kbps = kbps;
	w_run(&w, 1000);
	assert_int_equal(a->rule.path, OFFLOAD_SHARED_QUEUE);
	assert_int_equal(b->rule.path, OFFLOAD_SHARED_QUEUE);
	if ((a->rule.queue.index == b->rule.queue.index) != together)
		fail_msg("8192 and %u kbit/s, ratio %u %%: on queues %u and %u", kbps, ratio_pct,
			a->rule.queue.index, b->rule.queue.index);
	w_fini(&w);
}

static void
test_share_ratio(void **state)
{
	shares(0, 16000, true); // twice, as long as nothing is said
	shares(0, 17000, false);
	shares(200, 16000, true);
	shares(110, 16000, false);
	shares(110, 8200, true);
	shares(800, 32000, true);
	shares(1000, 900, false);
}

static void
test_nonsense(void **state)
{
	struct world w;
	struct offload_policy p = rule("p");

	w_init(&w, NULL);
	p.share_ratio_pct = 100; // no two limits are that alike
	assert_int_equal(offload_policies_set(w.o, &p, 1), -22);
	w_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_entries_change_live),
		cmocka_unit_test(test_a_flow_changes_its_rule),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_a_queue_is_moved),
		cmocka_unit_test(test_inserts),
		cmocka_unit_test(test_share_ratio),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

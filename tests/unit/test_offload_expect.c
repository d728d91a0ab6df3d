// SPDX-License-Identifier: BSD-3-Clause
// Rules ahead of the first packet of an answer, and what kinds of flows are worth.
#include <stdlib.h>

#include "offload_fixture.h"

#define ENTRIES 32
#define KNOWN 8

#define FEW 64 // the least that there may be

static int
setup_for(void **state, uint32_t flows_max, uint32_t entries)
{
	struct world *w = calloc(1, sizeof(*w));
	struct offload_cfg cfg = w_cfg();

	assert_non_null(w);
	cfg.eswitch_min_bps = 0;
	cfg.idle_ms = cfg.residency_ms = 0;
	cfg.flows_max = flows_max;
	w_init(w, &cfg);
	w_nic(w, 0, "nic0", 4, entries);
	*state = w;
	return 0;
}

static int
setup(void **state)
{
	return setup_for(state, w_cfg().flows_max, ENTRIES);
}

static int
setup_few(void **state)
{
	return setup_for(state, FEW, 0);
}

static int
teardown(void **state)
{
	w_fini(*state);
	free(*state);
	return 0;
}

// A packet of a flow comes to the host.
static void
packet(struct world *w, struct w_flow *f, uint64_t bytes)
{
	f->id = offload_flow_report(w->o, &f->key, 0, &f->d, 1, bytes, OFFLOAD_SOFTWARE);
}

static struct w_flow *
request(struct world *w)
{
	struct w_flow *f = w_add(w, 1, 2, 0);

	packet(w, f, 80);
	return f;
}

// The flow that answers, not seen yet.
static struct w_flow *
answer_to(struct world *w, const struct w_flow *f)
{
	struct w_flow *r = w_add(w, 2, 1, 0);

	assert_true(flow_key_reverse(&f->key, 2, &r->key));
	return r;
}

static void
answered_ones(struct world *w, unsigned n, unsigned after_ms)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		struct w_flow *f = request(w), *r = answer_to(w, f);

		w_run(w, after_ms);
		packet(w, r, 1000);
		w_run(w, W_TICK_MS);
	}
}

// As control does.
static bool
expect(struct world *w, struct w_flow *f, struct w_flow *r)
{
	struct flow_key key;

	if (!offload_flow_expects(w->o, f->id, &key))
		return false;
	assert_true(flow_key_equal(&key, &r->key));
	r->id = offload_flow_expect(w->o, f->id, &key, &r->d);
	return r->id != UINT32_MAX;
}

static void
test_an_answer_is_placed_before_it_comes(void **state)
{
	struct world *w = *state;
	struct offload_flow_info info;
	struct w_flow *f = request(w), *r = answer_to(w, f);
	struct flow_key key;

	// Nothing is known of the kind.
	assert_false(offload_flow_expects(w->o, f->id, &key));
	answered_ones(w, KNOWN, 2 * W_TICK_MS);
	f = request(w);
	r = answer_to(w, f);
	assert_true(expect(w, f, r));
	assert_int_equal(offload_flow_expect(w->o, f->id, &r->key, &r->d), UINT32_MAX);
	w_run(w, 2 * W_TICK_MS);
	w_expect(w, r, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect_words(
		w, r, OFFLOAD_IN, "where it wants to be: eswitch, ahead of its first packet");
	info = w_get(w, r);
	assert_int_equal(info.reverse, f->id);
	offload_flow_count(w->o, r->id, 1, 1000);
	w_expect_words(w, r, OFFLOAD_IN, "where it wants to be: eswitch");
	info = w_get(w, r);
	assert_int_equal(info.bytes[OFFLOAD_ESWITCH], 1000);
	assert_int_equal(info.bytes[OFFLOAD_SOFTWARE], 0);
	// It is there: nobody waits for it any more.
	assert_false(offload_flow_expects(w->o, f->id, &key));
}

// Answers that come before a rule could be in force, and kinds that get none.
static void
test_no_guess_where_it_is_of_no_use(void **state)
{
	struct world *w = *state;
	struct flow_key key;
	unsigned i;

	for (i = 0; i < 4 * KNOWN; i++) {
		struct w_flow *f = request(w), *r = answer_to(w, f);

		packet(w, r, 1000);
		w_run(w, W_TICK_MS);
		assert_false(offload_flow_expects(w->o, f->id, &key));
	}
	assert_false(offload_flow_expects(w->o, request(w)->id, &key));
}

// Rules that nothing comes by: their kind is guessed no more, and they leave for others.
static void
test_wrong_guesses_end(void **state)
{
	struct world *w = *state;
	struct w_flow *heavy[ENTRIES];
	unsigned guesses = 0, i, in = 0;

	answered_ones(w, KNOWN, 2 * W_TICK_MS);
	for (i = 0; i < 200; i++) {
		struct w_flow *f = request(w), *r = answer_to(w, f);

		guesses += expect(w, f, r);
		w_run(w, W_TICK_MS);
	}
	assert_in_range(guesses, KNOWN, 199);
	assert_false(expect(w, request(w), &w->flow[0]));
	for (i = 0; i < ENTRIES; i++)
		heavy[i] = w_add(w, 1, 2, MBIT);
	w_run(w, 3000);
	for (i = 0; i < ENTRIES; i++)
		in += heavy[i]->rule.path == OFFLOAD_ESWITCH;
	assert_true(in >= ENTRIES - ENTRIES / 16 - 1);
	assert_true(w->entries <= ENTRIES);
}

// What leaves the NIC, or is served by a rule for all of its kind, gets no rule ahead.
static void
test_only_what_stays_in_the_nic(void **state)
{
	struct world *w = *state;
	struct w_flow *f, *r;
	struct flow_key key;

	answered_ones(w, KNOWN, 2 * W_TICK_MS);
	f = w_add(w, 1, 3, 0);
	packet(w, f, 80);
	assert_false(offload_flow_expects(w->o, f->id, &key));
	f = request(w);
	r = answer_to(w, f);
	r->d.served = OFFLOAD_SERVED_ESWITCH;
	assert_false(expect(w, f, r));
	r->d.served = OFFLOAD_SERVED_NO;
	r->d.depends = FLOW_FIELD_TTL;
	assert_false(expect(w, f, r));
	r->d.depends = 0;
	r->d.out = w_end(9);
	assert_false(expect(w, f, r)); // not to where the request came from
	assert_false(offload_flow_expects(w->o, UINT32_MAX, &key));
	assert_int_equal(offload_flow_expect(w->o, UINT32_MAX, &r->key, &r->d), UINT32_MAX);
}

// Its packets are told by the last counters of a rule that went, or by a worker that forgets it.
static void
test_an_answer_that_is_told_late(void **state)
{
	struct world *w = *state;
	struct w_flow *f, *r;

	answered_ones(w, KNOWN, 2 * W_TICK_MS);
	f = request(w);
	r = answer_to(w, f);
	assert_true(expect(w, f, r));
	w_run(w, 2 * W_TICK_MS);
	w_expect_words(
		w, r, OFFLOAD_IN, "where it wants to be: eswitch, ahead of its first packet");
	offload_flow_left(w->o, r->id, OFFLOAD_ESWITCH, 1, 1000);
	w_expect_words(w, r, OFFLOAD_IN, "where it wants to be: eswitch");
	f = request(w);
	r = answer_to(w, f);
	assert_true(expect(w, f, r));
	w_run(w, 2 * W_TICK_MS);
	offload_flow_gone(w->o, &r->key, 1, 1000);
	w_expect_words(w, r, OFFLOAD_IN, "where it wants to be: eswitch");
}

// What one VM's requests turned out to be says nothing of another's, and is forgotten with its last
// flow.
static void
test_each_vm_has_its_own(void **state)
{
	struct world *w = *state;
	struct offload_cfg cfg = w_cfg();
	struct flow_key key;
	struct w_flow *f, *other, *r;
	unsigned i;

	answered_ones(w, KNOWN, 2 * W_TICK_MS);
	for (i = 0; i < 500; i++) { // VM 2 asks in vain
		f = w_add(w, 2, 1, 0);
		packet(w, f, 80);
		assert_false(offload_flow_expects(w->o, f->id, &key));
	}
	f = request(w);
	r = answer_to(w, f);
	assert_true(expect(w, f, r));
	other = w_add(w, 2, 1, 0);
	packet(w, other, 80);
	assert_false(offload_flow_expects(w->o, other->id, &key));
	cfg.idle_ms = 1000; // all leave the table, and are forgotten
	offload_reconfigure(w->o, &cfg);
	w_run(w, 70000);
	f = request(w);
	assert_false(offload_flow_expects(w->o, f->id, &key));
}

// All others have an entry: nobody but the request itself could leave for the answer.
static void
test_a_full_table(void **state)
{
	struct world *w = *state;
	struct w_flow *f, *r;
	unsigned i;

	answered_ones(w, KNOWN, 2 * W_TICK_MS);
	for (i = 2 * KNOWN; i < FEW - 1; i++)
		w_add(w, 1, 2, MBIT);
	w_run(w, 1000);
	for (i = 0; i < FEW - 1; i++)
		assert_int_equal(w->flow[i].rule.path, OFFLOAD_ESWITCH);
	f = request(w);
	r = answer_to(w, f);
	assert_false(expect(w, f, r));
	assert_int_equal(w_get(w, f).packets[OFFLOAD_SOFTWARE], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_an_answer_is_placed_before_it_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_no_guess_where_it_is_of_no_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_guesses_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_what_stays_in_the_nic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_answer_that_is_told_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_vm_has_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_table, setup_few, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

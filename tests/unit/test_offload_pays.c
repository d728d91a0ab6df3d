// SPDX-License-Identifier: BSD-3-Clause
// Which rules are worth their entries ahead of traffic.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rng.h"
#include "offload/pays.h"

#define RULES 40
#define ROUND_NS (250 * SL_NS_PER_MS)
#define PLENTY 1000

// Rules that carry what `rate` says, with one entry each unless `entries` says more.
struct world {
	struct ahead_pays *p;
	uint64_t now, bytes[RULES];
	double rate[RULES];
	uint32_t entries[RULES];
	bool counted[RULES];
	double margin;
	bool wanted;
	uint32_t room;
	unsigned n, changes;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned i;

	assert_non_null(w);
	assert_int_equal(ahead_pays_new(&w->p), 0);
	w->now = SL_NS_PER_S;
	w->room = PLENTY;
	w->n = 4;
	for (i = 0; i < RULES; i++) {
		w->entries[i] = 1;
		w->counted[i] = true;
	}
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	ahead_pays_free(((struct world *)*state)->p);
	free(*state);
	return 0;
}

static bool
in(const struct world *w, unsigned rule)
{
	return ahead_pays(w->p, 1000 + rule);
}

static void
rounds(struct world *w, unsigned n)
{
	unsigned i;

	for (; n > 0; n--) {
		w->now += ROUND_NS;
		ahead_pays_begin(w->p, w->now, w->margin, w->wanted, w->room);
		for (i = 0; i < w->n; i++) {
			bool there = in(w, i);

			if (w->counted[i] || there)
				w->bytes[i] += (uint64_t)(w->rate[i] / 4);
			ahead_pays_rule(w->p, 1000 + i, w->bytes[i], there ? w->entries[i] : 0,
				w->counted[i]);
		}
		w->changes += ahead_pays_end(w->p);
	}
}

static void
test_all_are_there_while_there_is_room(void **state)
{
	struct world *w = *state;
	unsigned i;

	assert_true(in(w, 0)); // before anything is known
	rounds(w, 40);
	for (i = 0; i < w->n; i++)
		assert_true(in(w, i));
	assert_int_equal(w->changes, 0);
}

static void
test_what_carries_less_than_flows_would_goes(void **state)
{
	struct world *w = *state;

	w->rate[0] = 50000;
	w->rate[1] = 5000;
	w->rate[2] = 50000; // and takes more entries
	w->entries[2] = 10;
	rounds(w, 8);
	w->margin = 10000;
	rounds(w, 40); // nobody wants an entry
	assert_true(in(w, 1) && in(w, 2) && in(w, 3));
	w->wanted = true;
	rounds(w, 1);
	assert_true(in(w, 1)); // once is not enough
	rounds(w, 8);
	assert_true(in(w, 0));
	assert_false(in(w, 1));
	assert_false(in(w, 2));
	assert_false(in(w, 3));
	assert_false(in(w, 17)); // one that is new
	// Its own counter says when it carries enough again.
	w->rate[1] = 50000;
	rounds(w, 8);
	assert_true(in(w, 1));
	assert_false(in(w, 3));
}

static void
test_no_haste_at_the_margin(void **state)
{
	struct world *w = *state;
	unsigned i;

	w->margin = 10000;
	w->wanted = true;
	for (i = 0; i < 200; i++) {
		w->rate[0] = i % 2 ? 9000 : 11000;
		rounds(w, 1);
		if (i == 40)
			w->changes = 0;
	}
	assert_in_range(w->changes, 0, 1);
}

static void
test_room_brings_them_back_after_a_while(void **state)
{
	struct world *w = *state;

	rounds(w, 4);
	w->margin = 10000;
	w->wanted = true;
	rounds(w, 4);
	assert_false(in(w, 0));
	w->margin = 0;
	w->wanted = false;
	rounds(w, (unsigned)(AHEAD_PAYS_CALM_NS / ROUND_NS) - 1);
	assert_false(in(w, 0));
	rounds(w, 3);
	assert_true(in(w, 0));
}

// What has no counter of its own while it is away is tried again, after ever longer pauses.
static void
test_what_is_not_counted_is_tried_again(void **state)
{
	struct world *w = *state;
	const unsigned pause = (unsigned)(AHEAD_PAYS_BACK_NS / ROUND_NS);

	w->counted[0] = false;
	rounds(w, 4);
	w->margin = 10000;
	w->wanted = true;
	rounds(w, 4);
	assert_false(in(w, 0));
	rounds(w, pause);
	assert_true(in(w, 0) || w->changes >= 3);
	rounds(w, 4);
	assert_false(in(w, 0));
	w->changes = 0;
	rounds(w, pause + 2);
	assert_int_equal(w->changes, 0); // twice as long now
	w->rate[0] = 1e6;
	rounds(w, pause + 8);
	assert_true(in(w, 0));
}

static void
test_the_best_where_there_is_not_room_for_all(void **state)
{
	struct world *w = *state;
	struct sl_rng rng = {7};
	unsigned i, k, n, turn;

	w->n = RULES;
	w->room = 8;
	w->wanted = true;
	for (turn = 0; turn < 20; turn++) {
		for (i = 0; i < RULES; i++)
			w->rate[i] = i % 3 == 0 ? 0 : (double)(1000 << sl_rng_below(&rng, 12));
		rounds(w, 240); // a minute: what was before is forgotten
		for (i = 0, n = 0; i < RULES; i++)
			n += in(w, i);
		assert_int_equal(n, w->room);
		for (i = 0; i < RULES; i++) {
			for (k = 0; k < RULES; k++)
				assert_false(in(w, i) && !in(w, k) && w->rate[k] > 2 * w->rate[i]);
		}
	}
	w->changes = 0;
	rounds(w, 100);
	assert_int_equal(w->changes, 0);
	for (i = 0; i < RULES; i++)
		w->rate[i] = 0;
	rounds(w, 4000);
	for (i = 0, n = 0; i < RULES; i++)
		n += in(w, i);
	assert_int_equal(n, 0);
	w->wanted = false; // rather rules without traffic than nothing
	rounds(w, 1);
	for (i = 0, n = 0; i < RULES; i++)
		n += in(w, i);
	assert_int_equal(n, w->room);
}

static void
test_more_than_it_can_keep(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < 3; i++) {
		uint64_t key;

		ahead_pays_begin(w->p, w->now += ROUND_NS, 0, false, UINT32_MAX);
		for (key = 0; key < AHEAD_PAYS_MAX + 10; key++)
			ahead_pays_rule(w->p, key, 0, 1, true);
		(void)ahead_pays_end(w->p);
		assert_true(ahead_pays(w->p, AHEAD_PAYS_MAX + 5));
	}
	rounds(w, 2); // the others are forgotten, there is room again
	assert_true(in(w, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_all_are_there_while_there_is_room, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_carries_less_than_flows_would_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_haste_at_the_margin, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_room_brings_them_back_after_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_is_not_counted_is_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_best_where_there_is_not_room_for_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_than_it_can_keep, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

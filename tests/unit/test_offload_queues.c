// SPDX-License-Identifier: BSD-3-Clause
// Accounts as people see them, and queues that are taken out of use.
#include <errno.h>

#include "offload_fixture.h"

#define NORMAL (5 * MBIT)

static int
setup(void **state)
{
	static struct world w;

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 4, 0);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	w_fini(*state);
	return 0;
}

struct tally {
	unsigned n, by_state[OFFLOAD_Q_STATES], by_kind[3];
};

static void
count_queue(void *ctx, const struct offload_queue *q)
{
	struct tally *t = ctx;

	t->n++;
	t->by_state[q->state]++;
	t->by_kind[q->id.kind]++;
}

static void
test_all_are_known(void **state)
{
	struct world *w = *state;
	struct tally t = {0};

	offload_queue_each(w->o, count_queue, &t);
	assert_int_equal(t.by_kind[OFFLOAD_RX], 3 * 5);
	assert_int_equal(t.by_kind[OFFLOAD_TX], 3 * 6);
	assert_int_equal(t.by_kind[OFFLOAD_VF], 2 * 2);
	assert_int_equal(t.by_state[OFFLOAD_Q_FREE], 3 * 8);
	assert_int_equal(t.by_state[OFFLOAD_Q_DEFAULT], t.n - 3 * 8);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_TX, 1).worker, 1);
}

// A VF's guest enables queues, and takes them back.
static void
test_queues_of_a_vf(void **state)
{
	static const bool spread[3] = {true, false, true};
	struct world *w = *state;
	struct tally t = {0};

	assert_int_equal(offload_vf_queues(w->o, 0, 2, spread, 3), 0);
	offload_queue_each(w->o, count_queue, &t);
	assert_int_equal(t.by_kind[OFFLOAD_VF], 2 + 3);
	assert_int_equal(w_queue(w, 0, 2, OFFLOAD_VF, 0).state, OFFLOAD_Q_DEFAULT);
	assert_int_equal(w_queue(w, 0, 2, OFFLOAD_VF, 1).state, OFFLOAD_Q_FREE);
	assert_int_equal(offload_vf_queues(w->o, 0, 2, &spread[1], 1), 0);
	assert_int_equal(w_queue(w, 0, 2, OFFLOAD_VF, 0).state, OFFLOAD_Q_FREE);
	assert_int_equal(offload_vf_queues(w->o, 0, 2, NULL, 0), 0);
	t = (struct tally){0};
	offload_queue_each(w->o, count_queue, &t);
	assert_int_equal(t.by_kind[OFFLOAD_VF], 2);
	// Not the PF's, no other NIC's, and not too many.
	assert_int_equal(offload_vf_queues(w->o, 0, 0, spread, 1), -EINVAL);
	assert_int_equal(offload_vf_queues(w->o, 0, 3, spread, 1), -EINVAL);
	assert_int_equal(offload_vf_queues(w->o, 1, 1, spread, 1), -EINVAL);
	assert_int_equal(offload_vf_queues(w->o, 0, 1, spread, OFFLOAD_QUEUES_MAX + 1), -EINVAL);
	offload_nic_gone(w->o, 0);
	assert_int_equal(offload_vf_queues(w->o, 0, 1, spread, 1), 0);
	assert_int_equal(w_queue(w, 0, 1, OFFLOAD_VF, 0).state, OFFLOAD_Q_STOPPED);
}

static void
expect_name(struct world *w, struct offload_queue_id id, const char *want)
{
	char name[64];

	offload_queue_name(w->o, id, name, sizeof(name));
	assert_string_equal(name, want);
}

static void
test_names(void **state)
{
	struct world *w = *state;
	char small[6];

	expect_name(w, (struct offload_queue_id){0, 0, OFFLOAD_RX, 5}, "nic0/pf/rx/5");
	expect_name(w, (struct offload_queue_id){0, 2, OFFLOAD_TX, 0}, "nic0/vf1/tx/0");
	expect_name(w, (struct offload_queue_id){7, 1, OFFLOAD_VF, 1}, "nic7/vf0/vf/1");
	offload_queue_name(w->o, (struct offload_queue_id){0}, small, sizeof(small));
	assert_string_equal(small, "nic0/");
	assert_string_equal(offload_path_name(OFFLOAD_EXCLUSIVE_QUEUE), "exclusive-queue");
	assert_string_equal(offload_state_name(OFFLOAD_ST_REFUSED), "refused");
	assert_string_equal(offload_reason_name(OFFLOAD_R_DEPENDS), "depends-on");
	assert_string_equal(offload_reason_name(OFFLOAD_REASONS), "?");
	assert_string_equal(offload_queue_state_name(OFFLOAD_Q_STANDBY), "standby");
}

static void
test_reserve(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 3, NORMAL), *t = w_add(w, 3, 9, NORMAL);
	struct offload_queue_id rx, tx, free_q = {0, 0, OFFLOAD_RX, 4};

	w_run(w, 500);
	rx = w_get(w, a).side[OFFLOAD_IN].actual.queue;
	tx = w_get(w, t).side[OFFLOAD_OUT].actual.queue;
	assert_int_equal(offload_queue_reserve(w->o, free_q, OFFLOAD_Q_MONITOR), 0);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, 4).state, OFFLOAD_Q_MONITOR);
	assert_int_equal(offload_queue_reserve(w->o, rx, OFFLOAD_Q_STANDBY), 0);
	assert_int_equal(offload_queue_reserve(w->o, tx, OFFLOAD_Q_STOPPED), 0);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, rx.index).state, OFFLOAD_Q_SHARED);
	w_run(w, 500);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, rx.index).state, OFFLOAD_Q_STANDBY);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_TX, tx.index).state, OFFLOAD_Q_STOPPED);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, t, OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_not_equal(w_get(w, a).side[OFFLOAD_IN].actual.queue.index, rx.index);
	assert_int_not_equal(w_get(w, t).side[OFFLOAD_OUT].actual.queue.index, tx.index);
	assert_int_equal(offload_queue_reserve(w->o, rx, OFFLOAD_Q_FREE), 0);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, rx.index).state, OFFLOAD_Q_FREE);
}

static void
test_reserve_refuses(void **state)
{
	struct world *w = *state;
	struct offload_queue_id q = {0, 0, OFFLOAD_RX, 0};

	assert_int_equal(offload_queue_reserve(w->o, q, OFFLOAD_Q_STOPPED), -EINVAL); // default
	q.index = 1;
	assert_int_equal(offload_queue_reserve(w->o, q, OFFLOAD_Q_SHARED), -EINVAL);
	q.index = 5;
	assert_int_equal(offload_queue_reserve(w->o, q, OFFLOAD_Q_STOPPED), -EINVAL);
	q = (struct offload_queue_id){0, 1, OFFLOAD_VF, 0};
	assert_int_equal(offload_queue_reserve(w->o, q, OFFLOAD_Q_STOPPED), -EINVAL);
	q = (struct offload_queue_id){3, 0, OFFLOAD_RX, 1};
	assert_int_equal(offload_queue_reserve(w->o, q, OFFLOAD_Q_STOPPED), -EINVAL);
	q = (struct offload_queue_id){0, 0, OFFLOAD_RX, 1};
	offload_nic_gone(w->o, 0);
	assert_int_equal(offload_queue_reserve(w->o, q, OFFLOAD_Q_FREE), -ENODEV);
}

// A flow alone on a shared queue gets heavy while no other queue is free: it gets this one. It is
// not heavy any more before that is done: the queue is its own until its rule is gone.
static void
test_own_queue_in_place(void **state)
{
	struct world *w = *state;
	struct w_flow *f;
	struct offload_queue_id q;
	uint16_t i;

	for (i = 2; i < 5; i++)
		assert_int_equal(
			offload_queue_reserve(w->o, (struct offload_queue_id){0, 0, OFFLOAD_RX, i},
				OFFLOAD_Q_STOPPED),
			0);
	f = w_add(w, 9, 3, NORMAL);
	w_run(w, 500);
	q = w_get(w, f).side[OFFLOAD_IN].actual.queue;
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, q.index).state, OFFLOAD_Q_SHARED);
	f->bps = 100 * MBIT;
	for (i = 0; i < 50 && w->removes == 0; i++)
		w_run(w, W_TICK_MS);
	assert_int_equal(w->removes, 1);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, q.index).state, OFFLOAD_Q_EXCLUSIVE);
	assert_int_equal(offload_hint(w->o, &f->key, -1), 0);
	w_tick(w);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, q.index).flows, 1);
	assert_int_equal(offload_hint(w->o, &f->key, 0), 0);
	w_run(w, 500);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_equal(w_get(w, f).side[OFFLOAD_IN].actual.queue.index, q.index);
}

// A transmit queue that one worker left is not another's in the same round.
static void
test_tx_queue_changes_hands(void **state)
{
	struct world *w = *state;
	struct w_flow *a, *b;
	uint16_t i;

	for (i = 3; i < 6; i++)
		assert_int_equal(
			offload_queue_reserve(w->o, (struct offload_queue_id){0, 0, OFFLOAD_TX, i},
				OFFLOAD_Q_STOPPED),
			0);
	a = w_add(w, 3, 9, NORMAL);
	b = w_add(w, 3, 9, NORMAL);
	b->worker = 1;
	w_run(w, 500);
	w_expect(w, a, OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_OUT, OFFLOAD_SOFTWARE, OFFLOAD_ST_WANTED, OFFLOAD_R_NO_FREE_QUEUE);
	a->bps = 0;
	for (i = 0; i < 200 && a->host[OFFLOAD_OUT].path != OFFLOAD_SOFTWARE; i++)
		w_run(w, W_TICK_MS);
	assert_int_equal(a->host[OFFLOAD_OUT].path, OFFLOAD_SOFTWARE);
	assert_int_equal(b->host[OFFLOAD_OUT].path, OFFLOAD_SOFTWARE);
	w_run(w, W_TICK_MS);
	assert_int_equal(b->host[OFFLOAD_OUT].path, OFFLOAD_SHARED_QUEUE);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_TX, 2).worker, 1);
}

// What a VF sends comes through its VM for a while: no queue of the NIC has it then, also where
// nothing else was decided anew.
static void
test_misses_through_the_vm(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 1, 3, NORMAL);

	w_run(w, 500);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	f->d.through_vm = true;
	offload_flow_redecide(w->o, f->id, &f->d);
	w_run(w, 1000);
	assert_int_equal(f->rule.path, OFFLOAD_SOFTWARE);
	assert_int_equal(w_get(w, f).side[OFFLOAD_IN].reason, OFFLOAD_R_THROUGH_VM);
	f->d.through_vm = false;
	offload_flow_redecide(w->o, f->id, &f->d);
	w_run(w, 500);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_are_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queues_of_a_vf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserve_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_queue_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tx_queue_changes_hands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_misses_through_the_vm, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

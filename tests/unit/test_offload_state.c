// SPDX-License-Identifier: BSD-3-Clause
// Limits that are learned, each class of failure, changes of rules, devices that go.
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

static struct offload_nic_stats
nic_stats(struct world *w, uint16_t nic)
{
	struct offload_nic_stats ns;

	assert_true(offload_nic_stats_get(w->o, nic, &ns));
	return ns;
}

static void
test_limit_is_learned(void **state)
{
	struct world *w = *state;
	unsigned i, installs;

	w->capacity = 10;
	for (i = 0; i < 20; i++)
		w_add(w, 1, 2, NORMAL + i * MBIT / 10);
	w_run(w, 1000);
	assert_int_equal(nic_stats(w, 0).limit, 10);
	assert_int_equal(nic_stats(w, 0).entries, 10);
	assert_int_equal(w->entries, 10);
	for (i = 0; i < 20; i++) {
		struct offload_flow_info info = w_get(w, &w->flow[i]);

		if (info.side[0].actual.path == OFFLOAD_ESWITCH)
			continue;
		w_expect(w, &w->flow[i], OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED,
			OFFLOAD_R_TABLE_FULL);
		w_expect_words(w, &w->flow[i], OFFLOAD_IN, "table full: 10 of 10");
		assert_int_equal(w->flow[i].host[OFFLOAD_IN].path, OFFLOAD_RING);
	}
	assert_true(nic_stats(w, 0).waiting >= 10);
	assert_true(nic_stats(w, 0).refused[OFFLOAD_R_TABLE_FULL] >= 10);
	// It is not asked again and again, but it is asked.
	installs = w->installs;
	w_run(w, 30000);
	assert_in_range(w->installs - installs, 2, 12);
	w->capacity = 15;
	w_run(w, 60000);
	assert_int_equal(w->entries, 15);
}

static void
test_better_replaces_weakest(void **state)
{
	struct world *w = *state;
	struct w_flow *f;
	unsigned i;

	offload_nic_del(w->o, 0);
	w_nic(w, 0, "nic0", 4, 8);
	for (i = 0; i < 8; i++)
		w_add(w, 1, 2, NORMAL + i * NORMAL / 8);
	w_run(w, 3000);
	f = w_add(w, 1, 2, NORMAL + NORMAL / 10); // not clearly better than the weakest
	w_run(w, 3000);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_TABLE_FULL);
	assert_int_equal(w->removes, 0);
	f->bps = 4 * NORMAL;
	w_run(w, 1000);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_equal(w->removes, 1);
	// The weakest of 16 samples out of 8 residents is one of the weakest.
	assert_true(w->flow[0].rule.path == OFFLOAD_SOFTWARE ||
		    w->flow[1].rule.path == OFFLOAD_SOFTWARE);
}

static void
test_heaviest_first(void **state)
{
	struct world *w = *state;
	unsigned i;

	offload_nic_del(w->o, 0);
	w_nic(w, 0, "nic0", 4, 8);
	for (i = 0; i < 100; i++) // 100 rates in a mixed order
		w_report(w, w_add(w, 1, 2, 50 * NORMAL + i * 37 % 100 * MBIT));
	w_tick(w);
	w_answers(w);
	for (i = 0; i < 100; i++)
		assert_int_equal(w->flow[i].rule.path == OFFLOAD_ESWITCH, i * 37 % 100 >= 92);
}

// For one that waits, one has to go, however long it takes.
static void
test_one_leaves_for_one(void **state)
{
	struct world *w = *state;
	struct w_flow *strong;
	unsigned i;

	offload_nic_del(w->o, 0);
	w_nic(w, 0, "nic0", 4, 4);
	for (i = 0; i < 4; i++)
		w_add(w, 1, 2, NORMAL);
	w_run(w, 1000);
	strong = w_add(w, 1, 2, 100 * NORMAL);
	for (i = 0; i < 10; i++) {
		w->clock.manual_ns += W_TICK_MS * SL_NS_PER_MS;
		w_report(w, strong);
		w_tick(w);
	}
	assert_int_equal(w->removes, 1);
}

static void
test_residency(void **state)
{
	struct world *w = *state;
	struct w_flow *weak, *strong;

	offload_nic_del(w->o, 0);
	w_nic(w, 0, "nic0", 4, 1);
	weak = w_add(w, 1, 2, NORMAL);
	w_run(w, 100);
	w_expect(w, weak, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	strong = w_add(w, 1, 2, 20 * NORMAL);
	w_run(w, 300);
	w_expect(w, strong, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_TABLE_FULL);
	w_run(w, 500);
	w_expect(w, strong, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, weak, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_TABLE_FULL);
}

static void
test_refused_shape_is_remembered(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b, *tcp;
	struct offload_flow_info info;

	w->answer = OFFLOAD_UNSUPPORTED;
	while (nic_stats(w, 0).refused[OFFLOAD_R_UNSUPPORTED] == 0)
		w_run(w, W_TICK_MS);
	w->answer = OFFLOAD_OK;
	w_run(w, 500);
	// Not in the switch, so on a queue, and the words stay.
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_UNSUPPORTED);
	info = w_get(w, a);
	assert_int_equal(info.side[0].driver_errno, ENOSPC);
	assert_string_equal(info.side[0].driver_text, "no way");
	b = w_add(w, 1, 2, NORMAL);
	w_run(w, 500);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_UNSUPPORTED);
	w_expect_words(w, b, OFFLOAD_IN,
		"the driver does not take this kind of rule: no way (No space left on device), "
		"next try in 29000 ms");
	assert_int_equal(w->installs, 3); // one for the switch, two for the queue
	tcp = w_add(w, 1, 2, NORMAL);
	tcp->key.proto = IPPROTO_TCP;
	w_run(w, 500);
	w_expect(w, tcp, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	// A new configuration is a new chance.
	offload_reconfigure(w->o, &w->cfg);
	w_run(w, 500);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

static void
test_refused_everywhere(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL);

	w->answer = OFFLOAD_UNSUPPORTED;
	w_run(w, 1000);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_REFUSED, OFFLOAD_R_UNSUPPORTED);
	assert_int_equal(w->installs, 2);
	assert_int_equal(nic_stats(w, 0).entries, 0);
}

static void
test_transient_backs_off(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL);
	struct offload_flow_info info;
	unsigned after_1s;

	w->answer = OFFLOAD_TRANSIENT;
	w_run(w, 100);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_REFUSED, OFFLOAD_R_DRIVER);
	info = w_get(w, a);
	assert_true(info.side[0].retry_ns > w->clock.manual_ns);
	assert_int_equal(info.side[0].driver_errno, ENOSPC);
	w_run(w, 900);
	after_1s = w->installs;
	assert_in_range(after_1s, 3, 5); // at 0, 100, 300, 700 ms
	w_run(w, 60000);
	assert_in_range(w->installs, after_1s + 5, after_1s + 12); // at most every 10 s in the end
	w->answer = OFFLOAD_OK;
	w_run(w, 11000);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_equal(w_get(w, a).side[0].driver_errno, 0);
}

static void
test_failed_remove_is_repeated(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 3, NORMAL);

	w_run(w, 500);
	w->answer_remove = OFFLOAD_TRANSIENT;
	a->bps = 0;
	w_run(w, 3000);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_REMOVING, OFFLOAD_R_LIGHT);
	assert_int_equal(nic_stats(w, 0).entries, 1);
	assert_in_range(w->removes, 3, 6);
	w->answer_remove = OFFLOAD_OK;
	w_run(w, 3000);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_LIGHT);
	assert_int_equal(nic_stats(w, 0).entries, 0);
	assert_int_equal(w->entries, 0);
}

static void
test_deny_goes_first(void **state)
{
	struct world *w = *state;
	struct offload_order out[4];
	struct w_flow *f;
	uint64_t packets;
	unsigned i;

	for (i = 0; i < 40; i++)
		w_add(w, 1, 2, NORMAL);
	w_run(w, 1000);
	for (i = 40; i < 80; i++) { // each of them is told to use a ring
		f = w_add(w, 3, 4, NORMAL);
		f->d.wants_ring = true;
		w_report(w, f);
	}
	f = &w->flow[20];
	packets = w_get(w, f).packets[OFFLOAD_ESWITCH];
	f->d = w_decision(1, OFFLOAD_NONE);
	f->d.gen = 2;
	f->d.eswitch_ok = false;
	offload_flow_redecide(w->o, f->id, &f->d);
	w_expect_words(w, f, OFFLOAD_IN, "the rules changed, its placement is being replaced");
	assert_true(offload_tick(w->o, out, 4) >= 1);
	assert_int_equal(out[0].type, OFFLOAD_REMOVE);
	assert_int_equal(out[0].flow, f->id);
	offload_done(w->o, f->id, OFFLOAD_IN, OFFLOAD_OK, 0, NULL, 7, 700);
	assert_int_equal(w_get(w, f).packets[OFFLOAD_ESWITCH], packets + 7);
}

static void
test_redecide(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *q = w_add(w, 9, 3, NORMAL);
	struct offload_decision old;

	w_run(w, 500);
	old = a->d;
	// The same in another generation changes nothing.
	a->d.gen = q->d.gen = 2;
	offload_flow_redecide(w->o, a->id, &a->d);
	offload_flow_redecide(w->o, q->id, &q->d);
	w_run(w, 100);
	assert_int_equal(w->removes, 0);
	// To another port: a new rule. A lane's program is replaced without one.
	a->d.out = w_end(9);
	q->d.out.vport = 4;
	a->d.gen = q->d.gen = 3;
	offload_flow_redecide(w->o, a->id, &a->d);
	offload_flow_redecide(w->o, q->id, &q->d);
	w_run(w, 100);
	assert_int_equal(w->removes, 1);
	assert_int_equal(w->installs, 3);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	// A report made under older rules is not believed.
	offload_flow_report(w->o, &a->key, 0, &old, 1, 100, OFFLOAD_SOFTWARE);
	assert_int_equal(w_get(w, a).decision.out.vport, 9);
	// Rules that change while the rule is being made: it goes again, even when they change
	// back.
	offload_flow_gone(w->o, &a->key, 0, 0);
	a = w_add(w, 1, 2, 20 * NORMAL);
	w_report(w, a);
	w_tick(w);
	assert_int_equal(w->n_open, 1);
	a->d.out = w_end(9);
	offload_flow_redecide(w->o, a->id, &a->d);
	a->d.out = w_end(2);
	offload_flow_redecide(w->o, a->id, &a->d);
	w_run(w, 100);
	assert_int_equal(w->removes, 2);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

static void
test_nic_gone(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *q = w_add(w, 9, 3, NORMAL);
	struct w_flow *t = w_add(w, 3, 9, NORMAL), *late;
	unsigned orders;

	w_run(w, 500);
	late = w_add(w, 1, 2, 20 * NORMAL);
	w_report(w, late);
	w_tick(w);
	assert_int_equal(w->n_open, 1);
	offload_nic_gone(w->o, 0);
	a->rule.path = q->rule.path = OFFLOAD_SOFTWARE;
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NIC_GONE);
	w_expect(w, t, OFFLOAD_OUT, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NIC_GONE);
	assert_int_equal(nic_stats(w, 0).entries, 0);
	w->n_open = 0;
	offload_done(w->o, late->id, OFFLOAD_IN, OFFLOAD_OK, 0, NULL, 0, 0); // comes too late
	w_expect(w, late, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NIC_GONE);
	orders = w->installs + w->removes;
	w_run(w, 500);
	assert_int_equal(w->installs + w->removes, orders);
	assert_int_equal(t->host[OFFLOAD_OUT].path, OFFLOAD_SOFTWARE);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, 1).state, OFFLOAD_Q_STOPPED);
	assert_int_equal(offload_nic_add(w->o, 0, &w->nic), -EEXIST);
	offload_nic_del(w->o, 0);
	w_run(w, 100);
	w->entries = 0;
	w_nic(w, 0, "nic0", 4, 0);
	w_run(w, 500);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, q, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, t, OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	// A driver that says so itself.
	w->answer_remove = OFFLOAD_GONE;
	a->bps = 0;
	w_run(w, 2500);
	w_expect(w, q, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NIC_GONE);
}

static void
test_orders_are_bounded(void **state)
{
	struct world *w = *state;
	unsigned i, most = 0;

	for (i = 0; i < 500; i++)
		w_add(w, 1, 2, NORMAL + i * 1000);
	for (i = 0; i < 30; i++) {
		w_run(w, W_TICK_MS);
		most = w->last_round > most ? w->last_round : most;
	}
	assert_in_range(most, 33, 64);
	w_expect(w, &w->flow[499], OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_equal(w->entries, 500);
}

static void
test_flood_of_flows(void **state)
{
	struct world *w = *state;
	struct offload_decision d = w_decision(1, 2);
	struct offload_cfg cfg = w_cfg();
	struct offload_stats st;
	struct w_flow *busy[8];
	struct flow_key key;
	unsigned i, round;

	w_fini(w);
	cfg.flows_max = 64;
	w_init(w, &cfg);
	w_nic(w, 0, "nic0", 4, 0);
	for (i = 0; i < 8; i++)
		busy[i] = w_add(w, 1, 2, NORMAL);
	for (round = 0; round < 50; round++) {
		for (i = 0; i < 100; i++) {
			key = w_key(2, 1000 + round * 100 + i);
			offload_flow_report(w->o, &key, 0, &d, 1, 60, OFFLOAD_SOFTWARE);
		}
		w_run(w, W_TICK_MS);
	}
	offload_stats_get(w->o, &st);
	assert_int_equal(st.flows, 64);
	for (i = 0; i < 8; i++)
		w_expect(
			w, busy[i], OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	// When all that are known hold something, a new one is turned away.
	for (i = 0; i < 56; i++)
		w_add(w, 1, 2, NORMAL);
	w_run(w, 1000);
	key = w_key(2, 20000);
	assert_int_equal(
		offload_flow_report(w->o, &key, 0, &d, 1, 60, OFFLOAD_SOFTWARE), UINT32_MAX);
}

static void
test_two_directions(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b = w_add(w, 2, 1, NORMAL);

	assert_true(flow_key_reverse(&a->key, 2, &b->key));
	w_run(w, 100);
	assert_int_equal(w_get(w, a).reverse, b->id);
	assert_int_equal(w_get(w, b).reverse, a->id);
	b->d = w_decision(2, 9);
	b->d.gen = 2;
	offload_flow_redecide(w->o, b->id, &b->d);
	assert_int_equal(w_get(w, a).reverse, UINT32_MAX);
	assert_int_equal(w_get(w, b).reverse, UINT32_MAX);
}

static void
test_bad_configurations(void **state)
{
	struct world *w = *state;
	struct offload_cfg c = w_cfg();
	struct offload_nic_cfg nic = w->nic;
	struct offload *o;

	c.flows_max = 63;
	assert_int_equal(offload_new(&c, &w->clock, &o), -EINVAL);
	assert_null(o);
	c = w_cfg();
	c.workers = 0;
	assert_int_equal(offload_new(&c, &w->clock, &o), -EINVAL);
	c = w_cfg();
	c.light_bps = c.heavy_bps + 1;
	assert_int_equal(offload_new(&c, &w->clock, &o), -EINVAL);
	assert_int_equal(offload_nic_add(w->o, OFFLOAD_NICS_MAX, &nic), -EINVAL);
	nic.port[1].rx_default = nic.port[1].rx_queues + 1;
	assert_int_equal(offload_nic_add(w->o, 1, &nic), -EINVAL);
	nic.ports = OFFLOAD_NIC_PORTS_MAX + 1;
	assert_int_equal(offload_nic_add(w->o, 1, &nic), -EINVAL);
	offload_nic_gone(w->o, 5);
	offload_nic_del(w->o, 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_limit_is_learned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_better_replaces_weakest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heaviest_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_leaves_for_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_residency, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_shape_is_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transient_backs_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_remove_is_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deny_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redecide, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nic_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orders_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood_of_flows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_directions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_configurations, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

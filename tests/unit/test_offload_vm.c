// SPDX-License-Identifier: BSD-3-Clause
// What VMs are guaranteed of a NIC and the most that they may have: lent, taken back, cut.
#include <stdlib.h>

#include "offload/vm.h"
#include "offload_fixture.h"

#define NORMAL (5 * MBIT)
#define HEAVY (80 * MBIT)

static void
start(struct world *w, uint16_t queues, uint32_t limit)
{
	w_init(w, NULL);
	w_nic(w, 0, "nic0", queues, limit);
}

static void
allow(struct world *w, uint16_t vm, struct offload_vm_limits l)
{
	assert_int_equal(offload_vm_set(w->o, vm, &l), 0);
}

static struct offload_vm_info
vm(const struct world *w, uint16_t id)
{
	struct offload_vm_info info;

	offload_vm_get(w->o, id, &info);
	return info;
}

// From VM 1 to VM 2 and back, through the embedded switch: the entry is the receiver's.
static void
add_many(struct world *w, uint16_t from, uint16_t to, unsigned n, uint64_t bps)
{
	while (n-- > 0)
		w_add(w, from, to, bps + n);
}

static void
test_entries_are_lent(void **state)
{
	struct world w;

	start(&w, 6, 8);
	allow(&w, 1, (struct offload_vm_limits){.min_entries = 3});
	add_many(&w, 1, 2, 20, 20 * MBIT);
	w_run(&w, 2000);
	assert_int_equal(vm(&w, 2).entries, 8); // all of the table: VM 1 has no flow
	add_many(&w, 2, 1, 10, NORMAL);
	w_run(&w, 4000);
	// Its flows are worth less, and have what is guaranteed, no more.
	assert_int_equal(vm(&w, 1).entries, 3);
	assert_int_equal(vm(&w, 1).entries_on[0], 3);
	assert_int_equal(vm(&w, 2).entries, 5);
	for (unsigned i = 0; i < 20; i++)
		w.flow[20 + i % 10].bps = 0; // VM 1 falls silent
	w_run(&w, 5000);
	assert_int_equal(vm(&w, 1).entries, 0);
	assert_int_equal(vm(&w, 2).entries, 8);
	w_fini(&w);
}

static void
test_a_guarantee_is_explained(void **state)
{
	struct world w;

	start(&w, 6, 4);
	allow(&w, 1, (struct offload_vm_limits){.min_entries = 2});
	add_many(&w, 2, 1, 4, NORMAL);
	add_many(&w, 1, 2, 4, 20 * MBIT);
	w_run(&w, 3000);
	assert_int_equal(vm(&w, 1).entries, 2);
	for (unsigned i = 4; i < 8; i++) {
		struct offload_flow_info info = w_get(&w, &w.flow[i]);

		if (info.side[OFFLOAD_IN].actual.path == OFFLOAD_ESWITCH)
			continue;
		w_expect_words(&w, &w.flow[i], OFFLOAD_IN,
			"table full: 4 of 4, 2 of them guaranteed to other VMs");
	}
	w_fini(&w);
}

static void
test_a_maximum_falls_and_rises(void **state)
{
	struct world w;
	struct w_flow *least;

	start(&w, 6, 0);
	add_many(&w, 1, 2, 10, NORMAL);
	least = &w.flow[9]; // n counts down: the lightest
	w_run(&w, 1000);
	assert_int_equal(vm(&w, 2).entries, 10);
	allow(&w, 2, (struct offload_vm_limits){.max_entries = 4});
	w_run(&w, 1000);
	assert_int_equal(vm(&w, 2).entries, 4);
	w_expect_words(
		&w, least, OFFLOAD_IN, "its VM has 4 of 4 table entries (max_entries of the VM)");
	allow(&w, 2, (struct offload_vm_limits){.max_entries = 6});
	w_run(&w, 1000);
	assert_int_equal(vm(&w, 2).entries, 6);
	allow(&w, 2, (struct offload_vm_limits){0});
	w_run(&w, 1000);
	assert_int_equal(vm(&w, 2).entries, 10);
	w_fini(&w);
}

static void
test_insertions(void **state)
{
	struct world w;
	unsigned before;

	start(&w, 6, 0);
	allow(&w, 2, (struct offload_vm_limits){.max_inserts = 20});
	add_many(&w, 1, 2, 200, NORMAL);
	w_run(&w, 1000);
	before = w.installs;
	assert_in_range(before, 12, 25);
	w_expect(&w, &w.flow[150], OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED,
		OFFLOAD_R_VM_INSERT_LIMIT);
	w_expect_words(&w, &w.flow[150], OFFLOAD_IN,
		"its VM may have 20 insertions a second (max_inserts of the VM)");
	w_run(&w, 2000);
	assert_in_range(w.installs - before, 30, 45);
	// Another VM is not held up.
	add_many(&w, 2, 1, 20, NORMAL);
	w_run(&w, 300);
	assert_int_equal(vm(&w, 1).entries, 20);
	w_fini(&w);
}

// What it inserted while it had no limit is not held against it.
static void
test_insertions_begin_anew(void **state)
{
	struct world w;
	unsigned before;

	start(&w, 6, 0);
	allow(&w, 2, (struct offload_vm_limits){.max_inserts = 20});
	add_many(&w, 1, 2, 10, NORMAL);
	w_run(&w, 1000);
	allow(&w, 2, (struct offload_vm_limits){0});
	add_many(&w, 1, 2, 390, NORMAL);
	w_run(&w, 3000);
	assert_int_equal(vm(&w, 2).entries, 400);
	allow(&w, 2, (struct offload_vm_limits){.max_inserts = 20});
	before = w.installs;
	add_many(&w, 1, 2, 100, NORMAL);
	w_run(&w, 1000);
	assert_in_range(w.installs - before, 15, 25);
	// A limit of its own is in force at once.
	allow(&w, 2, (struct offload_vm_limits){.max_inserts = 40});
	before = w.installs;
	w_run(&w, 1000);
	assert_in_range(w.installs - before, 35, 45);
	w_fini(&w);
}

// A limit that falls far below what the VM has: the least leave first, and its flows are walked now
// and then, not in each round, while the NIC takes its time.
static void
test_a_fall_is_cut_in_parts(void **state)
{
	struct offload_cfg cfg = w_cfg();
	struct world w;
	unsigned i, before;

	cfg.orders_per_tick = 128;
	w_init(&w, &cfg);
	w_nic(&w, 0, "nic0", 6, 0);
	for (i = 0; i < 200; i++)
		w_add(&w, 1, 2, NORMAL + i * 10000);
	w_run(&w, 3000);
	assert_int_equal(vm(&w, 2).entries, 200);
	before = w.removes;
	allow(&w, 2, (struct offload_vm_limits){.max_entries = 100});
	for (i = 0; i < 10; i++) {
		w_tick(&w); // nothing is answered
		assert_int_equal(w.removes - before, 64);
		w.clock.manual_ns += SL_NS_PER_MS;
	}
	for (i = 0; i < 200; i++)
		assert_int_equal(w_get(&w, &w.flow[i]).side[OFFLOAD_IN].state,
			i < 64 ? OFFLOAD_ST_REMOVING : OFFLOAD_ST_PLACED);
	w_tick(&w);
	assert_int_equal(w.removes - before, 100);
	w.clock.manual_ns += 100 * SL_NS_PER_MS;
	w_tick(&w);
	assert_int_equal(w.removes - before, 100); // the rest is on its way
	w_fini(&w);
}

static void
test_guaranteed_insertions(void **state)
{
	struct offload_cfg cfg = w_cfg();
	struct world w;

	cfg.orders_per_tick = 2; // 100 a second
	w_init(&w, &cfg);
	w_nic(&w, 0, "nic0", 6, 0);
	allow(&w, 1, (struct offload_vm_limits){.min_inserts = 30});
	add_many(&w, 1, 2, 300, 20 * MBIT);
	add_many(&w, 2, 1, 100, NORMAL);
	w_run(&w, 1000);
	// By worth alone VM 1 would have had none yet.
	assert_in_range(vm(&w, 1).entries, 25, 50);
	assert_in_range(vm(&w, 2).entries, 45, 80);
	w_fini(&w);
}

static void
test_queues(void **state)
{
	struct world w;
	unsigned i, alone = 0;

	start(&w, 4, 0);
	for (i = 0; i < 8; i++)
		w_add(&w, 9, 3, 2 * HEAVY + i);
	w_run(&w, 2000);
	assert_true(vm(&w, 3).queues >= 2);
	allow(&w, 4, (struct offload_vm_limits){.min_queues = 2});
	w_add(&w, 9, 4, HEAVY);
	w_add(&w, 9, 4, HEAVY);
	w_add(&w, 9, 4, HEAVY);
	w_run(&w, 4000);
	assert_int_equal(vm(&w, 4).queues, 2);
	// The owner of a queue has more than its maximum, and gives it back.
	allow(&w, 4, (struct offload_vm_limits){.max_queues = 1});
	w_run(&w, 2000);
	assert_int_equal(vm(&w, 4).queues <= 1, 1);
	for (i = 8; i < 11; i++) {
		struct offload_flow_info info = w_get(&w, &w.flow[i]);

		alone += info.side[OFFLOAD_IN].actual.path == OFFLOAD_EXCLUSIVE_QUEUE;
	}
	assert_int_equal(alone, vm(&w, 4).queues);
	w_fini(&w);
}

static void
test_transmit_queues_count(void **state)
{
	struct world w;

	start(&w, 6, 0);
	allow(&w, 3, (struct offload_vm_limits){.max_queues = 1});
	w_add(&w, 3, 9, 2 * HEAVY); // transmit
	w_run(&w, 1000);
	assert_int_equal(vm(&w, 3).queues, 1);
	w_add(&w, 3, 9, HEAVY);
	w_run(&w, 1000);
	assert_int_equal(vm(&w, 3).queues, 1);
	w_expect(&w, &w.flow[1], OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED,
		OFFLOAD_R_VM_QUEUE_LIMIT);
	w_expect_words(&w, &w.flow[1], OFFLOAD_OUT,
		"its VM has 1 of 1 exclusive queues (max_queues of the VM)");
	w_fini(&w);
}

static void
count(void *ctx, const struct offload_flow_info *info)
{
	(void)info;
	++*(unsigned *)ctx;
}

static void
test_flows_of_a_vm(void **state)
{
	struct world w;
	unsigned n = 0;

	start(&w, 6, 0);
	add_many(&w, 1, 2, 5, NORMAL);
	add_many(&w, 2, 1, 3, NORMAL);
	add_many(&w, 9, 1, 2, NORMAL);
	add_many(&w, 3, 9, 4, NORMAL);
	w_run(&w, 100);
	offload_vm_each(w.o, 1, count, &n);
	assert_int_equal(n, 10);
	w.flow[0].d = w_decision(1, 4); // decided anew: another VM's
	w.flow[0].d.gen = 2;
	offload_flow_redecide(w.o, w.flow[0].id, &w.flow[0].d);
	n = 0;
	offload_vm_each(w.o, 2, count, &n);
	assert_int_equal(n, 7);
	n = 0;
	offload_vm_each(w.o, 4, count, &n);
	assert_int_equal(n, 1);
	w_fini(&w);
}

static void
test_wrong(void **state)
{
	static const struct offload_vm_limits wrong[] = {{.min_queues = 2, .max_queues = 1},
		{.min_entries = 2, .max_entries = 1}, {.min_inserts = 2, .max_inserts = 1}};
	struct world w;
	unsigned i;

	start(&w, 1, 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(offload_vm_set(w.o, 1, &wrong[i]), -22);
	assert_int_equal(offload_vm_set(w.o, OFFLOAD_NONE, &wrong[0]), -22);
	w_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_are_lent),
		cmocka_unit_test(test_a_guarantee_is_explained),
		cmocka_unit_test(test_a_maximum_falls_and_rises),
		cmocka_unit_test(test_insertions),
		cmocka_unit_test(test_insertions_begin_anew),
		cmocka_unit_test(test_a_fall_is_cut_in_parts),
		cmocka_unit_test(test_guaranteed_insertions),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_transmit_queues_count),
		cmocka_unit_test(test_flows_of_a_vm),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

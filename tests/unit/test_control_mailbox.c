// SPDX-License-Identifier: BSD-3-Clause
// Control's own declaration of the emulated NIC's mailbox event is the driver's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/mailbox_event.h"
#include "rte_pmd_emunic.h"

#define SAME(field)                                                                                \
	do {                                                                                       \
		assert_int_equal(offsetof(struct mailbox_event, field),                            \
			offsetof(struct rte_pmd_emunic_mbox_event, field));                        \
		assert_int_equal(sizeof(((struct mailbox_event *)NULL)->field),                    \
			sizeof(((struct rte_pmd_emunic_mbox_event *)NULL)->field));                \
	} while (0)

static void
test_the_layout_is_the_drivers(void **state)
{
	(void)state;
	assert_int_equal(MAILBOX_DATA_MAX, RTE_PMD_EMUNIC_MBOX_DATA);
	assert_int_equal(sizeof(struct mailbox_event), sizeof(struct rte_pmd_emunic_mbox_event));
	SAME(vf);
	SAME(len);
	SAME(id);
	SAME(answer);
	SAME(type);
	SAME(data);
}

// What is negative as an answer is so in both.
static void
test_an_answer_is_read_back(void **state)
{
	union {
		struct mailbox_event ours;
		struct rte_pmd_emunic_mbox_event drivers;
	} ev = {.drivers = {.vf = 3, .len = 5, .id = 0x89abcdef, .type = 0x7f, .data = "udp.."}};

	(void)state;
	assert_int_equal(ev.ours.vf, 3);
	assert_int_equal(ev.ours.len, 5);
	assert_int_equal(ev.ours.id, 0x89abcdef);
	assert_int_equal(ev.ours.type, 0x7f);
	assert_memory_equal(ev.ours.data, "udp..", 5);
	ev.ours.answer = -95;
	assert_true(ev.drivers.answer == -95);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_layout_is_the_drivers),
		cmocka_unit_test(test_an_answer_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

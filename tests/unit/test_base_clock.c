// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static void
test_monotonic(void **state)
{
	struct sl_clock clock = sl_clock_monotonic();
	uint64_t last = sl_now(&clock), now;
	unsigned i;

	for (i = 0; i < 1000; i++) {
		now = sl_now(&clock);
		assert_true(now >= last);
		last = now;
	}
	assert_true(last > 0);
}

static void
test_manual(void **state)
{
	struct sl_clock clock = sl_clock_manual(7);

	assert_int_equal(sl_now(&clock), 7);
	assert_int_equal(sl_now(&clock), 7);
	clock.manual_ns += 3 * SL_NS_PER_S;
	assert_int_equal(sl_now(&clock), 3 * SL_NS_PER_S + 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_monotonic),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests_name("base_clock", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "engine_test.h"
#include "qos/account.h"

#define WORKERS 4

// Packets charged by one worker and released by another: the sum is what is held.
static void
test_sum(void **state)
{
	const struct qos_account *all[WORKERS];
	struct qos_account account[WORKERS];
	struct trial t = trial_start(41);
	int64_t packets = 0, bytes = 0;
	struct qos_held held;
	(void)state;

	memset(account, 0, sizeof(account));
	for (unsigned i = 0; i < WORKERS; i++)
		all[i] = &account[i];
	for (t.step = 0; t.step < 20000; t.step++) {
		uint32_t n = below(&t, 33), len = n * 2176;
		struct qos_account *a = &account[below(&t, WORKERS)];

		if (packets < n || below(&t, 2)) {
			qos_account_charge(a, n, len);
			packets += n;
			bytes += len;
		} else {
			qos_account_release(a, n, len);
			packets -= n;
			bytes -= len;
		}
		held = qos_account_held(all, WORKERS);
		expect(&t, held.packets == packets && held.bytes == bytes);
	}
	held = qos_account_held(all, 0);
	assert_true(held.packets == 0 && held.bytes == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sum)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

#include <errno.h>

#include "base/idpool.h"
#include "base/rng.h"

#define SIZE 7
#define GEN_MAX 5

static void
test_refuses(void **state)
{
	assert_null(sl_idpool_new(0, 1));
	assert_null(sl_idpool_new(1, 0));
	assert_null(sl_idpool_new(UINT32_MAX, 1));
	sl_idpool_free(NULL);
}

static void
test_order_and_generations(void **state)
{
	struct sl_idpool *pool = sl_idpool_new(SIZE, GEN_MAX);
	struct sl_id id, stale;
	unsigned round, i;

	assert_non_null(pool);
	for (round = 0; round < 3 * GEN_MAX; round++) {
		for (i = 0; i < SIZE; i++) {
			assert_int_equal(sl_idpool_take(pool, &id), 0);
			assert_int_equal(id.index, i);
			assert_int_equal(id.gen, round % GEN_MAX + 1);
			assert_true(sl_idpool_live(pool, id));
		}
		assert_int_equal(sl_idpool_take(pool, &id), -ENOSPC);
		assert_int_equal(sl_idpool_used(pool), SIZE);
		for (i = 0; i < SIZE; i++) {
			stale = (struct sl_id){.index = i, .gen = round % GEN_MAX + 1};
			assert_true(sl_idpool_put(pool, stale));
			assert_false(sl_idpool_put(pool, stale));
		}
	}
	sl_idpool_free(pool);
}

// A model: a queue of free indices and the generation of each.
static void
test_random(void **state)
{
	const char *env = getenv("SLUICE_SEED");
	uint64_t seed = env != NULL ? strtoull(env, NULL, 0) : 1;
	struct sl_idpool *pool = sl_idpool_new(SIZE, GEN_MAX);
	struct sl_rng rng = {.state = seed};
	uint32_t queue[SIZE], gen[SIZE], n = SIZE, op, i;
	bool live[SIZE] = {false};
	struct sl_id id;
	bool want;

	assert_non_null(pool);
	for (i = 0; i < SIZE; i++) {
		queue[i] = i;
		gen[i] = 1;
	}
	for (op = 0; op < 50000; op++) {
		if (sl_rng_below(&rng, 2)) {
			if (n == 0) {
				assert_int_equal(sl_idpool_take(pool, &id), -ENOSPC);
				continue;
			}
			assert_int_equal(sl_idpool_take(pool, &id), 0);
			if (id.index != queue[0] || id.gen != gen[queue[0]])
				fail_msg("seed %llu, step %u: %u.%u instead of %u.%u",
					(unsigned long long)seed, op, id.index, id.gen, queue[0],
					gen[queue[0]]);
			live[id.index] = true;
			memmove(queue, queue + 1, --n * sizeof(queue[0]));
		} else {
			id.index = sl_rng_below(&rng, SIZE + 1);
			id.gen = sl_rng_below(&rng, GEN_MAX + 2);
			if (sl_rng_below(&rng, 2) && id.index < SIZE)
				id.gen = gen[id.index];
			want = id.index < SIZE && live[id.index] && gen[id.index] == id.gen;
			assert_int_equal(sl_idpool_live(pool, id), want);
			assert_int_equal(sl_idpool_put(pool, id), want);
			if (!want)
				continue;
			live[id.index] = false;
			gen[id.index] = gen[id.index] % GEN_MAX + 1;
			queue[n++] = id.index;
		}
		assert_int_equal(sl_idpool_used(pool), SIZE - n);
	}
	sl_idpool_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_order_and_generations),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("base_idpool", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_ENGINE_TEST_H
#define SLUICE_TESTS_ENGINE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

// What the tests of the engines (cache, rules, qos) share: seeded random operations, and a failure
// that names the seed and the step. SLUICE_TEST_SEED=N gives another seed. Thread safety: init
// only.

struct trial {
	struct sl_rng rng;
	uint64_t seed;
	uint32_t step;
};

static inline struct trial
trial_start(uint64_t seed)
{
	const char *env = getenv("SLUICE_TEST_SEED");

	if (env != NULL && env[0] != '\0')
		seed = strtoull(env, NULL, 0);
	return (struct trial){.rng.state = seed, .seed = seed};
}

static inline uint32_t
below(struct trial *t, uint32_t n)
{
	return sl_rng_below(&t->rng, n);
}

#define expect(t, condition)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("seed %llu, step %u: %s", (unsigned long long)(t)->seed,          \
				(t)->step, #condition);                                            \
	} while (0)

#endif

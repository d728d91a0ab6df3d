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

#include "base/hash.h"
#include "base/rng.h"

// Every single-bit change changes about half of the hash's bits, in every word.
static void
test_words_avalanche(void **state)
{
	struct sl_rng rng = {.state = 1};
	uint64_t w[8], h;
	unsigned n, i, bit, flips, rounds;

	for (n = 1; n <= 8; n++) {
		for (bit = 0; bit < n * 64; bit++) {
			flips = 0;
			for (rounds = 0; rounds < 64; rounds++) {
				for (i = 0; i < n; i++)
					w[i] = sl_rng_next(&rng);
				h = sl_hash_words(w, n, 42);
				w[bit / 64] ^= 1ULL << bit % 64;
				flips +=
					(unsigned)__builtin_popcountll(h ^ sl_hash_words(w, n, 42));
			}
			if (flips < 24 * 64 || flips > 40 * 64)
				fail_msg("%u words, bit %u: %u of %u bits flip", n, bit, flips,
					64 * 64);
		}
	}
}

// Keys that differ in low bits only, as addresses and ports do, fill buckets evenly.
static void
test_words_spread(void **state)
{
	enum { BUCKETS = 1024, KEYS = 64 * BUCKETS };
	static const unsigned shifts[] = {0, 16, 32, 48, 54};
	unsigned counts[BUCKETS];
	uint64_t w[8] = {0};
	unsigned i, s;

	for (s = 0; s < sizeof(shifts) / sizeof(shifts[0]); s++) {
		memset(counts, 0, sizeof(counts));
		for (i = 0; i < KEYS; i++) {
			w[2] = i & 0xff;
			w[6] = i >> 8;
			counts[sl_hash_words(w, 8, 7) >> shifts[s] & (BUCKETS - 1)]++;
		}
		for (i = 0; i < BUCKETS; i++) {
			if (counts[i] < 24 || counts[i] > 112)
				fail_msg("bits from %u: bucket %u holds %u of 64", shifts[s], i,
					counts[i]);
		}
	}
}

static void
test_bytes(void **state)
{
	static const char text[] = "a name of some length, longer than two words";
	uint64_t seen[sizeof(text)];
	unsigned i, j;

	for (i = 0; i < sizeof(text); i++) {
		char *exact = malloc(i + 1); // unaligned and exactly long

		assert_non_null(exact);
		memcpy(exact + 1, text, i);
		seen[i] = sl_hash_bytes(exact + 1, i, 9);
		assert_true(seen[i] == sl_hash_bytes(text, i, 9));
		assert_true(seen[i] != sl_hash_bytes(text, i, 10));
		for (j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
		free(exact);
	}
	// A NUL at the end counts.
	assert_true(sl_hash_bytes("a", 1, 9) != sl_hash_bytes("a", 2, 9));
}

static void
test_seed(void **state)
{
	assert_true(sl_hash_seed() != sl_hash_seed());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_avalanche),
		cmocka_unit_test(test_words_spread),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_seed),
	};

	return cmocka_run_group_tests_name("base_hash", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/near.h"

static const char *
nearest(const char *word, const char *const *known)
{
	struct sl_near n;

	sl_near_init(&n, word);
	for (; *known != NULL; known++)
		sl_near_try(&n, *known);
	return n.best != NULL ? n.best : "";
}

static void
test_slips(void **state)
{
	static const char *const verbs[] = {"list", "show", "explain", "add", NULL};

	assert_string_equal(nearest("ilst", verbs), "list");  // neighbours exchanged
	assert_string_equal(nearest("lst", verbs), "list");   // one too few
	assert_string_equal(nearest("shows", verbs), "show"); // one too many
	assert_string_equal(nearest("explian", verbs), "explain");
	assert_string_equal(nearest("exlpian", verbs), "explain"); // twice
	assert_string_equal(nearest("adx", verbs), "add");
	assert_string_equal(nearest("axx", verbs), ""); // two slips of three letters are no slips
	assert_string_equal(nearest("list", verbs), "list");
	assert_string_equal(nearest("remove", verbs), "");
	assert_string_equal(nearest("", verbs), "");
}

static void
test_first_of_equals(void **state)
{
	static const char *const ports[] = {"vm10", "vm2", "vm1", NULL};

	assert_string_equal(nearest("vm9", ports), "vm2");
	assert_string_equal(nearest("vm11", ports), "vm10");
}

static void
test_length(void **state)
{
	static const char *const known[] = {"abcdefghijklmnopqrstuvwxyz01234", NULL};
	struct sl_near n;

	assert_string_equal(nearest("bbcdefghijklmnopqrstuvwxyz01234", known), known[0]);
	assert_string_equal(nearest("abcdefghijklmnopqrstuvwxyz0123456", known), ""); // too long
	sl_near_init(&n, "eswich");
	sl_near_try_len(&n, "eswitch|software", 7);
	assert_int_equal(n.best_len, 7);
	assert_int_equal(n.least, 1);
}

// A model: every word that is one slip away from a random one is found from it.
static void
test_every_single_slip(void **state)
{
	char word[16], bad[17];
	struct sl_near n;
	uint64_t seed = 1;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned len = 4 + round % 12, at, kind;

		for (unsigned i = 0; i < len; i++)
			word[i] = (char)('a' + (seed = sl_hash_words(&seed, 1, i)) % 26);
		word[len] = '\0';
		seed = sl_hash_words(&seed, 1, 99);
		at = (unsigned)(seed >> 8) % (len - 1);
		kind = seed & 3;
		memcpy(bad, word, at);
		if (kind == 0) { // lost
			memcpy(bad + at, word + at + 1, len - at);
		} else if (kind == 1) { // added
			bad[at] = '#';
			memcpy(bad + at + 1, word + at, len - at + 1);
		} else if (kind == 2) { // another
			memcpy(bad + at, word + at, len - at + 1);
			bad[at] = '#';
		} else { // exchanged
			memcpy(bad + at, word + at, len - at + 1);
			bad[at] = word[at + 1];
			bad[at + 1] = word[at];
		}
		sl_near_init(&n, bad);
		sl_near_try(&n, word);
		if (n.best == NULL && strlen(bad) > 3)
			fail_msg("round %u: %s is not near to %s", round, bad, word);
		if (n.best != NULL)
			assert_true(n.least <= 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slips),
		cmocka_unit_test(test_first_of_equals),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_every_single_slip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

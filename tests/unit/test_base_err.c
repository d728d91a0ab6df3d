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

#include "base/err.h"

static void
test_set(void **state)
{
	struct sl_err err;
	char buf[64];

	sl_err_init(&err);
	assert_int_equal(err.code, 0);
	assert_string_equal(sl_err_str(&err, buf, sizeof(buf)), "");
	assert_int_equal(sl_err_set(&err, EINVAL, "/a/1", "%u is above %u", 9, 8), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.path, "/a/1");
	assert_string_equal(sl_err_str(&err, buf, sizeof(buf)), "/a/1: 9 is above 8");
	// The first one wins; the code is returned all the same, whatever its sign.
	assert_int_equal(sl_err_set(&err, -ENOMEM, "/b", "later"), -ENOMEM);
	assert_string_equal(sl_err_str(&err, buf, sizeof(buf)), "/a/1: 9 is above 8");
	assert_string_equal(sl_err_str(&err, buf, 5), "/a/1");
	assert_string_equal(sl_err_str(&err, buf, 0), "");
	assert_int_equal(sl_err_set(NULL, ENOENT, NULL, "nobody looks"), -ENOENT);
}

static void
test_prefix(void **state)
{
	char long_prefix[400];
	struct sl_err err;

	sl_err_init(&err);
	sl_err_prefix(&err, "/x");
	assert_string_equal(err.path, "");
	sl_err_prefix(NULL, "/x");
	sl_err_set(&err, EINVAL, NULL, "bad");
	sl_err_prefix(&err, "/queues");
	sl_err_prefix(&err, "/ports/0");
	assert_string_equal(err.path, "/ports/0/queues");
	memset(long_prefix, 'y', sizeof(long_prefix));
	long_prefix[sizeof(long_prefix) - 1] = '\0';
	sl_err_prefix(&err, long_prefix);
	assert_int_equal(strlen(err.path), SL_ERR_PATH_MAX - 1);
	assert_string_equal(err.path + SL_ERR_PATH_MAX - 4, "...");
}

// What a hostile text leaves behind is one line of valid UTF-8.
static void
test_flatten(void **state)
{
	char long_text[SL_ERR_TEXT_MAX + 10];
	struct sl_err err;
	unsigned i, at;

	sl_err_init(&err);
	sl_err_set(&err, EINVAL, "a\nb",
		"tab\tnl\nesc\x1b del\x7f \xc3\xa9 \xe2\x82\xac \xc3( \xff "
		"\xc0\xaf \xed\xa0\x80 \xf0\x9f\x98\x80 \xe2\x82");
	assert_string_equal(err.path, "a b");
	assert_string_equal(err.text, "tab nl esc? del? \xc3\xa9 \xe2\x82\xac ?( ? ?? ??? "
				      "\xf0\x9f\x98\x80 ??");
	// Cut in the middle of a character, at every phase.
	for (i = 0; i < 4; i++) {
		memset(long_text, 'z', i);
		for (at = i; at + 4 < sizeof(long_text); at += 4)
			memcpy(long_text + at, "\xf0\x9f\x98\x80", 4);
		long_text[at] = '\0';
		sl_err_init(&err);
		sl_err_set(&err, EINVAL, NULL, "%s", long_text);
		assert_int_equal(strlen(err.text), SL_ERR_TEXT_MAX - 1);
		assert_int_equal(err.text[SL_ERR_TEXT_MAX - 2] == '?', (399 - i) % 4 != 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_flatten),
	};

	return cmocka_run_group_tests_name("base_err", tests, NULL, NULL);
}

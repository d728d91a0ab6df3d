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

#include "base/rng.h"
#include "base/strbuf.h"

static void
test_basics(void **state)
{
	struct sl_strbuf sb;
	char *text;

	sl_strbuf_init(&sb, 0);
	assert_string_equal(sl_strbuf_str(&sb), "");
	sl_strbuf_consume(&sb, 5);
	text = sl_strbuf_take(&sb);
	assert_string_equal(text, "");
	free(text);
	sl_strbuf_add(&sb, "ab");
	sl_strbuf_addn(&sb, "cdX", 2);
	sl_strbuf_addf(&sb, "%u-%s", 7, "e");
	assert_string_equal(sl_strbuf_str(&sb), "abcd7-e");
	sl_strbuf_consume(&sb, 3);
	assert_string_equal(sl_strbuf_str(&sb), "d7-e");
	text = sl_strbuf_take(&sb);
	assert_string_equal(text, "d7-e");
	assert_int_equal(sb.len, 0);
	assert_string_equal(sl_strbuf_str(&sb), "");
	free(text);
	sl_strbuf_fini(&sb);
}

static void
test_limit(void **state)
{
	struct sl_strbuf sb;

	sl_strbuf_init(&sb, 4);
	sl_strbuf_add(&sb, "abcd");
	assert_false(sb.failed);
	sl_strbuf_add(&sb, "");
	assert_false(sb.failed);
	sl_strbuf_addf(&sb, "%d", 1);
	assert_true(sb.failed);
	assert_string_equal(sl_strbuf_str(&sb), "abcd");
	sl_strbuf_consume(&sb, 2);
	sl_strbuf_add(&sb, "e"); // has room, but the loss is remembered
	assert_string_equal(sl_strbuf_str(&sb), "cd");
	sl_strbuf_reset(&sb);
	sl_strbuf_add(&sb, "xy");
	assert_string_equal(sl_strbuf_str(&sb), "xy");
	assert_false(sb.failed);
	sl_strbuf_addn(&sb, NULL, (size_t)-1);
	assert_true(sb.failed);
	assert_null(sl_strbuf_take(&sb));
	sl_strbuf_add(&sb, "abcd");
	assert_string_equal(sl_strbuf_str(&sb), "abcd");
	sl_strbuf_fini(&sb);
}

// Against a plain array.
static void
test_random(void **state)
{
	const char *env = getenv("SLUICE_SEED");
	uint64_t seed = env != NULL ? strtoull(env, NULL, 0) : 1;
	struct sl_rng rng = {.state = seed};
	static char model[1 << 20];
	size_t len = 0, n, i;
	struct sl_strbuf sb;
	unsigned op;
	char part[300];

	sl_strbuf_init(&sb, 0);
	for (op = 0; op < 20000; op++) {
		n = sl_rng_below(&rng, sizeof(part));
		if (sl_rng_below(&rng, 2) && len + n < sizeof(model)) {
			for (i = 0; i < n; i++)
				part[i] = (char)('a' + sl_rng_below(&rng, 26));
			memcpy(model + len, part, n);
			len += n;
			if (sl_rng_below(&rng, 2))
				sl_strbuf_addn(&sb, part, n);
			else
				sl_strbuf_addf(&sb, "%.*s", (int)n, part);
		} else {
			sl_strbuf_consume(&sb, n);
			n = n < len ? n : len;
			len -= n;
			memmove(model, model + n, len);
		}
		if (sb.len != len || memcmp(sl_strbuf_str(&sb), model, len) != 0 ||
			sl_strbuf_str(&sb)[len] != '\0')
			fail_msg("seed %llu, step %u: %zu bytes instead of %zu",
				(unsigned long long)seed, op, sb.len, len);
	}
	sl_strbuf_fini(&sb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basics),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("base_strbuf", tests, NULL, NULL);
}

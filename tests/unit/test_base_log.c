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
#include <pthread.h>

#include "base/log.h"

struct tail {
	unsigned n;
	uint64_t last_ns;
	enum sl_log_level level;
	char first[64];
	char last[1100];
};

static void
collect(void *ctx, uint64_t time_ns, enum sl_log_level level, const char *line)
{
	struct tail *t = ctx;

	assert_true(time_ns >= t->last_ns);
	t->last_ns = time_ns;
	t->level = level;
	if (t->n++ == 0)
		snprintf(t->first, sizeof(t->first), "%s", line);
	snprintf(t->last, sizeof(t->last), "%s", line);
}

static struct tail
tail_of(struct sl_log *log, unsigned n)
{
	struct tail t = {0};

	sl_log_tail(log, n, collect, &t);
	return t;
}

static struct sl_log *
quiet_log(enum sl_log_level level, unsigned keep)
{
	struct sl_log *log = sl_log_new(level, keep);

	assert_non_null(log);
	sl_log_set_sink(log, NULL);
	return log;
}

static void
test_ring(void **state)
{
	struct sl_log *log = quiet_log(SL_LOG_INFO, 5);
	struct tail t = tail_of(log, 10);
	unsigned i;

	assert_int_equal(t.n, 0);
	for (i = 0; i < 13; i++)
		sl_log(log, SL_LOG_WARN, "line %u", i);
	t = tail_of(log, 100);
	assert_int_equal(t.n, 5);
	assert_string_equal(t.first, "line 8");
	assert_string_equal(t.last, "line 12");
	assert_int_equal(t.level, SL_LOG_WARN);
	t = tail_of(log, 2);
	assert_int_equal(t.n, 2);
	assert_string_equal(t.first, "line 11");
	assert_int_equal(tail_of(log, 0).n, 0);
	sl_log_free(log);
	sl_log_free(NULL);
}

static void
test_levels(void **state)
{
	static const enum sl_log_level all[] = {SL_LOG_ERR, SL_LOG_WARN, SL_LOG_INFO, SL_LOG_DEBUG};
	struct sl_log *log = quiet_log(SL_LOG_WARN, 10);
	enum sl_log_level level;
	unsigned i;

	sl_log(NULL, SL_LOG_ERR, "nobody hears");
	for (i = 0; i < 4; i++)
		sl_log(log, all[i], "x");
	assert_int_equal(tail_of(log, 10).n, 2);
	sl_log_set_level(log, SL_LOG_DEBUG);
	assert_int_equal(sl_log_level_get(log), SL_LOG_DEBUG);
	sl_log(log, SL_LOG_DEBUG, "x");
	assert_int_equal(tail_of(log, 10).n, 3);
	for (i = 0; i < 4; i++) {
		assert_int_equal(sl_log_level_parse(sl_log_level_name(all[i]), &level), 0);
		assert_int_equal(level, all[i]);
	}
	assert_int_equal(sl_log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(sl_log_level_parse("", &level), -EINVAL);
	sl_log_free(log);
}

static void
test_hostile_lines(void **state)
{
	struct sl_log *log = quiet_log(SL_LOG_INFO, 0); // as 1
	char long_line[2000];
	struct tail t;

	memset(long_line, 'a', sizeof(long_line));
	long_line[sizeof(long_line) - 1] = '\0';
	sl_log(log, SL_LOG_INFO, "%s", long_line);
	t = tail_of(log, 5);
	assert_int_equal(t.n, 1);
	assert_int_equal(strlen(t.last), 1000);
	sl_log(log, SL_LOG_INFO, "a\nb\x1b[2Jc");
	assert_string_equal(tail_of(log, 5).last, "a?b?[2Jc");
	sl_log_free(log);
}

static void
test_sink(void **state)
{
	struct sl_log *log = sl_log_new(SL_LOG_INFO, 3);
	char *text = NULL;
	size_t len = 0;
	FILE *sink = open_memstream(&text, &len);

	assert_non_null(log);
	assert_non_null(sink);
	sl_log_set_sink(log, sink);
	sl_log(log, SL_LOG_ERR, "no %s", "hugepages");
	sl_log(log, SL_LOG_DEBUG, "not this");
	sl_log_free(log);
	fclose(sink);
	// 2026-01-01T00:00:00.000Z err   no hugepages
	assert_int_equal(len, strlen("2026-01-01T00:00:00.000Z err   no hugepages\n"));
	assert_string_equal(text + 24, " err   no hugepages\n");
	free(text);
}

static void *
shout(void *arg)
{
	unsigned i;

	for (i = 0; i < 2000; i++)
		sl_log(arg, SL_LOG_INFO, "%u", i);
	return NULL;
}

static void
test_threads(void **state)
{
	struct sl_log *log = quiet_log(SL_LOG_INFO, 16);
	pthread_t threads[3];
	unsigned i;

	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, shout, log), 0);
	for (i = 0; i < 50; i++)
		assert_true(tail_of(log, 16).n <= 16);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tail_of(log, 100).n, 16);
	assert_string_equal(tail_of(log, 1).last, "1999");
	sl_log_free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_hostile_lines),
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}

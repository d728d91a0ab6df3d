// SPDX-License-Identifier: BSD-3-Clause
#include <glob.h>

#include "classbench.h"
#include "engine_test.h"

// The rule sets beside the repository (SLUICE_SHARED, or ../shared from its top level): each header
// must meet the rule that the trace says.

#define PATH_BYTES 1024

static void
rules_glob(char *out, size_t len)
{
	const char *env = getenv("SLUICE_SHARED");
	const char *slash = strrchr(__FILE__, '/');

	if (env != NULL && env[0] != '\0')
		snprintf(out, len, "%s/data/rules/*.hdr.gz", env);
	else // __FILE__ is absolute, or relative to the build directory, where tests run
		snprintf(out, len, "%.*s/../../../shared/data/rules/*.hdr.gz",
			slash != NULL ? (int)(slash - __FILE__) : 1,
			slash != NULL ? __FILE__ : ".");
}

static struct rules_set *
commit_all(const struct rules_entry *e, uint32_t n)
{
	struct rules *r = rules_new(n);
	struct rules_set *s;

	// Backwards, so that order comes from the priority and not from age.
	for (uint32_t i = n; i-- > 0;)
		assert_int_equal(rules_add(r, &e[i], NULL), 0);
	s = rules_commit(r);
	assert_non_null(s);
	rules_free(r);
	return s;
}

static void
check_set(const char *headers_path)
{
	struct classbench_header *headers = NULL;
	struct rules_entry *rules = NULL;
	char path[PATH_BYTES];
	struct rules_set *s;
	int n, m;

	m = classbench_headers(headers_path, &headers);
	snprintf(path, sizeof(path), "%.*s", (int)(strlen(headers_path) - strlen(".hdr.gz")),
		headers_path);
	n = classbench_rules(path, &rules);
	if (n < 0) {
		strncat(path, ".gz", sizeof(path) - strlen(path) - 1);
		n = classbench_rules(path, &rules);
	}
	if (n <= 0 || m <= 0)
		fail_msg("%s: %d rules, %d headers", headers_path, n, m);
	s = commit_all(rules, (uint32_t)n);
	for (int i = 0; i < m; i++) {
		struct rules_result r;
		uint32_t got;

		rules_lookup(s, &headers[i].key, &r);
		got = r.n > 0 ? r.rule[0] + 1 : 0;
		if (got != headers[i].rule || r.no_rule != (got == 0))
			fail_msg("%s line %d: rule %u, %u expected", headers_path, i + 1, got,
				headers[i].rule);
	}
	rules_set_put(s);
	free(rules);
	free(headers);
}

static void
test_sets(void **state)
{
	char pattern[PATH_BYTES];
	glob_t found;
	(void)state;

	rules_glob(pattern, sizeof(pattern));
	if (glob(pattern, 0, NULL, &found) != 0) {
		print_message("skipped: there is no %s\n", pattern);
		skip();
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_set(found.gl_pathv[i]);
	globfree(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sets)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

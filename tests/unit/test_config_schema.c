// SPDX-License-Identifier: BSD-3-Clause
// The generated pages are fresh, and the schema knows what the parser knows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <cmocka.h>

#include "config/config.h"

static void
assert_fresh(const char *path, char *want)
{
	char *have = calloc(1, 1 << 20);
	FILE *file = fopen(path, "r");

	assert_non_null(want);
	assert_non_null(file);
	assert_non_null(have);
	assert_true(fread(have, 1, (1 << 20) - 1, file) > 0);
	if (strcmp(have, want) != 0)
		fail_msg("%s is stale: ninja -C BUILD update-docs", path);
	fclose(file);
	free(have);
	free(want);
}

static void
test_pages_are_fresh(void **state)
{
	assert_fresh(SOURCE_ROOT "/config/schema.json", config_schema());
	assert_fresh(SOURCE_ROOT "/config/REFERENCE.md", config_reference());
}

// Every key of value is a property in the schema: walks both side by side.
static void
assert_covers(const json_t *schema, const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, member)
			assert_covers(json_object_get(schema, "items"), member);
	}
	if (!json_is_object(value))
		return;
	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	json_object_foreach((json_t *)value, key, member)
	{
		const json_t *property =
			json_object_get(json_object_get(schema, "properties"), key);

		if (property == NULL)
			fail_msg("the schema has no \"%s\"", key);
		assert_non_null(json_object_get(property, "description"));
		assert_covers(property, member);
	}
}

static void
test_schema_covers_dump(void **state)
{
	static const char *const files[] = {SOURCE_ROOT "/config/sluice.json",
		SOURCE_ROOT "/config/examples/vlan.json",
		SOURCE_ROOT "/config/examples/memif-containers.json"};
	char *text = config_schema();
	json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(schema);
	for (unsigned i = 0; i < 3; i++) {
		struct config *cfg;
		struct sl_err err;
		json_t *root;
		char *dump;

		sl_err_init(&err);
		assert_int_equal(config_load(files[i], NULL, &cfg, &err), 0);
		dump = config_dump(cfg);
		root = json_loads(dump, 0, NULL);
		assert_covers(schema, root);
		json_decref(root);
		free(dump);
		config_free(cfg);
	}
	json_decref(schema);
	free(text);
}

// The defaults that the schema states are those that the parser takes.
static void
test_schema_defaults(void **state)
{
	char *text = config_schema();
	json_t *schema = json_loads(text, 0, NULL);
	json_t *flows = json_object_get(schema, "properties");
	struct config *cfg;

	flows = json_object_get(json_object_get(flows, "datapath"), "properties");
	flows = json_object_get(json_object_get(flows, "flows"), "default");
	assert_int_equal(config_parse("{}", 2, "t", NULL, &cfg, NULL), 0);
	assert_int_equal(json_integer_value(flows), cfg->flows);
	config_free(cfg);
	json_decref(schema);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_are_fresh),
		cmocka_unit_test(test_schema_covers_dump),
		cmocka_unit_test(test_schema_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

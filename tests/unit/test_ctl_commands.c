// SPDX-License-Identifier: BSD-3-Clause
// The table of commands: well-formed, bound completely, and the reference page is fresh.
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/commands.h"
#include "ctl/server.h"

static int
handler(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return 0;
}

static void
check_command(const struct ctl_command *c)
{
	bool optional_seen = false;
	unsigned n = 0;

	assert_non_null(c->help);
	assert_true(strlen(c->help) > 0 && strlen(c->help) <= 90);
	assert_non_null(c->fields);
	assert_ptr_equal(ctl_command_find(ctl_commands(), c->name), c);
	for (const char *p = c->name; *p != '\0'; p++)
		assert_true(islower((unsigned char)*p) || *p == ' ');
	for (; n < CTL_ARGS_MAX && c->args[n].name != NULL; n++) {
		const struct ctl_arg *a = &c->args[n];

		assert_non_null(a->help);
		assert_true(a->required <= a->positional); // nothing is forced into an option
		assert_true(a->type != CTL_BOOL || !a->positional);
		if (a->positional && a->required)
			assert_false(optional_seen); // else it could not be left out
		optional_seen |= a->positional && !a->required;
		for (unsigned i = 0; i < n; i++)
			assert_string_not_equal(c->args[i].name, a->name);
	}
	assert_true(n < CTL_ARGS_MAX); // the list has its end
}

static void
test_table(void **state)
{
	unsigned n = 0;

	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++, n++)
		check_command(c);
	assert_true(n >= 30);
	assert_null(ctl_command_find(ctl_commands(), "flow"));
}

static void
test_bind(void **state)
{
	struct ctl_binding bindings[64] = {{NULL, NULL}};
	struct ctl_command *table;
	struct ctl_server *s;
	struct sl_err err;
	unsigned n = 0;

	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		assert_true(n < 60);
		if (strcmp(c->name, "help") != 0)
			bindings[n++] = (struct ctl_binding){c->name, handler};
	}
	sl_err_init(&err);
	assert_int_equal(ctl_commands_bind(bindings, &table, &err), 0);
	assert_int_equal(ctl_server_new(table, NULL, NULL, &s), 0);
	ctl_server_free(s);
	free(table);

	assert_int_equal(ctl_server_new(ctl_commands(), NULL, NULL, &s), -EINVAL); // no handlers
	bindings[n] = bindings[0];
	assert_int_equal(ctl_commands_bind(bindings, &table, &err), -EINVAL);
	assert_string_equal(err.text, "two handlers for \"status\"");
	sl_err_init(&err);
	bindings[n].name = "nonsense";
	assert_int_equal(ctl_commands_bind(bindings, &table, &err), -EINVAL);
	assert_string_equal(err.text, "a handler for \"nonsense\", which is no command");
	sl_err_init(&err);
	bindings[n - 1].name = NULL;
	assert_int_equal(ctl_commands_bind(bindings, &table, &err), -EINVAL);
	assert_string_equal(err.text, "no handler for \"shutdown\"");
	assert_null(table);
}

static void
test_describe(void **state)
{
	const struct ctl_command *flow = ctl_command_find(ctl_commands(), "flow list");
	json_t *all = ctl_commands_describe(ctl_commands(), NULL);
	json_t *one = ctl_commands_describe(ctl_commands(), flow);
	char *usage = ctl_command_usage(ctl_command_find(ctl_commands(), "rule add"));

	assert_true(json_array_size(json_object_get(all, "items")) >= 30);
	assert_string_equal(json_string_value(json_object_get(one, "name")), "flow list");
	assert_int_equal(json_array_size(json_object_get(one, "args")), 8);
	assert_string_equal(usage, "rule add MATCH ACTIONS [--switch SWITCH] [--table TABLE] "
				   "[--priority PRIORITY] [--name NAME] [--wait]");
	json_decref(all);
	json_decref(one);
	free(usage);
}

static void
test_reference_is_fresh(void **state)
{
	char *want = ctl_commands_reference();
	char *have = calloc(1, 1 << 20);
	FILE *file = fopen(SOURCE_ROOT "/config/COMMANDS.md", "r");

	assert_non_null(file);
	assert_non_null(have);
	assert_true(fread(have, 1, (1 << 20) - 1, file) > 0);
	if (strcmp(have, want) != 0)
		fail_msg("config/COMMANDS.md is stale: ninja -C BUILD update-docs");
	fclose(file);
	free(have);
	free(want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_reference_is_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

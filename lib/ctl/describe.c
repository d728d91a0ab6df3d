// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "ctl/commands.h"

const char *
ctl_arg_str(const json_t *args, const char *name, const char *fallback)
{
	const char *value = json_string_value(json_object_get(args, name));

	return value != NULL ? value : fallback;
}

int64_t
ctl_arg_int(const json_t *args, const char *name, int64_t fallback)
{
	const json_t *value = json_object_get(args, name);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool
ctl_arg_bool(const json_t *args, const char *name)
{
	return json_is_true(json_object_get(args, name));
}

static int
answer_help(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	const char *name = ctl_arg_str(args, "command", NULL);
	const struct ctl_command *command = NULL;

	(void)app;
	(void)call;
	if (name != NULL) {
		command = ctl_command_find(ctl_commands(), name);
		if (command == NULL)
			return sl_err_set(err, ENOENT, NULL, "there is no command \"%.60s\"", name);
	}
	*result = ctl_commands_describe(ctl_commands(), command);
	return *result != NULL ? 0 : -ENOMEM;
}

static ctl_handler
find_handler(const struct ctl_binding *bindings, const char *name)
{
	for (; bindings->name != NULL; bindings++) {
		if (strcmp(bindings->name, name) == 0)
			return bindings->handler;
	}
	return NULL;
}

// Each handler has a command, and no two have the same.
static int
check_bindings(const struct ctl_binding *bindings, struct sl_err *err)
{
	for (unsigned i = 0; bindings[i].name != NULL; i++) {
		if (ctl_command_find(ctl_commands(), bindings[i].name) == NULL)
			return sl_err_set(err, EINVAL, NULL,
				"a handler for \"%s\", which is no command", bindings[i].name);
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(bindings[i].name, bindings[j].name) == 0)
				return sl_err_set(err, EINVAL, NULL, "two handlers for \"%s\"",
					bindings[i].name);
		}
	}
	return 0;
}

int
ctl_commands_bind(const struct ctl_binding *bindings, struct ctl_command **out, struct sl_err *err)
{
	const struct ctl_command *table = ctl_commands();
	struct ctl_command *bound;
	size_t n = 0;
	int ret;

	*out = NULL;
	ret = check_bindings(bindings, err);
	if (ret != 0)
		return ret;
	while (table[n++].name != NULL)
		;
	bound = calloc(n, sizeof(*bound));
	if (bound == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	memcpy(bound, table, n * sizeof(*bound));
	for (struct ctl_command *c = bound; c->name != NULL; c++) {
		c->handler = find_handler(bindings, c->name);
		if (c->handler == NULL && strcmp(c->name, "help") == 0)
			c->handler = answer_help;
		if (c->handler == NULL) {
			sl_err_set(err, EINVAL, NULL, "no handler for \"%s\"", c->name);
			free(bound);
			return -EINVAL;
		}
	}
	*out = bound;
	return 0;
}

static const char *
type_name(enum ctl_type type)
{
	switch (type) {
	case CTL_STR:
		return "text";
	case CTL_INT:
		return "number";
	case CTL_BOOL:
		return "flag";
	}
	return "";
}

static json_t *
describe_arg(const struct ctl_arg *arg)
{
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", arg->name, "type",
		type_name(arg->type), "required", arg->required, "positional", arg->positional,
		"help", arg->help);

	if (arg->complete != NULL)
		json_object_set_new(o, "complete", json_string(arg->complete));
	if (arg->max > 0)
		json_object_set_new(o, "max", json_integer(arg->max));
	return o;
}

static json_t *
describe_command(const struct ctl_command *c)
{
	json_t *args = json_array();

	for (unsigned i = 0; i < CTL_ARGS_MAX && c->args[i].name != NULL; i++)
		json_array_append_new(args, describe_arg(&c->args[i]));
	return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", c->name, "help", c->help, "writes",
		c->writes, "fields", c->fields, "args", args);
}

json_t *
ctl_commands_describe(const struct ctl_command *table, const struct ctl_command *command)
{
	json_t *items;

	if (command != NULL)
		return describe_command(command);
	items = json_array();
	for (; table->name != NULL; table++)
		json_array_append_new(items, describe_command(table));
	return json_pack("{s:o}", "items", items);
}

// "rule add MATCH ACTIONS [--switch SWITCH] [--wait]"
static void
add_usage(struct sl_strbuf *sb, const struct ctl_command *c)
{
	sl_strbuf_add(sb, c->name);
	for (unsigned i = 0; i < CTL_ARGS_MAX && c->args[i].name != NULL; i++) {
		const struct ctl_arg *a = &c->args[i];

		sl_strbuf_add(sb, a->required ? " " : " [");
		if (!a->positional)
			sl_strbuf_addf(sb, "--%s%s", a->name, a->type != CTL_BOOL ? " " : "");
		if (a->positional || a->type != CTL_BOOL) {
			for (const char *p = a->name; *p != '\0'; p++)
				sl_strbuf_addf(sb, "%c", toupper((unsigned char)*p));
		}
		sl_strbuf_add(sb, a->required ? "" : "]");
	}
}

char *
ctl_command_usage(const struct ctl_command *command)
{
	struct sl_strbuf sb;

	sl_strbuf_init(&sb, 0);
	add_usage(&sb, command);
	return sl_strbuf_take(&sb);
}

// In a table cell a bar would end the cell.
static void
add_cell(struct sl_strbuf *sb, const char *text)
{
	for (; *text != '\0'; text++)
		sl_strbuf_addf(sb, *text == '|' ? "\\|" : "%c", *text);
}

static void
add_arg_rows(struct sl_strbuf *sb, const struct ctl_command *c)
{
	sl_strbuf_add(sb, "\n| argument | type | what |\n| --- | --- | --- |\n");
	for (unsigned i = 0; i < CTL_ARGS_MAX && c->args[i].name != NULL; i++) {
		const struct ctl_arg *a = &c->args[i];

		sl_strbuf_addf(sb, "| `%s`%s | ", a->name, a->required ? " (required)" : "");
		if (a->type == CTL_INT && a->max > 0)
			sl_strbuf_addf(sb, "number, 0 to %lld", (long long)a->max);
		else if (a->complete != NULL && strchr(a->complete, '|') != NULL)
			add_cell(sb, a->complete);
		else
			sl_strbuf_add(sb, type_name(a->type));
		sl_strbuf_add(sb, " | ");
		add_cell(sb, a->help);
		sl_strbuf_add(sb, " |\n");
	}
}

char *
ctl_commands_reference(void)
{
	struct sl_strbuf sb;

	sl_strbuf_init(&sb, 0);
	sl_strbuf_add(&sb,
		"# The commands\n\n"
		"Generated from `lib/ctl/commands.c`; `sluicectl help` prints the same.\n\n"
		"On the socket a command is a JSON-RPC 2.0 request, one a line:\n"
		"`{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow list\",\"params\":{\"place\":"
		"\"eswitch\",\"limit\":10}}`.\n"
		"An answer is an object; a list is `{\"items\":[...]}`, with `total` where there "
		"was "
		"more than was\nasked for. A field's unit is the end of its name (`_bps` bit/s, "
		"`_pps`, "
		"`bytes`, `_s`, `_ms`, `_us`,\n`_ns`, `_pct`). Commands marked (changes) are "
		"refused on "
		"the read-only socket.\n");
	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		sl_strbuf_addf(&sb, "\n## %s\n\n%s%s.\n\n    sluicectl ", c->name, c->help,
			c->writes ? " (changes)" : "");
		add_usage(&sb, c);
		sl_strbuf_add(&sb, "\n");
		if (c->args[0].name != NULL)
			add_arg_rows(&sb, c);
		if (c->fields[0] != '\0')
			sl_strbuf_addf(&sb, "\nFields: `%s`\n", c->fields);
	}
	return sl_strbuf_take(&sb);
}

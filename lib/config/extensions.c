// SPDX-License-Identifier: BSD-3-Clause
// The arguments of extensions: names with values, where a list is one name several times.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codecs.h"

static int
add_arg(struct config_extension *x, const char *name, size_t name_len, const char *value,
	size_t value_len, struct sl_err *err)
{
	struct config_extension_arg *arg = &x->args[x->n_args];

	if (x->n_args == CONFIG_EXTENSION_ARGS_MAX)
		return sl_err_set(
			err, EINVAL, "args", "more than %d values", CONFIG_EXTENSION_ARGS_MAX);
	if (name_len == 0 || name_len >= sizeof(arg->name))
		return sl_err_set(err, EINVAL, "args", "\"%.40s\": a name has 1 to %zu bytes", name,
			sizeof(arg->name) - 1);
	if (value_len >= sizeof(arg->value))
		return sl_err_set(err, EINVAL, "args", "\"%.40s\": a value has at most %zu bytes",
			name, sizeof(arg->value) - 1);
	memcpy(arg->name, name, name_len);
	memcpy(arg->value, value, value_len);
	x->n_args++;
	return 0;
}

int
config_extension_args(const char *text, struct config_extension *out, struct sl_err *err)
{
	const char *p = text;
	int rc = 0;

	while (rc == 0 && *(p += strspn(p, " \t")) != '\0') {
		size_t len = strcspn(p, " \t"), name = strcspn(p, "= \t");
		const char *end = p + len;

		if (name == 0 || name >= len)
			return sl_err_set(
				err, EINVAL, "args", "\"%.*s\" is not NAME=VALUE", (int)len, p);
		for (const char *v = p + name + 1; rc == 0;) {
			size_t n = strcspn(v, ", \t");

			rc = add_arg(out, p, name, v, n, err);
			if (v + n >= end || v[n] != ',')
				break;
			v += n + 1;
		}
		p = end;
	}
	return rc;
}

// A text, number or truth as its text.
static bool
scalar(const json_t *value, char *buf, size_t len)
{
	if (json_is_string(value))
		snprintf(buf, len, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, len, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, len, "%s", json_is_true(value) ? "true" : "false");
	else
		return false;
	return true;
}

static void
parse_one(struct walk *w, struct config_extension *x, const char *name, const json_t *value)
{
	char text[2 * CONFIG_EXTENSION_VALUE_MAX];
	struct sl_err err;

	sl_err_init(&err);
	if (!scalar(value, text, sizeof(text)))
		walk_fault(w, NULL, "must be text, a whole number, true or false, not %s",
			walk_kind(value));
	else if (add_arg(x, name, strlen(name), text, strlen(text), &err) != 0)
		walk_fault(w, NULL, "%s", err.text);
}

void
codec_parse_args(struct walk *w, const json_t *value, void *base)
{
	struct config_extension *x = base;
	const char *name;
	json_t *member, *item;
	size_t i;

	if (!json_is_object(value)) {
		walk_fault(w, NULL, "must be an object, not %s", walk_kind(value));
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)value, name, member)
	{
		size_t mark = walk_down(w, name);

		if (json_is_array(member)) {
			json_array_foreach(member, i, item)
			{
				size_t inner = walk_down_index(w, i);

				parse_one(w, x, name, item);
				walk_up(w, inner);
			}
		} else {
			parse_one(w, x, name, member);
		}
		walk_up(w, mark);
	}
}

json_t *
codec_print_args(const struct config *cfg, const void *base)
{
	const struct config_extension *x = base;
	json_t *out = json_object();

	(void)cfg;
	for (unsigned i = 0; i < x->n_args; i++) {
		json_t *value = json_string(x->args[i].value);
		json_t *was = json_object_get(out, x->args[i].name);

		if (was == NULL) {
			json_object_set_new(out, x->args[i].name, value);
		} else if (json_is_array(was)) {
			json_array_append_new(was, value);
		} else {
			json_object_set_new(out, x->args[i].name, json_pack("[O, o]", was, value));
		}
	}
	return out;
}

// SPDX-License-Identifier: BSD-3-Clause
// The JSON schema and the reference page, from the field table.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "walk.h"

#define NAME_PATTERN "^[A-Za-z_.-][A-Za-z0-9_.-]*$"

static json_t *schema_object(const struct object_type *type);

static json_t *
schema_uint(const struct field *f)
{
	json_t *number = json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum",
		(json_int_t)f->min, "maximum", (json_int_t)f->max);

	if (!f->scaled)
		return number;
	return json_pack("{s:[o, {s:s, s:s}]}", "anyOf", number, "type", "string", "pattern",
		"^[0-9]+[kMG]?$");
}

static json_t *
schema_text(const struct field *f)
{
	json_t *text =
		json_pack("{s:s, s:I}", "type", "string", "maxLength", (json_int_t)f->size - 1);

	if (f->min > 0)
		json_object_set_new(text, "minLength", json_integer((json_int_t)f->min));
	if (f->kind == FIELD_NAME && f->required)
		json_object_set_new(text, "pattern", json_string(NAME_PATTERN));
	return text;
}

static json_t *
schema_enum(const struct field *f)
{
	json_t *words = json_array();

	for (unsigned i = 0; f->words[i] != NULL; i++)
		json_array_append_new(words, json_string(f->words[i]));
	return json_pack("{s:o}", "enum", words);
}

static json_t *
schema_value(const struct field *f)
{
	switch (f->kind) {
	case FIELD_TEXT:
	case FIELD_NAME:
		return schema_text(f);
	case FIELD_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case FIELD_UINT:
		return schema_uint(f);
	case FIELD_ENUM:
		return schema_enum(f);
	case FIELD_TEXTS:
		return json_pack("{s:s, s:I, s:o}", "type", "array", "maxItems", (json_int_t)f->max,
			"items",
			json_pack("{s:s, s:I}", "type", "string", "maxLength",
				(json_int_t)f->size - 1));
	case FIELD_OBJECT:
		return schema_object(f->object);
	case FIELD_LIST:
		return json_pack("{s:s, s:I, s:o}", "type", "array", "maxItems",
			(json_int_t)f->list->max, "items", schema_object(f->object));
	case FIELD_CODEC:
		return json_loads(config_codec(f->codec)->schema, 0, NULL);
	}
	return NULL;
}

static json_t *
schema_object(const struct object_type *type)
{
	json_t *properties = json_object(), *required = json_array(), *object;

	for (const struct field *f = type->fields; f->key != NULL; f++) {
		json_t *value = schema_value(f);

		json_object_set_new(value, "description", json_string(f->help));
		if (f->dflt != NULL)
			json_object_set_new(
				value, "default", json_loads(f->dflt, JSON_DECODE_ANY, NULL));
		json_object_set_new(properties, f->key, value);
		if (f->required && f->only == 0)
			json_array_append_new(required, json_string(f->key));
	}
	object = json_pack("{s:s, s:s, s:o, s:b}", "description", type->help, "type", "object",
		"properties", properties, "additionalProperties", 0);
	if (json_array_size(required) > 0)
		json_object_set(object, "required", required);
	json_decref(required);
	return object;
}

char *
config_schema(void)
{
	json_t *root = json_pack("{s:s, s:s}", "$schema",
		"https://json-schema.org/draft/2020-12/schema", "title", "sluice configuration");
	json_t *object = schema_object(config_fields());
	struct sl_strbuf sb;
	char *text;

	json_object_update(root, object);
	json_decref(object);
	text = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	sl_strbuf_init(&sb, 0);
	sl_strbuf_add(&sb, text != NULL ? text : "");
	sl_strbuf_add(&sb, "\n");
	free(text);
	return sl_strbuf_take(&sb);
}

// ---- the reference page

static void
add_type(struct sl_strbuf *sb, const struct field *f)
{
	switch (f->kind) {
	case FIELD_TEXT:
		sl_strbuf_addf(sb, "text, at most %zu bytes", f->size - 1);
		return;
	case FIELD_NAME:
		sl_strbuf_add(sb, "name");
		return;
	case FIELD_BOOL:
		sl_strbuf_add(sb, "true or false");
		return;
	case FIELD_UINT:
		sl_strbuf_addf(sb, "%" PRIu64 " to %" PRIu64 "%s", f->min, f->max,
			f->scaled ? ", or `\"10M\"`" : "");
		return;
	case FIELD_ENUM:
		for (unsigned i = 0; f->words[i] != NULL; i++)
			sl_strbuf_addf(sb, "%s`%s`", i > 0 ? ", " : "", f->words[i]);
		return;
	case FIELD_TEXTS:
		sl_strbuf_addf(sb, "list of text, at most %" PRIu64, f->max);
		return;
	case FIELD_OBJECT:
		sl_strbuf_addf(sb, "object, [below](#%s)", f->object->name);
		return;
	case FIELD_LIST:
		sl_strbuf_addf(sb, "list of [%s](#%s), at most %u", f->object->name,
			f->object->name, f->list->max);
		return;
	case FIELD_CODEC:
		sl_strbuf_add(sb, config_codec(f->codec)->type);
		return;
	}
}

static void
add_row(struct sl_strbuf *sb, const struct object_type *type, const struct field *f)
{
	const char *separator = "";

	sl_strbuf_addf(sb, "| `%s` | ", f->key);
	add_type(sb, f);
	if (f->required)
		sl_strbuf_add(sb, " | **required** | ");
	else if (f->dflt != NULL)
		sl_strbuf_addf(sb, " | `%s` | ", f->dflt);
	else
		sl_strbuf_add(sb, " | | ");
	sl_strbuf_add(sb, f->help);
	if (f->only != 0) {
		sl_strbuf_add(sb, " (");
		for (unsigned i = 0; type->variants[i] != NULL; i++) {
			if ((f->only >> i & 1) == 0)
				continue;
			sl_strbuf_addf(sb, "%s`%s`", separator, type->variants[i]);
			separator = ", ";
		}
		sl_strbuf_add(sb, " only)");
	}
	sl_strbuf_add(sb, " |\n");
}

static void
add_object(struct sl_strbuf *sb, const struct object_type *type)
{
	sl_strbuf_addf(
		sb, "\n## %s\n\n%s\n\n| key | value | default | what |\n", type->name, type->help);
	sl_strbuf_add(sb, "| --- | --- | --- | --- |\n");
	for (const struct field *f = type->fields; f->key != NULL; f++)
		add_row(sb, type, f);
	for (const struct field *f = type->fields; f->key != NULL; f++) {
		if (f->object != NULL)
			add_object(sb, f->object);
	}
}

char *
config_reference(void)
{
	struct sl_strbuf sb;

	sl_strbuf_init(&sb, 0);
	sl_strbuf_add(&sb,
		"# The configuration file\n\n"
		"Generated from `lib/config/fields*.c`; the JSON schema is `schema.json` beside "
		"this.\n"
		"Strict JSON: unknown keys and keys that are given twice are errors, each with its "
		"place.\n"
		"`sluiced --check FILE` judges a file; `sluicectl config reload` applies it live, "
		"or "
		"changes nothing.\n"
		"Names have at most 31 letters, digits, `-`, `_`, `.`, and no digit first. The "
		"words of "
		"matches and\nactions are in `lib/flow/include/flow/text.h`; a match may also say "
		"`vm=NAME`: whatever port of\nthat VM it came from.\n");
	add_object(&sb, config_fields());
	return sl_strbuf_take(&sb);
}

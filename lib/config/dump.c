// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "walk.h"

static json_t *dump_object(
	const struct config *cfg, const struct object_type *type, const void *base, int sw);

static json_t *
dump_list(const struct config *cfg, const struct field *f, int sw)
{
	json_t *list = json_array();
	uint32_t n = config_list_count(cfg, f->list);

	for (uint32_t i = 0; i < n; i++) {
		const char *element = config_list_at(cfg, f->list, i);

		if (f->list->in_switch && (int)config_uint_get(element + f->list->sw, 2) != sw)
			continue;
		json_array_append_new(list, dump_object(cfg, f->object, element, (int)i));
	}
	return list;
}

static json_t *
dump_texts(const struct field *f, const char *base)
{
	json_t *list = json_array();
	uint64_t n = config_uint_get(base + f->count, 1);

	for (uint64_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(base + f->offset + i * f->size));
	return list;
}

static json_t *
dump_value(const struct config *cfg, const struct field *f, const char *base, int sw)
{
	const char *at = base + f->offset;

	switch (f->kind) {
	case FIELD_TEXT:
	case FIELD_NAME:
		return json_string(at);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	case FIELD_UINT:
		return json_integer((json_int_t)config_uint_get(at, f->size));
	case FIELD_ENUM:
		return json_string(f->words[config_uint_get(at, f->size)]);
	case FIELD_TEXTS:
		return dump_texts(f, base);
	case FIELD_OBJECT:
		if (f->object->is_absent != NULL && f->object->is_absent(at))
			return NULL;
		return dump_object(cfg, f->object, at, sw);
	case FIELD_LIST:
		return dump_list(cfg, f, sw);
	case FIELD_CODEC:
		return config_codec(f->codec)->print(cfg, base);
	}
	return NULL;
}

// sw: the index of the switch when the object is one.
static json_t *
dump_object(const struct config *cfg, const struct object_type *type, const void *base, int sw)
{
	json_t *object = json_object();

	for (const struct field *f = type->fields; f->key != NULL; f++) {
		json_t *value;

		if (f->only != 0 && (f->only & type->variant(base)) == 0)
			continue;
		value = dump_value(cfg, f, base, sw);
		if (value != NULL)
			json_object_set_new(object, f->key, value);
	}
	return object;
}

char *
config_dump(const struct config *cfg)
{
	json_t *root = dump_object(cfg, config_fields(), cfg, -1);
	char *text = json_dumps(root, JSON_INDENT(2));

	json_decref(root);
	return text;
}

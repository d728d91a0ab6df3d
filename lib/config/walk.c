// SPDX-License-Identifier: BSD-3-Clause
#include "walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/strbuf.h"

void
walk_fault(struct walk *w, const char *at, const char *fmt, ...)
{
	struct config_faults *faults = w->faults;
	struct sl_err *err;
	char path[WALK_PATH_MAX + 64];
	char text[SL_ERR_TEXT_MAX];
	va_list ap;

	w->n_faults++;
	if (faults->n == CONFIG_FAULTS_MAX) {
		faults->more = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s%s", w->path, at != NULL ? at : "");
	err = &faults->list[faults->n++];
	sl_err_init(err);
	sl_err_set(err, EINVAL, path[0] != '\0' ? path : "/", "%s (%s)", text, w->origin);
}

const char *
walk_kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "";
}

// With ~ and / escaped as RFC 6901 says.
size_t
walk_down(struct walk *w, const char *key)
{
	size_t mark = w->path_len, len = mark;

	if (len + 1 < sizeof(w->path))
		w->path[len++] = '/';
	for (; *key != '\0' && len + 3 < sizeof(w->path); key++) {
		if (*key == '~' || *key == '/') {
			w->path[len++] = '~';
			w->path[len++] = *key == '~' ? '0' : '1';
		} else {
			w->path[len++] = *key;
		}
	}
	w->path[len] = '\0';
	w->path_len = len;
	return mark;
}

size_t
walk_down_index(struct walk *w, size_t index)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", index);
	return walk_down(w, text);
}

void
walk_up(struct walk *w, size_t mark)
{
	w->path_len = mark;
	w->path[mark] = '\0';
}

void *
walk_append(struct walk *w, const struct list_type *list)
{
	uint32_t n = config_list_count(w->cfg, list);
	char *slot = (char *)w->cfg + list->array;
	char *array, *element;

	if (n >= list->max)
		return NULL;
	if (!list->embedded && (n == 0 || (n & (n - 1)) == 0)) { // full: twice as much
		memcpy(&array, slot, sizeof(array));
		array = realloc(array, (n > 0 ? 2 * (size_t)n : 1) * list->size);
		if (array == NULL)
			return NULL;
		memcpy(slot, &array, sizeof(array));
	}
	config_uint_put((char *)w->cfg + list->count, list->count_size, n + 1);
	element = config_list_at(w->cfg, list, n);
	memset(element, 0, list->size);
	if (list->in_switch)
		config_uint_put(element + list->sw, 2, w->sw);
	if (list->init != NULL)
		list->init(element);
	return element;
}

static void
walk_list(struct walk *w, const struct field *f, const json_t *value)
{
	json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		walk_fault(w, NULL, "must be a list, not %s", walk_kind(value));
		return;
	}
	if (config_list_count(w->cfg, f->list) + json_array_size(value) > f->list->max) {
		walk_fault(w, NULL, "more than %u %s in the file", f->list->max, f->list->what);
		return;
	}
	json_array_foreach(value, i, item)
	{
		size_t mark = walk_down_index(w, i);
		uint32_t n = config_list_count(w->cfg, f->list);

		if (walk_append(w, f->list) == NULL) {
			walk_fault(w, NULL, "out of memory");
		} else {
			if (f->list->array == offsetof(struct config, switches))
				w->sw = (uint16_t)n;
			walk_object(w, f->object, item, config_list_at(w->cfg, f->list, n));
		}
		walk_up(w, mark);
	}
}

static void
unknown_key(struct walk *w, const struct object_type *type, const char *key)
{
	size_t mark = walk_down(w, key);
	struct sl_near near;
	struct sl_strbuf known;

	sl_near_init(&near, key);
	sl_strbuf_init(&known, 0);
	for (const struct field *f = type->fields; f->key != NULL; f++) {
		sl_near_try(&near, f->key);
		sl_strbuf_addf(&known, "%s%s", f == type->fields ? "" : ", ", f->key);
	}
	if (near.best != NULL)
		walk_fault(w, NULL, "unknown key, is \"%s\" meant?", near.best);
	else
		walk_fault(w, NULL, "unknown key; here may stand: %s", sl_strbuf_str(&known));
	sl_strbuf_fini(&known);
	walk_up(w, mark);
}

static const struct field *
find_field(const struct object_type *type, const char *key)
{
	for (const struct field *f = type->fields; f->key != NULL; f++) {
		if (strcmp(f->key, key) == 0)
			return f;
	}
	return NULL;
}

static void
walk_default(struct walk *w, const struct field *f, void *base)
{
	json_t *value = json_loads(f->dflt, JSON_DECODE_ANY, NULL);

	if (value == NULL)
		walk_fault(w, NULL, "out of memory");
	else
		walk_value(w, f, value, base);
	json_decref(value);
}

static const char *
variant_name(const struct object_type *type, uint32_t variant)
{
	unsigned i = 0;

	while (variant > 1 && type->variants[i + 1] != NULL) {
		variant >>= 1;
		i++;
	}
	return type->variants[i];
}

static void
walk_field(struct walk *w, const struct object_type *type, const struct field *f,
	const json_t *value, void *base)
{
	uint32_t variant = f->only != 0 ? type->variant(base) : 0;
	bool fits = f->only == 0 || (f->only & variant) != 0;
	size_t mark;

	if (value == NULL && (!fits || (f->kind == FIELD_OBJECT && f->object->optional)))
		return;
	if (value == NULL && f->required) {
		walk_fault(w, NULL, "\"%s\" is missing: %s", f->key, f->help);
		return;
	}
	mark = walk_down(w, f->key);
	if (!fits)
		walk_fault(w, NULL, "has no meaning with \"%s\": \"%s\"", type->fields[0].key,
			variant_name(type, variant));
	else if (value != NULL)
		walk_value(w, f, value, base);
	else if (f->dflt != NULL)
		walk_default(w, f, base);
	else if (f->kind == FIELD_OBJECT)
		walk_object(w, f->object, NULL, (char *)base + f->offset);
	walk_up(w, mark);
}

// value NULL: an empty object.
void
walk_object(struct walk *w, const struct object_type *type, const json_t *value, void *base)
{
	unsigned faults = w->n_faults;
	const char *key;
	json_t *member;

	if (value != NULL && !json_is_object(value)) {
		walk_fault(w, NULL, "must be an object, not %s", walk_kind(value));
		return;
	}
	json_object_foreach((json_t *)value, key, member)
	{
		if (find_field(type, key) == NULL)
			unknown_key(w, type, key);
	}
	for (const struct field *f = type->fields; f->key != NULL; f++) {
		walk_field(w, type, f, json_object_get(value, f->key), base);
		// without a right first field it is not known which others belong
		if (type->variant != NULL && f == type->fields && w->n_faults != faults)
			return;
	}
}

static void
walk_texts(struct walk *w, const struct field *f, const json_t *value, void *base)
{
	const struct field one = {.kind = FIELD_TEXT, .size = f->size, .min = f->min};
	char *texts = (char *)base + f->offset;
	json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		walk_fault(w, NULL, "must be a list of text, not %s", walk_kind(value));
		return;
	}
	if (json_array_size(value) > f->max) {
		walk_fault(w, NULL, "%zu are above %" PRIu64, json_array_size(value), f->max);
		return;
	}
	json_array_foreach(value, i, item)
	{
		size_t mark = walk_down_index(w, i);

		walk_value(w, &one, item, texts + i * f->size);
		walk_up(w, mark);
	}
	config_uint_put((char *)base + f->count, 1, json_array_size(value));
}

static void
walk_text(struct walk *w, const struct field *f, const json_t *value, char *at)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (text == NULL)
		walk_fault(w, NULL, "must be text, not %s", walk_kind(value));
	else if (len >= f->size)
		walk_fault(w, NULL, "%zu bytes are above %zu", len, f->size - 1);
	else if (len < f->min)
		walk_fault(w, NULL, "must not be empty");
	else
		memcpy(at, text, len + 1);
}

static void
walk_name(struct walk *w, const struct field *f, const json_t *value, char *at)
{
	const char *ok = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	const char *text = json_string_value(value);
	unsigned faults = w->n_faults;

	walk_text(w, f, value, at);
	if (w->n_faults != faults)
		return;
	if (text[0] == '\0' ? f->required
			    : text[strspn(text, ok)] != '\0' || (text[0] >= '0' && text[0] <= '9'))
		walk_fault(w, NULL,
			"\"%s\" is no name: letters, digits, - _ . and not a digit first", text);
}

// "10M" as 10000000. False when it is no such number.
static bool
parse_scaled(const char *text, uint64_t *out)
{
	char *end;
	unsigned long long v, unit = 1;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*end == 'k')
		unit = 1000;
	else if (*end == 'M')
		unit = 1000000;
	else if (*end == 'G')
		unit = 1000000000;
	if (unit > 1)
		end++;
	*out = v * unit;
	return errno == 0 && *end == '\0' && v <= UINT64_MAX / unit;
}

static void
walk_uint(struct walk *w, const struct field *f, const json_t *value, void *at)
{
	uint64_t v;

	if (json_is_integer(value)) {
		if (json_integer_value(value) < 0) {
			walk_fault(w, NULL, "%" JSON_INTEGER_FORMAT " is below %" PRIu64,
				json_integer_value(value), f->min);
			return;
		}
		v = (uint64_t)json_integer_value(value);
	} else if (!f->scaled || !json_is_string(value)) {
		walk_fault(w, NULL, "must be a whole number%s, not %s",
			f->scaled ? " or text like \"10M\"" : "", walk_kind(value));
		return;
	} else if (!parse_scaled(json_string_value(value), &v)) {
		walk_fault(w, NULL, "\"%.40s\" is not a whole number with k, M or G or none",
			json_string_value(value));
		return;
	}
	if (v < f->min)
		walk_fault(w, NULL, "%" PRIu64 " is below %" PRIu64, v, f->min);
	else if (v > f->max)
		walk_fault(w, NULL, "%" PRIu64 " is above %" PRIu64, v, f->max);
	else
		config_uint_put(at, f->size, v);
}

static void
walk_enum(struct walk *w, const struct field *f, const json_t *value, void *at)
{
	const char *text = json_string_value(value);
	struct sl_strbuf words;

	for (unsigned i = 0; text != NULL && f->words[i] != NULL; i++) {
		if (strcmp(f->words[i], text) == 0) {
			config_uint_put(at, f->size, i);
			return;
		}
	}
	sl_strbuf_init(&words, 0);
	for (unsigned i = 0; f->words[i] != NULL; i++)
		sl_strbuf_addf(&words, "%s\"%s\"", i > 0 ? ", " : "", f->words[i]);
	if (text == NULL)
		walk_fault(w, NULL, "must be one of %s, not %s", sl_strbuf_str(&words),
			walk_kind(value));
	else
		walk_fault(w, NULL, "\"%.40s\" is none of %s", text, sl_strbuf_str(&words));
	sl_strbuf_fini(&words);
}

void
walk_value(struct walk *w, const struct field *f, const json_t *value, void *base)
{
	char *at = (char *)base + f->offset;

	switch (f->kind) {
	case FIELD_TEXT:
		walk_text(w, f, value, at);
		return;
	case FIELD_NAME:
		walk_name(w, f, value, at);
		return;
	case FIELD_BOOL:
		if (json_is_boolean(value))
			*(bool *)at = json_is_true(value);
		else
			walk_fault(w, NULL, "must be true or false, not %s", walk_kind(value));
		return;
	case FIELD_UINT:
		walk_uint(w, f, value, at);
		return;
	case FIELD_ENUM:
		walk_enum(w, f, value, at);
		return;
	case FIELD_TEXTS:
		walk_texts(w, f, value, base);
		return;
	case FIELD_OBJECT:
		walk_object(w, f->object, value, at);
		return;
	case FIELD_LIST:
		walk_list(w, f, value);
		return;
	case FIELD_CODEC:
		config_codec(f->codec)->parse(w, value, base);
		return;
	}
}

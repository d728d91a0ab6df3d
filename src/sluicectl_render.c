// SPDX-License-Identifier: BSD-3-Clause
// Answers for people. Lists are tables, numbers on the right; objects are keys and values, objects
// in them are indented below their key.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sluicectl.h"
#include "sluicectl_cell.h"
#include "sluicectl_fit.h"

#define COLUMNS_MAX 48

struct column {
	const char *key; // borrowed from the answer
	bool number;     // no item has anything but a number here
	size_t head;     // characters of its name
	size_t width;
};

struct columns {
	unsigned n;
	unsigned shown; // the first so many
	struct column list[COLUMNS_MAX];
};

// What an answer is printed on.
struct page {
	FILE *out;
	size_t width; // of the terminal; 0: no bound
};

static bool
has_column(const struct columns *cols, const char *key)
{
	for (unsigned i = 0; i < cols->n; i++) {
		if (strcmp(cols->list[i].key, key) == 0)
			return true;
	}
	return false;
}

// The key of object that is the word at *fields, which moves on; NULL: it has none.
static const char *
next_field(const char **fields, const json_t *object)
{
	const char *key;
	json_t *value;
	size_t len = strcspn(*fields, " ");
	const char *word = *fields;

	*fields += len + strspn(*fields + len, " ");
	json_object_foreach((json_t *)object, key, value)
	{
		if (strlen(key) == len && strncmp(key, word, len) == 0)
			return key;
	}
	return NULL;
}

static void
add_column(struct columns *cols, const char *key)
{
	if (key != NULL && cols->n < COLUMNS_MAX && !has_column(cols, key))
		cols->list[cols->n++] = (struct column){.key = key, .number = true};
}

// First those that fields names, then the others as they come.
static void
find_columns(struct columns *cols, const json_t *items, const char *fields)
{
	const char *key;
	json_t *item, *value;
	size_t i;

	cols->n = 0;
	while (*fields != '\0') {
		const char *next = fields;

		json_array_foreach(items, i, item)
		{
			next = fields;
			key = next_field(&next, item);
			add_column(cols, key);
			if (key != NULL)
				break;
		}
		if (next == fields)
			break; // no items
		fields = next;
	}
	json_array_foreach(items, i, item)
	{
		json_object_foreach(item, key, value) add_column(cols, key);
	}
}

static void
measure(struct columns *cols, const json_t *items, struct sl_strbuf *cell)
{
	json_t *item;
	size_t i;

	for (unsigned c = 0; c < cols->n; c++) {
		struct column *col = &cols->list[c];

		sl_strbuf_reset(cell);
		cell_add_key(cell, col->key);
		col->head = cell_width(sl_strbuf_str(cell));
		col->width = col->head;
		json_array_foreach(items, i, item)
		{
			const json_t *value = json_object_get(item, col->key);

			sl_strbuf_reset(cell);
			cell_add(cell, col->key, value);
			if (cell_width(sl_strbuf_str(cell)) > col->width)
				col->width = cell_width(sl_strbuf_str(cell));
			col->number &=
				value == NULL || json_is_number(value) || json_is_null(value);
		}
	}
}

static void
fit(struct columns *cols, const struct page *page, unsigned indent)
{
	struct fit_column list[COLUMNS_MAX];
	const size_t width = page->width > indent ? page->width - indent : page->width;

	for (unsigned c = 0; c < cols->n; c++) {
		const struct column *col = &cols->list[c];

		list[c].width = col->width;
		list[c].least =
			col->number ? col->width : fit_least(col->key, col->head, col->width);
	}
	cols->shown = fit_columns(list, cols->n, width);
	for (unsigned c = 0; c < cols->shown; c++)
		cols->list[c].width = list[c].width;
}

static void
print_cell(FILE *out, const struct columns *cols, unsigned c, const char *text, unsigned indent)
{
	const struct column *col = &cols->list[c];
	int pad = (int)(col->width - cell_width(text));

	fprintf(out, "%*s", c == 0 ? (int)indent : 2, "");
	if (col->number)
		fprintf(out, "%*s%s", pad, "", text);
	else if (c + 1 < cols->shown)
		fprintf(out, "%s%*s", text, pad, "");
	else
		fprintf(out, "%s", text);
}

static bool
is_table(const json_t *value)
{
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
	{
		if (!json_is_object(item))
			return false;
	}
	return json_array_size(value) > 0;
}

// Moves the columns that have a list of objects in some row to below: as a cell it would be one
// line that nobody can read.
static void
take_tables(struct columns *cols, struct columns *below, const json_t *items)
{
	unsigned n = 0;
	json_t *item;
	size_t i;

	below->n = 0;
	for (unsigned c = 0; c < cols->n; c++) {
		bool table = false;

		json_array_foreach(items, i, item) table |=
			is_table(json_object_get(item, cols->list[c].key));
		if (table)
			below->list[below->n++] = cols->list[c];
		else
			cols->list[n++] = cols->list[c];
	}
	cols->n = n;
}

static void print_table(
	const struct page *page, const json_t *items, const char *fields, unsigned indent);

static void
print_tables_below(
	const struct page *page, const struct columns *below, const json_t *item, unsigned indent)
{
	for (unsigned c = 0; c < below->n; c++) {
		const json_t *value = json_object_get(item, below->list[c].key);

		if (is_table(value))
			print_table(page, value, "", indent + 2);
	}
}

// A list of a command is a line an item; within an object a row may have tables below it.
static void
print_table(const struct page *page, const json_t *items, const char *fields, unsigned indent)
{
	FILE *out = page->out;
	struct columns cols, below = {.n = 0};
	struct sl_strbuf cell;
	json_t *item;
	size_t i;

	sl_strbuf_init(&cell, 0);
	find_columns(&cols, items, fields);
	if (indent > 0)
		take_tables(&cols, &below, items);
	measure(&cols, items, &cell);
	fit(&cols, page, indent);
	for (unsigned c = 0; c < cols.shown; c++) {
		sl_strbuf_reset(&cell);
		cell_add_key(&cell, cols.list[c].key);
		for (size_t j = 0; j < cell.len; j++)
			cell.data[j] = (char)toupper((unsigned char)cell.data[j]);
		print_cell(out, &cols, c, sl_strbuf_str(&cell), indent);
	}
	fprintf(out, "\n");
	json_array_foreach(items, i, item)
	{
		for (unsigned c = 0; c < cols.shown; c++) {
			sl_strbuf_reset(&cell);
			cell_add(&cell, cols.list[c].key, json_object_get(item, cols.list[c].key));
			fit_cut(&cell, cols.list[c].key, cols.list[c].width);
			print_cell(out, &cols, c, sl_strbuf_str(&cell), indent);
		}
		fprintf(out, "\n");
		print_tables_below(page, &below, item, indent);
	}
	if (cols.shown < cols.n)
		fprintf(out, "%*s(%u more column%s: --wide)\n", (int)indent, "",
			cols.n - cols.shown, cols.n - cols.shown > 1 ? "s" : "");
	sl_strbuf_fini(&cell);
}

static bool
has_word(const char *words, const char *key)
{
	const size_t len = strlen(key);
	const char *at = words;

	while ((at = strstr(at, key)) != NULL) {
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
		at += len;
	}
	return false;
}

#define ALL_LINES "*"

// One line, or a block of its own below the key?
static bool
is_block(const char *key, const json_t *value, const char *lines)
{
	if (lines != NULL && (strcmp(lines, ALL_LINES) == 0 || has_word(lines, key)))
		return false;
	return is_table(value) || json_object_size(value) > 0;
}

static size_t
key_width(const struct columns *cols, const json_t *object, const char *lines)
{
	struct sl_strbuf key;
	size_t width = 0;

	sl_strbuf_init(&key, 0);
	for (unsigned c = 0; c < cols->n; c++) {
		sl_strbuf_reset(&key);
		cell_add_key(&key, cols->list[c].key);
		if (!is_block(
			    cols->list[c].key, json_object_get(object, cols->list[c].key), lines) &&
			cell_width(sl_strbuf_str(&key)) > width)
			width = cell_width(sl_strbuf_str(&key));
	}
	sl_strbuf_fini(&key);
	return width;
}

static void print_object(const struct page *page, const json_t *object, const char *fields,
	const char *lines, unsigned indent);

static void
print_member(const struct page *page, const char *key, const json_t *value, const char *lines,
	size_t width, unsigned indent)
{
	FILE *out = page->out;
	struct sl_strbuf text;

	sl_strbuf_init(&text, 0);
	cell_add_key(&text, key);
	fprintf(out, "%*s%s", (int)indent, "", sl_strbuf_str(&text));
	if (is_block(key, value, lines)) {
		fprintf(out, "\n");
		if (json_is_array(value))
			print_table(page, value, "", indent + 2);
		else
			print_object(page, value, "", lines != NULL ? ALL_LINES : NULL, indent + 2);
	} else {
		fprintf(out, "%*s", (int)(width - cell_width(sl_strbuf_str(&text))) + 2, "");
		sl_strbuf_reset(&text);
		cell_add(&text, key, value);
		fprintf(out, "%s\n", sl_strbuf_str(&text));
	}
	sl_strbuf_fini(&text);
}

static void
print_object(const struct page *page, const json_t *object, const char *fields, const char *lines,
	unsigned indent)
{
	struct columns keys = {.n = 0};
	const char *key;
	json_t *value;
	size_t width;

	while (*fields != '\0')
		add_column(&keys, next_field(&fields, object));
	json_object_foreach((json_t *)object, key, value) add_column(&keys, key);
	width = key_width(&keys, object, lines);
	for (unsigned c = 0; c < keys.n; c++)
		print_member(page, keys.list[c].key, json_object_get(object, keys.list[c].key),
			lines, width, indent);
}

// {"items":[..], "total":N, ..}
static void
print_list(const struct page *page, const json_t *result, const json_t *items, const char *fields)
{
	FILE *out = page->out;
	json_int_t total = json_integer_value(json_object_get(result, "total"));
	json_t *rest = json_copy((json_t *)result);

	json_object_del(rest, "items");
	json_object_del(rest, "total");
	if (json_object_size(rest) > 0) {
		print_object(page, rest, "", NULL, 0);
		fprintf(out, "\n");
	}
	json_decref(rest);
	if (json_array_size(items) == 0)
		fprintf(out, "none\n");
	else
		print_table(page, items, fields, 0);
	if (total > (json_int_t)json_array_size(items))
		fprintf(out, "%zu of %" JSON_INTEGER_FORMAT " (--limit 0 shows all)\n",
			json_array_size(items), total);
}

void
render(FILE *out, size_t width, const json_t *result, const char *fields, const char *lines)
{
	const struct page page = {.out = out, .width = width};
	const json_t *items = json_object_get(result, "items");

	if (json_is_array(items) && (is_table(items) || json_array_size(items) == 0))
		print_list(&page, result, items, fields);
	else
		print_object(&page, result, fields, lines, 0);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluicectl_cell.h"

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

static const char *const units[] = {"_bps", "_pps", "_pct", "_ms", "_us", "_ns", "_s"};

static const char *
unit_of(const char *key)
{
	if (ends_with(key, "_per_s"))
		return ""; // a number a second, no time
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ends_with(key, units[i]))
			return units[i];
	}
	return ends_with(key, "bytes") ? "bytes" : "";
}

// Three digits and a prefix: 999, 1.23 k, 45.6 M.
static void
add_scaled(struct sl_strbuf *sb, double value, const char *unit)
{
	static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
	unsigned i = 0;

	while (fabs(value) >= 999.5 && i < 5) {
		value /= 1000;
		i++;
	}
	if (i == 0)
		sl_strbuf_addf(sb, "%.4g %s", value, unit);
	else
		sl_strbuf_addf(sb, "%.*f %s%s", fabs(value) < 9.995 ? 2 : fabs(value) < 99.95,
			value, prefixes[i], unit);
}

static void
add_seconds(struct sl_strbuf *sb, double value)
{
	long long s = (long long)value;

	if (!(fabs(value) < 1e12))
		sl_strbuf_addf(sb, "%g s", value);
	else if (value < 60)
		sl_strbuf_addf(sb, "%.3g s", value);
	else if (s < 3600)
		sl_strbuf_addf(sb, "%lldm %02llds", s / 60, s % 60);
	else if (s < 86400)
		sl_strbuf_addf(sb, "%lldh %02lldm", s / 3600, s / 60 % 60);
	else
		sl_strbuf_addf(sb, "%lldd %02lldh", s / 86400, s / 3600 % 24);
}

static void
add_number(struct sl_strbuf *sb, const char *key, const json_t *value)
{
	const char *unit = unit_of(key);
	double number = json_number_value(value);

	if (strcmp(unit, "bytes") == 0)
		add_scaled(sb, number, "B");
	else if (strcmp(unit, "_bps") == 0)
		add_scaled(sb, number, "bit/s");
	else if (strcmp(unit, "_pps") == 0)
		add_scaled(sb, number, "pkt/s");
	else if (strcmp(unit, "_s") == 0)
		add_seconds(sb, number);
	else if (json_is_integer(value))
		sl_strbuf_addf(sb, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (strcmp(unit, "_pct") == 0)
		sl_strbuf_addf(sb, "%.1f", number);
	else
		sl_strbuf_addf(sb, "%.6g", number);
	if (strcmp(unit, "_pct") == 0)
		sl_strbuf_add(sb, " %");
	else if (strcmp(unit, "_ms") == 0 || strcmp(unit, "_us") == 0 || strcmp(unit, "_ns") == 0)
		sl_strbuf_addf(sb, " %s", unit + 1);
}

// What a terminal may take for an order, or that changes how the rest of the line reads: control
// characters (C1 too: U+009B begins a sequence as ESC [ does), line and paragraph separators, and
// what turns the direction of text around.
static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

// A character of UTF-8 and its length; what is none is a control character of one byte.
static uint32_t
take_char(const char *text, unsigned *len)
{
	const uint8_t *b = (const uint8_t *)text;
	unsigned n = b[0] < 0x80                   ? 1
		     : b[0] >= 0xc2 && b[0] < 0xe0 ? 2
		     : b[0] < 0xe0                 ? 0
		     : b[0] < 0xf0                 ? 3
		     : b[0] < 0xf5                 ? 4
						   : 0;
	uint32_t c = n <= 1 ? b[0] : b[0] & (0x7fu >> n);

	*len = 1;
	if (n == 0)
		return 0;
	for (unsigned i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3f);
	}
	*len = n;
	return c;
}

void
cell_add_text(struct sl_strbuf *sb, const char *text)
{
	unsigned len;

	for (; *text != '\0'; text += len) {
		if (is_control(take_char(text, &len)))
			sl_strbuf_add(sb, "?");
		else
			sl_strbuf_addn(sb, text, len);
	}
}

static void
add_object(struct sl_strbuf *sb, const json_t *value)
{
	const char *separator = "";
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)value, key, member)
	{
		sl_strbuf_add(sb, separator);
		cell_add_key(sb, key);
		sl_strbuf_add(sb, " ");
		cell_add(sb, key, member);
		separator = ", ";
	}
}

void
cell_add(struct sl_strbuf *sb, const char *key, const json_t *value)
{
	size_t i;
	json_t *item;

	switch (value != NULL ? json_typeof(value) : JSON_NULL) {
	case JSON_NULL:
		sl_strbuf_add(sb, "-");
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		sl_strbuf_add(sb, json_is_true(value) ? "yes" : "no");
		return;
	case JSON_INTEGER:
	case JSON_REAL:
		add_number(sb, key, value);
		return;
	case JSON_STRING:
		cell_add_text(sb, json_string_length(value) > 0 ? json_string_value(value) : "-");
		return;
	case JSON_ARRAY:
		if (json_array_size(value) == 0)
			sl_strbuf_add(sb, "-");
		json_array_foreach(value, i, item)
		{
			sl_strbuf_add(sb, i > 0 ? ", " : "");
			cell_add(sb, key, item);
		}
		return;
	case JSON_OBJECT:
		if (json_object_size(value) == 0)
			sl_strbuf_add(sb, "-");
		add_object(sb, value);
		return;
	}
}

void
cell_add_key(struct sl_strbuf *sb, const char *key)
{
	const char *unit = unit_of(key);
	size_t len = strlen(key);
	char text[128];

	if (unit[0] == '_')
		len -= strlen(unit);
	snprintf(text, sizeof(text), "%.*s", (int)len, key);
	for (char *c = strchr(text, '_'); c != NULL; c = strchr(c, '_'))
		*c = ' ';
	cell_add_text(sb, text);
}

size_t
cell_width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80; // not a UTF-8 continuation
	return n;
}

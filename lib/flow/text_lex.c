// SPDX-License-Identifier: BSD-3-Clause
#include "text_lex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

void
text_lex_init(
	struct text_lex *lex, const char *text, const struct flow_names *names, struct sl_err *err)
{
	*lex = (struct text_lex){.text = text, .pos = text, .names = names, .err = err};
}

int
text_next(struct text_lex *lex, struct text_word *word)
{
	size_t len = 0;
	char *eq;

	while (is_blank(*lex->pos))
		lex->pos++;
	word->column = (unsigned)(lex->pos - lex->text) + 1;
	word->name = word->buf;
	word->value = NULL;
	for (; lex->pos[len] != '\0' && !is_blank(lex->pos[len]); len++) {
		if (len < TEXT_WORD_MAX)
			word->buf[len] = lex->pos[len];
	}
	word->buf[len < TEXT_WORD_MAX ? len : TEXT_WORD_MAX] = '\0';
	if (len > TEXT_WORD_MAX)
		return text_error(lex, word, "longer than %d bytes", TEXT_WORD_MAX);
	lex->pos += len;
	eq = strchr(word->buf, '=');
	if (eq != NULL) {
		*eq = '\0';
		word->value = eq + 1;
	}
	return len > 0;
}

int
text_error(struct text_lex *lex, const struct text_word *word, const char *fmt, ...)
{
	char message[SL_ERR_TEXT_MAX];
	char shown[64];
	va_list ap;
	char *p;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (word->value != NULL)
		snprintf(shown, sizeof(shown), "%s=%s", word->name, word->value);
	else
		snprintf(shown, sizeof(shown), "%s", word->name);
	for (p = shown; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	}
	return sl_err_set(
		lex->err, EINVAL, NULL, "\"%s\" (column %u): %s", shown, word->column, message);
}

int
text_unknown(struct text_lex *lex, const struct text_word *word, const char *(*name_at)(unsigned i),
	unsigned n)
{
	struct sl_near near;
	unsigned i;

	sl_near_init(&near, word->name);
	for (i = 0; i < n; i++)
		sl_near_try(&near, name_at(i));
	if (near.best != NULL)
		return text_error(lex, word, "no such word, the nearest is \"%s\"", near.best);
	return text_error(lex, word, "no such word");
}

bool
text_number(const char *s, uint32_t max, uint32_t *out)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	const char *digits = hex ? s + 2 : s;
	size_t len = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
	unsigned long long v;

	if (len == 0 || len > 10 || digits[len] != '\0')
		return false;
	v = strtoull(digits, NULL, hex ? 16 : 10);
	if (v > max)
		return false;
	*out = (uint32_t)v;
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
text_mac(const char *s, uint8_t mac[6])
{
	unsigned i;
	int high, low;

	for (i = 0; i < 6; i++, s += 3) {
		high = hex_digit(s[0]);
		low = high < 0 ? -1 : hex_digit(s[1]);
		if (low < 0 || s[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int
text_resolve(struct text_lex *lex, const struct text_word *word,
	int (*id_of)(void *ctx, const char *name), const char *what)
{
	bool plain = lex->names == NULL || id_of == NULL;
	const char *s = word->value;
	uint32_t number;
	int id;

	if (plain || s[0] == '#') {
		if (text_number(s + (s[0] == '#'), UINT16_MAX, &number))
			return (int)number;
		return text_error(lex, word, "expected the number of a %s, 0 to 65535", what);
	}
	id = id_of(lex->names->ctx, s);
	if (id < 0 || id > UINT16_MAX)
		return text_error(lex, word, "there is no %s of this name", what);
	return id;
}

void
text_add_mac(struct sl_strbuf *out, const uint8_t mac[6])
{
	sl_strbuf_addf(out, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
}

// Does text_resolve read it back? (a word of its own, not taken for a number)
static bool
is_sayable(const char *name)
{
	const char *p;

	for (p = name; *p != '\0'; p++) {
		if (is_blank(*p))
			return false;
	}
	return p > name && p - name < TEXT_WORD_MAX / 2 && name[0] != '#';
}

void
text_add_name(struct sl_strbuf *out, const struct flow_names *names,
	const char *(*name_of)(void *ctx, uint16_t id), uint16_t id)
{
	const char *name;

	if (names == NULL || name_of == NULL) {
		sl_strbuf_addf(out, "%u", id);
		return;
	}
	name = name_of(names->ctx, id);
	if (name != NULL && is_sayable(name))
		sl_strbuf_add(out, name);
	else
		sl_strbuf_addf(out, "#%u", id);
}

void
text_add_word(struct sl_strbuf *out, size_t start, const char *word)
{
	if (out->len > start)
		sl_strbuf_add(out, " ");
	sl_strbuf_add(out, word);
}

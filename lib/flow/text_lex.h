// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_TEXT_LEX_H
#define SLUICE_FLOW_TEXT_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/text.h"

// What the match and the action syntax share: words, values, names, errors. Thread safety: owner
// thread only.

#define TEXT_WORD_MAX 160 // bytes in a word

struct text_word {
	unsigned column; // from 1
	const char *name;
	const char *value; // after '='; NULL: there is none
	char buf[TEXT_WORD_MAX + 1];
};

struct text_lex {
	const char *text;
	const char *pos;
	const struct flow_names *names;
	struct sl_err *err;
};

void text_lex_init(
	struct text_lex *lex, const char *text, const struct flow_names *names, struct sl_err *err);
// 1: *word is the next word; 0: there is none left; -EINVAL: it is too long.
int text_next(struct text_lex *lex, struct text_word *word);
// `"WORD" (column N): MESSAGE`; returns -EINVAL.
int text_error(struct text_lex *lex, const struct text_word *word, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
// The error for a word that is in none of n names; says which is nearest, if one is near.
int text_unknown(struct text_lex *lex, const struct text_word *word,
	const char *(*name_at)(unsigned i), unsigned n);

// Whole strings only: decimal or 0x hexadecimal, at most max.
bool text_number(const char *s, uint32_t max, uint32_t *out);
bool text_mac(const char *s, uint8_t mac[6]);
// The number that s names, or -1 for more than max and for no number.
int text_resolve(struct text_lex *lex, const struct text_word *word,
	int (*id_of)(void *ctx, const char *name), const char *what);

void text_add_mac(struct sl_strbuf *out, const uint8_t mac[6]);
// The name of id in a form that text_resolve takes.
void text_add_name(struct sl_strbuf *out, const struct flow_names *names,
	const char *(*name_of)(void *ctx, uint16_t id), uint16_t id);
// Begins a new word: a blank unless out ends at `start`.
void text_add_word(struct sl_strbuf *out, size_t start, const char *word);

#endif

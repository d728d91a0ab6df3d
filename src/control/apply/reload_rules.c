// SPDX-License-Identifier: BSD-3-Clause
#include "apply/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/apply.h"
#include "base/hash.h"
#include "switch/rule_book.h"

static bool
same_rule(const struct config_rule *a, const struct config_rule *b)
{
	return a->table == b->table && a->priority == b->priority && a->vm == b->vm &&
	       a->learned == b->learned && strcmp(a->extension, b->extension) == 0 &&
	       strcmp(a->name, b->name) == 0 && flow_inner_match_equal(&a->inner, &b->inner) &&
	       flow_match_equal(&a->match, &b->match) &&
	       memcmp(&a->actions, &b->actions, sizeof(a->actions)) == 0;
}

// The rules of the next file for one switch, found by what they say.
struct rule_diff {
	struct reload *r;
	uint16_t sw;
	bool *kept;     // [next->n_rules]
	uint32_t *head; // [mask + 1]; index + 1 of the first rule of that hash
	uint32_t *next; // [next->n_rules], likewise
	uint32_t mask;
	const char *taken; // a rule added live that has the name of a new one
};

static uint32_t
rule_hash(const struct rule_diff *d, const struct config_rule *rule)
{
	const uint64_t w[3] = {
		(uint64_t)rule->table << 32 | (uint64_t)rule->priority << 16 | (uint16_t)rule->vm,
		sl_hash_bytes(rule->name, strlen(rule->name), 0),
		sl_hash_bytes(&rule->match, sizeof(rule->match), 0)};

	return (uint32_t)sl_hash_words(w, 3, 0) & d->mask;
}

static int
diff_init(struct rule_diff *d)
{
	const struct config *next = d->r->next;
	uint32_t size = 16, i, at;

	while (size < next->n_rules)
		size *= 2;
	d->mask = size - 1;
	d->kept = calloc(next->n_rules + 1, sizeof(*d->kept));
	d->next = calloc(next->n_rules + 1, sizeof(*d->next));
	d->head = calloc(size, sizeof(*d->head));
	if (d->kept == NULL || d->next == NULL || d->head == NULL)
		return -ENOMEM;
	for (i = next->n_rules; i-- > 0;) {
		if (next->rules[i].sw != d->sw)
			continue;
		at = rule_hash(d, &next->rules[i]);
		d->next[i] = d->head[at];
		d->head[at] = i + 1;
	}
	return 0;
}

static void
diff_fini(struct rule_diff *d)
{
	free(d->kept);
	free(d->next);
	free(d->head);
}

static void
check_name(struct rule_diff *d, const struct config_rule *live)
{
	const struct config *next = d->r->next;
	uint32_t i;

	for (i = 0; live->name[0] != '\0' && i < next->n_rules; i++) {
		if (next->rules[i].sw == d->sw && strcmp(next->rules[i].name, live->name) == 0)
			d->taken = next->rules[i].name;
	}
}

static void
diff_rule(void *ctx, const struct rule_info *info)
{
	struct rule_diff *d = ctx;
	const struct config *next = d->r->next;
	uint32_t at;

	if (!info->from_config) {
		check_name(d, info->rule);
		return;
	}
	for (at = d->head[rule_hash(d, info->rule)]; at != 0; at = d->next[at - 1]) {
		if (d->kept[at - 1] || !same_rule(&next->rules[at - 1], info->rule))
			continue;
		d->kept[at - 1] = true;
		return;
	}
	d->r->gone[d->sw][d->r->n_gone[d->sw]++] = info->rule->id;
}

static int
add_new(struct rule_diff *d, struct sl_err *err)
{
	struct reload *r = d->r;
	struct rule_book *book = r->c->book[d->sw];
	uint32_t i, n = 0, id;
	char text[96];
	int rc = 0;

	for (i = 0; rc == 0 && i < r->next->n_rules; i++) {
		if (r->next->rules[i].sw != d->sw || d->kept[i])
			continue;
		n++;
		rc = rule_book_add(book, &r->next->rules[i], true, &id, err);
		if (rc == 0)
			r->added[r->n_added++] = (struct reload_rule){d->sw, id};
		else
			apply_say_rule(&r->next->rules[i], err);
	}
	if (n + r->n_gone[d->sw] > 0) {
		snprintf(text, sizeof(text), "%u rules added, %u removed in", n, r->n_gone[d->sw]);
		reload_note(r, text, r->next->switches[d->sw].name);
	}
	return rc;
}

// A table may be replaced as a whole, also a full one: old and new rules are in the book together
// until workers see one set of rules with the new ones and without the old ones.
static void
set_leaves(struct reload *r, uint16_t sw, bool on)
{
	uint32_t k;

	for (k = 0; k < r->n_gone[sw]; k++)
		rule_book_leaves(r->c->book[sw], r->gone[sw][k], on);
}

static int
first_half(struct reload *r, uint16_t sw, struct sl_err *err)
{
	struct rule_book *book = r->c->book[sw];
	struct rule_diff d = {.r = r, .sw = sw};
	int rc = diff_init(&d);

	r->gone[sw] = calloc(rule_book_count(book) + 1, sizeof(*r->gone[sw]));
	if (rc != 0 || r->gone[sw] == NULL) {
		rc = sl_err_set(err, ENOMEM, NULL, "out of memory");
	} else {
		rule_book_each(book, diff_rule, &d);
		set_leaves(r, sw, true);
		rc = d.taken != NULL ? sl_err_set(err, EEXIST, "/switches",
					       "a rule named \"%s\" was added live", d.taken)
				     : add_new(&d, err);
	}
	diff_fini(&d);
	// Entries for new ports of a VM are made in the second half, which cannot fail.
	return rc == 0 ? rule_book_check(book, r->next, err) : rc;
}

static const struct config_table *
table_of(const struct config *cfg, uint16_t sw, uint16_t id)
{
	uint16_t i;

	for (i = 0; i < cfg->n_tables; i++) {
		if (cfg->tables[i].sw == sw && cfg->tables[i].id == id)
			return &cfg->tables[i];
	}
	return NULL;
}

// Tables that begin or end, or whose default is another one.
static void
note_tables(struct reload *r)
{
	const struct config *old = r->c->cfg, *next = r->next;
	uint16_t i;
	char text[32];

	for (i = 0; i < next->n_tables; i++) {
		const struct config_table *t = &next->tables[i], *was = table_of(old, t->sw, t->id);

		if (was != NULL && strcmp(was->name, t->name) == 0 &&
			memcmp(&was->fallback, &t->fallback, sizeof(t->fallback)) == 0)
			continue;
		snprintf(text, sizeof(text), "table %u changed in", t->id);
		reload_note(r, text, next->switches[t->sw].name);
	}
	for (i = 0; i < old->n_tables; i++) {
		const struct config_table *t = &old->tables[i];

		if (table_of(next, t->sw, t->id) != NULL)
			continue;
		snprintf(text, sizeof(text), "table %u removed in", t->id);
		reload_note(r, text, old->switches[t->sw].name);
	}
}

int
reload_rules_first(struct reload *r, struct sl_err *err)
{
	uint16_t i;
	int rc = 0;

	note_tables(r);
	for (i = 0; rc == 0 && i < r->next->n_switches; i++)
		rc = first_half(r, i, err);
	return rc;
}

void
reload_rules_undo(struct reload *r)
{
	uint32_t i;

	for (i = 0; i < DP_SWITCHES_MAX; i++)
		set_leaves(r, (uint16_t)i, false);
	for (i = 0; i < r->n_added; i++) {
		struct rule_book *book = r->c->book[r->added[i].sw];

		if (r->dry)
			rule_book_take_back(book, r->added[i].id);
		else
			rule_book_del(book, r->added[i].id);
	}
}

static void
set_default(struct control *c, const struct config_table *t, const struct flow_actions *actions)
{
	struct sl_err err;

	sl_err_init(&err);
	if (rule_book_table_default(c->book[t->sw], t->id, actions, &err) != 0)
		sl_log(c->log, SL_LOG_ERR, "default of table %u: %s", t->id, err.text);
}

// c->cfg is still the old one.
void
reload_rules_second(struct reload *r)
{
	static const struct flow_actions drop = {0}; // as a table has it at first
	struct control *c = r->c;
	const struct config *old = c->cfg;
	struct sl_err err;
	uint32_t i, k;

	for (i = 0; i < r->next->n_switches; i++) {
		for (k = 0; k < r->n_gone[i]; k++)
			rule_book_del(c->book[i], r->gone[i][k]);
		sl_err_init(&err);
		if (rule_book_refresh(c->book[i], &err) != 0)
			sl_log(c->log, SL_LOG_ERR, "%s: %s", r->next->switches[i].name, err.text);
		c->rules_dirty[i] = true;
	}
	for (i = 0; i < old->n_tables; i++) {
		if (table_of(r->next, old->tables[i].sw, old->tables[i].id) == NULL)
			set_default(c, &old->tables[i], &drop);
	}
	for (i = 0; i < r->next->n_tables; i++)
		set_default(c, &r->next->tables[i], &r->next->tables[i].fallback);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "impl.h"

struct writer_table {
	struct rule **list;
	uint32_t n;
	uint32_t cap;
	bool sorted;
	bool changed; // since the last commit
	struct flow_actions fallback;
	struct rules_table *frozen; // of the last commit
};

struct rules {
	uint32_t max_rules;
	uint32_t count;
	uint64_t seq; // of the next rule
	uint64_t seed;
	struct rule **by_id;
	struct writer_table *tables; // RULES_TABLES; sorted by whoever looks at them in order
};

struct rule *
rule_new(const struct rules_entry *e)
{
	struct rule *rule = malloc(sizeof(*rule));

	if (rule == NULL)
		return NULL;
	rule->e = *e;
	flow_match_normalise(&rule->e.match);
	rule->fields = flow_match_fields(&rule->e.match);
	rule->go_to = rules_go_to(&rule->e.actions);
	rule->pos = 0;
	atomic_init(&rule->refs, 1);
	return rule;
}

void
rule_put(struct rule *rule)
{
	if (atomic_fetch_sub_explicit(&rule->refs, 1, memory_order_acq_rel) == 1)
		free(rule);
}

struct rules *
rules_new(uint32_t max_rules)
{
	struct rules *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->max_rules = max_rules;
	r->seed = sl_hash_seed();
	r->by_id = calloc(max_rules > 0 ? max_rules : 1, sizeof(*r->by_id));
	r->tables = calloc(RULES_TABLES, sizeof(*r->tables));
	if (r->by_id == NULL || r->tables == NULL) {
		free(r->by_id);
		free(r->tables);
		free(r);
		return NULL;
	}
	return r;
}

void
rules_free(struct rules *r)
{
	if (r == NULL)
		return;
	for (unsigned t = 0; t < RULES_TABLES; t++) {
		for (uint32_t i = 0; i < r->tables[t].n; i++)
			rule_put(r->tables[t].list[i]);
		free(r->tables[t].list);
		rules_table_put(r->tables[t].frozen);
	}
	free(r->tables);
	free(r->by_id);
	free(r);
}

static int
check(uint16_t table, const struct flow_actions *actions, struct sl_err *err)
{
	if (table >= RULES_TABLES)
		return sl_err_set(
			err, EINVAL, NULL, "table %u: 0 to %d expected", table, RULES_TABLES - 1);
	if (actions->n > FLOW_ACTIONS_MAX)
		return sl_err_set(err, EINVAL, NULL, "%u actions: at most %d expected", actions->n,
			FLOW_ACTIONS_MAX);
	for (unsigned i = 0; i < actions->n; i++) {
		const struct flow_action *a = &actions->list[i];

		if (a->type >= FLOW_ACTS)
			return sl_err_set(err, EINVAL, NULL, "unknown action %u", a->type);
		if (a->type != FLOW_ACT_GOTO)
			continue;
		if (a->index <= table || a->index >= RULES_TABLES)
			return sl_err_set(err, EINVAL, NULL,
				"goto=%u in table %u: a table above its own, up to %d, expected",
				a->index, table, RULES_TABLES - 1);
		if (i + 1 < actions->n)
			return sl_err_set(
				err, EINVAL, NULL, "goto=%u must be the last action", a->index);
	}
	return 0;
}

int
rules_table_default(
	struct rules *r, uint16_t table, const struct flow_actions *actions, struct sl_err *err)
{
	int rc = check(table, actions, err);

	if (rc < 0)
		return rc;
	r->tables[table].fallback = *actions;
	r->tables[table].changed = true;
	return 0;
}

static int
list_add(struct writer_table *t, struct rule *rule)
{
	if (t->n == t->cap) {
		uint32_t cap = t->cap > 0 ? t->cap * 2 : 16;
		struct rule **list = realloc(t->list, cap * sizeof(struct rule *));

		if (list == NULL)
			return -ENOMEM;
		t->list = list;
		t->cap = cap;
	}
	t->sorted = t->n == 0 || (t->sorted && t->list[t->n - 1]->order < rule->order);
	rule->pos = t->n;
	t->list[t->n++] = rule;
	t->changed = true;
	return 0;
}

int
rules_add(struct rules *r, const struct rules_entry *e, struct sl_err *err)
{
	struct rule *rule;
	int rc = check(e->table, &e->actions, err);

	if (rc < 0)
		return rc;
	if (e->id >= r->max_rules)
		return sl_err_set(err, ENOSPC, NULL, "rule %u: the switch has room for %u rules",
			e->id, r->max_rules);
	if (r->by_id[e->id] != NULL)
		return sl_err_set(err, EEXIST, NULL, "rule %u is there already", e->id);
	rule = rule_new(e);
	if (rule != NULL) // priority first, then age
		rule->order = (uint64_t)(RULES_PRIORITY_MAX - e->priority) << 48 |
			      (r->seq++ & (UINT64_MAX >> 16));
	if (rule == NULL || list_add(&r->tables[e->table], rule) < 0) {
		free(rule);
		return sl_err_set(err, ENOMEM, NULL, "rule %u: out of memory", e->id);
	}
	r->by_id[e->id] = rule;
	r->count++;
	return 0;
}

int
rules_del(struct rules *r, uint32_t id)
{
	struct rule *rule = id < r->max_rules ? r->by_id[id] : NULL;
	struct writer_table *t;

	if (rule == NULL)
		return -ENOENT;
	t = &r->tables[rule->e.table];
	t->n--;
	if (rule->pos != t->n) {
		t->list[rule->pos] = t->list[t->n];
		t->list[rule->pos]->pos = rule->pos;
		t->sorted = false;
	}
	t->changed = true;
	r->by_id[id] = NULL;
	r->count--;
	rule_put(rule);
	return 0;
}

const struct rules_entry *
rules_find(const struct rules *r, uint32_t id)
{
	const struct rule *rule = id < r->max_rules ? r->by_id[id] : NULL;

	return rule != NULL ? &rule->e : NULL;
}

uint32_t
rules_count(const struct rules *r)
{
	return r->count;
}

static int
by_order(const void *a, const void *b)
{
	const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;

	return (x->order > y->order) - (x->order < y->order);
}

static void
sort(struct writer_table *t)
{
	if (t->sorted)
		return;
	if (t->n > 0)
		qsort(t->list, t->n, sizeof(t->list[0]), by_order);
	for (uint32_t i = 0; i < t->n; i++)
		t->list[i]->pos = i;
	t->sorted = true;
}

void
rules_each(const struct rules *r, rules_each_fn fn, void *ctx)
{
	for (unsigned t = 0; t < RULES_TABLES; t++) {
		sort(&r->tables[t]);
		for (uint32_t i = 0; i < r->tables[t].n; i++)
			fn(ctx, &r->tables[t].list[i]->e);
	}
}

// Freezes what changed. A table that was frozen is done, so a later call goes on where an earlier
// one ran out of memory.
static bool
freeze(struct rules *r)
{
	for (unsigned i = 0; i < RULES_TABLES; i++) {
		struct writer_table *t = &r->tables[i];
		struct rules_table *frozen = NULL;

		if (!t->changed)
			continue;
		sort(t);
		if (t->n > 0 || t->fallback.n > 0) {
			frozen = rules_table_build(t->list, t->n, &t->fallback, r->seed);
			if (frozen == NULL)
				return false;
		}
		rules_table_put(t->frozen);
		t->frozen = frozen;
		t->changed = false;
	}
	return true;
}

struct rules_set *
rules_commit(struct rules *r)
{
	struct rules_set *s = malloc(sizeof(*s));

	if (s == NULL || !freeze(r)) {
		free(s);
		return NULL;
	}
	atomic_init(&s->refs, 1);
	s->fields = 0;
	s->rules = r->count;
	for (unsigned i = 0; i < RULES_TABLES; i++) {
		struct rules_table *t = r->tables[i].frozen;

		s->tables[i] = t;
		if (t == NULL)
			continue;
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
		s->fields |= t->fields;
	}
	return s;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"

#define FIELDS 5     // per-packet fields
#define ASKS 16      // questions
#define EDITS_PART 4 // more edits at once than a part of the table: it is built anew
#define EDITS_MIN 16
#define GROWN 4                     // times of what a table was built for: likewise
#define AGE_MASK (UINT64_MAX >> 16) // of an order; the priority is above it

struct edit {
	struct rule *rule;
	bool add;
};

struct writer_table {
	struct rule **list;
	uint32_t n;
	uint32_t cap;
	bool sorted;
	bool changed; // since the last commit
	bool broken;  // an edit failed half way: the spaces are to be built anew
	struct flow_actions fallback;
	uint32_t reads[FIELDS]; // entries that read each of the per-packet fields
	uint32_t asks[ASKS];    // likewise
	// Edits since the last commit, and how many of them the spaces have seen.
	struct edit *edits;
	uint32_t n_edits, edits_cap, applied;
	struct rules_space *sure, *loose;
	struct rules_table *frozen; // of the last commit
};

struct rules {
	uint32_t max_rules;
	uint32_t count;
	uint64_t seq; // of the next rule
	struct rules_mem *mem;
	struct rule **by_id;
	struct writer_table *tables; // RULES_TABLES; sorted by whoever looks at them in order
};

struct rules *
rules_new(uint32_t max_rules)
{
	struct rules *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->max_rules = max_rules;
	r->mem = rules_mem_new();
	r->by_id = calloc(max_rules > 0 ? max_rules : 1, sizeof(struct rule *));
	r->tables = calloc(RULES_TABLES, sizeof(*r->tables));
	if (r->mem == NULL || r->by_id == NULL || r->tables == NULL) {
		free(r->by_id);
		free(r->tables);
		if (r->mem != NULL)
			rules_mem_drop(r->mem);
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
	for (unsigned i = 0; i < RULES_TABLES; i++) {
		struct writer_table *t = &r->tables[i];

		rules_space_retire(r->mem, t->sure);
		rules_space_retire(r->mem, t->loose);
		if (t->frozen != NULL)
			rules_mem_retire(r->mem, &t->frozen->obj);
		free(t->list);
		free(t->edits);
	}
	rules_mem_drop(r->mem);
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

// For one rule more, and for all rules to be deleted before the next commit: so that a deletion
// never fails.
static bool
make_room(struct writer_table *t)
{
	if (t->n == t->cap) {
		uint32_t cap = t->cap > 0 ? t->cap * 2 : 16;
		struct rule **list = realloc(t->list, cap * sizeof(struct rule *));

		if (list == NULL)
			return false;
		t->list = list;
		t->cap = cap;
	}
	if (t->n_edits + t->n + 2 > t->edits_cap) {
		uint32_t cap = t->edits_cap > 0 ? t->edits_cap * 2 : 16;
		struct edit *edits = realloc(t->edits, cap * sizeof(*edits));

		if (edits == NULL)
			return false;
		t->edits = edits;
		t->edits_cap = cap;
	}
	return true;
}

static void
note_edit(struct writer_table *t, struct rule *rule, bool add)
{
	t->edits[t->n_edits++] = (struct edit){.rule = rule, .add = add};
	t->changed = true;
	for (unsigned f = 0; f < FIELDS; f++)
		if (rule->fields & 1u << f)
			t->reads[f] += add ? 1u : UINT32_MAX;
	for (unsigned a = 0; rule->e.asks != 0 && a < ASKS; a++)
		if (rule->e.asks & 1u << a)
			t->asks[a] += add ? 1u : UINT32_MAX;
}

// age: lower is older.
static int
add(struct rules *r, const struct rules_entry *e, uint64_t age, struct sl_err *err)
{
	struct writer_table *t;
	struct rule *rule;
	int rc = check(e->table, &e->actions, err);

	if (rc < 0)
		return rc;
	if (e->id >= r->max_rules)
		return sl_err_set(err, ENOSPC, NULL, "rule %u: the switch has room for %u rules",
			e->id, r->max_rules);
	if (r->by_id[e->id] != NULL)
		return sl_err_set(err, EEXIST, NULL, "rule %u is there already", e->id);
	t = &r->tables[e->table];
	rule = make_room(t) ? rules_rule_new(r->mem, e) : NULL;
	if (rule == NULL)
		return sl_err_set(err, ENOMEM, NULL, "rule %u: out of memory", e->id);
	// Priority first, then age.
	rule->order = (uint64_t)(RULES_PRIORITY_MAX - e->priority) << 48 | (age & AGE_MASK);
	t->sorted = t->n == 0 || (t->sorted && t->list[t->n - 1]->order <= rule->order);
	rule->pos = t->n;
	t->list[t->n++] = rule;
	note_edit(t, rule, true);
	r->by_id[e->id] = rule;
	r->count++;
	return 0;
}

int
rules_add(struct rules *r, const struct rules_entry *e, struct sl_err *err)
{
	int rc = add(r, e, r->seq, err);

	r->seq += rc == 0;
	return rc;
}

int
rules_add_as_old(
	struct rules *r, const struct rules_entry *e, uint32_t as_old_as, struct sl_err *err)
{
	if (rules_find(r, as_old_as) == NULL)
		return sl_err_set(err, ENOENT, NULL, "there is no rule %u", as_old_as);
	return add(r, e, r->by_id[as_old_as]->order & AGE_MASK, err);
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
	note_edit(t, rule, false);
	r->by_id[id] = NULL;
	r->count--;
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

static void
sort(struct writer_table *t)
{
	if (t->sorted)
		return;
	rules_sort((const struct rule **)t->list, t->n);
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

static bool
build_anew(struct rules *r, struct writer_table *t)
{
	sort(t);
	if (!rules_space_build(r->mem, t->list, t->n, false, &t->sure) ||
		!rules_space_build(r->mem, t->list, t->n, true, &t->loose))
		return false;
	for (uint32_t i = t->applied; i < t->n_edits; i++)
		if (!t->edits[i].add)
			rules_mem_retire(r->mem, &t->edits[i].rule->obj);
	return true;
}

static bool
grown(const struct rules_space *s)
{
	return s != NULL && (s->n > GROWN * s->built || s->edits > GROWN * s->n) &&
	       s->edits > EDITS_MIN;
}

// After an edit that ran out of memory the next commit builds anew: what was done of it is not to
// be done twice.
static bool
apply(struct rules *r, struct writer_table *t)
{
	bool ok = true;

	if (t->broken || t->n_edits - t->applied > EDITS_MIN + t->n / EDITS_PART ||
		grown(t->sure) || grown(t->loose)) {
		t->broken = !build_anew(r, t);
		return !t->broken;
	}
	for (; ok && t->applied < t->n_edits; t->applied += ok) {
		struct rule *rule = t->edits[t->applied].rule;
		struct rules_space **space = rule->fields != 0 ? &t->loose : &t->sure;

		if (t->edits[t->applied].add) {
			ok = rules_space_add(r->mem, space, rule);
			continue;
		}
		ok = rules_space_del(r->mem, space, rule);
		if (ok)
			rules_mem_retire(r->mem, &rule->obj);
	}
	t->broken = !ok;
	return ok;
}

static bool
freeze(struct rules *r, struct writer_table *t)
{
	struct rules_table *frozen = NULL;

	if (!apply(r, t))
		return false;
	t->applied = t->n_edits = 0;
	if (t->n > 0 || t->fallback.n > 0) {
		frozen = rules_mem_get(r->mem, sizeof(*frozen));
		if (frozen == NULL)
			return false;
		frozen->n = t->n;
		frozen->fallback = t->fallback;
		frozen->go_to = rules_go_to(&t->fallback);
		frozen->other = t->fallback;
		frozen->other.n -= frozen->go_to >= 0;
		frozen->sure = t->sure;
		frozen->loose = t->loose;
		for (unsigned f = 0; f < FIELDS; f++)
			frozen->fields |= t->reads[f] > 0 ? 1u << f : 0;
		for (unsigned a = 0; a < ASKS; a++)
			frozen->asks |= t->asks[a] > 0 ? (uint16_t)(1u << a) : 0;
	}
	if (t->frozen != NULL)
		rules_mem_retire(r->mem, &t->frozen->obj);
	t->frozen = frozen;
	t->changed = false;
	return true;
}

// A table that was frozen is done, so a later call goes on where an earlier one ran out of memory.
struct rules_set *
rules_commit(struct rules *r)
{
	struct rules_set *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	for (unsigned i = 0; i < RULES_TABLES; i++) {
		if (r->tables[i].changed && !freeze(r, &r->tables[i])) {
			free(s);
			return NULL;
		}
	}
	atomic_init(&s->refs, 1);
	s->mem = r->mem;
	s->find = rules_find_form(0);
	s->rules = r->count;
	for (unsigned i = 0; i < RULES_TABLES; i++) {
		const struct rules_table *t = r->tables[i].frozen;

		s->tables[i] = t;
		if (t == NULL)
			continue;
		s->fields |= t->fields;
		s->asks |= t->asks;
		s->trees += (t->sure != NULL ? t->sure->groups : 0) +
			    (t->loose != NULL ? t->loose->groups : 0);
	}
	s->memory = sizeof(*s) + rules_mem_used(r->mem);
	rules_mem_commit(r->mem, &s->live);
	return s;
}

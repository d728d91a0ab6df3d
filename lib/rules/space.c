// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "tree.h"

#define KINDS RULES_GROUPS
#define KIND_ANY 0
#define ADDRESS_BITS 16 // that an entry has to fix of an address
#define ADDRESS_LESS 12 // where that leaves much fewer that fix none
#define COPIES_MAX (64 * RULES_ONE)
#define SMALL 32 // part of all entries that is worth a tree of its own

// Which addresses an entry fixes: source 1, destination 2, MACs 4.
static uint32_t
kind_of(const struct rule *rule, int bits)
{
	const uint64_t *m = rule->mask;
	uint32_t kind = 0;

	if (__builtin_popcountll(m[0]) + __builtin_popcountll(m[1]) >= bits)
		kind |= 1;
	if (__builtin_popcountll(m[2]) + __builtin_popcountll(m[3]) >= bits)
		kind |= 2;
	if (__builtin_popcountll(m[4]) >= bits)
		kind |= 4;
	return kind;
}

static bool
better(uint32_t kind, uint32_t than)
{
	int a = __builtin_popcount(kind), b = __builtin_popcount(than);

	return a > b || (a == b && kind > than);
}

// The group for an entry: the one that fixes most of the same addresses and no other, and whose
// index looks at no bit that the entry does not fix. There is always one: KIND_ANY, which has no
// index.
static struct rules_group *
group_for(struct rules_space *s, const struct rule *rule)
{
	uint32_t kind = kind_of(rule, s->address_bits);
	struct rules_group *g = NULL;

	for (uint32_t i = 0; i < s->groups; i++)
		if ((s->group[i].kind & ~kind) == 0 &&
			(g == NULL || better(s->group[i].kind, g->kind)) &&
			(s->group[i].index == NULL || rules_index_fits(s->group[i].index, rule)))
			g = &s->group[i];
	return g;
}

static void
sort_groups(struct rules_space *s)
{
	for (uint32_t i = 1; i < s->groups; i++) {
		struct rules_group g = s->group[i];
		uint32_t at = i;

		for (; at > 0 && s->group[at - 1].mean > g.mean; at--)
			s->group[at] = s->group[at - 1];
		s->group[at] = g;
	}
}

static bool
belongs(const struct rule *rule, bool loose)
{
	return (rule->fields != 0) == loose;
}

static void
count_kinds(struct rule *const *list, uint32_t n, bool loose, int bits, uint32_t *of_kind)
{
	memset(of_kind, 0, KINDS * sizeof(of_kind[0]));
	for (uint32_t i = 0; i < n; i++)
		of_kind[kind_of(list[i], bits)] += belongs(list[i], loose);
}

static void
make_groups(struct rules_space *s, struct rule *const *list, uint32_t n, bool loose)
{
	uint32_t of_kind[KINDS], less[KINDS];

	s->address_bits = ADDRESS_BITS;
	count_kinds(list, n, loose, ADDRESS_BITS, of_kind);
	count_kinds(list, n, loose, ADDRESS_LESS, less);
	if (3 * less[KIND_ANY] <= 2 * of_kind[KIND_ANY]) {
		s->address_bits = ADDRESS_LESS;
		memcpy(of_kind, less, sizeof(of_kind));
	}
	for (uint32_t kind = 0; kind < KINDS; kind++)
		s->n += of_kind[kind];
	for (uint32_t kind = 0; kind < KINDS; kind++) {
		if (kind != KIND_ANY && of_kind[kind] <= s->n / SMALL)
			continue;
		s->group[s->groups++] = (struct rules_group){.kind = kind, .best = UINT64_MAX};
	}
}

// Few entries may be copied more often: it adds no more than half of the table.
static uint32_t
copies_for(uint32_t n, uint32_t all)
{
	uint32_t copies = n > 0 ? all / n / 2 * RULES_ONE : 0;

	copies = copies < COPIES_MAX ? copies : COPIES_MAX;
	return copies > RULES_COPIES ? copies : RULES_COPIES;
}

static bool
build_group(struct rules_mem *m, struct rules_space *s, struct rules_group *g,
	const struct rule *const *list, uint32_t n)
{
	uint32_t copies = copies_for(n, s->n);
	struct rules_index plan;

	if (n == 0)
		return true;
	g->best = list[0]->order;
	for (uint32_t i = 0; i < n; i++)
		g->mean += list[i]->order / n;
	if (g->kind == KIND_ANY || !rules_index_plan(list, n, &plan))
		return rules_tree_build(m, list, n, copies, &g->root);
	for (unsigned i = 0; i < plan.words; i++)
		s->words |= 1u << plan.word[i];
	return rules_index_build(m, &plan, list, n, copies, &g->index);
}

static void
make_turns(struct rules_space *s)
{
	for (uint32_t left = s->words; left != 0;) {
		struct rules_turn *t = &s->turn[s->turns++];

		for (unsigned i = 0; i < 4; i++) {
			t->word[i] = left != 0 ? (uint8_t)__builtin_ctz(left) : t->word[0];
			t->pick[i] = t->word[i];
			t->pick[4 + i] = t->word[i] + RULES_WORDS;
			left &= left - 1;
		}
	}
}

// Groups are for what no other has, before any has an index.
static bool
build_groups(struct rules_mem *m, struct rules_space *s, struct rule *const *list, uint32_t n,
	bool loose)
{
	const struct rule **part = malloc((n + 1) * sizeof(part[0]));
	uint8_t *of = malloc(n + 1);
	bool ok = part != NULL && of != NULL;

	for (uint32_t i = 0; ok && i < n; i++)
		of[i] = (uint8_t)(group_for(s, list[i]) - s->group);
	for (uint32_t g = 0; g < s->groups && ok; g++) {
		uint32_t count = 0;

		for (uint32_t i = 0; i < n; i++)
			if (belongs(list[i], loose) && of[i] == g)
				part[count++] = list[i];
		ok = build_group(m, s, &s->group[g], part, count);
	}
	make_turns(s);
	free(part);
	free(of);
	return ok;
}

void
rules_space_retire(struct rules_mem *m, struct rules_space *space)
{
	if (space == NULL)
		return;
	for (uint32_t g = 0; g < space->groups; g++) {
		rules_tree_retire(m, space->group[g].root);
		rules_index_retire(m, space->group[g].index);
	}
	rules_mem_retire(m, &space->obj);
}

bool
rules_space_build(struct rules_mem *m, struct rule *const *list, uint32_t n, bool loose,
	struct rules_space **space)
{
	struct rules_space *s = rules_mem_get(m, sizeof(*s));

	if (s == NULL)
		return false;
	make_groups(s, list, n, loose);
	s->built = s->n;
	if (!build_groups(m, s, list, n, loose)) {
		rules_space_retire(m, s);
		return false;
	}
	sort_groups(s);
	rules_space_retire(m, *space);
	*space = s;
	if (s->n == 0) {
		rules_space_retire(m, s);
		*space = NULL;
	}
	return true;
}

// The space, or a copy of it, that no set sees yet.
static struct rules_space *
own(struct rules_mem *m, struct rules_space **space)
{
	struct rules_space *s;

	if (*space != NULL) {
		s = rules_mem_own(m, &(*space)->obj, sizeof(*s));
	} else if ((s = rules_mem_get(m, sizeof(*s))) != NULL) {
		s->groups = 1;
		s->address_bits = ADDRESS_BITS;
		s->group[0] = (struct rules_group){.kind = KIND_ANY, .best = UINT64_MAX};
	}
	if (s != NULL)
		*space = s;
	return s;
}

bool
rules_space_add(struct rules_mem *m, struct rules_space **space, const struct rule *rule)
{
	struct rules_space *s = own(m, space);
	struct rules_group *g;

	if (s == NULL)
		return false;
	g = group_for(s, rule);
	if (!(g->index != NULL ? rules_index_add(m, &g->index, rule)
			       : rules_tree_add(m, &g->root, rule)))
		return false;
	if (rule->order < g->best)
		g->best = rule->order;
	s->n++;
	s->edits++;
	return true;
}

bool
rules_space_del(struct rules_mem *m, struct rules_space **space, const struct rule *rule)
{
	struct rules_space *s = *space != NULL ? own(m, space) : NULL;
	struct rules_group *g;

	if (s == NULL)
		return *space == NULL;
	g = group_for(s, rule);
	if (!(g->index != NULL ? rules_index_del(m, &g->index, rule)
			       : rules_tree_del(m, &g->root, rule)))
		return false;
	s->edits++;
	if (--s->n == 0) {
		rules_space_retire(m, s);
		*space = NULL;
	}
	return true;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "tree.h"

#define LOG_MIN 6
#define LOG_MAX 20
#define PLACES 2      // of the index for each entry, at least half of it
#define COMMON_MIN 12 // bits that the masks have in common
#define WORDS_MAX 3   // of the key, those with most of them

// Takes the words of the common mask that have most bits. Returns how many bits it took.
static unsigned
take_words(struct rules_index *x, uint64_t *common)
{
	unsigned bits = 0;

	while (x->words < WORDS_MAX) {
		uint8_t most = 0;

		for (uint8_t w = 1; w < RULES_WORDS; w++)
			if (__builtin_popcountll(common[w]) > __builtin_popcountll(common[most]))
				most = w;
		if (common[most] == 0)
			break;
		bits += (unsigned)__builtin_popcountll(common[most]);
		x->word[x->words] = most;
		x->mask[x->words++] = common[most];
		common[most] = 0;
	}
	return bits;
}

bool
rules_index_plan(const struct rule *const *list, uint32_t n, struct rules_index *x)
{
	uint64_t common[RULES_WORDS];
	uint8_t log = LOG_MIN;

	*x = (struct rules_index){.words = 0};
	for (unsigned w = 0; w < RULES_WORDS; w++) {
		common[w] = n > 0 ? UINT64_MAX : 0;
		for (uint32_t i = 0; i < n; i++)
			common[w] &= list[i]->mask[w];
	}
	while (log < LOG_MAX && 1ULL << log < (uint64_t)n * PLACES)
		log++;
	x->shift = (uint8_t)(32 - log);
	x->page_log = log < RULES_PAGE_LOG ? log : RULES_PAGE_LOG;
	return take_words(x, common) >= COMMON_MIN;
}

bool
rules_index_fits(const struct rules_index *x, const struct rule *rule)
{
	for (unsigned i = 0; i < x->words; i++)
		if ((rule->mask[x->word[i]] & x->mask[i]) != x->mask[i])
			return false;
	return true;
}

static size_t
size_of(const struct rules_index *x)
{
	uint32_t pages = rules_index_pages(x);

	return sizeof(*x) +
	       (pages > RULES_PAGES_FEW ? pages : RULES_PAGES_FEW) * sizeof(x->page[0]);
}

static size_t
page_size(const struct rules_index *x)
{
	return sizeof(struct rules_page) + (sizeof(uint64_t) << x->page_log);
}

// The place's tree, with what tells keys apart that share it.
static void
set_place(uint64_t *at, rules_ref ref, uint64_t marks)
{
	*at = ref == 0 ? 0 : ref | marks << RULES_MARKS_AT;
}

struct entry {
	uint32_t hash;
	const struct rule *rule;
};

static int
by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->hash != y->hash)
		return (x->hash > y->hash) - (x->hash < y->hash);
	return (x->rule->order > y->rule->order) - (x->rule->order < y->rule->order);
}

// The n entries of one place.
static bool
build_place(struct rules_mem *m, struct rules_index *x, const struct entry *e, uint32_t n,
	uint32_t copies)
{
	struct rules_page *page = x->page[rules_index_page(x, e->hash)];
	const struct rule **list = malloc(n * sizeof(list[0]));
	uint64_t marks = 0;
	rules_ref ref = 0;
	bool ok = list != NULL;

	for (uint32_t i = 0; ok && i < n; i++) {
		list[i] = e[i].rule;
		marks |= rules_index_mark(x, e[i].hash);
	}
	if (ok) {
		rules_sort(list, n);
		ok = rules_tree_build(m, list, n, copies, &ref);
		set_place(&page->place[rules_index_place(x, e->hash)], ref, marks);
	}
	free(list);
	return ok;
}

bool
rules_index_build(struct rules_mem *m, const struct rules_index *plan,
	const struct rule *const *list, uint32_t n, uint32_t copies, struct rules_index **out)
{
	struct entry *e = malloc(n * sizeof(*e));
	struct rules_index *x = e != NULL ? rules_mem_get(m, size_of(plan)) : NULL;
	struct rules_obj obj;
	bool ok = x != NULL;

	*out = x;
	if (ok) {
		obj = x->obj;
		*x = *plan;
		x->obj = obj;
	}
	for (uint32_t p = 0; ok && p < rules_index_pages(x); p++)
		ok = (x->page[p] = rules_mem_get(m, page_size(x))) != NULL;
	for (uint32_t i = 0; ok && i < n; i++)
		e[i] = (struct entry){rules_index_hash(x, list[i]->key), list[i]};
	if (ok)
		qsort(e, n, sizeof(e[0]), by_place);
	for (uint32_t from = 0, to; ok && from < n; from = to) {
		for (to = from + 1; to < n && e[to].hash >> x->shift == e[from].hash >> x->shift;)
			to++;
		ok = build_place(m, x, &e[from], to - from, copies);
	}
	free(e);
	return ok;
}

void
rules_index_retire(struct rules_mem *m, struct rules_index *x)
{
	if (x == NULL)
		return;
	for (uint32_t p = 0; p < rules_index_pages(x); p++) {
		if (x->page[p] == NULL)
			continue;
		for (unsigned i = 0; i < 1u << x->page_log; i++)
			rules_tree_retire(m, rules_place_ref(x->page[p]->place[i]));
		rules_mem_retire(m, &x->page[p]->obj);
	}
	rules_mem_retire(m, &x->obj);
}

static uint64_t *
own_place(struct rules_mem *m, struct rules_index **x, uint32_t hash)
{
	struct rules_index *mine = rules_mem_own(m, &(*x)->obj, size_of(*x));
	struct rules_page **page, *copy;

	if (mine == NULL)
		return NULL;
	*x = mine;
	page = &mine->page[rules_index_page(mine, hash)];
	copy = rules_mem_own(m, &(*page)->obj, page_size(mine));
	if (copy == NULL)
		return NULL;
	*page = copy;
	return &copy->place[rules_index_place(mine, hash)];
}

// mark: the place tells of the entry from now on.
static bool
edit_place(struct rules_mem *m, struct rules_index **x, const struct rule *rule,
	rules_tree_edit edit, bool mark)
{
	uint32_t hash = rules_index_hash(*x, rule->key);
	uint64_t *at = own_place(m, x, hash), marks;
	rules_ref ref;
	bool ok;

	if (at == NULL)
		return false;
	ref = rules_place_ref(*at);
	marks = *at >> RULES_MARKS_AT | (mark ? rules_index_mark(*x, hash) : 0);
	ok = edit(m, &ref, rule);
	set_place(at, ref, marks);
	return ok;
}

bool
rules_index_add(struct rules_mem *m, struct rules_index **x, const struct rule *rule)
{
	return edit_place(m, x, rule, rules_tree_add, true);
}

// Marks stay as long as the place has entries: keys that pass for one of them look in vain.
bool
rules_index_del(struct rules_mem *m, struct rules_index **x, const struct rule *rule)
{
	return edit_place(m, x, rule, rules_tree_del, false);
}

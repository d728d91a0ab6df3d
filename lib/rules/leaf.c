// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include "tree.h"

#define UNITS 34 // of 16 bits in a key, and once more both ports, for their ranges
#define UNIT_SPORT 32
#define UNIT_DPORT 33

struct unit {
	uint16_t lo, span, mask;
};

static const struct unit any = {.lo = 0, .span = UINT16_MAX, .mask = UINT16_MAX};
static const struct unit never = {.lo = 1, .span = 0, .mask = 0};

// Where the high byte of a unit is in the key, and the low one: a prefix or a range is one of the
// number then. Of the fields in host order only exact values are usual, so their order is free.
static void
bytes_of(unsigned u, uint8_t *high, uint8_t *low)
{
	size_t at = 2 * (size_t)u;
	bool big = at < offsetof(struct flow_key, vlan);

	if (u == UNIT_SPORT || at == offsetof(struct flow_key, l4_src)) {
		at = offsetof(struct flow_key, l4_src);
		big = true;
	} else if (u == UNIT_DPORT || at == offsetof(struct flow_key, l4_dst)) {
		at = offsetof(struct flow_key, l4_dst);
		big = true;
	}
	*high = (uint8_t)(at + !big);
	*low = (uint8_t)(at + big);
}

static struct unit
of_range(const struct flow_range *r)
{
	if (r->lo > r->hi)
		return never;
	return (struct unit){.lo = r->lo, .span = r->hi - r->lo, .mask = UINT16_MAX};
}

static struct unit
of_mask(uint16_t key, uint16_t mask)
{
	uint16_t wild = (uint16_t)~mask;

	if ((wild & (wild + 1)) == 0)
		return (struct unit){.lo = key & mask, .span = wild, .mask = UINT16_MAX};
	return (struct unit){.lo = key & mask, .span = 0, .mask = mask};
}

static struct unit
unit_of(const struct rule *rule, unsigned u)
{
	const uint8_t *key = (const uint8_t *)rule->key, *mask = (const uint8_t *)rule->mask;
	uint8_t high, low;

	if (u == UNIT_SPORT)
		return of_range(&rule->sport);
	if (u == UNIT_DPORT)
		return of_range(&rule->dport);
	bytes_of(u, &high, &low);
	if ((rule->sport_only && low / 2 == offsetof(struct flow_key, l4_src) / 2) ||
		(rule->dport_only && low / 2 == offsetof(struct flow_key, l4_dst) / 2))
		return any; // the range says it
	return of_mask(
		(uint16_t)(key[high] << 8 | key[low]), (uint16_t)(mask[high] << 8 | mask[low]));
}

static bool
is_any(const struct unit *u)
{
	return u->lo == any.lo && u->span == any.span && u->mask == any.mask;
}

// Which units any of the entries looks at.
static unsigned
units_of(const struct rule *const *list, uint32_t n, uint8_t *units, bool *masked)
{
	unsigned count = 0;

	*masked = false;
	for (uint8_t u = 0; u < UNITS; u++) {
		bool looks = false;

		for (uint32_t i = 0; i < n; i++) {
			struct unit unit = unit_of(list[i], u);

			looks |= !is_any(&unit);
			*masked |= unit.mask != UINT16_MAX;
		}
		units[count] = u;
		count += looks;
	}
	return count;
}

// The rows of one part of a block.
static void
fill_part(const struct rules_leaf *leaf, uint16_t *row, const struct rule *const *list,
	uint32_t rows, const uint8_t *units, unsigned count)
{
	size_t all = (size_t)rows * RULES_UNITS;

	for (uint32_t i = 0; i < rows; i++) {
		for (unsigned u = 0; u < RULES_UNITS; u++, row++) {
			struct unit unit = u < count ? unit_of(list[i], units[u]) : any;

			row[0] = unit.lo;
			row[all] = unit.span;
			if (leaf->masked)
				row[2 * all] = unit.mask;
		}
	}
}

static void
fill_blocks(struct rules_leaf *leaf, const struct rule *const *list, const uint8_t *units,
	unsigned count)
{
	for (unsigned u = 0; u < count; u++)
		bytes_of(units[u], &leaf->at[2 * u + 1], &leaf->at[2 * u]);
	for (uint32_t from = 0; from < leaf->n; from += RULES_ROWS) {
		unsigned char *block = (unsigned char *)rules_block_of(leaf, from);
		uint32_t rows = rules_rows_of(leaf, from);
		struct rules_hit *hit = (struct rules_hit *)rules_hits_of(leaf, block, rows);

		for (unsigned p = 0; p < leaf->parts; p++) {
			unsigned before = p * RULES_UNITS;

			fill_part(leaf, (void *)(block + rules_part_at(leaf, p, rows)), &list[from],
				rows, units + before, count > before ? count - before : 0);
		}
		for (uint32_t i = 0; i < rows; i++)
			hit[i] = (struct rules_hit){
				.order = list[from + i]->order, .rule = list[from + i]};
	}
}

rules_ref
rules_leaf_new(struct rules_mem *m, const struct rule *const *list, uint32_t n)
{
	struct rules_leaf *leaf;
	struct rules_leaf plan = {.n = n,
		.rows = rules_rows(n < RULES_ROWS ? n : RULES_ROWS),
		.more = n > RULES_ROWS ? -1 : 0};
	uint8_t units[UNITS + 1];
	unsigned count = units_of(list, n, units, &plan.masked);

	plan.parts = (uint8_t)(count > 0 ? (count + RULES_UNITS - 1) / RULES_UNITS : 1);
	plan.plain = plan.parts == 1 && !plan.masked;
	plan.best = list[0]->order;
	leaf = rules_mem_get(m, sizeof(*leaf) + (size_t)plan.parts * 2 * RULES_UNITS +
					rules_part_at(&plan, plan.parts, n) +
					n * sizeof(struct rules_hit));
	if (leaf == NULL)
		return 0;
	plan.obj = leaf->obj;
	*leaf = plan;
	fill_blocks(leaf, list, units, count);
	return (rules_ref)leaf | 1;
}

uint32_t
rules_leaf_list(const struct rules_leaf *leaf, const struct rule **list)
{
	for (uint32_t from = 0; from < leaf->n; from += RULES_ROWS) {
		uint32_t rows = rules_rows_of(leaf, from);
		const struct rules_hit *hit = rules_hits_of(leaf, rules_block_of(leaf, from), rows);

		for (uint32_t i = 0; i < rows; i++)
			list[from + i] = hit[i].rule;
	}
	return leaf->n;
}

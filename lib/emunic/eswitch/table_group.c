// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/table.h"

#include <rte_malloc.h>

// The directory of groups: few jumps and insertions look into it, packets never (a rule that jumps
// knows its table).

static struct emu_table **
chain_of(struct emu_rules *r, const struct emu_table *root, uint32_t group)
{
	uint64_t h = ((uintptr_t)root ^ group) * 0x9e3779b97f4a7c15ULL;

	return &r->groups[(h >> 32) % EMU_GROUP_CHAINS];
}

struct emu_table *
emu_group_find(struct emu_rules *r, struct emu_table *root, uint32_t group)
{
	struct emu_table *t;

	if (group == 0)
		return root;
	for (t = *chain_of(r, root, group); t != NULL; t = t->next)
		if (t->root == root && t->group == group)
			break;
	return t;
}

struct emu_table *
emu_group_get(struct emu_rules *r, struct emu_table *root, uint32_t group)
{
	struct emu_table *t = emu_group_find(r, root, group);
	struct emu_table **chain;

	if (t != NULL)
		return t;
	t = rte_zmalloc("emunic group", sizeof(*t), 0);
	if (t == NULL)
		return NULL;
	chain = chain_of(r, root, group);
	t->root = root;
	t->group = group;
	t->next = *chain;
	*chain = t;
	r->n_groups++;
	return t;
}

void
emu_group_put(struct emu_rules *r, struct emu_table *t)
{
	struct emu_table **at;

	if (t->root == NULL || t->n_rules > 0 || t->refs > 0)
		return;
	at = chain_of(r, t->root, t->group);
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	r->n_groups--;
	emu_table_fini(t);
	rte_free(t);
}

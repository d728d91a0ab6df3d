// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "impl.h"

// A mask of a port that a range can say.
static bool
port_range(uint16_t key_be, uint16_t mask_be, struct flow_range *r)
{
	uint16_t free_bits = (uint16_t)~ntohs(mask_be);

	if (mask_be == 0 || (free_bits & (free_bits + 1)) != 0 || r->lo != 0 || r->hi != UINT16_MAX)
		return false;
	r->lo = ntohs(key_be);
	r->hi = r->lo | free_bits;
	return true;
}

struct rule *
rules_rule_new(struct rules_mem *m, const struct rules_entry *e)
{
	struct rule *rule = rules_mem_get(m, sizeof(*rule));
	struct flow_key key, mask;

	if (rule == NULL)
		return NULL;
	rule->e = *e;
	flow_match_normalise(&rule->e.match);
	rule->fields = flow_match_fields(&rule->e.match);
	rule->id = e->id;
	rule->go_to = (int16_t)rules_go_to(&rule->e.actions);
	rule->actions = e->actions;
	rule->actions.n -= rule->go_to >= 0; // it is the last one
	key = rule->e.match.key;
	mask = rule->e.match.mask;
	key.switch_id |= e->asks;
	mask.switch_id |= e->asks;
	flow_key_keep(&key, 0);
	flow_key_keep(&mask, 0);
	memcpy(rule->key, &key, sizeof(key));
	memcpy(rule->mask, &mask, sizeof(mask));
	rule->sport = rule->e.match.sport;
	rule->dport = rule->e.match.dport;
	rule->sport_only = port_range(key.l4_src, mask.l4_src, &rule->sport);
	rule->dport_only = port_range(key.l4_dst, mask.l4_dst, &rule->dport);
	return rule;
}

// Rules may be as old as each other: one that is there several times is to stand side by side.
static int
by_order(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;

	if (x->order != y->order)
		return (x->order > y->order) - (x->order < y->order);
	return (x > y) - (x < y);
}

void
rules_sort(const struct rule **list, uint32_t n)
{
	if (n > 1)
		qsort(list, n, sizeof(list[0]), by_order);
}

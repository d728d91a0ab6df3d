// SPDX-License-Identifier: BSD-3-Clause
#include "place/ahead_worth.h"

#include <stdlib.h>

#include "base/hash.h"
#include "offload/pays.h"
#include "place/class_vf.h"
#include "switch/rule_book.h"

#define ROUND_NS (250 * SL_NS_PER_MS)
#define DEFAULT_OF (UINT64_C(1) << 40) // above all ids

struct named {
	uint64_t key;
	const struct ahead_note *note;
	uint32_t entries;
};

// The rule that decides what becomes of a step's packets, or the default of a table.
static uint64_t
key_of(uint16_t sw, const struct ahead_chain *chain)
{
	uint64_t w[] = {sw, DEFAULT_OF | chain->table, 0};

	if (chain->n > 0) {
		w[1] = chain->rule[chain->n - 1].id;
		w[2] = chain->rule[chain->n - 1].gen;
	}
	return sl_hash_words(w, 3, 0);
}

static bool
asked_for(const struct control *c, uint16_t vport, const struct ahead_step *s)
{
	const uint16_t nic = c->vports[vport].port->nic;
	uint16_t out, i;

	if (s->act.kind != AHEAD_PORT || !class_vf_any(c))
		return false;
	out = ahead_vport_at(c, nic, s->act.port);
	for (i = 0; i < c->cfg->n_policies; i++) {
		if (class_vf_has(c, &c->cfg->policies[i], vport, out, &s->match))
			return true;
	}
	return false;
}

void
ahead_worth_filter(const struct control *c, uint16_t vport, struct ahead_list *list)
{
	const struct control_vport *v = &c->vports[vport];
	const struct ahead_pays *pays = c->ahead->nic[v->port->nic].pays;
	uint32_t i;

	for (i = 0; pays != NULL && i < list->n; i++) {
		struct ahead_step *s = &list->steps[i];

		if (s->act.kind == AHEAD_HOST ||
			ahead_pays(pays, key_of(v->cfg.sw, &list->chains[s->rule])) ||
			asked_for(c, vport, s))
			continue;
		s->act = (struct ahead_act){.kind = AHEAD_HOST};
		s->why = AHEAD_WHY_PAYS;
	}
}

static int
by_key(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

// Each rule that could be there, once.
static uint32_t
name_rules(const struct ahead_nic *n, struct named *list)
{
	uint32_t i, k = 0, last = 0;

	for (i = 0; i < n->n_notes; i++) {
		const struct ahead_note *note = &n->notes[i];

		if (note->why != AHEAD_WHY_NONE && note->why != AHEAD_WHY_PAYS)
			continue;
		list[k++] = (struct named){.key = key_of(note->sw, &note->chain),
			.note = note,
			.entries = note->entries};
	}
	qsort(list, k, sizeof(*list), by_key);
	for (i = 1; i < k; i++) {
		if (list[i].key == list[last].key)
			list[last].entries += list[i].entries;
		else
			list[++last] = list[i];
	}
	return k > 0 ? last + 1 : 0;
}

// What a default carries is told by its rules in the NIC alone.
static uint64_t
by_nic(const struct ahead_nic *n, const struct ahead_note *note)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];

		if (l->used && !l->group && l->chain.n == 0 && l->sw == note->sw &&
			l->chain.table == note->chain.table)
			bytes += l->bytes;
	}
	return bytes;
}

static void
judge_one(const struct control *c, struct ahead_nic *n, const struct named *r)
{
	const struct ahead_chain *chain = &r->note->chain;
	uint64_t packets, bytes, more = 0;

	if (chain->n == 0) {
		ahead_pays_rule(n->pays, r->key, by_nic(n, r->note), r->entries, false);
		return;
	}
	rule_book_counters(c->book[r->note->sw], chain->rule[chain->n - 1].id, &packets, &bytes);
	rule_book_hardware(c->book[r->note->sw], chain->rule[chain->n - 1].id, &packets, &more);
	ahead_pays_rule(n->pays, r->key, bytes + more, r->entries, true);
}

bool
ahead_worth_judge(struct control *c, uint16_t nic, uint32_t room)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	struct named *list;
	bool wanted;
	double margin = offload_nic_margin(c->offload, nic, &wanted);
	uint32_t i, k;

	n->pays_ns = sl_now(&c->clock) + ROUND_NS;
	if (n->pays == NULL && ahead_pays_new(&n->pays) != 0)
		return false;
	list = malloc(((size_t)n->n_notes + 1) * sizeof(*list));
	if (list == NULL)
		return false;
	k = name_rules(n, list);
	ahead_pays_begin(n->pays, sl_now(&c->clock), margin, wanted, room);
	for (i = 0; i < k; i++)
		judge_one(c, n, &list[i]);
	free(list);
	return ahead_pays_end(n->pays);
}

bool
ahead_worth_run(struct control *c, uint16_t nic, uint32_t room)
{
	struct ahead_nic *n = &c->ahead->nic[nic];

	return room > 0 && n->n_notes > 0 && sl_now(&c->clock) >= n->pays_ns &&
	       ahead_worth_judge(c, nic, room);
}

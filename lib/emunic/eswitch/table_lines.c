// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/table_lines.h"

#include <rte_byteorder.h>

#define AT(field) (offsetof(union emu_key, field) / 8)
static_assert(offsetof(union emu_key, ip_dst) % 8 == 0 &&
		      offsetof(union emu_key, inner.ip_dst) % 8 == 0 &&
		      offsetof(union emu_key, ip_src) % 8 == 0 &&
		      offsetof(union emu_key, inner.ip_src) % 8 == 0 &&
		      offsetof(union emu_key, dst) % 8 == 0,
	"each locator is in one word");
static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "the first bytes of a word are its lowest");

#define FIRST_24 0x0000000000ffffffULL
#define FIRST_48 0x0000ffffffffffffULL
#define WHOLE UINT64_MAX // of an IPv6 address: its network

// What shapes may have in common, most telling first; a shape takes the first that it asks for.
static const struct {
	uint32_t at;
	uint64_t mask;
} locators[] = {
	{AT(inner.ip_dst), WHOLE},
	{AT(inner.ip_dst), FIRST_24},
	{AT(inner.ip_src), WHOLE},
	{AT(inner.ip_src), FIRST_24},
	{AT(ip_dst), WHOLE},
	{AT(ip_dst), FIRST_24},
	{AT(ip_src), WHOLE},
	{AT(ip_src), FIRST_24},
	{AT(dst), FIRST_48},
};

static int
locator_of(const struct emu_shape *s)
{
	for (unsigned int i = 0; i < RTE_DIM(locators); i++)
		if ((s->mask.w[locators[i].at] & locators[i].mask) == locators[i].mask)
			return (int)i;
	return -1;
}

// The cluster of a locator, or an empty one; NULL when there is no room.
static struct emu_cluster *
cluster_get(struct emu_table *t, uint32_t at, uint64_t mask)
{
	struct emu_cluster *empty = NULL;

	for (unsigned int i = 0; i < EMU_CLUSTERS; i++) {
		struct emu_cluster *cl = &t->clusters[i];

		if (cl->n == 0)
			empty = cl;
		else if (cl->locator.at == at && cl->locator.mask == mask)
			return cl->n < EMU_CLUSTER_SHAPES ? cl : NULL;
	}
	return empty;
}

void
emu_cluster_join(struct emu_rules *r, struct emu_table *t, struct emu_shape *s)
{
	int which = s->apart ? -1 : locator_of(s);
	struct emu_cluster *cl;

	if (which < 0)
		return;
	cl = cluster_get(t, locators[which].at, locators[which].mask);
	if (cl == NULL)
		return;
	if (cl->n == 0) {
		unsigned int term;

		cl->locator = emu_word_make(r, locators[which].at, locators[which].mask);
		term = emu_term_get(t, &cl->locator);
		if (term == EMU_SCAN_TERMS)
			return;
		cl->locator_term = (uint8_t)term;
		cl->seed = ++r->next_shape * 0x85ebca6bU;
	}
	for (s->lane = 0; cl->shape[s->lane] != NULL;)
		s->lane++;
	for (s->located = 0; s->word[s->located].at != cl->locator.at;)
		s->located++;
	cl->shape[s->lane] = s;
	cl->n++;
	s->cluster = cl;
}

void
emu_cluster_leave(struct emu_table *t, struct emu_shape *s)
{
	struct emu_cluster *cl = s->cluster;

	if (cl == NULL)
		return;
	cl->shape[s->lane] = NULL;
	if (--cl->n == 0)
		t->terms[cl->locator_term].users--;
	s->cluster = NULL;
}

// The sums that make the shapes' hashes.
static void
settle_sums(struct emu_cluster *cl)
{
	cl->n_sums = 0;
	for (uint64_t left = cl->terms; left != 0; left &= left - 1) {
		unsigned int term = (unsigned int)__builtin_ctzll(left);

		cl->sum[cl->n_sums] = (uint8_t)term;
		cl->sum_of[cl->n_sums] = 0;
		for (unsigned int i = 0; i < EMU_CLUSTER_SHAPES; i++)
			if (cl->shape[i] != NULL && cl->shape[i]->terms >> term & 1)
				cl->sum_of[cl->n_sums] |= (uint16_t)(1U << i);
		cl->n_sums++;
	}
	cl->terms |= 1ULL << cl->locator_term;
}

void
emu_clusters_settle(struct emu_table *t)
{
	for (unsigned int i = 0; i < EMU_CLUSTERS; i++) {
		t->clusters[i].n_lined = 0;
		t->clusters[i].terms = 0;
		memset(t->clusters[i].rank, 0xff, sizeof(t->clusters[i].rank));
	}
	for (uint32_t j = 0; j < t->n_shapes; j++) {
		struct emu_shape *s = t->shapes[j];
		struct emu_cluster *cl = s->cluster;

		s->lined = cl != NULL && s->spilled == 0 && j < t->n_scan;
		if (cl == NULL)
			continue;
		cl->seeds[s->lane] = s->seed;
		cl->rank[s->lane] = s->lined ? j : UINT32_MAX;
		cl->n_lined += s->lined;
		cl->terms |= s->lined ? s->terms : 0;
	}
	t->lined = false;
	for (unsigned int i = 0; i < EMU_CLUSTERS; i++) {
		struct emu_cluster *cl = &t->clusters[i];

		if (cl->n_lined < EMU_CLUSTER_MIN)
			cl->n_lined = 0;
		if (cl->n_lined > 0)
			settle_sums(cl);
		t->lined |= cl->n_lined > 0;
	}
	for (uint32_t j = 0; j < t->n_shapes; j++)
		t->shapes[j]->lined &=
			t->shapes[j]->cluster != NULL && t->shapes[j]->cluster->n_lined > 0;
}

static struct emu_line *
line_of(const struct emu_rules *r, const struct rte_flow *f)
{
	const struct emu_cluster *cl = f->shape->cluster;
	const struct emu_word *w = &cl->locator;
	uint32_t hash = hash_part(f->key[f->shape->located] & w->mask, w->low, w->high) + cl->seed;

	return &r->lines[hash & r->line_mask];
}

// An entry of a rule's line.
struct entry {
	uint32_t *key, *place; // NULL: there is none
};

// That of this place, in the line of f.
static struct entry
find(const struct emu_rules *r, const struct rte_flow *f, uint32_t place)
{
	struct emu_line *l = line_of(r, f);

	for (unsigned int i = 0; i < EMU_LINE_ENTRIES; i++)
		if (l->place[i] == place)
			return (struct entry){&l->entry[i], &l->place[i]};
	return (struct entry){NULL, NULL};
}

bool
emu_line_put(struct emu_rules *r, struct rte_flow *f)
{
	struct emu_shape *s = f->shape;
	struct entry e;

	if (s->cluster == NULL)
		return false;
	e = find(r, f, 0);
	if (e.place == NULL)
		return s->spilled++ == 0;
	*e.place = place_of(r, f);
	*e.key = (f->hash & ~EMU_LANE_BITS) | s->lane;
	return false;
}

bool
emu_line_drop(struct emu_rules *r, struct rte_flow *f)
{
	struct entry e;

	if (f->shape->cluster == NULL)
		return false;
	e = find(r, f, place_of(r, f));
	if (e.place == NULL)
		return --f->shape->spilled == 0;
	*e.place = *e.key = 0;
	return false;
}

void
emu_line_swap(struct emu_rules *r, struct rte_flow *f, struct rte_flow *by)
{
	struct entry e;

	if (f->shape->cluster == NULL)
		return;
	e = find(r, f, place_of(r, f));
	if (e.place != NULL)
		*e.place = place_of(r, by);
}

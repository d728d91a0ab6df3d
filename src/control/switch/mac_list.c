// SPDX-License-Identifier: BSD-3-Clause
#include "switch/mac_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_CAP 64

static uint32_t
home_of(const struct mac_list *l, const uint8_t addr[6], uint16_t vlan)
{
	uint64_t w = 0;

	memcpy(&w, addr, 6);
	w |= (uint64_t)vlan << 48;
	return (uint32_t)(sl_hash_words(&w, 1, l->seed) >> 16) & l->mask;
}

static uint32_t
home_at(const struct mac_list *l, uint32_t slot)
{
	const struct mac_learned *m = &l->list[l->slot[slot] - 1];

	return home_of(l, m->addr, m->vlan);
}

// The slot of the address, or the free one where it would go.
static uint32_t
slot_of(const struct mac_list *l, const uint8_t addr[6], uint16_t vlan)
{
	uint32_t at = home_of(l, addr, vlan);

	for (; l->slot[at] != 0; at = (at + 1) & l->mask) {
		const struct mac_learned *m = &l->list[l->slot[at] - 1];

		if (m->vlan == vlan && memcmp(m->addr, addr, 6) == 0)
			break;
	}
	return at;
}

void
mac_list_init(struct mac_list *l, uint64_t seed)
{
	memset(l, 0, sizeof(*l));
	l->seed = seed;
}

void
mac_list_fini(struct mac_list *l)
{
	free(l->list);
	free(l->slot);
	memset(l, 0, sizeof(*l));
}

struct mac_learned *
mac_list_find(const struct mac_list *l, const uint8_t addr[6], uint16_t vlan)
{
	uint32_t at;

	if (l->n == 0)
		return NULL;
	at = slot_of(l, addr, vlan);
	return l->slot[at] != 0 ? &l->list[l->slot[at] - 1] : NULL;
}

static bool
grow(struct mac_list *l)
{
	uint32_t cap = l->cap == 0 ? FIRST_CAP : 2 * l->cap, i;
	uint32_t *slot = calloc(2 * (size_t)cap, sizeof(*slot));
	struct mac_learned *list;

	if (slot == NULL)
		return false;
	list = realloc(l->list, cap * sizeof(*list));
	if (list == NULL) {
		free(slot);
		return false;
	}
	free(l->slot);
	l->list = list;
	l->cap = cap;
	l->slot = slot;
	l->mask = 2 * cap - 1;
	for (i = 0; i < l->n; i++)
		l->slot[slot_of(l, list[i].addr, list[i].vlan)] = i + 1;
	return true;
}

struct mac_learned *
mac_list_add(struct mac_list *l, const uint8_t addr[6], uint16_t vlan)
{
	struct mac_learned *m;

	if (l->n == l->cap && !grow(l))
		return NULL;
	l->slot[slot_of(l, addr, vlan)] = l->n + 1;
	m = &l->list[l->n++];
	memset(m, 0, sizeof(*m));
	memcpy(m->addr, addr, 6);
	m->vlan = vlan;
	return m;
}

static void
clear_slot(struct mac_list *l, uint32_t hole)
{
	uint32_t at = hole, home;

	while (true) {
		l->slot[hole] = 0;
		do {
			at = (at + 1) & l->mask;
			if (l->slot[at] == 0)
				return;
			home = home_at(l, at);
			// Stays when its home lies cyclically behind the hole, up to where it is.
		} while (hole <= at ? hole < home && home <= at : hole < home || home <= at);
		l->slot[hole] = l->slot[at];
		hole = at;
	}
}

void
mac_list_del(struct mac_list *l, uint32_t i)
{
	const struct mac_learned *m = &l->list[i];
	const struct mac_learned *last = &l->list[l->n - 1];

	clear_slot(l, slot_of(l, m->addr, m->vlan));
	if (m != last) {
		l->slot[slot_of(l, last->addr, last->vlan)] = i + 1;
		l->list[i] = *last;
	}
	l->n--;
}

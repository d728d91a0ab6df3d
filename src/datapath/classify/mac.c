// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/mac.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

// Open addressing, at most half full, one probe line in most cases.
struct dp_mac_table {
	uint64_t seed;
	uint32_t mask;
	uint32_t *slot; // [mask + 1]; number of the entry plus 1, 0: free
	struct dp_mac *macs;
};

static uint64_t
mac_word(const uint8_t addr[6], uint16_t vlan)
{
	uint64_t w = 0;

	memcpy(&w, addr, 6);
	return w | (uint64_t)vlan << 48;
}

static uint32_t
mac_hash(const struct dp_mac_table *t, uint64_t word)
{
	return (uint32_t)(sl_hash_words(&word, 1, t->seed) >> 20);
}

struct dp_mac_table *
dp_mac_table_new(const struct dp_mac *macs, uint32_t n, uint64_t seed)
{
	struct dp_mac_table *t = calloc(1, sizeof(*t));
	uint32_t size = 16;
	uint32_t i, at;

	if (t == NULL)
		return NULL;
	while (size < 2 * (uint64_t)n && size < 1u << 31)
		size *= 2;
	t->seed = seed;
	t->mask = size - 1;
	t->slot = calloc(size, sizeof(*t->slot));
	t->macs = calloc(n + 1, sizeof(*t->macs));
	if (t->slot == NULL || t->macs == NULL) {
		dp_mac_table_free(t);
		return NULL;
	}
	for (i = 0; i < n; i++) {
		t->macs[i] = macs[i];
		at = mac_hash(t, mac_word(macs[i].addr, macs[i].vlan)) & t->mask;
		while (t->slot[at] != 0)
			at = (at + 1) & t->mask;
		t->slot[at] = i + 1;
	}
	return t;
}

void
dp_mac_table_free(struct dp_mac_table *t)
{
	if (t == NULL)
		return;
	free(t->slot);
	free(t->macs);
	free(t);
}

const struct dp_mac *
dp_mac_find(const struct dp_mac_table *t, const uint8_t addr[6], uint16_t vlan)
{
	uint64_t word = mac_word(addr, vlan);
	const struct dp_mac *m;
	uint32_t at;

	if (t == NULL)
		return NULL;
	for (at = mac_hash(t, word) & t->mask; t->slot[at] != 0; at = (at + 1) & t->mask) {
		m = &t->macs[t->slot[at] - 1];
		if (mac_word(m->addr, m->vlan) == word)
			return m;
	}
	return NULL;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "classify/store.h"

#include <string.h>

#include "base/hash.h"
#include "memory.h"

#define STORE_SLOTS (STORE_LISTS * 2)

struct dp_store {
	uint64_t seed;
	uint32_t n;
	uint32_t restarted; // tick
	bool ever;
	uint16_t slot[STORE_SLOTS]; // number plus 1, 0: free
	struct flow_actions list[STORE_LISTS];
};

struct dp_store *
dp_store_new(int socket_id, uint64_t seed)
{
	struct dp_store *s = dp_zalloc(sizeof(*s), socket_id);

	if (s != NULL)
		s->seed = seed;
	return s;
}

void
dp_store_free(struct dp_store *s)
{
	dp_free_mem(s);
}

static bool
list_equal(const struct flow_actions *a, const struct flow_actions *b)
{
	return a->n == b->n && memcmp(a->list, b->list, sizeof(a->list[0]) * a->n) == 0;
}

int
dp_store_put(struct dp_store *s, const struct flow_actions *list)
{
	uint64_t hash = sl_hash_bytes(list->list, sizeof(list->list[0]) * list->n, s->seed);
	uint32_t at = (uint32_t)hash % STORE_SLOTS;

	for (; s->slot[at] != 0; at = (at + 1) % STORE_SLOTS)
		if (list_equal(&s->list[s->slot[at] - 1], list))
			return s->slot[at] - 1;
	if (s->n == STORE_LISTS)
		return -1;
	s->list[s->n] = *list;
	s->slot[at] = (uint16_t)++s->n;
	return (int)s->n - 1;
}

const struct flow_actions *
dp_store_get(const struct dp_store *s, uint16_t number)
{
	return &s->list[number];
}

bool
dp_store_restart(struct dp_store *s, uint32_t tick)
{
	if (s->ever && tick - s->restarted < STORE_PAUSE)
		return false;
	s->ever = true;
	s->restarted = tick;
	s->n = 0;
	memset(s->slot, 0, sizeof(s->slot));
	return true;
}

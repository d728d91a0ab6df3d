// SPDX-License-Identifier: BSD-3-Clause
#include "base/idpool.h"

#include <errno.h>
#include <stdlib.h>

#define LIVE UINT32_MAX      // `next` of a live id
#define END (UINT32_MAX - 1) // `next` of the last free id

struct slot {
	uint32_t gen;  // of the live id, or of the next one to be given out
	uint32_t next; // free list, or LIVE
};

struct sl_idpool {
	uint32_t size;
	uint32_t gen_max;
	uint32_t used;
	uint32_t head; // END when all are taken
	uint32_t tail;
	struct slot slots[];
};

struct sl_idpool *
sl_idpool_new(uint32_t size, uint32_t gen_max)
{
	struct sl_idpool *pool;
	uint32_t i;

	if (size == 0 || size >= END || gen_max == 0)
		return NULL;
	pool = malloc(sizeof(*pool) + (size_t)size * sizeof(pool->slots[0]));
	if (pool == NULL)
		return NULL;
	pool->size = size;
	pool->gen_max = gen_max;
	pool->used = 0;
	pool->head = 0;
	pool->tail = size - 1;
	for (i = 0; i < size; i++)
		pool->slots[i] = (struct slot){.gen = 1, .next = i + 1 < size ? i + 1 : END};
	return pool;
}

void
sl_idpool_free(struct sl_idpool *pool)
{
	free(pool);
}

int
sl_idpool_take(struct sl_idpool *pool, struct sl_id *out)
{
	uint32_t index = pool->head;
	struct slot *s;

	if (index == END)
		return -ENOSPC;
	s = &pool->slots[index];
	pool->head = s->next;
	s->next = LIVE;
	pool->used++;
	*out = (struct sl_id){.index = index, .gen = s->gen};
	return 0;
}

bool
sl_idpool_put(struct sl_idpool *pool, struct sl_id id)
{
	struct slot *s;

	if (!sl_idpool_live(pool, id))
		return false;
	s = &pool->slots[id.index];
	s->gen = s->gen >= pool->gen_max ? 1 : s->gen + 1;
	s->next = END;
	if (pool->head == END)
		pool->head = id.index;
	else
		pool->slots[pool->tail].next = id.index;
	pool->tail = id.index;
	pool->used--;
	return true;
}

bool
sl_idpool_live(const struct sl_idpool *pool, struct sl_id id)
{
	return id.index < pool->size && pool->slots[id.index].next == LIVE &&
	       pool->slots[id.index].gen == id.gen;
}

uint32_t
sl_idpool_used(const struct sl_idpool *pool)
{
	return pool->used;
}

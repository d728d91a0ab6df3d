// SPDX-License-Identifier: BSD-3-Clause
#include "heap.h"

#include <stdlib.h>

void
offload_heap_fini(struct of_heap *h)
{
	free(h->v);
	h->v = NULL;
	h->n = h->cap = 0;
}

static void
put(struct of_heap *h, uint32_t pos, struct of_node *node)
{
	h->v[pos] = node;
	node->pos = pos;
}

static void
up(struct of_heap *h, struct of_node *node)
{
	uint32_t pos = node->pos;

	while (pos > 0 && h->v[(pos - 1) / 2]->key < node->key) {
		put(h, pos, h->v[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	put(h, pos, node);
}

static void
down(struct of_heap *h, struct of_node *node)
{
	uint32_t pos = node->pos;

	for (;;) {
		uint32_t child = 2 * pos + 1;

		if (child + 1 < h->n && h->v[child + 1]->key > h->v[child]->key)
			child++;
		if (child >= h->n || h->v[child]->key <= node->key)
			break;
		put(h, pos, h->v[child]);
		pos = child;
	}
	put(h, pos, node);
}

bool
offload_heap_push(struct of_heap *h, struct of_node *node, double key)
{
	if (h->n == h->cap) {
		uint32_t cap = h->cap ? h->cap * 2 : 64;
		struct of_node **v = realloc(h->v, cap * sizeof(*v));

		if (!v)
			return false;
		h->v = v;
		h->cap = cap;
	}
	node->key = key;
	put(h, h->n++, node);
	up(h, node);
	return true;
}

void
offload_heap_change(struct of_heap *h, struct of_node *node, double key)
{
	node->key = key;
	up(h, node);
	down(h, node);
}

void
offload_heap_remove(struct of_heap *h, struct of_node *node)
{
	struct of_node *last = h->v[--h->n];

	if (last != node) {
		put(h, node->pos, last);
		up(h, last);
		down(h, last);
	}
	node->pos = OF_NOWHERE;
}

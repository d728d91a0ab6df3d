// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_HEAP_H
#define SLUICE_OFFLOAD_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A binary heap of nodes that live in other structs, greatest key first: push, change and remove in
// O(log n). A node is in one heap at most. Thread safety: owner thread only.

#define OF_NOWHERE UINT32_MAX

struct of_node {
	double key;
	uint32_t pos; // OF_NOWHERE: in no heap
};

struct of_heap {
	struct of_node **v;
	uint32_t n, cap;
	uint32_t blocked; // of serve.c: how many it has looked at in vain
};

void offload_heap_fini(struct of_heap *h);
bool offload_heap_push(struct of_heap *h, struct of_node *node, double key); // false: no memory
void offload_heap_change(struct of_heap *h, struct of_node *node, double key);
void offload_heap_remove(struct of_heap *h, struct of_node *node);

static inline struct of_node *
offload_heap_top(const struct of_heap *h)
{
	return h->n ? h->v[0] : NULL;
}

#endif

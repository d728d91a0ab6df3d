// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CACHE_MEMORY_H
#define SLUICE_CACHE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

// Zeroed memory for a cache: DPDK's heap of the wanted socket, of any socket, and where that has no
// room (a run without hugepages has a small heap) a private mapping for which transparent huge
// pages are asked, if the machine has so much. Every page is there before the first packet. Aligned
// to 4096 bytes. Thread
// safety: any thread.

struct cache_memory {
	void *data;
	size_t len;
	bool mapped; // not from DPDK's heap
};

// 0 or -ENOMEM.
int cache_memory_take(struct cache_memory *m, size_t len, int socket_id);
void cache_memory_free(struct cache_memory *m);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_MEMORY_H
#define SLUICE_DATAPATH_MEMORY_H

#include <stddef.h>

// Zeroed memory on cache lines, from DPDK's heap of the socket where it has room, else of any
// socket, else from libc. Thread safety: any thread.

void *dp_zalloc(size_t size, int socket_id); // NULL when out of memory
void dp_free_mem(void *p);                   // NULL: nothing

#endif

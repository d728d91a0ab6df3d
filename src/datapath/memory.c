// SPDX-License-Identifier: BSD-3-Clause
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#define MEMORY_LINE 64
#define MEMORY_LIBC 0x51u // in the line before the block: it came from libc

void *
dp_zalloc(size_t size, int socket_id)
{
	size_t len = RTE_ALIGN_CEIL(size, MEMORY_LINE) + MEMORY_LINE;
	char *p = rte_zmalloc_socket("datapath", len, MEMORY_LINE, socket_id);

	if (p == NULL)
		p = rte_zmalloc_socket("datapath", len, MEMORY_LINE, SOCKET_ID_ANY);
	if (p == NULL) {
		p = aligned_alloc(MEMORY_LINE, len);
		if (p == NULL)
			return NULL;
		memset(p, 0, len);
		*p = MEMORY_LIBC;
	}
	return p + MEMORY_LINE;
}

void
dp_free_mem(void *p)
{
	char *head;

	if (p == NULL)
		return;
	head = (char *)p - MEMORY_LINE;
	if (*head == MEMORY_LIBC)
		free(head);
	else
		rte_free(head);
}

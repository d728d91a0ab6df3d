// SPDX-License-Identifier: BSD-3-Clause
#include "memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_malloc.h>
#include <rte_memory.h>

#define CACHE_MEMORY_ALIGN 4096

// What the machine has without swapping (proc(5), MemAvailable), in bytes. SIZE_MAX: it does not
// tell.
static size_t
available(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kb = 0;
	char line[128];
	bool told = false;

	while (f != NULL && !told && fgets(line, sizeof(line), f) != NULL)
		told = sscanf(line, "MemAvailable: %llu kB", &kb) == 1;
	if (f != NULL)
		fclose(f);
	return told ? (size_t)kb * 1024 : SIZE_MAX;
}

int
cache_memory_take(struct cache_memory *m, size_t len, int socket_id)
{
	m->len = len;
	m->mapped = false;
	m->data = rte_zmalloc_socket("cache", len, CACHE_MEMORY_ALIGN, socket_id);
	if (m->data == NULL)
		m->data = rte_zmalloc_socket("cache", len, CACHE_MEMORY_ALIGN, SOCKET_ID_ANY);
	if (m->data != NULL)
		return 0;
	// Its pages are taken here: without that many the kernel would end a process, likely this
	// one.
	if (len > available())
		return -ENOMEM;
	m->data = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->data == MAP_FAILED) {
		m->data = NULL;
		return -ENOMEM;
	}
	m->mapped = true;
	// A kernel without transparent huge pages refuses: small ones then.
	(void)madvise(m->data, len, MADV_HUGEPAGE);
	memset(m->data, 0, len);
	return 0;
}

void
cache_memory_free(struct cache_memory *m)
{
	if (m->mapped)
		(void)munmap(m->data, m->len);
	else
		rte_free(m->data);
	m->data = NULL;
}

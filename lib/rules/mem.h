// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_MEM_H
#define SLUICE_RULES_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

// The memory of one engine: what sets see, and when it may go.
//
// Problem: sets share nearly all of their parts, and a set may outlive the writer. Counting the
// references of each part would cost each update as many writes as a node has children. Idea: sets
// form a line in time. A part that an edit replaces is seen by the sets up to now and by no later
// one, so it is retired with the number of the next set and freed when all older sets are gone.
// Objects lie in huge pages where the system gives them (2 MB pieces, cut into multiples of 64
// bytes, free ones kept by size), because a look-up touches a few lines all over them. Cost:
// nothing for a reader. Refuses: to give pieces back before the end. Thread safety: owner thread
// only.

#define RULES_LINE 64

// Each object begins with it.
struct rules_obj {
	struct rules_obj *next; // retired or free
	uint64_t version; // of the set that it was made for; retired: from which on it is not seen
	uint32_t lines;   // its size
};

struct rules_live {
	TAILQ_ENTRY(rules_live) link;
	uint64_t version;
};

struct rules_mem;

struct rules_mem *rules_mem_new(void);
// The writer is done with it: it goes with the last set.
void rules_mem_drop(struct rules_mem *m);
// Zeroed, aligned to a line, of the version that is being made. NULL: no memory.
void *rules_mem_get(struct rules_mem *m, size_t size);
// The object, of that size, or a copy of it that no set sees yet: o is retired then. NULL: no
// memory, and nothing was done.
void *rules_mem_own(struct rules_mem *m, struct rules_obj *o, size_t size);
// Not seen by any set.
void rules_mem_put(struct rules_mem *m, struct rules_obj *o);
// Not seen by the next set and later ones.
void rules_mem_retire(struct rules_mem *m, struct rules_obj *o);
// The version that is being made; an object of it is in no set yet.
uint64_t rules_mem_version(const struct rules_mem *m);
// A set of that version is there; the next version is begun.
void rules_mem_commit(struct rules_mem *m, struct rules_live *live);
void rules_mem_gone(struct rules_mem *m, struct rules_live *live);
size_t rules_mem_used(const struct rules_mem *m);

#endif

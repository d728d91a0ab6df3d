// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_VRING_CHAIN_H
#define SLUICE_DATAPATH_VRING_CHAIN_H

#include <rte_branch_prediction.h>

#include "port/vring.h"

// A buffer of a guest as pieces of our memory: the walk from descriptor to descriptor, through a
// table of descriptors if there is one, and over the borders of memory regions (virtio 1.1, 2.6.5).
// It ends after VRING_PIECES_MAX steps wherever it is, so that no circle holds it. Cost: a
// descriptor and a region for each piece. Thread safety: owner thread only (the worker that owns
// the queue).

#define VRING_PIECES_MAX 256 // rte_vhost's bound too

struct vring_piece {
	uint8_t *at;
	uint32_t len; // never 0
};

struct vring_pieces {
	unsigned n;
	uint64_t bytes;
	struct vring_piece piece[VRING_PIECES_MAX];
};

static inline void
vring_pieces_clear(struct vring_pieces *p)
{
	p->n = 0;
	p->bytes = 0;
}

// A descriptor as it was at one moment.
struct vring_desc_copy {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static inline struct vring_desc_copy
vring_desc_read(const struct vhost_ring *r, uint16_t i)
{
	union {
		uint64_t word[2];
		struct vring_desc_copy d;
	} out;
	const uint64_t *from = (const uint64_t *)(const void *)&r->desc[i];

	out.word[0] = __atomic_load_n(from, __ATOMIC_RELAXED);
	out.word[1] = __atomic_load_n(from + 1, __ATOMIC_RELAXED);
	return out.d;
}

static inline uint16_t
vring_head(const struct vhost_ring *r, uint16_t index)
{
	return __atomic_load_n(&r->avail->ring[index & (r->size - 1)], __ATOMIC_RELAXED);
}

// The ring is broken, for the first reason that there was; always false.
bool vring_break(struct vhost_ring *r, enum vring_fault why);
// Looks for the region that gpa lies in, and keeps it as the hot one.
bool vring_find_region(struct vhost_ring *r, uint64_t gpa);

// len bytes in one region, or NULL: they lie in several, or in none.
static inline uint8_t *
vring_host(struct vhost_ring *r, uint64_t gpa, uint32_t len)
{
	if (unlikely(gpa - r->hot.gpa >= r->hot.size) && !vring_find_region(r, gpa))
		return NULL;
	if (unlikely(len > r->hot.size - (gpa - r->hot.gpa)))
		return NULL;
	return (uint8_t *)(r->hot.host + (uintptr_t)(gpa - r->hot.gpa));
}

// Adds the pieces of the buffer that begins at head, below the ring's size. False: the ring is
// broken, or it is not the first buffer in out and there are too many pieces in all.
bool vring_chain(struct vhost_ring *r, uint16_t head, bool writable, struct vring_pieces *out);

#endif

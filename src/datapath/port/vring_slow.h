// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_VRING_SLOW_H
#define SLUICE_DATAPATH_VRING_SLOW_H

#include <string.h>

#include "port/vring_chain.h"

// The packets of a ring that are not in one piece on both sides (vring.h), one by one. They move
// no index. Thread safety: owner thread only (the worker that owns the queue).

#define VRING_FRAME_MAX (UINT16_MAX + 64) // the longest IP packet and what is before it

// The used entry at index; its place is only as much as 4-byte aligned.
static inline void
vring_used(struct vhost_ring *r, uint16_t index, uint16_t head, uint32_t len)
{
	struct vring_used_elem e = {.id = head, .len = len};

	memcpy(&r->used->ring[index & (r->size - 1)], &e, sizeof(e));
}

// *m: the packet of the buffer at head, or NULL: it is none, and counted. False: the buffer stays,
// since there is no memory, or the ring is broken.
bool vring_take_one(
	struct vhost_ring *r, uint16_t head, struct rte_mempool *pool, struct rte_mbuf **m);
// How many of the buffers that are available from `next` on m took, with their used entries; 0: it
// needs more than these, or the ring is broken.
uint16_t vring_give_one(struct vhost_ring *r, const struct rte_mbuf *m, uint16_t available);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_MBUF_H
#define EMUNIC_BACKEND_MBUF_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <rte_mbuf.h>

#include "backend/backend.h"

// Packets that a backend makes itself, out of buffers taken from the pool in bulk: the firmware's
// thread has no mempool cache of its own.
// Thread safety: owner thread only.

// The longest frame that any backend makes: libpcap's own limit for a record.
#define EMU_FRAME_MAX 262144u
#define EMU_STASH 32

// Takes n fresh buffers for packets of b, from where these do best to land (backend.h), else of
// own, which is the NIC's mempool. 0 or -ENOENT.
static inline int
emu_mbuf_take(const struct emu_backend *b, struct rte_mempool *own, struct rte_mbuf **m, uint16_t n)
{
	if (b->landing != NULL && rte_pktmbuf_alloc_bulk(b->landing, m, n) == 0)
		return 0;
	return rte_pktmbuf_alloc_bulk(own, m, n);
}

struct emu_stash {
	const struct emu_backend *of;
	struct rte_mempool *pool; // the NIC's
	uint16_t n;
	struct rte_mbuf *bufs[EMU_STASH];
};

// A fresh buffer, or NULL when the pool has none at the moment.
struct rte_mbuf *emu_stash_get(struct emu_stash *s);
// Gives back what is in the stash.
void emu_stash_free(struct emu_stash *s);
// The same, and takes from another pool from here on.
void emu_stash_move(struct emu_stash *s, struct rte_mempool *pool);

// A packet of frame_len bytes: data_len bytes of data (at most frame_len), then zeros; a chain
// where one buffer is too small. NULL when the pool has not enough buffers at the moment.
struct rte_mbuf *emu_mbuf_make(
	struct emu_stash *s, const void *data, uint32_t data_len, uint32_t frame_len);

// Makes a packet of frame_len bytes of a fresh buffer whose first used bytes are written already,
// with zeros after them. When the pool has not enough buffers, m is freed and the result is false.
bool emu_mbuf_pad(struct emu_stash *s, struct rte_mbuf *m, uint32_t used, uint32_t frame_len);

// The longest frame, at most EMU_FRAME_MAX, that a quarter of the pool can hold: longer ones could
// wait for buffers forever.
uint32_t emu_mbuf_frame_max(struct rte_mempool *pool);

// Sum of the lengths of n packets.
uint64_t emu_mbuf_bytes(struct rte_mbuf *const *pkts, uint16_t n);

static inline uint64_t
emu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

#endif

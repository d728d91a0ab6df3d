// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_MBUF_H
#define EMUNIC_BACKEND_MBUF_H

#include <stdint.h>
#include <time.h>

#include <rte_mbuf.h>

// The longest frame that any backend makes: libpcap's own limit for a record.
#define EMU_FRAME_MAX 262144u

// A packet of frame_len bytes: data_len bytes of data (at most frame_len), then zeros; a chain
// where one buffer is too small. NULL when the pool has not enough buffers at the moment. Thread
// safety: any thread.
struct rte_mbuf *emu_mbuf_make(
	struct rte_mempool *pool, const void *data, uint32_t data_len, uint32_t frame_len);

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

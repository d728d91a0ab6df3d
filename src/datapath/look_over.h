// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_LOOK_OVER_H
#define SLUICE_DATAPATH_LOOK_OVER_H

#include "lcore.h"

// What the packets of a burst are together: flags, lengths, memory, whether they have one mark.
// b: n (1 to DP_BURST) and pkts before; afterwards flags, common, one_mark, one_buf_len,
// one_segment, bytes, longest and mem. read: their first bytes will be read, and are on the way
// meanwhile. Thread safety: any thread (of b and its packets: the caller's).

// The same by other instructions, but for mem: for CPUs with AVX2 (x86 only), and for any.
void look_over_read(struct dp_burst *b);
void look_over_unread(struct dp_burst *b);
void look_over_plainly(struct dp_burst *b, bool read);

uint64_t look_over_mem(const struct dp_burst *b); // of their first segments

static inline void
look_over(struct dp_burst *b, bool read)
{
#ifdef __x86_64__
	if (likely(__builtin_cpu_supports("avx2"))) {
		if (read)
			look_over_read(b);
		else
			look_over_unread(b);
	} else
#endif
		look_over_plainly(b, read);
	b->mem = likely(b->one_buf_len) ? (uint64_t)b->n * b->pkts[0]->buf_len : look_over_mem(b);
}

#endif

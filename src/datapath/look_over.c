// SPDX-License-Identifier: BSD-3-Clause
#include "look_over.h"

#include <stddef.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include <rte_prefetch.h>

uint64_t
look_over_mem(const struct dp_burst *b)
{
	uint64_t mem = 0;
	uint16_t i;

	for (i = 0; i < b->n; i++)
		mem += b->pkts[i]->buf_len;
	return mem;
}

#ifdef __x86_64__
// Two loads take all that is asked of a packet: data_off to the RSS hash, the mark to the pool.
static inline __attribute__((target("avx2"), always_inline)) void
look_over_each(struct dp_burst *b, bool read)
{
	const __m128i first = _mm_load_si128((const __m128i *)b->pkts[0] + 3);
	__m256i any = _mm256_setzero_si256(), sum = any, longest = any;
	__m256i all = _mm256_set1_epi32(-1);
	__m128i differ = _mm_setzero_si128();
	struct rte_mbuf *const *pkts = b->pkts;
	const uint16_t n = b->n;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct rte_mbuf *m = pkts[i];
		__m256i about = _mm256_lddqu_si256((const __m256i *)((const __m128i *)m + 1));

		if (read)
			rte_prefetch0(rte_pktmbuf_mtod(m, const void *));
		any = _mm256_or_si256(any, about);
		all = _mm256_and_si256(all, about);
		sum = _mm256_add_epi32(sum, about);
		longest = _mm256_max_epu32(longest, about);
		differ = _mm_or_si128(
			differ, _mm_xor_si128(first, _mm_load_si128((const __m128i *)m + 3)));
	}
	b->flags = (uint64_t)_mm256_extract_epi64(any, 1);
	b->common = (uint64_t)_mm256_extract_epi64(all, 1);
	b->one_mark = _mm_extract_epi32(differ, 0) == 0;
	b->one_buf_len = _mm_extract_epi16(differ, 3) == 0;
	b->one_segment = _mm256_extract_epi16(any, 2) == 1;
	b->bytes = (uint32_t)_mm256_extract_epi32(sum, 5);
	b->longest = (uint32_t)_mm256_extract_epi32(longest, 5);
}
static_assert(offsetof(struct rte_mbuf, nb_segs) == 20 &&
		      offsetof(struct rte_mbuf, ol_flags) == 24 &&
		      offsetof(struct rte_mbuf, pkt_len) == 36 &&
		      offsetof(struct rte_mbuf, hash.fdir.hi) == 48 &&
		      offsetof(struct rte_mbuf, buf_len) == 54,
	"the places that look_over_each takes them from");

__attribute__((target("avx2"))) void
look_over_read(struct dp_burst *b)
{
	look_over_each(b, true);
}

__attribute__((target("avx2"))) void
look_over_unread(struct dp_burst *b)
{
	look_over_each(b, false);
}
#endif

void
look_over_plainly(struct dp_burst *b, bool read)
{
	uint64_t flags = 0, common = UINT64_MAX;
	uint32_t bytes = 0, segs = 0, longest = 0, marks = 0, lens = 0;
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		const struct rte_mbuf *m = b->pkts[i];

		if (read)
			rte_prefetch0(rte_pktmbuf_mtod(m, const void *));
		flags |= m->ol_flags;
		common &= m->ol_flags;
		marks |= m->hash.fdir.hi ^ b->pkts[0]->hash.fdir.hi;
		lens |= m->buf_len ^ b->pkts[0]->buf_len;
		bytes += m->pkt_len;
		longest = RTE_MAX(longest, m->pkt_len);
		segs |= m->nb_segs;
	}
	b->flags = flags;
	b->common = common;
	b->one_mark = marks == 0;
	b->one_buf_len = lens == 0;
	b->bytes = bytes;
	b->longest = longest;
	b->one_segment = segs == 1;
}

// SPDX-License-Identifier: BSD-3-Clause
// What is said of a burst by the instructions for CPUs with AVX2, by those for any, and by the
// obvious.
#include "dp_support.h"

#include "engine_test.h"
#include "look_over.h"

#define ROUNDS 50000

struct trio {
	struct rte_mbuf buf[DP_BURST];
	struct rte_mbuf *pkts[DP_BURST];
	uint8_t frame[RTE_PKTMBUF_HEADROOM + 64]; // what may be prefetched
	struct dp_burst by[2];
};

// Mostly alike, so that each word is said both ways.
static void
make(struct trial *t, struct trio *x, uint16_t n)
{
	const uint32_t mark = below(t, UINT32_MAX), odd = below(t, 4);
	const uint64_t flags = (uint64_t)below(t, UINT32_MAX) << 32 | below(t, UINT32_MAX);

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = &x->buf[i];

		memset(m, (int)below(t, 256), sizeof(*m)); // what has no part in it
		m->buf_addr = x->frame;
		m->data_off = RTE_PKTMBUF_HEADROOM;
		m->nb_segs = 1;
		m->ol_flags = flags;
		m->hash.fdir.hi = mark;
		m->buf_len = 2176;
		m->pkt_len = below(t, 3) == 0 ? below(t, 1u << 24) : 60;
		if (odd == 0 || below(t, DP_BURST) != 0)
			continue;
		m->nb_segs = (uint16_t)(1 + below(t, 2) * below(t, 4));
		m->ol_flags ^= (uint64_t)below(t, 2) << below(t, 64);
		m->hash.fdir.hi ^= below(t, 2) << below(t, 32);
		m->buf_len = (uint16_t)(below(t, 2) ? 2176 : below(t, UINT16_MAX));
	}
}

// The sums made one by one.
static void
check(struct trial *t, const struct dp_burst *b)
{
	uint64_t flags = 0, common = UINT64_MAX, bytes = 0, mem = 0;
	bool one_mark = true, one_buf_len = true, one_segment = true;
	uint32_t longest = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		const struct rte_mbuf *m = b->pkts[i];

		flags |= m->ol_flags;
		common &= m->ol_flags;
		bytes += m->pkt_len;
		mem += m->buf_len;
		longest = m->pkt_len > longest ? m->pkt_len : longest;
		one_mark &= m->hash.fdir.hi == b->pkts[0]->hash.fdir.hi;
		one_buf_len &= m->buf_len == b->pkts[0]->buf_len;
		one_segment &= m->nb_segs == 1;
	}
	expect(t, b->flags == flags && b->common == common);
	expect(t, b->bytes == bytes && b->longest == longest);
	expect(t, b->one_mark == one_mark && b->one_buf_len == one_buf_len);
	expect(t, b->one_segment == one_segment);
	expect(t, look_over_mem(b) == mem);
}

static void
both_ways(void **state)
{
	struct trio *x = calloc(1, sizeof(*x));
	struct trial t = trial_start(51);
	unsigned same[4] = {0};
	(void)state;

	assert_non_null(x);
	for (uint16_t i = 0; i < DP_BURST; i++)
		x->pkts[i] = &x->buf[i];
	for (; t.step < ROUNDS; t.step++) {
		const uint16_t n = (uint16_t)(1 + below(&t, DP_BURST));
		const bool read = below(&t, 2);
		struct dp_burst *b = &x->by[0];

		make(&t, x, n);
		memset(x->by, (int)below(&t, 256), offsetof(struct dp_burst, pkts));
		b->n = x->by[1].n = n;
		b->pkts = x->by[1].pkts = x->pkts;
		look_over_plainly(b, read);
		check(&t, b);
		same[0] += b->one_mark;
		same[1] += b->one_buf_len;
		same[2] += b->one_segment;
		same[3] += b->flags == b->common;
		look_over(&x->by[1], read); // by what this CPU has
		check(&t, &x->by[1]);
		expect(&t, x->by[1].mem == look_over_mem(b));
#ifdef __x86_64__
		if (!__builtin_cpu_supports("avx2"))
			continue;
		(read ? look_over_read : look_over_unread)(&x->by[1]);
		check(&t, &x->by[1]);
#endif
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(same[i], ROUNDS / 10, ROUNDS - ROUNDS / 10);
	free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

#include <errno.h>
#include <pthread.h>

#include <rte_pmd_emunic_miss.h>

#include "datapath/tag.h"

// Misses that a guest passes on: what is genuine goes on as its origin's, once; all else has a
// name.

#define TAG RTE_PMD_EMUNIC_MISS_TAG
#define HEAD RTE_PMD_EMUNIC_MISS_HEAD
#define V 0    // the VF's vport
#define G 1    // the vhost-user port of its VM
#define OUT 2  // where rules send what comes from V
#define ALSO 3 // and what comes from G

static struct dp_tag_key key_of_v = {.id = 7, .vf = 4, .origin = V, .key = "0123456789abcde"};
static struct dp_tag_key *const keys[] = {&key_of_v};
static const struct dp_tags tags = {1, keys};
static uint64_t numbers;

static void
begin(struct bench *b)
{
	memset(key_of_v.seen, 0, sizeof(key_of_v.seen));
	numbers = 0;
	bench_begin(b, 4, 1, 1);
	b->vport[G].tags = &tags;
	bench_rule(b, 1, 100, "port=0 udp", "output=2");
	bench_rule(b, 2, 100, "port=1", "output=3");
	bench_publish(b);
}

static struct rte_mbuf *
plain(struct bench *b, uint32_t stamp)
{
	const struct frame f = {.src = 1,
		.dst = 2,
		.ip_src = 1,
		.ip_dst = 2,
		.sport = 1000,
		.dport = 53,
		.len = 100,
		.stamp = stamp};

	return frame_make(b, &f);
}

// As the NIC tags it: miss.vf, origin, len and number are zero for those that fit.
static struct rte_mbuf *
tagged_as(struct bench *b, uint32_t stamp, struct rte_pmd_emunic_miss miss, const uint8_t *key)
{
	struct rte_mbuf *m = plain(b, stamp);
	struct iovec whole;
	uint8_t *p;

	miss.key_id = key_of_v.id;
	miss.vf = miss.vf != 0 ? miss.vf : key_of_v.vf;
	miss.origin = miss.origin != 0 ? miss.origin : 1 + key_of_v.vf;
	miss.len = (uint16_t)m->pkt_len;
	miss.number = miss.number != 0 ? miss.number : ++numbers;
	m->data_off -= TAG;
	m->data_len += TAG;
	m->pkt_len += TAG;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	if (p == NULL) // never; gcc does not know it with sanitizers
		abort();
	memmove(p, p + TAG, 12);
	rte_pmd_emunic_miss_write(p + 12, &miss);
	whole = (struct iovec){p, m->pkt_len};
	rte_pmd_emunic_miss_put(p + 12 + RTE_PMD_EMUNIC_MISS_HASH, 8,
		rte_pmd_emunic_miss_hash(key, &whole, 1, miss.len));
	return m;
}

static struct rte_mbuf *
tagged(struct bench *b, uint32_t stamp)
{
	return tagged_as(b, stamp, (struct rte_pmd_emunic_miss){0}, key_of_v.key);
}

static void
assert_next(struct bench *b, uint16_t vport, uint32_t stamp)
{
	struct rte_mbuf *m = bench_out(b, vport), *same = plain(b, stamp);

	assert_non_null(m);
	assert_int_equal(m->pkt_len, same->pkt_len);
	assert_int_equal(rte_pktmbuf_headroom(m) > 0, 1);
	assert_memory_equal(
		rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(same, void *), same->data_len);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(same);
}

// Tagged ones and others in one burst: each its own way, both in order.
static void
restored(void **state)
{
	struct bench b;
	unsigned i;

	begin(&b);
	for (i = 0; i < 20; i++) {
		bench_feed(&b, G, 0, tagged(&b, i));
		bench_feed(&b, G, 0, plain(&b, 100 + i));
	}
	bench_run(&b);
	for (i = 0; i < 20; i++) {
		assert_next(&b, OUT, i);
		assert_next(&b, ALSO, 100 + i);
	}
	assert_int_equal(dp_vport_counters(b.dp, 0)[G].received, 40);
	assert_int_equal(dp_vport_counters(b.dp, 0)[G].consumed, 20);
	assert_int_equal(dp_vport_counters(b.dp, 0)[V].originated, 20);
	assert_int_equal(dp_vport_counters(b.dp, 0)[V].received, 0);
	assert_int_equal(dp_vport_counters(b.dp, 0)[V].path_packets[DP_PATH_SOFTWARE], 20);
	assert_int_equal(dp_rule_counts(b.dp, 0, 0)[1].packets, 20);
	bench_end(&b);
}

static void
feed_bad(struct bench *b, struct rte_mbuf *m, enum dp_drop why)
{
	uint64_t before = bench_dropped(b, G, why);

	bench_feed(b, G, 0, m);
	bench_run(b);
	if (bench_dropped(b, G, why) != before + 1)
		fail_msg("not %s", dp_drop_name(why));
	assert_null(bench_out(b, OUT));
	assert_null(bench_out(b, ALSO));
}

static void
each_error_has_a_name(void **state)
{
	struct rte_pmd_emunic_miss other = {.vf = 5}, wire = {.origin = 40};
	struct rte_mbuf *m;
	struct bench b;
	unsigned at;

	begin(&b);
	for (at = 0; at < 12; at++) { // the addresses, then a byte of the hash and of the frame
		m = tagged(&b, 1);
		rte_pktmbuf_mtod(m, uint8_t *)[at] ^= 1;
		feed_bad(&b, m, DP_DROP_MISS_FORGED);
	}
	for (at = 24; at < 60; at += 7) {
		m = tagged(&b, 1);
		rte_pktmbuf_mtod(m, uint8_t *)[at] ^= 0x80;
		feed_bad(&b, m, DP_DROP_MISS_FORGED);
	}
	feed_bad(&b,
		tagged_as(&b, 1, (struct rte_pmd_emunic_miss){0},
			(const uint8_t *)"a guess at a key"),
		DP_DROP_MISS_FORGED);
	feed_bad(&b, tagged_as(&b, 1, other, key_of_v.key), DP_DROP_MISS_FOREIGN);
	feed_bad(&b, tagged_as(&b, 1, wire, key_of_v.key), DP_DROP_MISS_FOREIGN);
	m = tagged(&b, 1);
	rte_pktmbuf_mtod(m, uint8_t *)[15]++;
	feed_bad(&b, m, DP_DROP_MISS_STALE); // no such key
	m = tagged(&b, 1);
	rte_pktmbuf_mtod(m, uint8_t *)[14]++;
	feed_bad(&b, m, DP_DROP_MISS_MALFORMED); // version
	for (at = 14; at < HEAD; at += 5) {
		m = tagged(&b, 1);
		rte_pktmbuf_trim(m, (uint16_t)(m->data_len - at));
		feed_bad(&b, m, DP_DROP_MISS_MALFORMED);
	}
	m = tagged(&b, 1);
	rte_pktmbuf_trim(m, 1);
	feed_bad(&b, m, DP_DROP_MISS_MALFORMED);
	bench_end(&b);
}

// On the port of another VM, or on a device that is none, a tag is an ethertype as any other.
static void
elsewhere(void **state)
{
	struct bench b;

	begin(&b);
	b.vport[G].tags = NULL;
	bench_publish(&b);
	bench_feed(&b, G, 0, tagged(&b, 1));
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, OUT), 0);
	assert_int_equal(bench_count_out(&b, ALSO), 1);
	bench_end(&b);
}

static void
once(void **state)
{
	struct rte_pmd_emunic_miss m = {.number = 5000};
	struct bench b;

	begin(&b);
	bench_feed(&b, G, 0, tagged_as(&b, 1, m, key_of_v.key));
	bench_run(&b);
	assert_next(&b, OUT, 1);
	feed_bad(&b, tagged_as(&b, 1, m, key_of_v.key), DP_DROP_MISS_REPLAYED);
	m.number = 5000 - 2048;
	feed_bad(&b, tagged_as(&b, 1, m, key_of_v.key), DP_DROP_MISS_STALE);
	m.number = 4000; // late
	bench_feed(&b, G, 0, tagged_as(&b, 2, m, key_of_v.key));
	bench_run(&b);
	assert_next(&b, OUT, 2);
	m.number = DP_TAG_NUMBERS;
	feed_bad(&b, tagged_as(&b, 1, m, key_of_v.key), DP_DROP_MISS_STALE);
	bench_end(&b);
}

// In pieces, padded, and with the requests of a guest that are not believed.
static void
pieces(void **state)
{
	static const uint16_t cuts[] = {HEAD, HEAD + 1, 60, 100, 140};
	struct rte_mbuf *m, *rest;
	struct bench b;
	unsigned i;

	begin(&b);
	for (i = 0; i < RTE_DIM(cuts); i++) {
		m = tagged(&b, i);
		rest = rte_pktmbuf_alloc(b.pool);
		memcpy(rte_pktmbuf_append(rest, (uint16_t)(m->data_len - cuts[i])),
			rte_pktmbuf_mtod_offset(m, void *, cuts[i]), m->data_len - cuts[i]);
		rte_pktmbuf_trim(m, (uint16_t)(m->data_len - cuts[i]));
		assert_int_equal(rte_pktmbuf_chain(m, rest), 0);
		rest = rte_pktmbuf_alloc(b.pool);
		memset(rte_pktmbuf_append(rest, 30), 0xaa, 30);
		assert_int_equal(rte_pktmbuf_chain(m, rest), 0);
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_CKSUM;
		m->tso_segsz = 20;
		bench_feed(&b, G, 0, m);
		bench_run(&b);
		m = bench_out(&b, OUT);
		assert_non_null(m);
		assert_int_equal(rte_pktmbuf_linearize(m), 0);
		fake_push(&bench_dev(&b, OUT)->tx[0], m);
		assert_next(&b, OUT, i);
		assert_null(bench_out(&b, OUT));
	}
	// Its head in two pieces: no NIC's frame lies so in a buffer of ours.
	m = tagged(&b, 9);
	rest = rte_pktmbuf_alloc(b.pool);
	memcpy(rte_pktmbuf_append(rest, (uint16_t)(m->data_len - 30)),
		rte_pktmbuf_mtod_offset(m, void *, 30), m->data_len - 30u);
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - 30));
	assert_int_equal(rte_pktmbuf_chain(m, rest), 0);
	feed_bad(&b, m, DP_DROP_MISS_MALFORMED);
	bench_end(&b);
}

// ---- a number is taken once

#define NUMBERS 20000
#define WINDOW 2048

// What came, and the greatest number of each word that has a place in the window.
struct model {
	bool seen[2 * NUMBERS];
	uint64_t top[DP_TAG_WORDS];
};

static int
model_once(struct model *m, uint64_t number)
{
	uint64_t *top = &m->top[number / 32 % DP_TAG_WORDS];

	if (*top / 32 > number / 32)
		return -ESTALE;
	*top = number;
	if (m->seen[number])
		return -EALREADY;
	m->seen[number] = true;
	return 0;
}

static void
against_a_model(void **state)
{
	static struct model m;
	static struct dp_tag_key k;
	uint64_t seed = 20261122, at = 1, i;
	struct sl_rng rng = {seed};

	for (i = 0; i < NUMBERS; i++) {
		uint64_t back = sl_rng_below(&rng, i % 7 == 0 ? 2 * WINDOW : 40), number;
		int want, got;

		at += at + 2 < 2 * NUMBERS ? sl_rng_below(&rng, 3) : 0;
		number = back < at ? at - back : 1;
		want = model_once(&m, number);
		got = dp_tag_once(&k, number);
		if (got != want)
			fail_msg("seed %lu, step %lu: number %lu: %d, not %d", seed, i, number, got,
				want);
	}
	assert_int_equal(dp_tag_once(&k, 0), -ESTALE);
}

struct racer {
	struct dp_tag_key *k;
	pthread_barrier_t *start;
	bool took[NUMBERS + 1];
};

static void *
race(void *arg)
{
	struct racer *r = arg;
	uint64_t i;

	pthread_barrier_wait(r->start);
	for (i = 1; i <= NUMBERS; i++)
		r->took[i] = dp_tag_once(r->k, i) == 0;
	return NULL;
}

static void
by_two_workers(void **state)
{
	static struct racer r[2];
	static struct dp_tag_key k;
	pthread_barrier_t start;
	pthread_t t[2];
	unsigned i, taken = 0;

	pthread_barrier_init(&start, NULL, 2);
	for (i = 0; i < 2; i++) {
		r[i].k = &k;
		r[i].start = &start;
		assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
	}
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	for (i = 1; i <= NUMBERS; i++) {
		assert_false(r[0].took[i] && r[1].took[i]);
		taken += r[0].took[i] + r[1].took[i];
	}
	assert_int_equal(taken, NUMBERS); // each offers them in order: none comes too late for both
	pthread_barrier_destroy(&start);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_tagged");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restored),
		cmocka_unit_test(each_error_has_a_name),
		cmocka_unit_test(elsewhere),
		cmocka_unit_test(once),
		cmocka_unit_test(pieces),
		cmocka_unit_test(against_a_model),
		cmocka_unit_test(by_two_workers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

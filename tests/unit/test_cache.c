// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include <rte_memory.h>

#include "cache_impl.h"
#include "engine_eal.h"
#include "engine_test.h"

#define UNIVERSE 300 // keys of the model
#define IDLE 20

// The model: which keys are cached, with what.
struct model {
	struct trial t;
	struct cache *cache;
	struct flow_key keys[UNIVERSE];
	struct cache_entry *entry[UNIVERSE]; // NULL: not cached
	uint32_t tick[UNIVERSE];
	uint64_t packets[UNIVERSE];
	uint32_t now;
	uint32_t used;
	uint64_t inserts, refused;
	uint64_t left;   // told by the callback
	uint32_t may_go; // how many the running call may evict
	bool expiring;
	bool limited; // the cache has a budget
	uint8_t seen[UNIVERSE];
};

// Each third one is of IPv6, and differs from its like in what entries keep apart.
static void
key_number(uint32_t n, struct flow_key *key)
{
	const bool ipv6 = n % 3 == 2;

	flow_key_init(key, 1, (uint16_t)(n % 3));
	key->l3 = ipv6 ? FLOW_L3_IPV6 : FLOW_L3_IPV4;
	memcpy((ipv6 ? key->dst + 8 : key->src), &n, sizeof(n));
	key->dst[0] = (uint8_t)(n % 7);
	key->proto = 17;
}

static uint32_t
number_of(const struct cache *c, const struct cache_entry *e)
{
	struct flow_key key;
	uint32_t n;

	cache_key(e, cache_apart(c), &key);
	memcpy(&n, key.l3 == FLOW_L3_IPV6 ? key.dst + 8 : key.src, sizeof(n));
	return n;
}

static bool
is_key(const struct cache *c, const struct cache_entry *e, const struct flow_key *key)
{
	struct cache_flow f;

	cache_read(e, cache_apart(c), &f);
	return flow_key_equal(&f.key, key);
}

// As cache_insert leaves it.
static bool
is_fresh(const struct cache *c, const struct cache_entry *e, uint32_t tick)
{
	static const uint8_t nothing[CACHE_VALUE_SIZE];
	struct cache_flow f;

	cache_read(e, cache_apart(c), &f);
	return f.packets == 0 && f.bytes == 0 && f.gen == 0 && f.rate == 0 && f.flags == 0 &&
	       f.last_tick == tick && e->hint == 0 &&
	       memcmp(f.value, nothing, sizeof(nothing)) == 0;
}

// Below 0: the last packet is ahead of the clock.
static int32_t
idle_of(const struct model *m, uint32_t n)
{
	return (int32_t)(m->now - m->tick[n]);
}

static void
model_left(void *ctx, const struct cache_entry *e)
{
	struct model *m = ctx;
	uint32_t n = number_of(m->cache, e);

	expect(&m->t, n < UNIVERSE && m->entry[n] == e && m->may_go > 0);
	expect(&m->t, e->packets == m->packets[n] && e->last_tick == m->tick[n]);
	expect(&m->t, !m->expiring || idle_of(m, n) > IDLE);
	m->entry[n] = NULL;
	m->used--;
	m->left++;
	m->may_go--;
}

static void
model_insert(struct model *m)
{
	uint32_t n = below(&m->t, UNIVERSE);
	struct cache_entry *before = m->entry[n], *e;
	uint64_t hash, left = m->left;

	if (below(&m->t, 8) == 0) {
		m->limited = below(&m->t, 4) == 0;
		cache_budget(m->cache, m->limited ? below(&m->t, 100) : CACHE_NO_BUDGET);
	}
	m->may_go = before != NULL ? 0 : 1;
	(void)cache_lookup_burst(m->cache, &m->keys[n], 1, &hash, &e, NULL);
	expect(&m->t, e == before);
	e = cache_insert(m->cache, &m->keys[n], hash, m->now);
	if (e == NULL) {
		expect(&m->t, m->limited && before == NULL && m->left == left);
		m->refused++;
		return;
	}
	expect(&m->t, is_key(m->cache, e, &m->keys[n]));
	if (before != NULL) {
		expect(&m->t, e == before);
		return;
	}
	expect(&m->t, is_fresh(m->cache, e, m->now));
	m->entry[n] = e;
	m->tick[n] = m->now;
	m->packets[n] = 0;
	m->used++;
	m->inserts++;
}

// What a burst's entries have in common, as the look-up says it.
static void
model_alike(struct model *m, struct cache_entry *const *e, uint16_t n,
	const struct cache_alike *now, const struct cache_alike *said)
{
	struct cache_alike is = {.one = true};

	for (uint16_t i = 0; i < n; i++) {
		is.tick |= e[i]->last_tick ^ now->tick;
		is.gen |= e[i]->gen ^ now->gen;
		is.hint |= e[i]->hint ^ e[0]->hint;
		is.one &= e[i] == e[0];
	}
	expect(&m->t, said->tick == is.tick && said->gen == is.gen);
	expect(&m->t, said->hint == is.hint && said->one == is.one);
}

static void
model_burst(struct model *m)
{
	const struct cache_alike now = {.tick = m->now, .gen = below(&m->t, 4)};
	uint16_t n = (uint16_t)(1 + below(&m->t, CACHE_BURST_MAX));
	struct cache_entry *out[CACHE_BURST_MAX];
	struct flow_key keys[CACHE_BURST_MAX];
	uint64_t hashes[CACHE_BURST_MAX], hits;
	struct cache_alike alike = now;
	uint32_t which[CACHE_BURST_MAX];
	bool known = below(&m->t, 2) == 0, mixed = below(&m->t, 8) != 0;

	// Half of the bursts are of flows that are there, of which some are of one.
	for (uint16_t i = 0; i < n; i++) {
		which[i] = mixed || i == 0 ? below(&m->t, UNIVERSE) : which[0];
		for (unsigned tries = 0; known && m->entry[which[i]] == NULL && tries < 99; tries++)
			which[i] = below(&m->t, UNIVERSE);
		keys[i] = m->keys[which[i]];
	}
	hits = cache_lookup_burst(m->cache, keys, n, hashes, out, &alike);
	if (hits == UINT64_MAX >> (64 - n))
		model_alike(m, out, n, &now, &alike);
	for (uint16_t i = 0; i < n; i++) {
		uint32_t k = which[i];

		expect(&m->t, out[i] == m->entry[k]);
		expect(&m->t, ((hits >> i) & 1) == (out[i] != NULL));
		expect(&m->t, cache_lookup(m->cache, &keys[i]) == out[i]);
		if (out[i] == NULL)
			continue;
		m->packets[k]++;
		m->tick[k] = m->now + (below(&m->t, 10) == 0);
		out[i]->packets++;
		out[i]->last_tick = m->tick[k];
		out[i]->gen = below(&m->t, 4);
		out[i]->hint = below(&m->t, 4) << 30;
	}
	expect(&m->t, n == 64 || (hits >> n) == 0);
}

static void
model_expire(struct model *m)
{
	uint32_t max = 1 + below(&m->t, 64);
	uint64_t before = m->left;
	uint32_t gone;

	m->may_go = m->used;
	m->expiring = true;
	gone = cache_expire(m->cache, m->now, IDLE, max);
	m->expiring = false;
	expect(&m->t, gone == m->left - before);
	if (max <= m->cache->bucket_mask)
		return;
	for (uint32_t n = 0; n < UNIVERSE; n++)
		expect(&m->t, m->entry[n] == NULL || idle_of(m, n) <= IDLE);
}

static void
model_seen(void *ctx, const struct cache_entry *e)
{
	struct model *m = ctx;
	uint32_t n = number_of(m->cache, e);

	expect(&m->t, n < UNIVERSE && m->entry[n] == e && m->seen[n] == 0);
	m->seen[n] = 1;
}

static void
model_walk(struct model *m)
{
	uint32_t cursor = 0, seen = 0, max = 1 + below(&m->t, 20);

	memset(m->seen, 0, sizeof(m->seen));
	while (cache_walk(m->cache, &cursor, max, model_seen, m))
		;
	for (uint32_t n = 0; n < UNIVERSE; n++)
		seen += m->seen[n];
	expect(&m->t, seen == m->used);
}

// Each entry is in one of its two buckets under its signature, and each bucket knows how many of
// its own are in their second one.
static void
check_buckets(struct model *m)
{
	uint32_t moved[128] = {0}, used = 0, n_buckets = (uint32_t)m->cache->bucket_mask + 1;

	assert_true(n_buckets <= 128);
	for (uint32_t i = 0; i < n_buckets * CACHE_WAYS; i++) {
		const struct cache_bucket *b = &m->cache->buckets[i / CACHE_WAYS];
		unsigned slot = i % CACHE_WAYS;
		struct flow_key key;
		uint64_t hash;

		if ((b->used & 1u << slot) == 0)
			continue;
		cache_key(&m->cache->entries[b->idx[slot]], cache_apart(m->cache), &key);
		hash = cache_hash(&m->cache->secret, &key);
		expect(&m->t, b->sig[slot] == cache_sig(hash));
		expect(&m->t,
			b == cache_first(m->cache, hash) || b == cache_second(m->cache, hash));
		if (b != cache_first(m->cache, hash))
			moved[cache_first(m->cache, hash) - m->cache->buckets]++;
		used++;
	}
	for (uint32_t i = 0; i < n_buckets; i++)
		expect(&m->t, m->cache->buckets[i].moved == moved[i]);
	expect(&m->t, used == m->used);
}

static void
model_step(struct model *m)
{
	uint32_t what = below(&m->t, 100), n = below(&m->t, UNIVERSE);

	if (what < 50) {
		model_insert(m);
	} else if (what < 80) {
		model_burst(m);
	} else if (what < 90) {
		m->may_go = 1;
		if (m->entry[n] != NULL)
			cache_remove(m->cache, m->entry[n]);
		expect(&m->t, m->entry[n] == NULL);
	} else if (what < 95) {
		m->now += below(&m->t, 8);
	} else if (what < 98) {
		model_expire(m);
	} else if (what < 99 || below(&m->t, 20) > 0) {
		model_walk(m);
	} else {
		m->may_go = m->used;
		cache_clear(m->cache);
		expect(&m->t, m->used == 0);
	}
}

static void
test_model(void **state)
{
	static const uint32_t sizes[] = {64, 128, 400};
	struct cache_stats st;
	(void)state;

	// The second half by the code for any CPU, whatever this one can.
	for (unsigned i = 0; i < 6; i++) {
		struct model *m = calloc(1, sizeof(*m));

		m->t = trial_start(11 + i);
		m->now = UINT32_MAX - 500; // ticks wrap on the way
		for (uint32_t n = 0; n < UNIVERSE; n++)
			key_number(n, &m->keys[n]);
		assert_int_equal(
			cache_new(sizes[i % 3], SOCKET_ID_ANY, m->t.seed, model_left, m, &m->cache),
			0);
		m->cache->wide &= i < 3;
		for (; m->t.step < 20000; m->t.step++) {
			model_step(m);
			cache_stats_get(m->cache, &st);
			expect(&m->t, st.used == m->used && st.inserts == m->inserts);
			expect(&m->t, st.refused == m->refused);
			expect(&m->t, st.used <= st.size);
			check_buckets(m);
		}
		cache_free(m->cache);
		free(m);
	}
}

static struct cache_entry *
insert_number(struct cache *c, uint32_t n, uint32_t tick)
{
	struct flow_key key;

	key_number(n, &key);
	return cache_insert(c, &key, cache_hash(&c->secret, &key), tick);
}

// As many flows as were asked for fit, without one that leaves early, in the memory promised.
static void
test_capacity(void **state)
{
	static const uint32_t sizes[] = {64, 1000, 30000, 74896, 1000000};
	struct cache_stats st;
	struct cache *c;
	(void)state;

	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(cache_new(sizes[i], SOCKET_ID_ANY, 5, NULL, NULL, &c), 0);
		for (uint32_t n = 0; n < sizes[i]; n++)
			insert_number(c, n, 0);
		cache_stats_get(c, &st);
		assert_int_equal(st.used, sizes[i]);
		assert_int_equal(st.evicted_full, 0);
		assert_true(st.size >= sizes[i] && st.size < sizes[i] + 8);
		if (sizes[i] == 1000000)
			assert_true(st.memory <= 160000000);
		insert_number(c, sizes[i], 0);
		cache_stats_get(c, &st);
		assert_int_equal(st.evicted_full, st.used + 1 - st.size);
		cache_free(c);
	}
}

// Flows in use outlive a flood of ten times the size.
static void
test_flood(void **state)
{
	const uint32_t size = 1000, hot = 100;
	struct flow_key key;
	uint32_t alive = 0;
	struct cache *c;
	(void)state;

	assert_int_equal(cache_new(size, SOCKET_ID_ANY, 6, NULL, NULL, &c), 0);
	for (uint32_t n = 0; n < hot; n++)
		insert_number(c, n, 0);
	for (uint32_t i = 0; i < 10 * size; i++) {
		insert_number(c, hot + i, i / 10);
		if (i % 10 != 0)
			continue;
		for (uint32_t n = 0; n < hot; n++) {
			struct cache_entry *e;

			key_number(n, &key);
			e = cache_lookup(c, &key);
			if (e != NULL)
				e->last_tick = i / 10;
		}
	}
	for (uint32_t n = 0; n < hot; n++) {
		key_number(n, &key);
		alive += cache_lookup(c, &key) != NULL;
	}
	assert_true(alive >= hot - 1);
	cache_free(c);
}

// A full cache whose flows are all in use: they leave for CACHE_USED_TOKENS each, and for nothing
// when there are fewer; those of one packet leave for one.
static void
test_budget(void **state)
{
	const uint32_t size = 1000, tokens = CACHE_USED_TOKENS - 1;
	uint32_t taken = 0;
	struct cache_stats st;
	struct cache *c;
	(void)state;

	assert_int_equal(cache_new(size, SOCKET_ID_ANY, 6, NULL, NULL, &c), 0);
	cache_budget(c, 0);
	for (uint32_t n = 0; n < size; n++) { // while there is room none is needed
		struct cache_entry *e = insert_number(c, n, 100);

		assert_non_null(e);
		e->packets = n % 4 == 0 ? 1 : 2;
	}
	for (uint32_t n = 0; n < 100; n++)
		assert_null(insert_number(c, size + n, 100));
	cache_stats_get(c, &st);
	assert_int_equal(st.refused, 100);
	assert_int_equal(st.used, size);
	assert_int_equal(st.evicted_full, 0);
	// One of a single packet is near in nearly every case, and none of the others goes.
	cache_budget(c, tokens);
	for (uint32_t n = 0; n < size; n++)
		taken += insert_number(c, 2 * size + n, 100) != NULL;
	assert_in_range(taken, tokens - 3, tokens);
	for (uint32_t n = 0; n < size; n++) {
		struct flow_key key;

		key_number(n, &key);
		assert_true(n % 4 == 0 || cache_lookup(c, &key) != NULL);
	}
	cache_free(c);
}

// Tokens add up until they reach for a flow in use, and not beyond that.
static void
test_budget_adds_up(void **state)
{
	const uint32_t size = 64;
	struct cache *c;
	(void)state;

	assert_int_equal(cache_new(size, SOCKET_ID_ANY, 6, NULL, NULL, &c), 0);
	for (uint32_t n = 0; n < size; n++)
		insert_number(c, n, 100)->packets = 2;
	cache_budget(c, CACHE_USED_TOKENS / 2);
	assert_null(insert_number(c, size, 100));
	for (uint32_t n = 0; n < 10; n++)
		cache_budget(c, CACHE_USED_TOKENS / 2);
	assert_non_null(insert_number(c, size, 100));
	assert_null(insert_number(c, size + 1, 100));
	// A flow that nobody has used for a second costs one.
	cache_budget(c, 1);
	assert_non_null(insert_number(c, size + 1, 100 + CACHE_ONCE_TICKS));
	assert_null(insert_number(c, size + 2, 100 + CACHE_ONCE_TICKS));
	cache_budget(c, CACHE_NO_BUDGET);
	for (uint32_t n = 0; n < 10000; n++)
		assert_non_null(insert_number(c, size + n, 100));
	cache_free(c);
}

struct hashed {
	uint64_t place; // first bucket and signature
	uint32_t n;
};

static int
by_place(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return (x->place > y->place) - (x->place < y->place);
}

// Keys that agree in bucket and signature are told apart, whichever comes first and goes first.
static void
collide(struct cache *c, const struct hashed *group, uint32_t n)
{
	struct cache_entry *e[16];
	struct flow_key key;

	for (uint32_t i = 0; i < n; i++) {
		key_number(group[i].n, &key);
		e[i] = cache_insert(c, &key, cache_hash(&c->secret, &key), 0);
		for (uint32_t j = 0; j <= i; j++) {
			key_number(group[j].n, &key);
			assert_ptr_equal(cache_lookup(c, &key), e[j]);
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		cache_remove(c, e[i]);
		for (uint32_t j = 0; j < n; j++) {
			key_number(group[j].n, &key);
			assert_ptr_equal(cache_lookup(c, &key), j <= i ? NULL : e[j]);
		}
	}
}

static void
test_collisions(void **state)
{
	const uint32_t keys = 300000;
	struct hashed *all = malloc(keys * sizeof(*all));
	uint32_t groups = 0;
	struct cache *c;
	(void)state;

	assert_int_equal(cache_new(64, SOCKET_ID_ANY, 7, NULL, NULL, &c), 0);
	for (uint32_t n = 0; n < keys; n++) {
		struct flow_key key;
		uint64_t hash;

		key_number(n, &key);
		hash = cache_hash(&c->secret, &key);
		all[n] = (struct hashed){
			.place = (uint64_t)cache_sig(hash) << 32 | (hash & c->bucket_mask), .n = n};
	}
	qsort(all, keys, sizeof(*all), by_place);
	for (uint32_t at = 0, n; at < keys; at += n) {
		for (n = 1; at + n < keys && all[at + n].place == all[at].place; n++)
			;
		if (n < 4)
			continue;
		collide(c, &all[at], n > 16 ? 16 : n);
		groups++;
	}
	assert_true(groups > 20);
	cache_free(c);
	free(all);
}

// One bucket hit by many keys: the first 16 find room (8 there, others elsewhere), then the oldest
// leaves, and never the newest.
static void
test_one_bucket(void **state)
{
	struct flow_key key, last;
	uint32_t inserted = 0;
	struct cache_stats st;
	struct cache *c;
	(void)state;

	assert_int_equal(cache_new(4096, SOCKET_ID_ANY, 8, NULL, NULL, &c), 0);
	flow_key_init(&last, 0, 0);
	for (uint32_t n = 0; inserted < 200; n++) {
		uint64_t hash;

		key_number(n, &key);
		hash = cache_hash(&c->secret, &key);
		if (cache_first(c, hash) != &c->buckets[3])
			continue;
		cache_insert(c, &key, hash, inserted++);
		if (inserted > 1)
			assert_non_null(cache_lookup(c, &last));
		last = key;
	}
	cache_stats_get(c, &st);
	assert_int_equal(st.evicted_full + st.used, 200);
	assert_true(st.used >= 100); // second buckets take what the first one cannot
	cache_free(c);
}

// Counters are of 47 and 63 bits, whatever a packet adds.
static void
test_counters(void **state)
{
	uint64_t packets = 0, bytes = 0;
	struct cache_entry *e;
	struct cache_flow f;
	struct flow_key key;
	struct trial t = trial_start(23);
	struct cache *c;
	(void)state;

	assert_int_equal(cache_new(64, SOCKET_ID_ANY, 9, NULL, NULL, &c), 0);
	key_number(1, &key);
	e = cache_insert(c, &key, cache_hash(&c->secret, &key), 0);
	for (; t.step < 1000; t.step++) {
		uint32_t p = below(&t, UINT32_MAX), b = below(&t, UINT32_MAX);

		cache_count(e, cache_apart(c), p, b);
		packets += p;
		bytes += b;
		cache_read(e, cache_apart(c), &f);
		expect(&t, f.packets == packets && f.bytes == bytes);
		expect(&t, cache_packets(e, cache_apart(c)) == packets);
	}
	cache_free(c);
}

static void
test_arguments(void **state)
{
	struct cache *c = NULL;
	(void)state;

	assert_int_equal(cache_new(0, SOCKET_ID_ANY, 1, NULL, NULL, &c), -EINVAL);
	assert_int_equal(cache_new(63, SOCKET_ID_ANY, 1, NULL, NULL, &c), -EINVAL);
	assert_int_equal(cache_new((1u << 26) + 1, SOCKET_ID_ANY, 1, NULL, NULL, &c), -EINVAL);
	assert_null(c);
	cache_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_budget_adds_up),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_one_bucket),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests(tests, engine_eal, engine_eal_end);
}

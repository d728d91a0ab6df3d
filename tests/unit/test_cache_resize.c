// SPDX-License-Identifier: BSD-3-Clause
// A cache that takes another one over: against a model, and what stays when it is smaller.
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
	struct cache *cache, *old; // old: being taken over, or NULL
	bool wide;
	struct flow_key keys[UNIVERSE];
	struct cache_flow flow[UNIVERSE];
	uint32_t hint[UNIVERSE];
	bool in[UNIVERSE];
	uint32_t now, used;
	uint64_t inserts, expired, left, resizes;
	bool may_leave;
};

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
number_of(const struct flow_key *key)
{
	uint32_t n;

	memcpy(&n, key->l3 == FLOW_L3_IPV6 ? key->dst + 8 : key->src, sizeof(n));
	return n;
}

static bool
is_flow(const struct model *m, const struct cache_entry *e, uint32_t n)
{
	struct cache_flow f;

	memset(&f, 0, sizeof(f));
	cache_read(e, cache_apart(m->cache), &f);
	return e->hint == m->hint[n] && memcmp(&f, &m->flow[n], sizeof(f)) == 0;
}

static void
model_left(void *ctx, const struct cache_entry *e)
{
	struct model *m = ctx;
	struct flow_key key;
	uint32_t n;

	cache_key(e, cache_apart(m->cache), &key);
	n = number_of(&key);
	expect(&m->t, m->may_leave && n < UNIVERSE && m->in[n] && is_flow(m, e, n));
	m->in[n] = false;
	m->used--;
	m->left++;
}

// All that a flow has, as its owner writes it.
static void
write_flow(struct model *m, struct cache_entry *e, uint32_t n)
{
	struct cache_more *more = cache_more(e, cache_apart(m->cache));
	uint32_t packets = 1 + below(&m->t, 3) * below(&m->t, UINT32_MAX / 2);

	cache_count(e, cache_apart(m->cache), packets, below(&m->t, UINT32_MAX));
	e->last_tick = m->now - below(&m->t, 3) * below(&m->t, 2 * CACHE_ONCE_TICKS);
	e->gen = below(&m->t, 4);
	e->rate = below(&m->t, UINT32_MAX);
	e->hint = m->hint[n] = below(&m->t, UINT32_MAX);
	more->flags = (uint16_t)below(&m->t, UINT16_MAX);
	memset(more->value, (int)below(&m->t, 256), sizeof(more->value));
	memset(&m->flow[n], 0, sizeof(m->flow[n]));
	cache_read(e, cache_apart(m->cache), &m->flow[n]);
}

static void
model_insert(struct model *m)
{
	uint32_t n = below(&m->t, UNIVERSE);
	bool was = m->in[n];
	struct cache_entry *e;
	uint64_t hash = cache_hash(&m->cache->secret, &m->keys[n]);

	e = cache_insert(m->cache, &m->keys[n], hash, m->now);
	expect(&m->t, e != NULL && m->in[n] == was);
	if (was) {
		expect(&m->t, is_flow(m, e, n));
	} else {
		m->in[n] = true;
		m->used++;
		m->inserts++;
	}
	write_flow(m, e, n);
}

static void
model_burst(struct model *m)
{
	uint16_t n = (uint16_t)(1 + below(&m->t, CACHE_BURST_MAX)), i;
	struct cache_alike alike = {.tick = m->now};
	struct cache_entry *out[CACHE_BURST_MAX];
	struct flow_key keys[CACHE_BURST_MAX];
	uint64_t hashes[CACHE_BURST_MAX], hits;
	uint32_t which[CACHE_BURST_MAX], moving = cache_moving(m->cache), ticks = 0;
	bool known = below(&m->t, 2) == 0;

	for (i = 0; i < n; i++) {
		which[i] = below(&m->t, UNIVERSE);
		for (unsigned tries = 0; known && !m->in[which[i]] && tries < 99; tries++)
			which[i] = below(&m->t, UNIVERSE);
		keys[i] = m->keys[which[i]];
	}
	hits = cache_lookup_burst(m->cache, keys, n, hashes, out, &alike);
	expect(&m->t, n == 64 || (hits >> n) == 0);
	for (i = 0; i < n; i++) {
		expect(&m->t, (hits >> i & 1) == m->in[which[i]]);
		expect(&m->t, (hits >> i & 1) == (out[i] != NULL));
		expect(&m->t, out[i] == NULL || is_flow(m, out[i], which[i]));
		ticks |= out[i] != NULL ? out[i]->last_tick ^ m->now : 0;
	}
	expect(&m->t, hits != UINT64_MAX >> (64 - n) || alike.tick == ticks);
	// Now that all are here nothing more comes, or leaves.
	expect(&m->t, moving != 0 || cache_moving(m->cache) == 0);
	moving = cache_moving(m->cache);
	m->may_leave = false;
	for (i = 0; i < n; i++) {
		expect(&m->t, cache_lookup(m->cache, &keys[i]) == out[i]);
		if (out[i] != NULL)
			write_flow(m, out[i], which[i]);
	}
	expect(&m->t, cache_moving(m->cache) == moving);
}

static void
model_resize(struct model *m)
{
	struct cache *next, *again;

	if (m->old != NULL)
		return;
	assert_int_equal(cache_new(64 + below(&m->t, 2 * UNIVERSE), SOCKET_ID_ANY, m->t.seed,
				 model_left, m, &next),
		0);
	next->wide &= m->wide;
	assert_int_equal(cache_take_over(next, m->cache), 0);
	m->old = m->cache;
	m->cache = next;
	m->resizes++;
	assert_int_equal(cache_new(64, SOCKET_ID_ANY, m->t.seed, model_left, m, &again), 0);
	expect(&m->t, cache_take_over(again, m->cache) == -EINVAL);
	cache_free(again);
}

static void
model_move(struct model *m)
{
	uint32_t before = cache_moving(m->cache);

	if (cache_move(m->cache, m->now, 1 + below(&m->t, 6))) {
		expect(&m->t, m->old != NULL && cache_moving(m->cache) <= before);
		return;
	}
	expect(&m->t, cache_moving(m->cache) == 0);
	cache_free(m->old);
	m->old = NULL;
}

static void
model_seen(void *ctx, const struct cache_entry *e)
{
	struct model *m = ctx;
	struct flow_key key;

	cache_key(e, cache_apart(m->cache), &key);
	expect(&m->t, m->in[number_of(&key)] && is_flow(m, e, number_of(&key)));
	m->inserts++;
}

static void
model_walk(struct model *m)
{
	uint64_t inserts = m->inserts;
	uint32_t cursor = 0;

	while (cache_walk(m->cache, &cursor, 1 + below(&m->t, 20), model_seen, m))
		;
	expect(&m->t, m->inserts - inserts == m->used - cache_moving(m->cache));
	m->inserts = inserts;
}

// Each flow is in one of the two, and no other is.
static void
model_check(const struct model *m)
{
	struct cache_stats st;
	uint32_t used = 0;

	for (uint32_t n = 0; n < UNIVERSE; n++) {
		uint64_t hash = cache_hash(&m->cache->secret, &m->keys[n]);
		bool here = cache_find(m->cache, &m->keys[n], hash) != NULL;
		bool there = m->old != NULL && cache_find(m->old, &m->keys[n], hash) != NULL;

		expect(&m->t, !(here && there) && m->in[n] == (here || there));
		used += m->in[n];
	}
	cache_stats_get(m->cache, &st);
	expect(&m->t, used == m->used && st.used == used && st.inserts == m->inserts);
	expect(&m->t, st.expired == m->expired);
	expect(&m->t, st.used - cache_moving(m->cache) <= st.size);
	expect(&m->t,
		st.memory == cache_memory(st.size) + (m->old != NULL ? m->old->stats.memory : 0));
}

static void
model_step(struct model *m)
{
	uint32_t what = below(&m->t, 1000), n = below(&m->t, UNIVERSE);

	m->may_leave = true;
	if (what < 400) {
		model_insert(m);
	} else if (what < 600) {
		model_burst(m);
	} else if (what < 900) {
		model_move(m);
	} else if (what < 930) {
		struct cache_entry *e = cache_lookup(m->cache, &m->keys[n]);

		expect(&m->t, (e != NULL) == m->in[n]);
		if (e != NULL)
			cache_remove(m->cache, e);
		expect(&m->t, !m->in[n]);
	} else if (what < 960) {
		m->now += below(&m->t, 8);
	} else if (what < 970) {
		m->expired += cache_expire(m->cache, m->now, IDLE, 1 + below(&m->t, 64));
	} else if (what < 975) {
		model_walk(m);
	} else if (what < 999) {
		model_resize(m);
	} else {
		cache_clear(m->cache);
		expect(&m->t, m->used == 0);
	}
}

static void
test_model(void **state)
{
	(void)state;

	// The second half by the code for any CPU, whatever this one can.
	for (unsigned i = 0; i < 6; i++) {
		struct model *m = calloc(1, sizeof(*m));

		assert_non_null(m);
		m->t = trial_start(31 + i);
		m->now = UINT32_MAX - 500; // ticks wrap on the way
		m->wide = i < 3;
		for (uint32_t n = 0; n < UNIVERSE; n++)
			key_number(n, &m->keys[n]);
		assert_int_equal(
			cache_new(200, SOCKET_ID_ANY, m->t.seed, model_left, m, &m->cache), 0);
		m->cache->wide &= m->wide;
		for (; m->t.step < 10000; m->t.step++) {
			model_step(m);
			model_check(m);
		}
		assert_true(m->resizes > 50 && m->left > 1000);
		cache_free(m->old);
		cache_free(m->cache);
		free(m);
	}
}

static void
count_gone(void *ctx, const struct cache_entry *e)
{
	uint64_t *n = ctx;

	(*n)++;
}

// size entries become other: used of them are in use, idle not. Returns how many of the former
// are there in the end.
static uint32_t
resized(uint32_t size, uint32_t other, uint32_t used, uint32_t idle)
{
	const uint32_t now = 1000;
	struct cache *c, *next;
	struct cache_stats st;
	uint32_t kept = 0;
	uint64_t left = 0;

	assert_int_equal(cache_new(size, SOCKET_ID_ANY, 3, count_gone, &left, &c), 0);
	assert_int_equal(cache_new(other, SOCKET_ID_ANY, 3, count_gone, &left, &next), 0);
	for (uint32_t n = 0; n < used + idle; n++) {
		bool in_use = (uint64_t)n * 7919 % (used + idle) < used;
		struct cache_entry *e;
		struct flow_key key;

		key_number(n, &key);
		e = cache_insert(c, &key, cache_hash(&c->secret, &key), now);
		e->packets = 2 + in_use;
		e->last_tick = now - (in_use ? n % 30 : CACHE_ONCE_TICKS + n % 600);
	}
	assert_int_equal(left, 0);
	assert_int_equal(cache_take_over(next, c), 0);
	while (cache_move(next, now, 8))
		;
	cache_free(c);
	for (uint32_t n = 0; n < used + idle; n++) {
		struct cache_entry *e;
		struct flow_key key;

		key_number(n, &key);
		e = cache_lookup(next, &key);
		kept += e != NULL && e->packets == 3;
	}
	cache_stats_get(next, &st);
	assert_int_equal(st.used + left, used + idle);
	assert_int_equal(st.evicted_full, left);
	// As many as fit.
	assert_int_equal(st.used, RTE_MIN(st.size, used + idle));
	cache_free(next);
	return kept;
}

// What fits stays; where not all does, what is in use; and of that as much as there is room for.
static void
test_what_stays(void **state)
{
	(void)state;

	assert_int_equal(resized(10000, 60000, 5000, 5000), 5000);
	assert_int_equal(resized(60000, 10000, 5000, 5000), 5000);
	assert_int_equal(resized(60000, 10000, 9900, 50000), 9900);
	assert_int_equal(resized(60000, 30000, 29000, 31000), 29000);
	assert_int_equal(resized(1024, 1024, 1024, 0), 1024);
	assert_int_equal(resized(60000, 10000, 60000, 0), 10000);
}

static void
test_arguments(void **state)
{
	struct cache *a, *b, *other;
	struct flow_key key;
	(void)state;

	assert_int_equal(cache_new(64, SOCKET_ID_ANY, 1, NULL, NULL, &a), 0);
	assert_int_equal(cache_new(64, SOCKET_ID_ANY, 1, NULL, NULL, &b), 0);
	assert_int_equal(cache_new(64, SOCKET_ID_ANY, 2, NULL, NULL, &other), 0);
	assert_int_equal(cache_take_over(other, a), -EINVAL); // of another seed
	key_number(1, &key);
	assert_non_null(cache_insert(b, &key, cache_hash(&b->secret, &key), 0));
	assert_int_equal(cache_take_over(b, a), -EINVAL); // not empty
	assert_int_equal(cache_take_over(a, b), 0);
	assert_int_equal(cache_moving(a), 1);
	assert_non_null(cache_lookup(a, &key));
	assert_int_equal(cache_moving(a), 0);
	assert_false(cache_move(a, 0, 1));
	assert_false(cache_move(a, 0, 1));
	cache_free(a);
	cache_free(b);
	cache_free(other);
	assert_int_equal(cache_memory(63), 0);
	assert_int_equal(cache_memory((1u << 26) + 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_what_stays),
		cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests(tests, engine_eal, engine_eal_end);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "engine_test.h"
#include "rules/rules.h"

// One writer that publishes, readers that look up meanwhile. Each commit changes two tables
// together: a reader that saw half of it would meet classes of two commits. Also for the thread
// sanitizer.

#define READERS 2
#define COMMITS 200
#define OTHERS 300 // entries that come and go beside
#define BURST 32

struct reader {
	pthread_t thread;
	struct shared *shared;
	_Atomic uint64_t rounds;
	uint64_t seen, wrong;
};

struct shared {
	struct rules_set *_Atomic set;
	atomic_bool stop;
	struct reader reader[READERS];
};

static struct rules_entry
entry(uint32_t id, uint16_t table, uint16_t priority, uint16_t cls)
{
	struct rules_entry e = {.id = id, .table = table, .priority = priority};

	flow_match_init(&e.match);
	e.actions.n = 1;
	e.actions.list[0] = (struct flow_action){.type = FLOW_ACT_CLASS, .index = cls};
	if (table == 0)
		e.actions.list[e.actions.n++] =
			(struct flow_action){.type = FLOW_ACT_GOTO, .index = 1};
	return e;
}

static void *
reader_main(void *arg)
{
	struct rules_result out[BURST];
	const struct flow_key *keys[BURST];
	struct flow_key key[BURST];
	struct reader *r = arg;

	for (uint32_t i = 0; i < BURST; i++) {
		flow_key_init(&key[i], 0, (uint16_t)i);
		key[i].src[0] = (uint8_t)(i * 7);
		keys[i] = &key[i];
	}
	while (!atomic_load_explicit(&r->shared->stop, memory_order_relaxed)) {
		const struct rules_set *s =
			atomic_load_explicit(&r->shared->set, memory_order_acquire);

		rules_lookup_burst(s, keys, BURST, out);
		for (unsigned i = 0; i < BURST; i++)
			r->wrong += out[i].n != 2 || out[i].actions.n != 2 ||
				    out[i].actions.list[0].index != out[i].actions.list[1].index;
		r->seen += BURST;
		atomic_fetch_add_explicit(&r->rounds, 1, memory_order_release);
	}
	return NULL;
}

// Until no reader uses what was published before.
static void
wait_for_readers(struct shared *sh)
{
	for (unsigned i = 0; i < READERS; i++) {
		uint64_t from = atomic_load_explicit(&sh->reader[i].rounds, memory_order_acquire);

		while (atomic_load_explicit(&sh->reader[i].rounds, memory_order_acquire) < from + 2)
			sched_yield();
	}
}

static void
replace(struct rules *r, uint32_t id, uint16_t table, uint16_t cls)
{
	struct rules_entry e = entry(id, table, 1, cls);

	rules_del(r, id);
	assert_int_equal(rules_add(r, &e, NULL), 0);
}

// An entry that no key of the readers matches, but that stands in their trees.
static void
other(struct trial *t, struct rules *r)
{
	uint32_t id = 2 + below(t, OTHERS);
	struct rules_entry e = entry(id, (uint16_t)below(t, 2), (uint16_t)(2 + below(t, 9)), 0);

	if (rules_del(r, id) == 0)
		return;
	for (unsigned i = 0; i < 4; i++)
		e.match.key.src[i] = (uint8_t)below(t, 256);
	e.match.key.src[3] |= 1;
	memset(e.match.mask.src, 0xff, 4);
	assert_int_equal(rules_add(r, &e, NULL), 0);
}

static void
test_readers(void **state)
{
	struct shared *sh = calloc(1, sizeof(*sh));
	struct rules *r = rules_new(2 + OTHERS);
	struct trial t = trial_start(51);
	struct rules_set *s, *old;
	(void)state;

	replace(r, 0, 0, 0);
	replace(r, 1, 1, 0);
	s = rules_commit(r);
	assert_non_null(s);
	atomic_store(&sh->set, s);
	for (unsigned i = 0; i < READERS; i++) {
		sh->reader[i].shared = sh;
		assert_int_equal(
			pthread_create(&sh->reader[i].thread, NULL, reader_main, &sh->reader[i]),
			0);
	}
	for (t.step = 1; t.step < COMMITS; t.step++) {
		replace(r, 0, 0, (uint16_t)t.step);
		replace(r, 1, 1, (uint16_t)t.step);
		for (uint32_t n = below(&t, 20); n > 0; n--)
			other(&t, r);
		old = s;
		s = rules_commit(r);
		assert_non_null(s);
		atomic_store_explicit(&sh->set, s, memory_order_release);
		wait_for_readers(sh);
		rules_set_put(old);
	}
	atomic_store(&sh->stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(sh->reader[i].thread, NULL);
		expect(&t, sh->reader[i].wrong == 0 && sh->reader[i].seen > 0);
	}
	rules_set_put(s);
	rules_free(r);
	free(sh);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_readers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "engine_test.h"
#include "qos/bucket.h"

#define HZ 2600000000ULL

// What a bucket may let through by `now`: the burst, and the rate times the time; in long double,
// token by token as the RFC says.
struct model {
	long double tokens, burst, per_cycle;
	uint64_t last;
};

static void
model_refill(struct model *m, uint64_t now)
{
	m->tokens += (long double)(now - m->last) * m->per_cycle;
	if (m->tokens > m->burst)
		m->tokens = m->burst;
	m->last = now;
}

// Random packets at random times: the bucket agrees with the model but for a hair around the limit.
static void
run(uint64_t rate, uint64_t burst, uint64_t mean_gap, uint64_t seed)
{
	struct trial t = trial_start(seed);
	uint64_t now = sl_rng_next(&t.rng) >> 8;
	struct qos_bucket b;
	struct model m = {.burst = burst, .tokens = burst, .last = now};

	m.per_cycle = (long double)rate / 8 / HZ;
	qos_bucket_init(&b, rate, burst, HZ, now);
	for (t.step = 0; t.step < 20000; t.step++) {
		uint32_t len = 64 + below(&t, 1455);
		bool got;

		now += below(&t, (uint32_t)(2 * mean_gap + 1));
		if (below(&t, 2000) == 0)
			now += HZ / 10;
		model_refill(&m, now);
		got = qos_bucket_take(&b, len, now);
		// A sixteenth of a byte may wait in the clock, and rounding adds up a little.
		if (m.tokens >= len + 2)
			expect(&t, got);
		if (m.tokens < (long double)len - 2)
			expect(&t, !got);
		if (got)
			m.tokens -= len;
		else if (m.tokens - len > 0)
			m.tokens = len;
		if (t.step % 1000 == 999) // drift must not add up unseen
			expect(&t, m.tokens - (long double)b.tokens / 65536 < 3 &&
					   (long double)b.tokens / 65536 - m.tokens < 3);
	}
}

static void
test_model(void **state)
{
	(void)state;
	run(1000000, 10000, 20000000, 51);
	run(10000000000ULL, 100000, 2000, 52);
	run(100000000000ULL, 2000, 200, 53);
	run(1000, 3000, 100000000, 54);
}

// A slow rate asked for very often is not rounded to nothing.
static void
test_no_rounding_down(void **state)
{
	uint64_t sent = 0, now = 0;
	struct qos_bucket b;
	(void)state;

	qos_bucket_init(&b, 8000, 2000, HZ, now); // 1000 bytes a second
	while (now < HZ) {
		now += 300;
		if (qos_bucket_take(&b, 10, now))
			sent += 10;
	}
	assert_in_range(sent, 2980, 3000); // the burst, and a second
}

static void
test_idle_does_not_pile_up(void **state)
{
	struct qos_bucket b;
	uint64_t now = 0;
	unsigned passed = 0;
	(void)state;

	qos_bucket_init(&b, 1000000000, 10000, HZ, now);
	now = 100 * HZ;
	for (unsigned i = 0; i < 100; i++)
		passed += qos_bucket_take(&b, 1000, now);
	assert_int_equal(passed, 10);
	assert_false(qos_bucket_take(&b, 1000, now - 5)); // a clock that went back gives nothing
}

// A packet longer than the burst passes when the bucket is full, and what it lacked is paid back.
static void
test_longer_than_burst(void **state)
{
	const uint64_t us = HZ / 1000000;
	struct qos_bucket b;
	uint64_t sent = 0;
	(void)state;

	qos_bucket_init(&b, 8000000, 100, HZ, 0); // a byte each microsecond; burst 2000
	for (uint64_t now = 0; now <= 10000000 * us; now += 100 * us)
		if (qos_bucket_take(&b, 64000, now))
			sent += 64000;
	assert_in_range(sent, 10000000 - 64000, 10000000 + 2 * 64000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_no_rounding_down),
		cmocka_unit_test(test_idle_does_not_pile_up),
		cmocka_unit_test(test_longer_than_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include <rte_memory.h>

#include "engine_eal.h"
#include "engine_test.h"
#include "qos/sched.h"

#define CLASSES 5
#define DEPTH 16
#define LEN_MAX 9000

// Two levels: classes 3 and 0 first, then 1, 2 and 4 by weight.
static const struct qos_class_cfg classes[CLASSES] = {
	{.level = 2, .weight = 1, .depth = DEPTH},
	{.level = 7, .weight = 1, .depth = DEPTH},
	{.level = 7, .weight = 2, .depth = DEPTH},
	{.level = 2, .weight = 3, .depth = DEPTH},
	{.level = 7, .weight = 10, .depth = 4 * DEPTH},
};

// A packet is its number; class and length are looked up by it.
struct packet {
	uint8_t cls;
	uint32_t len;
};

// The model: one FIFO per class. A packet that comes out must be the head of a class of the first
// level that holds any.
struct model {
	struct trial t;
	struct packet packets[65536];
	uint32_t fifo[CLASSES][4 * DEPTH]; // numbers
	uint32_t n[CLASSES];
	uint32_t next; // number of the next packet
	uint64_t full[CLASSES], in[CLASSES], out[CLASSES];
};

static void *
handle(uint32_t number)
{
	return (void *)(uintptr_t)(number + 1);
}

static uint32_t
held(const struct model *m)
{
	uint32_t sum = 0;

	for (unsigned c = 0; c < CLASSES; c++)
		sum += m->n[c];
	return sum;
}

static void
model_put(struct model *m, struct qos_sched **s, unsigned n_scheds)
{
	uint32_t number = m->next++ & 65535;
	uint8_t cls = (uint8_t)below(&m->t, CLASSES);
	uint32_t len = 60 + below(&m->t, below(&m->t, 4) ? 1500 : LEN_MAX - 60);
	bool room = m->n[cls] < classes[cls].depth;

	for (unsigned i = 0; i < n_scheds; i++)
		expect(&m->t, qos_sched_put(s[i], cls, handle(number), len) == room);
	m->full[cls] += !room;
	if (!room)
		return;
	m->packets[number] = (struct packet){.cls = cls, .len = len};
	m->fifo[cls][m->n[cls]++] = number;
	m->in[cls]++;
}

static void
model_out(struct model *m, const void *pkt, uint8_t cls)
{
	for (unsigned c = 0; c < CLASSES; c++)
		expect(&m->t, m->n[c] == 0 || classes[c].level >= classes[cls].level);
	expect(&m->t, m->n[cls] > 0 && pkt == handle(m->fifo[cls][0]));
	memmove(&m->fifo[cls][0], &m->fifo[cls][1], --m->n[cls] * sizeof(uint32_t));
	m->out[cls]++;
}

// One scheduler gives n packets and takes the last ones back, its twin gives only the others: both
// must be in the same state afterwards, so that they agree for ever.
static void
model_get(struct model *m, struct qos_sched *a, struct qos_sched *b)
{
	uint16_t n = (uint16_t)below(&m->t, 33), kept, got;
	void *pa[32], *pb[32];
	uint8_t ca[32], cb[32];

	got = qos_sched_get(a, pa, ca, n);
	expect(&m->t, got == (held(m) < n ? held(m) : n));
	kept = (uint16_t)below(&m->t, got + 1u);
	if (below(&m->t, 2) && kept < got) { // in two parts
		uint16_t middle = (uint16_t)(kept + below(&m->t, (uint32_t)(got - kept)));

		qos_sched_unget(a, &pa[middle], &ca[middle], (uint16_t)(got - middle));
		qos_sched_unget(a, &pa[kept], &ca[kept], (uint16_t)(middle - kept));
	} else {
		qos_sched_unget(a, &pa[kept], &ca[kept], (uint16_t)(got - kept));
	}
	expect(&m->t, qos_sched_get(b, pb, cb, kept) == kept);
	for (uint16_t i = 0; i < kept; i++) {
		expect(&m->t, pa[i] == pb[i] && ca[i] == cb[i]);
		model_out(m, pa[i], ca[i]);
	}
}

static void
check_stats(struct model *m, const struct qos_sched *s)
{
	expect(&m->t, qos_sched_held(s) == held(m));
	for (uint8_t c = 0; c < CLASSES; c++) {
		struct qos_class_stats st;

		qos_sched_class_stats(s, c, &st);
		expect(&m->t, st.held == m->n[c] && st.full == m->full[c]);
		expect(&m->t, st.enqueued == m->in[c] && st.dequeued == m->out[c]);
		expect(&m->t, st.held_max <= classes[c].depth && st.held_max >= st.held);
	}
}

static void
drain(struct qos_sched *s)
{
	void *pkts[32];

	while (qos_sched_get(s, pkts, NULL, 32) > 0)
		;
	qos_sched_free(s);
}

static void
test_model(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	struct qos_sched *s[2];
	(void)state;

	m->t = trial_start(61);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(qos_sched_new(classes, CLASSES, SOCKET_ID_ANY, &s[i]), 0);
	for (; m->t.step < 60000; m->t.step++) {
		// Phases in which the rings fill and in which they run empty.
		if (below(&m->t, 100) < (m->t.step / 500 % 2 ? 97 : 85))
			model_put(m, s, 2);
		else
			model_get(m, s[0], s[1]);
		check_stats(m, s[0]);
		check_stats(m, s[1]);
	}
	drain(s[0]);
	drain(s[1]);
	free(m);
}

// Classes that always have something get bytes by their weights, whatever their packet sizes.
static void
test_shares(void **state)
{
	static const struct qos_class_cfg cfg[4] = {
		{.level = 1, .weight = 10, .depth = 64},
		{.level = 1, .weight = 20, .depth = 64},
		{.level = 1, .weight = 70, .depth = 64},
		{.level = 9, .weight = 1000, .depth = 64},
	};
	static const uint32_t len[4] = {64, 9000, 1500, 1500};
	uint64_t bytes[4] = {0}, total = 0;
	struct qos_sched *s;
	(void)state;

	assert_int_equal(qos_sched_new(cfg, 4, SOCKET_ID_ANY, &s), 0);
	for (unsigned i = 0; i < 40000; i++) {
		void *pkts[16];
		uint8_t cls[16];
		uint16_t n;

		for (uint8_t c = 0; c < 4; c++)
			while (qos_sched_put(s, c, handle(i), len[c]))
				;
		n = qos_sched_get(s, pkts, cls, 16);
		assert_int_equal(n, 16);
		for (uint16_t j = 0; j < n; j++) {
			bytes[cls[j]] += len[cls[j]];
			total += len[cls[j]];
		}
	}
	assert_int_equal(bytes[3], 0); // the level above never ran dry
	for (unsigned c = 0; c < 3; c++) {
		uint64_t due = total * cfg[c].weight / 100;

		assert_in_range(bytes[c], due * 99 / 100, due * 101 / 100);
	}
	drain(s);
}

// A class that sent little saves nothing up for later.
static void
test_no_hoarding(void **state)
{
	static const struct qos_class_cfg cfg[2] = {
		{.level = 0, .weight = 5, .depth = 64}, {.level = 0, .weight = 5, .depth = 64}};
	void *pkts[40];
	uint8_t cls[40];
	struct qos_sched *s;
	unsigned second = 0;
	(void)state;

	assert_int_equal(qos_sched_new(cfg, 2, SOCKET_ID_ANY, &s), 0);
	for (unsigned i = 0; i < 2000; i++) {
		while (qos_sched_put(s, 0, handle(i), 1500))
			;
		(void)qos_sched_put(s, 1, handle(i), 64);
		assert_int_equal(qos_sched_get(s, pkts, NULL, 8), 8);
	}
	while (qos_sched_put(s, 1, handle(1), 1500))
		;
	assert_int_equal(qos_sched_get(s, pkts, cls, 40), 40);
	for (unsigned i = 0; i < 40; i++)
		second += cls[i];
	assert_in_range(second, 17, 23);
	drain(s);
}

static void
test_arguments(void **state)
{
	struct qos_class_cfg c[QOS_CLASSES_MAX + 1];
	struct qos_sched *s = NULL;
	void *pkt;
	(void)state;

	for (unsigned i = 0; i <= QOS_CLASSES_MAX; i++)
		c[i] = (struct qos_class_cfg){
			.level = (uint8_t)(255 - i), .weight = 1, .depth = 16};
	assert_int_equal(qos_sched_new(c, 0, SOCKET_ID_ANY, &s), -EINVAL);
	assert_int_equal(qos_sched_new(c, QOS_CLASSES_MAX + 1, SOCKET_ID_ANY, &s), -EINVAL);
	c[0].depth = 8;
	assert_int_equal(qos_sched_new(c, 1, SOCKET_ID_ANY, &s), -EINVAL);
	c[0].depth = 24;
	assert_int_equal(qos_sched_new(c, 1, SOCKET_ID_ANY, &s), -EINVAL);
	c[0].depth = 131072;
	assert_int_equal(qos_sched_new(c, 1, SOCKET_ID_ANY, &s), -EINVAL);
	c[0].depth = 16;
	c[0].weight = 0;
	assert_int_equal(qos_sched_new(c, 1, SOCKET_ID_ANY, &s), -EINVAL);
	c[0].weight = 1001;
	assert_int_equal(qos_sched_new(c, 1, SOCKET_ID_ANY, &s), -EINVAL);
	c[0].weight = 1000;
	assert_int_equal(qos_sched_new(c, QOS_CLASSES_MAX, SOCKET_ID_ANY, &s), 0);
	// The last class has the first level.
	assert_true(qos_sched_put(s, 0, handle(1), 0));
	assert_true(qos_sched_put(s, QOS_CLASSES_MAX - 1, handle(2), 100));
	assert_int_equal(qos_sched_get(s, &pkt, NULL, 1), 1);
	assert_ptr_equal(pkt, handle(2));
	assert_int_equal(qos_sched_get(s, &pkt, NULL, 1), 1);
	assert_ptr_equal(pkt, handle(1));
	assert_int_equal(qos_sched_get(s, &pkt, NULL, 1), 0);
	qos_sched_free(s);
	qos_sched_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_no_hoarding),
		cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests(tests, engine_eal, engine_eal_end);
}

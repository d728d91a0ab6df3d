// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <sched.h>

#include "dp_support.h"

// Receive queues change their workers while packets flow: no packet of a flow is overtaken, none is
// lost, the ledger holds after every step. By hand, loop by loop in random order; and with a thread
// for each worker.

#define FLOWS 4  // of each queue
#define QUEUES 3 // of the port that packets come in by
#define ALL (FLOWS * QUEUES)

static uint64_t takeovers;

static struct dp_takeover *
takeover_new(struct dp_port *p, uint16_t queue, uint8_t to, bool rings)
{
	struct dp_takeover *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->number = ++takeovers;
	t->port = p;
	t->queue = queue;
	t->from = p->rxq_worker[queue];
	t->to = to;
	t->rings = rings;
	return t;
}

// The queue is the new worker's in what is published, and the takeover says from when on.
static void
move_begin(struct bench *b, uint16_t queue, uint8_t to, bool rings)
{
	struct dp_port *p = b->vport[0].port;

	b->takeover = takeover_new(p, queue, to, rings);
	p->rxq_worker[queue] = to;
	bench_publish(b);
}

static bool
move_ended(const struct bench *b)
{
	return atomic_load_explicit(&b->takeover->ended, memory_order_acquire) != 0;
}

static void
move_forget(struct bench *b)
{
	struct dp_takeover *t = b->takeover;

	b->takeover = NULL;
	bench_publish(b);
	free(t);
}

// As control does it; false: the old worker was faster.
static bool
move_call_off(struct bench *b)
{
	struct dp_port *p = b->vport[0].port;
	uint32_t waits = DP_TAKEOVER_WAITS;

	if (!atomic_compare_exchange_strong(&b->takeover->state, &waits, DP_TAKEOVER_OFF))
		return false;
	p->rxq_worker[b->takeover->queue] = b->takeover->from;
	move_forget(b);
	return true;
}

static struct rte_mbuf *
numbered(struct bench *b, uint16_t flow, uint32_t number)
{
	struct frame f = {.src = 1,
		.dst = 2,
		.ip_src = 1,
		.ip_dst = 2,
		.dport = flow,
		.stamp = (uint32_t)flow << 24 | number};

	return frame_make(b, &f);
}

static void
once(struct bench *b, uint16_t w)
{
	dp_worker_once(b->dp->worker[w]);
	dp_worker_offline(b->dp->worker[w]);
}

// ---- one thing at a time

// Without a transmit queue of its own the old worker hands its packets over: the new one, which has
// it, waits until it has sent them itself.
static void
after_hand_over(void **state)
{
	struct bench b;
	struct rte_mbuf *m;
	unsigned i;

	bench_begin(&b, 2, 1, 2);
	bench_rule(&b, 1, 1, "port=0", "output=1");
	b.vport[0].port->rxq_worker[0] = 1;
	bench_publish(&b);
	once(&b, 0);
	for (i = 0; i < 10; i++)
		bench_feed(&b, 0, 0, numbered(&b, 1, i));
	once(&b, 1); // they are on their way to worker 0
	for (; i < 20; i++)
		bench_feed(&b, 0, 0, numbered(&b, 1, i));
	move_begin(&b, 0, 0, false);
	// It takes up the snapshot first: the queue is not its own yet.
	once(&b, 0);
	assert_int_equal(bench_dev(&b, 0)->rx[0].n, 10);
	assert_false(move_ended(&b));
	once(&b, 1);
	assert_int_equal(b.takeover->state, DP_TAKEOVER_LEFT);
	once(&b, 0);
	assert_true(move_ended(&b));
	for (i = 0; i < 20; i++) {
		m = bench_out(&b, 1);
		assert_non_null(m);
		assert_int_equal(frame_stamp(m) & 0xffffff, i);
		rte_pktmbuf_free(m);
	}
	move_forget(&b);
	bench_run(&b);
	bench_end(&b);
}

// The device has not sent what the old worker gave it: its other transmit queue waits.
static void
after_device(void **state)
{
	struct bench b;
	unsigned i;

	bench_begin(&b, 2, 2, 2);
	bench_rule(&b, 1, 1, "port=0", "output=1");
	bench_publish(&b);
	bench_dev(&b, 1)->tx_tells = true;
	for (i = 0; i < 10; i++)
		bench_feed(&b, 0, 0, numbered(&b, 1, i));
	once(&b, 0);
	bench_feed(&b, 0, 0, numbered(&b, 1, i));
	move_begin(&b, 0, 1, false);
	for (i = 0; i < 5; i++) {
		once(&b, 0);
		once(&b, 1);
	}
	assert_int_equal(b.takeover->state, DP_TAKEOVER_WAITS);
	assert_int_equal(bench_dev(&b, 1)->tx[1].n, 0);
	assert_int_equal(bench_count_out(&b, 1), 10);
	once(&b, 0);
	once(&b, 1);
	assert_true(move_ended(&b));
	assert_int_equal(bench_dev(&b, 1)->tx[1].n, 1);
	move_forget(&b);
	bench_count_out(&b, 1);
	bench_end(&b);
}

// A device that is never idle: once as many packets as it has descriptors went after them, those
// that count are sent.
static void
after_a_round_of_descriptors(void **state)
{
	struct bench b;
	unsigned i;

	bench_begin(&b, 2, 2, 2);
	bench_rule(&b, 1, 1, "port=0", "output=1");
	b.vport[0].port->rxq_worker[1] = 0; // what keeps the device busy
	bench_publish(&b);
	b.vport[1].port->tx_desc = 64;
	bench_dev(&b, 1)->tx_busy[0] = true;
	bench_feed(&b, 0, 0, numbered(&b, 1, 0));
	once(&b, 0);
	move_begin(&b, 0, 1, false);
	for (i = 0; i < 63; i++) {
		bench_feed(&b, 0, 1, numbered(&b, 2, i));
		once(&b, 0);
		once(&b, 1);
		assert_int_equal(b.takeover->state, DP_TAKEOVER_WAITS);
	}
	bench_feed(&b, 0, 1, numbered(&b, 2, i));
	once(&b, 0);
	once(&b, 1);
	assert_true(move_ended(&b));
	move_forget(&b);
	bench_count_out(&b, 1);
	bench_end(&b);
}

// Called off, the queue is polled by the old worker, and the new one never touched it.
static void
called_off(void **state)
{
	struct bench b;

	bench_begin(&b, 2, 2, 2);
	bench_rule(&b, 1, 1, "port=0", "output=1");
	bench_publish(&b);
	bench_dev(&b, 1)->tx_busy[0] = true;
	bench_feed(&b, 0, 0, numbered(&b, 1, 0));
	once(&b, 0);
	move_begin(&b, 0, 1, false);
	bench_feed(&b, 0, 0, numbered(&b, 1, 1));
	once(&b, 1);
	once(&b, 0);
	assert_true(move_call_off(&b));
	once(&b, 1);
	assert_int_equal(bench_dev(&b, 0)->rx[0].n, 1);
	once(&b, 0);
	assert_int_equal(bench_dev(&b, 0)->rx[0].n, 0);
	assert_int_equal(bench_count_out(&b, 1), 2);
	bench_end(&b);
}

// What lies in a ring goes before what the new worker sends directly, where that is asked for.
static void
after_rings(void **state)
{
	struct bench b;

	bench_begin(&b, 2, 2, 2);
	bench_rule(&b, 1, 1, "port=0", "ring,output=1");
	bench_publish(&b);
	bench_dev(&b, 1)->room = 0;
	bench_feed(&b, 0, 0, numbered(&b, 1, 0));
	bench_run(&b);
	assert_int_equal(dp_held(b.dp), 1);
	move_begin(&b, 0, 1, true);
	bench_run(&b);
	assert_int_equal(b.takeover->state, DP_TAKEOVER_WAITS);
	bench_dev(&b, 1)->room = UINT32_MAX;
	bench_run(&b);
	once(&b, 0);
	once(&b, 1);
	assert_true(move_ended(&b));
	move_forget(&b);
	assert_int_equal(bench_count_out(&b, 1), 1);
	bench_end(&b);
}

// The ring is served by the worker that leaves, and the device is never idle: what lay in the ring
// counts as sent only when as many packets as there are descriptors went after it.
static void
after_rings_and_descriptors(void **state)
{
	const uint32_t desc = 32;
	struct bench b;
	uint32_t i;

	bench_begin(&b, 3, 2, 2);
	bench_rule(&b, 1, 1, "port=0 udp dport=1", "ring,class=1,output=2");
	bench_rule(&b, 2, 1, "port=0 udp dport=2", "ring,class=0,output=2");
	b.vport[0].port->rxq_worker[1] = 0; // what keeps the device busy
	bench_publish(&b);
	assert_int_equal(b.vport[2].port->sched_owner, 0);
	b.vport[2].port->tx_desc = desc;
	bench_dev(&b, 2)->tx_busy[0] = true;
	bench_dev(&b, 2)->room = 0;
	bench_feed(&b, 0, 0, numbered(&b, 1, 0));
	for (i = 0; i < desc; i++)
		bench_feed(&b, 0, 1, numbered(&b, 2, i));
	bench_run(&b);
	assert_int_equal(dp_held(b.dp), desc + 1);
	move_begin(&b, 0, 1, true);
	bench_dev(&b, 2)->room = UINT32_MAX;
	for (i = 0; i < 5; i++) {
		once(&b, 0);
		once(&b, 1);
	}
	assert_int_equal(dp_held(b.dp), 0);
	assert_int_equal(b.takeover->state, DP_TAKEOVER_WAITS);
	for (i = 0; i < desc; i++)
		bench_feed(&b, 0, 1, numbered(&b, 2, i));
	for (i = 0; i < 5; i++) {
		once(&b, 0);
		once(&b, 1);
	}
	assert_true(move_ended(&b));
	move_forget(&b);
	assert_int_equal(bench_count_out(&b, 2), 2 * desc + 1);
	bench_end(&b);
}

// The ring is served by a third worker, whose device has not sent what came out of it.
static void
after_rings_of_another(void **state)
{
	struct bench b;
	unsigned i;

	bench_begin(&b, 3, 3, 3);
	bench_rule(&b, 1, 1, "port=0", "ring,output=2");
	bench_publish(&b);
	assert_int_equal(b.vport[2].port->sched_owner, 2);
	bench_dev(&b, 2)->tx_busy[2] = true;
	bench_feed(&b, 0, 0, numbered(&b, 1, 0));
	bench_run(&b);
	move_begin(&b, 0, 1, true);
	for (i = 0; i < 5; i++) {
		once(&b, 0);
		once(&b, 1);
		once(&b, 2);
	}
	assert_int_equal(b.takeover->state, DP_TAKEOVER_WAITS);
	bench_dev(&b, 2)->tx_busy[2] = false;
	once(&b, 2);
	once(&b, 0);
	once(&b, 1);
	assert_true(move_ended(&b));
	move_forget(&b);
	assert_int_equal(bench_count_out(&b, 2), 1);
	bench_end(&b);
}

// ---- everything at random

struct trial {
	struct bench b;
	struct sl_rng rng;
	unsigned seed;
	uint32_t fed[ALL], next[ALL]; // numbers of each flow
	uint64_t sent;
	unsigned moves, off;
};

// The device sends something of one of its queues, whichever it likes.
static void
send_some(struct trial *t)
{
	struct fake *f = bench_dev(&t->b, 1);
	unsigned n = sl_rng_below(&t->rng, 200);
	uint16_t q = (uint16_t)sl_rng_below(&t->rng, t->b.vport[1].port->n_txq);
	struct rte_mbuf *m;

	while (n-- > 0 && (m = fake_pop(&f->tx[q])) != NULL) {
		uint32_t stamp = frame_stamp(m), flow = stamp >> 24;

		assert_true(flow < ALL);
		// A full ring may have lost some.
		if ((stamp & 0xffffff) < t->next[flow])
			fail_msg("seed %u: flow %u: number %u where %u was to come", t->seed, flow,
				stamp & 0xffffff, t->next[flow]);
		t->next[flow] = (stamp & 0xffffff) + 1;
		t->sent++;
		rte_pktmbuf_free(m);
	}
}

static void
receive_some(struct trial *t)
{
	uint16_t q = (uint16_t)sl_rng_below(&t->rng, t->b.vport[0].port->n_rxq);
	unsigned n = sl_rng_below(&t->rng, 20);

	while (n-- > 0 && bench_dev(&t->b, 0)->rx[q].n < 500) {
		uint16_t flow = (uint16_t)(q * FLOWS + sl_rng_below(&t->rng, FLOWS));

		bench_feed(&t->b, 0, q, numbered(&t->b, flow, t->fed[flow]++));
	}
}

static void
move_some(struct trial *t)
{
	struct bench *b = &t->b;
	struct dp_port *p = b->vport[0].port;
	uint16_t q = (uint16_t)sl_rng_below(&t->rng, p->n_rxq);
	uint8_t to = (uint8_t)sl_rng_below(&t->rng, b->n_workers);

	if (b->takeover == NULL) {
		if (p->rxq_worker[q] != to)
			move_begin(b, q, to, false);
	} else if (move_ended(b)) {
		move_forget(b);
		t->moves++;
	} else if (sl_rng_below(&t->rng, 50) == 0) {
		t->off += move_call_off(b);
	} else if (sl_rng_below(&t->rng, 20) == 0) {
		bench_publish(b); // something else has changed meanwhile
	}
}

static void
trial(unsigned seed, uint16_t queues, uint16_t workers, const char *actions)
{
	struct trial *t = calloc(1, sizeof(*t));
	uint64_t fed = 0, lost;
	unsigned i;

	t->seed = seed;
	t->rng.state = seed;
	bench_begin(&t->b, 2, queues, workers);
	bench_rule(&t->b, 1, 1, "port=0", actions);
	bench_publish(&t->b);
	bench_dev(&t->b, 1)->tx_tells = true;
	for (i = 0; i < 8000; i++) {
		switch (sl_rng_below(&t->rng, 8)) {
		case 0:
			receive_some(t);
			break;
		case 1:
		case 2:
			send_some(t);
			break;
		case 3:
			move_some(t);
			break;
		default:
			once(&t->b, (uint16_t)sl_rng_below(&t->rng, workers));
			break;
		}
		bench_check(&t->b, seed);
	}
	for (i = 0; i < 2000; i++) {
		bench_run(&t->b);
		send_some(t);
		if (t->b.takeover != NULL && move_ended(&t->b))
			move_forget(&t->b);
	}
	for (i = 0; i < ALL; i++)
		fed += t->fed[i];
	lost = bench_dropped(&t->b, 0, DP_DROP_RING_FULL);
	if (fed != t->sent + lost || (lost != 0 && strstr(actions, "ring") == NULL))
		fail_msg("seed %u: %lu fed, %lu came out, %lu lost", seed, fed, t->sent, lost);
	if (t->moves < 10)
		fail_msg("seed %u: %u moves only", seed, t->moves);
	assert_null(t->b.takeover);
	bench_end(&t->b);
	free(t);
}

static void
random_moves(void **state)
{
	static const struct {
		uint16_t queues, workers;
	} shapes[] = {{1, 2}, {2, 2}, {3, 2}, {2, 3}, {3, 3}, {1, 4}, {3, 4}};
	unsigned seed = (unsigned)time(NULL), i;

	for (i = 0; i < RTE_DIM(shapes); i++) {
		trial(seed + i, shapes[i].queues, shapes[i].workers, "output=1");
		trial(seed + i, shapes[i].queues, shapes[i].workers, "ring,output=1");
	}
}

// ---- a thread for each worker

#define LIVE_PACKETS 60000
#define DEADLINE_S 50

// One thread fills it, another one empties it.
struct pipe {
	struct rte_mbuf *pkts[BENCH_QUEUE];
	_Atomic uint32_t put, got;
};

struct live {
	struct bench b;
	struct pipe in[2], out[2];
	atomic_bool stop;
};

static bool
pipe_put(struct pipe *p, struct rte_mbuf *m)
{
	uint32_t put = atomic_load_explicit(&p->put, memory_order_relaxed);

	if (put - atomic_load_explicit(&p->got, memory_order_acquire) == BENCH_QUEUE)
		return false;
	p->pkts[put % BENCH_QUEUE] = m;
	atomic_store_explicit(&p->put, put + 1, memory_order_release);
	return true;
}

static struct rte_mbuf *
pipe_get(struct pipe *p)
{
	uint32_t got = atomic_load_explicit(&p->got, memory_order_relaxed);
	struct rte_mbuf *m;

	if (atomic_load_explicit(&p->put, memory_order_acquire) == got)
		return NULL;
	m = p->pkts[got % BENCH_QUEUE];
	atomic_store_explicit(&p->got, got + 1, memory_order_release);
	return m;
}

static uint16_t
live_rx(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct live *l = p->priv;
	uint16_t i = 0;

	while (p->vport == 0 && i < n && (pkts[i] = pipe_get(&l->in[queue])) != NULL)
		i++;
	return i;
}

static uint16_t
live_tx(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct live *l = p->priv;
	uint16_t i = 0;

	while (i < n && pipe_put(&l->out[queue], pkts[i]))
		i++;
	return i;
}

static bool
live_idle(const struct dp_port *p, uint16_t queue)
{
	const struct live *l = p->priv;

	return p->vport == 0 ||
	       atomic_load_explicit(&l->out[queue].put, memory_order_relaxed) ==
		       atomic_load_explicit(&l->out[queue].got, memory_order_acquire);
}

static bool
live_link(const struct dp_port *p)
{
	return true;
}

static void
live_close(struct dp_port *p)
{
}

static struct dp_port *
live_port(struct live *l, uint16_t i)
{
	static const struct dp_port_ops ops = {.kind = "live",
		.rx = live_rx,
		.tx = live_tx,
		.link = live_link,
		.tx_idle = live_idle,
		.counters = fake_counters,
		.close = live_close};
	struct dp_port *p = fake_port(i, i, 2, 2);

	free(p->priv);
	p->priv = l;
	p->ops = &ops;
	p->tx_desc = BENCH_QUEUE;
	return p;
}

static void *
live_worker(void *worker)
{
	struct dp_worker *w = worker;

	while (!atomic_load_explicit(&w->dp->stop, memory_order_relaxed))
		if (!dp_worker_once(w))
			sched_yield();
	dp_worker_offline(w);
	return NULL;
}

// Moves a queue back and forth as fast as it goes, while numbered packets go through.
static void
live(uint32_t hold_us)
{
	struct live *l = calloc(1, sizeof(*l));
	time_t end = time(NULL) + DEADLINE_S;
	uint32_t fed[2] = {0}, seen[2] = {0}, moves = 0, q;
	struct dp_port *p;
	struct rte_mbuf *m;
	pthread_t thread[2];

	bench_begin(&l->b, 0, 2, 2);
	for (q = 0; q < 2; q++)
		l->b.vport[q] = (struct dp_vport){.id = (uint16_t)q,
			.vm = DP_NONE,
			.mtu = 1500,
			.port = live_port(l, (uint16_t)q)};
	bench_rule(&l->b, 1, 1, "port=0", "output=1");
	bench_publish(&l->b);
	l->b.snap->tx_hold_us = hold_us;
	bench_publish(&l->b);
	p = l->b.vport[0].port;
	for (q = 0; q < 2; q++)
		assert_int_equal(
			pthread_create(&thread[q], NULL, live_worker, l->b.dp->worker[q]), 0);
	while (seen[0] < LIVE_PACKETS || seen[1] < LIVE_PACKETS || moves < 100) {
		bool idle = true;

		for (q = 0; q < 2; q++) {
			while (fed[q] - seen[q] < 1000 && (seen[q] < LIVE_PACKETS || moves < 100)) {
				assert_true(
					pipe_put(&l->in[q], numbered(&l->b, (uint16_t)q, fed[q])));
				fed[q]++;
				idle = false;
			}
		}
		for (q = 0; q < 2; q++) {
			while ((m = pipe_get(&l->out[q])) != NULL) {
				uint32_t stamp = frame_stamp(m), flow = stamp >> 24;

				assert_true(flow < 2);
				assert_int_equal(stamp & 0xffffff, seen[flow]++);
				rte_pktmbuf_free(m);
				idle = false;
			}
		}
		if (l->b.takeover == NULL) {
			move_begin(&l->b, 0, p->rxq_worker[0] ^ 1, moves % 2 != 0);
		} else if (move_ended(&l->b)) {
			move_forget(&l->b);
			moves++;
		}
		assert_true(time(NULL) <= end);
		if (idle)
			sched_yield();
	}
	while (seen[0] < fed[0] || seen[1] < fed[1]) {
		for (q = 0; q < 2; q++) {
			while ((m = pipe_get(&l->out[q])) != NULL) {
				uint32_t stamp = frame_stamp(m), flow = stamp >> 24;

				assert_int_equal(stamp & 0xffffff, seen[flow]++);
				rte_pktmbuf_free(m);
			}
		}
		assert_true(time(NULL) <= end);
		sched_yield();
	}
	atomic_store(&l->b.dp->stop, true);
	for (q = 0; q < 2; q++)
		pthread_join(thread[q], NULL);
	if (l->b.takeover != NULL)
		free(l->b.takeover);
	bench_end(&l->b);
	free(l);
}

static void
live_moves(void **state)
{
	live(0);
}

// Workers that gather packets between the moves.
static void
live_moves_with_hold(void **state)
{
	live(200);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_takeover");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_hand_over),
		cmocka_unit_test(after_device),
		cmocka_unit_test(after_a_round_of_descriptors),
		cmocka_unit_test(called_off),
		cmocka_unit_test(after_rings),
		cmocka_unit_test(after_rings_and_descriptors),
		cmocka_unit_test(after_rings_of_another),
		cmocka_unit_test(random_moves),
		cmocka_unit_test(live_moves),
		cmocka_unit_test(live_moves_with_hold),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <unistd.h>

#include "dp_support.h"
#include "locked_pool.h"
#include "port/vhost.h"
#include "vhost_front.h"

// Two workers poll a port without a pause while its guest stops and starts its device, changes its
// memory and the number of its queues, sends what is refused, and goes and comes, in random order.
// Every packet is numbered: what a ring has taken arrives once and in order, whatever happened
// meanwhile. Under ThreadSanitizer it is the proof of the gate (port/vhost.h).

#define WORKERS 2
#define BURST 16
#define ROUNDS 400
#define DEADLINE_S 30
#define NUMBERS (1u << 24) // more than come in all

struct packet {
	uint32_t who, number; // worker or ring
	uint8_t rest[52];
};

struct worker {
	struct rig *rig;
	uint16_t id;
	pthread_t thread;
	_Atomic uint32_t given; // packets that the guest's ring took
};

struct rig {
	struct rte_mempool *pool, *own[WORKERS];
	struct dp_port *port;
	struct front f;
	struct sl_rng rng;
	uint64_t seed;
	char dir[32], path[64];
	struct worker worker[WORKERS];
	atomic_bool stop;
	_Atomic uint32_t got[FRONT_RINGS]; // packets of a ring of the guest's
	_Atomic uint32_t wrong;            // of these, not the next one
	uint32_t sent[FRONT_RINGS], taken[WORKERS];
	uint8_t *seen[WORKERS]; // bit: number
	unsigned rings, regions;
};

static uint16_t
receive(struct worker *w)
{
	struct rig *r = w->rig;
	struct rte_mbuf *pkts[BURST];
	uint16_t n = r->port->ops->rx(r->port, w->id, pkts, BURST), i;

	for (i = 0; i < n; i++) {
		const struct packet *p = rte_pktmbuf_mtod(pkts[i], const struct packet *);

		if (pkts[i]->pkt_len != sizeof(*p) || p->who >= FRONT_RINGS ||
			p->number != atomic_load(&r->got[p->who]))
			atomic_fetch_add(&r->wrong, 1);
		else
			atomic_fetch_add(&r->got[p->who], 1);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static uint16_t
transmit(struct worker *w)
{
	struct rig *r = w->rig;
	struct rte_mbuf *pkts[BURST];
	uint32_t given = atomic_load(&w->given);
	uint16_t n, i;

	if (rte_pktmbuf_alloc_bulk(r->own[w->id], pkts, BURST) != 0)
		return 0;
	for (i = 0; i < BURST; i++) {
		struct packet p = {.who = w->id, .number = given + i};

		memcpy(rte_pktmbuf_append(pkts[i], sizeof(p)), &p, sizeof(p));
	}
	n = r->port->ops->tx(r->port, w->id, pkts, BURST);
	atomic_store(&w->given, given + n);
	if (n < BURST) {
		r->port->ops->refused(r->port, w->id);
		rte_pktmbuf_free_bulk(&pkts[n], BURST - n);
	}
	return n;
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&w->rig->stop)) {
		uint16_t n = 0;

		if (w->id < w->rig->port->n_rxq)
			n = receive(w) + transmit(w);
		if (n == 0)
			usleep(20); // there may be one core for all
	}
	return NULL;
}

// The guest takes what it was given, and sends as much as there is room for.
static void
guest_moves(struct rig *r)
{
	const struct packet *p;
	unsigned i, ring;
	uint32_t len;

	for (ring = 0; ring < r->rings; ring += 2) {
		while ((p = (const void *)front_take(&r->f, ring, &len)) != NULL) {
			assert_int_equal(len, sizeof(*p));
			assert_true(p->who < WORKERS && p->number < NUMBERS);
			if (r->seen[p->who][p->number / 8] & 1u << p->number % 8)
				fail_msg("packet %u of worker %u twice, seed %lu", p->number,
					p->who, (unsigned long)r->seed);
			r->seen[p->who][p->number / 8] |= (uint8_t)(1u << p->number % 8);
			r->taken[p->who]++;
		}
		front_room(&r->f, ring);
		front_sent(&r->f, ring + 1);
		for (i = 0; i < 32; i++) {
			struct packet mine = {.who = ring + 1, .number = r->sent[ring + 1]};

			if (!front_send(&r->f, ring + 1, &mine, sizeof(mine)))
				break;
			r->sent[ring + 1]++;
		}
	}
}

static uint32_t
moved(const struct rig *r)
{
	uint32_t n = 0;
	unsigned i;

	for (i = 0; i < FRONT_RINGS; i++)
		n += atomic_load(&r->got[i]);
	return n;
}

// Packets go both ways again, whatever was done.
static void
goes_on(struct rig *r, const char *after)
{
	time_t end = time(NULL) + DEADLINE_S;
	uint32_t in = moved(r), out = r->taken[0] + r->taken[1];

	while (moved(r) == in || r->taken[0] + r->taken[1] == out) {
		guest_moves(r);
		usleep(20);
		if (time(NULL) > end)
			fail_msg("nothing moves after %s, seed %lu", after, (unsigned long)r->seed);
	}
}

static const char *
change(struct rig *r)
{
	unsigned rings = r->rings;

	switch (sl_rng_below(&r->rng, 6)) {
	case 0:
		front_stop(&r->f, rings);
		assert_true(front_start(&r->f, rings));
		r->regions = 1;
		return "a reset of the device";
	case 1:
		r->regions = r->regions == 1 ? 2 : 1;
		assert_int_equal(front_memory(&r->f, r->regions), 0);
		return "a change of the memory";
	case 2:
		front_call(&r->f, sl_rng_below(&r->rng, rings));
		return "another interrupt";
	case 3:
		front_close(&r->f);
		front_connect(&r->f, r->path);
		assert_true(front_start(&r->f, rings));
		r->regions = 1;
		return "a new connection";
	case 4:
		if (rings <= 2)
			return "nothing";
		front_enable(&r->f, 2, false);
		front_enable(&r->f, 3, false);
		guest_moves(r);
		front_enable(&r->f, 2, true);
		front_enable(&r->f, 3, true);
		return "a change of the number of queues";
	default:
		FRONT_SAY(&r->f, FRONT_GET_FEATURES, -1, 0);
		return "a question";
	}
}

static void
begin(struct rig *r, uint16_t queues, unsigned rings)
{
	struct dp_vhost_cfg cfg = {.queues = queues, .mtu = 1500};
	struct sl_err err;
	unsigned i;

	memset(r, 0, sizeof(*r));
	r->seed = (uint64_t)time(NULL);
	r->rng.state = r->seed;
	r->rings = rings;
	r->regions = 1;
	r->pool = rte_pktmbuf_pool_create_by_ops("gate", 1023, 0, 0, 512, 0, "locked");
	assert_non_null(r->pool);
	snprintf(r->dir, sizeof(r->dir), "/tmp/sluice-vhost-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/s", r->dir);
	cfg.path = r->path;
	cfg.pool = r->pool;
	sl_err_init(&err);
	if (dp_port_vhost(&cfg, &r->port, &err) != 0)
		fail_msg("%s", err.text);
	front_make(&r->f);
	front_connect(&r->f, r->path);
	for (i = 0; i < WORKERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "gate%u", i);
		r->own[i] = rte_pktmbuf_pool_create_by_ops(name, 255, 0, 0, 512, 0, "locked");
		r->seen[i] = calloc(1, NUMBERS / 8);
		assert_true(r->own[i] != NULL && r->seen[i] != NULL);
		r->worker[i] = (struct worker){.rig = r, .id = (uint16_t)i};
		assert_int_equal(
			pthread_create(&r->worker[i].thread, NULL, work, &r->worker[i]), 0);
	}
}

// Nothing is lost, nothing is left.
static void
end(struct rig *r)
{
	time_t last = time(NULL) + DEADLINE_S;
	unsigned i;

	for (i = 1; i < r->rings; i += 2) // what it sent last
		while (atomic_load(&r->got[i]) < r->sent[i] && time(NULL) < last)
			usleep(20);
	atomic_store(&r->stop, true);
	for (i = 0; i < WORKERS; i++)
		pthread_join(r->worker[i].thread, NULL);
	assert_int_equal(atomic_load(&r->wrong), 0);
	for (i = 1; i < r->rings; i += 2)
		assert_int_equal(atomic_load(&r->got[i]), r->sent[i]);
	guest_moves(r);
	for (i = 0; i < WORKERS; i++) {
		assert_int_equal(r->taken[i], atomic_load(&r->worker[i].given));
		assert_int_equal(rte_mempool_avail_count(r->own[i]), 255);
		rte_mempool_free(r->own[i]);
		free(r->seen[i]);
	}
	front_free(&r->f);
	r->port->ops->close(r->port);
	dp_free_mem(r->port);
	assert_int_equal(rte_mempool_avail_count(r->pool), 1023);
	rte_mempool_free(r->pool);
	unlink(r->path);
	rmdir(r->dir);
}

static void
disturbed(uint16_t queues, unsigned rings)
{
	static struct rig r;
	const char *after = "the start";
	unsigned round;

	begin(&r, queues, rings);
	assert_true(front_start(&r.f, rings));
	for (round = 0; round < ROUNDS; round++) {
		goes_on(&r, after);
		after = change(&r);
		assert_int_equal(atomic_load(&r.wrong), 0);
	}
	goes_on(&r, after);
	end(&r);
}

static void
a_ring_for_each_queue(void **state)
{
	(void)state;
	disturbed(2, 4);
}

// Both workers send by one ring.
static void
fewer_rings_than_queues(void **state)
{
	(void)state;
	disturbed(2, 2);
}

// One of them polls two rings, the other one has no queue.
static void
more_rings_than_queues(void **state)
{
	(void)state;
	disturbed(1, 4);
}

static int
setup(void **state)
{
	(void)state;
	return bench_eal("test_datapath_vhost_gate") == 0 && locked_pool_register() >= 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_for_each_queue),
		cmocka_unit_test(fewer_rings_than_queues),
		cmocka_unit_test(more_rings_than_queues),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Packets that land in buffers of their queue's own mempool: when they do, when not, and that no
// buffer of an application stays in the NIC.
#include "emunic_nic.h"

#include <pthread.h>
#include <sched.h>

#include "port/landing.h"
#include "rte_pmd_emunic.h"

#define POOL 2047
#define WIRE "wire=[generator,flows=50,pps=0,v6=0,seed=1]"
#define GENERATOR "queues=2,firmware=inline," WIRE

static struct rte_mempool *
pool_new(unsigned int n, unsigned int flags)
{
	static unsigned int made;
	struct rte_mempool *pool;
	char name[32];

	snprintf(name, sizeof(name), "landing_%u", made++);
	pool = rte_mempool_create(name, n, sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE, 0,
		sizeof(struct rte_pktmbuf_pool_private), rte_pktmbuf_pool_init, NULL,
		rte_pktmbuf_init, NULL, SOCKET_ID_ANY, flags);
	assert_non_null(pool);
	return pool;
}

// A PF with two queues of these mempools, and what is behind its wire.
static void
plug_args(const char *args, struct rte_mempool *first, struct rte_mempool *second)
{
	struct rte_eth_conf conf = {0};

	assert_int_equal(rte_vdev_init("net_emunic0", args), 0);
	assert_int_equal(rte_eth_dev_configure(0, 2, 1, &conf), 0);
	assert_int_equal(rte_eth_rx_queue_setup(0, 0, 64, 0, NULL, first), 0);
	assert_int_equal(rte_eth_rx_queue_setup(0, 1, 64, 0, NULL, second), 0);
	assert_int_equal(rte_eth_tx_queue_setup(0, 0, 64, 0, NULL), 0);
	assert_int_equal(rte_eth_promiscuous_enable(0), 0);
	assert_int_equal(rte_eth_dev_start(0), 0);
}

static void
plug_pools(struct rte_mempool *first, struct rte_mempool *second)
{
	plug_args(GENERATOR, first, second);
}

static void
unplug_pools(struct rte_mempool *first, struct rte_mempool *second)
{
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_mempool_in_use_count(first), 0);
	assert_int_equal(rte_mempool_in_use_count(second), 0);
	assert_int_equal(rte_mempool_in_use_count(nic()->pool), 0);
	balance();
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	if (second != first)
		rte_mempool_free(second);
	rte_mempool_free(first);
}

static struct rte_mempool *
landing(void)
{
	return nic()->sides[0].backend->landing;
}

// The generator's n-th packet is whole, and as drivers give them.
static void
judge(const struct rte_mbuf *m, const struct rte_mempool *pool)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, 14);

	assert_ptr_equal(m->pool, pool);
	assert_int_equal(m->nb_segs, 1);
	assert_null(m->next);
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	assert_int_equal(m->port, 0);
	assert_int_equal(m->pkt_len, m->data_len);
	assert_int_equal(ip->version_ihl, 0x45);
	assert_int_equal(rte_ipv4_cksum(ip), 0); // with that of the packet in it
	assert_true(m->packet_type & RTE_PTYPE_L3_IPV4_EXT_UNKNOWN);
}

// Receives until there are n packets of queue q, judges, and frees them.
static void
take(uint16_t q, unsigned int n, const struct rte_mempool *pool)
{
	struct rte_mbuf *pkts[32];
	unsigned int calls = 0;

	for (unsigned int got = 0; got < n; calls++) {
		uint16_t k = rte_eth_rx_burst(0, q, pkts, RTE_DIM(pkts));

		assert_true(calls < 100 * n);
		for (uint16_t i = 0; i < k; i++)
			judge(pkts[i], pool);
		rte_pktmbuf_free_bulk(pkts, k);
		got += k;
	}
}

static struct rte_flow *
rule(bool transfer, struct rte_flow_action *action)
{
	struct rte_flow_attr attr = {.ingress = !transfer, .transfer = transfer};
	struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	struct rte_flow_action_mark mark = {.id = 7};
	struct rte_flow_action actions[] = {
		{.type = transfer ? RTE_FLOW_ACTION_TYPE_VOID : RTE_FLOW_ACTION_TYPE_MARK,
			.conf = &mark},
		*action, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_error error = {0};
	struct rte_flow *f = rte_flow_create(0, &attr, pattern, actions, &error);

	if (f == NULL)
		fail_msg("%s", error.message);
	return f;
}

// No buffer of the NIC's own is in use while packets come, by rule and without.
static void
test_lands(void **state)
{
	struct rte_mempool *pool = pool_new(POOL, 0);
	struct rte_flow_action_queue conf = {.index = 1};
	struct rte_flow_action to_queue = {RTE_FLOW_ACTION_TYPE_QUEUE, &conf};
	struct rte_mbuf *m;

	plug_pools(pool, pool);
	assert_ptr_equal(landing(), pool);
	take(0, 500, pool);
	assert_int_equal(rte_mempool_in_use_count(nic()->pool), 0);
	rule(false, &to_queue);
	take(1, 500, pool);
	while (rte_eth_rx_burst(0, 1, &m, 1) == 0)
		;
	assert_true(m->ol_flags & RTE_MBUF_F_RX_FDIR_ID);
	assert_int_equal(m->hash.fdir.hi, 7);
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_in_use_count(nic()->pool), 0);
	unplug_pools(pool, pool);
}

// While a rule of the switch could take packets elsewhere, they land in the NIC's own buffers, and
// all of the application's are back.
static void
test_transfer(void **state)
{
	struct rte_mempool *pool = pool_new(POOL, 0);
	struct rte_flow_action drop = {RTE_FLOW_ACTION_TYPE_DROP, NULL};
	struct rte_flow_error error;
	struct rte_mbuf *pkts[32];
	struct rte_flow *f;
	uint16_t n;

	plug_pools(pool, pool);
	take(0, 100, pool);
	f = rule(true, &drop);
	do {
		n = rte_eth_rx_burst(0, 0, pkts, RTE_DIM(pkts));
		rte_pktmbuf_free_bulk(pkts, n);
	} while (n > 0);
	assert_null(landing());
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	assert_int_equal(rte_flow_destroy(0, f, &error), 0);
	take(0, 200, pool);
	assert_ptr_equal(landing(), pool);
	unplug_pools(pool, pool);
}

// Mempools that differ, are small, or not for several threads: packets are copied into them.
static void
test_refused(void **state)
{
	struct rte_mempool *a = pool_new(POOL, 0), *b = pool_new(POOL, 0);

	plug_pools(a, b);
	assert_null(landing());
	take(0, 200, a);
	unplug_pools(a, b);
	a = pool_new(EMU_LANDING_BUFS - 1, 0);
	plug_pools(a, a);
	assert_null(landing());
	take(0, 200, a);
	unplug_pools(a, a);
	a = pool_new(POOL, RTE_MEMPOOL_F_SP_PUT);
	plug_pools(a, a);
	assert_null(landing());
	take(0, 200, a);
	unplug_pools(a, a);
}

// Mempools of these drivers say by no flag that they are for one thread.
static void
test_one_thread(void **state)
{
	static const char *const drivers[] = {"ring_sp_sc", "ring_sp_mc", "ring_mp_sc"};
	struct rte_eth_conf conf = {0};

	for (unsigned int i = 0; i < RTE_DIM(drivers); i++) {
		struct rte_mempool *a = rte_pktmbuf_pool_create_by_ops("one_thread", POOL, 0, 0,
			RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY, drivers[i]);

		assert_non_null(a);
		plug_pools(a, a);
		assert_null(landing());
		take(0, 200, a);
		unplug_pools(a, a);
		// A firmware that is a thread would be the second one in there.
		a = rte_pktmbuf_pool_create_by_ops("one_thread", POOL, 0, 0,
			RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY, drivers[i]);
		assert_int_equal(rte_vdev_init("net_emunic0", "wire=[sink]"), 0);
		assert_int_equal(rte_eth_dev_configure(0, 1, 1, &conf), 0);
		assert_int_equal(rte_eth_rx_queue_setup(0, 0, 64, 0, NULL, a), -EINVAL);
		assert_int_equal(rte_eth_rx_queue_setup(0, 0, 64, 0, NULL, pools[1]), 0);
		assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
		assert_int_equal(rte_mempool_in_use_count(a), 0);
		rte_mempool_free(a);
	}
}

// An application's second thread, which takes and gives back buffers of the mempool that packets
// land in: as if it had packets of its own to send.
struct second {
	struct rte_mempool *pool;
	bool end;
	uint64_t rounds, doubles;
};

static void *
second_thread(void *arg)
{
	struct second *s = arg;
	struct rte_mbuf *m[24];

	while (!__atomic_load_n(&s->end, __ATOMIC_ACQUIRE)) {
		if (rte_pktmbuf_alloc_bulk(s->pool, m, RTE_DIM(m)) != 0)
			continue;
		for (unsigned int i = 0; i < RTE_DIM(m); i++)
			memset(rte_pktmbuf_mtod(m[i], void *), 0xa5, 64);
		// Nobody else may have had one of them meanwhile.
		for (unsigned int i = 0; i < RTE_DIM(m); i++)
			for (unsigned int b = 0; b < 64; b++)
				s->doubles += rte_pktmbuf_mtod(m[i], uint8_t *)[b] != 0xa5;
		rte_pktmbuf_free_bulk(m, RTE_DIM(m));
		__atomic_add_fetch(&s->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

// Three in one mempool at once: the firmware's thread, which lands packets in it, the one that
// receives and frees them, and another one. Each packet is whole, and every buffer is back.
static void
test_threads(void **state)
{
	struct rte_mempool *pool = pool_new(POOL, 0);
	struct second s = {.pool = pool};
	pthread_t thread;
	uint64_t got = 0;

	plug_args("queues=2," WIRE, pool, pool);
	assert_string_equal(emu_firmware_runs(nic()), "a thread");
	assert_int_equal(pthread_create(&thread, NULL, second_thread, &s), 0);
	while (got < 1000 || __atomic_load_n(&s.rounds, __ATOMIC_ACQUIRE) < 100) {
		struct rte_mbuf *pkts[32];
		uint16_t n = rte_eth_rx_burst(0, 0, pkts, RTE_DIM(pkts));

		for (uint16_t i = 0; i < n; i++)
			judge(pkts[i], pool);
		rte_pktmbuf_free_bulk(pkts, n);
		got += n;
		if (n == 0)
			sched_yield();
	}
	assert_ptr_equal(landing(), pool);
	__atomic_store_n(&s.end, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(s.doubles, 0);
	// Nothing comes any more, so that buffers and packets can be counted.
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "wire", NULL), 0);
	unplug_pools(pool, pool);
}

// An application that holds all its buffers gets no more packets, which are counted, and goes on
// when it gives some back.
static void
test_exhausted(void **state)
{
	struct rte_mempool *pool = pool_new(POOL, 0);
	struct rte_mbuf *held[POOL], *pkts[32];
	struct rte_eth_stats stats;
	unsigned int n = 0;

	plug_pools(pool, pool);
	do {
		uint16_t k = rte_eth_rx_burst(0, 0, pkts, RTE_DIM(pkts));

		memcpy(&held[n], pkts, k * sizeof(pkts[0]));
		n += k;
		assert_int_equal(rte_eth_stats_get(0, &stats), 0);
	} while (stats.rx_nombuf == 0);
	assert_int_equal(rte_mempool_avail_count(pool), 0);
	rte_pktmbuf_free_bulk(held, n);
	take(0, 500, pool);
	unplug_pools(pool, pool);
}

// A backend that is put behind the wire lands as well, a queue that goes ends it.
static void
test_changes(void **state)
{
	struct rte_mempool *pool = pool_new(POOL, 0);
	char why[256];

	plug_pools(pool, pool);
	take(0, 100, pool);
	assert_int_equal(emu_nic_set_backend(nic(), &nic()->sides[0],
				 "[generator,flows=9,pps=0,v6=0,seed=2]", why, sizeof(why)),
		0);
	take(0, 300, pool);
	assert_ptr_equal(landing(), pool);
	assert_int_equal(rte_eth_dev_rx_queue_stop(0, 1), 0);
	assert_int_equal(rte_eth_rx_queue_setup(0, 1, 64, 0, NULL, pools[1]), 0);
	assert_null(landing());
	take(0, 300, pool);
	unplug_pools(pool, pool);
}

// A packet that waits on the wire is in a buffer of the NIC's.
static void
test_late(void **state)
{
	struct rte_mempool *pool = pool_new(POOL, 0);
	char why[256];

	plug_pools(pool, pool);
	take(0, 100, pool);
	assert_ptr_equal(landing(), pool);
	assert_int_equal(rte_pmd_emunic_set(0, "late=100000", why, sizeof(why)), 0);
	for (unsigned int i = 0; nic()->wires[0].held_in == NULL; i++) {
		assert_true(i < 1000);
		take(0, 1, pool);
	}
	assert_ptr_equal(nic()->wires[0].held_in->pool, nic()->pool);
	assert_int_equal(rte_pmd_emunic_set(0, "late=0", why, sizeof(why)), 0);
	take(0, 200, pool);
	assert_ptr_equal(landing(), pool);
	unplug_pools(pool, pool);
}

static struct rte_mempool *left; // what a backend that is closed may still take

static void
note_close(struct emu_backend *b)
{
	left = b->landing;
}

// A backend is closed without the gate: it has none of the application's buffers by then.
static void
test_replaced(void **state)
{
	struct rte_mempool *pool = pool_new(POOL, 0);
	struct emu_backend_ops ops = script_ops;
	struct emu_backend *generator;
	char why[256];

	plug_pools(pool, pool);
	ops.close = note_close;
	scripts[0] = (struct script){.base.ops = &ops, .accepts = RTE_DIM(scripts[0].out)};
	generator = nic()->sides[0].backend;
	nic()->sides[0].backend = &scripts[0].base;
	left = pool;
	emu_firmware_round(nic());
	assert_ptr_equal(landing(), pool);
	assert_int_equal(emu_nic_set_backend(nic(), &nic()->sides[0], NULL, why, sizeof(why)), 0);
	assert_null(left);
	nic()->sides[0].backend = generator;
	take(0, 100, pool);
	unplug_pools(pool, pool);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lands),
		cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_one_thread),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_exhausted),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_replaced),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

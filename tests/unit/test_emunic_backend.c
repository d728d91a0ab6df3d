// SPDX-License-Identifier: BSD-3-Clause
// Text of backends (kinds, keys, values), the sink with its answers, and the ethdev.
#include "emunic_support.h"

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>

static void
test_text(void **state)
{
	struct emu_test t;

	emu_test_begin(&t, 63);
	emu_test_refused(&t, "[nothing]", "is no kind of backend");
	emu_test_refused(&t, "", "is no kind of backend");
	emu_test_refused(&t, "[sink", "brackets");
	emu_test_refused(&t, "[sink]]", "brackets");
	emu_test_refused(&t, "[sink][sink]", "brackets");
	emu_test_refused(&t, "[sink,reflekt=1]", "unknown key \"reflekt\"");
	emu_test_refused(&t, "[sink,reflect=yes]", "reflect=yes is not 0 or 1");
	emu_test_refused(&t, "[sink,reflect]", "not key=value");
	emu_test_refused(&t, "[sink,reflect=1,reflect=1]", "given twice");
	emu_test_refused(&t, "[sink,reflect=1,]", "end in a comma");
	emu_test_refused(&t, "[sink,depth=0]", "from 1 to 65536");
	emu_test_refused(&t, "[sink,depth=65537]", "from 1 to 65536");
	emu_test_refused(&t, "[sink,depth=99999999999999999999999]", "from 1 to 65536");
	emu_test_refused(&t, "[sink,depth=-1]", "from 1 to 65536");
	emu_test_refused(&t, "[sink,depth=]", "from 1 to 65536");
	emu_test_refused(&t, "[generator,src=10.0.0.0]", "an IPv4 prefix");
	emu_test_refused(&t, "[generator,src=10.0.0.0/33]", "an IPv4 prefix");
	emu_test_refused(&t, "[generator,dst6=10.0.0.0/8]", "an IPv6 prefix");
	emu_test_refused(&t, "[generator,dst_mac=zz]", "a MAC address");
	emu_test_refused(&t, "[generator,size=tiny]", "frame length");
	emu_test_refused(&t, "[generator,skew=inf]", "a number from 0 to 4");
	emu_test_refused(&t, "[generator,skew=nan]", "a number from 0 to 4");
	emu_test_refused(&t, "[generator,cdf=/nowhere]", "cannot open /nowhere");
	emu_test_end(&t);
}

static struct rte_mbuf *
frame(struct emu_test *t, const void *data, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->env.pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, len), data, len);
	return m;
}

static void
test_sink(void **state)
{
	struct emu_backend_stats stats;
	struct rte_mbuf *pkts[4];
	struct emu_backend *b;
	struct emu_test t;

	emu_test_begin(&t, 63);
	b = emu_test_open(&t, "sink");
	assert_true(b->ops->link(b));
	assert_false(b->ops->takes_offloads(b));
	assert_true(b->ops->next_event(b) == UINT64_MAX);
	for (int i = 0; i < 4; i++)
		pkts[i] = frame(&t, "0123456789", i); // shorter than any header
	assert_int_equal(b->ops->tx(b, pkts, 4), 4);
	assert_int_equal(b->ops->rx(b, pkts, 4), 0);
	b->ops->stats(b, &stats);
	assert_int_equal(stats.tx_packets, 4);
	assert_int_equal(stats.tx_bytes, 6);
	b->ops->close(b);
	emu_test_end(&t);
}

// What comes back from a reflecting sink is the packet with its ends exchanged, and checksums hold.
static void
test_reflect(void **state)
{
	struct emu_backend *gen, *sink;
	struct rte_mbuf *pkts[EMU_BURST];
	uint8_t before[EMU_BURST][80];
	struct emu_test t;
	unsigned int seen[2] = {0};

	emu_test_begin(&t, 511);
	gen = emu_test_open(&t, "[generator,pps=0,seed=3,flows=100,v6=50,udp=50,size=120]");
	sink = emu_test_open(&t, "[sink,reflect=1]");
	assert_int_equal(gen->ops->rx(gen, pkts, EMU_BURST), EMU_BURST);
	for (int i = 0; i < EMU_BURST; i++)
		memcpy(before[i], rte_pktmbuf_mtod(pkts[i], void *), sizeof(before[i]));
	assert_int_equal(sink->ops->tx(sink, pkts, EMU_BURST), EMU_BURST);
	assert_int_equal(sink->ops->next_event(sink), 0);
	assert_int_equal(sink->ops->rx(sink, pkts, EMU_BURST), EMU_BURST);
	for (int i = 0; i < EMU_BURST; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(pkts[i], uint8_t *);
		const uint8_t *q = before[i];
		bool v6 = p[12] == 0x86;
		size_t addr = v6 ? 16 : 4, src = v6 ? 22 : 26, ports = v6 ? 54 : 34;

		seen[v6]++;
		assert_int_equal(rte_pktmbuf_pkt_len(pkts[i]), 120);
		assert_memory_equal(p, q + 6, 6);
		assert_memory_equal(p + 6, q, 6);
		assert_memory_equal(p + src, q + src + addr, addr);
		assert_memory_equal(p + src + addr, q + src, addr);
		assert_memory_equal(p + ports, q + ports + 2, 2);
		assert_memory_equal(p + ports + 2, q + ports, 2);
		assert_true(emu_test_sums_right(pkts[i]));
	}
	assert_true(seen[0] > 0 && seen[1] > 0);
	rte_pktmbuf_free_bulk(pkts, EMU_BURST);
	gen->ops->close(gen);
	sink->ops->close(sink);
	emu_test_end(&t);
}

// Bounds: depth answers wait at most, an empty pool delays and loses nothing, frames to groups are
// taken and not answered, and what waits at close is freed.
static void
test_reflect_bounds(void **state)
{
	struct rte_mbuf *pkts[16], *all[16];
	uint8_t data[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00};
	uint8_t odd[61] = {0, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3, 0x08, 0x00};
	struct emu_backend *b;
	struct emu_test t;

	emu_test_begin(&t, 15);
	b = emu_test_open(&t, "[sink,reflect=1,depth=4]");
	for (int i = 0; i < 6; i++)
		pkts[i] = frame(&t, data, sizeof(data));
	assert_int_equal(b->ops->tx(b, pkts, 6), 4);
	rte_pktmbuf_free_bulk(pkts + 4, 2);
	assert_int_equal(b->ops->rx(b, pkts, 16), 4);
	rte_pktmbuf_free_bulk(pkts, 4);

	pkts[0] = frame(&t, data, sizeof(data));
	assert_int_equal(rte_pktmbuf_alloc_bulk(t.env.pool, all, 14), 0);
	assert_int_equal(b->ops->tx(b, pkts, 1), 0);
	rte_pktmbuf_free_bulk(all, 14);
	assert_int_equal(b->ops->tx(b, pkts, 1), 1);

	data[0] = 0xff;
	pkts[0] = frame(&t, data, sizeof(data));
	assert_int_equal(b->ops->tx(b, pkts, 1), 1);
	assert_int_equal(b->ops->rx(b, pkts, 1), 1);
	rte_pktmbuf_free(pkts[0]);
	assert_int_equal(b->ops->rx(b, pkts, 1), 0);

	// At an odd address, as after a decapsulation.
	pkts[0] = frame(&t, odd, sizeof(odd));
	assert_non_null(rte_pktmbuf_adj(pkts[0], 1));
	assert_int_equal(b->ops->tx(b, pkts, 1), 1);
	assert_int_equal(b->ops->rx(b, pkts, 1), 1);
	assert_memory_equal(rte_pktmbuf_mtod(pkts[0], void *), "\2\0\0\0\0\3\2\0\0\0\0\1", 12);
	rte_pktmbuf_free(pkts[0]);

	data[0] = 2;
	pkts[0] = frame(&t, data, sizeof(data));
	assert_int_equal(b->ops->tx(b, pkts, 1), 1);
	b->ops->close(b);
	emu_test_end(&t);
}

// Random bytes behind an Ethernet header, of any length: never faults, never changes the length.
static void
test_reflect_random(void **state)
{
	static const uint8_t types[][2] = {{8, 0}, {0x86, 0xdd}, {0x81, 0}, {0x88, 0xa8}, {8, 6}};
	unsigned int seed = time(NULL);
	struct emu_backend *b;
	struct emu_test t;

	srand(seed);
	emu_test_begin(&t, 63);
	b = emu_test_open(&t, "[sink,reflect=1]");
	for (int round = 0; round < 20000; round++) {
		uint8_t data[128];
		size_t len = rand() % sizeof(data);
		struct rte_mbuf *m, *got;

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = rand();
		data[0] &= 0xfe;
		memcpy(data + 12, types[rand() % RTE_DIM(types)], 2);
		if (rand() % 2)
			data[14] = data[12] == 8 ? 0x40 | (rand() % 16) : 0x60;
		m = frame(&t, data, len);
		assert_int_equal(b->ops->tx(b, &m, 1), 1);
		if (len < RTE_ETHER_HDR_LEN)
			continue;
		if (b->ops->rx(b, &got, 1) != 1 || rte_pktmbuf_pkt_len(got) != len)
			fail_msg("seed %u, round %d", seed, round);
		rte_pktmbuf_free(got);
	}
	b->ops->close(b);
	emu_test_end(&t);
}

// A port that is probed is hidden, works, goes at close, and can be probed again.
static void
test_ethdev_probe(void **state)
{
	struct emu_backend_stats stats;
	struct rte_mbuf *pkts[EMU_BURST];
	struct emu_backend *b;
	struct emu_test t;
	uint16_t port, n = 0;

	emu_test_begin(&t, 2047);
	for (int round = 0; round < 3; round++) {
		b = emu_test_open(&t, "[ethdev,net_null0,size=100]");
		assert_int_equal(rte_eth_dev_get_port_by_name("net_null0", &port), 0);
		assert_int_equal(
			rte_eth_find_next_owned_by(0, RTE_ETH_DEV_NO_OWNER), RTE_MAX_ETHPORTS);
		assert_true(b->ops->link(b));
		n = b->ops->rx(b, pkts, EMU_BURST);
		assert_int_equal(n, EMU_BURST);
		assert_int_equal(rte_pktmbuf_pkt_len(pkts[0]), 100);
		assert_int_equal(b->ops->tx(b, pkts, n), n);
		b->ops->stats(b, &stats);
		assert_int_equal(stats.rx_packets, n);
		assert_int_equal(stats.rx_bytes, 100 * n);
		assert_int_equal(stats.tx_packets, n);
		assert_int_equal(stats.tx_bytes, 100 * n);
		b->ops->close(b);
		assert_int_not_equal(rte_eth_dev_get_port_by_name("net_null0", &port), 0);
	}
	emu_test_end(&t);
}

// An existing port is taken when it is free and stopped, and given back; packets of any shape that
// its driver takes come through.
static void
test_ethdev_existing(void **state)
{
	struct rte_eth_dev_owner owner = {.name = "somebody"}, got;
	struct rte_mbuf *pkts[EMU_BURST * 2];
	struct emu_backend *b;
	struct emu_test t;
	uint16_t port, n;

	emu_test_begin(&t, 2047);
	assert_int_equal(rte_vdev_init("net_ring0", NULL), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_ring0", &port), 0);
	assert_int_equal(rte_eth_dev_owner_new(&owner.id), 0);
	assert_int_equal(rte_eth_dev_owner_set(port, &owner), 0);
	emu_test_refused(&t, "[ethdev,net_ring0]", "belongs to somebody else");
	assert_int_equal(rte_eth_dev_owner_unset(port, owner.id), 0);
	emu_test_refused(&t, "[ethdev,net_ring0,size=9]", "exists already");

	b = emu_test_open(&t, "[ethdev,net_ring0]");
	assert_int_equal(rte_eth_dev_owner_get(port, &got), 0);
	assert_string_equal(got.name, "net_emunic0 wire");
	for (int i = 0; i < EMU_BURST * 2; i++)
		pkts[i] = frame(&t, "0123456789", i % 10);
	n = b->ops->tx(b, pkts, EMU_BURST * 2);
	assert_int_equal(n, EMU_BURST * 2);
	assert_int_equal(b->ops->rx(b, pkts, EMU_BURST * 2), n);
	for (int i = 0; i < n; i++)
		assert_int_equal(rte_pktmbuf_pkt_len(pkts[i]), i % 10);
	rte_pktmbuf_free_bulk(pkts, n);
	b->ops->close(b);
	assert_int_equal(rte_eth_dev_owner_get(port, &got), 0);
	assert_int_equal(got.id, RTE_ETH_DEV_NO_OWNER);
	assert_int_equal(rte_vdev_uninit("net_ring0"), 0);
	emu_test_end(&t);
}

// The device is removed by somebody else: the link goes down, nothing faults, close is clean.
static void
test_ethdev_gone(void **state)
{
	struct emu_backend_stats stats;
	struct rte_mbuf *m;
	struct emu_backend *b;
	struct emu_test t;

	emu_test_begin(&t, 2047);
	b = emu_test_open(&t, "[ethdev,net_null1]");
	assert_true(b->ops->link(b));
	assert_int_equal(rte_vdev_uninit("net_null1"), 0);
	assert_false(b->ops->link(b));
	assert_int_equal(b->ops->rx(b, &m, 1), 0);
	m = frame(&t, "0123456789", 10);
	assert_int_equal(b->ops->tx(b, &m, 1), 0);
	rte_pktmbuf_free(m);
	b->ops->stats(b, &stats);
	b->ops->close(b);
	b = emu_test_open(&t, "[ethdev,net_null2]");
	b->ops->close(b);
	emu_test_end(&t);
}

static void
test_ethdev_refused(void **state)
{
	struct emu_test t;

	emu_test_begin(&t, 63);
	emu_test_refused(&t, "[ethdev]", "are missing");
	emu_test_refused(&t, "[ethdev,nonsense]", "neither a port nor the devargs");
	emu_test_refused(&t, "[ethdev,net_pcap0,rx_pcap=/nowhere]", "refuses the device");
	emu_test_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_reflect),
		cmocka_unit_test(test_reflect_bounds),
		cmocka_unit_test(test_reflect_random),
		cmocka_unit_test(test_ethdev_probe),
		cmocka_unit_test(test_ethdev_existing),
		cmocka_unit_test(test_ethdev_gone),
		cmocka_unit_test(test_ethdev_refused),
	};

	if (emu_test_eal("test_emunic_backend") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

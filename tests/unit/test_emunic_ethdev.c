// SPDX-License-Identifier: BSD-3-Clause
// What an application sets at a port of the emulated NIC by ethdev, and what becomes of packets by
// it: filters, RSS, queues that start later, and statistics.
#include "emunic_nic.h"

static const struct rte_ether_addr other = {{2, 0, 0, 0, 0, 9}}, group = {{1, 0, 0x5e, 0, 0, 7}};

// One packet to this address, by the wire. Whether the PF took it; if not, it was its filter.
static bool
takes(const struct rte_ether_addr *dst)
{
	struct rte_mbuf *m = packet(nic()->pool, false, false, 10), *got[4];
	uint64_t lost = xstat("nic_drop_mac_filter");
	unsigned int n;

	memcpy(rte_pktmbuf_mtod(m, void *), dst, sizeof(*dst));
	scripts[0].in[scripts[0].n_in++] = m;
	n = receive(0, got, 4);
	rte_pktmbuf_free_bulk(got, n);
	assert_int_equal(xstat("nic_drop_mac_filter"), lost + 1 - n);
	return n == 1;
}

static void
test_mac_filter(void **state)
{
	struct rte_ether_addr own, all, zero = {{0}}, many[EMU_MAX_MCAST + 1];

	plug(0);
	memset(&all, 0xff, sizeof(all));
	assert_int_equal(rte_eth_macaddr_get(0, &own), 0);
	assert_true(takes(&other) && takes(&group)); // promiscuous
	assert_int_equal(rte_eth_promiscuous_disable(0), 0);
	assert_true(takes(&own) && takes(&all));
	assert_false(takes(&other) || takes(&group) || takes(&zero));
	assert_int_equal(rte_eth_dev_mac_addr_add(0, (struct rte_ether_addr *)&other, 0), 0);
	assert_true(takes(&other) && takes(&own));
	// What was set holds when the port has been stopped.
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_eth_dev_start(0), 0);
	assert_true(takes(&other) && takes(&own));
	assert_false(takes(&group));
	assert_int_equal(rte_eth_dev_mac_addr_remove(0, (struct rte_ether_addr *)&other), 0);
	assert_false(takes(&other));
	assert_int_equal(rte_eth_dev_default_mac_addr_set(0, (struct rte_ether_addr *)&other), 0);
	assert_true(takes(&other));
	assert_false(takes(&own));
	assert_int_equal(rte_eth_dev_set_mc_addr_list(0, (struct rte_ether_addr *)&group, 1), 0);
	assert_true(takes(&group));
	assert_int_equal(rte_eth_dev_set_mc_addr_list(0, NULL, 0), 0);
	assert_false(takes(&group));
	for (unsigned int i = 0; i < RTE_DIM(many); i++)
		many[i] = (struct rte_ether_addr){{1, 0, 0x5e, 0, 1, (uint8_t)i}};
	assert_int_equal(rte_eth_dev_set_mc_addr_list(0, many, RTE_DIM(many)), -ENOSPC);
	assert_int_equal(rte_eth_dev_set_mc_addr_list(0, many, RTE_DIM(many) - 1), 0);
	assert_true(takes(&many[EMU_MAX_MCAST - 1]));
	assert_false(takes(&many[EMU_MAX_MCAST]) || takes(&group));
	assert_int_equal(rte_eth_allmulticast_enable(0), 0);
	assert_true(takes(&group));
	assert_int_equal(rte_eth_allmulticast_disable(0), 0);
	assert_false(takes(&group));
	for (unsigned int i = 1; i < EMU_MAX_MACS; i++) {
		struct rte_ether_addr more = {{2, 0, 0, 0, 1, (uint8_t)i}};

		assert_int_equal(rte_eth_dev_mac_addr_add(0, &more, 0), 0);
		assert_true(takes(&more));
	}
	assert_int_equal(rte_eth_dev_mac_addr_add(0, &own, 0), -ENOSPC);
	balance();
	unplug();
}

// One packet by the wire; its queue, and the hash that came with it.
static uint16_t
queue_of(bool tcp, bool *hashed, uint32_t *hash)
{
	struct rte_mbuf *m;

	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, tcp, 10);
	assert_int_equal(rte_eth_rx_burst(0, 0, &m, 0), 0); // runs the firmware
	for (uint16_t q = 0; q < 2; q++) {
		if (rte_eth_rx_burst(0, q, &m, 1) == 0)
			continue;
		*hashed = m->ol_flags & RTE_MBUF_F_RX_RSS_HASH;
		*hash = m->hash.rss;
		rte_pktmbuf_free(m);
		return q;
	}
	fail_msg("it came by no queue");
	return 0;
}

// Toeplitz over the addresses and ports of packet(), from its definition, bit by bit.
static uint32_t
toeplitz(const uint8_t *key, bool ports)
{
	uint8_t in[12] = {10, 0, 0, 1, 10, 0, 0, 2, 1000 >> 8, 1000 & 0xff, 0, 80};
	uint32_t hash = 0;

	for (unsigned int bit = 0; bit < (ports ? 96 : 64); bit++) {
		uint32_t window = 0;

		if (!(in[bit / 8] >> (7 - bit % 8) & 1))
			continue;
		for (unsigned int i = bit; i < bit + 32; i++)
			window = window << 1 | (key[i / 8] >> (7 - i % 8) & 1);
		hash ^= window;
	}
	return hash;
}

// A key and types that are set while packets come hold for the next; what was set is what is told.
static void
test_rss_update(void **state)
{
	uint8_t key[EMU_RSS_KEY_LEN], told[EMU_RSS_KEY_LEN];
	struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = sizeof(key)};
	struct rte_eth_rss_conf get = {.rss_key = told, .rss_key_len = sizeof(told)};
	bool seen[2] = {false, false}, hashed;
	uint32_t hash;

	plug(0);
	for (unsigned int i = 0; i < 40; i++) {
		const bool ports = draw(2);
		uint16_t q;

		for (unsigned int k = 0; k < sizeof(key); k++)
			key[k] = draw(256);
		conf.rss_hf = RTE_ETH_RSS_IPV4 | (ports ? RTE_ETH_RSS_NONFRAG_IPV4_TCP : 0);
		assert_int_equal(rte_eth_dev_rss_hash_update(0, &conf), 0);
		assert_int_equal(rte_eth_dev_rss_hash_conf_get(0, &get), 0);
		assert_memory_equal(key, told, sizeof(key));
		assert_int_equal(get.rss_hf, conf.rss_hf);
		q = queue_of(true, &hashed, &hash);
		assert_true(hashed);
		assert_int_equal(hash, toeplitz(key, ports));
		assert_int_equal(q, hash % 512 % 2); // the redirection table as it is at first
		seen[q] = true;
	}
	assert_true(seen[0] && seen[1]);
	conf.rss_key_len = 16;
	assert_int_equal(rte_eth_dev_rss_hash_update(0, &conf), -EINVAL);
	conf = (struct rte_eth_rss_conf){.rss_hf = RTE_ETH_RSS_ESP};
	assert_int_equal(rte_eth_dev_rss_hash_update(0, &conf), -EINVAL);
	conf.rss_hf = RTE_ETH_RSS_NONFRAG_IPV4_UDP; // without a key the last one stays
	assert_int_equal(rte_eth_dev_rss_hash_update(0, &conf), 0);
	assert_int_equal(rte_eth_dev_rss_hash_conf_get(0, &get), 0);
	assert_memory_equal(key, told, sizeof(key));
	assert_int_equal(queue_of(true, &hashed, &hash), 0); // TCP is hashed no more
	assert_false(hashed);
	queue_of(false, &hashed, &hash);
	assert_true(hashed);
	unplug();
}

// A queue with a deferred start waits for its own; one that stops loses by name what is in it, and
// begins empty.
static void
test_queue_states(void **state)
{
	const struct rte_eth_rxconf rx_later = {.rx_deferred_start = 1};
	const struct rte_eth_txconf tx_later = {.tx_deferred_start = 1};
	struct rte_mbuf *m = packet(pools[0], false, false, 10), *got[4];
	struct rte_eth_rxq_info rx;
	struct rte_eth_txq_info tx;

	plug(0);
	assert_int_equal(rte_eth_dev_stop(1), 0);
	assert_int_equal(rte_eth_rx_queue_setup(1, 0, 128, 0, &rx_later, pools[1]), 0);
	assert_int_equal(rte_eth_tx_queue_setup(1, 0, 96, 0, &tx_later), 0);
	assert_int_equal(rte_eth_dev_start(1), 0);
	assert_int_equal(rte_eth_rx_queue_info_get(1, 0, &rx), 0);
	assert_int_equal(rte_eth_tx_queue_info_get(1, 0, &tx), 0);
	assert_ptr_equal(rx.mp, pools[1]);
	assert_int_equal(rx.nb_desc, 128);
	assert_int_equal(tx.nb_desc, 96);
	assert_int_equal(rx.queue_state, RTE_ETH_QUEUE_STATE_STOPPED);
	assert_int_equal(tx.queue_state, RTE_ETH_QUEUE_STATE_STOPPED);
	assert_true(rx.conf.rx_deferred_start && tx.conf.tx_deferred_start);
	assert_int_equal(rte_eth_tx_burst(1, 0, &m, 1), 0);
	scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(receive(0, got, 4), 0); // runs the firmware
	assert_int_equal(xstat("nic_drop_rx_queue_stopped"), 1);
	assert_int_equal(rte_eth_dev_rx_queue_start(1, 0), 0);
	assert_int_equal(rte_eth_dev_tx_queue_start(1, 0), 0);
	assert_int_equal(rte_eth_rx_queue_info_get(1, 0, &rx), 0);
	assert_int_equal(rx.queue_state, RTE_ETH_QUEUE_STATE_STARTED);
	send_one(1, m);
	assert_int_equal(receive(0, got, 4), 0);
	assert_int_equal(xstat("nic_sent_vf"), 1);
	for (unsigned int i = 0; i < 3; i++)
		scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(receive(0, got, 4), 0);
	assert_int_equal(xstat("nic_held"), 3);
	assert_int_equal(rte_eth_dev_rx_queue_stop(1, 0), 0);
	assert_int_equal(xstat("nic_held"), 0);
	assert_int_equal(xstat("nic_drop_port_stop"), 3);
	assert_int_equal(rte_mempool_in_use_count(pools[1]), 0);
	balance();
	assert_int_equal(rte_eth_dev_rx_queue_start(1, 0), 0);
	assert_int_equal(receive(1, got, 4), 0);
	assert_int_equal(rte_eth_dev_tx_queue_stop(1, 0), 0);
	m = packet(pools[0], false, false, 10);
	assert_int_equal(rte_eth_tx_burst(1, 0, &m, 1), 0);
	rte_pktmbuf_free(m);
	unplug();
}

// Of any port, by its name. (That of rte_eth_stats went with DPDK 25.11.)
static uint64_t
xstat_of(uint16_t port, const char *name)
{
	uint64_t id, value;

	assert_int_equal(rte_eth_xstats_get_id_by_name(port, name, &id), 0);
	assert_int_equal(rte_eth_xstats_get_by_id(port, &id, &value, 1), 1);
	return value;
}

// Basic statistics and those of queues begin anew when they are told to, also of a queue that was
// set up again; the ledger only grows.
static void
test_stats_reset(void **state)
{
	struct rte_eth_stats s;
	struct rte_mbuf *got[8];

	plug(0);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 5; i++)
			scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
		assert_int_equal(receive(1, got, 8), 5);
		rte_pktmbuf_free_bulk(got, 5);
		send_one(1, packet(pools[0], false, false, 20));
		assert_int_equal(rte_eth_stats_get(1, &s), 0);
		assert_int_equal(s.ipackets, 5);
		assert_int_equal(s.ibytes, 5 * 52);
		assert_int_equal(s.opackets, 1);
		assert_int_equal(xstat_of(1, "rx_q0_packets"), 5);
		assert_int_equal(xstat_of(1, "tx_q0_packets"), 1);
		assert_int_equal(s.obytes, 62);
		if (round == 1) {
			assert_int_equal(rte_eth_dev_stop(1), 0);
			assert_int_equal(rte_eth_rx_queue_setup(1, 0, 64, 0, NULL, pools[2]), 0);
			assert_int_equal(rte_eth_dev_start(1), 0);
			assert_int_equal(rte_eth_stats_get(1, &s), 0);
			assert_int_equal(s.ipackets, 5);
		}
		assert_int_equal(round == 2 ? rte_eth_xstats_reset(1) : rte_eth_stats_reset(1), 0);
		assert_int_equal(rte_eth_stats_get(1, &s), 0);
		assert_int_equal(s.ipackets + s.ibytes + s.opackets + s.obytes, 0);
		assert_int_equal(xstat_of(1, "rx_q0_packets") + xstat_of(1, "tx_q0_packets"), 0);
		assert_int_equal(xstat("nic_sent_host"), 5 * (round + 1));
	}
	// A full ring is the port's miss.
	for (unsigned int i = 0; i < 2; i++) {
		while (scripts[1].n_in < 40)
			scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
		receive(0, got, 8);
	}
	assert_int_equal(rte_eth_stats_get(1, &s), 0);
	assert_int_equal(s.imissed, 80 - 64);
	assert_int_equal(s.imissed, xstat("nic_drop_rx_missed"));
	unplug();
}

// Every type that a packet comes with is one of those that the port says it knows.
static void
test_packet_types(void **state)
{
	uint32_t known[32];
	struct rte_mbuf *got[4];
	int n;

	plug(0);
	n = rte_eth_dev_get_supported_ptypes(0, RTE_PTYPE_ALL_MASK, known, RTE_DIM(known));
	assert_in_range(n, 1, RTE_DIM(known));
	for (unsigned int i = 0; i < 4; i++) {
		static const uint32_t masks[] = {
			RTE_PTYPE_L2_MASK, RTE_PTYPE_L3_MASK, RTE_PTYPE_L4_MASK};

		scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, i & 1, i & 2, 10);
		assert_int_equal(receive(0, got, 4), 1);
		for (unsigned int m = 0; m < RTE_DIM(masks); m++) {
			bool found = false;

			for (int k = 0; k < n; k++)
				found |= known[k] == (got[0]->packet_type & masks[m]);
			assert_true(found);
		}
		rte_pktmbuf_free(got[0]);
	}
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mac_filter),
		cmocka_unit_test(test_rss_update),
		cmocka_unit_test(test_queue_states),
		cmocka_unit_test(test_stats_reset),
		cmocka_unit_test(test_packet_types),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

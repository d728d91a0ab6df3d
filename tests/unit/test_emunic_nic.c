// SPDX-License-Identifier: BSD-3-Clause
// The whole NIC in this process, its firmware inline, between ethdev calls on one side and scripted
// backends on the other: checksums and segmentation in every direction, where received packets
// live, the ledger under a seeded soup of packets, offload claims, rules and restarts.
//
//      port 0 (PF, 2 queues)   port 1 (representor of vf0)
//           |                       |
//         wire (scripted)         vf0 (scripted)
#include "emunic_nic.h"

#include <dlfcn.h>
#include <link.h>
#include <time.h>

#include "rte_pmd_emunic.h"

static void
test_tx_to_plain_side(void **state)
{
	plug(0);
	for (int v6 = 0; v6 < 2; v6++) {
		struct rte_mbuf *m = packet(pools[0], v6, true, BIG);

		ask(m, v6, true, true);
		send_one(0, m);
		assert_segments(scripts[0].out, scripts[0].n_out, v6);
		clear(&scripts[0]);
		for (int tcp = 0; tcp < 2; tcp++) {
			m = packet(pools[0], v6, tcp, 100 + tcp);
			ask(m, v6, tcp, false);
			send_one(1, m);
			assert_int_equal(scripts[1].n_out, 1);
			assert_sums(scripts[1].out[0], v6, tcp);
			assert_int_equal(scripts[1].out[0]->ol_flags, 0);
			clear(&scripts[1]);
		}
	}
	assert_int_equal(xstat("nic_copies"), 12);
	assert_int_equal(xstat("nic_sent_wire"), 14);
	unplug();
}

// A packet that others hold too is not written to.
static void
test_tx_shared(void **state)
{
	struct rte_mbuf *m;
	uint16_t before;

	plug(0);
	m = packet(pools[0], false, false, 64);
	before = rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, 34)->dgram_cksum;
	ask(m, false, false, false);
	rte_mbuf_refcnt_update(m, 1);
	send_one(0, m);
	assert_int_equal(scripts[0].n_out, 1);
	assert_ptr_not_equal(scripts[0].out[0], m);
	assert_sums(scripts[0].out[0], false, false);
	assert_int_equal(rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, 34)->dgram_cksum, before);
	rte_pktmbuf_free(m);
	unplug();
}

// A side that takes offloads gets the packet whole, with the pseudo header's sum in it.
static void
test_tx_to_taking_side(void **state)
{
	plug(0);
	scripts[1].takes = true;
	for (int v6 = 0; v6 < 2; v6++) {
		struct rte_mbuf *m = packet(pools[0], v6, true, BIG);
		const uint64_t want = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM |
				      (v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
		void *ip = rte_pktmbuf_mtod_offset(m, void *, 14);

		ask(m, v6, true, true);
		send_one(1, m);
		assert_int_equal(scripts[1].n_out, 1);
		assert_int_equal(scripts[1].out[0]->ol_flags, want);
		assert_int_equal(scripts[1].out[0]->tso_segsz, MSS);
		assert_int_equal(
			rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, v6 ? 54 : 34)->cksum,
			v6 ? rte_ipv6_phdr_cksum(ip, 0) : rte_ipv4_phdr_cksum(ip, 0));
		clear(&scripts[1]);
	}
	assert_int_equal(xstat("nic_copies"), 0);
	unplug();
}

static void
test_rx_segments(void **state)
{
	struct rte_mbuf *got[32];

	for (int lro = 0; lro < 2; lro++) {
		plug(lro ? RTE_ETH_RX_OFFLOAD_TCP_LRO : 0);
		for (int v6 = 0; v6 < 2; v6++) {
			struct rte_mbuf *m = packet(nic()->pool, v6, true, BIG);
			unsigned int n;

			ask(m, v6, true, true);
			scripts[1].in[scripts[1].n_in++] = m;
			n = receive(1, got, 32);
			for (unsigned int i = 0; i < n; i++)
				assert_ptr_equal(got[i]->pool, pools[1]);
			if (lro) {
				assert_int_equal(n, 1);
				assert_int_equal(got[0]->pkt_len, (v6 ? 74 : 54) + BIG);
				assert_true(got[0]->ol_flags & RTE_MBUF_F_RX_LRO);
				assert_int_equal(got[0]->tso_segsz, MSS);
			} else {
				assert_segments(got, n, v6);
			}
			rte_pktmbuf_free_bulk(got, n);
		}
		unplug();
	}
}

// Segments do not overtake what came before them.
static void
test_rx_order(void **state)
{
	struct rte_mbuf *m, *got[32];
	unsigned int n;

	plug(0);
	m = packet(nic()->pool, false, true, BIG);
	ask(m, false, true, true);
	scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, true, 1);
	scripts[1].in[scripts[1].n_in++] = m;
	scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, true, 2);
	n = receive(1, got, 32);
	assert_int_equal(got[0]->pkt_len, 55);
	assert_segments(&got[1], n - 2, false);
	assert_int_equal(got[n - 1]->pkt_len, 56);
	rte_pktmbuf_free_bulk(got, n);
	unplug();
}

// A queue that is set up again while its port runs names what it still held, and its counters stay.
static void
test_queue_again(void **state)
{
	struct rte_mbuf *got[4];

	plug(0);
	for (unsigned int i = 0; i < 3; i++)
		scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(rte_eth_rx_burst(1, 0, got, 1), 1);
	rte_pktmbuf_free(got[0]);
	assert_int_equal(xstat("nic_held"), 2);
	assert_int_equal(rte_eth_dev_rx_queue_stop(1, 0), 0);
	scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(rte_eth_rx_burst(0, 0, got, 1), 0); // runs the firmware
	assert_int_equal(xstat("nic_drop_rx_queue_stopped"), 1);
	assert_int_equal(rte_eth_rx_queue_setup(1, 0, 32, 0, NULL, pools[2]), 0);
	assert_int_equal(xstat("nic_drop_port_stop"), 2);
	assert_int_equal(xstat("nic_sent_host"), 1);
	balance();
	assert_int_equal(rte_eth_dev_rx_queue_start(1, 0), 0);
	scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(receive(1, got, 4), 1);
	assert_ptr_equal(got[0]->pool, pools[2]);
	rte_pktmbuf_free(got[0]);
	unplug();
}

// Receive checksum flags tell the truth, and an unfinished packet of a VF arrives finished.
static void
test_rx_sums(void **state)
{
	struct rte_mbuf *m, *got[4];

	plug(RTE_ETH_RX_OFFLOAD_CHECKSUM);
	for (int v6 = 0; v6 < 2; v6++) {
		for (int kind = 0; kind < 3; kind++) { // wrong, right, unfinished
			m = packet(nic()->pool, v6, true, 77);
			if (kind == 1) {
				struct emu_pkt p = {.m = m, .l4_sum = 1, .ip_sum = !v6};

				assert_true(emu_parse(&p, 0, false));
				assert_true(emu_fill_sums(&p, m));
			}
			if (kind == 2)
				ask(m, v6, true, false);
			scripts[1].in[scripts[1].n_in++] = m;
			assert_int_equal(receive(1, got, 4), 1);
			assert_int_equal(got[0]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK,
				kind ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : RTE_MBUF_F_RX_L4_CKSUM_BAD);
			if (!v6)
				assert_int_equal(got[0]->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK,
					kind ? RTE_MBUF_F_RX_IP_CKSUM_GOOD
					     : RTE_MBUF_F_RX_IP_CKSUM_BAD);
			if (kind > 0)
				assert_sums(got[0], v6, true);
			rte_pktmbuf_free(got[0]);
		}
	}
	unplug();
}

static void
test_lies(void **state)
{
	struct rte_mbuf *m;

	plug(0);
	m = packet(pools[0], false, false, 200); // segmentation of UDP
	ask(m, false, false, false);
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	m->tso_segsz = MSS;
	send_one(0, m);
	m = packet(pools[0], false, true, 200); // tiny segments
	ask(m, false, true, true);
	m->tso_segsz = 1;
	send_one(0, m);
	m = packet(pools[0], false, true, 0); // nothing to segment
	ask(m, false, true, true);
	send_one(0, m);
	m = packet(pools[0], false, true, 200); // longer than it is
	rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14)->total_length = RTE_BE16(5000);
	ask(m, false, true, false);
	send_one(0, m);
	assert_int_equal(xstat("nic_drop_bad_offload"), 4);
	m = packet(pools[0], false, true, 3000); // no offload, above the MTU
	send_one(0, m);
	assert_int_equal(xstat("nic_drop_mtu"), 1);
	m = rte_pktmbuf_alloc(pools[0]);
	rte_pktmbuf_append(m, 13);
	send_one(0, m);
	assert_int_equal(xstat("nic_drop_malformed"), 1);
	assert_int_equal(scripts[0].n_out, 0);
	unplug();
}

static void
test_sides_lose_by_name(void **state)
{
	struct rte_eth_link link;

	plug(0);
	scripts[0].accepts = 3;
	for (unsigned int i = 0; i < 5; i++)
		send_one(0, packet(pools[0], false, false, 10));
	assert_int_equal(xstat("nic_sent_wire"), 3);
	assert_int_equal(xstat("nic_drop_tx_wire_full"), 2);
	scripts[1].down = true;
	send_one(1, packet(pools[0], false, false, 10));
	assert_int_equal(xstat("nic_drop_tx_vf0_down"), 1);
	assert_int_equal(rte_eth_link_get_nowait(1, &link), 0);
	assert_int_equal(link.link_status, RTE_ETH_LINK_DOWN);
	assert_int_equal(rte_eth_link_get_nowait(0, &link), 0);
	assert_int_equal(link.link_status, RTE_ETH_LINK_UP);
	assert_int_equal(rte_eth_dev_set_link_down(0), 0);
	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
	send_one(0, packet(pools[0], false, false, 10));
	assert_int_equal(xstat("nic_drop_tx_wire_down"), 1);
	assert_int_equal(xstat("nic_received_wire"), 0); // still with the peer
	unplug();
}

// A random frame: a good packet, cut, mutated, chained, with any claims.
static struct rte_mbuf *
soup(struct rte_mempool *pool)
{
	bool v6 = draw(2), tcp = draw(3);
	struct rte_mbuf *m = packet(pool, v6, tcp, draw(8) ? draw(1500) : draw(6000));

	if (draw(2))
		ask(m, v6, tcp, draw(2));
	if (draw(4) == 0)
		m->tso_segsz = draw(65536);
	if (draw(5) == 0)
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
	if (draw(8) == 0)
		m->ol_flags |= RTE_MBUF_F_RX_LRO;
	for (unsigned int n = draw(4) ? 0 : draw(4); n > 0; n--)
		*rte_pktmbuf_mtod_offset(m, uint8_t *, draw(m->data_len)) = draw(256);
	if (draw(4) == 0)
		rte_pktmbuf_trim(m, RTE_MIN(draw(100), (uint32_t)rte_pktmbuf_lastseg(m)->data_len));
	if (draw(16) == 0)
		rte_pktmbuf_adj(m, draw(RTE_MIN(m->data_len, 60) + 1));
	return m;
}

static void
random_rule(struct rte_flow **rules)
{
	struct rte_flow **rule;
	uint16_t port = draw(2);
	struct rte_flow_attr attr = {.priority = draw(3), .ingress = 1};
	struct rte_flow_item_ethdev from = {.port_id = draw(2)};
	struct rte_flow_item_udp udp = {.hdr.dst_port = RTE_BE16(53)};
	struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_VOID},
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = draw(2) ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_IPV6},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = draw(2) ? &udp : NULL},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	struct rte_flow_action_ethdev to = {.port_id = draw(2)};
	struct rte_flow_action_queue queue = {.index = draw(2)};
	struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = draw(4) ? RTE_FLOW_ACTION_TYPE_QUEUE : RTE_FLOW_ACTION_TYPE_DROP,
			.conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error;

	if (draw(2)) {
		attr = (struct rte_flow_attr){.priority = draw(3), .transfer = 1};
		pattern[0] = (struct rte_flow_item){.spec = &from,
			.type = draw(2) ? RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR
					: RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT};
		actions[1] = (struct rte_flow_action){.conf = &to,
			.type = draw(2) ? RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR
					: RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT};
	}
	// Rules are kept by port: even places are port 0's.
	rule = &rules[draw(16) * 2 + port];
	if (*rule == NULL) {
		*rule = rte_flow_create(port, &attr, pattern, actions, &error);
		return;
	}
	assert_int_equal(rte_flow_destroy(port, *rule, &error), 0);
	*rule = NULL;
}

static void
test_soup(void **state)
{
	struct rte_flow *rules[32] = {0};
	struct rte_mbuf *got[64], *m;

	plug(RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_CHECKSUM);
	for (unsigned int i = 0; i < 4000; i++) {
		struct script *s = &scripts[draw(2)];

		s->takes = draw(2);
		s->down = draw(10) == 0;
		s->accepts = 16 + draw(40);
		clear(s);
		for (unsigned int k = draw(8); k > 0 && s->n_in < 8; k--)
			s->in[s->n_in++] = soup(nic()->pool);
		m = soup(pools[0]);
		if (rte_eth_tx_burst(draw(2), 0, &m, 1) == 0)
			rte_pktmbuf_free(m);
		if (draw(3) == 0)
			random_rule(rules);
		if (draw(3) == 0)
			rte_pktmbuf_free_bulk(got, receive(draw(2), got, 64));
		if (draw(500) == 0) {
			uint16_t port = draw(2);

			rte_eth_dev_stop(port);
			start_port(
				port, port == 0 ? 2 : 1, draw(2) ? RTE_ETH_RX_OFFLOAD_TCP_LRO : 0);
		}
		if (draw(50) == 0)
			balance();
	}
	assert_true(xstat("nic_copies") > 0 && xstat("nic_drop_bad_offload") > 0);
	assert_true(xstat("nic_eswitch_packets") > 0 && xstat("nic_sent_host") > 0);
	unplug();
}

// A hot-unplugged NIC leaves nothing behind, with its own firmware thread and packets under way.
static void
test_plug_again(void **state)
{
	for (unsigned int i = 0; i < 5; i++) {
		struct rte_mbuf *got[32];
		unsigned int n = 0;

		assert_int_equal(
			rte_vdev_init("net_emunic0", "queues=2,vf1=[sink],representor=vf0,"
						     "wire=[generator,flows=9,pps=0,seed=1]"),
			0);
		start_port(0, 2, 0);
		start_port(1, 1, 0);
		while (n == 0)
			n = receive(0, got, 32);
		rte_pktmbuf_free_bulk(got, n);
		if (i % 2)
			assert_int_equal(rte_eth_dev_stop(0), 0);
		assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
		for (unsigned int k = 0; k < RTE_DIM(pools); k++)
			assert_int_equal(rte_mempool_in_use_count(pools[k]), 0);
	}
	assert_int_not_equal(rte_vdev_init("net_emunic0", "representor=vf[0-1],vf1=[nonsense]"), 0);
	assert_int_equal(rte_eth_dev_count_avail(), 0);
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double
time_of_rules(const char *args, unsigned int n)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_DROP}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_error error;
	double start, end;

	assert_int_equal(rte_vdev_init("net_emunic0", args), 0);
	start_port(0, 1, 0);
	start = seconds();
	for (unsigned int i = 0; i < n; i++)
		assert_non_null(rte_flow_create(0, &attr, pattern, actions, &error));
	end = seconds();
	assert_int_equal(rte_flow_flush(0, &error), 0);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	return end - start;
}

// An insertion takes as long as it is told to, and they do not come faster than their rate.
static void
test_insertion_cost(void **state)
{
	assert_true(time_of_rules("insert_us=5000", 10) >= 0.05);
	assert_true(time_of_rules("insert_rate=200", 11) >= 0.05);
}

// Backends are exchanged under way, a wrong one leaves the old one, and nothing is lost unnamed.
static void
test_swap(void **state)
{
	struct rte_mbuf *got[32];
	unsigned int n, total = 0;

	assert_int_equal(
		rte_vdev_init("net_emunic0", "queues=2,vfs=1,wire=[generator,flows=3,count=40]"),
		0);
	start_port(0, 2, 0);
	while (rte_pmd_emunic_side_finished(0, "wire") == 0 || xstat("nic_held") > 0) {
		n = receive(0, got, 32);
		rte_pktmbuf_free_bulk(got, n);
		total += n;
	}
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "wire", "[nonsense]"), -EINVAL);
	assert_int_equal(rte_pmd_emunic_side_finished(0, "wire"), 1);
	// A VF without a representor works too; what it sends by default has nowhere to go.
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "vf0", "generator,flows=3,count=7"), 0);
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "wire", "generator,flows=3,count=60"), 0);
	while (total < 100) {
		n = receive(0, got, 32);
		rte_pktmbuf_free_bulk(got, n);
		total += n;
	}
	while (rte_pmd_emunic_side_finished(0, "vf0") == 0 || xstat("nic_received_vf") < 7)
		;
	assert_int_equal(xstat("wire_played"), 100);
	assert_int_equal(xstat("nic_drop_host_stopped"), 7);
	balance();
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "wire", NULL), 0);
	assert_int_equal(rte_pmd_emunic_side_finished(0, "vf1"), -EINVAL);
	assert_int_equal(rte_pmd_emunic_side_finished(1, "wire"), -ENODEV);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
}

// The driver was compiled against the structure that the library has.
static void
test_device_size(void **state)
{
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	assert_int_not_equal(dladdr1(rte_eth_devices, &info, (void **)&symbol, RTLD_DL_SYMENT), 0);
	assert_non_null(symbol);
	assert_int_equal(symbol->st_size, sizeof(struct rte_eth_dev) * RTE_MAX_ETHPORTS);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_size),
		cmocka_unit_test(test_tx_to_plain_side),
		cmocka_unit_test(test_tx_shared),
		cmocka_unit_test(test_tx_to_taking_side),
		cmocka_unit_test(test_rx_segments),
		cmocka_unit_test(test_rx_order),
		cmocka_unit_test(test_queue_again),
		cmocka_unit_test(test_rx_sums),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_sides_lose_by_name),
		cmocka_unit_test(test_soup),
		cmocka_unit_test(test_plug_again),
		cmocka_unit_test(test_insertion_cost),
		cmocka_unit_test(test_swap),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

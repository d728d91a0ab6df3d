// SPDX-License-Identifier: BSD-3-Clause
// Tunnels that rules put on and take off, what ingress rules do to packets, and any bytes through
// any program: all of it through the whole NIC.
#include "emunic_actions.h"

// VXLAN_ENCAP and RAW_ENCAP make the same of the same headers; DECAP gives the packet back.
static void
test_vxlan(void **state)
{
	struct rte_flow_item_eth eth = {0};
	struct rte_flow_item_ipv4 ip = {.hdr.src_addr = RTE_BE32(RTE_IPV4(100, 0, 2, 1)),
		.hdr.dst_addr = RTE_BE32(RTE_IPV4(100, 0, 2, 2))};
	struct rte_flow_item_udp udp = {0};
	struct rte_flow_item_vxlan vxlan = {.vni = {0, 0x30, 0x39}};
	struct rte_flow_item def[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &eth},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &ip},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp},
		{.type = RTE_FLOW_ITEM_TYPE_VXLAN, .spec = &vxlan},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	struct rte_flow_action_vxlan_encap conf = {.definition = def};
	struct rte_flow_action_raw_encap raw = {.data = outer, .size = OUTER};
	struct rte_flow_action_raw_decap strip = {.size = OUTER};
	struct rte_flow_action on[] = {{.type = RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP, .conf = &conf},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw}};
	struct rte_flow_action off[] = {{.type = RTE_FLOW_ACTION_TYPE_VXLAN_DECAP},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_DECAP, .conf = &strip}};
	uint16_t ports[2];

	memcpy(&eth.hdr, outer, 12);
	plug(0);
	for (unsigned int i = 0; i < 4; i++) {
		struct rte_mbuf *m = packet(nic()->pool, i & 1, true, 200), *want, *got;
		struct rte_flow *f = rule_to_vf(&on[i / 2], 1);

		if (i == 3)
			rte_pktmbuf_prepend(m, rte_pktmbuf_headroom(m)); // there is no room
		if (i == 3)
			rte_pktmbuf_adj(m, RTE_PKTMBUF_HEADROOM);
		want = rte_pktmbuf_copy(m, pools[0], 0, UINT32_MAX);
		got = through(m);
		assert_non_null(got);
		assert_vxlan(got, want->pkt_len);
		ports[i / 2] = rte_pktmbuf_mtod_offset(got, struct rte_udp_hdr *, 34)->src_port;
		remove_rule(f);
		f = rule_to_vf(&off[i / 2], 1);
		got = through(rte_pktmbuf_copy(got, nic()->pool, 0, UINT32_MAX));
		assert_non_null(got);
		assert_int_equal(got->pkt_len, want->pkt_len);
		assert_memory_equal(rte_pktmbuf_mtod(got, void *), rte_pktmbuf_mtod(want, void *),
			want->pkt_len);
		rte_pktmbuf_free(want);
		remove_rule(f);
	}
	assert_int_equal(ports[0], ports[1]); // one flow, one port
	// What is not VXLAN, or too short to strip, cannot be decapsulated.
	for (unsigned int i = 0; i < 2; i++) {
		struct rte_flow *f = rule_to_vf(&off[i], 1);

		assert_null(through(packet(nic()->pool, false, i, 0)));
		remove_rule(f);
	}
	assert_int_equal(xstat("nic_drop_edit"), 2);
	unplug();
}

// What one action of a rule put on, the next one finds and takes off again.
static void
test_vxlan_there_and_back(void **state)
{
	struct rte_flow_action_raw_encap raw = {.data = outer, .size = OUTER};
	struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw},
		{.type = RTE_FLOW_ACTION_TYPE_VXLAN_DECAP}};

	plug(0);
	rule_to_vf(a, 2);
	for (unsigned int i = 0; i < 4; i++) {
		struct rte_mbuf *m = packet(nic()->pool, i & 1, i & 2, 200);
		struct rte_mbuf *want = rte_pktmbuf_copy(m, pools[0], 0, UINT32_MAX);
		struct rte_mbuf *got = through(m);

		assert_non_null(got);
		assert_int_equal(got->pkt_len, want->pkt_len);
		assert_memory_equal(rte_pktmbuf_mtod(got, void *), rte_pktmbuf_mtod(want, void *),
			want->pkt_len);
		rte_pktmbuf_free(want);
	}
	unplug();
}

// A packet that stands for several gets its outer header on each; unfinished sums are finished.
static void
test_vxlan_segments(void **state)
{
	const struct rte_flow_item_ethdev pf = {.port_id = 0};
	const struct rte_flow_item from_host[] = {
		{.type = RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR, .spec = &pf},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_attr attr = {.transfer = 1};
	struct rte_flow_action_raw_encap raw = {.data = outer, .size = OUTER};
	const struct rte_flow_action_ethdev vf = {.port_id = 1};
	struct rte_flow_action a[] = {
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw},
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &vf},
		END,
	};
	struct rte_flow_error error;

	plug(0);
	nic()->sides[1].mtu = 1600; // for the outer headers
	assert_non_null(rte_flow_create(0, &attr, from_host, a, &error));
	for (unsigned int i = 0; i < 4; i++) {
		bool v6 = i & 1, tso = i & 2;
		struct rte_mbuf *m = packet(pools[0], v6, tso, tso ? BIG : 100), *before;

		ask(m, v6, tso, tso);
		before = packet(pools[0], v6, true, 10);
		assert_int_equal(rte_eth_tx_burst(0, 0, (struct rte_mbuf *[]){before, m}, 2), 2);
		for (unsigned int k = 0; k < scripts[1].n_out; k++) {
			struct rte_mbuf *s = scripts[1].out[k];

			assert_vxlan(s, s->pkt_len - OUTER);
			rte_pktmbuf_adj(s, OUTER);
			if (k > 0 && !tso)
				assert_sums(s, v6, false);
		}
		if (tso)
			assert_segments(&scripts[1].out[1], scripts[1].n_out - 1, v6);
		else
			assert_int_equal(scripts[1].n_out, 2);
		clear(&scripts[1]);
	}
	unplug();
}

// Segments that a rule of the queue's port is for, behind a packet that waits for the same queue.
static void
test_ingress_segments(void **state)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action_queue queue = {.index = 0};
	struct rte_flow_action_raw_encap raw = {.data = outer, .size = OUTER};
	const struct rte_flow_action a[] = {
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		END,
	};
	const struct rte_flow_attr transfer = {.transfer = 1};
	const struct rte_flow_action_ethdev pf = {.port_id = 0};
	const struct rte_flow_action back[] = {
		{.type = RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, .conf = &pf},
		END,
	};
	const struct rte_flow_item_ethdev host = {.port_id = 0};
	const struct rte_flow_item from_host[] = {
		{.type = RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR, .spec = &host},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	struct rte_flow_error error;

	plug(RTE_ETH_RX_OFFLOAD_SCATTER);
	nic()->sides[0].mtu = 1600; // for the outer headers
	assert_non_null(rte_flow_create(0, &attr, any, a, &error));
	assert_non_null(rte_flow_create(0, &transfer, from_host, back, &error));
	for (unsigned int mss = MSS; mss >= 175; mss /= 2) { // from 7 segments to 52
		struct rte_mbuf *burst[3], *got[128];
		unsigned int want = (BIG + mss - 1) / mss, n;
		uint32_t at = 0;

		for (unsigned int i = 0; i < 3; i++) {
			burst[i] = packet(pools[0], false, i == 1, i == 1 ? BIG : 10 + i);
			ask(burst[i], false, i == 1, i == 1);
			burst[i]->tso_segsz = mss;
		}
		assert_int_equal(rte_eth_tx_burst(0, 0, burst, 3), 3);
		n = receive(0, got, 128);
		assert_int_equal(n, want + 2);
		for (unsigned int i = 0; i < n; i++) {
			if (i > 0 && i < n - 1) {
				const struct rte_tcp_hdr *t = rte_pktmbuf_mtod_offset(
					got[i], struct rte_tcp_hdr *, OUTER + 34);

				assert_int_equal(rte_be_to_cpu_32(t->sent_seq), 0xfffff000 + at);
				at += mss;
			}
			rte_mbuf_sanity_check(got[i], 1);
		}
		rte_pktmbuf_free_bulk(got, n);
	}
	unplug();
}

// An outer UDP checksum that is asked for is the right one.
static void
test_encap_udp_sum(void **state)
{
	uint8_t data[OUTER];
	struct rte_flow_action_raw_encap raw = {.data = data, .size = OUTER};
	struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw}};
	struct rte_mbuf *m;

	memcpy(data, outer, OUTER);
	data[40] = data[41] = 0xff;
	plug(0);
	rule_to_vf(a, 1);
	m = through(packet(nic()->pool, false, true, 33));
	assert_non_null(m);
	assert_sums(m, false, false);
	unplug();
}

// What an ingress rule does to a packet is seen by its queue, and by RSS.
static void
test_ingress(void **state)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action_mark mark = {.id = 77};
	const struct rte_flow_action_queue queue = {.index = 1};
	struct rte_flow_action_raw_encap raw = {.data = outer, .size = OUTER};
	uint8_t mac[6] = {2, 1, 2, 1, 2, 1};
	struct rte_flow_action a[] = {
		{.type = RTE_FLOW_ACTION_TYPE_SET_MAC_DST, .conf = mac},
		{.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &mark},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		END,
	};
	struct rte_mbuf *m[16];
	struct rte_flow_error error;
	struct rte_flow *f;
	unsigned int n;

	plug(RTE_ETH_RX_OFFLOAD_SCATTER);
	f = rte_flow_create(0, &attr, any, a, &error);
	assert_non_null(f);
	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, true, 20);
	assert_int_equal(receive(0, m, 16), 1);
	assert_ptr_equal(m[0]->pool, pools[2]);
	assert_int_equal(m[0]->hash.fdir.hi, 77);
	assert_true(m[0]->ol_flags & RTE_MBUF_F_RX_FDIR_ID);
	assert_memory_equal(rte_pktmbuf_mtod(m[0], void *), mac, 6);
	rte_pktmbuf_free(m[0]);
	remove_rule(f);
	a[0] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw};
	a[1] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_FLAG};
	f = rte_flow_create(0, &attr, any, a, &error);
	assert_non_null(f);
	m[0] = packet(nic()->pool, true, true, BIG);
	m[0]->ol_flags = RTE_MBUF_F_RX_LRO;
	m[0]->tso_segsz = MSS;
	scripts[0].in[scripts[0].n_in++] = m[0];
	n = receive(0, m, 16);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(m[i]->ol_flags & (RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID),
			RTE_MBUF_F_RX_FDIR);
		assert_vxlan(m[i], m[i]->pkt_len - OUTER);
		rte_pktmbuf_adj(m[i], OUTER);
	}
	assert_segments(m, n, true);
	rte_pktmbuf_free_bulk(m, n);
	unplug();
}

// Any bytes, cut into any segments, through any program, leave the NIC or are dropped by name.
static struct rte_mbuf *
garbage(void)
{
	bool v6 = draw(2), tcp = draw(2);
	struct rte_mbuf *m = packet(nic()->pool, v6, tcp, draw(3) == 0 ? BIG : draw(200));
	uint8_t *b = rte_pktmbuf_mtod(m, uint8_t *);

	for (unsigned int i = draw(6); i > 0; i--)
		b[draw(m->data_len)] = draw(256);
	if (draw(3) == 0 && m->nb_segs == 1)
		rte_pktmbuf_trim(m, draw(m->data_len));
	if (draw(3) == 0) {
		struct rte_mbuf *head = rte_pktmbuf_alloc(nic()->pool);
		uint16_t n = draw(RTE_MIN(m->data_len, 70));

		memcpy(rte_pktmbuf_append(head, n), rte_pktmbuf_mtod(m, void *), n);
		rte_pktmbuf_adj(m, n);
		rte_pktmbuf_chain(head, m);
		m = head;
	}
	if (draw(3) == 0) {
		m->ol_flags = draw(2) ? RTE_MBUF_F_RX_LRO : RTE_MBUF_F_RX_L4_CKSUM_NONE;
		m->tso_segsz = draw(2000);
	}
	return m;
}

static const int set_types[] = {RTE_FLOW_ACTION_TYPE_SET_MAC_DST, RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC,
	RTE_FLOW_ACTION_TYPE_SET_IPV6_DST, RTE_FLOW_ACTION_TYPE_SET_TP_SRC,
	RTE_FLOW_ACTION_TYPE_SET_TTL};

static struct rte_flow *
random_program(void)
{
	const struct rte_flow_attr attr = {.transfer = 1};
	const struct rte_flow_action_ethdev vf = {.port_id = 1}, host = {.port_id = 0};
	struct rte_flow_action_of_push_vlan tag = {.ethertype = RTE_BE16(0x8100)};
	struct rte_flow_action_raw_encap raw = {.data = outer, .size = draw(2) ? OUTER : 14};
	struct rte_flow_action_raw_decap strip = {.size = 1 + draw(80)};
	struct rte_flow_action_modify_field c = {.operation = draw(3),
		.dst.field = draw(30),
		.src.field = draw(30),
		.width = 1 + draw(16),
		.dst.offset = draw(8)};
	uint8_t value[16] = {0};
	struct rte_flow_action a[9] = {0};
	struct rte_flow_error error;
	struct rte_flow *f = NULL;

	while (f == NULL) {
		unsigned int n = 0;

		for (unsigned int k = draw(7); k > 0; k--) {
			static const int types[] = {RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN,
				RTE_FLOW_ACTION_TYPE_OF_POP_VLAN, RTE_FLOW_ACTION_TYPE_DEC_TTL,
				RTE_FLOW_ACTION_TYPE_RAW_ENCAP, RTE_FLOW_ACTION_TYPE_RAW_DECAP,
				RTE_FLOW_ACTION_TYPE_VXLAN_DECAP,
				RTE_FLOW_ACTION_TYPE_MODIFY_FIELD};
			const void *confs[] = {&tag, NULL, NULL, &raw, &strip, NULL, &c};
			unsigned int t = draw(RTE_DIM(types) + 2);

			if (t < RTE_DIM(types))
				a[n++] = (struct rte_flow_action){
					.type = types[t], .conf = confs[t]};
			else
				a[n++] = (struct rte_flow_action){
					.type = set_types[draw(RTE_DIM(set_types))], .conf = value};
		}
		a[n].type = draw(4) ? RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT
				    : RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR;
		a[n].conf = a[n].type == RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT ? &vf : &host;
		a[n + 1] = (struct rte_flow_action)END;
		f = rte_flow_create(0, &attr, any, a, &error);
		c.dst.field = draw(30);
		c.src.field = draw(30);
	}
	return f;
}

static void
test_hostile(void **state)
{
	struct rte_mbuf *got[64];

	plug(RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_CHECKSUM);
	for (unsigned int i = 0; i < 4000; i++) {
		struct rte_flow *f = random_program();

		scripts[1].takes = draw(2);
		for (unsigned int k = 1 + draw(4); k > 0; k--)
			scripts[0].in[scripts[0].n_in++] = garbage();
		rte_pktmbuf_free_bulk(got, receive(0, got, 64));
		clear(&scripts[1]);
		remove_rule(f);
		if (i % 100 == 0)
			balance();
	}
	assert_true(xstat("nic_drop_edit") > 0 && xstat("nic_drop_ttl") > 0);
	assert_true(xstat("nic_sent_vf") > 1000 && xstat("nic_sent_host") > 500);
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vxlan),
		cmocka_unit_test(test_vxlan_there_and_back),
		cmocka_unit_test(test_vxlan_segments),
		cmocka_unit_test(test_ingress_segments),
		cmocka_unit_test(test_encap_udp_sum),
		cmocka_unit_test(test_ingress),
		cmocka_unit_test(test_hostile),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

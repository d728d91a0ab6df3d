// SPDX-License-Identifier: BSD-3-Clause
// What rules do to packets, through the whole NIC: every header edit with every kind of packet,
// with checksums that are there or left to the way out, tags, and what is refused and why. Results
// are compared with the same bytes edited by hand and summed up by DPDK.
#include "emunic_actions.h"

struct edit {
	int type;
	uint8_t bytes;
	int at[2]; // in IPv4 and in IPv6, from the first byte; -1: not there
};

static const struct edit edits[] = {
	{RTE_FLOW_ACTION_TYPE_SET_MAC_DST, 6, {0, 0}},
	{RTE_FLOW_ACTION_TYPE_SET_MAC_SRC, 6, {6, 6}},
	{RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC, 4, {26, -1}},
	{RTE_FLOW_ACTION_TYPE_SET_IPV4_DST, 4, {30, -1}},
	{RTE_FLOW_ACTION_TYPE_SET_IPV6_SRC, 16, {-1, 22}},
	{RTE_FLOW_ACTION_TYPE_SET_IPV6_DST, 16, {-1, 38}},
	{RTE_FLOW_ACTION_TYPE_SET_TP_SRC, 2, {34, 54}},
	{RTE_FLOW_ACTION_TYPE_SET_TP_DST, 2, {36, 56}},
	{RTE_FLOW_ACTION_TYPE_SET_TTL, 1, {22, 21}},
};

// Any three edits of random values, on any kind of packet: complete, left to offload, or shared.
static void
test_edits(void **state)
{
	plug(0);
	for (unsigned int i = 0; i < 3000; i++) {
		bool v6 = draw(2), tcp = draw(2), shared = draw(4) == 0,
		     none = draw(4) == 0 && !tcp;
		struct rte_mbuf *m = packet(nic()->pool, v6, tcp, draw(300)), *want, *got,
				*twin = NULL;
		uint8_t values[3][16];
		struct rte_flow_action a[3];
		struct rte_flow *f;

		right_sums(m, v6, tcp, none);
		want = rte_pktmbuf_copy(m, pools[0], 0, UINT32_MAX);
		for (unsigned int k = 0; k < 3; k++) {
			const struct edit *e = &edits[draw(RTE_DIM(edits))];

			for (unsigned int b = 0; b < 16; b++)
				values[k][b] = draw(3) == 0 ? 0 : draw(256);
			a[k] = (struct rte_flow_action){.type = e->type, .conf = values[k]};
			if (e->at[v6] >= 0)
				memcpy(rte_pktmbuf_mtod_offset(want, void *, e->at[v6]), values[k],
					e->bytes);
		}
		f = rule_to_vf(a, 3);
		right_sums(want, v6, tcp, none);
		if (shared)
			twin = rte_pktmbuf_clone(m, pools[1]);
		got = through(m);
		assert_non_null(got);
		assert_int_equal(got->pkt_len, want->pkt_len);
		if (memcmp(rte_pktmbuf_mtod(got, void *), rte_pktmbuf_mtod(want, void *),
			    want->pkt_len) != 0)
			fail_msg("%s %s%s%s: wrong bytes", v6 ? "v6" : "v4", tcp ? "tcp" : "udp",
				none ? " without sum" : "", shared ? " shared" : "");
		rte_pktmbuf_free(twin);
		rte_pktmbuf_free(want);
		remove_rule(f);
	}
	unplug();
}

// What the sender left to the NIC is right after an edit too: segments, and sums.
static void
test_edits_offloaded(void **state)
{
	const struct rte_flow_item_ethdev pf = {.port_id = 0};
	const struct rte_flow_item from_host[] = {
		{.type = RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR, .spec = &pf},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_attr attr = {.transfer = 1};
	uint8_t ip4[4] = {1, 2, 3, 4}, ip6[16] = {0xfe, 0x80, [15] = 9}, port[2] = {0x12, 0x34};
	uint8_t ttl = 7;
	const struct rte_flow_action_of_push_vlan tag = {.ethertype = RTE_BE16(0x8100)};
	const struct rte_flow_action_ethdev vf = {.port_id = 1};
	struct rte_flow_action a[] = {
		{.type = RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC, .conf = ip4},
		{.type = RTE_FLOW_ACTION_TYPE_SET_IPV6_DST, .conf = ip6},
		{.type = RTE_FLOW_ACTION_TYPE_SET_TP_DST, .conf = port},
		{.type = RTE_FLOW_ACTION_TYPE_SET_TTL, .conf = &ttl},
		{.type = RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN, .conf = &tag},
		{.type = RTE_FLOW_ACTION_TYPE_OF_POP_VLAN},
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &vf},
		END,
	};
	struct rte_flow_error error;

	plug(0);
	assert_non_null(rte_flow_create(0, &attr, from_host, a, &error));
	for (unsigned int i = 0; i < 8; i++) {
		bool v6 = i & 1, tcp = i & 2, tso = tcp && (i & 4);
		struct rte_mbuf *m = packet(pools[0], v6, tcp, tso ? BIG : 100);
		const uint8_t *h;

		ask(m, v6, tcp, tso);
		send_one(0, m);
		assert_int_equal(scripts[1].n_out, tso ? (BIG + MSS - 1) / MSS : 1);
		for (unsigned int k = 0; k < scripts[1].n_out; k++) {
			h = rte_pktmbuf_mtod(scripts[1].out[k], const uint8_t *);
			assert_sums(scripts[1].out[k], v6, tcp);
			assert_int_equal(h[v6 ? 21 : 22], ttl);
			assert_memory_equal(v6 ? &h[38] : &h[26], v6 ? ip6 : ip4, v6 ? 16 : 4);
			assert_memory_equal(&h[v6 ? 56 : 36], port, 2);
		}
		clear(&scripts[1]);
	}
	unplug();
}

// Fragments: addresses change with the checksum that the first one has; ports only in it.
static void
test_edits_fragments(void **state)
{
	uint8_t ip4[4] = {10, 77, 0, 1}, port[2] = {0x43, 0x21};
	struct rte_flow_action a[] = {
		{.type = RTE_FLOW_ACTION_TYPE_SET_IPV4_DST, .conf = ip4},
		{.type = RTE_FLOW_ACTION_TYPE_SET_TP_DST, .conf = port},
	};

	plug(0);
	rule_to_vf(a, 2);
	for (unsigned int first = 0; first < 2; first++) {
		struct rte_mbuf *m = packet(nic()->pool, false, false, 64), *got;
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);
		struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, 34);

		right_sums(m, false, false, false);
		ip->fragment_offset = first ? RTE_BE16(0x2000) : RTE_BE16(185);
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		got = through(m);
		assert_non_null(got);
		ip = rte_pktmbuf_mtod_offset(got, struct rte_ipv4_hdr *, 14);
		udp = rte_pktmbuf_mtod_offset(got, struct rte_udp_hdr *, 34);
		assert_memory_equal(&ip->dst_addr, ip4, 4);
		assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
		assert_int_equal(udp->dst_port, first ? RTE_BE16(0x4321) : RTE_BE16(53));
		// As a whole datagram, the first one's checksum would be right; a later one's bytes
		// are payload, which nobody touches: undo the address to see that.
		if (!first)
			ip->dst_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 2));
		ip->fragment_offset = 0;
		assert_int_equal(rte_ipv4_udptcp_cksum_mbuf_verify(got, ip, 34), 0);
	}
	unplug();
}

static void
test_vlan(void **state)
{
	const struct rte_flow_action_of_push_vlan service = {.ethertype = RTE_BE16(0x88a8)};
	const struct rte_flow_action_of_push_vlan customer = {.ethertype = RTE_BE16(0x8100)};
	const struct rte_flow_action_of_set_vlan_vid vid = {.vlan_vid = RTE_BE16(0x123)};
	const struct rte_flow_action_of_set_vlan_pcp pcp = {.vlan_pcp = 5};
	struct rte_flow_action push[] = {
		{.type = RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN, .conf = &customer},
		{.type = RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_VID, .conf = &vid},
		{.type = RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_PCP, .conf = &pcp},
		{.type = RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN, .conf = &service},
	};
	struct rte_flow_action pop[] = {
		{.type = RTE_FLOW_ACTION_TYPE_OF_POP_VLAN},
		{.type = RTE_FLOW_ACTION_TYPE_OF_POP_VLAN},
		{.type = RTE_FLOW_ACTION_TYPE_OF_POP_VLAN}, // of a packet that has no more: nothing
	};
	static const uint8_t tags[] = {0x88, 0xa8, 0xa1, 0x23, 0x81, 0x00, 0xa1, 0x23, 0x08, 0x00};
	struct rte_mbuf *m, *got, *back;
	struct rte_flow *f;

	plug(0);
	for (unsigned int shared = 0; shared < 2; shared++) {
		m = packet(nic()->pool, false, true, 30);
		if (shared)
			rte_mbuf_refcnt_set(m, 2);
		f = rule_to_vf(push, 4);
		got = through(m);
		assert_non_null(got);
		assert_int_equal(got->pkt_len, 54 + 30 + 8);
		assert_memory_equal(rte_pktmbuf_mtod_offset(got, void *, 12), tags, sizeof(tags));
		remove_rule(f);
		back = rte_pktmbuf_copy(got, nic()->pool, 0, UINT32_MAX);
		f = rule_to_vf(pop, 3);
		got = through(back);
		assert_non_null(got);
		assert_int_equal(got->pkt_len, 54 + 30);
		remove_rule(f);
		if (!shared)
			continue;
		assert_memory_equal(rte_pktmbuf_mtod(got, void *), rte_pktmbuf_mtod(m, void *), 84);
		rte_pktmbuf_free(m);
	}
	// A frame that a tag makes too long for the side has a name.
	m = packet(nic()->pool, false, false, 1500 - 28);
	f = rule_to_vf(push, 4);
	assert_non_null(through(m));
	m = packet(nic()->pool, false, false, 1501 - 28);
	assert_null(through(m));
	assert_int_equal(xstat("nic_drop_mtu"), 1);
	unplug();
}

static void
test_ttl(void **state)
{
	struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_DEC_TTL}};

	plug(0);
	rule_to_vf(a, 1);
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		for (unsigned int ttl = 0; ttl < 3; ttl++) {
			struct rte_mbuf *m = packet(nic()->pool, v6, true, 9);

			*rte_pktmbuf_mtod_offset(m, uint8_t *, v6 ? 21 : 22) = ttl;
			right_sums(m, v6, true, false);
			m = through(m);
			assert_true((m != NULL) == (ttl == 2));
			if (m == NULL)
				continue;
			assert_sums(m, v6, true);
			assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, v6 ? 21 : 22), 1);
		}
	}
	assert_int_equal(xstat("nic_drop_ttl"), 4);
	unplug();
}

static struct rte_flow_action
modify(struct rte_flow_action_modify_field *c, int how, int dst, uint32_t offset, uint32_t width)
{
	memset(c, 0, sizeof(*c));
	c->operation = how;
	c->dst.field = dst;
	c->dst.offset = offset;
	c->width = width;
	c->src.field = RTE_FLOW_FIELD_VALUE;
	return (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, .conf = c};
}

static void
test_modify(void **state)
{
	struct rte_flow_action_modify_field c[7];
	struct rte_flow_action a[7];
	const struct rte_ipv4_hdr *ip;
	const struct rte_tcp_hdr *tcp;
	uint8_t mac[6] = {2, 9, 9, 9, 9, 9};
	struct rte_mbuf *m;

	plug(0);
	a[0] = modify(&c[0], RTE_FLOW_MODIFY_SUB, RTE_FLOW_FIELD_IPV4_TTL, 0, 8);
	c[0].src.value[0] = 10;
	// The lowest byte of 10.0.0.2 plus 255 is 1: bits beside the width do not change.
	a[1] = modify(&c[1], RTE_FLOW_MODIFY_ADD, RTE_FLOW_FIELD_IPV4_DST, 0, 8);
	c[1].src.value[3] = 255;
	a[2] = modify(&c[2], RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_TCP_PORT_DST, 0, 16);
	c[2].src.field = RTE_FLOW_FIELD_TCP_PORT_SRC;
	a[3] = modify(&c[3], RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_MAC_DST, 0, 48);
	c[3].src.field = RTE_FLOW_FIELD_POINTER;
	c[3].src.pvalue = mac;
	// Through a tag of the NIC: its byte 1 becomes byte 3 of the source address.
	a[4] = modify(&c[4], RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_TAG, 0, 32);
	memcpy(c[4].src.value, &(uint32_t){0x00006400}, 4);
	a[5] = modify(&c[5], RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_IPV4_SRC, 24, 8);
	c[5].src.field = RTE_FLOW_FIELD_TAG;
	c[5].src.offset = 8;
	// Of another protocol: nothing happens.
	a[6] = modify(&c[6], RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_UDP_PORT_SRC, 0, 16);
	rule_to_vf(a, 7);
	m = packet(nic()->pool, false, true, 50);
	right_sums(m, false, true, false);
	m = through(m);
	assert_non_null(m);
	assert_sums(m, false, true);
	ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);
	tcp = rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, 34);
	assert_int_equal(ip->time_to_live, 54);
	assert_int_equal(rte_be_to_cpu_32(ip->dst_addr), RTE_IPV4(10, 0, 0, 1));
	assert_int_equal(rte_be_to_cpu_32(ip->src_addr), RTE_IPV4(100, 0, 0, 1));
	assert_int_equal(tcp->dst_port, tcp->src_port);
	assert_int_equal(rte_be_to_cpu_16(tcp->src_port), 1000);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), mac, 6);
	unplug();
}

static void
test_refused(void **state)
{
	const struct rte_flow_attr transfer = {.transfer = 1}, ingress = {.ingress = 1};
	struct rte_flow_action_modify_field c;
	struct rte_flow_action a[40];
	uint8_t ip[4] = {0}, pcp = 8;
	uint16_t vid = RTE_BE16(0x1000), type = RTE_BE16(0x800);
	struct rte_flow_action_set_tag tag = {.index = 4};
	struct rte_flow_action_raw_encap raw = {.data = outer, .size = OUTER};
	struct rte_flow_action_raw_decap strip = {.size = 0};
	struct rte_flow_action_vxlan_encap vxlan = {
		.definition = (struct rte_flow_item *)(uintptr_t)any};

	plug(0);
	refused_conf(RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC, NULL, "needs a value");
	refused_conf(RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_PCP, &pcp, "wider than its field");
	refused_conf(RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_VID, &vid, "wider than its field");
	refused_conf(RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN, &type, "0x8100 or 0x88a8");
	refused_conf(RTE_FLOW_ACTION_TYPE_SET_TAG, &tag, "from 0 to 3");
	refused_conf(RTE_FLOW_ACTION_TYPE_SET_META, NULL, "needs a value");
	refused_conf(RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP, NULL, "needs a definition");
	refused_conf(RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP, &vxlan, "each with a spec");
	refused_conf(RTE_FLOW_ACTION_TYPE_RAW_DECAP, &strip, "from 1 to 256");
	for (raw.size = 0; raw.size < OUTER; raw.size++)
		if (raw.size != 14 && raw.size < 42)
			refused_conf(
				RTE_FLOW_ACTION_TYPE_RAW_ENCAP, &raw, raw.size == 0 ? "256" : "it");
	raw.size = 257;
	refused_conf(RTE_FLOW_ACTION_TYPE_RAW_ENCAP, &raw, "from 1 to 256");
	modify(&c, RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_GTP_TEID, 0, 32);
	refused_conf(RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, &c, "MODIFY_FIELD: only MACs");
	modify(&c, RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_IPV4_TTL, 1, 8);
	refused_conf(RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, &c, "go past the field");
	modify(&c, RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_IPV4_TTL, UINT32_MAX, 8);
	refused_conf(RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, &c, "go past the field");
	modify(&c, 3, RTE_FLOW_FIELD_IPV4_TTL, 0, 8);
	refused_conf(RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, &c, "only SET, ADD and SUB");
	modify(&c, RTE_FLOW_MODIFY_SET, RTE_FLOW_FIELD_IPV4_TTL, 0, 8);
	c.src.field = RTE_FLOW_FIELD_POINTER;
	refused_conf(RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, &c, "is NULL");
	c.dst.level = 2;
	refused_conf(RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, &c, "only the outermost");

	a[0] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_DROP};
	a[1] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC, .conf = ip};
	a[2] = (struct rte_flow_action)END;
	refused(&transfer, a, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, "would never be done");
	a[0].type = RTE_FLOW_ACTION_TYPE_MAC_SWAP;
	refused(&ingress, a, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, "action not supported");
	raw.size = OUTER;
	for (unsigned int i = 0; i < 3; i++)
		a[i] = (struct rte_flow_action){
			.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw};
	a[3] = (struct rte_flow_action)END;
	refused(&transfer, a, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, "at most two");
	for (unsigned int i = 0; i < 33; i++)
		a[i] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_DEC_TTL};
	a[33] = (struct rte_flow_action)END;
	refused(&transfer, a, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, "room for 32 operations");
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_edits_offloaded),
		cmocka_unit_test(test_edits_fragments),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_modify),
		cmocka_unit_test(test_refused),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

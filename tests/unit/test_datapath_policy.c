// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

// What a port and its rules make of a packet: VLAN modes, anti-spoof, learning switch, limits, and
// the names of the drops.

static struct frame
udp(uint8_t src, uint8_t dst)
{
	return (struct frame){.src = src,
		.dst = dst,
		.ip_src = src,
		.ip_dst = dst,
		.sport = 1000,
		.dport = 53,
		.len = 18};
}

static struct frame
tagged(uint8_t src, uint8_t dst, uint16_t vid)
{
	struct frame f = udp(src, dst);

	f.tag[0] = vid;
	f.n_tags = 1;
	return f;
}

static void
feed(struct bench *b, uint16_t vport, struct frame f)
{
	bench_feed(b, vport, 0, frame_make(b, &f));
	bench_run(b);
}

// Gives the bytes as a packet.
static struct rte_mbuf *
raw(struct bench *b, const void *bytes, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b->pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, len), bytes, len);
	return m;
}

// -1: nothing came out; 0: untagged; else the VID.
static int
vid_out(struct bench *b, uint16_t vport)
{
	struct rte_mbuf *m = bench_out(b, vport);
	const uint8_t *p;
	int vid = 0;

	if (m == NULL)
		return -1;
	p = rte_pktmbuf_mtod(m, const uint8_t *);
	assert_int_equal(p[5] == 0xff ? 0xff : p[0], p[5] == 0xff ? 0xff : 2);
	if (p[12] == 0x81)
		vid = (p[14] & 0xf) << 8 | p[15];
	else
		assert_int_equal(m->pkt_len, 14 + 28 + 18);
	rte_pktmbuf_free(m);
	assert_int_equal(bench_count_out(b, vport), 0);
	return vid;
}

static void
set_mode(struct bench *b, uint16_t vport, enum dp_vlan_mode mode, uint16_t vid,
	const uint64_t *trunk)
{
	b->vport[vport].vlan_mode = (uint8_t)mode;
	b->vport[vport].vlan = vid;
	b->vport[vport].trunk = trunk;
}

// Each kind of port gives to each kind of port: what comes out, or that it is filtered.
static void
vlan_modes(void **state)
{
	// Ports: 0, 1 access 10; 2 access 20; 3 trunk of 0, 10 and 20; 4 native 10 with trunk 20.
	static const struct {
		uint16_t from;
		int vid; // 0: untagged
		int out[5];
		bool filtered;
	} cases[] = {
		{0, 0, {-1, 0, -1, 10, 0}, false},
		{0, 10, {-1, 0, -1, 10, 0}, false},
		{0, 20, {-1, -1, -1, -1, -1}, true},
		{2, 0, {-1, -1, -1, 20, 20}, false},
		{3, 0, {-1, -1, -1, -1, -1}, false},
		{3, 10, {0, 0, -1, -1, 0}, false},
		{3, 20, {-1, -1, 0, -1, 20}, false},
		{3, 30, {-1, -1, -1, -1, -1}, true},
		{4, 0, {0, 0, -1, 10, -1}, false},
		{4, 20, {-1, -1, 0, 20, -1}, false},
		{4, 30, {-1, -1, -1, -1, -1}, true},
	};
	static const uint64_t trunk3[64] = {1 | 1 << 10 | 1 << 20};
	static const uint64_t trunk4[64] = {1 << 20};
	struct bench b;
	unsigned c, flooded;
	uint16_t to;

	for (flooded = 0; flooded < 2; flooded++) {
		bench_begin(&b, 5, 1, 1);
		set_mode(&b, 0, DP_VLAN_ACCESS, 10, NULL);
		set_mode(&b, 1, DP_VLAN_ACCESS, 10, NULL);
		set_mode(&b, 2, DP_VLAN_ACCESS, 20, NULL);
		set_mode(&b, 3, DP_VLAN_TRUNK, 0, trunk3);
		set_mode(&b, 4, DP_VLAN_NATIVE, 10, trunk4);
		if (flooded)
			bench_rule(&b, 1, 1, "any", "normal");
		for (to = 0; to < 5 && !flooded; to++) {
			char match[64], out[16];

			snprintf(match, sizeof(match), "eth_dst=02:00:00:00:00:%02x", 100 + to);
			snprintf(out, sizeof(out), "output=%u", to);
			bench_rule(&b, 10 + to, 1, match, out);
		}
		bench_publish(&b);
		for (c = 0; c < RTE_DIM(cases); c++) {
			for (to = 0; to < 5; to++) {
				struct frame f = udp((uint8_t)(1 + cases[c].from),
					flooded ? 0xff : (uint8_t)(100 + to));
				unsigned i;

				if (cases[c].vid != 0) {
					f.tag[0] = (uint16_t)cases[c].vid;
					f.n_tags = 1;
				}
				feed(&b, cases[c].from, f);
				for (i = 0; i < 5; i++) {
					int want = flooded || i == to ? cases[c].out[i] : -1;
					int got = vid_out(&b, (uint16_t)i);

					if (got != want)
						fail_msg("case %u flooded %u to %u: %d, not %d", c,
							flooded, i, got, want);
				}
			}
		}
		assert_true(bench_dropped(&b, 0, DP_DROP_VLAN_FILTER) > 0);
		bench_end(&b);
	}
}

static void
vlan_actions(void **state)
{
	struct bench b;
	struct frame two = tagged(1, 2, 7);

	two.tag[1] = 8;
	two.n_tags = 2;
	two.dport = 60;
	bench_begin(&b, 3, 1, 1);
	bench_rule(&b, 1, 9, "vlan=5", "set_vlan=6,output=1");
	bench_rule(&b, 2, 9, "vlan=7", "pop_vlan,output=1");
	bench_rule(&b, 3, 1, "any", "push_vlan=9,output=1");
	bench_rule(&b, 4, 9, "vlan=11", "output=1,set_eth_dst=02:aa:00:00:00:07,pop_vlan,output=2");
	bench_publish(&b);
	feed(&b, 0, tagged(1, 2, 5));
	assert_int_equal(vid_out(&b, 1), 6);
	feed(&b, 0, tagged(1, 2, 7));
	assert_int_equal(vid_out(&b, 1), 0);
	feed(&b, 0, two);
	assert_int_equal(vid_out(&b, 1), 8);
	feed(&b, 0, udp(1, 2));
	assert_int_equal(vid_out(&b, 1), 9);
	// Two outputs: what is done for the second does not reach the first.
	feed(&b, 0, tagged(1, 2, 11));
	assert_int_equal(vid_out(&b, 1), 11);
	assert_int_equal(vid_out(&b, 2), 0);
	assert_int_equal(dp_vport_counters(b.dp, 0)[0].copies, 1);
	bench_end(&b);
}

static void
anti_spoof(void **state)
{
	static const uint8_t macs[1][6] = {{2, 0, 0, 0, 0, 1}};
	static const struct dp_ip_prefix ips[2] = {
		{{10, 0, 0, 0}, FLOW_L3_IPV4, 29}, {{0x20, 1, 0xd, 0xb8}, FLOW_L3_IPV6, 32}};
	static const uint8_t own[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1};
	uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0,
		6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1};
	uint8_t ip6[54] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 59};
	struct bench b;

	bench_begin(&b, 2, 1, 1);
	b.vport[0].mac_check = b.vport[0].ip_check = true;
	b.vport[0].macs = macs;
	b.vport[0].n_macs = 1;
	b.vport[0].ips = ips;
	b.vport[0].n_ips = 2;
	bench_rule(&b, 1, 1, "any", "output=1");
	bench_publish(&b);
	feed(&b, 0, udp(1, 2));
	assert_int_equal(bench_count_out(&b, 1), 1);
	feed(&b, 0, udp(3, 2));
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_MAC_SPOOF), 1);
	feed(&b, 0, (struct frame){.src = 1, .dst = 2, .ip_src = 8, .ip_dst = 2, .len = 18});
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_IP_SPOOF), 1);
	bench_feed(&b, 0, 0, raw(&b, arp, sizeof(arp)));
	arp[31] = 0;
	arp[28] = 0;
	bench_feed(&b, 0, 0, raw(&b, arp, sizeof(arp))); // a probe
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 2);
	arp[28] = 11;
	bench_feed(&b, 0, 0, raw(&b, arp, sizeof(arp)));
	bench_run(&b);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_IP_SPOOF), 2);
	memcpy(ip6 + 22, own, 16);
	bench_feed(&b, 0, 0, raw(&b, ip6, sizeof(ip6)));
	memcpy(ip6 + 22, ips[1].addr, 16);
	bench_feed(&b, 0, 0, raw(&b, ip6, sizeof(ip6)));
	bench_run(&b);
	assert_int_equal(bench_count_out(&b, 1), 2);
	memcpy(ip6 + 22, own, 16);
	ip6[37] = 2; // another host's link-local
	bench_feed(&b, 0, 0, raw(&b, ip6, sizeof(ip6)));
	bench_run(&b);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_IP_SPOOF), 3);
	bench_end(&b);
}

static unsigned
mac_events(struct bench *b, uint8_t last, uint16_t vport)
{
	struct dp_event ev[64];
	unsigned n = dp_events_get(b->dp, ev, 64), hits = 0;

	while (n-- > 0)
		hits += ev[n].type == DP_EV_MAC && ev[n].key.eth_src[5] == last &&
			ev[n].key.vport == vport && ev[n].key.switch_id == 5;
	return hits;
}

static void
learning(void **state)
{
	struct bench b;

	bench_begin(&b, 4, 1, 1);
	bench_rule(&b, 1, 1, "any", "normal");
	bench_publish(&b);
	feed(&b, 0, udp(1, 2));
	assert_int_equal(mac_events(&b, 1, 0), 1);
	assert_int_equal(
		bench_count_out(&b, 1) + bench_count_out(&b, 2) + bench_count_out(&b, 3), 3);
	assert_int_equal(dp_vport_counters(b.dp, 0)[0].copies, 2);
	bench_learn(&b, 1, 0, 0);
	bench_learn(&b, 2, 0, 2);
	bench_publish(&b);
	feed(&b, 0, udp(1, 2));
	assert_int_equal(bench_count_out(&b, 1), 0);
	assert_int_equal(bench_count_out(&b, 2), 1);
	assert_int_not_equal(b.used[0], 0);
	assert_int_equal(mac_events(&b, 1, 0), 0);
	// Seen at another port: told again. Sent to where it came from: dropped.
	feed(&b, 2, udp(1, 2));
	assert_int_equal(mac_events(&b, 1, 2), 1);
	assert_int_equal(bench_dropped(&b, 2, DP_DROP_SAME_PORT), 1);
	bench_end(&b);
}

static void
limits(void **state)
{
	struct frame big = udp(1, 2);
	struct bench b;
	unsigned i, out;

	bench_begin(&b, 3, 1, 1);
	b.vport[0].storm_pps = 100;
	bench_rule(&b, 1, 1, "any", "normal");
	bench_rule(&b, 2, 5, "port=1", "rate=1M/3k,output=2");
	dp_meter_init(&b.meters[2], 1000000, 3000, b.dp->hz);
	bench_publish(&b);
	for (i = 0; i < 100; i++)
		bench_feed(&b, 0, 0, frame_make(&b, &(struct frame){.src = 1, .dst = 0xff}));
	bench_run(&b);
	out = bench_count_out(&b, 1);
	assert_in_range(out, 10, 30);
	assert_int_equal(bench_count_out(&b, 2), out);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_STORM), 100 - out);
	big.len = 958; // 1000 bytes in all
	for (i = 0; i < 50; i++)
		bench_feed(&b, 1, 0, frame_make(&b, &big));
	bench_run(&b);
	out = bench_count_out(&b, 2);
	assert_in_range(out, 3, 6);
	assert_int_equal(bench_dropped(&b, 1, DP_DROP_RATE), 50 - out);
	bench_end(&b);
}

// Rates of a port, of a VM over its ports, and of a class: a packet takes its part once, however
// many outputs it has.
static void
rates(void **state)
{
	struct dp_meter port = {0}, vm = {0}, cls = {0}, *classes[2] = {NULL, &cls};
	struct frame big = udp(1, 2);
	struct bench b;
	unsigned i, out;

	bench_begin(&b, 5, 1, 2);
	dp_meter_init(&port, 1000, 3000, b.dp->hz);
	dp_meter_init(&vm, 1000, 8000, b.dp->hz);
	dp_meter_init(&cls, 1000, 5000, b.dp->hz);
	b.vport[0].meter = &port;
	b.vport[0].vm_meter = b.vport[1].vm_meter = &vm;
	bench_rule(&b, 1, 5, "port=0", "output=3");
	bench_rule(&b, 2, 5, "port=1", "output=3,output=4");
	bench_rule(&b, 3, 5, "port=2 udp", "class=1,output=3");
	bench_publish(&b);
	b.snap->class_meters = classes;
	big.len = 958; // 1000 bytes in all
	for (i = 0; i < 50; i++)
		bench_feed(&b, 0, 0, frame_make(&b, &big));
	bench_run(&b);
	out = bench_count_out(&b, 3);
	assert_in_range(out, 3, 5);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_PORT_RATE), 50 - out);
	for (i = 0; i < 50; i++)
		bench_feed(&b, 1, 0, frame_make(&b, &big));
	bench_run(&b);
	i = bench_count_out(&b, 3);
	assert_int_equal(bench_count_out(&b, 4), i);
	assert_in_range(out + i, 8, 10); // of the VM's, both ports together
	assert_int_equal(bench_dropped(&b, 1, DP_DROP_VM_RATE), 50 - i);
	for (i = 0; i < 50; i++)
		bench_feed(&b, 2, 0, frame_make(&b, &big));
	bench_run(&b);
	out = bench_count_out(&b, 3);
	assert_in_range(out, 5, 7);
	assert_int_equal(bench_dropped(&b, 2, DP_DROP_CLASS_RATE), 50 - out);
	bench_end(&b);
}

static void
ends(void **state)
{
	struct frame big = udp(1, 2);
	struct bench b;
	unsigned i;

	bench_begin(&b, 5, 1, 1);
	bench_rule(&b, 1, 9, "port=0", "output=1");
	bench_rule(&b, 2, 9, "port=1", "output=1");
	bench_rule(&b, 3, 9, "port=2", "output=9");
	bench_rule(&b, 4, 9, "port=3",
		"set_vlan=1,output=0,set_vlan=2,output=1,set_vlan=3,output=2,set_vlan=4,output=4");
	bench_rule(&b, 5, 9, "port=4",
		"push_vlan=1,output=0,push_vlan=2,output=1,push_vlan=3,"
		"output=2");
	bench_publish(&b);
	b.vport[1].mtu = 100;
	bench_publish(&b);
	big.len = 72; // an IP packet of 100 bytes
	feed(&b, 0, big);
	big.n_tags = 2;
	feed(&b, 0, big);
	assert_int_equal(bench_count_out(&b, 1), 2);
	big.len = 73;
	feed(&b, 0, big);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_MTU), 1);
	bench_dev(&b, 1)->down = true;
	feed(&b, 0, udp(1, 2));
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_LINK_DOWN), 1);
	bench_dev(&b, 1)->down = false;
	bench_dev(&b, 1)->room = 3;
	for (i = 0; i < 8; i++)
		bench_feed(&b, 0, 0, frame_make(&b, &(struct frame){.src = 1, .dst = 2}));
	bench_run(&b);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_TX_FULL), 5);
	assert_int_equal(bench_count_out(&b, 1), 3);
	feed(&b, 1, udp(1, 2));
	assert_int_equal(bench_dropped(&b, 1, DP_DROP_SAME_PORT), 1);
	feed(&b, 2, udp(1, 2));
	assert_int_equal(bench_dropped(&b, 2, DP_DROP_NO_ATTACHMENT), 1);
	feed(&b, 3, udp(1, 2));
	assert_int_equal(
		bench_count_out(&b, 0) + bench_count_out(&b, 2) + bench_count_out(&b, 4), 3);
	feed(&b, 4, udp(1, 2));
	assert_int_equal(bench_count_out(&b, 0) + bench_count_out(&b, 2), 2);
	bench_end(&b);
}

static void
too_many(void **state)
{
	struct bench b;

	bench_begin(&b, 5, 1, 1);
	bench_rule(&b, 1, 9, "port=0",
		"set_vlan=1,output=1,output=2,output=3,output=4,output=1,output=2,output=3");
	bench_publish(&b);
	feed(&b, 0, udp(1, 2));
	assert_int_equal(bench_count_out(&b, 1) + bench_count_out(&b, 2), 4);
	b.vport[0].vlan_mode = DP_VLAN_ACCESS;
	b.vport[0].vlan = 5;
	b.vport[2].vlan_mode = DP_VLAN_ACCESS;
	b.vport[2].vlan = 1;
	bench_publish(&b);
	bench_count_out(&b, 3);
	bench_count_out(&b, 4);
	feed(&b, 0, udp(1, 2));
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_ACTIONS), 1);
	bench_end(&b);
}

static void
malformed(void **state)
{
	static const struct {
		enum dp_drop why;
		uint8_t len;
		uint8_t bytes[64];
	} cases[] = {
		{DP_DROP_RUNT, 13, {2}},
		{DP_DROP_RUNT, 0, {0}},
		{DP_DROP_MALFORMED_VLAN, 16, {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0}},
		{DP_DROP_MALFORMED_ARP, 20, {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6}},
		{DP_DROP_MALFORMED_IPV4, 60, {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x55}},
		{DP_DROP_MALFORMED_IPV6, 20,
			{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60}},
		{DP_DROP_MALFORMED_IPV6_EXT, 58,
			{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 4, 0}},
		{DP_DROP_MALFORMED_L4, 38,
			{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 24, 0, 0, 0, 0, 64,
				17}},
	};
	struct bench b;
	unsigned i;

	bench_begin(&b, 2, 1, 1);
	bench_rule(&b, 1, 1, "any", "output=1");
	bench_publish(&b);
	for (i = 0; i < RTE_DIM(cases); i++) {
		uint64_t before = bench_dropped(&b, 0, cases[i].why);

		// Among good ones, which go on.
		bench_feed(&b, 0, 0, frame_make(&b, &(struct frame){.src = 1, .dst = 2}));
		bench_feed(&b, 0, 0, raw(&b, cases[i].bytes, cases[i].len));
		feed(&b, 0, udp(1, 2));
		assert_int_equal(bench_dropped(&b, 0, cases[i].why), before + 1);
		assert_int_equal(bench_count_out(&b, 1), 2);
	}
	bench_end(&b);
}

// More different lists than the store holds: it starts anew, and nothing goes wrong meanwhile.
static void
many_lists(void **state)
{
	struct flow_key key;
	struct dp_program prog;
	struct dp_verdict v;
	struct bench b;

	bench_begin(&b, 3, 1, 1);
	bench_rule(&b, 1, 1, "any", "set_eth_dst=02:00:00:00:00:09,output=1");
	bench_publish(&b);
	flow_key_init(&key, 5, 0);
	dp_compile(b.snap, &key, &prog, &v);
	assert_int_equal(prog.kind, DP_PROG_GENERAL);
	assert_true(v.single_output);
	assert_int_equal(v.actions.n, 2);
	assert_int_equal(prog.rule[0], 1);
	for (unsigned i = 0; i < 5000; i++) {
		char text[80];

		assert_int_equal(rules_del(b.rules, 1), 0);
		snprintf(text, sizeof(text), "set_eth_dst=02:00:00:00:%02x:%02x,output=1", i >> 8,
			i & 0xff);
		bench_rule(&b, 1, 1, "any", text);
		bench_publish(&b);
		feed(&b, 0, udp(1, 2));
		struct rte_mbuf *m = bench_out(&b, 1);

		assert_non_null(m);
		assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[5], i & 0xff);
		assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[4], i >> 8);
		rte_pktmbuf_free(m);
	}
	assert_in_range(dp_worker_counters(b.dp, 0)->uncached, 1, 904);
	assert_int_equal(dp_worker_counters(b.dp, 0)->flows_seen, 1);
	bench_end(&b);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_policy");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vlan_modes),
		cmocka_unit_test(vlan_actions),
		cmocka_unit_test(anti_spoof),
		cmocka_unit_test(learning),
		cmocka_unit_test(limits),
		cmocka_unit_test(rates),
		cmocka_unit_test(ends),
		cmocka_unit_test(too_many),
		cmocka_unit_test(malformed),
		cmocka_unit_test(many_lists),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Rules against arrays written by hand, and in testpmd's words.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "base/rng.h"
#include "offload/translate.h"

static struct flow_key
udp4(void)
{
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 0x1b}, src[6] = {2, 0, 0, 0, 0, 0x1a};
	static const uint8_t from[4] = {10, 0, 0, 1}, to[4] = {192, 168, 255, 2};
	struct flow_key k;

	flow_key_init(&k, 1, 5);
	memcpy(k.eth_dst, dst, 6);
	memcpy(k.eth_src, src, 6);
	memcpy(k.src, from, 4);
	memcpy(k.dst, to, 4);
	k.eth_type = htons(0x0800);
	k.l3 = FLOW_L3_IPV4;
	k.proto = IPPROTO_UDP;
	k.l4_src = htons(1234);
	k.l4_dst = htons(53);
	return k;
}

static struct flow_key
tcp6(void)
{
	struct flow_key k = udp4();

	memset(k.src, 0, 16);
	memset(k.dst, 0, 16);
	inet_pton(AF_INET6, "2001:db8::1", k.src);
	inet_pton(AF_INET6, "2001:db8::ffff", k.dst);
	k.eth_type = htons(0x86dd);
	k.l3 = FLOW_L3_IPV6;
	k.proto = IPPROTO_TCP;
	return k;
}

static bool
all_ones(const void *data, size_t len)
{
	const uint8_t *b = data;

	while (len && *b == 0xff) {
		b++;
		len--;
	}
	return len == 0;
}

static void
test_queue_arrays(void **state)
{
	const enum rte_flow_item_type items[] = {RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV4,
		RTE_FLOW_ITEM_TYPE_UDP, RTE_FLOW_ITEM_TYPE_END};
	const enum rte_flow_action_type actions[] = {RTE_FLOW_ACTION_TYPE_MARK,
		RTE_FLOW_ACTION_TYPE_QUEUE, RTE_FLOW_ACTION_TYPE_COUNT, RTE_FLOW_ACTION_TYPE_END};
	struct flow_key k = udp4();
	const struct rte_flow_item_eth *eth, *eth_mask;
	const struct rte_flow_item_ipv4 *ip, *ip_mask;
	const struct rte_flow_item_udp *udp, *udp_mask;
	struct translate_rule r;
	struct sl_err err;
	unsigned i;

	sl_err_init(&err);
	assert_int_equal(translate_to_queue(&k, 7, 0x10003, &r, &err), 0);
	assert_true(r.attr.ingress && !r.attr.transfer && !r.attr.egress);
	for (i = 0; i < 4; i++) {
		assert_int_equal(r.items[i].type, items[i]);
		assert_int_equal(r.actions[i].type, actions[i]);
		assert_null(r.items[i].last);
	}
	eth = r.items[0].spec;
	eth_mask = r.items[0].mask;
	assert_memory_equal(eth->hdr.dst_addr.addr_bytes, k.eth_dst, 6);
	assert_memory_equal(eth->hdr.src_addr.addr_bytes, k.eth_src, 6);
	assert_int_equal(eth->hdr.ether_type, htons(0x0800));
	assert_true(all_ones(&eth_mask->hdr, sizeof(eth_mask->hdr)));
	ip = r.items[1].spec;
	ip_mask = r.items[1].mask;
	assert_memory_equal(&ip->hdr.src_addr, k.src, 4);
	assert_memory_equal(&ip->hdr.dst_addr, k.dst, 4);
	assert_int_equal(ip->hdr.next_proto_id, IPPROTO_UDP);
	assert_true(all_ones(&ip_mask->hdr.src_addr, 8));
	assert_int_equal(ip_mask->hdr.next_proto_id, 0xff);
	assert_int_equal(ip_mask->hdr.type_of_service, 0);
	udp = r.items[2].spec;
	udp_mask = r.items[2].mask;
	assert_int_equal(udp->hdr.src_port, htons(1234));
	assert_int_equal(udp->hdr.dst_port, htons(53));
	assert_true(all_ones(&udp_mask->hdr, 4));
	assert_int_equal(udp_mask->hdr.dgram_len, 0);
	assert_int_equal(((const struct rte_flow_action_mark *)r.actions[0].conf)->id, 0x10003);
	assert_int_equal(((const struct rte_flow_action_queue *)r.actions[1].conf)->index, 7);
	assert_non_null(r.actions[2].conf);
}

static void
expect_words(const struct translate_rule *r, const char *want)
{
	char got[600];

	translate_format(r, got, sizeof(got));
	assert_string_equal(got, want);
}

static void
test_words(void **state)
{
	struct flow_key k = udp4();
	struct translate_rule r;
	char cut[20];

	assert_int_equal(translate_to_queue(&k, 7, 65539, &r, NULL), 0);
	expect_words(&r, "ingress pattern eth dst is 02:00:00:00:00:1b src is 02:00:00:00:00:1a "
			 "type is 0x0800 / "
			 "ipv4 src is 10.0.0.1 dst is 192.168.255.2 proto is 17 / udp src is 1234 "
			 "dst is 53 / end "
			 "actions mark id 65539 / queue index 7 / count / end");
	translate_format(&r, cut, sizeof(cut));
	assert_string_equal(cut, "ingress pattern eth");
	translate_format(&r, cut, 0);
	k = tcp6();
	k.vlan[0] = FLOW_VLAN_PRESENT | 5;
	assert_int_equal(translate_to_port(&k, 1, 2, NULL, &r, NULL), 0);
	expect_words(&r,
		"transfer pattern represented_port ethdev_port_id is 1 / eth dst is "
		"02:00:00:00:00:1b "
		"src is 02:00:00:00:00:1a has_vlan is 1 / vlan vid is 5 inner_type is 0x86dd / "
		"ipv6 src is 2001:db8::1 dst is 2001:db8::ffff proto is 6 / tcp src is 1234 dst is "
		"53 / "
		"end actions count / represented_port ethdev_port_id 2 / end");
	k.vlan[1] = FLOW_VLAN_PRESENT | 4094;
	assert_int_equal(translate_to_drop(&k, 3, &r, NULL), 0);
	expect_words(&r,
		"transfer pattern represented_port ethdev_port_id is 3 / eth dst is "
		"02:00:00:00:00:1b "
		"src is 02:00:00:00:00:1a has_vlan is 1 / vlan vid is 5 has_more_vlan is 1 / "
		"vlan vid is 4094 inner_type is 0x86dd / "
		"ipv6 src is 2001:db8::1 dst is 2001:db8::ffff proto is 6 / tcp src is 1234 dst is "
		"53 / "
		"end actions count / drop / end");
	k = udp4();
	k.l3 = FLOW_L3_NONE;
	k.eth_type = htons(0x88b5);
	memset(k.src, 0, 16);
	memset(k.dst, 0, 16);
	k.proto = 0;
	k.l4_src = k.l4_dst = 0;
	assert_int_equal(translate_to_drop(&k, 0, &r, NULL), 0);
	expect_words(&r,
		"transfer pattern represented_port ethdev_port_id is 0 / eth dst is "
		"02:00:00:00:00:1b "
		"src is 02:00:00:00:00:1a type is 0x88b5 / end actions count / drop / end");
	k = udp4();
	k.proto = IPPROTO_GRE;
	k.l4_src = k.l4_dst = 0;
	assert_int_equal(translate_to_queue(&k, 1, 1, &r, NULL), 0);
	expect_words(&r, "ingress pattern eth dst is 02:00:00:00:00:1b src is 02:00:00:00:00:1a "
			 "type is 0x0800 / "
			 "ipv4 src is 10.0.0.1 dst is 192.168.255.2 proto is 47 / end "
			 "actions mark id 1 / queue index 1 / count / end");
}

static void
expect_refused(const struct flow_key *k, const char *words)
{
	struct translate_rule r;
	struct sl_err err;

	sl_err_init(&err);
	assert_int_equal(translate_to_queue(k, 0, 0, &r, &err), -ENOTSUP);
	assert_string_equal(err.text, words);
	assert_int_equal(translate_to_drop(k, 0, &r, NULL), -ENOTSUP);
	assert_int_equal(translate_to_port(k, 0, 1, NULL, &r, NULL), -ENOTSUP);
}

static void
test_refused_keys(void **state)
{
	struct flow_key k = udp4();

	k.dscp = 1;
	expect_refused(&k, "the flow is one of a single DSCP, which is not matched");
	k = udp4();
	k.ttl = 64;
	expect_refused(&k, "the flow is one of a single TTL, which is not matched");
	k = tcp6();
	k.tcp_flags = 2;
	expect_refused(&k, "the flow is one of single TCP flags, which are not matched");
	k = udp4();
	k.frag = FLOW_FRAG_FIRST;
	expect_refused(&k, "a fragment's flow cannot be matched");
	k = udp4();
	k.vlan[0] = FLOW_VLAN_PRESENT | 5 | 3 << 13;
	expect_refused(&k, "the flow is one of a single VLAN priority, which is not matched");
	k = udp4();
	k.vlan[1] = FLOW_VLAN_PRESENT | 5;
	expect_refused(&k, "an inner VLAN tag without an outer one");
	k = udp4();
	k.eth_type = 0;
	expect_refused(&k, "frames without an ethertype (LLC) cannot be matched");
	k = udp4();
	k.l3 = FLOW_L3_ARP;
	expect_refused(&k, "ARP addresses cannot be matched");
	k = udp4();
	k.proto = IPPROTO_ICMP;
	expect_refused(&k, "ICMP type, code and identifier cannot be matched");
	k = tcp6();
	k.proto = IPPROTO_ICMPV6;
	expect_refused(&k, "ICMP type, code and identifier cannot be matched");
	k = udp4();
	k.proto = IPPROTO_SCTP;
	expect_refused(&k, "ports of this IP protocol cannot be matched");
}

static void
test_actions(void **state)
{
	static const struct {
		uint8_t n, types[3];
		const char *words; // NULL: fine
	} lists[] = {
		{1, {FLOW_ACT_OUTPUT}, NULL},
		{2, {FLOW_ACT_GOTO, FLOW_ACT_NORMAL}, NULL},
		{2, {FLOW_ACT_OUTPUT, FLOW_ACT_OUTPUT}, "several outputs are not translated"},
		{1, {FLOW_ACT_FLOOD}, "flooding is not a transfer action"},
		{1, {FLOW_ACT_DROP}, "the flow is dropped, not sent to a port"},
		{2, {FLOW_ACT_PUSH_VLAN, FLOW_ACT_OUTPUT}, "VLAN actions are not translated"},
		{2, {FLOW_ACT_SET_ETH_DST, FLOW_ACT_OUTPUT}, "MAC rewriting is not translated"},
		{2, {FLOW_ACT_RATE, FLOW_ACT_OUTPUT},
			"a class, ring, queue or rate is kept on the host"},
		{1, {FLOW_ACTS}, "an unknown action"},
	};
	struct flow_key k = udp4();
	unsigned i, j;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct flow_actions a = {.n = lists[i].n};
		struct translate_rule r;
		struct sl_err err;

		sl_err_init(&err);
		for (j = 0; j < a.n; j++)
			a.list[j].type = lists[i].types[j];
		assert_int_equal(
			translate_to_port(&k, 0, 1, &a, &r, &err), lists[i].words ? -ENOTSUP : 0);
		assert_string_equal(err.text, lists[i].words ? lists[i].words : "");
	}
}

static void
test_shapes(void **state)
{
	struct flow_key a = udp4(), b = udp4(), c = tcp6();
	struct translate_rule ra, rb, rc;

	b.l4_dst = 1;
	b.src[0] = 99;
	assert_int_equal(translate_to_queue(&a, 1, 2, &ra, NULL), 0);
	assert_int_equal(translate_to_queue(&b, 3, 4, &rb, NULL), 0);
	assert_int_equal(translate_shape(&ra), translate_shape(&rb));
	assert_int_equal(translate_to_queue(&c, 1, 2, &rc, NULL), 0);
	assert_int_not_equal(translate_shape(&ra), translate_shape(&rc));
	assert_int_equal(translate_to_drop(&a, 1, &rb, NULL), 0);
	assert_int_not_equal(translate_shape(&ra), translate_shape(&rb));
	assert_int_equal(translate_to_port(&a, 1, 2, NULL, &rc, NULL), 0);
	assert_int_not_equal(translate_shape(&rb), translate_shape(&rc));
}

// Two keys that differ in any field that a rule matches give rules that differ: no field is lost.
static void
test_every_field_counts(void **state)
{
	struct sl_rng rng = {.state = 7};
	unsigned i;

	for (i = 0; i < 20000; i++) {
		struct flow_key a = i % 2 ? udp4() : tcp6(), b;
		struct translate_rule ra, rb;
		char wa[600], wb[600];
		uint8_t *bytes = (uint8_t *)&b;

		if (i % 3)
			a.vlan[0] = FLOW_VLAN_PRESENT | 7;
		b = a;
		// A bit of addresses, MACs, VIDs or ports.
		switch (sl_rng_below(&rng, 3)) {
		case 0:
			bytes[sl_rng_below(&rng, 44)] ^= (uint8_t)(1u << sl_rng_below(&rng, 8));
			break;
		case 1:
			b.l4_src ^= (uint16_t)(1u << sl_rng_below(&rng, 16));
			break;
		default:
			if (b.vlan[0])
				b.vlan[0] ^= (uint16_t)(1u << sl_rng_below(&rng, 12));
			else
				b.vlan[0] = FLOW_VLAN_PRESENT;
		}
		if (a.l3 == FLOW_L3_IPV4) { // holds nothing behind an IPv4 address
			memset(b.src + 4, 0, 12);
			memset(b.dst + 4, 0, 12);
		}
		if (flow_key_equal(&a, &b))
			continue;
		assert_int_equal(translate_to_queue(&a, 0, 0, &ra, NULL), 0);
		assert_int_equal(translate_to_queue(&b, 0, 0, &rb, NULL), 0);
		translate_format(&ra, wa, sizeof(wa));
		translate_format(&rb, wb, sizeof(wb));
		assert_string_not_equal(wa, wb);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_arrays),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_refused_keys),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_every_field_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/text.h"
#include "flow_maker.h"
#include "ref_flow_parse.h"

#define ALL_FIELDS                                                                                 \
	(FLOW_FIELD_DSCP | FLOW_FIELD_TTL | FLOW_FIELD_TCP_FLAGS | FLOW_FIELD_FRAG | FLOW_FIELD_PCP)

// Packets made by hand: hex in, the key as text and the offsets out.
struct hand_made {
	const char *name;
	const char *hex; // blanks do not count
	uint32_t fields;
	enum flow_fault fault;
	const char *key;     // switch and port are 1 and 2
	uint16_t offsets[4]; // l3, l4, payload, vlans
};

#define MACS "020000000001 020000000002 "
#define TEXT_MACS "switch=1 port=2 eth_src=02:00:00:00:00:02 eth_dst=02:00:00:00:00:01 "
#define IP4_ADDRS "0a000001 0a000002 "
#define TEXT_IP4 "ip_src=10.0.0.1 ip_dst=10.0.0.2"
#define IP6_ADDRS "20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define TEXT_IP6 "ip_src=2001:db8::1 ip_dst=2001:db8::2"
#define TCP "1f90 0050 00000001 00000002 5012 ffff 0000 0000 "
#define UDP "0035 d431 0008 0000 "

static const struct hand_made packets[] = {
	{"tcp", MACS "0800 45b8 0028 0001 4000 4006 0000 " IP4_ADDRS TCP, 0, FLOW_OK,
		TEXT_MACS "ip tcp " TEXT_IP4 " sport=8080 dport=80", {14, 34, 54, 0}},
	{"tcp, per-packet fields", MACS "0800 45b8 0028 0001 4000 4006 0000 " IP4_ADDRS TCP,
		ALL_FIELDS, FLOW_OK,
		TEXT_MACS "ip tcp " TEXT_IP4
			  " dscp=46 ttl=64 sport=8080 dport=80 tcp_flags=+syn+ack",
		{14, 34, 54, 0}},
	{"udp, padded to 60",
		MACS "0800 4500 001c 0001 0000 4011 0000 " IP4_ADDRS UDP
		     "000000000000 000000000000 000000000000",
		0, FLOW_OK, TEXT_MACS "ip udp " TEXT_IP4 " sport=53 dport=54321", {14, 34, 42, 0}},
	{"udp, not padded", MACS "0800 4500 001c 0001 0000 4011 0000 " IP4_ADDRS UDP, 0, FLOW_OK,
		TEXT_MACS "ip udp " TEXT_IP4 " sport=53 dport=54321", {14, 34, 42, 0}},
	{"ip longer than the frame", MACS "0800 4500 001d 0001 0000 4011 0000 " IP4_ADDRS UDP, 0,
		FLOW_FAULT_IPV4, TEXT_MACS "ip", {0, 0, 0, 0}},
	{"options", MACS "0800 4700 0030 0001 0000 4006 0000 " IP4_ADDRS "0101010101010101 " TCP, 0,
		FLOW_OK, TEXT_MACS "ip tcp " TEXT_IP4 " sport=8080 dport=80", {14, 42, 62, 0}},
	{"first fragment", MACS "0800 4500 0028 0001 2000 4006 0000 " IP4_ADDRS TCP,
		FLOW_FIELD_FRAG, FLOW_OK,
		TEXT_MACS "ip tcp " TEXT_IP4 " frag=first sport=8080 dport=80", {14, 34, 54, 0}},
	{"later fragment", MACS "0800 4500 0028 0001 00b9 4006 0000 " IP4_ADDRS TCP,
		FLOW_FIELD_FRAG, FLOW_OK, TEXT_MACS "ip tcp " TEXT_IP4 " frag=later",
		{14, 0, 0, 0}},
	{"tag", MACS "8100 a064 0800 4500 0028 0001 4000 4006 0000 " IP4_ADDRS TCP, FLOW_FIELD_PCP,
		FLOW_OK, TEXT_MACS "vlan=100 pcp=5 ip tcp " TEXT_IP4 " sport=8080 dport=80",
		{18, 38, 58, 1}},
	{"priority tag", MACS "8100 0000 0800 4500 0028 0001 4000 4006 0000 " IP4_ADDRS TCP, 0,
		FLOW_OK, TEXT_MACS "vlan=0 ip tcp " TEXT_IP4 " sport=8080 dport=80",
		{18, 38, 58, 1}},
	{"qinq", MACS "88a8 1fff 8100 0065 0800 4500 001c 0001 0000 4011 0000 " IP4_ADDRS UDP, 0,
		FLOW_OK, TEXT_MACS "vlan=4095 vlan2=101 ip udp " TEXT_IP4 " sport=53 dport=54321",
		{22, 42, 50, 2}},
	{"three tags", MACS "88a8 0001 8100 0002 8100 0003 0800 45", 0, FLOW_OK,
		TEXT_MACS "vlan=1 vlan2=2 eth_type=0x8100", {0, 0, 0, 2}},
	{"cut tag", MACS "8100 000108", 0, FLOW_FAULT_VLAN, TEXT_MACS "eth_type=0x0000",
		{0, 0, 0, 0}},
	{"cut second tag", MACS "8100 0001 8100 00", 0, FLOW_FAULT_VLAN,
		TEXT_MACS "vlan=1 eth_type=0x0000", {0, 0, 0, 1}},
	{"llc", MACS "0026 424203 0000", 0, FLOW_OK, TEXT_MACS "eth_type=0x0000", {0, 0, 0, 0}},
	{"lldp", MACS "88cc 0207", 0, FLOW_OK, TEXT_MACS "eth_type=0x88cc", {0, 0, 0, 0}},
	{"runt", "020000000001 020000000002 08", 0, FLOW_FAULT_RUNT,
		"switch=1 port=2 eth_type=0x0000", {0, 0, 0, 0}},
	{"arp",
		"ffffffffffff 020000000002 0806 0001 0800 0604 0001 020000000002 0a000001 "
		"000000000000 0a000002",
		0, FLOW_OK,
		"switch=1 port=2 eth_src=02:00:00:00:00:02 eth_dst=ff:ff:ff:ff:ff:ff arp proto=1 "
		"ip_src=10.0.0.1 ip_dst=10.0.0.2",
		{14, 0, 0, 0}},
	{"arp, a strange operation",
		MACS "0806 0001 0800 0604 0101 020000000002 0a000001 "
		     "000000000000 0a000002",
		0, FLOW_OK, TEXT_MACS "arp proto=255 " TEXT_IP4, {14, 0, 0, 0}},
	{"arp of other hardware", MACS "0806 0006 0800 0604 0001", 0, FLOW_OK, TEXT_MACS "arp",
		{0, 0, 0, 0}},
	{"cut arp", MACS "0806 0001 0800 0604 0001 0200", 0, FLOW_FAULT_ARP, TEXT_MACS "arp",
		{0, 0, 0, 0}},
	{"echo", MACS "0800 4500 001c 0001 0000 4001 0000 " IP4_ADDRS "0800 0000 1234 0001", 0,
		FLOW_OK, TEXT_MACS "icmp " TEXT_IP4 " icmp_type=8 icmp_code=0 icmp_id=4660",
		{14, 34, 42, 0}},
	{"unreachable", MACS "0800 4500 001c 0001 0000 4001 0000 " IP4_ADDRS "0303 0000 1234 0001",
		0, FLOW_OK, TEXT_MACS "icmp " TEXT_IP4 " icmp_type=3 icmp_code=3", {14, 34, 42, 0}},
	{"sctp", MACS "0800 4500 0020 0001 0000 4084 0000 " IP4_ADDRS "0b59 0b5a 00000001 00000000",
		0, FLOW_OK, TEXT_MACS "ip sctp " TEXT_IP4 " sport=2905 dport=2906",
		{14, 34, 46, 0}},
	{"cut sctp", MACS "0800 4500 001e 0001 0000 4084 0000 " IP4_ADDRS "0b59 0b5a 00000001 0000",
		0, FLOW_FAULT_L4, TEXT_MACS "ip sctp " TEXT_IP4, {14, 0, 0, 0}},
	{"gre", MACS "0800 4500 0018 0001 0000 402f 0000 " IP4_ADDRS "0000 0800", 0, FLOW_OK,
		TEXT_MACS "ip proto=47 " TEXT_IP4, {14, 0, 0, 0}},
	{"tcp data offset 4",
		MACS "0800 4500 0028 0001 4000 4006 0000 " IP4_ADDRS
		     "1f90 0050 00000001 00000002 4012 ffff 0000 0000",
		0, FLOW_FAULT_L4, TEXT_MACS "ip tcp " TEXT_IP4, {14, 0, 0, 0}},
	{"tcp options cut",
		MACS "0800 4500 0028 0001 4000 4006 0000 " IP4_ADDRS
		     "1f90 0050 00000001 00000002 6012 ffff 0000 0000 01010101",
		0, FLOW_FAULT_L4, TEXT_MACS "ip tcp " TEXT_IP4, {14, 0, 0, 0}},
	{"tiny first fragment",
		MACS "0800 4500 0024 0001 2000 4006 0000 " IP4_ADDRS
		     "1f90 0050 00000001 00000002 5012 ffff 0000 0000",
		0, FLOW_FAULT_L4, TEXT_MACS "ip tcp " TEXT_IP4, {14, 0, 0, 0}},
	{"version 5", MACS "0800 5500 0028 0001 4000 4006 0000 " IP4_ADDRS TCP, 0, FLOW_FAULT_IPV4,
		TEXT_MACS "ip", {0, 0, 0, 0}},
	{"header length 4", MACS "0800 4400 0028 0001 4000 4006 0000 " IP4_ADDRS TCP, 0,
		FLOW_FAULT_IPV4, TEXT_MACS "ip", {0, 0, 0, 0}},
	{"ip6 tcp", MACS "86dd 6b80 0000 0014 0640 " IP6_ADDRS TCP, ALL_FIELDS, FLOW_OK,
		TEXT_MACS "ip6 tcp " TEXT_IP6
			  " dscp=46 ttl=64 sport=8080 dport=80 tcp_flags=+syn+ack",
		{14, 54, 74, 0}},
	{"ip6 udp", MACS "86dd 6000 0000 0008 1140 " IP6_ADDRS UDP, 0, FLOW_OK,
		TEXT_MACS "ip6 udp " TEXT_IP6 " sport=53 dport=54321", {14, 54, 62, 0}},
	{"ip6 echo", MACS "86dd 6000 0000 0008 3a40 " IP6_ADDRS "8000 0000 1234 0001", 0, FLOW_OK,
		TEXT_MACS "icmp6 " TEXT_IP6 " icmp_type=128 icmp_code=0 icmp_id=4660",
		{14, 54, 62, 0}},
	{"ip6 extensions",
		MACS "86dd 6000 0000 0020 0040 " IP6_ADDRS
		     "2b00 0000 00000000  3c00 0000 00000000  1100 0000 00000000 " UDP,
		0, FLOW_OK, TEXT_MACS "ip6 udp " TEXT_IP6 " sport=53 dport=54321", {14, 78, 86, 0}},
	{"ip6 ah", MACS "86dd 6000 0000 0014 3340 " IP6_ADDRS "1101 0000 00000001 00000002 " UDP, 0,
		FLOW_OK, TEXT_MACS "ip6 udp " TEXT_IP6 " sport=53 dport=54321", {14, 66, 74, 0}},
	{"ip6 first fragment", MACS "86dd 6000 0000 0010 2c40 " IP6_ADDRS "1100 0001 00000001 " UDP,
		FLOW_FIELD_FRAG, FLOW_OK,
		TEXT_MACS "ip6 udp " TEXT_IP6 " frag=first sport=53 dport=54321", {14, 62, 70, 0}},
	{"ip6 later fragment", MACS "86dd 6000 0000 0010 2c40 " IP6_ADDRS "1100 0008 00000001 " UDP,
		FLOW_FIELD_FRAG, FLOW_OK, TEXT_MACS "ip6 udp " TEXT_IP6 " frag=later",
		{14, 0, 0, 0}},
	{"ip6 atomic fragment",
		MACS "86dd 6000 0000 0010 2c40 " IP6_ADDRS "1100 0000 00000001 " UDP,
		FLOW_FIELD_FRAG, FLOW_OK, TEXT_MACS "ip6 udp " TEXT_IP6 " sport=53 dport=54321",
		{14, 62, 70, 0}},
	{"ip6 extension cut", MACS "86dd 6000 0000 0008 0040 " IP6_ADDRS "1101 0000 00000000 " UDP,
		0, FLOW_FAULT_IPV6_EXT, TEXT_MACS "ip6 proto=0 " TEXT_IP6, {14, 0, 0, 0}},
	{"ip6 longer than the frame", MACS "86dd 6000 0000 0009 1140 " IP6_ADDRS UDP, 0,
		FLOW_FAULT_IPV6, TEXT_MACS "ip6", {0, 0, 0, 0}},
	{"ip6 no next header", MACS "86dd 6000 0000 0000 3b40 " IP6_ADDRS, 0, FLOW_OK,
		TEXT_MACS "ip6 proto=59 " TEXT_IP6, {14, 0, 0, 0}},
};

static void
test_hand_made(void **state)
{
	struct sl_rng rng = {.state = 1};
	uint8_t data[MAKER_MAX];
	struct flow_offsets off;
	struct sl_strbuf text;
	struct flow_key key;
	enum flow_fault fault;
	uint32_t len;
	unsigned i;

	for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		const struct hand_made *p = &packets[i];

		len = from_hex(p->hex, data);
		fault = flow_parse_bytes(data, len, 1, 2, p->fields, &key, &off);
		sl_strbuf_init(&text, 0);
		flow_key_format(&key, NULL, &text);
		if (fault != p->fault || strcmp(sl_strbuf_str(&text), p->key) != 0)
			fail_msg("%s: %s, %s", p->name, flow_fault_name(fault),
				sl_strbuf_str(&text));
		if (off.l3 != p->offsets[0] || off.l4 != p->offsets[1] ||
			off.payload != p->offsets[2] || off.vlans != p->offsets[3])
			fail_msg("%s: offsets %u %u %u %u", p->name, off.l3, off.l4, off.payload,
				off.vlans);
		sl_strbuf_fini(&text);
		ref_flow_check(p->name, data, len, p->fields, &rng);
	}
}

// A chain of n extension headers: 8 are followed, the ninth is a fault.
static void
test_ip6_chain(void **state)
{
	struct sl_rng rng = {.state = 2};
	uint8_t data[MAKER_MAX];
	unsigned n, i;
	uint32_t len;

	for (n = 1; n <= 12; n++) {
		len = from_hex(MACS "86dd 6000 0000 0000 3c40 " IP6_ADDRS, data);
		for (i = 0; i < n; i++)
			len += from_hex(i + 1 < n ? "3c00 0000 00000000" : "1100 0000 00000000",
				data + len);
		len += from_hex(UDP, data + len);
		data[18] = (uint8_t)((len - 54) >> 8);
		data[19] = (uint8_t)(len - 54);
		assert_int_equal(ref_flow_check("ip6 chain", data, len, 0, &rng),
			n <= 8 ? FLOW_OK : FLOW_FAULT_IPV6_EXT);
	}
}

static uint64_t
seed(void)
{
	const char *env = getenv("SLUICE_SEED");

	return env != NULL ? strtoull(env, NULL, 0) : 1;
}

static void
test_every_length(void **state)
{
	struct sl_rng rng = {.state = seed()};
	struct maker mk = {.rng = &rng};
	char what[96];
	unsigned i;
	uint32_t len;

	for (i = 0; i < 150; i++) {
		make_packet(&mk);
		for (len = 0; len <= mk.len; len++) {
			snprintf(what, sizeof(what), "seed %llu, packet %u, %u bytes",
				(unsigned long long)seed(), i, len);
			ref_flow_check(what, mk.data, len, i % 2 ? ALL_FIELDS : 0, &rng);
		}
	}
}

static void
test_random(void **state)
{
	struct sl_rng rng = {.state = seed()};
	struct maker mk = {.rng = &rng};
	unsigned seen[FLOW_FAULTS] = {0};
	unsigned tunnels[FLOW_TUNNELS] = {0};
	struct flow_inner inner;
	char what[96];
	unsigned i;

	for (i = 0; i < 200000; i++) {
		make_packet(&mk);
		mutate(&mk);
		snprintf(what, sizeof(what), "seed %llu, mutation %u", (unsigned long long)seed(),
			i);
		seen[ref_flow_check(what, mk.data, mk.len, rnd(&mk, ALL_FIELDS + 1), &rng)]++;
		if (ref_flow_inner(mk.data, mk.len, 0, &inner))
			tunnels[inner.tunnel] += inner.fault == FLOW_OK;
	}
	// The run means little unless it meets every fault often.
	for (i = 0; i < FLOW_FAULTS; i++) {
		if (seen[i] < 100)
			fail_msg("seed %llu: only %u packets were %s", (unsigned long long)seed(),
				seen[i], flow_fault_name((enum flow_fault)i));
	}
	for (i = FLOW_TUNNEL_NONE + 1; i < FLOW_TUNNELS; i++) {
		if (tunnels[i] < 100)
			fail_msg("seed %llu: only %u packets were %s", (unsigned long long)seed(),
				tunnels[i], flow_tunnel_name((enum flow_tunnel)i));
	}
}

static void
test_fault_names(void **state)
{
	unsigned i, j;

	for (i = 0; i < FLOW_FAULTS; i++) {
		for (j = 0; j < i; j++)
			assert_string_not_equal(flow_fault_name((enum flow_fault)i),
				flow_fault_name((enum flow_fault)j));
	}
	assert_string_equal(flow_fault_name(FLOW_FAULT_IPV4), "malformed-ipv4");
	assert_string_equal(flow_fault_name(FLOW_FAULTS), "malformed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hand_made),
		cmocka_unit_test(test_ip6_chain),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_fault_names),
	};

	return cmocka_run_group_tests_name("flow_parse", tests, NULL, NULL);
}

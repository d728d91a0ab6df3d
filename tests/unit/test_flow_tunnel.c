// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include <rte_mbuf.h>

#include "flow/text.h"
#include "flow_maker.h"
#include "ref_flow_parse.h"

// What is inside a tunnel: packets by hand, what is no tunnel, and matches on it. That the parser
// agrees with the reference on random ones is in test_flow_parse.c.

#define MACS "020000000001 020000000002 "
#define IP4(length, proto) "0800 4500 " length " 0001 0000 40" proto " 0000 0a000001 0a000002 "
#define UDP(port, length) "c000 " port " " length " 0000 "
#define IN_MACS "0a0000000001 0a0000000002 "
#define IN_TCP                                                                                     \
	"4500 0028 0001 4000 4006 0000 c0a80001 c0a80002 "                                         \
	"1f90 0050 00000001 00000002 5012 ffff 0000 0000 "
#define IN_TEXT "ip_src=192.168.0.1 ip_dst=192.168.0.2"
#define IN_IP6                                                                                     \
	"6000 0000 0008 1140 20010db8000000000000000000000001 20010db8000000000000000000000002 "   \
	"0035 d431 0008 0000 "

struct by_hand {
	const char *name;
	const char *hex;
	const char *words;   // NULL: no tunnel
	uint16_t offsets[5]; // header, l2, l3, l4, payload
	enum flow_fault fault;
};

// Every inner MAC address and port but those of IN_TCP is said by itself.
#define IN_MAC_WORDS "inner_eth_src=0a:00:00:00:00:02 inner_eth_dst=0a:00:00:00:00:01 "
#define IN_TCP_WORDS                                                                               \
	"inner_ip inner_tcp inner_ip_src=192.168.0.1 inner_ip_dst=192.168.0.2 "                    \
	"inner_sport=8080 inner_dport=80"
#define IN_IP6_WORDS                                                                               \
	"inner_ip6 inner_udp inner_ip_src=2001:db8::1 inner_ip_dst=2001:db8::2 "                   \
	"inner_sport=53 inner_dport=54321"

static const struct by_hand packets[] = {
	{"vxlan",
		MACS IP4("005a", "11") UDP("12b5", "0046") "0800 0000 000005 00 " IN_MACS
							   "0800 " IN_TCP,
		"tunnel=vxlan vni=5 " IN_MAC_WORDS IN_TCP_WORDS, {42, 50, 64, 84, 104}, FLOW_OK},
	{"vxlan, a tag inside, over IPv6",
		MACS "86dd 6000 0000 004a 1140 20010db8000000000000000000000001 "
		     "20010db8000000000000000000000002 " UDP("12b5",
			     "004a") "ffff ffff fffffe ff " IN_MACS "8100 2007 0800 " IN_TCP,
		"tunnel=vxlan vni=16777214 " IN_MAC_WORDS "inner_vlan=7 " IN_TCP_WORDS,
		{62, 70, 88, 108, 128}, FLOW_OK},
	{"geneve, options, IPv6 inside",
		MACS IP4("005c", "11") UDP("17c1", "0048") "0280 86dd 00abcd 00 "
							   "0102 8001 deadbeef " IN_IP6,
		"tunnel=geneve vni=43981 " IN_IP6_WORDS, {42, 0, 58, 98, 106}, FLOW_OK},
	{"gre", MACS IP4("0040", "2f") "0000 0800 " IN_TCP, "tunnel=gre " IN_TCP_WORDS,
		{34, 0, 38, 58, 78}, FLOW_OK},
	{"gre, checksum, key and sequence",
		MACS IP4("004c", "2f") "b000 0800 12340000 00000007 00000001 " IN_TCP,
		"tunnel=gre vni=7 " IN_TCP_WORDS, {34, 0, 50, 70, 90}, FLOW_OK},
	{"nvgre", MACS IP4("0052", "2f") "2000 6558 001234 56 " IN_MACS "0800 " IN_TCP,
		"tunnel=nvgre vni=4660 " IN_MAC_WORDS IN_TCP_WORDS, {34, 42, 56, 76, 96}, FLOW_OK},
	{"ip in ip", MACS IP4("003c", "04") IN_TCP, "tunnel=ipip " IN_TCP_WORDS,
		{34, 0, 34, 54, 74}, FLOW_OK},
	{"ipv6 in ip", MACS IP4("0044", "29") IN_IP6, "tunnel=ipip " IN_IP6_WORDS,
		{34, 0, 34, 74, 82}, FLOW_OK},
	{"a tunnel in the tunnel is a packet of its outer headers",
		MACS IP4("0030", "04") "4500 001c 0001 0000 4004 0000 c0a80001 c0a80002 "
				       "4500 0014 0001 0000",
		"tunnel=ipip inner_ip inner_proto=4 inner_ip_src=192.168.0.1 "
		"inner_ip_dst=192.168.0.2",
		{34, 0, 34, 0, 0}, FLOW_OK},
	{"cut inside",
		MACS IP4("0044", "11") UDP("12b5", "0030") "0800 0000 000005 00 " IN_MACS
							   "0800 4500 0028 0001 4000 4006 0000 "
							   "c0a80001 c0a8",
		"tunnel=vxlan vni=5 " IN_MAC_WORDS "inner_ip", {42, 50, 0, 0, 0}, FLOW_FAULT_IPV4},
	{"nothing inside", MACS IP4("0024", "11") UDP("12b5", "0010") "0800 0000 000005 00",
		"tunnel=vxlan vni=5 inner_eth_type=0x0000", {42, 50, 0, 0, 0}, FLOW_FAULT_RUNT},
	{"padding of the outer frame is not inside", MACS IP4("0018", "04") "4500 0014 " IN_TCP,
		"tunnel=ipip inner_ip", {34, 0, 0, 0, 0}, FLOW_FAULT_IPV4},
	{"no VNI", MACS IP4("005a", "11") UDP("12b5", "0046") "0000 0000 000005 00 " IN_MACS, NULL,
		{0}, FLOW_OK},
	{"vxlan cut", MACS IP4("0023", "11") UDP("12b5", "000f") "0800 0000 000005", NULL, {0},
		FLOW_OK},
	{"udp length above", MACS IP4("0024", "11") UDP("12b5", "0011") "0800 0000 000005 00", NULL,
		{0}, FLOW_OK},
	{"udp length below", MACS IP4("0024", "11") UDP("12b5", "0007") "0800 0000 000005 00", NULL,
		{0}, FLOW_OK},
	{"geneve version 1", MACS IP4("0024", "11") UDP("17c1", "0010") "4000 6558 000005 00", NULL,
		{0}, FLOW_OK},
	{"geneve options beyond",
		MACS IP4("0028", "11") UDP("17c1", "0014") "0200 6558 000005 00 00000000", NULL,
		{0}, FLOW_OK},
	{"pptp", MACS IP4("0020", "2f") "3001 880b 0000 0001 00000001", NULL, {0}, FLOW_OK},
	{"gre with routing", MACS IP4("001c", "2f") "4000 0800 0000 0000", NULL, {0}, FLOW_OK},
	{"gre key cut", MACS IP4("001a", "2f") "2000 0800 0000", NULL, {0}, FLOW_OK},
	{"a fragment", MACS "0800 4500 003c 0001 2000 4004 0000 0a000001 0a000002 " IN_TCP, NULL,
		{0}, FLOW_OK},
	{"udp to elsewhere", MACS IP4("005a", "11") UDP("12b6", "0046") "0800 0000 000005 00", NULL,
		{0}, FLOW_OK},
};

static bool
inner_of(const char *hex, struct flow_inner *out)
{
	uint8_t data[MAKER_MAX];
	struct flow_offsets off;
	struct flow_key key;
	struct rte_mbuf m;
	uint32_t len = from_hex(hex, data);

	// What the IP header says that is not given is zeros.
	if (len < 14 + 20 + 70u) {
		memset(data + len, 0, 100);
		len = 14 + 20 + 70;
	}
	memset(&m, 0, sizeof(m));
	m.buf_addr = data;
	m.data_len = (uint16_t)len;
	m.pkt_len = len;
	assert_int_equal(flow_parse(&m, 1, 2, 0, &key, &off), FLOW_OK);
	return flow_parse_inner(&m, &key, &off, 0, out);
}

static void
test_by_hand(void **state)
{
	struct sl_rng rng = {.state = 1};
	uint8_t data[MAKER_MAX];
	struct sl_strbuf words;
	struct flow_inner in;
	unsigned i;

	for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		const struct by_hand *p = &packets[i];

		ref_flow_check(p->name, data, from_hex(p->hex, data), 0, &rng);
		if (inner_of(p->hex, &in) != (p->words != NULL))
			fail_msg("%s: %s", p->name, flow_tunnel_name(in.tunnel));
		if (p->words == NULL)
			continue;
		sl_strbuf_init(&words, 0);
		flow_inner_format(&in, &words);
		if (strcmp(sl_strbuf_str(&words), p->words) != 0 || in.fault != p->fault)
			fail_msg("%s: %s, %s", p->name, flow_fault_name(in.fault),
				sl_strbuf_str(&words));
		if (in.header != p->offsets[0] || in.l2 != p->offsets[1] ||
			in.off.l3 != p->offsets[2] || in.off.l4 != p->offsets[3] ||
			in.off.payload != p->offsets[4])
			fail_msg("%s: %u %u %u %u %u", p->name, in.header, in.l2, in.off.l3,
				in.off.l4, in.off.payload);
		sl_strbuf_fini(&words);
	}
}

static void
parse(const char *text, struct flow_inner_match *out)
{
	char copy[256];
	struct sl_err err;

	snprintf(copy, sizeof(copy), "%s", text);
	sl_err_init(&err);
	if (flow_inner_take(copy, out, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(strspn(copy, " "), strlen(copy));
}

// Which of the packets by hand each match hits, by their places above.
static void
test_matches(void **state)
{
	static const struct {
		const char *text;
		uint32_t hits;
	} cases[] = {
		{"tunnel=any", 0xfff}, {"tunnel=vxlan", 0x603}, {"tunnel=geneve", 0x004},
		{"tunnel=gre", 0x038}, {"tunnel=nvgre", 0x020}, {"tunnel=ipip", 0x9c0},
		{"vni=5", 0x601}, {"tunnel=geneve vni=5", 0},
		{"vni=7", 0}, // a key of GRE is one where it is named
		{"tunnel=gre vni=7", 0x010}, {"tunnel=nvgre vni=0x1234", 0x020},
		{"tunnel=gre vni=0x123456", 0x020}, {"inner_tcp", 0x07b},
		{"inner_ip_dst=192.168.0.2 inner_tcp inner_dport=80-90 vni=5", 0x001},
		{"inner_vlan=7", 0x002}, {"inner_ip6", 0x084},
		{"inner_eth_dst=0a:00:00:00:00:01", 0x023}, // not the one that is cut
		{"inner_ttl=64 tunnel=vxlan", 0},           // the key was made without
	};
	struct flow_inner_match m, back;
	struct sl_strbuf text;
	struct flow_inner in;
	unsigned i, k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(cases[i].text, &m);
		sl_strbuf_init(&text, 0);
		flow_inner_match_format(&m, &text);
		parse(sl_strbuf_str(&text), &back);
		if (!flow_inner_match_equal(&m, &back))
			fail_msg("%s: %s is another", cases[i].text, sl_strbuf_str(&text));
		sl_strbuf_fini(&text);
		for (k = 0; k < sizeof(packets) / sizeof(packets[0]); k++) {
			inner_of(packets[k].hex, &in);
			if (flow_inner_hits(&m, &in) != (cases[i].hits >> k & 1))
				fail_msg("%s: %s", cases[i].text, packets[k].name);
			if (flow_inner_hits(&m, &in))
				assert_true(in.tunnel != FLOW_TUNNEL_NONE);
		}
	}
	parse("", &m);
	assert_false(m.asked);
}

// What hits may hit, by the outer key alone.
static void
test_may_hit(void **state)
{
	static const char *const texts[] = {"tunnel=any", "tunnel=vxlan", "tunnel=geneve",
		"tunnel=gre", "tunnel=nvgre", "tunnel=ipip", "vni=5"};
	struct sl_rng rng = {.state = 3};
	struct maker mk = {.rng = &rng};
	struct flow_inner_match m;
	struct flow_offsets off;
	struct flow_inner in;
	struct flow_key key;
	unsigned i, t, hits = 0, not = 0;

	for (i = 0; i < 20000; i++) {
		make_packet(&mk);
		if (flow_parse_bytes(mk.data, mk.len, 0, 0, 0, &key, &off) != FLOW_OK)
			continue;
		ref_flow_inner(mk.data, mk.len, 0, &in);
		for (t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
			parse(texts[t], &m);
			if (flow_inner_hits(&m, &in)) {
				hits++;
				assert_true(flow_inner_may_hit(&m, &key));
			}
			not += !flow_inner_may_hit(&m, &key);
		}
	}
	assert_true(hits > 1000 && not > 1000);
}

static void
test_bad_words(void **state)
{
	static const char *const bad[][2] = {
		{"tunnel=stt", "expected vxlan, geneve, gre, nvgre, ipip or any"},
		{"tunnel", "expected vxlan"},
		{"tunnel=none", "expected vxlan"},
		{"tunnel=gre tunnel=gre", "twice"},
		{"vni=5 vni=5", "twice"},
		{"vni=0x1000000", "expected 0 to 0xffffff"},
		{"vni=", "expected 0 to 0xffffff"},
		{"vni", "expected 0 to 0xffffff"},
		{"tunnel=gre vni=0x100000000", "0xffffffff"},
		{"vni=5 tunnel=ipip", "has none"},
		{"inner_", "expected a word behind inner_"},
		{"inner_=5", "no such word"},
		{"udp inner_dport=5", "\"dport=5\" (column 11): needs tcp, udp or sctp"},
		{"inner_port=5", "inner_port"},
		{"inner_switch=5", "inner_switch"},
		{"inner_vni=5", "no such word"},
		{"inner_inner_tcp", "no such word"},
		{"inner_ip inner_ip6", "contradicts"},
	};
	struct flow_inner_match m;
	struct sl_err err;
	char copy[64];
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(copy, sizeof(copy), "%s", bad[i][0]);
		sl_err_init(&err);
		assert_int_equal(flow_inner_take(copy, &m, &err), -22);
		if (strstr(err.text, bad[i][1]) == NULL)
			fail_msg("%s: %s", bad[i][0], err.text);
	}
	// What is not on tunnels stays where it is.
	snprintf(copy, sizeof(copy), "udp,inner_tcp dport=4789 vni=7 x");
	assert_int_equal(flow_inner_take(copy, &m, NULL), 0);
	assert_string_equal(copy, "udp,          dport=4789       x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_may_hit),
		cmocka_unit_test(test_bad_words),
	};

	return cmocka_run_group_tests_name("flow_tunnel", tests, NULL, NULL);
}

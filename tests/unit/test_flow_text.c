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

#include <arpa/inet.h>

#include "base/rng.h"
#include "flow/text.h"

// Names for ids 0, 1, 2 of every kind; the others have none.
static const char *const names_of[] = {"vm1", "uplink", "a.very-long_name:0"};

static int
id_of(void *ctx, const char *name)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (strcmp(name, names_of[i]) == 0)
			return i;
	}
	return -2;
}

static const char *
name_of(void *ctx, uint16_t id)
{
	if (id == 3)
		return "has a blank"; // cannot be said
	return id < 3 ? names_of[id] : NULL;
}

static const struct flow_names names = {NULL, id_of, name_of, id_of, name_of, id_of, name_of};

static uint64_t
seed(void)
{
	const char *env = getenv("SLUICE_SEED");

	return env != NULL ? strtoull(env, NULL, 0) : 1;
}

// Input, and its one canonical form.
static const char *const matches[][2] = {
	{"", "any"},
	{"any", "any"},
	{" \t, ", "any"},
	{"port=vm1", "port=vm1"},
	{"port=#77", "port=#77"},
	{"port=#1", "port=uplink"},
	{"switch=2,port=vm1", "switch=2 port=vm1"},
	{"tcp", "tcp"},
	{"ip tcp", "ip tcp"},
	{"tcp ip", "ip tcp"},
	{"tcp dport=80", "tcp dport=80"},
	{"dport=80 udp", "udp dport=80"},
	{"proto=tcp dport=80", "tcp dport=80"},
	{"proto=gre", "proto=47"},
	{"ip proto=1", "icmp"},
	{"proto=1", "proto=1"},
	{"arp proto=1", "arp proto=1"},
	{"icmp", "icmp"},
	{"icmp icmp_type=8 icmp_code=0 icmp_id=7", "icmp icmp_type=8 icmp_code=0 icmp_id=7"},
	{"icmp6 icmp_type=135", "icmp6 icmp_type=135"},
	{"ip_dst=10.0.0.1", "ip ip_dst=10.0.0.1"},
	{"ip_dst=10.1.2.3/8", "ip ip_dst=10.0.0.0/8"},
	{"ip_dst=10.1.2.3/255.0.0.0", "ip ip_dst=10.0.0.0/8"},
	{"ip_src=10.0.0.1/0.0.0.3", "ip ip_src=0.0.0.1/0.0.0.3"},
	{"ip_src=0.0.0.0/0", "ip"},
	{"arp ip_src=10.0.0.1", "arp ip_src=10.0.0.1"},
	{"ip_src=10.0.0.1 arp", "arp ip_src=10.0.0.1"},
	{"ip_src=2001:db8::/32", "ip6 ip_src=2001:db8::/32"},
	{"ip_src=::1/::ff", "ip6 ip_src=::1/::ff"},
	{"eth_src=02:00:00:00:00:0A", "eth_src=02:00:00:00:00:0a"},
	{"eth_dst=01:00:00:00:00:00/01:00:00:00:00:00",
		"eth_dst=01:00:00:00:00:00/01:00:00:00:00:00"},
	{"eth_type=0x800", "ip"},
	{"eth_type=ip6", "ip6"},
	{"eth_type=0x88cc", "eth_type=0x88cc"},
	{"vlan=none", "vlan=none"},
	{"vlan=any", "vlan=any"},
	{"vlan=0", "vlan=0"},
	{"vlan=100 pcp=5", "vlan=100 pcp=5"},
	{"pcp=5", "pcp=5"},
	{"vlan=any pcp=5", "pcp=5"},
	{"vlan=1 vlan2=2 pcp2=3", "vlan=1 vlan2=2 pcp2=3"},
	{"dscp=46", "dscp=46"},
	{"ip6 ttl=1", "ip6 ttl=1"},
	{"frag=no", "frag=no"},
	{"frag=yes", "frag=yes"},
	{"frag=first", "frag=first"},
	{"ip frag=later", "ip frag=later"},
	{"tcp sport=1024-65535", "tcp sport=1024-65535"},
	{"tcp sport=1024-2047", "tcp sport=1024/0xfc00"},
	{"tcp sport=80/0xfff0", "tcp sport=80/0xfff0"},
	{"tcp sport=5-5", "tcp sport=5"},
	{"tcp sport=0-65535", "tcp"},
	{"tcp sport=1-9 sport=5-20", "tcp sport=5-9"},
	{"tcp dport=0x50", "tcp dport=80"},
	{"tcp_flags=+syn-ack", "tcp tcp_flags=+syn-ack"},
	{"ip tcp_flags=-ack+syn", "ip tcp tcp_flags=+syn-ack"},
	{"raw_l3=4", "raw_l3=0x4/0xff"},
	{"raw_l3=4/4 tcp", "tcp"},
	{"raw_l4_dst=80", "raw_l4_dst=0x50/0xffff"},
	{"raw_src=::1", "raw_src=::1"},
	{"raw_eth_type=0x800", "ip"},
	{"raw_sport=9-3", "raw_sport=1-0"},
};

static void
test_match_canonical(void **state)
{
	struct sl_strbuf text;
	struct flow_match m;
	struct sl_err err;
	unsigned i, round;

	for (i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
		for (round = 0; round < 2; round++) {
			sl_err_init(&err);
			if (flow_match_parse(matches[i][round], &names, &m, &err) != 0)
				fail_msg("\"%s\": %s", matches[i][round], err.text);
			sl_strbuf_init(&text, 0);
			flow_match_format(&m, &names, &text);
			assert_string_equal(sl_strbuf_str(&text), matches[i][1]);
			sl_strbuf_fini(&text);
		}
	}
}

// What the words mean in the key.
static void
test_match_meaning(void **state)
{
	struct flow_key arp, tcp6, udp4;
	struct flow_match m;

	flow_key_init(&arp, 0, 0);
	arp.eth_type = htons(0x0806);
	arp.l3 = FLOW_L3_ARP;
	arp.proto = 1;
	flow_key_init(&tcp6, 0, 0);
	tcp6.eth_type = htons(0x86dd);
	tcp6.l3 = FLOW_L3_IPV6;
	tcp6.proto = 6;
	tcp6.l4_dst = htons(80);
	tcp6.tcp_flags = 0x12;
	flow_key_init(&udp4, 0, 0);
	udp4.eth_type = htons(0x0800);
	udp4.l3 = FLOW_L3_IPV4;
	udp4.proto = 17;
	udp4.vlan[0] = FLOW_VLAN_PRESENT;
	udp4.l4_dst = htons(80);

	static const struct {
		const char *text;
		bool arp, tcp6, udp4;
	} cases[] = {
		{"any", true, true, true},
		{"proto=1", false, false, false}, // an ARP request is no ICMP
		{"arp proto=1", true, false, false},
		{"dscp=0", false, true, true},
		{"frag=no", false, true, true},
		{"tcp", false, true, false},
		{"ip tcp", false, false, false},
		{"ip6", false, true, false},
		{"tcp dport=80", false, true, false},
		{"tcp dport=81", false, false, false},
		{"udp dport=79-81", false, false, true},
		{"vlan=none", true, true, false},
		{"vlan=any", false, false, true},
		{"vlan=0", false, false, true},
		{"pcp=0", false, false, true},
		{"tcp_flags=+syn", false, true, false},
		{"tcp_flags=+syn-ack", false, false, false},
	};
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(flow_match_parse(cases[i].text, NULL, &m, NULL), 0);
		if (flow_match_hits(&m, &arp) != cases[i].arp ||
			flow_match_hits(&m, &tcp6) != cases[i].tcp6 ||
			flow_match_hits(&m, &udp4) != cases[i].udp4)
			fail_msg("%s: %d %d %d", cases[i].text, flow_match_hits(&m, &arp),
				flow_match_hits(&m, &tcp6), flow_match_hits(&m, &udp4));
	}
}

static const char *const bad_matches[][2] = {
	{"dportt=80", "\"dportt=80\" (column 1): no such word, the nearest is \"dport\""},
	{"ip  ip_dts=1.2.3.4",
		"\"ip_dts=1.2.3.4\" (column 5): no such word, the nearest is \"ip_dst\""},
	{"wibble", "\"wibble\" (column 1): no such word"},
	{"=5", "\"=5\" (column 1): no such word"},
	{"dport=80", "\"dport=80\" (column 1): needs tcp, udp or sctp to be named"},
	{"icmp sport=80", "\"sport=80\" (column 6): needs tcp, udp or sctp to be named"},
	{"arp tcp", "\"tcp\" (column 5): needs ip or ip6, another eth_type is named"},
	{"eth_type=0x88cc dscp=1",
		"\"dscp=1\" (column 17): needs ip or ip6, another eth_type is named"},
	{"ip ip6", "\"ip6\" (column 4): contradicts another word on eth_type"},
	{"ip_src=10.0.0.1 ip6",
		"\"ip_src=10.0.0.1\" (column 1): contradicts another word on eth_type"},
	{"tcp udp", "\"udp\" (column 5): contradicts another word on proto"},
	{"tcp dport=80 dport=81", "\"dport=81\" (column 14): contradicts another word on l4_dst"},
	{"tcp dport=1-5 dport=7-9", "\"dport=7-9\" (column 15): contradicts another word on it"},
	{"ip_src=10.0.0.1 ip_src=10.0.0.2",
		"\"ip_src=10.0.0.2\" (column 17): contradicts another word on it"},
	{"vlan=none pcp=3", "\"pcp=3\" (column 11): contradicts another word on vlan"},
	{"tcp dport=65536",
		"\"dport=65536\" (column 5): expected a port, PORT/MASK or LOW-HIGH, 0 to 65535"},
	{"tcp dport=9-3", "\"dport=9-3\" (column 5): 9 is above 3"},
	{"tcp dport=3-", "\"dport=3-\" (column 5): expected LOW-HIGH, each 0 to 65535"},
	{"tcp dport", "\"dport\" (column 5): expected a value: dport=..."},
	{"tcp dport=", "\"dport=\" (column 5): expected a value: dport=..."},
	{"tcp=6", "\"tcp=6\" (column 1): tcp takes no value"},
	{"ip_src=10.0.0", "\"ip_src=10.0.0\" (column 1): expected an IPv4 or IPv6 address"},
	{"ip_src=10.0.0.1/33",
		"\"ip_src=10.0.0.1/33\" (column 1): expected a prefix length, 0 to 32, or a mask "
		"of the same family after the slash"},
	{"ip_src=::1/129",
		"\"ip_src=::1/129\" (column 1): expected a prefix length, 0 to 128, or a mask of "
		"the same family after the slash"},
	{"eth_src=02:00:00:00:00",
		"\"eth_src=02:00:00:00:00\" (column 1): expected a MAC address like "
		"02:00:00:00:00:01, or MAC/MASK"},
	{"eth_type=0x10000",
		"\"eth_type=0x10000\" (column 1): expected ip, ip6, arp or 0x0 to 0xffff"},
	{"vlan=4096", "\"vlan=4096\" (column 1): expected none, any or 0 to 4095"},
	{"pcp=8", "\"pcp=8\" (column 1): expected a priority, 0 to 7"},
	{"dscp=64", "\"dscp=64\" (column 1): expected 0 to 63"},
	{"ttl=-1", "\"ttl=-1\" (column 1): expected 0 to 255"},
	{"frag=maybe", "\"frag=maybe\" (column 1): expected no, yes, first or later"},
	{"proto=256", "\"proto=256\" (column 1): expected 0 to 255 or a name like udp or gre"},
	{"tcp_flags=syn",
		"\"tcp_flags=syn\" (column 1): expected + or - before each of fin syn rst psh ack "
		"urg ece cwr, each once, like +syn-ack"},
	{"tcp_flags=+syn+syn",
		"\"tcp_flags=+syn+syn\" (column 1): expected + or - before each of fin syn rst "
		"psh ack urg ece cwr, each once, like +syn-ack"},
	{"icmp_type=8", "\"icmp_type=8\" (column 1): needs icmp or icmp6 to be named"},
	{"proto=1 icmp_type=8", "\"icmp_type=8\" (column 9): needs icmp or icmp6 to be named"},
	{"port=nobody", "\"port=nobody\" (column 1): there is no port of this name"},
	{"port=7", "\"port=7\" (column 1): there is no port of this name"},
	{"port=#65536", "\"port=#65536\" (column 1): expected the number of a port, 0 to 65535"},
	{"raw_l3=1/256", "\"raw_l3=1/256\" (column 1): expected VALUE or VALUE/MASK, each 0 to "
			 "0xff"},
	{"raw_l4=1", "\"raw_l4=1\" (column 1): no such word"},
	{"raw_src=10.0.0.1",
		"\"raw_src=10.0.0.1\" (column 1): expected 16 bytes in the form of an IPv6 "
		"address, or ADDRESS/MASK"},
	{"tcp \x01\xff\"", "\"??\"\" (column 5): no such word"},
};

static void
test_match_errors(void **state)
{
	char long_text[400];
	struct flow_match m, untouched;
	struct sl_err err;
	unsigned i;

	memset(&untouched, 0xa5, sizeof(untouched));
	for (i = 0; i < sizeof(bad_matches) / sizeof(bad_matches[0]); i++) {
		m = untouched;
		sl_err_init(&err);
		assert_int_equal(flow_match_parse(bad_matches[i][0], &names, &m, &err), -22);
		assert_string_equal(err.text, bad_matches[i][1]);
		assert_memory_equal(&m, &untouched, sizeof(m));
		assert_int_equal(flow_match_parse(bad_matches[i][0], &names, &m, NULL), -22);
	}
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	sl_err_init(&err);
	assert_int_equal(flow_match_parse(long_text, NULL, &m, &err), -22);
	assert_non_null(strstr(err.text, "(column 1): longer than 160 bytes"));
}

static const char *const actions[][2] = {
	{"drop", "drop"},
	{"", "drop"},
	{"output=vm1", "output=vm1"},
	{"output=#9", "output=#9"},
	{"push_vlan=5,output=uplink", "push_vlan=5 output=uplink"},
	{"normal", "normal"},
	{"flood pop_vlan", "flood pop_vlan"},
	{"set_vlan=0x10 set_eth_src=02:00:00:00:00:01 set_eth_dst=02:00:00:00:00:02",
		"set_vlan=16 set_eth_src=02:00:00:00:00:01 set_eth_dst=02:00:00:00:00:02"},
	{"class=vm1 ring queue=65535", "class=vm1 ring queue=65535"},
	{"rate=10M", "rate=10M"},
	{"rate=10000000", "rate=10M"},
	{"rate=10000k/64000", "rate=10M/64k"},
	{"rate=1500k/2M", "rate=1500k/2M"},
	{"rate=4294G", "rate=4294G"},
	{"goto=uplink", "goto=uplink"},
	{"class=#3 goto=#3", "class=#3 goto=#3"},
};

static const char *const bad_actions[][2] = {
	{"outptu=vm1", "\"outptu=vm1\" (column 1): no such word, the nearest is \"output\""},
	{"output", "\"output\" (column 1): expected a value: output=..."},
	{"normal=1", "\"normal=1\" (column 1): normal takes no value"},
	{"drop output=vm1", "\"output=vm1\" (column 6): drop stands alone, nothing comes after it"},
	{"output=vm1 drop", "\"drop\" (column 12): drop stands alone, nothing comes before it"},
	{"goto=vm1 normal", "\"normal\" (column 10): goto is the last action of its list"},
	{"output=nobody", "\"output=nobody\" (column 1): there is no port of this name"},
	{"class=nobody", "\"class=nobody\" (column 1): there is no class of this name"},
	{"goto=nobody", "\"goto=nobody\" (column 1): there is no table of this name"},
	{"push_vlan=4095", "\"push_vlan=4095\" (column 1): expected a VLAN id, 0 to 4094"},
	{"set_eth_src=1:2:3:4:5:6",
		"\"set_eth_src=1:2:3:4:5:6\" (column 1): expected a MAC address like "
		"02:00:00:00:00:01"},
	{"queue=70000", "\"queue=70000\" (column 1): expected the number of a queue, 0 to 65535"},
	{"rate=0", "\"rate=0\" (column 1): expected a rate in bit/s, whole thousands, 1k to "
		   "4294G, like 10M or 10M/64k"},
	{"rate=1500", "\"rate=1500\" (column 1): expected a rate in bit/s, whole thousands, 1k to "
		      "4294G, like 10M or 10M/64k"},
	{"rate=4295G", "\"rate=4295G\" (column 1): expected a rate in bit/s, whole thousands, 1k "
		       "to 4294G, like 10M or 10M/64k"},
	{"rate=10M/", "\"rate=10M/\" (column 1): expected a burst in bytes after the slash, whole "
		      "thousands, 1k to 65535k"},
	{"rate=10Mb", "\"rate=10Mb\" (column 1): expected a rate in bit/s, whole thousands, 1k to "
		      "4294G, like 10M or 10M/64k"},
	{"ring ring ring ring ring ring ring ring ring",
		"\"ring\" (column 41): more than 8 actions"},
};

static void
test_actions(void **state)
{
	struct flow_actions a, untouched;
	struct sl_strbuf text;
	struct sl_err err;
	unsigned i, round;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		for (round = 0; round < 2; round++) {
			sl_err_init(&err);
			if (flow_actions_parse(actions[i][round], &names, &a, &err) != 0)
				fail_msg("\"%s\": %s", actions[i][round], err.text);
			sl_strbuf_init(&text, 0);
			flow_actions_format(&a, &names, &text);
			assert_string_equal(sl_strbuf_str(&text), actions[i][1]);
			sl_strbuf_fini(&text);
		}
	}
	memset(&untouched, 0xa5, sizeof(untouched));
	for (i = 0; i < sizeof(bad_actions) / sizeof(bad_actions[0]); i++) {
		a = untouched;
		sl_err_init(&err);
		assert_int_equal(flow_actions_parse(bad_actions[i][0], &names, &a, &err), -22);
		assert_string_equal(err.text, bad_actions[i][1]);
		assert_memory_equal(&a, &untouched, sizeof(a));
	}
	a.n = 0;
	sl_strbuf_init(&text, 0);
	flow_actions_format(&a, NULL, &text);
	assert_string_equal(sl_strbuf_str(&text), "drop");
	sl_strbuf_fini(&text);
}

// Mask bytes that are likely to mean something, and some that are not.
static void
random_mask(struct sl_rng *rng, uint8_t *mask, unsigned n)
{
	unsigned kind = sl_rng_below(rng, 8), i;

	for (i = 0; i < n; i++) {
		if (kind == 0)
			mask[i] = (uint8_t)sl_rng_next(rng);
		else
			mask[i] = kind < 4 ? 0xff : 0;
	}
}

static void
random_match(struct sl_rng *rng, struct flow_match *m)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x88cc, 0};
	static const uint8_t protos[] = {1, 6, 17, 58, 132, 47};
	static const uint8_t fields[][2] = {{0, 16}, {16, 16}, {32, 6}, {38, 6}, {44, 2}, {46, 2},
		{48, 2}, {50, 2}, {52, 2}, {54, 2}, {56, 2}, {58, 1}, {59, 1}, {60, 1}, {61, 1},
		{62, 1}, {63, 1}};
	unsigned i;

	flow_match_init(m);
	for (i = 0; i < sizeof(m->key); i++)
		((uint8_t *)&m->key)[i] = (uint8_t)sl_rng_next(rng);
	if (sl_rng_below(rng, 8) != 0)
		m->key.eth_type = htons(types[sl_rng_below(rng, 5)]);
	if (sl_rng_below(rng, 8) != 0)
		m->key.proto = protos[sl_rng_below(rng, 6)];
	m->key.l3 = (uint8_t)sl_rng_below(rng, 8);
	m->key.frag = (uint8_t)sl_rng_below(rng, 5);
	m->key.dscp &= 0x7f;
	m->key.vport %= 6;
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		random_mask(rng, (uint8_t *)&m->mask + fields[i][0], fields[i][1]);
	if (sl_rng_below(rng, 3) == 0)
		m->mask.l3 = (uint8_t)sl_rng_below(rng, 8);
	if (sl_rng_below(rng, 4) == 0)
		m->sport.lo = (uint16_t)sl_rng_next(rng);
	if (sl_rng_below(rng, 4) == 0)
		m->dport.hi = (uint16_t)(m->dport.lo + sl_rng_below(rng, 2000));
	if (sl_rng_below(rng, 50) == 0)
		m->dport = (struct flow_range){9, 2};
	flow_match_normalise(m);
}

static void
test_match_round_trip(void **state)
{
	struct sl_rng rng = {.state = seed()};
	struct sl_strbuf text, again;
	const struct flow_names *use;
	struct flow_match m, back;
	struct sl_err err;
	unsigned i;

	sl_strbuf_init(&text, 0);
	sl_strbuf_init(&again, 0);
	for (i = 0; i < 40000; i++) {
		use = i % 2 ? &names : NULL;
		random_match(&rng, &m);
		sl_strbuf_reset(&text);
		flow_match_format(&m, use, &text);
		sl_err_init(&err);
		if (flow_match_parse(sl_strbuf_str(&text), use, &back, &err) != 0)
			fail_msg("seed %llu, match %u: \"%s\": %s", (unsigned long long)seed(), i,
				sl_strbuf_str(&text), err.text);
		sl_strbuf_reset(&again);
		flow_match_format(&back, use, &again);
		if (!flow_match_equal(&m, &back) ||
			strcmp(sl_strbuf_str(&text), sl_strbuf_str(&again)) != 0)
			fail_msg("seed %llu, match %u: \"%s\" is read as \"%s\"",
				(unsigned long long)seed(), i, sl_strbuf_str(&text),
				sl_strbuf_str(&again));
	}
	sl_strbuf_fini(&text);
	sl_strbuf_fini(&again);
}

static void
random_action(struct sl_rng *rng, struct flow_action *a, bool last)
{
	unsigned i;

	memset(a, 0, sizeof(*a));
	do {
		a->type = (uint8_t)sl_rng_below(rng, FLOW_ACTS);
	} while (a->type == FLOW_ACT_DROP || (a->type == FLOW_ACT_GOTO && !last));
	switch (a->type) {
	case FLOW_ACT_OUTPUT:
	case FLOW_ACT_CLASS:
	case FLOW_ACT_GOTO:
		a->index = (uint16_t)sl_rng_below(rng, 6);
		break;
	case FLOW_ACT_QUEUE:
		a->index = (uint16_t)sl_rng_next(rng);
		break;
	case FLOW_ACT_PUSH_VLAN:
	case FLOW_ACT_SET_VLAN:
		a->vlan = (uint16_t)sl_rng_below(rng, 4095);
		break;
	case FLOW_ACT_SET_ETH_SRC:
	case FLOW_ACT_SET_ETH_DST:
		for (i = 0; i < 6; i++)
			a->mac[i] = (uint8_t)sl_rng_next(rng);
		break;
	case FLOW_ACT_RATE:
		a->rate.kbps = (uint32_t)(sl_rng_next(rng) >> (32 + sl_rng_below(rng, 31))) | 1;
		if (sl_rng_below(rng, 2) && a->rate.kbps < 4000)
			a->rate.kbps *= 1000000;
		a->rate.burst_kb = (uint16_t)(sl_rng_next(rng) >> (48 + sl_rng_below(rng, 16)));
		break;
	default:
		break;
	}
}

static void
test_actions_round_trip(void **state)
{
	struct sl_rng rng = {.state = seed()};
	struct flow_actions a, back;
	const struct flow_names *use;
	struct sl_strbuf text;
	struct sl_err err;
	unsigned i, j;

	sl_strbuf_init(&text, 0);
	for (i = 0; i < 20000; i++) {
		use = i % 2 ? &names : NULL;
		memset(&a, 0, sizeof(a));
		a.n = (uint8_t)(1 + sl_rng_below(&rng, FLOW_ACTIONS_MAX));
		for (j = 0; j < a.n; j++)
			random_action(&rng, &a.list[j], j + 1u == a.n);
		sl_strbuf_reset(&text);
		flow_actions_format(&a, use, &text);
		sl_err_init(&err);
		if (flow_actions_parse(sl_strbuf_str(&text), use, &back, &err) != 0)
			fail_msg("seed %llu, list %u: \"%s\": %s", (unsigned long long)seed(), i,
				sl_strbuf_str(&text), err.text);
		if (memcmp(&a, &back, sizeof(a)) != 0)
			fail_msg("seed %llu, list %u: \"%s\" is read as another list",
				(unsigned long long)seed(), i, sl_strbuf_str(&text));
	}
	sl_strbuf_fini(&text);
}

// What a key prints matches the key.
static void
test_key_format(void **state)
{
	struct sl_rng rng = {.state = seed()};
	struct sl_strbuf text;
	struct flow_match m;
	struct flow_key key;
	struct sl_err err;
	unsigned i;

	sl_strbuf_init(&text, 0);
	for (i = 0; i < 20000; i++) {
		random_match(&rng, &m);
		key = m.key;
		sl_strbuf_reset(&text);
		flow_key_format(&key, NULL, &text);
		sl_err_init(&err);
		if (flow_match_parse(sl_strbuf_str(&text), NULL, &m, &err) != 0)
			fail_msg("seed %llu, key %u: \"%s\": %s", (unsigned long long)seed(), i,
				sl_strbuf_str(&text), err.text);
		if (!flow_match_hits(&m, &key))
			fail_msg("seed %llu, key %u: \"%s\" does not match it",
				(unsigned long long)seed(), i, sl_strbuf_str(&text));
	}
	sl_strbuf_fini(&text);
}

// Words of both languages cut, doubled and broken: no crash, and what is accepted is canonical.
static void
test_broken(void **state)
{
	struct sl_rng rng = {.state = seed()};
	const unsigned n = sizeof(matches) / sizeof(matches[0]);
	struct flow_match m, back;
	struct flow_actions a;
	struct sl_strbuf text;
	unsigned i, j, ok = 0;
	char buf[256];
	size_t len;

	sl_strbuf_init(&text, 0);
	for (i = 0; i < 40000; i++) {
		snprintf(buf, sizeof(buf), "%s %s", matches[sl_rng_below(&rng, n)][0],
			matches[sl_rng_below(&rng, n)][0]);
		len = strlen(buf);
		for (j = sl_rng_below(&rng, 3); j > 0 && len > 0; j--)
			buf[sl_rng_below(&rng, (uint32_t)len)] = (char)sl_rng_next(&rng);
		flow_actions_parse(buf, &names, &a, NULL);
		if (flow_match_parse(buf, &names, &m, NULL) != 0)
			continue;
		ok++;
		sl_strbuf_reset(&text);
		flow_match_format(&m, &names, &text);
		assert_int_equal(flow_match_parse(sl_strbuf_str(&text), &names, &back, NULL), 0);
		if (!flow_match_equal(&m, &back))
			fail_msg("seed %llu: \"%s\" becomes \"%s\"", (unsigned long long)seed(),
				buf, sl_strbuf_str(&text));
	}
	assert_true(ok > 4000);
	sl_strbuf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match_canonical),
		cmocka_unit_test(test_match_meaning),
		cmocka_unit_test(test_match_errors),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_match_round_trip),
		cmocka_unit_test(test_actions_round_trip),
		cmocka_unit_test(test_key_format),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests_name("flow_text", tests, NULL, NULL);
}

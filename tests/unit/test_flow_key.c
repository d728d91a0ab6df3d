// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "flow/key.h"
#include "flow/text.h"

// A key from text: the fields that a match names.
static struct flow_key
key_of(const char *text)
{
	struct flow_match m;
	struct sl_err err;

	sl_err_init(&err);
	if (flow_match_parse(text, NULL, &m, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	m.key.l3 = strstr(text, "ip6") || strstr(text, "icmp6") ? FLOW_L3_IPV6
		   : strstr(text, "arp")                        ? FLOW_L3_ARP
		   : strstr(text, "eth_type")                   ? FLOW_L3_NONE
								: FLOW_L3_IPV4;
	return m.key;
}

static void
check_reverse(const char *forward, const char *backward)
{
	struct flow_key key = key_of(forward), want, got;

	if (backward == NULL) {
		memset(&got, 0xa5, sizeof(got));
		if (flow_key_reverse(&key, 7, &got))
			fail_msg("%s has a reverse", forward);
		return;
	}
	want = key_of(backward);
	if (!flow_key_reverse(&key, 7, &got))
		fail_msg("%s has no reverse", forward);
	assert_memory_equal(&want, &got, sizeof(want));
}

static void
test_reverse(void **state)
{
	check_reverse("switch=3 port=1 eth_src=02:00:00:00:00:01 eth_dst=02:00:00:00:00:02 vlan=5 "
		      "ip tcp ip_src=10.0.0.1 ip_dst=10.0.0.2 sport=1000 dport=80 dscp=3",
		"switch=3 port=7 eth_src=02:00:00:00:00:02 eth_dst=02:00:00:00:00:01 vlan=5 "
		"ip tcp ip_src=10.0.0.2 ip_dst=10.0.0.1 sport=80 dport=1000 dscp=3");
	check_reverse("port=1 ip tcp sport=1 dport=2 ttl=64 tcp_flags=+syn frag=first",
		"port=7 ip tcp sport=2 dport=1");
	check_reverse("port=1 ip6 udp ip_src=2001:db8::1 ip_dst=2001:db8::2 sport=1 dport=2",
		"port=7 ip6 udp ip_src=2001:db8::2 ip_dst=2001:db8::1 sport=2 dport=1");
	check_reverse("port=1 icmp icmp_type=8 icmp_code=0 icmp_id=77",
		"port=7 icmp icmp_type=0 icmp_code=0 icmp_id=77");
	check_reverse("port=1 icmp icmp_type=0 icmp_id=77", "port=7 icmp icmp_type=8 icmp_id=77");
	check_reverse(
		"port=1 icmp6 icmp_type=129 icmp_id=77", "port=7 icmp6 icmp_type=128 icmp_id=77");
	check_reverse("port=1 ip proto=47 ip_src=10.0.0.1 ip_dst=10.0.0.2",
		"port=7 ip proto=47 ip_src=10.0.0.2 ip_dst=10.0.0.1");
	check_reverse("port=1 eth_type=0x88b5 eth_src=02:00:00:00:00:01",
		"port=7 eth_type=0x88b5 eth_dst=02:00:00:00:00:01");
	check_reverse("icmp icmp_type=3 icmp_code=1", NULL);
	check_reverse("icmp6 icmp_type=1", NULL);
	check_reverse("icmp6 icmp_type=135", NULL);
	check_reverse("ip udp frag=later", NULL);
	check_reverse("ip udp", NULL);
	check_reverse("eth_dst=ff:ff:ff:ff:ff:ff eth_type=0x88b5", NULL);
	check_reverse("ip udp ip_dst=224.0.0.1 sport=1 dport=1", NULL);
	check_reverse("ip udp ip_dst=255.255.255.255 sport=1 dport=1", NULL);
	check_reverse("ip6 udp ip_dst=ff02::1 sport=1 dport=1", NULL);
	check_reverse("arp proto=1", NULL);
}

// Any random key: where there is a reverse, the reverse's reverse is the key without the fields
// that a direction has for itself.
static void
test_reverse_twice(void **state)
{
	static const uint8_t protos[] = {1, 6, 17, 58, 132, 47};
	static const uint8_t l3s[] = {0, 2, 4, 6};
	static const uint8_t types[] = {0, 8, 3, 128, 129, 1};
	struct flow_key key, back, twice;
	struct sl_rng rng = {.state = 1};
	unsigned i, j, with = 0;

	for (i = 0; i < 20000; i++) {
		for (j = 0; j < sizeof(key); j++)
			((uint8_t *)&key)[j] = (uint8_t)sl_rng_next(&rng);
		key.eth_dst[0] &= 0xfe;
		key.eth_src[0] &= 0xfe;
		key.l3 = l3s[sl_rng_below(&rng, 4)];
		key.proto = protos[sl_rng_below(&rng, 6)];
		key.frag = 0;
		if (key.proto == 1 || key.proto == 58)
			key.l4_src = types[sl_rng_below(&rng, 6)];
		if (!flow_key_reverse(&key, 9, &back))
			continue;
		assert_int_equal(back.vport, 9);
		if (!flow_key_reverse(&back, key.vport, &twice))
			continue; // its source is a multicast address
		key.ttl = key.tcp_flags = 0;
		assert_true(flow_key_equal(&key, &twice));
		with++;
	}
	assert_true(with > 1000);
}

static void
test_equal_and_hash(void **state)
{
	struct flow_key a, b;
	unsigned i;

	flow_key_init(&a, 0x1234, 0x5678);
	assert_int_equal(a.switch_id, 0x1234);
	assert_int_equal(a.vport, 0x5678);
	for (i = 0; i < sizeof(a) * 8; i++) {
		b = a;
		assert_true(flow_key_equal(&a, &b));
		assert_true(flow_key_hash(&a, 5) == flow_key_hash(&b, 5));
		((uint8_t *)&b)[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_false(flow_key_equal(&a, &b));
		assert_true(flow_key_hash(&a, 5) != flow_key_hash(&b, 5));
	}
	assert_true(flow_key_hash(&a, 5) != flow_key_hash(&a, 6));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_reverse_twice),
		cmocka_unit_test(test_equal_and_hash),
	};

	return cmocka_run_group_tests_name("flow_key", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "flow/key.h"

#include <string.h>

#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <netinet/icmp6.h>

#include "base/hash.h"

#define PCP_BITS 0xe000
#define KEY_WORDS (sizeof(struct flow_key) / sizeof(uint64_t))

void
flow_key_init(struct flow_key *key, uint16_t switch_id, uint16_t vport)
{
	memset(key, 0, sizeof(*key));
	key->switch_id = switch_id;
	key->vport = vport;
}

void
flow_key_keep(struct flow_key *key, uint32_t fields)
{
	if (!(fields & FLOW_FIELD_DSCP))
		key->dscp = 0;
	if (!(fields & FLOW_FIELD_TTL))
		key->ttl = 0;
	if (!(fields & FLOW_FIELD_TCP_FLAGS))
		key->tcp_flags = 0;
	if (!(fields & FLOW_FIELD_FRAG))
		key->frag = FLOW_FRAG_NO;
	if (!(fields & FLOW_FIELD_PCP)) {
		key->vlan[0] &= (uint16_t)~PCP_BITS;
		key->vlan[1] &= (uint16_t)~PCP_BITS;
	}
}

bool
flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	uint64_t wa[KEY_WORDS], wb[KEY_WORDS];
	uint64_t diff = 0;
	unsigned i;

	memcpy(wa, a, sizeof(wa));
	memcpy(wb, b, sizeof(wb));
	for (i = 0; i < KEY_WORDS; i++)
		diff |= wa[i] ^ wb[i];
	return diff == 0;
}

uint64_t
flow_key_hash(const struct flow_key *key, uint64_t seed)
{
	uint64_t w[KEY_WORDS];

	memcpy(w, key, sizeof(w));
	return sl_hash_words(w, KEY_WORDS, seed);
}

static bool
is_multicast(const struct flow_key *key)
{
	static const uint8_t broadcast4[4] = {255, 255, 255, 255};

	if (key->eth_dst[0] & 1)
		return true;
	if (key->l3 == FLOW_L3_IPV4)
		return (key->dst[0] & 0xf0) == 0xe0 || memcmp(key->dst, broadcast4, 4) == 0;
	return key->l3 == FLOW_L3_IPV6 && key->dst[0] == 0xff;
}

// The type of the answer to (or the question of) an ICMP echo; -1 for all other types.
static int
echo_pair(const struct flow_key *key, uint8_t type)
{
	if (key->l3 == FLOW_L3_IPV4) {
		if (type == ICMP_ECHO)
			return ICMP_ECHOREPLY;
		return type == ICMP_ECHOREPLY ? ICMP_ECHO : -1;
	}
	if (type == ICMP6_ECHO_REQUEST)
		return ICMP6_ECHO_REPLY;
	return type == ICMP6_ECHO_REPLY ? ICMP6_ECHO_REQUEST : -1;
}

// Sets the L4 fields of the other direction; false when there is none.
static bool
reverse_l4(const struct flow_key *key, struct flow_key *out)
{
	uint8_t type_code[2];
	int type;

	switch (key->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		// Without ports it is a later fragment whose key leaves `frag` out.
		if (key->l4_src == 0 && key->l4_dst == 0)
			return false;
		out->l4_src = key->l4_dst;
		out->l4_dst = key->l4_src;
		return true;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((key->proto == IPPROTO_ICMP) != (key->l3 == FLOW_L3_IPV4))
			return true; // ICMP of the other family has no fields here
		memcpy(type_code, &key->l4_src, sizeof(type_code));
		type = echo_pair(key, type_code[0]);
		if (type < 0)
			return false;
		type_code[0] = (uint8_t)type;
		memcpy(&out->l4_src, type_code, sizeof(type_code));
		return true;
	default:
		return true;
	}
}

bool
flow_key_reverse(const struct flow_key *key, uint16_t from, struct flow_key *out)
{
	struct flow_key r = *key;

	if (is_multicast(key) || key->frag == FLOW_FRAG_LATER || key->l3 == FLOW_L3_ARP)
		return false;
	if ((key->l3 == FLOW_L3_IPV4 || key->l3 == FLOW_L3_IPV6) && !reverse_l4(key, &r))
		return false;
	memcpy(r.src, key->dst, sizeof(r.src));
	memcpy(r.dst, key->src, sizeof(r.dst));
	memcpy(r.eth_src, key->eth_dst, sizeof(r.eth_src));
	memcpy(r.eth_dst, key->eth_src, sizeof(r.eth_dst));
	r.vport = from;
	// What the other side's packets carry here, nobody knows.
	r.ttl = 0;
	r.tcp_flags = 0;
	r.frag = FLOW_FRAG_NO;
	*out = r;
	return true;
}

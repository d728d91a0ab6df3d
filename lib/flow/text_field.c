// SPDX-License-Identifier: BSD-3-Clause
#include <stddef.h>
#include <string.h>

#include <arpa/inet.h>

#include "text_match.h"

struct field_def {
	const char *name;
	uint8_t offset;
	uint8_t size; // 1 or 2 bytes
	bool big_endian;
};

static const struct field_def fields[TEXT_FIELDS] = {
	[TEXT_SWITCH] = {"switch", offsetof(struct flow_key, switch_id), 2, false},
	[TEXT_VPORT] = {"port", offsetof(struct flow_key, vport), 2, false},
	[TEXT_ETH_TYPE] = {"eth_type", offsetof(struct flow_key, eth_type), 2, true},
	[TEXT_VLAN] = {"vlan", offsetof(struct flow_key, vlan[0]), 2, false},
	[TEXT_VLAN2] = {"vlan2", offsetof(struct flow_key, vlan[1]), 2, false},
	[TEXT_L3] = {"l3", offsetof(struct flow_key, l3), 1, false},
	[TEXT_PROTO] = {"proto", offsetof(struct flow_key, proto), 1, false},
	[TEXT_DSCP] = {"dscp", offsetof(struct flow_key, dscp), 1, false},
	[TEXT_TTL] = {"ttl", offsetof(struct flow_key, ttl), 1, false},
	[TEXT_TCP_FLAGS] = {"tcp_flags", offsetof(struct flow_key, tcp_flags), 1, false},
	[TEXT_FRAG] = {"frag", offsetof(struct flow_key, frag), 1, false},
	[TEXT_L4_SRC] = {"l4_src", offsetof(struct flow_key, l4_src), 2, true},
	[TEXT_L4_DST] = {"l4_dst", offsetof(struct flow_key, l4_dst), 2, true},
};

const char *
text_field_name(enum text_field f)
{
	return fields[f].name;
}

unsigned
text_field_size(enum text_field f)
{
	return fields[f].size;
}

uint16_t
text_field_get(const struct flow_key *key, enum text_field f)
{
	const uint8_t *p = (const uint8_t *)key + fields[f].offset;
	uint16_t v;

	if (fields[f].size == 1)
		return *p;
	memcpy(&v, p, sizeof(v));
	return fields[f].big_endian ? ntohs(v) : v;
}

void
text_field_put(struct flow_key *key, enum text_field f, uint16_t value)
{
	uint8_t *p = (uint8_t *)key + fields[f].offset;

	if (fields[f].size == 1) {
		*p = (uint8_t)value;
		return;
	}
	if (fields[f].big_endian)
		value = htons(value);
	memcpy(p, &value, sizeof(value));
}

const char *
text_tcp_flag_name(unsigned bit)
{
	static const char *const names[TEXT_TCP_FLAG_COUNT] = {
		"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"};

	return names[bit];
}

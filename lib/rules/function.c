// SPDX-License-Identifier: BSD-3-Clause
#include <stddef.h>
#include <string.h>

#include "rules/rules.h"

enum shape { SHAPE_NONE, SHAPE_FULL, SHAPE_PREFIX, SHAPE_ANY };

// How a mask of len bytes looks.
static enum shape
shape_of(const uint8_t *mask, size_t len)
{
	size_t bits = 0;

	while (bits < len * 8 && (mask[bits / 8] & (0x80 >> bits % 8)) != 0)
		bits++;
	for (size_t i = bits; i < len * 8; i++)
		if ((mask[i / 8] & (0x80 >> i % 8)) != 0)
			return SHAPE_ANY;
	if (bits == 0)
		return SHAPE_NONE;
	return bits == len * 8 ? SHAPE_FULL : SHAPE_PREFIX;
}

// IPv4 and ARP have their address in the first 4 bytes; the others may be masked or not.
static enum shape
address_shape(const struct flow_match *m, const uint8_t *mask)
{
	bool narrow = m->key.l3 == FLOW_L3_IPV4 || m->key.l3 == FLOW_L3_ARP;

	return shape_of(mask, narrow ? 4 : 16);
}

static bool
all_or_nothing(const void *mask, size_t len)
{
	enum shape s = shape_of(mask, len);

	return s == SHAPE_NONE || s == SHAPE_FULL;
}

// VID with the bit that says that there is a tag, and PCP, are two fields in one word.
static bool
vlan_exact(uint16_t mask)
{
	uint16_t vid = mask & 0x1fff, pcp = mask & 0xe000;

	return (vid == 0 || vid == 0x1fff) && (pcp == 0 || pcp == 0xe000);
}

static bool
others_exact(const struct flow_key *mask)
{
	return all_or_nothing(mask->eth_dst, 6) && all_or_nothing(mask->eth_src, 6) &&
	       all_or_nothing(&mask->eth_type, 2) && vlan_exact(mask->vlan[0]) &&
	       vlan_exact(mask->vlan[1]) && all_or_nothing(&mask->l4_src, 2) &&
	       all_or_nothing(&mask->l4_dst, 2) && all_or_nothing(&mask->switch_id, 2) &&
	       all_or_nothing(&mask->vport, 2) && all_or_nothing(&mask->proto, 1) &&
	       all_or_nothing(&mask->l3, 1) && all_or_nothing(&mask->ttl, 1) &&
	       (mask->dscp == 0 || (mask->dscp & 0x3f) == 0x3f) &&
	       all_or_nothing(&mask->tcp_flags, 1) && (mask->frag == 0 || (mask->frag & 3) == 3);
}

enum rules_function
rules_function_of(const struct rules_entry *e)
{
	const struct flow_match *m = &e->match;
	static const struct flow_key nothing;
	enum shape src, dst;

	if (e->asks & ~RULES_ASK_LEARNED)
		return RULES_EXTENSION;
	if (e->asks != 0)
		return RULES_LEARNED;
	if (flow_match_has_range(m))
		return RULES_RANGE;
	src = address_shape(m, m->mask.src);
	dst = address_shape(m, m->mask.dst);
	if (src == SHAPE_ANY || dst == SHAPE_ANY || !others_exact(&m->mask) ||
		flow_key_equal(&m->mask, &nothing))
		return RULES_MASK;
	return src == SHAPE_PREFIX || dst == SHAPE_PREFIX ? RULES_PREFIX : RULES_EXACT;
}

const char *
rules_function_name(enum rules_function f)
{
	switch (f) {
	case RULES_MASK:
		return "mask";
	case RULES_EXACT:
		return "exact";
	case RULES_PREFIX:
		return "prefix";
	case RULES_RANGE:
		return "range";
	case RULES_LEARNED:
		return "learned";
	case RULES_EXTENSION:
		return "extension";
	}
	return "unknown";
}

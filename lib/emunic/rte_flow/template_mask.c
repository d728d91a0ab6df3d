// SPDX-License-Identifier: BSD-3-Clause
#include <stddef.h>
#include <string.h>

#include <rte_malloc.h>

#include "rte_flow/async.h"

// Whose each field of an action is (rte_flow.h, rte_flow_actions_template_create): where its mask
// has a bit set, the template's for all rules; else what each rule brings.

struct field {
	uint8_t at, size;
};

#define CONF(type, conf) RTE_FLOW_ACTION_TYPE_##type, sizeof(struct rte_flow_action_##conf)
#define FIELD(conf, member)                                                                        \
	{                                                                                          \
		offsetof(struct rte_flow_action_##conf, member),                                   \
			sizeof(((struct rte_flow_action_##conf *)NULL)->member)                    \
	}

// Actions that have a configuration, and its fields where there are several that may differ in
// whose they are; else all of it is one. AGE's first word is the timeout, in bits.
static const struct layout {
	enum rte_flow_action_type type;
	uint8_t size;
	struct field fields[5];
} layouts[] = {
	{CONF(AGE, age), {{0, sizeof(uint32_t)}, FIELD(age, context)}},
	{CONF(SET_TAG, set_tag),
		{FIELD(set_tag, data), FIELD(set_tag, mask), FIELD(set_tag, index)}},
	{CONF(SET_META, set_meta), {FIELD(set_meta, data), FIELD(set_meta, mask)}},
	{CONF(MODIFY_FIELD, modify_field),
		{FIELD(modify_field, operation), FIELD(modify_field, dst),
			FIELD(modify_field, src.field), FIELD(modify_field, src.value),
			FIELD(modify_field, width)}},
	{CONF(COUNT, count), {{0, 0}}},
	{CONF(JUMP, jump), {{0, 0}}},
	{CONF(MARK, mark), {{0, 0}}},
	{CONF(METER, meter), {{0, 0}}},
	{CONF(OF_PUSH_VLAN, of_push_vlan), {{0, 0}}},
	{CONF(OF_SET_VLAN_PCP, of_set_vlan_pcp), {{0, 0}}},
	{CONF(OF_SET_VLAN_VID, of_set_vlan_vid), {{0, 0}}},
	{CONF(PORT_ID, port_id), {{0, 0}}},
	{CONF(PORT_REPRESENTOR, ethdev), {{0, 0}}},
	{CONF(QUEUE, queue), {{0, 0}}},
	{CONF(RAW_DECAP, raw_decap), {{0, 0}}},
	{CONF(RAW_ENCAP, raw_encap), {{0, 0}}},
	{CONF(REPRESENTED_PORT, ethdev), {{0, 0}}},
	{CONF(RSS, rss), {{0, 0}}},
	{CONF(SAMPLE, sample), {{0, 0}}},
	{CONF(SET_IPV4_DSCP, set_dscp), {{0, 0}}},
	{CONF(SET_IPV4_DST, set_ipv4), {{0, 0}}},
	{CONF(SET_IPV4_SRC, set_ipv4), {{0, 0}}},
	{CONF(SET_IPV6_DSCP, set_dscp), {{0, 0}}},
	{CONF(SET_IPV6_DST, set_ipv6), {{0, 0}}},
	{CONF(SET_IPV6_SRC, set_ipv6), {{0, 0}}},
	{CONF(SET_MAC_DST, set_mac), {{0, 0}}},
	{CONF(SET_MAC_SRC, set_mac), {{0, 0}}},
	{CONF(SET_TP_DST, set_tp), {{0, 0}}},
	{CONF(SET_TP_SRC, set_tp), {{0, 0}}},
	{CONF(SET_TTL, set_ttl), {{0, 0}}},
	{CONF(VXLAN_ENCAP, vxlan_encap), {{0, 0}}},
};

static_assert(sizeof(struct rte_flow_action_modify_field) <= EMU_TEMPLATE_CONF,
	"the longest that is put together");

static const struct layout *
layout_of(enum rte_flow_action_type type)
{
	for (unsigned int i = 0; i < RTE_DIM(layouts); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

static bool
any_bit(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != 0)
			return true;
	return false;
}

const void *
emu_template_conf(const struct rte_flow_action *from, const struct rte_flow_action *mask,
	const void *given, union emu_template_conf *room)
{
	const struct layout *l = layout_of(mask->type);
	const uint8_t *bits = mask->conf;

	if (bits == NULL || l == NULL || !any_bit(bits, l->size))
		return given;
	// A shared action is one thing, whatever it is that it shares.
	if (given == NULL || from->conf == NULL || l->fields[0].size == 0 ||
		from->type != mask->type)
		return from->conf;
	memcpy(room->bytes, given, l->size);
	for (unsigned int i = 0; i < RTE_DIM(l->fields) && l->fields[i].size > 0; i++) {
		const struct field *f = &l->fields[i];

		if (any_bit(bits + f->at, f->size))
			memcpy(room->bytes + f->at, (const uint8_t *)from->conf + f->at, f->size);
	}
	return room->bytes;
}

// A mask is bits: what a pointer in it would lead to is nothing.
struct rte_flow_action *
emu_template_masks(const struct rte_flow_action *masks)
{
	struct rte_flow_action *out;
	uint8_t *at;
	size_t n = 1, size = 0;

	for (; masks[n - 1].type != RTE_FLOW_ACTION_TYPE_END; n++) {
		const struct layout *l = layout_of(masks[n - 1].type);

		size += l != NULL ? RTE_ALIGN_CEIL(l->size, sizeof(void *)) : 0;
	}
	out = rte_zmalloc("emunic template", n * sizeof(*out) + size, 0);
	if (out == NULL)
		return NULL;
	at = (uint8_t *)(out + n);
	for (size_t i = 0; i < n; i++) {
		const struct layout *l = layout_of(masks[i].type);

		out[i].type = masks[i].type;
		if (l == NULL || masks[i].conf == NULL)
			continue;
		out[i].conf = memcpy(at, masks[i].conf, l->size);
		at += RTE_ALIGN_CEIL(l->size, sizeof(void *));
	}
	return out;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
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

// The bytes that a RAW action's configuration, which is the template's own copy, leads to, and how
// many; NULL: none.
static uint8_t **
raw_bytes(const struct rte_flow_action *a, size_t *n)
{
	struct rte_flow_action_raw_encap *e = (void *)(uintptr_t)a->conf;
	struct rte_flow_action_raw_decap *d = (void *)(uintptr_t)a->conf;

	if (a->conf != NULL && a->type == RTE_FLOW_ACTION_TYPE_RAW_ENCAP && e->data != NULL) {
		*n = e->size;
		e->preserve = NULL; // nobody reads it
		return &e->data;
	}
	if (a->conf != NULL && a->type == RTE_FLOW_ACTION_TYPE_RAW_DECAP && d->data != NULL) {
		*n = d->size;
		return &d->data;
	}
	return NULL;
}

int
emu_template_keep(struct rte_flow_action *list)
{
	int ret = 0;

	for (struct rte_flow_action *a = list; a->type != RTE_FLOW_ACTION_TYPE_END; a++) {
		size_t n;
		uint8_t **bytes = raw_bytes(a, &n), *copy;

		if (bytes == NULL)
			continue;
		// After a failure the rest is still the application's, which is not to be freed.
		copy = ret == 0 ? rte_malloc("emunic template", RTE_MAX(n, 1U), 0) : NULL;
		if (copy == NULL)
			ret = -ENOMEM;
		else
			memcpy(copy, *bytes, n);
		*bytes = copy;
	}
	return ret;
}

void
emu_template_drop(const struct rte_flow_action *list)
{
	for (; list != NULL && list->type != RTE_FLOW_ACTION_TYPE_END; list++) {
		size_t n;
		uint8_t **bytes = raw_bytes(list, &n);

		if (bytes != NULL)
			rte_free(*bytes);
	}
}

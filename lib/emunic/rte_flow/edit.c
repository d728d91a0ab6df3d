// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/build.h"

#include <errno.h>

#include <rte_byteorder.h>

// The actions that say by their type what they change. Where that is a field, their configuration
// is its value in network byte order, from its first byte on.

static const struct edit {
	int type;
	uint8_t field;
	uint8_t field_too; // EMU_FIELD_NONE: none
	uint8_t bytes;
} edits[] = {
	{RTE_FLOW_ACTION_TYPE_SET_MAC_SRC, EMU_FIELD_ETH_SRC, EMU_FIELD_NONE, 6},
	{RTE_FLOW_ACTION_TYPE_SET_MAC_DST, EMU_FIELD_ETH_DST, EMU_FIELD_NONE, 6},
	{RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC, EMU_FIELD_IP4_SRC, EMU_FIELD_NONE, 4},
	{RTE_FLOW_ACTION_TYPE_SET_IPV4_DST, EMU_FIELD_IP4_DST, EMU_FIELD_NONE, 4},
	{RTE_FLOW_ACTION_TYPE_SET_IPV6_SRC, EMU_FIELD_IP6_SRC, EMU_FIELD_NONE, 16},
	{RTE_FLOW_ACTION_TYPE_SET_IPV6_DST, EMU_FIELD_IP6_DST, EMU_FIELD_NONE, 16},
	{RTE_FLOW_ACTION_TYPE_SET_TP_SRC, EMU_FIELD_L4_SPORT, EMU_FIELD_NONE, 2},
	{RTE_FLOW_ACTION_TYPE_SET_TP_DST, EMU_FIELD_L4_DPORT, EMU_FIELD_NONE, 2},
	{RTE_FLOW_ACTION_TYPE_SET_TTL, EMU_FIELD_IP4_TTL, EMU_FIELD_IP6_HOPS, 1},
	{RTE_FLOW_ACTION_TYPE_SET_IPV4_DSCP, EMU_FIELD_IP4_DSCP, EMU_FIELD_NONE, 1},
	{RTE_FLOW_ACTION_TYPE_SET_IPV6_DSCP, EMU_FIELD_IP6_DSCP, EMU_FIELD_NONE, 1},
	{RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_VID, EMU_FIELD_VLAN_ID, EMU_FIELD_NONE, 2},
	{RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_PCP, EMU_FIELD_VLAN_PCP, EMU_FIELD_NONE, 1},
};

static int
set_field(struct emu_build *b, const struct edit *e)
{
	emu_u128 v;
	int ret;

	if (b->action->conf == NULL)
		return emu_build_conf(b, "the action needs a value");
	v = emu_build_number(b->action->conf, e->bytes);
	if (emu_field_bits(e->field) < 8U * e->bytes && v >> emu_field_bits(e->field) != 0)
		return emu_build_conf(b, "the value is wider than its field");
	ret = emu_build_set(b, e->field, v);
	if (ret == 0 && e->field_too != EMU_FIELD_NONE)
		ret = emu_build_set(b, e->field_too, v);
	return ret;
}

static int
push_vlan(struct emu_build *b)
{
	const struct rte_flow_action_of_push_vlan *conf = b->action->conf;
	struct emu_op op = {.code = EMU_OP_PUSH_VLAN};

	if (conf == NULL || (conf->ethertype != RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
				    conf->ethertype != RTE_BE16(RTE_ETHER_TYPE_QINQ)))
		return emu_build_conf(b, "OF_PUSH_VLAN: the type has to be 0x8100 or 0x88a8");
	op.arg = conf->ethertype;
	b->grows += sizeof(struct rte_vlan_hdr);
	b->writes = true;
	return emu_build_op(b, &op);
}

// Sets the bits of mask of one of the NIC's own fields.
static int
put(struct emu_build *b, enum emu_field field, uint32_t data, uint32_t mask)
{
	const struct emu_op op = {.code = EMU_OP_PUT, .dst = field, .value = {data & mask, mask}};

	return emu_build_op(b, &op);
}

static int
set_tag(struct emu_build *b)
{
	const struct rte_flow_action_set_tag *conf = b->action->conf;

	if (conf == NULL || conf->index >= EMU_TAGS)
		return emu_build_conf(b, "SET_TAG: the index has to be from 0 to 3");
	return put(b, EMU_FIELD_TAG + conf->index, conf->data, conf->mask);
}

static int
set_meta(struct emu_build *b)
{
	const struct rte_flow_action_set_meta *conf = b->action->conf;

	if (conf == NULL)
		return emu_build_conf(b, "SET_META needs a value");
	return put(b, EMU_FIELD_META, conf->data, conf->mask);
}

bool
emu_build_edit(struct emu_build *b, int *ret)
{
	struct emu_op op = {0};

	for (unsigned int i = 0; i < RTE_DIM(edits); i++) {
		if (edits[i].type != (int)b->action->type)
			continue;
		*ret = set_field(b, &edits[i]);
		return true;
	}
	switch (b->action->type) {
	case RTE_FLOW_ACTION_TYPE_FLAG:
		if (!b->spec->transfer && b->port->no_flag) {
			*ret = emu_build_invalid(b, "FLAG: delivery of flags was not negotiated "
						    "(rx_metadata_negotiate)");
			return true;
		}
		op.code = EMU_OP_FLAG;
		break;
	case RTE_FLOW_ACTION_TYPE_DEC_TTL:
		op.code = EMU_OP_DEC_TTL;
		b->writes = true;
		break;
	case RTE_FLOW_ACTION_TYPE_OF_POP_VLAN:
		op.code = EMU_OP_POP_VLAN;
		b->writes = true;
		break;
	case RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN:
		*ret = push_vlan(b);
		return true;
	case RTE_FLOW_ACTION_TYPE_SET_TAG:
		*ret = set_tag(b);
		return true;
	case RTE_FLOW_ACTION_TYPE_SET_META:
		*ret = set_meta(b);
		return true;
	default:
		return false;
	}
	*ret = emu_build_op(b, &op);
	return true;
}

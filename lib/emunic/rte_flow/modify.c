// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/build.h"

#include <errno.h>
#include <string.h>

#include <rte_version.h>

// MODIFY_FIELD. Offsets count from a field's least significant bit; an immediate value stands as it
// would in the item of the destination, whose offset is also its own.

// Its type has another name from DPDK 24.03 on.
typedef __typeof__(((struct rte_flow_action_modify_field *)0)->dst) modify_data;

static const struct field_id {
	int id;
	uint8_t field;
	uint8_t bytes; // of an immediate value in network byte order; 0: a uint32_t
} field_ids[] = {
	{RTE_FLOW_FIELD_MAC_DST, EMU_FIELD_ETH_DST, 6},
	{RTE_FLOW_FIELD_MAC_SRC, EMU_FIELD_ETH_SRC, 6},
	{RTE_FLOW_FIELD_VLAN_ID, EMU_FIELD_VLAN_ID, 2},
	{RTE_FLOW_FIELD_IPV4_DSCP, EMU_FIELD_IP4_DSCP, 1},
	{RTE_FLOW_FIELD_IPV4_ECN, EMU_FIELD_IP4_ECN, 1},
	{RTE_FLOW_FIELD_IPV4_TTL, EMU_FIELD_IP4_TTL, 1},
	{RTE_FLOW_FIELD_IPV4_SRC, EMU_FIELD_IP4_SRC, 4},
	{RTE_FLOW_FIELD_IPV4_DST, EMU_FIELD_IP4_DST, 4},
	{RTE_FLOW_FIELD_IPV6_DSCP, EMU_FIELD_IP6_DSCP, 1},
	{RTE_FLOW_FIELD_IPV6_ECN, EMU_FIELD_IP6_ECN, 1},
	{RTE_FLOW_FIELD_IPV6_HOPLIMIT, EMU_FIELD_IP6_HOPS, 1},
	{RTE_FLOW_FIELD_IPV6_SRC, EMU_FIELD_IP6_SRC, 16},
	{RTE_FLOW_FIELD_IPV6_DST, EMU_FIELD_IP6_DST, 16},
	{RTE_FLOW_FIELD_TCP_PORT_SRC, EMU_FIELD_TCP_SPORT, 2},
	{RTE_FLOW_FIELD_TCP_PORT_DST, EMU_FIELD_TCP_DPORT, 2},
	{RTE_FLOW_FIELD_UDP_PORT_SRC, EMU_FIELD_UDP_SPORT, 2},
	{RTE_FLOW_FIELD_UDP_PORT_DST, EMU_FIELD_UDP_DPORT, 2},
	{RTE_FLOW_FIELD_MARK, EMU_FIELD_MARK, 0},
	{RTE_FLOW_FIELD_META, EMU_FIELD_META, 0},
	{RTE_FLOW_FIELD_TAG, EMU_FIELD_TAG, 0},
};

static const struct field_id *
find(int id)
{
	for (unsigned int i = 0; i < RTE_DIM(field_ids); i++)
		if (field_ids[i].id == id)
			return &field_ids[i];
	return NULL;
}

size_t
emu_modify_value_size(int dst)
{
	const struct field_id *id = find(dst);

	if (id == NULL)
		return 0;
	return id->bytes == 0 ? sizeof(uint32_t) : id->bytes;
}

// Until 23.03 a tag's index is its level; later it may still be.
static uint32_t
tag_index(const modify_data *d)
{
#if RTE_VERSION >= RTE_VERSION_NUM(23, 7, 0, 0)
	if (d->tag_index != 0)
		return d->tag_index;
#endif
	return d->level;
}

// Judges a field that is named in the action: its number and the first of its bits.
static int
judge(struct emu_build *b, const modify_data *d, uint32_t width, uint8_t *field, uint8_t *at)
{
	const struct field_id *id = find(d->field);

	if (id == NULL)
		return emu_build_unsupported(b,
			"MODIFY_FIELD: only MACs, VLAN id, IPv4 and IPv6 addresses, DSCP, ECN and "
			"TTL, TCP and UDP ports, MARK, META and TAG");
	*field = id->field;
	if (id->field == EMU_FIELD_TAG) {
		if (tag_index(d) >= EMU_TAGS)
			return emu_build_conf(
				b, "MODIFY_FIELD: the index of a TAG has to be from 0 to 3");
		*field += tag_index(d);
	} else if (d->level > 1) {
		return emu_build_unsupported(
			b, "MODIFY_FIELD: only the outermost headers (level 0 or 1)");
	}
	if (width == 0 || d->offset >= emu_field_bits(*field) ||
		width > emu_field_bits(*field) - d->offset)
		return emu_build_conf(b, "MODIFY_FIELD: width and offset go past the field");
	*at = d->offset;
	return 0;
}

// Takes the immediate value, which is of the destination's kind.
static void
immediate(const void *bytes, const struct field_id *dst, struct emu_op *op)
{
	uint32_t word;
	emu_u128 v;

	memcpy(&word, bytes, dst->bytes == 0 ? sizeof(word) : 0);
	v = dst->bytes == 0 ? word : emu_build_number(bytes, dst->bytes);
	v >>= op->dst_at;
	op->value[0] = (uint64_t)v;
	op->value[1] = (uint64_t)(v >> 64);
	op->src = EMU_FIELD_NONE;
}

int
emu_build_modify(struct emu_build *b)
{
	const struct rte_flow_action_modify_field *conf = b->action->conf;
	struct emu_op op = {.code = EMU_OP_MODIFY};
	const void *bytes;
	int ret;

	if (conf == NULL)
		return emu_build_conf(b, "MODIFY_FIELD needs a configuration");
	if ((unsigned int)conf->operation > RTE_FLOW_MODIFY_SUB)
		return emu_build_unsupported(b, "MODIFY_FIELD: only SET, ADD and SUB");
	op.how = conf->operation == RTE_FLOW_MODIFY_SET   ? EMU_SET
		 : conf->operation == RTE_FLOW_MODIFY_ADD ? EMU_ADD
							  : EMU_SUB;
	ret = judge(b, &conf->dst, conf->width, &op.dst, &op.dst_at);
	if (ret != 0)
		return ret;
	op.width = conf->width;
	if (conf->src.field == RTE_FLOW_FIELD_VALUE || conf->src.field == RTE_FLOW_FIELD_POINTER) {
		bytes = conf->src.field == RTE_FLOW_FIELD_VALUE ? conf->src.value
								: conf->src.pvalue;
		if (bytes == NULL)
			return emu_build_conf(b, "MODIFY_FIELD: the pointer to the value is NULL");
		immediate(bytes, find(conf->dst.field), &op);
	} else {
		ret = judge(b, &conf->src, conf->width, &op.src, &op.src_at);
		if (ret != 0)
			return ret;
	}
	b->writes |= emu_field_in_packet(op.dst);
	return emu_build_op(b, &op);
}

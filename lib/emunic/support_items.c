// SPDX-License-Identifier: BSD-3-Clause
#include "support.h"

#include <assert.h>

#include <rte_common.h>
#include <rte_flow.h>

#define ITEM(name) RTE_FLOW_ITEM_TYPE_##name, #name

static const struct emu_support rows[] = {
	{ITEM(VOID), EMU_ON_ALL, "does nothing"},
	{ITEM(ETH), EMU_ON_ALL, "dst, src, type, has_vlan"},
	{ITEM(VLAN), EMU_ON_ALL, "tci, inner type, has_more_vlan; at most two"},
	{ITEM(IPV4), EMU_ON_ALL, "tos, ttl, proto, fragment_offset, src, dst"},
	{ITEM(IPV6), EMU_ON_ALL,
		"traffic class, flow label, proto, hop limits, src, dst, has_frag_ext"},
	{ITEM(TCP), EMU_ON_ALL, "src, dst, flags"},
	{ITEM(UDP), EMU_ON_ALL, "src, dst"},
	{ITEM(REPRESENTED_PORT), EMU_ON_TRANSFER, "entered by the wire or a VF"},
	{ITEM(PORT_REPRESENTOR), EMU_ON_TRANSFER, "was sent by an ethdev of the NIC"},
	{ITEM(PORT_ID), EMU_ON_TRANSFER, "the older name of REPRESENTED_PORT"},
};

static_assert(RTE_DIM(rows) <= 64, "refuse= has a bit for each");

const struct emu_support *
emu_support_item(unsigned int i)
{
	return i < RTE_DIM(rows) ? &rows[i] : NULL;
}

int
emu_support_find(bool action, int type)
{
	const struct emu_support *s;

	for (unsigned int i = 0;; i++) {
		s = action ? emu_support_action(i) : emu_support_item(i);
		if (s == NULL)
			return -1;
		if (s->type == type)
			return i;
	}
}

const char *
emu_domains_text(uint8_t domains)
{
	static const char *const text[EMU_ON_ALL + 1] = {
		"no",
		"an ingress",
		"an egress",
		"an ingress or egress",
		"a transfer",
		"an ingress or transfer",
		"an egress or transfer",
		"any",
	};

	return text[domains & EMU_ON_ALL];
}

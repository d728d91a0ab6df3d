// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/support.h"

#include <assert.h>

#include <rte_common.h>
#include <rte_flow.h>

#define EDIT "checksums follow; nothing where there is no such header"
#define ACTION(name) RTE_FLOW_ACTION_TYPE_##name, #name

static const struct emu_support rows[] = {
	{ACTION(VOID), EMU_ON_ALL, "does nothing"},
	{ACTION(JUMP), EMU_ON_ALL,
		"to another group of the same domain; a packet that jumps more than 16 times is "
		"dropped "
		"by name"},
	{ACTION(PASSTHRU), EMU_ON_ALL,
		"the next rule of the group in its order that matches applies too; overrides DROP; "
		"a packet that 64 rules let pass is dropped by name"},
	{ACTION(MARK), EMU_ON_ALL, "any 32 bits; delivered with the packet, and met by the item"},
	{ACTION(FLAG), EMU_ON_ALL, "delivered with the packet where it has no mark"},
	{ACTION(SET_TAG), EMU_ON_ALL, "tags 0 to 3, with a mask"},
	{ACTION(SET_META), EMU_ON_ALL, "with a mask"},
	{ACTION(COUNT), EMU_ON_ALL, "query with reset"},
	{ACTION(AGE), EMU_ON_ALL, "1 s and more; event, list of aged rules, query"},
	{ACTION(INDIRECT), EMU_ON_ALL,
		"COUNT, AGE and RSS that several rules share; update (AGE, RSS) and query, also on "
		"the "
		"queues of the template API"},
	{ACTION(DROP), EMU_ON_ALL, ""},
	{ACTION(QUEUE), EMU_ON_INGRESS | EMU_ON_TRANSFER,
		"a receive queue of the port, or 0x8000 + G for its queue group G "
		"(rte_pmd_emunic.h); in a transfer rule, behind the action that names a VF, one of "
		"the VF"},
	{ACTION(RSS), EMU_ON_INGRESS,
		"toeplitz, symmetric_toeplitz, simple_xor; IP, TCP and UDP types (0: all); a key "
		"of 40 bytes, or the port's; up to 256 queues; outermost headers"},
	{ACTION(METER), EMU_ON_ALL, "of rte_mtr; what its policy drops is dropped by name"},
	{ACTION(SAMPLE), EMU_ON_ALL,
		"every ratio-th packet; the copy may be marked and edited, and has to go to a "
		"port, a queue or RSS"},
	{ACTION(REPRESENTED_PORT), EMU_ON_TRANSFER, "out by the wire or a VF"},
	{ACTION(PORT_REPRESENTOR), EMU_ON_TRANSFER, "to an ethdev of the NIC"},
	{ACTION(PORT_ID), EMU_ON_TRANSFER, "the older name of REPRESENTED_PORT"},
	{ACTION(SET_MAC_SRC), EMU_ON_ALL, ""},
	{ACTION(SET_MAC_DST), EMU_ON_ALL, ""},
	{ACTION(SET_IPV4_SRC), EMU_ON_ALL, EDIT},
	{ACTION(SET_IPV4_DST), EMU_ON_ALL, EDIT},
	{ACTION(SET_IPV6_SRC), EMU_ON_ALL, EDIT},
	{ACTION(SET_IPV6_DST), EMU_ON_ALL, EDIT},
	{ACTION(SET_TP_SRC), EMU_ON_ALL, "TCP and UDP, not SCTP; " EDIT},
	{ACTION(SET_TP_DST), EMU_ON_ALL, "TCP and UDP, not SCTP; " EDIT},
	{ACTION(SET_TTL), EMU_ON_ALL, "IPv4 and IPv6"},
	{ACTION(DEC_TTL), EMU_ON_ALL, "IPv4 and IPv6; at 1 or 0 the packet is dropped by name"},
	{ACTION(SET_IPV4_DSCP), EMU_ON_ALL, ""},
	{ACTION(SET_IPV6_DSCP), EMU_ON_ALL, ""},
	{ACTION(MODIFY_FIELD), EMU_ON_ALL,
		"SET, ADD, SUB; of MACs, VLAN id, IPv4 and IPv6 addresses, DSCP, ECN and TTL, TCP "
		"and UDP ports, TAG, META and MARK, outermost headers only; from a value, a "
		"pointer, or another of these"},
	{ACTION(OF_PUSH_VLAN), EMU_ON_ALL, "0x8100 or 0x88a8; takes over the outer tag's TCI"},
	{ACTION(OF_POP_VLAN), EMU_ON_ALL, "nothing where there is no tag"},
	{ACTION(OF_SET_VLAN_VID), EMU_ON_ALL, "the outer tag; nothing where there is none"},
	{ACTION(OF_SET_VLAN_PCP), EMU_ON_ALL, "the outer tag; nothing where there is none"},
	{ACTION(VXLAN_ENCAP), EMU_ON_ALL,
		"ETH, up to two VLAN, IPV4 or IPV6, UDP, VXLAN; a UDP source port of 0 becomes one "
		"of the flow, a checksum other than 0 the right one, a TTL of 0 becomes 64"},
	{ACTION(VXLAN_DECAP), EMU_ON_ALL, "what is not VXLAN is dropped by name"},
	{ACTION(RAW_ENCAP), EMU_ON_ALL,
		"up to 256 bytes from the Ethernet header on; lengths and checksums of IP and UDP "
		"in them are filled in; at most two encapsulations a rule"},
	{ACTION(RAW_DECAP), EMU_ON_ALL,
		"takes size bytes away; too short a packet is dropped by name"},
};

static_assert(RTE_DIM(rows) <= 64, "refuse= has a bit for each");

const struct emu_support *
emu_support_action(unsigned int i)
{
	return i < RTE_DIM(rows) ? &rows[i] : NULL;
}

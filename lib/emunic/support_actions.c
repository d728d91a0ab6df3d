// SPDX-License-Identifier: BSD-3-Clause
#include "support.h"

#include <assert.h>

#include <rte_common.h>
#include <rte_flow.h>

#define ACTION(name) RTE_FLOW_ACTION_TYPE_##name, #name

static const struct emu_support rows[] = {
	{ACTION(VOID), EMU_ON_ALL, "does nothing"},
	{ACTION(JUMP), EMU_ON_ALL,
		"to another group of the same domain; a packet that jumps more than 16 times is "
		"dropped "
		"by name"},
	{ACTION(MARK), EMU_ON_ALL, "any 32 bits; delivered with the packet, and met by the item"},
	{ACTION(COUNT), EMU_ON_ALL, "query with reset"},
	{ACTION(DROP), EMU_ON_ALL, ""},
	{ACTION(QUEUE), EMU_ON_INGRESS, "a receive queue of the port"},
	{ACTION(REPRESENTED_PORT), EMU_ON_TRANSFER, "out by the wire or a VF"},
	{ACTION(PORT_REPRESENTOR), EMU_ON_TRANSFER, "to an ethdev of the NIC"},
	{ACTION(PORT_ID), EMU_ON_TRANSFER, "the older name of REPRESENTED_PORT"},
};

static_assert(RTE_DIM(rows) <= 64, "refuse= has a bit for each");

const struct emu_support *
emu_support_action(unsigned int i)
{
	return i < RTE_DIM(rows) ? &rows[i] : NULL;
}

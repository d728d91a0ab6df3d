// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_SUPPORT_H
#define EMUNIC_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

// What rte_flow on the emulated NIC takes: one table of items and one of actions. The same rows
// drive what a rule may have (flow_items.c and flow_actions.c refuse what has no row, and what the
// row does not allow in the rule's domain), the names of refuse= (moods.h), and the reference
// config/EMUNIC.md. A new item or action begins with a row here.
// Thread safety: any thread (constants).

// The domains of rules: rte_flow's attributes.
enum emu_domain {
	EMU_ON_INGRESS = 1 << 0,  // what an ethdev receives
	EMU_ON_EGRESS = 1 << 1,   // what an ethdev sends, before the switch
	EMU_ON_TRANSFER = 1 << 2, // the embedded switch
	EMU_ON_HOST = EMU_ON_INGRESS | EMU_ON_EGRESS,
	EMU_ON_ALL = EMU_ON_HOST | EMU_ON_TRANSFER,
};

// A row of either table.
struct emu_support {
	int type;         // enum rte_flow_item_type or rte_flow_action_type
	const char *name; // without the prefix, as in "QUEUE"
	uint8_t domains;  // in which it may be
	const char *note; // what of it is taken, and its limits; one line for the reference
};

// The i-th row; NULL after the last.
const struct emu_support *emu_support_item(unsigned int i);
const struct emu_support *emu_support_action(unsigned int i);

// The number of the row of a type, or -1 when it is not supported.
int emu_support_find(bool action, int type);

// "an ingress", "an ingress or egress", ... for messages.
const char *emu_domains_text(uint8_t domains);

#endif

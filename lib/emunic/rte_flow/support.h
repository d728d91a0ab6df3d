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

// How a field of an item is matched.
enum emu_item_kind {
	EMU_MATCH_EXACT, // by spec and mask
	EMU_MATCH_RANGE, // also from spec to last; at most four bytes
	EMU_MATCH_FLAG,  // one bit that says whether a layer is there
	EMU_MATCH_CLASS, // IPv6's traffic class and flow label
};

// A field of an item and where it is in the key.
struct emu_item_field {
	const char *name;
	uint16_t at;   // offset in the item
	uint16_t size; // bytes
	uint16_t key; // offset in struct emu_headers (or union emu_key, see whole); FLAG: the layer
	uint8_t kind; // enum emu_item_kind
	uint8_t bit;  // FLAG: of the byte
};

// Where in a pattern an item may come: behind items of lower levels only. Those of level 0 come
// anywhere.
enum emu_level {
	EMU_AT_ANY,
	EMU_AT_L2,
	EMU_AT_VLAN, // twice
	EMU_AT_L3,
	EMU_AT_L3_EXT,
	EMU_AT_L4,
	EMU_AT_TUNNEL, // what follows is inside, and begins anew
};

// An item: its row, and how it becomes a key. An item without a size is read by code of its own.
struct emu_item {
	struct emu_support row;
	uint8_t level;                        // enum emu_level
	bool whole;                           // fields are of union emu_key
	uint16_t layer;                       // that a packet has to have, enum emu_layer; 0: none
	uint16_t size;                        // of the item
	const void *mask;                     // its default mask
	const struct emu_item_field *fields;  // all that can be matched; ends without a name
	const struct emu_item_field *fields2; // of a second one (VLAN)
};

const struct emu_item *emu_support_fields(unsigned int i);

// The i-th row; NULL after the last.
const struct emu_support *emu_support_item(unsigned int i);
const struct emu_support *emu_support_action(unsigned int i);

// The number of the row of a type, or -1 when it is not supported.
int emu_support_find(bool action, int type);

// The text of config/EMUNIC.md, to be freed; NULL when memory ends.
char *emu_support_page(void);

// "an ingress", "an ingress or egress", ... for messages.
const char *emu_domains_text(uint8_t domains);

#endif

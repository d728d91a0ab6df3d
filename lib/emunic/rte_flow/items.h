// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_RTE_FLOW_ITEMS_H
#define EMUNIC_RTE_FLOW_ITEMS_H

#include <stdbool.h>
#include <stdint.h>

#include "rte_flow/flow.h"

// What items.c (the pattern, item by item) and item_fields.c (the fields of one) share. Thread
// safety: under the NIC's gate.

// A pattern that is being read.
struct emu_items {
	struct emu_port *port;
	struct emu_flow_spec *out;
	struct rte_flow_error *error;
	const struct rte_flow_item *item;
	const struct emu_item *row;
	enum emu_level level;
	unsigned int n_vlans;
	bool second_vlan; // the item at hand is one
	bool inner;       // in a tunnel
	bool port_given;
	// Of the item at hand; both NULL when it only asks for its layer.
	const uint8_t *spec;
	const uint8_t *mask;
	const uint8_t *last; // or NULL
};

// Sets the error of the item at hand, whose cause is the part that type names. Returns -err.
int emu_items_fail(
	struct emu_items *it, int err, enum rte_flow_error_type type, const char *message);
// The same with the name of the item before and something behind the message.
int emu_items_fail_with(struct emu_items *it, int err, enum rte_flow_error_type type,
	const char *message, const char *what);

// Adds n bytes to the key and its mask. Two items may tell of the same field, if they agree. 0 or
// -errno with the error set.
int emu_items_add_bytes(struct emu_items *it, uint8_t *k, uint8_t *m, const uint8_t *spec,
	const uint8_t *mask, unsigned int n, const char *name);

// The item at hand, whose fields the table has (support.h): its layer, and what its mask asks for.
// 0 or -errno with the error set.
int emu_items_fields(struct emu_items *it);

#endif

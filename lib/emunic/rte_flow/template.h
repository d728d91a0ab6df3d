// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_RTE_FLOW_TEMPLATE_H
#define EMUNIC_RTE_FLOW_TEMPLATE_H

#include "rte_flow/async.h"

// What template.c and template_table.c share: templates, each in the list of its port, and tables
// that use them. Thread safety: under the NIC's gate.

#define EMU_MAX_TEMPLATES 16 // of each kind in a table

struct rte_flow_pattern_template {
	LIST_ENTRY(rte_flow_pattern_template) list;
	struct rte_flow_pattern_template_attr attr;
	struct rte_flow_item *items; // one block
	uint32_t users;              // tables
};

struct rte_flow_actions_template {
	LIST_ENTRY(rte_flow_actions_template) list;
	struct rte_flow_action *actions; // one block each
	struct rte_flow_action *masks;
	uint32_t users;
};

struct rte_flow_template_table {
	LIST_ENTRY(rte_flow_template_table) list;
	struct rte_flow_template_table_attr attr;
	struct rte_flow_pattern_template *patterns[EMU_MAX_TEMPLATES];
	struct rte_flow_actions_template *actions[EMU_MAX_TEMPLATES];
	uint8_t n_patterns, n_actions;
	uint32_t n_rules;
};

#define TEMPLATE_FAIL(code, cause, message)                                                        \
	rte_flow_error_set(error, code, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, cause, message)

// Takes the table, whatever rules it has, out of its port's list and frees it.
void emu_template_table_free(struct rte_flow_template_table *t);

#endif

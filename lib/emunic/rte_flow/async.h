// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_FLOW_ASYNC_H
#define EMUNIC_FLOW_ASYNC_H

#include "rte_flow/flow.h"

// The template and queue API of rte_flow on the emulated NIC. (DPDK programmer's guide, "Flow
// template API".)
//
// Templates hold the types, masks and fixed configurations of patterns and actions; a table is a
// set of both with a group, a priority and a size. What an operation brings is put into its
// templates, and the whole is judged and inserted as rte_flow_create does it, into the same
// tables. An operation is done when it is queued; its result comes to pull no earlier than the
// time that the NIC takes for it (insert_us=, insert_rate=), one after the other over all ports,
// queues and rte_flow_create, and, when it was postponed, not before push. An operation that is
// refused is refused at once and queues nothing. What it refuses: more than EMU_ASYNC_QUEUES queues
// of EMU_ASYNC_SIZE operations, a full queue, patterns and actions of other types than their
// templates', and the end of what is in use. Shared actions are created, updated, queried and
// destroyed on the queues in the same way. Thread safety: as rte_flow demands, one thread at a time
// for each queue; templates any.

#define EMU_ASYNC_QUEUES 64
#define EMU_ASYNC_SIZE 4096
#define EMU_TEMPLATE_ITEMS 32 // items or actions
#define EMU_TEMPLATE_CONF 128

// Where the configuration of an action is put together of its template's and the rule's.
union emu_template_conf {
	void *align;
	uint8_t bytes[EMU_TEMPLATE_CONF];
};

struct emu_async;
struct emu_async_queue;

int emu_async_info(struct rte_eth_dev *dev, struct rte_flow_port_info *port,
	struct rte_flow_queue_info *queue, struct rte_flow_error *error);
int emu_async_configure(struct rte_eth_dev *dev, const struct rte_flow_port_attr *attr,
	uint16_t n_queues, const struct rte_flow_queue_attr *queues[],
	struct rte_flow_error *error);

struct rte_flow_pattern_template *emu_pattern_template_create(struct rte_eth_dev *dev,
	const struct rte_flow_pattern_template_attr *attr, const struct rte_flow_item pattern[],
	struct rte_flow_error *error);
int emu_pattern_template_destroy(
	struct rte_eth_dev *dev, struct rte_flow_pattern_template *t, struct rte_flow_error *error);
struct rte_flow_actions_template *emu_actions_template_create(struct rte_eth_dev *dev,
	const struct rte_flow_actions_template_attr *attr, const struct rte_flow_action actions[],
	const struct rte_flow_action masks[], struct rte_flow_error *error);
int emu_actions_template_destroy(
	struct rte_eth_dev *dev, struct rte_flow_actions_template *t, struct rte_flow_error *error);
struct rte_flow_template_table *emu_template_table_create(struct rte_eth_dev *dev,
	const struct rte_flow_template_table_attr *attr,
	struct rte_flow_pattern_template *patterns[], uint8_t n_patterns,
	struct rte_flow_actions_template *actions[], uint8_t n_actions,
	struct rte_flow_error *error);
int emu_template_table_destroy(
	struct rte_eth_dev *dev, struct rte_flow_template_table *t, struct rte_flow_error *error);

struct rte_flow *emu_async_create(struct rte_eth_dev *dev, uint32_t queue,
	const struct rte_flow_op_attr *attr, struct rte_flow_template_table *table,
	const struct rte_flow_item pattern[], uint8_t pattern_index,
	const struct rte_flow_action actions[], uint8_t actions_index, void *user_data,
	struct rte_flow_error *error);
int emu_async_destroy(struct rte_eth_dev *dev, uint32_t queue, const struct rte_flow_op_attr *attr,
	struct rte_flow *flow, void *user_data, struct rte_flow_error *error);
int emu_async_push(struct rte_eth_dev *dev, uint32_t queue, struct rte_flow_error *error);
int emu_async_pull(struct rte_eth_dev *dev, uint32_t queue, struct rte_flow_op_result results[],
	uint16_t n, struct rte_flow_error *error);

// async_handle.c: shared actions (shared.h) by the queues.
struct rte_flow_action_handle *emu_async_handle_create(struct rte_eth_dev *dev, uint32_t queue,
	const struct rte_flow_op_attr *attr, const struct rte_flow_indir_action_conf *conf,
	const struct rte_flow_action *action, void *user_data, struct rte_flow_error *error);
int emu_async_handle_destroy(struct rte_eth_dev *dev, uint32_t queue,
	const struct rte_flow_op_attr *attr, struct rte_flow_action_handle *handle, void *user_data,
	struct rte_flow_error *error);
int emu_async_handle_update(struct rte_eth_dev *dev, uint32_t queue,
	const struct rte_flow_op_attr *attr, struct rte_flow_action_handle *handle,
	const void *update, void *user_data, struct rte_flow_error *error);
int emu_async_handle_query(struct rte_eth_dev *dev, uint32_t queue,
	const struct rte_flow_op_attr *attr, const struct rte_flow_action_handle *handle,
	void *data, void *user_data, struct rte_flow_error *error);

// async.c for async_handle.c, under the gate. The queue, when it has room for one more result;
// else NULL with error and rte_errno set.
struct emu_async_queue *emu_async_room(
	struct emu_port *port, uint32_t id, struct rte_flow_error *error);
// Queues the result of an operation that was done.
void emu_async_complete(struct emu_port *port, struct emu_async_queue *q,
	const struct rte_flow_op_attr *attr, bool insertion, void *user_data);

// Frees all of it. The port has no rules any more.
void emu_async_fini(struct emu_port *port);

// What a rule of a table is: its attributes, and the given pattern and actions in its templates.
struct emu_template_rule {
	struct rte_flow_attr attr;
	struct rte_flow_item items[EMU_TEMPLATE_ITEMS + 1];
	struct rte_flow_action actions[EMU_TEMPLATE_ITEMS + 1];
	union emu_template_conf confs[EMU_TEMPLATE_ITEMS];
};

// template_table.c for async.c, under the gate. 0 or -errno with error set. What it fills in points
// to what was given, to the templates, and into itself.
int emu_template_fill(struct emu_port *port, struct rte_flow_template_table *table,
	const struct rte_flow_item pattern[], uint8_t pattern_index,
	const struct rte_flow_action actions[], uint8_t actions_index,
	struct emu_template_rule *out, struct rte_flow_error *error);
// template_copy.c for template.c.
// Makes what the template's actions lead to its own (rte_flow_conv copies the pointers alone), and
// frees it. 0 or -ENOMEM; then too emu_template_drop is due.
int emu_template_keep(struct rte_flow_action *list);
void emu_template_drop(const struct rte_flow_action *list);
// template_mask.c for template.c and template_table.c.
// A copy of the masks in one block. NULL: no memory.
struct rte_flow_action *emu_template_masks(const struct rte_flow_action *masks);
// The configuration of a rule's action, of which `given` is what the rule brings; it may lie in
// room.
const void *emu_template_conf(const struct rte_flow_action *from,
	const struct rte_flow_action *mask, const void *given, union emu_template_conf *room);
// Counts a rule of the table in or out.
void emu_template_use(struct rte_flow_template_table *table, int n);
void emu_templates_fini(struct emu_port *port);
bool emu_templates_any(const struct emu_port *port);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_FLOW_SHARED_H
#define EMUNIC_FLOW_SHARED_H

#include "rte_flow/flow.h"

// Actions that several rules of a port share (rte_flow's indirect actions): COUNT, AGE and RSS.
// They are destroyed by the application, never while a rule uses them, or with their port. An
// update holds for all rules with it from the next packet on. A query of RSS, for which rte_flow
// names no structure, answers with a struct rte_flow_action_rss (emu_answer_rss).
// Thread safety: any thread; those that begin with emu_shared under the gate.

#define EMU_MAX_HANDLES 4096 // of a port

struct rte_flow_action_handle *emu_handle_create(struct rte_eth_dev *dev,
	const struct rte_flow_indir_action_conf *conf, const struct rte_flow_action *action,
	struct rte_flow_error *error);
int emu_handle_destroy(struct rte_eth_dev *dev, struct rte_flow_action_handle *handle,
	struct rte_flow_error *error);
// AGE: a struct rte_flow_update_age. RSS: a struct rte_flow_action of RSS.
int emu_handle_update(struct rte_eth_dev *dev, struct rte_flow_action_handle *handle,
	const void *update, struct rte_flow_error *error);
int emu_handle_query(struct rte_eth_dev *dev, const struct rte_flow_action_handle *handle,
	void *data, struct rte_flow_error *error);

struct rte_flow_action_handle *emu_shared_create(struct emu_port *port,
	const struct rte_flow_indir_action_conf *conf, const struct rte_flow_action *action,
	struct rte_flow_error *error);
int emu_shared_destroy(
	struct emu_port *port, struct rte_flow_action_handle *handle, struct rte_flow_error *error);
int emu_shared_update(struct emu_port *port, struct rte_flow_action_handle *handle,
	const void *update, struct rte_flow_error *error);
int emu_shared_query(struct emu_port *port, const struct rte_flow_action_handle *handle, void *data,
	struct rte_flow_error *error);
// The type of a shared action of the port, or -1 when there is none with this handle.
int emu_handle_type(const struct emu_port *port, const void *handle);

// Frees those of the port, which has no rules any more.
void emu_handles_fini(struct emu_port *port);

#endif

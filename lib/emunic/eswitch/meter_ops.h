// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_METER_OPS_H
#define EMUNIC_METER_OPS_H

#include <rte_mtr_driver.h>

#include "emunic.h"
#include "eswitch/meter.h"

// What rte_mtr's operations on a port have in common: meter_ops.c has those on its meters,
// meter_conf.c those on profiles and policies. Each looks and changes under the NIC's gate.
// Thread safety: any thread; rte_mtr does not serialise, the gate does.

#define MTR_FAIL(code, type, cause, message)                                                       \
	(-rte_mtr_error_set(error, code, RTE_MTR_ERROR_TYPE_##type, cause, message))

static inline struct emu_port *
emu_mtr_enter(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	return port;
}

static inline int
emu_mtr_leave(struct emu_port *port, int ret)
{
	emu_gate_leave(&port->nic->gate);
	return ret;
}

// Of a port, by their numbers; NULL: there is none. Under the gate.
struct emu_meter_profile *emu_meter_profile_find(struct emu_meters *ms, uint32_t id);
struct emu_meter_policy *emu_meter_policy_find(struct emu_meters *ms, uint32_t id);

// rte_mtr's operations on profiles and policies.
int emu_meter_profile_add(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_meter_profile *in,
	struct rte_mtr_error *error);
int emu_meter_profile_delete(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error);
int emu_meter_policy_validate(struct rte_eth_dev *dev, struct rte_mtr_meter_policy_params *in,
	struct rte_mtr_error *error);
int emu_meter_policy_add(struct rte_eth_dev *dev, uint32_t id,
	struct rte_mtr_meter_policy_params *in, struct rte_mtr_error *error);
int emu_meter_policy_delete(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error);

#endif

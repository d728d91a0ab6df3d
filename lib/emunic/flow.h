// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_FLOW_H
#define EMUNIC_FLOW_H

#include <rte_flow.h>
#include <rte_flow_driver.h>

#include "emunic.h"

// rte_flow on the emulated NIC. (DPDK programmer's guide, "Generic flow API".)
//
// Domains: ingress (what reaches an ethdev) and transfer (the embedded switch). Group 0 only.
// Items: VOID ETH VLAN (two) IPV4 IPV6 TCP UDP, and in transfer REPRESENTED_PORT PORT_REPRESENTOR
// PORT_ID, by spec and mask; a range (last) is refused. A transfer rule with no port item matches
// what enters from the port that the ethdev it is created on represents.
// Actions: VOID COUNT MARK DROP, in ingress QUEUE, in transfer REPRESENTED_PORT PORT_REPRESENTOR
// PORT_ID. A rule with none that decides lets the packet go on as if no rule had matched.
// Whatever else is asked for is refused with rte_flow's error type, the cause, and a sentence.
// Thread safety: any thread.

struct emu_flow_spec {
	bool transfer;
	uint32_t priority;
	union emu_key key;
	union emu_key mask;
	struct emu_actions act;
};

// Judges a rule, and writes what to insert. Returns 0 or -errno with error set.
int emu_flow_compile(struct emu_port *port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
	struct emu_flow_spec *out, struct rte_flow_error *error);
int emu_flow_items(struct emu_port *port, const struct rte_flow_item *pattern,
	struct emu_flow_spec *out, struct rte_flow_error *error);
int emu_flow_actions(struct emu_port *port, const struct rte_flow_action *actions,
	struct emu_flow_spec *out, struct rte_flow_error *error);

// Error when the NIC is told to refuse the item or action type (refuse=), else 0.
int emu_flow_refused(struct emu_port *port, enum rte_flow_error_type type, const void *cause,
	bool action, int what, struct rte_flow_error *error);

// The port of this NIC that has the ethdev id, or NULL.
struct emu_port *emu_flow_port(struct emu_port *port, uint16_t ethdev_id);

const struct rte_flow_ops *emu_flow_ops(void);

// Destroys all rules that were created on the port.
void emu_flow_forget(struct emu_port *port);
// Destroys all transfer rules of the NIC.
void emu_flow_forget_transfer(struct emu_nic *nic);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_FLOW_H
#define EMUNIC_FLOW_H

#include <stdio.h>

#include <rte_flow.h>
#include <rte_flow_driver.h>
#include <rte_version.h>

#include "emunic.h"
#include "rte_flow/support.h"

// rte_flow on the emulated NIC. (DPDK programmer's guide, "Generic flow API".)
//
// Domains: ingress (what reaches an ethdev), egress (what it sends) and transfer (the embedded
// switch), each with any number of groups (walk.h). Items and actions: support.h. A transfer rule
// with no port item matches what enters from the port that the ethdev it is created on represents.
// A rule with no action that decides lets the packet go on as if no rule had matched.
// Whatever else is asked for is refused with rte_flow's error type, the cause, and a sentence.
// Thread safety: any thread.

struct emu_rss_rule;

struct emu_flow_spec {
	uint8_t domain; // one of enum emu_domain
	bool transfer;  // domain is EMU_ON_TRANSFER
	uint32_t group;
	uint32_t priority;
	struct emu_match match;
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

// Judges whether the NIC takes the item or action at all: returns its row, or -errno when support.h
// has no row for it, or not in the domain of the rule, or when the NIC is told to refuse it
// (refuse=).
int emu_flow_supported(struct emu_port *port, const struct emu_flow_spec *spec, bool action,
	int what, const void *cause, struct rte_flow_error *error);

// Judges whether there is room for the rule. Under the gate.
int emu_flow_room(
	struct emu_port *port, const struct emu_flow_spec *spec, struct rte_flow_error *error);
// Group 0 of a domain (EMU_ON_*) of the port.
struct emu_table *emu_flow_root(struct emu_port *port, uint8_t domain);

// The port of this NIC that has the ethdev id, or NULL.
struct emu_port *emu_flow_port(struct emu_port *port, uint16_t ethdev_id);

// True when the handle is one of a live rule of the port. Under the gate, as the next.
bool emu_flow_live(const struct emu_port *port, const struct rte_flow *flow);
// Error when the device is gone.
int emu_flow_gone(struct emu_port *port, struct rte_flow_error *error);
// When an insertion that begins now (CLOCK_MONOTONIC, ns), or as soon as the NIC can, is done: each
// takes insert_us, one after the other, and they do not begin faster than insert_rate. Under the
// gate; it counts as begun.
uint64_t emu_insertion_turn(struct emu_nic *nic, uint64_t now);
// Judges the rule and inserts it, by the limits and moods of the NIC. NULL with error set. Under
// the gate; whoever calls it has let the time pass that an insertion takes.
struct rte_flow *emu_flow_insert(struct emu_port *port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
	struct rte_flow_error *error);
void emu_flow_remove(struct emu_port *port, struct rte_flow *flow);

const struct rte_flow_ops *emu_flow_ops(void);
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
const struct rte_flow_fp_ops *emu_flow_fast_ops(void);
#endif
// Frees what the port has beside rules: shared actions, templates and queues.
void emu_flow_fini(struct emu_port *port);

// flow_query.c
int emu_flow_query(struct rte_eth_dev *dev, struct rte_flow *flow,
	const struct rte_flow_action *actions, void *data, struct rte_flow_error *error);
int emu_flow_aged(
	struct rte_eth_dev *dev, void **contexts, uint32_t n, struct rte_flow_error *error);
int emu_flow_dump(
	struct rte_eth_dev *dev, struct rte_flow *flow, FILE *file, struct rte_flow_error *error);
// The answers to a query of a counter and of an age object.
void emu_answer_count(struct emu_nic *nic, struct emu_counter *c, struct rte_flow_query_count *out);
void emu_answer_age(const struct emu_age *age, struct rte_flow_query_age *out);
// The same of RSS (rss.c). Its key and queues are the NIC's own, and hold until the rule or the
// shared action changes.
void emu_answer_rss(
	const struct emu_port *port, const struct emu_rss_rule *r, struct rte_flow_action_rss *out);

// Destroys all rules that were created on the port.
void emu_flow_forget(struct emu_port *port);
// Destroys all transfer rules of the NIC.
void emu_flow_forget_transfer(struct emu_nic *nic);

#endif

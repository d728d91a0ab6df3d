// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_FLOW_BUILD_H
#define EMUNIC_FLOW_BUILD_H

#include "rte_flow/flow.h"
#include "eswitch/program.h"

// From an action list to what a rule carries: the steps that the action files share. Each takes the
// action that the builder stands at, adds what it does, and returns 0, or -errno with the error
// set. Thread safety: owner thread only, under the NIC's gate.

struct emu_build {
	struct emu_port *port;
	const struct emu_flow_spec *spec; // its domain and group
	struct emu_actions *act;
	bool marked; // by MARK
	struct rte_flow_error *error;
	const struct rte_flow_action *action;
	uint16_t n_ops;
	uint16_t n_encaps;
	uint32_t grows;
	bool writes, reframes;
	struct emu_encap *encap[EMU_MAX_ENCAPS];
	struct emu_rss_rule *rss;
	struct emu_op ops[EMU_MAX_OPS];
};

// Refuse: the action as such, its configuration, or as something that this NIC has not.
int emu_build_invalid(struct emu_build *b, const char *message);
int emu_build_conf(struct emu_build *b, const char *message);
int emu_build_unsupported(struct emu_build *b, const char *message);

// Adds op. Refused behind the action that decides where the packet goes.
int emu_build_op(struct emu_build *b, const struct emu_op *op);
// Adds an operation that sets a whole field.
int emu_build_set(struct emu_build *b, enum emu_field field, emu_u128 value);
// The number in n bytes of network byte order.
emu_u128 emu_build_number(const void *bytes, unsigned int n);

// Adds what decides where the packet goes. Refused when something already does.
int emu_build_decide(struct emu_build *b, enum emu_fate fate, uint16_t target);

// flow_edit.c: the actions that set one header field or VLAN tag each, FLAG, SET_TAG, SET_META.
// True when the action is one of these; then *ret is the result.
bool emu_build_edit(struct emu_build *b, int *ret);
// modify.c
#define EMU_MODIFY_VALUE_MAX 16
// Bytes of an immediate value for that destination, an enum rte_flow_field_id; 0: it is none.
size_t emu_modify_value_size(int dst);
int emu_build_modify(struct emu_build *b);
// flow_tunnel.c
int emu_build_vxlan_encap(struct emu_build *b);
int emu_build_vxlan_decap(struct emu_build *b);
int emu_build_raw_encap(struct emu_build *b);
int emu_build_raw_decap(struct emu_build *b);
// flow_shared.c
int emu_build_shared(struct emu_build *b);
// rss.c
int emu_build_rss(struct emu_build *b);
// Makes what the RSS action that b stands at says; *out has one reference.
int emu_rss_rule_read(struct emu_build *b, struct emu_rss_rule **out);
// flow_sample.c
int emu_build_meter(struct emu_build *b);
int emu_build_sample(struct emu_build *b);

#endif

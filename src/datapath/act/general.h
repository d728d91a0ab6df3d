// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_GENERAL_H
#define SLUICE_DATAPATH_GENERAL_H

#include "ext/abi.h"
#include "lcore.h"
#include "out/output.h"

// Carries out an action list (dp_verdict.actions) on one packet: MAC and VLAN changes, several
// outputs, floods. Every output but the last gets a copy. sw: index of the switch; way: how to go
// out (its vport is filled in here); flow: extensions judge each output of it (extend.h),
// NULL: none has to. Thread safety: owner thread only.

void general(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, uint16_t sw,
	const struct flow_actions *list, struct output_way *way,
	const struct sluice_ext_flow *flow);

#endif

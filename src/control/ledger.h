// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_LEDGER_H
#define SLUICE_CONTROL_LEDGER_H

#include <jansson.h>

#include "nic/ops.h"
#include "state.h"

// The ledger: received + originated + copies = sent + consumed + dropped + held, for
// each vport, for each NIC and in all at the outer edge (wires and VMs). Thread safety: owner
// thread only (control).

struct ledger_line {
	uint64_t received, originated, copies, sent, consumed, dropped, held;
	uint64_t drops[DP_DROP_COUNT];
};

struct ledger {
	struct ledger_line vport[DP_VPORTS_MAX]; // by origin
	uint64_t received_bytes[DP_VPORTS_MAX], delivered[DP_VPORTS_MAX],
		delivered_bytes[DP_VPORTS_MAX];
	struct ledger_line software; // sum of the above
	uint64_t rings_held;         // counted in the rings themselves: must equal software.held
	struct nic_ledger nic[CONFIG_NICS_MAX];
	struct ledger_line
		all; // outer edge; drops by name are software's, dropped has the NICs' too
	uint64_t path_packets[OFFLOAD_PATHS], path_bytes[OFFLOAD_PATHS];
	bool conserved; // exact NICs and software balance, each and in all
};

// Reads all counters once. The NICs' drops are added by name to drops (may be NULL).
void ledger_read(struct control *c, struct ledger *out, json_t *drops);
// A vport's attachment was opened (before its first packet), or is gone from the workers: what it
// carries over a NIC is at the outer edge only as the NIC counts it.
void ledger_port_opened(struct control *c, uint16_t vport, bool on_nic);
void ledger_port_closed(struct control *c, uint16_t vport);
// A vport is new: its counters begin at 0, whoever had its id before (in the sums that one stays).
// 0 or -ENOMEM.
int ledger_vport_new(struct control *c, uint16_t vport);
void ledger_fini(struct control *c);
bool ledger_line_balanced(const struct ledger_line *l);
json_t *ledger_drops(const struct ledger_line *l); // {"reason": packets}, only those above 0

#endif

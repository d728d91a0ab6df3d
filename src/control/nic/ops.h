// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_OPS_H
#define SLUICE_CONTROL_NIC_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "nic/job.h"
#include "nic/pmd.h"

// How control reaches a NIC's flow hardware: one table for any rte_flow driver, one for the
// emulated NIC, which also keeps a ledger of its own.
// Thread safety: owner thread only (validate, create, destroy, count and trial: the NIC's executor;
// ledger, miss: control).

struct nic_ledger { // packets at the edges of the NIC, and what became of them; exact on the
		    // emulated NIC
	bool exact;
	uint64_t received_wire, received_vf, received_host, copies;
	uint64_t sent_wire, sent_vf, sent_host, held;
	uint64_t originated, consumed; // frames of the mailbox between VF and PF
	uint64_t received_wire_bytes, received_vf_bytes;
	uint64_t eswitch_packets, eswitch_bytes;
	uint64_t dropped;     // sum of the drops by name
	bool finite_finished; // a finite source on the wire has given all it has
	uint64_t wire_played;
};

// Called for each drop of the ledger by its name.
typedef void (*nic_drop_fn)(void *ctx, const char *reason, uint64_t packets);

struct nic_ops {
	const char *name;
	void (*validate)(struct nic_job *job);
	void (*create)(struct nic_job *job);
	void (*destroy)(struct nic_job *job);
	void (*count)(struct nic_job *job);
	void (*evict)(struct nic_job *job);
	void (*trial)(struct nic_job *job);
	void (*flush)(uint16_t ethdev); // when the executor has ended
	void (*ledger)(uint16_t pf, struct nic_ledger *out, nic_drop_fn fn, void *ctx);
	// NULL: what meets no rule goes to a host port, always. 0 or -errno with a sentence in why.
	int (*miss)(
		uint16_t pf, uint16_t vf, const struct nic_miss *miss, char *why, size_t why_len);
	// NULL: the driver tells nothing of a VF's own queues. As nic_emunic_vf_queues.
	int (*vf_queues)(uint16_t pf, uint16_t vf, struct nic_vf_queue *out, uint16_t max);
};

// The table for a driver (rte_eth_dev_info.driver_name).
const struct nic_ops *nic_ops_for(const char *driver);

#endif

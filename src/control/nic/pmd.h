// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_PMD_H
#define SLUICE_CONTROL_NIC_PMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the emulated NIC's driver can do beyond ethdev and rte_flow (rte_pmd_emunic.h). It is found
// in the driver once that is loaded: sluice starts without it.
// Thread safety: owner thread only (control).

// *out (a pointer to a function) becomes NULL when the driver is not there or has no such symbol.
void nic_pmd_find(const char *symbol, void *out);

// Where a VF's misses go (nic_ops.miss).
struct nic_miss {
	bool to_vm; // with a tag to the VF; else to its representor. The rest is for that:
	uint8_t key_id;
	uint32_t group; // the VF's own table
	uint8_t key[16];
};
int nic_emunic_miss(
	uint16_t pf, uint16_t vf, const struct nic_miss *miss, char *why, size_t why_len);

// The receive queues that a VF has by now, at most max of them in out. Returns how many; -ENOTSUP:
// the driver cannot tell.
struct nic_vf_queue {
	uint64_t packets; // that went to it
	bool rss;         // RSS spreads packets over it
};
int nic_emunic_vf_queues(uint16_t pf, uint16_t vf, struct nic_vf_queue *out, uint16_t max);

#endif

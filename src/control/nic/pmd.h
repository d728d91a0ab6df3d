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

#endif

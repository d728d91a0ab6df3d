// SPDX-License-Identifier: BSD-3-Clause
#ifndef RTE_PMD_EMUNIC_H
#define RTE_PMD_EMUNIC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What the emulated NIC can do beyond ethdev and rte_flow. Applications find these by dlsym, so
// that they start without it.
//
// port_id is any port of the NIC, its PF or a representor; side is "wire" or "vfN". All return
// -ENODEV when the port is not of an emulated NIC and -EINVAL when it has no such side.
// Thread safety: any thread, but no two calls for the same side at once, and none while the NIC is
// being removed.

// Puts another backend behind a side while the NIC runs. text is as in the device arguments
// ("[KIND,key=value,...]" or without brackets); NULL or "" unplugs the side. The new backend is
// opened before the old one is closed; on an error the old one stays and -errno tells why (the
// sentence is in the log).
int rte_pmd_emunic_backend_swap(uint16_t port_id, const char *side, const char *text);

// 1 when a finite backend (replay, generator with a count) has played all it has, else 0.
int rte_pmd_emunic_side_finished(uint16_t port_id, const char *side);

// Changes limits and moods of the NIC while it runs: "key=value,key=value" with the keys of the
// device arguments that are listed under "limits and moods". All of text takes effect, or none
// does and why has a sentence (-EINVAL).
int rte_pmd_emunic_set(uint16_t port_id, const char *text, char *why, size_t why_len);

// Limits what a VF may send into the NIC to so many Mbit/s, 0: no limit; as rate= does for one side.
// What is above it waits with the VF. -EINVAL: no such VF, or above 400000.
int rte_pmd_emunic_vf_rate_set(uint16_t port_id, uint16_t vf, uint32_t mbps);

#ifdef __cplusplus
}
#endif

#endif

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
// -ENODEV when the port is not of an emulated NIC, -ENOTSUP in a secondary process, and -EINVAL
// when it has no such side.
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

// The receive queues that RSS spreads a VF's packets over, in the proportion in which they are
// named; n (at most 128) of 0 to 127, and 0: all that its guest has enabled. A queue that the guest
// has not enabled is passed over. -EINVAL: no such VF, or a figure above these.
int rte_pmd_emunic_vf_reta_set(uint16_t port_id, uint16_t vf, const uint16_t *queues, uint16_t n);

// A VF's message to its PF is this frame, sent by the VF untagged and not longer than the MTU, all
// numbers in network byte order, len bytes of data behind it. The NIC takes it out at the VF's
// edge. The answer is the same frame with the bit RTE_PMD_EMUNIC_MBOX_ANSWER in type and an errno,
// or 0, in result.
#define RTE_PMD_EMUNIC_MBOX_ETHERTYPE 0x88b5 // IEEE 802, local experimental ethertype 1
#define RTE_PMD_EMUNIC_MBOX_MAGIC 0x456d4278 // "EmBx"
#define RTE_PMD_EMUNIC_MBOX_VERSION 1
#define RTE_PMD_EMUNIC_MBOX_DATA 64
#define RTE_PMD_EMUNIC_MBOX_ANSWER 0x80

struct rte_pmd_emunic_mbox_frame {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t ethertype;
	uint16_t result;
	uint32_t magic;
	uint8_t version;
	uint8_t type; // below 0x80; what it means is between guest and application
	uint16_t len;
	uint32_t id; // the answer has the same
};

// What a callback of the PF for RTE_ETH_EVENT_VF_MBOX finds at its ret_param. It runs in EAL's
// interrupt thread. answer is what the VF is told: 0 or -errno; -ENOTSUP when nobody sets it.
struct rte_pmd_emunic_mbox_event {
	uint16_t vf;
	uint16_t len;
	uint32_t id;
	int32_t answer;
	uint8_t type;
	uint8_t data[RTE_PMD_EMUNIC_MBOX_DATA];
};

// Limits what a VF may send into the NIC to so many Mbit/s, 0: no limit; as rate= does for one
// side. What is above it waits with the VF. -EINVAL: no such VF, or above 400000.
int rte_pmd_emunic_vf_rate_set(uint16_t port_id, uint16_t vf, uint32_t mbps);

#ifdef __cplusplus
}
#endif

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_VF_MAP_H
#define SLUICE_CONTROL_VF_MAP_H

#include <stdbool.h>

#include "base/err.h"
#include "nic/nic.h"

// Which VF a VM has is not the switch's to say: QEMU or VFIO gave it one. What moves a VM from the
// VF of one NIC to that of another is reached through this table.
//
//   emulated  both NICs are: what uses the VF is taken from one to the other, nothing closes; found
//             in the driver by dlsym, so that sluiced starts without it
//   operator  all others: the VM's VF is unplugged and another one plugged in by who runs the VM
//             (QMP device_del and device_add); sluice has the other VF ready, and says what to do
//
// Thread safety: owner thread only (control).

struct vf_map {
	const char *name;
	bool by_itself; // no operator is needed
	// What goes to that VF waits, from before its VM comes until it is there.
	void (*expect)(const struct nic *nic, uint16_t vf, bool on);
	// The VM that uses the VF of one NIC uses that of the other from now on. 0 or -errno with
	// what to do about it.
	int (*move)(const struct nic *from, uint16_t from_vf, const struct nic *to, uint16_t to_vf,
		struct sl_err *err);
};

const struct vf_map *vf_map_for(const struct nic *a, const struct nic *b);

#endif

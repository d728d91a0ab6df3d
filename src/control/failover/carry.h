// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_CARRY_H
#define SLUICE_CONTROL_CARRY_H

#include "state.h"

// Where a vport's attachment is at the moment. The configuration names one NIC (and VF) for good;
// when that NIC has a standby, one of the two carries it.
// Thread safety: owner thread only (control).

// The NIC and its port (0: PF, 1 + n: VF n) for an attachment to a NIC or a VF.
void carry_where(
	const struct control *c, const struct config_attachment *a, uint16_t *nic, uint16_t *port);
// Is the vport attached to this NIC, by configuration or by command, wherever it is now? It may
// have no device at the moment, when its NIC did not start again.
bool carry_is_of(const struct control_vport *v, uint16_t nic);
// "nic1/vf0", and for what is not on a NIC what the configuration says.
void carry_text(const struct control *c, const struct control_vport *v, char *buf, size_t len);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_FIRMWARE_H
#define EMUNIC_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

#include "emunic.h"

// What firmware_run.c (who runs the firmware) asks of firmware.c (what it does), besides its rounds
// (emunic.h).

// When the next packet of a backend is due, by CLOCK_MONOTONIC in ns, or UINT64_MAX: none has said.
// *unused: no port of the NIC is started. Thread safety: the firmware's thread, not under the gate.
uint64_t emu_firmware_next_event(struct emu_nic *nic, bool *unused);

// No event is told to the application any more. Thread safety: any thread, not under the gate; no
// round may run.
void emu_firmware_drop_events(struct emu_nic *nic);

#endif

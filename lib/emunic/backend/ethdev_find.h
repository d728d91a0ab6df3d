// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_ETHDEV_FIND_H
#define EMUNIC_BACKEND_ETHDEV_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The ethdev that the text of a backend means: the name of a port, or the devargs of a device,
// which is probed. Refused is one of the NIC itself, or of one that is plugged into it, by whatever
// many steps: they would wait for each other. Thread safety: any thread, one at a time.

// 0 with the port, and whether it was probed here; or -errno with a sentence in why. Also then it
// may have been probed.
int emu_ethdev_find(
	const char *nic, const char *text, uint16_t *port, bool *probed, char *why, size_t why_len);

// Writes "ethdev: NAME: WHAT: error" into why, and returns rc.
int emu_ethdev_say(char *why, size_t why_len, const char *name, const char *what, int rc);

#endif

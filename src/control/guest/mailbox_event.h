// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_GUEST_MAILBOX_EVENT_H
#define SLUICE_CONTROL_GUEST_MAILBOX_EVENT_H

#include <stdint.h>

// As struct rte_pmd_emunic_mbox_event: the driver is an island that is found when it is loaded, and
// nothing of it is built in. tests/unit/test_control_mailbox.c compares the two.
// Thread safety: any thread (a plain value); the driver's is valid in its callback only.

#define MAILBOX_DATA_MAX 64

struct mailbox_event {
	uint16_t vf;
	uint16_t len; // of data
	uint32_t id;
	int32_t answer; // 0 or -errno, for the VF
	uint8_t type;   // MAILBOX_RAISE and so on (guest/mailbox.h)
	uint8_t data[MAILBOX_DATA_MAX];
};

#endif

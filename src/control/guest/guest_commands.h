// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_GUEST_COMMANDS_H
#define SLUICE_CONTROL_GUEST_COMMANDS_H

#include "ctl/command.h"
#include "ctl/server.h"
#include "state.h"

// What a guest may say on its channel. Thread safety: owner thread only (control).

struct guest_channel {
	struct control *control;
	uint16_t vm;          // index in cfg->vms
	struct config_vm cfg; // that it was opened with
	struct ctl_server *server;
};

struct guest_rate {
	uint64_t since_ns; // a second that has begun, and
	uint32_t changes;  // changes in it
};

// A VM gives a hint (+1, -1; 0: takes it back) for its own flows that match, by whatever way.
// followed, refused: as of hints_set. -EBUSY: it has had its changes of this second.
int guest_hint(struct control *c, uint16_t vm, const char *text, int8_t hint, uint32_t *followed,
	uint32_t *refused, struct sl_err *err);

// Handlers get the struct guest_channel.
const struct ctl_command *guest_commands(void);

#endif

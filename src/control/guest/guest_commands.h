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
	uint64_t changes_since_ns; // a second that has begun, and
	uint32_t changes;          // changes in it
};

// Handlers get the struct guest_channel.
const struct ctl_command *guest_commands(void);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_CONTROL_H
#define SLUICE_CONTROL_CONTROL_H

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"

// All that runs on the main lcore: devices, ports, rules, placements, the control socket.
// Thread safety: owner thread only (the main lcore), but for control_stop and control_reload.

struct control;

struct control_cfg {
	const char *config_path; // what `config reload` reads
	struct config *config;   // taken over by control_new, also on failure
	struct sl_log *log;
};

// Opens the devices, starts the workers, listens. EAL is up. On failure everything is undone.
int control_new(const struct control_cfg *cfg, struct control **out, struct sl_err *err);
// Serves until control_stop or the command `shutdown`.
void control_run(struct control *c);
// From a signal handler or any thread.
void control_stop(struct control *c);
// Reads the configuration again, soon: as the command `config reload`, with the outcome in the log.
// From any thread.
void control_reload(struct control *c);
void control_free(struct control *c);

#endif

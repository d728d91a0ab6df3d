// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_COMMANDS_H
#define SLUICE_CTL_COMMANDS_H

#include "base/err.h"
#include "ctl/command.h"

// The commands of sluice: one table, without handlers, for the server, for sluicectl (usage,
// completion) and for the reference page config/COMMANDS.md.
//
// A request's method is the name of the command ("flow list"), its params are an object with the
// arguments by name. An answer is an object; a list is {"items":[{..},..]} with, where more was
// there than asked for, "total". A field's unit is the end of its name: _bps bit/s, _pps packets/s,
// bytes, _s seconds, _ms, _us, _ns, _pct; anything else is a plain number or text.
// Thread safety: any thread (constants).

// Ends with a line whose name is NULL.
const struct ctl_command *ctl_commands(void);
// The line of that name ("flow list"), NULL when there is none.
const struct ctl_command *ctl_command_find(const struct ctl_command *table, const char *name);

struct ctl_binding {
	const char *name; // NULL ends the list
	ctl_handler handler;
};

// The table with its handlers, for ctl_server_new: free() it after the server. `help` has its
// handler from here. -EINVAL when a command has no handler, or a handler no command, or two.
int ctl_commands_bind(
	const struct ctl_binding *bindings, struct ctl_command **out, struct sl_err *err);

// One command, or all for command == NULL, as the object that `help` answers (new reference); NULL
// when out of memory.
json_t *ctl_commands_describe(const struct ctl_command *table, const struct ctl_command *command);
// "rule add MATCH ACTIONS [--switch SWITCH] [--wait]" (free()).
char *ctl_command_usage(const struct ctl_command *command);
// The reference page in Markdown (free()).
char *ctl_commands_reference(void);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_COMMAND_H
#define SLUICE_CTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// One line of a table registers a control command. The dispatcher checks the arguments against
// their shape before the handler runs; `help`, completion and the command reference come from the
// same table (also built into sluicectl, so this header has the table's type only and no server).
// Thread safety: any thread (constants).

#define CTL_ARGS_MAX 12
#define CTL_LATER 1 // a handler's answer comes later, by ctl_call_reply or ctl_call_fail

enum ctl_type { CTL_STR, CTL_INT, CTL_BOOL };

struct ctl_arg {
	const char *name; // NULL ends the list
	enum ctl_type type;
	bool required;
	bool positional; // on the command line without --name, in the order of the table
	const char *help;
	const char *complete; // "port", "rule", "file", "a|b|c" or NULL: what completion offers;
			      // words with | between are all that is allowed
	int64_t max; // of CTL_INT: 0 to max; 0 here: 0 to 2^53
};

struct ctl_call; // one request that is being handled

// args holds only known names with the right type. Returns 0 with *result set (stolen), CTL_LATER,
// or -errno with err.
typedef int (*ctl_handler)(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err);

struct ctl_command {
	const char *name;    // "flow list": noun and verb, or one word; NULL ends the table
	bool writes;         // refused on a read-only socket
	ctl_handler handler; // NULL in sluicectl
	const char *help;    // one line
	const char *fields;  // of the answer (of its items where it is a list), in the order in
			     // which people see them; "" where there is nothing to order
	struct ctl_arg args[CTL_ARGS_MAX];
	bool live; // on a terminal sluicectl shows it again and again; has the arguments sort,
		   // limit
	const char *lines; // objects of the answer that people see as one line each, and all
			   // objects in its objects; NULL: objects are blocks
};

// What a handler reads from its arguments: fallback where the argument was not given.
const char *ctl_arg_str(const json_t *args, const char *name, const char *fallback);
int64_t ctl_arg_int(const json_t *args, const char *name, int64_t fallback);
bool ctl_arg_bool(const json_t *args, const char *name);

#endif

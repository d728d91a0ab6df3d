// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_CTL_FIXTURE_H
#define SLUICE_TESTS_CTL_FIXTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "ctl/server.h"

// A control server on a socket in a directory of its own, with a handful of commands, driven by
// hand; and raw clients for it.
// Thread safety: owner thread only.

#define FIX_LATER 256

struct fix {
	char dir[64];
	char path[96];
	char ro_path[96];
	struct sl_clock clock; // manual
	struct ctl_server *server;
	unsigned handled;
	unsigned n_later;
	struct ctl_call *later[FIX_LATER];
};

// Commands: echo (text, n 0-10, flag, kind a|b|see), write (changes), fail, bare (fails without a
// text), later (kept in fix.later), big (a text of `size` bytes), nothing (no result).
const struct ctl_command *fix_commands(void);
void fix_start(struct fix *f);
void fix_stop(struct fix *f);
// Polls until nothing is left to do.
void fix_run(struct fix *f);

int raw_connect(const char *path);
// Sends all while the server runs; false when the server closed the connection.
bool raw_send(struct fix *f, int fd, const char *data, size_t len);
bool raw_say(struct fix *f, int fd, const char *text);
// The next line as JSON (new reference); NULL when none comes. *closed: the server has closed.
json_t *raw_line(struct fix *f, int fd, bool *closed);
bool raw_is_closed(struct fix *f, int fd);

// Sends a line, returns the code of the error that comes back (0: a result).
int raw_code(struct fix *f, int fd, const char *line);

#endif

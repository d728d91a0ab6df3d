// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_SLUICECTL_H
#define SLUICE_SLUICECTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "ctl/commands.h"

// The parts of sluicectl. It links lib/ctl and lib/base only, no DPDK.
// Thread safety: owner thread only.

#define SLUICECTL_SOCKET "/run/sluice/sluice.sock"

#define EXIT_OK 0
#define EXIT_REFUSED 1 // the server said no
#define EXIT_USAGE 2   // wrong usage, or no connection

struct options {
	const char *socket;
	bool json;
	bool wide; // tables are not fitted to the terminal
	bool help;
	bool version;
	int timeout_ms;
	double watch_s; // 0: once
};

// What argv says. Options of sluicectl itself may stand anywhere; -EINVAL with err when it is
// wrong, with *command set when that much was right. *params is a new reference. *command NULL and
// 0: words (borrowed from argv, *n_words of them) are none of the table's commands.
int args_parse(int argc, char **argv, struct options *opts, const struct ctl_command **command,
	json_t **params, char **words, int *n_words, struct sl_err *err);

// Usage: of everything, of one noun, of one command.
void help_all(FILE *out);
bool help_noun(FILE *out, const char *noun); // false when no command begins with it
// Says that the words begin no command, and what may be meant.
void help_unknown(FILE *out, char **words, int n);
void help_completion(FILE *out);
void help_command(FILE *out, const struct ctl_command *command);

// An answer for people: lists as tables, objects as keys and values. fields: which come first;
// lines: as in struct ctl_command. width: of the terminal, in characters, tables are made to fit;
// 0: no bound.
void render(FILE *out, size_t width, const json_t *result, const char *fields, const char *lines);

// Completion: the script of a shell (false: of none that is known); and what it calls for the words
// up to the cursor.
bool complete_script(FILE *out, const char *shell);
void complete_words(FILE *out, int n, char **words);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_DISPATCH_H
#define SLUICE_CTL_DISPATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "ctl/command.h"

// JSON-RPC 2.0 (jsonrpc.org/specification): a line of text to a checked request, results and errors
// to lines of text. It knows no sockets.
// Thread safety: any thread (no state).

#define CTL_RPC_PARSE (-32700)
#define CTL_RPC_REQUEST (-32600)
#define CTL_RPC_METHOD (-32601)
#define CTL_RPC_PARAMS (-32602)
#define CTL_RPC_INTERNAL (-32603)

struct ctl_request {
	const struct ctl_command *command;
	json_t *id;   // owned; NULL: a notification, which gets no answer
	json_t *args; // owned; an object, checked against the command's shape
};

// 0, or the error's code with err: then id is what the answer has to name (json null where it could
// not be read; NULL: no answer). The caller ends both by ctl_request_fini.
int ctl_request_parse(const struct ctl_command *table, bool read_only, const char *line, size_t len,
	struct ctl_request *out, struct sl_err *err);
void ctl_request_fini(struct ctl_request *req);

// The line of an answer without newline (free()); steals result, borrows id. NULL when out of
// memory.
char *ctl_answer_result(const json_t *id, json_t *result);
char *ctl_answer_error(const json_t *id, const struct sl_err *err);

#endif

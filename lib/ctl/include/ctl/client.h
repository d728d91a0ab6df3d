// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_CLIENT_H
#define SLUICE_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

// Blocking client of the control socket.
// Thread safety: owner thread only.

struct ctl_client;

// The error text says what to do (is sluiced running, which permission is missing).
int ctl_client_open(const char *path, struct ctl_client **out, struct sl_err *err);
// One request and its answer; timeout in ms, -1 for ever. params (may be NULL) is borrowed, *result
// is a new reference. A server's error comes back as its code (-errno where it gave one) and text
// in err. -ETIMEDOUT: the next call may follow, a late answer is skipped. A server that turns the
// session away for want of room is asked again for up to 3 s (within the timeout).
int ctl_client_call(struct ctl_client *c, const char *method, json_t *params, int timeout_ms,
	json_t **result, struct sl_err *err);
// Did the last failed call reach the server, so that the error is its answer?
bool ctl_client_refused(const struct ctl_client *c);
void ctl_client_close(struct ctl_client *c);

#endif

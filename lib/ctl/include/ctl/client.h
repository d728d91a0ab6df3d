// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_CLIENT_H
#define SLUICE_CTL_CLIENT_H

#include <jansson.h>

#include "base/err.h"

// Blocking client of the control socket.
// Thread safety: owner thread only.

struct ctl_client;

int ctl_client_open(const char *path, struct ctl_client **out, struct sl_err *err);
// One request and its answer; timeout in ms, -1 for ever. *result is a new reference. A server's
// error comes back as its code (-errno where it gave one) and text in err.
int ctl_client_call(struct ctl_client *c, const char *method, json_t *params, int timeout_ms,
	json_t **result, struct sl_err *err);
void ctl_client_close(struct ctl_client *c);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_LISTEN_H
#define SLUICE_CTL_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "ctl/server.h"

// A listening Unix socket that only those whom `access` lets may open.
// Thread safety: owner thread only (control).

#define CTL_SOCKET_PATH_MAX 108 // sockaddr_un.sun_path, with the NUL

struct ctl_listener {
	int fd;
	bool read_only;
	char path[CTL_SOCKET_PATH_MAX];
	dev_t dev; // of the socket file that was made: only that one is removed
	ino_t ino;
};

int ctl_listener_open(const char *path, bool read_only, const struct ctl_access *access,
	struct ctl_listener *out, struct sl_err *err);
void ctl_listener_close(struct ctl_listener *l);

#endif

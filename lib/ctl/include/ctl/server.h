// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_SERVER_H
#define SLUICE_CTL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "ctl/command.h"

// JSON-RPC 2.0 (jsonrpc.org specification) over a Unix stream socket: one message a line, both
// ways. Batches are refused with a clear error. The server never blocks and never grows without
// bound: it reads nothing more from a session whose answers wait, closes one that does not read for
// 10 s, refuses a line above CTL_LINE_MAX, and refuses (with an error line) a session above
// CTL_SESSIONS_MAX, closing an idle one instead where there is one: idle for a minute, or for a
// second where it has never asked anything; never one whose request is still to be read, or
// that still reads its answer.
//
// Errors: -32700 not JSON (the session goes on at the next line), -32600 not a request, -32601 no
// such method, -32602 wrong arguments; a command's own error has code -errno and data {"path"}
// where there is a path.
// Thread safety: owner thread only (control).

#define CTL_LINE_MAX (1u << 20)
#define CTL_SESSIONS_MAX 128
#define CTL_LATER_MAX 64       // unanswered calls of a session; above, it is not read
#define CTL_OUT_MAX (8u << 20) // unread answers of a session
#define CTL_LISTENERS_MAX 4

struct ctl_server;
struct ctl_session;

// Who may open a socket; uid and gid (uid_t)-1: the process's own.
struct ctl_access {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

// app is given to every handler; the table must outlive the server, and -EINVAL when a line of it
// has no handler. The file descriptor of an epoll set that becomes readable is ctl_server_fd.
int ctl_server_new(
	const struct ctl_command *commands, void *app, struct sl_log *log, struct ctl_server **out);
// Another clock than the monotonic one (simulated time); before the first listen.
void ctl_server_set_clock(struct ctl_server *s, const struct sl_clock *clock);
// Makes the last directory of a socket's path where it is missing.
int ctl_socket_directory(const char *path, struct sl_err *err);
// Nobody listens at path: what an earlier process left there is removed. -EADDRINUSE: somebody
// does. So that a second one ends before it touches what the first one has.
int ctl_socket_unused(const char *path, struct sl_err *err);
// For clients that are trusted less: at most so many sessions, and so long a line. Before the first
// session; not above CTL_SESSIONS_MAX and CTL_LINE_MAX.
void ctl_server_set_limits(struct ctl_server *s, unsigned sessions, size_t line);
// Adds a socket (mode 0600, a stale file is replaced, a live one is -EADDRINUSE, the last directory
// of the path is made where it is missing); read_only: commands that write are refused.
int ctl_server_listen(struct ctl_server *s, const char *path, bool read_only, struct sl_err *err);
// The same for whom `access` lets.
int ctl_server_listen_for(struct ctl_server *s, const char *path, bool read_only,
	const struct ctl_access *access, struct sl_err *err);
int ctl_server_fd(const struct ctl_server *s);
// Handles what is ready, for at most max messages; also closes sessions whose time is up. What is
// left makes ctl_server_fd readable again at once.
void ctl_server_poll(struct ctl_server *s, unsigned max);
// Sends what can be sent, closes all, removes the socket files. Calls that are still unanswered
// stay valid for their one reply or fail, which then goes nowhere.
void ctl_server_free(struct ctl_server *s);

// A handler that cannot answer at once (waits for workers or a NIC) returns CTL_LATER and later
// answers by exactly one of these, which frees the call. A call whose session has gone is dropped
// without a sign.
void ctl_call_reply(struct ctl_call *call, json_t *result); // steals result
void ctl_call_fail(struct ctl_call *call, const struct sl_err *err);

#endif

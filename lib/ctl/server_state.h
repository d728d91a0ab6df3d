// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_SERVER_STATE_H
#define SLUICE_CTL_SERVER_STATE_H

#include "ctl/server.h"
#include "listen.h"
#include "session.h"

// What server.c (sockets and turns) and call.c (answers) share.
// Thread safety: owner thread only (control).

struct ctl_call {
	struct ctl_server *server;   // NULL: the server has gone
	struct ctl_session *session; // NULL: the session has gone
	json_t *id;                  // NULL: a notification
	struct ctl_call *prev, *next;
};

struct ctl_server {
	const struct ctl_command *commands;
	void *app;
	struct sl_log *log;
	struct sl_clock own_clock;
	const struct sl_clock *clock;
	int epoll;
	int wake;    // eventfd: there is more to do than a poll was allowed to
	int timer;   // ticks while some session does not read
	int reserve; // given up for a moment to turn clients away when descriptors run out
	bool ticking;
	bool polling; // inside ctl_server_poll, which settles all at its end
	unsigned n_listeners;
	struct ctl_listener listeners[CTL_LISTENERS_MAX];
	unsigned n_sessions, max_sessions;
	size_t max_line;
	unsigned turn; // whose message is next
	struct ctl_session *sessions[CTL_SESSIONS_MAX];
	struct ctl_call *calls;
};

// Makes ctl_server_fd readable.
void ctl_server_wake(struct ctl_server *s);

// A call owns id (NULL: a notification). NULL when out of memory.
struct ctl_call *ctl_call_new(struct ctl_server *s, struct ctl_session *c, json_t *id);
void ctl_send_error(
	struct ctl_server *s, struct ctl_session *c, const json_t *id, const struct sl_err *err);
// For a line that is no message at all: no id to name.
void ctl_send_fault(struct ctl_server *s, struct ctl_session *c, int code, const char *text);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#include "server_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "dispatch.h"

#define EVENTS 64
#define STUCK_NS (10 * SL_NS_PER_S)
#define IDLE_NS (60 * SL_NS_PER_S)
#define SILENT_NS (1 * SL_NS_PER_S) // has never asked

static int
watch(struct ctl_server *s, int op, int fd, uint32_t events, void *ptr)
{
	struct epoll_event ev = {.events = events, .data.ptr = ptr};

	return epoll_ctl(s->epoll, op, fd, &ev) == 0 ? 0 : -errno;
}

void
ctl_server_wake(struct ctl_server *s)
{
	uint64_t one = 1;

	// fails only when the counter is full, and then it is readable anyway
	if (write(s->wake, &one, sizeof(one)) != sizeof(one))
		return;
}

static void
set_ticking(struct ctl_server *s, bool on)
{
	struct itimerspec spec = {{on, 0}, {on, 0}};

	if (s->ticking == on)
		return;
	timerfd_settime(s->timer, 0, &spec, NULL); // cannot fail: our descriptor, valid times
	s->ticking = on;
}

static int
open_fds(struct ctl_server *s)
{
	int ret;

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->epoll < 0 || s->wake < 0 || s->timer < 0 || s->reserve < 0)
		return -errno;
	ret = watch(s, EPOLL_CTL_ADD, s->wake, EPOLLIN, &s->wake);
	return ret != 0 ? ret : watch(s, EPOLL_CTL_ADD, s->timer, EPOLLIN, &s->timer);
}

static void
close_fds(struct ctl_server *s)
{
	int fds[] = {s->epoll, s->wake, s->timer, s->reserve};

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

int
ctl_server_new(
	const struct ctl_command *commands, void *app, struct sl_log *log, struct ctl_server **out)
{
	struct ctl_server *s;
	int ret;

	*out = NULL;
	for (const struct ctl_command *c = commands; c->name != NULL; c++) {
		if (c->handler == NULL)
			return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->commands = commands;
	s->max_sessions = CTL_SESSIONS_MAX;
	s->max_line = CTL_LINE_MAX;
	s->app = app;
	s->log = log;
	s->own_clock = sl_clock_monotonic();
	s->clock = &s->own_clock;
	ret = open_fds(s);
	if (ret != 0) {
		close_fds(s);
		free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void
ctl_server_set_clock(struct ctl_server *s, const struct sl_clock *clock)
{
	s->clock = clock;
}

int
ctl_server_fd(const struct ctl_server *s)
{
	return s->epoll;
}

void
ctl_server_set_limits(struct ctl_server *s, unsigned sessions, size_t line)
{
	s->max_sessions = sessions < CTL_SESSIONS_MAX ? sessions : CTL_SESSIONS_MAX;
	s->max_line = line < CTL_LINE_MAX ? line : CTL_LINE_MAX;
}

int
ctl_server_listen(struct ctl_server *s, const char *path, bool read_only, struct sl_err *err)
{
	const struct ctl_access own = {.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};

	return ctl_server_listen_for(s, path, read_only, &own, err);
}

int
ctl_server_listen_for(struct ctl_server *s, const char *path, bool read_only,
	const struct ctl_access *access, struct sl_err *err)
{
	struct ctl_listener *l = &s->listeners[s->n_listeners];
	int ret;

	if (s->n_listeners == CTL_LISTENERS_MAX)
		return sl_err_set(
			err, ENOSPC, path, "at most %d control sockets", CTL_LISTENERS_MAX);
	ret = ctl_listener_open(path, read_only, access, l, err);
	if (ret != 0)
		return ret;
	ret = watch(s, EPOLL_CTL_ADD, l->fd, EPOLLIN, l);
	if (ret != 0) {
		ctl_listener_close(l);
		return sl_err_set(err, ret, path, "epoll: %s", strerror(-ret));
	}
	s->n_listeners++;
	return 0;
}

static void
run(struct ctl_server *s, struct ctl_session *c, struct ctl_request *req)
{
	struct ctl_call *call = ctl_call_new(s, c, req->id);
	json_t *result = NULL;
	struct sl_err err;
	int ret;

	sl_err_init(&err);
	if (call == NULL) {
		sl_err_set(&err, ENOMEM, NULL, "out of memory");
		if (req->id != NULL)
			ctl_send_error(s, c, req->id, &err);
		return;
	}
	req->id = NULL; // the call's now
	ret = req->command->handler(s->app, call, req->args, &result, &err);
	if (ret == CTL_LATER)
		return; // the call may be answered, and freed, already
	if (ret == 0) {
		ctl_call_reply(call, result);
		return;
	}
	json_decref(result);
	sl_err_set(&err, ret, NULL, "%s: %s", req->command->name, strerror(abs(ret)));
	ctl_call_fail(call, &err);
}

static void
handle_line(struct ctl_server *s, struct ctl_session *c, const char *line, size_t len)
{
	struct ctl_request req;
	struct sl_err err;

	if (strspn(line, " \t\r") >= len)
		return; // blank
	sl_err_init(&err);
	c->active_ns = sl_now(s->clock);
	if (ctl_request_parse(s->commands, c->read_only, line, len, &req, &err) == 0) {
		c->asked = true;
		run(s, c, &req);
	} else if (req.id != NULL) {
		ctl_send_error(s, c, req.id, &err);
	}
	ctl_request_fini(&req);
}

// Takes one message from a session. False when there is none.
static bool
handle_next(struct ctl_server *s, struct ctl_session *c)
{
	char text[64];
	const char *line;
	size_t len;

	if (!ctl_session_ready(c))
		return false;
	switch (ctl_session_line(c, &line, &len)) {
	case CTL_LINE_NONE:
		return false;
	case CTL_LINE_WHOLE:
		handle_line(s, c, line, len);
		return true;
	case CTL_LINE_LONG:
		snprintf(text, sizeof(text), "a line has at most %zu bytes", s->max_line);
		ctl_send_fault(s, c, CTL_RPC_REQUEST, text);
		break;
	case CTL_LINE_HALF:
		ctl_send_fault(s, c, CTL_RPC_PARSE, "half a message: its line has no end");
		break;
	}
	c->closing = true;
	return true;
}

static void
session_close(struct ctl_server *s, unsigned i)
{
	struct ctl_session *c = s->sessions[i];

	for (struct ctl_call *call = s->calls; call != NULL; call = call->next) {
		if (call->session == c)
			call->session = NULL;
	}
	// Closing it does not: a process that was just forked may still hold the descriptor, and
	// events would go on to come for a session that is gone (epoll(7)).
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	ctl_session_fini(c);
	free(c);
	s->sessions[i] = s->sessions[--s->n_sessions];
}

static void
turn_away(int fd)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-16,"
				   "\"message\":\"too many sessions\"}}\n";

	(void)!send(fd, line, sizeof(line) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

// How long it has been idle beyond what it may be where others wait; negative: it may stay.
static int64_t
overdue(const struct ctl_session *c, uint64_t now)
{
	const uint64_t last = c->active_ns > c->progress_ns ? c->active_ns : c->progress_ns;

	if (c->later > 0 || ctl_session_waiting(c) > 0)
		return -1; // answers are due; who does not read them is closed for that
	return (int64_t)(now - last) - (int64_t)(c->asked ? IDLE_NS : SILENT_NS);
}

// Has it said something that the server, busy with others, has not come to yet?
static bool
is_unheard(struct ctl_session *c)
{
	char byte;

	return !c->closing &&
	       (ctl_session_has_line(c) || recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
}

// Makes room by closing the session that is overdue most, where one is: who connects and says
// nothing cannot keep others out for long.
static bool
make_room(struct ctl_server *s)
{
	uint64_t now = sl_now(s->clock);
	unsigned worst = s->n_sessions;
	int64_t most = -1;

	if (s->n_sessions < s->max_sessions)
		return true;
	for (unsigned i = 0; i < s->n_sessions; i++) {
		int64_t by = overdue(s->sessions[i], now);

		if (by <= most || is_unheard(s->sessions[i]))
			continue;
		most = by;
		worst = i;
	}
	if (worst == s->n_sessions)
		return false;
	session_close(s, worst);
	return true;
}

static void
session_open(struct ctl_server *s, int fd, bool read_only)
{
	struct ctl_session *c = make_room(s) ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL) {
		turn_away(fd);
		return;
	}
	ctl_session_init(c, fd, read_only, s->max_line, sl_now(s->clock));
	c->events = EPOLLIN;
	if (watch(s, EPOLL_CTL_ADD, fd, c->events, c) != 0) {
		ctl_session_fini(c);
		free(c);
		return;
	}
	s->sessions[s->n_sessions++] = c;
}

static void
accept_ready(struct ctl_server *s, const struct ctl_listener *l)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			session_open(s, fd, l->read_only);
			continue;
		}
		if (errno != EMFILE && errno != ENFILE)
			return;
		// out of descriptors: a client that waits would keep us awake for ever
		close(s->reserve);
		fd = accept(l->fd, NULL, NULL);
		if (fd >= 0)
			turn_away(fd);
		s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
		sl_log(s->log, SL_LOG_DEBUG, "control: out of file descriptors");
	}
}

static void
handle_event(struct ctl_server *s, const struct epoll_event *ev)
{
	struct ctl_session *c = ev->data.ptr;
	uint64_t count;

	if (ev->data.ptr == &s->wake || ev->data.ptr == &s->timer) {
		(void)!read(ev->data.ptr == &s->wake ? s->wake : s->timer, &count, sizeof(count));
		return;
	}
	for (unsigned i = 0; i < s->n_listeners; i++) {
		if (ev->data.ptr == &s->listeners[i])
			return; // after the sessions: accepting may close one
	}
	if (ev->events & EPOLLOUT)
		ctl_session_flush(c, sl_now(s->clock));
	if (ev->events & EPOLLIN)
		ctl_session_read(c);
	else if (ev->events & (EPOLLHUP | EPOLLERR))
		c->dead = true;
}

static bool
is_finished(struct ctl_session *c, bool has_line, uint64_t now)
{
	if (c->dead)
		return true;
	// epoll says "writable" only when the buffer is nearly empty: ask the socket before judging
	if (ctl_session_waiting(c) > 0 && now - c->progress_ns >= STUCK_NS)
		ctl_session_flush(c, now);
	if (ctl_session_waiting(c) > 0)
		return c->dead || now - c->progress_ns >= STUCK_NS;
	return c->later == 0 && (c->closing || (c->eof && !has_line));
}

// Closes what is finished, and says of the others what to wait for.
static void
settle(struct ctl_server *s)
{
	uint64_t now = sl_now(s->clock);
	bool stuck = false, more = false;

	for (unsigned i = 0; i < s->n_sessions;) {
		struct ctl_session *c = s->sessions[i];
		bool has_line = ctl_session_has_line(c);
		uint32_t events = 0;

		if (is_finished(c, has_line, now)) {
			session_close(s, i);
			continue;
		}
		if (ctl_session_waiting(c) > 0) {
			events = EPOLLOUT;
			stuck = true;
		} else if (ctl_session_ready(c) && has_line) {
			more = true;
		} else if (ctl_session_ready(c) && !c->eof) {
			events = EPOLLIN;
		}
		if (events != c->events && watch(s, EPOLL_CTL_MOD, c->fd, events, c) == 0)
			c->events = events;
		i++;
	}
	set_ticking(s, stuck);
	if (more)
		ctl_server_wake(s);
}

void
ctl_server_poll(struct ctl_server *s, unsigned max)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(s->epoll, events, EVENTS, 0);
	unsigned idle = 0;

	s->polling = true;
	for (int i = 0; i < n; i++)
		handle_event(s, &events[i]);
	while (max > 0 && idle < s->n_sessions) { // one message each in turn
		s->turn = (s->turn + 1) % s->n_sessions;
		if (handle_next(s, s->sessions[s->turn])) {
			idle = 0;
			max--;
		} else {
			idle++;
		}
	}
	settle(s);
	s->polling = false;
	for (int i = 0; i < n; i++) {
		for (unsigned j = 0; j < s->n_listeners; j++) {
			if (events[i].data.ptr == &s->listeners[j])
				accept_ready(s, &s->listeners[j]);
		}
	}
}

void
ctl_server_free(struct ctl_server *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < s->n_listeners; i++)
		ctl_listener_close(&s->listeners[i]);
	while (s->n_sessions > 0) {
		ctl_session_flush(s->sessions[0], sl_now(s->clock));
		session_close(s, 0);
	}
	for (struct ctl_call *call = s->calls, *next; call != NULL; call = next) {
		next = call->next;
		call->server = NULL;
		call->prev = call->next = NULL;
	}
	close_fds(s);
	free(s);
}

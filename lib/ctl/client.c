// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/client.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"

#define ANSWER_MAX (16u << 20)
#define CONNECT_MS 2000 // for room in the backlog
#define CONNECT_PAUSE_MS 10
#define ROOM_MS 3000 // for room among the sessions
#define ROOM_PAUSE_MS 100

struct ctl_client {
	struct sockaddr_un addr;
	int fd;
	bool refused;
	bool turned_away; // the server had no room for the session
	int64_t next_id;
	struct sl_strbuf in;
	size_t scan; // up to here there is no newline
};

static int
explain_connect(int code, const char *path, struct sl_err *err)
{
	switch (code) {
	case ENOENT:
		return sl_err_set(err, code, path,
			"there is no such socket: is sluiced running, and with this socket? "
			"(--socket "
			"or SLUICE_SOCKET name another)");
	case ECONNREFUSED:
		return sl_err_set(err, code, path,
			"nobody listens on this socket: sluiced has ended or has not started yet");
	case EACCES:
	case EPERM:
		return sl_err_set(err, code, path,
			"no permission: only root and the user of sluiced may use this socket");
	case EAGAIN:
		return sl_err_set(err, code, path, "too many clients are waiting: try again");
	default:
		return sl_err_set(err, code, path, "%s", strerror(code));
	}
}

// A Unix socket whose backlog is full refuses at once, however soon there is room in it.
static int
connect_to(int fd, const struct sockaddr_un *addr)
{
	const struct timespec pause = {.tv_nsec = CONNECT_PAUSE_MS * 1000000L};
	unsigned ms;

	for (ms = 0;; ms += CONNECT_PAUSE_MS) {
		if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
			return 0;
		if (errno != EINTR && (errno != EAGAIN || ms >= CONNECT_MS))
			return errno;
		nanosleep(&pause, NULL);
	}
}

// A socket that is connected, or -errno.
static int
open_socket(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code = fd < 0 ? errno : connect_to(fd, addr);

	if (code == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -code;
}

int
ctl_client_open(const char *path, struct ctl_client **out, struct sl_err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct ctl_client *c;
	int code;

	*out = NULL;
	if (path[0] == '\0' || strlen(path) >= sizeof(addr.sun_path))
		return sl_err_set(err, EINVAL, path, "a socket path has 1 to %zu bytes",
			sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	c->addr = addr;
	sl_strbuf_init(&c->in, ANSWER_MAX);
	c->fd = open_socket(&addr);
	if (c->fd < 0) {
		code = -c->fd;
		ctl_client_close(c);
		return explain_connect(code, path, err);
	}
	*out = c;
	return 0;
}

void
ctl_client_close(struct ctl_client *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0)
		close(c->fd);
	sl_strbuf_fini(&c->in);
	free(c);
}

bool
ctl_client_refused(const struct ctl_client *c)
{
	return c->refused;
}

// Waits until the socket is ready. deadline_ns 0: for ever.
static int
wait_for(struct ctl_client *c, short events, uint64_t deadline_ns, struct sl_err *err)
{
	const struct sl_clock clock = sl_clock_monotonic();
	struct pollfd pfd = {.fd = c->fd, .events = events};

	for (;;) {
		uint64_t now = sl_now(&clock);
		int ms = -1, n;

		if (deadline_ns != 0)
			ms = now < deadline_ns ? (int)((deadline_ns - now) / SL_NS_PER_MS + 1) : 0;
		n = poll(&pfd, 1, ms);
		if (n > 0)
			return 0;
		if (n == 0)
			return sl_err_set(err, ETIMEDOUT, NULL,
				"sluiced has not answered in time (see --timeout)");
		if (errno != EINTR)
			return sl_err_set(err, errno, NULL, "poll: %s", strerror(errno));
	}
}

static int
lost(int code, struct sl_err *err)
{
	if (code == EPIPE || code == ECONNRESET)
		return sl_err_set(err, EPIPE, NULL, "the connection was lost: sluiced closed it");
	return sl_err_set(err, code, NULL, "the connection was lost: %s", strerror(code));
}

static int
send_all(struct ctl_client *c, const char *text, size_t len, uint64_t deadline, struct sl_err *err)
{
	while (len > 0) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (wait_for(c, POLLOUT, deadline, err) != 0)
				return err->code;
		} else if (errno != EINTR) {
			return lost(errno, err);
		}
	}
	return 0;
}

static int
receive(struct ctl_client *c, uint64_t deadline, struct sl_err *err)
{
	char buf[65536];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n > 0) {
		sl_strbuf_addn(&c->in, buf, (size_t)n);
		if (c->in.failed)
			return sl_err_set(err, EMSGSIZE, NULL, "the answer is above %u MiB",
				ANSWER_MAX >> 20);
		return 0;
	}
	if (n == 0)
		return lost(EPIPE, err);
	if (errno == EAGAIN)
		return wait_for(c, POLLIN, deadline, err);
	return errno == EINTR ? 0 : lost(errno, err);
}

// The next line as JSON (new reference).
static int
read_message(struct ctl_client *c, uint64_t deadline, json_t **out, struct sl_err *err)
{
	json_error_t why;
	char *nl = NULL;
	int ret;

	for (;;) {
		if (c->in.len > c->scan)
			nl = memchr(c->in.data + c->scan, '\n', c->in.len - c->scan);
		if (nl != NULL)
			break;
		c->scan = c->in.len;
		ret = receive(c, deadline, err);
		if (ret != 0)
			return ret;
	}
	*out = json_loadb(c->in.data, (size_t)(nl - c->in.data), JSON_REJECT_DUPLICATES, &why);
	sl_strbuf_consume(&c->in, (size_t)(nl - c->in.data) + 1);
	c->scan = 0;
	if (*out == NULL)
		return sl_err_set(err, EPROTO, NULL, "the answer is not JSON: %s", why.text);
	return 0;
}

// An error object of the server to *err.
static int
take_error(struct ctl_client *c, const json_t *id, const json_t *error, struct sl_err *err)
{
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "message"));
	const char *path =
		json_string_value(json_object_get(json_object_get(error, "data"), "path"));

	c->refused = true;
	c->turned_away = code == -EBUSY && json_is_null(id);
	if (code >= 0 || code < -INT32_MAX)
		code = -EPROTO;
	return sl_err_set(err, (int)code, path, "%s", text != NULL ? text : "refused");
}

// Is it the answer to request id? An error without id is about what we sent last.
static bool
is_answer(const json_t *msg, int64_t id)
{
	const json_t *got = json_object_get(msg, "id");

	if (json_is_integer(got))
		return json_integer_value(got) == id;
	return json_is_null(got) && json_object_get(msg, "error") != NULL;
}

static int
wait_answer(
	struct ctl_client *c, int64_t id, uint64_t deadline, json_t **result, struct sl_err *err)
{
	json_t *msg;
	int ret;

	for (;;) {
		ret = read_message(c, deadline, &msg, err);
		if (ret != 0)
			return ret;
		if (is_answer(msg, id))
			break;
		json_decref(msg); // of a call that timed out
	}
	if (json_object_get(msg, "error") != NULL) {
		ret = take_error(c, json_object_get(msg, "id"), json_object_get(msg, "error"), err);
	} else if (json_object_get(msg, "result") != NULL) {
		*result = json_incref(json_object_get(msg, "result"));
	} else {
		ret = sl_err_set(err, EPROTO, NULL, "the answer has neither result nor error");
	}
	json_decref(msg);
	return ret;
}

static int
add_chunk(const char *text, size_t len, void *line)
{
	sl_strbuf_addn(line, text, len);
	return 0;
}

static int
one_call(struct ctl_client *c, const char *method, json_t *params, uint64_t deadline,
	json_t **result, struct sl_err *err)
{
	int64_t id = ++c->next_id;
	struct sl_strbuf line;
	json_t *msg;
	int ret = 0;

	*result = NULL;
	c->refused = false;
	c->turned_away = false;
	msg = json_pack("{s:s, s:I, s:s, s:O*}", "jsonrpc", "2.0", "id", (json_int_t)id, "method",
		method, "params", params);
	sl_strbuf_init(&line, 0);
	if (json_dump_callback(msg, add_chunk, &line, JSON_COMPACT) != 0)
		ret = sl_err_set(err, EINVAL, NULL, "the arguments are not valid UTF-8");
	json_decref(msg);
	sl_strbuf_addn(&line, "\n", 1);
	if (ret == 0 && line.failed)
		ret = sl_err_set(err, ENOMEM, NULL, "out of memory");
	if (ret == 0)
		ret = send_all(c, line.data, line.len, deadline, err);
	sl_strbuf_fini(&line);
	// also when sending failed half-way: the server may have said why before it closed
	if (ret == 0 || ret == -EPIPE) {
		struct sl_err why;

		sl_err_init(&why);
		if (wait_answer(c, id, deadline, result, &why) == 0)
			return 0;
		if (ret == 0 || c->refused)
			*err = why;
		ret = err->code;
	}
	return ret;
}

// The session was turned away: connects anew. False: not any more.
static bool
try_again(struct ctl_client *c, uint64_t until)
{
	const struct timespec pause = {.tv_nsec = ROOM_PAUSE_MS * 1000000L};
	const struct sl_clock clock = sl_clock_monotonic();
	int fd;

	if (!c->turned_away || sl_now(&clock) >= until)
		return false;
	nanosleep(&pause, NULL);
	fd = open_socket(&c->addr);
	if (fd < 0)
		return false;
	close(c->fd);
	c->fd = fd;
	sl_strbuf_reset(&c->in);
	c->scan = 0;
	return true;
}

int
ctl_client_call(struct ctl_client *c, const char *method, json_t *params, int timeout_ms,
	json_t **result, struct sl_err *err)
{
	const struct sl_clock clock = sl_clock_monotonic();
	const uint64_t now = sl_now(&clock);
	uint64_t deadline = timeout_ms < 0 ? 0 : now + timeout_ms * SL_NS_PER_MS;
	uint64_t until = now + ROOM_MS * SL_NS_PER_MS;
	struct sl_err own;
	int ret;

	if (err == NULL)
		err = &own;
	if (deadline != 0 && deadline < until)
		until = deadline;
	do {
		sl_err_init(err);
		ret = one_call(c, method, params, deadline, result, err);
	} while (ret != 0 && try_again(c, until));
	return ret;
}

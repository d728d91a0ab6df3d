// SPDX-License-Identifier: BSD-3-Clause
#include "ctl_fixture.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define LINE_MAX_BYTES (12u << 20)

static int
on_echo(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	struct fix *f = app;

	f->handled++;
	*result = json_deep_copy(args);
	return 0;
}

static int
on_fail(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return sl_err_set(err, ENOENT, "/ports/7", "there is no \"\xc3"); // a cut character
}

static int
on_bare(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return -EBUSY;
}

static int
on_later(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	struct fix *f = app;

	assert_true(f->n_later < FIX_LATER);
	f->later[f->n_later++] = call;
	return CTL_LATER;
}

static int
on_big(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	size_t size = (size_t)ctl_arg_int(args, "size", 0);
	char *text = malloc(size + 1);

	assert_non_null(text);
	memset(text, 'x', size);
	text[size] = '\0';
	*result = json_pack("{s:s}", "text", text);
	free(text);
	return 0;
}

static int
on_nothing(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return 0;
}

static const struct ctl_command commands[] = {
	{.name = "echo",
		.handler = on_echo,
		.help = "echo",
		.fields = "",
		.args = {{"text", CTL_STR, .help = "text"},
			{"n", CTL_INT, .max = 10, .help = "number"},
			{"flag", CTL_BOOL, .help = "flag"},
			{"kind", CTL_STR, .complete = "a|b|see", .help = "kind"}}},
	{.name = "write",
		.handler = on_echo,
		.writes = true,
		.help = "write",
		.fields = "",
		.args = {{"what", CTL_STR, .required = true, .help = "what"}}},
	{.name = "fail", .handler = on_fail, .help = "fail", .fields = ""},
	{.name = "bare", .handler = on_bare, .help = "bare", .fields = ""},
	{.name = "later", .handler = on_later, .help = "later", .fields = ""},
	{.name = "big",
		.handler = on_big,
		.help = "big",
		.fields = "",
		.args = {{"size", CTL_INT, .required = true, .help = "bytes"}}},
	{.name = "nothing", .handler = on_nothing, .help = "nothing", .fields = ""},
	{.name = NULL},
};

const struct ctl_command *
fix_commands(void)
{
	return commands;
}

void
fix_start(struct fix *f)
{
	struct sl_err err;

	*f = (struct fix){.dir = "/tmp/sluice-ctl-XXXXXX"};
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/rw.sock", f->dir);
	snprintf(f->ro_path, sizeof(f->ro_path), "%s/ro.sock", f->dir);
	f->clock = sl_clock_manual(1000 * SL_NS_PER_S);
	sl_err_init(&err);
	assert_int_equal(ctl_server_new(commands, f, NULL, &f->server), 0);
	ctl_server_set_clock(f->server, &f->clock);
	assert_int_equal(ctl_server_listen(f->server, f->path, false, &err), 0);
	assert_int_equal(ctl_server_listen(f->server, f->ro_path, true, &err), 0);
}

void
fix_stop(struct fix *f)
{
	ctl_server_free(f->server);
	unlink(f->path);
	unlink(f->ro_path);
	assert_int_equal(rmdir(f->dir), 0);
}

void
fix_run(struct fix *f)
{
	struct pollfd pfd = {.fd = ctl_server_fd(f->server), .events = POLLIN};

	for (unsigned i = 0; i < 10000; i++) {
		ctl_server_poll(f->server, 16);
		if (poll(&pfd, 1, 0) == 0)
			return;
	}
	fail_msg("the server always has something to do");
}

int
raw_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

bool
raw_send(struct fix *f, int fd, const char *data, size_t len)
{
	for (unsigned tries = 0; len > 0 && tries < 10000; tries++) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN) {
			return false;
		}
		ctl_server_poll(f->server, 16);
	}
	fix_run(f);
	return len == 0;
}

bool
raw_say(struct fix *f, int fd, const char *text)
{
	return raw_send(f, fd, text, strlen(text));
}

json_t *
raw_line(struct fix *f, int fd, bool *closed)
{
	char *line = malloc(LINE_MAX_BYTES);
	size_t len = 0;
	json_t *msg = NULL;

	assert_non_null(line);
	*closed = false;
	for (unsigned tries = 0; tries < 100000 && len < LINE_MAX_BYTES; tries++) {
		// byte by byte at the end of a line only: look first, take then
		ssize_t n = recv(fd, line + len, LINE_MAX_BYTES - len, MSG_PEEK);
		char *nl = n > 0 ? memchr(line + len, '\n', (size_t)n) : NULL;

		if (n > 0) {
			n = nl != NULL ? nl - (line + len) + 1 : n;
			assert_int_equal(recv(fd, line + len, (size_t)n, 0), n);
			len += (size_t)n;
		}
		if (nl != NULL) {
			msg = json_loadb(line, len, 0, NULL);
			assert_non_null(msg);
			break;
		}
		*closed = n == 0 || (n < 0 && errno == ECONNRESET);
		if (*closed || (n < 0 && tries > 100))
			break;
		ctl_server_poll(f->server, 16);
	}
	free(line);
	return msg;
}

bool
raw_is_closed(struct fix *f, int fd)
{
	bool closed;

	json_decref(raw_line(f, fd, &closed));
	return closed;
}

int
raw_code(struct fix *f, int fd, const char *line)
{
	bool closed;
	json_t *msg, *error;
	int code;

	assert_true(raw_say(f, fd, line));
	assert_true(raw_say(f, fd, "\n"));
	msg = raw_line(f, fd, &closed);
	assert_non_null(msg);
	assert_string_equal(json_string_value(json_object_get(msg, "jsonrpc")), "2.0");
	error = json_object_get(msg, "error");
	assert_true((error != NULL) != (json_object_get(msg, "result") != NULL));
	code = (int)json_integer_value(json_object_get(error, "code"));
	if (error != NULL)
		assert_true(json_string_length(json_object_get(error, "message")) > 0);
	json_decref(msg);
	return code;
}

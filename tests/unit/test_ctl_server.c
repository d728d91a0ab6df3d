// SPDX-License-Identifier: BSD-3-Clause
// What goes over the wire: JSON-RPC 2.0 to the letter, deferred answers, sockets.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "ctl_fixture.h"

#define RPC(rest) "{\"jsonrpc\":\"2.0\"," rest "}"
#define CALL(method) RPC("\"id\":1,\"method\":\"" method "\"")
#define CALL_ARGS(method, args) RPC("\"id\":1,\"method\":\"" method "\",\"params\":" args)

static void
test_errors(void **state)
{
	static const struct {
		const char *line;
		int code;
	} cases[] = {
		{CALL("echo"), 0},
		{CALL_ARGS("echo", "{}"), 0},
		{CALL_ARGS("echo", "{\"n\":0}"), 0},
		{CALL_ARGS("echo", "{\"n\":10,\"flag\":false,\"kind\":\"see\"}"), 0},
		{"  \t" CALL("echo") " \r", 0},
		{"{", -32700},
		{"nonsense", -32700},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"echo\"}", -32700},
		{CALL("echo") CALL("echo"), -32700},
		{"\"\xff\xfe\"", -32700},
		{"[]", -32600},
		{"[" CALL("echo") "]", -32600},
		{"1", -32600},
		{"null", -32600},
		{"{}", -32600},
		{"{\"id\":1,\"method\":\"echo\"}", -32600},
		{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}", -32600},
		{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"echo\"}", -32600},
		{RPC("\"id\":[1],\"method\":\"echo\""), -32600},
		{RPC("\"id\":true,\"method\":\"echo\""), -32600},
		{RPC("\"method\":1"), -32600},
		{RPC("\"id\":1,\"method\":\"echo\",\"params\":1"), -32600},
		{RPC("\"id\":1,\"method\":\"echo\",\"params\":null"), -32600},
		{CALL("ech"), -32601},
		{CALL("echo "), -32601},
		{CALL(""), -32601},
		{CALL_ARGS("echo", "[1]"), -32602},
		{CALL_ARGS("echo", "{\"what\":1}"), -32602},
		{CALL_ARGS("echo", "{\"text\":1}"), -32602},
		{CALL_ARGS("echo", "{\"text\":null}"), -32602},
		{CALL_ARGS("echo", "{\"n\":\"1\"}"), -32602},
		{CALL_ARGS("echo", "{\"n\":1.0}"), -32602},
		{CALL_ARGS("echo", "{\"n\":11}"), -32602},
		{CALL_ARGS("echo", "{\"n\":-1}"), -32602},
		{CALL_ARGS("echo", "{\"flag\":0}"), -32602},
		{CALL_ARGS("echo", "{\"kind\":\"s\"}"), -32602},
		{CALL_ARGS("echo", "{\"kind\":\"a|b\"}"), -32602},
		{CALL_ARGS("echo", "{\"kind\":\"\"}"), -32602},
		{CALL("write"), -32602},
		{CALL("fail"), -ENOENT},
		{CALL("bare"), -EBUSY},
		{CALL("nothing"), 0},
	};
	struct fix f;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int code = raw_code(&f, fd, cases[i].line);

		if (code != cases[i].code)
			fail_msg("%s: %d, not %d", cases[i].line, code, cases[i].code);
	}
	close(fd);
	fix_stop(&f);
}

static void
test_ids(void **state)
{
	static const char *const ids[] = {"1", "-7", "\"a\\u00e9\"", "null", "1.5"};
	struct fix f;
	bool closed;
	char line[128];
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		json_t *want = json_loads(ids[i], JSON_DECODE_ANY, NULL);
		json_t *msg;

		snprintf(line, sizeof(line), RPC("\"id\":%s,\"method\":\"nope\"") "\n", ids[i]);
		assert_true(raw_say(&f, fd, line));
		msg = raw_line(&f, fd, &closed);
		assert_true(json_equal(json_object_get(msg, "id"), want));
		json_decref(msg);
		json_decref(want);
	}
	close(fd);
	fix_stop(&f);
}

// A notification is carried out and never answered, whatever is wrong with it.
static void
test_notifications(void **state)
{
	struct fix f;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	assert_true(
		raw_say(&f, fd, RPC("\"method\":\"echo\"") "\n" RPC("\"method\":\"nope\"") "\n"));
	assert_true(
		raw_say(&f, fd, RPC("\"method\":\"fail\"") "\n" RPC("\"method\":\"later\"") "\n"));
	assert_int_equal(f.handled, 1);
	assert_int_equal(f.n_later, 1);
	ctl_call_reply(f.later[0], json_object());
	assert_int_equal(raw_code(&f, fd, CALL("echo")), 0); // the first answer is this one's
	assert_int_equal(f.handled, 2);
	close(fd);
	fix_stop(&f);
}

static void
test_error_data(void **state)
{
	struct fix f;
	bool closed;
	json_t *msg, *error;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	assert_true(raw_say(&f, fd, CALL("fail") "\n" CALL("bare") "\n"));
	msg = raw_line(&f, fd, &closed);
	error = json_object_get(msg, "error");
	assert_string_equal(
		json_string_value(json_object_get(error, "message")), "there is no \"?");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(error, "data"), "path")),
		"/ports/7");
	json_decref(msg);
	msg = raw_line(&f, fd, &closed);
	error = json_object_get(msg, "error");
	assert_string_equal(json_string_value(json_object_get(error, "message")),
		"bare: Device or resource busy");
	assert_null(json_object_get(error, "data"));
	json_decref(msg);
	close(fd);
	fix_stop(&f);
}

static void
test_read_only(void **state)
{
	struct fix f;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.ro_path);
	assert_int_equal(raw_code(&f, fd, CALL_ARGS("write", "{\"what\":\"x\"}")), -EROFS);
	assert_int_equal(f.handled, 0);
	assert_int_equal(raw_code(&f, fd, CALL("echo")), 0);
	close(fd);
	fd = raw_connect(f.path);
	assert_int_equal(raw_code(&f, fd, CALL_ARGS("write", "{\"what\":\"x\"}")), 0);
	close(fd);
	fix_stop(&f);
}

static void
test_deferred(void **state)
{
	struct sl_err err;
	struct fix f;
	bool closed;
	json_t *msg;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	assert_true(raw_say(&f, fd, CALL("later") "\n" RPC("\"id\":2,\"method\":\"later\"") "\n"));
	assert_int_equal(f.n_later, 2);
	assert_int_equal(raw_code(&f, fd, CALL("echo")), 0); // does not wait for them
	ctl_call_reply(f.later[1], json_pack("{s:i}", "x", 2));
	sl_err_init(&err);
	sl_err_set(&err, ETIMEDOUT, "/x", "too late");
	ctl_call_fail(f.later[0], &err);
	msg = raw_line(&f, fd, &closed);
	assert_int_equal(json_integer_value(json_object_get(msg, "id")), 2);
	json_decref(msg);
	msg = raw_line(&f, fd, &closed);
	assert_int_equal(json_integer_value(json_object_get(msg, "id")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(msg, "error"), "code")),
		-ETIMEDOUT);
	json_decref(msg);
	close(fd);
	fix_stop(&f);
}

// Whoever goes first, session or server: the call stays valid for its one answer.
static void
test_deferred_survives(void **state)
{
	struct sl_err err = {.code = -EIO, .text = "gone"};
	struct fix f;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	for (unsigned i = 0; i < 4; i++)
		assert_true(raw_say(&f, fd, CALL("later") "\n"));
	close(fd);
	fix_run(&f);
	ctl_call_reply(f.later[1], json_object());
	ctl_call_fail(f.later[0], &err);
	fd = raw_connect(f.path);
	assert_true(raw_say(&f, fd, CALL("later") "\n"));
	fix_stop(&f);
	ctl_call_reply(f.later[3], json_object());
	ctl_call_reply(f.later[4], json_object());
	ctl_call_fail(f.later[2], &err);
	close(fd);
}

// A client that shuts its sending side still gets its answers, deferred ones too.
static void
test_half_close(void **state)
{
	struct fix f;
	bool closed;
	json_t *msg;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	assert_true(raw_say(&f, fd, CALL("later") "\n"));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	fix_run(&f);
	ctl_call_reply(f.later[0], json_object());
	msg = raw_line(&f, fd, &closed);
	assert_non_null(msg);
	json_decref(msg);
	assert_true(raw_is_closed(&f, fd));
	close(fd);
	fix_stop(&f);
}

static void
test_socket_files(void **state)
{
	struct ctl_server *second;
	struct sl_err err;
	struct stat st;
	struct fix f;
	char path[160];
	char deep[256];
	int fd;

	fix_start(&f);
	assert_int_equal(stat(f.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(ctl_server_new(fix_commands(), &f, NULL, &second), 0);

	sl_err_init(&err);
	assert_int_equal(ctl_server_listen(second, f.path, false, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "is sluiced running"));

	snprintf(path, sizeof(path), "%s/file", f.dir);
	fd = creat(path, 0600);
	close(fd);
	sl_err_init(&err);
	assert_int_equal(ctl_server_listen(second, path, false, &err), -EEXIST);
	assert_int_equal(stat(path, &st), 0); // not removed
	unlink(path);

	memset(deep, 'd', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	sl_err_init(&err);
	assert_int_equal(ctl_server_listen(second, deep, false, &err), -ENAMETOOLONG);
	sl_err_init(&err);
	assert_int_equal(ctl_server_listen(second, "", false, &err), -EINVAL);
	sl_err_init(&err);
	assert_int_equal(ctl_server_listen(second, "/proc/no/such.sock", false, &err), -ENOENT);
	assert_string_equal(err.path, "/proc/no");

	snprintf(path, sizeof(path), "%s/sub/s.sock", f.dir); // the directory is made
	sl_err_init(&err);
	assert_int_equal(ctl_server_listen(second, path, false, &err), 0);
	ctl_server_free(second);
	assert_int_equal(stat(path, &st), -1);
	snprintf(path, sizeof(path), "%s/sub", f.dir);
	assert_int_equal(rmdir(path), 0);
	fix_stop(&f);
}

// A socket file that its owner left behind is replaced; one that was replaced is not removed.
static void
test_stale_socket(void **state)
{
	struct ctl_server *second;
	struct sl_err err;
	struct stat st;
	struct fix f;
	char other[128];

	fix_start(&f);
	snprintf(other, sizeof(other), "%s/other", f.dir);
	assert_int_equal(rename(f.path, other), 0);
	sl_err_init(&err);
	assert_int_equal(ctl_server_new(fix_commands(), &f, NULL, &second), 0);
	assert_int_equal(ctl_server_listen(second, f.path, false, &err), 0);
	ctl_server_free(f.server); // its file has another name now
	f.server = NULL;
	assert_int_equal(stat(f.path, &st), 0);
	ctl_server_free(second);

	assert_int_equal(rename(other, f.path), 0); // stale: nobody listens on it
	sl_err_init(&err);
	assert_int_equal(ctl_server_new(fix_commands(), &f, NULL, &second), 0);
	assert_int_equal(ctl_server_listen(second, f.path, false, &err), 0);
	ctl_server_free(second);
	fix_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_notifications),
		cmocka_unit_test(test_error_data),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_deferred),
		cmocka_unit_test(test_deferred_survives),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_socket_files),
		cmocka_unit_test(test_stale_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// The blocking client against a real server on another thread, and against a lying one.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "ctl/client.h"
#include "ctl_fixture.h"

struct served {
	struct fix fix;
	pthread_t thread;
	atomic_bool stop;
};

static void *
serve(void *arg)
{
	struct served *s = arg;
	struct pollfd pfd = {.fd = ctl_server_fd(s->fix.server), .events = POLLIN};

	while (!atomic_load(&s->stop)) {
		if (poll(&pfd, 1, 5) > 0)
			ctl_server_poll(s->fix.server, 16);
	}
	return NULL;
}

static void
served_start(struct served *s)
{
	fix_start(&s->fix);
	atomic_init(&s->stop, false);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
served_stop(struct served *s)
{
	atomic_store(&s->stop, true);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	for (unsigned i = 0; i < s->fix.n_later; i++)
		ctl_call_reply(s->fix.later[i], NULL);
	fix_stop(&s->fix);
}

static void
test_calls(void **state)
{
	struct ctl_client *c;
	struct served s;
	struct sl_err err;
	json_t *params = json_pack("{s:s, s:i}", "text", "h\u00e9 \"\n", "n", 3);
	json_t *result;

	served_start(&s);
	sl_err_init(&err);
	assert_int_equal(ctl_client_open(s.fix.path, &c, &err), 0);
	assert_int_equal(ctl_client_call(c, "echo", params, 5000, &result, &err), 0);
	assert_true(json_equal(result, params));
	json_decref(result);
	assert_int_equal(ctl_client_call(c, "echo", NULL, -1, &result, &err), 0);
	json_decref(result);

	assert_int_equal(ctl_client_call(c, "fail", NULL, 5000, &result, &err), -ENOENT);
	assert_true(ctl_client_refused(c));
	assert_null(result);
	assert_string_equal(err.path, "/ports/7");
	assert_string_equal(err.text, "there is no \"?");
	sl_err_init(&err);
	assert_int_equal(ctl_client_call(c, "no such", NULL, 5000, &result, &err), -32601);
	assert_int_equal(ctl_client_call(c, "echo", NULL, 5000, &result, NULL), 0);
	json_decref(result);
	json_decref(params);
	ctl_client_close(c);
	served_stop(&s);
}

// A late answer is not taken for the next one's.
static void
test_timeout(void **state)
{
	struct ctl_client *c;
	struct served s;
	struct sl_err err;
	json_t *result;

	served_start(&s);
	sl_err_init(&err);
	assert_int_equal(ctl_client_open(s.fix.path, &c, &err), 0);
	assert_int_equal(ctl_client_call(c, "later", NULL, 30, &result, &err), -ETIMEDOUT);
	assert_false(ctl_client_refused(c));
	sl_err_init(&err);
	assert_int_equal(ctl_client_call(c, "echo", NULL, 5000, &result, &err), 0);
	assert_true(json_is_object(result));
	json_decref(result);
	ctl_client_close(c);
	served_stop(&s);
}

static void
test_no_server(void **state)
{
	char dir[] = "/tmp/sluice-ctl-XXXXXX";
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct ctl_client *c;
	struct sl_err err;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
	sl_err_init(&err);
	assert_int_equal(ctl_client_open(addr.sun_path, &c, &err), -ENOENT);
	assert_null(c);
	assert_non_null(strstr(err.text, "is sluiced running"));

	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	sl_err_init(&err);
	assert_int_equal(ctl_client_open(addr.sun_path, &c, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "nobody listens"));
	close(fd);
	unlink(addr.sun_path);
	assert_int_equal(rmdir(dir), 0);
	sl_err_init(&err);
	assert_int_equal(ctl_client_open("", &c, &err), -EINVAL);
}

#define FULL "{\"id\":null,\"error\":{\"code\":-16,\"message\":\"full\"}}\n"

struct liar {
	int fd;
	const char *says;
	const char *then; // on a second connection; NULL: there is none
};

static void
say_once(const struct liar *l, const char *says)
{
	int fd = accept(l->fd, NULL, NULL);
	char buf[4096];

	(void)!recv(fd, buf, sizeof(buf), 0);
	(void)!send(fd, says, strlen(says), MSG_NOSIGNAL);
	close(fd);
}

static void *
lie(void *arg)
{
	const struct liar *l = arg;

	say_once(l, l->says);
	if (l->then != NULL)
		say_once(l, l->then);
	return NULL;
}

static void
test_liars(void **state)
{
	static const struct {
		const char *says;
		int code;
		bool refused;
		const char *then;
	} cases[] = {
		{"", -EPIPE, false, NULL},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,", -EPIPE, false, NULL},
		{"garbage\n", -EPROTO, false, NULL},
		{"[]\n", -EPIPE, false, NULL},
		{"{\"id\":1}\n", -EPROTO, false, NULL},
		{"{\"id\":7,\"result\":{}}\n", -EPIPE, false, NULL},
		{"{\"id\":7,\"result\":{}}\n{\"id\":1,\"result\":{}}\n", 0, false, NULL},
		{"{\"id\":1,\"error\":{}}\n", -EPROTO, true, NULL},
		{"{\"id\":1,\"error\":{\"code\":-9223372036854775807,\"message\":1}}\n", -EPROTO,
			true, NULL},
		{"{\"id\":1,\"error\":{\"code\":-16,\"message\":\"busy\"}}\n", -EBUSY, true, NULL},
		// turned away: it comes again
		{FULL, 0, false, "{\"id\":2,\"result\":{}}\n"},
		{FULL, -EPERM, true, "{\"id\":2,\"error\":{\"code\":-1,\"message\":\"no\"}}\n"},
	};
	char dir[] = "/tmp/sluice-ctl-XXXXXX";
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct liar l;

	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
	l.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(l.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(l.fd, 1), 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_client *c;
		struct sl_err err;
		json_t *result;
		pthread_t thread;

		sl_err_init(&err);
		l.says = cases[i].says;
		l.then = cases[i].then;
		assert_int_equal(pthread_create(&thread, NULL, lie, &l), 0);
		assert_int_equal(ctl_client_open(addr.sun_path, &c, &err), 0);
		assert_int_equal(ctl_client_call(c, "x", NULL, 5000, &result, &err), cases[i].code);
		assert_int_equal(ctl_client_refused(c), cases[i].refused);
		json_decref(result);
		ctl_client_close(c);
		pthread_join(thread, NULL);
	}
	close(l.fd);
	unlink(addr.sun_path);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_no_server),
		cmocka_unit_test(test_liars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

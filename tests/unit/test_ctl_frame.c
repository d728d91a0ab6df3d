// SPDX-License-Identifier: BSD-3-Clause
// Hostile clients: garbage, oversize lines, half messages, floods, those that never read.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/rng.h"
#include "ctl_fixture.h"

#define ECHO "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n"

static void
assert_alive(struct fix *f)
{
	int fd = raw_connect(f->path);

	fix_run(f);
	assert_int_equal(raw_code(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}"), 0);
	close(fd);
	fix_run(f);
}

static int
error_code(json_t *msg)
{
	int code = (int)json_integer_value(json_object_get(json_object_get(msg, "error"), "code"));

	json_decref(msg);
	return code;
}

// Each byte of a message in a packet of its own, and many messages in one.
static void
test_chunks(void **state)
{
	struct fix f;
	bool closed;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	for (const char *p = ECHO; *p != '\0'; p++)
		assert_true(raw_send(&f, fd, p, 1));
	assert_int_equal(f.handled, 1);
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), 0);
	assert_true(raw_say(&f, fd, ECHO "\n \r\n" ECHO ECHO));
	assert_int_equal(f.handled, 4);
	close(fd);
	fix_stop(&f);
}

static void
test_garbage(void **state)
{
	struct sl_rng rng = {.state = 42};
	struct fix f;
	int fd;

	fix_start(&f);
	for (unsigned round = 0; round < 200; round++) {
		char buf[512];
		size_t len = 1 + sl_rng_below(&rng, sizeof(buf));

		fd = raw_connect(f.path);
		for (size_t i = 0; i < len; i++)
			buf[i] = (char)sl_rng_next(&rng);
		raw_send(&f, fd, buf, len);
		close(fd);
		fix_run(&f);
	}
	assert_alive(&f);
	fix_stop(&f);
}

// Garbage costs one line, not the session.
static void
test_garbage_line(void **state)
{
	struct fix f;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	assert_int_equal(raw_code(&f, fd, "\x01\x02 GET / HTTP/1.0"), -32700);
	assert_true(raw_send(&f, fd, "{\"a\0b\":1}\n", 10));
	assert_int_equal(raw_code(&f, fd, ""), -32700); // the answer to the line with a NUL
	assert_int_equal(raw_code(&f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}"), 0);
	close(fd);
	fix_stop(&f);
}

static void
test_longest_line(void **state)
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}";
	char *line = malloc(CTL_LINE_MAX + 2);
	struct fix f;
	bool closed;
	int fd;

	assert_non_null(line);
	memset(line, ' ', CTL_LINE_MAX + 1);
	memcpy(line, head, sizeof(head) - 1);
	fix_start(&f);

	fd = raw_connect(f.path);
	line[CTL_LINE_MAX] = '\n';
	assert_true(raw_send(&f, fd, line, CTL_LINE_MAX + 1));
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), 0);
	assert_int_equal(f.handled, 1);

	line[CTL_LINE_MAX] = ' ';
	line[CTL_LINE_MAX + 1] = '\n';
	raw_send(&f, fd, line, CTL_LINE_MAX + 2);
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), -32600);
	assert_true(raw_is_closed(&f, fd));
	close(fd);
	assert_int_equal(f.handled, 1);
	assert_alive(&f);
	fix_stop(&f);
	free(line);
}

// A line without end is given up after 1 MiB.
static void
test_endless_line(void **state)
{
	char *chunk = malloc(CTL_LINE_MAX);
	struct fix f;
	bool closed, sent = true;
	int fd;

	assert_non_null(chunk);
	memset(chunk, '[', CTL_LINE_MAX);
	fix_start(&f);
	fd = raw_connect(f.path);
	for (unsigned i = 0; i < 8 && sent; i++)
		sent = raw_send(&f, fd, chunk, CTL_LINE_MAX);
	assert_false(sent);
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), -32600);
	assert_true(raw_is_closed(&f, fd));
	close(fd);
	free(chunk);
	fix_stop(&f);
}

static void
test_deep_nesting(void **state)
{
	struct fix f;
	bool closed;
	char *line = malloc(CTL_LINE_MAX);
	int fd;

	assert_non_null(line);
	memset(line, '[', CTL_LINE_MAX - 1);
	line[CTL_LINE_MAX - 1] = '\n';
	fix_start(&f);
	fd = raw_connect(f.path);
	assert_true(raw_send(&f, fd, line, CTL_LINE_MAX));
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), -32700);
	close(fd);
	free(line);
	fix_stop(&f);
}

static void
test_half_message(void **state)
{
	struct fix f;
	bool closed;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	assert_true(raw_say(&f, fd, "{\"jsonrpc\":\"2.0\","));
	assert_alive(&f);
	shutdown(fd, SHUT_WR);
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), -32700);
	assert_true(raw_is_closed(&f, fd));
	close(fd);
	fd = raw_connect(f.path);
	assert_true(raw_say(&f, fd, "{\"jsonrpc\":\"2.0\","));
	close(fd);
	assert_alive(&f);
	fix_stop(&f);
}

#define ASK "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}"

// 128 clients that have asked something: the next is refused with a reason, until one of them has
// been idle for a minute.
static void
test_idle_clients(void **state)
{
	int fds[CTL_SESSIONS_MAX];
	struct fix f;
	bool closed;
	int fd;

	fix_start(&f);
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++) {
		if (i == CTL_SESSIONS_MAX / 2)
			f.clock.manual_ns += SL_NS_PER_S;
		fds[i] = raw_connect(f.path);
		fix_run(&f);
		assert_int_equal(raw_code(&f, fds[i], ASK), 0);
	}
	fd = raw_connect(f.path);
	fix_run(&f);
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), -EBUSY);
	assert_true(raw_is_closed(&f, fd));
	close(fd);

	assert_int_equal(
		raw_code(&f, fds[3], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}"), 0);
	f.clock.manual_ns += 59 * SL_NS_PER_S + SL_NS_PER_S / 2; // the first half: over a minute
	fd = raw_connect(f.path);
	fix_run(&f);
	assert_int_equal(raw_code(&f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}"), 0);
	assert_int_equal(
		raw_code(&f, fds[3], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}"), 0);
	close(fd);
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++)
		close(fds[i]);
	fix_run(&f);
	assert_alive(&f);
	fix_stop(&f);
}

static void
take_all_sessions(struct fix *f, int fds[CTL_SESSIONS_MAX])
{
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++) {
		fds[i] = raw_connect(f->path);
		fix_run(f);
	}
}

// 127 clients that say nothing, or nothing that can be served, keep others out for a second only,
// and cost none that has asked its session.
static void
test_silent_clients(void **state)
{
	int fds[CTL_SESSIONS_MAX], more[CTL_SESSIONS_MAX];
	struct fix f;
	bool closed;

	fix_start(&f);
	take_all_sessions(&f, fds);
	assert_int_equal(raw_code(&f, fds[0], ASK), 0);
	assert_int_equal(raw_code(&f, fds[1], "{\"jsonrpc\":\"2.0\",\"id\":1}"), -32600);
	f.clock.manual_ns += SL_NS_PER_S / 2;
	more[0] = raw_connect(f.path);
	fix_run(&f);
	assert_int_equal(error_code(raw_line(&f, more[0], &closed)), -EBUSY);
	close(more[0]);
	f.clock.manual_ns += SL_NS_PER_S / 2;
	for (unsigned i = 1; i < CTL_SESSIONS_MAX; i++) {
		more[i] = raw_connect(f.path);
		fix_run(&f);
		assert_int_equal(raw_code(&f, more[i], ASK), 0);
	}
	assert_true(raw_is_closed(&f, fds[1]));
	assert_int_equal(raw_code(&f, fds[0], ASK), 0);
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++) {
		close(fds[i]);
		if (i > 0)
			close(more[i]);
	}
	fix_run(&f);
	assert_alive(&f);
	fix_stop(&f);
}

// A server that was busy for long finds a request of everybody, and a client more than it has room
// for: that one is turned away, and nobody who asked is closed unheard.
static void
test_unheard_clients(void **state)
{
	int fds[CTL_SESSIONS_MAX], fd;
	struct fix f;
	bool closed;

	fix_start(&f);
	take_all_sessions(&f, fds);
	f.clock.manual_ns += 2 * SL_NS_PER_S;
	fd = raw_connect(f.path);
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++)
		assert_int_equal(send(fds[i], ASK "\n", sizeof(ASK), MSG_NOSIGNAL), sizeof(ASK));
	fix_run(&f);
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), -EBUSY);
	close(fd);
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++) {
		assert_int_equal(error_code(raw_line(&f, fds[i], &closed)), 0);
		close(fds[i]);
	}
	fix_stop(&f);
}

// Who has waited for an answer for over a minute is not idle, nor who is still reading one.
static void
test_slow_answers(void **state)
{
	static const char later[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n";
	static const char big[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":"
				  "{\"size\":2000000}}\n";
	int fds[CTL_SESSIONS_MAX], fd;
	char buf[100000];
	ssize_t n = 0;
	size_t got = 0;
	struct fix f;
	bool closed;

	fix_start(&f);
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++) {
		fds[i] = raw_connect(f.path);
		assert_true(raw_say(&f, fds[i], i == 0 ? later : i == 1 ? big : ASK "\n"));
	}
	for (; f.clock.manual_ns < 1072 * SL_NS_PER_S; f.clock.manual_ns += 8 * SL_NS_PER_S) {
		n = recv(fds[1], buf, sizeof(buf), 0);
		assert_true(n > 0);
		got += (size_t)n;
		ctl_server_poll(f.server, 16);
	}
	for (unsigned i = 2; i < CTL_SESSIONS_MAX; i++)
		assert_true(raw_say(&f, fds[i], ASK "\n"));
	ctl_call_reply(f.later[0], json_object());
	fd = raw_connect(f.path);
	fix_run(&f);
	assert_int_equal(error_code(raw_line(&f, fd, &closed)), -EBUSY);
	close(fd);
	assert_int_equal(error_code(raw_line(&f, fds[0], &closed)), 0);
	assert_int_equal(raw_code(&f, fds[0], ASK), 0);
	for (; n > 0 && buf[n - 1] != '\n'; got += (size_t)n) {
		n = recv(fds[1], buf, sizeof(buf), 0);
		assert_true(n > 0);
		ctl_server_poll(f.server, 16);
	}
	assert_true(got > 2000000);
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++)
		close(fds[i]);
	fix_stop(&f);
}

// A client that asks and never reads: the server stops reading it, keeps nothing of it beyond the
// answers that wait, and closes it after 10 s; one that reads slowly stays.
static void
test_never_reads(void **state)
{
	char *flood = malloc(1000 * sizeof(ECHO));
	struct fix f;
	unsigned handled;
	int fd;

	assert_non_null(flood);
	for (unsigned i = 0; i < 1000; i++)
		memcpy(flood + i * (sizeof(ECHO) - 1), ECHO, sizeof(ECHO));
	fix_start(&f);
	fd = raw_connect(f.path);
	for (unsigned i = 0; i < 200; i++) {
		if (send(fd, flood, 1000 * (sizeof(ECHO) - 1), MSG_NOSIGNAL) < 0 && errno == EAGAIN)
			break;
		fix_run(&f);
	}
	handled = f.handled;
	assert_int_equal(send(fd, flood, 1000, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EAGAIN); // it is not read any more
	fix_run(&f);
	assert_int_equal(f.handled, handled);
	assert_alive(&f);
	f.clock.manual_ns += 9 * SL_NS_PER_S;
	ctl_server_poll(f.server, 16);
	assert_true(recv(fd, flood, 1000, MSG_PEEK) > 0); // still there
	f.clock.manual_ns += 2 * SL_NS_PER_S;
	ctl_server_poll(f.server, 16);
	assert_int_equal(send(fd, flood, 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(fd);
	free(flood);
	assert_alive(&f);
	fix_stop(&f);
}

static void
test_slow_reader(void **state)
{
	char buf[100000];
	size_t got = 0;
	ssize_t n;
	struct fix f;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	assert_true(raw_say(&f, fd,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":2000000}}"
		"\n"));
	while (got < 2000000) {
		f.clock.manual_ns += 8 * SL_NS_PER_S;
		ctl_server_poll(f.server, 16);
		n = recv(fd, buf, sizeof(buf), 0);
		assert_true(n > 0);
		got += (size_t)n;
		ctl_server_poll(f.server, 16);
	}
	close(fd);
	fix_stop(&f);
}

// An answer that is too large becomes an error, and the session goes on.
static void
test_big_answers(void **state)
{
	struct fix f;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	assert_int_equal(raw_code(&f, fd,
				 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{"
				 "\"size\":8000000}}"),
		0);
	assert_int_equal(raw_code(&f, fd,
				 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{"
				 "\"size\":9000000}}"),
		-EMSGSIZE);
	assert_int_equal(raw_code(&f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}"), 0);
	close(fd);
	fix_stop(&f);
}

// Deferred calls are bounded, too: above the bound the session is not read.
static void
test_many_deferred(void **state)
{
	static const char later[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n";
	struct fix f;
	int fd;

	fix_start(&f);
	fd = raw_connect(f.path);
	for (unsigned i = 0; i < 100; i++)
		assert_true(raw_say(&f, fd, later));
	assert_int_equal(f.n_later, CTL_LATER_MAX);
	assert_alive(&f);
	for (unsigned i = 0; i < f.n_later; i++) {
		ctl_call_reply(f.later[i], json_object());
		fix_run(&f);
		bool closed;

		json_decref(raw_line(&f, fd, &closed));
	}
	assert_int_equal(f.n_later, 100);
	close(fd);
	fix_stop(&f);
}

// A poll does no more than it may, and one that floods does not starve another.
static void
test_fair_turns(void **state)
{
	struct fix f;
	bool closed;
	int flood, other;
	json_t *msg;

	fix_start(&f);
	flood = raw_connect(f.path);
	other = raw_connect(f.path);
	fix_run(&f);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(send(flood, ECHO, sizeof(ECHO) - 1, 0), sizeof(ECHO) - 1);
	assert_int_equal(send(other, ECHO, sizeof(ECHO) - 1, 0), sizeof(ECHO) - 1);
	ctl_server_poll(f.server, 4);
	assert_int_equal(f.handled, 4);
	msg = raw_line(&f, other, &closed);
	assert_non_null(msg);
	json_decref(msg);
	fix_run(&f);
	assert_int_equal(f.handled, 101);
	close(flood);
	close(other);
	fix_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_garbage_line),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_half_message),
		cmocka_unit_test(test_idle_clients),
		cmocka_unit_test(test_silent_clients),
		cmocka_unit_test(test_unheard_clients),
		cmocka_unit_test(test_slow_answers),
		cmocka_unit_test(test_never_reads),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_big_answers),
		cmocka_unit_test(test_many_deferred),
		cmocka_unit_test(test_fair_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

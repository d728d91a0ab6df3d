// SPDX-License-Identifier: BSD-3-Clause
// The program sluicectl against a server with canned answers: what people see, exit codes,
// completion.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
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
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "ctl/commands.h"
#include "ctl/server.h"

#define FLOW "port=vm1 eth_src=02:00:00:00:00:01 ip tcp ip_src=10.0.0.1 ip_dst=10.0.0.2 dport=443"
#define REASON "light: it carries 1 bit/s, h\u00e9 and that is not enough for a place"

struct served {
	char dir[64];
	struct ctl_command *table;
	struct ctl_server *server;
	pthread_t thread;
	atomic_bool stop;
};

static int
answer_echo(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	*result = json_deep_copy(args);
	return 0;
}

static int
answer_refuse(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return sl_err_set(
		err, ENOENT, "/flow", "there is no flow \"%s\"", ctl_arg_str(args, "flow", ""));
}

static int
canned(const char *text, json_t **result)
{
	*result = json_loads(text, 0, NULL);
	assert_non_null(*result);
	return 0;
}

static int
answer_ports(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return canned(
		"{\"total\":7,\"items\":["
		"{\"extra\":1,\"name\":\"vm1\",\"switch\":\"sw0\",\"vm\":null,\"rx_packets\":5,"
		"\"rx_bytes\":1234567,\"hardware\":{\"nic0\":\"in-force\",\"nic1\":\"no\"}},"
		"{\"name\":\"longer-name\",\"switch\":\"s\\u001b\\u009b2\\u202e\",\"vm\":"
		"\"h\\u00e9\","
		"\"rx_packets\":12345,\"rx_bytes\":999,\"list\":[1,2]}]}",
		result);
}

static int
answer_status(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return canned("{\"flows\":{\"eswitch\":3,\"ring\":0},\"load_pct\":12.5,\"uptime_s\":93784,"
		      "\"pid\":42,\"ok\":true,\"rate_bps\":1e9,\"packets_per_s\":5000,\"wait_ms\":"
		      "5,\"names\":[],"
		      "\"workers\":[{\"lcore\":1,\"busy_pct\":7}]}",
		result);
}

static int
answer_vms(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return canned("{\"items\":[{\"name\":\"vm1\",\"flows\":7,\"match\":\"" FLOW
		      "\",\"reason\":\"" REASON "\"}]}",
		result);
}

static int
answer_rings(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return canned("{\"items\":[]}", result);
}

static int
answer_config(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return canned(
		"{\"switches\":[{\"name\":\"sw0\",\"tables\":[{\"name\":\"main\"}]}]}", result);
}

static int
answer_rule(
	void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return canned("{\"id\":1,\"nics\":[{\"nic\":\"nic0\",\"ports\":[{\"port\":\"vm1\","
		      "\"entries\":2},{\"port\":\"vm12\",\"entries\":0}],\"state\":\"partly\"},"
		      "{\"nic\":\"nic1\",\"ports\":[],\"state\":\"not\"}],\"live\":false}",
		result);
}

static ctl_handler
handler_of(const char *name)
{
	static const struct ctl_binding special[] = {
		{"port list", answer_ports},
		{"status", answer_status},
		{"vm list", answer_vms},
		{"rule show", answer_rule},
		{"ring list", answer_rings},
		{"config show", answer_config},
		{"flow explain", answer_refuse},
	};

	for (unsigned i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		if (strcmp(special[i].name, name) == 0)
			return special[i].handler;
	}
	return answer_echo;
}

static void *
serve(void *arg)
{
	struct served *s = arg;
	struct pollfd pfd = {.fd = ctl_server_fd(s->server), .events = POLLIN};

	while (!atomic_load(&s->stop)) {
		if (poll(&pfd, 1, 5) > 0)
			ctl_server_poll(s->server, 16);
	}
	return NULL;
}

static int
setup(void **state)
{
	struct ctl_binding bindings[64] = {{NULL, NULL}};
	struct served *s = calloc(1, sizeof(*s));
	struct sl_err err;
	char path[96];
	unsigned n = 0;

	assert_non_null(s);
	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		assert_true(n < 63);
		bindings[n++] = (struct ctl_binding){c->name, handler_of(c->name)};
	}
	sl_err_init(&err);
	snprintf(s->dir, sizeof(s->dir), "/tmp/sluice-cli-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(ctl_commands_bind(bindings, &s->table, &err), 0);
	assert_int_equal(ctl_server_new(s->table, s, NULL, &s->server), 0);
	snprintf(path, sizeof(path), "%s/s", s->dir);
	assert_int_equal(ctl_server_listen(s->server, path, false, &err), 0);
	snprintf(path, sizeof(path), "%s/ro", s->dir);
	assert_int_equal(ctl_server_listen(s->server, path, true, &err), 0);
	atomic_init(&s->stop, false);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct served *s = *state;

	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	ctl_server_free(s->server);
	free(s->table);
	assert_int_equal(rmdir(s->dir), 0);
	free(s);
	return 0;
}

// Runs `sluicectl ARGS` (words of a shell) and checks its exit code; all that it printed, on both
// streams, to out.
static void
run(struct served *s, const char *args, int code, struct sl_strbuf *out)
{
	char line[1024], buf[4096];
	FILE *pipe;
	size_t n;
	int ret;

	snprintf(line, sizeof(line), "SLUICE_SOCKET=%s/s '%s' 2>&1 %s", s->dir, SLUICECTL, args);
	sl_strbuf_reset(out);
	pipe = popen(line, "r");
	assert_non_null(pipe);
	while ((n = fread(buf, 1, sizeof(buf), pipe)) > 0)
		sl_strbuf_addn(out, buf, n);
	ret = pclose(pipe);
	if (!WIFEXITED(ret) || WEXITSTATUS(ret) != code)
		fail_msg("sluicectl %s: exit %d, not %d: %s", args, WEXITSTATUS(ret), code,
			sl_strbuf_str(out));
}

static void
expect(struct served *s, const char *args, int code, const char *text)
{
	struct sl_strbuf out;

	sl_strbuf_init(&out, 0);
	run(s, args, code, &out);
	assert_string_equal(sl_strbuf_str(&out), text);
	sl_strbuf_fini(&out);
}

static void
expect_has(struct served *s, const char *args, int code, const char *text)
{
	struct sl_strbuf out;

	sl_strbuf_init(&out, 0);
	run(s, args, code, &out);
	if (strstr(sl_strbuf_str(&out), text) == NULL)
		fail_msg("sluicectl %s:\n%s\nhas no\n%s", args, sl_strbuf_str(&out), text);
	sl_strbuf_fini(&out);
}

static void
test_table(void **state)
{
	expect(*state, "port list", 0,
		"NAME         SWITCH  VM  RX PACKETS  RX BYTES  EXTRA  HARDWARE                "
		"LIST\n"
		"vm1          sw0     -            5   1.23 MB      1  nic0 in-force, nic1 no  -\n"
		"longer-name  s??2?   h\u00e9       12345     999 B      -  -                      "
		" 1, 2\n"
		"2 of 7 (--limit 0 shows all)\n");
	expect(*state, "ring list", 0, "none\n");
}

// Runs `sluicectl ARGS` on a terminal of that width; what it shows to out.
static void
run_on_terminal(struct served *s, const char *args, unsigned short columns, struct sl_strbuf *out)
{
	struct winsize size = {.ws_row = 24, .ws_col = columns};
	char line[1024], buf[4096];
	int fd, status;
	ssize_t n;
	pid_t pid;

	snprintf(line, sizeof(line), "SLUICE_SOCKET=%s/s exec '%s' %s", s->dir, SLUICECTL, args);
	sl_strbuf_reset(out);
	pid = forkpty(&fd, NULL, NULL, &size);
	assert_true(pid >= 0);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", line, NULL);
		_exit(127);
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		sl_strbuf_addn(out, buf, (size_t)n);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
expect_on_terminal(struct served *s, const char *args, unsigned short columns, const char *text)
{
	struct sl_strbuf out;

	sl_strbuf_init(&out, 0);
	run_on_terminal(s, args, columns, &out);
	assert_string_equal(sl_strbuf_str(&out), text);
	sl_strbuf_fini(&out);
}

static void
test_terminal_width(void **state)
{
	const char *all = "NAME  FLOWS  MATCH"
			  "                                                                        "
			  "        REASON\r\n"
			  "vm1       7  " FLOW "  " REASON "\r\n";

	// nothing is cut where it fits
	expect_on_terminal(*state, "vm list", 200, all);
	expect_on_terminal(*state, "--wide vm list", 60, all);
	// text that is long gives way: a match its front, a sentence its end
	expect_on_terminal(*state, "vm list", 80,
		"NAME  FLOWS  MATCH                                 REASON\r\n"
		"vm1       7  ..10.0.0.1 ip_dst=10.0.0.2 dport=443  light: it carries 1 bit/s, "
		"..\r\n");
	// then the last columns go
	expect_on_terminal(*state, "vm list", 60,
		"NAME  FLOWS  MATCH\r\n"
		"vm1       7  ..tcp ip_src=10.0.0.1 ip_dst=10.0.0.2 dport=443\r\n"
		"(1 more column: --wide)\r\n");
	expect_on_terminal(*state, "vm list", 3, "NAME\r\nvm1\r\n(3 more columns: --wide)\r\n");
}

static void
test_object(void **state)
{
	expect(*state, "status", 0,
		"pid            42\n"
		"uptime         1d 02h\n"
		"workers\n"
		"  LCORE  BUSY\n"
		"      1   7 %\n"
		"flows\n"
		"  eswitch  3\n"
		"  ring     0\n"
		"load           12.5 %\n"
		"ok             yes\n"
		"rate           1.00 Gbit/s\n"
		"packets per s  5000\n"
		"wait           5 ms\n"
		"names          -\n");
}

// A list in a row of an object's list is a table below that row.
static void
test_table_in_a_row(void **state)
{
	expect(*state, "rule show 1", 0,
		"id    1\n"
		"nics\n"
		"  NIC   STATE\n"
		"  nic0  partly\n"
		"    PORT  ENTRIES\n"
		"    vm1         2\n"
		"    vm12        0\n"
		"  nic1  not\n"
		"live  no\n");
}

static void
test_json(void **state)
{
	expect(*state, "--json ring list", 0, "{\"items\":[]}\n");
	expect(*state, "ring list --json", 0, "{\"items\":[]}\n");
	expect(*state, "rule add any drop --priority 7 --wait --table=main --json", 0,
		"{\"priority\":7,\"wait\":true,\"table\":\"main\",\"match\":\"any\","
		"\"actions\":\"drop\"}\n");
	expect(*state, "--json config reload -- --odd-name", 0, "{\"file\":\"--odd-name\"}\n");
	expect(*state, "shutdown", 0, "");
}

static void
test_watch(void **state)
{
	struct sl_strbuf out;
	const char *second;

	sl_strbuf_init(&out, 0);
	run(*state, "--watch 0.1 ring list | head -n 6", 0, &out); // one round is 3 lines
	assert_int_equal(strncmp(sl_strbuf_str(&out), "ring list, every 0.1 s: ", 24), 0);
	second = strstr(sl_strbuf_str(&out) + 1, "ring list, every 0.1 s: ");
	assert_non_null(second);
	assert_non_null(strstr(second, "none\n"));
	sl_strbuf_fini(&out);
}

static void
test_refusals(void **state)
{
	struct served *s = *state;
	char args[128];

	expect(s, "flow explain tcp dport=80", 1,
		"sluicectl: /flow: there is no flow \"tcp dport=80\"\n");
	expect(s, "flow explain 'a\xc2\x9b'", 1, "sluicectl: /flow: there is no flow \"a?\"\n");
	snprintf(args, sizeof(args), "--socket %s/ro shutdown", s->dir);
	expect(s, args, 1, "sluicectl: shutdown changes things, and this socket is read-only\n");
}

// As many sessions as the server takes, that say nothing: sluicectl waits for room.
static void
test_room(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct served *s = *state;
	int fds[CTL_SESSIONS_MAX];

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", s->dir);
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
	}
	expect(s, "ring list", 0, "none\n");
	for (unsigned i = 0; i < CTL_SESSIONS_MAX; i++)
		close(fds[i]);
}

static void
test_usage(void **state)
{
	static const struct {
		const char *args;
		const char *says;
	} cases[] = {
		{"", "usage: sluicectl"},
		{"flow", "flow explain"},
		{"flow lst", "there is no command \"flow lst\", is \"flow list\" meant?\ncommands "
			     "of flow"},
		{"flow explian f1", "is \"flow explain\" meant?"},
		{"flow zzz",
			"there is no command \"flow zzz\" (see sluicectl help)\ncommands of flow"},
		{"flwo list", "there is no command \"flwo list\", is \"flow\" meant?"},
		{"ports", "there is no command \"ports\", is \"port\" meant?"},
		{"stauts", "is \"status\" meant?"},
		{"help stauts", "is \"status\" meant?"},
		{"flow list --plcae ring",
			"flow list: option --plcae is not known, is --place meant?"},
		{"--jsno status", "option --jsno is not known, is --json meant?"},
		{"completion", "bash or zsh"},
		{"completion tcsh", "bash or zsh"},
		{"status >/dev/full", "standard output: No space left"},
		{"help >/dev/full", "standard output: No space left"},
		{"nonsense", "there is no command \"nonsense\""},
		{"flow list x", "\"x\" is one word too many"},
		{"flow show", "flow show needs flow"},
		{"rule add any", "rule add needs actions"},
		{"flow list --limit x", "limit: \"x\" is not a whole number from 0 to 10000000"},
		{"flow list --limit -1", "is not a whole number"},
		{"flow list --limit 1 --limit 2", "limit is given twice"},
		{"flow list --limit", "--limit needs a value"},
		{"flow list --bogus", "flow list: option --bogus is not known"},
		{"stats --settle=1", "--settle takes no value"},
		{"--watch 0 stats", "--watch: \"0\" is not 0.1 to 86400 seconds"},
		{"--timeout x stats", "--timeout"},
		{"--socket /nonexistent/s stats", "is sluiced running"},
		{"help nonsense", "there is no command"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_has(*state, cases[i].args, 2, cases[i].says);
}

static void
test_help(void **state)
{
	char args[64];

	expect_has(*state, "help", 0, "  rule add ");
	expect_has(*state, "--help", 0, "exit: 0 done");
	expect_has(*state, "help flow", 0, "flow explain");
	expect_has(*state, "--version", 0, "sluicectl ");
	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		if (strcmp(c->name, "help") == 0)
			continue;
		snprintf(args, sizeof(args), "help %s", c->name);
		expect_has(*state, args, 0, c->help);
		snprintf(args, sizeof(args), "%s --help", c->name);
		expect_has(*state, args, 0, c->help);
	}
}

static void
test_completion(void **state)
{
	expect_has(*state, "completion bash", 0, "complete -F _sluicectl sluicectl");
	expect_has(*state, "completion zsh", 0, "bashcompinit\n_sluicectl()");
	expect(*state, "__complete completion ''", 0, "bash\nzsh\n");
	expect(*state, "__complete rule ''", 0, "list\nshow\nadd\nreplace\ndel\n");
	expect(*state, "__complete queue list --kind ''", 0, "rx\ntx\nvf\n");
	expect(*state, "__complete queue list --kind = r", 0, "rx\ntx\nvf\n");
	expect(*state, "__complete port show ''", 0, "vm1\nlonger-name\n");
	expect(*state, "__complete rule add any drop --table ''", 0, "main\n");
	expect(*state, "__complete mac list --switch ''", 0, "sw0\n");
	expect(*state, "__complete --socket ''", 0, ":file\n");
	expect(*state, "__complete --socket /nonexistent/s port show ''", 0, "");
	expect_has(*state, "__complete flow list --", 0, "--place\n");
	expect_has(*state, "__complete ''", 0, "status\nport\nvm\n");
	expect_has(*state, "__complete help flow ''", 0, "explain\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_terminal_width),
		cmocka_unit_test(test_object),
		cmocka_unit_test(test_table_in_a_row),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: BSD-3-Clause
// sluicectl: asks sluiced over its control socket and prints the answer.
#include "sluicectl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "ctl/client.h"
#include "sluicectl_cell.h"
#include "sluicectl_live.h"

static int
fail(int code, const struct sl_err *err)
{
	char buf[SL_ERR_PATH_MAX + SL_ERR_TEXT_MAX + 4];
	struct sl_strbuf text;

	sl_strbuf_init(&text, 0);
	cell_add_text(&text, sl_err_str(err, buf, sizeof(buf)));
	fprintf(stderr, "sluicectl: %s\n", sl_strbuf_str(&text));
	sl_strbuf_fini(&text);
	return code;
}

static void
print_json(const json_t *result)
{
	// A terminal is shown no character that it may take for an order.
	json_dumpf(result, stdout,
		isatty(STDOUT_FILENO) ? JSON_INDENT(2) | JSON_ENSURE_ASCII : JSON_COMPACT);
	printf("\n");
}

// 0: no bound.
static size_t
terminal_width(const struct options *opts)
{
	struct winsize size;

	if (opts->wide || !isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

static void
print_answer(const struct options *opts, const struct ctl_command *c, const json_t *result)
{
	if (opts->json || c->fields[0] == '\0') {
		// a document (config show) is for people as it is; an empty answer says nothing
		if (opts->json || json_object_size(result) > 0)
			print_json(result);
		return;
	}
	render(stdout, terminal_width(opts), result, c->fields, c->lines);
}

static void
print_watch_head(const struct options *opts, const struct ctl_command *c)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[16];

	if (opts->watch_s == 0 || opts->json)
		return;
	if (isatty(STDOUT_FILENO))
		printf("\033[H\033[2J");
	strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&now, &tm));
	printf("%s, every %g s: %s\n\n", c->name, opts->watch_s, text);
}

static void
wait_seconds(double seconds)
{
	struct timespec ts = {.tv_sec = (time_t)seconds};

	ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
	nanosleep(&ts, NULL);
}

// What was printed may wait in a buffer still, and a disk may be full.
static int
flush_output(int code)
{
	struct sl_err err;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	sl_err_init(&err);
	sl_err_set(&err, errno, NULL, "standard output: %s", strerror(errno));
	return code == EXIT_OK ? fail(EXIT_USAGE, &err) : code;
}

// ---- live

#define LIVE_S 1.0
#define LIVE_HEAD 5 // lines that are not flows

struct sort_key {
	int key;
	const char *word;
};

static const struct sort_key sorts[] = {
	{'r', "rate"}, {'s', "slow"}, {'p', "packets"}, {'b', "bytes"}, {'a', "age"}, {0, NULL}};

// False: the key ends it.
static bool
live_key(int key, json_t *params, double *every)
{
	const struct sort_key *k;

	for (k = sorts; k->word != NULL; k++) {
		if (k->key == key)
			json_object_set_new(params, "sort", json_string(k->word));
	}
	if (key == '+' && *every < 60)
		*every *= 2;
	if (key == '-' && *every > 0.2)
		*every /= 2;
	return key != 'q' && key != LIVE_END;
}

// It asks, draws, waits for a key.
static int
run_live(const struct options *opts, const struct ctl_command *c, struct ctl_client *client,
	json_t *params, struct live *l, struct sl_err *err)
{
	const int timeout_ms = opts->timeout_ms > 0 ? opts->timeout_ms : -1;
	const bool limited = json_object_get(params, "limit") != NULL;
	double every = LIVE_S;
	json_t *result;
	int key;

	live_clear(l);
	do {
		const char *sort = json_string_value(json_object_get(params, "sort"));

		if (!limited)
			json_object_set_new(params, "limit",
				json_integer(l->rows > LIVE_HEAD + 1 ? l->rows - LIVE_HEAD : 1));
		if (ctl_client_call(client, c->name, params, timeout_ms, &result, err) != 0)
			return ctl_client_refused(client) ? EXIT_REFUSED : EXIT_USAGE;
		live_clear(l);
		printf("%s by %s, every %g s (q: end; + -: pace; r s p b a: sort)\n\n", c->name,
			sort != NULL ? sort : "rate", every);
		json_object_del(result, "total");
		render(stdout, terminal_width(opts), result, c->fields, NULL);
		json_decref(result);
		key = live_wait(l, every);
	} while (live_key(key, params, &every));
	return EXIT_OK;
}

static bool
wants_live(const struct options *opts, const struct ctl_command *c)
{
	return c->live && !opts->json && opts->watch_s == 0;
}

static int
run(const struct options *opts, const struct ctl_command *c, json_t *params)
{
	struct ctl_client *client;
	struct sl_err err;
	struct live live;
	json_t *result;
	int code = EXIT_OK;

	sl_err_init(&err);
	if (ctl_client_open(opts->socket, &client, &err) != 0)
		return fail(EXIT_USAGE, &err);
	if (wants_live(opts, c) && live_start(&live)) {
		code = run_live(opts, c, client, params, &live, &err);
		live_stop(&live);
		ctl_client_close(client);
		return code == EXIT_OK ? code : fail(code, &err);
	}
	do {
		if (ctl_client_call(client, c->name, params,
			    opts->timeout_ms > 0 ? opts->timeout_ms : -1, &result, &err) != 0) {
			code = fail(ctl_client_refused(client) ? EXIT_REFUSED : EXIT_USAGE, &err);
			break;
		}
		print_watch_head(opts, c);
		print_answer(opts, c, result);
		json_decref(result);
		code = flush_output(code);
		if (code != EXIT_OK)
			break;
		if (opts->watch_s > 0)
			wait_seconds(opts->watch_s);
	} while (opts->watch_s > 0);
	ctl_client_close(client);
	return code;
}

// `help`, `help NOUN`, `help NOUN VERB`, without a server.
static int
run_help(char **words, int n)
{
	const struct ctl_command *c = NULL;
	char name[64] = "";

	if (n == 0) {
		help_all(stdout);
		return EXIT_OK;
	}
	snprintf(name, sizeof(name), "%s%s%s", words[0], n > 1 ? " " : "", n > 1 ? words[1] : "");
	c = ctl_command_find(ctl_commands(), name);
	if (c != NULL && n <= 2) {
		help_command(stdout, c);
		return EXIT_OK;
	}
	if (n == 1 && help_noun(stdout, name))
		return EXIT_OK;
	if (strcmp(words[0], "completion") == 0) {
		help_completion(stdout);
		return EXIT_OK;
	}
	help_unknown(stderr, words, n);
	return EXIT_USAGE;
}

// Words that begin no command.
static int
run_unknown(char **words, int n)
{
	if (n > 0 && strcmp(words[0], "completion") == 0) {
		if (n == 2 && complete_script(stdout, words[1]))
			return EXIT_OK;
		fprintf(stderr, "sluicectl: completion needs the name of a shell: bash or zsh\n");
		help_completion(stderr);
		return EXIT_USAGE;
	}
	if (n == 0)
		help_all(stderr);
	else if (n > 1 || !help_noun(stderr, words[0]))
		help_unknown(stderr, words, n);
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	const char *env = getenv("SLUICE_SOCKET");
	struct options opts = {.timeout_ms = 30000};
	const struct ctl_command *c;
	char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct sl_err err;
	json_t *params;
	int n = 0, code;

	if (words == NULL)
		return EXIT_USAGE;
	opts.socket = env != NULL && env[0] != '\0' ? env : SLUICECTL_SOCKET;
	sl_err_init(&err);
	if (argc > 1 && strcmp(argv[1], "__complete") == 0) {
		complete_words(stdout, argc - 2, argv + 2);
		code = EXIT_OK;
		params = NULL;
	} else if (args_parse(argc, argv, &opts, &c, &params, words, &n, &err) != 0) {
		code = fail(EXIT_USAGE, &err);
		if (c != NULL)
			fprintf(stderr, "try: sluicectl help %s\n", c->name);
	} else if (opts.version) {
		printf("sluicectl %s\n", SLUICE_VERSION);
		code = EXIT_OK;
	} else if (c != NULL && strcmp(c->name, "help") == 0) {
		code = run_help(words + 1, n - 1);
	} else if (opts.help) {
		code = run_help(words, n);
	} else if (c == NULL) {
		code = run_unknown(words, n);
	} else {
		code = run(&opts, c, params);
	}
	json_decref(params);
	free(words);
	return flush_output(code);
}

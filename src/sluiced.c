// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "control/control.h"
#include "eal.h"

// sluiced [EAL arguments] -- --config FILE        runs the switch
// sluiced --check FILE                            judges a configuration, without EAL
// sluiced --schema | --reference | --version      prints a document

#define EXIT_RUNTIME 1
#define EXIT_USAGE 2
#define LOG_LINES 2000

struct options {
	const char *config, *check;
	bool schema, reference, version, help;
};

static void
usage(FILE *f)
{
	fputs("usage: sluiced [EAL arguments --] --config FILE\n"
	      "       sluiced --check FILE\n"
	      "       sluiced --schema | --reference | --version | --help\n"
	      "\n"
	      "  --config FILE   run with this configuration\n"
	      "  --check FILE    judge a configuration and end: exit code 0, or 2 and one line for "
	      "each mistake\n"
	      "  --schema        print the JSON schema of the configuration\n"
	      "  --reference     print the reference of the configuration\n"
	      "\n"
	      "SIGHUP makes it read its configuration again, all of it or nothing, as `sluicectl "
	      "config "
	      "reload`\n"
	      "does; its log says what came of it. SIGTERM and SIGINT end it. Talk to it with "
	      "sluicectl.\n",
		f);
}

static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", required_argument, NULL, 'k'},
		{"schema", no_argument, NULL, 's'},
		{"reference", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int ch;

	memset(o, 0, sizeof(*o));
	optind = 1;
	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (ch) {
		case 'c':
			o->config = optarg;
			break;
		case 'k':
			o->check = optarg;
			break;
		case 's':
			o->schema = true;
			break;
		case 'r':
			o->reference = true;
			break;
		case 'v':
			o->version = true;
			break;
		case 'h':
			o->help = true;
			break;
		default:
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

static void
say(const struct sl_err *err)
{
	char text[SL_ERR_PATH_MAX + SL_ERR_TEXT_MAX + 4];

	fprintf(stderr, "sluiced: %s\n", sl_err_str(err, text, sizeof(text)));
}

static int
print_text(char *text)
{
	if (text == NULL)
		return EXIT_RUNTIME;
	fputs(text, stdout);
	free(text);
	return 0;
}

// One line for each fault.
static int
judge(const char *path, struct config **cfg)
{
	struct config_faults faults;
	unsigned i;

	if (config_load_all(path, NULL, cfg, &faults) == 0)
		return 0;
	for (i = 0; i < faults.n; i++)
		say(&faults.list[i]);
	return EXIT_USAGE;
}

static int
check(const char *path)
{
	struct config *cfg = NULL;
	int rc = judge(path, &cfg);

	config_free(cfg);
	return rc;
}

// SIGINT, SIGTERM and SIGHUP (read the configuration again) arrive here and nowhere else: they are
// blocked in every thread.
static void *
wait_for_signal(void *arg)
{
	struct control *c = arg;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	while (sigwait(&set, &sig) == 0 && sig == SIGHUP)
		control_reload(c);
	control_stop(c);
	return NULL;
}

static void
block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void
block_signals(void)
{
	block(SIGINT);
	block(SIGTERM);
	signal(SIGPIPE, SIG_IGN);
}

static int
serve(struct config *cfg, const char *path, struct sl_log *log)
{
	const struct control_cfg cc = {.config_path = path, .config = cfg, .log = log};
	struct control *c;
	pthread_t waiter;
	struct sl_err err;

	sl_err_init(&err);
	if (control_new(&cc, &c, &err) != 0) {
		say(&err);
		return EXIT_RUNTIME;
	}
	if (pthread_create(&waiter, NULL, wait_for_signal, c) != 0) {
		control_free(c);
		return EXIT_RUNTIME;
	}
	sl_log(log, SL_LOG_INFO, "sluiced %s runs", SLUICE_VERSION);
	control_run(c);
	pthread_cancel(waiter);
	pthread_join(waiter, NULL);
	control_free(c);
	sl_log(log, SL_LOG_INFO, "sluiced has ended");
	return 0;
}

static int
run(const char *path, int eal_argc, char **eal_argv)
{
	struct config *cfg = NULL;
	struct sl_log *log;
	struct eal *eal;
	struct sl_err err;
	int rc;

	block(SIGHUP); // a file that changes while it is read is read again when there is a switch
	rc = judge(path, &cfg);
	if (rc != 0)
		return rc;
	sl_err_init(&err);
	log = sl_log_new(cfg->log_level, LOG_LINES);
	if (log == NULL)
		return EXIT_RUNTIME;
	block_signals();
	if (eal_start(cfg, eal_argc, eal_argv, log, &eal, &err) != 0) {
		say(&err);
		config_free(cfg);
		sl_log_free(log);
		return EXIT_RUNTIME;
	}
	rc = serve(cfg, path, log);
	eal_stop(eal);
	sl_log_free(log);
	return rc;
}

int
main(int argc, char **argv)
{
	struct options o;
	int split;

	// What stands before "--" is EAL's.
	for (split = argc - 1; split > 0 && strcmp(argv[split], "--") != 0; split--)
		;
	argv[split] = argv[0];
	if (parse_options(argc - split, argv + split, &o) != 0) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (o.help) {
		usage(stdout);
		return 0;
	}
	if (o.version) {
		puts("sluiced " SLUICE_VERSION);
		return 0;
	}
	if (o.schema || o.reference)
		return print_text(o.schema ? config_schema() : config_reference());
	if (o.check != NULL)
		return check(o.check);
	if (o.config == NULL) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return run(o.config, split > 0 ? split - 1 : 0, argv + 1);
}

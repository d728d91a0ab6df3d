// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/strbuf.h"
#include "sluicectl.h"

struct words {
	int argc;
	char **argv;
	int next;
	bool no_options; // after "--"
};

// The value of option name: what follows '=', or the next word.
static const char *
option_value(struct words *w, const char *name, const char *inlined, struct sl_err *err)
{
	if (inlined != NULL)
		return inlined;
	if (w->next < w->argc)
		return w->argv[w->next++];
	sl_err_set(err, EINVAL, NULL, "--%s needs a value", name);
	return NULL;
}

static int
parse_seconds(const char *name, const char *text, double min, double *out, struct sl_err *err)
{
	char *end;

	if (text == NULL)
		return err->code;
	*out = strtod(text, &end);
	if (end == text || *end != '\0' || !(*out >= min && *out <= 86400))
		return sl_err_set(err, EINVAL, NULL, "--%s: \"%s\" is not %g to 86400 seconds",
			name, text, min);
	return 0;
}

// An option of sluicectl itself: 1 when it was one, 0 when not.
static int
own_option(struct words *w, const char *name, const char *inlined, struct options *opts,
	struct sl_err *err)
{
	bool *flag = NULL;
	double seconds = 0;

	if (strcmp(name, "json") == 0)
		flag = &opts->json;
	else if (strcmp(name, "wide") == 0)
		flag = &opts->wide;
	else if (strcmp(name, "help") == 0)
		flag = &opts->help;
	else if (strcmp(name, "version") == 0)
		flag = &opts->version;
	if (flag != NULL) {
		*flag = true;
		if (inlined != NULL)
			return sl_err_set(err, EINVAL, NULL, "--%s takes no value", name);
		return 1;
	}
	if (strcmp(name, "socket") == 0) {
		opts->socket = option_value(w, name, inlined, err);
		return opts->socket != NULL ? 1 : err->code;
	}
	if (strcmp(name, "timeout") == 0) {
		if (parse_seconds(name, option_value(w, name, inlined, err), 0, &seconds, err) != 0)
			return err->code;
		opts->timeout_ms = (int)(seconds * 1000);
		return 1;
	}
	if (strcmp(name, "watch") == 0) {
		if (parse_seconds(name, option_value(w, name, inlined, err), 0.1, &opts->watch_s,
			    err) != 0)
			return err->code;
		return 1;
	}
	return 0;
}

static int
put_value(json_t *params, const struct ctl_arg *arg, const char *text, struct sl_err *err)
{
	json_t *value;
	char *end;

	if (json_object_get(params, arg->name) != NULL)
		return sl_err_set(err, EINVAL, NULL, "%s is given twice", arg->name);
	if (arg->type == CTL_INT) {
		errno = 0;
		long long n = strtoll(text, &end, 0);

		if (errno != 0 || end == text || *end != '\0' || n < 0 ||
			(arg->max > 0 && n > arg->max))
			return sl_err_set(err, EINVAL, NULL,
				"%s: \"%s\" is not a whole number from 0%s%.0" PRId64, arg->name,
				text, arg->max > 0 ? " to " : "", arg->max);
		value = json_integer(n);
	} else {
		value = json_string(text);
		if (value == NULL)
			return sl_err_set(err, EINVAL, NULL, "%s is not valid UTF-8", arg->name);
	}
	json_object_set_new(params, arg->name, value);
	return 0;
}

static const struct ctl_arg *
option_arg(const struct ctl_command *c, const char *name)
{
	for (unsigned i = 0; c != NULL && i < CTL_ARGS_MAX && c->args[i].name != NULL; i++) {
		if (strcmp(c->args[i].name, name) == 0)
			return &c->args[i];
	}
	return NULL;
}

static int
unknown_option(const struct ctl_command *c, const char *name, struct sl_err *err)
{
	static const char *const own[] = {
		"socket", "json", "wide", "timeout", "watch", "help", "version"};
	const char *of = c != NULL ? c->name : "", *what = c != NULL ? ": option" : "option";
	struct sl_near near;

	sl_near_init(&near, name);
	for (unsigned i = 0; c != NULL && i < CTL_ARGS_MAX && c->args[i].name != NULL; i++)
		sl_near_try(&near, c->args[i].name);
	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sl_near_try(&near, own[i]);
	if (near.best != NULL)
		return sl_err_set(err, EINVAL, NULL, "%s%s --%s is not known, is --%s meant?", of,
			what, name, near.best);
	return sl_err_set(err, EINVAL, NULL, "%s%s --%s is not known", of, what, name);
}

static int
take_option(struct words *w, const char *word, const struct ctl_command *c, struct options *opts,
	json_t *params, struct sl_err *err)
{
	const char *inlined = strchr(word, '=');
	const struct ctl_arg *arg;
	const char *value;
	char name[32];
	size_t len = inlined != NULL ? (size_t)(inlined - word) : strlen(word);
	int ret;

	if (len >= sizeof(name))
		return sl_err_set(err, EINVAL, NULL, "unknown option --%s", word);
	memcpy(name, word, len);
	name[len] = '\0';
	inlined = inlined != NULL ? inlined + 1 : NULL;
	ret = own_option(w, name, inlined, opts, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	arg = option_arg(c, name);
	if (arg == NULL)
		return unknown_option(c, name, err);
	if (arg->type == CTL_BOOL) {
		if (inlined != NULL)
			return sl_err_set(err, EINVAL, NULL, "--%s takes no value", name);
		json_object_set_new(params, name, json_true());
		return 0;
	}
	value = option_value(w, name, inlined, err);
	return value != NULL ? put_value(params, arg, value, err) : err->code;
}

static int
join_words(const struct ctl_arg *arg, char **words, int n, json_t *params, struct sl_err *err)
{
	struct sl_strbuf joined;
	int ret;

	sl_strbuf_init(&joined, 0);
	for (int i = 0; i < n; i++)
		sl_strbuf_addf(&joined, "%s%s", i > 0 ? " " : "", words[i]);
	ret = put_value(params, arg, sl_strbuf_str(&joined), err);
	sl_strbuf_fini(&joined);
	return ret;
}

// The words that are left over to the positional arguments in turn. A command with a single one
// takes all words for it: `flow explain tcp dport=80`.
static int
place_words(const struct ctl_command *c, char **words, int n, json_t *params, struct sl_err *err)
{
	const struct ctl_arg *places[CTL_ARGS_MAX];
	int n_places = 0;

	for (unsigned i = 0; i < CTL_ARGS_MAX && c->args[i].name != NULL; i++) {
		if (c->args[i].positional && json_object_get(params, c->args[i].name) == NULL)
			places[n_places++] = &c->args[i];
	}
	if (n_places == 1 && n > 1 && places[0]->type == CTL_STR)
		return join_words(places[0], words, n, params, err);
	if (n > n_places)
		return sl_err_set(err, EINVAL, NULL, "%s: \"%s\" is one word too many", c->name,
			words[n_places]);
	for (int i = 0; i < n; i++) {
		if (put_value(params, places[i], words[i], err) != 0)
			return err->code;
	}
	return 0;
}

// The command that the first words name; *used: how many of them.
static const struct ctl_command *
find_command(char **words, int n, int *used)
{
	const struct ctl_command *c = NULL;
	char name[64];

	*used = 2;
	if (n >= 2) {
		snprintf(name, sizeof(name), "%s %s", words[0], words[1]);
		c = ctl_command_find(ctl_commands(), name);
	}
	if (c == NULL && n >= 1) {
		*used = 1;
		c = ctl_command_find(ctl_commands(), words[0]);
	}
	return c;
}

static int
check_required(const struct ctl_command *c, const json_t *params, struct sl_err *err)
{
	for (unsigned i = 0; i < CTL_ARGS_MAX && c->args[i].name != NULL; i++) {
		if (c->args[i].required && json_object_get(params, c->args[i].name) == NULL)
			return sl_err_set(err, EINVAL, NULL, "%s needs %s (%s)", c->name,
				c->args[i].name, c->args[i].help);
	}
	return 0;
}

int
args_parse(int argc, char **argv, struct options *opts, const struct ctl_command **command,
	json_t **params, char **words, int *n_words, struct sl_err *err)
{
	struct words w = {.argc = argc, .argv = argv, .next = 1};
	int used = 0, n = 0, ret;

	*command = NULL;
	*params = json_object();
	while (w.next < w.argc) {
		char *word = w.argv[w.next++];

		if (w.no_options || strncmp(word, "--", 2) != 0) {
			words[n++] = strcmp(word, "-h") == 0 ? (opts->help = true, "") : word;
			if (words[n - 1][0] == '\0' && opts->help)
				n--;
			else if (n <= 2)
				*command = find_command(words, n, &used);
		} else if (word[2] == '\0') {
			w.no_options = true;
		} else if (take_option(&w, word + 2, *command, opts, *params, err) != 0) {
			return err->code;
		}
	}
	*n_words = n;
	if (*command == NULL || opts->help)
		return 0;
	ret = place_words(*command, words + used, n - used, *params, err);
	return ret != 0 ? ret : check_required(*command, *params, err);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "sluicectl.h"

#define NAME_WIDTH 17 // of the longest command, and one

static void
list_commands(FILE *out, const char *noun)
{
	size_t len = noun != NULL ? strlen(noun) : 0;

	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		if (noun == NULL || (strncmp(c->name, noun, len) == 0 && c->name[len] == ' '))
			fprintf(out, "  %-*s %s\n", NAME_WIDTH, c->name, c->help);
	}
}

void
help_all(FILE *out)
{
	fprintf(out,
		"usage: sluicectl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
		"options\n"
		"  --socket PATH   control socket (SLUICE_SOCKET; " SLUICECTL_SOCKET ")\n"
		"  --json          the answer as JSON\n"
		"  --wide          tables with all columns, also where the terminal is narrow\n"
		"  --timeout S     give up after S seconds (default 30, 0: never)\n"
		"  --watch S       again every S seconds\n"
		"  --help          of sluicectl, or of the command\n"
		"  --version\n\n"
		"commands\n");
	list_commands(out, NULL);
	fprintf(out, "  %-*s %s\n\n", NAME_WIDTH, "completion bash",
		"a script that completes commands and names (or zsh)");
	fprintf(out, "exit: 0 done, 1 refused by sluiced, 2 wrong usage or no connection\n");
}

static bool
is_noun(const char *word)
{
	const size_t len = strlen(word);

	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
			return true;
	}
	return false;
}

bool
help_noun(FILE *out, const char *noun)
{
	if (!is_noun(noun))
		return false;
	fprintf(out, "commands of %s (sluicectl help %s VERB tells more)\n", noun, noun);
	list_commands(out, noun);
	return true;
}

// The nearest noun, or the nearest verb of a noun that is known.
static void
try_words(struct sl_near *near, const char *noun)
{
	const size_t skip = noun != NULL ? strlen(noun) + 1 : 0;

	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		if (noun == NULL)
			sl_near_try_len(near, c->name, strcspn(c->name, " "));
		else if (strncmp(c->name, noun, skip - 1) == 0 && c->name[skip - 1] == ' ')
			sl_near_try(near, c->name + skip);
	}
	if (noun == NULL)
		sl_near_try(near, "completion");
}

void
help_unknown(FILE *out, char **words, int n)
{
	const bool noun = n > 1 && is_noun(words[0]);
	struct sl_near near;

	sl_near_init(&near, words[noun ? 1 : 0]);
	try_words(&near, noun ? words[0] : NULL);
	fprintf(out, "sluicectl: there is no command \"%s%s%s\"", words[0], n > 1 ? " " : "",
		n > 1 ? words[1] : "");
	if (near.best != NULL)
		fprintf(out, ", is \"%s%s%.*s\" meant?\n", noun ? words[0] : "", noun ? " " : "",
			(int)near.best_len, near.best);
	else
		fprintf(out, " (see sluicectl help)\n");
	if (noun)
		help_noun(out, words[0]);
}

void
help_completion(FILE *out)
{
	fprintf(out, "usage: sluicectl completion bash|zsh\n\n"
		     "prints a script that completes commands, options, choices, and the names of\n"
		     "ports, VMs, rules and so on of the sluiced that runs:\n\n"
		     "  source <(sluicectl completion bash)\n");
}

static void
list_argument(FILE *out, const struct ctl_arg *a)
{
	char name[48];

	snprintf(name, sizeof(name), "%s%s", a->positional ? "" : "--", a->name);
	for (char *p = name; a->positional && *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	fprintf(out, "  %-15s %s", name, a->help);
	if (a->complete != NULL && strchr(a->complete, '|') != NULL)
		fprintf(out, ": %s", a->complete);
	fprintf(out, "\n");
}

void
help_command(FILE *out, const struct ctl_command *c)
{
	char *usage = ctl_command_usage(c);

	fprintf(out, "usage: sluicectl %s\n\n%s\n", usage != NULL ? usage : c->name, c->help);
	free(usage);
	if (c->args[0].name != NULL)
		fprintf(out, "\n");
	for (unsigned i = 0; i < CTL_ARGS_MAX && c->args[i].name != NULL; i++)
		list_argument(out, &c->args[i]);
	if (c->fields[0] != '\0')
		fprintf(out, "\nfields: %s\n", c->fields);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sluicectl.h"

static void
list_commands(FILE *out, const char *noun)
{
	size_t len = noun != NULL ? strlen(noun) : 0;

	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		if (noun == NULL || (strncmp(c->name, noun, len) == 0 && c->name[len] == ' '))
			fprintf(out, "  %-15s %s\n", c->name, c->help);
	}
}

void
help_all(FILE *out)
{
	fprintf(out, "usage: sluicectl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
		     "options\n"
		     "  --socket PATH   control socket (SLUICE_SOCKET; " SLUICECTL_SOCKET ")\n"
		     "  --json          the answer as JSON\n"
		     "  --timeout S     give up after S seconds (default 30, 0: never)\n"
		     "  --watch S       again every S seconds\n"
		     "  --help          of sluicectl, or of the command\n"
		     "  --version\n\n"
		     "commands\n");
	list_commands(out, NULL);
	fprintf(out, "  %-15s %s\n\n", "completion bash", "a completion script: source it");
	fprintf(out, "exit: 0 done, 1 refused by sluiced, 2 wrong usage or no connection\n");
}

bool
help_noun(FILE *out, const char *noun)
{
	size_t len = strlen(noun);
	const struct ctl_command *c = ctl_commands();

	while (c->name != NULL && !(strncmp(c->name, noun, len) == 0 && c->name[len] == ' '))
		c++;
	if (c->name == NULL)
		return false;
	fprintf(out, "commands of %s (sluicectl help %s VERB tells more)\n", noun, noun);
	list_commands(out, noun);
	return true;
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

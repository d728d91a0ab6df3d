// SPDX-License-Identifier: BSD-3-Clause
// Prints a generated page of config/: schema, reference or commands. `ninja update-docs` writes all
// three; unit tests compare them with the tree.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "ctl/commands.h"

int
main(int argc, char **argv)
{
	char *text = NULL;

	if (argc == 2 && strcmp(argv[1], "schema") == 0)
		text = config_schema();
	else if (argc == 2 && strcmp(argv[1], "reference") == 0)
		text = config_reference();
	else if (argc == 2 && strcmp(argv[1], "commands") == 0)
		text = ctl_commands_reference();
	if (text == NULL || fputs(text, stdout) == EOF || fflush(stdout) != 0) {
		fprintf(stderr, "usage: gen_docs schema|reference|commands\n");
		return 2;
	}
	free(text);
	return 0;
}

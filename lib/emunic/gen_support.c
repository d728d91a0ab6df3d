// SPDX-License-Identifier: BSD-3-Clause
// Prints config/EMUNIC.md. `ninja update-docs` writes it; a unit test compares it with the tree.
#include <stdio.h>
#include <stdlib.h>

#include "rte_flow/support.h"

int
main(void)
{
	char *text = emu_support_page();

	if (text == NULL || fputs(text, stdout) == EOF || fflush(stdout) != 0)
		return 1;
	free(text);
	return 0;
}

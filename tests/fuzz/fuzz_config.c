// SPDX-License-Identifier: BSD-3-Clause
// Any text is a configuration or is refused with a reason; one that is read is read again from its
// dump, to the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_faults faults;
	struct config *cfg, *again;
	char *first, *second;

	if (config_parse_all((const char *)data, size, "fuzz", NULL, &cfg, &faults) != 0) {
		if (cfg != NULL || faults.n == 0 || faults.list[0].text[0] == '\0')
			abort();
		return 0;
	}
	first = config_dump(cfg);
	if (config_parse_all(first, strlen(first), "dump", cfg, &again, &faults) != 0)
		abort();
	second = config_dump(again);
	if (strcmp(first, second) != 0)
		abort();
	free(first);
	free(second);
	config_free(cfg);
	config_free(again);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_EAL_H
#define SLUICE_EAL_H

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"

// Brings EAL up for a configuration: lcores, memory (hugepages where there are enough, said aloud
// where not), drivers. What the user gives, on the command line or as /eal, wins over what is
// chosen here. init only.

struct eal; // the arguments, which EAL reads as long as it runs

// argv: EAL arguments of the command line, without the program.
int eal_start(const struct config *cfg, int argc, char **argv, struct sl_log *log, struct eal **out,
	struct sl_err *err);
void eal_stop(struct eal *eal);

#endif

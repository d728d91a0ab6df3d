// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_ENGINE_EAL_H
#define SLUICE_TESTS_ENGINE_EAL_H

#include <stdint.h>

#include <rte_eal.h>

// EAL without hugepages, devices or files, for rooms that only need DPDK's heap. Thread safety:
// init only.

static inline int
engine_eal(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "test", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--lcores=0", "--log-level=critical", NULL};

	(void)state;
	return rte_eal_init(7, argv) < 0 ? -1 : 0;
}

static inline int
engine_eal_end(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}

#endif

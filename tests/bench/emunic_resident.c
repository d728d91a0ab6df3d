// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>

#include <bus_vdev_driver.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_log.h>

#include "emunic_rules.h"

// A device that is no device: --vdev resident0,N puts the first N rules of emunic_rules.h into port
// 0 while EAL starts, so that a program that knows nothing of them (dpdk-test-flow-perf) measures
// a NIC that is not empty. Thread safety: init only.

static int
probe(struct rte_vdev_device *vdev)
{
	const char *text = rte_vdev_device_args(vdev);
	unsigned long n = strtoul(text, NULL, 10);
	struct rte_flow_error error = {0};

	if (n > BENCH_RULES_MAX || !rte_eth_dev_is_valid_port(0)) {
		rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "resident: %s: no port 0, or above %u\n",
			text, BENCH_RULES_MAX);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < n; i++) {
		int ret = bench_rule_create(0, i, -1, &error);

		if (ret == 0)
			continue;
		rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "resident: rule %u: %s\n", i,
			error.message != NULL ? error.message : "refused");
		return ret;
	}
	return 0;
}

static int
take_away(struct rte_vdev_device *vdev)
{
	return 0; // the NIC takes its rules with it
}

static struct rte_vdev_driver driver = {.probe = probe, .remove = take_away};

RTE_PMD_REGISTER_VDEV(resident, driver);

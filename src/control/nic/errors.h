// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_ERRORS_H
#define SLUICE_CONTROL_NIC_ERRORS_H

#include <stdbool.h>

#include <rte_flow.h>

#include "offload/offload.h"

// What a driver means by an error of rte_flow_create.
//
// Problem: rte_flow fixes no errno. A full table is ENOSPC with one driver, ENOMEM, ENOBUFS,
// ENOSYS, EAGAIN or EINVAL with others, and a shape that is not taken may be each of EINVAL,
// ENOTSUP and EPERM. What follows is very different: a full table is learned from, a shape is given
// up for all flows, a passing failure is tried again, a device that is gone takes all of its flows
// along. Idea: one table of what the drivers' own sources do, by driver, errno and, where that
// alone is not enough, words of the message; for what it does not know, a rule for all that is
// careful: neither a shape nor a NIC is given up for what one flow can cause. Thread safety: any
// thread (constants).

struct nic_error {
	const char *driver; // rte_eth_dev_info.driver_name begins with it
	int error;          // positive errno
	const char *words;  // that the message has; NULL: any
	enum offload_outcome means;
	const char *source; // in DPDK 22.11's drivers/net; NULL: assumed
	const char *why;
};

// gone: the device is known to be removed. type: what the driver pointed at.
enum offload_outcome nic_error_class(
	const char *driver, int error, const char *words, enum rte_flow_error_type type, bool gone);
// The i-th row for a driver; NULL: no more.
const struct nic_error *nic_error_row(const char *driver, unsigned i);
const char *nic_outcome_name(enum offload_outcome o); // "full", "unsupported", ...

#endif

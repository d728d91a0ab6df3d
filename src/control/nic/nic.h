// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_NIC_H
#define SLUICE_CONTROL_NIC_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "device/ethdev_setup.h"
#include "nic/cost.h"
#include "nic/executor.h"
#include "offload/offload.h"

// A NIC: a PF and the representors of its VFs, opened, configured and started, with what was found
// out about it. Thread safety: owner thread only (control).

#define NIC_RX_DESC 1024
#define NIC_TX_DESC 1024

struct nic_port {        // the PF (index 0) or the representor of VF index - 1
	uint16_t ethdev; // RTE_MAX_ETHPORTS: not there
	uint16_t rx_queues, rx_default, tx_queues;
	struct ethdev_result setup;
	bool started; // set up: nic_close undoes it
	bool running;
	bool restarted; // by the nic_start that is at work
};

struct nic_probe_count {
	uint32_t originated, consumed;
	uint32_t dropped; // came in between, before there was a switch to take them
};

// What a rule was found to be worth when the NIC was probed.
struct nic_probed {
	bool asked;      // the driver was asked whether it takes it
	bool taken;      // and said yes
	char words[96];  // what it said else
	bool sent;       // packets were sent through it
	char result[24]; // "works", "dead", ...; "" where none were
};

struct nic {
	char name[CONFIG_NAME_MAX];
	uint16_t index;
	char dev_name[128]; // of the probed device
	char driver[64];
	bool probed;  // by us: removed by us
	bool mark;    // MARK is delivered to the host
	bool eswitch; // transfer rules are taken
	bool gone;    // its driver said so: nothing is asked of it any more
	bool tried;   // mark and eswitch are proved by packets, not only by what the driver said
	struct nic_probe_count probe; // packets of its own that sluice sent at start
	struct nic_probed to_queue, to_port;
	struct nic_cost cost; // of insertions
	uint64_t errors[5];   // answers to insertions, by enum offload_outcome
	const struct nic_ops *ops;
	struct nic_executor *executor;
	uint16_t n_ports;
	struct nic_port *ports;
};

struct nic_env {
	const struct config *cfg;
	struct sl_log *log;
	uint16_t n_workers;
	int wake_fd;
};

// index: of cfg->nics.
int nic_open(const struct nic_env *env, uint16_t index, struct nic **out, struct sl_err *err);
// Starts those of its ports that are stopped, and brings its link up. On failure all are as before.
int nic_start(struct nic *nic, struct sl_err *err);
// Stops its ports, which no worker uses any more; the PF only when with_pf is true, its link goes
// down before. Nothing for what is stopped already.
void nic_stop(struct nic *nic, bool with_pf);
// No worker uses its ports any more. Rules that are left go, without a last look at their counters.
void nic_close(struct nic *nic);
// For the queue accounts.
void nic_offload_cfg(const struct nic *nic, const struct config_nic *cfg, uint16_t n_workers,
	struct offload_nic_cfg *out);

#endif

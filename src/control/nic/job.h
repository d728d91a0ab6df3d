// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_JOB_H
#define SLUICE_CONTROL_NIC_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/offload.h"
#include "offload/translate.h"

// One piece of work for a NIC's executor thread. Control makes it, the executor fills in the
// answer, control frees it.
// Thread safety: owner thread only (whoever holds it).

enum nic_job_type {
	NIC_JOB_VALIDATE, // would the driver take rule?
	NIC_JOB_CREATE,   // rule -> flow
	NIC_JOB_DESTROY,  // reads the final counters of flow, then destroys it
	NIC_JOB_COUNT,    // reads the counters of counts[]
	NIC_JOB_EVICT,    // reads the last counters of counts[], and destroys their rules
	NIC_JOB_TRIAL,    // sends packets through trial's rules, at start only
};

struct nic_trial; // nic/trial.h

struct nic_count {
	uint32_t id; // control's own
	uint16_t ethdev;
	struct rte_flow *flow;
	int error;   // 0 or -errno: a failed query is not "idle"
	int destroy; // EVICT: 0 or what the driver said, and the rule may be there still
	uint64_t packets, bytes;
};

struct nic_job {
	struct nic_job *next;
	enum nic_job_type type;
	uint32_t id; // control's own
	uint16_t ethdev;
	struct translate_rule rule;
	struct rte_flow *flow;
	uint32_t n_counts;
	struct nic_count *counts;
	struct nic_trial *trial;
	// answer
	enum offload_outcome outcome;
	int error;        // positive errno, 0: done
	char text[96];    // the driver's words
	uint64_t took_ns; // CREATE: in the driver
	bool counted;     // DESTROY: the query went well, packets and bytes are the rule's
	uint64_t packets, bytes;
};

#endif

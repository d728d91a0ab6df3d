// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "nic/errors.h"
#include "nic/flow_calls.h"

// The only file of sluice that calls rte_flow. All of it runs on a NIC's executor thread.

static bool
is_gone(uint16_t ethdev)
{
	return !rte_eth_dev_is_valid_port(ethdev) || rte_eth_dev_is_removed(ethdev) == 1;
}

static enum offload_outcome
classify(const struct nic_job *job, enum rte_flow_error_type type)
{
	struct rte_eth_dev_info info = {0};

	// Nothing is known of a port that is gone, its driver neither.
	if (rte_eth_dev_info_get(job->ethdev, &info) != 0)
		info.driver_name = NULL;
	return nic_error_class(info.driver_name, job->error, job->text, type, is_gone(job->ethdev));
}

static void
answer(struct nic_job *job, int error, const struct rte_flow_error *fe)
{
	error = error < 0 ? -error : error; // some drivers set rte_errno to a negative one
	job->error = error;
	if (error == 0) {
		job->text[0] = '\0';
		job->outcome = OFFLOAD_OK;
		return;
	}
	snprintf(job->text, sizeof(job->text), "%s",
		fe->message != NULL ? fe->message : strerror(error));
	job->outcome = classify(job, fe->type);
}

void
nic_flow_validate(struct nic_job *job)
{
	struct rte_flow_error fe = {0};
	int rc = rte_flow_validate(
		job->ethdev, &job->rule.attr, job->rule.items, job->rule.actions, &fe);

	answer(job, rc, &fe);
}

void
nic_flow_create(struct nic_job *job)
{
	struct rte_flow_error fe = {0};
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	job->flow = rte_flow_create(
		job->ethdev, &job->rule.attr, job->rule.items, job->rule.actions, &fe);
	clock_gettime(CLOCK_MONOTONIC, &to);
	job->took_ns = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 + (uint64_t)to.tv_nsec -
		       (uint64_t)from.tv_nsec;
	answer(job, job->flow != NULL ? 0 : rte_errno != 0 ? rte_errno : EINVAL, &fe);
}

static int
query(uint16_t ethdev, struct rte_flow *flow, uint64_t *packets, uint64_t *bytes)
{
	const struct rte_flow_action action[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count count = {0};
	struct rte_flow_error fe = {0};
	int rc = rte_flow_query(ethdev, flow, action, &count, &fe);

	if (rc != 0)
		return rc;
	*packets = count.hits_set ? count.hits : 0;
	*bytes = count.bytes_set ? count.bytes : 0;
	return 0;
}

void
nic_flow_destroy(struct nic_job *job)
{
	struct rte_flow_error fe = {0};
	int rc;

	// The last counters, before they are gone with the rule.
	job->counted = query(job->ethdev, job->flow, &job->packets, &job->bytes) == 0;
	rc = rte_flow_destroy(job->ethdev, job->flow, &fe);
	answer(job, rc, &fe);
	if (job->error == ENOENT)
		job->outcome = OFFLOAD_OK; // there is no such rule (any more)
	else if (job->outcome != OFFLOAD_OK && job->outcome != OFFLOAD_GONE)
		job->outcome = OFFLOAD_TRANSIENT; // it was taken once: it can be undone
}

void
nic_flow_count(struct nic_job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_counts; i++) {
		struct nic_count *c = &job->counts[i];

		c->error = query(c->ethdev, c->flow, &c->packets, &c->bytes);
	}
	job->error = 0;
	job->outcome = OFFLOAD_OK;
}

void
nic_flow_evict(struct nic_job *job)
{
	uint32_t i;

	nic_flow_count(job);
	for (i = 0; i < job->n_counts; i++) {
		struct nic_count *c = &job->counts[i];
		struct rte_flow_error fe = {0};

		c->destroy = rte_flow_destroy(c->ethdev, c->flow, &fe);
		if (abs(c->destroy) == ENOENT)
			c->destroy = 0; // there is no such rule (any more)
		else if (c->destroy != 0 && is_gone(c->ethdev))
			job->outcome = OFFLOAD_GONE;
	}
}

void
nic_flow_flush(uint16_t ethdev)
{
	struct rte_flow_error fe = {0};

	rte_flow_flush(ethdev, &fe); // what is left goes with the port
}

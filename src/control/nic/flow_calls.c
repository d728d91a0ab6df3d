// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "nic/flow_calls.h"

// The only file of sluice that calls rte_flow. All of it runs on a NIC's executor thread.

static bool
is_gone(uint16_t ethdev)
{
	return !rte_eth_dev_is_valid_port(ethdev) || rte_eth_dev_is_removed(ethdev) == 1;
}

// What an errno means depends on the driver: some say EINVAL, some ENOTSUP to a shape that they do
// not take, and mlx5 says ENOMEM where another says ENOSPC. With UNSUPPORTED every flow of that
// shape is given up, and with GONE the whole NIC: neither is said of what one flow can cause.
static enum offload_outcome
classify(uint16_t ethdev, int error, enum rte_flow_error_type type)
{
	switch (error) {
	case 0:
		return OFFLOAD_OK;
	case ENOSPC:
	case ENOMEM:
	case ENOBUFS:
	case EDQUOT:
		return OFFLOAD_FULL;
	case ENODEV:
	case ENXIO:
	case EIO:
		return is_gone(ethdev) ? OFFLOAD_GONE : OFFLOAD_TRANSIENT;
	case EAGAIN:
	case EBUSY:
	case EEXIST: // another rule has this pattern: a matter of this flow
	case EINTR:
	case ETIMEDOUT:
		return OFFLOAD_TRANSIENT;
	case E2BIG:
	case EINVAL:
	case ENOSYS:
	case ENOTSUP:
	case ERANGE:
		return OFFLOAD_UNSUPPORTED;
	default:
		// A refusal that points at an item, an action or an attribute is about the shape.
		return type > RTE_FLOW_ERROR_TYPE_HANDLE ? OFFLOAD_UNSUPPORTED : OFFLOAD_TRANSIENT;
	}
}

static void
answer(struct nic_job *job, int error, const struct rte_flow_error *fe)
{
	error = error < 0 ? -error : error; // some drivers set rte_errno to a negative one
	job->error = error;
	job->outcome = classify(job->ethdev, error, fe->type);
	snprintf(job->text, sizeof(job->text), "%s",
		fe->message != NULL ? fe->message
		: error != 0        ? strerror(error)
				    : "");
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

	job->flow = rte_flow_create(
		job->ethdev, &job->rule.attr, job->rule.items, job->rule.actions, &fe);
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
nic_flow_flush(uint16_t ethdev)
{
	struct rte_flow_error fe = {0};

	rte_flow_flush(ethdev, &fe); // what is left goes with the port
}

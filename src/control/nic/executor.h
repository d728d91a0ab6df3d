// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_EXECUTOR_H
#define SLUICE_CONTROL_NIC_EXECUTOR_H

#include "nic/job.h"
#include "nic/ops.h"

// The thread of one NIC that makes all its rte_flow calls, so that a slow driver holds up neither
// control nor another NIC nor a worker. Jobs are done in the order given; answers come back in the
// same order. Thread safety: owner thread only (control).

#define NIC_QUEUE_MAX 4096 // jobs that wait

struct nic_executor;

// wake_fd: an eventfd that is written when answers wait.
// 0 or -errno.
int nic_executor_new(
	const char *name, const struct nic_ops *ops, int wake_fd, struct nic_executor **out);
// False: the queue is full, the job stays the caller's.
bool nic_executor_put(struct nic_executor *e, struct nic_job *job);
// While it is held, jobs that are put gather, and go to it in one piece when the hold ends: who
// gives many is not interrupted by each, and takes the lock once.
void nic_executor_hold(struct nic_executor *e, bool on);
// A finished job, or NULL. The caller frees it.
struct nic_job *nic_executor_get(struct nic_executor *e);
// Jobs given and not yet fetched back.
uint32_t nic_executor_pending(const struct nic_executor *e);
// Ends the thread after the job that it is at. Jobs that wait are not done, answers are lost.
void nic_executor_free(struct nic_executor *e);

// A job that is all zero; NULL: out of memory. And back, for the next: it has counts and trial
// still, which are freed.
struct nic_job *nic_executor_job(struct nic_executor *e);
void nic_executor_job_done(struct nic_executor *e, struct nic_job *job);

void nic_job_free(struct nic_job *job);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#include "nic/probe.h"

#include <stdlib.h>
#include <time.h>

#include <netinet/in.h>

#define PROBE_WAIT_MS 5000

static struct flow_key
sample_key(void)
{
	struct flow_key key;

	flow_key_init(&key, 0, 0);
	key.eth_type = htons(0x0800);
	key.l3 = FLOW_L3_IPV4;
	key.proto = IPPROTO_TCP;
	key.eth_dst[0] = key.eth_src[0] = 2;
	key.eth_src[5] = 1;
	key.src[0] = key.dst[0] = 192;
	key.src[2] = key.dst[2] =
		2; // 192.0.2.0/24 is for documentation: no traffic is hit (RFC 5737)
	key.src[3] = 1;
	key.dst[3] = 2;
	key.l4_src = htons(1);
	key.l4_dst = htons(2);
	return key;
}

static bool
ask(struct nic *nic, struct nic_job *job, struct sl_log *log, const char *what)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	struct nic_job *answer = NULL;
	unsigned waited;
	bool ok;

	job->type = NIC_JOB_VALIDATE;
	if (!nic_executor_put(nic->executor, job)) {
		nic_job_free(job);
		return false;
	}
	for (waited = 0; waited < PROBE_WAIT_MS && answer == NULL; waited++) {
		answer = nic_executor_get(nic->executor);
		if (answer != NULL && answer != job) { // to what was asked before, too late
			nic_job_free(answer);
			answer = NULL;
		}
		if (answer == NULL)
			nanosleep(&ms, NULL);
	}
	if (answer == NULL) {
		sl_log(log, SL_LOG_WARN,
			"%s: its driver did not answer for %u ms when asked for %s", nic->name,
			PROBE_WAIT_MS, what);
		return false;
	}
	ok = answer->error == 0;
	if (!ok)
		sl_log(log, SL_LOG_WARN, "%s takes no %s: %s", nic->name, what, answer->text);
	nic_job_free(answer);
	return ok;
}

static const struct nic_port *
with_spare_queue(const struct nic *nic)
{
	uint16_t i;

	for (i = 0; i < nic->n_ports; i++) {
		if (nic->ports[i].rx_queues > nic->ports[i].rx_default)
			return &nic->ports[i];
	}
	return NULL;
}

void
nic_probe(struct nic *nic, struct sl_log *log)
{
	const struct flow_key key = sample_key();
	const struct nic_port *spare = with_spare_queue(nic);
	struct nic_job *job = calloc(1, sizeof(*job));

	if (job != NULL && spare != NULL) {
		job->ethdev = spare->ethdev;
		if (translate_to_queue(&key, spare->rx_default, 1, &job->rule, NULL) == 0)
			nic->mark = ask(nic, job, log, "rules to a queue with MARK");
		else
			nic_job_free(job);
	} else {
		nic_job_free(job);
	}
	job = nic->n_ports > 1 ? calloc(1, sizeof(*job)) : NULL;
	if (job != NULL) {
		const struct flow_actions none = {0};

		job->ethdev = nic->ports[0].ethdev;
		if (translate_to_port(&key, nic->ports[0].ethdev, nic->ports[1].ethdev, &none,
			    &job->rule, NULL) == 0)
			nic->eswitch = ask(nic, job, log, "transfer rules to a port");
		else
			nic_job_free(job);
	}
}

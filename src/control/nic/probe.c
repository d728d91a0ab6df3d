// SPDX-License-Identifier: BSD-3-Clause
#include "nic/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <netinet/in.h>

#include "datapath/limits.h"
#include "nic/trial.h"

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

// Has the executor do a job; NULL: it did not get to it in time, and the job is its own now.
static struct nic_job *
await(struct nic *nic, struct nic_job *job, struct sl_log *log, const char *what)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	struct nic_job *answer = NULL;
	unsigned waited;

	if (!nic_executor_put(nic->executor, job)) {
		nic_job_free(job);
		return NULL;
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
	if (answer == NULL)
		sl_log(log, SL_LOG_WARN,
			"%s: its driver did not answer for %u ms when asked for %s", nic->name,
			PROBE_WAIT_MS, what);
	return answer;
}

static bool
ask(struct nic *nic, struct nic_job *job, struct nic_probed *out, struct sl_log *log,
	const char *what)
{
	bool ok;

	job->type = NIC_JOB_VALIDATE;
	job = await(nic, job, log, what);
	out->asked = true;
	if (job == NULL) {
		snprintf(out->words, sizeof(out->words), "no answer in time");
		return false;
	}
	ok = out->taken = job->error == 0;
	memcpy(out->words, job->text, sizeof(out->words));
	if (!ok)
		sl_log(log, SL_LOG_WARN, "%s takes no %s: %s", nic->name, what, job->text);
	nic_job_free(job);
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

static void
ask_rules(struct nic *nic, const struct nic_port *spare, struct sl_log *log)
{
	const struct flow_key key = sample_key();
	struct nic_job *job = calloc(1, sizeof(*job));

	if (job != NULL && spare != NULL) {
		job->ethdev = spare->ethdev;
		if (translate_to_queue(&key, spare->rx_default, 1, &job->rule, NULL) == 0)
			nic->mark =
				ask(nic, job, &nic->to_queue, log, "rules to a queue with MARK");
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
			nic->eswitch =
				ask(nic, job, &nic->to_port, log, "transfer rules to a port");
		else
			nic_job_free(job);
	}
}

static void
take_counts(struct nic *nic, const struct nic_trial *t)
{
	nic->probe.originated += t->originated;
	nic->probe.consumed += t->consumed;
	nic->probe.dropped += t->dropped;
}

static void
take_result(struct nic_probed *p, enum nic_trial_verdict v)
{
	static const char *const names[] = {[NIC_TRIAL_NONE] = "",
		[NIC_TRIAL_WORKS] = "works",
		[NIC_TRIAL_REFUSED] = "refused",
		[NIC_TRIAL_DEAD] = "does nothing",
		[NIC_TRIAL_NO_MARK] = "no mark"};

	p->sent = v == NIC_TRIAL_WORKS || v == NIC_TRIAL_DEAD || v == NIC_TRIAL_NO_MARK;
	snprintf(p->result, sizeof(p->result), "%s", names[v]);
}

static void
take_verdict(struct nic *nic, const struct nic_trial *t, struct sl_log *log)
{
	take_counts(nic, t);
	take_result(&nic->to_queue, t->steer_works);
	take_result(&nic->to_port, t->way_works);
	nic->tried = t->way_works == NIC_TRIAL_WORKS && t->steer_works == NIC_TRIAL_WORKS;
	if (t->way_works == NIC_TRIAL_DEAD) {
		nic->eswitch = false;
		sl_log(log, SL_LOG_WARN,
			"%s accepts transfer rules that do nothing: no flow goes into its eswitch",
			nic->name);
	}
	if (t->steer_works == NIC_TRIAL_DEAD || t->steer_works == NIC_TRIAL_NO_MARK) {
		nic->mark = false;
		sl_log(log, SL_LOG_WARN, "%s %s: no flow gets a queue of it", nic->name,
			t->steer_works == NIC_TRIAL_DEAD
				? "accepts rules to a queue that do nothing"
				: "delivers no MARK, or not all of its bits");
	}
	if (t->why[0] != '\0')
		sl_log(log, SL_LOG_INFO,
			"%s cannot be tried with packets, what its driver says has to do: %s",
			nic->name, t->why);
}

// Between the port with the queue and another one, where there is another one.
static struct nic_job *
trial_job(const struct nic *nic, const struct nic_port *spare)
{
	const struct nic_port *from = &nic->ports[0];
	struct nic_job *job = calloc(1, sizeof(*job));
	struct nic_trial *t = calloc(1, sizeof(*t));

	if (from == spare && nic->n_ports > 1)
		from = &nic->ports[1];
	if (job == NULL || t == NULL) {
		free(job);
		free(t);
		return NULL;
	}
	job->type = NIC_JOB_TRIAL;
	job->trial = t;
	t->from = from->ethdev;
	t->to = spare->ethdev;
	t->queue = t->defaults = spare->rx_default;
	t->mark = DP_MARK_MAX;
	t->pool = from->setup.pools[0];
	if (nic_trial_init(t, NULL) == 0)
		return job;
	nic_job_free(job);
	return NULL;
}

static void
try_rules(struct nic *nic, const struct nic_port *spare, struct sl_log *log)
{
	struct nic_job *job = trial_job(nic, spare), *answer;
	struct nic_trial *t;

	if (job == NULL)
		return;
	t = job->trial;
	answer = await(nic, job, log, "a rule to send a packet through");
	if (answer == NULL) {
		// It has the job still, and frees it only when control takes it back.
		nic_trial_stop(t);
		take_counts(nic, t);
		nic->mark = nic->eswitch = false;
		return;
	}
	take_verdict(nic, t, log);
	nic_job_free(answer);
}

void
nic_probe(struct nic *nic, struct sl_log *log)
{
	const struct nic_port *spare = with_spare_queue(nic);

	ask_rules(nic, spare, log);
	if (nic->mark)
		try_rules(nic, spare, log);
}

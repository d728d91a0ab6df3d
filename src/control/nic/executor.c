// SPDX-License-Identifier: BSD-3-Clause
#include "nic/executor.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_thread.h>
#include <rte_version.h>

#define WAKE_AT 256 // answers that wait while there is more to do
#define SPARE_MAX 512
#define SLOW_US 50 // a job that takes so long is told of at once

struct job_list {
	struct nic_job *head, **tail;
	uint32_t n;
};

struct nic_executor {
	const struct nic_ops *ops;
	int wake_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	atomic_bool stop;
	struct job_list todo, done;
	// Control's own.
	struct job_list given; // while it is held
	struct job_list taken; // answers that were fetched at once
	struct job_list spare;
	uint32_t pending;
	bool held;
};

static void
list_init(struct job_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
	l->n = 0;
}

static void
list_put(struct job_list *l, struct nic_job *job)
{
	job->next = NULL;
	*l->tail = job;
	l->tail = &job->next;
	l->n++;
}

static void
list_put_first(struct job_list *l, struct nic_job *job)
{
	if (l->head == NULL)
		l->tail = &job->next;
	job->next = l->head;
	l->head = job;
	l->n++;
}

static struct nic_job *
list_get(struct job_list *l)
{
	struct nic_job *job = l->head;

	if (job == NULL)
		return NULL;
	l->head = job->next;
	if (l->head == NULL)
		l->tail = &l->head;
	l->n--;
	return job;
}

// All of `from` goes to the end of `to`.
static void
list_splice(struct job_list *to, struct job_list *from)
{
	if (from->head == NULL)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	to->n += from->n;
	list_init(from);
}

static void
run_job(const struct nic_ops *ops, struct nic_job *job)
{
	switch (job->type) {
	case NIC_JOB_VALIDATE:
		ops->validate(job);
		break;
	case NIC_JOB_CREATE:
		ops->create(job);
		break;
	case NIC_JOB_DESTROY:
		ops->destroy(job);
		break;
	case NIC_JOB_COUNT:
		ops->count(job);
		break;
	case NIC_JOB_EVICT:
		ops->evict(job);
		break;
	case NIC_JOB_TRIAL:
		ops->trial(job);
		break;
	}
}

static void
tell(struct nic_executor *e, struct job_list *answers, bool wake)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&e->lock);
	list_splice(&e->done, answers);
	pthread_mutex_unlock(&e->lock);
	if (wake && write(e->wake_fd, &one, sizeof(one)) < 0)
		return; // the counter is at its limit: control is awake already
}

// Who takes the answers of a quick NIC one by one does nothing else: they are told of in bulk.
static void
run_jobs(struct nic_executor *e, struct job_list *jobs)
{
	struct job_list answers;
	struct nic_job *job;
	uint64_t begun;
	bool slow;

	list_init(&answers);
	while (!atomic_load(&e->stop) && (job = list_get(jobs)) != NULL) {
		begun = rte_get_tsc_cycles();
		run_job(e->ops, job);
		slow = rte_get_tsc_cycles() - begun > rte_get_tsc_hz() / 1000000 * SLOW_US;
		list_put(&answers, job);
		if (slow || answers.n == WAKE_AT)
			tell(e, &answers, true);
	}
	tell(e, &answers, answers.n > 0);
}

static void
executor_loop(void *arg)
{
	struct nic_executor *e = arg;
	struct job_list jobs;

	list_init(&jobs);
	pthread_mutex_lock(&e->lock);
	while (true) {
		while (e->todo.head == NULL && !atomic_load(&e->stop))
			pthread_cond_wait(&e->work, &e->lock);
		if (atomic_load(&e->stop))
			break;
		list_splice(&jobs, &e->todo);
		pthread_mutex_unlock(&e->lock);
		run_jobs(e, &jobs);
		pthread_mutex_lock(&e->lock);
		list_splice(&e->todo, &jobs); // it was stopped: nobody does them
	}
	pthread_mutex_unlock(&e->lock);
}

#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
static uint32_t
executor_main(void *arg)
{
	executor_loop(arg);
	return 0;
}

static int
thread_create(struct nic_executor *e, const char *name)
{
	rte_thread_t id = {0};
	int rc = rte_thread_create_control(&id, name, executor_main, e);

	e->thread = (pthread_t)id.opaque_id;
	return rc;
}
#else
static void *
executor_main(void *arg)
{
	executor_loop(arg);
	return NULL;
}

static int
thread_create(struct nic_executor *e, const char *name)
{
	return rte_ctrl_thread_create(&e->thread, name, NULL, executor_main, e);
}
#endif

int
nic_executor_new(
	const char *name, const struct nic_ops *ops, int wake_fd, struct nic_executor **out)
{
	struct nic_executor *e = calloc(1, sizeof(*e));
	char thread_name[16];
	int rc;

	if (e == NULL)
		return -ENOMEM;
	e->ops = ops;
	e->wake_fd = wake_fd;
	list_init(&e->todo);
	list_init(&e->done);
	list_init(&e->given);
	list_init(&e->taken);
	list_init(&e->spare);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->work, NULL);
	snprintf(thread_name, sizeof(thread_name), "flow-%s", name);
	rc = thread_create(e, thread_name);
	if (rc != 0) {
		pthread_cond_destroy(&e->work);
		pthread_mutex_destroy(&e->lock);
		free(e);
		return rc < 0 ? rc : -rc;
	}
	*out = e;
	return 0;
}

static void
hand_over(struct nic_executor *e)
{
	pthread_mutex_lock(&e->lock);
	list_splice(&e->todo, &e->given);
	if (e->todo.head != NULL)
		pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
}

bool
nic_executor_put(struct nic_executor *e, struct nic_job *job)
{
	if (e->pending >= NIC_QUEUE_MAX)
		return false;
	list_put(&e->given, job);
	e->pending++;
	if (!e->held)
		hand_over(e);
	return true;
}

void
nic_executor_hold(struct nic_executor *e, bool on)
{
	e->held = on;
	if (!on && e->given.head != NULL)
		hand_over(e);
}

struct nic_job *
nic_executor_get(struct nic_executor *e)
{
	struct nic_job *job;

	if (e->taken.head == NULL) {
		pthread_mutex_lock(&e->lock);
		list_splice(&e->taken, &e->done);
		pthread_mutex_unlock(&e->lock);
	}
	job = list_get(&e->taken);
	if (job != NULL)
		e->pending--;
	return job;
}

struct nic_job *
nic_executor_job(struct nic_executor *e)
{
	struct nic_job *job = list_get(&e->spare);

	if (job == NULL)
		return calloc(1, sizeof(*job));
	memset(job, 0, sizeof(*job));
	return job;
}

void
nic_executor_job_done(struct nic_executor *e, struct nic_job *job)
{
	if (e->spare.n >= SPARE_MAX) {
		nic_job_free(job);
		return;
	}
	free(job->counts);
	free(job->trial);
	job->counts = NULL;
	job->trial = NULL;
	list_put_first(&e->spare, job); // the cache has it
}

uint32_t
nic_executor_pending(const struct nic_executor *e)
{
	return e->pending;
}

void
nic_executor_free(struct nic_executor *e)
{
	struct nic_job *job;

	if (e == NULL)
		return;
	pthread_mutex_lock(&e->lock);
	atomic_store(&e->stop, true);
	pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
	while ((job = list_get(&e->todo)) != NULL || (job = list_get(&e->done)) != NULL ||
		(job = list_get(&e->given)) != NULL || (job = list_get(&e->taken)) != NULL ||
		(job = list_get(&e->spare)) != NULL)
		nic_job_free(job);
	pthread_cond_destroy(&e->work);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

void
nic_job_free(struct nic_job *job)
{
	if (job == NULL)
		return;
	free(job->counts);
	free(job->trial);
	free(job);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "nic/executor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_thread.h>
#include <rte_version.h>

#define WAKE_AT 64 // answers that wait while there is more to do
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
	bool stop;
	struct job_list todo, done;
	uint32_t pending; // control's own count
	bool held;        // control's own
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
executor_loop(void *arg)
{
	struct nic_executor *e = arg;
	const uint64_t one = 1;
	struct nic_job *job;
	uint64_t begun;
	bool slow;

	pthread_mutex_lock(&e->lock);
	while (true) {
		while (e->todo.head == NULL && !e->stop)
			pthread_cond_wait(&e->work, &e->lock);
		if (e->stop)
			break;
		job = list_get(&e->todo);
		pthread_mutex_unlock(&e->lock);
		begun = rte_get_tsc_cycles();
		run_job(e->ops, job);
		slow = rte_get_tsc_cycles() - begun > rte_get_tsc_hz() / 1000000 * SLOW_US;
		pthread_mutex_lock(&e->lock);
		list_put(&e->done, job);
		// Who takes the answers of a quick NIC one by one does nothing else.
		if ((e->todo.head == NULL || slow || e->done.n == WAKE_AT) &&
			write(e->wake_fd, &one, sizeof(one)) < 0)
			continue; // the counter is at its limit: control is awake already
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

bool
nic_executor_put(struct nic_executor *e, struct nic_job *job)
{
	if (e->pending >= NIC_QUEUE_MAX)
		return false;
	pthread_mutex_lock(&e->lock);
	list_put(&e->todo, job);
	if (!e->held)
		pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
	e->pending++;
	return true;
}

void
nic_executor_hold(struct nic_executor *e, bool on)
{
	e->held = on;
	if (on)
		return;
	pthread_mutex_lock(&e->lock);
	if (e->todo.head != NULL)
		pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
}

struct nic_job *
nic_executor_get(struct nic_executor *e)
{
	struct nic_job *job;

	pthread_mutex_lock(&e->lock);
	job = list_get(&e->done);
	pthread_mutex_unlock(&e->lock);
	if (job != NULL)
		e->pending--;
	return job;
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
	e->stop = true;
	pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
	while ((job = list_get(&e->todo)) != NULL || (job = list_get(&e->done)) != NULL)
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

// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/async.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <rte_errno.h>
#include <rte_malloc.h>

// The queues of the queue API: rings of results.

struct result {
	void *user_data;
	uint64_t ready_ns;
};

struct emu_async_queue {
	struct result *ring;
	uint32_t size;
	uint32_t head;   // the oldest result
	uint32_t n;      // results, of which
	uint32_t pushed; // so many may be pulled
};

struct emu_async {
	uint16_t n_queues;
	uint64_t ready_ns; // when the NIC has done all that is queued
	struct emu_async_queue queue[];
};

#define FAIL(code, cause, message)                                                                 \
	rte_flow_error_set(error, code, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, cause, message)

int
emu_async_info(struct rte_eth_dev *dev, struct rte_flow_port_info *info,
	struct rte_flow_queue_info *queue, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	if (info != NULL) {
		memset(info, 0, sizeof(*info));
		info->max_nb_queues = EMU_ASYNC_QUEUES;
		info->max_nb_counters = port->nic->moods.capacity;
		info->max_nb_aging_objects = port->nic->moods.capacity;
		info->max_nb_meters = EMU_MAX_METERS;
	}
	if (queue != NULL)
		queue->max_size = EMU_ASYNC_SIZE;
	emu_gate_leave(&port->nic->gate);
	return 0;
}

static void
free_async(struct emu_async *a)
{
	for (uint16_t i = 0; a != NULL && i < a->n_queues; i++)
		rte_free(a->queue[i].ring);
	rte_free(a);
}

static struct emu_async *
make_async(uint16_t n, const struct rte_flow_queue_attr *queues[])
{
	struct emu_async *a = rte_zmalloc("emunic async", sizeof(*a) + n * sizeof(a->queue[0]), 0);

	if (a == NULL)
		return NULL;
	for (; a->n_queues < n; a->n_queues++) {
		struct emu_async_queue *q = &a->queue[a->n_queues];

		q->size = queues[a->n_queues]->size;
		q->ring = rte_zmalloc("emunic async", q->size * sizeof(q->ring[0]), 0);
		if (q->ring == NULL) {
			free_async(a);
			return NULL;
		}
	}
	return a;
}

int
emu_async_configure(struct rte_eth_dev *dev, const struct rte_flow_port_attr *attr,
	uint16_t n_queues, const struct rte_flow_queue_attr *queues[], struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_async *fresh;
	int ret;

	if (attr->flags != 0 || attr->nb_conn_tracks > 0)
		return FAIL(ENOTSUP, attr, "no flags and no connection tracking");
	if (n_queues == 0 || n_queues > EMU_ASYNC_QUEUES)
		return FAIL(EINVAL, NULL, "from 1 to 64 queues");
	for (uint16_t i = 0; i < n_queues; i++)
		if (queues[i] == NULL || queues[i]->size == 0 || queues[i]->size > EMU_ASYNC_SIZE)
			return FAIL(EINVAL, queues[i], "a queue holds from 1 to 4096 operations");
	fresh = make_async(n_queues, queues);
	if (fresh == NULL)
		return FAIL(ENOMEM, NULL, "no memory for the queues");
	emu_gate_enter(&port->nic->gate);
	ret = emu_flow_gone(port, error);
	if (ret == 0 && (attr->nb_counters > port->nic->moods.capacity ||
				attr->nb_aging_objects > port->nic->moods.capacity))
		ret = FAIL(ENOSPC, attr, "more counters or ages than the NIC has rules");
	if (ret == 0 && attr->nb_meters > EMU_MAX_METERS)
		ret = FAIL(ENOSPC, attr, "a port has at most 4096 meters");
	if (ret == 0 && emu_templates_any(port))
		ret = FAIL(EBUSY, NULL, "there are templates of the configuration before");
	if (ret == 0) {
		struct emu_async *old = port->async;

		port->async = fresh;
		fresh = old;
	}
	emu_gate_leave(&port->nic->gate);
	free_async(fresh);
	return ret;
}

static struct emu_async_queue *
find_queue(const struct emu_port *port, uint32_t id, struct rte_flow_error *error)
{
	if (port->async != NULL && id < port->async->n_queues)
		return &port->async->queue[id];
	FAIL(EINVAL, NULL,
		port->async == NULL ? "rte_flow_configure was not called" : "no such queue");
	return NULL;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct emu_async_queue *
emu_async_room(struct emu_port *port, uint32_t id, struct rte_flow_error *error)
{
	struct emu_async_queue *q = find_queue(port, id, error);

	if (q == NULL || q->n < q->size)
		return q;
	FAIL(EAGAIN, NULL, "the queue is full: pull first");
	return NULL;
}

void
emu_async_complete(struct emu_port *port, struct emu_async_queue *q,
	const struct rte_flow_op_attr *attr, bool insertion, void *user_data)
{
	uint64_t now = now_ns();
	struct emu_async *a = port->async;

	a->ready_ns = RTE_MAX(a->ready_ns, insertion ? emu_insertion_turn(port->nic, now) : now);
	q->ring[(q->head + q->n) % q->size] = (struct result){user_data, a->ready_ns};
	q->n++;
	if (attr == NULL || !attr->postpone)
		q->pushed = q->n;
}

struct rte_flow *
emu_async_create(struct rte_eth_dev *dev, uint32_t queue, const struct rte_flow_op_attr *attr,
	struct rte_flow_template_table *table, const struct rte_flow_item pattern[],
	uint8_t pattern_index, const struct rte_flow_action actions[], uint8_t actions_index,
	void *user_data, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_template_rule rule;
	struct rte_flow *flow = NULL;
	struct emu_async_queue *q;

	emu_gate_enter(&port->nic->gate);
	q = emu_async_room(port, queue, error);
	if (q != NULL && emu_template_fill(port, table, pattern, pattern_index, actions,
				 actions_index, &rule, error) == 0)
		flow = emu_flow_insert(port, &rule.attr, rule.items, rule.actions, error);
	if (flow != NULL) {
		flow->template = table;
		emu_template_use(table, 1);
		emu_async_complete(port, q, attr, true, user_data);
	}
	emu_gate_leave(&port->nic->gate);
	return flow;
}

int
emu_async_destroy(struct rte_eth_dev *dev, uint32_t queue, const struct rte_flow_op_attr *attr,
	struct rte_flow *flow, void *user_data, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_async_queue *q;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	q = emu_async_room(port, queue, error);
	if (q == NULL)
		ret = -rte_errno;
	else if (!emu_flow_live(port, flow))
		ret = rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
			"the port has no such rule");
	if (ret == 0) {
		emu_flow_remove(port, flow);
		emu_async_complete(port, q, attr, false, user_data);
	}
	emu_gate_leave(&port->nic->gate);
	return ret;
}

int
emu_async_push(struct rte_eth_dev *dev, uint32_t queue, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_async_queue *q;

	emu_gate_enter(&port->nic->gate);
	q = find_queue(port, queue, error);
	if (q != NULL)
		q->pushed = q->n;
	emu_gate_leave(&port->nic->gate);
	return q != NULL ? 0 : -EINVAL;
}

int
emu_async_pull(struct rte_eth_dev *dev, uint32_t queue, struct rte_flow_op_result results[],
	uint16_t n, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	uint64_t now = now_ns();
	struct emu_async_queue *q;
	int k = -EINVAL;

	emu_gate_enter(&port->nic->gate);
	q = find_queue(port, queue, error);
	for (k = q == NULL ? -EINVAL : 0; k >= 0 && k < n && q->pushed > 0; k++) {
		if (q->ring[q->head].ready_ns > now)
			break;
		results[k] = (struct rte_flow_op_result){
			.status = RTE_FLOW_OP_SUCCESS, .user_data = q->ring[q->head].user_data};
		q->head = (q->head + 1) % q->size;
		q->n--;
		q->pushed--;
	}
	emu_gate_leave(&port->nic->gate);
	return k;
}

void
emu_async_fini(struct emu_port *port)
{
	emu_gate_enter(&port->nic->gate);
	emu_templates_fini(port);
	free_async(port->async);
	port->async = NULL;
	emu_gate_leave(&port->nic->gate);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "flow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct emu_port *
emu_flow_port(struct emu_port *port, uint16_t ethdev_id)
{
	struct emu_nic *nic = port->nic;

	for (uint16_t i = 0; i < nic->n_sides; i++)
		if (nic->ports[i] != NULL && nic->ports[i]->dev->data->port_id == ethdev_id)
			return nic->ports[i];
	return NULL;
}

static int
check_attr(
	const struct rte_flow_attr *attr, struct emu_flow_spec *out, struct rte_flow_error *error)
{
	if (attr == NULL)
		return rte_flow_error_set(
			error, EINVAL, RTE_FLOW_ERROR_TYPE_ATTR, NULL, "no attributes");
	if (attr->group != 0)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, attr,
			"groups are not supported: only group 0");
	if (attr->egress)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_EGRESS, attr,
			"egress is not supported: what a host port sends meets transfer rules by "
			"PORT_REPRESENTOR");
	if (!attr->ingress && !attr->transfer)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ATTR, attr,
			"a rule is of ingress or of transfer");
	out->transfer = attr->transfer;
	out->priority = attr->priority;
	return 0;
}

int
emu_flow_compile(struct emu_port *port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
	struct emu_flow_spec *out, struct rte_flow_error *error)
{
	int ret;

	memset(out, 0, sizeof(*out));
	ret = check_attr(attr, out, error);
	if (ret == 0)
		ret = emu_flow_items(port, pattern, out, error);
	if (ret == 0)
		ret = emu_flow_actions(port, actions, out, error);
	return ret;
}

static struct emu_table *
table_of(struct emu_port *port, bool transfer)
{
	return transfer ? &port->nic->transfer : &port->ingress;
}

static int
full(struct emu_port *port, struct rte_flow_error *error)
{
	const struct emu_rules *r = &port->nic->rules;

	snprintf(port->flow_error, sizeof(port->flow_error),
		"the NIC is full: it holds %" PRIu32 " rules of %" PRIu32, r->n_rules, r->capacity);
	return rte_flow_error_set(
		error, ENOSPC, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, port->flow_error);
}

static int
flow_validate(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_flow_spec spec;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = emu_flow_compile(port, attr, pattern, actions, &spec, error);
	if (ret == 0 && port->nic->rules.n_rules == port->nic->rules.capacity)
		ret = full(port, error);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

static void
sleep_ns(uint64_t ns)
{
	struct timespec ts = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};

	while (ns > 0 && nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

// The time that the hardware takes for an insertion: each takes insert_us, and they do not come
// faster than insert_rate.
static void
insertion_cost(struct emu_nic *nic)
{
	struct timespec ts;
	uint64_t now;

	if (nic->args.insert_rate > 0) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		now = ts.tv_sec * NS_PER_S + ts.tv_nsec;
		if (nic->insert_next_ns > now)
			sleep_ns(nic->insert_next_ns - now);
		nic->insert_next_ns =
			RTE_MAX(nic->insert_next_ns, now) + NS_PER_S / nic->args.insert_rate;
	}
	sleep_ns(nic->args.insert_us * 1000ULL);
}

static struct rte_flow *
flow_create(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_nic *nic = port->nic;
	struct rte_flow *flow = NULL;
	struct emu_flow_spec spec;
	int err = 0;

	pthread_mutex_lock(&nic->insert_lock);
	insertion_cost(nic);
	emu_gate_enter(&nic->gate);
	if (emu_flow_compile(port, attr, pattern, actions, &spec, error) == 0) {
		flow = emu_table_add(&nic->rules, table_of(port, spec.transfer), &spec.key,
			&spec.mask, spec.priority, &spec.act, &err);
		if (flow != NULL) {
			flow->port = port;
			flow->transfer = spec.transfer;
			TAILQ_INSERT_TAIL(&port->rules, flow, list);
		} else if (err == ENOSPC) {
			full(port, error);
		} else {
			rte_flow_error_set(error, err, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
				"no memory for another mask");
		}
	}
	emu_gate_leave(&nic->gate);
	pthread_mutex_unlock(&nic->insert_lock);
	return flow;
}

// True when the handle is one of a live rule of the port. Under the gate.
static bool
is_live(const struct emu_port *port, const struct rte_flow *flow)
{
	const struct emu_rules *r = &port->nic->rules;

	return flow >= r->slots && flow < r->slots + r->capacity && flow->port == port;
}

static void
destroy(struct emu_port *port, struct rte_flow *flow)
{
	TAILQ_REMOVE(&port->rules, flow, list);
	flow->port = NULL;
	emu_table_del(&port->nic->rules, table_of(port, flow->transfer), flow);
}

static int
flow_destroy(struct rte_eth_dev *dev, struct rte_flow *flow, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	bool live;

	emu_gate_enter(&port->nic->gate);
	live = is_live(port, flow);
	if (live)
		destroy(port, flow);
	emu_gate_leave(&port->nic->gate);
	if (!live)
		return rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
			"the port has no such rule");
	return 0;
}

// One rule at a time, so that the firmware is never held up for long.
void
emu_flow_forget(struct emu_port *port)
{
	bool more;

	do {
		emu_gate_enter(&port->nic->gate);
		more = !TAILQ_EMPTY(&port->rules);
		if (more)
			destroy(port, TAILQ_FIRST(&port->rules));
		emu_gate_leave(&port->nic->gate);
	} while (more);
}

static int
flow_flush(struct rte_eth_dev *dev, struct rte_flow_error *error)
{
	emu_flow_forget(dev->data->dev_private);
	return 0;
}

static int
query_count(struct emu_port *port, struct rte_flow *flow, struct rte_flow_query_count *out,
	const struct rte_flow_action *action, struct rte_flow_error *error)
{
	if (!flow->act.count)
		return rte_flow_error_set(
			error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, action, "the rule has no COUNT");
	out->hits_set = 1;
	out->bytes_set = 1;
	out->hits = flow->packets;
	out->bytes = flow->bytes;
	if (out->reset) {
		flow->packets = 0;
		flow->bytes = 0;
	}
	return 0;
}

static int
flow_query(struct rte_eth_dev *dev, struct rte_flow *flow, const struct rte_flow_action *actions,
	void *data, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	if (!is_live(port, flow))
		ret = rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
			"the port has no such rule");
	for (; ret == 0 && actions->type != RTE_FLOW_ACTION_TYPE_END; actions++) {
		if (actions->type == RTE_FLOW_ACTION_TYPE_COUNT)
			ret = query_count(port, flow, data, actions, error);
		else if (actions->type != RTE_FLOW_ACTION_TYPE_VOID)
			ret = rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION,
				actions, "only COUNT can be queried");
	}
	emu_gate_leave(&port->nic->gate);
	return ret;
}

static const struct rte_flow_ops ops = {
	.validate = flow_validate,
	.create = flow_create,
	.destroy = flow_destroy,
	.flush = flow_flush,
	.query = flow_query,
};

const struct rte_flow_ops *
emu_flow_ops(void)
{
	return &ops;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <rte_errno.h>

#include "rte_flow/async.h"
#include "rte_flow/shared.h"

// Shared actions by the queues: what rte_flow's direct calls do, with a result to pull.

// One operation on a queue.
struct op {
	struct emu_port *port;
	struct emu_async_queue *queue; // NULL: refused, with the error set
	const struct rte_flow_op_attr *attr;
	void *user_data;
};

// Enters the gate.
static struct op
begin(struct rte_eth_dev *dev, uint32_t queue, const struct rte_flow_op_attr *attr, void *user_data,
	struct rte_flow_error *error)
{
	struct op op = {.port = dev->data->dev_private, .attr = attr, .user_data = user_data};

	emu_gate_enter(&op.port->nic->gate);
	op.queue = emu_async_room(op.port, queue, error);
	return op;
}

// Queues the result when ret is 0, and leaves the gate. Returns ret.
static int
end(const struct op *op, int ret)
{
	if (ret == 0)
		emu_async_complete(op->port, op->queue, op->attr, false, op->user_data);
	emu_gate_leave(&op->port->nic->gate);
	return ret;
}

struct rte_flow_action_handle *
emu_async_handle_create(struct rte_eth_dev *dev, uint32_t queue,
	const struct rte_flow_op_attr *attr, const struct rte_flow_indir_action_conf *conf,
	const struct rte_flow_action *action, void *user_data, struct rte_flow_error *error)
{
	struct op op = begin(dev, queue, attr, user_data, error);
	struct rte_flow_action_handle *h = NULL;

	if (op.queue != NULL)
		h = emu_shared_create(op.port, conf, action, error);
	end(&op, h != NULL ? 0 : -rte_errno);
	return h;
}

int
emu_async_handle_destroy(struct rte_eth_dev *dev, uint32_t queue,
	const struct rte_flow_op_attr *attr, struct rte_flow_action_handle *handle, void *user_data,
	struct rte_flow_error *error)
{
	struct op op = begin(dev, queue, attr, user_data, error);

	return end(&op, op.queue != NULL ? emu_shared_destroy(op.port, handle, error) : -rte_errno);
}

int
emu_async_handle_update(struct rte_eth_dev *dev, uint32_t queue,
	const struct rte_flow_op_attr *attr, struct rte_flow_action_handle *handle,
	const void *update, void *user_data, struct rte_flow_error *error)
{
	struct op op = begin(dev, queue, attr, user_data, error);

	return end(&op,
		op.queue != NULL ? emu_shared_update(op.port, handle, update, error) : -rte_errno);
}

int
emu_async_handle_query(struct rte_eth_dev *dev, uint32_t queue, const struct rte_flow_op_attr *attr,
	const struct rte_flow_action_handle *handle, void *data, void *user_data,
	struct rte_flow_error *error)
{
	struct op op = begin(dev, queue, attr, user_data, error);

	return end(&op,
		op.queue != NULL ? emu_shared_query(op.port, handle, data, error) : -rte_errno);
}

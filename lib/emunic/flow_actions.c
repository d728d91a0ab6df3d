// SPDX-License-Identifier: BSD-3-Clause
#include "flow.h"

#include <errno.h>
#include <stdio.h>

// From an action list to what the firmware does.

struct acts {
	struct emu_port *port;
	struct emu_flow_spec *out;
	struct rte_flow_error *error;
	const struct rte_flow_action *action;
};

static int
invalid(struct acts *a, const char *message)
{
	return rte_flow_error_set(a->error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, a->action, message);
}

static int
bad_conf(struct acts *a, const char *message)
{
	return rte_flow_error_set(
		a->error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, a->action->conf, message);
}

static int
decide(struct acts *a, enum emu_fate fate, uint16_t target)
{
	if (a->out->act.fate != EMU_FATE_NONE)
		return invalid(a, "only one action may decide where the packet goes");
	a->out->act.fate = fate;
	a->out->act.target = target;
	return 0;
}

static int
to_queue(struct acts *a)
{
	const struct rte_flow_action_queue *conf = a->action->conf;

	if (conf == NULL || conf->index >= a->port->n_rxq)
		return bad_conf(a, "QUEUE: the port has no such receive queue");
	return decide(a, EMU_FATE_QUEUE, conf->index);
}

static int
to_mark(struct acts *a)
{
	const struct rte_flow_action_mark *conf = a->action->conf;

	if (conf == NULL)
		return bad_conf(a, "MARK needs an id");
	if (a->out->act.mark)
		return invalid(a, "a second MARK");
	if (!a->out->transfer && a->port->no_mark)
		return invalid(
			a, "MARK: delivery of marks was not negotiated (rx_metadata_negotiate)");
	a->out->act.mark = true;
	a->out->act.mark_id = conf->id;
	return 0;
}

static int
to_count(struct acts *a)
{
	if (a->out->act.count)
		return invalid(a, "a second COUNT");
	a->out->act.count = true;
	return 0;
}

static int
to_port(struct acts *a, enum emu_fate fate, uint32_t id)
{
	struct emu_port *port = id > UINT16_MAX ? NULL : emu_flow_port(a->port, id);

	if (port == NULL)
		return bad_conf(a, "the port is not of this NIC");
	return decide(a, fate, port->index);
}

static int
to_ethdev(struct acts *a, enum emu_fate fate)
{
	const struct rte_flow_action_ethdev *conf = a->action->conf;

	if (conf == NULL)
		return bad_conf(a, "a port action needs a port");
	return to_port(a, fate, conf->port_id);
}

static int
to_port_id(struct acts *a)
{
	const struct rte_flow_action_port_id *conf = a->action->conf;

	if (conf == NULL)
		return bad_conf(a, "PORT_ID needs a port");
	return to_port(a, EMU_FATE_SIDE, conf->original ? a->port->dev->data->port_id : conf->id);
}

static int
to_jump(struct acts *a)
{
	const struct rte_flow_action_jump *conf = a->action->conf;

	if (conf == NULL)
		return bad_conf(a, "JUMP needs a group");
	if (conf->group == a->out->group)
		return bad_conf(a, "JUMP: the rule is in that group itself");
	a->out->act.jump = conf->group;
	return decide(a, EMU_FATE_JUMP, 0);
}

static int
one_action(struct acts *a)
{
	switch (a->action->type) {
	case RTE_FLOW_ACTION_TYPE_VOID:
		return 0;
	case RTE_FLOW_ACTION_TYPE_QUEUE:
		return to_queue(a);
	case RTE_FLOW_ACTION_TYPE_MARK:
		return to_mark(a);
	case RTE_FLOW_ACTION_TYPE_COUNT:
		return to_count(a);
	case RTE_FLOW_ACTION_TYPE_JUMP:
		return to_jump(a);
	case RTE_FLOW_ACTION_TYPE_DROP:
		return decide(a, EMU_FATE_DROP, 0);
	case RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT:
		return to_ethdev(a, EMU_FATE_SIDE);
	case RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR:
		return to_ethdev(a, EMU_FATE_HOST);
	case RTE_FLOW_ACTION_TYPE_PORT_ID:
		return to_port_id(a);
	default:
		return rte_flow_error_set(a->error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, a->action,
			"action not supported");
	}
}

int
emu_flow_actions(struct emu_port *port, const struct rte_flow_action *actions,
	struct emu_flow_spec *out, struct rte_flow_error *error)
{
	struct acts a = {.port = port, .out = out, .error = error};
	unsigned int n = 0;

	if (actions == NULL)
		return rte_flow_error_set(
			error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_NUM, NULL, "no actions");
	for (; actions->type != RTE_FLOW_ACTION_TYPE_END; actions++) {
		int ret;

		a.action = actions;
		ret = emu_flow_supported(port, out, true, actions->type, actions, error);
		if (ret == 0)
			ret = one_action(&a);
		if (ret != 0)
			return ret;
		n += actions->type != RTE_FLOW_ACTION_TYPE_VOID;
	}
	if (n == 0)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_NUM, actions,
			"a rule needs an action");
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/build.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "assign/groups.h"
#include "eswitch/rss_rule.h"

// From an action list to what the firmware does: what decides where a packet goes, what is counted
// and marked, and the program of the rest.

int
emu_build_invalid(struct emu_build *b, const char *message)
{
	return rte_flow_error_set(b->error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, b->action, message);
}

int
emu_build_conf(struct emu_build *b, const char *message)
{
	return rte_flow_error_set(
		b->error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, b->action->conf, message);
}

int
emu_build_unsupported(struct emu_build *b, const char *message)
{
	return rte_flow_error_set(
		b->error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION_CONF, b->action->conf, message);
}

emu_u128
emu_build_number(const void *bytes, unsigned int n)
{
	const uint8_t *at = bytes;
	emu_u128 v = 0;

	for (unsigned int i = 0; i < n; i++)
		v = v << 8 | at[i];
	return v;
}

int
emu_build_op(struct emu_build *b, const struct emu_op *op)
{
	if (b->act->fate != EMU_FATE_NONE)
		return emu_build_invalid(b, "the action comes after the one that decides where the "
					    "packet goes, so it would never be done");
	if (b->n_ops == EMU_MAX_OPS)
		return emu_build_invalid(b, "the rule does too much to a packet: the NIC has room "
					    "for 32 operations");
	b->ops[b->n_ops++] = *op;
	return 0;
}

int
emu_build_set(struct emu_build *b, enum emu_field field, emu_u128 value)
{
	const struct emu_op op = {
		.code = EMU_OP_MODIFY,
		.how = EMU_SET,
		.dst = field,
		.src = EMU_FIELD_NONE,
		.width = emu_field_bits(field),
		.value = {(uint64_t)value, (uint64_t)(value >> 64)},
	};

	b->writes |= emu_field_in_packet(field);
	return emu_build_op(b, &op);
}

int
emu_build_decide(struct emu_build *b, enum emu_fate fate, uint16_t target)
{
	if (b->act->fate != EMU_FATE_NONE)
		return emu_build_invalid(b, "only one action may decide where the packet goes");
	b->act->fate = fate;
	b->act->target = target;
	return 0;
}

// In a transfer rule QUEUE says which receive queue of the VF to take, behind the action that names
// the VF.
static int
to_vf_queue(struct emu_build *b)
{
	const struct rte_flow_action_queue *conf = b->action->conf;

	if (b->act->fate != EMU_FATE_SIDE || b->port->nic->sides[b->act->target].wire != NULL)
		return emu_build_invalid(
			b, "QUEUE needs an ingress rule, or a VF as target before it");
	if (conf == NULL || conf->index >= EMU_MAX_VF_QUEUES)
		return emu_build_conf(b, "QUEUE: a VF has receive queues 0 to 127");
	if (b->act->vf_queue != EMU_NO_QUEUE)
		return emu_build_invalid(b, "a second QUEUE");
	b->act->vf_queue = conf->index;
	return 0;
}

static int
to_queue(struct emu_build *b)
{
	const struct rte_flow_action_queue *conf = b->action->conf;

	if (b->spec->transfer)
		return to_vf_queue(b);
	if (conf != NULL && conf->index >= RTE_PMD_EMUNIC_GROUP) {
		if (emu_groups_get(b->port, conf->index - RTE_PMD_EMUNIC_GROUP) == NULL)
			return emu_build_conf(
				b, "QUEUE: the port has no such queue group (rte_pmd_emunic.h)");
		return emu_build_decide(b, EMU_FATE_GROUP, conf->index - RTE_PMD_EMUNIC_GROUP);
	}
	if (conf == NULL || conf->index >= b->port->n_rxq)
		return emu_build_conf(b, "QUEUE: the port has no such receive queue");
	return emu_build_decide(b, EMU_FATE_QUEUE, conf->index);
}

// A mark stands in the rule itself; behind operations it is one of them, to keep the order.
static int
to_mark(struct emu_build *b)
{
	const struct rte_flow_action_mark *conf = b->action->conf;

	if (conf == NULL)
		return emu_build_conf(b, "MARK needs an id");
	if (b->marked)
		return emu_build_invalid(b, "a second MARK");
	if (conf->id > b->port->nic->moods.mark_max)
		return emu_build_conf(b, "MARK: the id is above what the NIC has (mark_max)");
	if (!b->spec->transfer && b->port->no_mark)
		return emu_build_invalid(
			b, "MARK: delivery of marks was not negotiated (rx_metadata_negotiate)");
	b->marked = true;
	if (b->n_ops > 0 && b->act->fate == EMU_FATE_NONE)
		return emu_build_set(b, EMU_FIELD_MARK, conf->id);
	b->act->mark = true;
	b->act->mark_id = conf->id;
	return 0;
}

static int
to_count(struct emu_build *b)
{
	if (b->act->count)
		return emu_build_invalid(b, "a second COUNT");
	b->act->count = true;
	return 0;
}

static int
to_port(struct emu_build *b, enum emu_fate fate, uint32_t id)
{
	struct emu_port *port = id > UINT16_MAX ? NULL : emu_flow_port(b->port, id);

	if (port == NULL)
		return emu_build_conf(b, "the port is not of this NIC");
	return emu_build_decide(b, fate, port->index);
}

static int
to_ethdev(struct emu_build *b, enum emu_fate fate)
{
	const struct rte_flow_action_ethdev *conf = b->action->conf;

	if (conf == NULL)
		return emu_build_conf(b, "a port action needs a port");
	return to_port(b, fate, conf->port_id);
}

static int
to_port_id(struct emu_build *b)
{
	const struct rte_flow_action_port_id *conf = b->action->conf;

	if (conf == NULL)
		return emu_build_conf(b, "PORT_ID needs a port");
	return to_port(b, EMU_FATE_SIDE, conf->original ? b->port->dev->data->port_id : conf->id);
}

// PASSTHRU overrides DROP, in whatever order they come (rte_flow.h).
static int
to_pass(struct emu_build *b)
{
	if (b->act->fate == EMU_FATE_DROP)
		b->act->fate = EMU_FATE_NONE;
	if (b->act->fate == EMU_FATE_PASS)
		return emu_build_invalid(b, "a second PASSTHRU");
	if (b->act->fate != EMU_FATE_NONE)
		return emu_build_invalid(b, "PASSTHRU leaves to other rules where the packet goes, "
					    "and this one already decides; SAMPLE makes copies");
	return emu_build_decide(b, EMU_FATE_PASS, 0);
}

static int
to_drop(struct emu_build *b)
{
	return b->act->fate == EMU_FATE_PASS ? 0 : emu_build_decide(b, EMU_FATE_DROP, 0);
}

static int
to_jump(struct emu_build *b)
{
	const struct rte_flow_action_jump *conf = b->action->conf;

	if (conf == NULL)
		return emu_build_conf(b, "JUMP needs a group");
	if (conf->group == b->spec->group)
		return emu_build_conf(b, "JUMP: the rule is in that group itself");
	b->act->jump = conf->group;
	return emu_build_decide(b, EMU_FATE_JUMP, 0);
}

static int
to_age(struct emu_build *b)
{
	const struct rte_flow_action_age *conf = b->action->conf;

	if (conf == NULL || conf->timeout == 0)
		return emu_build_conf(b, "AGE needs a timeout of a second or more");
	if (b->act->age_timeout > 0 || b->act->age != NULL)
		return emu_build_invalid(b, "a second AGE");
	b->act->age_timeout = conf->timeout;
	b->act->age_context = conf->context;
	return 0;
}

static int
one_action(struct emu_build *b)
{
	int ret;

	switch (b->action->type) {
	case RTE_FLOW_ACTION_TYPE_VOID:
		return 0;
	case RTE_FLOW_ACTION_TYPE_QUEUE:
		return to_queue(b);
	case RTE_FLOW_ACTION_TYPE_MARK:
		return to_mark(b);
	case RTE_FLOW_ACTION_TYPE_COUNT:
		return to_count(b);
	case RTE_FLOW_ACTION_TYPE_AGE:
		return to_age(b);
	case RTE_FLOW_ACTION_TYPE_INDIRECT:
		return emu_build_shared(b);
	case RTE_FLOW_ACTION_TYPE_JUMP:
		return to_jump(b);
	case RTE_FLOW_ACTION_TYPE_DROP:
		return to_drop(b);
	case RTE_FLOW_ACTION_TYPE_PASSTHRU:
		return to_pass(b);
	case RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT:
		return to_ethdev(b, EMU_FATE_SIDE);
	case RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR:
		return to_ethdev(b, EMU_FATE_HOST);
	case RTE_FLOW_ACTION_TYPE_PORT_ID:
		return to_port_id(b);
	case RTE_FLOW_ACTION_TYPE_RSS:
		return emu_build_rss(b);
	case RTE_FLOW_ACTION_TYPE_METER:
		return emu_build_meter(b);
	case RTE_FLOW_ACTION_TYPE_SAMPLE:
		return emu_build_sample(b);
	case RTE_FLOW_ACTION_TYPE_MODIFY_FIELD:
		return emu_build_modify(b);
	case RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP:
		return emu_build_vxlan_encap(b);
	case RTE_FLOW_ACTION_TYPE_VXLAN_DECAP:
		return emu_build_vxlan_decap(b);
	case RTE_FLOW_ACTION_TYPE_RAW_ENCAP:
		return emu_build_raw_encap(b);
	case RTE_FLOW_ACTION_TYPE_RAW_DECAP:
		return emu_build_raw_decap(b);
	default:
		if (emu_build_edit(b, &ret))
			return ret;
		return rte_flow_error_set(b->error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, b->action,
			"action not supported");
	}
}

// Makes the program of what was gathered.
static int
finish(struct emu_build *b)
{
	struct emu_program *g;

	if (b->n_ops == 0 && b->rss == NULL)
		return 0;
	g = rte_malloc("emunic program", sizeof(*g) + b->n_ops * sizeof(g->ops[0]), 0);
	if (g == NULL)
		return rte_flow_error_set(b->error, ENOMEM, RTE_FLOW_ERROR_TYPE_ACTION, NULL,
			"no memory for what the rule does");
	g->n_ops = b->n_ops;
	g->writes = b->writes;
	g->reframes = b->reframes;
	g->grows = b->grows;
	g->rss = b->rss;
	memcpy(g->encap, b->encap, sizeof(g->encap));
	memcpy(g->ops, b->ops, b->n_ops * sizeof(g->ops[0]));
	b->act->program = g;
	return 0;
}

static int
build(struct emu_build *b, const struct rte_flow_action *actions)
{
	unsigned int n = 0;
	int ret;

	for (; actions->type != RTE_FLOW_ACTION_TYPE_END; actions++) {
		b->action = actions;
		ret = emu_flow_supported(b->port, b->spec, true, actions->type, actions, b->error);
		if (ret >= 0)
			ret = one_action(b);
		if (ret != 0)
			return ret;
		n += actions->type != RTE_FLOW_ACTION_TYPE_VOID;
	}
	if (n == 0)
		return rte_flow_error_set(b->error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_NUM, actions,
			"a rule needs an action");
	return finish(b);
}

// Frees what a builder gathered that made no program.
static void
let_go(struct emu_build *b)
{
	for (unsigned int i = 0; i < b->n_ops; i++)
		emu_op_release(&b->ops[i]);
	for (unsigned int i = 0; i < EMU_MAX_ENCAPS; i++)
		rte_free(b->encap[i]);
	emu_rss_rule_put(b->rss);
}

int
emu_flow_actions(struct emu_port *port, const struct rte_flow_action *actions,
	struct emu_flow_spec *out, struct rte_flow_error *error)
{
	struct emu_build b;
	int ret;

	// The array of operations is written before it is read; it need not be cleared.
	memset(&b, 0, offsetof(struct emu_build, ops));
	b.port = port;
	b.spec = out;
	b.act = &out->act;
	b.error = error;
	out->act.vf_queue = EMU_NO_QUEUE;
	if (actions == NULL)
		return rte_flow_error_set(
			error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_NUM, NULL, "no actions");
	ret = build(&b, actions);
	if (ret != 0)
		let_go(&b);
	return ret;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_version.h>

#include "rte_flow/template.h"

// Templates of the queue API: copies of what the application gave, and who uses them.

// A deep copy of a pattern or action list in one block; NULL with error set.
static void *
copy(enum rte_flow_conv_op op, const void *list, struct rte_flow_error *error)
{
	int size = list == NULL ? -EINVAL : rte_flow_conv(op, NULL, 0, list, error);
	void *block;

	if (size < 0) {
		TEMPLATE_FAIL(EINVAL, list, "the template cannot be read");
		return NULL;
	}
	block = rte_zmalloc("emunic template", size, 64);
	if (block == NULL)
		TEMPLATE_FAIL(ENOMEM, NULL, "no memory for the template");
	else
		rte_flow_conv(op, block, size, list, error);
	return block;
}

static int
check_items(struct emu_port *port, const struct rte_flow_pattern_template_attr *attr,
	const struct rte_flow_item *items, struct rte_flow_error *error)
{
	struct emu_flow_spec spec = {.domain = attr->transfer ? EMU_ON_TRANSFER
					       : attr->egress ? EMU_ON_EGRESS
							      : EMU_ON_INGRESS};
	unsigned int n = 0;

	for (; items->type != RTE_FLOW_ITEM_TYPE_END; items++) {
		int row = emu_flow_supported(port, &spec, false, items->type, items, error);

		if (row < 0)
			return row;
		if (++n > EMU_TEMPLATE_ITEMS)
			return rte_flow_error_set(error, E2BIG, RTE_FLOW_ERROR_TYPE_ITEM_NUM, items,
				"a template has at most 32 items");
	}
	return 0;
}

struct rte_flow_pattern_template *
emu_pattern_template_create(struct rte_eth_dev *dev,
	const struct rte_flow_pattern_template_attr *attr, const struct rte_flow_item pattern[],
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_pattern_template *t;
	int ret;

	if (attr->ingress + attr->egress + attr->transfer != 1) {
		rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ATTR, attr,
			"a template is of one domain: ingress, egress or transfer");
		return NULL;
	}
	emu_gate_enter(&port->nic->gate);
	ret = check_items(port, attr, pattern, error);
	emu_gate_leave(&port->nic->gate);
	if (ret != 0)
		return NULL;
	t = rte_zmalloc("emunic template", sizeof(*t), 0);
	if (t == NULL) {
		TEMPLATE_FAIL(ENOMEM, NULL, "no memory for the template");
		return NULL;
	}
	t->attr = *attr;
	t->items = copy(RTE_FLOW_CONV_OP_PATTERN, pattern, error);
	if (t->items == NULL) {
		rte_free(t);
		return NULL;
	}
	emu_gate_enter(&port->nic->gate);
	LIST_INSERT_HEAD(&port->patterns, t, list);
	emu_gate_leave(&port->nic->gate);
	return t;
}

static void
free_pattern(struct rte_flow_pattern_template *t)
{
	LIST_REMOVE(t, list);
	rte_free(t->items);
	rte_free(t);
}

int
emu_pattern_template_destroy(
	struct rte_eth_dev *dev, struct rte_flow_pattern_template *t, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_pattern_template *f;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	LIST_FOREACH(f, &port->patterns, list)
	if (f == t)
		break;
	if (f == NULL)
		ret = TEMPLATE_FAIL(ENOENT, t, "the port has no such pattern template");
	else if (t->users > 0)
		ret = TEMPLATE_FAIL(EBUSY, t, "a table uses the pattern template");
	else
		free_pattern(t);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

// The mask of an INDIRECT action says by its type what it will be.
static int
check_actions(struct emu_port *port, const struct rte_flow_actions_template_attr *attr,
	const struct rte_flow_action *actions, const struct rte_flow_action *masks,
	struct rte_flow_error *error)
{
	struct emu_flow_spec spec = {.domain = (attr->ingress ? EMU_ON_INGRESS : 0) |
					       (attr->egress ? EMU_ON_EGRESS : 0) |
					       (attr->transfer ? EMU_ON_TRANSFER : 0)};
	unsigned int n = 0;

	if (spec.domain == 0)
		spec.domain = EMU_ON_ALL;
	for (;; actions++, masks++) {
		int ret;

		if (actions->type != masks->type &&
			(actions->type != RTE_FLOW_ACTION_TYPE_INDIRECT ||
				masks->type == RTE_FLOW_ACTION_TYPE_END))
			return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, masks,
				"the masks are of other types than the actions");
		if (actions->type == RTE_FLOW_ACTION_TYPE_END)
			return 0;
		ret = emu_flow_supported(port, &spec, true, actions->type, actions, error);
		if (ret >= 0)
			ret = emu_flow_supported(port, &spec, true, masks->type, masks, error);
		if (ret < 0)
			return ret;
		if (++n > EMU_TEMPLATE_ITEMS)
			return rte_flow_error_set(error, E2BIG, RTE_FLOW_ERROR_TYPE_ACTION_NUM,
				actions, "a template has at most 32 actions");
	}
}

static void
free_actions(struct rte_flow_actions_template *t)
{
	emu_template_drop(t->actions);
	rte_free(t->actions);
	rte_free(t->masks);
	rte_free(t);
}

struct rte_flow_actions_template *
emu_actions_template_create(struct rte_eth_dev *dev,
	const struct rte_flow_actions_template_attr *attr, const struct rte_flow_action actions[],
	const struct rte_flow_action masks[], struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_actions_template *t;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = check_actions(port, attr, actions, masks, error);
	emu_gate_leave(&port->nic->gate);
	if (ret != 0)
		return NULL;
	t = rte_zmalloc("emunic template", sizeof(*t), 0);
	if (t == NULL) {
		TEMPLATE_FAIL(ENOMEM, NULL, "no memory for the template");
		return NULL;
	}
	t->actions = copy(RTE_FLOW_CONV_OP_ACTIONS, actions, error);
	if (t->actions != NULL && emu_template_keep(t->actions) == 0)
		t->masks = emu_template_masks(masks);
	if (t->masks == NULL) {
		if (t->actions != NULL)
			TEMPLATE_FAIL(ENOMEM, NULL, "no memory for the template");
		free_actions(t);
		return NULL;
	}
	emu_gate_enter(&port->nic->gate);
	LIST_INSERT_HEAD(&port->action_templates, t, list);
	emu_gate_leave(&port->nic->gate);
	return t;
}

int
emu_actions_template_destroy(
	struct rte_eth_dev *dev, struct rte_flow_actions_template *t, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_actions_template *f;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	LIST_FOREACH(f, &port->action_templates, list)
	if (f == t)
		break;
	if (f == NULL) {
		ret = TEMPLATE_FAIL(ENOENT, t, "the port has no such actions template");
	} else if (t->users > 0) {
		ret = TEMPLATE_FAIL(EBUSY, t, "a table uses the actions template");
	} else {
		LIST_REMOVE(t, list);
		free_actions(t);
	}
	emu_gate_leave(&port->nic->gate);
	return ret;
}

bool
emu_templates_any(const struct emu_port *port)
{
	return !LIST_EMPTY(&port->patterns) || !LIST_EMPTY(&port->action_templates);
}

void
emu_templates_fini(struct emu_port *port)
{
	struct rte_flow_actions_template *a;

	while (!LIST_EMPTY(&port->tables))
		emu_template_table_free(LIST_FIRST(&port->tables));
	while (!LIST_EMPTY(&port->patterns))
		free_pattern(LIST_FIRST(&port->patterns));
	while ((a = LIST_FIRST(&port->action_templates)) != NULL) {
		LIST_REMOVE(a, list);
		free_actions(a);
	}
}

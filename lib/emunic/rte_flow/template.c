// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_version.h>

#include "rte_flow/async.h"
#include "rte_flow/shared.h"

// Templates and tables of the queue API: copies of what the application gave, and who uses them.

#define MAX_TEMPLATES 16 // of each kind in a table

struct rte_flow_pattern_template {
	LIST_ENTRY(rte_flow_pattern_template) list;
	struct rte_flow_pattern_template_attr attr;
	struct rte_flow_item *items; // one block
	uint32_t users;              // tables
};

struct rte_flow_actions_template {
	LIST_ENTRY(rte_flow_actions_template) list;
	struct rte_flow_action *actions; // one block each
	struct rte_flow_action *masks;
	uint32_t users;
};

struct rte_flow_template_table {
	LIST_ENTRY(rte_flow_template_table) list;
	struct rte_flow_template_table_attr attr;
	struct rte_flow_pattern_template *patterns[MAX_TEMPLATES];
	struct rte_flow_actions_template *actions[MAX_TEMPLATES];
	uint8_t n_patterns, n_actions;
	uint32_t n_rules;
};

#define FAIL(code, cause, message)                                                                 \
	rte_flow_error_set(error, code, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, cause, message)

// A deep copy of a pattern or action list in one block; NULL with error set.
static void *
copy(enum rte_flow_conv_op op, const void *list, struct rte_flow_error *error)
{
	int size = list == NULL ? -EINVAL : rte_flow_conv(op, NULL, 0, list, error);
	void *block;

	if (size < 0) {
		FAIL(EINVAL, list, "the template cannot be read");
		return NULL;
	}
	block = rte_zmalloc("emunic template", size, 64);
	if (block == NULL)
		FAIL(ENOMEM, NULL, "no memory for the template");
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
		FAIL(ENOMEM, NULL, "no memory for the template");
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
		ret = FAIL(ENOENT, t, "the port has no such pattern template");
	else if (t->users > 0)
		ret = FAIL(EBUSY, t, "a table uses the pattern template");
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
		FAIL(ENOMEM, NULL, "no memory for the template");
		return NULL;
	}
	t->actions = copy(RTE_FLOW_CONV_OP_ACTIONS, actions, error);
	if (t->actions != NULL && emu_template_keep(t->actions) != 0)
		FAIL(ENOMEM, NULL, "no memory for the template");
	else if (t->actions != NULL)
		t->masks = copy(RTE_FLOW_CONV_OP_ACTIONS, masks, error);
	if (t->masks == NULL) {
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
		ret = FAIL(ENOENT, t, "the port has no such actions template");
	} else if (t->users > 0) {
		ret = FAIL(EBUSY, t, "a table uses the actions template");
	} else {
		LIST_REMOVE(t, list);
		free_actions(t);
	}
	emu_gate_leave(&port->nic->gate);
	return ret;
}

// The templates of a table are of this port and of its domain.
static int
check_templates(struct emu_port *port, const struct rte_flow_attr *attr,
	struct rte_flow_pattern_template **patterns, uint8_t n_patterns,
	struct rte_flow_actions_template **actions, uint8_t n_actions, struct rte_flow_error *error)
{
	struct rte_flow_actions_template *a;
	struct rte_flow_pattern_template *p;

	for (unsigned int i = 0; i < n_patterns; i++) {
		LIST_FOREACH(p, &port->patterns, list)
		if (p == patterns[i])
			break;
		if (p == NULL)
			return FAIL(ENOENT, patterns[i], "the port has no such pattern template");
		if (p->attr.ingress != attr->ingress || p->attr.egress != attr->egress ||
			p->attr.transfer != attr->transfer)
			return FAIL(EINVAL, p, "the pattern template is of another domain");
	}
	for (unsigned int i = 0; i < n_actions; i++) {
		LIST_FOREACH(a, &port->action_templates, list)
		if (a == actions[i])
			break;
		if (a == NULL)
			return FAIL(ENOENT, actions[i], "the port has no such actions template");
	}
	return 0;
}

struct rte_flow_template_table *
emu_template_table_create(struct rte_eth_dev *dev, const struct rte_flow_template_table_attr *attr,
	struct rte_flow_pattern_template *patterns[], uint8_t n_patterns,
	struct rte_flow_actions_template *actions[], uint8_t n_actions,
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_template_table *t;

	if (n_patterns > MAX_TEMPLATES || n_actions > MAX_TEMPLATES) {
		FAIL(E2BIG, NULL, "a table has at most 16 templates of each kind");
		return NULL;
	}
	if (n_patterns == 0 || n_actions == 0) {
		FAIL(EINVAL, NULL, "a table needs a template of each kind");
		return NULL;
	}
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
	if (attr->insertion_type != RTE_FLOW_TABLE_INSERTION_TYPE_PATTERN) {
		FAIL(ENOTSUP, attr, "rules are inserted by their pattern only, not by an index");
		return NULL;
	}
#endif
	t = rte_zmalloc("emunic template", sizeof(*t), 0);
	if (t == NULL) {
		FAIL(ENOMEM, NULL, "no memory for the table");
		return NULL;
	}
	t->attr = *attr;
	t->n_patterns = n_patterns;
	t->n_actions = n_actions;
	emu_gate_enter(&port->nic->gate);
	if (check_templates(
		    port, &attr->flow_attr, patterns, n_patterns, actions, n_actions, error) != 0) {
		emu_gate_leave(&port->nic->gate);
		rte_free(t);
		return NULL;
	}
	for (unsigned int i = 0; i < n_patterns; i++) {
		t->patterns[i] = patterns[i];
		patterns[i]->users++;
	}
	for (unsigned int i = 0; i < n_actions; i++) {
		t->actions[i] = actions[i];
		actions[i]->users++;
	}
	LIST_INSERT_HEAD(&port->tables, t, list);
	emu_gate_leave(&port->nic->gate);
	return t;
}

static void
free_table(struct rte_flow_template_table *t)
{
	LIST_REMOVE(t, list);
	for (unsigned int i = 0; i < t->n_patterns; i++)
		t->patterns[i]->users--;
	for (unsigned int i = 0; i < t->n_actions; i++)
		t->actions[i]->users--;
	rte_free(t);
}

static struct rte_flow_template_table *
find_table(const struct emu_port *port, const struct rte_flow_template_table *t)
{
	struct rte_flow_template_table *f;

	LIST_FOREACH(f, &port->tables, list)
	if (f == t)
		return f;
	return NULL;
}

int
emu_template_table_destroy(
	struct rte_eth_dev *dev, struct rte_flow_template_table *t, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	if (find_table(port, t) == NULL)
		ret = FAIL(ENOENT, t, "the port has no such table");
	else if (t->n_rules > 0)
		ret = FAIL(EBUSY, t, "the table has rules");
	else
		free_table(t);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

void
emu_template_use(struct rte_flow_template_table *table, int n)
{
	table->n_rules += n;
}

static int
fill_items(const struct rte_flow_item *from, const struct rte_flow_item *pattern,
	struct rte_flow_item *items, struct rte_flow_error *error)
{
	for (;; from++, pattern++, items++) {
		if (from->type != pattern->type)
			return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, pattern,
				"the item is of another type than the template's");
		*items = *pattern;
		if (from->type == RTE_FLOW_ITEM_TYPE_END)
			return 0;
		items->mask = pattern->spec != NULL ? from->mask : NULL;
	}
}

static int
fill_actions(struct emu_port *port, const struct rte_flow_actions_template *from,
	const struct rte_flow_action *actions, struct emu_template_rule *rule,
	struct rte_flow_error *error)
{
	struct rte_flow_action *out = rule->actions;

	for (unsigned int i = 0;; i++) {
		if (from->actions[i].type != actions[i].type)
			return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION,
				&actions[i], "the action is of another type than the template's");
		out[i] = actions[i];
		if (out[i].type == RTE_FLOW_ACTION_TYPE_END)
			return 0;
		out[i].conf = emu_template_conf(
			&from->actions[i], &from->masks[i], actions[i].conf, &rule->confs[i]);
		if (out[i].type == RTE_FLOW_ACTION_TYPE_INDIRECT &&
			from->masks[i].type != RTE_FLOW_ACTION_TYPE_INDIRECT &&
			emu_handle_type(port, out[i].conf) != (int)from->masks[i].type)
			return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF,
				out[i].conf,
				"INDIRECT: no shared action of the port that is of the type that "
				"the template's mask says");
	}
}

int
emu_template_fill(struct emu_port *port, struct rte_flow_template_table *table,
	const struct rte_flow_item pattern[], uint8_t pattern_index,
	const struct rte_flow_action actions[], uint8_t actions_index,
	struct emu_template_rule *out, struct rte_flow_error *error)
{
	int ret;

	if (find_table(port, table) == NULL)
		return FAIL(ENOENT, table, "the port has no such table");
	if (pattern_index >= table->n_patterns || actions_index >= table->n_actions)
		return FAIL(EINVAL, table, "the table has no template of that index");
	if (table->n_rules >= table->attr.nb_flows)
		return FAIL(ENOSPC, table, "the table is full (nb_flows)");
	out->attr = table->attr.flow_attr;
	ret = fill_items(table->patterns[pattern_index]->items, pattern, out->items, error);
	return ret != 0 ? ret
			: fill_actions(port, table->actions[actions_index], actions, out, error);
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
		free_table(LIST_FIRST(&port->tables));
	while (!LIST_EMPTY(&port->patterns))
		free_pattern(LIST_FIRST(&port->patterns));
	while ((a = LIST_FIRST(&port->action_templates)) != NULL) {
		LIST_REMOVE(a, list);
		free_actions(a);
	}
}

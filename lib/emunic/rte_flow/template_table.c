// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/template.h"

#include <errno.h>

#include <rte_malloc.h>

#include "rte_flow/shared.h"

// Tables of the queue API: sets of templates, and what a rule of one is.

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
			return TEMPLATE_FAIL(
				ENOENT, patterns[i], "the port has no such pattern template");
		if (p->attr.ingress != attr->ingress || p->attr.egress != attr->egress ||
			p->attr.transfer != attr->transfer)
			return TEMPLATE_FAIL(
				EINVAL, p, "the pattern template is of another domain");
	}
	for (unsigned int i = 0; i < n_actions; i++) {
		LIST_FOREACH(a, &port->action_templates, list)
		if (a == actions[i])
			break;
		if (a == NULL)
			return TEMPLATE_FAIL(
				ENOENT, actions[i], "the port has no such actions template");
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

	if (n_patterns > EMU_MAX_TEMPLATES || n_actions > EMU_MAX_TEMPLATES) {
		TEMPLATE_FAIL(E2BIG, NULL, "a table has at most 16 templates of each kind");
		return NULL;
	}
	if (n_patterns == 0 || n_actions == 0) {
		TEMPLATE_FAIL(EINVAL, NULL, "a table needs a template of each kind");
		return NULL;
	}
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
	if (attr->insertion_type != RTE_FLOW_TABLE_INSERTION_TYPE_PATTERN) {
		TEMPLATE_FAIL(
			ENOTSUP, attr, "rules are inserted by their pattern only, not by an index");
		return NULL;
	}
#endif
	t = rte_zmalloc("emunic template", sizeof(*t), 0);
	if (t == NULL) {
		TEMPLATE_FAIL(ENOMEM, NULL, "no memory for the table");
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

void
emu_template_table_free(struct rte_flow_template_table *t)
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
		ret = TEMPLATE_FAIL(ENOENT, t, "the port has no such table");
	else if (t->n_rules > 0)
		ret = TEMPLATE_FAIL(EBUSY, t, "the table has rules");
	else
		emu_template_table_free(t);
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
		return TEMPLATE_FAIL(ENOENT, table, "the port has no such table");
	if (pattern_index >= table->n_patterns || actions_index >= table->n_actions)
		return TEMPLATE_FAIL(EINVAL, table, "the table has no template of that index");
	if (table->n_rules >= table->attr.nb_flows)
		return TEMPLATE_FAIL(ENOSPC, table, "the table is full (nb_flows)");
	out->attr = table->attr.flow_attr;
	ret = fill_items(table->patterns[pattern_index]->items, pattern, out->items, error);
	return ret != 0 ? ret
			: fill_actions(port, table->actions[actions_index], actions, out, error);
}

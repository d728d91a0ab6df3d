// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/flow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Whether the NIC takes a rule: what it says, and whether there is room for it.

static int
not_supported(struct emu_port *port, bool action, int what, const void *cause,
	struct rte_flow_error *error)
{
	const struct emu_support *s;
	const char *name = NULL;
	size_t at;

	if (rte_flow_conv(
		    action ? RTE_FLOW_CONV_OP_ACTION_NAME_PTR : RTE_FLOW_CONV_OP_ITEM_NAME_PTR,
		    &name, sizeof(name), (const void *)(uintptr_t)what, NULL) < 0)
		name = NULL;
	at = snprintf(port->flow_error, sizeof(port->flow_error),
		"%s: %s not supported; supported:", name != NULL ? name : "?",
		action ? "action" : "item");
	for (unsigned int i = 0;
		(s = action ? emu_support_action(i) : emu_support_item(i)) != NULL &&
		at < sizeof(port->flow_error);
		i++)
		at += snprintf(
			port->flow_error + at, sizeof(port->flow_error) - at, " %s", s->name);
	return rte_flow_error_set(error, ENOTSUP,
		action ? RTE_FLOW_ERROR_TYPE_ACTION : RTE_FLOW_ERROR_TYPE_ITEM, cause,
		port->flow_error);
}

int
emu_flow_supported(struct emu_port *port, const struct emu_flow_spec *spec, bool action, int what,
	const void *cause, struct rte_flow_error *error)
{
	int row = emu_support_find(action, what);
	const struct emu_support *s;
	char name[40];

	if (row < 0)
		return not_supported(port, action, what, cause, error);
	s = action ? emu_support_action(row) : emu_support_item(row);
	if ((s->domains & spec->domain) == 0)
		snprintf(port->flow_error, sizeof(port->flow_error), "%s needs %s rule", s->name,
			emu_domains_text(s->domains));
	else if (emu_moods_refused(&port->nic->moods, action, row, name, sizeof(name)))
		snprintf(port->flow_error, sizeof(port->flow_error),
			"the NIC refuses it (refuse=%s)", name);
	else
		return row;
	return rte_flow_error_set(error, ENOTSUP,
		action ? RTE_FLOW_ERROR_TYPE_ACTION : RTE_FLOW_ERROR_TYPE_ITEM, cause,
		port->flow_error);
}

static int
check_attr(struct emu_port *port, const struct rte_flow_attr *attr, struct emu_flow_spec *out,
	struct rte_flow_error *error)
{
	if (attr == NULL)
		return rte_flow_error_set(
			error, EINVAL, RTE_FLOW_ERROR_TYPE_ATTR, NULL, "no attributes");
	// Both at once is also what rte_flow_validate() itself refuses.
	if (attr->ingress + attr->egress + attr->transfer != 1)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ATTR, attr,
			"a rule is of one domain: ingress, egress or transfer");
	out->transfer = attr->transfer;
	out->domain = attr->transfer ? EMU_ON_TRANSFER
		      : attr->egress ? EMU_ON_EGRESS
				     : EMU_ON_INGRESS;
	out->group = attr->group;
	out->priority = attr->priority;
	if (attr->transfer && port->nic->moods.pf_proxy && port->index > 0)
		return rte_flow_error_set(error, EPERM, RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER, attr,
			"only the PF manages transfer rules (pf_proxy); see "
			"rte_flow_pick_transfer_proxy");
	return 0;
}

int
emu_flow_gone(struct emu_port *port, struct rte_flow_error *error)
{
	if (!port->nic->gone)
		return 0;
	return rte_flow_error_set(error, ENODEV, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
		"the device is gone (remove_ms)");
}

int
emu_flow_compile(struct emu_port *port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
	struct emu_flow_spec *out, struct rte_flow_error *error)
{
	int ret;

	memset(out, 0, sizeof(*out));
	ret = emu_flow_gone(port, error);
	if (ret == 0)
		ret = check_attr(port, attr, out, error);
	if (ret == 0)
		ret = emu_flow_items(port, pattern, out, error);
	if (ret == 0)
		ret = emu_flow_actions(port, actions, out, error);
	return ret;
}

struct emu_table *
emu_flow_root(struct emu_port *port, uint8_t domain)
{
	return domain == EMU_ON_TRANSFER ? &port->nic->transfer
	       : domain == EMU_ON_EGRESS ? &port->egress
					 : &port->ingress;
}

static int
full(struct emu_port *port, const char *holder, const char *what, uint32_t n, uint32_t max,
	struct rte_flow_error *error)
{
	snprintf(port->flow_error, sizeof(port->flow_error),
		"the %s is full: it holds %" PRIu32 " %s of %" PRIu32, holder, n, what, max);
	return rte_flow_error_set(
		error, ENOSPC, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, port->flow_error);
}

int
emu_flow_room(struct emu_port *port, const struct emu_flow_spec *spec, struct rte_flow_error *error)
{
	static const struct emu_table none;
	struct emu_rules *r = &port->nic->rules;
	const struct emu_moods *m = &port->nic->moods;
	const struct emu_table *t =
		emu_group_find(r, emu_flow_root(port, spec->domain), spec->group);

	if (r->n_rules >= m->capacity)
		return full(port, "NIC", "rules", r->n_rules, m->capacity, error);
	if (t == NULL)
		t = &none;
	if (m->group_capacity > 0 && t->n_rules >= m->group_capacity)
		return full(port, "group", "rules", t->n_rules, m->group_capacity, error);
	if (emu_table_masks_full(r, t, &spec->match))
		return full(port, "NIC", "masks", r->n_masks, r->max_masks, error);
	return 0;
}

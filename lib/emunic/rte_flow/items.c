// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/items.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// From a pattern to a key, its mask and ranges, by the table of items (support.h). Layers have to
// come in the order of the wire; one that is left out matches any.

int
emu_items_fail(struct emu_items *it, int err, enum rte_flow_error_type type, const char *message)
{
	const struct rte_flow_item *item = it->item;
	const void *cause = type == RTE_FLOW_ERROR_TYPE_ITEM_SPEC   ? item->spec
			    : type == RTE_FLOW_ERROR_TYPE_ITEM_MASK ? item->mask
			    : type == RTE_FLOW_ERROR_TYPE_ITEM_LAST ? item->last
								    : item;

	return rte_flow_error_set(it->error, err, type, cause, message);
}

int
emu_items_fail_with(struct emu_items *it, int err, enum rte_flow_error_type type,
	const char *message, const char *what)
{
	snprintf(it->port->flow_error, sizeof(it->port->flow_error), "%s%s %s", it->row->row.name,
		message, what);
	return emu_items_fail(it, err, type, it->port->flow_error);
}

// Finds spec, mask and last of the item, whose default mask is given.
static int
open_item(struct emu_items *it, const void *default_mask)
{
	const struct rte_flow_item *item = it->item;

	it->spec = item->spec;
	it->mask = item->mask != NULL ? item->mask : default_mask;
	it->last = item->last;
	if (item->spec != NULL)
		return 0;
	it->mask = NULL;
	if (item->mask == NULL && item->last == NULL)
		return 0;
	return emu_items_fail(
		it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, "an item with a mask or a last needs a spec");
}

static int
advance(struct emu_items *it)
{
	enum emu_level to = it->row->level;

	if (to == EMU_AT_VLAN)
		it->n_vlans++;
	it->second_vlan = to == EMU_AT_VLAN && it->level == EMU_AT_VLAN && it->n_vlans == 2;
	if (to == EMU_AT_ANY || it->second_vlan)
		return 0;
	if (to == EMU_AT_TUNNEL && it->inner)
		return emu_items_fail_with(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM,
			": one tunnel only, not", "a second inside it");
	if (it->level >= to)
		return emu_items_fail_with(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, " cannot follow",
			to == EMU_AT_VLAN ? "two VLANs, or what comes behind them"
					  : "an item of the same layer or one above it");
	it->level = to;
	return 0;
}

static int
item_tag(struct emu_items *it)
{
	const struct rte_flow_item_tag *s, *m;
	struct emu_match *match = &it->out->match;
	int ret = open_item(it, &rte_flow_item_tag_mask);

	if (ret != 0)
		return ret;
	if (it->spec == NULL)
		return emu_items_fail(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, "TAG needs a spec");
	s = (const void *)it->spec;
	m = (const void *)it->mask;
	if (s->index >= EMU_TAGS)
		return emu_items_fail(
			it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, "TAG: index 0 to 3");
	if (it->last != NULL)
		return emu_items_fail_with(
			it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, ": no ranges of", "data");
	return emu_items_add_bytes(it, (uint8_t *)&match->key.tag[s->index],
		(uint8_t *)&match->mask.tag[s->index], (const uint8_t *)&s->data,
		(const uint8_t *)&m->data, sizeof(m->data), "data");
}

// The port with the ethdev id entered by (host), or the one that it represents (not host).
static int
match_port(struct emu_items *it, bool host, bool any, uint32_t id)
{
	struct emu_port *port;

	if (it->port_given)
		return emu_items_fail(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, "a second port item");
	if (it->last != NULL)
		return emu_items_fail(
			it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, "no ranges of ports");
	it->port_given = true;
	it->out->match.mask.layers |= EMU_L_HOST;
	it->out->match.key.layers |= host ? EMU_L_HOST : 0;
	if (any)
		return 0;
	port = id > UINT16_MAX ? NULL : emu_flow_port(it->port, id);
	if (port == NULL)
		return emu_items_fail(
			it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, "the port is not of this NIC");
	it->out->match.mask.port = UINT16_MAX;
	it->out->match.key.port = port->index;
	return 0;
}

static int
item_ethdev(struct emu_items *it, bool host)
{
	const struct rte_flow_item_ethdev *s, *m;
	int ret = open_item(it, &rte_flow_item_ethdev_mask);

	if (ret != 0)
		return ret;
	s = (const void *)it->spec;
	m = (const void *)it->mask;
	if (s != NULL && m->port_id != 0 && m->port_id != UINT16_MAX)
		return emu_items_fail(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK,
			"a port is matched whole or not at all");
	return match_port(it, host, s == NULL || m->port_id == 0, s == NULL ? 0 : s->port_id);
}

// Deprecated, but what OVS 3.1 and older drivers' users send.
static int
item_port_id(struct emu_items *it)
{
	const struct rte_flow_item_port_id *s, *m;
	int ret = open_item(it, &rte_flow_item_port_id_mask);

	if (ret != 0)
		return ret;
	s = (const void *)it->spec;
	m = (const void *)it->mask;
	if (s != NULL && m->id != 0 && (m->id & UINT16_MAX) != UINT16_MAX)
		return emu_items_fail(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK,
			"a port is matched whole or not at all");
	return match_port(it, false, s == NULL || m->id == 0, s == NULL ? 0 : s->id);
}

static int
one_item(struct emu_items *it)
{
	int ret;

	switch (it->row->row.type) {
	case RTE_FLOW_ITEM_TYPE_VOID:
		return 0;
	case RTE_FLOW_ITEM_TYPE_TAG:
		return item_tag(it);
	case RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT:
		return item_ethdev(it, false);
	case RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR:
		return item_ethdev(it, true);
	case RTE_FLOW_ITEM_TYPE_PORT_ID:
		return item_port_id(it);
	default:
		break;
	}
	ret = advance(it);
	if (ret == 0)
		ret = open_item(it, it->row->mask);
	if (ret == 0)
		ret = emu_items_fields(it);
	if (ret == 0 && it->row->level == EMU_AT_TUNNEL) {
		it->inner = true;
		it->n_vlans = 0;
		it->level = EMU_AT_ANY;
	}
	return ret;
}

// The pattern as a whole, when the NIC is told to refuse some.
static int
check_shape(
	struct emu_port *port, const struct rte_flow_item *pattern, struct rte_flow_error *error)
{
	struct emu_item_list list = {0};
	char name[EMU_MOOD_TEXT];

	for (const struct rte_flow_item *i = pattern; i->type != RTE_FLOW_ITEM_TYPE_END; i++) {
		if (i->type == RTE_FLOW_ITEM_TYPE_VOID)
			continue;
		if (list.n == EMU_SHAPE_ITEMS)
			return 0;
		list.row[list.n++] = emu_support_find(false, i->type);
	}
	if (!emu_moods_shape_refused(&port->nic->moods, &list, name, sizeof(name)))
		return 0;
	snprintf(port->flow_error, sizeof(port->flow_error),
		"the NIC refuses patterns of this shape (refuse=%s)", name);
	return rte_flow_error_set(
		error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_NUM, pattern, port->flow_error);
}

int
emu_flow_items(struct emu_port *port, const struct rte_flow_item *pattern,
	struct emu_flow_spec *out, struct rte_flow_error *error)
{
	struct emu_items it = {.port = port, .out = out, .error = error};
	const struct rte_flow_item *first = pattern;

	if (pattern == NULL)
		return rte_flow_error_set(
			error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_NUM, NULL, "no pattern");
	for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; pattern++) {
		int row = emu_flow_supported(port, out, false, pattern->type, pattern, error);

		if (row < 0)
			return row;
		it.item = pattern;
		it.row = emu_support_fields(row);
		row = one_item(&it);
		if (row != 0)
			return row;
	}
	if (out->transfer && !it.port_given) {
		out->match.mask.layers |= EMU_L_HOST;
		out->match.mask.port = UINT16_MAX;
		out->match.key.port = port->index;
	}
	return port->nic->moods.n_shapes > 0 ? check_shape(port, first, error) : 0;
}

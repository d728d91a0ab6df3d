// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/flow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// From a pattern to a key, its mask and ranges, by the table of items (support.h). Layers have to
// come in the order of the wire; one that is left out matches any.

#define MAX_ITEM 64 // bytes of the largest item

struct items {
	struct emu_port *port;
	struct emu_flow_spec *out;
	struct rte_flow_error *error;
	const struct rte_flow_item *item;
	const struct emu_item *row;
	enum emu_level level;
	unsigned int n_vlans;
	bool second_vlan; // the item at hand is one
	bool inner;       // in a tunnel
	bool port_given;
	// Of the item at hand; both NULL when it only asks for its layer.
	const uint8_t *spec;
	const uint8_t *mask;
	const uint8_t *last; // or NULL
};

static int
fail(struct items *it, int err, enum rte_flow_error_type type, const char *message)
{
	const struct rte_flow_item *item = it->item;
	const void *cause = type == RTE_FLOW_ERROR_TYPE_ITEM_SPEC   ? item->spec
			    : type == RTE_FLOW_ERROR_TYPE_ITEM_MASK ? item->mask
			    : type == RTE_FLOW_ERROR_TYPE_ITEM_LAST ? item->last
								    : item;

	return rte_flow_error_set(it->error, err, type, cause, message);
}

// The same with the name of the item before and something behind the message.
static int
fail_with(struct items *it, int err, enum rte_flow_error_type type, const char *message,
	const char *what)
{
	snprintf(it->port->flow_error, sizeof(it->port->flow_error), "%s%s %s", it->row->row.name,
		message, what);
	return fail(it, err, type, it->port->flow_error);
}

// The headers that the item is about.
static struct emu_headers *
headers_of(const struct items *it, union emu_key *k)
{
	return it->inner && !it->row->whole ? &k->inner : &k->outer;
}

static bool
is_zero(const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b[i] != 0)
			return false;
	return true;
}

static uint32_t
number(const uint8_t *b, unsigned int size)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < size; i++)
		v = v << 8 | b[i];
	return v;
}

// Finds spec, mask and last of the item, whose default mask is given.
static int
open_item(struct items *it, const void *default_mask)
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
	return fail(
		it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, "an item with a mask or a last needs a spec");
}

// The packet has to have the layers, or not to have them.
static int
set_layer(struct items *it, uint16_t layer, bool on)
{
	struct emu_headers *k = headers_of(it, &it->out->match.key);
	struct emu_headers *m = headers_of(it, &it->out->match.mask);

	if (layer & m->layers & (on ? ~k->layers : k->layers))
		return fail_with(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM,
			": contradicts an item before it about what layers there are",
			"in the packet");
	m->layers |= layer;
	if (on)
		k->layers |= layer;
	return 0;
}

static int
advance(struct items *it)
{
	enum emu_level to = it->row->level;

	if (to == EMU_AT_VLAN)
		it->n_vlans++;
	it->second_vlan = to == EMU_AT_VLAN && it->level == EMU_AT_VLAN && it->n_vlans == 2;
	if (to == EMU_AT_ANY || it->second_vlan)
		return 0;
	if (to == EMU_AT_TUNNEL && it->inner)
		return fail_with(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, ": one tunnel only, not",
			"a second inside it");
	if (it->level >= to)
		return fail_with(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, " cannot follow",
			to == EMU_AT_VLAN ? "two VLANs, or what comes behind them"
					  : "an item of the same layer or one above it");
	it->level = to;
	return 0;
}

// The key's bytes of a field, and where that is in the key.
static uint8_t *
field_in(const struct items *it, union emu_key *k, const struct emu_item_field *f, uint16_t *at)
{
	uint8_t *base = it->row->whole ? (uint8_t *)k : (uint8_t *)headers_of(it, k);

	*at = base - (uint8_t *)k + f->key;
	return base + f->key;
}

// True when the item asks for a range of the field.
static bool
has_last(const struct items *it, const struct emu_item_field *f)
{
	if (it->last == NULL || is_zero(it->last + f->at, f->size))
		return false;
	for (unsigned int i = f->at; i < f->at + (unsigned int)f->size; i++)
		if ((it->last[i] ^ it->spec[i]) & it->mask[i])
			return true;
	return false;
}

static int
add_range(struct items *it, const struct emu_item_field *f)
{
	struct emu_ranges *r = &it->out->match.ranges;
	struct emu_range *g = &r->range[r->n];

	if (f->kind != EMU_MATCH_RANGE)
		return fail_with(
			it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, ": no ranges of", f->name);
	if (r->n == EMU_MAX_RANGES)
		return fail_with(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST,
			": a rule has at most four ranges, not one of", f->name);
	field_in(it, &it->out->match.key, f, &g->at);
	g->size = f->size;
	g->mask = number(it->mask + f->at, f->size);
	g->lo = number(it->spec + f->at, f->size) & g->mask;
	g->hi = number(it->last + f->at, f->size) & g->mask;
	if (g->lo > g->hi)
		return fail_with(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_LAST,
			": last is below spec in", f->name);
	r->n++;
	return 0;
}

static void
set_class(struct items *it, const struct emu_item_field *f)
{
	struct emu_headers *k = headers_of(it, &it->out->match.key);
	struct emu_headers *m = headers_of(it, &it->out->match.mask);
	uint32_t bits = number(it->mask + f->at, 4), v = number(it->spec + f->at, 4) & bits;

	m->tos = bits >> 20 & 0xff;
	k->tos = v >> 20 & 0xff;
	m->flow_label = rte_cpu_to_be_32(bits & 0xfffff);
	k->flow_label = rte_cpu_to_be_32(v & 0xfffff);
}

// Adds n bytes to the key and its mask. Two items may tell of the same field, if they agree.
static int
add_bytes(struct items *it, uint8_t *k, uint8_t *m, const uint8_t *spec, const uint8_t *mask,
	unsigned int n, const char *name)
{
	for (unsigned int i = 0; i < n; i++) {
		if ((k[i] ^ spec[i]) & m[i] & mask[i])
			return fail_with(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC,
				": contradicts an item before it in", name);
		m[i] |= mask[i];
		k[i] |= spec[i] & mask[i];
	}
	return 0;
}

static int
set_field(struct items *it, const struct emu_item_field *f)
{
	const uint8_t *mask = it->mask + f->at, *spec = it->spec + f->at;
	uint16_t at;
	uint8_t *k = field_in(it, &it->out->match.key, f, &at);
	uint8_t *m = field_in(it, &it->out->match.mask, f, &at);

	if (is_zero(mask, f->size))
		return 0;
	if (f->kind != EMU_MATCH_FLAG && has_last(it, f))
		return add_range(it, f);
	if (f->kind == EMU_MATCH_CLASS) {
		set_class(it, f);
	} else if (f->kind == EMU_MATCH_FLAG) {
		return *mask >> f->bit & 1 ? set_layer(it, f->key, *spec >> f->bit & 1) : 0;
	} else {
		return add_bytes(it, k, m, spec, mask, f->size, f->name);
	}
	return 0;
}

static int
refuse_rest(struct items *it, const struct emu_item_field *fields)
{
	char names[160];
	size_t n = 0;

	names[0] = '\0';
	for (; fields->name != NULL && n < sizeof(names); fields++)
		n += snprintf(
			names + n, sizeof(names) - n, "%s%s", n > 0 ? ", " : "", fields->name);
	return fail_with(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK,
		it->second_vlan ? ": of a second one, all that can be matched is"
				: ": all that can be matched is",
		names);
}

// An item whose fields the table has.
static int
item_fields(struct items *it)
{
	const struct emu_item *row = it->row;
	const struct emu_item_field *fields = it->second_vlan ? row->fields2 : row->fields;
	uint16_t layer = it->second_vlan ? EMU_L_VLAN2 : row->layer;
	uint8_t rest[MAX_ITEM];
	int ret;

	if (it->inner && row->level == EMU_AT_L2)
		layer |= EMU_L_ETH;
	ret = set_layer(it, layer, true);
	if (ret != 0 || it->spec == NULL)
		return ret;
	memcpy(rest, it->mask, row->size);
	for (const struct emu_item_field *f = fields; f->name != NULL; f++) {
		if (f->kind == EMU_MATCH_FLAG)
			rest[f->at] &= ~(1 << f->bit);
		else
			memset(rest + f->at, 0, f->size);
		// IPv6's version is what makes it IPv6.
		if (f->kind == EMU_MATCH_CLASS && (it->mask[f->at] & 0xf0))
			return refuse_rest(it, fields);
	}
	if (!is_zero(rest, row->size))
		return refuse_rest(it, fields);
	for (const struct emu_item_field *f = fields; f->name != NULL; f++) {
		ret = set_field(it, f);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int
item_tag(struct items *it)
{
	const struct rte_flow_item_tag *s, *m;
	struct emu_match *match = &it->out->match;
	int ret = open_item(it, &rte_flow_item_tag_mask);

	if (ret != 0)
		return ret;
	if (it->spec == NULL)
		return fail(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, "TAG needs a spec");
	s = (const void *)it->spec;
	m = (const void *)it->mask;
	if (s->index >= EMU_TAGS)
		return fail(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, "TAG: index 0 to 3");
	if (it->last != NULL)
		return fail_with(
			it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, ": no ranges of", "data");
	return add_bytes(it, (uint8_t *)&match->key.tag[s->index],
		(uint8_t *)&match->mask.tag[s->index], (const uint8_t *)&s->data,
		(const uint8_t *)&m->data, sizeof(m->data), "data");
}

// The port with the ethdev id entered by (host), or the one that it represents (not host).
static int
match_port(struct items *it, bool host, bool any, uint32_t id)
{
	struct emu_port *port;

	if (it->port_given)
		return fail(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, "a second port item");
	if (it->last != NULL)
		return fail(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, "no ranges of ports");
	it->port_given = true;
	it->out->match.mask.layers |= EMU_L_HOST;
	it->out->match.key.layers |= host ? EMU_L_HOST : 0;
	if (any)
		return 0;
	port = id > UINT16_MAX ? NULL : emu_flow_port(it->port, id);
	if (port == NULL)
		return fail(
			it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, "the port is not of this NIC");
	it->out->match.mask.port = UINT16_MAX;
	it->out->match.key.port = port->index;
	return 0;
}

static int
item_ethdev(struct items *it, bool host)
{
	const struct rte_flow_item_ethdev *s, *m;
	int ret = open_item(it, &rte_flow_item_ethdev_mask);

	if (ret != 0)
		return ret;
	s = (const void *)it->spec;
	m = (const void *)it->mask;
	if (s != NULL && m->port_id != 0 && m->port_id != UINT16_MAX)
		return fail(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK,
			"a port is matched whole or not at all");
	return match_port(it, host, s == NULL || m->port_id == 0, s == NULL ? 0 : s->port_id);
}

// Deprecated, but what OVS 3.1 and older drivers' users send.
static int
item_port_id(struct items *it)
{
	const struct rte_flow_item_port_id *s, *m;
	int ret = open_item(it, &rte_flow_item_port_id_mask);

	if (ret != 0)
		return ret;
	s = (const void *)it->spec;
	m = (const void *)it->mask;
	if (s != NULL && m->id != 0 && (m->id & UINT16_MAX) != UINT16_MAX)
		return fail(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK,
			"a port is matched whole or not at all");
	return match_port(it, false, s == NULL || m->id == 0, s == NULL ? 0 : s->id);
}

static int
one_item(struct items *it)
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
		ret = item_fields(it);
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
	struct items it = {.port = port, .out = out, .error = error};
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

// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/items.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// The fields of an item, as the table of items has them, into the key, its mask and ranges.

#define MAX_ITEM 64 // bytes of the largest item

// The headers that the item is about.
static struct emu_headers *
headers_of(const struct emu_items *it, union emu_key *k)
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

// The packet has to have the layers, or not to have them.
static int
set_layer(struct emu_items *it, uint16_t layer, bool on)
{
	struct emu_headers *k = headers_of(it, &it->out->match.key);
	struct emu_headers *m = headers_of(it, &it->out->match.mask);

	if (layer & m->layers & (on ? ~k->layers : k->layers))
		return emu_items_fail_with(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM,
			": contradicts an item before it about what layers there are",
			"in the packet");
	m->layers |= layer;
	if (on)
		k->layers |= layer;
	return 0;
}

// The key's bytes of a field, and where that is in the key.
static uint8_t *
field_in(const struct emu_items *it, union emu_key *k, const struct emu_item_field *f, uint16_t *at)
{
	uint8_t *base = it->row->whole ? (uint8_t *)k : (uint8_t *)headers_of(it, k);

	*at = base - (uint8_t *)k + f->key;
	return base + f->key;
}

// True when the item asks for a range of the field.
static bool
has_last(const struct emu_items *it, const struct emu_item_field *f)
{
	if (it->last == NULL || is_zero(it->last + f->at, f->size))
		return false;
	for (unsigned int i = f->at; i < f->at + (unsigned int)f->size; i++)
		if ((it->last[i] ^ it->spec[i]) & it->mask[i])
			return true;
	return false;
}

static int
add_range(struct emu_items *it, const struct emu_item_field *f)
{
	struct emu_ranges *r = &it->out->match.ranges;
	struct emu_range *g = &r->range[r->n];

	if (f->kind != EMU_MATCH_RANGE)
		return emu_items_fail_with(
			it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, ": no ranges of", f->name);
	if (r->n == EMU_MAX_RANGES)
		return emu_items_fail_with(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST,
			": a rule has at most four ranges, not one of", f->name);
	field_in(it, &it->out->match.key, f, &g->at);
	g->size = f->size;
	g->mask = number(it->mask + f->at, f->size);
	g->lo = number(it->spec + f->at, f->size) & g->mask;
	g->hi = number(it->last + f->at, f->size) & g->mask;
	if (g->lo > g->hi)
		return emu_items_fail_with(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_LAST,
			": last is below spec in", f->name);
	r->n++;
	return 0;
}

static void
set_class(struct emu_items *it, const struct emu_item_field *f)
{
	struct emu_headers *k = headers_of(it, &it->out->match.key);
	struct emu_headers *m = headers_of(it, &it->out->match.mask);
	uint32_t bits = number(it->mask + f->at, 4), v = number(it->spec + f->at, 4) & bits;

	m->tos = bits >> 20 & 0xff;
	k->tos = v >> 20 & 0xff;
	m->flow_label = rte_cpu_to_be_32(bits & 0xfffff);
	k->flow_label = rte_cpu_to_be_32(v & 0xfffff);
}

int
emu_items_add_bytes(struct emu_items *it, uint8_t *k, uint8_t *m, const uint8_t *spec,
	const uint8_t *mask, unsigned int n, const char *name)
{
	for (unsigned int i = 0; i < n; i++) {
		if ((k[i] ^ spec[i]) & m[i] & mask[i])
			return emu_items_fail_with(it, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC,
				": contradicts an item before it in", name);
		m[i] |= mask[i];
		k[i] |= spec[i] & mask[i];
	}
	return 0;
}

static int
set_field(struct emu_items *it, const struct emu_item_field *f)
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
		return emu_items_add_bytes(it, k, m, spec, mask, f->size, f->name);
	}
	return 0;
}

static int
refuse_rest(struct emu_items *it, const struct emu_item_field *fields)
{
	char names[160];
	size_t n = 0;

	names[0] = '\0';
	for (; fields->name != NULL && n < sizeof(names); fields++)
		n += snprintf(
			names + n, sizeof(names) - n, "%s%s", n > 0 ? ", " : "", fields->name);
	return emu_items_fail_with(it, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK,
		it->second_vlan ? ": of a second one, all that can be matched is"
				: ": all that can be matched is",
		names);
}

int
emu_items_fields(struct emu_items *it)
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

// SPDX-License-Identifier: BSD-3-Clause
#include "flow.h"

#include <errno.h>
#include <string.h>

// From a pattern to a key and its mask. Layers have to come in the order of the wire; one that is
// left out matches any.

enum stage { AT_START, AT_L2, AT_VLAN, AT_VLAN2, AT_L3, AT_L4 };

struct items {
	struct emu_port *port;
	struct emu_flow_spec *out;
	struct rte_flow_error *error;
	const struct rte_flow_item *item;
	enum stage stage;
	bool port_given;
	// Of the item at hand; both NULL when it only asks for its layer.
	const void *spec;
	const void *mask;
};

static int
refuse(struct items *it, enum rte_flow_error_type type, const void *cause, const char *message)
{
	return rte_flow_error_set(it->error, ENOTSUP, type, cause, message);
}

static int
refuse_mask(struct items *it, const char *message)
{
	return refuse(it, RTE_FLOW_ERROR_TYPE_ITEM_MASK, it->item->mask, message);
}

static void
set(void *key, void *mask, const void *spec, const void *bits, size_t n)
{
	uint8_t *k = key, *m = mask;
	const uint8_t *s = spec, *b = bits;

	for (size_t i = 0; i < n; i++) {
		m[i] = b[i];
		k[i] = s[i] & b[i];
	}
}

static void
set_layer(struct items *it, uint16_t layer, bool on)
{
	it->out->mask.layers |= layer;
	if (on)
		it->out->key.layers |= layer;
}

static bool
is_zero(const void *data, size_t n)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < n; i++)
		if (b[i] != 0)
			return false;
	return true;
}

// Finds spec and mask of the item, whose default mask and size are given.
static int
open_item(struct items *it, const void *default_mask, size_t size)
{
	const struct rte_flow_item *item = it->item;

	it->spec = item->spec;
	it->mask = item->mask != NULL ? item->mask : default_mask;
	if (item->spec == NULL) {
		it->mask = NULL;
		if (item->mask != NULL || item->last != NULL)
			return rte_flow_error_set(it->error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, item,
				"an item with a mask or a last needs a spec");
		return 0;
	}
	if (item->last != NULL && !is_zero(item->last, size) &&
		memcmp(item->last, item->spec, size) != 0)
		return refuse(it, RTE_FLOW_ERROR_TYPE_ITEM_LAST, item->last,
			"ranges are not supported: last has to equal spec");
	return 0;
}

static int
advance(struct items *it, enum stage to, const char *message)
{
	if (it->stage >= to)
		return rte_flow_error_set(
			it->error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, it->item, message);
	it->stage = to;
	return 0;
}

static int
item_eth(struct items *it)
{
	const struct rte_flow_item_eth *s, *m;
	union emu_key *k = &it->out->key, *km = &it->out->mask;
	int ret = advance(it, AT_L2, "ETH has to be the first layer");

	if (ret == 0)
		ret = open_item(it, &rte_flow_item_eth_mask, sizeof(struct rte_flow_item_eth));
	if (ret != 0 || it->spec == NULL)
		return ret;
	s = it->spec;
	m = it->mask;
	set(k->dst, km->dst, &s->hdr.dst_addr, &m->hdr.dst_addr, 6);
	set(k->src, km->src, &s->hdr.src_addr, &m->hdr.src_addr, 6);
	set(&k->eth_type, &km->eth_type, &s->hdr.ether_type, &m->hdr.ether_type, 2);
	if (m->has_vlan)
		set_layer(it, EMU_L_VLAN, s->has_vlan);
	return 0;
}

static int
item_vlan(struct items *it)
{
	const struct rte_flow_item_vlan *s, *m;
	union emu_key *k = &it->out->key, *km = &it->out->mask;
	bool second = it->stage == AT_VLAN;
	int ret = advance(
		it, second ? AT_VLAN2 : AT_VLAN, "VLAN has to come behind ETH, and at most twice");

	if (ret == 0)
		ret = open_item(it, &rte_flow_item_vlan_mask, sizeof(struct rte_flow_item_vlan));
	if (ret != 0)
		return ret;
	set_layer(it, second ? EMU_L_VLAN2 : EMU_L_VLAN, true);
	if (it->spec == NULL)
		return 0;
	s = it->spec;
	m = it->mask;
	if (second && m->has_more_vlan)
		return refuse_mask(it, "VLAN: the parser knows two tags, not has_more_vlan of the "
				       "second");
	if (second) {
		set(&k->tci2, &km->tci2, &s->hdr.vlan_tci, &m->hdr.vlan_tci, 2);
		set(&k->vlan2_type, &km->vlan2_type, &s->hdr.eth_proto, &m->hdr.eth_proto, 2);
		return 0;
	}
	set(&k->tci, &km->tci, &s->hdr.vlan_tci, &m->hdr.vlan_tci, 2);
	set(&k->vlan_type, &km->vlan_type, &s->hdr.eth_proto, &m->hdr.eth_proto, 2);
	if (m->has_more_vlan)
		set_layer(it, EMU_L_VLAN2, s->has_more_vlan);
	return 0;
}

static int
item_ipv4(struct items *it)
{
	const struct rte_ipv4_hdr *s, *m;
	struct rte_ipv4_hdr rest;
	union emu_key *k = &it->out->key, *km = &it->out->mask;
	int ret = advance(it, AT_L3, "IPV4 cannot follow another L3 or L4 item");

	if (ret == 0)
		ret = open_item(it, &rte_flow_item_ipv4_mask, sizeof(struct rte_flow_item_ipv4));
	if (ret != 0)
		return ret;
	set_layer(it, EMU_L_IPV4, true);
	if (it->spec == NULL)
		return 0;
	s = &((const struct rte_flow_item_ipv4 *)it->spec)->hdr;
	m = &((const struct rte_flow_item_ipv4 *)it->mask)->hdr;
	rest = *m;
	rest.type_of_service = 0;
	rest.time_to_live = 0;
	rest.next_proto_id = 0;
	rest.fragment_offset = 0;
	rest.src_addr = 0;
	rest.dst_addr = 0;
	if (!is_zero(&rest, sizeof(rest)))
		return refuse_mask(it, "IPV4: only tos, ttl, proto, fragment_offset, src and dst "
				       "can be matched");
	set(&k->tos, &km->tos, &s->type_of_service, &m->type_of_service, 1);
	set(&k->ttl, &km->ttl, &s->time_to_live, &m->time_to_live, 1);
	set(&k->proto, &km->proto, &s->next_proto_id, &m->next_proto_id, 1);
	set(&k->frag, &km->frag, &s->fragment_offset, &m->fragment_offset, 2);
	set(k->ip_src, km->ip_src, &s->src_addr, &m->src_addr, 4);
	set(k->ip_dst, km->ip_dst, &s->dst_addr, &m->dst_addr, 4);
	return 0;
}

static int
item_ipv6(struct items *it)
{
	const struct rte_flow_item_ipv6 *s, *m;
	union emu_key *k = &it->out->key, *km = &it->out->mask;
	uint32_t vs, vm;
	int ret = advance(it, AT_L3, "IPV6 cannot follow another L3 or L4 item");

	if (ret == 0)
		ret = open_item(it, &rte_flow_item_ipv6_mask, sizeof(struct rte_flow_item_ipv6));
	if (ret != 0)
		return ret;
	set_layer(it, EMU_L_IPV6, true);
	if (it->spec == NULL)
		return 0;
	s = it->spec;
	m = it->mask;
	if (m->hdr.payload_len != 0 || m->has_hop_ext || m->has_route_ext || m->has_auth_ext ||
		m->has_esp_ext || m->has_dest_ext || m->has_mobil_ext || m->has_hip_ext ||
		m->has_shim6_ext)
		return refuse_mask(it, "IPV6: only traffic class, flow label, proto, hop limits, "
				       "has_frag_ext, src and dst can be matched");
	vs = rte_be_to_cpu_32(s->hdr.vtc_flow);
	vm = rte_be_to_cpu_32(m->hdr.vtc_flow);
	km->tos = vm >> 20 & 0xff;
	k->tos = vs >> 20 & km->tos;
	km->flow_label = rte_cpu_to_be_32(vm & 0xfffff);
	k->flow_label = rte_cpu_to_be_32(vs & vm & 0xfffff);
	set(&k->ttl, &km->ttl, &s->hdr.hop_limits, &m->hdr.hop_limits, 1);
	set(&k->proto, &km->proto, &s->hdr.proto, &m->hdr.proto, 1);
	set(k->ip_src, km->ip_src, &s->hdr.src_addr, &m->hdr.src_addr, 16);
	set(k->ip_dst, km->ip_dst, &s->hdr.dst_addr, &m->hdr.dst_addr, 16);
	if (m->has_frag_ext)
		set_layer(it, EMU_L_FRAG, s->has_frag_ext);
	return 0;
}

static int
item_tcp(struct items *it)
{
	const struct rte_tcp_hdr *s, *m;
	struct rte_tcp_hdr rest;
	union emu_key *k = &it->out->key, *km = &it->out->mask;
	int ret = advance(it, AT_L4, "TCP cannot follow another L4 item");

	if (ret == 0)
		ret = open_item(it, &rte_flow_item_tcp_mask, sizeof(struct rte_flow_item_tcp));
	if (ret != 0)
		return ret;
	set_layer(it, EMU_L_TCP, true);
	if (it->spec == NULL)
		return 0;
	s = &((const struct rte_flow_item_tcp *)it->spec)->hdr;
	m = &((const struct rte_flow_item_tcp *)it->mask)->hdr;
	rest = *m;
	rest.src_port = 0;
	rest.dst_port = 0;
	rest.tcp_flags = 0;
	if (!is_zero(&rest, sizeof(rest)))
		return refuse_mask(it, "TCP: only src, dst and flags can be matched");
	set(&k->sport, &km->sport, &s->src_port, &m->src_port, 2);
	set(&k->dport, &km->dport, &s->dst_port, &m->dst_port, 2);
	set(&k->tcp_flags, &km->tcp_flags, &s->tcp_flags, &m->tcp_flags, 1);
	return 0;
}

static int
item_udp(struct items *it)
{
	const struct rte_udp_hdr *s, *m;
	union emu_key *k = &it->out->key, *km = &it->out->mask;
	int ret = advance(it, AT_L4, "UDP cannot follow another L4 item");

	if (ret == 0)
		ret = open_item(it, &rte_flow_item_udp_mask, sizeof(struct rte_flow_item_udp));
	if (ret != 0)
		return ret;
	set_layer(it, EMU_L_UDP, true);
	if (it->spec == NULL)
		return 0;
	s = &((const struct rte_flow_item_udp *)it->spec)->hdr;
	m = &((const struct rte_flow_item_udp *)it->mask)->hdr;
	if (m->dgram_len != 0 || m->dgram_cksum != 0)
		return refuse_mask(it, "UDP: only src and dst can be matched");
	set(&k->sport, &km->sport, &s->src_port, &m->src_port, 2);
	set(&k->dport, &km->dport, &s->dst_port, &m->dst_port, 2);
	return 0;
}

// The port with the ethdev id entered by (host), or the one that it represents (not host).
static int
match_port(struct items *it, bool host, bool any, uint32_t id)
{
	struct emu_port *port;

	if (it->port_given)
		return rte_flow_error_set(it->error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, it->item,
			"a second port item");
	it->port_given = true;
	set_layer(it, EMU_L_HOST, host);
	if (any)
		return 0;
	port = id > UINT16_MAX ? NULL : emu_flow_port(it->port, id);
	if (port == NULL)
		return rte_flow_error_set(it->error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC,
			it->spec, "the port is not of this NIC");
	it->out->mask.port = UINT16_MAX;
	it->out->key.port = port->index;
	return 0;
}

static int
item_ethdev(struct items *it, bool host)
{
	const struct rte_flow_item_ethdev *s, *m;
	int ret = open_item(it, &rte_flow_item_ethdev_mask, sizeof(struct rte_flow_item_ethdev));

	if (ret != 0)
		return ret;
	s = it->spec;
	m = it->mask;
	if (s != NULL && m->port_id != 0 && m->port_id != UINT16_MAX)
		return refuse_mask(it, "a port is matched whole or not at all");
	return match_port(it, host, s == NULL || m->port_id == 0, s == NULL ? 0 : s->port_id);
}

// Deprecated, but what OVS 3.1 and older drivers' users send.
static int
item_port_id(struct items *it)
{
	const struct rte_flow_item_port_id *s, *m;
	int ret = open_item(it, &rte_flow_item_port_id_mask, sizeof(struct rte_flow_item_port_id));

	if (ret != 0)
		return ret;
	s = it->spec;
	m = it->mask;
	if (s != NULL && m->id != 0 && (m->id & UINT16_MAX) != UINT16_MAX)
		return refuse_mask(it, "a port is matched whole or not at all");
	return match_port(it, false, s == NULL || m->id == 0, s == NULL ? 0 : s->id);
}

static int
one_item(struct items *it)
{
	switch (it->item->type) {
	case RTE_FLOW_ITEM_TYPE_VOID:
		return 0;
	case RTE_FLOW_ITEM_TYPE_ETH:
		return item_eth(it);
	case RTE_FLOW_ITEM_TYPE_VLAN:
		return item_vlan(it);
	case RTE_FLOW_ITEM_TYPE_IPV4:
		return item_ipv4(it);
	case RTE_FLOW_ITEM_TYPE_IPV6:
		return item_ipv6(it);
	case RTE_FLOW_ITEM_TYPE_TCP:
		return item_tcp(it);
	case RTE_FLOW_ITEM_TYPE_UDP:
		return item_udp(it);
	case RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT:
		return item_ethdev(it, false);
	case RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR:
		return item_ethdev(it, true);
	case RTE_FLOW_ITEM_TYPE_PORT_ID:
		return item_port_id(it);
	default:
		return refuse(it, RTE_FLOW_ERROR_TYPE_ITEM, it->item, "item not supported");
	}
}

int
emu_flow_items(struct emu_port *port, const struct rte_flow_item *pattern,
	struct emu_flow_spec *out, struct rte_flow_error *error)
{
	struct items it = {.port = port, .out = out, .error = error};

	if (pattern == NULL)
		return rte_flow_error_set(
			error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_NUM, NULL, "no pattern");
	for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; pattern++) {
		int ret;

		it.item = pattern;
		ret = emu_flow_supported(port, out, false, pattern->type, pattern, error);
		if (ret == 0)
			ret = one_item(&it);
		if (ret != 0)
			return ret;
	}
	if (out->transfer && !it.port_given) {
		set_layer(&it, EMU_L_HOST, false);
		out->mask.port = UINT16_MAX;
		out->key.port = port->index;
	}
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/build.h"

#include <errno.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_malloc.h>
#include <rte_vxlan.h>

// VXLAN_ENCAP and RAW_ENCAP become the same: bytes to put on, and where their IP and UDP headers
// are. VXLAN_DECAP and RAW_DECAP take bytes away.

#define DEFAULT_TTL 64

// Adds the operation that puts on e, which becomes the builder's. e was allocated by rte_malloc.
static int
add_encap(struct emu_build *b, struct emu_encap *e)
{
	struct emu_op op = {.code = EMU_OP_ENCAP, .arg = b->n_encaps};
	const char *wrong = emu_encap_read(e);

	if (wrong != NULL || b->n_encaps == EMU_MAX_ENCAPS) {
		rte_free(e);
		return emu_build_conf(b,
			wrong != NULL ? wrong : "at most two actions may put on a tunnel header");
	}
	b->encap[b->n_encaps++] = e;
	b->grows += e->len;
	b->reframes = true;
	return emu_build_op(b, &op);
}

static bool
append(struct emu_encap *e, const void *bytes, size_t n)
{
	if (n > sizeof(e->bytes) - e->len)
		return false;
	memcpy(&e->bytes[e->len], bytes, n);
	e->len += n;
	return true;
}

// Sets the type by which the header that comes next is told.
static void
set_type(struct emu_encap *e, uint16_t type)
{
	type = rte_cpu_to_be_16(type);
	memcpy(&e->bytes[e->len - sizeof(type)], &type, sizeof(type));
}

static bool
add_ipv4(struct emu_encap *e, const struct rte_flow_item_ipv4 *spec)
{
	struct rte_ipv4_hdr ip = spec->hdr;

	set_type(e, RTE_ETHER_TYPE_IPV4);
	ip.version_ihl = RTE_IPV4_VHL_DEF;
	ip.time_to_live = ip.time_to_live != 0 ? ip.time_to_live : DEFAULT_TTL;
	ip.next_proto_id = IPPROTO_UDP;
	return append(e, &ip, sizeof(ip));
}

static bool
add_ipv6(struct emu_encap *e, const struct rte_flow_item_ipv6 *spec)
{
	struct rte_ipv6_hdr ip = spec->hdr;

	set_type(e, RTE_ETHER_TYPE_IPV6);
	ip.vtc_flow = (ip.vtc_flow & RTE_BE32(0x0fffffff)) | RTE_BE32(0x60000000);
	ip.hop_limits = ip.hop_limits != 0 ? ip.hop_limits : DEFAULT_TTL;
	ip.proto = IPPROTO_UDP;
	return append(e, &ip, sizeof(ip));
}

static bool
add_udp(struct emu_encap *e, const struct rte_flow_item_udp *spec)
{
	struct rte_udp_hdr udp = spec->hdr;

	if (udp.dst_port == 0)
		udp.dst_port = RTE_BE16(RTE_VXLAN_DEFAULT_PORT);
	return append(e, &udp, sizeof(udp));
}

static bool
add_vxlan(struct emu_encap *e, const struct rte_flow_item_vxlan *spec)
{
	uint8_t h[8] = {0x08}; // the VNI is valid

	memcpy(&h[4], spec->vni, sizeof(spec->vni));
	return append(e, h, sizeof(h));
}

// The order in which the items have to come; a tag may come twice, or not at all.
enum stage { WANT_ETH, WANT_IP, WANT_UDP, WANT_VXLAN, WANT_END };

static bool
add_item(struct emu_encap *e, const struct rte_flow_item *item, enum stage *stage)
{
	const struct rte_flow_item_eth *eth = item->spec;
	const struct rte_flow_item_vlan *vlan = item->spec;

	if (item->spec == NULL)
		return false;
	switch (item->type) {
	case RTE_FLOW_ITEM_TYPE_ETH:
		return (*stage)++ == WANT_ETH && append(e, &eth->hdr, sizeof(eth->hdr));
	case RTE_FLOW_ITEM_TYPE_VLAN:
		if (*stage != WANT_IP)
			return false;
		set_type(e, RTE_ETHER_TYPE_VLAN);
		return append(e, &vlan->hdr, sizeof(vlan->hdr));
	case RTE_FLOW_ITEM_TYPE_IPV4:
		return (*stage)++ == WANT_IP && add_ipv4(e, item->spec);
	case RTE_FLOW_ITEM_TYPE_IPV6:
		return (*stage)++ == WANT_IP && add_ipv6(e, item->spec);
	case RTE_FLOW_ITEM_TYPE_UDP:
		return (*stage)++ == WANT_UDP && add_udp(e, item->spec);
	case RTE_FLOW_ITEM_TYPE_VXLAN:
		return (*stage)++ == WANT_VXLAN && add_vxlan(e, item->spec);
	default:
		return false;
	}
}

static struct emu_encap *
new_encap(struct emu_build *b, int *ret)
{
	struct emu_encap *e = rte_zmalloc("emunic encap", sizeof(*e), 0);

	*ret = e != NULL ? 0
			 : rte_flow_error_set(b->error, ENOMEM, RTE_FLOW_ERROR_TYPE_ACTION,
				   b->action, "no memory for a header to put on");
	return e;
}

int
emu_build_vxlan_encap(struct emu_build *b)
{
	const struct rte_flow_action_vxlan_encap *conf = b->action->conf;
	const struct rte_flow_item *item;
	enum stage stage = WANT_ETH;
	struct emu_encap *e;
	int ret;

	if (conf == NULL || conf->definition == NULL)
		return emu_build_conf(b, "VXLAN_ENCAP needs a definition");
	e = new_encap(b, &ret);
	if (e == NULL)
		return ret;
	for (item = conf->definition; item->type != RTE_FLOW_ITEM_TYPE_END; item++) {
		if (item->type == RTE_FLOW_ITEM_TYPE_VOID)
			continue;
		if (!add_item(e, item, &stage)) {
			stage = WANT_ETH;
			break;
		}
	}
	if (stage == WANT_END)
		return add_encap(b, e);
	rte_free(e);
	return emu_build_conf(b, "VXLAN_ENCAP: the definition has to be ETH, up to two VLAN, IPV4 "
				 "or IPV6, UDP, VXLAN, each with a spec");
}

int
emu_build_raw_encap(struct emu_build *b)
{
	const struct rte_flow_action_raw_encap *conf = b->action->conf;
	struct emu_encap *e;
	int ret;

	if (conf == NULL || conf->data == NULL || conf->size == 0 || conf->size > EMU_MAX_ENCAP)
		return emu_build_conf(b, "RAW_ENCAP needs from 1 to 256 bytes of data");
	for (size_t i = 0; conf->preserve != NULL && i < conf->size; i++)
		if (conf->preserve[i] != 0)
			return emu_build_unsupported(b, "RAW_ENCAP: preserve is not supported");
	e = new_encap(b, &ret);
	if (e == NULL)
		return ret;
	append(e, conf->data, conf->size);
	return add_encap(b, e);
}

static int
add_decap(struct emu_build *b, enum emu_opcode code, uint16_t bytes)
{
	const struct emu_op op = {.code = code, .arg = bytes};

	b->reframes = true;
	return emu_build_op(b, &op);
}

int
emu_build_vxlan_decap(struct emu_build *b)
{
	return add_decap(b, EMU_OP_VXLAN_DECAP, 0);
}

int
emu_build_raw_decap(struct emu_build *b)
{
	const struct rte_flow_action_raw_decap *conf = b->action->conf;

	if (conf == NULL || conf->size == 0 || conf->size > EMU_MAX_ENCAP)
		return emu_build_conf(b, "RAW_DECAP needs a size from 1 to 256 bytes");
	return add_decap(b, EMU_OP_STRIP, conf->size);
}

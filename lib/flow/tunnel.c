// SPDX-License-Identifier: BSD-3-Clause
#include "flow/tunnel.h"

#include <string.h>

#include <rte_common.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "parse_general.h"

#define UDP_LEN 8
#define VXLAN_LEN 8
#define VXLAN_I 0x08 // there is a VNI
#define GENEVE_LEN 8
#define GENEVE_VERSION 0xc0
#define GENEVE_OPTIONS 0x3f // in words of 4 bytes
#define GRE_LEN 4
#define GRE_CHECKSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_UNKNOWN 0x4c00 // routing and others: a receiver drops the packet (RFC 2784, 2.3)
#define GRE_VERSION 0x0007

static uint32_t
be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)parse_be16(p + 1);
}

// The inner frame, or packet, of that ethertype begins at pos.
static void
parse_inside(const struct parse_input *in, uint32_t pos, uint16_t type, uint32_t fields,
	struct flow_inner *out)
{
	if (type == RTE_ETHER_TYPE_TEB) {
		out->l2 = (uint16_t)pos;
		out->fault = (uint8_t)parse_general(in, pos, fields, &out->key, &out->off);
	} else {
		out->fault = (uint8_t)parse_type(in, pos, type, fields, &out->key, &out->off);
	}
}

// The tunnel headers: where what is inside begins and of which ethertype it is. False: there is no
// such header.
static bool
vxlan(const struct parse_input *in, uint32_t *pos, uint16_t *type, struct flow_inner *out)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, *pos, VXLAN_LEN, scratch);

	if (p == NULL || !(p[0] & VXLAN_I))
		return false;
	out->has_id = true;
	out->id = be24(p + 4);
	*pos += VXLAN_LEN;
	*type = RTE_ETHER_TYPE_TEB;
	return true;
}

static bool
geneve(const struct parse_input *in, uint32_t *pos, uint16_t *type, struct flow_inner *out)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, *pos, GENEVE_LEN, scratch);

	if (p == NULL || (p[0] & GENEVE_VERSION) != 0)
		return false;
	out->has_id = true;
	out->id = be24(p + 4);
	*pos += GENEVE_LEN + (p[0] & GENEVE_OPTIONS) * 4u;
	*type = parse_be16(p + 2);
	return *pos <= in->frame_len;
}

static bool
gre(const struct parse_input *in, uint32_t *pos, uint16_t *type, struct flow_inner *out)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, *pos, GRE_LEN, scratch);
	uint32_t key_at, len = GRE_LEN;
	uint16_t flags;

	if (p == NULL)
		return false;
	flags = parse_be16(p);
	*type = parse_be16(p + 2);
	if (flags & (GRE_UNKNOWN | GRE_VERSION))
		return false;
	len += flags & GRE_CHECKSUM ? 4 : 0;
	key_at = len;
	len += flags & GRE_KEY ? 4 : 0;
	len += flags & GRE_SEQUENCE ? 4 : 0;
	p = parse_at(in, *pos, len, scratch);
	if (p == NULL)
		return false;
	if (flags & GRE_KEY) {
		out->has_id = true;
		out->id = (uint32_t)parse_be16(p + key_at) << 16 | parse_be16(p + key_at + 2);
	}
	if ((flags & (GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE)) == GRE_KEY &&
		*type == RTE_ETHER_TYPE_TEB)
		out->tunnel = FLOW_TUNNEL_NVGRE;
	*pos += len;
	return true;
}

// UDP: *pos moves behind its header, and the input ends where it does.
static bool
udp(struct parse_input *in, uint32_t *pos)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, *pos, UDP_LEN, scratch);
	uint32_t len = p != NULL ? parse_be16(p + 4) : 0;

	if (len < UDP_LEN || len > in->frame_len - *pos)
		return false;
	in->frame_len = *pos + len;
	in->head_len = RTE_MIN(in->head_len, in->frame_len);
	*pos += UDP_LEN;
	return true;
}

static bool
tunnel_header(struct parse_input *in, const struct flow_key *key, uint32_t *pos, uint16_t *type,
	struct flow_inner *out)
{
	switch (out->tunnel) {
	case FLOW_TUNNEL_VXLAN:
	case FLOW_TUNNEL_GENEVE:
		if (!udp(in, pos))
			return false;
		out->header = (uint16_t)*pos;
		return out->tunnel == FLOW_TUNNEL_VXLAN ? vxlan(in, pos, type, out)
							: geneve(in, pos, type, out);
	case FLOW_TUNNEL_GRE:
		out->header = (uint16_t)*pos;
		return gre(in, pos, type, out);
	default:
		out->header = (uint16_t)*pos;
		*type = key->proto == IPPROTO_IPV6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
		return true;
	}
}

// out comes in zero; false leaves something in it.
static bool
find_inner(struct parse_input *in, const struct flow_key *key, const struct flow_offsets *off,
	uint32_t fields, struct flow_inner *out)
{
	uint16_t type = 0;
	uint32_t pos, end;

	out->tunnel = (uint8_t)flow_key_tunnel(key);
	if (out->tunnel == FLOW_TUNNEL_NONE || off->frag != FLOW_FRAG_NO || off->l3 == 0)
		return false;
	if (!parse_ip_payload(in, off->l3, key->l3, &pos, &end))
		return false;
	in->frame_len = end;
	in->head_len = RTE_MIN(in->head_len, end);
	if (!tunnel_header(in, key, &pos, &type, out))
		return false;
	flow_key_init(&out->key, key->switch_id, key->vport);
	parse_inside(in, pos, type, fields, out);
	return true;
}

bool
flow_parse_inner(const struct rte_mbuf *m, const struct flow_key *key,
	const struct flow_offsets *off, uint32_t fields, struct flow_inner *out)
{
	struct parse_input in = {.head = rte_pktmbuf_mtod(m, const uint8_t *),
		.head_len = RTE_MIN(m->data_len, m->pkt_len),
		.frame_len = m->pkt_len,
		.m = m->next != NULL ? m : NULL};

	memset(out, 0, sizeof(*out));
	if (find_inner(&in, key, off, fields, out))
		return true;
	memset(out, 0, sizeof(*out));
	return false;
}

bool
flow_inner_vni(const struct flow_inner *in, uint32_t *vni)
{
	*vni = in->tunnel == FLOW_TUNNEL_NVGRE ? in->id >> 8 : in->id;
	return in->has_id && in->tunnel != FLOW_TUNNEL_GRE;
}

const char *
flow_tunnel_name(enum flow_tunnel tunnel)
{
	static const char *const names[FLOW_TUNNELS] = {
		[FLOW_TUNNEL_NONE] = "none",
		[FLOW_TUNNEL_VXLAN] = "vxlan",
		[FLOW_TUNNEL_GENEVE] = "geneve",
		[FLOW_TUNNEL_GRE] = "gre",
		[FLOW_TUNNEL_NVGRE] = "nvgre",
		[FLOW_TUNNEL_IPIP] = "ipip",
	};

	return (unsigned)tunnel < FLOW_TUNNELS ? names[tunnel] : names[FLOW_TUNNEL_NONE];
}

// ---- matches

// NVGRE is a way to read GRE.
static bool
same_tunnel(uint8_t want, uint8_t got)
{
	return want == FLOW_TUNNEL_NONE || want == got ||
	       (want == FLOW_TUNNEL_GRE && got == FLOW_TUNNEL_NVGRE);
}

bool
flow_inner_hits(const struct flow_inner_match *m, const struct flow_inner *in)
{
	static const struct flow_key nothing;
	uint32_t vni;
	bool has_vni;

	if (in->tunnel == FLOW_TUNNEL_NONE || !same_tunnel(m->tunnel, in->tunnel))
		return false;
	has_vni = flow_inner_vni(in, &vni);
	if (m->tunnel == FLOW_TUNNEL_GRE) { // its number is the whole key
		has_vni = in->has_id;
		vni = in->id;
	}
	if (m->has_vni && (!has_vni || vni != m->vni))
		return false;
	if (in->fault == FLOW_OK)
		return flow_match_hits(&m->match, &in->key);
	return flow_key_equal(&m->match.mask, &nothing) && !flow_match_has_range(&m->match);
}

bool
flow_inner_may_hit(const struct flow_inner_match *m, const struct flow_key *key)
{
	const enum flow_tunnel may = flow_key_tunnel(key);

	if (may == FLOW_TUNNEL_NONE || !m->asked)
		return false;
	return same_tunnel(m->tunnel, (uint8_t)may) ||
	       (may == FLOW_TUNNEL_GRE && m->tunnel == FLOW_TUNNEL_NVGRE);
}

bool
flow_inner_match_equal(const struct flow_inner_match *a, const struct flow_inner_match *b)
{
	if (!a->asked || !b->asked)
		return a->asked == b->asked;
	return a->tunnel == b->tunnel && a->has_vni == b->has_vni && a->vni == b->vni &&
	       flow_match_equal(&a->match, &b->match);
}

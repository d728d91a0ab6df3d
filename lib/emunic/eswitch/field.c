// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/field.h"

#include <stddef.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define MAX_BYTES 16
#define L4_REACH (8 + 20) // an IPv6 fragment header and a TCP header

enum header { AT_ETH, AT_VLAN, AT_IP, AT_L4, AT_NIC };

// A field is some bits of some whole bytes of a header.
static const struct field {
	uint8_t header;
	uint8_t off;
	uint8_t bytes;
	uint8_t shift;
	uint8_t bits;
	uint8_t key; // where the same bytes stand in the key; 0: nowhere
	uint16_t layers;
} fields[EMU_FIELDS] = {
#define KEY(member) offsetof(union emu_key, member)
	[EMU_FIELD_ETH_DST] = {AT_ETH, 0, 6, 0, 48, KEY(dst), 0},
	[EMU_FIELD_ETH_SRC] = {AT_ETH, 6, 6, 0, 48, KEY(src), 0},
	[EMU_FIELD_VLAN_ID] = {AT_VLAN, 0, 2, 0, 12, KEY(tci), EMU_L_VLAN},
	[EMU_FIELD_VLAN_PCP] = {AT_VLAN, 0, 2, 13, 3, KEY(tci), EMU_L_VLAN},
	[EMU_FIELD_IP4_SRC] = {AT_IP, 12, 4, 0, 32, KEY(ip_src), EMU_L_IPV4},
	[EMU_FIELD_IP4_DST] = {AT_IP, 16, 4, 0, 32, KEY(ip_dst), EMU_L_IPV4},
	[EMU_FIELD_IP4_TTL] = {AT_IP, 8, 1, 0, 8, KEY(ttl), EMU_L_IPV4},
	[EMU_FIELD_IP4_DSCP] = {AT_IP, 1, 1, 2, 6, KEY(tos), EMU_L_IPV4},
	[EMU_FIELD_IP4_ECN] = {AT_IP, 1, 1, 0, 2, KEY(tos), EMU_L_IPV4},
	[EMU_FIELD_IP6_SRC] = {AT_IP, 8, 16, 0, 128, KEY(ip_src), EMU_L_IPV6},
	[EMU_FIELD_IP6_DST] = {AT_IP, 24, 16, 0, 128, KEY(ip_dst), EMU_L_IPV6},
	[EMU_FIELD_IP6_HOPS] = {AT_IP, 7, 1, 0, 8, KEY(ttl), EMU_L_IPV6},
	[EMU_FIELD_IP6_DSCP] = {AT_IP, 0, 2, 6, 6, 0, EMU_L_IPV6},
	[EMU_FIELD_IP6_ECN] = {AT_IP, 0, 2, 4, 2, 0, EMU_L_IPV6},
	[EMU_FIELD_L4_SPORT] = {AT_L4, 0, 2, 0, 16, KEY(sport), EMU_L_TCP | EMU_L_UDP},
	[EMU_FIELD_L4_DPORT] = {AT_L4, 2, 2, 0, 16, KEY(dport), EMU_L_TCP | EMU_L_UDP},
	[EMU_FIELD_TCP_SPORT] = {AT_L4, 0, 2, 0, 16, KEY(sport), EMU_L_TCP},
	[EMU_FIELD_TCP_DPORT] = {AT_L4, 2, 2, 0, 16, KEY(dport), EMU_L_TCP},
	[EMU_FIELD_UDP_SPORT] = {AT_L4, 0, 2, 0, 16, KEY(sport), EMU_L_UDP},
	[EMU_FIELD_UDP_DPORT] = {AT_L4, 2, 2, 0, 16, KEY(dport), EMU_L_UDP},
	[EMU_FIELD_MARK... EMU_FIELDS - 1] = {AT_NIC, 0, 4, 0, 32, 0, 0},
#undef KEY
};

unsigned int
emu_field_bits(enum emu_field f)
{
	return f < EMU_FIELDS ? fields[f].bits : 0;
}

bool
emu_field_in_packet(enum emu_field f)
{
	return f < EMU_FIELDS && fields[f].header != AT_NIC;
}

uint32_t
emu_field_reach(const struct emu_pkt *p)
{
	uint32_t l4 = p->key.layers & (EMU_L_TCP | EMU_L_UDP) ? p->l4_len : L4_REACH;

	return RTE_MIN((uint32_t)p->l2_len + p->l3_len + l4, rte_pktmbuf_pkt_len(p->m));
}

// Where the L4 header is, in a first fragment too. False when p has none.
static bool
find_l4(const struct emu_pkt *p, uint32_t *off, uint8_t *proto)
{
	uint8_t ext[8];

	*off = p->l2_len + p->l3_len;
	*proto = p->key.proto;
	if (!(p->key.layers & (EMU_L_IPV4 | EMU_L_IPV6)))
		return false;
	if (!(p->key.layers & EMU_L_FRAG))
		return true;
	if (p->key.layers & EMU_L_IPV4)
		return !(p->key.frag & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK));
	if (!emu_get(p->m, *off, ext, sizeof(ext)) || (ext[2] << 8 | ext[3]) >> 3 != 0)
		return false;
	*proto = ext[0];
	*off += sizeof(ext);
	return true;
}

// Bytes from the L4 header to its checksum, if that covers the addresses; else 0.
static uint32_t
sum_at(const struct emu_pkt *p, uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return offsetof(struct rte_tcp_hdr, cksum);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
		return 6;
	case IPPROTO_ICMPV6:
		return p->key.layers & EMU_L_IPV6 ? 2 : 0;
	default:
		return 0;
	}
}

static uint16_t
layer_of(uint8_t proto)
{
	return proto == IPPROTO_TCP ? EMU_L_TCP : proto == IPPROTO_UDP ? EMU_L_UDP : 0;
}

// Where the bytes of a field are. False when p has no such field.
static bool
locate(const struct emu_pkt *p, const struct field *f, uint32_t *off)
{
	uint16_t layers = p->key.layers;
	uint8_t proto;

	*off = 0;
	switch (f->header) {
	case AT_VLAN:
		*off = 2 * RTE_ETHER_ADDR_LEN + 2;
		break;
	case AT_IP:
		*off = p->l2_len;
		break;
	case AT_L4:
		if (!find_l4(p, off, &proto))
			return false;
		if (layers & EMU_L_FRAG)
			layers |= layer_of(proto);
		break;
	default:
		break;
	}
	*off += f->off;
	return f->layers == 0 || (f->layers & layers) != 0;
}

static emu_u128
number(const uint8_t *b, unsigned int n)
{
	emu_u128 v = 0;

	for (unsigned int i = 0; i < n; i++)
		v = v << 8 | b[i];
	return v;
}

static uint32_t *
in_nic(struct emu_pkt *p, enum emu_field f)
{
	if (f == EMU_FIELD_MARK)
		return &p->mark;
	return f == EMU_FIELD_META ? &p->meta : &p->tag[f - EMU_FIELD_TAG];
}

bool
emu_field_get(const struct emu_pkt *p, enum emu_field f, emu_u128 *out)
{
	const struct field *d = &fields[f];
	uint8_t b[MAX_BYTES];
	uint32_t off;

	if (d->header == AT_NIC) {
		struct emu_pkt *w = (struct emu_pkt *)(uintptr_t)p;

		*out = f == EMU_FIELD_MARK && !p->marked ? 0 : *in_nic(w, f);
		return true;
	}
	if (!locate(p, d, &off) || !emu_get(p->m, off, b, d->bytes))
		return false;
	*out = number(b, d->bytes) >> d->shift;
	if (d->bits < EMU_FIELD_MAX_BITS)
		*out &= ((emu_u128)1 << d->bits) - 1;
	return true;
}

// A pointer to n bytes of the first segment, or NULL.
static uint8_t *
bytes_at(const struct emu_pkt *p, uint32_t off, uint32_t n)
{
	return off + n <= p->m->data_len ? rte_pktmbuf_mtod_offset(p->m, uint8_t *, off) : NULL;
}

// The change of a ones' complement sum when n bytes at off of what it covers change.
struct change {
	uint32_t was, is;
};

static struct change
change_of(uint32_t off, const uint8_t *was, const uint8_t *is, unsigned int n)
{
	struct change c = {0, 0};

	for (unsigned int i = 0; i < n; i++) {
		unsigned int shift = (off + i) % 2 == 0 ? 8 : 0;

		c.was += (uint32_t)was[i] << shift;
		c.is += (uint32_t)is[i] << shift;
	}
	return c;
}

// HC' = ~(~HC + ~m + m'), RFC 1624.
static void
adjust(uint8_t *sum, struct change c, bool zero_is_none)
{
	uint32_t v = sum[0] << 8 | sum[1];

	if (zero_is_none && v == 0)
		return;
	c.was = (c.was & 0xffff) + (c.was >> 16);
	c.was = (c.was & 0xffff) + (c.was >> 16);
	v = (~v & 0xffff) + (~c.was & 0xffff) + c.is;
	v = (v & 0xffff) + (v >> 16);
	v = (v & 0xffff) + (v >> 16);
	v = ~v & 0xffff;
	if (zero_is_none && v == 0)
		v = 0xffff;
	sum[0] = v >> 8;
	sum[1] = v;
}

static void
adjust_ip(struct emu_pkt *p, const struct field *d, const uint8_t *was, const uint8_t *is)
{
	uint8_t *sum = bytes_at(p, p->l2_len + offsetof(struct rte_ipv4_hdr, hdr_checksum), 2);

	if (sum != NULL && !p->ip_sum)
		adjust(sum, change_of(d->off, was, is, d->bytes), false);
}

static void
adjust_l4(struct emu_pkt *p, const struct field *d, const uint8_t *was, const uint8_t *is)
{
	uint32_t off, at;
	uint8_t proto, *sum;

	if (p->l4_sum || !find_l4(p, &off, &proto))
		return;
	at = sum_at(p, proto);
	sum = at == 0 ? NULL : bytes_at(p, off + at, 2);
	if (sum != NULL)
		adjust(sum, change_of(d->off, was, is, d->bytes), proto == IPPROTO_UDP);
}

static bool
is_address(const struct field *d)
{
	return d->header == AT_IP && d->bytes >= 4;
}

static void
update_key(struct emu_pkt *p, const struct field *d, const uint8_t *b)
{
	if (d->header == AT_L4 && (p->key.layers & EMU_L_FRAG))
		return; // a fragment's key has no ports
	if (d->key != 0)
		memcpy((uint8_t *)&p->key + d->key, b, d->bytes);
	else
		p->key.tos = b[0] << 4 | b[1] >> 4;
}

void
emu_field_set(struct emu_pkt *p, enum emu_field f, emu_u128 value)
{
	const struct field *d = &fields[f];
	emu_u128 mask = d->bits < EMU_FIELD_MAX_BITS ? ((emu_u128)1 << d->bits) - 1 : ~(emu_u128)0;
	uint8_t was[MAX_BYTES], is[MAX_BYTES], *at;
	emu_u128 bits;
	uint32_t off;

	if (d->header == AT_NIC) {
		*in_nic(p, f) = (uint32_t)value;
		if (f == EMU_FIELD_MARK)
			p->marked = true;
		return;
	}
	if (!locate(p, d, &off) || (at = bytes_at(p, off, d->bytes)) == NULL)
		return;
	memcpy(was, at, d->bytes);
	bits = (number(was, d->bytes) & ~(mask << d->shift)) | (value & mask) << d->shift;
	for (unsigned int i = d->bytes; i-- > 0; bits >>= 8)
		is[i] = (uint8_t)bits;
	memcpy(at, is, d->bytes);
	update_key(p, d, is);
	if (d->header == AT_IP && (p->key.layers & EMU_L_IPV4))
		adjust_ip(p, d, was, is);
	if (d->header == AT_L4 || is_address(d))
		adjust_l4(p, d, was, is);
}

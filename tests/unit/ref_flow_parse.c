// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_mbuf.h>

#include "ref_flow_parse.h"

#define SEGMENTS_MAX 12
#define SWITCH 0x1122
#define VPORT 0x3344

// One byte at a time, each checked against the end.
struct cursor {
	const uint8_t *data;
	uint32_t len; // what may be read: shrinks to the IP packet
	uint32_t pos;
	uint32_t fields;
	struct flow_key *key;
	struct flow_offsets *off;
};

static bool
has(const struct cursor *c, uint32_t n)
{
	return c->pos <= c->len && n <= c->len - c->pos;
}

static uint8_t
u8(const struct cursor *c, uint32_t i)
{
	if (c->pos + i >= c->len)
		fail_msg("the reference reads past the end");
	return c->data[c->pos + i];
}

static unsigned
u16(const struct cursor *c, uint32_t i)
{
	return u8(c, i) * 256u + u8(c, i + 1);
}

static void
copy(const struct cursor *c, void *to, uint32_t i, uint32_t n)
{
	uint8_t *out = to;
	uint32_t k;

	for (k = 0; k < n; k++)
		out[k] = u8(c, i + k);
}

static enum flow_fault
ref_l4(struct cursor *c)
{
	struct flow_key *key = c->key;
	bool icmp4 = key->proto == 1 && key->l3 == FLOW_L3_IPV4;
	bool icmp6 = key->proto == 58 && key->l3 == FLOW_L3_IPV6;
	uint32_t header;
	bool echo;

	if (key->proto == 6)
		header = 20;
	else if (key->proto == 17 || icmp4 || icmp6)
		header = 8;
	else if (key->proto == 132)
		header = 12;
	else
		return FLOW_OK;
	if (!has(c, header))
		return FLOW_FAULT_L4;
	if (key->proto == 6) {
		header = u8(c, 12) / 16 * 4;
		if (header < 20 || !has(c, header))
			return FLOW_FAULT_L4;
		c->off->tcp_flags = u8(c, 13);
		key->tcp_flags = c->fields & FLOW_FIELD_TCP_FLAGS ? u8(c, 13) : 0;
	}
	copy(c, &key->l4_src, 0, 2);
	if (!icmp4 && !icmp6)
		copy(c, &key->l4_dst, 2, 2);
	echo = icmp4 ? u8(c, 0) == 8 || u8(c, 0) == 0 : u8(c, 0) == 128 || u8(c, 0) == 129;
	if ((icmp4 || icmp6) && echo)
		copy(c, &key->l4_dst, 4, 2);
	c->off->l4 = (uint16_t)c->pos;
	c->off->payload = (uint16_t)(c->pos + header);
	return FLOW_OK;
}

static void
ref_ip_fields(struct cursor *c, unsigned traffic_class, unsigned ttl)
{
	c->off->dscp = (uint8_t)(traffic_class / 4);
	c->key->dscp = c->fields & FLOW_FIELD_DSCP ? (uint8_t)(traffic_class / 4) : 0;
	c->key->ttl = c->fields & FLOW_FIELD_TTL ? (uint8_t)ttl : 0;
}

static void
ref_frag(struct cursor *c, uint8_t frag)
{
	c->off->frag = frag;
	c->key->frag = c->fields & FLOW_FIELD_FRAG ? frag : 0;
}

static enum flow_fault
ref_ip4(struct cursor *c)
{
	uint32_t header, total;

	if (!has(c, 20) || u8(c, 0) / 16 != 4)
		return FLOW_FAULT_IPV4;
	header = u8(c, 0) % 16 * 4;
	total = u16(c, 2);
	if (header < 20 || total < header || !has(c, total))
		return FLOW_FAULT_IPV4;
	c->len = c->pos + total;
	c->key->l3 = FLOW_L3_IPV4;
	c->off->l3 = (uint16_t)c->pos;
	copy(c, c->key->src, 12, 4);
	copy(c, c->key->dst, 16, 4);
	c->key->proto = u8(c, 9);
	ref_ip_fields(c, u8(c, 1), u8(c, 8));
	if (u16(c, 6) % 0x2000 != 0) {
		ref_frag(c, FLOW_FRAG_LATER);
		return FLOW_OK;
	}
	if (u16(c, 6) / 0x2000 % 2 == 1)
		ref_frag(c, FLOW_FRAG_FIRST);
	c->pos += header;
	return ref_l4(c);
}

static enum flow_fault
ref_ip6(struct cursor *c)
{
	unsigned next, count = 0;
	uint32_t header;

	if (!has(c, 40) || u8(c, 0) / 16 != 6 || !has(c, 40 + u16(c, 4)))
		return FLOW_FAULT_IPV6;
	c->len = c->pos + 40 + u16(c, 4);
	c->key->l3 = FLOW_L3_IPV6;
	c->off->l3 = (uint16_t)c->pos;
	copy(c, c->key->src, 8, 16);
	copy(c, c->key->dst, 24, 16);
	ref_ip_fields(c, u16(c, 0) / 16 % 256, u8(c, 7));
	next = u8(c, 6);
	c->pos += 40;
	while (next == 0 || next == 43 || next == 44 || next == 51 || next == 60) {
		if (++count > 8 || !has(c, 8))
			return FLOW_FAULT_IPV6_EXT;
		header = 8 + u8(c, 1) * 8u;
		if (next == 44)
			header = 8;
		if (next == 51)
			header = 8 + u8(c, 1) * 4u;
		if (next == 44 && u16(c, 2) / 8 != 0) {
			ref_frag(c, FLOW_FRAG_LATER);
			c->key->proto = u8(c, 0);
			return FLOW_OK;
		}
		if (next == 44 && u16(c, 2) % 2 == 1)
			ref_frag(c, FLOW_FRAG_FIRST);
		if (!has(c, header))
			return FLOW_FAULT_IPV6_EXT;
		next = u8(c, 0);
		c->pos += header;
	}
	c->key->proto = (uint8_t)next;
	return ref_l4(c);
}

static enum flow_fault
ref_arp(struct cursor *c)
{
	if (!has(c, 8))
		return FLOW_FAULT_ARP;
	if (u16(c, 0) != 1 || u16(c, 2) != 0x0800 || u8(c, 4) != 6 || u8(c, 5) != 4)
		return FLOW_OK;
	if (!has(c, 28))
		return FLOW_FAULT_ARP;
	c->key->l3 = FLOW_L3_ARP;
	c->off->l3 = (uint16_t)c->pos;
	c->key->proto = (uint8_t)(u16(c, 6) > 255 ? 255 : u16(c, 6));
	copy(c, c->key->src, 14, 4);
	copy(c, c->key->dst, 24, 4);
	return FLOW_OK;
}

static enum flow_fault
ref_type(struct cursor *c, unsigned type)
{
	if (type < 0x600)
		return FLOW_OK;
	((uint8_t *)&c->key->eth_type)[0] = (uint8_t)(type / 256);
	((uint8_t *)&c->key->eth_type)[1] = (uint8_t)(type % 256);
	if (type == 0x0800)
		return ref_ip4(c);
	if (type == 0x86dd)
		return ref_ip6(c);
	return type == 0x0806 ? ref_arp(c) : FLOW_OK;
}

static enum flow_fault
ref_frame(struct cursor *c)
{
	unsigned type, tag, i;

	if (!has(c, 14))
		return FLOW_FAULT_RUNT;
	copy(c, c->key->eth_dst, 0, 6);
	copy(c, c->key->eth_src, 6, 6);
	type = u16(c, 12);
	c->pos += 14;
	for (i = 0; i < 2 && (type == 0x8100 || type == 0x88a8); i++) {
		if (!has(c, 4))
			return FLOW_FAULT_VLAN;
		tag = u16(c, 0) % 4096 + FLOW_VLAN_PRESENT;
		if (c->fields & FLOW_FIELD_PCP)
			tag += u16(c, 0) / 8192 * 8192;
		c->key->vlan[i] = (uint16_t)tag;
		c->off->vlans++;
		type = u16(c, 2);
		c->pos += 4;
	}
	return ref_type(c, type);
}

enum flow_fault
ref_flow_parse(const uint8_t *data, uint32_t len, uint16_t switch_id, uint16_t vport,
	uint32_t fields, struct flow_key *key, struct flow_offsets *off)
{
	struct cursor c = {.data = data, .len = len, .fields = fields, .key = key, .off = off};

	memset(off, 0, sizeof(*off));
	flow_key_init(key, switch_id, vport);
	return ref_frame(&c);
}

// The outer IP packet's payload, by its headers alone.
static void
ref_ip_payload(struct cursor *c, unsigned *proto)
{
	uint32_t length;

	if (u8(c, 0) / 16 == 4) {
		*proto = u8(c, 9);
		c->len = c->pos + u16(c, 2);
		c->pos += u8(c, 0) % 16 * 4;
		return;
	}
	*proto = u8(c, 6);
	c->len = c->pos + 40 + u16(c, 4);
	c->pos += 40;
	while (*proto == 0 || *proto == 43 || *proto == 44 || *proto == 51 || *proto == 60) {
		length = *proto == 51 ? 8 + u8(c, 1) * 4u : *proto == 44 ? 8 : 8 + u8(c, 1) * 8u;
		*proto = u8(c, 0);
		c->pos += length;
	}
}

// VXLAN and GENEVE. Returns the ethertype of what is inside; -1: it is neither.
static int
ref_udp_tunnel(struct cursor *c, struct flow_inner *out)
{
	unsigned port, length, options;

	port = u16(c, 2);
	length = u16(c, 4);
	if (length < 8 || !has(c, length) || (port != 4789 && port != 6081))
		return -1;
	c->len = c->pos + length;
	c->pos += 8;
	out->header = (uint16_t)c->pos;
	if (!has(c, 8))
		return -1;
	out->has_id = true;
	out->id = u8(c, 4) * 65536u + u16(c, 5);
	if (port == 4789) {
		out->tunnel = FLOW_TUNNEL_VXLAN;
		if (u8(c, 0) / 8 % 2 == 0)
			return -1;
		c->pos += 8;
		return 0x6558;
	}
	out->tunnel = FLOW_TUNNEL_GENEVE;
	options = u8(c, 0) % 64 * 4;
	if (u8(c, 0) / 64 != 0 || !has(c, 8 + options))
		return -1;
	port = u16(c, 2);
	c->pos += 8 + options;
	return (int)port;
}

static int
ref_gre(struct cursor *c, struct flow_inner *out)
{
	unsigned bits, type, length = 4;

	out->header = (uint16_t)c->pos;
	if (!has(c, 4))
		return -1;
	bits = u16(c, 0);
	type = u16(c, 2);
	// Version 0, and of the first six flags checksum, key and sequence number alone.
	if (bits % 8 != 0 || bits / 0x4000 % 2 != 0 || bits / 0x0400 % 4 != 0)
		return -1;
	if (bits / 0x8000 % 2 == 1)
		length += 4;
	if (bits / 0x2000 % 2 == 1) {
		if (!has(c, length + 4))
			return -1;
		out->has_id = true;
		out->id = u16(c, length) * 65536u + u16(c, length + 2);
		length += 4;
	}
	if (bits / 0x1000 % 2 == 1)
		length += 4;
	if (!has(c, length))
		return -1;
	out->tunnel =
		out->has_id && length == 8 && type == 0x6558 ? FLOW_TUNNEL_NVGRE : FLOW_TUNNEL_GRE;
	c->pos += length;
	return (int)type;
}

bool
ref_flow_inner(const uint8_t *data, uint32_t len, uint32_t fields, struct flow_inner *out)
{
	struct cursor c = {
		.data = data, .len = len, .fields = fields, .key = &out->key, .off = &out->off};
	struct flow_offsets off;
	struct flow_key outer;
	unsigned proto;
	int type = -1;

	memset(out, 0, sizeof(*out));
	if (ref_flow_parse(data, len, SWITCH, VPORT, 0, &outer, &off) != FLOW_OK ||
		(outer.l3 != FLOW_L3_IPV4 && outer.l3 != FLOW_L3_IPV6) || off.frag != 0)
		return false;
	c.pos = off.l3;
	ref_ip_payload(&c, &proto);
	if (proto == 17) {
		type = ref_udp_tunnel(&c, out);
	} else if (proto == 47) {
		type = ref_gre(&c, out);
	} else if (proto == 4 || proto == 41) {
		out->tunnel = FLOW_TUNNEL_IPIP;
		out->header = (uint16_t)c.pos;
		type = proto == 4 ? 0x0800 : 0x86dd;
	}
	if (type < 0) {
		memset(out, 0, sizeof(*out));
		return false;
	}
	flow_key_init(&out->key, SWITCH, VPORT);
	if (type == 0x6558)
		out->l2 = (uint16_t)c.pos;
	out->fault = (uint8_t)(type == 0x6558 ? ref_frame(&c) : ref_type(&c, (unsigned)type));
	return true;
}

// A chain whose segments are memory of their own, of exactly the right length (0 included).
struct chain {
	struct rte_mbuf mbuf[SEGMENTS_MAX];
	uint8_t *mem[SEGMENTS_MAX];
	unsigned n;
};

static void
chain_add(struct chain *ch, const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *m = &ch->mbuf[ch->n];

	memset(m, 0, sizeof(*m));
	ch->mem[ch->n] = malloc(len > 0 ? len : 1);
	assert_non_null(ch->mem[ch->n]);
	if (len > 0)
		memcpy(ch->mem[ch->n], data, len);
	m->buf_addr = ch->mem[ch->n];
	m->data_len = (uint16_t)len;
	if (ch->n > 0)
		ch->mbuf[ch->n - 1].next = m;
	ch->n++;
	ch->mbuf[0].pkt_len += len;
	ch->mbuf[0].nb_segs = (uint16_t)ch->n;
}

static void
chain_build(
	struct chain *ch, const uint8_t *data, uint32_t len, unsigned segments, struct sl_rng *rng)
{
	uint32_t done = 0, part;

	ch->n = 0;
	while (ch->n + 1 < segments) {
		// Mostly short, so that the headers are cut often.
		part = sl_rng_below(rng, sl_rng_below(rng, 4) == 0 ? 2 : 48);
		if (part > len - done)
			part = len - done;
		chain_add(ch, data + done, part);
		done += part;
	}
	chain_add(ch, data + done, len - done);
}

static void
chain_free(struct chain *ch)
{
	unsigned i;

	for (i = 0; i < ch->n; i++)
		free(ch->mem[i]);
}

struct outcome {
	struct flow_key key;
	struct flow_offsets off;
	enum flow_fault fault;
};

static void
compare(const char *what, const char *way, const struct outcome *want, const struct outcome *got)
{
	if (want->fault != got->fault)
		fail_msg("%s, %s: %s, the reference says %s", what, way,
			flow_fault_name(got->fault), flow_fault_name(want->fault));
	if (memcmp(&want->off, &got->off, sizeof(want->off)) != 0)
		fail_msg("%s, %s: offsets %u %u %u %u %u %02x %u, the reference says %u %u %u %u "
			 "%u %02x %u",
			what, way, got->off.l3, got->off.l4, got->off.payload, got->off.vlans,
			got->off.frag, got->off.tcp_flags, got->off.dscp, want->off.l3,
			want->off.l4, want->off.payload, want->off.vlans, want->off.frag,
			want->off.tcp_flags, want->off.dscp);
	if (memcmp(&want->key, &got->key, sizeof(want->key)) != 0) {
		print_error("%s, %s: another key than the reference's\n", what, way);
		assert_memory_equal(&want->key, &got->key, sizeof(want->key));
	}
}

// What is inside, and that what the key says beforehand is not less.
static void
check_inner(const char *what, const struct rte_mbuf *m, const struct outcome *outer,
	const struct flow_inner *want, bool is_tunnel, uint32_t fields)
{
	struct flow_inner got;
	bool found;

	memset(&got, 0xa5, sizeof(got));
	found = flow_parse_inner(m, &outer->key, &outer->off, fields, &got);
	if (found != is_tunnel || got.tunnel != want->tunnel || got.fault != want->fault)
		fail_msg("%s: inside %s, %s, the reference says %s, %s", what,
			flow_tunnel_name(got.tunnel), flow_fault_name(got.fault),
			flow_tunnel_name(want->tunnel), flow_fault_name(want->fault));
	if (got.has_id != want->has_id || got.id != want->id || got.header != want->header ||
		got.l2 != want->l2 || memcmp(&got.off, &want->off, sizeof(got.off)) != 0)
		fail_msg("%s: inside %s: id %u at %u, Ethernet %u, L3 %u, L4 %u, payload %u, the "
			 "reference says %u %u %u %u %u %u",
			what, flow_tunnel_name(got.tunnel), got.id, got.header, got.l2, got.off.l3,
			got.off.l4, got.off.payload, want->id, want->header, want->l2, want->off.l3,
			want->off.l4, want->off.payload);
	if (memcmp(&got.key, &want->key, sizeof(got.key)) != 0) {
		print_error("%s: another inner key than the reference's\n", what);
		assert_memory_equal(&want->key, &got.key, sizeof(want->key));
	}
	if (found)
		assert_int_not_equal(flow_key_tunnel(&outer->key), FLOW_TUNNEL_NONE);
}

static void
check_burst(const char *what, const struct outcome *want, struct rte_mbuf *const *pkts, uint16_t n,
	uint32_t fields)
{
	struct flow_offsets offs[64];
	struct flow_key keys[64];
	struct outcome got;
	uint8_t faults[64];
	unsigned i;

	memset(keys, 0xa5, sizeof(keys));
	memset(offs, 0xa5, sizeof(offs));
	memset(faults, 0xa5, sizeof(faults));
	flow_parse_burst(pkts, n, SWITCH, VPORT, fields, keys, offs, faults);
	for (i = 0; i < n; i++) {
		got = (struct outcome){.key = keys[i], .off = offs[i], .fault = faults[i]};
		compare(what, "burst", want, &got);
	}
	// The same without the offsets, which may go another way.
	memset(keys, 0xa5, sizeof(keys));
	memset(faults, 0xa5, sizeof(faults));
	flow_parse_burst(pkts, n, SWITCH, VPORT, fields, keys, NULL, faults);
	for (i = 0; i < n; i++) {
		got = (struct outcome){.key = keys[i], .off = want->off, .fault = faults[i]};
		compare(what, "burst without offsets", want, &got);
	}
	if (n < 64)
		assert_int_equal(faults[n], 0xa5);
}

enum flow_fault
ref_flow_check(
	const char *what, const uint8_t *data, uint32_t len, uint32_t fields, struct sl_rng *rng)
{
	struct outcome want, got;
	struct chain one, cut;
	struct rte_mbuf *pkts[64];
	struct flow_inner inner;
	uint16_t n, i;
	bool tunnel;

	want.fault = ref_flow_parse(data, len, SWITCH, VPORT, fields, &want.key, &want.off);
	chain_build(&one, data, len, 1, rng);
	chain_build(&cut, data, len, 2 + sl_rng_below(rng, SEGMENTS_MAX - 1), rng);

	memset(&got, 0xa5, sizeof(got));
	got.fault = flow_parse_bytes(one.mem[0], len, SWITCH, VPORT, fields, &got.key, &got.off);
	compare(what, "bytes", &want, &got);
	memset(&got, 0xa5, sizeof(got));
	got.fault = flow_parse(&one.mbuf[0], SWITCH, VPORT, fields, &got.key, &got.off);
	compare(what, "one segment", &want, &got);
	memset(&got, 0xa5, sizeof(got));
	got.fault = flow_parse(&cut.mbuf[0], SWITCH, VPORT, fields, &got.key, &got.off);
	compare(what, "chain", &want, &got);

	if (want.fault == FLOW_OK) {
		tunnel = ref_flow_inner(data, len, fields, &inner);
		check_inner(what, &one.mbuf[0], &want, &inner, tunnel, fields);
		check_inner(what, &cut.mbuf[0], &want, &inner, tunnel, fields);
	}
	n = (uint16_t)sl_rng_below(rng, sl_rng_below(rng, 16) == 0 ? 65 : 8);
	for (i = 0; i < n; i++)
		pkts[i] = sl_rng_below(rng, 2) ? &one.mbuf[0] : &cut.mbuf[0];
	check_burst(what, &want, pkts, n, fields);
	chain_free(&one);
	chain_free(&cut);
	return want.fault;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "parse_general.h"

#include <stdbool.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <netinet/icmp6.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#define VLANS_MAX 2
#define EXT_MAX 8 // IPv6 extension headers
#define IP4_MIN 20
#define IP6_LEN 40
#define ARP_HEAD 8
#define ARP_IP4_LEN 28
#define TCP_MIN 20
#define UDP_LEN 8
#define SCTP_LEN 12
#define ICMP_LEN 8

bool
parse_gather(const struct rte_mbuf *m, uint32_t off, uint32_t n, uint8_t *out)
{
	uint32_t part;

	for (; m != NULL && off >= m->data_len; m = m->next)
		off -= m->data_len;
	for (; m != NULL && n > 0; m = m->next) {
		part = m->data_len - off;
		if (part > n)
			part = n;
		memcpy(out, rte_pktmbuf_mtod_offset(m, const uint8_t *, off), part);
		out += part;
		n -= part;
		off = 0;
	}
	return n == 0;
}

static enum flow_fault
parse_tcp(const struct parse_input *in, uint32_t l4, uint32_t end, uint32_t fields,
	struct flow_key *key, struct flow_offsets *off)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p;
	uint32_t len;

	if (end - l4 < TCP_MIN || (p = parse_at(in, l4, TCP_MIN, scratch)) == NULL)
		return FLOW_FAULT_L4;
	len = (p[12] >> 4) * 4u;
	if (len < TCP_MIN || len > end - l4)
		return FLOW_FAULT_L4;
	memcpy(&key->l4_src, p, 4);
	off->tcp_flags = p[13];
	if (fields & FLOW_FIELD_TCP_FLAGS)
		key->tcp_flags = p[13];
	off->l4 = (uint16_t)l4;
	off->payload = (uint16_t)(l4 + len);
	return FLOW_OK;
}

// UDP and SCTP: both begin with the ports.
static enum flow_fault
parse_ports(const struct parse_input *in, uint32_t l4, uint32_t end, uint32_t len,
	struct flow_key *key, struct flow_offsets *off)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p;

	if (end - l4 < len || (p = parse_at(in, l4, len, scratch)) == NULL)
		return FLOW_FAULT_L4;
	memcpy(&key->l4_src, p, 4);
	off->l4 = (uint16_t)l4;
	off->payload = (uint16_t)(l4 + len);
	return FLOW_OK;
}

static enum flow_fault
parse_icmp(const struct parse_input *in, uint32_t l4, uint32_t end, uint8_t request, uint8_t reply,
	struct flow_key *key, struct flow_offsets *off)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p;

	if (end - l4 < ICMP_LEN || (p = parse_at(in, l4, ICMP_LEN, scratch)) == NULL)
		return FLOW_FAULT_L4;
	memcpy(&key->l4_src, p, 2);
	if (p[0] == request || p[0] == reply)
		memcpy(&key->l4_dst, p + 4, 2);
	off->l4 = (uint16_t)l4;
	off->payload = (uint16_t)(l4 + ICMP_LEN);
	return FLOW_OK;
}

// l4 is where the header begins, end where the IP packet ends (l4 <= end).
static enum flow_fault
parse_l4(const struct parse_input *in, uint32_t l4, uint32_t end, uint32_t fields,
	struct flow_key *key, struct flow_offsets *off)
{
	switch (key->proto) {
	case IPPROTO_TCP:
		return parse_tcp(in, l4, end, fields, key, off);
	case IPPROTO_UDP:
		return parse_ports(in, l4, end, UDP_LEN, key, off);
	case IPPROTO_SCTP:
		return parse_ports(in, l4, end, SCTP_LEN, key, off);
	case IPPROTO_ICMP:
		if (key->l3 != FLOW_L3_IPV4)
			return FLOW_OK;
		return parse_icmp(in, l4, end, ICMP_ECHO, ICMP_ECHOREPLY, key, off);
	case IPPROTO_ICMPV6:
		if (key->l3 != FLOW_L3_IPV6)
			return FLOW_OK;
		return parse_icmp(in, l4, end, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY, key, off);
	default:
		return FLOW_OK;
	}
}

static void
set_ip_fields(
	uint32_t fields, uint8_t tos, uint8_t ttl, struct flow_key *key, struct flow_offsets *off)
{
	off->dscp = tos >> 2;
	if (fields & FLOW_FIELD_DSCP)
		key->dscp = tos >> 2;
	if (fields & FLOW_FIELD_TTL)
		key->ttl = ttl;
}

static void
set_frag(uint32_t fields, uint8_t frag, struct flow_key *key, struct flow_offsets *off)
{
	off->frag = frag;
	if (fields & FLOW_FIELD_FRAG)
		key->frag = frag;
}

static enum flow_fault
parse_ip4(const struct parse_input *in, uint32_t l3, uint32_t fields, struct flow_key *key,
	struct flow_offsets *off)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, l3, IP4_MIN, scratch);
	uint32_t header, total;
	uint16_t frag;

	if (p == NULL || p[0] >> 4 != 4)
		return FLOW_FAULT_IPV4;
	header = (p[0] & 0xf) * 4u;
	total = parse_be16(p + 2);
	if (header < IP4_MIN || total < header || total > in->frame_len - l3)
		return FLOW_FAULT_IPV4;
	key->l3 = FLOW_L3_IPV4;
	key->proto = p[9];
	memcpy(key->src, p + 12, 4);
	memcpy(key->dst, p + 16, 4);
	off->l3 = (uint16_t)l3;
	set_ip_fields(fields, p[1], p[8], key, off);
	frag = parse_be16(p + 6);
	if (frag & 0x1fff) {
		set_frag(fields, FLOW_FRAG_LATER, key, off);
		return FLOW_OK;
	}
	if (frag & 0x2000)
		set_frag(fields, FLOW_FRAG_FIRST, key, off);
	return parse_l4(in, l3 + header, l3 + total, fields, key, off);
}

static bool
is_ip6_ext(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS || next == IPPROTO_AH;
}

// Walks the extension headers from *pos on; *pos and *next are then those of what follows.
static enum flow_fault
skip_ip6_ext(
	const struct parse_input *in, uint32_t *pos, uint32_t end, uint8_t *next, uint8_t *frag)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p;
	unsigned count;
	uint32_t len;
	uint16_t where;

	for (count = 0; *frag != FLOW_FRAG_LATER && is_ip6_ext(*next); count++) {
		if (count == EXT_MAX || end - *pos < 8 ||
			(p = parse_at(in, *pos, 8, scratch)) == NULL)
			return FLOW_FAULT_IPV6_EXT;
		len = (p[1] + 1u) * 8;
		if (*next == IPPROTO_AH)
			len = (p[1] + 2u) * 4;
		if (*next == IPPROTO_FRAGMENT) {
			len = 8;
			where = parse_be16(p + 2);
			if (where & 0xfff8)
				*frag = FLOW_FRAG_LATER;
			else if (where & 1)
				*frag = FLOW_FRAG_FIRST;
		}
		if (len > end - *pos)
			return FLOW_FAULT_IPV6_EXT;
		*next = p[0];
		*pos += len;
	}
	return FLOW_OK;
}

static enum flow_fault
parse_ip6(const struct parse_input *in, uint32_t l3, uint32_t fields, struct flow_key *key,
	struct flow_offsets *off)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, l3, IP6_LEN, scratch);
	uint32_t pos = l3 + IP6_LEN;
	uint32_t end;
	uint8_t next, frag = FLOW_FRAG_NO;
	enum flow_fault fault;

	if (p == NULL || p[0] >> 4 != 6 || parse_be16(p + 4) > in->frame_len - pos)
		return FLOW_FAULT_IPV6;
	end = pos + parse_be16(p + 4);
	next = p[6];
	key->l3 = FLOW_L3_IPV6;
	memcpy(key->src, p + 8, 16);
	memcpy(key->dst, p + 24, 16);
	off->l3 = (uint16_t)l3;
	set_ip_fields(fields, (uint8_t)(parse_be16(p) >> 4), p[7], key, off);
	fault = skip_ip6_ext(in, &pos, end, &next, &frag);
	set_frag(fields, frag, key, off);
	if (fault != FLOW_OK)
		return fault;
	key->proto = next;
	if (frag == FLOW_FRAG_LATER)
		return FLOW_OK;
	return parse_l4(in, pos, end, fields, key, off);
}

static enum flow_fault
parse_arp(const struct parse_input *in, uint32_t l3, struct flow_key *key, struct flow_offsets *off)
{
	static const uint8_t ip_over_ether[6] = {0, 1, 8, 0, 6, 4};
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, l3, ARP_HEAD, scratch);

	if (p == NULL)
		return FLOW_FAULT_ARP;
	if (memcmp(p, ip_over_ether, sizeof(ip_over_ether)) != 0)
		return FLOW_OK;
	p = parse_at(in, l3, ARP_IP4_LEN, scratch);
	if (p == NULL)
		return FLOW_FAULT_ARP;
	key->l3 = FLOW_L3_ARP;
	key->proto = p[6] != 0 ? 255 : p[7];
	memcpy(key->src, p + 14, 4);
	memcpy(key->dst, p + 24, 4);
	off->l3 = (uint16_t)l3;
	return FLOW_OK;
}

bool
parse_ip_payload(
	const struct parse_input *in, uint32_t l3, uint8_t version, uint32_t *pos, uint32_t *end)
{
	const uint32_t header = version == FLOW_L3_IPV6 ? IP6_LEN : IP4_MIN;
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, l3, header, scratch);
	uint8_t next, frag = FLOW_FRAG_NO;

	if (p == NULL)
		return false;
	if (version == FLOW_L3_IPV4) {
		*pos = l3 + (p[0] & 0xf) * 4u;
		*end = l3 + parse_be16(p + 2);
		return *pos <= *end && *end <= in->frame_len;
	}
	*pos = l3 + IP6_LEN;
	*end = *pos + parse_be16(p + 4);
	next = p[6];
	return *end <= in->frame_len && skip_ip6_ext(in, pos, *end, &next, &frag) == FLOW_OK;
}

enum flow_fault
parse_type(const struct parse_input *in, uint32_t pos, uint16_t type, uint32_t fields,
	struct flow_key *key, struct flow_offsets *off)
{
	if (type < 0x600)
		return FLOW_OK;
	key->eth_type = htons(type);
	switch (type) {
	case RTE_ETHER_TYPE_IPV4:
		return parse_ip4(in, pos, fields, key, off);
	case RTE_ETHER_TYPE_IPV6:
		return parse_ip6(in, pos, fields, key, off);
	case RTE_ETHER_TYPE_ARP:
		return parse_arp(in, pos, key, off);
	default:
		return FLOW_OK;
	}
}

enum flow_fault
parse_general(const struct parse_input *in, uint32_t pos, uint32_t fields, struct flow_key *key,
	struct flow_offsets *off)
{
	uint8_t scratch[PARSE_GATHER_MAX];
	const uint8_t *p = parse_at(in, pos, RTE_ETHER_HDR_LEN, scratch);
	uint16_t pcp = fields & FLOW_FIELD_PCP ? 0xe000 : 0;
	uint16_t type;

	if (p == NULL)
		return FLOW_FAULT_RUNT;
	memcpy(key->eth_dst, p, 6);
	memcpy(key->eth_src, p + 6, 6);
	type = parse_be16(p + 12);
	pos += RTE_ETHER_HDR_LEN;
	while ((type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ) &&
		off->vlans < VLANS_MAX) {
		p = parse_at(in, pos, 4, scratch);
		if (p == NULL)
			return FLOW_FAULT_VLAN;
		key->vlan[off->vlans++] = (parse_be16(p) & (pcp | 0x0fff)) | FLOW_VLAN_PRESENT;
		type = parse_be16(p + 2);
		pos += 4;
	}
	return parse_type(in, pos, type, fields, key, off);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/trace_packet.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pcap/pcap.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "flow/parse.h"

#define SHORTEST 60 // bytes of an Ethernet frame without its checksum
#define PAYLOAD 18
#define ALL_FIELDS                                                                                 \
	(FLOW_FIELD_DSCP | FLOW_FIELD_TTL | FLOW_FIELD_TCP_FLAGS | FLOW_FIELD_FRAG | FLOW_FIELD_PCP)

// ---- bytes

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

int
trace_packet_hex(const char *text, struct trace_packet *out, struct sl_err *err)
{
	const char *p = text;

	out->len = 0;
	for (; *p != '\0'; p++) {
		if (*p == ' ' || *p == ':' || *p == '\n')
			continue;
		if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]))
			return sl_err_set(err, EINVAL, "hex",
				"character %u is not one of two hexadecimal digits",
				(unsigned)(p - text) + 1);
		if (out->len == TRACE_PACKET_MAX)
			return sl_err_set(
				err, EINVAL, "hex", "more than %d bytes", TRACE_PACKET_MAX);
		out->bytes[out->len++] = (uint8_t)(digit(p[0]) << 4 | digit(p[1]));
		p++;
	}
	return out->len > 0 ? 0 : sl_err_set(err, EINVAL, "hex", "there are no bytes");
}

// ---- a capture

// A file that is one: a pipe or a device could hold control up.
static FILE *
open_regular(const char *path, struct sl_err *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	FILE *file;

	if (fd < 0 || fstat(fd, &st) != 0) {
		sl_err_set(err, errno, "pcap", "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		sl_err_set(err, EINVAL, "pcap", "%s is no regular file", path);
	} else {
		file = fdopen(fd, "rb");
		if (file != NULL)
			return file;
		sl_err_set(err, errno, "pcap", "%s: %s", path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int
take_record(pcap_t *pcap, int64_t number, struct trace_packet *out, struct sl_err *err)
{
	struct pcap_pkthdr *h = NULL;
	const u_char *data = NULL;
	int64_t i;
	int rc = 1;

	if (pcap_datalink(pcap) != DLT_EN10MB)
		return sl_err_set(err, EINVAL, "pcap", "the capture is not of Ethernet");
	for (i = 0; i < number && rc == 1; i++)
		rc = pcap_next_ex(pcap, &h, &data);
	if (rc == PCAP_ERROR)
		return sl_err_set(err, EINVAL, "pcap", "%s", pcap_geterr(pcap));
	if (rc != 1)
		return sl_err_set(
			err, ENOENT, "record", "the capture has %lld records", (long long)i - 1);
	if (h->caplen == 0 || h->caplen > TRACE_PACKET_MAX)
		return sl_err_set(err, EINVAL, "record", "it has %u bytes, 1 to %d are possible",
			h->caplen, TRACE_PACKET_MAX);
	memcpy(out->bytes, data, h->caplen);
	out->len = h->caplen;
	return 0;
}

int
trace_packet_pcap(const char *path, int64_t number, struct trace_packet *out, struct sl_err *err)
{
	FILE *file = open_regular(path, err);
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap;
	int rc;

	if (file == NULL)
		return err->code;
	pcap = pcap_fopen_offline(file, why);
	if (pcap == NULL) {
		fclose(file);
		return sl_err_set(err, EINVAL, "pcap", "%s: %s", path, why);
	}
	rc = number > 0 ? take_record(pcap, number, out, err)
			: sl_err_set(err, EINVAL, "record", "records are counted from 1");
	pcap_close(pcap);
	return rc;
}

// ---- a flow

struct maker {
	const struct flow_key *key, *mask;
	struct trace_packet *p;
};

static void *
add(struct maker *m, size_t len)
{
	void *at = m->p->bytes + m->p->len;

	memset(at, 0, len);
	m->p->len += (uint32_t)len;
	return at;
}

static void
add_be16(struct maker *m, uint16_t v)
{
	uint16_t be = rte_cpu_to_be_16(v);

	memcpy(add(m, sizeof(be)), &be, sizeof(be));
}

static void
add_ethernet(struct maker *m, const struct control_vport *from, uint16_t type)
{
	static const uint8_t us[6] = {2, 0, 0, 0, 0, 1}, them[6] = {2, 0, 0, 0, 0, 2};
	static const uint8_t none[6];
	const uint8_t *own = from->cfg.n_macs > 0 ? from->cfg.macs[0] : us;
	unsigned i;

	memcpy(add(m, 6), memcmp(m->mask->eth_dst, none, 6) != 0 ? m->key->eth_dst : them, 6);
	memcpy(add(m, 6), memcmp(m->mask->eth_src, none, 6) != 0 ? m->key->eth_src : own, 6);
	for (i = 0; i < 2; i++) {
		if (!(m->key->vlan[i] & FLOW_VLAN_PRESENT))
			continue;
		add_be16(m, RTE_ETHER_TYPE_VLAN);
		add_be16(m, m->key->vlan[i] & (uint16_t)~FLOW_VLAN_PRESENT);
	}
	add_be16(m, type);
}

static void
take_address(uint8_t *to, const uint8_t *key, const uint8_t *mask, const struct control_vport *from,
	uint8_t l3, uint8_t last)
{
	const size_t len = l3 == FLOW_L3_IPV6 ? 16 : 4;
	static const uint8_t none[16];
	unsigned i;

	memcpy(to, key, len);
	if (memcmp(mask, none, len) != 0)
		return;
	for (i = 0; from != NULL && i < from->cfg.n_ips; i++) {
		if ((from->cfg.ips[i].l3 == FLOW_L3_IPV6) == (l3 == FLOW_L3_IPV6)) {
			memcpy(to, from->cfg.ips[i].addr, len);
			return;
		}
	}
	to[0] = l3 == FLOW_L3_IPV6 ? 0xfd : 10;
	to[len - 1] = last;
}

static void
add_arp(struct maker *m, const struct control_vport *from)
{
	const uint8_t op = m->key->proto != 0 ? m->key->proto : 1;
	const uint8_t *src = m->p->bytes + 6;
	uint8_t *arp;

	arp = add(m, 28);
	memcpy(arp, (const uint8_t[]){0, 1, 8, 0, 6, 4, 0, op}, 8);
	memcpy(arp + 8, src, 6);
	take_address(arp + 14, m->key->src, m->mask->src, from, FLOW_L3_ARP, 1);
	take_address(arp + 24, m->key->dst, m->mask->dst, NULL, FLOW_L3_ARP, 2);
}

// Where the L4 header begins; its checksum is set later.
static void
add_l4(struct maker *m, uint8_t proto)
{
	uint8_t *h;

	switch (proto) {
	case IPPROTO_TCP:
		h = add(m, 20);
		h[12] = 5 << 4;
		h[13] = m->mask->tcp_flags != 0 ? m->key->tcp_flags : RTE_TCP_SYN_FLAG;
		break;
	case IPPROTO_UDP:
		h = add(m, 8);
		h[4] = 0;
		h[5] = 8 + PAYLOAD;
		break;
	case IPPROTO_SCTP:
		h = add(m, 12);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		h = add(m, 8);
		memcpy(h + 4, &m->key->l4_dst, 2);
		memcpy(h, &m->key->l4_src, 2);
		add(m, PAYLOAD);
		return;
	default:
		add(m, PAYLOAD);
		return;
	}
	memcpy(h, &m->key->l4_src, 2);
	memcpy(h + 2, &m->key->l4_dst, 2);
	add(m, PAYLOAD);
}

static void
set_checksum(uint8_t proto, uint8_t *l4, size_t len, const void *ip, bool v6)
{
	uint16_t sum;

	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMPV6) {
		sum = v6 ? rte_ipv6_udptcp_cksum(ip, l4) : rte_ipv4_udptcp_cksum(ip, l4);
		memcpy(l4 + (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2), &sum, 2);
	} else if (proto == IPPROTO_ICMP) {
		sum = (uint16_t)~rte_raw_cksum(l4, len);
		memcpy(l4 + 2, &sum, 2);
	}
}

static void
add_ipv4(struct maker *m, const struct control_vport *from, uint8_t proto)
{
	const uint32_t at = m->p->len;
	struct rte_ipv4_hdr *ip = add(m, sizeof(*ip));

	ip->version_ihl = 0x45;
	ip->type_of_service = (uint8_t)(m->key->dscp << 2);
	ip->time_to_live = m->mask->ttl != 0 ? m->key->ttl : 64;
	ip->next_proto_id = proto;
	take_address((uint8_t *)&ip->src_addr, m->key->src, m->mask->src, from, FLOW_L3_IPV4, 1);
	take_address((uint8_t *)&ip->dst_addr, m->key->dst, m->mask->dst, NULL, FLOW_L3_IPV4, 2);
	if (m->key->frag == FLOW_FRAG_FIRST)
		ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG);
	if (m->key->frag == FLOW_FRAG_LATER) {
		ip->fragment_offset = rte_cpu_to_be_16(100);
		add(m, PAYLOAD);
	} else {
		add_l4(m, proto);
	}
	ip->total_length = rte_cpu_to_be_16((uint16_t)(m->p->len - at));
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	if (m->key->frag == FLOW_FRAG_NO)
		set_checksum(proto, m->p->bytes + at + sizeof(*ip), m->p->len - at - sizeof(*ip),
			ip, false);
}

static void
add_ipv6(struct maker *m, const struct control_vport *from, uint8_t proto)
{
	const uint32_t at = m->p->len;
	struct rte_ipv6_hdr *ip = add(m, sizeof(*ip));

	ip->vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)m->key->dscp << 22);
	ip->hop_limits = m->mask->ttl != 0 ? m->key->ttl : 64;
	ip->proto = proto;
	take_address((uint8_t *)&ip->src_addr, m->key->src, m->mask->src, from, FLOW_L3_IPV6, 1);
	take_address((uint8_t *)&ip->dst_addr, m->key->dst, m->mask->dst, NULL, FLOW_L3_IPV6, 2);
	add_l4(m, proto);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(m->p->len - at - sizeof(*ip)));
	set_checksum(proto, m->p->bytes + at + sizeof(*ip), m->p->len - at - sizeof(*ip), ip, true);
}

static void
make(struct maker *m, const struct control_vport *from)
{
	const uint16_t type = rte_be_to_cpu_16(m->key->eth_type);
	const uint8_t l3 = type == RTE_ETHER_TYPE_ARP    ? FLOW_L3_ARP
			   : type == RTE_ETHER_TYPE_IPV6 ? FLOW_L3_IPV6
			   : type == RTE_ETHER_TYPE_IPV4 ? FLOW_L3_IPV4
							 : m->key->l3;
	const uint8_t proto = m->mask->proto != 0 ? m->key->proto : IPPROTO_UDP;

	if (l3 == FLOW_L3_ARP) {
		add_ethernet(m, from, RTE_ETHER_TYPE_ARP);
		add_arp(m, from);
	} else if (l3 == FLOW_L3_IPV6) {
		add_ethernet(m, from, RTE_ETHER_TYPE_IPV6);
		add_ipv6(m, from, proto);
	} else if (l3 != 0 || m->mask->eth_type == 0) {
		add_ethernet(m, from, RTE_ETHER_TYPE_IPV4);
		add_ipv4(m, from, proto);
	} else {
		add_ethernet(m, from, type);
		add(m, PAYLOAD);
	}
	if (m->p->len < SHORTEST)
		add(m, SHORTEST - m->p->len);
}

int
trace_packet_match(const struct control_vport *from, uint16_t switch_id,
	const struct flow_match *match, struct trace_packet *out, struct sl_err *err)
{
	struct maker m = {.key = &match->key, .mask = &match->mask, .p = out};
	struct flow_offsets off;
	struct flow_key key;
	enum flow_fault fault;

	out->len = 0;
	make(&m, from);
	fault = flow_parse_bytes(
		out->bytes, out->len, switch_id, from->cfg.id, ALL_FIELDS, &key, &off);
	if (fault != FLOW_OK || !flow_match_hits(match, &key))
		return sl_err_set(err, EINVAL, "flow",
			"no packet can be made of this: give exact values, and no port but %s (or "
			"give the packet by --hex)",
			from->cfg.name);
	return 0;
}

struct rte_mbuf *
trace_packet_mbuf(const struct control *c, const struct trace_packet *p)
{
	bool large = p->len > RTE_MBUF_DEFAULT_DATAROOM;
	struct rte_mbuf *m = rte_pktmbuf_alloc(large ? c->jumbo : c->copies);
	char *at = m != NULL ? rte_pktmbuf_append(m, (uint16_t)p->len) : NULL;

	if (at == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(at, p->bytes, p->len);
	return m;
}

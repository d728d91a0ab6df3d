// SPDX-License-Identifier: BSD-3-Clause
#include "backend/gen_frame.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

static_assert(
	sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv6_hdr) + sizeof(struct rte_tcp_hdr) <=
		sizeof(((struct emu_gen_flow *)0)->header),
	"a flow holds its headers");
static_assert(sizeof(((struct emu_gen_flow *)0)->header) + EMU_GEN_MARK_LEN <= EMU_GEN_PUT_MAX,
	"the headers and the mark fit into what put writes");

#define L3 sizeof(struct rte_ether_hdr)

// All sums are of 16-bit words as they lie in memory (RFC 1071, section 2B), so that no byte is
// swapped on the way.
static uint32_t
add32(uint32_t sum, uint32_t words)
{
	return sum + (words & 0xffff) + (words >> 16);
}

static uint16_t
fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void
put16(uint8_t *to, uint16_t v)
{
	memcpy(to, &v, sizeof(v));
}

static void
put_ipv4(struct emu_gen_flow *f, const struct emu_gen_addresses *a)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = a->udp ? IPPROTO_UDP : IPPROTO_TCP,
	};

	memcpy(&ip.src_addr, a->src, 4);
	memcpy(&ip.dst_addr, a->dst, 4);
	memcpy(f->header + L3, &ip, sizeof(ip));
	f->ip_sum = rte_raw_cksum(&ip, sizeof(ip));
	f->l4_sum = rte_ipv4_phdr_cksum(&ip, RTE_MBUF_F_TX_TCP_SEG); // without the length
	f->l4 = L3 + sizeof(ip);
}

static void
put_ipv6(struct emu_gen_flow *f, const struct emu_gen_addresses *a)
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.proto = a->udp ? IPPROTO_UDP : IPPROTO_TCP,
		.hop_limits = 64,
	};

	memcpy((uint8_t *)&ip + 8, a->src, 16);
	memcpy((uint8_t *)&ip + 24, a->dst, 16);
	memcpy(f->header + L3, &ip, sizeof(ip));
	f->l4_sum = rte_ipv6_phdr_cksum(&ip, RTE_MBUF_F_TX_TCP_SEG);
	f->l4 = L3 + sizeof(ip);
}

void
emu_gen_flow_set(struct emu_gen_flow *f, const struct emu_gen_addresses *a, uint32_t first_seq,
	uint16_t first_id)
{
	struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16(a->src_port),
		.dst_port = rte_cpu_to_be_16(a->dst_port),
	};
	struct rte_tcp_hdr tcp = {
		.src_port = udp.src_port,
		.dst_port = udp.dst_port,
		.data_off = sizeof(tcp) / 4 << 4,
		.tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG,
		.rx_win = rte_cpu_to_be_16(UINT16_MAX),
	};
	rte_be16_t type = rte_cpu_to_be_16(a->v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	size_t len = a->udp ? sizeof(udp) : sizeof(tcp);

	memset(f, 0, sizeof(*f));
	memcpy(f->header, a->dst_mac, 6);
	memcpy(f->header + 6, a->src_mac, 6);
	memcpy(f->header + 12, &type, 2);
	if (a->v6)
		put_ipv6(f, a);
	else
		put_ipv4(f, a);
	memcpy(f->header + f->l4, a->udp ? (void *)&udp : (void *)&tcp, len);
	f->l4_sum += a->udp ? rte_raw_cksum(&udp, len) : rte_raw_cksum(&tcp, len);
	f->payload = f->l4 + len;
	f->seq = first_seq;
	f->id = first_id;
}

// Puts in what differs by packet, and the sums. sum: of the payload.
static void
finish(struct emu_gen_flow *f, uint32_t frame_len, uint32_t sum, uint8_t *to)
{
	rte_be16_t l4_len = rte_cpu_to_be_16(frame_len - f->l4);
	uint8_t *l4 = to + f->l4;
	rte_be32_t seq;

	if (f->l4 == L3 + sizeof(struct rte_ipv4_hdr)) {
		rte_be16_t total = rte_cpu_to_be_16(frame_len - L3);
		rte_be16_t id = rte_cpu_to_be_16(f->id++);

		put16(to + L3 + offsetof(struct rte_ipv4_hdr, total_length), total);
		put16(to + L3 + offsetof(struct rte_ipv4_hdr, packet_id), id);
		put16(to + L3 + offsetof(struct rte_ipv4_hdr, hdr_checksum),
			~fold(f->ip_sum + total + id));
	} else {
		put16(to + L3 + offsetof(struct rte_ipv6_hdr, payload_len), l4_len);
	}
	sum += f->l4_sum + l4_len;
	if (f->payload - f->l4 == sizeof(struct rte_udp_hdr)) {
		sum = fold(sum + l4_len);
		put16(l4 + offsetof(struct rte_udp_hdr, dgram_len), l4_len);
		put16(l4 + offsetof(struct rte_udp_hdr, dgram_cksum), sum == 0xffff ? sum : ~sum);
		return;
	}
	seq = rte_cpu_to_be_32(f->seq);
	f->seq += frame_len - f->payload;
	memcpy(l4 + offsetof(struct rte_tcp_hdr, sent_seq), &seq, sizeof(seq));
	put16(l4 + offsetof(struct rte_tcp_hdr, cksum), ~fold(add32(sum, seq)));
}

uint32_t
emu_gen_frame_put(
	struct emu_gen_flow *f, uint64_t number, uint32_t flow, uint32_t frame_len, uint8_t *to)
{
	uint32_t mark[3] = {
		rte_cpu_to_be_32(number >> 32), rte_cpu_to_be_32(number), rte_cpu_to_be_32(flow)};
	uint32_t used = f->payload, sum = 0;

	memcpy(to, f->header, sizeof(f->header));
	if (used + sizeof(mark) <= frame_len) {
		memcpy(to + used, mark, sizeof(mark));
		sum = add32(add32(add32(0, mark[0]), mark[1]), mark[2]);
		used += sizeof(mark);
	}
	finish(f, frame_len, sum, to);
	return used;
}

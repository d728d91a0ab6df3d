// SPDX-License-Identifier: BSD-3-Clause
#include "backend_gen_frame.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_udp.h>

// Completes an L4 checksum field that is zero: the bytes past the header's are zeros.
static uint16_t
finish_sum(const void *l4, size_t len, uint16_t pseudo)
{
	uint32_t sum = rte_raw_cksum(l4, len) + pseudo;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? 0xffff : ~sum & 0xffff;
}

static uint8_t *
put_ip(struct emu_gen_header *h, struct emu_gen_flow *f, uint32_t l3_len)
{
	if (f->v6) {
		h->ip.v6 = (struct rte_ipv6_hdr){
			.vtc_flow = rte_cpu_to_be_32(6u << 28),
			.payload_len = rte_cpu_to_be_16(l3_len - sizeof(h->ip.v6)),
			.proto = f->proto,
			.hop_limits = 64,
		};
		memcpy((uint8_t *)&h->ip.v6 + 8, f->src, 16);
		memcpy((uint8_t *)&h->ip.v6 + 24, f->dst, 16);
		return (uint8_t *)(&h->ip.v6 + 1);
	}
	h->ip.v4 = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(l3_len),
		.packet_id = rte_cpu_to_be_16(f->id++),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = f->proto,
	};
	memcpy(&h->ip.v4.src_addr, f->src, 4);
	memcpy(&h->ip.v4.dst_addr, f->dst, 4);
	h->ip.v4.hdr_checksum = rte_ipv4_cksum(&h->ip.v4);
	return (uint8_t *)(&h->ip.v4 + 1);
}

// Puts the L4 header with a zero checksum; returns its length.
static uint32_t
put_l4(uint8_t *l4, struct emu_gen_flow *f, uint32_t l4_len)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)l4;

	if (f->proto == IPPROTO_UDP) {
		*(struct rte_udp_hdr *)l4 = (struct rte_udp_hdr){
			.src_port = f->src_port,
			.dst_port = f->dst_port,
			.dgram_len = rte_cpu_to_be_16(l4_len),
		};
		return sizeof(struct rte_udp_hdr);
	}
	*tcp = (struct rte_tcp_hdr){
		.src_port = f->src_port,
		.dst_port = f->dst_port,
		.sent_seq = rte_cpu_to_be_32(f->seq),
		.data_off = sizeof(*tcp) / 4 << 4,
		.tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG,
		.rx_win = rte_cpu_to_be_16(UINT16_MAX),
	};
	f->seq += l4_len - sizeof(*tcp);
	return sizeof(*tcp);
}

uint32_t
emu_gen_frame_put(const struct emu_gen_macs *macs, struct emu_gen_flow *f, uint64_t number,
	uint32_t flow, uint32_t frame_len, struct emu_gen_header *h)
{
	uint32_t l3_len = frame_len - sizeof(h->eth);
	uint32_t l4_len = l3_len - (f->v6 ? sizeof(h->ip.v6) : sizeof(h->ip.v4));
	rte_be64_t be_number = rte_cpu_to_be_64(number);
	rte_be32_t be_flow = rte_cpu_to_be_32(flow);
	uint16_t pseudo, *sum;
	uint32_t used;
	uint8_t *l4;

	memcpy(h->eth.dst_addr.addr_bytes, macs->dst, 6);
	memcpy(h->eth.src_addr.addr_bytes, macs->src, 6);
	h->eth.ether_type = rte_cpu_to_be_16(f->v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	l4 = put_ip(h, f, l3_len);
	used = put_l4(l4, f, l4_len);
	if (used + EMU_GEN_MARK_LEN <= l4_len) {
		memcpy(l4 + used, &be_number, sizeof(be_number));
		memcpy(l4 + used + sizeof(be_number), &be_flow, sizeof(be_flow));
		used += EMU_GEN_MARK_LEN;
	}
	pseudo = f->v6 ? rte_ipv6_phdr_cksum(&h->ip.v6, 0) : rte_ipv4_phdr_cksum(&h->ip.v4, 0);
	sum = (uint16_t *)(l4 + (f->proto == IPPROTO_UDP ? offsetof(struct rte_udp_hdr, dgram_cksum)
							 : offsetof(struct rte_tcp_hdr, cksum)));
	*sum = finish_sum(l4, used, pseudo);
	return l4 + used - (uint8_t *)h;
}

uint32_t
emu_gen_frame_min(const struct emu_gen_flow *f)
{
	return sizeof(struct rte_ether_hdr) +
	       (f->v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)) +
	       (f->proto == IPPROTO_UDP ? sizeof(struct rte_udp_hdr) : sizeof(struct rte_tcp_hdr));
}

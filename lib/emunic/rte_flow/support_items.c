// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/support.h"

#include <assert.h>
#include <stddef.h>

#include <rte_common.h>
#include <rte_flow.h>

#include "eswitch/packet.h"

#define ITEM(name) RTE_FLOW_ITEM_TYPE_##name, #name
#define KEY(field) offsetof(struct emu_headers, field)
#define EXACT(text, type, member, key)                                                             \
	{                                                                                          \
		text, offsetof(struct type, member), sizeof(((struct type *)0)->member), key,      \
			EMU_MATCH_EXACT, 0                                                         \
	}
#define RANGE(text, type, member, key)                                                             \
	{                                                                                          \
		text, offsetof(struct type, member), sizeof(((struct type *)0)->member), key,      \
			EMU_MATCH_RANGE, 0                                                         \
	}
#define FLAG(text, at, bit, layer)                                                                 \
	{                                                                                          \
		text, at, 1, layer, EMU_MATCH_FLAG, bit                                            \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, 0, 0, 0, 0, 0                                                                \
	}

// has_vlan, has_more_vlan and has_frag_ext are bit fields: their bytes are those of the compilers
// that DPDK knows, on little-endian machines (test_emunic_support looks).
static const struct emu_item_field eth[] = {
	EXACT("dst", rte_flow_item_eth, hdr.dst_addr, KEY(dst)),
	EXACT("src", rte_flow_item_eth, hdr.src_addr, KEY(src)),
	RANGE("type", rte_flow_item_eth, hdr.ether_type, KEY(eth_type)),
	FLAG("has_vlan", 14, 0, EMU_L_VLAN),
	END,
};
static const struct emu_item_field vlan[] = {
	RANGE("tci", rte_flow_item_vlan, hdr.vlan_tci, KEY(tci)),
	RANGE("inner type", rte_flow_item_vlan, hdr.eth_proto, KEY(vlan_type)),
	FLAG("has_more_vlan", 4, 0, EMU_L_VLAN2),
	END,
};
static const struct emu_item_field vlan2[] = {
	RANGE("tci", rte_flow_item_vlan, hdr.vlan_tci, KEY(tci2)),
	RANGE("inner type", rte_flow_item_vlan, hdr.eth_proto, KEY(vlan2_type)),
	END,
};
static const struct emu_item_field arp[] = {
	EXACT("hrd", rte_flow_item_arp_eth_ipv4, hrd, KEY(sport)),
	EXACT("pro", rte_flow_item_arp_eth_ipv4, pro, KEY(dport)),
	EXACT("hln", rte_flow_item_arp_eth_ipv4, hln, KEY(tos)),
	EXACT("pln", rte_flow_item_arp_eth_ipv4, pln, KEY(ttl)),
	RANGE("op", rte_flow_item_arp_eth_ipv4, op, KEY(frag)),
	EXACT("sha", rte_flow_item_arp_eth_ipv4, sha, KEY(ip_src) + 4),
	RANGE("spa", rte_flow_item_arp_eth_ipv4, spa, KEY(ip_src)),
	EXACT("tha", rte_flow_item_arp_eth_ipv4, tha, KEY(ip_dst) + 4),
	RANGE("tpa", rte_flow_item_arp_eth_ipv4, tpa, KEY(ip_dst)),
	END,
};
static const struct emu_item_field ipv4[] = {
	RANGE("tos", rte_flow_item_ipv4, hdr.type_of_service, KEY(tos)),
	RANGE("ttl", rte_flow_item_ipv4, hdr.time_to_live, KEY(ttl)),
	RANGE("proto", rte_flow_item_ipv4, hdr.next_proto_id, KEY(proto)),
	RANGE("fragment_offset", rte_flow_item_ipv4, hdr.fragment_offset, KEY(frag)),
	RANGE("src", rte_flow_item_ipv4, hdr.src_addr, KEY(ip_src)),
	RANGE("dst", rte_flow_item_ipv4, hdr.dst_addr, KEY(ip_dst)),
	END,
};
static const struct emu_item_field ipv6[] = {
	{"traffic class and flow label", offsetof(struct rte_flow_item_ipv6, hdr.vtc_flow), 4, 0,
		EMU_MATCH_CLASS, 0},
	RANGE("proto", rte_flow_item_ipv6, hdr.proto, KEY(proto)),
	RANGE("hop limits", rte_flow_item_ipv6, hdr.hop_limits, KEY(ttl)),
	EXACT("src", rte_flow_item_ipv6, hdr.src_addr, KEY(ip_src)),
	EXACT("dst", rte_flow_item_ipv6, hdr.dst_addr, KEY(ip_dst)),
	FLAG("has_frag_ext", 40, 2, EMU_L_FRAG),
	END,
};
static const struct emu_item_field ipv6_frag[] = {
	RANGE("next_header", rte_flow_item_ipv6_frag_ext, hdr.next_header, KEY(proto)),
	RANGE("frag_data", rte_flow_item_ipv6_frag_ext, hdr.frag_data, KEY(frag)),
	EXACT("id", rte_flow_item_ipv6_frag_ext, hdr.id, KEY(sport)),
	END,
};
static const struct emu_item_field tcp[] = {
	RANGE("src", rte_flow_item_tcp, hdr.src_port, KEY(sport)),
	RANGE("dst", rte_flow_item_tcp, hdr.dst_port, KEY(dport)),
	EXACT("flags", rte_flow_item_tcp, hdr.tcp_flags, KEY(tcp_flags)),
	END,
};
static const struct emu_item_field udp[] = {
	RANGE("src", rte_flow_item_udp, hdr.src_port, KEY(sport)),
	RANGE("dst", rte_flow_item_udp, hdr.dst_port, KEY(dport)),
	END,
};
static const struct emu_item_field sctp[] = {
	RANGE("src", rte_flow_item_sctp, hdr.src_port, KEY(sport)),
	RANGE("dst", rte_flow_item_sctp, hdr.dst_port, KEY(dport)),
	END,
};
static const struct emu_item_field icmp[] = {
	RANGE("type", rte_flow_item_icmp, hdr.icmp_type, KEY(sport)),
	RANGE("code", rte_flow_item_icmp, hdr.icmp_code, KEY(sport) + 1),
	RANGE("ident", rte_flow_item_icmp, hdr.icmp_ident, KEY(dport)),
	END,
};
static const struct emu_item_field icmp6[] = {
	RANGE("type", rte_flow_item_icmp6, type, KEY(sport)),
	RANGE("code", rte_flow_item_icmp6, code, KEY(sport) + 1),
	END,
};
static const struct emu_item_field vxlan[] = {
	EXACT("flags", rte_flow_item_vxlan, flags, offsetof(union emu_key, vxlan_flags)),
	EXACT("vni", rte_flow_item_vxlan, vni, offsetof(union emu_key, vni)),
	END,
};
static const struct emu_item_field geneve[] = {
	EXACT("ver_opt_len_o_c_rsvd0", rte_flow_item_geneve, ver_opt_len_o_c_rsvd0,
		offsetof(union emu_key, geneve_bits)),
	EXACT("protocol", rte_flow_item_geneve, protocol, offsetof(union emu_key, geneve_type)),
	EXACT("vni", rte_flow_item_geneve, vni, offsetof(union emu_key, vni)),
	END,
};
static const struct emu_item_field mark[] = {
	EXACT("id", rte_flow_item_mark, id, offsetof(union emu_key, mark)),
	END,
};
static const struct emu_item_field meta[] = {
	EXACT("data", rte_flow_item_meta, data, offsetof(union emu_key, meta)),
	END,
};
// DPDK has none for it.
static const struct rte_flow_item_ipv6_frag_ext frag_mask = {.hdr.frag_data = RTE_BE16(0xffff)};

#define FIELDS(type, mask, ...) sizeof(struct rte_flow_item_##type), &mask, __VA_ARGS__
static const struct emu_item rows[] = {
	{{ITEM(VOID), EMU_ON_ALL, "does nothing"}, EMU_AT_ANY, false, 0, 0, NULL, NULL, NULL},
	{{ITEM(ETH), EMU_ON_ALL, "in a tunnel: the tunnel has an Ethernet header"}, EMU_AT_L2,
		false, 0, FIELDS(eth, rte_flow_item_eth_mask, eth, NULL)},
	{{ITEM(VLAN), EMU_ON_ALL, "at most two; has_more_vlan of the first"}, EMU_AT_VLAN, false,
		EMU_L_VLAN, FIELDS(vlan, rte_flow_item_vlan_mask, vlan, vlan2)},
	{{ITEM(ARP_ETH_IPV4), EMU_ON_ALL, ""}, EMU_AT_L3, false, EMU_L_ARP,
		FIELDS(arp_eth_ipv4, rte_flow_item_arp_eth_ipv4_mask, arp, NULL)},
	{{ITEM(IPV4), EMU_ON_ALL, ""}, EMU_AT_L3, false, EMU_L_IPV4,
		FIELDS(ipv4, rte_flow_item_ipv4_mask, ipv4, NULL)},
	{{ITEM(IPV6), EMU_ON_ALL, "proto: behind the extension headers"}, EMU_AT_L3, false,
		EMU_L_IPV6, FIELDS(ipv6, rte_flow_item_ipv6_mask, ipv6, NULL)},
	{{ITEM(IPV6_FRAG_EXT), EMU_ON_ALL, "its default mask is all of frag_data"}, EMU_AT_L3_EXT,
		false, EMU_L_FRAG, FIELDS(ipv6_frag_ext, frag_mask, ipv6_frag, NULL)},
	{{ITEM(TCP), EMU_ON_ALL, "no L4 item matches a fragment"}, EMU_AT_L4, false, EMU_L_TCP,
		FIELDS(tcp, rte_flow_item_tcp_mask, tcp, NULL)},
	{{ITEM(UDP), EMU_ON_ALL, ""}, EMU_AT_L4, false, EMU_L_UDP,
		FIELDS(udp, rte_flow_item_udp_mask, udp, NULL)},
	{{ITEM(SCTP), EMU_ON_ALL, ""}, EMU_AT_L4, false, EMU_L_SCTP,
		FIELDS(sctp, rte_flow_item_sctp_mask, sctp, NULL)},
	{{ITEM(ICMP), EMU_ON_ALL, ""}, EMU_AT_L4, false, EMU_L_ICMP,
		FIELDS(icmp, rte_flow_item_icmp_mask, icmp, NULL)},
	{{ITEM(ICMP6), EMU_ON_ALL, ""}, EMU_AT_L4, false, EMU_L_ICMP6,
		FIELDS(icmp6, rte_flow_item_icmp6_mask, icmp6, NULL)},
	{{ITEM(VXLAN), EMU_ON_ALL, "UDP port 4789; items behind it match what is inside"},
		EMU_AT_TUNNEL, true, EMU_L_VXLAN,
		FIELDS(vxlan, rte_flow_item_vxlan_mask, vxlan, NULL)},
	{{ITEM(GENEVE), EMU_ON_ALL, "UDP port 6081; items behind it match what is inside"},
		EMU_AT_TUNNEL, true, EMU_L_GENEVE,
		FIELDS(geneve, rte_flow_item_geneve_mask, geneve, NULL)},
	{{ITEM(MARK), EMU_ON_ALL, "what a rule before wrote by MARK"}, EMU_AT_ANY, true,
		EMU_L_MARKED, FIELDS(mark, rte_flow_item_mark_mask, mark, NULL)},
	{{ITEM(META), EMU_ON_ALL, "what a rule before wrote, or the application that sent it"},
		EMU_AT_ANY, true, 0, FIELDS(meta, rte_flow_item_meta_mask, meta, NULL)},
	{{ITEM(TAG), EMU_ON_ALL, "index 0 to 3: what a rule before wrote; any bits of data"},
		EMU_AT_ANY, true, 0, 0, NULL, NULL, NULL},
	{{ITEM(REPRESENTED_PORT), EMU_ON_TRANSFER, "entered by the wire or a VF"}, EMU_AT_ANY, true,
		0, 0, NULL, NULL, NULL},
	{{ITEM(PORT_REPRESENTOR), EMU_ON_TRANSFER, "was sent by an ethdev of the NIC"}, EMU_AT_ANY,
		true, 0, 0, NULL, NULL, NULL},
	{{ITEM(PORT_ID), EMU_ON_TRANSFER, "the older name of REPRESENTED_PORT"}, EMU_AT_ANY, true,
		0, 0, NULL, NULL, NULL},
};
static_assert(RTE_DIM(rows) <= 64, "refuse= has a bit for each");

const struct emu_support *
emu_support_item(unsigned int i)
{
	return i < RTE_DIM(rows) ? &rows[i].row : NULL;
}

const struct emu_item *
emu_support_fields(unsigned int i)
{
	return i < RTE_DIM(rows) ? &rows[i] : NULL;
}

int
emu_support_find(bool action, int type)
{
	const struct emu_support *s;

	for (unsigned int i = 0;; i++) {
		s = action ? emu_support_action(i) : emu_support_item(i);
		if (s == NULL)
			return -1;
		if (s->type == type)
			return i;
	}
}

const char *
emu_domains_text(uint8_t domains)
{
	static const char *const text[EMU_ON_ALL + 1] = {
		"no",
		"an ingress",
		"an egress",
		"an ingress or egress",
		"a transfer",
		"an ingress or transfer",
		"an egress or transfer",
		"any",
	};

	return text[domains & EMU_ON_ALL];
}

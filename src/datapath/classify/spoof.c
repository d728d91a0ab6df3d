// SPDX-License-Identifier: BSD-3-Clause
#include "classify/spoof.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#define DHCP_CLIENT 68
#define DHCP_SERVER 67

bool
spoof_mac_ok(const struct dp_vport *v, const struct flow_key *key)
{
	unsigned i;

	for (i = 0; i < v->n_macs; i++)
		if (memcmp(v->macs[i], key->eth_src, sizeof(key->eth_src)) == 0)
			return true;
	return false;
}

static bool
in_prefix(const struct dp_ip_prefix *p, const uint8_t *addr)
{
	unsigned bytes = p->prefix / 8;
	unsigned bits = p->prefix % 8;

	if (memcmp(p->addr, addr, bytes) != 0)
		return false;
	return bits == 0 || ((p->addr[bytes] ^ addr[bytes]) & (0xff00 >> bits) & 0xff) == 0;
}

static bool
listed(const struct dp_vport *v, const uint8_t *addr, uint8_t l3)
{
	unsigned i;

	for (i = 0; i < v->n_ips; i++)
		if (v->ips[i].l3 == l3 && in_prefix(&v->ips[i], addr))
			return true;
	return false;
}

// fe80::/64 with the modified EUI-64 of the source MAC.
static bool
is_own_link_local(const struct flow_key *key)
{
	const uint8_t *m = key->eth_src;
	const uint8_t own[16] = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};

	return memcmp(key->src, own, sizeof(own)) == 0;
}

bool
spoof_ip_ok(const struct dp_vport *v, const struct flow_key *key)
{
	static const uint8_t none[16];

	switch (key->l3) {
	case FLOW_L3_IPV4:
		if (memcmp(key->src, none, 4) == 0)
			return key->proto == IPPROTO_UDP && key->l4_src == RTE_BE16(DHCP_CLIENT) &&
			       key->l4_dst == RTE_BE16(DHCP_SERVER);
		return listed(v, key->src, FLOW_L3_IPV4);
	case FLOW_L3_ARP:
		return memcmp(key->src, none, 4) == 0 || listed(v, key->src, FLOW_L3_IPV4);
	case FLOW_L3_IPV6:
		if (memcmp(key->src, none, 16) == 0)
			return key->proto == IPPROTO_ICMPV6;
		return is_own_link_local(key) || listed(v, key->src, FLOW_L3_IPV6);
	default:
		return key->eth_type != RTE_BE16(RTE_ETHER_TYPE_ARP) &&
		       key->eth_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
		       key->eth_type != RTE_BE16(RTE_ETHER_TYPE_QINQ);
	}
}

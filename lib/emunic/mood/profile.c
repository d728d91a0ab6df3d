// SPDX-License-Identifier: BSD-3-Clause
#include "mood/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "rte_flow/support.h"

static const struct emu_profile profiles[] = {
	{.name = "connectx",
		.models = "NVIDIA ConnectX-6 Dx and later, mlx5",
		.items = " eth geneve icmp icmp6 ipv4 ipv6 ipv6_frag_ext mark meta port_id "
			 "port_representor tag tcp udp vlan vxlan represented_port ",
		.actions = " age count dec_ttl drop flag jump mark meter modify_field of_pop_vlan "
			   "of_push_vlan of_set_vlan_pcp of_set_vlan_vid port_id queue raw_decap "
			   "raw_encap represented_port rss sample set_ipv4_dscp set_ipv4_dst "
			   "set_ipv4_src set_ipv6_dscp set_ipv6_dst set_ipv6_src set_mac_dst "
			   "set_mac_src set_meta set_tag set_tp_dst set_tp_src set_ttl vxlan_decap "
			   "vxlan_encap ",
		.source = "DPDK 22.11, nics/features/mlx5.ini",
		.figures = {{"mark_max", "16777199",
				    "DPDK 22.11, nics/mlx5, Limitations: MARK in the 24-bit mode "
				    "is 0 to 0xffffef"},
			{"insert_rate", "1000000",
				"DPDK 22.11, nics/mlx5, Features: more than a million insertions a "
				"second with Direct Rules"}}},
	{.name = "e810",
		.models = "Intel E810, two ports, ice",
		.items = " arp_eth_ipv4 eth icmp icmp6 ipv4 ipv6 ipv6_frag_ext sctp tcp udp vlan "
			 "vxlan ",
		.actions = " count drop mark passthru port_representor queue represented_port rss ",
		.source = "DPDK 22.11, nics/features/ice.ini",
		.figures = {{"capacity", "15360",
			"DPDK Test Suite, plan \"ICE Switch Filter Tests\": the flow director "
			"holds 16K, of which a PF of a card with two ports gets 15360"}}},
	{.name = "82599",
		.models = "Intel 82599, ixgbe",
		.items = " eth ipv4 ipv6 sctp tcp udp vlan vxlan ",
		.actions = " drop mark queue rss ",
		.source = "DPDK 22.11, nics/features/ixgbe.ini",
		.figures = {{"masks", "1",
			"DPDK Test Suite, plan \"Niantic Flow Director Tests\": masks are global "
			"and affect all filters"}}},
};

const struct emu_profile *
emu_profile(unsigned int i)
{
	return i < RTE_DIM(profiles) ? &profiles[i] : NULL;
}

static bool
accepts(const char *list, const char *name)
{
	char word[48];
	int n = snprintf(word, sizeof(word), " %s ", name);

	for (int i = 0; i < n && i < (int)sizeof(word); i++)
		word[i] = tolower((unsigned char)word[i]);
	return strstr(list, word) != NULL;
}

// "item.x+action.y" of all that the NIC knows and the profile does not accept.
static void
refusals(const struct emu_profile *p, char *out, size_t len)
{
	const struct emu_support *s;
	size_t used = 0;

	out[0] = '\0';
	for (int action = 0; action < 2; action++) {
		for (unsigned int i = 0;
			(s = action ? emu_support_action(i) : emu_support_item(i)) != NULL; i++) {
			if (strcmp(s->name, "VOID") == 0 ||
				accepts(action ? p->actions : p->items, s->name))
				continue;
			used += snprintf(out + used, len - used, "%s%s.%s", used > 0 ? "+" : "",
				action ? "action" : "item", s->name);
		}
	}
	for (; *out != '\0'; out++)
		*out = tolower((unsigned char)*out);
}

static int
set(const struct emu_profile *p, struct emu_moods *m, char *why, size_t why_len)
{
	char list[4096];
	int ret;

	refusals(p, list, sizeof(list));
	ret = emu_moods_set(m, "refuse", list, why, why_len);
	for (unsigned int i = 0; ret == 0 && i < RTE_DIM(p->figures) && p->figures[i].key != NULL;
		i++)
		ret = emu_moods_set(m, p->figures[i].key, p->figures[i].value, why, why_len);
	return ret;
}

int
emu_profile_apply(const char *name, struct emu_moods *m, char *why, size_t why_len)
{
	for (unsigned int i = 0; i < RTE_DIM(profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return set(&profiles[i], m, why, why_len);
	snprintf(why, why_len, "profile=%s: expected connectx, e810 or 82599", name);
	return -EINVAL;
}

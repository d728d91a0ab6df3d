// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_DROP_H
#define SLUICE_DATAPATH_DROP_H

// Every way in which a packet can end here without being sent or consumed. The name is what people
// see. Thread safety: any thread (constants).

#define DP_DROPS(X)                                                                                \
	X(RUNT, "runt", "shorter than an Ethernet header")                                         \
	X(MALFORMED_VLAN, "malformed-vlan", "a VLAN tag is cut")                                   \
	X(MALFORMED_ARP, "malformed-arp", "an ARP packet is cut")                                  \
	X(MALFORMED_IPV4, "malformed-ipv4", "cut, or lengths or version that cannot be")           \
	X(MALFORMED_IPV6, "malformed-ipv6", "cut, or lengths or version that cannot be")           \
	X(MALFORMED_IPV6_EXT, "malformed-ipv6-ext", "an extension header is cut, or too many")     \
	X(MALFORMED_L4, "malformed-l4", "a TCP, UDP, SCTP or ICMP header is cut")                  \
	X(MALFORMED_OFFLOAD, "malformed-offload",                                                  \
		"a guest asked for an offload that its packet does not fit")                       \
	X(RULE, "rule-drop", "a rule says drop")                                                   \
	X(NO_RULE, "no-rule", "no rule matched and the table's default is drop")                   \
	X(ACTIONS, "too-many-actions", "the rules add up to more actions than a program holds")    \
	X(VLAN_FILTER, "vlan-filter", "the port is not a member of the packet's VLAN")             \
	X(MAC_SPOOF, "mac-spoof", "a source MAC that the port may not use")                        \
	X(IP_SPOOF, "ip-spoof", "a source address that the port may not use")                      \
	X(MISS_MALFORMED, "miss-malformed", "a tagged miss is cut, or of another version")         \
	X(MISS_FOREIGN, "miss-foreign", "a tagged miss that the NIC gave to another VM")           \
	X(MISS_FORGED, "miss-forged", "a tagged miss that the NIC did not make, or not like that") \
	X(MISS_REPLAYED, "miss-replayed", "a tagged miss that came before")                        \
	X(MISS_STALE, "miss-stale",                                                                \
		"a tagged miss by a key that is no longer used, or too old to know whether it "    \
		"came before")                                                                     \
	X(EXTENSION, "extension", "an extension of the switch drops it")                           \
	X(STORM, "storm-limit", "above the port's broadcast and unknown limit")                    \
	X(RATE, "rate-limit", "above the rate of a rule")                                          \
	X(PORT_RATE, "port-rate", "above the rate of the port that it came in by")                 \
	X(VM_RATE, "vm-rate", "above the rate of the VM that it came from")                        \
	X(CLASS_RATE, "class-rate", "above the rate of its class")                                 \
	X(MTU, "mtu", "longer than the output's MTU")                                              \
	X(SAME_PORT, "same-port",                                                                  \
		"the output is the port that it came from, or a flood had no other port")          \
	X(NO_ATTACHMENT, "no-attachment",                                                          \
		"nothing carries the output vport's packets at the moment")                        \
	X(LINK_DOWN, "link-down", "the output's link is down or its guest is not ready")           \
	X(TX_FULL, "tx-full", "the device did not take it")                                        \
	X(GUEST_RING, "guest-ring-broken",                                                         \
		"the output's guest left in its ring what cannot be, and has not reset it since")  \
	X(RING_FULL, "ring-full", "the target's ring of that class is full")                       \
	X(HANDOVER_FULL, "handover-full", "the ring to the worker that owns the output is full")   \
	X(NO_BUFFER, "no-buffer", "no packet buffer for a copy or a segment")                      \
	X(PORT_REMOVED, "port-removed", "the output went away while the packet was held")

enum dp_drop {
#define DP_DROP_ENUM(id, name, text) DP_DROP_##id,
	DP_DROPS(DP_DROP_ENUM)
#undef DP_DROP_ENUM
		DP_DROP_COUNT
};

const char *dp_drop_name(enum dp_drop drop);
const char *dp_drop_text(enum dp_drop drop);

#endif

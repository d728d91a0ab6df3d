// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_PROGRAM_H
#define SLUICE_DATAPATH_PROGRAM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "datapath/drop.h"
#include "datapath/limits.h"
#include "flow/action.h"
#include "flow/key.h"
#include "rules/rules.h"

// What is done with the packets of one flow, compiled once. A flow's program stands in its cache
// entry (or in its lane); the common cases (drop; output; set VLAN and output) need nothing else.
// Thread safety: any thread (a plain value); compile reads a snapshot.

struct dp_snapshot;
struct ext; // ext/loader.h

enum dp_program_kind {
	DP_PROG_DROP,    // .drop
	DP_PROG_OUTPUT,  // to .out, after the VLAN operation
	DP_PROG_GENERAL, // carry out .actions: flood, MAC rewrites, several outputs, rates
};

enum dp_vlan_op { DP_VLAN_KEEP, DP_VLAN_PUSH, DP_VLAN_POP, DP_VLAN_SET };

#define DP_PROG_RING 0x01      // rules ask for the ring of the class
#define DP_PROG_HOST_RING 0x02 // control placed the flow on the ring
#define DP_PROG_MAC_DEP 0x04   // depends on the MAC table
#define DP_PROG_STORM 0x08     // counts against the storm limit of the port it came from
#define DP_PROG_RATED 0x10     // one of .rule, the port, its VM or the class has a meter
#define DP_PROG_LINGER 0x20    // the worker's: still goes the old way until that was seen empty
#define DP_PROG_EXT 0x40       // extensions have to do with each packet, or drop them all

#define DP_PROG_RULES RULES_DEPTH // matched rules, each is counted

struct dp_program {
	// The first eight bytes tell the fast path all that it asks (act/act.h).
	uint8_t kind;  // enum dp_program_kind
	uint8_t flags; // DP_PROG_*
	uint8_t cls;
	uint8_t vlan_op : 3; // enum dp_vlan_op, net of port VLAN modes and rules
	uint8_t fields : 5;  // FLOW_FIELD_* that the decision depends on
	uint16_t txq;        // DP_TXQ_OWN or the transmit queue that control gave
	uint16_t out;        // vport
	uint8_t drop;        // enum dp_drop
	uint8_t n_rules;
	uint8_t next_flags; // LINGER: flags, class and txq afterwards
	uint8_t next_cls;
	union {
		uint16_t vlan;    // of vlan_op
		uint16_t actions; // GENERAL: number of the worker's stored action list
	};
	uint16_t next_txq;
	uint16_t rule[DP_PROG_RULES]; // counter indices of the switch
};
static_assert(sizeof(struct dp_program) <= 32, "fits the value of a cache entry");
static_assert(FLOW_FIELD_ALL < 1 << 5, "fits the fields of a program");

// What compile found out beside the program; control needs it to judge a placement.
struct dp_verdict {
	struct flow_actions actions; // resolved: NORMAL became OUTPUT or FLOOD, VLAN modes and
				     // VLAN actions became what is to be done to the frame
				     // before each OUTPUT; for GENERAL the list to carry out
	uint32_t depends;         // FLOW_FIELD_*, FLOW_FIELD_INNER
	uint16_t pinned_queue;    // action queue=N, DP_NONE: none
	bool single_output;       // one OUTPUT and nothing that needs the host
	bool rated;               // a rule of it has a rate
	bool metered;             // its port, its VM or its class has one
	bool learn;               // NORMAL was asked and the source MAC is not known at this port
	uint16_t learn_vlan;      // the VLAN that it is seen in, 0: none
	uint8_t seen;             // enum ext_seen: what extensions have to be shown of it
	const struct ext *viewer; // the one that asks for that, of the snapshot
	bool inside;              // depends on what is inside a tunnel
	bool of_packet;           // good for this packet only: a rule's extension reads packets, or
				  // a rule what is inside a tunnel
};

// A packet for the extensions that rules match by (ext/abi.h, MATCH), and for what it has inside.
struct rte_mbuf;
struct dp_shown {
	const struct rte_mbuf *m;
	uint16_t worker; // the caller's
	bool dry;        // it is not to be shown to extensions
};

// Port policy (VLAN, anti-spoof), rules, MAC table -> program. key as it came in (before any VLAN
// operation); rules see the tags as they came in too, the MAC table and the egress modes see the
// VLAN that the ingress mode gave.
//
// VLAN modes. access: takes untagged frames and those tagged with its VID or with VID 0, gives
// untagged ones. native: the same for its VID, and tagged frames of the trunk's VIDs both ways.
// trunk: the VIDs of its set, both ways as they are; VID 0 stands for untagged.
//
// Anti-spoof. MAC: the source must be one of the port's. IP: the source of IPv4 and IPv6 and the
// sender of ARP must be in the port's prefixes. Always allowed: 0.0.0.0 of ARP probes (RFC 5227)
// and of DHCP clients (UDP 68 to 67), :: of ICMPv6 (RFC 4862), and the link-local address that is
// made of the frame's source MAC (RFC 4291, modified EUI-64), other link-local ones only when they
// are listed. What hides its addresses (ARP of other kinds, a third VLAN tag) is refused.
void dp_compile(const struct dp_snapshot *s, const struct flow_key *key, struct dp_program *prog,
	struct dp_verdict *verdict);

// The same where the rules were asked already: rules is what dp_rules_of says of the key, NULL: not
// asked yet; and for a packet (NULL: for the flow; extensions that read packets do not match, nor
// what is inside a tunnel).
void dp_compile_by(const struct dp_snapshot *s, const struct flow_key *key,
	const struct rules_result *rules, const struct dp_shown *pkt, struct dp_program *prog,
	struct dp_verdict *verdict);

// What the rules of its switch say of a flow, with what they ask besides the key. False: its port
// is not there.
bool dp_rules_of(const struct dp_snapshot *s, const struct flow_key *key, struct rules_result *out);

// key, with all that a packet has, becomes the one that its flow is known by: of the fields that
// change from packet to packet it keeps those that decisions on the flow depend on.
void dp_own_key(const struct dp_snapshot *s, struct flow_key *key);

#endif

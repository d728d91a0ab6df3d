// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_EXT_ABI_H
#define SLUICE_EXT_ABI_H

#include <stddef.h>
#include <stdint.h>

// The whole interface between sluice and an extension of a switch: a shared object that includes
// this file, nothing else of sluice and nothing of DPDK, and exports one function:
//
//     const struct sluice_extension *sluice_extension(void);
//
// Problem: an extension wants to judge packets, and most packets of a switch are not seen by its
// host at all, as the NIC carries them. Idea: an extension is asked once for each flow (`flow`),
// and says what it needs:
//
//   PASS   final: it lets the flow pass, and need not see it. The answer is cached; the flow may
//          be placed anywhere in hardware.
//   DROP   final: all of the flow is dropped, on the host or in the NIC.
//   SEE    it must see every packet: the flow stays on the host, without a lane, and each packet
//          goes through `burst`, which lets it pass or drops it.
//   COPY   it is shown every packet (`burst`) and judges none: the flow may be on NIC queues and
//          lanes, not in an embedded switch, which the host does not see.
//
// Points of the path, each with its extensions in a given order:
//
//   INGRESS  before the rules, of what passed the port's VLAN and anti-spoof checks. DROP ends the
//            order.
//   EGRESS   after the rules, once for each output: flow->out says which. A packet that goes
//            several ways is judged for each.
//   MONITOR  last; PASS and COPY only. It is shown also what rules drop.
//   MATCH    a matching function of rules: `extension=NAME` in a rule's match. Answers are PASS (it
//            does not match), HIT (it matches) and SEE: that depends on the packet. Then `burst`
//            is shown each packet of the flow before the rules, one at a time, its first
//            match_bytes bytes at most, and says HIT or PASS; no decision on such a flow is cached,
//            and the flow stays on the host without a lane.
//
// What is cached: an answer of `flow` holds until the rules, ports or extensions of the switch
// change, or until the extension itself says that it would answer otherwise now (ask_again). So it
// must follow from the flow and from state that changes with ask_again; an answer that is none of
// its point's counts as DROP at a filter, as PASS elsewhere, and as a fault of the extension.
//
// Threads. init, fini, counters: control's. flow: any thread, several at once, so it may read only
// what is constant or atomic. burst: a worker's, with that worker's own memory; two workers may be
// in it at once. Neither flow nor burst may block, lock, allocate or call the system: they run
// where packets wait. After fini none is called any more: it comes after the last packet.
//
// Thread safety: any thread (plain values).

#define SLUICE_EXT_ABI 2
#define SLUICE_EXT_SYMBOL "sluice_extension"

enum sluice_ext_point {
	SLUICE_EXT_INGRESS,
	SLUICE_EXT_EGRESS,
	SLUICE_EXT_MONITOR,
	SLUICE_EXT_MATCH,
	SLUICE_EXT_POINTS
};

enum sluice_ext_verdict {
	SLUICE_EXT_PASS,
	SLUICE_EXT_DROP,
	SLUICE_EXT_SEE,
	SLUICE_EXT_COPY,
	SLUICE_EXT_HIT
};

#define SLUICE_EXT_NO_PORT 0xffff
#define SLUICE_EXT_IPV4 4
#define SLUICE_EXT_IPV6 6
#define SLUICE_EXT_ARP 2

// A flow, in one direction, as its packets come in. Numbers are in host order.
struct sluice_ext_flow {
	uint8_t eth_dst[6];
	uint8_t eth_src[6];
	uint16_t eth_type; // of what follows the VLAN tags
	uint16_t vlan[2];  // VIDs, outermost first; SLUICE_EXT_NO_PORT: no tag
	uint16_t sw;       // id of the switch
	uint16_t in;       // id of the vport that it came from
	uint16_t out;      // EGRESS: of the vport that it goes to; SLUICE_EXT_NO_PORT elsewhere
	uint16_t sport;    // TCP, UDP, SCTP; 0 in later fragments
	uint16_t dport;
	uint8_t l3;      // SLUICE_EXT_IPV4, _IPV6, _ARP, or 0: none of them, src to proto are 0
	uint8_t proto;   // the IP protocol after IPv6 extension headers
	uint8_t src[16]; // IPv4: the first 4 bytes
	uint8_t dst[16];
};

// A packet, for the time of the call. Only the first `len` bytes lie in one piece and may be read.
struct sluice_ext_packet {
	const struct sluice_ext_flow *flow;
	const uint8_t *data; // from the Ethernet header on
	uint32_t len;        // bytes at data: all headers that are named below are among them
	uint32_t total;      // bytes of the whole packet, at least len
	uint16_t l3;         // where the IP or ARP header begins, 0: there is none
	uint16_t l4;         // likewise
	uint16_t payload;    // what follows the L4 header; may be equal to len
	// Out: SLUICE_EXT_PASS (as it is set before the call) or _DROP, at MATCH _HIT; looked at
	// only where `flow` said SEE.
	uint8_t verdict;
};

// One argument from the configuration; an argument that is a list comes once for each element.
// Numbers, true and false come as their text.
struct sluice_ext_arg {
	const char *name;
	const char *value;
};

struct sluice_ext_counter {
	char name[32];
	uint64_t value;
};

// What sluice does for an extension; valid until fini.
struct sluice_ext_host {
	void *ctx;
	unsigned workers;
	enum sluice_ext_point at;
	// All flows are to be asked for again; any thread, does not block. It happens some
	// milliseconds later, and costs one question for each flow.
	void (*ask_again)(void *ctx);
};

struct sluice_extension {
	uint32_t abi;  // SLUICE_EXT_ABI
	uint32_t size; // sizeof(struct sluice_extension)
	const char *name;
	const char *version;
	uint32_t points;       // bit 1 << point: where it can be bound
	uint32_t worker_bytes; // memory of each worker, zeroed, on cache lines of its own
	// MATCH: so many bytes of a packet, from its Ethernet header on, its matching reads; 0:
	// none, the flow tells all, and SEE is a fault.
	uint32_t match_bytes;
	// 0, or -errno with one line for people in why: the extension is not bound then, and fini
	// is not called. args and host->... stay until fini.
	int (*init)(const struct sluice_ext_host *host, const struct sluice_ext_arg *args,
		unsigned n_args, void **self, char *why, size_t why_len);
	void (*fini)(void *self);
	enum sluice_ext_verdict (*flow)(void *self, const struct sluice_ext_flow *flow);
	// n: 1 to 64, all of one switch, in the order in which they came.
	void (*burst)(void *self, void *worker, struct sluice_ext_packet *pkts, unsigned n);
	// What it has counted, for people; up to max of them, returns how many. May be NULL.
	// Workers go on meanwhile.
	unsigned (*counters)(void *self, void *const *worker, unsigned workers,
		struct sluice_ext_counter *out, unsigned max);
};

const struct sluice_extension *sluice_extension(void);

#endif

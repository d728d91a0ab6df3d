// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_PLACEMENT_TRACE_H
#define SLUICE_BENCH_PLACEMENT_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"

// A capture as the placement benchmark plays it: which flow each packet belongs to, when, and how
// long it is. Gaps above 1 s are cut to 1 s, a capture without timestamps has 10,000 packets a
// second, records that were cut have their original length; times are divided by the speed. What
// the parser refuses, and fragments, belong to no flow that can be placed: their bytes count.
// Whose an address is, a hash says: the wire (port 0) or one of 8 VMs. A packet comes in at its
// source's and leaves at its destination's, all at one NIC.
// Thread safety: owner thread only.

#define TRACE_NO_FLOW UINT32_MAX
#define TRACE_PORTS 9

struct trace_packet {
	uint64_t ns;
	uint32_t flow; // TRACE_NO_FLOW: none that can be placed
	uint32_t len;
};

struct trace {
	struct trace_packet *pkts;
	struct flow_key *keys; // by flow
	uint32_t n_pkts, n_flows;
	uint64_t bytes, ns; // of all packets; time of the last
	bool real_timing;   // it has timestamps, and none lies a day before or after the last
};

// pcap or pcap.gz, Ethernet, either byte order, micro- or nanoseconds. 0, or -errno with a sentence
// on stderr.
int trace_load(const char *path, double speed, struct trace *t);
void trace_free(struct trace *t);
// The port that a flow comes in by, and that it leaves by.
uint16_t trace_from(const struct flow_key *key);
uint16_t trace_to(const struct flow_key *key);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_TRACE_H
#define SLUICE_DATAPATH_TRACE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "datapath/program.h"
#include "flow/match.h"
#include "flow/parse.h"
#include "flow/tunnel.h"

// What the packet path did with one packet, step by step.
//
// Idea: a traced packet is a burst of its own that goes through the very stages that all packets go
// through; what they decided is copied out of the burst, drops are read off the counters, and the
// place where packets leave (out/output.c) says what it was given. Nothing is decided a second time
// for the record. A dry run takes the packet away there, and leaves counters, rates, the flow's
// cache entry and the MAC table as they were: meters are asked and not charged, extensions are
// asked of the flow and shown no packet.
//
// Cost: none of it is on (no struct dp_tracing): one branch for a burst. A live trace parses each
// packet once more and compares it with the match; a packet that is recorded costs some
// microseconds, and no more are recorded than `budget` and the rate allow.
//
// Thread safety: any thread (plain values, which the worker fills until it says done, see
// datapath/order.h); struct dp_live: as its members say.

#define DP_TRACE_OUTPUTS 8
#define DP_TRACE_BYTES 64
#define DP_LIVE_RECORDS 64 // that wait for control, of each worker

enum dp_trace_from {    // where the decision came from
	DP_TRACE_FAULT, // there is none: the parser or an offload request was refused
	DP_TRACE_LANE,
	DP_TRACE_HIT,
	DP_TRACE_STALE, // decided anew: the entry was made from what does not hold any more
	DP_TRACE_MISS
};

struct dp_trace_output {
	uint16_t vport;
	uint16_t txq;   // DP_TXQ_OWN: the worker's own
	uint16_t owner; // worker that serves it
	uint8_t cls;
	bool ring;
	bool link;
	uint32_t len;
	uint8_t n_bytes;
	uint8_t bytes[DP_TRACE_BYTES]; // how it begins, as it leaves
};

struct dp_trace_record {
	alignas(8) bool dry;
	uint16_t worker;
	uint16_t origin;
	uint32_t len;
	bool marked;
	uint32_t mark;
	uint8_t fault;                       // enum flow_fault
	uint8_t from;                        // enum dp_trace_from
	uint32_t gen;                        // of the snapshot
	uint64_t entry_packets, entry_bytes; // HIT, STALE: of the flow so far
	struct flow_key key;
	struct flow_offsets off;
	struct flow_inner inner;
	bool decided; // program holds
	uint8_t path; // enum dp_path
	struct dp_program program;
	struct flow_actions actions; // GENERAL: the list
	uint16_t copies;
	uint16_t dropped[DP_DROP_COUNT];
	uint8_t n_outputs, outputs_lost;
	struct dp_trace_output output[DP_TRACE_OUTPUTS];
};

// One packet of control's (DP_ORD_TRACE). The worker takes m; it comes from origin.
struct dp_trace_job {
	struct rte_mbuf *m;
	uint16_t origin;
	bool dry;
	struct dp_trace_record record;
};

// A live trace on one worker (DP_ORD_LIVE, until one with NULL). Control makes and frees it.
struct rte_ring;
struct dp_live;
struct dp_tracing { // what a worker is at, NULL: nothing
	struct dp_live *live;
	struct dp_trace_record *now; // of the packet under way
};
struct dp_live {
	struct dp_tracing tracing;     // the worker's
	struct dp_trace_record record; // the worker's
	struct flow_match match;
	uint32_t fields;          // FLOW_FIELD_* that match reads
	uint32_t budget;          // records that the worker may still make
	uint64_t gap;             // cycles between two, on average; 10 may come at once
	uint64_t next;            // the worker's
	struct rte_ring *ring;    // of struct dp_trace_record, worker to control
	_Atomic uint64_t matched; // packets
	_Atomic uint64_t
		lost; // asked for by the budget, and not recorded: the rate, or a full ring
};

// NULL when out of memory. The ring is on DPDK's heap of the socket.
struct dp_live *dp_live_new(
	const struct flow_match *match, uint32_t budget, uint32_t per_second, int socket_id);
void dp_live_free(struct dp_live *live);
// Takes a record out; false: there is none.
bool dp_live_get(struct dp_live *live, struct dp_trace_record *out);

#endif

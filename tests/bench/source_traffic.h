// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_SOURCE_TRAFFIC_H
#define SLUICE_BENCH_SOURCE_TRAFFIC_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What net_flowsource (forward_source.c) sends: UDP of numbered flows, or a capture in a loop.
//
// Problem: a generator whose cost depends on the traffic would be measured with it.
// Idea: all that is expensive is done before: a Zipf order is a list of draws that is read in a
// loop, a capture is an array of 128-byte heads. A frame is composed in eight words, or its head is
// copied; what follows in a longer frame is what the buffer held, since nobody looks at it.
//
// Flow f belongs to rule r = f mod 1000 of the policy (tests/bench/forward_policy.py); with
// q = f / 1000 it goes from 10.(r >> 8).(r & 255).(q & 255) to
// 172.(16 + (r >> 8)).(r & 255).(q >> 8 & 255), port 1000 + r.
// Refuses: more than TRAFFIC_FLOWS_MAX flows, captures that are not pcap of Ethernet.
// Thread safety: owner thread only.

#define TRAFFIC_FRAME 64
#define TRAFFIC_RULES 1000
#define TRAFFIC_FLOWS_MAX (TRAFFIC_RULES * 65536u)
#define TRAFFIC_HEAD 128 // of a captured frame

struct traffic_frame {
	uint16_t len;  // on the wire
	uint16_t head; // bytes of it that data has
	alignas(64) uint8_t data[TRAFFIC_HEAD];
};

struct traffic {
	alignas(64) uint64_t state; // of the draw
	uint32_t flows;
	uint32_t fresh; // the next new flow, counted from flows
	bool mix;       // frame sizes 64, 594 and 1514 as 7 to 4 to 1
	uint8_t mix_at;
	const uint32_t *order; // NULL: drawn uniformly
	uint32_t order_n, order_at;
	uint32_t distinct; // flows in the order, or in all
	struct traffic_frame *capture;
	uint32_t n_capture, capture_at;
	uint32_t rounds;              // of the capture
	bool vary;                    // each round of the capture has other IPv4 sources
	alignas(64) uint64_t head[8]; // the frame; words 3 and 4 are made for each packet
	uint32_t sum;                 // of the IPv4 header without addresses and length
};

// flows from 1 to TRAFFIC_FLOWS_MAX, drawn uniformly.
void traffic_start(struct traffic *t, uint32_t flows, uint64_t seed);
// All flows' packets have this code point, 0 to 63 (0 at first).
void traffic_dscp(struct traffic *t, uint8_t dscp);
// Flows by a Zipf law with exponent 1 instead. 0 or -ENOMEM.
int traffic_zipf(struct traffic *t);
// pcap or pcap.gz. Frames longer than 1518 bytes and cut to less than an Ethernet header are left
// out. 0 or -errno.
int traffic_capture(struct traffic *t, const char *path);
void traffic_end(struct traffic *t);

// Each writes a frame to 2048 bytes at out and returns its length on the wire.
static inline uint16_t traffic_known(struct traffic *t, uint64_t *out);    // of the flows
static inline uint16_t traffic_new(struct traffic *t, uint64_t *out);      // a flow never seen
static inline uint16_t traffic_captured(struct traffic *t, uint64_t *out); // the next one

#include "source_compose.h"

#endif

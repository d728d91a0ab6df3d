// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_SHAPE_H
#define SLUICE_OFFLOAD_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/offload.h"

// What was learned of a NIC by the shape of its rules: which items and actions a rule needs, as far
// as drivers tell them apart, no values.
//
// Problem: no API tells how many rules of a kind fit, nor which kinds a driver takes; some kinds
// share a table and some have one of their own; some are taken and do nothing. Idea: the first rule
// that is refused for want of room says how many fit in all. A shape that was not refused yet may
// then try once beyond that: if it gets in, room was short for the shapes that were refused, and
// each has its own number from now on. Every few seconds, while flows wait, some more are tried,
// twice as many after a success. A shape that a driver does not take, or whose rule did nothing, is
// given up for all flows until a retry time, when one flow tries it: 30 s (or what is configured),
// doubled with each failure up to 32 times that.
//
// A rule does nothing when packets of its flow keep coming to the host, for a second and more,
// while its counter, read in that time, stands still (proof.c). Cost: a hash and a look at up to 64
// shapes for an order; nothing for a packet. What it refuses to do: judge a rule by its counter
// alone, which may lag, or by packets that were on their way when it was made.
// Thread safety: owner thread only (control).

#define OFFLOAD_SHAPES_MAX 64
#define OFFLOAD_SHAPE_TEXT 64

struct offload_shape_info {
	char text[OFFLOAD_SHAPE_TEXT]; // "to-port ipv4 udp, in by a VF"
	uint32_t entries;              // rules of it that are there now
	uint32_t limit;                // of its own, 0: none is known
	bool full;    // refused for want of room, in its own table or the common one
	bool refused; // not taken, or taken and dead: until retry_ns
	bool dead;
	uint64_t retry_ns; // may be past: the next flow tries
	uint32_t failures; // in a row
	int driver_errno;
	char driver_text[96];
};

typedef void (*offload_shape_fn)(void *ctx, const struct offload_shape_info *s);
void offload_shape_each(const struct offload *o, uint16_t nic, offload_shape_fn fn, void *ctx);
// The counters of a placed flow were read and had not moved.
void offload_flow_still(struct offload *o, uint32_t id);

#endif

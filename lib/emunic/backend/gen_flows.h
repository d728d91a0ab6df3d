// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_GEN_FLOWS_H
#define EMUNIC_BACKEND_GEN_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/args.h"
#include "backend/gen_frame.h"

// The flows of the generator, and how often each one is met.
//
// Problem: real traffic is heavy-tailed: a few flows carry most of the bytes. Idea: give every flow
// a weight, either 1 / rank^skew (Zipf) or a flow size drawn from a measured distribution, and pick
// the flow of each packet with the chance weight / sum. Cost: one look-up per packet at any number
// of flows (alias method: M. D. Vose, "A linear algorithm for generating random numbers with a
// given distribution", IEEE TSE 17(9), 1991), 8 bytes a flow. It refuses to model arrivals and
// ends of flows: each one lives as long as the generator. Thread safety: owner thread only.

#define EMU_GEN_FLOWS_MAX (2u << 20)

// splitmix64 (Steele, Lea, Flood, OOPSLA 2014): every seed gives a full-period sequence.
struct emu_rng {
	uint64_t state;
};

static inline uint64_t
emu_rng_next(struct emu_rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

// Evenly in (0, 1].
static inline double
emu_rng_real(struct emu_rng *r)
{
	return ((emu_rng_next(r) >> 11) + 1) * 0x1p-53;
}

// Evenly in [0, n).
static inline uint32_t
emu_rng_below(struct emu_rng *r, uint32_t n)
{
	return (emu_rng_next(r) >> 32) * n >> 32;
}

struct emu_gen_plan {
	uint32_t flows;
	double skew;
	const char *cdf; // file of flow sizes, columns bytes,cdf; NULL: weights by skew
	uint32_t v6_percent, udp_percent; // of the flows
	struct emu_prefix src4, dst4, src6, dst6;
	uint8_t dst_mac[6], src_mac[6];
};

struct emu_gen_flows;

// Makes the flows from the plan and what it draws from rng. Returns 0 or -errno with a sentence.
int emu_gen_flows_new(const struct emu_gen_plan *plan, struct emu_rng *rng,
	struct emu_gen_flows **out, char *why, size_t why_len);
void emu_gen_flows_free(struct emu_gen_flows *f);

// The flow of the next packet.
uint32_t emu_gen_flows_pick(const struct emu_gen_flows *f, struct emu_rng *rng);
struct emu_gen_flow *emu_gen_flows_at(struct emu_gen_flows *f, uint32_t index);
// That flow will be wanted soon.
void emu_gen_flows_prefetch(const struct emu_gen_flows *f, uint32_t index);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_MATCH_H
#define SLUICE_FLOW_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"

// What a rule matches: a key under a mask, and L4 port ranges that no mask can say.
// Invariants (flow_match_normalise sets them): key has no bit outside mask; a range that is all of
// 0-65535 is "any"; a range that a mask can say is in the mask instead and the range is "any"; a
// range that nothing can be in, by itself or under the mask, is 1-0, and the match never hits.
// Thread safety: any thread (a plain value).

struct flow_range {
	uint16_t lo; // host order, both ends included; 0 to 65535: any
	uint16_t hi;
};

struct flow_match {
	struct flow_key key;
	struct flow_key mask;
	struct flow_range sport;
	struct flow_range dport;
};

// Matches everything.
void flow_match_init(struct flow_match *m);
void flow_match_normalise(struct flow_match *m);
bool flow_match_has_range(const struct flow_match *m);
// Does key match? The reference: a look-up structure must agree with it.
bool flow_match_hits(const struct flow_match *m, const struct flow_key *key);
bool flow_match_equal(const struct flow_match *a, const struct flow_match *b);
// The per-packet fields (FLOW_FIELD_*) that it reads.
uint32_t flow_match_fields(const struct flow_match *m);
// Could some key match both? (conservative: never false when one could)
bool flow_match_overlap(const struct flow_match *a, const struct flow_match *b);

#endif

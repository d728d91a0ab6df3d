// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_REF_FLOW_PARSE_H
#define SLUICE_REF_FLOW_PARSE_H

#include <stdint.h>

#include "base/rng.h"
#include "flow/parse.h"
#include "flow/tunnel.h"

// The slow, obviously right parser that the tests compare the room's with, and the comparison.
// Thread safety: any thread.

enum flow_fault ref_flow_parse(const uint8_t *data, uint32_t len, uint16_t switch_id,
	uint16_t vport, uint32_t fields, struct flow_key *key, struct flow_offsets *off);

// What is inside a tunnel packet; false: it is none (or has a fault).
bool ref_flow_inner(const uint8_t *data, uint32_t len, uint32_t fields, struct flow_inner *out);

// Parses the packet in every way that the room has (bytes, one mbuf, a chain of random segments
// where headers may be cut anywhere, a burst of these), and what is inside a tunnel, and fails the
// test with `what` where one of them is not as the reference says. Memory is exactly as long as the
// packet. Returns the fault.
enum flow_fault ref_flow_check(
	const char *what, const uint8_t *data, uint32_t len, uint32_t fields, struct sl_rng *rng);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_PARSE_GENERAL_H
#define SLUICE_FLOW_PARSE_GENERAL_H

#include <stdint.h>

#include "flow/parse.h"

// The parser for every packet: it asks for each header by offset and gets it from the first
// segment, or gathered from several. flow_parse tries a fast path first and comes here with the
// rest, so the two must agree; the unit test compares both with a third. Thread safety: any thread.

struct parse_input {
	const uint8_t *head;      // the first segment
	uint32_t head_len;        // its length
	uint32_t frame_len;       // of the whole chain
	const struct rte_mbuf *m; // the chain; NULL when the first segment is all
};

// key and off come in zero but for the switch and the vport.
enum flow_fault parse_general(const struct parse_input *in, uint32_t fields, struct flow_key *key,
	struct flow_offsets *off);

#endif

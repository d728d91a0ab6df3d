// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_PARSE_GENERAL_H
#define SLUICE_FLOW_PARSE_GENERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/parse.h"

// The parser for every packet: it asks for each header by offset and gets it from the first
// segment, or gathered from several. flow_parse tries a fast path first and comes here with the
// rest, so the two must agree; the unit test compares both with a third. What is inside a tunnel
// (tunnel.c) is parsed here too, from where it begins. Thread safety: any thread.

#define PARSE_GATHER_MAX 40 // the longest piece that is asked for at once: an IPv6 header

struct parse_input {
	const uint8_t *head;      // the first segment
	uint32_t head_len;        // what may be read of it, at most frame_len
	uint32_t frame_len;       // of the whole chain, or what of it may be read
	const struct rte_mbuf *m; // the chain; NULL when the first segment is all
};

static inline uint16_t
parse_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

// Copies n bytes at offset off out of the chain; false when it ends before.
bool parse_gather(const struct rte_mbuf *m, uint32_t off, uint32_t n, uint8_t *out);

// n bytes at offset off, in place where they lie in the first segment, else in scratch. NULL when
// the frame ends before.
static inline const uint8_t *
parse_at(const struct parse_input *in, uint32_t off, uint32_t n, uint8_t scratch[PARSE_GATHER_MAX])
{
	if (off + n <= in->head_len)
		return in->head + off;
	if (in->m == NULL || off + n > in->frame_len || !parse_gather(in->m, off, n, scratch))
		return NULL;
	return scratch;
}

// The frame that begins at pos. key and off come in zero but for the switch and the vport.
enum flow_fault parse_general(const struct parse_input *in, uint32_t pos, uint32_t fields,
	struct flow_key *key, struct flow_offsets *off);
// The same of what follows an Ethernet header: type is its ethertype (host order).
enum flow_fault parse_type(const struct parse_input *in, uint32_t pos, uint16_t type,
	uint32_t fields, struct flow_key *key, struct flow_offsets *off);
// Where the payload of the IP packet at l3 (FLOW_L3_IPV4, _IPV6) begins, behind its options and
// extension headers, and where it ends. False: there is none. No fragment.
bool parse_ip_payload(
	const struct parse_input *in, uint32_t l3, uint8_t version, uint32_t *pos, uint32_t *end);

#endif

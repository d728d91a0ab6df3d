// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_TRACE_PACKET_H
#define SLUICE_CONTROL_TRACE_PACKET_H

#include "state.h"

// The packet of a trace, from what people have of it: bytes, a record of a capture, or the text of
// a flow. All input is hostile. Thread safety: owner thread only (control).

#define TRACE_PACKET_MAX 9600

struct trace_packet {
	uint32_t len;
	uint8_t bytes[TRACE_PACKET_MAX];
};

// Digits in pairs, blanks and colons between them. -EINVAL.
int trace_packet_hex(const char *text, struct trace_packet *out, struct sl_err *err);
// Record number of a capture of Ethernet frames, from 1. -ENOENT, -EINVAL.
int trace_packet_pcap(
	const char *path, int64_t number, struct trace_packet *out, struct sl_err *err);
// A packet that the match hits, where it comes in by `from`; what the match leaves open is made up:
// the port's own addresses, UDP, a payload of zeros. -EINVAL: there is no such packet.
int trace_packet_match(const struct control_vport *from, uint16_t switch_id,
	const struct flow_match *match, struct trace_packet *out, struct sl_err *err);
// In buffers of control's pools; NULL: there is none.
struct rte_mbuf *trace_packet_mbuf(const struct control *c, const struct trace_packet *p);

#endif

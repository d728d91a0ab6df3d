// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_GEN_FRAME_H
#define EMUNIC_BACKEND_GEN_FRAME_H

#include <stdbool.h>
#include <stdint.h>

// The frames of one flow of the generator.
//
// Problem: a packet with two valid checksums for a few dozen cycles. Idea: all headers of a flow
// are written once, with the sums over what stays the same; for a packet they are copied, the
// fields that change are put in, and the sums are completed from those fields alone. The payload
// begins, where there is room, with the packet's number (64 bit) and its flow's (32 bit), in
// network order; the rest is zeros, which no checksum sees. Cost: 104 bytes a flow, one copy of 80
// bytes a packet. Thread safety: owner thread only.

#define EMU_GEN_MARK_LEN 12
// Room that emu_gen_frame_put wants, whatever the length of the frame is.
#define EMU_GEN_PUT_MAX 96

struct emu_gen_addresses {
	uint8_t dst_mac[6], src_mac[6];
	uint8_t src[16]; // network order, IPv4 in the first four bytes
	uint8_t dst[16];
	uint16_t src_port;
	uint16_t dst_port;
	bool v6;
	bool udp; // else TCP
};

struct emu_gen_flow {
	uint8_t header[80]; // of which l4 and its header are used
	uint32_t ip_sum;    // IPv4: of all but total length and id
	uint32_t l4_sum;    // of the pseudo header and the L4 header, but length, sequence number
	uint32_t seq;       // TCP: of the next byte
	uint16_t id;        // IPv4: of the next packet
	uint8_t l4;         // where the L4 header begins
	uint8_t payload;    // and where it ends: the shortest frame
};

// first_seq and first_id are those of the flow's first packet.
void emu_gen_flow_set(struct emu_gen_flow *f, const struct emu_gen_addresses *a, uint32_t first_seq,
	uint16_t first_id);

// Writes the bytes of a frame that are not zeros, and returns how many they are; the flow's
// sequence number and id go on. frame_len is at least f->payload.
uint32_t emu_gen_frame_put(
	struct emu_gen_flow *f, uint64_t number, uint32_t flow, uint32_t frame_len, uint8_t *to);

#endif

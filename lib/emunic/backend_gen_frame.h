// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_GEN_FRAME_H
#define EMUNIC_BACKEND_GEN_FRAME_H

#include <stdint.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "backend_gen_flows.h"

// One frame of the generator. Every checksum is valid. The first bytes of the payload, where there
// is room for them, are the packet's number (64 bit) and its flow's (32 bit), in network order; the
// rest of the payload is zeros, which no checksum sees.
// Thread safety: owner thread only.

#define EMU_GEN_MARK_LEN 12

struct emu_gen_macs {
	uint8_t dst[6], src[6];
};

// Room for all of a frame that is not zeros.
struct emu_gen_header {
	struct rte_ether_hdr eth;
	union {
		struct rte_ipv4_hdr v4;
		struct rte_ipv6_hdr v6;
	} ip;
	uint8_t rest[sizeof(struct rte_tcp_hdr) + EMU_GEN_MARK_LEN];
} __attribute__((packed, aligned(2)));

// The shortest frame of this flow, without padding.
uint32_t emu_gen_frame_min(const struct emu_gen_flow *f);

// Writes the bytes of a frame that are not zeros into h and returns how many they are; the flow's
// sequence number and packet id go on. frame_len is at least emu_gen_frame_min.
uint32_t emu_gen_frame_put(const struct emu_gen_macs *macs, struct emu_gen_flow *f, uint64_t number,
	uint32_t flow, uint32_t frame_len, struct emu_gen_header *h);

#endif

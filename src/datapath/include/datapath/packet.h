// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_PACKET_H
#define SLUICE_DATAPATH_PACKET_H

#include <assert.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

// What travels with a packet inside sluice, in an mbuf dynamic field (DPDK programmer's guide,
// "Dynamic fields"). Thread safety: owner thread only (who holds the packet).

struct dp_packet {
	uint16_t origin; // vport that it came from, or DP_ORIGINATED
	uint16_t target; // vport that its buffer is charged to; DP_NO_TARGET: nobody yet
	uint16_t txq;    // transmit queue at the output, DP_TXQ_OWN: the worker's own
	uint8_t cls;     // QoS class
	uint8_t flags;   // DP_PKT_*
};
static_assert(sizeof(struct dp_packet) == 8, "one word");

#define DP_ORIGINATED UINT16_MAX
#define DP_NO_TARGET UINT16_MAX
#define DP_TXQ_OWN UINT16_MAX
#define DP_PKT_RING 0x01 // goes by the target's ring

// Registers the field; idempotent. Returns its offset or -errno. init only.
int dp_packet_register(void);

static inline struct dp_packet *
dp_packet(struct rte_mbuf *m, int offset)
{
	return RTE_MBUF_DYNFIELD(m, offset, struct dp_packet *);
}

#endif

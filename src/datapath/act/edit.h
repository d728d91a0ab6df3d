// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_EDIT_H
#define SLUICE_DATAPATH_EDIT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "datapath/program.h"

// Changes to a frame's Ethernet header and tags. Each may put another packet in the place of *m,
// when the buffer was shared with somebody or had no room; false: there was no buffer for that, and
// *m is still a whole packet, and the caller's. l2_len of a settled offload request follows the
// tags. Thread safety: owner thread only (who holds the packet).

// Makes *m a packet of our own whose first `head` bytes lie in one piece. dp_packet and requests
// are kept.
bool edit_own(struct rte_mbuf **m, uint32_t head, struct rte_mempool *pool);
// A copy that shares nothing; NULL when there is no buffer.
struct rte_mbuf *edit_copy(const struct rte_mbuf *m, struct rte_mempool *pool);

bool edit_vlan(struct rte_mbuf **m, enum dp_vlan_op op, uint16_t vid, struct rte_mempool *pool);
bool edit_mac(struct rte_mbuf **m, bool source, const uint8_t mac[6], struct rte_mempool *pool);
// The VID of the outer tag; 0 when there is none. *l2: length of Ethernet header and tags (two at
// most).
uint16_t edit_outer_vid(const struct rte_mbuf *m, uint32_t *l2);

#endif

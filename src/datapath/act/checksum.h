// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_CHECKSUM_H
#define SLUICE_DATAPATH_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

// Checksums of a packet with a settled request (offload.h) whose headers lie in the first segment
// of a buffer of our own. The pseudo header is made anew from the packet, whatever the sender left
// in the field (RFC 1071, RFC 8200 section 8.1). Thread safety: owner thread only (who holds the
// packet).

// Bytes of the frame that belong to the IP packet: without padding.
uint32_t checksum_ip_end(const struct rte_mbuf *m);
// Finishes the L4 checksum in software; the request is gone afterwards.
void checksum_l4(struct rte_mbuf *m);
// Sets the field to the sum of the pseudo header, for an output that does the rest.
void checksum_pseudo(struct rte_mbuf *m, bool with_length);
// Sets the IPv4 header checksum (nothing for IPv6).
void checksum_ip(struct rte_mbuf *m);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_OFFLOAD_H
#define EMUNIC_BACKEND_OFFLOAD_H

#include <stdbool.h>

struct rte_mbuf;

// The smallest segment size that a guest may ask for, so that one packet of 64 KiB cannot become
// more than 1366 (Linux has the same floor, TCP_MIN_SND_MSS).
#define EMU_MSS_MIN 48

// Checks what a guest claims about the offloads of a packet that it sent, against the packet.
//
// rte_vhost translates the virtio_net_hdr into transmit flags and lengths. What it has made of it
// is believed only where the headers say the same: whole TCP or UDP headers in the first segment,
// an IPv4 packet that is no fragment or an IPv6 packet without extension headers, lengths within
// the packet, a sane segment size. On return true the packet is one of
//   - without offload flags and with all offload lengths zero: complete, or of no known protocol;
//   - RTE_MBUF_F_TX_IPV4 or _IPV6 with RTE_MBUF_F_TX_TCP_CKSUM or _UDP_CKSUM, l2_len, l3_len and
//     l4_len: its L4 checksum is yet to be computed (its field holds anything);
//   - the TCP one, and RTE_MBUF_F_TX_TCP_SEG with tso_segsz (and _IP_CKSUM with IPv4): more than
//   one
//     segment's payload in one packet of exactly the length that its IP header gives.
// On false the claim is a lie, or asks for UDP segmentation or SCTP's CRC, which are not offered:
// the packet cannot be finished and has to be dropped.
// Source: virtio 1.2, 5.1.6.2. Thread safety: any thread (works on its packet only).
bool emu_offload_check(struct rte_mbuf *m);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_VRING_HEADER_H
#define SLUICE_DATAPATH_VRING_HEADER_H

#include <linux/virtio_net.h>

#include <rte_mbuf.h>

// The header that virtio puts before a packet (virtio 1.1, 5.1.6), as what an mbuf says: the same
// as rte_vhost says with RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS. Thread safety: owner thread only
// (who holds the packet).

// What has anything to say in the header of a packet to a guest.
#define VRING_HEADER_ASKS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

// h is a copy that the guest cannot change; m holds the whole packet. A partial checksum of a
// protocol that DPDK has no request for is finished here; a header that does not fit the packet
// asks for nothing.
void vring_header_read(struct rte_mbuf *m, const struct virtio_net_hdr_v1 *h);
// For a packet with settled requests (offload.h). The sum of the pseudo header, with the length, is
// in it already (checksum.h). num_buffers is 0.
void vring_header_write(const struct rte_mbuf *m, struct virtio_net_hdr_v1 *h);

#endif

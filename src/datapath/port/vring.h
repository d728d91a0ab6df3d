// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_VRING_H
#define SLUICE_DATAPATH_VRING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_vhost.h>

// The packets of a guest's split ring (virtio 1.1, 2.6 and 5.1.6), without rte_vhost's bursts.
//
// Problem: guest and switch run on two cores, and nearly all that a packet costs between them is
// waiting for cache lines that the other core wrote. rte_vhost takes one packet after the other:
// it reads a descriptor, then the buffer, and waits each time; and it reads a line that it is about
// to write, so that the line is asked for twice. Between two testpmd guests
// (mrg_rxbuf=0,in_order=1, 64 bytes) its two bursts are 165 of the 192 cycles of a packet.
//
// Idea: a burst goes through the ring in steps, each over all packets: heads, descriptors,
// addresses (asking for the buffers' lines, for writing where they will be written), buffers, used
// entries. So the lines of a burst are on their way at the same time. Measured in one run against
// OVS-DPDK, whose bursts are rte_vhost's: with the same guests 141.9 cycles a packet against 235.9,
// with virtio's defaults 138.6 against 233.4. A packet of one descriptor takes this way; chains,
// tables of descriptors, packets of several segments and such as need several buffers are done one
// by one (vring_chain.h). With VIRTIO_F_IN_ORDER what was taken is told by one used entry for the
// burst (2.6.9); what was given has an entry each, for its length.
//
// The guest is not trusted. What it can change is read once, into a local copy that is checked, and
// addresses are turned into ours by a copy of the memory table. A ring whose indexes, descriptors
// or addresses cannot be is broken, as one of QEMU's devices is: it is left alone until the guest
// sets it up again, and the reason is told. Nothing of another ring or guest is touched.
//
// Cost: two cache lines for a ring. It refuses, and leaves to
// rte_vhost: packed rings, guests from before virtio 1.0, IOMMUs, and logging what is written (a
// migration). Everything but packets (sockets, messages, memory, features) is rte_vhost's in any
// case. What was used is given back in the order in which it was offered, at the end of each burst,
// so that one index tells all, and rte_vhost can go on with it at any time.
//
// Thread safety: take and give: the worker that owns the queue; begin: nobody else is at the ring;
// `fault` and `refused`: any thread may read.

#define VRING_BURST 64
#define VRING_REGIONS_MAX 64 // rte_vhost takes 8 at most
#define VRING_HEADER 12      // struct virtio_net_hdr_v1

enum vring_fault { // why a ring is broken
	VRING_SOUND,
	VRING_JUMP,      // the index of what is available went ahead by more than the ring
	VRING_HEAD,      // a descriptor beyond the ring is available
	VRING_NEXT,      // a descriptor is followed by one beyond its table
	VRING_LONG,      // a buffer of too many pieces, or descriptors in a circle
	VRING_TABLE,     // a table of descriptors that cannot be one
	VRING_ADDRESS,   // an address that is no memory of the guest
	VRING_DIRECTION, // to be read and written the wrong way round
	VRING_FAULTS
};

struct vring_region {
	uint64_t gpa, size; // in the guest
	uintptr_t host;     // here
};

struct vring_memory { // gpa is ascending in no way; regions do not overlap
	uint32_t n;
	struct vring_region region[VRING_REGIONS_MAX];
};

struct vhost_ring {
	alignas(64) const struct vring_desc *desc; // [size]; the guest writes it at any time
	const struct vring_avail *avail;
	struct vring_used *used;
	const struct vring_memory *memory;
	struct vring_region hot;   // the region where the last buffer was
	uint16_t size;             // a power of two; 0: there is no ring
	uint16_t next;             // what was available up to here has been used
	alignas(64) uint16_t seen; // the guest's avail->idx when it was read last
	uint16_t told;             // `next` at the last look at what the guest waits for
	bool told_valid;
	bool mergeable, in_order, event_idx, indirect;
	int call;                 // eventfd of the guest's interrupt, -1: none
	_Atomic uint8_t fault;    // enum vring_fault
	_Atomic uint64_t refused; // packets without a byte, or longer than any can be
};

// What a ring begins with; its caller has checked that the arrays lie in the guest's memory.
struct vring_setup {
	struct rte_vhost_vring ring;
	const struct vring_memory *memory; // stays as long as the ring is used
	uint64_t features;
	uint16_t next;
};

// Whether guests with these features can be served here.
bool vring_features_fit(uint64_t features);
// Whether the ring can be: its size and where its parts lie. A fault stays what it was.
bool vring_begin(struct vhost_ring *r, const struct vring_setup *s);
// What the guest sends: up to n packets, in order.
uint16_t vring_take(
	struct vhost_ring *r, struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n);
// To the guest: how many of n were copied, in order. They stay the caller's.
uint16_t vring_give(struct vhost_ring *r, struct rte_mbuf **pkts, uint16_t n);
const char *vring_fault_text(enum vring_fault fault); // "sound" to begin with

#endif

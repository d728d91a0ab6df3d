// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_VHOST_H
#define SLUICE_DATAPATH_VHOST_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_spinlock.h>

#include "datapath/port.h"
#include "port/vring.h"

// A vhost-user port between the workers, which move its packets, and rte_vhost's event thread, on
// which guests come and go (DPDK programmer's guide, "Vhost Library").
//
// A worker says that it is at a queue before it looks whether there is a guest; the event thread
// takes the guest away before it looks whether a worker is at a queue, and waits until none is.
// One of the two sees the other, as long as neither's store is still on its way when it looks. A
// fence of the worker's own would wait, at each burst, for what it has just written to rings that
// the guest's core reads. A guest goes once in a while: the event thread has the kernel fence all
// cores then (membarrier(2)), and the worker only keeps its compiler from turning the two round.
// Cost: two plain stores for a burst.
//
// Packets go through the guest's rings in one of two ways, the same for all rings of a guest: by
// rings of our own (vring.h), or by rte_vhost's bursts. Where it is our own, the event thread
// closes the gate for the time of each of the guest's messages, writes into rte_vhost how far the
// rings are, and reads anew afterwards how they, the memory and the features are (vhost_rings.c). A
// guest that is once at rte_vhost's bursts stays there until it sets its device up again: their
// locks keep them apart from messages, and a worker may wait for one inside the gate.
//
// A socket in server mode takes any number of connections, and a port has one guest: who is there
// stays. Who sets a device up meanwhile is counted, and waits in a seat until the guest has stopped
// (the target of a migration starts just then). It is not hung up on: a driver that negotiates its
// features while QEMU has no connection ends up with others than QEMU tells us later.
//
// Rings of our own have no lock. A guest may have fewer pairs than the port has queues, and several
// queues, each of another worker, one ring then: they take `shared` for it. How many pairs there
// are changes with the gate closed, so that all inside agree on whether they do.
//
// Thread safety: any thread for the atomic members; mapped and seat: the event thread; each
// vhost_gate: the worker that owns the queue enters and leaves; own, ring and memory: workers
// inside the gate, and the event thread when it is closed and none is.

#define VHOST_VRINGS_MAX 256
#define VHOST_IDS_MAX 1024            // of rte_vhost
#define VHOST_SEATS 4                 // more guests than that at one socket are not served
#define VHOST_RARP_ASKED (1ULL << 48) // beside 6 bytes of address

struct vhost_gate {
	alignas(64) atomic_bool busy;
	uint16_t next; // receive: pair that the next burst begins with
};

struct vhost_seat { // a connection that waits for the place of the guest
	int vid;    // -1: nobody's
	bool ready; // its device is set up
	bool enabled[VHOST_VRINGS_MAX];
};

struct vhost_port {
	struct dp_port *port;
	struct rte_mempool *pool;
	char path[108];
	_Atomic int vid;           // -1: there is no guest
	_Atomic uint16_t rx_pairs; // pairs whose ring from the guest is enabled, from the first on
	_Atomic uint16_t tx_pairs; // likewise, to the guest
	_Atomic int guest;         // likewise, also while the gate is closed for a message
	_Atomic int rings_of;      // whose `enabled` tells of, -1: nobody's
	atomic_bool enabled[VHOST_VRINGS_MAX];
	struct vhost_port *next; // in the registry
	bool library;            // never by rings of our own
	atomic_bool own;         // by rings of our own
	_Atomic uint64_t rarp;   // a MAC address that the network is to learn, and RARP_ASKED
	// Of the ring to the guest of a pair, where several queues have one: two workers come then.
	rte_spinlock_t shared[VHOST_VRINGS_MAX / 2];
	uint64_t mapped[VHOST_IDS_MAX / 64]; // bit vid: rte_vhost has a memory table of it
	struct vhost_seat seat[VHOST_SEATS];
	_Atomic uint64_t strangers; // guests that had to wait
	atomic_bool closing;        // by control's thread: nobody comes any more
	struct vring_memory memory;
	struct vhost_ring ring[VHOST_VRINGS_MAX];
	struct vhost_gate rx[DP_QUEUES_MAX];
	struct vhost_gate tx[DP_QUEUES_MAX];
};

// The guest's number, or -1; unless it is -1 the guest stays until vhost_leave.
static inline int
vhost_enter(struct vhost_port *v, struct vhost_gate *gate)
{
	int vid = atomic_load_explicit(&v->vid, memory_order_relaxed);

	if (vid < 0)
		return -1;
	atomic_store_explicit(&gate->busy, true, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst); // the cores' part is fence_all (vhost_guest.c)
	vid = atomic_load_explicit(&v->vid, memory_order_acquire);
	if (unlikely(vid < 0))
		atomic_store_explicit(&gate->busy, false, memory_order_release);
	return vid;
}

static inline void
vhost_leave(struct vhost_gate *gate)
{
	atomic_store_explicit(&gate->busy, false, memory_order_release);
}

// Makes v known to the callbacks of its socket, which must be registered with rte_vhost. Returns 0
// or -errno.
int vhost_guests_serve(struct vhost_port *v);
// v is not known any more; no callback of it runs.
void vhost_guests_forget(struct vhost_port *v);

#endif

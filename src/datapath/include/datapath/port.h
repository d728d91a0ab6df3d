// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_PORT_H
#define SLUICE_DATAPATH_PORT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/err.h"
#include "datapath/drop.h"
#include "datapath/limits.h"
#include "qos/sched.h"

// A device of the packet path: one small ops table with two implementations, ethdev and the
// rte_vhost library. Control makes a port, publishes it in a snapshot, and frees it after the
// snapshot without it has been in force for a grace period. Workers only rx and tx. Thread safety:
// rx and tx of a queue: the worker that owns the queue; the rest: control, unless said otherwise.

struct dp_port;

struct dp_port_counters { // as the device or library says
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_missed; // the device had no descriptor or buffer
};

struct dp_port_ops {
	const char *kind; // "ethdev", "vhost-user"
	uint16_t (*rx)(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
	// Takes up to n in order and frees or owns what it took; the rest stays the caller's.
	uint16_t (*tx)(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
	// Why tx has just not taken all: LINK_DOWN, GUEST_RING (it takes nothing until the guest
	// resets its device), or TX_FULL. NULL: always TX_FULL.
	enum dp_drop (*refused)(struct dp_port *p, uint16_t queue);
	bool (*link)(const struct dp_port *p); // any thread, cheap
	// Has the device sent all that it took on a queue? NULL, or true: it cannot tell.
	bool (*tx_idle)(const struct dp_port *p, uint16_t queue);
	void (*counters)(const struct dp_port *p, struct dp_port_counters *out);
	void (*close)(struct dp_port *p); // no worker uses it any more
};

struct dp_txrun { // neighbours of one origin
	uint16_t origin;
	uint16_t n;
	uint32_t bytes;
};

struct dp_txbuf { // packets for one transmit queue (out/tx.h)
	struct dp_port *port;
	uint16_t queue;
	uint16_t n, n_runs;
	uint64_t mem; // buffer memory of them, for the account of the target
	struct rte_mbuf *pkts[DP_TXBUF];
	struct dp_txrun run[DP_TXBUF];
};

// What one worker took from one receive queue.
struct dp_rxq_count {
	_Atomic uint64_t packets;
	_Atomic uint64_t bytes;
	_Atomic uint64_t timed_packets; // of the loops that were timed (lap.h), up to what was
	_Atomic uint64_t timed_cycles;  // gathered for transmission
};

// What one worker keeps of one port; its own cache lines.
struct dp_port_worker {
	alignas(64) _Atomic uint64_t tx_packets;
	_Atomic uint64_t tx_bytes;
	struct dp_txbuf *txbuf;   // [n_txq]
	struct dp_rxq_count *rxq; // [n_rxq]
};

struct dp_port {
	const struct dp_port_ops *ops;
	uint16_t index; // of this port among all, below DP_PORTS_MAX
	uint16_t vport; // whose attachment it is
	uint16_t n_rxq, n_txq;
	uint16_t nic;      // index of the NIC, DP_NONE: not on a NIC
	uint16_t nic_port; // 0: PF, 1 + n: representor of VF n
	uint16_t mtu;
	_Atomic uint64_t tx_offloads; // RTE_ETH_TX_OFFLOAD_* that tx can be given; the rest is
				      // finished in software; follows the guest at a vhost port
	bool rx_device_flags; // packets come with what the device says of them (RTE_MBUF_F_RX_*)
	bool lro;             // may hand in whole segmentation-offload packets
	bool tso_sum_len; // with a segmentation request the pseudo header's sum holds the length
			  // (virtio's way); false: it does not (DPDK's)
	char name[64];
	uint16_t ethdev; // DPDK port id, for ethdev ports
	void *priv;
	uint16_t tx_desc; // descriptors of each transmit queue, 0: not known
	// Receive: who polls each queue, as control has dealt them out (a snapshot says from when
	// on). Control's alone.
	uint8_t rxq_worker[DP_QUEUES_MAX];
	bool rxq_pinned[DP_QUEUES_MAX]; // balancing leaves it there
	// Transmit: each queue has one owner worker. A worker without a queue of its own goes
	// through the owner.
	uint8_t txq_owner[DP_QUEUES_MAX];
	uint16_t txq_of_worker[DP_WORKERS_MAX]; // DP_NONE: it has none
	// Rings of this target, served by one worker.
	struct qos_sched *sched;
	uint8_t sched_owner;
	uint8_t n_classes;
	bool sched_listed;                           // the owner serves it at present
	_Atomic uint32_t ring_held[QOS_CLASSES_MAX]; // packets in the rings, told by the owner
	struct dp_port_worker *worker[DP_WORKERS_MAX];
};

// Wraps an ethdev that is configured and started. Returns 0 or -ENOMEM.
int dp_port_ethdev(uint16_t ethdev, uint16_t n_rxq, uint16_t n_txq, struct dp_port **out);
// Asks an ethdev for its link and keeps the answer for ops->link, which must not ask. For devices
// that tell of changes by an interrupt this happens by itself; for others control calls it now and
// then. Nothing for other kinds.
void dp_port_poll_link(struct dp_port *p);

struct dp_vhost_cfg {
	const char *path;
	bool client;     // connect and reconnect; else serve
	uint16_t queues; // queue pairs
	uint16_t mtu;
	bool library_rings; // packets by rte_vhost's bursts in any case
	struct rte_mempool *pool;
};
// Registers the socket with rte_vhost and serves guests that come and go. A stale socket file is
// replaced, a live one refused.
int dp_port_vhost(const struct dp_vhost_cfg *cfg, struct dp_port **out, struct sl_err *err);

// How packets go through the rings of the guest at a vhost-user port.
struct dp_vhost_rings {
	bool guest;         // there is one
	bool own;           // through rings of our own (port/vring.h), else by rte_vhost's bursts
	uint16_t broken;    // rings in which was what cannot be: left alone until the guest's reset
	uint16_t first;     // of these; even: to the guest, odd: from it
	const char *why;    // what was in it
	uint64_t refused;   // packets of the guest without a byte, or longer than any can be
	uint64_t strangers; // times that another guest at the socket had to wait
};
// False: p is another kind of port. Any thread.
bool dp_port_vhost_rings(const struct dp_port *p, struct dp_vhost_rings *out);

// Gives the port its per-worker parts, its queues' owners and its rings. Before it is published.
int dp_port_attach(struct dp_port *p, uint16_t n_workers, const struct qos_class_cfg *classes,
	uint8_t n_classes, int socket_id);
// Closes the device side and frees all. Packets still in rings have been dropped by name before.
void dp_port_free(struct dp_port *p);

#endif

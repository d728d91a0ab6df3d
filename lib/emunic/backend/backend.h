// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_H
#define EMUNIC_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

// What lies behind one outer side of the emulated NIC (its wire, or one VF).
//
// The firmware is the only caller of rx, tx, link, next_event and stats once a backend is open;
// open and close are called while the firmware does not run that side. A dead peer is a link that
// is down, never an error that reaches the host. Thread safety: owner thread only (the firmware of
// the NIC).
//
// Text form, as it stands in a devarg between brackets: `[KIND,key=value,...]`, for example
//   [vhost-user,path=/run/vm1.sock,client=0,queues=2]   [replay,file=a.pcap.gz,speed=20,loop=0]
//   [generator,flows=2000,seed=7,pps=50000,...]          [sink]          [sink,reflect=1]
//   [ethdev,net_af_packet0,iface=veth0]                  [ethdev,NAME-OF-AN-EXISTING-PORT]

#define EMU_BURST 32

struct emu_backend_stats {
	uint64_t rx_packets; // entered the NIC through this side
	uint64_t rx_bytes;
	uint64_t tx_packets; // accepted by the peer
	uint64_t tx_bytes;
	uint64_t rx_errors; // a malformed thing of the peer's, never made into a packet
	uint64_t tx_errors; // taken, and lost: of a shape that the peer can never carry
};

struct emu_backend_env {
	const char *nic;  // name of the NIC, for messages and for objects that the backend makes
	const char *side; // "wire", "wireK" or "vfN"
	struct rte_mempool *pool; // where rx takes its mbufs from
	uint16_t mtu; // as long as no other is told; longer frames than mtu + L2 overhead are the
		      // NIC's to drop, not the backend's
	int socket_id;
};

struct emu_backend;

struct emu_backend_ops {
	const char *kind;
	// Makes a backend from its arguments (the text after KIND and its comma, may be empty).
	// Returns 0 or -errno with a sentence in why. With 0, why is empty or holds a remark that
	// the user should see (a capture whose last record is cut, say).
	int (*open)(const struct emu_backend_env *env, const char *args, struct emu_backend **out,
		char *why, size_t why_len);
	void (*close)(struct emu_backend *b);
	// Up to n packets from the peer; never blocks. A guest's packet may be unfinished: then it
	// has transmit offload flags and lengths that were checked (offload.h).
	uint16_t (*rx)(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n);
	// Gives up to n packets to the peer, each flow in order. Each goes to the peer's receive
	// queue hash.txadapter.txq, which was below what rx_queues told; one that is gone by now is
	// folded into those that are left. The packets taken belong to the backend; those that are
	// not are at the end of pkts, which may be reordered. Never blocks.
	uint16_t (*tx)(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n);
	// How many receive queues the peer has enabled. NULL: one.
	uint16_t (*rx_queues)(struct emu_backend *b);
	bool (*link)(struct emu_backend *b);
	// True when a whole segmentation-offload packet (RTE_MBUF_F_TX_TCP_SEG) or one with an
	// unfinished L4 checksum may be given to tx, because the peer takes it so. Otherwise the
	// NIC segments and sums before tx.
	bool (*takes_offloads)(struct emu_backend *b);
	// Nanoseconds (of CLOCK_MONOTONIC) at which rx has something next, UINT64_MAX when unknown:
	// the firmware may sleep until then, within its own limit.
	uint64_t (*next_event)(struct emu_backend *b);
	// For finite sources (replay, generator with count): true once all has been played. NULL:
	// never.
	bool (*finished)(struct emu_backend *b);
	// It goes on behind another side, of another NIC maybe: from here on its buffers come from
	// env->pool. Under the gates of both NICs. NULL: it cannot leave the one it was opened for.
	void (*move)(struct emu_backend *b, const struct emu_backend_env *env);
	// The mempool to land in has changed: what it holds of empty buffers goes back. NULL: it
	// holds none.
	void (*land)(struct emu_backend *b);
	// The MTU of its side has become another one. 0 or -errno. NULL: any is the same to it.
	int (*mtu)(struct emu_backend *b, uint16_t mtu);
	void (*stats)(struct emu_backend *b, struct emu_backend_stats *out);
};

struct emu_backend {
	const struct emu_backend_ops *ops;
	// The peer's transmit queues that rx is to leave alone, a bit for each; NULL: none. The NIC
	// sets it, and a backend with several queues goes by it.
	const uint64_t *still;
	// Where its packets do best to land; NULL: in those of env->pool. The NIC sets it
	// (port/landing.h), and a backend that makes packets takes their buffers by emu_mbuf_take.
	struct rte_mempool *landing;
};

// The i-th kind that is built in, NULL after the last (backend.c).
const struct emu_backend_ops *emu_backend_kind(size_t i);

// Parses "[KIND,args]" or "KIND,args" and opens it; results and why as for open above.
int emu_backend_open(const struct emu_backend_env *env, const char *text, struct emu_backend **out,
	char *why, size_t why_len);

#endif

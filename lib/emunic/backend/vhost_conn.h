// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_VHOST_CONN_H
#define EMUNIC_BACKEND_VHOST_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/latch.h"

// The connections of one vhost-user socket, and their hand-over between rte_vhost's thread, which
// makes and takes them away, and the firmware, which uses one.
//
// A guest that is killed and starts again may connect before its old connection is known to be
// dead, so a socket holds a few; one of them, the first that got ready, is active. When it goes,
// the latch is shut, the next ready one becomes active, and the latch opens again. rte_vhost names
// a device in its callbacks by a number only: a registry, one for the process, finds the socket by
// its path. Sockets of others in the process are none of its business: each socket has its own
// callbacks.
// Source: DPDK programmer's guide, "Vhost Library".

#define EMU_VHOST_PAIRS_MAX 128 // rte_vhost's own limit
#define EMU_VHOST_CONNS 4
#define EMU_VHOST_PATH_MAX 108 // of a Unix socket's address

struct emu_vhost_conn {
	int vid; // -1: unused
	bool ready;
	uint16_t pairs; // that the guest has set up; set when it gets ready
	bool sums;      // the guest takes unfinished checksums
	bool segments;  // and TCP packets of several segments, IPv4 and IPv6
	atomic_bool rx_on[EMU_VHOST_PAIRS_MAX]; // the guest's receive queue is enabled
};

struct emu_vhost_socket {
	char path[EMU_VHOST_PATH_MAX];
	struct emu_latch latch;
	// What the firmware uses; changes while the latch is shut.
	const struct emu_vhost_conn *active;
	uint64_t epoch; // counts changes of active
	// Of the callbacks.
	pthread_mutex_t lock;
	struct emu_vhost_conn conns[EMU_VHOST_CONNS];
	struct emu_vhost_socket *next; // in the registry
};

// Registers the socket with rte_vhost and starts it; s->path is set, the rest is made here. pairs
// is the number of queue pairs offered, where DPDK has a way to say so (1: always).
// Returns 0 or -errno with a sentence. Thread safety: any thread, one at a time per socket.
int emu_vhost_socket_open(
	struct emu_vhost_socket *s, bool client, uint16_t pairs, char *why, size_t why_len);

// Ends all its connections; returns when no callback of it runs or will run.
void emu_vhost_socket_close(struct emu_vhost_socket *s);

#endif

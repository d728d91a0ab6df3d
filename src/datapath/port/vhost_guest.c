// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_debug.h>
#include <rte_ethdev.h>
#include <rte_vhost.h>

#include "port/vhost.h"
#include "port/vhost_rings.h"

#define WAIT_US 10

// rte_vhost's callbacks get a number and no context of ours: they find the port by its socket.
struct vhost_registry {
	pthread_mutex_t lock;
	struct vhost_port *first;
};
static struct vhost_registry *vhost_registry; // made by the first port, goes with the last

static struct vhost_port *
port_of(int vid)
{
	char path[PATH_MAX];
	struct vhost_port *v;

	if (vhost_registry == NULL || rte_vhost_get_ifname(vid, path, sizeof(path)) != 0)
		return NULL;
	pthread_mutex_lock(&vhost_registry->lock);
	for (v = vhost_registry->first; v != NULL && strcmp(v->path, path) != 0; v = v->next)
		;
	pthread_mutex_unlock(&vhost_registry->lock);
	return v;
}

static uint16_t
enabled_pairs(const struct vhost_port *v, unsigned which)
{
	uint16_t pairs = 0;

	while (pairs < VHOST_VRINGS_MAX / 2 && atomic_load(&v->enabled[pairs * 2 + which]))
		pairs++;
	return pairs;
}

static void
tell_pairs(struct vhost_port *v)
{
	atomic_store_explicit(&v->tx_pairs, enabled_pairs(v, 0), memory_order_release);
	atomic_store_explicit(&v->rx_pairs, enabled_pairs(v, 1), memory_order_release);
}

// What the guest agreed to take unfinished.
static uint64_t
offloads_of(uint64_t features)
{
	const uint64_t tso = 1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6;
	uint64_t can = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

	if (features & 1ULL << VIRTIO_NET_F_GUEST_CSUM) {
		can |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
		if ((features & tso) == tso)
			can |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
	}
	return can;
}

// Every core that runs a thread of this process has passed a full fence when it returns.
static void
fence_all(void)
{
	int rc = (int)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);

	RTE_VERIFY(rc == 0); // registered, so there is no reason for it to fail
}

// rte_vhost frees the rings after this returns. A worker is at a queue for one burst; going on
// while it is would let it touch what is freed, so there is no other end to this wait.
static void
wait_for_workers(struct vhost_port *v)
{
	uint16_t q;

	for (q = 0; q < v->port->n_rxq; q++)
		while (atomic_load(&v->rx[q].busy))
			usleep(WAIT_US);
	for (q = 0; q < v->port->n_txq; q++)
		while (atomic_load(&v->tx[q].busy))
			usleep(WAIT_US);
}

// No worker is at a queue when it returns, nor comes to one.
static void
close_gate(struct vhost_port *v)
{
	atomic_store(&v->vid, -1);
	fence_all();
	wait_for_workers(v);
}

// How many pairs there are changes between bursts: no worker is at a ring that is disabled, and all
// agree on which rings several of them share. rte_vhost's bursts have locks for that.
static void
pairs_changed(struct vhost_port *v)
{
	int vid = atomic_load(&v->vid);
	bool own = atomic_load(&v->own);

	if (own)
		close_gate(v);
	tell_pairs(v);
	if (own)
		atomic_store(&v->vid, vid);
}

// Is the place another's than vid's? A guest's whose rings are in use.
static bool
taken(const struct vhost_port *v, int vid)
{
	int of = atomic_load(&v->guest);
	unsigned i = 0;

	if (of < 0) { // one that is about to come has rings already
		while (i < VHOST_VRINGS_MAX && !atomic_load(&v->enabled[i]))
			i++;
		of = i < VHOST_VRINGS_MAX ? atomic_load(&v->rings_of) : -1;
	}
	return of >= 0 && of != vid;
}

static void
forget_rings(struct vhost_port *v)
{
	unsigned i;

	for (i = 0; i < VHOST_VRINGS_MAX; i++)
		atomic_store(&v->enabled[i], false);
}

// NULL: there is none left.
static struct vhost_seat *
seat_of(struct vhost_port *v, int vid)
{
	struct vhost_seat *free = NULL;
	unsigned i;

	for (i = 0; i < VHOST_SEATS; i++) {
		if (v->seat[i].vid == vid)
			return &v->seat[i];
		if (v->seat[i].vid < 0 && free == NULL)
			free = &v->seat[i];
	}
	if (free != NULL) {
		memset(free, 0, sizeof(*free));
		free->vid = vid;
	}
	return free;
}

static void
leave_seat(struct vhost_port *v, int vid)
{
	unsigned i;

	for (i = 0; i < VHOST_SEATS; i++)
		if (v->seat[i].vid == vid)
			v->seat[i].vid = -1;
}

// The rings that are enabled are vid's from now on; those that were while it waited are.
static void
take_place(struct vhost_port *v, int vid)
{
	unsigned i, k;

	if (atomic_exchange(&v->rings_of, vid) == vid)
		return;
	forget_rings(v);
	for (i = 0; i < VHOST_SEATS; i++) {
		if (v->seat[i].vid != vid)
			continue;
		for (k = 0; k < VHOST_VRINGS_MAX; k++)
			atomic_store(&v->enabled[k], v->seat[i].enabled[k]);
		v->seat[i].vid = -1;
	}
}

static void
serve(struct vhost_port *v, int vid)
{
	uint64_t features = 0;
	uint16_t i, n;

	close_gate(v);
	// Its rings are polled: its kicks would be for nothing.
	n = rte_vhost_get_vring_num(vid);
	for (i = 0; i < n; i++)
		rte_vhost_enable_guest_notification(vid, i, 0);
	rte_vhost_get_negotiated_features(vid, &features);
	atomic_store(&v->port->tx_offloads, offloads_of(features));
	tell_pairs(v);
	atomic_store(&v->own, vhost_rings_come(v, vid, features));
	atomic_store(&v->guest, vid);
	atomic_store(&v->vid, vid);
}

static int
guest_came(int vid)
{
	struct vhost_port *v = port_of(vid);
	struct vhost_seat *seat;

	if (v == NULL || atomic_load(&v->closing))
		return -1;
	if (!taken(v, vid)) {
		take_place(v, vid);
		serve(v, vid);
		return 0;
	}
	seat = seat_of(v, vid);
	if (seat == NULL)
		return -1;
	seat->ready = true;
	atomic_fetch_add(&v->strangers, 1);
	return 0;
}

// The place may be free: somebody who waits takes it.
static void
next_guest(struct vhost_port *v)
{
	struct vhost_seat *seat = v->seat;
	int vid;

	while (seat < v->seat + VHOST_SEATS && (seat->vid < 0 || !seat->ready))
		seat++;
	if (seat == v->seat + VHOST_SEATS || taken(v, seat->vid) || atomic_load(&v->closing))
		return;
	vid = seat->vid;
	take_place(v, vid);
	serve(v, vid);
}

static void
guest_went(int vid)
{
	struct vhost_port *v = port_of(vid);

	if (v == NULL)
		return;
	if (atomic_load(&v->guest) != vid) {
		leave_seat(v, vid);
		return;
	}
	close_gate(v);
	atomic_store(&v->guest, -1);
	if (atomic_exchange(&v->own, false))
		vhost_rings_give_back(v, vid);
	vhost_rings_mend(v);
	atomic_store(&v->port->tx_offloads, RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	forget_rings(v); // they are disabled one by one yet, and another may take its place
	next_guest(v);
}

// What may change rings, memory or features finds the gate closed and rte_vhost up to date. A guest
// whose rings are rte_vhost's own business needs none of that, and must not have it: it has locked
// its rings now.
static enum rte_vhost_msg_result
message_comes(int vid, void *msg)
{
	struct vhost_port *v = port_of(vid);
	uint64_t mac;

	if (v == NULL)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	vhost_rings_message(v, vid, msg, false);
	if (atomic_load(&v->guest) != vid || !atomic_load(&v->own))
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (vhost_message_rarp(msg, &mac)) { // rte_vhost would keep it for its own burst
		atomic_store(&v->rarp, mac | VHOST_RARP_ASKED);
		return RTE_VHOST_MSG_RESULT_OK;
	}
	close_gate(v);
	vhost_rings_give_back(v, vid);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result
message_done(int vid, void *msg)
{
	struct vhost_port *v = port_of(vid);
	uint64_t features = 0;

	if (v == NULL)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	vhost_rings_message(v, vid, msg, true);
	if (atomic_load(&v->guest) != vid || atomic_load(&v->vid) == vid)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	rte_vhost_get_negotiated_features(vid, &features);
	atomic_store(&v->own, vhost_rings_look(v, vid, features));
	atomic_store(&v->vid, vid);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static int
connection_came(int vid)
{
	static const struct rte_vhost_user_extern_ops around = {
		.pre_msg_handle = message_comes,
		.post_msg_handle = message_done,
	};
	struct vhost_port *v = port_of(vid);

	if (v != NULL)
		vhost_rings_unmapped(v, vid);
	return rte_vhost_extern_callback_register(vid, &around, NULL);
}

static int
ring_changed(int vid, uint16_t ring, int enable)
{
	struct vhost_port *v = port_of(vid);
	struct vhost_seat *seat;

	if (v == NULL || ring >= VHOST_VRINGS_MAX)
		return 0;
	if (taken(v, vid)) {
		seat = seat_of(v, vid);
		if (seat != NULL)
			seat->enabled[ring] = enable != 0;
		return 0;
	}
	take_place(v, vid);
	atomic_store(&v->enabled[ring], enable != 0);
	pairs_changed(v);
	return 0;
}

static int
features_changed(int vid, uint64_t features)
{
	struct vhost_port *v = port_of(vid);

	if (v != NULL && atomic_load(&v->guest) == vid)
		atomic_store(&v->port->tx_offloads, offloads_of(features));
	return 0;
}

// Whoever looks whether somebody listens at the socket is a connection too, without rings.
static void
connection_ended(int vid)
{
	struct vhost_port *v = port_of(vid);

	if (v == NULL)
		return;
	leave_seat(v, vid);
	if (atomic_load(&v->rings_of) != vid)
		return;
	atomic_store(&v->rings_of, -1);
	forget_rings(v);
	pairs_changed(v);
	next_guest(v);
}

static const struct rte_vhost_device_ops vhost_callbacks = {
	.new_device = guest_came,
	.destroy_device = guest_went,
	.vring_state_changed = ring_changed,
	.features_changed = features_changed,
	.new_connection = connection_came,
	.destroy_connection = connection_ended,
};

int
vhost_guests_serve(struct vhost_port *v)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0)
		return -errno;
	if (vhost_registry == NULL) {
		vhost_registry = calloc(1, sizeof(*vhost_registry));
		if (vhost_registry == NULL)
			return -ENOMEM;
		pthread_mutex_init(&vhost_registry->lock, NULL);
	}
	pthread_mutex_lock(&vhost_registry->lock);
	v->next = vhost_registry->first;
	vhost_registry->first = v;
	pthread_mutex_unlock(&vhost_registry->lock);
	if (rte_vhost_driver_callback_register(v->path, &vhost_callbacks) == 0)
		return 0;
	vhost_guests_forget(v);
	return -EIO;
}

void
vhost_guests_forget(struct vhost_port *v)
{
	struct vhost_port **at;
	bool last;

	pthread_mutex_lock(&vhost_registry->lock);
	for (at = &vhost_registry->first; *at != NULL && *at != v; at = &(*at)->next)
		;
	if (*at == v)
		*at = v->next;
	last = vhost_registry->first == NULL;
	pthread_mutex_unlock(&vhost_registry->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&vhost_registry->lock);
	free(vhost_registry);
	vhost_registry = NULL;
}

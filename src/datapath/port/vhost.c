// SPDX-License-Identifier: BSD-3-Clause
#include "port/vhost.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bsd/string.h>

#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "memory.h"

#define VHOST_LIB_BURST 32 // packets that rte_vhost gives in one call, at most

// UDP fragmentation offload has no counterpart in DPDK's requests.
#define VHOST_NOT_OFFERED ((1ULL << VIRTIO_NET_F_HOST_UFO) | (1ULL << VIRTIO_NET_F_GUEST_UFO))

static uint16_t
dequeue(int vid, uint16_t ring, struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = 0, some;

	do {
		some = rte_vhost_dequeue_burst(vid, ring, pool, pkts + got, n - got);
		got += some;
	} while (some == VHOST_LIB_BURST && got < n);
	return got;
}

// The network learns by it where the guest is now (a migration's end).
static uint16_t
rarp_asked(struct vhost_port *v, struct rte_mbuf **pkts)
{
	uint64_t asked = atomic_exchange(&v->rarp, 0);
	struct rte_ether_addr mac;

	memcpy(&mac, &asked, sizeof(mac));
	*pkts = asked == 0 ? NULL : rte_net_make_rarp_packet(v->pool, &mac);
	return *pkts != NULL;
}

static uint16_t
rx_pairs_of(struct vhost_port *v, const struct dp_port *p, uint16_t queue, int vid,
	struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t pairs = atomic_load_explicit(&v->rx_pairs, memory_order_acquire);
	struct vhost_gate *gate = &v->rx[queue];
	uint16_t pair = gate->next;
	bool own = atomic_load_explicit(&v->own, memory_order_relaxed);
	uint16_t got = 0, tried;

	if (unlikely(queue == 0 && atomic_load_explicit(&v->rarp, memory_order_relaxed) != 0))
		got = rarp_asked(v, pkts);
	// A guest may use more pairs than the port has queues: each queue serves every n-th.
	for (tried = queue; tried < pairs && got < n; tried += p->n_rxq) {
		if (pair >= pairs || pair < queue)
			pair = queue;
		got += own ? vring_take(&v->ring[pair * 2 + 1], v->pool, pkts + got, n - got)
			   : dequeue(vid, (uint16_t)(pair * 2 + 1), v->pool, pkts + got, n - got);
		pair += p->n_rxq;
	}
	gate->next = pair;
	return got;
}

static uint16_t
vhost_rx(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost_port *v = p->priv;
	int vid = vhost_enter(v, &v->rx[queue]);
	uint16_t got;

	if (vid < 0)
		return 0;
	got = rx_pairs_of(v, p, queue, vid, pkts, n);
	vhost_leave(&v->rx[queue]);
	return got;
}

// What the guest has a copy of. Mostly all are whole buffers of one pool that nobody else holds,
// which go back as they are: a packet of one segment has no next one, so that its second cache line
// is not read for it.
static void
free_sent(struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mempool *pool = pkts[0]->pool;
	uint64_t differ = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct rte_mbuf *m = pkts[i];

		differ |= (m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) |
			  (uint64_t)(rte_mbuf_refcnt_read(m) ^ 1) | (uint64_t)(m->nb_segs ^ 1) |
			  ((uintptr_t)m->pool ^ (uintptr_t)pool);
	}
	if (likely(differ == 0))
		rte_mempool_put_bulk(pool, (void **)pkts, n);
	else
		rte_pktmbuf_free_bulk(pkts, n);
}

static uint16_t
give(struct vhost_port *v, uint16_t pair, bool shared, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent;

	if (unlikely(shared))
		rte_spinlock_lock(&v->shared[pair]);
	sent = vring_give(&v->ring[pair * 2], pkts, n);
	if (unlikely(shared))
		rte_spinlock_unlock(&v->shared[pair]);
	return sent;
}

static uint16_t
vhost_tx(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost_port *v = p->priv;
	int vid = vhost_enter(v, &v->tx[queue]);
	uint16_t pairs, pair, sent = 0;

	if (vid < 0)
		return 0;
	pairs = atomic_load_explicit(&v->tx_pairs, memory_order_acquire);
	if (pairs != 0) {
		pair = queue < pairs ? queue : queue % pairs;
		if (likely(atomic_load_explicit(&v->own, memory_order_relaxed)))
			sent = give(v, pair, p->n_txq > pairs, pkts, n);
		else
			sent = rte_vhost_enqueue_burst(vid, (uint16_t)(pair * 2), pkts, n);
	}
	vhost_leave(&v->tx[queue]);
	if (likely(sent != 0))
		free_sent(pkts, sent);
	return sent;
}

static enum dp_drop
vhost_refused(struct dp_port *p, uint16_t queue)
{
	struct vhost_port *v = p->priv;
	enum dp_drop why = DP_DROP_TX_FULL;
	const struct vhost_ring *r;
	uint16_t pairs;

	if (vhost_enter(v, &v->tx[queue]) < 0)
		return DP_DROP_LINK_DOWN;
	pairs = atomic_load_explicit(&v->tx_pairs, memory_order_acquire);
	if (pairs == 0) {
		why = DP_DROP_LINK_DOWN;
	} else if (atomic_load_explicit(&v->own, memory_order_relaxed)) {
		r = &v->ring[queue % pairs * 2];
		if (atomic_load_explicit(&r->fault, memory_order_relaxed) != VRING_SOUND)
			why = DP_DROP_GUEST_RING;
		else if (r->size == 0) // its memory or its parts are gone
			why = DP_DROP_LINK_DOWN;
	}
	vhost_leave(&v->tx[queue]);
	return why;
}

// It stays up while one of the guest's messages is handled: what waits in rings may wait for that.
static bool
vhost_link(const struct dp_port *p)
{
	const struct vhost_port *v = p->priv;

	return atomic_load_explicit(&v->guest, memory_order_relaxed) >= 0 &&
	       atomic_load_explicit(&v->tx_pairs, memory_order_relaxed) != 0;
}

// The library keeps none of its own: what the workers moved.
static void
vhost_counters(const struct dp_port *p, struct dp_port_counters *out)
{
	unsigned w;

	memset(out, 0, sizeof(*out));
	for (w = 0; w < DP_WORKERS_MAX; w++) {
		const struct dp_port_worker *pw = p->worker[w];
		uint16_t q;

		if (pw == NULL)
			continue;
		for (q = 0; q < p->n_rxq; q++) {
			out->rx_packets +=
				atomic_load_explicit(&pw->rxq[q].packets, memory_order_relaxed);
			out->rx_bytes +=
				atomic_load_explicit(&pw->rxq[q].bytes, memory_order_relaxed);
		}
		out->tx_packets += atomic_load_explicit(&pw->tx_packets, memory_order_relaxed);
		out->tx_bytes += atomic_load_explicit(&pw->tx_bytes, memory_order_relaxed);
	}
}

static void
vhost_close(struct dp_port *p)
{
	struct vhost_port *v = p->priv;

	// What ends here ends on this thread: nobody may come instead, beside rte_vhost's.
	atomic_store(&v->closing, true);
	rte_vhost_driver_unregister(v->path);
	vhost_guests_forget(v);
	dp_free_mem(v);
	p->priv = NULL;
}

static const struct dp_port_ops vhost_ops = {
	.kind = "vhost-user",
	.rx = vhost_rx,
	.tx = vhost_tx,
	.refused = vhost_refused,
	.link = vhost_link,
	.counters = vhost_counters,
	.close = vhost_close,
};

bool
dp_port_vhost_rings(const struct dp_port *p, struct dp_vhost_rings *out)
{
	const struct vhost_port *v = p->priv;
	uint16_t i;

	memset(out, 0, sizeof(*out));
	if (p->ops != &vhost_ops)
		return false;
	out->guest = atomic_load(&v->guest) >= 0;
	out->own = atomic_load(&v->own);
	out->strangers = atomic_load(&v->strangers);
	for (i = 0; i < VHOST_VRINGS_MAX; i++) {
		unsigned fault = atomic_load(&v->ring[i].fault);

		out->refused += atomic_load(&v->ring[i].refused);
		if (fault == VRING_SOUND)
			continue;
		if (out->broken++ != 0)
			continue;
		out->first = i;
		out->why = vring_fault_text((enum vring_fault)fault);
	}
	return true;
}

// A socket that nobody listens at is what a process left behind; anything else is not ours.
static int
remove_stale(const char *path, struct sl_err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return sl_err_set(err, EEXIST, NULL, "%s is there and is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sl_err_set(err, errno, NULL, "cannot look at %s: %s", path, strerror(errno));
	strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	rc = connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
	rc = rc == 0 ? 0 : errno;
	close(fd);
	if (rc != ECONNREFUSED)
		return sl_err_set(err, EADDRINUSE, NULL, "another process listens at %s", path);
	if (unlink(path) != 0)
		return sl_err_set(err, errno, NULL, "cannot remove the stale socket %s: %s", path,
			strerror(errno));
	return 0;
}

static int
start_socket(struct vhost_port *v, const struct dp_vhost_cfg *cfg, struct sl_err *err)
{
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;
	int rc;

	if (cfg->client)
		flags |= RTE_VHOST_USER_CLIENT;
	else if ((rc = remove_stale(v->path, err)) != 0)
		return rc;
	if (rte_vhost_driver_register(v->path, flags) != 0)
		return sl_err_set(err, EIO, NULL, "cannot make a vhost-user socket at %s", v->path);
	rc = vhost_guests_serve(v);
	if (rc != 0) {
		sl_err_set(err, -rc, NULL, "cannot serve %s: %s", v->path, strerror(-rc));
	} else if (rte_vhost_driver_disable_features(v->path, VHOST_NOT_OFFERED) != 0 ||
		   rte_vhost_driver_start(v->path) != 0) {
		vhost_guests_forget(v);
		rc = sl_err_set(err, EIO, NULL, "cannot %s %s",
			cfg->client ? "connect to" : "listen at", v->path);
	}
	if (rc != 0)
		rte_vhost_driver_unregister(v->path);
	return rc;
}

static struct dp_port *
port_new(const struct dp_vhost_cfg *cfg)
{
	struct dp_port *p = dp_zalloc(sizeof(*p), SOCKET_ID_ANY);
	struct vhost_port *v = dp_zalloc(sizeof(*v), SOCKET_ID_ANY);
	unsigned i;

	if (p == NULL || v == NULL) {
		dp_free_mem(p);
		dp_free_mem(v);
		return NULL;
	}
	v->port = p;
	v->pool = cfg->pool;
	v->library = cfg->library_rings;
	strlcpy(v->path, cfg->path, sizeof(v->path));
	atomic_store(&v->vid, -1);
	atomic_store(&v->guest, -1);
	atomic_store(&v->rings_of, -1);
	for (i = 0; i < VHOST_SEATS; i++)
		v->seat[i].vid = -1;
	p->ops = &vhost_ops;
	p->priv = v;
	p->vport = DP_NONE;
	p->nic = DP_NONE;
	p->n_rxq = cfg->queues;
	p->n_txq = cfg->queues;
	p->mtu = cfg->mtu;
	p->rx_device_flags = true; // rte_vhost's, from the guest's headers
	p->lro = true;
	p->tso_sum_len = true;
	atomic_store(&p->tx_offloads, RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	snprintf(p->name, sizeof(p->name), "%s", cfg->path);
	return p;
}

int
dp_port_vhost(const struct dp_vhost_cfg *cfg, struct dp_port **out, struct sl_err *err)
{
	struct dp_port *p;
	int rc;

	if (cfg->queues == 0 || cfg->queues > VHOST_VRINGS_MAX / 2)
		return sl_err_set(err, EINVAL, NULL, "1 to %u queue pairs, not %u",
			VHOST_VRINGS_MAX / 2, cfg->queues);
	if (strlen(cfg->path) >= sizeof(((struct vhost_port *)0)->path))
		return sl_err_set(err, ENAMETOOLONG, NULL,
			"%s is longer than a socket's name may be", cfg->path);
	p = port_new(cfg);
	if (p == NULL)
		return sl_err_set(err, ENOMEM, NULL, "no memory for %s", cfg->path);
	rc = start_socket(p->priv, cfg, err);
	if (rc != 0) {
		dp_free_mem(p->priv);
		dp_free_mem(p);
		return rc;
	}
	*out = p;
	return 0;
}

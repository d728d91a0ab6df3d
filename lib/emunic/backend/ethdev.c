// SPDX-License-Identifier: BSD-3-Clause
#include "backend/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "backend/ethdev_find.h"
#include "backend/latch.h"
#include "backend/mbuf.h"

// Any ethdev as the peer: `[ethdev,NAME]` takes a port that exists and is stopped,
// `[ethdev,DEVARGS]` probes a device (what `--vdev` or `-a` take). The port gets one queue pair and
// an owner, so that applications do not see it. Checksum and segmentation offload are handed on
// when the device has all of them.
//
// At close a port that was probed here is closed and is gone from the list of ports. Its device
// stays on its bus until it is probed here again or until EAL cleans up: EAL's cleanup walks the
// list of virtual devices with its next one in hand, so a driver must not remove another device
// from its own removal.
//
// Source: DPDK programmer's guide, "Poll Mode Driver", Device Identification, Ownership.

#define DESCRIPTORS 512
#define LINK_EVERY_NS 10000000
#define SHUT_MS 1000
#define TX_OFFLOADS                                                                                \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |                            \
		RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |                        \
		RTE_ETH_TX_OFFLOAD_MULTI_SEGS)

struct ethdev {
	struct emu_backend base;
	struct emu_backend_stats stats;
	struct emu_latch latch; // shut for good once the device is gone
	atomic_bool destroyed;  // the port too
	struct rte_mempool *pool;
	struct rte_eth_dev_owner owner;
	uint16_t port;
	bool probed; // here: closed here
	bool owned;
	bool started;
	bool segments; // the device takes chains
	bool offloads; // and all of TX_OFFLOADS
	bool up;
	uint64_t link_at; // when the link was last looked at
};

// The device is going away, by hot unplug or at the hands of another; the firmware must not touch
// it from here on.
static int
on_gone(uint16_t port, enum rte_eth_event_type type, void *arg, void *ret)
{
	struct ethdev *e = arg;

	emu_latch_shut(&e->latch, SHUT_MS);
	if (type == RTE_ETH_EVENT_DESTROY)
		atomic_store(&e->destroyed, true);
	return 0;
}

static uint16_t
ethdev_rx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct ethdev *e = (struct ethdev *)b;
	uint16_t got;

	if (!emu_latch_enter(&e->latch))
		return 0;
	got = rte_eth_rx_burst(e->port, 0, pkts, n);
	emu_latch_leave(&e->latch);
	e->stats.rx_packets += got;
	e->stats.rx_bytes += emu_mbuf_bytes(pkts, got);
	return got;
}

// Makes one segment of a chain for a device that takes no chains. Returns 0, -EAGAIN without a
// buffer, -EMSGSIZE when it can never be.
static int
flatten(struct ethdev *e, struct rte_mbuf **m)
{
	uint32_t room = rte_pktmbuf_data_room_size(e->pool) - RTE_PKTMBUF_HEADROOM;
	struct rte_mbuf *copy;

	if ((*m)->pkt_len > room)
		return -EMSGSIZE;
	copy = rte_pktmbuf_copy(*m, e->pool, 0, UINT32_MAX);
	if (copy == NULL)
		return -EAGAIN;
	rte_pktmbuf_free(*m);
	*m = copy;
	return 0;
}

// Puts packets into the shape that the device takes; returns how many of them, from the first, may
// be sent. When that is not all, *never tells whether the next one can never be.
static uint16_t
prepare(struct ethdev *e, struct rte_mbuf **pkts, uint16_t n, bool *never)
{
	uint16_t ready = 0;
	int rc = 0;

	*never = true;
	if (e->offloads)
		return rte_eth_tx_prepare(e->port, 0, pkts, n);
	if (e->segments)
		return n;
	while (ready < n && rc == 0) {
		if (pkts[ready]->nb_segs > 1)
			rc = flatten(e, &pkts[ready]);
		ready += rc == 0;
	}
	*never = rc == -EMSGSIZE;
	return ready;
}

static uint16_t
send_ready(struct ethdev *e, struct rte_mbuf **pkts, uint16_t n)
{
	uint32_t len[EMU_BURST];
	uint16_t sent;

	for (uint16_t i = 0; i < n; i++)
		len[i] = pkts[i]->pkt_len;
	sent = rte_eth_tx_burst(e->port, 0, pkts, n);
	for (uint16_t i = 0; i < sent; i++)
		e->stats.tx_bytes += len[i];
	e->stats.tx_packets += sent;
	return sent;
}

// Sends up to EMU_BURST packets; those of an impossible shape are lost on the way.
static uint16_t
send_burst(struct ethdev *e, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t done = 0;

	while (done < n) {
		bool never;
		uint16_t ready = prepare(e, pkts + done, n - done, &never);
		uint16_t sent = send_ready(e, pkts + done, ready);

		done += sent;
		if (done == n || sent < ready || !never)
			break;
		rte_pktmbuf_free(pkts[done++]);
		e->stats.tx_errors++;
	}
	return done;
}

static uint16_t
ethdev_tx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct ethdev *e = (struct ethdev *)b;
	uint16_t done = 0;

	if (!emu_latch_enter(&e->latch))
		return 0;
	while (done < n) {
		uint16_t part = RTE_MIN(n - done, EMU_BURST);
		uint16_t sent = send_burst(e, pkts + done, part);

		done += sent;
		if (sent < part)
			break;
	}
	emu_latch_leave(&e->latch);
	return done;
}

static bool
ethdev_link(struct emu_backend *b)
{
	struct ethdev *e = (struct ethdev *)b;
	uint64_t now = emu_now_ns();
	struct rte_eth_link link;

	if (!emu_latch_enter(&e->latch))
		return false;
	if (e->link_at == 0 || now - e->link_at >= LINK_EVERY_NS) {
		e->link_at = now;
		e->up = rte_eth_link_get_nowait(e->port, &link) == 0 &&
			link.link_status == RTE_ETH_LINK_UP;
	}
	emu_latch_leave(&e->latch);
	return e->up;
}

static bool
ethdev_takes_offloads(struct emu_backend *b)
{
	return ((struct ethdev *)b)->offloads;
}

static uint64_t
ethdev_next_event(struct emu_backend *b)
{
	return UINT64_MAX;
}

static void
ethdev_stats(struct emu_backend *b, struct emu_backend_stats *out)
{
	struct ethdev *e = (struct ethdev *)b;
	struct rte_eth_stats device;

	*out = e->stats;
	if (!emu_latch_enter(&e->latch))
		return;
	if (rte_eth_stats_get(e->port, &device) == 0)
		out->rx_errors = device.ierrors;
	emu_latch_leave(&e->latch);
}

// As on open: as much of it as the device carries.
static int
ethdev_mtu(struct emu_backend *b, uint16_t mtu)
{
	struct ethdev *e = (struct ethdev *)b;
	struct rte_eth_dev_info info;
	int rc;

	if (!emu_latch_enter(&e->latch))
		return 0;
	rc = rte_eth_dev_info_get(e->port, &info);
	if (rc == 0 && info.max_mtu != 0)
		mtu = RTE_MIN(mtu, info.max_mtu);
	if (rc == 0)
		rc = rte_eth_dev_set_mtu(e->port, mtu);
	emu_latch_leave(&e->latch);
	return rc;
}

static void
ethdev_close(struct emu_backend *b)
{
	struct ethdev *e = (struct ethdev *)b;

	// Of every port: one that was destroyed keeps its callbacks for the next of its number.
	rte_eth_dev_callback_unregister(RTE_ETH_ALL, RTE_ETH_EVENT_INTR_RMV, on_gone, e);
	rte_eth_dev_callback_unregister(RTE_ETH_ALL, RTE_ETH_EVENT_DESTROY, on_gone, e);
	if (!atomic_load(&e->destroyed)) {
		if (e->started)
			rte_eth_dev_stop(e->port);
		if (e->owned)
			rte_eth_dev_owner_unset(e->port, e->owner.id);
		if (e->probed)
			rte_eth_dev_close(e->port);
	}
	free(e);
}

static int
take(struct ethdev *e, const struct emu_backend_env *env, const char *text, char *why,
	size_t why_len)
{
	int rc = rte_eth_dev_owner_new(&e->owner.id);

	// By this name others find who has taken it (ethdev_find.c).
	snprintf(e->owner.name, sizeof(e->owner.name), "%s %s", env->nic, env->side);
	if (rc == 0)
		rc = rte_eth_dev_owner_set(e->port, &e->owner);
	if (rc != 0)
		return emu_ethdev_say(why, why_len, text, "it belongs to somebody else", rc);
	e->owned = true;
	rc = rte_eth_dev_callback_register(e->port, RTE_ETH_EVENT_INTR_RMV, on_gone, e);
	if (rc == 0)
		rc = rte_eth_dev_callback_register(e->port, RTE_ETH_EVENT_DESTROY, on_gone, e);
	return rc != 0 ? emu_ethdev_say(why, why_len, text, "cannot watch it", rc) : 0;
}

static int
configure(struct ethdev *e, const struct emu_backend_env *env, const char *text, char *why,
	size_t why_len)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	uint16_t n_rx = DESCRIPTORS, n_tx = DESCRIPTORS;
	struct rte_eth_txconf txconf;
	int rc = rte_eth_dev_info_get(e->port, &info);

	if (rc != 0)
		return emu_ethdev_say(why, why_len, text, "cannot read what it can do", rc);
	e->segments = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	e->offloads = (info.tx_offload_capa & TX_OFFLOADS) == TX_OFFLOADS;
	conf.rxmode.mtu = info.max_mtu != 0 ? RTE_MIN(env->mtu, info.max_mtu) : env->mtu;
	if (conf.rxmode.mtu > RTE_ETHER_MTU)
		conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.txmode.offloads =
		e->offloads ? TX_OFFLOADS : info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	rc = rte_eth_dev_configure(e->port, 1, 1, &conf);
	if (rc == -EBUSY)
		return emu_ethdev_say(why, why_len, text, "it is running, stop it first", rc);
	if (rc != 0)
		return emu_ethdev_say(why, why_len, text, "it takes no configuration", rc);
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(e->port, &n_rx, &n_tx);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(e->port, 0, n_rx, env->socket_id, NULL, env->pool);
	txconf = info.default_txconf;
	txconf.offloads = conf.txmode.offloads;
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(e->port, 0, n_tx, env->socket_id, &txconf);
	if (rc == 0)
		rc = rte_eth_dev_start(e->port);
	if (rc != 0)
		return emu_ethdev_say(why, why_len, text, "it does not start", rc);
	e->started = true;
	// Best effort: a device that has no such mode passes everything anyway.
	rte_eth_promiscuous_enable(e->port);
	if (conf.rxmode.mtu < env->mtu)
		snprintf(why, why_len, "ethdev: %s carries an MTU of %u at most, the NIC has %u",
			text, conf.rxmode.mtu, env->mtu);
	return 0;
}

static int
ethdev_open(const struct emu_backend_env *env, const char *text, struct emu_backend **out,
	char *why, size_t why_len)
{
	struct ethdev *e;
	int rc;

	if (text[0] == '\0') {
		snprintf(why, why_len, "ethdev: the name or the devargs of a device are missing");
		return -EINVAL;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		snprintf(why, why_len, "ethdev: no memory");
		return -ENOMEM;
	}
	e->base.ops = emu_backend_ethdev();
	e->pool = env->pool;
	rc = emu_ethdev_find(env->nic, text, &e->port, &e->probed, why, why_len);
	if (rc == 0)
		rc = take(e, env, text, why, why_len);
	if (rc == 0)
		rc = configure(e, env, text, why, why_len);
	if (rc != 0) {
		ethdev_close(&e->base);
		return rc;
	}
	*out = &e->base;
	return 0;
}

const struct emu_backend_ops *
emu_backend_ethdev(void)
{
	static const struct emu_backend_ops ops = {
		.kind = "ethdev",
		.open = ethdev_open,
		.close = ethdev_close,
		.rx = ethdev_rx,
		.tx = ethdev_tx,
		.link = ethdev_link,
		.takes_offloads = ethdev_takes_offloads,
		.next_event = ethdev_next_event,
		.mtu = ethdev_mtu,
		.stats = ethdev_stats,
	};

	return &ops;
}

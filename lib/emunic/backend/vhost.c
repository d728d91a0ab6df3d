// SPDX-License-Identifier: BSD-3-Clause
#include "backend/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "backend/args.h"
#include "backend/mbuf.h"
#include "backend/offload.h"
#include "backend/vhost_conn.h"

// A guest (QEMU, a container by virtio-user) on a vhost-user socket, served by the rte_vhost
// library: `path` is the socket, `client=1` connects to it (and goes on trying) where the default
// listens at it, `queues` is the number of queue pairs. Mergeable buffers, checksum and TCP
// segmentation offloads are negotiated. All enabled transmit queues of the guest are polled, with
// its kicks switched off. Which of its receive queues a packet takes is the NIC's choice (vf.h).
//
// What the guest claims about a packet is checked (offload.h); a lie is counted in
// rx_errors and dropped.

struct vhost {
	struct emu_backend base;
	struct emu_backend_stats stats;
	struct rte_mempool *pool;
	struct emu_vhost_socket socket;
	// Of the firmware, for the connection with this epoch.
	uint64_t epoch;
	uint16_t next_pair;
	bool quiet[EMU_VHOST_PAIRS_MAX]; // the guest's kicks are switched off
};

// The active connection, or NULL; with it the latch is held.
static const struct emu_vhost_conn *
hold(struct vhost *v)
{
	if (!emu_latch_enter(&v->socket.latch))
		return NULL;
	if (v->epoch != v->socket.epoch) {
		v->epoch = v->socket.epoch;
		v->next_pair = 0;
		memset(v->quiet, 0, sizeof(v->quiet));
	}
	return v->socket.active;
}

static void
release(struct vhost *v)
{
	emu_latch_leave(&v->socket.latch);
}

// Drops what the guest lied about; returns how many packets are left.
static uint16_t
keep_honest(struct vhost *v, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (emu_offload_check(pkts[i])) {
			pkts[kept++] = pkts[i];
		} else {
			rte_pktmbuf_free(pkts[i]);
			v->stats.rx_errors++;
		}
	}
	return kept;
}

static uint16_t
rx_pair(struct vhost *v, const struct emu_vhost_conn *c, uint16_t pair, struct rte_mbuf **pkts,
	uint16_t n)
{
	uint16_t queue = pair * 2 + 1;
	uint16_t got;

	if (!v->quiet[pair])
		v->quiet[pair] = rte_vhost_enable_guest_notification(c->vid, queue, 0) == 0;
	got = rte_vhost_dequeue_burst(c->vid, queue, v->pool, pkts, n);
	return keep_honest(v, pkts, got);
}

static uint16_t
vhost_rx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost *v = (struct vhost *)b;
	const struct emu_vhost_conn *c = hold(v);
	uint16_t got = 0;

	if (c == NULL)
		return 0;
	for (uint16_t i = 0; i < c->pairs && got < n; i++) {
		if (b->still == NULL || !(b->still[v->next_pair / 64] >> v->next_pair % 64 & 1))
			got += rx_pair(v, c, v->next_pair, pkts + got, n - got);
		v->next_pair = v->next_pair + 1 < c->pairs ? v->next_pair + 1 : 0;
	}
	release(v);
	v->stats.rx_packets += got;
	v->stats.rx_bytes += emu_mbuf_bytes(pkts, got);
	return got;
}

// The packet asks for an offload that this guest has not agreed to: it came between the NIC's
// question and now. It cannot be delivered.
static bool
unwanted(const struct emu_vhost_conn *c, const struct rte_mbuf *m)
{
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		return !c->segments;
	return (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0 && !c->sums;
}

// Enqueues one queue's packets and frees those that the guest got.
static uint16_t
tx_queue(struct vhost *v, const struct emu_vhost_conn *c, uint16_t pair, struct rte_mbuf **pkts,
	uint16_t n)
{
	uint16_t sent = rte_vhost_enqueue_burst(c->vid, pair * 2, pkts, n);

	v->stats.tx_packets += sent;
	v->stats.tx_bytes += emu_mbuf_bytes(pkts, sent);
	rte_pktmbuf_free_bulk(pkts, sent);
	return sent;
}

// Pairs whose receive queue the guest has enabled, the first when it has told of none.
static uint16_t
pairs_on(const struct emu_vhost_conn *c, uint16_t *pairs)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < c->pairs; i++)
		if (atomic_load_explicit(&c->rx_on[i], memory_order_relaxed))
			pairs[n++] = i;
	if (n == 0)
		pairs[n++] = 0;
	return n;
}

// Sends up to EMU_BURST packets, queue by queue; those that found no room go to the end of pkts.
static uint16_t
tx_spread(struct vhost *v, const struct emu_vhost_conn *c, const uint16_t *pairs, uint16_t n_pairs,
	struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mbuf *all[EMU_BURST], *part[EMU_BURST];
	uint16_t pair_of[EMU_BURST];
	uint16_t left = 0;

	for (uint16_t i = 0; i < n; i++) {
		all[i] = pkts[i];
		pair_of[i] = pkts[i]->hash.txadapter.txq % n_pairs;
	}
	for (uint16_t p = 0; p < n_pairs; p++) {
		uint16_t count = 0, sent;

		for (uint16_t i = 0; i < n; i++)
			if (pair_of[i] == p)
				part[count++] = all[i];
		if (count == 0)
			continue;
		sent = tx_queue(v, c, pairs[p], part, count);
		left += count - sent;
		memcpy(pkts + n - left, part + sent, (count - sent) * sizeof(*part));
	}
	return n - left;
}

// Frees packets that the guest can never take; returns how many are left, at the end of pkts.
static uint16_t
drop_unwanted(struct vhost *v, const struct emu_vhost_conn *c, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = n; i-- > 0;) {
		if (unwanted(c, pkts[i])) {
			rte_pktmbuf_free(pkts[i]);
			v->stats.tx_errors++;
		} else {
			pkts[n - ++kept] = pkts[i];
		}
	}
	return kept;
}

static uint16_t
vhost_tx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost *v = (struct vhost *)b;
	const struct emu_vhost_conn *c = hold(v);
	uint16_t pairs[EMU_VHOST_PAIRS_MAX];
	uint16_t done = 0, n_pairs;

	if (c == NULL)
		return 0;
	n_pairs = pairs_on(c, pairs);
	while (done < n) {
		uint16_t part = RTE_MIN(n - done, EMU_BURST);
		uint16_t kept = drop_unwanted(v, c, pkts + done, part);
		uint16_t sent;

		done += part - kept;
		sent = n_pairs == 1 ? tx_queue(v, c, pairs[0], pkts + done, kept)
				    : tx_spread(v, c, pairs, n_pairs, pkts + done, kept);
		done += sent;
		if (sent < kept)
			break;
	}
	release(v);
	return done;
}

static uint16_t
vhost_rx_queues(struct emu_backend *b)
{
	struct vhost *v = (struct vhost *)b;
	const struct emu_vhost_conn *c = hold(v);
	uint16_t pairs[EMU_VHOST_PAIRS_MAX];
	uint16_t n = 1;

	if (c == NULL)
		return n;
	n = pairs_on(c, pairs);
	release(v);
	return n;
}

static bool
vhost_link(struct emu_backend *b)
{
	struct vhost *v = (struct vhost *)b;
	bool up = hold(v) != NULL;

	if (up)
		release(v);
	return up;
}

static bool
vhost_takes_offloads(struct emu_backend *b)
{
	struct vhost *v = (struct vhost *)b;
	const struct emu_vhost_conn *c = hold(v);
	bool takes = c != NULL && c->segments;

	if (c != NULL)
		release(v);
	return takes;
}

static uint64_t
vhost_next_event(struct emu_backend *b)
{
	return UINT64_MAX;
}

static void
vhost_move(struct emu_backend *b, const struct emu_backend_env *env)
{
	((struct vhost *)b)->pool = env->pool;
}

static void
vhost_stats(struct emu_backend *b, struct emu_backend_stats *out)
{
	*out = ((struct vhost *)b)->stats;
}

static void
vhost_close(struct emu_backend *b)
{
	struct vhost *v = (struct vhost *)b;

	emu_vhost_socket_close(&v->socket);
	free(v);
}

static int
vhost_open(const struct emu_backend_env *env, const char *text, struct emu_backend **out, char *why,
	size_t why_len)
{
	char path[EMU_VHOST_PATH_MAX] = "";
	uint64_t queues = 1;
	bool client = false;
	struct emu_arg args[] = {
		{.key = "path",
			.type = EMU_ARG_TEXT,
			.out = path,
			.size = sizeof(path),
			.required = true},
		{.key = "client", .type = EMU_ARG_BOOL, .out = &client},
		{.key = "queues",
			.type = EMU_ARG_UINT,
			.out = &queues,
			.lo = 1,
			.hi = EMU_VHOST_PAIRS_MAX},
	};
	struct vhost *v;
	int rc;

	rc = emu_args_parse("vhost-user", text, args, RTE_DIM(args), why, why_len);
	if (rc != 0)
		return rc;
	v = calloc(1, sizeof(*v));
	if (v == NULL) {
		snprintf(why, why_len, "vhost-user: no memory");
		return -ENOMEM;
	}
	v->base.ops = emu_backend_vhost();
	v->pool = env->pool;
	memcpy(v->socket.path, path, sizeof(path));
	rc = emu_vhost_socket_open(&v->socket, client, queues, why, why_len);
	if (rc != 0) {
		free(v);
		return rc;
	}
	*out = &v->base;
	return 0;
}

const struct emu_backend_ops *
emu_backend_vhost(void)
{
	static const struct emu_backend_ops ops = {
		.kind = "vhost-user",
		.open = vhost_open,
		.close = vhost_close,
		.rx = vhost_rx,
		.tx = vhost_tx,
		.rx_queues = vhost_rx_queues,
		.link = vhost_link,
		.takes_offloads = vhost_takes_offloads,
		.next_event = vhost_next_event,
		.move = vhost_move,
		.stats = vhost_stats,
	};

	return &ops;
}

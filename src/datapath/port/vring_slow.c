// SPDX-License-Identifier: BSD-3-Clause
#include "port/vring_slow.h"

#include "port/vring_header.h"

#define BUFFERS_MAX VRING_PIECES_MAX // of one packet

struct cursor { // where in a buffer of pieces
	const struct vring_pieces *of;
	unsigned i;
	uint32_t off;
};

// The next bytes in one piece, len at most; there are some.
static uint8_t *
step(struct cursor *c, uint32_t *len)
{
	const struct vring_piece *p = &c->of->piece[c->i];
	uint8_t *at = p->at + c->off;

	*len = RTE_MIN(*len, p->len - c->off);
	c->off += *len;
	if (c->off == p->len) {
		c->i++;
		c->off = 0;
	}
	return at;
}

static void
read_bytes(struct cursor *c, void *to, uint32_t len)
{
	uint32_t got = 0;

	while (got < len) {
		uint32_t some = len - got;
		const uint8_t *at = step(c, &some);

		memcpy((uint8_t *)to + got, at, some);
		got += some;
	}
}

static void
write_bytes(struct cursor *c, const void *from, uint32_t len)
{
	uint32_t put = 0;

	while (put < len) {
		uint32_t some = len - put;
		uint8_t *at = step(c, &some);

		memcpy(at, (const uint8_t *)from + put, some);
		put += some;
	}
}

// A packet of len bytes in as many segments as it takes, or NULL.
static struct rte_mbuf *
read_packet(struct cursor *c, struct rte_mempool *pool, uint32_t len)
{
	struct rte_mbuf *first = NULL, *last = NULL;

	while (len != 0) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		uint32_t some;

		if (m == NULL) {
			rte_pktmbuf_free(first);
			return NULL;
		}
		some = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(m));
		read_bytes(c, rte_pktmbuf_mtod(m, void *), some);
		m->data_len = (uint16_t)some;
		if (first == NULL) {
			first = m;
		} else {
			last->next = m;
			first->nb_segs++;
		}
		last = m;
		first->pkt_len += some;
		len -= some;
	}
	return first;
}

bool
vring_take_one(struct vhost_ring *r, uint16_t head, struct rte_mempool *pool, struct rte_mbuf **m)
{
	struct vring_pieces pieces;
	struct cursor c = {.of = &pieces};
	struct virtio_net_hdr_v1 h;

	*m = NULL;
	vring_pieces_clear(&pieces);
	if (!vring_chain(r, head, false, &pieces))
		return false;
	if (pieces.bytes <= sizeof(h) || pieces.bytes - sizeof(h) > VRING_FRAME_MAX) {
		atomic_store_explicit(&r->refused,
			atomic_load_explicit(&r->refused, memory_order_relaxed) + 1,
			memory_order_relaxed);
		return true;
	}
	read_bytes(&c, &h, sizeof(h));
	atomic_signal_fence(memory_order_seq_cst); // what is looked at is what is used
	*m = read_packet(&c, pool, (uint32_t)(pieces.bytes - sizeof(h)));
	if (*m == NULL)
		return false;
	if (h.flags != 0 || h.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		vring_header_read(*m, &h);
	return true;
}

// How many buffers make room for need bytes; 0: there is not that much, or the ring is broken.
static uint16_t
gather(struct vhost_ring *r, uint64_t need, uint16_t available, uint16_t *head, uint32_t *room,
	struct vring_pieces *pieces)
{
	uint16_t limit = RTE_MIN(available, (uint16_t)(r->mergeable ? BUFFERS_MAX : 1)), n = 0;

	while (pieces->bytes < need) {
		uint64_t before = pieces->bytes;

		if (n == limit)
			return 0;
		head[n] = vring_head(r, (uint16_t)(r->next + n));
		if (head[n] >= r->size) {
			vring_break(r, VRING_HEAD);
			return 0;
		}
		if (!vring_chain(r, head[n], true, pieces))
			return 0;
		room[n] = (uint32_t)RTE_MIN(pieces->bytes - before, need - before);
		n++;
	}
	return n;
}

uint16_t
vring_give_one(struct vhost_ring *r, const struct rte_mbuf *m, uint16_t available)
{
	uint16_t head[BUFFERS_MAX], n, i;
	struct vring_pieces pieces;
	struct cursor c = {.of = &pieces};
	struct virtio_net_hdr_v1 h = {.flags = 0};
	uint32_t room[BUFFERS_MAX];

	vring_pieces_clear(&pieces);
	n = gather(r, (uint64_t)sizeof(h) + m->pkt_len, available, head, room, &pieces);
	if (n == 0)
		return 0;
	if (m->ol_flags & VRING_HEADER_ASKS)
		vring_header_write(m, &h);
	h.num_buffers = n;
	write_bytes(&c, &h, sizeof(h));
	for (; m != NULL; m = m->next)
		write_bytes(&c, rte_pktmbuf_mtod(m, const void *), m->data_len);
	for (i = 0; i < n; i++)
		vring_used(r, (uint16_t)(r->next + i), head[i], room[i]);
	return n;
}

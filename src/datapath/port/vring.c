// SPDX-License-Identifier: BSD-3-Clause
#include "port/vring.h"

#include <string.h>
#include <sys/eventfd.h>

#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "port/vring_chain.h"
#include "port/vring_header.h"
#include "port/vring_slow.h"

#define FEATURE(name) (1ULL << (name))
// What would have to be written, read or counted in another way than here.
#define NOT_HERE                                                                                   \
	(FEATURE(VIRTIO_F_RING_PACKED) | FEATURE(VIRTIO_F_ACCESS_PLATFORM) |                       \
		FEATURE(VHOST_F_LOG_ALL))
#define LINE 64
#define SLOW_AHEAD 4

static_assert(sizeof(struct virtio_net_hdr_v1) == VRING_HEADER, "layout of virtio 1.1");
static_assert(sizeof(struct vhost_ring) == 2 * LINE, "two cache lines");
static_assert(sizeof(struct vring_desc_copy) == sizeof(struct vring_desc), "layout of virtio 1.1");

bool
vring_features_fit(uint64_t features)
{
	return (features & FEATURE(VIRTIO_F_VERSION_1)) && !(features & NOT_HERE);
}

bool
vring_begin(struct vhost_ring *r, const struct vring_setup *s)
{
	const struct rte_vhost_vring *from = &s->ring;

	r->size = 0;
	if (from->desc == NULL || from->avail == NULL || from->used == NULL || from->size == 0 ||
		(from->size & (from->size - 1)) != 0 || from->size > 1 << 15 ||
		(uintptr_t)from->desc % 16 != 0 || (uintptr_t)from->avail % 2 != 0 ||
		(uintptr_t)from->used % 4 != 0)
		return false;
	r->desc = from->desc;
	r->avail = from->avail;
	r->used = from->used;
	r->memory = s->memory;
	memset(&r->hot, 0, sizeof(r->hot));
	r->next = s->next;
	r->seen = s->next;
	r->told_valid = false;
	r->mergeable = (s->features & FEATURE(VIRTIO_NET_F_MRG_RXBUF)) != 0;
	r->in_order = (s->features & FEATURE(VIRTIO_F_IN_ORDER)) != 0;
	r->event_idx = (s->features & FEATURE(VIRTIO_RING_F_EVENT_IDX)) != 0;
	r->indirect = (s->features & FEATURE(VIRTIO_RING_F_INDIRECT_DESC)) != 0;
	r->call = from->callfd;
	r->size = from->size;
	if (!r->event_idx) // it is polled: the guest's kicks would be for nothing
		__atomic_store_n(&r->used->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
	return true;
}

// How many buffers are available, n at most.
static inline uint16_t
available(struct vhost_ring *r, uint16_t n)
{
	uint16_t left = (uint16_t)(r->seen - r->next);

	if (unlikely(r->size == 0 || atomic_load_explicit(&r->fault, memory_order_relaxed)))
		return 0;
	if (left < n) {
		r->seen = __atomic_load_n(&r->avail->idx, __ATOMIC_ACQUIRE);
		left = (uint16_t)(r->seen - r->next);
		if (unlikely(left > r->size)) {
			vring_break(r, VRING_JUMP);
			return 0;
		}
	}
	return RTE_MIN(n, left);
}

// Does the guest wait for an interrupt at what `next` has just passed (virtio 1.1, 2.6.7)?
static bool
guest_waits(struct vhost_ring *r)
{
	uint16_t old = r->told, event;
	bool valid = r->told_valid;

	if (!r->event_idx)
		return !(__atomic_load_n(&r->avail->flags, __ATOMIC_RELAXED) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	event = __atomic_load_n(&r->avail->ring[r->size], __ATOMIC_RELAXED);
	r->told = r->next;
	r->told_valid = true;
	return !valid || vring_need_event(event, r->next, old);
}

static inline void
publish(struct vhost_ring *r)
{
	__atomic_store_n(&r->used->idx, r->next, __ATOMIC_RELEASE);
	// The guest says that it waits, then looks at the index: one of the two sees the other.
	atomic_thread_fence(memory_order_seq_cst);
	if (unlikely(guest_waits(r)) && r->call >= 0)
		eventfd_write(r->call, 1);
}

// Small packets are most; what is known of their length spares a call.
static inline void
copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
	if (likely(len - LINE <= LINE)) {
		rte_mov64(to, from);
		rte_mov64(to + len - LINE, from + len - LINE);
	} else {
		rte_memcpy(to, from, len);
	}
}

static inline void
prefetch_to_read(const uint8_t *at, uint32_t len)
{
	rte_prefetch0(at);
	if (len > LINE - ((uintptr_t)at & (LINE - 1)))
		rte_prefetch0(at + LINE);
}

// The line comes as one that may be written. GCC makes a plain prefetch of __builtin_prefetch for
// the instruction set that DPDK asks for at least; a CPU that does not know this one ignores it.
static inline void
prefetch_to_write(uint8_t *at, uint32_t len)
{
#ifdef RTE_ARCH_X86
	__asm__ volatile("prefetchw %0" : : "m"(*at));
	if (len > LINE - ((uintptr_t)at & (LINE - 1)))
		__asm__ volatile("prefetchw %0" : : "m"(*(at + LINE)));
#else
	__builtin_prefetch(at, 1);
	__builtin_prefetch(at + LINE, 1);
#endif
}

struct burst {
	uint16_t n;
	uint16_t head[VRING_BURST];
	uint8_t *at[VRING_BURST];
	uint32_t len[VRING_BURST];
};

// The heads of the next buffers, n at most.
static inline void
read_heads(struct vhost_ring *r, struct burst *b, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n; i++) {
		b->head[i] = vring_head(r, (uint16_t)(r->next + i));
		if (unlikely(b->head[i] >= r->size)) {
			vring_break(r, VRING_HEAD);
			break;
		}
	}
	b->n = i;
}

// From buffer `from` to the one that is returned they are packets in one piece that fit a segment.
static inline uint16_t
plain_to_take(struct vhost_ring *r, struct burst *b, uint16_t from, uint16_t room)
{
	uint16_t i;

	for (i = from; i < b->n; i++) {
		struct vring_desc_copy d = vring_desc_read(r, b->head[i]);

		if (unlikely(d.flags != 0 || d.len <= VRING_HEADER || d.len - VRING_HEADER > room))
			break;
		b->at[i] = vring_host(r, d.addr, d.len);
		if (unlikely(b->at[i] == NULL))
			break;
		b->len[i] = d.len - VRING_HEADER;
		prefetch_to_read(b->at[i], d.len);
	}
	return i;
}

static inline void
take_plain(struct rte_mbuf *m, const uint8_t *at, uint32_t len)
{
	struct virtio_net_hdr_v1 h;

	memcpy(&h, at, sizeof(h));
	atomic_signal_fence(memory_order_seq_cst); // what is looked at is what is used
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	copy(rte_pktmbuf_mtod(m, uint8_t *), at + VRING_HEADER, len);
	if (unlikely(h.flags != 0 || h.gso_type != VIRTIO_NET_HDR_GSO_NONE))
		vring_header_read(m, &h);
}

// What is done with buffers [from, to) of a burst. Not in order each has a used entry of its own.
static inline void
taken(struct vhost_ring *r, const struct burst *b, uint16_t from, uint16_t to)
{
	uint16_t i;

	for (i = from; i < to && !r->in_order; i++)
		vring_used(r, (uint16_t)(r->next + i - from), b->head[i], 0);
	r->next += to - from;
}

// Returns how many packets buffers [from, b->n) gave; *from goes on by the buffers that are done.
static inline uint16_t
take_from(struct vhost_ring *r, struct burst *b, uint16_t *from, struct rte_mempool *pool,
	struct rte_mbuf **pkts)
{
	uint16_t room = (uint16_t)(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM);
	uint16_t end = plain_to_take(r, b, *from, room), n = end - *from, i;

	if (likely(n != 0)) {
		if (unlikely(rte_pktmbuf_alloc_bulk(pool, pkts, n) != 0))
			return 0;
		for (i = 0; i < n; i++)
			take_plain(pkts[i], b->at[*from + i], b->len[*from + i]);
	} else {
		if (!vring_take_one(r, b->head[*from], pool, pkts))
			return 0;
		n = pkts[0] != NULL;
		end++;
	}
	taken(r, b, *from, end);
	*from = end;
	return n;
}

uint16_t
vring_take(struct vhost_ring *r, struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t first = r->next, got = 0, done = 0, before;
	struct burst b;

	n = available(r, RTE_MIN(n, (uint16_t)VRING_BURST));
	if (n == 0)
		return 0;
	read_heads(r, &b, n);
	do {
		before = done;
		if (done < b.n)
			got += take_from(r, &b, &done, pool, pkts + got);
	} while (unlikely(done < b.n && done != before));
	if (unlikely(done == 0))
		return 0;
	if (r->in_order)
		vring_used(r, first, b.head[done - 1], 0);
	publish(r);
	return got;
}

// For which packets, from the first on, one piece of memory is there.
static inline uint16_t
plain_to_give(struct vhost_ring *r, struct burst *b, struct rte_mbuf **pkts)
{
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		const struct rte_mbuf *m = pkts[i];
		struct vring_desc_copy d = vring_desc_read(r, b->head[i]);

		if (unlikely(d.flags != VRING_DESC_F_WRITE || m->nb_segs != 1 ||
			     d.len < VRING_HEADER + m->pkt_len))
			break;
		b->at[i] = vring_host(r, d.addr, d.len);
		if (unlikely(b->at[i] == NULL))
			break;
		prefetch_to_write(b->at[i], VRING_HEADER + m->pkt_len);
	}
	return i;
}

static inline void
give_plain(uint8_t *at, const struct rte_mbuf *m)
{
	struct virtio_net_hdr_v1 h = {.flags = 0};

	if (unlikely(m->ol_flags & VRING_HEADER_ASKS))
		vring_header_write(m, &h);
	h.num_buffers = 1;
	memcpy(at, &h, sizeof(h));
	copy(at + VRING_HEADER, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
}

// How many packets those buffers took.
static inline uint16_t
give_to(struct vhost_ring *r, struct burst *b, struct rte_mbuf **pkts)
{
	uint16_t n = plain_to_give(r, b, pkts), i;

	for (i = 0; i < n; i++) {
		give_plain(b->at[i], pkts[i]);
		vring_used(r, (uint16_t)(r->next + i), b->head[i], VRING_HEADER + pkts[i]->pkt_len);
	}
	r->next += n;
	return n;
}

uint16_t
vring_give(struct vhost_ring *r, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t first = r->next, done = 0, some, left;
	bool slow = false;
	struct burst b;

	n = RTE_MIN(n, (uint16_t)VRING_BURST);
	while (done < n && (left = available(r, (uint16_t)(n - done))) != 0) {
		read_heads(r, &b, slow ? RTE_MIN(left, (uint16_t)SLOW_AHEAD) : left);
		some = give_to(r, &b, pkts + done);
		done += some;
		if (likely(some != 0))
			continue;
		some = vring_give_one(r, pkts[done], available(r, VRING_PIECES_MAX));
		if (some == 0)
			break;
		r->next += some;
		done++;
		slow = true; // it is mostly not alone
	}
	if (likely(r->next != first))
		publish(r);
	return done;
}

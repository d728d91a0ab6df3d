// SPDX-License-Identifier: BSD-3-Clause
#include "backend/mbuf.h"

#include <string.h>

struct rte_mbuf *
emu_stash_get(struct emu_stash *s)
{
	if (s->n == 0) {
		if (emu_mbuf_take(s->of, s->pool, s->bufs, EMU_STASH) != 0)
			return rte_pktmbuf_alloc(s->pool);
		s->n = EMU_STASH;
	}
	return s->bufs[--s->n];
}

void
emu_stash_free(struct emu_stash *s)
{
	rte_pktmbuf_free_bulk(s->bufs, s->n);
	s->n = 0;
}

void
emu_stash_move(struct emu_stash *s, struct rte_mempool *pool)
{
	emu_stash_free(s);
	s->pool = pool;
}

// Adds frame_len bytes in further segments: what there is of data, then zeros.
static bool
append(struct emu_stash *s, struct rte_mbuf *head, const uint8_t *data, uint32_t data_len,
	uint32_t frame_len)
{
	struct rte_mbuf *tail = head;

	while (frame_len > 0) {
		struct rte_mbuf *seg = emu_stash_get(s);
		uint32_t len, copied;

		if (seg == NULL) {
			rte_pktmbuf_free(head);
			return false;
		}
		len = RTE_MIN(frame_len, rte_pktmbuf_tailroom(seg));
		copied = RTE_MIN(data_len, len);
		if (copied > 0)
			memcpy(rte_pktmbuf_mtod(seg, void *), data, copied);
		memset(rte_pktmbuf_mtod_offset(seg, void *, copied), 0, len - copied);
		seg->data_len = len;
		tail->next = seg;
		tail = seg;
		head->nb_segs++;
		data += copied;
		data_len -= copied;
		frame_len -= len;
	}
	return true;
}

bool
emu_mbuf_pad(struct emu_stash *s, struct rte_mbuf *m, uint32_t used, uint32_t frame_len)
{
	uint32_t len = RTE_MIN(frame_len, rte_pktmbuf_tailroom(m));

	memset(rte_pktmbuf_mtod_offset(m, void *, used), 0, len - used);
	m->data_len = len;
	m->pkt_len = frame_len;
	return len == frame_len || append(s, m, NULL, 0, frame_len - len);
}

struct rte_mbuf *
emu_mbuf_make(struct emu_stash *s, const void *data, uint32_t data_len, uint32_t frame_len)
{
	struct rte_mbuf *m = emu_stash_get(s);
	const uint8_t *from = data;
	uint32_t room, copied;

	if (m == NULL)
		return NULL;
	room = rte_pktmbuf_tailroom(m);
	copied = RTE_MIN(data_len, room);
	if (copied > 0)
		memcpy(rte_pktmbuf_mtod(m, void *), from, copied);
	if (data_len <= room)
		return emu_mbuf_pad(s, m, copied, frame_len) ? m : NULL;
	m->data_len = room;
	m->pkt_len = frame_len;
	return append(s, m, from + room, data_len - room, frame_len - room) ? m : NULL;
}

uint32_t
emu_mbuf_frame_max(struct rte_mempool *pool)
{
	uint32_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	uint64_t quarter = (uint64_t)RTE_MAX(pool->size / 4, 1u) * room;

	return RTE_MIN(quarter, EMU_FRAME_MAX);
}

uint64_t
emu_mbuf_bytes(struct rte_mbuf *const *pkts, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += rte_pktmbuf_pkt_len(pkts[i]);
	return bytes;
}

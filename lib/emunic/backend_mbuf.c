// SPDX-License-Identifier: BSD-3-Clause
#include "backend_mbuf.h"

#include <string.h>

static uint32_t
room_of(struct rte_mempool *pool)
{
	return rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
}

// Fills one segment with what is left of the data, and zeros after it; returns its length.
static uint32_t
fill(struct rte_mbuf *seg, const uint8_t *data, uint32_t data_left, uint32_t frame_left)
{
	uint32_t len = RTE_MIN(frame_left, rte_pktmbuf_tailroom(seg));
	uint32_t copied = RTE_MIN(data_left, len);
	uint8_t *to = rte_pktmbuf_mtod(seg, uint8_t *);

	if (copied > 0)
		memcpy(to, data, copied);
	memset(to + copied, 0, len - copied);
	seg->data_len = len;
	return len;
}

struct rte_mbuf *
emu_mbuf_make(struct rte_mempool *pool, const void *data, uint32_t data_len, uint32_t frame_len)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);
	struct rte_mbuf *tail = head;
	const uint8_t *from = data;
	uint32_t done;

	if (head == NULL)
		return NULL;
	done = fill(head, from, data_len, frame_len);
	while (done < frame_len) {
		uint32_t copied = RTE_MIN(done, data_len);

		tail->next = rte_pktmbuf_alloc(pool);
		if (tail->next == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		tail = tail->next;
		head->nb_segs++;
		done += fill(tail, from + copied, data_len - copied, frame_len - done);
	}
	head->pkt_len = frame_len;
	return head;
}

uint32_t
emu_mbuf_frame_max(struct rte_mempool *pool)
{
	uint64_t quarter = (uint64_t)RTE_MAX(pool->size / 4, 1u) * room_of(pool);

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

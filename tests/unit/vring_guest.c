// SPDX-License-Identifier: BSD-3-Clause
#include "vring_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define AVAIL 0x1000u
#define USED 0x2000u
#define SLOTS 0x4200u // so that one lies in both regions
#define TABLES (SLOTS + GUEST_RING * GUEST_SLOT)
#define TABLE (GUEST_PIECES * sizeof(struct vring_desc))

static bool
has(const struct guest *g, unsigned feature)
{
	return (g->features & 1ULL << feature) != 0;
}

void
guest_start(struct guest *g, uint64_t features, uint16_t next, uint64_t seed)
{
	struct vring_setup s = {.memory = &g->memory, .features = features, .next = next};
	uint16_t i;

	memset(g, 0, sizeof(*g));
	g->rng.state = seed;
	g->memory.n = 2;
	for (i = 0; i < 2; i++) {
		g->region[i] = aligned_alloc(64, GUEST_REGION);
		assert_non_null(g->region[i]);
		memset(g->region[i], 0, GUEST_REGION);
		g->memory.region[i] = (struct vring_region){.gpa = GUEST_BASE + i * GUEST_REGION,
			.size = GUEST_REGION,
			.host = (uintptr_t)g->region[i]};
	}
	g->desc = (void *)g->region[0];
	g->avail = (void *)(g->region[0] + AVAIL);
	g->used = (void *)(g->region[0] + USED);
	g->features = features;
	g->offered = next;
	g->seen = next;
	g->avail->idx = next;
	g->used->idx = next;
	for (i = 0; i < GUEST_RING; i++)
		g->free[i] = i;
	g->n_free = GUEST_RING;
	g->call = eventfd(0, EFD_NONBLOCK);
	assert_true(g->call >= 0);
	s.ring = (struct rte_vhost_vring){.desc = g->desc,
		.avail = g->avail,
		.used = g->used,
		.callfd = g->call,
		.size = GUEST_RING};
	assert_true(vring_begin(&g->ring, &s));
}

void
guest_stop(struct guest *g)
{
	close(g->call);
	free(g->region[0]);
	free(g->region[1]);
}

uint8_t *
guest_at(struct guest *g, uint64_t gpa)
{
	uint64_t off = gpa - GUEST_BASE;

	assert_true(off < (uint64_t)2 * GUEST_REGION);
	return g->region[off / GUEST_REGION] + off % GUEST_REGION;
}

void
guest_write(struct guest *g, uint64_t gpa, const void *from, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		*guest_at(g, gpa + i) = ((const uint8_t *)from)[i];
}

void
guest_read(struct guest *g, uint64_t gpa, void *to, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		((uint8_t *)to)[i] = *guest_at(g, gpa + i);
}

uint64_t
guest_slot(uint16_t desc)
{
	return GUEST_BASE + SLOTS + desc * GUEST_SLOT;
}

void
guest_offer(struct guest *g, uint16_t head)
{
	g->order[g->offered % GUEST_RING] = head;
	g->avail->ring[g->offered % GUEST_RING] = head;
	__atomic_store_n(&g->avail->idx, ++g->offered, __ATOMIC_RELEASE);
}

static void
put_descs(struct guest *g, uint16_t head, bool table, uint16_t write)
{
	uint16_t n = g->pieces[head], i;

	for (i = 0; i < n; i++) {
		bool more = i + 1 < n;
		struct vring_desc d = {.addr = guest_slot(g->piece[head][i]),
			.len = g->piece_len[head][i],
			.flags = (uint16_t)(write | (more ? VRING_DESC_F_NEXT : 0)),
			.next = !more   ? 0
				: table ? (uint16_t)(i + 1)
					: g->piece[head][i + 1]};

		if (table)
			guest_write(g, GUEST_BASE + TABLES + head * TABLE + i * sizeof(d), &d,
				sizeof(d));
		else
			g->desc[g->piece[head][i]] = d;
	}
	if (table)
		g->desc[head] = (struct vring_desc){.addr = GUEST_BASE + TABLES + head * TABLE,
			.len = n * (uint32_t)sizeof(struct vring_desc),
			.flags = VRING_DESC_F_INDIRECT};
}

int
guest_lay(struct guest *g, uint32_t len, unsigned pieces, bool table, bool writable)
{
	uint32_t least = (len + GUEST_SLOT - 1) / GUEST_SLOT, left = len;
	uint16_t n = (uint16_t)(1 + sl_rng_below(&g->rng, pieces)), head, i;

	n = n < least ? (uint16_t)least : n;
	assert_true(n <= GUEST_PIECES && n <= len);
	if (n > g->n_free)
		return -1;
	head = g->free[g->n_free - 1];
	g->pieces[head] = n;
	for (i = 0; i < n; i++) {
		uint32_t after = (uint32_t)(n - 1 - i), low, high;

		low = left > after * GUEST_SLOT ? left - after * GUEST_SLOT : 1;
		high = left - after < GUEST_SLOT ? left - after : GUEST_SLOT;
		g->piece[head][i] = g->free[--g->n_free];
		g->piece_len[head][i] = low + sl_rng_below(&g->rng, high - low + 1);
		left -= g->piece_len[head][i];
	}
	put_descs(g, head, table, writable ? VRING_DESC_F_WRITE : 0);
	return head;
}

void
guest_bytes(struct guest *g, uint16_t head, uint8_t *bytes, uint32_t len, bool write)
{
	uint16_t i;

	for (i = 0; i < g->pieces[head] && len > 0; i++) {
		uint32_t some = g->piece_len[head][i] < len ? g->piece_len[head][i] : len;

		if (write)
			guest_write(g, guest_slot(g->piece[head][i]), bytes, some);
		else
			guest_read(g, guest_slot(g->piece[head][i]), bytes, some);
		bytes += some;
		len -= some;
	}
}

// In order one entry stands for all buffers up to the one that it names (2.6.9).
static void
next_batch(struct guest *g)
{
	uint16_t n = 1, at = g->seen;
	uint32_t id = g->used->ring[g->seen % GUEST_RING].id;

	if (has(g, VIRTIO_F_IN_ORDER))
		for (; g->order[at % GUEST_RING] != id; at++, n++)
			assert_true(n <= (uint16_t)(g->used->idx - g->seen));
	g->batch = n;
}

int
guest_used(struct guest *g, uint32_t *len)
{
	uint16_t head, i;

	if (g->seen == __atomic_load_n(&g->used->idx, __ATOMIC_ACQUIRE))
		return -1;
	if (g->batch == 0)
		next_batch(g);
	head = g->order[g->seen % GUEST_RING];
	*len = g->used->ring[g->seen % GUEST_RING].len;
	if (!has(g, VIRTIO_F_IN_ORDER))
		assert_int_equal(g->used->ring[g->seen % GUEST_RING].id, head);
	for (i = 0; i < g->pieces[head]; i++)
		g->free[g->n_free++] = g->piece[head][i];
	g->batch--;
	g->seen++;
	return head;
}

uint64_t
guest_interrupts(struct guest *g)
{
	eventfd_t n = 0;

	return eventfd_read(g->call, &n) == 0 ? n : 0;
}

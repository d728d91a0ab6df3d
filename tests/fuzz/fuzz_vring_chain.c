// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "port/vring_chain.h"

// The input is a guest's memory: a ring of RING descriptors first, then whatever tables and buffers
// they point to. It lies in two regions, each an allocation of its own, that follow each other in
// the guest's addresses. Each chain that the ring has must end in a fault, or in pieces that can be
// read to the last byte.

#define RING 16
#define BASE 0x1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *
region(struct vring_memory *memory, uint64_t gpa, const uint8_t *data, size_t size)
{
	uint8_t *at = aligned_alloc(16, (size + 15) / 16 * 16);

	if (at == NULL)
		abort();
	memcpy(at, data, size);
	memory->region[memory->n++] =
		(struct vring_region){.gpa = gpa, .size = size, .host = (uintptr_t)at};
	return at;
}

static void
walk(struct vhost_ring *r, uint16_t head, bool writable)
{
	struct vring_pieces pieces;
	uint64_t sum = 0, bytes = 0;
	unsigned i;

	vring_pieces_clear(&pieces);
	atomic_store(&r->fault, VRING_SOUND);
	if (!vring_chain(r, head, writable, &pieces)) {
		if (atomic_load(&r->fault) == VRING_SOUND)
			abort();
		return;
	}
	for (i = 0; i < pieces.n; i++) {
		bytes += pieces.piece[i].len;
		sum += pieces.piece[i].at[0];
		sum += pieces.piece[i].at[pieces.piece[i].len - 1];
	}
	if (bytes != pieces.bytes || sum > (uint64_t)2 * 255 * VRING_PIECES_MAX ||
		atomic_load(&r->fault) != VRING_SOUND)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t ring = RING * sizeof(struct vring_desc);
	struct vring_memory memory = {.n = 0};
	struct vhost_ring r = {.size = RING, .memory = &memory, .indirect = true};
	uint8_t *first, *second;
	size_t cut;
	uint16_t i;

	if (size < ring + 16)
		return 0;
	cut = (ring + (size - ring) / 2) / 16 * 16;
	first = region(&memory, BASE, data, cut);
	second = region(&memory, BASE + cut, data + cut, size - cut);
	r.desc = (const struct vring_desc *)(const void *)first;
	for (i = 0; i < RING; i++) {
		walk(&r, i, false);
		walk(&r, i, true);
	}
	free(first);
	free(second);
	return 0;
}

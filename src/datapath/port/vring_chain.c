// SPDX-License-Identifier: BSD-3-Clause
#include "port/vring_chain.h"

#include <string.h>

const char *
vring_fault_text(enum vring_fault fault)
{
	static const char *const text[VRING_FAULTS] = {
		[VRING_SOUND] = "sound",
		[VRING_JUMP] = "more is available than the ring holds",
		[VRING_HEAD] = "a descriptor beyond the ring is available",
		[VRING_NEXT] = "a descriptor is followed by one beyond its table",
		[VRING_LONG] = "a buffer of too many pieces, or a circle of descriptors",
		[VRING_TABLE] = "a table of descriptors that cannot be one",
		[VRING_ADDRESS] = "an address that is not in the guest's memory",
		[VRING_DIRECTION] = "a buffer to read where one to write is due, or one to write",
	};

	return text[fault];
}

bool
vring_break(struct vhost_ring *r, enum vring_fault why)
{
	if (atomic_load_explicit(&r->fault, memory_order_relaxed) == VRING_SOUND)
		atomic_store_explicit(&r->fault, (uint8_t)why, memory_order_relaxed);
	return false;
}

bool
vring_find_region(struct vhost_ring *r, uint64_t gpa)
{
	uint32_t i;

	for (i = 0; i < r->memory->n; i++) {
		if (gpa - r->memory->region[i].gpa < r->memory->region[i].size) {
			r->hot = r->memory->region[i];
			return true;
		}
	}
	return false;
}

// The longest piece that begins at gpa, of len bytes at most; NULL: not the guest's memory.
static uint8_t *
piece_at(struct vhost_ring *r, uint64_t gpa, uint32_t *len)
{
	uint8_t *at = vring_host(r, gpa, 1);

	if (at != NULL && *len > r->hot.size - (gpa - r->hot.gpa))
		*len = (uint32_t)(r->hot.size - (gpa - r->hot.gpa));
	return at;
}

static bool
add(struct vhost_ring *r, const struct vring_desc_copy *d, struct vring_pieces *out, unsigned first)
{
	uint64_t gpa = d->addr;
	uint32_t left = d->len;

	while (left != 0) {
		uint32_t len = left;
		uint8_t *at = piece_at(r, gpa, &len);

		if (at == NULL)
			return vring_break(r, VRING_ADDRESS);
		if (out->n == VRING_PIECES_MAX) // of one buffer? Or do several not do for a packet?
			return first == 0 && vring_break(r, VRING_LONG);
		out->piece[out->n++] = (struct vring_piece){at, len};
		out->bytes += len;
		gpa += len;
		left -= len;
	}
	return true;
}

// A descriptor of a table, which may lie anywhere, over the border of two regions too.
static bool
read_table(struct vhost_ring *r, uint64_t gpa, struct vring_desc_copy *d)
{
	uint32_t got = 0;

	while (got < sizeof(*d)) {
		uint32_t len = (uint32_t)sizeof(*d) - got;
		const uint8_t *at = piece_at(r, gpa + got, &len);

		if (at == NULL)
			return vring_break(r, VRING_ADDRESS);
		memcpy((uint8_t *)d + got, at, len);
		got += len;
	}
	atomic_signal_fence(memory_order_seq_cst); // what is checked is what is used
	return true;
}

bool
vring_chain(struct vhost_ring *r, uint16_t head, bool writable, struct vring_pieces *out)
{
	struct vring_desc_copy d = vring_desc_read(r, head);
	uint64_t table = 0;
	uint32_t n = r->size, steps;
	unsigned first = out->n;
	bool in_table = false;

	for (steps = 0; steps < VRING_PIECES_MAX; steps++) {
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (in_table || !r->indirect || (d.flags & VRING_DESC_F_NEXT) ||
				d.len == 0 || d.len % sizeof(struct vring_desc) != 0)
				return vring_break(r, VRING_TABLE);
			in_table = true;
			table = d.addr;
			n = d.len / (uint32_t)sizeof(struct vring_desc);
			if (!read_table(r, table, &d))
				return false;
			continue;
		}
		if (((d.flags & VRING_DESC_F_WRITE) != 0) != writable)
			return vring_break(r, VRING_DIRECTION);
		if (!add(r, &d, out, first))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		if (d.next >= n)
			return vring_break(r, VRING_NEXT);
		if (!in_table)
			d = vring_desc_read(r, d.next);
		else if (!read_table(r, table + d.next * sizeof(struct vring_desc), &d))
			return false;
	}
	return vring_break(r, VRING_LONG);
}

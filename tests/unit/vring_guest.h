// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_VRING_GUEST_H
#define SLUICE_TESTS_VRING_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "port/vring.h"

// The guest's end of a split ring, written from virtio 1.1, 2.6, for the tests of vring.h: it has a
// memory of two regions that follow each other in its addresses and not in ours, each an allocation
// of its own, and lays packets out at random. Thread safety: owner thread only.

#define GUEST_BASE 0x100000u
#define GUEST_REGION 0x40000u
#define GUEST_RING 256u
#define GUEST_SLOT 1024u // bytes of a buffer's place; there is one for each descriptor
#define GUEST_PIECES 8u  // of a buffer, at most

struct guest {
	uint8_t *region[2];
	struct vring_memory memory;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t offered, seen; // avail->idx; up to where used was looked at
	uint16_t free[GUEST_RING], n_free;
	uint16_t order[GUEST_RING];               // heads as they were offered, by index
	uint16_t pieces[GUEST_RING];              // of the buffer whose head that is
	uint16_t piece[GUEST_RING][GUEST_PIECES]; // descriptors in whose slots they are
	uint32_t piece_len[GUEST_RING][GUEST_PIECES];
	uint16_t batch; // buffers that the last used entry stood for, beside those that were seen
	int call;
	uint64_t features;
	struct sl_rng rng;
	struct vhost_ring ring;
};

void guest_start(struct guest *g, uint64_t features, uint16_t next, uint64_t seed);
void guest_stop(struct guest *g);
uint8_t *guest_at(struct guest *g, uint64_t gpa); // one byte
void guest_write(struct guest *g, uint64_t gpa, const void *from, uint32_t len);
void guest_read(struct guest *g, uint64_t gpa, void *to, uint32_t len);
uint64_t guest_slot(uint16_t desc); // where the buffer of a descriptor is
void guest_offer(struct guest *g, uint16_t head);
// Lays len bytes out in 1 to pieces descriptors, in a table of their own if `table`. Returns the
// head, or -1: there are not so many free.
int guest_lay(struct guest *g, uint32_t len, unsigned pieces, bool table, bool writable);
// The bytes of a buffer that was laid, in order.
void guest_bytes(struct guest *g, uint16_t head, uint8_t *bytes, uint32_t len, bool write);
// The buffer that was used next, its length in *len; the descriptors are free again. -1: none.
int guest_used(struct guest *g, uint32_t *len);
uint64_t guest_interrupts(struct guest *g);

#endif

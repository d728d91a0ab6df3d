// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_VHOST_FRONT_H
#define SLUICE_TESTS_VHOST_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

// The other end of a vhost-user socket, message by message ("Vhost-user Protocol", QEMU's
// documentation), with split rings in a memory of its own (virtio 1.1, 2.6): a guest that does what
// a test wants, in the order that it wants. Each message is answered before the next one. Thread
// safety: owner thread only.

enum { // requests
	FRONT_GET_FEATURES = 1,
	FRONT_SET_FEATURES = 2,
	FRONT_SET_MEM_TABLE = 5,
	FRONT_SET_VRING_NUM = 8,
	FRONT_SET_VRING_ADDR = 9,
	FRONT_SET_VRING_BASE = 10,
	FRONT_GET_VRING_BASE = 11,
	FRONT_SET_VRING_KICK = 12,
	FRONT_SET_VRING_CALL = 13,
	FRONT_SET_PROTOCOL_FEATURES = 16,
	FRONT_SET_VRING_ENABLE = 18
};

#define FRONT_RINGS 4            // even ones: to the guest
#define FRONT_DESC 256u          // of a ring, each with a buffer of its own
#define FRONT_BUF 256u           // bytes
#define FRONT_BASE 0x7000000000u // addresses of the front-end; the guest's begin with 0
#define FRONT_SIZE 0x100000u
#define FRONT_RING 0x10000u // bytes for a ring; ring 0 ends with the memory
#define FRONT_AVAIL(ring) (FRONT_SIZE - (ring)*FRONT_RING - 8192) // where it is in the memory
#define FRONT_FEATURES (1ULL << 32 | 1ULL << 30) // VIRTIO_F_VERSION_1, protocol features

struct front_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t offered, seen; // avail->idx; up to where used was looked at
};

struct front {
	int s, mem;
	uint8_t *at; // the memory, FRONT_SIZE bytes
	struct front_ring ring[FRONT_RINGS];
};

// Returns what is answered, UINT64_MAX: the connection was closed instead. fd: -1, none.
uint64_t front_say(struct front *f, uint32_t request, int fd, const uint64_t *word, unsigned n);
#define FRONT_SAY(f, request, fd, ...)                                                             \
	front_say(f, request, fd, (const uint64_t[]){__VA_ARGS__},                                 \
		sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

void front_make(struct front *f); // its memory
void front_free(struct front *f);
void front_connect(struct front *f, const char *path);
void front_close(struct front *f);
// The memory, as one region or several: what was mapped for the other one is not any more.
uint64_t front_memory(struct front *f, unsigned regions);
// Features, memory, and rings [0, n) from where they are; enabled. False: the other end hung up.
bool front_start(struct front *f, unsigned n);
// The same in parts: features and memory; one ring.
bool front_begin(struct front *f, uint64_t features);
void front_ring_start(struct front *f, unsigned ring);
void front_enable(struct front *f, unsigned ring, bool enable);
void front_stop(struct front *f, unsigned n); // likewise
void front_call(struct front *f, unsigned ring);

// All buffers of a ring to the guest that are free; from it: a packet of len bytes. False: full.
void front_room(struct front *f, unsigned ring);
bool front_send(struct front *f, unsigned ring, const void *packet, uint32_t len);
// The next packet to the guest, behind its header, or NULL; and how many sent ones are done.
const uint8_t *front_take(struct front *f, unsigned ring, uint32_t *len);
uint16_t front_sent(struct front *f, unsigned ring);

#endif

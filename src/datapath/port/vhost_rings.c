// SPDX-License-Identifier: BSD-3-Clause
#include "port/vhost_rings.h"

#include <stdlib.h>
#include <string.h>

// The head of a message of the vhost-user protocol ("Vhost-user Protocol", QEMU's documentation,
// "Message Specification"), which rte_vhost shows to those who handle messages beside it.
struct message {
	uint32_t request, flags, size;
	uint8_t payload[];
};
#define REQUEST_RESET_OWNER 4
#define REQUEST_SET_MEM_TABLE 5
#define REQUEST_SEND_RARP 19

void
vhost_rings_unmapped(struct vhost_port *v, int vid)
{
	v->mapped[vid / 64] &= ~(1ULL << vid % 64);
}

void
vhost_rings_message(struct vhost_port *v, int vid, const void *msg, bool done)
{
	const struct message *m = msg;

	if (m->request == REQUEST_RESET_OWNER || m->request == REQUEST_SET_MEM_TABLE)
		vhost_rings_unmapped(v, vid);
	if (m->request == REQUEST_SET_MEM_TABLE && done)
		v->mapped[vid / 64] |= 1ULL << vid % 64;
}

static bool
in_memory(const struct vring_memory *mem, const void *at, uint64_t len)
{
	uint32_t i;

	for (i = 0; i < mem->n; i++) {
		uint64_t off = (uintptr_t)at - mem->region[i].host, size = mem->region[i].size;

		if (off < size && len <= size - off)
			return true;
	}
	return false;
}

// rte_vhost looks at that when it is told an address, and neither when the size changes afterwards
// nor when there is no memory any more.
static bool
parts_in_memory(const struct vring_memory *mem, const struct rte_vhost_vring *ring)
{
	uint64_t n = ring->size;

	return in_memory(mem, ring->desc, n * sizeof(*ring->desc)) &&
	       in_memory(mem, ring->avail, sizeof(*ring->avail) + (n + 1) * sizeof(uint16_t)) &&
	       in_memory(mem, ring->used,
		       sizeof(*ring->used) + n * sizeof(ring->used->ring[0]) + sizeof(uint16_t));
}

static bool
copy_memory(struct vhost_port *v, int vid)
{
	struct rte_vhost_memory *mem = NULL;
	uint32_t i;

	v->memory.n = 0;
	if (!(v->mapped[vid / 64] >> vid % 64 & 1) || rte_vhost_get_mem_table(vid, &mem) != 0)
		return false;
	if (mem->nregions <= VRING_REGIONS_MAX) {
		for (i = 0; i < mem->nregions; i++)
			v->memory.region[i] = (struct vring_region){
				.gpa = mem->regions[i].guest_phys_addr,
				.size = mem->regions[i].size,
				.host = (uintptr_t)mem->regions[i].host_user_addr,
			};
		v->memory.n = mem->nregions;
	}
	free(mem);
	return v->memory.n != 0;
}

// A ring that the guest does not use has no parts; it may come later.
static bool
look_at_ring(struct vhost_port *v, int vid, uint16_t i, uint64_t features)
{
	struct vring_setup s = {.memory = &v->memory, .features = features};
	uint16_t used;

	v->ring[i].size = 0;
	if (rte_vhost_get_vhost_vring(vid, i, &s.ring) != 0 || s.ring.desc == NULL ||
		s.ring.avail == NULL || s.ring.used == NULL || s.ring.size == 0 ||
		!parts_in_memory(&v->memory, &s.ring))
		return true;
	// Between two that differ there would be buffers on their way, as only rte_vhost's
	// asynchronous copies have them.
	if (rte_vhost_get_vring_base(vid, i, &s.next, &used) != 0 || s.next != used)
		return false;
	return vring_begin(&v->ring[i], &s);
}

bool
vhost_rings_look(struct vhost_port *v, int vid, uint64_t features)
{
	uint16_t n = RTE_MIN(rte_vhost_get_vring_num(vid), VHOST_VRINGS_MAX), i;
	bool fit = vring_features_fit(features);

	for (i = 0; i < VHOST_VRINGS_MAX; i++)
		v->ring[i].size = 0;
	if (!copy_memory(v, vid)) // rte_vhost's bursts would look for it as well
		return fit;
	for (i = 0; fit && i < n; i++)
		fit = look_at_ring(v, vid, i, features);
	return fit;
}

void
vhost_rings_mend(struct vhost_port *v)
{
	unsigned i;

	for (i = 0; i < VHOST_VRINGS_MAX; i++)
		atomic_store(&v->ring[i].fault, VRING_SOUND);
}

bool
vhost_rings_come(struct vhost_port *v, int vid, uint64_t features)
{
	vhost_rings_mend(v);
	return !v->library && vhost_rings_look(v, vid, features);
}

void
vhost_rings_give_back(struct vhost_port *v, int vid)
{
	uint16_t i;

	for (i = 0; i < VHOST_VRINGS_MAX; i++) {
		if (v->ring[i].size != 0)
			rte_vhost_set_vring_base(vid, i, v->ring[i].next, v->ring[i].next);
		v->ring[i].size = 0;
	}
}

bool
vhost_message_rarp(const void *msg, uint64_t *mac)
{
	const struct message *m = msg;

	if (m->request != REQUEST_SEND_RARP || m->size < 6)
		return false;
	*mac = 0;
	memcpy(mac, m->payload, 6);
	return true;
}

// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_REFRAME_H
#define EMUNIC_REFRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "eswitch/packet.h"

struct rte_mempool;

// Actions that put headers before a packet or take some away.
//
// A VLAN tag changes nothing behind it, so checksums and segmentation that are left to the way out
// stay left to it. A tunnel header hides all that, so it is finished before: emu_reframe_finish,
// and a packet that stands for several is segmented by the caller before that.
// Every function but emu_own leaves the key as it was: the caller parses again.
// Thread safety: any thread (no state).

#define EMU_MAX_ENCAP 256 // bytes of headers that one action puts on

// What a header to put on consists of, read from its bytes when the rule is made.
struct emu_encap {
	uint16_t len;
	uint16_t l3; // where its IP header begins; 0: it has none
	uint16_t l4; // where its UDP header begins; 0: it has none
	bool v6;
	uint8_t bytes[EMU_MAX_ENCAP];
};

// Reads l3, l4 and v6 from bytes and len. Returns NULL, or what is wrong with them.
const char *emu_encap_read(struct emu_encap *e);

// Makes the first `len` bytes of p->m ours to write to, in one piece, with room for `front` bytes
// before them; when they are not, p->m is replaced by a copy in buffers of pool. False: the pool is
// empty.
bool emu_own(struct emu_pkt *p, struct rte_mempool *pool, uint32_t len, uint32_t front);

// Fills in what p leaves to the way out. False: the headers forbid it.
bool emu_reframe_finish(struct emu_pkt *p);

// Puts a tag of this type before the others (or behind the addresses), with the priority and id of
// the one that was outermost, or 0. False when there is no room for it (emu_own).
bool emu_push_vlan(struct emu_pkt *p, uint16_t tpid);
// Takes the outermost tag away, if there is one. The first 18 bytes are ours.
void emu_pop_vlan(struct emu_pkt *p);

// Takes n bytes away from the front. False when there are no more than that, or no memory.
bool emu_strip(struct emu_pkt *p, struct rte_mempool *pool, uint32_t n);
// The bytes of the outer headers, or 0 when p is not VXLAN (RFC 7348) with an Ethernet header in
// it.
uint32_t emu_vxlan_overhead(const struct emu_pkt *p);

// Puts e on; the lengths and the IPv4 checksum of its headers are filled in, and a UDP source port
// of 0 becomes one made from p's flow. *udp_sum is true when the template wants a UDP checksum,
// which the caller leaves to the way out. False: too long for its headers, or no memory.
bool emu_encapsulate(
	struct emu_pkt *p, struct rte_mempool *pool, const struct emu_encap *e, bool *udp_sum);

#endif

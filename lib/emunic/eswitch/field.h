// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_FIELD_H
#define EMUNIC_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "eswitch/packet.h"

// The fields of a packet, and of what the NIC knows of it, that actions read and write.
//
// A write changes the packet's bytes, its key, and every checksum that covers the field: those of
// IPv4, TCP, UDP, UDP-Lite, DCCP and ICMPv6, incrementally (RFC 1624), so that a wrong sum stays
// wrong and an absent one (UDP's zero) absent. A sum that is still to be filled in on the way out
// is left to that. SCTP's CRC covers no address; its ports are no field here.
//
// A packet that has no such header has no such field, and a write to it does nothing. The first
// fragment of a datagram has L4 fields, although rules do not match them; later ones have none.
// An IPv6 routing header is not read: its final destination is not taken for the checksum's.
// Thread safety: any thread (no state).

#define EMU_FIELD_MAX_BITS 128
typedef unsigned __int128 emu_u128;

enum emu_field {
	EMU_FIELD_ETH_DST,
	EMU_FIELD_ETH_SRC,
	EMU_FIELD_VLAN_ID, // of the outermost tag, as all that follow are of the outermost header
	EMU_FIELD_VLAN_PCP,
	EMU_FIELD_IP4_SRC,
	EMU_FIELD_IP4_DST,
	EMU_FIELD_IP4_TTL,
	EMU_FIELD_IP4_DSCP,
	EMU_FIELD_IP4_ECN,
	EMU_FIELD_IP6_SRC,
	EMU_FIELD_IP6_DST,
	EMU_FIELD_IP6_HOPS,
	EMU_FIELD_IP6_DSCP,
	EMU_FIELD_IP6_ECN,
	EMU_FIELD_L4_SPORT, // TCP or UDP
	EMU_FIELD_L4_DPORT,
	EMU_FIELD_TCP_SPORT,
	EMU_FIELD_TCP_DPORT,
	EMU_FIELD_UDP_SPORT,
	EMU_FIELD_UDP_DPORT,
	EMU_FIELD_MARK,
	EMU_FIELD_META,
	EMU_FIELD_TAG, // the first; EMU_TAGS of them
	EMU_FIELDS = EMU_FIELD_TAG + EMU_TAGS,
	EMU_FIELD_NONE = EMU_FIELDS,
};

// Its width in bits; 0: there is no such field.
unsigned int emu_field_bits(enum emu_field f);
// True when it is of the packet's bytes, not of what the NIC knows of it.
bool emu_field_in_packet(enum emu_field f);

// The bytes at the front of p that a write may touch.
uint32_t emu_field_reach(const struct emu_pkt *p);

// False when p has no such field.
bool emu_field_get(const struct emu_pkt *p, enum emu_field f, emu_u128 *out);
// p's first segment is its own as far as emu_field_reach tells. Bits above the field's width are
// not looked at.
void emu_field_set(struct emu_pkt *p, enum emu_field f, emu_u128 value);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/rss.h"

#include <string.h>

#include <rte_ethdev.h>

static const uint8_t default_key[EMU_RSS_KEY_LEN] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, //
	0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, //
	0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, //
	0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, //
	0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa, //
};

// The 32 key bits that begin at bit `bit`.
static uint32_t
key_window(const uint8_t *key, unsigned int bit)
{
	unsigned int at = bit / 8, shift = bit % 8;
	uint64_t v = 0;

	for (unsigned int i = 0; i < 5; i++)
		v = v << 8 | (at + i < EMU_RSS_KEY_LEN ? key[at + i] : 0);
	return (uint32_t)(v >> (8 - shift));
}

void
emu_rss_set_key(struct emu_rss *r, const uint8_t *key)
{
	memmove(r->key, key != NULL ? key : default_key, EMU_RSS_KEY_LEN);
	for (unsigned int byte = 0; byte < EMU_RSS_BYTES; byte++) {
		uint32_t window[8];

		for (unsigned int bit = 0; bit < 8; bit++)
			window[bit] = key_window(r->key, byte * 8 + bit);
		for (unsigned int value = 0; value < 256; value++) {
			uint32_t h = 0;

			for (unsigned int bit = 0; bit < 8; bit++)
				if (value & (0x80U >> bit))
					h ^= window[bit];
			r->table[byte][value] = h;
		}
	}
}

static uint32_t
mix(const struct emu_rss *r, unsigned int at, const void *data, unsigned int len)
{
	const uint8_t *b = data;
	uint32_t h = 0;

	for (unsigned int i = 0; i < len; i++)
		h ^= r->table[at + i][b[i]];
	return h;
}

// The types that make the NIC hash the ports too, and those that make it hash the addresses.
bool
emu_rss_covers(uint64_t types, const union emu_key *k, bool *ports)
{
	bool v4 = k->layers & EMU_L_IPV4;
	uint64_t l3;

	*ports = false;
	if (!(k->layers & (EMU_L_IPV4 | EMU_L_IPV6)))
		return false;
	if (k->layers & EMU_L_TCP)
		*ports = types & (v4 ? RTE_ETH_RSS_NONFRAG_IPV4_TCP
				     : RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_IPV6_TCP_EX);
	else if (k->layers & EMU_L_UDP)
		*ports = types & (v4 ? RTE_ETH_RSS_NONFRAG_IPV4_UDP
				     : RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_IPV6_UDP_EX);
	if (*ports)
		return true;
	l3 = v4 ? RTE_ETH_RSS_IPV4 : RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_IPV6_EX;
	if (k->layers & EMU_L_FRAG)
		l3 |= v4 ? RTE_ETH_RSS_FRAG_IPV4 : RTE_ETH_RSS_FRAG_IPV6;
	else if (!(k->layers & (EMU_L_TCP | EMU_L_UDP)))
		l3 |= v4 ? RTE_ETH_RSS_NONFRAG_IPV4_OTHER : RTE_ETH_RSS_NONFRAG_IPV6_OTHER;
	return types & l3;
}

uint32_t
emu_rss_bytes(const struct emu_rss *r, const uint8_t *bytes, unsigned int n)
{
	return mix(r, 0, bytes, n);
}

bool
emu_rss_hash(const struct emu_rss *r, const struct emu_pkt *p, uint32_t *hash)
{
	const union emu_key *k = &p->key;
	unsigned int addr = k->layers & EMU_L_IPV4 ? 4 : 16;
	bool ports;
	uint32_t h;

	if (!emu_rss_covers(r->types, k, &ports))
		return false;
	h = mix(r, 0, k->ip_src, addr) ^ mix(r, addr, k->ip_dst, addr);
	if (ports)
		h ^= mix(r, 2 * addr, &k->sport, 2) ^ mix(r, 2 * addr + 2, &k->dport, 2);
	*hash = h;
	return true;
}

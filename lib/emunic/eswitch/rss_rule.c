// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/rss_rule.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_malloc.h>

// The bytes that are hashed, as the packet holds them: addresses, then ports.
static unsigned int
gather(const struct emu_pkt *p, bool ports, bool symmetric, uint8_t *in)
{
	const union emu_key *k = &p->key;
	unsigned int addr = k->layers & EMU_L_IPV4 ? 4 : 16, n = 2 * addr;

	memcpy(in, k->ip_src, addr);
	memcpy(in + addr, k->ip_dst, addr);
	if (ports) {
		memcpy(in + n, &k->sport, 2);
		memcpy(in + n + 2, &k->dport, 2);
		n += 4;
	}
	for (unsigned int i = 0; symmetric && i < addr; i++)
		in[i] = in[addr + i] = in[i] ^ in[addr + i];
	for (unsigned int i = 2 * addr; symmetric && ports && i < 2 * addr + 2; i++)
		in[i] = in[i + 2] = in[i] ^ in[i + 2];
	return n;
}

static uint32_t
toeplitz(const uint8_t *key, const uint8_t *in, unsigned int n)
{
	uint64_t window = 0; // the next 64 bits of the key
	uint32_t h = 0;

	for (unsigned int i = 0; i < 8; i++)
		window = window << 8 | key[i];
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int bit = 0; bit < 8; bit++)
			if (in[i] & (0x80U >> bit))
				h ^= (uint32_t)(window << bit >> 32);
		window = window << 8 | (i + 8 < EMU_RSS_KEY_LEN ? key[i + 8] : 0);
	}
	return h;
}

static uint32_t
xor_words(const uint8_t *in, unsigned int n)
{
	uint32_t h = 0, word;

	for (unsigned int i = 0; i < n; i += sizeof(word)) {
		memcpy(&word, in + i, sizeof(word));
		h ^= rte_be_to_cpu_32(word);
	}
	return h;
}

uint16_t
emu_rss_rule_queue(const struct emu_rss_rule *r, const struct emu_rss *port,
	const struct emu_pkt *p, uint32_t *hash, bool *hashed)
{
	uint8_t in[EMU_RSS_BYTES];
	unsigned int n;
	bool ports;

	*hash = 0;
	*hashed = emu_rss_covers(r->types, &p->key, &ports);
	if (!*hashed)
		return r->queues[0];
	n = gather(p, ports, r->func == EMU_RSS_SYMMETRIC, in);
	if (r->func == EMU_RSS_XOR)
		*hash = xor_words(in, n);
	else if (r->own_key)
		*hash = toeplitz(r->key, in, n);
	else
		*hash = emu_rss_bytes(port, in, n);
	return r->queues[*hash % r->n_queues];
}

void
emu_rss_rule_put(struct emu_rss_rule *r)
{
	if (r != NULL && --r->refs == 0)
		rte_free(r);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "flow/match.h"

#include <string.h>

#include <arpa/inet.h>

#define KEY_WORDS (sizeof(struct flow_key) / sizeof(uint64_t))
#define PCP_BITS 0xe000

static const struct flow_range range_any = {0, UINT16_MAX};
static const struct flow_range range_nothing = {1, 0}; // the one form of an empty range

static_assert(sizeof(struct flow_match) == 2 * sizeof(struct flow_key) + 8, "no padding");

static bool
is_any(struct flow_range r)
{
	return r.lo == 0 && r.hi == UINT16_MAX;
}

static bool
in_range(struct flow_range r, uint16_t port)
{
	return r.lo <= port && port <= r.hi;
}

void
flow_match_init(struct flow_match *m)
{
	memset(m, 0, sizeof(*m));
	m->sport = range_any;
	m->dport = range_any;
}

// Moves what a mask can say from *r to the port's key and mask (both big endian).
static void
fold_range(struct flow_range *r, uint16_t *key_be, uint16_t *mask_be)
{
	uint16_t key = ntohs(*key_be), mask = ntohs(*mask_be);
	uint32_t size = (uint32_t)r->hi - r->lo + 1;
	uint16_t bits;

	if (r->lo > r->hi) {
		*r = range_nothing;
	} else if (!is_any(*r) && (size & (size - 1)) == 0 && r->lo % size == 0) {
		bits = (uint16_t) ~(size - 1);
		if ((key ^ r->lo) & mask & bits) {
			*r = range_nothing;
			return;
		}
		*key_be = htons(key | r->lo);
		*mask_be = htons(mask | bits);
		*r = range_any;
	} else if (mask == UINT16_MAX) {
		*r = in_range(*r, key) ? range_any : range_nothing;
	}
}

void
flow_match_normalise(struct flow_match *m)
{
	uint64_t key[KEY_WORDS], mask[KEY_WORDS];
	unsigned i;

	memcpy(key, &m->key, sizeof(key));
	memcpy(mask, &m->mask, sizeof(mask));
	for (i = 0; i < KEY_WORDS; i++)
		key[i] &= mask[i];
	memcpy(&m->key, key, sizeof(key));
	fold_range(&m->sport, &m->key.l4_src, &m->mask.l4_src);
	fold_range(&m->dport, &m->key.l4_dst, &m->mask.l4_dst);
}

bool
flow_match_has_range(const struct flow_match *m)
{
	return !is_any(m->sport) || !is_any(m->dport);
}

bool
flow_match_hits(const struct flow_match *m, const struct flow_key *key)
{
	uint64_t want[KEY_WORDS], mask[KEY_WORDS], got[KEY_WORDS];
	uint64_t diff = 0;
	unsigned i;

	memcpy(want, &m->key, sizeof(want));
	memcpy(mask, &m->mask, sizeof(mask));
	memcpy(got, key, sizeof(got));
	for (i = 0; i < KEY_WORDS; i++)
		diff |= (want[i] ^ got[i]) & mask[i];
	return diff == 0 && in_range(m->sport, ntohs(key->l4_src)) &&
	       in_range(m->dport, ntohs(key->l4_dst));
}

bool
flow_match_equal(const struct flow_match *a, const struct flow_match *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

uint32_t
flow_match_fields(const struct flow_match *m)
{
	uint32_t fields = 0;

	if (m->mask.dscp != 0)
		fields |= FLOW_FIELD_DSCP;
	if (m->mask.ttl != 0)
		fields |= FLOW_FIELD_TTL;
	if (m->mask.tcp_flags != 0)
		fields |= FLOW_FIELD_TCP_FLAGS;
	if (m->mask.frag != 0)
		fields |= FLOW_FIELD_FRAG;
	if ((m->mask.vlan[0] | m->mask.vlan[1]) & PCP_BITS)
		fields |= FLOW_FIELD_PCP;
	return fields;
}

// Could a port have the bits of both masks and lie in both ranges? Bounds only: the least and the
// greatest value under the masks. The bits that both masks have agree (the caller saw to it).
static bool
ports_overlap(struct flow_range ra, uint16_t key_a, uint16_t mask_a, struct flow_range rb,
	uint16_t key_b, uint16_t mask_b)
{
	uint16_t least = ntohs((key_a & mask_a) | (key_b & mask_b));
	uint16_t greatest = least | (uint16_t)~ntohs(mask_a | mask_b);
	uint16_t lo = ra.lo > rb.lo ? ra.lo : rb.lo;
	uint16_t hi = ra.hi < rb.hi ? ra.hi : rb.hi;

	return lo <= hi && least <= hi && lo <= greatest;
}

bool
flow_match_overlap(const struct flow_match *a, const struct flow_match *b)
{
	uint64_t ka[KEY_WORDS], ma[KEY_WORDS], kb[KEY_WORDS], mb[KEY_WORDS];
	uint64_t diff = 0;
	unsigned i;

	memcpy(ka, &a->key, sizeof(ka));
	memcpy(ma, &a->mask, sizeof(ma));
	memcpy(kb, &b->key, sizeof(kb));
	memcpy(mb, &b->mask, sizeof(mb));
	for (i = 0; i < KEY_WORDS; i++)
		diff |= (ka[i] ^ kb[i]) & ma[i] & mb[i];
	return diff == 0 &&
	       ports_overlap(a->sport, a->key.l4_src, a->mask.l4_src, b->sport, b->key.l4_src,
		       b->mask.l4_src) &&
	       ports_overlap(a->dport, a->key.l4_dst, a->mask.l4_dst, b->dport, b->key.l4_dst,
		       b->mask.l4_dst);
}

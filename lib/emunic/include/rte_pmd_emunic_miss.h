// SPDX-License-Identifier: BSD-3-Clause
#ifndef RTE_PMD_EMUNIC_MISS_H
#define RTE_PMD_EMUNIC_MISS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

// The tag of a packet that met no rule and goes to its VM's VF (rte_pmd_emunic_vf_miss_set), and
// what a switch does with it when the guest has passed it on.
//
// Problem: the guest carries the frame from its VF to the switch, and must gain nothing by changing
// it, making one up, sending one twice, or sending that of another VM. Idea: a keyed hash over the
// origin, a sequence number and the whole frame, with a key that the host and the NIC have and the
// guest never sees; the switch takes each number once. Cost: SipHash-2-4, about a cycle and a half
// for each byte. What it refuses: any frame that the NIC did not give to that VF by that key, or
// that came before.
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012); the window of RFC 4303,
// section 3.4.3.
//
// The tag stands behind the two MAC addresses of the frame, as a VLAN tag does. Its numbers are in
// network byte order:
//    0  ethertype   RTE_PMD_EMUNIC_MISS_ETHERTYPE
//    2  version     1
//    3  key id      which of the host's keys
//    4  VF          that it was given to
//    6  origin      where the frame entered the NIC: 0 the wire, 1 + n VF n, behind the VFs further
//                   wires
//    8  length      of the frame without the tag; what is behind it is padding
//   10  zero
//   12  number      1, 2, 3 .. for each key
//   20  hash        SipHash-2-4 of bytes 0 to 19, the MAC addresses, and the rest of the frame
// and then the frame goes on with its own ethertype (or VLAN tag).
//
// A switch that finds the ethertype on the port of a VM whose VF has that way
//   1. asks rte_pmd_emunic_miss_open, with the VF, the key, and the window of that VM;
//   2. drops the frame by a name of its own for each error, and never looks at its origin;
//   3. takes the tag off (rte_pmd_emunic_miss_strip), cuts the frame to its length, and goes on as
//      if the frame had come from its origin.
// On any other port the ethertype means nothing.
//
// A key is random, of one VF, and new whenever its numbers begin anew: at each
// rte_pmd_emunic_vf_miss_set with another key. Its window begins with zeros.
//
// Thread safety: any thread, but one at a time for each window.

#define RTE_PMD_EMUNIC_MISS_ETHERTYPE 0x88b6 // IEEE 802, local experimental ethertype 2
#define RTE_PMD_EMUNIC_MISS_VERSION 1
#define RTE_PMD_EMUNIC_MISS_KEY 16
#define RTE_PMD_EMUNIC_MISS_TAG 28
#define RTE_PMD_EMUNIC_MISS_HASH 20                             // where the hash is in the tag
#define RTE_PMD_EMUNIC_MISS_MACS 12                             // before it
#define RTE_PMD_EMUNIC_MISS_HEAD (12 + RTE_PMD_EMUNIC_MISS_TAG) // MAC addresses and tag
#define RTE_PMD_EMUNIC_MISS_WINDOW 1024                         // numbers that may come late

// Which numbers came: the greatest, and a bit for each of those before.
struct rte_pmd_emunic_miss_window {
	uint64_t top;
	uint64_t seen[RTE_PMD_EMUNIC_MISS_WINDOW / 64];
};

// What a tag says.
struct rte_pmd_emunic_miss {
	uint8_t key_id;
	uint16_t vf;
	uint16_t origin; // 0: the wire, 1 + n: VF n, behind the VFs: further wires
	uint16_t len;    // of the frame without the tag
	uint64_t number;
	uint64_t hash;
};

struct rte_pmd_emunic_sip {
	uint64_t v[4];
	uint64_t word; // bytes that make no whole word yet
	uint64_t len;
};

static inline void
rte_pmd_emunic_sip_round(uint64_t *v)
{
#define EMUNIC_SIP_HALF(a, b, c, d, m, n)                                                          \
	do {                                                                                       \
		v[a] += v[b];                                                                      \
		v[b] = (v[b] << (m) | v[b] >> (64 - (m))) ^ v[a];                                  \
		v[c] += v[d];                                                                      \
		v[d] = (v[d] << (n) | v[d] >> (64 - (n))) ^ v[c];                                  \
	} while (0)
	EMUNIC_SIP_HALF(0, 1, 2, 3, 13, 16);
	v[0] = v[0] << 32 | v[0] >> 32;
	EMUNIC_SIP_HALF(2, 1, 0, 3, 17, 21);
	v[2] = v[2] << 32 | v[2] >> 32;
#undef EMUNIC_SIP_HALF
}

static inline uint64_t
rte_pmd_emunic_sip_word(const uint8_t *b) // little endian
{
	uint64_t w = 0;

	for (int i = 7; i >= 0; i--)
		w = w << 8 | b[i];
	return w;
}

static inline void
rte_pmd_emunic_sip_init(struct rte_pmd_emunic_sip *s, const uint8_t *key)
{
	uint64_t k0 = rte_pmd_emunic_sip_word(key), k1 = rte_pmd_emunic_sip_word(key + 8);

	s->v[0] = k0 ^ UINT64_C(0x736f6d6570736575);
	s->v[1] = k1 ^ UINT64_C(0x646f72616e646f6d);
	s->v[2] = k0 ^ UINT64_C(0x6c7967656e657261);
	s->v[3] = k1 ^ UINT64_C(0x7465646279746573);
	s->word = s->len = 0;
}

static inline void
rte_pmd_emunic_sip_take(struct rte_pmd_emunic_sip *s, uint64_t word)
{
	s->v[3] ^= word;
	rte_pmd_emunic_sip_round(s->v);
	rte_pmd_emunic_sip_round(s->v);
	s->v[0] ^= word;
}

static inline void
rte_pmd_emunic_sip_update(struct rte_pmd_emunic_sip *s, const void *data, size_t n)
{
	const uint8_t *b = (const uint8_t *)data;

	while (n > 0) {
		if (s->len % 8 == 0 && n >= 8) {
			rte_pmd_emunic_sip_take(s, rte_pmd_emunic_sip_word(b));
			s->len += 8;
			b += 8;
			n -= 8;
			continue;
		}
		s->word |= (uint64_t)*b++ << s->len % 8 * 8;
		n--;
		if (++s->len % 8 == 0) {
			rte_pmd_emunic_sip_take(s, s->word);
			s->word = 0;
		}
	}
}

static inline uint64_t
rte_pmd_emunic_sip_end(struct rte_pmd_emunic_sip *s)
{
	rte_pmd_emunic_sip_take(s, s->word | s->len << 56);
	s->v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		rte_pmd_emunic_sip_round(s->v);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

static inline uint64_t
rte_pmd_emunic_miss_get(const uint8_t *b, unsigned int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *b++;
	return v;
}

static inline void
rte_pmd_emunic_miss_put(uint8_t *b, unsigned int n, uint64_t v)
{
	while (n-- > 0) {
		b[n] = (uint8_t)v;
		v >>= 8;
	}
}

// Writes the tag (RTE_PMD_EMUNIC_MISS_TAG bytes), all but its hash.
static inline void
rte_pmd_emunic_miss_write(uint8_t *tag, const struct rte_pmd_emunic_miss *m)
{
	memset(tag, 0, RTE_PMD_EMUNIC_MISS_TAG);
	rte_pmd_emunic_miss_put(tag, 2, RTE_PMD_EMUNIC_MISS_ETHERTYPE);
	tag[2] = RTE_PMD_EMUNIC_MISS_VERSION;
	tag[3] = m->key_id;
	rte_pmd_emunic_miss_put(tag + 4, 2, m->vf);
	rte_pmd_emunic_miss_put(tag + 6, 2, m->origin);
	rte_pmd_emunic_miss_put(tag + 8, 2, m->len);
	rte_pmd_emunic_miss_put(tag + 12, 8, m->number);
}

// Copies n bytes at off out of the pieces; false when they end before.
static inline int
rte_pmd_emunic_miss_copy(
	const struct iovec *iov, unsigned int n_iov, size_t off, uint8_t *out, size_t n)
{
	for (unsigned int i = 0; i < n_iov && n > 0; i++) {
		size_t part = iov[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part = part - off < n ? part - off : n;
		memcpy(out, (const uint8_t *)iov[i].iov_base + off, part);
		out += part;
		n -= part;
		off = 0;
	}
	return n == 0;
}

// The hash of a tagged frame, in pieces, that has a tag and at least len bytes behind it without
// the MAC addresses.
static inline uint64_t
rte_pmd_emunic_miss_hash(
	const uint8_t *key, const struct iovec *iov, unsigned int n_iov, uint16_t len)
{
	uint8_t head[RTE_PMD_EMUNIC_MISS_HEAD];
	size_t off = sizeof(head), n = (size_t)len - RTE_PMD_EMUNIC_MISS_MACS;
	struct rte_pmd_emunic_sip s;

	rte_pmd_emunic_sip_init(&s, key);
	rte_pmd_emunic_miss_copy(iov, n_iov, 0, head, sizeof(head));
	rte_pmd_emunic_sip_update(&s, head + RTE_PMD_EMUNIC_MISS_MACS, RTE_PMD_EMUNIC_MISS_HASH);
	rte_pmd_emunic_sip_update(&s, head, RTE_PMD_EMUNIC_MISS_MACS);
	for (unsigned int i = 0; i < n_iov && n > 0; i++) {
		size_t part = iov[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part = part - off < n ? part - off : n;
		rte_pmd_emunic_sip_update(&s, (const uint8_t *)iov[i].iov_base + off, part);
		n -= part;
		off = 0;
	}
	return rte_pmd_emunic_sip_end(&s);
}

// Takes a number: 0, -EALREADY when it came before, or -ESTALE when that cannot be known any more.
static inline int
rte_pmd_emunic_miss_once(struct rte_pmd_emunic_miss_window *w, uint64_t number)
{
	uint64_t at = number / 64 % (RTE_PMD_EMUNIC_MISS_WINDOW / 64);
	uint64_t bit = UINT64_C(1) << number % 64;

	// The bits of one word are given up as a whole, so that much less may come late.
	if (number == 0 ||
		(number <= w->top && w->top / 64 - number / 64 >= RTE_PMD_EMUNIC_MISS_WINDOW / 64))
		return -ESTALE;
	if (number > w->top) {
		uint64_t words = number / 64 - w->top / 64;

		for (uint64_t i = 1; i <= words && i <= RTE_PMD_EMUNIC_MISS_WINDOW / 64; i++)
			w->seen[(w->top / 64 + i) % (RTE_PMD_EMUNIC_MISS_WINDOW / 64)] = 0;
		w->top = number;
	}
	if (w->seen[at] & bit)
		return -EALREADY;
	w->seen[at] |= bit;
	return 0;
}

// Judges a frame in n_iov pieces (of any sizes) that a guest handed in: that the NIC gave it to VF
// vf by this key, unchanged, and that it was not handed in before, which the window then knows.
// 0 with what the tag says in *out; else *out and the window are as before, and it is
//   -ENOMSG    no tag: another ethertype
//   -EBADMSG   cut short, or of another version
//   -EPERM     of another VF
//   -EACCES    made up or changed: not by this key
//   -EALREADY  handed in before
//   -ESTALE    too old to tell
static inline int
rte_pmd_emunic_miss_open(const uint8_t *key, uint16_t vf, const struct iovec *iov,
	unsigned int n_iov, struct rte_pmd_emunic_miss_window *w, struct rte_pmd_emunic_miss *out)
{
	uint8_t head[RTE_PMD_EMUNIC_MISS_HEAD], *tag = head + RTE_PMD_EMUNIC_MISS_MACS;
	struct rte_pmd_emunic_miss m;
	size_t total = 0;
	int ret;

	for (unsigned int i = 0; i < n_iov; i++)
		total += iov[i].iov_len;
	if (!rte_pmd_emunic_miss_copy(iov, n_iov, 0, head, RTE_PMD_EMUNIC_MISS_MACS + 2) ||
		rte_pmd_emunic_miss_get(tag, 2) != RTE_PMD_EMUNIC_MISS_ETHERTYPE)
		return -ENOMSG;
	if (!rte_pmd_emunic_miss_copy(iov, n_iov, 0, head, sizeof(head)) ||
		tag[2] != RTE_PMD_EMUNIC_MISS_VERSION)
		return -EBADMSG;
	m.key_id = tag[3];
	m.vf = (uint16_t)rte_pmd_emunic_miss_get(tag + 4, 2);
	m.origin = (uint16_t)rte_pmd_emunic_miss_get(tag + 6, 2);
	m.len = (uint16_t)rte_pmd_emunic_miss_get(tag + 8, 2);
	m.number = rte_pmd_emunic_miss_get(tag + 12, 8);
	m.hash = rte_pmd_emunic_miss_get(tag + RTE_PMD_EMUNIC_MISS_HASH, 8);
	if (m.len < RTE_PMD_EMUNIC_MISS_MACS + 2 || total - RTE_PMD_EMUNIC_MISS_TAG < m.len)
		return -EBADMSG;
	if (m.vf != vf)
		return -EPERM;
	if (rte_pmd_emunic_miss_hash(key, iov, n_iov, m.len) != m.hash)
		return -EACCES;
	ret = rte_pmd_emunic_miss_once(w, m.number);
	if (ret == 0)
		*out = m;
	return ret;
}

// Takes the tag off a frame whose first RTE_PMD_EMUNIC_MISS_HEAD bytes are in one piece. Returns
// where it begins now.
static inline uint8_t *
rte_pmd_emunic_miss_strip(uint8_t *frame)
{
	memmove(frame + RTE_PMD_EMUNIC_MISS_TAG, frame, RTE_PMD_EMUNIC_MISS_MACS);
	return frame + RTE_PMD_EMUNIC_MISS_TAG;
}

#endif

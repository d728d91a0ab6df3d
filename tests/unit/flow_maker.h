// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_FLOW_MAKER_H
#define SLUICE_TESTS_FLOW_MAKER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

// Random packets that are right, of every kind that the parser knows, tunnels in tunnels included;
// what makes them wrong; and hex for those that are made by hand.
// Thread safety: owner thread only.

#define MAKER_MAX 4096

struct maker {
	uint8_t data[MAKER_MAX];
	uint32_t len;
	unsigned depth; // of tunnels
	struct sl_rng *rng;
};

static inline uint32_t
rnd(struct maker *mk, uint32_t below)
{
	return sl_rng_below(mk->rng, below);
}

static inline void
put(struct maker *mk, unsigned v)
{
	mk->data[mk->len++] = (uint8_t)v;
}

static inline void
put16(struct maker *mk, unsigned v)
{
	put(mk, v >> 8);
	put(mk, v);
}

static inline void
put_random(struct maker *mk, uint32_t n)
{
	while (n-- > 0)
		put(mk, rnd(mk, 256));
}

static inline void
set16(struct maker *mk, uint32_t at, unsigned v)
{
	mk->data[at] = (uint8_t)(v >> 8);
	mk->data[at + 1] = (uint8_t)v;
}

static inline void make_ip4(struct maker *mk);
static inline void make_ip6(struct maker *mk);
static inline void make_frame(struct maker *mk);

// What is inside a tunnel whose header says the ethertype at `type`.
static inline void
make_inside(struct maker *mk, uint32_t type)
{
	mk->depth++;
	switch (rnd(mk, 5)) {
	case 0:
		set16(mk, type, 0x0800);
		make_ip4(mk);
		break;
	case 1:
		set16(mk, type, 0x86dd);
		make_ip6(mk);
		break;
	case 2:
		put_random(mk, rnd(mk, 30)); // of a random type
		break;
	default:
		set16(mk, type, 0x6558);
		make_frame(mk);
	}
	mk->depth--;
}

static inline void
make_gre(struct maker *mk)
{
	static const uint16_t flags[] = {0, 0x2000, 0x2000, 0x8000, 0xb000, 0x1000, 0x3001, 0x4000};
	uint32_t at = mk->len;
	unsigned bits = flags[rnd(mk, 8)];

	put16(mk, bits);
	put16(mk, rnd(mk, 65536));
	for (unsigned bit = 0x1000; bit <= 0x8000; bit *= 2)
		if ((bits & bit) && bit != 0x4000)
			put_random(mk, 4);
	make_inside(mk, at + 2);
}

// Behind the ports at `at`.
static inline void
make_udp_tunnel(struct maker *mk, uint32_t at)
{
	bool vxlan = rnd(mk, 2) == 0;
	unsigned options = rnd(mk, 2) * rnd(mk, 8);
	uint32_t header = mk->len = at + 8;

	set16(mk, at + 2, vxlan ? 4789 : 6081);
	put_random(mk, 8);
	if (vxlan) {
		mk->data[header] |= rnd(mk, 8) == 0 ? 0 : 8;
		mk->depth++;
		make_frame(mk);
		mk->depth--;
	} else {
		mk->data[header] = (uint8_t)(rnd(mk, 16) == 0 ? 0x40 : options);
		put_random(mk, 4 * options);
		make_inside(mk, header + 2);
	}
	set16(mk, at + 4, mk->len - at - rnd(mk, 2) * rnd(mk, 2));
}

static inline void
make_l4(struct maker *mk, unsigned proto)
{
	uint32_t at = mk->len, words;

	switch (proto) {
	case 6:
		words = 5 + rnd(mk, 3);
		put_random(mk, words * 4);
		mk->data[at + 12] = (uint8_t)(words << 4);
		break;
	case 1:
		put(mk, rnd(mk, 2) * 8);
		put_random(mk, 7);
		break;
	case 58:
		put(mk, 126 + rnd(mk, 4));
		put_random(mk, 7);
		break;
	case 4:
		make_ip4(mk);
		break;
	case 41:
		make_ip6(mk);
		break;
	case 47:
		make_gre(mk);
		break;
	default:
		put_random(mk, 12);
		if (proto == 17 && mk->depth < 2 && rnd(mk, 2) == 0)
			make_udp_tunnel(mk, at);
	}
	put_random(mk, rnd(mk, 40));
}

static inline unsigned
make_proto(struct maker *mk)
{
	static const uint8_t protos[] = {6, 6, 17, 17, 17, 132, 1, 58, 50, 59, 4, 41, 47, 47};

	return protos[rnd(mk, sizeof(protos) - (mk->depth < 2 ? 0 : 4))];
}

static inline void
make_ip4(struct maker *mk)
{
	unsigned words = rnd(mk, 4) == 0 ? 5 + rnd(mk, 11) : 5;
	uint32_t at = mk->len;
	unsigned proto = make_proto(mk);
	static const uint16_t frags[] = {0, 0x4000, 0, 0x4000, 0x2000, 0x2001, 0x0100, 0x1fff};

	put(mk, 0x40 | words);
	put(mk, rnd(mk, 256));
	put_random(mk, 4);
	put16(mk, frags[rnd(mk, 8)]);
	put(mk, rnd(mk, 256));
	put(mk, proto);
	put_random(mk, 10 + (words - 5) * 4);
	make_l4(mk, proto);
	set16(mk, at + 2, mk->len - at);
}

static inline void
make_ip6(struct maker *mk)
{
	static const uint8_t exts[] = {0, 43, 44, 51, 60};
	static const uint16_t frags[] = {0, 1, 8, 0xfff9};
	uint32_t at = mk->len, next_at = at + 6, start;
	unsigned proto = make_proto(mk);
	unsigned n = rnd(mk, 3) == 0 ? rnd(mk, 9) : 0;
	unsigned ext, units;

	put(mk, 0x60 | rnd(mk, 16));
	put_random(mk, 39);
	while (n-- > 0) {
		ext = exts[rnd(mk, sizeof(exts))];
		mk->data[next_at] = (uint8_t)ext;
		next_at = start = mk->len;
		units = ext == 51 ? 1 + rnd(mk, 4) : rnd(mk, 3);
		put(mk, 0);
		put(mk, ext == 44 ? rnd(mk, 256) : units);
		put16(mk, frags[rnd(mk, 4)]);
		put_random(mk, 4);
		if (ext != 44)
			put_random(mk, units * (ext == 51 ? 4 : 8));
		assert_true(mk->len > start);
	}
	mk->data[next_at] = (uint8_t)proto;
	make_l4(mk, proto);
	set16(mk, at + 4, mk->len - at - 40);
}

static inline void
make_frame(struct maker *mk)
{
	static const uint8_t arp[6] = {0, 1, 8, 0, 6, 4};
	unsigned tags = rnd(mk, 2) * rnd(mk, 4);
	unsigned kind = rnd(mk, 16);

	put_random(mk, 12);
	while (tags-- > 0) {
		put16(mk, rnd(mk, 4) == 0 ? 0x88a8 : 0x8100);
		put16(mk, rnd(mk, 65536));
	}
	if (kind < 7) {
		put16(mk, 0x0800);
		make_ip4(mk);
	} else if (kind < 13) {
		put16(mk, 0x86dd);
		make_ip6(mk);
	} else if (kind < 15) {
		put16(mk, 0x0806);
		memcpy(mk->data + mk->len, arp, sizeof(arp));
		mk->len += sizeof(arp);
		put16(mk, rnd(mk, 20) == 0 ? 300 : rnd(mk, 4));
		put_random(mk, 20);
	} else {
		put16(mk, rnd(mk, 2) ? 0x88cc : rnd(mk, 0x600));
		put_random(mk, 30);
	}
	if (rnd(mk, 3) == 0)
		put_random(mk, rnd(mk, 30)); // padding
}

static inline void
make_packet(struct maker *mk)
{
	mk->len = mk->depth = 0;
	make_frame(mk);
}

static inline void
mutate(struct maker *mk)
{
	static const uint8_t nice[] = {0, 1, 4, 5, 6, 17, 40, 44, 58, 60, 0x45, 0x60, 0x81, 0xff};
	unsigned n = rnd(mk, 4);
	uint32_t at;

	while (n-- > 0) {
		at = rnd(mk, rnd(mk, 3) == 0 || mk->len < 80 ? mk->len : 80);
		switch (rnd(mk, 4)) {
		case 0:
			mk->data[at] ^= (uint8_t)(1u << rnd(mk, 8));
			break;
		case 1:
			mk->data[at] = nice[rnd(mk, sizeof(nice))];
			break;
		case 2:
			mk->data[at] = (uint8_t)(mk->data[at] + rnd(mk, 3) - 1);
			break;
		default:
			mk->data[at] = (uint8_t)rnd(mk, 256);
		}
	}
	if (rnd(mk, 6) == 0)
		mk->len = rnd(mk, mk->len + 1);
}

static inline uint32_t
from_hex(const char *hex, uint8_t *out)
{
	uint32_t n = 0;
	char pair[3] = "";

	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		pair[0] = hex[0];
		pair[1] = hex[1];
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex++;
	}
	return n;
}

#endif

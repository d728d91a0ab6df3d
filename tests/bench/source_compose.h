// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_SOURCE_COMPOSE_H
#define SLUICE_BENCH_SOURCE_COMPOSE_H

#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

#include "source_traffic.h"

// The part of source_traffic.h that is done for each packet. Thread safety: owner thread only.

#define TRAFFIC_PORT_BASE 1000

// Weyl sequence and one 128-bit product (after Lemire's wyrand).
static inline uint32_t
traffic_draw(uint64_t *state, uint32_t below)
{
	__uint128_t product;

	*state += 0xa0761d6478bd642fULL;
	product = (__uint128_t)*state * (*state ^ 0xe7037ed1a0b428dbULL);
	return (uint32_t)((uint64_t)(uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64)) *
				  below >>
			  32);
}

static inline void
traffic_compose(const struct traffic *t, uint32_t flow, uint16_t len, uint64_t *frame)
{
	uint32_t rule = flow % TRAFFIC_RULES, nth = flow / TRAFFIC_RULES;
	uint32_t src = 10u << 24 | rule << 8 | (nth & 255);
	uint32_t dst = (172u << 24 | 16u << 16) + (rule << 8 | (nth >> 8 & 255));
	uint32_t ports = (1024 + (nth * 40503u & 0x3fff)) << 16 | (TRAFFIC_PORT_BASE + rule);
	uint32_t sum = t->sum + (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff);
	uint64_t ip_len = len - 14u;
	uint64_t word3, word4;

	sum += (uint32_t)ip_len;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	word3 = (uint64_t)sum << 48 | (uint64_t)src << 16 | dst >> 16;
	word4 = (uint64_t)(dst & 0xffff) << 48 | (uint64_t)ports << 16 | (ip_len - 20);
	frame[0] = t->head[0];
	frame[1] = t->head[1];
	frame[2] = t->head[2] | rte_cpu_to_be_64(ip_len << 48);
	frame[3] = rte_cpu_to_be_64(word3);
	frame[4] = rte_cpu_to_be_64(word4);
	frame[5] = t->head[5];
	frame[6] = t->head[6];
	frame[7] = t->head[7];
}

static inline uint16_t
traffic_len(struct traffic *t)
{
	static const uint16_t len[12] = {
		64, 594, 64, 64, 594, 64, 1514, 64, 594, 64, 594, 64}; // 7 to 4 to 1

	if (!t->mix)
		return TRAFFIC_FRAME;
	t->mix_at = t->mix_at == 11 ? 0 : t->mix_at + 1;
	return len[t->mix_at];
}

static inline uint16_t
traffic_known(struct traffic *t, uint64_t *out)
{
	uint16_t len = traffic_len(t);
	uint32_t flow;

	if (t->order != NULL) {
		flow = t->order[t->order_at];
		t->order_at = t->order_at + 1 == t->order_n ? 0 : t->order_at + 1;
	} else {
		flow = traffic_draw(&t->state, t->flows);
	}
	traffic_compose(t, flow, len, out);
	return len;
}

static inline uint16_t
traffic_new(struct traffic *t, uint64_t *out)
{
	uint32_t room = TRAFFIC_FLOWS_MAX - t->flows;

	if (room == 0)
		return traffic_known(t, out);
	traffic_compose(t, t->flows + t->fresh, TRAFFIC_FRAME, out);
	t->fresh = t->fresh + 1 == room ? 0 : t->fresh + 1;
	return TRAFFIC_FRAME;
}

static inline uint16_t
traffic_captured(struct traffic *t, uint64_t *out)
{
	const struct traffic_frame *f = &t->capture[t->capture_at];

	memcpy(out, f->data, TRAFFIC_HEAD);
	if (t->vary && f->data[12] == 8 && f->data[13] == 0) {
		uint8_t *at = (uint8_t *)out + 26; // the source address
		uint32_t source;

		memcpy(&source, at, sizeof(source));
		source += t->rounds * 0x9e3779b1u;
		memcpy(at, &source, sizeof(source));
	}
	t->capture_at++;
	if (t->capture_at == t->n_capture) {
		t->capture_at = 0;
		t->rounds++;
	}
	return f->len;
}

#endif

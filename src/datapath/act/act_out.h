// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_ACT_OUT_H
#define SLUICE_DATAPATH_ACT_OUT_H

#include "lcore.h"
#include "out/tx.h"

// What the two ways of acting on plain packets (act.c, plain.c) share: the output that packets go
// to at present, and the counters of rules.
//
// Idea: neighbours mostly go the same way, so what an output was given since it was opened is kept
// in registers, and told to its transmit buffer when another one is opened or when a packet takes
// the long way. Thread safety: owner thread only.

struct act_out {
	struct dp_txbuf *buf; // NULL: none is open
	uint32_t max_len;
	uint16_t vport;
	uint16_t n, room;
	uint32_t bytes;
	uint64_t mem;
};

static inline void
act_count_rules(
	struct dp_count *rules, const struct dp_program *prog, uint32_t packets, uint32_t bytes)
{
	const uint16_t *rule = prog->rule, *end = rule + prog->n_rules;

	for (; rule < end; rule++) {
		struct dp_count *c = &rules[*rule];

		lcore_add(&c->packets, packets);
		lcore_add(&c->bytes, bytes);
	}
}

static inline void
act_out_close(struct dp_worker *w, struct act_out *out, uint16_t origin)
{
	if (out->n != 0)
		tx_added(w, out->buf, origin, out->n, out->bytes, out->mem);
	out->buf = NULL;
	out->vport = DP_NONE;
	out->max_len = 0;
	out->n = 0;
}

// False: that output cannot be reached straight away.
static inline bool
act_out_open(struct dp_worker *w, struct act_out *out, uint16_t origin, uint16_t vport)
{
	const struct lcore_out *o = &w->out[vport];

	act_out_close(w, out, origin);
	if (o->own == NULL)
		return false;
	*out = (struct act_out){.buf = o->own,
		.max_len = o->max_len,
		.vport = vport,
		.room = (uint16_t)(DP_TXBUF - o->own->n)};
	return true;
}

static inline bool
act_out_add(struct dp_worker *w, struct act_out *out, uint16_t origin, uint16_t vport,
	struct rte_mbuf *m)
{
	if (unlikely(vport != out->vport || out->n == out->room) &&
		!act_out_open(w, out, origin, vport))
		return false;
	if (unlikely(m->pkt_len > out->max_len))
		return false;
	out->buf->pkts[out->buf->n + out->n++] = m;
	out->bytes += m->pkt_len;
	out->mem += m->buf_len;
	return true;
}

#endif

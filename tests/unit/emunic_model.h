// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_EMUNIC_MODEL_H
#define SLUICE_TESTS_EMUNIC_MODEL_H

#include "emunic_frames.h"

// A linear reference switch, by which the emulated NIC is judged: rules as lists of conditions,
// looked through one by one, in egress, transfer and ingress, with jumps, PASSTHRU and marks. It
// knows a packet by its description (emunic_frames.h).
// Thread safety: owner thread only.

#define MAX_RULES 400
#define MAX_CONDS 40

enum what {
	W_DST,
	W_SRC,
	W_VLAN,
	W_VLAN2,
	W_TCI,
	W_TCI2,
	W_L3,
	W_TOS,
	W_TTL,
	W_FRAG,
	W_FRAGMENT,
	W_IP_SRC,
	W_IP_DST,
	W_L4,
	W_SPORT,
	W_DPORT,
	W_FLAGS,
	W_TUNNEL,
	W_VNI,
	W_MARK,
	W_FROM
};

struct cond {
	enum what what;
	bool inner;
	uint32_t mask, lo, hi;
};

enum act { TO_DEFAULT, TO_QUEUE, TO_SIDE, TO_HOST, TO_DROP, TO_JUMP, TO_NEXT };
enum domain { INGRESS, EGRESS, TRANSFER };

// Where a packet enters, W_FROM: by the wire or the VF, or sent by the port that represents it.
enum from { FROM_WIRE, FROM_VF, FROM_PF, FROM_REP };
#define FROM_HOST(port) (FROM_PF + (port))

struct model {
	struct rte_flow *flow;
	struct rte_flow_template_table *table; // NULL: by rte_flow_create
	struct rte_flow_pattern_template *pattern;
	struct rte_flow_actions_template *actions;
	uint16_t port; // that it was created on
	enum domain domain;
	uint32_t group, priority;
	enum act act;
	uint32_t arg;
	uint32_t mark; // 0: none
	struct cond cond[MAX_CONDS];
	unsigned int n;
	uint64_t hits;
};

static struct model *live[MAX_RULES];
static unsigned int n_live;
static uint64_t passed;    // rules that let a packet go on to the next one
static uint64_t templated; // rules by templates that were hit

static inline uint32_t
value(const struct desc *d, enum from from, const struct cond *c)
{
	const struct layer *l = &d->at[c->inner];

	switch (c->what) {
	case W_FROM:
		return from;
	case W_DST:
		return l->dst;
	case W_SRC:
		return l->src;
	case W_VLAN:
		return l->n_vlans > 0;
	case W_VLAN2:
		return l->n_vlans > 1;
	case W_TCI:
		return l->n_vlans > 0 ? l->tci[0] : 0;
	case W_TCI2:
		return l->n_vlans > 1 ? l->tci[1] : 0;
	case W_L3:
		return l->l3;
	case W_TOS:
		return l->tos;
	case W_TTL:
		return l->ttl;
	case W_FRAG:
		return l->frag;
	case W_FRAGMENT:
		return l->fragment;
	case W_IP_SRC:
		return l->ip_src;
	case W_IP_DST:
		return l->ip_dst;
	case W_L4:
		return l->fragment ? L4_NONE : l->l4;
	case W_SPORT:
		return l->sport;
	case W_DPORT:
		return l->dport;
	case W_FLAGS:
		return l->flags;
	case W_TUNNEL:
		return d->tunnel;
	case W_VNI:
		return d->vni;
	default:
		return d->mark;
	}
}

static inline bool
holds(const struct model *r, const struct desc *d, enum from from)
{
	for (unsigned int i = 0; i < r->n; i++) {
		uint32_t v = value(d, from, &r->cond[i]) & r->cond[i].mask;

		if ((r->cond[i].inner && d->tunnel == NO_TUNNEL) || v < r->cond[i].lo ||
			v > r->cond[i].hi)
			return false;
	}
	return true;
}

// A packet on its way: by which domain, and of which port where that has rules of its own.
struct way {
	struct desc *d;
	enum from from;
	enum domain domain;
	uint16_t port;
};

// The first rule of the group whose priority is `after` or behind it; PASSTHRU goes on from there.
static inline struct model *
first_match(const struct way *w, uint32_t group, uint64_t after)
{
	struct model *best = NULL;

	for (unsigned int i = 0; i < n_live; i++) {
		struct model *r = live[i];

		if (r->domain == w->domain && (w->domain == TRANSFER || r->port == w->port) &&
			r->group == group && r->priority >= after &&
			(best == NULL || r->priority < best->priority) && holds(r, w->d, w->from))
			best = r;
	}
	return best;
}

static inline enum act
reference_domain(const struct way *w, uint32_t *arg)
{
	uint32_t group = 0;
	uint64_t after = 0;

	for (unsigned int jumps = 0; jumps <= 16;) {
		struct model *r = first_match(w, group, after);

		if (r == NULL)
			return TO_DEFAULT;
		r->hits++;
		passed += r->act == TO_NEXT;
		templated += r->table != NULL;
		if (r->mark != 0)
			w->d->mark = r->mark;
		*arg = r->arg;
		if (r->act != TO_JUMP && r->act != TO_NEXT)
			return r->act;
		after = r->act == TO_NEXT ? (uint64_t)r->priority + 1 : 0;
		group = r->act == TO_NEXT ? group : r->arg;
		jumps += r->act == TO_JUMP;
	}
	return TO_DROP;
}

// Where the packet ends. TO_QUEUE: arg is the queue, of host port *port. TO_HOST: any of its
// queues.
static inline enum act
reference(struct desc *d, enum from from, uint32_t *arg, uint16_t *port)
{
	struct way w = {.d = d, .from = from, .domain = EGRESS, .port = from % 2};
	bool host = from >= FROM_PF;
	enum act act = host ? reference_domain(&w, arg) : TO_DEFAULT;

	if (act != TO_DEFAULT)
		return act;
	w.domain = TRANSFER;
	act = reference_domain(&w, arg);
	if (act == TO_DEFAULT) {
		act = host ? TO_SIDE : TO_HOST;
		*arg = from % 2;
	}
	if (act != TO_HOST)
		return act;
	*port = w.port = *arg;
	w.domain = INGRESS;
	act = reference_domain(&w, arg);
	return act == TO_DEFAULT ? TO_HOST : act;
}

#endif

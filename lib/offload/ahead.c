// SPDX-License-Identifier: BSD-3-Clause
#include "offload/ahead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include "base/hash.h"

#define FRAGMENT 1 // the bit of FLOW_FRAG_FIRST and FLOW_FRAG_LATER
#define L3_IP 4    // the bit of FLOW_L3_IPV4 and FLOW_L3_IPV6
#define EXT_HEADERS 5
#define ETH_IP 0x0800
#define ETH_IP6 0x86dd

static_assert((FLOW_L3_IPV4 & FLOW_L3_IPV6 & L3_IP) && !(FLOW_L3_ARP & L3_IP), "tells IP");

static bool
any_bits(const void *data, size_t n)
{
	const uint8_t *b = data;
	uint8_t bits = 0;
	size_t i;

	for (i = 0; i < n; i++)
		bits |= b[i];
	return bits != 0;
}

// ---- what can be said of a match

static bool
is_family(const struct flow_match *m, uint16_t type)
{
	return m->mask.eth_type == UINT16_MAX && m->key.eth_type == htons(type);
}

static bool
reads_ports(const struct flow_match *m)
{
	return m->mask.l4_src != 0 || m->mask.l4_dst != 0 || flow_match_has_range(m);
}

static bool
reads_l4(const struct flow_match *m)
{
	return reads_ports(m) || m->mask.tcp_flags != 0;
}

static bool
reads_l3(const struct flow_match *m)
{
	return m->mask.proto != 0 || m->mask.dscp != 0 || m->mask.ttl != 0 || m->mask.frag != 0 ||
	       any_bits(m->mask.src, 16) || any_bits(m->mask.dst, 16);
}

static bool
has_ports(const struct flow_match *m)
{
	return m->mask.proto == 0xff &&
	       (m->key.proto == IPPROTO_TCP || m->key.proto == IPPROTO_UDP ||
		       m->key.proto == IPPROTO_SCTP);
}

static bool
ip4_addresses(const struct flow_match *m)
{
	return !any_bits(m->mask.src + 4, 12) && !any_bits(m->mask.dst + 4, 12);
}

// IPv6 tells only that there is a fragment header.
static bool
frag_known(const struct flow_match *m)
{
	if (m->mask.frag == 0 || m->mask.frag == FRAGMENT)
		return true;
	return m->mask.frag == 3 && (m->key.frag == FLOW_FRAG_NO || is_family(m, ETH_IP));
}

static bool
range_and_mask(const struct flow_match *m)
{
	return (m->mask.l4_src != 0 && (m->sport.lo != 0 || m->sport.hi != UINT16_MAX)) ||
	       (m->mask.l4_dst != 0 && (m->dport.lo != 0 || m->dport.hi != UINT16_MAX));
}

const char *
ahead_cannot_say(const struct flow_match *m)
{
	bool ip = is_family(m, ETH_IP) || is_family(m, ETH_IP6);
	bool tagged = m->key.vlan[0] & m->mask.vlan[0] & FLOW_VLAN_PRESENT;

	if (m->mask.l3 != 0)
		return "some bits of the network layer";
	if (m->mask.eth_type != 0 && m->mask.eth_type != UINT16_MAX)
		return "some bits of the ethertype";
	if (m->mask.eth_type != 0 && m->key.eth_type == 0)
		return "frames without an ethertype";
	if (!(m->mask.vlan[0] & FLOW_VLAN_PRESENT) || (!tagged && (m->mask.vlan[0] & ~0x1000)))
		return "VLAN tags that may be there or not";
	if (m->mask.vlan[1] != 0 &&
		(m->mask.vlan[1] != FLOW_VLAN_PRESENT || m->key.vlan[1] != 0 || !tagged))
		return "an inner VLAN tag";
	if (tagged && m->mask.eth_type != 0 && m->mask.vlan[1] == 0)
		return "what follows a tag that another one may follow";
	if (!ip && (reads_l3(m) || reads_l4(m)))
		return is_family(m, 0x0806) ? "fields of ARP" : "fields of the network layer";
	if (is_family(m, ETH_IP) && !ip4_addresses(m))
		return "bits behind an IPv4 address";
	if (!frag_known(m))
		return "which one of the fragments it is";
	if (reads_ports(m) && !has_ports(m))
		return "ICMP types, or ports of a protocol that is not TCP, UDP or SCTP";
	if (m->mask.tcp_flags != 0 && !(has_ports(m) && m->key.proto == IPPROTO_TCP))
		return "TCP flags of what may not be TCP";
	if (reads_l4(m) && (!(m->mask.frag & FRAGMENT) || (m->key.frag & FRAGMENT)))
		return "ports of fragments";
	return range_and_mask(m) ? "a range and a mask of one port" : NULL;
}

static void
forget_l4(struct flow_match *m)
{
	m->mask.l4_src = m->mask.l4_dst = 0;
	m->mask.tcp_flags = 0;
	m->sport = m->dport = (struct flow_range){0, UINT16_MAX};
}

static void
forget_l3(struct flow_match *m)
{
	forget_l4(m);
	m->mask.proto = m->mask.dscp = m->mask.ttl = m->mask.frag = 0;
	memset(m->mask.src, 0, sizeof(m->mask.src));
	memset(m->mask.dst, 0, sizeof(m->mask.dst));
}

void
ahead_widen(struct flow_match *m)
{
	bool tagged = m->key.vlan[0] & m->mask.vlan[0] & FLOW_VLAN_PRESENT;

	m->mask.l3 = 0;
	if (m->mask.eth_type != UINT16_MAX || m->key.eth_type == 0)
		m->mask.eth_type = 0;
	if (!tagged)
		m->mask.vlan[0] &= FLOW_VLAN_PRESENT;
	if (m->mask.vlan[1] != FLOW_VLAN_PRESENT || m->key.vlan[1] != 0 || !tagged)
		m->mask.vlan[1] = 0;
	if (tagged && m->mask.vlan[1] == 0)
		m->mask.eth_type = 0;
	if (!is_family(m, ETH_IP) && !is_family(m, ETH_IP6))
		forget_l3(m);
	if (is_family(m, ETH_IP)) {
		memset(m->mask.src + 4, 0, 12);
		memset(m->mask.dst + 4, 0, 12);
	}
	if (!frag_known(m))
		m->mask.frag &= m->key.frag & FRAGMENT;
	if (!has_ports(m) || range_and_mask(m) ||
		(m->mask.tcp_flags != 0 && m->key.proto != IPPROTO_TCP) ||
		!(m->mask.frag & FRAGMENT) || (m->key.frag & FRAGMENT))
		forget_l4(m);
	flow_match_normalise(m);
}

bool
ahead_only_family(struct flow_match *m, uint8_t l3)
{
	uint16_t type = htons(l3 == FLOW_L3_IPV4 ? ETH_IP : ETH_IP6);

	if (((m->key.l3 ^ l3) & m->mask.l3) || ((m->key.eth_type ^ type) & m->mask.eth_type))
		return false;
	m->mask.l3 = m->key.l3 = 0;
	m->mask.eth_type = UINT16_MAX;
	m->key.eth_type = type;
	return true;
}

static bool
empty(struct flow_range r)
{
	return r.lo > r.hi;
}

// ---- a step's parts

struct part {
	struct flow_match match;
	struct ahead_act act; // HOST: it was made to be a cover
	uint32_t step;
	uint8_t nth; // of its step
	bool in;     // the NIC has it
	bool ext;    // for the host: of what it matches, all with an extension header
};

struct split {
	struct part part[AHEAD_PARTS];
	uint8_t n;
	const char *cannot;
};

static void
add_part(struct split *s, const struct ahead_step *step, const struct flow_match *m, uint8_t kind)
{
	struct part *p = &s->part[s->n++];

	*p = (struct part){.match = *m, .act = step->act};
	if (kind == AHEAD_HOST)
		p->act = (struct ahead_act){.kind = AHEAD_HOST};
}

// What the packet path walks over (flow/parse.h).
static const uint8_t ext_headers[EXT_HEADERS] = {
	IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH, IPPROTO_DSTOPTS};

// May it be what a NIC says of a packet where the host says another protocol?
static bool
may_be_ext(const struct flow_match *m)
{
	unsigned i;

	for (i = 0; i < EXT_HEADERS; i++) {
		if (!((m->key.proto ^ ext_headers[i]) & m->mask.proto))
			return true;
	}
	return false;
}

static void
add_ext(struct split *s, const struct ahead_step *step, struct flow_match m)
{
	m.mask.proto = m.mask.frag = 0;
	forget_l4(&m);
	flow_match_normalise(&m);
	ahead_widen(&m);
	if (!is_family(&m, ETH_IP6))
		return; // the other part is for all that the host may get, too
	add_part(s, step, &m, AHEAD_HOST);
	s->part[s->n - 1].ext = true;
}

// What an item of a NIC that asks for L4 says of fragments differs between drivers: they are told
// apart, and the host gets them.
static void
split_fragments(struct split *s, const struct ahead_step *step, struct flow_match m)
{
	struct flow_match rest = m;

	// A NIC sees the header of a fragment where sluice looks for more than one (RFC 6946).
	if (is_family(&m, ETH_IP6) && m.mask.frag != 0) {
		s->cannot = "fragments of IPv6";
		m.mask.frag = 0;
		flow_match_normalise(&m);
		ahead_widen(&m);
		add_part(s, step, &m, AHEAD_HOST);
		return;
	}
	if (reads_l4(&m) && has_ports(&m) && !(m.mask.frag & FRAGMENT)) {
		m.mask.frag = FRAGMENT;
		m.key.frag = FLOW_FRAG_NO;
		forget_l4(&rest);
		rest.mask.frag |= FRAGMENT;
		rest.key.frag |= FRAGMENT;
		flow_match_normalise(&rest);
		ahead_widen(&rest);
	} else {
		rest.sport = (struct flow_range){1, 0};
	}
	if (s->cannot == NULL)
		s->cannot = ahead_cannot_say(&m);
	if (ahead_cannot_say(&m) != NULL) {
		ahead_widen(&m);
		add_part(s, step, &m, AHEAD_HOST);
	} else {
		add_part(s, step, &m, step->act.kind);
	}
	if (!empty(rest.sport))
		add_part(s, step, &rest, AHEAD_HOST);
}

// Of one family. The part for extension headers is the last: it may have to be made wider.
static void
split_family(struct split *s, const struct ahead_step *step, struct flow_match m)
{
	if (is_family(&m, ETH_IP6) && m.mask.proto != 0 && may_be_ext(&m)) {
		s->cannot = "extension headers of IPv6";
		m.mask.proto = m.mask.frag = 0;
		forget_l4(&m);
		flow_match_normalise(&m);
		ahead_widen(&m);
		add_part(s, step, &m, AHEAD_HOST);
		return;
	}
	split_fragments(s, step, m);
	if (is_family(&m, ETH_IP6) && m.mask.proto != 0)
		add_ext(s, step, m);
}

static void
split_step(const struct ahead_step *step, struct split *s)
{
	static const uint8_t families[] = {FLOW_L3_IPV4, FLOW_L3_IPV6};
	const struct flow_match *m = &step->match;
	unsigned i;

	memset(s, 0, sizeof(*s));
	if (empty(m->sport) || empty(m->dport))
		return;
	if (is_family(m, ETH_IP) || is_family(m, ETH_IP6) || !(m->key.l3 & m->mask.l3 & L3_IP)) {
		struct flow_match one = *m;

		if (is_family(m, ETH_IP))
			(void)ahead_only_family(&one, FLOW_L3_IPV4);
		else if (is_family(m, ETH_IP6))
			(void)ahead_only_family(&one, FLOW_L3_IPV6);
		split_family(s, step, one);
		return;
	}
	for (i = 0; i < 2; i++) {
		struct flow_match one = *m;

		if (ahead_only_family(&one, families[i]))
			split_family(s, step, one);
	}
}

// ---- the plan

struct planner {
	ahead_refused_fn refused;
	void *ctx;
	struct ahead_plan *plan;
	struct ahead_standing *standings;
	struct part *latent; // of the steps so far
	uint32_t n_latent;
	uint32_t *need; // of latent, scratch
	uint32_t n_need;
	uint32_t *known; // [known_mask + 1]: 1 + latent parts of extension headers, by hash
	uint32_t known_mask;
};

static bool
is_one_flow(const struct flow_match *m)
{
	static const uint8_t ones[16] = {
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	size_t n = is_family(m, ETH_IP) ? 4 : 16;

	return has_ports(m) && m->mask.l4_src == UINT16_MAX && m->mask.l4_dst == UINT16_MAX &&
	       memcmp(m->mask.src, ones, n) == 0 && memcmp(m->mask.dst, ones, n) == 0;
}

static void
put_in(struct planner *p, struct part *part)
{
	uint8_t i, n = part->ext ? EXT_HEADERS : 1;

	for (i = 0; i < n; i++) {
		struct ahead_rule *r = &p->plan->rules[p->plan->n++];

		*r = (struct ahead_rule){.match = part->match,
			.act = part->act,
			.step = part->step,
			.part = (uint8_t)(part->nth + i * AHEAD_PARTS)};
		if (!part->ext)
			continue;
		r->match.key.proto = ext_headers[i];
		r->match.mask.proto = 0xff;
	}
	part->in = true;
}

// A part that is not in becomes a cover. 0, or the shape that the NIC does not take.
static uint32_t
as_cover(struct planner *p, struct part *part)
{
	struct flow_match m = part->match;

	part->act = (struct ahead_act){.kind = AHEAD_HOST};
	if (part->ext)
		m.mask.proto = 0xff;
	if (!p->refused(p->ctx, &m, &part->act))
		return 0;
	part->ext = false;
	// Ranges and the like may be what it does not take: a wider one.
	forget_l4(&part->match);
	part->match.mask.frag = 0;
	flow_match_normalise(&part->match);
	return p->refused(p->ctx, &part->match, &part->act);
}

static bool
meets(const struct part *latent, const struct part *acts)
{
	return acts->act.kind != AHEAD_HOST && (!latent->ext || acts->match.mask.proto == 0) &&
	       flow_match_overlap(&latent->match, &acts->match);
}

// The parts above that overlap any of s and are not in, in p->need: how many rules they take. -1:
// one of them cannot be covered; or there are more than most.
static int
covers_needed(struct planner *p, const struct split *s, uint32_t most, uint32_t *refused)
{
	uint32_t i, n = 0;
	uint8_t k;

	*refused = 0;
	p->n_need = 0;
	for (i = 0; i < p->n_latent; i++) {
		struct part *l = &p->latent[i];
		bool over = false;

		for (k = 0; k < s->n && !l->in && !over; k++)
			over = meets(l, &s->part[k]);
		if (!over)
			continue;
		*refused = as_cover(p, l);
		if (*refused != 0)
			return -1;
		n += l->ext ? EXT_HEADERS : 1;
		if (n > most)
			return -1;
		p->need[p->n_need++] = i;
	}
	return (int)n;
}

static uint8_t
try_step(struct planner *p, struct split *s, struct ahead_standing *st)
{
	uint32_t room = p->plan->room - p->plan->n, acts = 0, i;
	bool is_one = true;
	int covers;
	uint8_t k;

	for (k = 0; k < s->n; k++) {
		if (s->part[k].act.kind == AHEAD_HOST)
			continue;
		acts++;
		is_one = is_one && is_one_flow(&s->part[k].match);
		st->shape = p->refused(p->ctx, &s->part[k].match, &s->part[k].act);
		if (st->shape != 0)
			return AHEAD_R_REFUSED;
	}
	if (acts == 0)
		return AHEAD_R_MATCH;
	if (is_one)
		return AHEAD_R_ONE_FLOW;
	if (acts > room) {
		p->plan->short_of_room = true;
		return AHEAD_R_ROOM;
	}
	covers = covers_needed(p, s, room - acts, &st->shape);
	if (covers < 0) {
		p->plan->short_of_room |= st->shape == 0;
		return st->shape != 0 ? AHEAD_R_REFUSED : AHEAD_R_ROOM;
	}
	st->covers = (uint16_t)covers;
	for (i = 0; i < p->n_need; i++)
		put_in(p, &p->latent[p->need[i]]);
	for (k = 0; k < s->n; k++) {
		if (s->part[k].act.kind != AHEAD_HOST)
			put_in(p, &s->part[k]);
	}
	return s->cannot != NULL ? AHEAD_R_MATCH : AHEAD_R_NONE;
}

// Keeps a part that is not in; not one for extension headers that a part above is for as well.
static void
keep(struct planner *p, const struct part *part)
{
	const struct flow_match *m = &part->match;
	uint64_t at = sl_hash_bytes(&m->key, sizeof(m->key), sizeof(m->mask));

	for (at &= p->known_mask; part->ext && p->known[at] != 0; at = (at + 1) & p->known_mask) {
		if (flow_match_equal(&p->latent[p->known[at] - 1].match, m))
			return;
	}
	p->latent[p->n_latent++] = *part;
	if (part->ext)
		p->known[at] = p->n_latent;
}

static int
by_step(const void *a, const void *b)
{
	const struct ahead_rule *x = a, *y = b;

	if (x->step != y->step)
		return x->step < y->step ? -1 : 1;
	return (int)x->part - (int)y->part;
}

static void
set_levels(struct ahead_plan *plan)
{
	uint32_t i, k;

	qsort(plan->rules, plan->n, sizeof(*plan->rules), by_step);
	for (i = 0; i < plan->n; i++) {
		struct ahead_rule *r = &plan->rules[i];

		r->level = 0;
		for (k = 0; k < i; k++) {
			if (plan->rules[k].level >= r->level &&
				flow_match_overlap(&plan->rules[k].match, &r->match))
				r->level = plan->rules[k].level + 1;
		}
	}
}

// In which way each step is in, of the rules that came of it.
static void
set_stands(struct planner *p, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < p->plan->n; i++) {
		struct ahead_standing *st = &p->standings[p->plan->rules[i].step];
		bool acts = p->plan->rules[i].act.kind != AHEAD_HOST;

		if (!acts)
			st->stand = st->stand == AHEAD_NOT ? AHEAD_COVERED : st->stand;
		else
			st->stand = st->reason == AHEAD_R_MATCH ? AHEAD_PARTLY : AHEAD_WHOLE;
	}
	for (i = 0; i < n; i++) {
		if (p->standings[i].stand == AHEAD_WHOLE)
			p->standings[i].reason = AHEAD_R_NONE;
	}
}

int
ahead_plan(const struct ahead_step *steps, uint32_t n, ahead_refused_fn refused, void *ctx,
	struct ahead_plan *plan, struct ahead_standing *standings)
{
	struct planner p = {.refused = refused, .ctx = ctx, .plan = plan, .standings = standings};
	uint32_t i, seen = n < AHEAD_STEPS_MAX ? n : AHEAD_STEPS_MAX;
	uint8_t k;

	plan->n = 0;
	plan->short_of_room = false;
	memset(standings, 0, n * sizeof(*standings));
	p.latent = calloc((size_t)seen * AHEAD_PARTS + 1, sizeof(*p.latent));
	p.need = calloc((size_t)seen * AHEAD_PARTS + 1, sizeof(*p.need));
	for (p.known_mask = 1; p.known_mask < 2 * seen; p.known_mask = 2 * p.known_mask + 1)
		;
	p.known = calloc((size_t)p.known_mask + 1, sizeof(*p.known));
	if (p.latent == NULL || p.need == NULL || p.known == NULL) {
		free(p.latent);
		free(p.need);
		free(p.known);
		return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		struct split s;

		standings[i].reason = AHEAD_R_FAR;
		if (i >= seen)
			continue;
		split_step(&steps[i], &s);
		for (k = 0; k < s.n; k++) {
			s.part[k].step = i;
			s.part[k].nth = k;
		}
		standings[i].reason = steps[i].act.kind == AHEAD_HOST
					      ? AHEAD_R_HOST
					      : try_step(&p, &s, &standings[i]);
		for (k = 0; k < s.n; k++) {
			if (!s.part[k].in)
				keep(&p, &s.part[k]);
		}
	}
	free(p.latent);
	free(p.need);
	free(p.known);
	set_levels(plan);
	set_stands(&p, n);
	return 0;
}

const char *
ahead_stand_name(enum ahead_stand s)
{
	static const char *const names[] = {[AHEAD_NOT] = "not",
		[AHEAD_COVERED] = "to-host",
		[AHEAD_PARTLY] = "partly",
		[AHEAD_WHOLE] = "whole"};

	return names[s];
}

// SPDX-License-Identifier: BSD-3-Clause
// The emulated NIC against a linear reference switch: seeded random rules of both domains, in
// groups with jumps and rules that let pass, with masks, ranges, tunnels and marks, that come and
// go; after every packet the place where it ended is compared, and the hits of every rule from time
// to time.
//
// The reference knows each packet by its description, from which its bytes were made, and so
// shares no code with the parser. Priorities are all different: test_emunic_table has the order of
// equal ones.
#include "emunic_frames.h"

#define STEPS 30000
#define MAX_RULES 400
#define MAX_CONDS 40
#define N_GROUPS 4

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
	W_MARK
};

struct cond {
	enum what what;
	bool inner;
	uint32_t mask, lo, hi;
};

enum act { TO_DEFAULT, TO_QUEUE, TO_VF, TO_DROP, TO_JUMP, TO_NEXT };

struct model {
	struct rte_flow *flow;
	bool transfer;
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
static uint32_t next_priority;
static uint64_t passed; // rules that let a packet go on to the next one

// The reference

static uint32_t
value(const struct desc *d, const struct cond *c)
{
	const struct layer *l = &d->at[c->inner];

	switch (c->what) {
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

static bool
holds(const struct model *r, const struct desc *d)
{
	for (unsigned int i = 0; i < r->n; i++) {
		uint32_t v = value(d, &r->cond[i]) & r->cond[i].mask;

		if ((r->cond[i].inner && d->tunnel == NO_TUNNEL) || v < r->cond[i].lo ||
			v > r->cond[i].hi)
			return false;
	}
	return true;
}

// The first rule of the group whose priority is `from` or behind it; PASSTHRU goes on from there.
static struct model *
first_match(bool transfer, uint32_t group, uint64_t from, const struct desc *d)
{
	struct model *best = NULL;

	for (unsigned int i = 0; i < n_live; i++) {
		struct model *r = live[i];

		if (r->transfer == transfer && r->group == group && r->priority >= from &&
			(best == NULL || r->priority < best->priority) && holds(r, d))
			best = r;
	}
	return best;
}

static enum act
reference_domain(bool transfer, struct desc *d, uint32_t *arg)
{
	uint32_t group = 0;
	uint64_t from = 0;

	for (unsigned int jumps = 0; jumps <= 16;) {
		struct model *r = first_match(transfer, group, from, d);

		if (r == NULL)
			return TO_DEFAULT;
		r->hits++;
		passed += r->act == TO_NEXT;
		if (r->mark != 0)
			d->mark = r->mark;
		*arg = r->arg;
		if (r->act != TO_JUMP && r->act != TO_NEXT)
			return r->act;
		from = r->act == TO_NEXT ? (uint64_t)r->priority + 1 : 0;
		group = r->act == TO_NEXT ? group : r->arg;
		jumps += r->act == TO_JUMP;
	}
	return TO_DROP;
}

static enum act
reference(struct desc *d, uint32_t *arg)
{
	enum act act = reference_domain(true, d, arg);

	return act == TO_DEFAULT ? reference_domain(false, d, arg) : act;
}

// Rules

struct gen {
	struct model *rule;
	struct rte_flow_item items[20];
	uint8_t space[20][3][64]; // spec, mask, last
	unsigned int n, ranges;
	bool inner;
};

static void
add_cond(struct gen *g, enum what what, uint32_t mask, uint32_t lo, uint32_t hi)
{
	g->rule->cond[g->rule->n++] = (struct cond){what,
		g->inner && what != W_TUNNEL && what != W_VNI && what != W_MARK, mask, lo, hi};
}

static void
add_item(struct gen *g, enum rte_flow_item_type type)
{
	g->items[g->n++] = (struct rte_flow_item){.type = type};
	memset(g->space[g->n - 1], 0, sizeof(g->space[0]));
}

static void
put_number(uint8_t *p, unsigned int size, uint32_t v)
{
	for (unsigned int i = size; i-- > 0; v >>= 8)
		p[i] = v;
}

// Asks for a field of the last item (at, size) to be like v, or says nothing of it.
static void
ask_field(struct gen *g, enum what what, unsigned int at, unsigned int size, uint32_t v, bool range)
{
	struct rte_flow_item *it = &g->items[g->n - 1];
	uint8_t(*s)[64] = g->space[g->n - 1];
	uint32_t full = size == 1 ? 0xff : size == 2 ? 0xffff : 0xff; // addresses: their last byte
	uint32_t mask = draw(4) ? full : full & ~1U, hi = v & mask;

	if (draw(3))
		return;
	if (range && g->ranges < 4 && draw(3) == 0) {
		hi = (v + draw(4)) & mask;
		if (hi < (v & mask))
			hi = v & mask;
		put_number(&s[2][at], size, hi);
		it->last = s[2];
		g->ranges += hi != (v & mask);
	}
	it->spec = s[0];
	it->mask = s[1];
	put_number(&s[0][at], size, v | draw(2) * (full & ~mask));
	put_number(&s[1][at], size, mask);
	add_cond(g, what, mask, v & mask, hi);
}

static void
ask_flag(struct gen *g, enum what what, unsigned int at, unsigned int bit)
{
	struct rte_flow_item *it = &g->items[g->n - 1];
	uint8_t(*s)[64] = g->space[g->n - 1];
	bool on = draw(2);

	if (draw(4))
		return;
	it->spec = s[0];
	it->mask = s[1];
	s[0][at] |= on << bit;
	s[1][at] |= 1 << bit;
	add_cond(g, what, 1, on, on);
}

static void
ask_l2(struct gen *g, const struct layer *like)
{
	if (draw(2) == 0) {
		add_item(g, RTE_FLOW_ITEM_TYPE_ETH);
		ask_field(g, W_DST, 5, 1, like->dst, false);
		ask_field(g, W_SRC, 11, 1, like->src, false);
		ask_flag(g, W_VLAN, 14, 0);
	}
	if (draw(3) > 0 && like->n_vlans == 0)
		return;
	for (unsigned int i = 0; i < 1 + draw(2); i++) {
		add_item(g, RTE_FLOW_ITEM_TYPE_VLAN);
		ask_field(g, i ? W_TCI2 : W_TCI, 0, 2, like->tci[i], true);
		add_cond(g, i ? W_VLAN2 : W_VLAN, 1, 1, 1);
		if (i > 0)
			break;
		ask_flag(g, W_VLAN2, 4, 0);
	}
}

static void
ask_l3(struct gen *g, const struct layer *like)
{
	enum l3 l3 = draw(10) ? like->l3 : 1 + draw(3);

	if (l3 == L3_OTHER || draw(4) == 0)
		return;
	add_cond(g, W_L3, 0xff, l3, l3);
	if (l3 == L3_V4) {
		add_item(g, RTE_FLOW_ITEM_TYPE_IPV4);
		ask_field(g, W_TOS, 1, 1, like->tos, true);
		ask_field(g, W_TTL, 8, 1, like->ttl, true);
		ask_field(g, W_FRAG, 6, 2, like->frag, true);
		ask_field(g, W_IP_SRC, 12, 4, like->ip_src, true);
		ask_field(g, W_IP_DST, 16, 4, like->ip_dst, true);
	} else if (l3 == L3_V6) {
		add_item(g, RTE_FLOW_ITEM_TYPE_IPV6);
		ask_field(g, W_TTL, 7, 1, like->ttl, true);
		ask_field(g, W_IP_SRC, 23, 1, like->ip_src, false);
		ask_field(g, W_IP_DST, 39, 1, like->ip_dst, false);
		ask_flag(g, W_FRAGMENT, 40, 2);
		if (draw(6) == 0) {
			add_item(g, RTE_FLOW_ITEM_TYPE_IPV6_FRAG_EXT);
			add_cond(g, W_FRAGMENT, 1, 1, 1);
			ask_field(g, W_FRAG, 2, 2, like->frag, true);
		}
	} else {
		add_item(g, RTE_FLOW_ITEM_TYPE_ARP_ETH_IPV4);
		ask_field(g, W_IP_SRC, offsetof(struct rte_flow_item_arp_eth_ipv4, spa), 4,
			like->ip_src, true);
		ask_field(g, W_IP_DST, offsetof(struct rte_flow_item_arp_eth_ipv4, tpa), 4,
			like->ip_dst, true);
	}
}

static void
ask_l4(struct gen *g, const struct layer *like)
{
	static const enum rte_flow_item_type types[] = {RTE_FLOW_ITEM_TYPE_VOID,
		RTE_FLOW_ITEM_TYPE_TCP, RTE_FLOW_ITEM_TYPE_UDP, RTE_FLOW_ITEM_TYPE_SCTP,
		RTE_FLOW_ITEM_TYPE_ICMP, RTE_FLOW_ITEM_TYPE_ICMP6};
	unsigned int size = like->l4 >= L4_ICMP ? 1 : 2;

	if (draw(3) == 0)
		return;
	add_item(g, types[like->l4]);
	if (like->l4 == L4_NONE)
		return;
	add_cond(g, W_L4, 0xff, like->l4, like->l4);
	ask_field(g, W_SPORT, 0, size, like->sport, true);
	ask_field(g, W_DPORT, size, size, like->dport, true);
	if (like->l4 == L4_TCP)
		ask_field(g, W_FLAGS, 13, 1, like->flags, false);
}

// A pattern that is like some packet, so that rules are hit, and the conditions that it means.
static void
random_pattern(struct gen *g)
{
	struct desc d;

	random_desc(&d);
	ask_l2(g, &d.at[0]);
	ask_l3(g, &d.at[0]);
	ask_l4(g, &d.at[0]);
	if (d.tunnel != NO_TUNNEL && draw(4) > 0) {
		add_item(g,
			d.tunnel == VXLAN ? RTE_FLOW_ITEM_TYPE_VXLAN : RTE_FLOW_ITEM_TYPE_GENEVE);
		add_cond(g, W_TUNNEL, 3, d.tunnel, d.tunnel);
		ask_field(g, W_VNI, 6, 1, d.vni, false);
		g->inner = true;
		ask_l2(g, &d.at[1]);
		ask_l3(g, &d.at[1]);
		ask_l4(g, &d.at[1]);
	}
	if (draw(6) == 0) {
		struct rte_flow_item_mark *spec = (void *)g->space[g->n][0];

		add_item(g, RTE_FLOW_ITEM_TYPE_MARK);
		g->items[g->n - 1].spec = spec;
		spec->id = 1 + draw(3);
		add_cond(g, W_MARK, UINT32_MAX, spec->id, spec->id);
	}
	add_item(g, RTE_FLOW_ITEM_TYPE_END);
}

// True when two items say the opposite of what layers there are; such rules are refused.
static bool
contradicts(const struct model *r)
{
	for (unsigned int i = 0; i < r->n; i++)
		for (unsigned int k = 0; k < i; k++)
			if (r->cond[i].what == r->cond[k].what &&
				r->cond[i].inner == r->cond[k].inner &&
				r->cond[i].lo != r->cond[k].lo)
				return true;
	return false;
}

static void
create(void)
{
	struct rte_flow_action_mark mark = {.id = draw(4)};
	struct rte_flow_action_jump jump = {.group = draw(N_GROUPS)};
	struct rte_flow_action_queue queue = {.index = draw(2)};
	struct rte_flow_action_ethdev vf = {.port_id = 1};
	static const enum rte_flow_action_type types[] = {RTE_FLOW_ACTION_TYPE_VOID,
		RTE_FLOW_ACTION_TYPE_QUEUE, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT,
		RTE_FLOW_ACTION_TYPE_DROP, RTE_FLOW_ACTION_TYPE_JUMP,
		RTE_FLOW_ACTION_TYPE_PASSTHRU};
	const void *confs[] = {NULL, &queue, &vf, NULL, &jump, NULL};
	struct model *r = calloc(1, sizeof(*r));
	struct gen *g = calloc(1, sizeof(*g));
	struct rte_flow_error error = {0};

	assert_non_null(r);
	assert_non_null(g);
	g->rule = r;
	r->transfer = draw(2);
	r->group = draw(2) ? 0 : draw(N_GROUPS);
	r->priority = next_priority++ * 2654435761U; // all different, in no order
	r->mark = mark.id;
	r->act = draw(3) ? TO_JUMP + draw(2) : draw(4);
	if (r->act == TO_QUEUE && r->transfer)
		r->act = TO_VF;
	if (r->act == TO_VF && !r->transfer)
		r->act = TO_QUEUE;
	if (r->act == TO_JUMP && jump.group == r->group)
		r->act = TO_DROP;
	r->arg = r->act == TO_JUMP ? jump.group : queue.index;
	random_pattern(g);
	{
		const struct rte_flow_attr attr = {.group = r->group,
			.priority = r->priority,
			.ingress = !r->transfer,
			.transfer = r->transfer};
		const struct rte_flow_action actions[] = {
			{.type = RTE_FLOW_ACTION_TYPE_COUNT},
			{.type = r->mark ? RTE_FLOW_ACTION_TYPE_MARK : RTE_FLOW_ACTION_TYPE_VOID,
				.conf = &mark},
			{.type = types[r->act], .conf = confs[r->act]},
			{.type = RTE_FLOW_ACTION_TYPE_END},
		};

		r->flow = rte_flow_create(0, &attr, g->items, actions, &error);
	}
	free(g);
	if (contradicts(r)) {
		assert_null(r->flow);
		assert_non_null(strstr(error.message, "contradicts"));
		free(r);
		return;
	}
	if (r->flow == NULL)
		fail_msg("a rule was refused: %s", error.message);
	live[n_live++] = r;
}

static void
compare_hits(const struct model *r)
{
	const struct rte_flow_action count[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count out = {0};
	struct rte_flow_error error;

	assert_int_equal(rte_flow_query(0, r->flow, count, &out, &error), 0);
	assert_int_equal(out.hits, r->hits);
}

static void
destroy(unsigned int i)
{
	struct rte_flow_error error;

	compare_hits(live[i]);
	assert_int_equal(rte_flow_destroy(0, live[i]->flow, &error), 0);
	free(live[i]);
	live[i] = live[--n_live];
}

// Where a packet ended: the queue, or -1 at the VF, or -2 nowhere.
static int
enter(struct rte_mbuf *m, uint32_t *mark)
{
	struct rte_mbuf *got;
	int where = -2;

	*mark = 0;
	scripts[0].in[scripts[0].n_in++] = m;
	for (unsigned int round = 0; round < 2; round++) {
		for (uint16_t q = 0; q < 2; q++) {
			if (rte_eth_rx_burst(0, q, &got, 1) == 0)
				continue;
			assert_int_equal(where, -2);
			where = q;
			if (got->ol_flags & RTE_MBUF_F_RX_FDIR_ID)
				*mark = got->hash.fdir.hi;
			rte_pktmbuf_free(got);
		}
	}
	if (scripts[1].n_out > 0) {
		assert_int_equal(where, -2);
		where = -1;
		clear(&scripts[1]);
	}
	return where;
}

static void
compare_packet(uint64_t *seen)
{
	uint32_t arg = 0, mark;
	struct desc d;
	enum act act;
	int where;

	random_desc(&d);
	where = enter(make(&d), &mark);
	act = reference(&d, &arg);
	seen[act]++;
	switch (act) {
	case TO_QUEUE:
		assert_int_equal(where, arg);
		break;
	case TO_VF:
		assert_int_equal(where, -1);
		break;
	case TO_DROP:
		assert_int_equal(where, -2);
		break;
	default:
		assert_true(where >= 0);
		break;
	}
	if (where >= 0)
		assert_int_equal(mark, d.mark);
}

static void
test_model(void **state)
{
	uint64_t seen[TO_NEXT + 1] = {0};

	plug_with("queues=2,representor=vf0,firmware=inline,capacity=512", 0);
	for (unsigned int step = 0; step < STEPS; step++) {
		unsigned int what = draw(10);

		if (what < 2 && n_live < MAX_RULES)
			create();
		else if (what == 2 && n_live > 0 && (n_live > MAX_RULES / 2 || draw(2)))
			destroy(draw(n_live));
		else
			compare_packet(seen);
		if (step % 500 == 0)
			for (unsigned int i = 0; i < n_live; i++)
				compare_hits(live[i]);
	}
	// It was a test of something.
	for (unsigned int i = 0; i < TO_JUMP; i++)
		assert_true(seen[i] > STEPS / 100);
	assert_true(passed > STEPS / 100);
	while (n_live > 0)
		destroy(n_live - 1);
	assert_int_equal(nic()->rules.n_groups, 0);
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}

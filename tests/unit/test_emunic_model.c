// SPDX-License-Identifier: BSD-3-Clause
// The emulated NIC against a linear reference switch: seeded random rules of all three domains, on
// two ports, by rte_flow_create or by templates and queues, in groups with jumps and rules that let
// pass, with masks, ranges, tunnels and marks, that come and go; after every packet, which enters
// by the wire, the VF or either host port, the place where it ended is compared, and the hits of
// every rule from time to time.
//
// The reference knows each packet by its description, from which its bytes were made, and so
// shares no code with the parser. Priorities are all different: test_emunic_table has the order of
// equal ones.
#include "emunic_model.h"

#define STEPS 30000
#define N_GROUPS 4

static uint32_t next_priority;

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

// Where it is from: by an item, or by the port that the rule is created on.
static void
ask_port(struct gen *g)
{
	const uint16_t port = draw(2);
	const bool host = draw(2);
	struct rte_flow_item_ethdev *spec = (void *)g->space[g->n][0];
	enum from from = host ? FROM_HOST(port) : port;

	if (g->rule->domain != TRANSFER)
		return;
	if (draw(3) == 0) {
		add_cond(g, W_FROM, UINT32_MAX, g->rule->port, g->rule->port);
		return;
	}
	add_item(g,
		host ? RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR : RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT);
	g->items[g->n - 1].spec = spec;
	spec->port_id = port;
	add_cond(g, W_FROM, UINT32_MAX, from, from);
}

// A pattern that is like some packet, so that rules are hit, and the conditions that it means.
static void
random_pattern(struct gen *g)
{
	struct desc d;

	ask_port(g);
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

// The same rule by templates of its own: half of its actions are the template's.
static struct rte_flow *
create_by_templates(struct model *r, const struct rte_flow_attr *rule,
	const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct rte_flow_error *error)
{
	const struct rte_flow_pattern_template_attr p = {
		.ingress = rule->ingress, .egress = rule->egress, .transfer = rule->transfer};
	const struct rte_flow_actions_template_attr a = {
		.ingress = rule->ingress, .egress = rule->egress, .transfer = rule->transfer};
	const struct rte_flow_template_table_attr table = {.flow_attr = *rule, .nb_flows = 1};
	const struct rte_flow_op_attr op = {.postpone = draw(2)};
	struct rte_flow_action from[4], masks[4], given[4];
	static const uint8_t ones[16] = {0xff, 0xff, 0xff, 0xff}, zeros[16];
	struct rte_flow_op_result result;
	struct rte_flow *flow;

	for (unsigned int i = 0; i < 4; i++) {
		const bool fixed = draw(2);

		from[i] = masks[i] = given[i] = actions[i];
		if (actions[i].conf == NULL)
			continue;
		masks[i].conf = fixed ? ones : draw(2) ? zeros : NULL;
		if (fixed)
			given[i].conf = zeros;
		else
			from[i].conf = zeros;
	}
	r->pattern = rte_flow_pattern_template_create(r->port, &p, items, error);
	r->actions = rte_flow_actions_template_create(r->port, &a, from, masks, error);
	assert_non_null(r->pattern);
	assert_non_null(r->actions);
	r->table = rte_flow_template_table_create(
		r->port, &table, &r->pattern, 1, &r->actions, 1, error);
	assert_non_null(r->table);
	flow = rte_flow_async_create(r->port, 0, &op, r->table, items, 0, given, 0, NULL, error);
	if (flow != NULL && op.postpone)
		assert_int_equal(rte_flow_push(r->port, 0, error), 0);
	assert_int_equal(rte_flow_pull(r->port, 0, &result, 1, error), flow != NULL);
	return flow;
}

static void
free_rule(struct model *r)
{
	struct rte_flow_error e;

	if (r->table != NULL) {
		assert_int_equal(rte_flow_template_table_destroy(r->port, r->table, &e), 0);
		assert_int_equal(rte_flow_pattern_template_destroy(r->port, r->pattern, &e), 0);
		assert_int_equal(rte_flow_actions_template_destroy(r->port, r->actions, &e), 0);
	}
	free(r);
}

// What its domain has: some of all ends, jumps or passes most of the time.
static enum act
random_act(const struct model *r, uint32_t jump)
{
	static const enum act ends[3][4] = {{TO_DEFAULT, TO_QUEUE, TO_QUEUE, TO_DROP},
		{TO_DEFAULT, TO_DEFAULT, TO_DEFAULT, TO_DROP},
		{TO_DEFAULT, TO_SIDE, TO_HOST, TO_DROP}};
	enum act act = draw(3) ? TO_JUMP + draw(2) : ends[r->domain][draw(4)];

	return act == TO_JUMP && jump == r->group ? TO_DROP : act;
}

static void
create(void)
{
	struct rte_flow_action_mark mark = {.id = draw(4)};
	struct rte_flow_action_jump jump = {.group = draw(N_GROUPS)};
	struct rte_flow_action_queue queue = {.index = draw(2)};
	struct rte_flow_action_ethdev ethdev = {.port_id = draw(2)};
	static const enum rte_flow_action_type types[] = {RTE_FLOW_ACTION_TYPE_VOID,
		RTE_FLOW_ACTION_TYPE_QUEUE, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT,
		RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, RTE_FLOW_ACTION_TYPE_DROP,
		RTE_FLOW_ACTION_TYPE_JUMP, RTE_FLOW_ACTION_TYPE_PASSTHRU};
	const void *confs[] = {NULL, &queue, &ethdev, &ethdev, NULL, &jump, NULL};
	struct model *r = calloc(1, sizeof(*r));
	struct gen *g = calloc(1, sizeof(*g));
	struct rte_flow_error error = {0};

	assert_non_null(r);
	assert_non_null(g);
	g->rule = r;
	r->domain = draw(3);
	r->port = draw(2);
	r->group = draw(2) ? 0 : draw(N_GROUPS);
	r->priority = next_priority++ * 2654435761U; // all different, in no order
	r->mark = mark.id;
	r->act = random_act(r, jump.group);
	if (r->port == 1)
		queue.index = 0; // it has one
	r->arg = r->act == TO_JUMP ? jump.group : r->act == TO_QUEUE ? queue.index : ethdev.port_id;
	random_pattern(g);
	{
		const struct rte_flow_attr attr = {.group = r->group,
			.priority = r->priority,
			.ingress = r->domain == INGRESS,
			.egress = r->domain == EGRESS,
			.transfer = r->domain == TRANSFER};
		const struct rte_flow_action actions[] = {
			{.type = RTE_FLOW_ACTION_TYPE_COUNT},
			{.type = r->mark ? RTE_FLOW_ACTION_TYPE_MARK : RTE_FLOW_ACTION_TYPE_VOID,
				.conf = r->mark ? &mark : NULL},
			{.type = types[r->act], .conf = confs[r->act]},
			{.type = RTE_FLOW_ACTION_TYPE_END},
		};

		r->flow = draw(3) ? rte_flow_create(r->port, &attr, g->items, actions, &error)
				  : create_by_templates(r, &attr, g->items, actions, &error);
	}
	free(g);
	if (contradicts(r)) {
		assert_null(r->flow);
		assert_non_null(strstr(error.message, "contradicts"));
		free_rule(r);
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

	assert_int_equal(rte_flow_query(r->port, r->flow, count, &out, &error), 0);
	assert_int_equal(out.hits, r->hits);
}

static void
destroy(unsigned int i)
{
	struct rte_flow_error error;

	compare_hits(live[i]);
	assert_int_equal(rte_flow_destroy(live[i]->port, live[i]->flow, &error), 0);
	free_rule(live[i]);
	live[i] = live[--n_live];
}

// Where a packet ended. TO_QUEUE: the queue is in arg, of host port *port; TO_SIDE: the side is.
static enum act
enter(struct rte_mbuf *m, enum from from, uint32_t *arg, uint16_t *port, uint32_t *mark)
{
	static const struct {
		uint16_t port, queue;
	} queues[] = {{0, 0}, {0, 1}, {1, 0}};
	enum act where = TO_DROP;
	struct rte_mbuf *got;

	*mark = 0;
	if (from >= FROM_PF)
		send_one(from - FROM_PF, m);
	else
		scripts[from].in[scripts[from].n_in++] = m;
	for (unsigned int i = 0; i < 2 * RTE_DIM(queues); i++) {
		if (rte_eth_rx_burst(queues[i % 3].port, queues[i % 3].queue, &got, 1) == 0)
			continue;
		assert_int_equal(where, TO_DROP);
		where = TO_QUEUE;
		*port = queues[i % 3].port;
		*arg = queues[i % 3].queue;
		if (got->ol_flags & RTE_MBUF_F_RX_FDIR_ID)
			*mark = got->hash.fdir.hi;
		rte_pktmbuf_free(got);
	}
	for (unsigned int side = 0; side < 2; side++) {
		if (scripts[side].n_out == 0)
			continue;
		assert_int_equal(where, TO_DROP);
		where = TO_SIDE;
		*arg = side;
		clear(&scripts[side]);
	}
	return where;
}

static void
compare_packet(uint64_t *seen)
{
	uint32_t arg = 0, got_arg = 0, mark;
	uint16_t port = 0, got_port = 0;
	enum from from = draw(4);
	enum act act, where;
	struct desc d;

	random_desc(&d);
	where = enter(make(&d), from, &got_arg, &got_port, &mark);
	act = reference(&d, from, &arg, &port);
	seen[act]++;
	assert_int_equal(where, act == TO_HOST ? TO_QUEUE : act);
	if (where == TO_QUEUE) {
		assert_int_equal(got_port, port);
		assert_int_equal(mark, d.mark);
	}
	if (act == TO_QUEUE || act == TO_SIDE)
		assert_int_equal(got_arg, arg);
}

// Queues of rules are asked for while a port stands still.
static void
open_queues(void)
{
	const struct rte_flow_queue_attr size = {.size = 4}, *sizes[] = {&size};
	const struct rte_flow_port_attr attr = {0};
	struct rte_flow_error e;

	for (uint16_t port = 0; port < 2; port++) {
		assert_int_equal(rte_eth_dev_stop(port), 0);
		assert_int_equal(rte_flow_configure(port, &attr, 1, sizes, &e), 0);
		assert_int_equal(rte_eth_dev_start(port), 0);
	}
}

static void
test_model(void **state)
{
	uint64_t seen[TO_NEXT + 1] = {0};

	plug_with("queues=2,representor=vf0,firmware=inline,capacity=512", 0);
	open_queues();
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
	for (unsigned int i = TO_QUEUE; i < TO_JUMP; i++)
		assert_true(seen[i] > STEPS / 100);
	assert_true(passed > STEPS / 100 && templated > STEPS / 100);
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

// SPDX-License-Identifier: BSD-3-Clause
// Random reports, rule changes, answers, losses and rounds, and after each of them the books are
// compared with what a worker and a NIC that do as they are told have:
//
//   random operation -> placement manager -> orders -> open[] -> random answer -> rule[]
//                              ^--------------------------------------/
#include "offload_model_orders.h"

static void
answer_one(struct model *m, uint32_t id)
{
	struct rule *r = &m->rule[id];
	enum offload_outcome outcome = OFFLOAD_OK;
	bool install = r->open_type == OFFLOAD_INSTALL;

	if (!m->quiet && below(m, 12) == 0)
		outcome = below(m, 50) == 0  ? OFFLOAD_GONE
			  : below(m, 4) == 0 ? OFFLOAD_UNSUPPORTED
					     : OFFLOAD_TRANSIENT;
	if (install && outcome == OFFLOAD_OK &&
		m->in_nic[r->nic] + m->ahead[r->nic] >= m->capacity[r->nic])
		outcome = OFFLOAD_FULL;
	r->open = false;
	if (outcome == OFFLOAD_UNSUPPORTED && install)
		shape_refused(m, r->nic, r->shape);
	if (outcome == OFFLOAD_OK && install && r->trial)
		m->refused[r->nic][r->shape] =
			(struct refused){.unsure = m->refused[r->nic][r->shape].unsure};
	if (outcome == OFFLOAD_OK) {
		r->have = install;
		r->since_ns = m->clock.manual_ns;
		m->in_nic[r->nic] += install ? 1 : -1;
	}
	if (outcome == OFFLOAD_GONE)
		forget_nic(m, r->nic);
	offload_done(m->o, id, OFFLOAD_IN, outcome, outcome ? 5 : 0, outcome ? "so" : NULL,
		m->quiet ? 0 : below(m, 3), m->quiet ? 0 : below(m, 3000));
}

static void
op_answers(struct model *m)
{
	uint32_t id;

	for (id = 0; id < IDS; id++) {
		if (m->rule[id].open && (m->quiet || below(m, 3)))
			answer_one(m, id);
	}
}

static void
take_order(struct model *m, const struct offload_order *order)
{
	struct rule *r = &m->rule[order->flow];
	struct offload_flow_info info;

	if (!offload_flow_get(m->o, order->flow, &info))
		wrong(m, "an order for f%u, which is not known", order->flow);
	if (order->worker != info.worker)
		wrong(m, "an order of f%u for another worker", order->flow);
	check_order(m, order, &info);
	if (order->type == OFFLOAD_SET_HOST) {
		if (order->side == OFFLOAD_OUT)
			m->tx[order->flow] = order->place;
		else if (order->place.path > OFFLOAD_RING)
			wrong(m, "f%u is told a queue at side IN", order->flow);
		return;
	}
	if (order->side != OFFLOAD_IN || r->open)
		wrong(m, "f%u has two orders open, or one at side OUT", order->flow);
	if (r->have != (order->type == OFFLOAD_REMOVE))
		wrong(m, "f%u: order %u, and it has %d rules", order->flow, order->type, r->have);
	if (order->type == OFFLOAD_REMOVE && !same_place(&order->place, &r->place))
		wrong(m, "f%u: the place to remove is not the one that was installed", order->flow);
	if (order->type == OFFLOAD_INSTALL) {
		r->nic = info.decision.in.nic;
		r->place = order->place;
		r->worker = order->worker;
		r->key = info.key;
		r->leaves = false;
		r->shape = shape_of(&info.decision, order->place.path);
		r->trial = m->refused[r->nic][r->shape].refused;
		if (r->nic >= NICS || !m->present[r->nic] || m->gone[r->nic])
			wrong(m, "f%u is installed in a NIC that is gone", order->flow);
		if (m->drained[r->nic])
			wrong(m, "f%u is installed in a NIC that is drained", order->flow);
	}
	r->open = true;
	r->open_type = order->type;
	r->leaves |= order->type == OFFLOAD_REMOVE;
}

static void
op_tick(struct model *m)
{
	struct offload_order out[64];
	uint32_t max = m->quiet || below(m, 4) ? 64 : below(m, 6);
	const bool rush = offload_nic_rush(m->o, 0) > 0 || offload_nic_rush(m->o, 1) > 0;
	uint32_t n = offload_tick(m->o, out, max), i;

	if (n > max || (n > m->cfg.orders_per_tick && !rush))
		wrong(m, "%u orders", n);
	for (i = 0; i < n; i++)
		take_order(m, &out[i]);
}

// ---- books

struct books {
	struct model *m;
	unsigned queue[NICS][3][3][16]; // flows on it, by what the flows say
	unsigned entries[NICS], maybe[NICS];
	unsigned flows;
};

static void
book_queue(struct books *b, const struct offload_queue_id *q)
{
	if (q->nic == OFFLOAD_NONE)
		return;
	assert_true(q->nic < NICS && q->port < 3 && q->kind < 3 && q->index < 16);
	b->queue[q->nic][q->port][q->kind][q->index]++;
}

static void
book_side(struct books *b, const struct offload_flow_info *info, unsigned side)
{
	const struct offload_side_info *s = &info->side[side];
	struct model *m = b->m;

	book_queue(b, &s->actual.queue);
	if (!same_queue(&s->actual.queue, &s->wanted.queue))
		book_queue(b, &s->wanted.queue);
	if (s->actual.path != s->wanted.path && s->reason == OFFLOAD_R_NONE &&
		s->state != OFFLOAD_ST_INSTALLING && s->state != OFFLOAD_ST_REMOVING)
		wrong(m, "f%u side %u is in %s, wants %s, %s, for no reason", info->id, side,
			offload_path_name(s->actual.path), offload_path_name(s->wanted.path),
			offload_state_name(s->state));
	if (s->state == OFFLOAD_ST_WANTED && s->reason == OFFLOAD_R_NONE)
		wrong(m, "f%u side %u waits for no reason", info->id, side);
	if ((s->actual.path == OFFLOAD_SHARED_QUEUE || s->actual.path == OFFLOAD_EXCLUSIVE_QUEUE) !=
		(s->actual.queue.nic != OFFLOAD_NONE))
		wrong(m, "f%u side %u: path and queue do not agree", info->id, side);
}

static void
book_flow(void *ctx, const struct offload_flow_info *info)
{
	const struct offload_side_info *in = &info->side[OFFLOAD_IN],
				       *out = &info->side[OFFLOAD_OUT];
	struct books *b = ctx;
	struct model *m = b->m;
	struct rule *r = &m->rule[info->id];
	char why[256];

	b->flows++;
	book_side(b, info, OFFLOAD_IN);
	book_side(b, info, OFFLOAD_OUT);
	offload_explain(m->o, info->id, OFFLOAD_IN, why, sizeof(why));
	assert_true(strlen(why) > 5);
	if (r->have || r->open) {
		if (!flow_key_equal(&r->key, &info->key))
			wrong(m, "f%u is another flow now", info->id);
		b->entries[r->nic]++;
	} else if (in->state == OFFLOAD_ST_WANTED && info->decision.in.nic < NICS) {
		b->maybe[0]++; // it may keep an entry for a move
		b->maybe[1]++;
	}
	if ((in->state == OFFLOAD_ST_INSTALLING) != (r->open && r->open_type == OFFLOAD_INSTALL))
		wrong(m, "f%u: installing, or not", info->id);
	if ((in->state == OFFLOAD_ST_PLACED) && (!r->have || r->open))
		wrong(m, "f%u is placed, and no NIC has its rule", info->id);
	if (r->have && in->state != OFFLOAD_ST_PLACED && in->state != OFFLOAD_ST_REMOVING)
		wrong(m, "f%u has a rule and is %s", info->id, offload_state_name(in->state));
	if (r->have && !same_place(&in->actual, &r->place))
		wrong(m, "f%u is not where its rule is", info->id);
	if (out->actual.queue.nic != OFFLOAD_NONE &&
		!same_queue(&out->actual.queue, &m->tx[info->id].queue))
		wrong(m, "f%u sends by a queue that its worker was not told", info->id);
}

static void
check_queue(void *ctx, const struct offload_queue *q)
{
	struct books *b = ctx;
	struct model *m = b->m;
	unsigned flows = b->queue[q->id.nic][q->id.port][q->id.kind][q->id.index];
	char name[64];

	offload_queue_name(m->o, q->id, name, sizeof(name));
	if (flows != q->flows)
		wrong(m, "%s has %u flows, its account says %u", name, flows, q->flows);
	if (q->state == OFFLOAD_Q_EXCLUSIVE && flows != 1)
		wrong(m, "%s is exclusive, of %u flows", name, flows);
	if ((q->state == OFFLOAD_Q_SHARED || q->state == OFFLOAD_Q_EXCLUSIVE) != (flows > 0))
		wrong(m, "%s is %s with %u flows", name, offload_queue_state_name(q->state), flows);
}

// Who steers to a queue, as the NICs see it.
static void
check_rules(struct model *m)
{
	struct offload_flow_info info;
	uint32_t a, b;

	for (a = 0; a < IDS; a++) {
		const struct rule *ra = &m->rule[a];

		if (!ra->have && !ra->open)
			continue;
		if (!offload_flow_get(m->o, a, &info))
			wrong(m, "f%u has a rule and is not known", a);
		for (b = a + 1; b < IDS && ra->place.queue.nic != OFFLOAD_NONE; b++) {
			const struct rule *rb = &m->rule[b];

			if ((!rb->have && !rb->open) ||
				!same_queue(&ra->place.queue, &rb->place.queue))
				continue;
			if (ra->place.path == OFFLOAD_EXCLUSIVE_QUEUE ||
				rb->place.path == OFFLOAD_EXCLUSIVE_QUEUE)
				wrong(m, "f%u and f%u on one exclusive queue", a, b);
			if (ra->worker != rb->worker)
				wrong(m, "f%u and f%u on one queue, of two workers", a, b);
		}
	}
}

static void
count_alone(void *ctx, const struct offload_flow_info *info)
{
	uint32_t *alone = ctx, i;
	const uint16_t payer[] = {info->decision.out.vm, info->decision.in.vm};

	for (i = 0; i < 2; i++)
		if (info->side[i].actual.path == OFFLOAD_EXCLUSIVE_QUEUE &&
			info->side[i].state == OFFLOAD_ST_PLACED && payer[i] < VMS)
			alone[payer[i]]++;
}

// What is above a maximum only falls; what flows say is what the accounts say, but for those on
// their way, whose decision may be a newer one.
static void
check_vms(struct model *m)
{
	uint32_t alone[VMS] = {0};
	uint16_t vm;

	offload_flow_each(m->o, count_alone, alone);
	for (vm = 0; vm < VMS; vm++) {
		const struct offload_vm_limits *l = &m->limits[vm];
		struct offload_vm_info info;
		uint32_t sum = 0, i;

		offload_vm_get(m->o, vm, &info);
		for (i = 0; i < OFFLOAD_NICS_MAX; i++)
			sum += info.entries_on[i];
		if (sum != info.entries)
			wrong(m, "VM %u has %u entries, on its NICs %u", vm, info.entries, sum);
		if (l->max_entries && info.entries > l->max_entries && !m->moved &&
			info.entries > m->vm_entries[vm])
			wrong(m, "VM %u has %u entries, and may have %u", vm, info.entries,
				l->max_entries);
		if (l->max_queues && info.queues > l->max_queues && !m->moved &&
			info.queues > m->vm_queues[vm])
			wrong(m, "VM %u has %u queues, and may have %u", vm, info.queues,
				l->max_queues);
		if (m->quiet && info.queues < alone[vm])
			wrong(m, "VM %u has %u queues alone, its account says %u", vm, alone[vm],
				info.queues);
		m->vm_entries[vm] = info.entries;
		m->vm_queues[vm] = info.queues;
	}
}

static void
check_books(struct model *m)
{
	struct books b = {.m = m};
	struct offload_nic_stats ns;
	struct offload_stats st;
	unsigned sum = 0, i;

	offload_flow_each(m->o, book_flow, &b);
	offload_queue_each(m->o, check_queue, &b);
	check_rules(m);
	check_vms(m);
	for (i = 0; i < NICS; i++) {
		if (!offload_nic_stats_get(m->o, (uint16_t)i, &ns))
			continue;
		if (ns.entries < b.entries[i] || ns.entries > b.entries[i] + b.maybe[i])
			wrong(m, "NIC %u has %u entries, its account says %u", i, b.entries[i],
				ns.entries);
		if (m->nic[i].rule_limit && ns.entries > m->nic[i].rule_limit)
			wrong(m, "NIC %u has %u entries and may have %u (%u ahead, limit %u)", i,
				ns.entries, m->nic[i].rule_limit, m->ahead[i], ns.limit);
	}
	offload_stats_get(m->o, &st);
	for (i = 0; i < OFFLOAD_PATHS; i++)
		sum += st.by_path[i];
	if (st.flows != b.flows || sum != b.flows || st.flows > m->cfg.flows_max)
		wrong(m, "%u flows, %u in places, %u known", b.flows, sum, st.flows);
}

// ---- the run

static void
model_init(struct model *m, uint64_t seed)
{
	unsigned i;

	*m = (struct model){.seed = seed, .rng = {.state = seed}, .cfg = w_cfg()};
	m->clock = sl_clock_manual(seed * SL_NS_PER_S);
	m->cfg.flows_max = 64 + below(m, IDS - 64);
	m->cfg.orders_per_tick = 1 + below(m, 40);
	m->cfg.retry_ms = 100 + below(m, 2000);
	assert_int_equal(offload_new(&m->cfg, &m->clock, &m->o), 0);
	for (i = 0; i < NICS; i++) {
		struct offload_nic_cfg *c = &m->nic[i];

		c->name = i ? "b" : "a";
		c->eswitch = below(m, 8) > 0;
		c->mark = below(m, 8) > 0;
		c->rule_limit = below(m, 2) ? 0 : 1 + below(m, 30);
		random_ports(m, c);
		m->capacity[i] = 1 + below(m, 40);
		assert_int_equal(offload_nic_add(m->o, (uint16_t)i, c), 0);
		m->present[i] = true;
		m->carrier[i] = (uint16_t)i;
	}
	for (i = 0; i < IDS; i++)
		m->tx[i].queue.nic = OFFLOAD_NONE;
}

static void
random_step(struct model *m)
{
	unsigned op = below(m, 1000);

	// Flows may have got another VM, or another policy rule.
	m->moved = op < 520 || (op >= 835 && op < 870) || (op >= 926 && op < 928);

	if (op < 520)
		op_report(m);
	else if (op < 670)
		op_tick(m);
	else if (op < 820)
		op_answers(m);
	else if (op < 835)
		op_gone(m);
	else if (op < 870)
		op_redecide(m);
	else if (op < 885)
		op_hint(m);
	else if (op < 892)
		op_nic(m);
	else if (op < 905)
		op_reserve(m);
	else if (op < 908)
		op_reconfigure(m);
	else if (op < 918)
		op_policy(m);
	else if (op < 926)
		op_limits(m);
	else if (op < 928)
		op_vm_goes(m);
	else if (op < 930)
		op_stray(m);
	else if (op < 935)
		op_dscp(m);
	else if (op < 938)
		op_move(m);
	else if (op < 940)
		op_standby(m);
	else if (op < 943)
		op_drain(m);
	else if (op < 948)
		op_ahead(m);
	else
		m->clock.manual_ns += (op == 999 ? 5000 : below(m, 60)) * SL_NS_PER_MS;
}

static void
blame(void *ctx, const struct offload_flow_info *info)
{
	const struct offload_side_info *in = &info->side[0], *out = &info->side[1];

	wrong(ctx, "f%u is left: %s %s %s, %s %s %s", info->id, offload_path_name(in->actual.path),
		offload_state_name(in->state), offload_reason_name(in->reason),
		offload_path_name(out->actual.path), offload_state_name(out->state),
		offload_reason_name(out->reason));
}

// With no failures and nothing new, what NICs have is what the brain says, flow by flow.
static void
check_shadow(void *ctx, const struct offload_flow_info *info)
{
	struct model *m = ctx;
	const struct offload_side_info *in = &info->side[OFFLOAD_IN];
	const struct rule *r = &m->rule[info->id];

	if (r->open || r->have != (in->state == OFFLOAD_ST_PLACED))
		wrong(m, "f%u is %s, and its NIC has %d rules (%d under way)", info->id,
			offload_state_name(in->state), r->have, r->open);
	if (!r->have)
		return;
	if (r->nic != info->decision.in.nic)
		wrong(m, "f%u comes in by NIC %u, and NIC %u has its rule", info->id,
			info->decision.in.nic, r->nic);
	if (info->decision.served == OFFLOAD_SERVED_ESWITCH)
		wrong(m, "f%u has an entry, and a rule for all of its kind carries it", info->id);
	if (r->place.table != 0 && r->place.table != info->decision.table)
		wrong(m, "f%u is in table %u, its VM has %u", info->id, r->place.table,
			info->decision.table);
}

struct parts {
	struct model *m;
	uint32_t entries[POLICIES][VMS], queues[POLICIES][VMS];
};

// What a flow has is its VM's, in the rule that it has.
static void
count_part(void *ctx, const struct offload_flow_info *info)
{
	const uint16_t payer[] = {info->decision.out.vm, info->decision.in.vm};
	struct parts *p = ctx;
	const struct offload_policy *rule = offload_flow_policy(p->m->o, info->id);
	uint16_t vm = payer[0] < VMS ? payer[0] : payer[1];
	uint32_t i, k;

	if (!rule)
		return;
	for (k = 0; strcmp(rule->name, p->m->policy[k].name) != 0; k++)
		;
	if (p->m->rule[info->id].have && vm < VMS)
		p->entries[k][vm]++;
	for (i = 0; i < 2; i++)
		if (info->side[i].actual.path == OFFLOAD_EXCLUSIVE_QUEUE && payer[i] < VMS)
			p->queues[k][payer[i]]++;
}

static void
check_parts(struct model *m)
{
	struct parts p = {.m = m};
	uint32_t k, queues, entries;
	uint16_t vm;

	offload_flow_each(m->o, count_part, &p);
	for (k = 0; k < m->n_policies; k++) {
		const struct offload_policy *r = &m->policy[k];

		for (vm = 0; vm < VMS; vm++) {
			offload_policy_part(m->o, k, vm, &queues, &entries);
			if ((r->max_entries && entries > r->max_entries) ||
				(r->max_queues && queues > r->max_queues))
				wrong(m, "VM %u has %u entries and %u queues of rule %u", vm,
					entries, queues, k);
			if ((r->max_entries || r->max_queues || r->max_inserts) &&
				(entries != p.entries[k][vm] || queues != p.queues[k][vm]))
				wrong(m, "VM %u has %u and %u of rule %u, its account says %u, %u",
					vm, p.entries[k][vm], p.queues[k][vm], k, entries, queues);
		}
	}
}

static void
check_quiet(struct model *m)
{
	unsigned i, vm;

	m->quiet = true;
	for (i = 0; i < 60; i++) {
		m->clock.manual_ns += 20 * SL_NS_PER_MS;
		op_answers(m);
		op_tick(m);
	}
	for (i = 0; i < 3; i++) // what is under way is answered
		op_answers(m);
	check_books(m);
	for (vm = 0; vm < VMS; vm++) {
		const struct offload_vm_limits *l = &m->limits[vm];

		if ((l->max_entries && m->vm_entries[vm] > l->max_entries) ||
			(l->max_queues && m->vm_queues[vm] > l->max_queues))
			wrong(m, "VM %u has %u entries and %u queues, and may have %u and %u", vm,
				m->vm_entries[vm], m->vm_queues[vm], l->max_entries, l->max_queues);
	}
	check_parts(m);
	offload_flow_each(m->o, check_shadow, m);
	offload_flow_each(m->o, check_settled, m);
	for (i = 0; i < NICS; i++) {
		if (m->drained[i] && m->present[i] && !m->gone[i] &&
			(m->in_nic[i] > 0 || !offload_nic_empty(m->o, (uint16_t)i)))
			wrong(m, "NIC %u is drained, and has %u rules", i, m->in_nic[i]);
	}
	m->quiet = false;
}

static void
settle(struct model *m)
{
	struct offload_nic_stats ns;
	unsigned i;

	m->quiet = true;
	for (i = 0; i < 1000; i++) {
		m->clock.manual_ns += 100 * SL_NS_PER_MS;
		op_answers(m);
		op_tick(m);
		m->step++;
	}
	check_books(m);
	offload_flow_each(m->o, blame, m);
	for (i = 0; i < NICS; i++) {
		if (offload_nic_stats_get(m->o, (uint16_t)i, &ns) &&
			(ns.entries || ns.waiting || m->in_nic[i]))
			wrong(m, "NIC %u: %u entries, %u waiting, %u rules are left", i, ns.entries,
				ns.waiting, m->in_nic[i]);
	}
}

static void
test_random(void **state)
{
	static struct model m;
	const char *only = getenv("OFFLOAD_SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1;
	uint64_t last = only ? first : 12, seed;

	for (seed = first; seed <= last; seed++) {
		struct offload_stats st;

		model_init(&m, seed);
		for (m.step = 0; m.step < 4000; m.step++) {
			random_step(&m);
			check_books(&m);
			if (m.step % 1000 == 999)
				check_quiet(&m);
		}
		settle(&m);
		offload_stats_get(m.o, &st);
		// It was worth it: flows got about.
		if (m.cfg.enabled && st.ever_by_path[OFFLOAD_RING] +
						     st.ever_by_path[OFFLOAD_ESWITCH] +
						     st.ever_by_path[OFFLOAD_SHARED_QUEUE] <
					     50)
			wrong(&m, "hardly a flow was placed");
		offload_free(m.o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// What is wanted of a NIC: the steps of each of its ports, planned into its share of the entries.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failover/failover.h"
#include "place/ahead_internal.h"
#include "place/ahead_worth.h"
#include "place/class_engine.h"
#include "place/class_rules.h"
#include "place/class_vf.h"
#include "place/misses.h"
#include "switch/rule_book.h"

#define CLASS_STEPS 256
#define SETTLED (UINT32_C(1) << 31) // of a share: it is what the port needs

struct planning {
	struct control *c;
	uint16_t nic;
	struct ahead_nic *n;
	uint16_t from, vport; // ethdev of the port at hand, and the port
	struct ahead_rule *rules;
	struct ahead_standing *standings;
	uint32_t most, budget, class_room;
	uint32_t taken; // by the switch's rules of all ports
	bool group;     // class rules are planned
	bool tables;    // ports may have their own
	bool table;     // this one has
};

static uint16_t
ethdev_of(const struct control *c, uint16_t nic, uint16_t port)
{
	return port < c->nics[nic]->n_ports ? c->nics[nic]->ports[port].ethdev
					    : c->nics[nic]->ports[0].ethdev;
}

void
ahead_rule_of(const struct control *c, uint16_t nic, const struct ahead_live *l,
	struct translate_rule *out)
{
	if (l->act.kind == AHEAD_GROUP) {
		translate_class_group(&l->match, l->level,
			(uint16_t)(nic_engine_for(c->nics[nic]->driver)->index + l->first_queue),
			out);
	} else if (l->group) {
		translate_class(&l->match, l->level, l->first_queue, l->n_queues, out);
	} else if (l->act.kind == AHEAD_JUMP) {
		translate_jump(ethdev_of(c, nic, l->port), ahead_group(l->port), out);
	} else {
		translate_ahead(&l->match, &l->act, l->level, ethdev_of(c, nic, l->port),
			ethdev_of(c, nic, l->act.port), out);
		out->attr.group = l->table;
	}
}

static uint32_t
is_refused(void *ctx, const struct flow_match *match, const struct ahead_act *act)
{
	const struct planning *p = ctx;
	struct translate_rule rule;
	uint32_t names[2], i;

	if (p->n->n_refused == 0)
		return 0;
	if (p->group && act->kind == AHEAD_GROUP)
		translate_class_group(match, 0, 0, &rule);
	else if (p->group)
		translate_class(match, 0, 0, 1, &rule);
	else if (act->kind == AHEAD_JUMP)
		translate_jump(p->from, 1, &rule);
	else
		translate_ahead(match, act, 0, p->from, p->from, &rule);
	names[0] = translate_ahead_shape(&rule);
	names[1] = ahead_exact(p->vport, match, act, p->group);
	for (i = 0; i < 2; i++) {
		const struct ahead_refusal *r = ahead_refusal_of(p->n, names[i]);

		if (r != NULL && r->active)
			return names[i];
	}
	return 0;
}

// ---- from rules of a plan to what is live

// port: of the NIC. The vport may have had another one when a rule was made.
static struct ahead_live *
find_live(struct ahead_nic *n, uint16_t vport, uint16_t port, const struct ahead_rule *r,
	bool group, uint32_t table)
{
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		struct ahead_live *l = &n->live[i];

		if (l->used && !l->kept && l->group == group && l->table == table &&
			l->level == r->level && l->vport == vport && l->port == port &&
			l->state != AHEAD_UNMAKING &&
			memcmp(&l->act, &r->act, sizeof(r->act)) == 0 &&
			flow_match_equal(&l->match, &r->match))
			return l;
	}
	return NULL;
}

static struct ahead_live *
new_live(struct ahead_nic *n)
{
	struct ahead_live *grown;
	uint32_t i, cap;

	for (i = 0; i < n->cap; i++) {
		if (!n->live[i].used)
			return &n->live[i];
	}
	cap = n->cap == 0 ? 64 : 2 * n->cap;
	grown = realloc(n->live, cap * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	memset(grown + n->cap, 0, (cap - n->cap) * sizeof(*grown));
	n->live = grown;
	i = n->cap;
	n->cap = cap;
	return &n->live[i];
}

static int
want(struct planning *p, uint16_t vport, const struct ahead_rule *r,
	const struct ahead_chain *chain)
{
	const struct control_vport *v = &p->c->vports[vport];
	uint32_t table = p->table && !p->group && r->act.kind != AHEAD_JUMP
				 ? ahead_group(v->port->nic_port)
				 : 0;
	struct ahead_live *l = find_live(p->n, vport, v->port->nic_port, r, p->group, table);

	if (l == NULL) {
		l = new_live(p->n);
		if (l == NULL)
			return -ENOMEM;
		*l = (struct ahead_live){.match = r->match,
			.act = r->act,
			.level = r->level,
			.group = p->group,
			.table = table,
			.vport = vport,
			.port = v->port->nic_port,
			.state = AHEAD_WANTED,
			.fresh = true,
			.used = true};
		ahead_list_in(p->n, l);
	}
	// The same packets may be another rule's by now.
	if (chain != NULL)
		l->chain = *chain;
	l->sw = v->cfg.sw;
	l->first_queue = r->act.vlan;
	l->n_queues = r->act.vlan_op;
	l->out_vport = !p->group && r->act.kind == AHEAD_PORT
			       ? ahead_vport_at(p->c, p->nic, r->act.port)
			       : DP_NONE;
	l->kept = true;
	return 0;
}

static int
note(struct planning *p, uint16_t vport, const struct ahead_plan *plan)
{
	const struct ahead_list *list = &p->c->ahead->list;
	struct ahead_nic *n = p->n;
	struct ahead_note *notes;
	uint32_t i;

	if (n->n_notes + list->n > n->cap_notes) {
		uint32_t cap = n->n_notes + list->n + 64;
		struct ahead_note *grown = realloc(n->notes, cap * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		n->notes = grown;
		n->cap_notes = cap;
	}
	notes = n->notes + n->n_notes;
	for (i = 0; i < list->n; i++)
		n->notes[n->n_notes++] = (struct ahead_note){
			.chain = list->chains[list->steps[i].rule],
			.sw = p->c->vports[vport].cfg.sw,
			.vport = vport,
			.standing = p->standings[i],
			.entries = p->standings[i].covers,
			.why = list->steps[i].why,
		};
	for (i = 0; i < plan->n; i++)
		notes[plan->rules[i].step].entries += plan->rules[i].act.kind != AHEAD_HOST;
	return 0;
}

// ---- shares

static bool
is_port(const struct control *c, uint16_t vport, uint16_t nic)
{
	const struct control_vport *v = &c->vports[vport];

	return v->used && v->port != NULL && v->port->nic == nic &&
	       c->nics[nic]->ports[v->port->nic_port].ethdev != DP_NONE;
}

static void
at_port(struct planning *p, uint16_t vport)
{
	p->vport = vport;
	p->from = ethdev_of(p->c, p->nic, p->c->vports[vport].port->nic_port);
}

// What a port would take of a share.
static int
steps_into(struct planning *p, uint16_t vport, uint32_t share, struct ahead_plan *plan)
{
	struct control *c = p->c;
	const struct control_vport *v = &c->vports[vport];
	struct ahead_list *list = &c->ahead->list;
	struct ahead_standing *grown;
	int rc = ahead_steps(c, vport, list);

	if (rc == 0 && c->cfg->offload.rules_ahead == 0)
		rc = class_vf_filter(c, vport, list);
	else if (rc == 0)
		ahead_worth_filter(c, vport, list);
	if (rc != 0)
		return rc;
	*plan = (struct ahead_plan){.rules = p->rules, .room = share};
	if (v->cfg.max_entries != 0 && plan->room > v->cfg.max_entries)
		plan->room = v->cfg.max_entries;
	if (plan->room > AHEAD_RULES_MAX)
		plan->room = AHEAD_RULES_MAX;
	grown = realloc(p->standings, (list->n + 1) * sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	p->standings = grown;
	at_port(p, vport);
	return ahead_plan(list->steps, list->n, is_refused, p, plan, p->standings);
}

static int
plan_port(struct planning *p, uint16_t vport, uint32_t share)
{
	const struct ahead_list *list = &p->c->ahead->list;
	struct ahead_plan plan;
	int rc = steps_into(p, vport, share, &plan);
	uint32_t i;

	p->taken += rc == 0 ? plan.n : 0;
	for (i = 0; rc == 0 && i < plan.n; i++)
		rc = want(p, vport, &plan.rules[i],
			&list->chains[list->steps[plan.rules[i].step].rule]);
	return rc != 0 ? rc : note(p, vport, &plan);
}

// Equal shares; what a port does not need of its own is the others'.
static int
share_out(struct planning *p, uint32_t *share)
{
	uint32_t left = p->budget, open = 0, need, fair;
	uint16_t v;
	bool again = true;
	int rc = 0;

	for (v = 0; rc == 0 && v < DP_VPORTS_MAX; v++) {
		struct ahead_plan plan = {.n = 0};

		share[v] = 0;
		if (!is_port(p->c, v, p->nic))
			continue;
		rc = steps_into(p, v, p->budget, &plan);
		share[v] = plan.n; // what it would take
		open += plan.n > 0;
	}
	if (rc != 0)
		return rc;
	while (again && open > 0) {
		fair = left / open;
		again = false;
		for (v = 0; v < DP_VPORTS_MAX; v++) {
			need = share[v];
			if (need == 0 || (need & SETTLED) || need > fair)
				continue;
			share[v] = need | SETTLED;
			left -= need;
			open--;
			again = true;
		}
	}
	for (v = 0; v < DP_VPORTS_MAX; v++) {
		if (share[v] & SETTLED)
			share[v] &= ~SETTLED;
		else if (share[v] != 0)
			share[v] = left / open;
	}
	return 0;
}

static uint32_t
budget_of(const struct control *c, uint16_t nic)
{
	uint32_t budget = c->cfg->offload.rules_ahead, limit = c->cfg->nics[nic].rule_limit;

	if (!c->cfg->offload.enabled || !c->nics[nic]->eswitch || c->nics[nic]->gone ||
		failover_drains(c, nic))
		return 0;
	if (budget == 0 && class_vf_any(c))
		budget = CLASS_VF_ENTRIES;
	if (limit != 0 && budget > limit / 2)
		budget = limit / 2;
	return budget;
}

uint32_t
ahead_room(const struct control *c, uint16_t nic)
{
	const uint32_t budget = c->cfg->offload.rules_ahead > 0 ? budget_of(c, nic) : 0;
	const uint32_t room = c->ahead->nic[nic].room;

	return budget < room ? budget : room;
}

// ---- a table for each port

// Not without both of its rules.
static bool
has_table(struct planning *p, uint16_t vport)
{
	const struct ahead_act in = {.kind = AHEAD_JUMP}, miss = {.kind = AHEAD_HOST};
	struct flow_match any;

	if (!p->tables || !is_port(p->c, vport, p->nic) || p->n->flat_ns[vport] != 0)
		return false;
	flow_match_init(&any);
	at_port(p, vport);
	return is_refused(p, &any, &in) == 0 && is_refused(p, &any, &miss) == 0;
}

// What is left of the room that the NIC was found to have, when each table has its two rules.
static void
keep_to_room(struct planning *p)
{
	uint32_t room = p->n->room, tables = 0;
	uint16_t v;

	p->class_room = p->n->class_room;
	p->budget = p->most;
	if (room == UINT32_MAX)
		return;
	for (v = 0; v < DP_VPORTS_MAX; v++)
		tables += has_table(p, v);
	room = room > 2 * tables ? room - 2 * tables : 0;
	if (p->budget > room)
		p->budget = room;
}

// The way in, and what misses: that goes to the representor, once, whatever the NIC's own way is;
// or it has no rule, and the NIC sends it through the VM.
static int
plan_table(struct planning *p, uint16_t vport)
{
	struct ahead_rule in = {.act = {.kind = AHEAD_JUMP}, .level = AHEAD_JUMP_LEVEL};
	struct ahead_rule miss = {.act = {.kind = AHEAD_HOST}, .level = AHEAD_MISS_LEVEL};
	int rc;

	flow_match_init(&in.match);
	flow_match_init(&miss.match);
	rc = want(p, vport, &in, NULL);
	return rc != 0 || misses_through(p->c, vport) ? rc : want(p, vport, &miss, NULL);
}

// ---- class rules

static uint16_t
group_queues(const struct control *c, uint16_t vport, const struct ahead_rule *r, uint16_t *n)
{
	const struct dp_port *port = c->vports[vport].port;
	uint16_t first = 0;

	*n = c->nics[port->nic]->ports[port->nic_port].rx_default;
	if (r->act.kind == AHEAD_PORT)
		(void)class_rule_queues(c, &c->cfg->policies[r->act.port], vport, &first, n);
	return first;
}

// By the NIC's engine where it has one, and takes such a rule; else by RSS.
static void
by_engine(struct planning *p, uint16_t vport, struct ahead_rule *r)
{
	struct ahead_act act = r->act;
	uint16_t group;

	if (act.kind != AHEAD_PORT ||
		!class_group_of(p->c, &p->c->cfg->policies[act.port], vport, &group))
		return;
	act.kind = AHEAD_GROUP;
	if (is_refused(p, &r->match, &act) == 0)
		r->act = act;
}

static int
plan_classes(struct planning *p, uint16_t vport)
{
	struct ahead_standing standings[CLASS_STEPS];
	struct ahead_step steps[CLASS_STEPS];
	struct ahead_plan plan = {.rules = p->rules, .room = AHEAD_RULES_MAX};
	uint32_t n = class_rule_steps(p->c, vport, steps, CLASS_STEPS), i;
	uint16_t first, k;
	int rc;

	if (plan.room > p->class_room)
		plan.room = p->class_room;
	p->group = true;
	at_port(p, vport);
	rc = ahead_plan(steps, n, is_refused, p, &plan, standings);
	if (p->class_room != UINT32_MAX)
		p->class_room -= plan.n;
	for (i = 0; rc == 0 && i < plan.n; i++) {
		first = group_queues(p->c, vport, &plan.rules[i], &k);
		// Other queues are another rule.
		plan.rules[i].act.vlan = first;
		plan.rules[i].act.vlan_op = (uint8_t)k;
		by_engine(p, vport, &plan.rules[i]);
		rc = want(p, vport, &plan.rules[i], NULL);
	}
	p->group = false;
	return rc;
}

static void
forget(struct ahead_nic *n, struct ahead_live *l)
{
	ahead_list_out(n, l);
	l->used = false;
}

// share: of each port; NULL: each may have it all.
static int
plan_ports(struct planning *p, bool classes, const uint32_t *share)
{
	int rc = 0;
	uint16_t v;

	for (v = 0; rc == 0 && v < DP_VPORTS_MAX; v++) {
		if (!is_port(p->c, v, p->nic))
			continue;
		p->table = has_table(p, v);
		rc = plan_port(p, v, share != NULL ? share[v] : p->budget);
		if (rc == 0 && p->table)
			rc = plan_table(p, v);
		if (rc == 0 && classes)
			rc = plan_classes(p, v);
	}
	return rc;
}

static void
begin(struct planning *p)
{
	uint32_t i;

	for (i = 0; i < p->n->cap; i++) {
		struct ahead_live *l = &p->n->live[i];

		l->kept = false;
		if (l->used && l->fresh)
			forget(p->n, l);
	}
	p->n->n_notes = 0;
	p->taken = 0;
	keep_to_room(p);
}

// Mostly there is room for all that the ports want. A plan that fits into a port's share is the
// same whatever more there is, so that one look at each port is enough then.
static int
plan_all(struct planning *p, bool classes)
{
	uint32_t share[DP_VPORTS_MAX];
	int rc;

	begin(p);
	rc = plan_ports(p, classes, NULL);
	if (rc != 0 || p->taken <= p->budget)
		return rc;
	begin(p);
	rc = share_out(p, share);
	return rc != 0 ? rc : plan_ports(p, classes, share);
}

int
ahead_plan_nic(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	struct planning p = {.c = c, .nic = nic, .n = n, .most = budget_of(c, nic)};
	const bool may = !c->nics[nic]->gone && !failover_drains(c, nic);
	uint32_t i;
	int rc;

	p.rules = calloc(AHEAD_RULES_MAX, sizeof(*p.rules));
	if (p.rules == NULL)
		return -ENOMEM;
	for (i = 0; i < n->cap; i++) {
		n->live[i].was_kept = n->live[i].kept;
		n->live[i].fresh = false;
	}
	p.tables = may && c->cfg->offload.vm_tables && c->cfg->offload.enabled &&
		   c->nics[nic]->eswitch;
	rc = plan_all(&p, may && class_rules_any(c));
	for (i = 0; i < n->cap; i++) {
		struct ahead_live *l = &n->live[i];

		if (rc != 0 && !l->fresh)
			l->kept = l->was_kept;
		else if (l->used && (rc != 0 || (!l->kept && l->state == AHEAD_WANTED)))
			forget(n, l);
	}
	free(p.rules);
	free(p.standings);
	return rc;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/program.h"

#include <string.h>

#include "datapath/mac.h"
#include "datapath/packet.h"
#include "datapath/snapshot.h"
#include "classify/answers.h"
#include "classify/spoof.h"
#include "classify/vlan.h"
#include "extend/extend.h"

// Carries out a list of actions on the tags of a frame without the frame.
struct compile {
	const struct dp_snapshot *s;
	const struct dp_vport *from;
	const struct dp_switch *sw;
	const struct flow_key *key;
	struct dp_program *prog;
	struct dp_verdict *verdict;
	struct vlan_tags frame;  // as the emitted actions leave the frame
	struct vlan_tags inside; // as the rules see it inside the switch
	const uint8_t *eth_src, *eth_dst;
	uint8_t n_out;
	uint8_t vlan_ops; // emitted
	bool edits;       // something else was emitted
	bool flood;
	bool too_long;
	enum dp_drop why; // when nothing goes out
};

static struct flow_action *
emit(struct compile *c, enum flow_action_type type)
{
	struct flow_actions *list = &c->verdict->actions;

	if (list->n == FLOW_ACTIONS_MAX) {
		c->too_long = true;
		return &list->list[0];
	}
	list->list[list->n].type = (uint8_t)type;
	return &list->list[list->n++];
}

static void
emit_vlan(struct compile *c, enum flow_action_type type, uint16_t vid)
{
	struct flow_action *a = emit(c, type);

	if (type != FLOW_ACT_POP_VLAN)
		a->vlan = vid;
	c->vlan_ops++;
}

// Brings the frame's tags to those wanted: the inner ones that are the same stay.
static void
emit_tags(struct compile *c, const struct vlan_tags *want)
{
	unsigned same = 0, gone, more;

	while (same < c->frame.n && same < want->n &&
		c->frame.vid[c->frame.n - 1 - same] == want->vid[want->n - 1 - same])
		same++;
	gone = c->frame.n - same;
	more = want->n - same;
	for (; gone > 1 || (gone == 1 && more == 0); gone--)
		emit_vlan(c, FLOW_ACT_POP_VLAN, 0);
	if (gone == 1)
		emit_vlan(c, FLOW_ACT_SET_VLAN, want->vid[--more]);
	while (more > 0)
		emit_vlan(c, FLOW_ACT_PUSH_VLAN, want->vid[--more]);
	c->frame = *want;
}

static void
to_port(struct compile *c, uint16_t port)
{
	const struct dp_vport *v = port < DP_VPORTS_MAX ? c->s->vport[port] : NULL;
	struct vlan_tags out = c->inside;

	if (v == NULL || v->sw != c->from->sw) {
		c->why = DP_DROP_NO_ATTACHMENT;
		return;
	}
	if (v == c->from) {
		c->why = DP_DROP_SAME_PORT;
		return;
	}
	if (!vlan_egress(v, &out)) {
		c->why = DP_DROP_VLAN_FILTER;
		return;
	}
	emit_tags(c, &out);
	emit(c, FLOW_ACT_OUTPUT)->port = port;
	c->prog->out = port;
	c->n_out++;
}

// The tags inside stay on the frame; each port's own way is taken when the copies are made.
static void
to_all(struct compile *c)
{
	emit_tags(c, &c->inside);
	emit(c, FLOW_ACT_FLOOD);
	c->flood = true;
	c->prog->flags |= DP_PROG_STORM;
}

static void
normal(struct compile *c)
{
	uint16_t vid = vlan_outer(&c->inside);
	const struct dp_mac *m;

	c->prog->flags |= DP_PROG_MAC_DEP;
	if (!(c->eth_src[0] & 1)) {
		m = dp_mac_find(c->sw->macs, c->eth_src, vid);
		c->verdict->learn = m == NULL || m->vport != c->from->id;
	}
	c->verdict->learn_vlan = vid;
	m = c->eth_dst[0] & 1 ? NULL : dp_mac_find(c->sw->macs, c->eth_dst, vid);
	if (m == NULL)
		to_all(c);
	else
		to_port(c, m->vport);
}

static void
one_action(struct compile *c, const struct flow_action *a)
{
	switch (a->type) {
	case FLOW_ACT_OUTPUT:
		to_port(c, a->port);
		break;
	case FLOW_ACT_NORMAL:
		normal(c);
		break;
	case FLOW_ACT_FLOOD:
		to_all(c);
		break;
	case FLOW_ACT_PUSH_VLAN:
		if (!vlan_push(&c->inside, a->vlan))
			c->too_long = true;
		break;
	case FLOW_ACT_POP_VLAN:
		vlan_pop(&c->inside);
		break;
	case FLOW_ACT_SET_VLAN:
		if (c->inside.n != 0)
			c->inside.vid[0] = a->vlan;
		else
			vlan_push(&c->inside, a->vlan);
		break;
	case FLOW_ACT_SET_ETH_SRC:
	case FLOW_ACT_SET_ETH_DST:
		memcpy(emit(c, a->type)->mac, a->mac, sizeof(a->mac));
		if (a->type == FLOW_ACT_SET_ETH_SRC)
			c->eth_src = a->mac;
		else
			c->eth_dst = a->mac;
		c->edits = true;
		break;
	case FLOW_ACT_CLASS:
		if (a->index < c->s->n_classes)
			c->prog->cls = (uint8_t)a->index;
		break;
	case FLOW_ACT_RING:
		c->prog->flags |= DP_PROG_RING;
		break;
	case FLOW_ACT_QUEUE:
		c->verdict->pinned_queue = a->index;
		break;
	case FLOW_ACT_RATE:
		c->verdict->rated = true;
		c->prog->flags |= DP_PROG_RATED;
		break;
	default:
		break;
	}
}

static void
drop(struct compile *c, enum dp_drop why)
{
	c->prog->kind = DP_PROG_DROP;
	c->prog->drop = (uint8_t)why;
	memset(&c->verdict->actions, 0, sizeof(c->verdict->actions));
	c->verdict->single_output = false;
}

// One output with at most one VLAN operation needs no list.
static void
finish(struct compile *c)
{
	const struct flow_action *first = &c->verdict->actions.list[0];

	if (c->too_long) {
		drop(c, DP_DROP_ACTIONS);
		return;
	}
	if (c->n_out == 0 && !c->flood) {
		drop(c, c->why);
		return;
	}
	c->verdict->single_output = c->n_out == 1 && !c->flood && !(c->prog->flags & DP_PROG_RING);
	if (c->n_out != 1 || c->flood || c->edits || c->vlan_ops > 1) {
		c->prog->kind = DP_PROG_GENERAL;
		return;
	}
	c->prog->kind = DP_PROG_OUTPUT;
	if (c->vlan_ops == 0)
		return;
	switch (first->type) {
	case FLOW_ACT_PUSH_VLAN:
		c->prog->vlan_op = DP_VLAN_PUSH;
		c->prog->vlan = first->vlan;
		break;
	case FLOW_ACT_SET_VLAN:
		c->prog->vlan_op = DP_VLAN_SET;
		c->prog->vlan = first->vlan;
		break;
	default:
		c->prog->vlan_op = DP_VLAN_POP;
		break;
	}
}

static void
count_rules(struct compile *c, const struct rules_result *r)
{
	unsigned i;

	for (i = 0; i < r->n && i < DP_PROG_RULES; i++)
		if (r->rule[i] < c->sw->max_rules)
			c->prog->rule[c->prog->n_rules++] = (uint16_t)r->rule[i];
}

// Do two look-ups of a key meet the same rules?
static bool
same_rules(const struct rules_result *a, const struct rules_result *b)
{
	return a->n == b->n && a->no_rule == b->no_rule && a->too_long == b->too_long &&
	       memcmp(a->rule, b->rule, sizeof(a->rule[0]) * a->n) == 0;
}

// The rules ask for what is inside a tunnel that the packet may be (answers.h).
static void
ask_inside(struct compile *c, const struct answers *a, const struct dp_shown *pkt,
	struct flow_key *key, struct rules_result *out)
{
	struct rules_result all;
	uint16_t yes;

	key->switch_id = a->yes | a->inside;
	rules_lookup(c->sw->rules, key, &all);
	key->switch_id = a->yes;
	rules_lookup(c->sw->rules, key, out);
	out->fields |= all.fields;
	if (same_rules(out, &all))
		return;
	c->verdict->of_packet = true;
	c->verdict->inside = true;
	yes = answers_inside(c->sw, c->key, a->inside, pkt);
	if (yes == 0)
		return;
	key->switch_id |= yes;
	rules_lookup(c->sw->rules, key, out);
	out->fields |= all.fields;
}

// What the rules ask besides the key is answered in the key that they are given.
static void
ask_rules(struct compile *c, const struct dp_shown *pkt, struct rules_result *out)
{
	struct flow_key key = *c->key;
	struct answers a;

	if (c->sw->asks & RULES_ASK_LEARNED)
		c->prog->flags |= DP_PROG_MAC_DEP;
	answers_get(c->sw, c->key, vlan_outer(&c->inside), pkt, &a);
	key.switch_id = a.yes;
	if (a.inside != 0)
		ask_inside(c, &a, pkt, &key, out);
	else
		rules_lookup(c->sw->rules, &key, out);
	if (a.by_packet == NULL)
		return;
	c->verdict->of_packet = true;
	c->verdict->seen = EXT_SEEN_ALL;
	c->verdict->viewer = a.by_packet;
}

static void
decide(struct compile *c, const struct rules_result *r, const struct dp_shown *pkt)
{
	struct rules_result own;
	unsigned i;

	if (r == NULL) {
		if (c->sw->asks == 0)
			rules_lookup(c->sw->rules, c->key, &own);
		else
			ask_rules(c, pkt, &own);
		r = &own;
	}
	c->verdict->depends = r->fields | (c->verdict->inside ? FLOW_FIELD_INNER : 0);
	c->prog->fields = r->fields & FLOW_FIELD_ALL;
	count_rules(c, r);
	if (r->too_long) {
		drop(c, DP_DROP_ACTIONS);
		return;
	}
	if (r->actions.n == 0) {
		drop(c, r->no_rule ? DP_DROP_NO_RULE : DP_DROP_RULE);
		return;
	}
	c->why = r->no_rule ? DP_DROP_NO_RULE : DP_DROP_RULE;
	if (c->key->eth_dst[0] & 1)
		c->prog->flags |= DP_PROG_STORM;
	for (i = 0; i < r->actions.n && r->actions.list[i].type != FLOW_ACT_DROP; i++)
		one_action(c, &r->actions.list[i]);
	if (c->from->storm_pps == 0)
		c->prog->flags &= (uint8_t)~DP_PROG_STORM;
	finish(c);
}

// What is passed on takes its part of these.
static void
meter(struct compile *c)
{
	const struct dp_snapshot *s = c->s;

	if (c->prog->kind == DP_PROG_DROP)
		return;
	c->verdict->metered = c->from->meter != NULL || c->from->vm_meter != NULL ||
			      (s->class_meters != NULL && s->class_meters[c->prog->cls] != NULL);
	if (c->verdict->metered)
		c->prog->flags |= DP_PROG_RATED;
}

static bool
passes_egress(struct compile *c)
{
	bool single = c->prog->kind != DP_PROG_DROP && c->n_out == 1 && !c->flood;

	return extend_egress(c->sw->ext, c->key, single, c->prog, c->verdict);
}

void
dp_compile(const struct dp_snapshot *s, const struct flow_key *key, struct dp_program *prog,
	struct dp_verdict *verdict)
{
	dp_compile_by(s, key, NULL, NULL, prog, verdict);
}

void
dp_compile_by(const struct dp_snapshot *s, const struct flow_key *key,
	const struct rules_result *rules, const struct dp_shown *pkt, struct dp_program *prog,
	struct dp_verdict *verdict)
{
	struct compile c = {.s = s, .key = key, .prog = prog, .verdict = verdict};

	memset(prog, 0, sizeof(*prog));
	memset(verdict, 0, sizeof(*verdict));
	prog->txq = DP_TXQ_OWN;
	prog->next_txq = DP_TXQ_OWN;
	prog->out = DP_NONE;
	verdict->pinned_queue = DP_NONE;
	c.from = key->vport < DP_VPORTS_MAX ? s->vport[key->vport] : NULL;
	if (c.from == NULL || c.from->sw >= s->n_switches) {
		drop(&c, DP_DROP_NO_RULE);
		return;
	}
	c.sw = &s->sw[c.from->sw];
	c.eth_src = key->eth_src;
	c.eth_dst = key->eth_dst;
	vlan_tags_of_key(key, &c.frame);
	c.inside = c.frame;
	if (!vlan_ingress(c.from, &c.inside))
		drop(&c, DP_DROP_VLAN_FILTER);
	else if (c.from->mac_check && !spoof_mac_ok(c.from, key))
		drop(&c, DP_DROP_MAC_SPOOF);
	else if (c.from->ip_check && !spoof_ip_ok(c.from, key))
		drop(&c, DP_DROP_IP_SPOOF);
	else if (c.sw->ext != NULL && !extend_ingress(c.sw->ext, key, prog, verdict))
		drop(&c, DP_DROP_EXTENSION);
	else
		decide(&c, rules, pkt);
	if (c.sw->ext != NULL && !passes_egress(&c))
		drop(&c, DP_DROP_EXTENSION);
	meter(&c);
}

bool
dp_rules_of(const struct dp_snapshot *s, const struct flow_key *key, struct rules_result *out)
{
	struct dp_program prog = {0};
	struct dp_verdict verdict = {0};
	struct compile c = {.s = s, .key = key, .prog = &prog, .verdict = &verdict};

	c.from = key->vport < DP_VPORTS_MAX ? s->vport[key->vport] : NULL;
	if (c.from == NULL || c.from->sw >= s->n_switches)
		return false;
	c.sw = &s->sw[c.from->sw];
	vlan_tags_of_key(key, &c.inside);
	vlan_ingress(c.from, &c.inside);
	if (c.sw->asks == 0)
		rules_lookup(c.sw->rules, key, out);
	else
		ask_rules(&c, NULL, out);
	return true;
}

void
dp_own_key(const struct dp_snapshot *s, struct flow_key *key)
{
	struct flow_key bare = *key;
	struct dp_program prog;
	struct dp_verdict verdict;

	flow_key_keep(&bare, 0);
	dp_compile(s, &bare, &prog, &verdict);
	flow_key_keep(key, prog.fields);
}

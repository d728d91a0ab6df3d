// SPDX-License-Identifier: BSD-3-Clause
// How the rules of a switch stand in the NICs, for people.
#include <stdio.h>
#include <string.h>

#include "place/ahead_internal.h"
#include "place/class_engine.h"
#include "place/class_vf.h"

// A rule at one port of a NIC, over the steps that it became.
struct at_port {
	uint16_t vport;
	uint32_t whole, partly, covered, not_in; // steps
	const struct ahead_note *why;            // of one that is not whole
	const struct ahead_note *aside;          // one that only few packets need
};

static bool
is_of(const struct ahead_chain *chain, uint32_t rule)
{
	uint8_t i;

	for (i = 0; i < chain->n; i++)
		if (chain->rule[i].id == rule)
			return true;
	return false;
}

// Steps for packets that are seldom: they do not make a rule less than whole.
static bool
is_aside(const struct ahead_note *n)
{
	return n->standing.reason == AHEAD_R_HOST &&
	       (n->why == AHEAD_WHY_TAGS || n->why == AHEAD_WHY_SPOOF ||
		       n->why == AHEAD_WHY_STORM || n->why == AHEAD_WHY_DROP);
}

static void
add_note(struct at_port *p, const struct ahead_note *n)
{
	if (is_aside(n)) {
		p->aside = n;
		return;
	}
	p->whole += n->standing.stand == AHEAD_WHOLE;
	p->partly += n->standing.stand == AHEAD_PARTLY;
	p->covered += n->standing.stand == AHEAD_COVERED;
	p->not_in += n->standing.stand == AHEAD_NOT;
	if (n->standing.stand != AHEAD_WHOLE && p->why == NULL)
		p->why = n;
}

static enum ahead_stand
stand_of(const struct at_port *p)
{
	if (p->whole + p->partly + p->covered + p->not_in == 0)
		return p->aside != NULL ? p->aside->standing.stand : AHEAD_NOT;
	if (p->whole > 0 && p->partly + p->covered + p->not_in == 0)
		return AHEAD_WHOLE;
	if (p->whole + p->partly > 0)
		return AHEAD_PARTLY;
	return p->covered > 0 ? AHEAD_COVERED : AHEAD_NOT;
}

static const char *
reason_text(const struct ahead_nic *n, const struct ahead_note *note, char *buf, size_t len)
{
	const struct ahead_refusal *r;

	switch (note->standing.reason) {
	case AHEAD_R_HOST:
		return ahead_why_text(note->why);
	case AHEAD_R_MATCH:
		return "no NIC rule can say all that it matches";
	case AHEAD_R_ONE_FLOW:
		return "it matches a single flow, which has an entry of its own while it has "
		       "traffic";
	case AHEAD_R_REFUSED:
		r = ahead_refusal_of(n, note->standing.shape);
		snprintf(buf, len, "the driver refused it, or what must cover a rule above it: %s",
			r != NULL ? r->text : "");
		return buf;
	case AHEAD_R_ROOM:
		return "it and what must cover rules above it need more entries than its port has "
		       "left";
	case AHEAD_R_FAR:
		return "too many rules are above it";
	default:
		return "";
	}
}

static uint32_t
live_of(const struct ahead_nic *n, uint16_t vport, uint32_t rule, uint64_t *packets, bool *pending)
{
	uint32_t i, k = 0;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];

		if (!l->used || l->vport != vport || !is_of(&l->chain, rule))
			continue;
		k += l->state != AHEAD_WANTED;
		*pending = *pending || l->state != AHEAD_IN || !l->kept;
		*packets += l->packets;
	}
	return k;
}

static json_t *
port_json(struct control *c, const struct ahead_nic *n, const struct at_port *p, uint32_t rule)
{
	const struct ahead_note *why = p->why != NULL ? p->why : NULL;
	uint64_t packets = 0;
	bool pending = false;
	uint32_t entries = live_of(n, p->vport, rule, &packets, &pending);
	char buf[192];
	json_t *o;

	if (p->whole + p->partly + p->covered + p->not_in == 0)
		why = p->aside;
	o = json_pack("{ss ss si sI}", "port", c->vports[p->vport].cfg.name, "state",
		pending ? "pending" : ahead_stand_name(stand_of(p)), "entries", (int)entries,
		"packets", (json_int_t)packets);
	if (why != NULL && stand_of(p) != AHEAD_WHOLE)
		json_object_set_new(
			o, "reason", json_string(reason_text(n, why, buf, sizeof(buf))));
	return o;
}

// The ports of a NIC, each with how the rule stands there.
static json_t *
nic_ports(
	struct control *c, const struct ahead_nic *n, uint16_t sw, uint32_t rule, unsigned *stands)
{
	struct at_port at = {.vport = DP_NONE};
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i <= n->n_notes; i++) {
		const struct ahead_note *note = i < n->n_notes ? &n->notes[i] : NULL;
		uint16_t vport = note != NULL ? note->vport : DP_NONE;

		if (vport != at.vport || note == NULL) {
			if (at.vport != DP_NONE &&
				(at.why != NULL || at.aside != NULL || at.whole > 0)) {
				json_array_append_new(list, port_json(c, n, &at, rule));
				stands[stand_of(&at)] += at.whole > 0 || at.why != NULL;
			}
			at = (struct at_port){.vport = vport};
		}
		if (note != NULL && note->sw == sw && is_of(&note->chain, rule))
			add_note(&at, note);
	}
	return list;
}

static const char *
state_over(const unsigned *stands)
{
	if (stands[AHEAD_WHOLE] > 0)
		return stands[AHEAD_PARTLY] + stands[AHEAD_COVERED] + stands[AHEAD_NOT] == 0
			       ? "whole"
			       : "partly";
	if (stands[AHEAD_PARTLY] > 0)
		return "partly";
	return stands[AHEAD_COVERED] > 0 ? "to-host" : "not";
}

json_t *
ahead_rule_json(struct control *c, uint16_t sw, uint32_t rule)
{
	json_t *list = json_array();
	uint16_t i;

	for (i = 0; c->ahead != NULL && i < CONFIG_NICS_MAX; i++) {
		unsigned stands[4] = {0};
		json_t *ports;

		if (c->nics[i] == NULL)
			continue;
		ports = nic_ports(c, &c->ahead->nic[i], sw, rule, stands);
		if (json_array_size(ports) == 0) {
			json_decref(ports);
			continue;
		}
		json_array_append_new(list, json_pack("{ss ss so}", "nic", c->nics[i]->name,
						    "state", state_over(stands), "ports", ports));
	}
	return list;
}

json_t *
ahead_rule_words(struct control *c, uint16_t sw, uint32_t rule)
{
	json_t *list = ahead_rule_json(c, sw, rule), *o;
	char text[256] = "";
	size_t i, used = 0;

	json_array_foreach(list, i, o)
	{
		int n = snprintf(text + used, sizeof(text) - used, "%s%s %s", used > 0 ? ", " : "",
			json_string_value(json_object_get(o, "nic")),
			json_string_value(json_object_get(o, "state")));

		used += n > 0 && used + (size_t)n < sizeof(text) ? (size_t)n : 0;
	}
	json_decref(list);
	return json_string(text);
}

// Is it one of the class, and of no class above that has it too? The first policy rule is a flow's.
static bool
is_of_class(const struct control *c, const struct ahead_live *l, uint16_t policy)
{
	uint16_t i;

	for (i = 0; i <= policy; i++) {
		if (class_vf_within(c, &c->cfg->policies[i], l->vport, l->out_vport, &l->match))
			return i == policy;
	}
	return false;
}

// Of a class rule to a VF, over the rules that it became.
static json_t *
vf_json(const struct control *c, const struct ahead_nic *n, uint16_t policy)
{
	const struct config_policy *p = &c->cfg->policies[policy];
	uint64_t packets = 0;
	int entries = 0;
	bool pending = false, wider = false;
	json_t *o;
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];

		if (!l->used || l->group || l->act.kind != AHEAD_PORT)
			continue;
		if (!is_of_class(c, l, policy)) {
			wider |= l->state == AHEAD_IN &&
				 class_vf_has(c, p, l->vport, l->out_vport, &l->match) &&
				 !class_vf_within(c, p, l->vport, l->out_vport, &l->match);
			continue;
		}
		entries++;
		pending = pending || l->state != AHEAD_IN || !l->kept;
		packets += l->packets;
	}
	o = json_pack("{ss ss ss ss ss si sI}", "policy", p->name, "port", p->port_name, "queues",
		"-", "by", "vf", "state",
		entries == 0 && !wider ? "not"
		: pending              ? "pending"
				       : "in",
		"entries", entries, "packets", (json_int_t)packets);
	if (entries == 0)
		json_object_set_new(o, "reason",
			json_string(wider ? "wider rules ahead of traffic carry it, or classes "
					    "above it (rule show)"
					  : "no rule of the switch sends such packets to a VF of "
					    "the VM on this NIC, or it is not whole in the NIC "
					    "(rule show)"));
	return o;
}

json_t *
ahead_class_json(struct control *c, uint16_t nic)
{
	const struct ahead_nic *n = &c->ahead->nic[nic];
	json_t *list = json_array();
	char queues[24];
	json_t *o;
	uint32_t i;
	uint16_t k;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];
		bool cover = l->act.kind == AHEAD_HOST;

		if (!l->used || !l->group || (!cover && l->act.port >= c->cfg->n_policies))
			continue;
		snprintf(queues, sizeof(queues), "%u-%u", l->first_queue,
			l->first_queue + l->n_queues - 1u);
		o = json_pack("{ss ss ss ss ss sI}", "policy",
			cover ? "(what a policy rule above may match)"
			      : c->cfg->policies[l->act.port].name,
			"port", c->vports[l->vport].cfg.name, "queues", queues, "by",
			l->act.kind == AHEAD_GROUP ? "engine" : "rss", "state",
			l->state == AHEAD_IN && l->kept ? "in" : "pending", "packets",
			(json_int_t)l->packets);
		if (!cover && l->act.kind != AHEAD_GROUP) {
			const struct config_policy *p = &c->cfg->policies[l->act.port];
			const char *why = class_group_why(c, p, l->vport);

			if (p->class_target == CONFIG_CLASS_ENGINE)
				json_object_set_new(o, "reason",
					json_string(
						why[0] != '\0'
							? why
							: "the driver does not take such a rule"));
		}
		json_array_append_new(list, o);
	}
	for (k = 0; k < c->cfg->n_policies; k++) {
		if (c->cfg->policies[k].class_target == CONFIG_CLASS_VF)
			json_array_append_new(list, vf_json(c, n, k));
	}
	return list;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/trace_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/answer.h"
#include "datapath/packet.h"
#include "ext/chain.h"
#include "place/mover.h"
#include "place/placements.h"
#include "switch/extensions.h"
#include "switch/rule_book.h"

struct steps {
	struct control *c;
	const struct dp_trace_record *r;
	json_t *items;
	unsigned number;
	uint16_t sw;
};

static void step(const struct steps *s, const char *name, const char *result, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void
step(const struct steps *s, const char *name, const char *result, const char *fmt, ...)
{
	char detail[2048];
	json_t *o = json_object();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	if (s->number != 0)
		json_object_set_new(o, "packet", json_integer(s->number));
	json_object_set_new(o, "step", json_string(name));
	json_object_set_new(o, "result", json_string(result));
	json_object_set_new(o, "detail", json_string(detail));
	json_array_append_new(s->items, o);
}

static void
step_text(const struct steps *s, const char *name, const char *result, json_t *text)
{
	step(s, name, result, "%s", json_string_value(text) != NULL ? json_string_value(text) : "");
	json_decref(text);
}

// ---- what comes before the rules

// A tunnel packet's inner headers, in the words of a rule.
static void
say_inner(const struct steps *s, const struct flow_inner *in)
{
	struct sl_strbuf words;

	if (in->tunnel == FLOW_TUNNEL_NONE)
		return;
	sl_strbuf_init(&words, 0);
	flow_inner_format(in, &words);
	step(s, "  tunnel", flow_tunnel_name((enum flow_tunnel)in->tunnel),
		"its header at %u, inner Ethernet at %u, IP or ARP at %u, L4 at %u, payload at %u, "
		"%u VLAN tags%s",
		in->header, in->l2, in->off.l3, in->off.l4, in->off.payload, in->off.vlans,
		in->off.frag != FLOW_FRAG_NO ? ", a fragment" : "");
	step(s, "  inside", flow_fault_name((enum flow_fault)in->fault), "%s",
		sl_strbuf_str(&words));
	sl_strbuf_fini(&words);
}

static void
say_packet(const struct steps *s)
{
	const struct dp_trace_record *r = s->r;
	char text[96];

	snprintf(text, sizeof(text), "%u bytes from %s", r->len, port_name(s->c, r->origin));
	step(s, "packet", text, "worker %u%s", r->worker, r->dry ? ", dry run" : "");
	if (r->fault != FLOW_OK) {
		step(s, "parse", flow_fault_name(r->fault), "a header is cut, or cannot be");
		return;
	}
	step(s, "parse", "ok", "IP or ARP at %u, L4 at %u, payload at %u, %u VLAN tags%s",
		r->off.l3, r->off.l4, r->off.payload, r->off.vlans,
		r->off.frag != FLOW_FRAG_NO ? ", a fragment" : "");
	say_inner(s, &r->inner);
	step_text(s, "key", s->c->cfg->switches[s->sw].name, json_key(s->c, &r->key));
}

static void
say_decision(const struct steps *s)
{
	const struct dp_trace_record *r = s->r;

	switch (r->from) {
	case DP_TRACE_LANE:
		step(s, "lane", "live", "mark 0x%x: no parse, no look-up", r->mark);
		break;
	case DP_TRACE_HIT:
		step(s, "cache", "hit",
			"%llu packets, %llu bytes of the flow before it, generation %u",
			(unsigned long long)r->entry_packets, (unsigned long long)r->entry_bytes,
			r->gen);
		break;
	case DP_TRACE_STALE:
		step(s, "cache", "stale", "decided anew for generation %u; %llu packets before it",
			r->gen, (unsigned long long)r->entry_packets);
		break;
	case DP_TRACE_MISS:
		step(s, "cache", "miss", "decided for generation %u%s", r->gen,
			r->dry ? ", and not kept" : "");
		break;
	default:
		break;
	}
	if (r->marked && r->from != DP_TRACE_LANE)
		step(s, "lane", "stale", "mark 0x%x names no live lane of this port", r->mark);
}

// The checks of the port stand in this order (datapath/program.h); the first that fails ends it.
static bool
say_checks(const struct steps *s)
{
	const struct config_port *p = &s->c->vports[s->r->origin].cfg;
	const struct {
		const char *name;
		bool on;
		enum dp_drop why;
	} checks[] = {
		{"vlan", true, DP_DROP_VLAN_FILTER},
		{"anti-spoof MAC", p->mac_check, DP_DROP_MAC_SPOOF},
		{"anti-spoof IP", p->ip_check, DP_DROP_IP_SPOOF},
	};
	const struct dp_program *prog = &s->r->program;
	const char *vlan = p->vlan_mode == CONFIG_VLAN_ACCESS   ? "access port"
			   : p->vlan_mode == CONFIG_VLAN_NATIVE ? "native port"
								: "trunk port";
	unsigned i;

	for (i = 0; i < 3; i++) {
		// A VLAN filter at the output comes after the rules.
		bool here = prog->kind == DP_PROG_DROP && prog->drop == checks[i].why &&
			    (i > 0 || prog->n_rules == 0);

		step(s, checks[i].name,
			here           ? "dropped"
			: checks[i].on ? "passes"
				       : "off",
			"%s",
			i == 0 ? vlan
			: here ? dp_drop_text(checks[i].why)
			       : "");
		if (here)
			return false;
	}
	return true;
}

static void
say_extensions(const struct steps *s)
{
	static const char *const said[] = {[SLUICE_EXT_PASS] = "passes",
		[SLUICE_EXT_DROP] = "drops it",
		[SLUICE_EXT_SEE] = "must see it",
		[SLUICE_EXT_COPY] = "is given a copy",
		[SLUICE_EXT_HIT] = "matches"};
	static const char *const not_shown = ", which a dry run does not show it: here it passes",
				 *const not_asked = ", which a dry run does not show it: no match";
	const struct extension *x;
	struct sluice_ext_flow flow;
	enum sluice_ext_verdict v;
	unsigned i;

	ext_flow_of_key(&s->r->key, &flow);
	for (i = 0; (x = extensions_get(s->c, s->sw, i)) != NULL; i++) {
		flow.out = x->cfg.at == CONFIG_EXT_EGRESS ? s->r->program.out : SLUICE_EXT_NO_PORT;
		if (x->cfg.at == CONFIG_EXT_EGRESS && flow.out == SLUICE_EXT_NO_PORT)
			continue;
		v = ext_ask(x->ext, &flow);
		step(s, "extension", x->cfg.name, "%s: %s%s",
			ext_point_name((enum sluice_ext_point)x->cfg.at), said[v],
			v != SLUICE_EXT_SEE || !s->r->dry ? ""
			: x->cfg.at == CONFIG_EXT_MATCH   ? not_asked
							  : not_shown);
	}
}

// ---- rules

static const char *
table_name(const struct steps *s, uint16_t table, char *buf, size_t len)
{
	const struct config *cfg = s->c->cfg;
	unsigned i;

	snprintf(buf, len, "  table %u", table);
	for (i = 0; i < cfg->n_tables; i++) {
		if (cfg->tables[i].sw == s->sw && cfg->tables[i].id == table &&
			cfg->tables[i].name[0] != '\0')
			snprintf(buf, len, "  table %s", cfg->tables[i].name);
	}
	return buf;
}

static int
next_table(const struct flow_actions *a)
{
	unsigned i;

	for (i = 0; i < a->n; i++) {
		if (a->list[i].type == FLOW_ACT_GOTO)
			return a->list[i].index;
	}
	return -1;
}

static void
say_rule(const struct steps *s, const struct config_rule *rule)
{
	struct rules_entry e = {.match = rule->match,
		.asks = rule->extension[0] != '\0' ? RULES_ASK_EXTENSION(0) : rule->learned};
	json_t *match = json_rule_match(s->c, rule);
	json_t *actions = json_actions(s->c, s->sw, &rule->actions);
	char table[64], name[64];

	snprintf(name, sizeof(name), "rule %u", rule->id);
	step(s, table_name(s, rule->table, table, sizeof(table)),
		rule->name[0] != '\0' ? rule->name : name, "priority %u, %s: %s -> %s",
		rule->priority,
		rule->inner.asked ? "inside" : rules_function_name(rules_function_of(&e)),
		json_string_value(match), json_string_value(actions));
	json_decref(match);
	json_decref(actions);
}

// What matched, table by table; the last one's default where nothing did.
static void
say_rules(const struct steps *s)
{
	const struct dp_program *prog = &s->r->program;
	const struct config *cfg = s->c->cfg;
	int table = 0;
	char name[64];
	unsigned i;

	step(s, "rules", prog->n_rules > 0 ? "matched" : "no match", "%u of them", prog->n_rules);
	for (i = 0; i < prog->n_rules && table >= 0; i++) {
		const struct config_rule *rule =
			rule_book_of_entry(s->c->book[s->sw], prog->rule[i]);

		if (rule == NULL)
			return; // deleted since
		say_rule(s, rule);
		table = next_table(&rule->actions);
	}
	for (i = 0; table >= 0 && i < cfg->n_tables; i++) {
		if (cfg->tables[i].sw == s->sw && cfg->tables[i].id == table)
			step_text(s, table_name(s, (uint16_t)table, name, sizeof(name)), "default",
				json_actions(s->c, s->sw, &cfg->tables[i].fallback));
	}
}

// ---- what is done

static void
actions_of(const struct dp_trace_record *r, struct flow_actions *out)
{
	static const uint8_t ops[] = {[DP_VLAN_PUSH] = FLOW_ACT_PUSH_VLAN,
		[DP_VLAN_POP] = FLOW_ACT_POP_VLAN,
		[DP_VLAN_SET] = FLOW_ACT_SET_VLAN};
	const struct dp_program *prog = &r->program;

	memset(out, 0, sizeof(*out));
	if (prog->kind == DP_PROG_GENERAL) {
		*out = r->actions;
		return;
	}
	if (prog->vlan_op != DP_VLAN_KEEP)
		out->list[out->n++] =
			(struct flow_action){.type = ops[prog->vlan_op], .vlan = prog->vlan};
	out->list[out->n++] = (struct flow_action){.type = FLOW_ACT_OUTPUT, .port = prog->out};
}

static void
say_actions(const struct steps *s)
{
	const struct dp_program *prog = &s->r->program;
	struct flow_actions list;

	if (prog->kind == DP_PROG_DROP) {
		step(s, "actions", "drop", "%s", dp_drop_text(prog->drop));
		return;
	}
	actions_of(s->r, &list);
	step_text(s, "actions", prog->kind == DP_PROG_GENERAL ? "list" : "output",
		json_actions(s->c, s->sw, &list));
	if (prog->flags & (DP_PROG_RING | DP_PROG_HOST_RING))
		step(s, "  ring",
			prog->cls < s->c->cfg->n_classes ? s->c->cfg->classes[prog->cls].name : "?",
			"%s", prog->flags & DP_PROG_RING ? "its rules want it" : "placed there");
	if (prog->flags & DP_PROG_RATED)
		step(s, "  rate", "limited", "a rule, its port, its VM or its class has a rate");
}

static void
say_output(const struct steps *s, const struct dp_trace_output *o)
{
	char bytes[3 * DP_TRACE_BYTES + 1] = "", queue[32];
	unsigned i;

	for (i = 0; i < o->n_bytes; i++)
		snprintf(bytes + 2 * (size_t)i, 3, "%02x", o->bytes[i]);
	if (o->txq == DP_TXQ_OWN)
		snprintf(queue, sizeof(queue), "its own queue");
	else
		snprintf(queue, sizeof(queue), "transmit queue %u", o->txq);
	step(s, "output", port_name(s->c, o->vport), "%u bytes by %s of worker %u%s%s, link %s: %s",
		o->len, o->ring ? "the ring" : queue, o->owner, o->ring ? ", class " : "",
		o->ring && o->cls < s->c->cfg->n_classes ? s->c->cfg->classes[o->cls].name : "",
		o->link ? "up" : "down", bytes);
}

static void
say_end(const struct steps *s)
{
	const struct dp_trace_record *r = s->r;
	unsigned i, drops = 0;
	char text[64];

	for (i = 0; i < r->n_outputs; i++)
		say_output(s, &r->output[i]);
	if (r->outputs_lost > 0)
		step(s, "output", "more", "%u that are not shown", r->outputs_lost);
	for (i = 0; i < DP_DROP_COUNT; i++) {
		if (r->dropped[i] == 0)
			continue;
		step(s, "drop", dp_drop_name(i), "%s%s", dp_drop_text(i),
			r->dropped[i] > 1 ? " (several)" : "");
		drops += r->dropped[i];
	}
	snprintf(text, sizeof(text), "%s%s", r->dry ? "would be " : "",
		r->n_outputs > 0 ? "sent" : "dropped");
	step(s, "end", text, "outputs %u, drops %u, copies %u", r->n_outputs + r->outputs_lost,
		drops, r->copies);
}

void
trace_json(struct control *c, const struct dp_trace_record *r, unsigned number, json_t *items)
{
	struct steps s = {.c = c, .r = r, .items = items, .number = number};

	if (r->origin >= DP_VPORTS_MAX || !c->vports[r->origin].used)
		return; // it went away meanwhile
	s.sw = c->vports[r->origin].cfg.sw;
	say_packet(&s);
	if (r->fault == FLOW_OK)
		say_decision(&s);
	if (r->decided) {
		if (say_checks(&s)) {
			say_extensions(&s);
			if (r->program.kind != DP_PROG_DROP || r->program.n_rules > 0 ||
				r->program.drop != DP_DROP_EXTENSION)
				say_rules(&s);
		}
		say_actions(&s);
	}
	say_end(&s);
}

bool
trace_json_hardware(struct control *c, const struct flow_key *key, json_t *items)
{
	struct steps s = {.c = c, .items = items};
	struct offload_flow_view flow;
	struct translate_rule rule;
	struct placement *pl;
	char text[1024], why[200];
	struct sl_err err;
	uint16_t ethdev;
	uint32_t id;

	if (offload_find(c->offload, key, &id) != 0 || !offload_flow_look(c->offload, id, &flow))
		return false;
	offload_explain(c->offload, id, OFFLOAD_IN, why, sizeof(why));
	pl = placement_find(c, id, OFFLOAD_IN);
	if (pl == NULL || pl->state != PLACEMENT_PLACED) {
		step(&s, "hardware", "none", "f%u: %s", id, why);
		return false;
	}
	sl_err_init(&err);
	if (mover_rule(c, &flow, pl, &ethdev, &rule, &err) == 0)
		translate_format(&rule, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s", err.text);
	step(&s, "hardware", offload_path_name(pl->place.path), "f%u: %s", id, why);
	step(&s, "  rule", c->nics[pl->nic] != NULL ? c->nics[pl->nic]->name : "gone", "%s", text);
	if (pl->place.path == OFFLOAD_ESWITCH)
		step(&s, "  note", "not here",
			"the NIC carries its packets; what follows is what the host would do");
	return pl->place.path == OFFLOAD_ESWITCH;
}

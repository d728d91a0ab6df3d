// SPDX-License-Identifier: BSD-3-Clause
// The texts of rules and of tables' defaults, once all that they may name is known.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "walk.h"

static bool
is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

static int
find_vm(const struct config *cfg, uint16_t sw, const char *name, struct sl_err *err)
{
	int vm = 0;

	while (vm < cfg->n_vms && strcmp(cfg->vms[vm].name, name) != 0)
		vm++;
	if (vm == cfg->n_vms)
		return sl_err_set(err, EINVAL, "match", "there is no VM \"%.40s\"", name);
	for (uint16_t i = 0; i < cfg->n_ports; i++) {
		if (cfg->ports[i].sw == sw && cfg->ports[i].vm == vm)
			return vm;
	}
	return sl_err_set(err, EINVAL, "match", "VM \"%s\" has no port on switch \"%s\"", name,
		cfg->switches[sw].name);
}

// A word that tells of more than a packet's key. 1: taken, 0: it is none, or -EINVAL.
static int
take_word(const struct config *cfg, const char *word, struct config_rule *out, struct sl_err *err)
{
	int vm;

	if (strncmp(word, "vm=", 3) == 0) {
		if (out->vm >= 0)
			return sl_err_set(err, EINVAL, "match", "vm= is there twice");
		vm = find_vm(cfg, out->sw, word + 3, err);
		if (vm < 0)
			return vm;
		out->vm = (int16_t)vm;
	} else if (strncmp(word, "extension=", 10) == 0) {
		if (out->extension[0] != '\0')
			return sl_err_set(err, EINVAL, "match", "extension= is there twice");
		if (word[10] == '\0' || strlen(word + 10) >= sizeof(out->extension))
			return sl_err_set(err, EINVAL, "match",
				"extension=NAME: a name of 1 to %zu characters expected",
				sizeof(out->extension) - 1);
		strlcpy(out->extension, word + 10, sizeof(out->extension));
	} else if (strcmp(word, "eth_src=learned") == 0) {
		out->learned |= CONFIG_LEARNED_SRC;
	} else if (strcmp(word, "eth_dst=learned") == 0) {
		out->learned |= CONFIG_LEARNED_DST;
	} else {
		return 0;
	}
	return 1;
}

// Takes such words out of text, with blanks in their place, so that columns stay right.
static int
take_words(const struct config *cfg, char *text, struct config_rule *out, struct sl_err *err)
{
	char word[80];

	for (char *p = text; *p != '\0';) {
		size_t len = 0;
		int rc;

		while (is_separator(*p))
			p++;
		while (p[len] != '\0' && !is_separator(p[len]))
			len++;
		snprintf(word, sizeof(word), "%.*s", (int)len, p);
		rc = take_word(cfg, word, out, err);
		if (rc < 0)
			return rc;
		if (rc > 0)
			memset(p, ' ', len);
		p += len;
	}
	return 0;
}

int
config_rule_parse(const struct config *cfg, uint16_t sw, const char *match, const char *actions,
	struct config_rule *out, struct sl_err *err)
{
	struct config_names ctx = {.cfg = cfg, .sw = sw};
	struct flow_names names;
	struct sl_err why;
	char *text;
	int ret;

	sl_err_init(&why);
	config_flow_names(&ctx, &names);
	text = strdup(match);
	if (text == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	out->sw = sw;
	out->vm = -1;
	out->learned = 0;
	memset(out->extension, 0, sizeof(out->extension));
	ret = take_words(cfg, text, out, &why);
	if (ret == 0 && (flow_inner_take(text, &out->inner, &why) != 0 ||
				flow_match_parse(text, &names, &out->match, &why) != 0))
		ret = sl_err_set(err, why.code, "match", "%s", why.text);
	free(text);
	if (ret == 0 && flow_actions_parse(actions, &names, &out->actions, &why) != 0)
		ret = sl_err_set(err, why.code, "actions", "%s", why.text);
	if (ret != 0)
		sl_err_set(err, why.code, why.path, "%s", why.text);
	return ret;
}

void
config_rule_match_format(
	const struct config *cfg, const struct config_rule *rule, struct sl_strbuf *out)
{
	struct config_names ctx = {.cfg = cfg, .sw = rule->sw};
	struct flow_names names;
	struct flow_match any;
	const char *blank = "";

	config_flow_names(&ctx, &names);
	flow_match_init(&any);
	if (rule->vm >= 0) {
		sl_strbuf_addf(out, "vm=%s", cfg->vms[rule->vm].name);
		blank = " ";
	}
	if (rule->extension[0] != '\0') {
		sl_strbuf_addf(out, "%sextension=%s", blank, rule->extension);
		blank = " ";
	}
	for (unsigned bit = CONFIG_LEARNED_SRC; bit <= CONFIG_LEARNED_DST; bit <<= 1) {
		if (!(rule->learned & bit))
			continue;
		sl_strbuf_addf(
			out, "%seth_%s=learned", blank, bit == CONFIG_LEARNED_SRC ? "src" : "dst");
		blank = " ";
	}
	if (rule->inner.asked) {
		sl_strbuf_add(out, blank);
		flow_inner_match_format(&rule->inner, out);
		blank = " ";
	}
	if (blank[0] != '\0' && flow_match_equal(&rule->match, &any))
		return;
	sl_strbuf_add(out, blank);
	flow_match_format(&rule->match, &names, out);
}

int
config_goto_check(uint16_t table, const struct flow_actions *actions, struct sl_err *err)
{
	for (unsigned i = 0; i < actions->n; i++) {
		const struct flow_action *a = &actions->list[i];

		if (a->type == FLOW_ACT_GOTO && a->index <= table)
			return sl_err_set(err, EINVAL, "actions",
				"goto leads upward only: table %u is not above table %u", a->index,
				table);
	}
	return 0;
}

static size_t
down_to(struct walk *w, uint16_t sw, const char *list, uint32_t place)
{
	size_t mark = walk_down(w, "switches");

	walk_down_index(w, sw);
	walk_down(w, list);
	walk_down_index(w, place);
	return mark;
}

static void
parse_fallback(struct walk *w, struct config_table *t, const char *text)
{
	struct config_names ctx = {.cfg = w->cfg, .sw = t->sw};
	struct flow_names names;
	struct sl_err err;

	sl_err_init(&err);
	config_flow_names(&ctx, &names);
	if (flow_actions_parse(text, &names, &t->fallback, &err) != 0 ||
		config_goto_check(t->id, &t->fallback, &err) != 0)
		walk_fault(w, "/default", "%s", err.text);
}

static bool
matches_by(const struct config *cfg, uint16_t sw, const char *extension)
{
	for (uint16_t i = 0; i < cfg->n_extensions; i++) {
		if (cfg->extensions[i].sw == sw && cfg->extensions[i].at == CONFIG_EXT_MATCH &&
			strcmp(cfg->extensions[i].name, extension) == 0)
			return true;
	}
	return false;
}

static void
parse_rule(struct walk *w, struct config_rule *r, const struct walk_text *text)
{
	struct sl_err err;

	sl_err_init(&err);
	if (config_rule_parse(w->cfg, r->sw, json_string_value(text->match),
		    json_string_value(text->actions), r, &err) != 0 ||
		config_goto_check(r->table, &r->actions, &err) != 0)
		walk_fault(
			w, strcmp(err.path, "match") == 0 ? "/match" : "/actions", "%s", err.text);
	else if (r->extension[0] != '\0' && !matches_by(w->cfg, r->sw, r->extension))
		walk_fault(w, "/match", "the switch has no extension \"%s\" at the point match",
			r->extension);
}

void
parse_rules(struct walk *w)
{
	struct config *cfg = w->cfg;
	uint32_t place = 0;

	for (uint16_t i = 0; i < cfg->n_tables; i++) {
		place = i > 0 && cfg->tables[i - 1].sw == cfg->tables[i].sw ? place + 1 : 0;
		size_t mark = down_to(w, cfg->tables[i].sw, "tables", place);

		parse_fallback(w, &cfg->tables[i], json_string_value(w->table_texts[i].actions));
		walk_up(w, mark);
	}
	for (uint32_t i = 0; i < cfg->n_rules; i++) {
		struct config_rule *r = &cfg->rules[i];

		place = i > 0 && cfg->rules[i - 1].sw == r->sw ? place + 1 : 0;
		r->id = place;
		size_t mark = down_to(w, r->sw, "rules", place);

		parse_rule(w, r, &w->rule_texts[i]);
		walk_up(w, mark);
	}
}

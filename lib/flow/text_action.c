// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "flow/text.h"
#include "text_lex.h"

#define VID_MAX 4094

struct action_def {
	const char *name;
	bool has_value;
	int (*parse)(struct text_lex *lex, const struct text_word *word, struct flow_action *a);
	void (*format)(
		struct sl_strbuf *out, const struct flow_names *names, const struct flow_action *a);
};

static int
parse_output(struct text_lex *lex, const struct text_word *word, struct flow_action *a)
{
	int id = text_resolve(lex, word, lex->names ? lex->names->port_id : NULL, "port");

	if (id < 0)
		return id;
	a->port = (uint16_t)id;
	return 0;
}

static void
format_output(struct sl_strbuf *out, const struct flow_names *names, const struct flow_action *a)
{
	text_add_name(out, names, names ? names->port_name : NULL, a->port);
}

static int
parse_class(struct text_lex *lex, const struct text_word *word, struct flow_action *a)
{
	int id = text_resolve(lex, word, lex->names ? lex->names->class_id : NULL, "class");

	if (id < 0)
		return id;
	a->index = (uint16_t)id;
	return 0;
}

static void
format_class(struct sl_strbuf *out, const struct flow_names *names, const struct flow_action *a)
{
	text_add_name(out, names, names ? names->class_name : NULL, a->index);
}

static int
parse_goto(struct text_lex *lex, const struct text_word *word, struct flow_action *a)
{
	int id = text_resolve(lex, word, lex->names ? lex->names->table_id : NULL, "table");

	if (id < 0)
		return id;
	a->index = (uint16_t)id;
	return 0;
}

static void
format_goto(struct sl_strbuf *out, const struct flow_names *names, const struct flow_action *a)
{
	text_add_name(out, names, names ? names->table_name : NULL, a->index);
}

static int
parse_vid(struct text_lex *lex, const struct text_word *word, struct flow_action *a)
{
	uint32_t vid;

	if (!text_number(word->value, VID_MAX, &vid))
		return text_error(lex, word, "expected a VLAN id, 0 to %d", VID_MAX);
	a->vlan = (uint16_t)vid;
	return 0;
}

static void
format_vid(struct sl_strbuf *out, const struct flow_names *names, const struct flow_action *a)
{
	sl_strbuf_addf(out, "%u", a->vlan);
}

static int
parse_mac(struct text_lex *lex, const struct text_word *word, struct flow_action *a)
{
	if (!text_mac(word->value, a->mac))
		return text_error(lex, word, "expected a MAC address like 02:00:00:00:00:01");
	return 0;
}

static void
format_mac(struct sl_strbuf *out, const struct flow_names *names, const struct flow_action *a)
{
	text_add_mac(out, a->mac);
}

static int
parse_queue(struct text_lex *lex, const struct text_word *word, struct flow_action *a)
{
	uint32_t queue;

	if (!text_number(word->value, UINT16_MAX, &queue))
		return text_error(lex, word, "expected the number of a queue, 0 to 65535");
	a->index = (uint16_t)queue;
	return 0;
}

static void
format_queue(struct sl_strbuf *out, const struct flow_names *names, const struct flow_action *a)
{
	sl_strbuf_addf(out, "%u", a->index);
}

// "10M" in thousands; false when it is not whole thousands from 1 to max.
static bool
thousands(const char *s, uint32_t max, uint32_t *out)
{
	char digits[16];
	size_t len = strspn(s, "0123456789");
	uint64_t scale;
	uint32_t n;

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, s, len);
	digits[len] = '\0';
	if (!text_number(digits, UINT32_MAX, &n))
		return false;
	switch (s[len]) {
	case '\0':
		if (n % 1000 != 0)
			return false;
		n /= 1000;
		scale = 1;
		break;
	case 'k':
		scale = 1;
		break;
	case 'M':
		scale = 1000;
		break;
	case 'G':
		scale = 1000000;
		break;
	default:
		return false;
	}
	if ((s[len] != '\0' && s[len + 1] != '\0') || n == 0 || n * scale > max)
		return false;
	*out = (uint32_t)(n * scale);
	return true;
}

static int
parse_rate(struct text_lex *lex, const struct text_word *word, struct flow_action *a)
{
	const char *slash = strchr(word->value, '/');
	char rate[TEXT_WORD_MAX + 1];
	uint32_t kbps, burst = 0;

	snprintf(rate, sizeof(rate), "%.*s",
		(int)(slash != NULL ? slash - word->value : (long)strlen(word->value)),
		word->value);
	if (!thousands(rate, UINT32_MAX, &kbps))
		return text_error(lex, word,
			"expected a rate in bit/s, whole thousands, 1k to 4294G, like 10M or "
			"10M/64k");
	if (slash != NULL && !thousands(slash + 1, UINT16_MAX, &burst))
		return text_error(lex, word,
			"expected a burst in bytes after the slash, whole thousands, 1k to "
			"65535k");
	a->rate.kbps = kbps;
	a->rate.burst_kb = (uint16_t)burst;
	return 0;
}

static void
add_thousands(struct sl_strbuf *out, uint32_t n)
{
	if (n % 1000000 == 0 && n > 0)
		sl_strbuf_addf(out, "%uG", n / 1000000);
	else if (n % 1000 == 0 && n > 0)
		sl_strbuf_addf(out, "%uM", n / 1000);
	else
		sl_strbuf_addf(out, "%uk", n);
}

static void
format_rate(struct sl_strbuf *out, const struct flow_names *names, const struct flow_action *a)
{
	add_thousands(out, a->rate.kbps);
	if (a->rate.burst_kb == 0)
		return;
	sl_strbuf_add(out, "/");
	add_thousands(out, a->rate.burst_kb);
}

// In the order of enum flow_action_type.
static const struct action_def defs[FLOW_ACTS] = {
	[FLOW_ACT_OUTPUT] = {"output", true, parse_output, format_output},
	[FLOW_ACT_NORMAL] = {"normal", false, NULL, NULL},
	[FLOW_ACT_FLOOD] = {"flood", false, NULL, NULL},
	[FLOW_ACT_DROP] = {"drop", false, NULL, NULL},
	[FLOW_ACT_PUSH_VLAN] = {"push_vlan", true, parse_vid, format_vid},
	[FLOW_ACT_POP_VLAN] = {"pop_vlan", false, NULL, NULL},
	[FLOW_ACT_SET_VLAN] = {"set_vlan", true, parse_vid, format_vid},
	[FLOW_ACT_SET_ETH_SRC] = {"set_eth_src", true, parse_mac, format_mac},
	[FLOW_ACT_SET_ETH_DST] = {"set_eth_dst", true, parse_mac, format_mac},
	[FLOW_ACT_CLASS] = {"class", true, parse_class, format_class},
	[FLOW_ACT_RING] = {"ring", false, NULL, NULL},
	[FLOW_ACT_QUEUE] = {"queue", true, parse_queue, format_queue},
	[FLOW_ACT_RATE] = {"rate", true, parse_rate, format_rate},
	[FLOW_ACT_GOTO] = {"goto", true, parse_goto, format_goto},
};

static const char *
action_name_at(unsigned i)
{
	return defs[i].name;
}

static int
parse_action(struct text_lex *lex, const struct text_word *word, struct flow_action *a)
{
	unsigned i;

	for (i = 0; i < FLOW_ACTS; i++) {
		if (strcmp(word->name, defs[i].name) == 0)
			break;
	}
	if (i == FLOW_ACTS)
		return text_unknown(lex, word, action_name_at, FLOW_ACTS);
	if (defs[i].has_value && (word->value == NULL || word->value[0] == '\0'))
		return text_error(lex, word, "expected a value: %s=...", defs[i].name);
	if (!defs[i].has_value && word->value != NULL)
		return text_error(lex, word, "%s takes no value", defs[i].name);
	memset(a, 0, sizeof(*a));
	a->type = (uint8_t)i;
	return defs[i].parse != NULL ? defs[i].parse(lex, word, a) : 0;
}

int
flow_actions_parse(const char *text, const struct flow_names *names, struct flow_actions *out,
	struct sl_err *err)
{
	struct flow_actions list;
	struct text_word word;
	struct text_lex lex;
	uint8_t last;
	int ret;

	memset(&list, 0, sizeof(list));
	text_lex_init(&lex, text, names, err);
	while ((ret = text_next(&lex, &word)) > 0) {
		last = list.n > 0 ? list.list[list.n - 1].type : FLOW_ACTS;
		if (last == FLOW_ACT_DROP)
			return text_error(&lex, &word, "drop stands alone, nothing comes after it");
		if (last == FLOW_ACT_GOTO)
			return text_error(&lex, &word, "goto is the last action of its list");
		if (list.n == FLOW_ACTIONS_MAX)
			return text_error(&lex, &word, "more than %d actions", FLOW_ACTIONS_MAX);
		ret = parse_action(&lex, &word, &list.list[list.n]);
		if (ret != 0)
			return ret;
		if (list.list[list.n].type == FLOW_ACT_DROP && list.n > 0)
			return text_error(
				&lex, &word, "drop stands alone, nothing comes before it");
		list.n++;
	}
	if (ret < 0)
		return ret;
	if (list.n == 0) {
		list.n = 1;
		list.list[0].type = FLOW_ACT_DROP;
	}
	*out = list;
	return 0;
}

void
flow_actions_format(
	const struct flow_actions *a, const struct flow_names *names, struct sl_strbuf *out)
{
	size_t start = out->len;
	const struct action_def *def;
	unsigned i;

	for (i = 0; i < a->n && i < FLOW_ACTIONS_MAX; i++) {
		if (a->list[i].type >= FLOW_ACTS) {
			text_add_word(out, start, "?");
			continue;
		}
		def = &defs[a->list[i].type];
		text_add_word(out, start, def->name);
		if (def->format == NULL)
			continue;
		sl_strbuf_add(out, "=");
		def->format(out, names, &a->list[i]);
	}
	if (a->n == 0)
		sl_strbuf_add(out, defs[FLOW_ACT_DROP].name);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flow/text.h"
#include "text_lex.h"
#include "text_match.h"

#define INNER "inner_"
#define INNER_LEN (sizeof(INNER) - 1)
#define VNI_MAX 0xffffffu
#define VNI_EXPECTED "expected 0 to 0xffffff (with tunnel=gre the key, 0 to 0xffffffff)"

struct take {
	struct text_lex lex;
	struct flow_inner_match *out;
	struct text_word vni; // where out->has_vni
	bool named;           // tunnel= is there
	bool has_inner;
};

static int
take_tunnel(struct take *t, const struct text_word *word)
{
	unsigned kind = FLOW_TUNNEL_VXLAN;
	const char *value = word->value != NULL ? word->value : "";

	if (t->named)
		return text_error(&t->lex, word, "tunnel= is there twice");
	while (kind < FLOW_TUNNELS && strcmp(value, flow_tunnel_name((enum flow_tunnel)kind)) != 0)
		kind++;
	if (kind == FLOW_TUNNELS && strcmp(value, "any") != 0)
		return text_error(&t->lex, word, "expected vxlan, geneve, gre, nvgre, ipip or any");
	t->out->tunnel = kind < FLOW_TUNNELS ? (uint8_t)kind : FLOW_TUNNEL_NONE;
	t->named = true;
	return 0;
}

static int
take_vni(struct take *t, const struct text_word *word)
{
	if (t->out->has_vni)
		return text_error(&t->lex, word, "vni= is there twice");
	if (word->value == NULL || !text_number(word->value, UINT32_MAX, &t->out->vni))
		return text_error(&t->lex, word, VNI_EXPECTED);
	t->out->has_vni = true;
	t->vni = *word;
	t->vni.name = t->vni.buf;
	t->vni.value = t->vni.buf + (word->value - word->buf);
	return 0;
}

// 1: the word is on a tunnel, 0: it is not. inner gets what stands behind inner_, at the same
// place.
static int
take_word(struct take *t, const struct text_word *word, char *inner)
{
	const size_t at = word->column - 1, len = (size_t)(t->lex.pos - t->lex.text) - at;
	int ret;

	if (strncmp(word->name, INNER, INNER_LEN) == 0) {
		if (len == INNER_LEN)
			return text_error(&t->lex, word, "expected a word behind " INNER);
		memcpy(inner + at + INNER_LEN, t->lex.text + at + INNER_LEN, len - INNER_LEN);
		t->has_inner = true;
		return 1;
	}
	if (strcmp(word->name, "tunnel") == 0)
		ret = take_tunnel(t, word);
	else if (strcmp(word->name, "vni") == 0)
		ret = take_vni(t, word);
	else
		return 0;
	return ret != 0 ? ret : 1;
}

static int
take_words(struct take *t, char *text, char *inner)
{
	struct text_word word;
	int ret;

	while ((ret = text_next(&t->lex, &word)) > 0) {
		ret = take_word(t, &word, inner);
		if (ret < 0)
			return ret;
		if (ret > 0)
			memset(text + word.column - 1, ' ',
				(size_t)(t->lex.pos - text) - (word.column - 1));
	}
	return ret;
}

static int
settle(struct take *t, const char *inner)
{
	struct flow_inner_match *out = t->out;
	const struct flow_key *mask = &out->match.mask;

	out->asked = t->named || out->has_vni || t->has_inner;
	if (out->has_vni && out->tunnel == FLOW_TUNNEL_IPIP)
		return text_error(&t->lex, &t->vni, "tunnel=ipip has none");
	if (out->has_vni && out->vni > VNI_MAX && out->tunnel != FLOW_TUNNEL_GRE)
		return text_error(&t->lex, &t->vni, VNI_EXPECTED);
	if (!t->has_inner)
		return 0;
	if (flow_match_parse(inner, NULL, &out->match, t->lex.err) != 0)
		return -EINVAL;
	if (mask->vport != 0 || mask->switch_id != 0)
		return sl_err_set(t->lex.err, EINVAL, NULL,
			"inner_port, inner_switch: what is inside a tunnel has none of its own");
	return 0;
}

int
flow_inner_take(char *text, struct flow_inner_match *out, struct sl_err *err)
{
	const size_t len = strlen(text);
	char *inner = malloc(len + 1);
	struct take t;
	int ret;

	if (inner == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	memset(inner, ' ', len);
	inner[len] = '\0';
	memset(out, 0, sizeof(*out));
	flow_match_init(&out->match);
	memset(&t, 0, sizeof(t));
	t.out = out;
	text_lex_init(&t.lex, text, NULL, err);
	ret = take_words(&t, text, inner);
	if (ret == 0)
		ret = settle(&t, inner);
	free(inner);
	return ret;
}

// ---- and back

// The words of a match, each with inner_ before it.
static void
add_inner(const struct flow_match *m, size_t start, struct sl_strbuf *out)
{
	struct sl_strbuf words;
	const char *w;
	size_t len;

	sl_strbuf_init(&words, 0);
	flow_match_format(m, NULL, &words);
	for (w = sl_strbuf_str(&words); *w != '\0'; w += len + strspn(w + len, " ")) {
		len = strcspn(w, " ");
		text_add_word(out, start, INNER);
		sl_strbuf_addn(out, w, len);
	}
	sl_strbuf_fini(&words);
}

static bool
is_any(const struct flow_match *m)
{
	struct flow_match any;

	flow_match_init(&any);
	return flow_match_equal(m, &any);
}

void
flow_inner_match_format(const struct flow_inner_match *m, struct sl_strbuf *out)
{
	const size_t start = out->len;

	if (!m->asked)
		return;
	sl_strbuf_addf(out, "tunnel=%s",
		m->tunnel != FLOW_TUNNEL_NONE ? flow_tunnel_name((enum flow_tunnel)m->tunnel)
					      : "any");
	if (m->has_vni)
		sl_strbuf_addf(out, " vni=%u", m->vni);
	if (!is_any(&m->match))
		add_inner(&m->match, start, out);
}

void
flow_inner_format(const struct flow_inner *in, struct sl_strbuf *out)
{
	struct flow_inner_match m = {.asked = true, .tunnel = in->tunnel, .has_vni = in->has_id};

	if (!flow_inner_vni(in, &m.vni))
		m.vni = in->id;
	text_key_match(&in->key, &m.match);
	m.match.key.switch_id = m.match.mask.switch_id = 0;
	m.match.key.vport = m.match.mask.vport = 0;
	flow_inner_match_format(&m, out);
}

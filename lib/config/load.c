// SPDX-License-Identifier: BSD-3-Clause
// From a file to a struct: syntax, then the three passes of walk.h.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codecs.h"
#include "walk.h"

#define FILE_MAX (64u << 20)
#define QUOTE_MAX 100 // bytes of the faulty line

static int
fail(struct config_faults *faults, int code, const char *path, const char *text)
{
	sl_err_init(&faults->list[0]);
	faults->n = 1;
	return sl_err_set(&faults->list[0], code, path, "%s", text);
}

// What jansson found, in words for someone who wrote the file.
static const char *
explain_syntax(const json_error_t *why)
{
	switch (json_error_code(why)) {
	case json_error_premature_end_of_input:
		return "the text ends too early: a }, ] or \" is missing";
	case json_error_end_of_input_expected:
		return "nothing may follow the last }";
	case json_error_invalid_utf8:
		return "not valid UTF-8";
	case json_error_duplicate_key:
		return "the same key twice in one object";
	case json_error_numeric_overflow:
		return "the number is too large";
	case json_error_stack_overflow:
		return "nested too deeply";
	case json_error_out_of_memory:
		return "out of memory";
	default:
		break;
	}
	if (strstr(why->text, "near '/") != NULL || strstr(why->text, "near '#") != NULL)
		return "JSON has no comments";
	if (strncmp(why->text, "'}' expected", 12) == 0 ||
		strncmp(why->text, "']' expected", 12) == 0)
		return "a comma or the closing bracket is missing before this";
	if (strncmp(why->text, "string or '}' expected", 22) == 0)
		return "expected a key in quotes (or there is a comma too many)";
	if (strncmp(why->text, "':' expected", 12) == 0)
		return "expected a : after the key";
	if (strncmp(why->text, "'[' or '{' expected", 19) == 0)
		return "expected a { at the start";
	return why->text;
}

static int
syntax_fault(struct config_faults *faults, const char *text, size_t len, const char *origin,
	const json_error_t *why)
{
	const char *line = text, *nl;
	char path[SL_ERR_PATH_MAX], message[SL_ERR_TEXT_MAX];
	size_t n;
	int blank;

	for (int i = 1; i < why->line; i++) {
		nl = memchr(line, '\n', len - (size_t)(line - text));
		if (nl == NULL)
			break;
		line = nl + 1;
	}
	nl = memchr(line, '\n', len - (size_t)(line - text));
	n = (nl != NULL ? nl : text + len) - line;
	for (blank = 0; n > 0 && (*line == ' ' || *line == '\t'); n--, blank++)
		line++;
	if (n > QUOTE_MAX && why->column - blank > QUOTE_MAX / 2) { // show where it happens
		size_t skip = (size_t)(why->column - blank) - QUOTE_MAX / 2;

		skip = skip < n ? skip : n;
		line += skip;
		n -= skip;
	}
	snprintf(path, sizeof(path), "%s:%d:%d", origin, why->line, why->column);
	snprintf(message, sizeof(message), "%s, in: %.*s", explain_syntax(why),
		(int)(n < QUOTE_MAX ? n : QUOTE_MAX), line);
	return fail(faults, EINVAL, path, message);
}

// Room for the texts of all rules and tables, whose number the JSON tells.
static bool
make_room(struct walk *w, const json_t *root)
{
	size_t rules = 1, tables = 1, i;
	json_t *sw;

	json_array_foreach(json_object_get(root, "switches"), i, sw)
	{
		const json_t *list = json_object_get(sw, "tables");

		rules += json_array_size(json_object_get(sw, "rules"));
		tables += list != NULL ? json_array_size(list) : 1;
	}
	w->rule_texts = calloc(rules, sizeof(*w->rule_texts));
	w->table_texts = calloc(tables, sizeof(*w->table_texts));
	return w->rule_texts != NULL && w->table_texts != NULL;
}

static void
drop_texts(struct walk *w)
{
	for (uint32_t i = 0; w->rule_texts != NULL && i < w->cfg->n_rules; i++) {
		json_decref(w->rule_texts[i].match);
		json_decref(w->rule_texts[i].actions);
	}
	for (uint32_t i = 0; w->table_texts != NULL && i < w->cfg->n_tables; i++)
		json_decref(w->table_texts[i].actions);
	free(w->rule_texts);
	free(w->table_texts);
}

static int
parse_root(struct walk *w, const json_t *root)
{
	if (!make_room(w, root))
		return fail(w->faults, ENOMEM, NULL, "out of memory");
	w->vms_given = json_object_get(root, "vms") != NULL;
	walk_object(w, config_fields(), root, w->cfg);
	if (w->n_faults == 0) {
		for (uint16_t i = 0; i < w->cfg->n_ports; i++)
			codec_finish_vlan(&w->cfg->ports[i]);
		assign_port_ids(w);
		check_all(w);
		if (w->n_faults == 0)
			keep_vm_order(w);
		parse_rules(w);
		parse_policies(w);
	}
	return w->n_faults == 0 ? 0 : -EINVAL;
}

int
config_parse_all(const char *text, size_t len, const char *origin, const struct config *old,
	struct config **out, struct config_faults *faults)
{
	struct walk *w;
	json_error_t why;
	json_t *root;
	int ret;

	*out = NULL;
	faults->n = 0;
	faults->more = false;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (root == NULL)
		return syntax_fault(faults, text, len, origin, &why);
	w = calloc(1, sizeof(*w));
	if (w != NULL)
		w->cfg = calloc(1, sizeof(*w->cfg));
	if (w == NULL || w->cfg == NULL) {
		free(w);
		json_decref(root);
		return fail(faults, ENOMEM, NULL, "out of memory");
	}
	w->old = old;
	w->origin = origin;
	w->faults = faults;
	ret = parse_root(w, root);
	drop_texts(w);
	json_decref(root);
	if (ret == 0)
		*out = w->cfg;
	else
		config_free(w->cfg);
	free(w);
	return ret;
}

static char *
read_file(const char *path, size_t *len, struct config_faults *faults)
{
	FILE *file = fopen(path, "re");
	size_t cap = 65536, n;
	char *text = NULL, *more;

	*len = 0;
	if (file == NULL) {
		fail(faults, errno, path, strerror(errno));
		return NULL;
	}
	for (;;) {
		more = *len + 1 < cap && text != NULL ? text : realloc(text, cap *= 2);
		if (more == NULL) {
			fail(faults, ENOMEM, path, "out of memory");
			break;
		}
		text = more;
		n = fread(text + *len, 1, cap - *len, file);
		*len += n;
		if (n == 0 && ferror(file)) {
			fail(faults, errno, path, strerror(errno));
			break;
		}
		if (*len > FILE_MAX) {
			fail(faults, EFBIG, path, "a configuration has at most 64 MiB");
			break;
		}
		if (n == 0) {
			fclose(file);
			return text;
		}
	}
	fclose(file);
	free(text);
	return NULL;
}

int
config_load_all(const char *path, const struct config *old, struct config **out,
	struct config_faults *faults)
{
	size_t len;
	char *text;
	int ret;

	*out = NULL;
	faults->n = 0;
	faults->more = false;
	text = read_file(path, &len, faults);
	if (text == NULL)
		return faults->list[0].code;
	ret = config_parse_all(text, len, path, old, out, faults);
	free(text);
	return ret;
}

static int
first_fault(int ret, const struct config_faults *faults, struct sl_err *err)
{
	if (ret != 0 && err != NULL && err->code == 0 && faults->n > 0)
		*err = faults->list[0];
	return ret;
}

int
config_load(const char *path, const struct config *old, struct config **out, struct sl_err *err)
{
	struct config_faults faults;

	return first_fault(config_load_all(path, old, out, &faults), &faults, err);
}

int
config_parse(const char *text, size_t len, const char *origin, const struct config *old,
	struct config **out, struct sl_err *err)
{
	struct config_faults faults;

	return first_fault(config_parse_all(text, len, origin, old, out, &faults), &faults, err);
}

void
config_free(struct config *cfg)
{
	if (cfg == NULL)
		return;
	free(cfg->nics);
	free(cfg->switches);
	free(cfg->ports);
	free(cfg->vms);
	free(cfg->tables);
	free(cfg->rules);
	free(cfg->extensions);
	free(cfg->policies);
	free(cfg);
}

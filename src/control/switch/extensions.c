// SPDX-License-Identifier: BSD-3-Clause
#include "switch/extensions.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/asked.h"
#include "switch/rule_book.h"

#define AGAIN_NS (10 * SL_NS_PER_MS)

static_assert(CONFIG_EXTENSIONS_MAX <= EXT_CHAIN_MAX, "a chain holds those of a switch");
static_assert((int)CONFIG_EXT_INGRESS == SLUICE_EXT_INGRESS &&
		      (int)CONFIG_EXT_EGRESS == SLUICE_EXT_EGRESS &&
		      (int)CONFIG_EXT_MONITOR == SLUICE_EXT_MONITOR &&
		      (int)CONFIG_EXT_MATCH == SLUICE_EXT_MATCH,
	"the points of the file are those of the ABI");
static_assert((int)OFFLOAD_SEEN_NO == EXT_SEEN_NO && (int)OFFLOAD_SEEN_COPY == EXT_SEEN_COPY &&
		      (int)OFFLOAD_SEEN_ALL == EXT_SEEN_ALL,
	"placement takes over what extensions ask for");

struct extension_list {
	unsigned n;
	struct extension *x[CONFIG_EXTENSIONS_MAX];
};

struct extension_book {
	struct extension_list sw[DP_SWITCHES_MAX];
	struct extension *gone; // closed after the next publish
	uint64_t again_ns;      // not before
};

static struct extension_list *
list_of(const struct control *c, uint16_t sw)
{
	return c->extensions != NULL ? &c->extensions->sw[sw] : NULL;
}

const struct extension *
extensions_get(const struct control *c, uint16_t sw, unsigned i)
{
	const struct extension_list *l = list_of(c, sw);

	return l != NULL && i < l->n ? l->x[i] : NULL;
}

static unsigned
find(const struct extension_list *l, const char *name)
{
	unsigned i = 0;

	while (i < l->n && strcmp(l->x[i]->cfg.name, name) != 0)
		i++;
	return i;
}

const struct extension *
extensions_find(const struct control *c, uint16_t sw, const char *name)
{
	const struct extension_list *l = list_of(c, sw);

	return l != NULL ? extensions_get(c, sw, find(l, name)) : NULL;
}

unsigned
extensions_order(const struct control *c, const struct extension *x)
{
	const struct extension_list *l = list_of(c, x->cfg.sw);
	unsigned i, order = 1;

	for (i = 0; i < l->n && l->x[i] != x; i++)
		order += l->x[i]->cfg.at == x->cfg.at;
	return order;
}

// ---- open and close

int
extension_open(struct control *c, const struct config_extension *cfg, struct extension **out,
	struct sl_err *err)
{
	struct sluice_ext_arg args[CONFIG_EXTENSION_ARGS_MAX];
	struct ext_spec spec = {.name = cfg->name,
		.path = cfg->path,
		.at = (enum sluice_ext_point)cfg->at,
		.args = args,
		.n_args = cfg->n_args,
		.workers = c->n_workers};
	struct extension *x = calloc(1, sizeof(*x));
	unsigned i;
	int rc;

	if (x == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	for (i = 0; i < cfg->n_args; i++)
		args[i] = (struct sluice_ext_arg){cfg->args[i].name, cfg->args[i].value};
	rc = ext_open(&spec, &x->ext, err);
	if (rc != 0) {
		free(x);
		return rc;
	}
	x->cfg = *cfg;
	*out = x;
	return 0;
}

void
extension_close(struct extension *x)
{
	ext_close(x->ext);
	free(x);
}

static int
book(struct control *c, struct sl_err *err)
{
	if (c->extensions == NULL)
		c->extensions = calloc(1, sizeof(*c->extensions));
	return c->extensions != NULL ? 0 : sl_err_set(err, ENOMEM, NULL, "out of memory");
}

int
extensions_start(struct control *c, struct sl_err *err)
{
	uint16_t i;
	int rc = book(c, err);

	for (i = 0; rc == 0 && i < c->cfg->n_extensions; i++) {
		const struct config_extension *cfg = &c->cfg->extensions[i];
		struct extension_list *l = list_of(c, cfg->sw);
		char place[64];

		rc = extension_open(c, cfg, &l->x[l->n], err);
		if (rc != 0) {
			snprintf(
				place, sizeof(place), "/switches/%u/extensions/%u/", cfg->sw, l->n);
			sl_err_prefix(err, place);
			break;
		}
		l->x[l->n++]->from_config = true;
	}
	return rc;
}

void
extensions_fini(struct control *c)
{
	unsigned sw, i;

	if (c->extensions == NULL)
		return;
	extensions_retire(c);
	for (sw = 0; sw < DP_SWITCHES_MAX; sw++) {
		for (i = 0; i < c->extensions->sw[sw].n; i++)
			extension_close(c->extensions->sw[sw].x[i]);
	}
	free(c->extensions);
	c->extensions = NULL;
}

static void
close_later(struct control *c, struct extension *x)
{
	x->next = c->extensions->gone;
	c->extensions->gone = x;
}

void
extensions_retire(struct control *c)
{
	struct extension *x;

	while (c->extensions != NULL && (x = c->extensions->gone) != NULL) {
		c->extensions->gone = x->next;
		extension_close(x);
	}
}

// ---- changes

static int
missing(const struct control *c, uint16_t sw, const char *key, const char *name, struct sl_err *err)
{
	return sl_err_set(err, ENOENT, key, "there is no extension \"%.40s\" on %s", name,
		c->cfg->switches[sw].name);
}

static void
insert(struct extension_list *l, unsigned at, struct extension *x)
{
	memmove(&l->x[at + 1], &l->x[at], (l->n - at) * sizeof(l->x[0]));
	l->x[at] = x;
	l->n++;
}

static struct extension *
take(struct extension_list *l, unsigned at)
{
	struct extension *x = l->x[at];

	l->n--;
	memmove(&l->x[at], &l->x[at + 1], (l->n - at) * sizeof(l->x[0]));
	return x;
}

int
extensions_add(struct control *c, const struct config_extension *cfg, const char *before,
	struct sl_err *err)
{
	struct extension_list *l;
	struct extension *x;
	unsigned at;
	int rc = book(c, err);

	if (rc != 0)
		return rc;
	l = list_of(c, cfg->sw);
	at = before != NULL ? find(l, before) : l->n;
	if (l->n == CONFIG_EXTENSIONS_MAX)
		return sl_err_set(err, ENOSPC, NULL, "a switch has at most %d extensions",
			CONFIG_EXTENSIONS_MAX);
	if (find(l, cfg->name) < l->n)
		return sl_err_set(err, EEXIST, "name", "there is an extension \"%s\" on %s already",
			cfg->name, c->cfg->switches[cfg->sw].name);
	if (before != NULL && at == l->n)
		return missing(c, cfg->sw, "before", before, err);
	rc = extension_open(c, cfg, &x, err);
	if (rc == 0)
		insert(l, at, x);
	return rc;
}

int
extensions_remove(struct control *c, uint16_t sw, const char *name, struct sl_err *err)
{
	struct extension_list *l = list_of(c, sw);
	unsigned at = l != NULL ? find(l, name) : 0, i;

	if (l == NULL || at == l->n)
		return missing(c, sw, "name", name, err);
	for (i = 0; l->x[at]->cfg.at == CONFIG_EXT_MATCH && i < RULES_ASK_EXTENSIONS; i++) {
		const char *asked = asked_extension(rule_book_asked(c->book[sw]), i);

		if (asked != NULL && strcmp(asked, name) == 0)
			return sl_err_set(err, EBUSY, "name",
				"a rule matches by it: delete the rules with extension=%s first",
				name);
	}
	close_later(c, take(l, at));
	return 0;
}

int
extensions_move(
	struct control *c, uint16_t sw, const char *name, const char *before, struct sl_err *err)
{
	struct extension_list *l = list_of(c, sw);
	unsigned at = l != NULL ? find(l, name) : 0, to;
	struct extension *x;

	if (l == NULL || at == l->n)
		return missing(c, sw, "name", name, err);
	to = before != NULL ? find(l, before) : l->n;
	if (before != NULL && to == l->n)
		return missing(c, sw, "before", before, err);
	if (before != NULL && l->x[to]->cfg.at != l->x[at]->cfg.at)
		return sl_err_set(err, EINVAL, "before", "%s is at %s, %s at %s", before,
			ext_point_name((enum sluice_ext_point)l->x[to]->cfg.at), name,
			ext_point_name((enum sluice_ext_point)l->x[at]->cfg.at));
	x = take(l, at);
	insert(l, to > at ? to - 1 : to, x);
	return 0;
}

void
extensions_set(struct control *c, uint16_t sw, struct extension *const *list, unsigned n)
{
	struct extension_list *l = list_of(c, sw), old = *l;
	unsigned i;

	l->n = 0;
	for (i = 0; i < n; i++)
		l->x[l->n++] = list[i];
	for (i = 0; i < old.n; i++) {
		if (find(l, old.x[i]->cfg.name) == l->n ||
			l->x[find(l, old.x[i]->cfg.name)] != old.x[i])
			close_later(c, old.x[i]);
	}
}

// ---- what workers see

bool
extensions_chain(const struct control *c, uint16_t sw, struct ext_chain *out)
{
	const struct extension *x;
	bool any = false;
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; (x = extensions_get(c, sw, i)) != NULL; i++) {
		if (x->cfg.at == CONFIG_EXT_MATCH)
			continue;
		out->list[x->cfg.at][out->n[x->cfg.at]++] = x->ext;
		any = true;
	}
	return any;
}

struct ext *
extensions_matcher(const struct control *c, uint16_t sw, const char *name)
{
	const struct extension *x = name != NULL ? extensions_find(c, sw, name) : NULL;

	return x != NULL && x->cfg.at == CONFIG_EXT_MATCH ? x->ext : NULL;
}

bool
extensions_ask_again(struct control *c)
{
	uint64_t now = sl_now(&c->clock);
	const struct extension *x;
	bool again = false;
	unsigned sw, i;

	if (c->extensions == NULL || now < c->extensions->again_ns)
		return false;
	for (sw = 0; sw < c->cfg->n_switches; sw++) {
		for (i = 0; (x = extensions_get(c, (uint16_t)sw, i)) != NULL; i++)
			again |= ext_wants_again(x->ext);
	}
	if (again)
		c->extensions->again_ns = now + AGAIN_NS;
	return again;
}

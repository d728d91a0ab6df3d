// SPDX-License-Identifier: BSD-3-Clause
#include "apply/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "switch/extensions.h"
#include "switch/rule_book.h"

// All but the place in the list.
static bool
same(const struct config_extension *a, const struct config_extension *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

// Opens what is new. What is the same as before goes on with all that it knows.
static int
take_over(struct reload *r, uint16_t i, struct sl_err *err)
{
	const struct config_extension *cfg = &r->next->extensions[i];
	const struct extension *x = extensions_find(r->c, cfg->sw, cfg->name);
	int rc;

	if (x != NULL && !x->from_config)
		return sl_err_set(
			err, EEXIST, "name", "an extension \"%s\" was added live", cfg->name);
	if (x != NULL && same(&x->cfg, cfg)) {
		r->bound[i] = (struct extension *)(uintptr_t)x;
		return 0;
	}
	reload_note(r, x != NULL ? "extension changed:" : "extension added:", cfg->name);
	if (r->dry)
		return 0;
	rc = extension_open(r->c, cfg, &r->bound[i], err);
	if (rc == 0) {
		r->bound[i]->from_config = true;
		r->opened_now[i] = true;
	}
	return rc;
}

static void
note_rest(struct reload *r, uint16_t sw)
{
	const struct config *next = r->next;
	const struct extension *x;
	unsigned i, k, at = 0;
	bool moved = false;

	for (i = 0; (x = extensions_get(r->c, sw, i)) != NULL; i++) {
		if (!x->from_config)
			continue;
		for (k = 0; k < next->n_extensions; k++) {
			if (next->extensions[k].sw == sw &&
				strcmp(next->extensions[k].name, x->cfg.name) == 0)
				break;
		}
		if (k == next->n_extensions)
			reload_note(r, "extension removed:", x->cfg.name);
		else
			moved |= k < at;
		at = k < next->n_extensions ? k : at;
	}
	if (moved)
		reload_note(r, "extensions in another order in", next->switches[sw].name);
}

static unsigned
count_live(const struct control *c, uint16_t sw)
{
	const struct extension *x;
	unsigned i, n = 0;

	for (i = 0; (x = extensions_get(c, sw, i)) != NULL; i++)
		n += !x->from_config;
	return n;
}

struct asked {
	struct reload *r;
	uint16_t sw;
	const char *lost; // what a rule that was added live matches by, and the next file has not
};

static void
still_there(void *ctx, const struct rule_info *info)
{
	const char *name = info->rule->extension;
	struct asked *a = ctx;
	const struct extension *x;

	if (info->from_config || name[0] == '\0')
		return;
	x = extensions_find(a->r->c, a->sw, name);
	if (x != NULL && !x->from_config)
		return;
	for (uint16_t i = 0; i < a->r->next->n_extensions; i++) {
		const struct config_extension *e = &a->r->next->extensions[i];

		if (e->sw == a->sw && e->at == CONFIG_EXT_MATCH && strcmp(e->name, name) == 0)
			return;
	}
	a->lost = name;
}

static int
check_asked(struct reload *r, uint16_t sw, const char *place, struct sl_err *err)
{
	struct asked a = {.r = r, .sw = sw};

	rule_book_each(r->c->book[sw], still_there, &a);
	return a.lost == NULL
		       ? 0
		       : sl_err_set(err, EBUSY, place,
				 "a rule that was added live matches by \"%s\" (at match)", a.lost);
}

int
reload_extensions_first(struct reload *r, struct sl_err *err)
{
	unsigned n[DP_SWITCHES_MAX] = {0};
	uint16_t i, sw;
	char place[64];
	int rc = 0;

	for (i = 0; rc == 0 && i < r->next->n_extensions; i++) {
		sw = r->next->extensions[i].sw;
		rc = take_over(r, i, err);
		snprintf(place, sizeof(place), "/switches/%u/extensions/%u/", sw, n[sw]++);
		if (rc != 0)
			sl_err_prefix(err, place);
	}
	for (sw = 0; rc == 0 && sw < r->next->n_switches; sw++) {
		snprintf(place, sizeof(place), "/switches/%u/extensions", sw);
		if (n[sw] + count_live(r->c, sw) > CONFIG_EXTENSIONS_MAX)
			rc = sl_err_set(err, ENOSPC, place,
				"with the %u that were added live they are above %d",
				count_live(r->c, sw), CONFIG_EXTENSIONS_MAX);
		if (rc == 0)
			rc = check_asked(r, sw, place, err);
		note_rest(r, sw);
	}
	return rc;
}

void
reload_extensions_undo(struct reload *r)
{
	unsigned i;

	for (i = 0; i < r->next->n_extensions; i++) {
		if (r->opened_now[i])
			extension_close(r->bound[i]);
		r->opened_now[i] = false;
	}
}

// Those of the file in its order, then those that were added live in theirs.
void
reload_extensions_second(struct reload *r)
{
	struct extension *list[CONFIG_EXTENSIONS_MAX];
	const struct extension *x;
	unsigned i, n;
	uint16_t sw;

	for (sw = 0; sw < r->next->n_switches; sw++) {
		n = 0;
		for (i = 0; i < r->next->n_extensions; i++) {
			if (r->next->extensions[i].sw == sw && n < CONFIG_EXTENSIONS_MAX)
				list[n++] = r->bound[i];
		}
		for (i = 0; (x = extensions_get(r->c, sw, i)) != NULL; i++) {
			if (!x->from_config && n < CONFIG_EXTENSIONS_MAX)
				list[n++] = (struct extension *)(uintptr_t)x;
		}
		if (r->c->extensions != NULL)
			extensions_set(r->c, sw, list, n);
	}
}

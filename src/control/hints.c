// SPDX-License-Identifier: BSD-3-Clause
#include "hints.h"

#include <errno.h>
#include <stdlib.h>

#include "answer.h"

struct hint {
	uint16_t vm;
	int8_t value;
	struct flow_match match;
};

struct hint_list {
	struct hint *list;
	uint32_t n, cap;
};

static struct hint *
find(struct hint_list *l, uint16_t vm, const struct flow_match *match)
{
	uint32_t i;

	for (i = 0; i < l->n; i++) {
		if (l->list[i].vm == vm && flow_match_equal(&l->list[i].match, match))
			return &l->list[i];
	}
	return NULL;
}

static int
store(struct control *c, uint16_t vm, const struct flow_match *match, int8_t value,
	struct sl_err *err)
{
	struct hint_list *l = c->hints;
	struct hint *h = find(l, vm, match);
	uint32_t i, n = 0;

	if (value == 0) {
		if (h == NULL)
			return sl_err_set(
				err, ENOENT, "match", "the VM has no hint with this match");
		*h = l->list[--l->n];
		return 0;
	}
	if (h != NULL) {
		h->value = value;
		return 0;
	}
	for (i = 0; i < l->n; i++)
		n += l->list[i].vm == vm;
	if (n >= HINTS_PER_VM)
		return sl_err_set(err, ENOSPC, "match", "a VM can have %u hints", HINTS_PER_VM);
	if (l->n == l->cap) {
		uint32_t cap = l->cap == 0 ? 16 : 2 * l->cap;
		struct hint *grown = realloc(l->list, cap * sizeof(*grown));

		if (grown == NULL)
			return sl_err_set(err, ENOMEM, NULL, "out of memory");
		l->list = grown;
		l->cap = cap;
	}
	l->list[l->n++] = (struct hint){.vm = vm, .value = value, .match = *match};
	return 0;
}

// The vport by which the flow is the VM's own; only such flows can be hinted.
static uint16_t
own_vport(const struct offload_flow_info *fi, uint16_t vm)
{
	const struct offload_decision *d = &fi->decision;

	return d->in.vm == vm ? d->in.vport : d->out.vm == vm ? d->out.vport : OFFLOAD_NONE;
}

struct apply_ctx {
	struct control *c;
	uint16_t vm;
	const struct flow_match *match;
	struct flow_key *keys;
	uint32_t n, cap, refused;
};

static void
collect(void *ctx, const struct offload_flow_info *fi)
{
	struct apply_ctx *a = ctx;
	uint16_t vport = own_vport(fi, a->vm);

	if (vport == OFFLOAD_NONE || !flow_match_hits(a->match, &fi->key))
		return;
	if (!a->c->vports[vport].cfg.hints)
		a->refused++;
	else if (a->n < a->cap)
		a->keys[a->n++] = fi->key;
}

int
hints_set(struct control *c, uint16_t vm, const struct flow_match *match, int8_t hint,
	uint32_t *followed, uint32_t *refused, struct sl_err *err)
{
	struct apply_ctx a = {.c = c, .vm = vm, .match = match};
	struct offload_stats os;
	uint32_t i;
	int rc;

	if (c->hints == NULL)
		c->hints = calloc(1, sizeof(*c->hints));
	offload_stats_get(c->offload, &os);
	a.cap = os.flows;
	a.keys = calloc(a.cap + 1, sizeof(*a.keys));
	rc = c->hints == NULL || a.keys == NULL ? sl_err_set(err, ENOMEM, NULL, "out of memory")
						: store(c, vm, match, hint, err);
	if (rc == 0) {
		offload_flow_each(c->offload, collect, &a);
		for (i = 0; i < a.n; i++)
			offload_hint(c->offload, &a.keys[i], hint);
		*followed = a.n;
		*refused = a.refused;
	}
	free(a.keys);
	return rc;
}

void
hints_new_flow(struct control *c, uint32_t id)
{
	struct offload_flow_info fi;
	uint32_t i;

	if (c->hints == NULL || c->hints->n == 0 || !offload_flow_get(c->offload, id, &fi))
		return;
	for (i = 0; i < c->hints->n; i++) {
		const struct hint *h = &c->hints->list[i];
		uint16_t vport = own_vport(&fi, h->vm);

		if (vport == OFFLOAD_NONE || !c->vports[vport].cfg.hints ||
			!flow_match_hits(&h->match, &fi.key))
			continue;
		offload_hint(c->offload, &fi.key, h->value);
		return;
	}
}

json_t *
hints_json(struct control *c, uint16_t vm)
{
	json_t *list = json_array();
	uint16_t sw = 0, v;
	uint32_t i;

	for (v = 0; v < DP_VPORTS_MAX; v++) {
		if (c->vports[v].used && c->vports[v].cfg.vm == vm)
			sw = c->vports[v].cfg.sw;
	}
	for (i = 0; c->hints != NULL && i < c->hints->n; i++) {
		if (c->hints->list[i].vm == vm)
			json_array_append_new(
				list, json_pack("{so ss}", "match",
					      json_match(c, sw, &c->hints->list[i].match), "place",
					      c->hints->list[i].value > 0 ? "raise" : "lower"));
	}
	return list;
}

void
hints_fini(struct control *c)
{
	if (c->hints != NULL)
		free(c->hints->list);
	free(c->hints);
	c->hints = NULL;
}

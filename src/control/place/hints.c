// SPDX-License-Identifier: BSD-3-Clause
#include "place/hints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "offload/vm.h"

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
		l->n--;
		memmove(h, h + 1, (size_t)(&l->list[l->n] - h) * sizeof(*h));
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

// What holds for a flow: the oldest hint that matches it, of a VM whose own it is.
static int8_t
hint_of(const struct control *c, const struct offload_flow_info *fi)
{
	uint32_t i;

	for (i = 0; c->hints != NULL && i < c->hints->n; i++) {
		const struct hint *h = &c->hints->list[i];
		uint16_t vport = own_vport(fi, h->vm);

		if (vport != OFFLOAD_NONE && c->vports[vport].cfg.hints &&
			flow_match_hits(&h->match, &fi->key))
			return h->value;
	}
	return 0;
}

struct again_ctx {
	struct control *c;
	uint16_t vm;                    // whose flows are counted
	const struct flow_match *match; // likewise; NULL: none
	struct again_flow {
		struct flow_key key;
		int8_t hint;
	} * list; // flows whose hint changes
	uint32_t n, cap, followed, refused;
};

static void
collect(void *ctx, const struct offload_flow_info *fi)
{
	struct again_ctx *a = ctx;
	uint16_t vport = own_vport(fi, a->vm);
	int8_t hint = hint_of(a->c, fi);

	if (a->match != NULL && vport != OFFLOAD_NONE && flow_match_hits(a->match, &fi->key)) {
		a->followed += a->c->vports[vport].cfg.hints;
		a->refused += !a->c->vports[vport].cfg.hints;
	}
	if (hint != fi->asked && a->n < a->cap)
		a->list[a->n++] = (struct again_flow){.key = fi->key, .hint = hint};
}

static void
count(void *ctx, const struct offload_flow_info *fi)
{
	++*(uint32_t *)ctx;
}

// Of the VM's flows alone, which is all that a guest can make control look at; OFFLOAD_NONE: of
// all.
static int
again(struct control *c, struct again_ctx *a)
{
	struct offload_stats os;
	uint32_t i;

	a->c = c;
	if (a->vm != OFFLOAD_NONE) {
		offload_vm_each(c->offload, a->vm, count, &a->cap);
	} else {
		offload_stats_get(c->offload, &os);
		a->cap = os.flows;
	}
	a->list = calloc(a->cap + 1, sizeof(*a->list));
	if (a->list == NULL)
		return -ENOMEM;
	if (a->vm != OFFLOAD_NONE)
		offload_vm_each(c->offload, a->vm, collect, a);
	else
		offload_flow_each(c->offload, collect, a);
	for (i = 0; i < a->n; i++)
		offload_hint(c->offload, &a->list[i].key, a->list[i].hint);
	free(a->list);
	return 0;
}

int
hints_set(struct control *c, uint16_t vm, const struct flow_match *match, int8_t hint,
	uint32_t *followed, uint32_t *refused, struct sl_err *err)
{
	struct again_ctx a = {.vm = vm, .match = match};
	int rc;

	if (c->hints == NULL)
		c->hints = calloc(1, sizeof(*c->hints));
	if (c->hints == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	rc = store(c, vm, match, hint, err);
	if (rc == 0 && again(c, &a) != 0)
		rc = sl_err_set(err, ENOMEM, NULL, "out of memory: it holds for new flows only");
	*followed = a.followed;
	*refused = a.refused;
	return rc;
}

static bool
has_port(const struct config *cfg, uint16_t vm)
{
	uint32_t i;

	for (i = 0; vm < cfg->n_vms && i < cfg->n_ports; i++) {
		if (cfg->ports[i].vm == vm)
			return true;
	}
	return false;
}

void
hints_keep(struct control *c, const struct config *next)
{
	uint32_t i, n = 0;

	for (i = 0; c->hints != NULL && i < c->hints->n; i++) {
		const uint16_t vm = c->hints->list[i].vm;

		if (has_port(next, vm) && strcmp(c->cfg->vms[vm].name, next->vms[vm].name) == 0)
			c->hints->list[n++] = c->hints->list[i];
	}
	if (c->hints != NULL)
		c->hints->n = n;
}

void
hints_again(struct control *c)
{
	struct again_ctx a = {.vm = OFFLOAD_NONE};

	if (c->hints != NULL && again(c, &a) != 0)
		sl_log(c->log, SL_LOG_WARN, "out of memory: hints of known flows stay as they are");
}

void
hints_flow(struct control *c, uint32_t id)
{
	struct offload_flow_info fi;
	int8_t hint;

	if (c->hints == NULL || c->hints->n == 0 || !offload_flow_get(c->offload, id, &fi))
		return;
	hint = hint_of(c, &fi);
	if (hint != fi.asked)
		offload_hint(c->offload, &fi.key, hint);
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

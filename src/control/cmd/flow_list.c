// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/flow_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "datapath/program.h"
#include "cmd/flow_json.h"
#include "orders.h"
#include "pending.h"
#include "work/resize.h"

#define CHUNK 1024
#define LIST_MS 60000

struct row {
	uint64_t weight; // what is sorted by
	uint32_t id;     // of a known flow, UINT32_MAX: cached
	struct cache_flow entry;
};

struct flow_list {
	struct ctl_call *call;
	struct flow_filter filter;
	struct row *rows; // a heap, the lightest on top, once it is full
	size_t n, max, cap;
	uint64_t total;
	uint16_t worker;  // being asked
	uint32_t resizes; // of the caches, when it began
	bool asked, lost;
	_Atomic uint32_t done;
	struct flow_dump_buffer {
		struct dp_flow_dump dump;
		struct cache_flow entries[CHUNK];
	} buffer;
	struct control *c;
};

static void
sift_down(struct flow_list *l, size_t i)
{
	while (true) {
		size_t least = i, k;
		struct row tmp;

		for (k = 2 * i + 1; k <= 2 * i + 2 && k < l->n; k++) {
			if (l->rows[k].weight < l->rows[least].weight)
				least = k;
		}
		if (least == i)
			return;
		tmp = l->rows[i];
		l->rows[i] = l->rows[least];
		l->rows[least] = tmp;
		i = least;
	}
}

static void
add_row(struct flow_list *l, const struct row *row)
{
	size_t i;

	l->total++;
	if (l->n == l->max) {
		if (row->weight > l->rows[0].weight) {
			l->rows[0] = *row;
			sift_down(l, 0);
		}
		return;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 256 : 2 * l->cap;
		struct row *grown = realloc(l->rows, cap * sizeof(*grown));

		if (grown == NULL)
			return;
		l->rows = grown;
		l->cap = cap;
	}
	l->rows[l->n++] = *row;
	if (l->n == l->max) {
		for (i = l->n / 2; i-- > 0;)
			sift_down(l, i);
	}
}

static bool
key_wanted(const struct flow_list *l, const struct flow_key *key)
{
	const struct flow_filter *f = &l->filter;

	return (f->vport < 0 || key->vport == f->vport) &&
	       (f->sw < 0 || control_switch_of(l->c, key->switch_id) == f->sw) &&
	       (!f->has_match || flow_match_hits(&f->match, key));
}

static bool
known_wanted(const struct flow_list *l, const struct offload_flow_info *fi)
{
	const struct flow_filter *f = &l->filter;

	return key_wanted(l, &fi->key) &&
	       (f->vm < 0 || fi->decision.in.vm == f->vm || fi->decision.out.vm == f->vm) &&
	       (f->path < 0 || flow_path(fi) == (enum offload_path)f->path) &&
	       (f->state < 0 || fi->side[0].state == f->state || fi->side[1].state == f->state);
}

static void
known_flow(void *ctx, const struct offload_flow_info *fi)
{
	struct flow_list *l = ctx;
	const struct flow_filter *f = &l->filter;
	struct row row = {.id = fi->id};
	int i;

	if (!known_wanted(l, fi))
		return;
	for (i = 0; i < OFFLOAD_PATHS; i++)
		row.weight += f->sort == 'p' ? fi->packets[i] : fi->bytes[i];
	if (f->sort == 'r')
		row.weight = fi->rate_fast_bps;
	add_row(l, &row);
}

static uint64_t
weight_of(const struct flow_list *l, const struct cache_flow *e)
{
	const char sort = l->filter.sort;

	return sort == 'p' ? e->packets : sort == 'r' ? e->rate : e->bytes;
}

static void
cached_flow(struct flow_list *l, const struct cache_flow *e)
{
	const struct flow_filter *f = &l->filter;
	struct row row = {.id = UINT32_MAX, .entry = *e};
	struct dp_program prog;
	uint32_t id;
	int in_vm, out_vm;

	memcpy(&prog, e->value, sizeof(prog));
	if (!key_wanted(l, &e->key) || offload_find(l->c->offload, &e->key, &id) == 0)
		return;
	in_vm = e->key.vport < DP_VPORTS_MAX ? l->c->vports[e->key.vport].cfg.vm : -1;
	out_vm = prog.out < DP_VPORTS_MAX ? l->c->vports[prog.out].cfg.vm : -1;
	if ((f->vm >= 0 && in_vm != f->vm && out_vm != f->vm) ||
		(f->state >= 0 && f->state != OFFLOAD_ST_SOFTWARE))
		return;
	if (f->path >= 0 && f->path != ((prog.flags & (DP_PROG_RING | DP_PROG_HOST_RING)) != 0
						       ? OFFLOAD_RING
						       : OFFLOAD_SOFTWARE))
		return;
	row.weight = weight_of(l, e);
	add_row(l, &row);
}

// Cached ones behind the others, by key, and of one key the one last used first.
static int
by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int differ;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	differ = memcmp(&x->entry.key, &y->entry.key, sizeof(x->entry.key));
	return differ != 0 ? differ : (int)(int32_t)(y->entry.last_tick - x->entry.last_tick);
}

// A flow whose receive queue went to another worker is in the cache of both until it has been idle
// in one for long enough.
static void
unite(struct flow_list *l)
{
	size_t i, n = 0;

	qsort(l->rows, l->n, sizeof(*l->rows), by_key);
	for (i = 0; i < l->n; i++) {
		const struct row *row = &l->rows[i];
		struct row *last = n > 0 ? &l->rows[n - 1] : NULL;

		if (last == NULL || row->id != UINT32_MAX || last->id != UINT32_MAX ||
			!flow_key_equal(&row->entry.key, &last->entry.key)) {
			l->rows[n++] = *row;
			continue;
		}
		last->entry.packets += row->entry.packets;
		last->entry.bytes += row->entry.bytes;
		last->weight = weight_of(l, &last->entry);
		l->total--;
	}
	l->n = n;
}

static int
heavier(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->weight < y->weight ? 1 : x->weight > y->weight ? -1 : 0;
}

static void
finish(struct flow_list *l)
{
	json_t *items = json_array();
	struct offload_flow_info fi;
	size_t i;

	if (l->n > 0) {
		if (l->c->n_workers > 1)
			unite(l);
		qsort(l->rows, l->n, sizeof(*l->rows), heavier);
	}
	for (i = 0; i < l->n; i++) {
		if (l->rows[i].id == UINT32_MAX)
			json_array_append_new(items, flow_json_cached(l->c, &l->rows[i].entry));
		else if (offload_flow_get(l->c->offload, l->rows[i].id, &fi) &&
			 known_wanted(l, &fi))
			json_array_append_new(items, flow_json(l->c, &fi));
		else
			l->total--; // it went elsewhere while the workers were asked
	}
	ctl_call_reply(l->call, json_items(items, l->total));
	free(l->rows);
	free(l);
}

static void
ask(struct flow_list *l)
{
	struct dp_order order = {.type = DP_ORD_DUMP, .dump = &l->buffer.dump, .done = &l->done};

	atomic_store(&l->done, 0);
	l->asked = dp_order_put(l->c->dp, l->worker, &order);
}

// A worker's cache has another size now, and its flows other places in it: what was read of it so
// far may come again, or the rest not at all.
static void
begin_again(struct flow_list *l)
{
	l->n = 0;
	l->total = 0;
	l->worker = 0;
	l->buffer.dump.cursor = 0;
	l->resizes = l->c->resizes;
	offload_flow_each(l->c->offload, known_flow, l);
}

static bool
list_step(struct control *c, void *state, bool expired)
{
	struct flow_list *l = state;
	uint32_t i;

	if (!l->asked && expired) {
		finish(l);
		return true;
	}
	if (!l->asked) {
		if (resize_under_way(c))
			return false;
		if (l->resizes != c->resizes)
			begin_again(l);
		ask(l);
		return false;
	}
	// The worker may still write: the list cannot end before it has let go, also when time is
	// up.
	while (expired && c->running && atomic_load_explicit(&l->done, memory_order_acquire) == 0)
		orders_nap();
	if (atomic_load_explicit(&l->done, memory_order_acquire) == 0 && c->running)
		return false;
	for (i = 0; i < l->buffer.dump.n; i++)
		cached_flow(l, &l->buffer.dump.entries[i]);
	if (!l->buffer.dump.more) {
		l->worker++;
		l->buffer.dump.cursor = 0;
	}
	l->asked = false;
	if (expired || (l->worker == c->n_workers && l->resizes == c->resizes)) {
		finish(l);
		return true;
	}
	if (l->resizes == c->resizes)
		ask(l);
	return false;
}

int
flow_list_start(struct control *c, struct ctl_call *call, const struct flow_filter *filter)
{
	struct flow_list *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return -ENOMEM;
	l->c = c;
	l->call = call;
	l->filter = *filter;
	l->max =
		filter->limit == 0 || filter->limit > FLOW_LIST_MAX ? FLOW_LIST_MAX : filter->limit;
	l->buffer.dump.entries = l->buffer.entries;
	l->buffer.dump.size = CHUNK;
	begin_again(l);
	rc = pending_add(c, list_step, l, LIST_MS);
	if (rc != 0) {
		free(l->rows);
		free(l);
	}
	return rc;
}

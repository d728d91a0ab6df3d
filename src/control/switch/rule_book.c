// SPDX-License-Identifier: BSD-3-Clause
#include "switch/rule_book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "switch/asked.h"

#define NO_ENTRY UINT32_MAX
#define NO_VPORT UINT16_MAX
#define DEFAULT_BURST_KB 64
#define IDS_MAX 65536u // a program names an entry by 16 bits

// An entry of the engine; its index is its id and that of its counters.
struct entry {
	uint32_t rule;  // index in book.rules, NO_ENTRY: free
	uint32_t next;  // of the same rule
	uint32_t gen;   // of its id
	uint16_t vport; // of a VM entry, else NO_VPORT
};

struct book_rule {
	struct config_rule rule;
	bool used, from_config;
	bool leaves;    // a reload will delete it
	uint32_t first; // entry
	struct asked_places asked;
	uint32_t gen;                      // of its id
	uint64_t past_packets, past_bytes; // of entries that are gone
	uint64_t nic_packets, nic_bytes;   // that NICs carried
};

struct rule_book {
	struct control *c;
	uint16_t sw;
	uint32_t max;  // rules, and entries, that there may be
	uint32_t room; // ids: a reload has old and new ones at once
	struct rules *rules;
	struct sl_idpool *entry_ids, *rule_ids;
	struct entry *entries;
	struct book_rule *list;
	struct dp_meter *meters; // [room], by entry
	struct dying {
		uint32_t entry, rule, gen; // gen: of the rule
	} * dying;                         // [room]: workers may still count on them
	uint32_t n_dying;
	uint32_t count;
	uint32_t leaving_rules, leaving; // of those, that a reload will delete; and their entries
	struct asked_list asked;
};

int
rule_book_new(struct control *c, uint16_t sw, struct rule_book **out, struct sl_err *err)
{
	const struct config_switch *cs = &c->cfg->switches[sw];
	struct rule_book *b = calloc(1, sizeof(*b));
	uint32_t i;

	if (b == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	b->c = c;
	b->sw = sw;
	b->max = cs->max_rules;
	b->room = b->max <= IDS_MAX / 2 ? 2 * b->max : IDS_MAX;
	b->rules = rules_new(b->room);
	b->entry_ids = sl_idpool_new(b->room, 255);
	b->rule_ids = sl_idpool_new(b->room, 255);
	b->entries = calloc(b->room, sizeof(*b->entries));
	b->list = calloc(b->room, sizeof(*b->list));
	b->meters = aligned_alloc(64, ((size_t)b->room * sizeof(*b->meters) + 63) & ~(size_t)63);
	b->dying = calloc(b->room, sizeof(*b->dying));
	if (b->dying == NULL || b->rules == NULL || b->entry_ids == NULL || b->rule_ids == NULL ||
		b->entries == NULL || b->list == NULL || b->meters == NULL) {
		rule_book_free(b);
		return sl_err_set(err, ENOMEM, NULL, "out of memory for %u rules", cs->max_rules);
	}
	memset(b->meters, 0, (size_t)b->room * sizeof(*b->meters));
	for (i = 0; i < b->room; i++)
		b->entries[i].rule = NO_ENTRY;
	*out = b;
	return 0;
}

void
rule_book_free(struct rule_book *b)
{
	if (b == NULL)
		return;
	rules_free(b->rules);
	sl_idpool_free(b->entry_ids);
	sl_idpool_free(b->rule_ids);
	free(b->entries);
	free(b->list);
	free(b->meters);
	free(b->dying);
	free(b);
}

static void
entry_counters(const struct rule_book *b, uint32_t id, uint64_t *packets, uint64_t *bytes)
{
	uint16_t w;

	for (w = 0; b->c->dp != NULL && w < b->c->n_workers; w++) {
		const struct dp_count *counts = dp_rule_counts(b->c->dp, w, b->sw);

		if (counts == NULL)
			continue;
		*packets += atomic_load_explicit(&counts[id].packets, memory_order_relaxed);
		*bytes += atomic_load_explicit(&counts[id].bytes, memory_order_relaxed);
	}
}

static void
set_meter(struct rule_book *b, uint32_t entry, const struct flow_actions *actions)
{
	uint8_t i;

	memset(&b->meters[entry], 0, sizeof(b->meters[entry]));
	for (i = 0; i < actions->n; i++) {
		const struct flow_action *a = &actions->list[i];

		if (a->type == FLOW_ACT_RATE)
			dp_meter_init(&b->meters[entry], (uint64_t)a->rate.kbps * 1000,
				(uint64_t)(a->rate.burst_kb == 0 ? DEFAULT_BURST_KB
								 : a->rate.burst_kb) *
					1000,
				rte_get_tsc_hz());
	}
}

const struct asked_list *
rule_book_asked(const struct rule_book *b)
{
	return &b->asked;
}

// ---- entries

// The number of the switch is no part of an entry (rules/rules.h, RULES_ASK_*): it is the same for
// all that its rules are asked of.
static void
without_switch(const struct rule_book *b, struct flow_match *m)
{
	const uint16_t id = b->c->cfg->switches[b->sw].id;

	if ((m->key.switch_id ^ id) & m->mask.switch_id)
		m->sport = (struct flow_range){1, 0}; // of no packet
	m->key.switch_id = m->mask.switch_id = 0;
}

// Those that are to go make room already.
static uint32_t
entries_free(const struct rule_book *b)
{
	const uint32_t stay = sl_idpool_used(b->entry_ids) - b->n_dying - b->leaving;

	return stay < b->max ? b->max - stay : 0;
}

// As old as that entry; NO_ENTRY: the youngest.
static int
add_entry(
	struct rule_book *b, uint32_t rule, uint16_t vport, uint32_t as_old_as, struct sl_err *err)
{
	struct book_rule *r = &b->list[rule];
	struct rules_entry e = {
		.table = r->rule.table,
		.priority = r->rule.priority,
		.match = r->rule.match,
		.actions = r->rule.actions,
		.asks = asked_bits(&r->rule, &r->asked),
	};
	struct sl_id id;
	int rc;

	without_switch(b, &e.match);
	if (r->rule.inner.asked)
		asked_narrow(&r->rule.inner, &e.match);
	if (vport != NO_VPORT) {
		e.match.key.vport = vport;
		e.match.mask.vport = UINT16_MAX;
	}
	if (entries_free(b) == 0 || sl_idpool_take(b->entry_ids, &id) != 0)
		return sl_err_set(err, ENOSPC, NULL,
			"the switch has room for %u rule entries (/switches/%u/max_rules)", b->max,
			b->sw);
	e.id = id.index;
	rc = as_old_as == NO_ENTRY ? rules_add(b->rules, &e, err)
				   : rules_add_as_old(b->rules, &e, as_old_as, err);
	if (rc != 0) {
		sl_idpool_put(b->entry_ids, id);
		return rc;
	}
	if (b->c->dp != NULL)
		dp_rule_counts_reset(b->c->dp, b->sw, id.index);
	set_meter(b, id.index, &r->rule.actions);
	b->entries[id.index] =
		(struct entry){.rule = rule, .next = r->first, .gen = id.gen, .vport = vport};
	r->first = id.index;
	b->leaving += r->leaves;
	return 0;
}

static void
del_entry(struct rule_book *b, struct book_rule *r, uint32_t id)
{
	uint32_t *link = &r->first;

	while (*link != id)
		link = &b->entries[*link].next;
	*link = b->entries[id].next;
	rules_del(b->rules, id);
	b->dying[b->n_dying++] =
		(struct dying){.entry = id, .rule = b->entries[id].rule, .gen = r->gen};
	b->entries[id].rule = NO_ENTRY;
	b->leaving -= r->leaves;
}

void
rule_book_retire(struct rule_book *b)
{
	uint32_t i;

	for (i = 0; i < b->n_dying; i++) {
		const struct dying *d = &b->dying[i];
		struct book_rule *r = &b->list[d->rule];

		if (r->used && r->gen == d->gen)
			entry_counters(b, d->entry, &r->past_packets, &r->past_bytes);
		sl_idpool_put(b->entry_ids,
			(struct sl_id){.index = d->entry, .gen = b->entries[d->entry].gen});
	}
	b->n_dying = 0;
}

static bool
has_entry(const struct rule_book *b, const struct book_rule *r, uint16_t vport)
{
	uint32_t e;

	for (e = r->first; e != NO_ENTRY; e = b->entries[e].next) {
		if (b->entries[e].vport == vport)
			return true;
	}
	return false;
}

// Entries of a VM rule: exactly the vports that the VM has on this switch now. All are as old as
// the first of them, that one as old as as_old_as.
static int
sync_entries(struct rule_book *b, uint32_t rule, uint32_t as_old_as, struct sl_err *err)
{
	struct book_rule *r = &b->list[rule];
	uint32_t e, next;
	uint16_t v;
	int rc = 0;

	if (r->rule.vm < 0)
		return r->first == NO_ENTRY ? add_entry(b, rule, NO_VPORT, as_old_as, err) : 0;
	for (e = r->first; e != NO_ENTRY; e = next) {
		const struct control_vport *vp = &b->c->vports[b->entries[e].vport];

		next = b->entries[e].next;
		if (!vp->used || vp->cfg.vm != r->rule.vm || vp->cfg.sw != b->sw)
			del_entry(b, r, e);
	}
	for (v = 0; rc == 0 && v < DP_VPORTS_MAX; v++) {
		const struct control_vport *vp = &b->c->vports[v];

		if (vp->used && vp->cfg.vm == r->rule.vm && vp->cfg.sw == b->sw &&
			!has_entry(b, r, v))
			rc = add_entry(
				b, rule, v, r->first != NO_ENTRY ? r->first : as_old_as, err);
	}
	return rc;
}

static void
drop_rule(struct rule_book *b, uint32_t id)
{
	struct book_rule *r = &b->list[id];

	while (r->first != NO_ENTRY)
		del_entry(b, r, r->first);
	asked_drop(&b->asked, &r->rule, &r->asked, r->leaves);
	b->leaving_rules -= r->leaves;
	r->used = r->leaves = false;
	sl_idpool_put(b->rule_ids, (struct sl_id){.index = id, .gen = r->gen});
}

// One that was added since the last commit: no worker knows its entries, which are free at once.
static void
drop_unseen(struct rule_book *b, uint32_t id)
{
	const uint32_t before = b->n_dying;

	drop_rule(b, id);
	while (b->n_dying > before) {
		const uint32_t e = b->dying[--b->n_dying].entry;

		sl_idpool_put(b->entry_ids, (struct sl_id){.index = e, .gen = b->entries[e].gen});
	}
}

static int
add_rule(struct rule_book *b, const struct config_rule *rule, bool from_config, uint32_t as_old_as,
	uint32_t *id, struct sl_err *err)
{
	struct asked_places asked;
	struct book_rule *r;
	struct sl_id rid;
	int rc;

	rc = asked_add(&b->asked, rule, &asked, err);
	if (rc != 0)
		return rc;
	if (b->count - b->leaving_rules >= b->max || sl_idpool_take(b->rule_ids, &rid) != 0) {
		asked_drop(&b->asked, rule, &asked, false);
		return sl_err_set(err, ENOSPC, NULL,
			"the switch has its %u rules (/switches/%u/max_rules)", b->max, b->sw);
	}
	r = &b->list[rid.index];
	*r = (struct book_rule){.rule = *rule,
		.used = true,
		.from_config = from_config,
		.first = NO_ENTRY,
		.asked = asked,
		.gen = rid.gen};
	r->rule.id = rid.index;
	r->rule.sw = b->sw;
	rc = sync_entries(b, rid.index, as_old_as, err);
	if (rc != 0) {
		drop_unseen(b, rid.index);
		return rc;
	}
	b->count++;
	*id = rid.index;
	return 0;
}

int
rule_book_add(struct rule_book *b, const struct config_rule *rule, bool from_config, uint32_t *id,
	struct sl_err *err)
{
	// The rules of one file have different names; while it replaces an older one, both are here
	// for a moment.
	if (!from_config && rule->name[0] != '\0' && rule_book_find(b, rule->name) != NULL)
		return sl_err_set(
			err, EEXIST, NULL, "a rule named \"%s\" is there already", rule->name);
	return add_rule(b, rule, from_config, NO_ENTRY, id, err);
}

int
rule_book_replace(struct rule_book *b, uint32_t old, const struct config_rule *rule, uint32_t *id,
	struct sl_err *err)
{
	struct config_rule next = *rule;
	int rc;

	if (rule_book_get(b, old) == NULL)
		return sl_err_set(err, ENOENT, NULL, "there is no rule %u", old);
	memcpy(next.name, b->list[old].rule.name, sizeof(next.name));
	rule_book_leaves(b, old, true);
	rc = add_rule(b, &next, b->list[old].from_config, b->list[old].first, id, err);
	rule_book_leaves(b, old, false);
	return rc != 0 ? rc : rule_book_del(b, old);
}

void
rule_book_leaves(struct rule_book *b, uint32_t id, bool on)
{
	struct book_rule *r = rule_book_get(b, id) != NULL ? &b->list[id] : NULL;
	uint32_t e, n = 0;

	if (r == NULL || r->leaves == on)
		return;
	for (e = r->first; e != NO_ENTRY; e = b->entries[e].next)
		n++;
	r->leaves = on;
	asked_leave(&b->asked, &r->rule, &r->asked, on);
	b->leaving_rules += on ? 1 : -1u;
	b->leaving += on ? n : -n;
}

int
rule_book_del(struct rule_book *b, uint32_t id)
{
	if (rule_book_get(b, id) == NULL)
		return -ENOENT;
	drop_rule(b, id);
	b->count--;
	return 0;
}

void
rule_book_take_back(struct rule_book *b, uint32_t id)
{
	drop_unseen(b, id);
	b->count--;
}

const struct config_rule *
rule_book_get(const struct rule_book *b, uint32_t id)
{
	return id < b->room && b->list[id].used ? &b->list[id].rule : NULL;
}

const struct config_rule *
rule_book_find(const struct rule_book *b, const char *name_or_id)
{
	char *end;
	unsigned long n;
	uint32_t i;

	for (i = 0; i < b->room; i++) {
		if (b->list[i].used && strcmp(b->list[i].rule.name, name_or_id) == 0)
			return &b->list[i].rule;
	}
	n = strtoul(name_or_id, &end, 10);
	return *name_or_id != '\0' && *end == '\0' && n < b->room ? rule_book_get(b, (uint32_t)n)
								  : NULL;
}

const struct config_rule *
rule_book_of_entry(const struct rule_book *b, uint32_t entry)
{
	return entry < b->room && b->entries[entry].rule != NO_ENTRY
		       ? rule_book_get(b, b->entries[entry].rule)
		       : NULL;
}

struct each_ctx {
	const struct rule_book *b;
	rule_book_fn fn;
	void *ctx;
};

static void
each_entry(void *ctx, const struct rules_entry *e)
{
	const struct each_ctx *ec = ctx;
	const struct book_rule *r = &ec->b->list[ec->b->entries[e->id].rule];
	const struct rule_info info = {.rule = &r->rule, .from_config = r->from_config};

	if (r->first == e->id) // a VM rule has several entries, all of one priority
		ec->fn(ec->ctx, &info);
}

void
rule_book_each(const struct rule_book *b, rule_book_fn fn, void *ctx)
{
	struct each_ctx ec = {.b = b, .fn = fn, .ctx = ctx};
	uint32_t i;

	rules_each(b->rules, each_entry, &ec);
	for (i = 0; i < b->room; i++) { // rules of a VM that has no vport now
		const struct rule_info info = {
			.rule = &b->list[i].rule, .from_config = b->list[i].from_config};

		if (b->list[i].used && b->list[i].first == NO_ENTRY)
			fn(ctx, &info);
	}
}

uint32_t
rule_book_count(const struct rule_book *b)
{
	return b->count;
}

void
rule_book_counters(const struct rule_book *b, uint32_t id, uint64_t *packets, uint64_t *bytes)
{
	const struct book_rule *r = &b->list[id];
	uint32_t e;

	*packets = r->past_packets;
	*bytes = r->past_bytes;
	for (e = r->first; e != NO_ENTRY; e = b->entries[e].next)
		entry_counters(b, e, packets, bytes);
}

void
rule_book_carried(struct rule_book *b, uint32_t id, uint32_t gen, uint64_t packets, uint64_t bytes)
{
	if (id >= b->room || !b->list[id].used || b->list[id].gen != gen)
		return;
	b->list[id].nic_packets += packets;
	b->list[id].nic_bytes += bytes;
}

bool
rule_book_entry_rule(const struct rule_book *b, uint32_t entry, uint32_t *id, uint32_t *gen)
{
	if (entry >= b->room || b->entries[entry].rule == NO_ENTRY)
		return false;
	*id = b->entries[entry].rule;
	*gen = b->list[*id].gen;
	return true;
}

void
rule_book_hardware(const struct rule_book *b, uint32_t id, uint64_t *packets, uint64_t *bytes)
{
	*packets = b->list[id].nic_packets;
	*bytes = b->list[id].nic_bytes;
}

struct entries_ctx {
	const struct rule_book *b;
	rule_book_entry_fn fn;
	void *ctx;
};

static void
give_entry(void *ctx, const struct rules_entry *e)
{
	const struct entries_ctx *ec = ctx;
	uint32_t rule = ec->b->entries[e->id].rule;

	ec->fn(ec->ctx, e, rule, ec->b->list[rule].gen);
}

void
rule_book_entries(const struct rule_book *b, rule_book_entry_fn fn, void *ctx)
{
	struct entries_ctx ec = {.b = b, .fn = fn, .ctx = ctx};

	rules_each(b->rules, give_entry, &ec);
}

int
rule_book_refresh(struct rule_book *b, struct sl_err *err)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < b->room; i++) {
		if (b->list[i].used && b->list[i].rule.vm >= 0)
			rc = sync_entries(b, i, NO_ENTRY, err);
	}
	return rc;
}

int
rule_book_check(const struct rule_book *b, const struct config *next, struct sl_err *err)
{
	uint32_t missing = 0, i;
	uint16_t p;

	for (i = 0; i < b->room; i++) {
		if (!b->list[i].used || b->list[i].leaves || b->list[i].rule.vm < 0)
			continue;
		for (p = 0; p < next->n_ports; p++) {
			const struct config_port *port = &next->ports[p];

			missing += port->sw == b->sw && port->vm == b->list[i].rule.vm &&
				   !has_entry(b, &b->list[i], port->id);
		}
	}
	if (missing <= entries_free(b))
		return 0;
	return sl_err_set(err, ENOSPC, "/switches",
		"rules that match on a VM need %u entries more for its new ports, and %s has room "
		"for %u of %u (max_rules)",
		missing, b->c->cfg->switches[b->sw].name, entries_free(b), b->max);
}

int
rule_book_table_default(
	struct rule_book *b, uint16_t table, const struct flow_actions *actions, struct sl_err *err)
{
	return rules_table_default(b->rules, table, actions, err);
}

struct rules_set *
rule_book_commit(struct rule_book *b)
{
	return rules_commit(b->rules);
}

struct dp_meter *
rule_book_meters(const struct rule_book *b)
{
	return b->meters;
}

uint32_t
rule_book_max(const struct rule_book *b)
{
	return b->room;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "macs.h"
#include "offload_run.h"
#include "ports.h"
#include "publish.h"
#include "rule_book.h"

// A reload in two halves: what can fail comes first and can be undone (new rules, new and changed
// attachments); what cannot fail follows (properties, removals) and one publish puts all in force.

struct reload {
	struct control *c;
	struct config *next;
	bool dry;
	json_t *changes;
	struct {
		uint16_t sw;
		uint32_t id;
	} * added; // rules, to be deleted again on failure
	uint32_t n_added;
	uint32_t *gone[DP_SWITCHES_MAX]; // rules that next does not have
	uint32_t n_gone[DP_SWITCHES_MAX];
	uint16_t opened[DP_VPORTS_MAX]; // vports that are new
	uint16_t n_opened;
	struct config_port changed[DP_VPORTS_MAX]; // as they were, attachments that were replaced
	uint16_t n_changed;
};

static void
note(struct reload *r, const char *what, const char *name)
{
	char text[160];

	snprintf(text, sizeof(text), "%s %s", what, name);
	json_array_append_new(r->changes, json_string(text));
}

static int
check_nics(const struct config *a, const struct config *b, struct sl_err *err)
{
	uint16_t i;

	if (a->n_nics != b->n_nics)
		return sl_err_set(err, EBUSY, "/nics", "NICs come and go at a restart only");
	for (i = 0; i < a->n_nics; i++) {
		if (memcmp(&a->nics[i], &b->nics[i], sizeof(a->nics[i])) != 0)
			return sl_err_set(err, EBUSY, "/nics",
				"%s: a NIC's settings change at a restart only", a->nics[i].name);
	}
	return 0;
}

// What a running process cannot change, with the reason for people.
static int
check_fixed(const struct config *a, const struct config *b, struct sl_err *err)
{
	uint16_t i;

	if (strcmp(a->socket, b->socket) != 0 || strcmp(a->socket_ro, b->socket_ro) != 0)
		return sl_err_set(
			err, EBUSY, "/control", "the control sockets change at a restart only");
	if (a->flows != b->flows || a->mbufs != b->mbufs || a->sleep_after != b->sleep_after)
		return sl_err_set(err, EBUSY, "/datapath",
			"flows, mbufs and sleep_after change at a restart only");
	if (a->n_classes != b->n_classes ||
		memcmp(a->classes, b->classes, sizeof(a->classes[0]) * a->n_classes) != 0)
		return sl_err_set(err, EBUSY, "/classes",
			"classes change at a restart only: rings are built from them");
	if (a->n_switches != b->n_switches)
		return sl_err_set(
			err, EBUSY, "/switches", "switches come and go at a restart only");
	for (i = 0; i < a->n_switches; i++) {
		if (a->switches[i].id != b->switches[i].id ||
			a->switches[i].max_rules != b->switches[i].max_rules ||
			strcmp(a->switches[i].name, b->switches[i].name) != 0)
			return sl_err_set(err, EBUSY, "/switches",
				"name, id and max_rules of %s change at a restart only",
				a->switches[i].name);
	}
	return check_nics(a, b, err);
}

// ---- rules

static bool
same_rule(const struct config_rule *a, const struct config_rule *b)
{
	return a->table == b->table && a->priority == b->priority && a->vm == b->vm &&
	       strcmp(a->name, b->name) == 0 && flow_match_equal(&a->match, &b->match) &&
	       memcmp(&a->actions, &b->actions, sizeof(a->actions)) == 0;
}

struct rule_diff {
	struct reload *r;
	uint16_t sw;
	bool *kept;        // [next->n_rules]
	const char *taken; // a rule added live that has the name of a new one
};

static void
diff_rule(void *ctx, const struct rule_info *info)
{
	struct rule_diff *d = ctx;
	const struct config *next = d->r->next;
	uint32_t i;

	for (i = 0; i < next->n_rules; i++) {
		const struct config_rule *n = &next->rules[i];

		if (n->sw != d->sw)
			continue;
		if (!info->from_config && n->name[0] != '\0' &&
			strcmp(n->name, info->rule->name) == 0)
			d->taken = n->name;
		if (info->from_config && !d->kept[i] && same_rule(n, info->rule)) {
			d->kept[i] = true;
			return;
		}
	}
	if (info->from_config)
		d->r->gone[d->sw][d->r->n_gone[d->sw]++] = info->rule->id;
}

static int
rules_first_half(struct reload *r, uint16_t sw, struct sl_err *err)
{
	struct rule_book *book = r->c->book[sw];
	struct rule_diff d = {.r = r, .sw = sw};
	uint32_t i, n = 0, id;
	char text[96];
	int rc = 0;

	d.kept = calloc(r->next->n_rules + 1, sizeof(*d.kept));
	r->gone[sw] = calloc(rule_book_count(book) + 1, sizeof(*r->gone[sw]));
	if (d.kept == NULL || r->gone[sw] == NULL) {
		free(d.kept);
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	}
	rule_book_each(book, diff_rule, &d);
	if (d.taken != NULL)
		rc = sl_err_set(
			err, EEXIST, "/switches", "a rule named \"%s\" was added live", d.taken);
	for (i = 0; rc == 0 && i < r->next->n_rules; i++) {
		if (r->next->rules[i].sw != sw || d.kept[i])
			continue;
		n++;
		if (r->dry)
			continue;
		rc = rule_book_add(book, &r->next->rules[i], true, &id, err);
		if (rc == 0) {
			r->added[r->n_added].sw = sw;
			r->added[r->n_added++].id = id;
		}
	}
	free(d.kept);
	if (n + r->n_gone[sw] > 0) {
		snprintf(text, sizeof(text), "%u rules added, %u removed in", n, r->n_gone[sw]);
		note(r, text, r->next->switches[sw].name);
	}
	return rc;
}

// Tables that begin or end, or whose default is another one.
static void
note_tables(struct reload *r)
{
	const struct config *old = r->c->cfg, *next = r->next;
	uint16_t i, k, same = 0;
	char text[32];

	for (i = 0; i < next->n_tables; i++) {
		const struct config_table *t = &next->tables[i];

		for (k = 0; k < old->n_tables; k++) {
			if (old->tables[k].sw == t->sw && old->tables[k].id == t->id)
				break;
		}
		same += k < old->n_tables;
		if (k < old->n_tables && strcmp(old->tables[k].name, t->name) == 0 &&
			memcmp(&old->tables[k].fallback, &t->fallback, sizeof(t->fallback)) == 0)
			continue;
		snprintf(text, sizeof(text), "table %u changed in", t->id);
		note(r, text, next->switches[t->sw].name);
	}
	if (same < old->n_tables) {
		snprintf(text, sizeof(text), "%u tables removed", old->n_tables - same);
		json_array_append_new(r->changes, json_string(text));
	}
}

// ---- ports

// "/switches/0/ports/3": where the file says it.
static void
say_where(const struct config *cfg, const struct config_port *port, struct sl_err *err)
{
	const struct config_port *p;
	char place[64];
	unsigned n = 0;

	for (p = cfg->ports; p != port; p++)
		n += p->sw == port->sw;
	snprintf(place, sizeof(place), "/switches/%u/ports/%u/attach", port->sw, n);
	sl_err_prefix(err, place);
}

static const struct config_port *
port_by_id(const struct config *cfg, uint16_t id)
{
	uint16_t i;

	for (i = 0; i < cfg->n_ports; i++) {
		if (cfg->ports[i].id == id)
			return &cfg->ports[i];
	}
	return NULL;
}

static void
take_off(struct control *c, struct control_vport *v)
{
	struct dp_port *port = ports_detach(c, v);

	if (port == NULL)
		return;
	publish(c, true);
	offload_run_redecide(c);
	ports_close(c, v, port);
}

static int
replace_attachment(struct reload *r, struct control_vport *v, const struct config_port *next,
	struct sl_err *err)
{
	struct config_port before = v->cfg;
	struct sl_err again;
	int rc;

	take_off(r->c, v);
	rc = ports_attach(r->c, v, &next->attach, err);
	if (rc == 0) {
		r->changed[r->n_changed++] = before;
		return 0;
	}
	sl_err_init(&again);
	if (ports_attach(r->c, v, &before.attach, &again) != 0)
		sl_log(r->c->log, SL_LOG_ERR, "port %s: its old attachment does not open again: %s",
			before.name, again.text);
	return rc;
}

static int
ports_first_half(struct reload *r, struct sl_err *err)
{
	struct control *c = r->c;
	uint16_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < r->next->n_ports; i++) {
		const struct config_port *p = &r->next->ports[i];
		struct control_vport *v = &c->vports[p->id];

		if (!v->used) {
			note(r, "port added:", p->name);
			if (r->dry)
				continue;
			memset(v, 0, sizeof(*v));
			v->cfg = *p;
			rc = ports_attach(c, v, &p->attach, err);
			if (rc == 0) {
				v->used = true;
				r->opened[r->n_opened++] = p->id;
			}
		} else if (memcmp(&v->cfg.attach, &p->attach, sizeof(p->attach)) != 0) {
			note(r, "attachment changed:", p->name);
			rc = r->dry ? 0 : replace_attachment(r, v, p, err);
		} else if (memcmp(&v->cfg, p, sizeof(*p)) != 0) {
			note(r, "properties changed:", p->name);
		}
		if (rc != 0)
			say_where(r->next, p, err);
	}
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (c->vports[i].used && port_by_id(r->next, i) == NULL)
			note(r, "port removed:", c->vports[i].cfg.name);
	}
	return rc;
}

// ---- both ways out

static void
undo(struct reload *r)
{
	struct control *c = r->c;
	struct sl_err err;
	uint32_t i;

	for (i = 0; i < r->n_added; i++)
		rule_book_del(c->book[r->added[i].sw], r->added[i].id);
	for (i = r->n_opened; i-- > 0;) {
		struct control_vport *v = &c->vports[r->opened[i]];

		take_off(c, v);
		memset(v, 0, sizeof(*v));
	}
	for (i = r->n_changed; i-- > 0;) {
		struct control_vport *v = &c->vports[r->changed[i].id];

		sl_err_init(&err);
		take_off(c, v);
		if (ports_attach(c, v, &r->changed[i].attach, &err) != 0)
			sl_log(c->log, SL_LOG_ERR,
				"port %s: its old attachment does not open again: %s",
				r->changed[i].name, err.text);
	}
	if (!r->dry)
		apply_decisions(c);
}

static void
second_half(struct reload *r)
{
	struct control *c = r->c;
	struct config *old = c->cfg;
	struct offload_cfg oc;
	struct sl_err err;
	uint32_t i, k;

	sl_err_init(&err);
	c->cfg = r->next;
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct config_port *p = port_by_id(r->next, (uint16_t)i);
		struct control_vport *v = &c->vports[i];

		if (v->used && p == NULL) {
			macs_flush(c, v->cfg.sw, (int)i, -1);
			take_off(c, v);
			memset(v, 0, sizeof(*v));
		} else if (v->used) {
			v->cfg = *p;
			if (v->port != NULL)
				v->port->mtu = p->mtu;
		}
	}
	for (i = 0; i < r->next->n_switches; i++) {
		for (k = 0; k < r->n_gone[i]; k++)
			rule_book_del(c->book[i], r->gone[i][k]);
		if (rule_book_refresh(c->book[i], &err) != 0)
			sl_log(c->log, SL_LOG_ERR, "%s: %s", r->next->switches[i].name, err.text);
		c->rules_dirty[i] = true;
	}
	for (i = 0; i < r->next->n_tables; i++)
		rule_book_table_default(c->book[r->next->tables[i].sw], r->next->tables[i].id,
			&r->next->tables[i].fallback, &err);
	sl_log_set_level(c->log, r->next->log_level);
	oc = offload_run_cfg(c);
	offload_reconfigure(c->offload, &oc);
	apply_decisions(c);
	config_free(old);
}

int
apply_reload(struct control *c, struct config *next, bool dry, json_t *changes, struct sl_err *err)
{
	struct reload *r = calloc(1, sizeof(*r));
	uint16_t i;
	int rc;

	if (r == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	*r = (struct reload){.c = c, .next = next, .dry = dry, .changes = changes};
	r->added = calloc(next->n_rules + 1, sizeof(*r->added));
	rc = r->added == NULL ? sl_err_set(err, ENOMEM, NULL, "out of memory")
			      : check_fixed(c->cfg, next, err);
	if (rc == 0 && memcmp(&c->cfg->offload, &next->offload, sizeof(next->offload)) != 0)
		note(r, "offload settings", "changed");
	if (rc == 0 && c->cfg->log_level != next->log_level)
		note(r, "log level:", sl_log_level_name(next->log_level));
	if (rc == 0)
		note_tables(r);
	for (i = 0; rc == 0 && i < next->n_switches; i++)
		rc = rules_first_half(r, i, err);
	if (rc == 0)
		rc = ports_first_half(r, err);
	if (rc != 0)
		undo(r);
	else if (!dry)
		second_half(r);
	for (i = 0; i < DP_SWITCHES_MAX; i++)
		free(r->gone[i]);
	free(r->added);
	free(r);
	return rc;
}

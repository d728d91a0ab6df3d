// SPDX-License-Identifier: BSD-3-Clause
#include "apply/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/apply.h"
#include "guest/channels.h"
#include "place/hints.h"
#include "place/offload_run.h"
#include "work/resize.h"

void
reload_note(struct reload *r, const char *what, const char *name)
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

static bool
same_classes(const struct config *a, const struct config *b)
{
	uint8_t i;

	for (i = 0; i < a->n_classes && i < b->n_classes; i++) {
		const struct config_class *x = &a->classes[i], *y = &b->classes[i];

		if (strcmp(x->name, y->name) != 0 || x->level != y->level ||
			x->weight != y->weight || x->depth != y->depth)
			return false;
	}
	return a->n_classes == b->n_classes;
}

// What a running process cannot change, with the reason for people.
static int
check_fixed(const struct config *a, const struct config *b, struct sl_err *err)
{
	uint16_t i;

	if (strcmp(a->socket, b->socket) != 0 || strcmp(a->socket_ro, b->socket_ro) != 0)
		return sl_err_set(
			err, EBUSY, "/control", "the control sockets change at a restart only");
	if (a->n_eal != b->n_eal || memcmp(a->eal, b->eal, sizeof(a->eal)) != 0 ||
		a->n_drivers != b->n_drivers ||
		memcmp(a->drivers, b->drivers, sizeof(a->drivers)) != 0)
		return sl_err_set(
			err, EBUSY, "/eal", "EAL arguments and drivers change at a restart only");
	if (a->mbufs != b->mbufs || a->sleep_after != b->sleep_after)
		return sl_err_set(
			err, EBUSY, "/datapath", "mbufs and sleep_after change at a restart only");
	if (!same_classes(a, b))
		return sl_err_set(err, EBUSY, "/classes",
			"classes change at a restart only, but for their rates: rings are built "
			"from "
			"them");
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

// The caches that a reload needs are made also when it is dry: there is no other way to know that
// there is room for them.
static int
prepare_flows(struct reload *r, struct sl_err *err)
{
	const uint32_t was = r->c->cfg->flows, flows = r->next->flows;
	char text[64];
	int rc;

	if (was == flows)
		return 0;
	snprintf(text, sizeof(text), "%u to %u", was, flows);
	reload_note(r, "flows in each worker's cache:", text);
	rc = resize_prepare(r->c, flows, err);
	r->resizes = rc == 0;
	return rc;
}

static void
undo(struct reload *r)
{
	if (r->resizes)
		resize_cancel(r->c);
	if (r->dry) {
		reload_rules_undo(r); // all else was looked at only
		return;
	}
	reload_ports_undo(r);
	reload_rules_undo(r);
	reload_extensions_undo(r);
	apply_decisions(r->c);
}

static void
second_half(struct reload *r)
{
	struct control *c = r->c;
	struct config *old = c->cfg;
	struct offload_cfg oc;
	struct sl_err err;

	sl_err_init(&err);
	reload_ports_remove(r);
	reload_ports_second(r);
	reload_rules_second(r);
	reload_extensions_second(r);
	hints_keep(c, r->next);
	c->cfg = r->next;
	if (r->resizes)
		resize_begin(c);
	sl_log_set_level(c->log, r->next->log_level);
	oc = offload_run_cfg(c->cfg, c->n_workers);
	offload_reconfigure(c->offload, &oc);
	if (offload_run_policy(c) != 0)
		sl_log(c->log, SL_LOG_ERR, "out of memory: the old policy stays in force");
	if (apply_decisions(c) != 0)
		sl_log(c->log, SL_LOG_ERR,
			"out of memory: the reload comes into force with the next change");
	hints_again(c);
	// One that cannot be opened is no reason to take the rest back: it is tried again at the
	// next reload.
	if (channels_apply(c, &err) != 0)
		sl_log(c->log, SL_LOG_WARN, "%s", err.text);
	config_free(old);
}

// Both are made by the same parser from zeroed memory.
static bool
same_policy(const struct config *a, const struct config *b)
{
	return a->n_policies == b->n_policies &&
	       (a->n_policies == 0 ||
		       memcmp(a->policies, b->policies, a->n_policies * sizeof(*a->policies)) == 0);
}

static bool
same_limits(const struct config *a, const struct config *b)
{
	uint16_t i;

	for (i = 0; i < a->n_vms && i < b->n_vms; i++) {
		const struct config_vm *x = &a->vms[i], *y = &b->vms[i];

		if (x->min_queues != y->min_queues || x->max_queues != y->max_queues ||
			x->min_entries != y->min_entries || x->max_entries != y->max_entries ||
			x->min_inserts != y->min_inserts || x->max_inserts != y->max_inserts)
			return false;
	}
	return true;
}

// Of VMs and classes; a port's is one of its properties.
static bool
same_rates(const struct config *a, const struct config *b)
{
	uint16_t i;

	for (i = 0; i < a->n_vms && i < b->n_vms; i++) {
		if (a->vms[i].rate_bps != b->vms[i].rate_bps ||
			a->vms[i].burst_bytes != b->vms[i].burst_bytes)
			return false;
	}
	for (i = 0; i < a->n_classes && i < b->n_classes; i++) {
		if (a->classes[i].rate_bps != b->classes[i].rate_bps ||
			a->classes[i].burst_bytes != b->classes[i].burst_bytes)
			return false;
	}
	return true;
}

// Of what may change: the rest is check_fixed's.
static bool
same_datapath(const struct config *a, const struct config *b)
{
	return a->idle_ms == b->idle_ms && a->insert_budget == b->insert_budget &&
	       a->tx_hold_us == b->tx_hold_us;
}

int
apply_reload(struct control *c, struct config *next, bool dry, json_t *changes, struct sl_err *err)
{
	struct reload *r = calloc(1, sizeof(*r));
	uint16_t i;
	int rc;

	if (r == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	r->c = c;
	r->next = next;
	r->dry = dry;
	r->changes = changes;
	r->added = calloc(next->n_rules + 1, sizeof(*r->added));
	rc = r->added == NULL ? sl_err_set(err, ENOMEM, NULL, "out of memory")
			      : check_fixed(c->cfg, next, err);
	if (rc == 0 && memcmp(&c->cfg->offload, &next->offload, sizeof(next->offload)) != 0)
		reload_note(r, "offload settings", "changed");
	if (rc == 0 && !same_policy(c->cfg, next))
		reload_note(r, "placement policy", "changed");
	if (rc == 0 && !same_limits(c->cfg, next))
		reload_note(r, "limits of VMs", "changed");
	if (rc == 0 && !same_rates(c->cfg, next))
		reload_note(r, "rates of VMs or classes", "changed");
	if (rc == 0 && !same_datapath(c->cfg, next))
		reload_note(r, "datapath settings", "changed");
	if (rc == 0 && memcmp(&c->cfg->balance, &next->balance, sizeof(next->balance)) != 0)
		reload_note(r, "balance of queues", "changed");
	if (rc == 0 && c->cfg->log_level != next->log_level)
		reload_note(r, "log level:", sl_log_level_name(next->log_level));
	if (rc == 0)
		rc = prepare_flows(r, err);
	if (rc == 0)
		rc = reload_rules_first(r, err);
	if (rc == 0)
		rc = reload_extensions_first(r, err);
	if (rc == 0)
		rc = reload_ports_first(r, err);
	if (rc != 0 || dry)
		undo(r);
	else
		second_half(r);
	for (i = 0; i < DP_SWITCHES_MAX; i++)
		free(r->gone[i]);
	free(r->added);
	free(r);
	return rc;
}

int
reload_file(struct control *c, const char *file, bool check, json_t *changes, struct sl_err *err)
{
	char text[SL_ERR_PATH_MAX + SL_ERR_TEXT_MAX + 4];
	struct config *next = NULL;
	int rc = config_load(file, c->cfg, &next, err);

	if (rc == 0)
		rc = apply_reload(c, next, check, changes, err);
	if (rc != 0 || check)
		config_free(next);
	if (rc != 0)
		sl_log(c->log, SL_LOG_WARN, "reload of %s refused: %s", file,
			sl_err_str(err, text, sizeof(text)));
	else if (!check)
		sl_log(c->log, SL_LOG_INFO, "%s reloaded, %zu changes", file,
			json_array_size(changes));
	return rc;
}

void
reload_when_asked(struct control *c)
{
	struct sl_err err;
	json_t *changes;

	if (!atomic_exchange(&c->reload_asked, false))
		return;
	sl_err_init(&err);
	changes = json_array();
	reload_file(c, c->config_path, false, changes, &err);
	json_decref(changes);
}

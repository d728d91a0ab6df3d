// SPDX-License-Identifier: BSD-3-Clause
#include "apply/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failover/failover.h"
#include "nic/probe.h"
#include "place/offload_run.h"
#include "place/placements.h"
#include "device/ports.h"
#include "publish.h"
#include "switch/extensions.h"
#include "switch/rule_book.h"

int
apply_decisions(struct control *c)
{
	int rc = publish(c, true);

	if (rc != 0)
		return rc;
	offload_run_redecide(c);
	// Lanes that were compiled anew are seen by all workers from here on.
	dp_synchronize(c->dp);
	placements_retire(c);
	return 0;
}

int
apply_leave(struct control *c, const uint16_t *ids, uint16_t n)
{
	struct dp_port **ports = calloc(n + 1u, sizeof(struct dp_port *));
	uint16_t i, any = 0;
	int rc = ports != NULL ? 0 : -ENOMEM;

	for (i = 0; rc == 0 && i < n; i++) {
		ports[i] = ports_detach(c, &c->vports[ids[i]]);
		any += ports[i] != NULL;
	}
	if (rc == 0 && any > 0)
		rc = publish(c, true);
	for (i = 0; rc != 0 && ports != NULL && i < n; i++) {
		if (ports[i] != NULL)
			c->vports[ids[i]].port = ports[i];
	}
	if (rc == 0 && any > 0)
		offload_run_redecide(c);
	for (i = 0; rc == 0 && i < n; i++) {
		if (ports[i] != NULL)
			ports_close(c, &c->vports[ids[i]], ports[i]);
	}
	free(ports);
	return rc;
}

// ---- start

static int
start_nics(struct control *c, struct sl_err *err)
{
	const struct nic_env env = {
		.cfg = c->cfg, .log = c->log, .n_workers = c->n_workers, .wake_fd = c->wake_fd};
	struct offload_nic_cfg *oc = calloc(1, sizeof(*oc));
	uint16_t i;
	int rc = oc != NULL ? 0 : -ENOMEM;

	for (i = 0; rc == 0 && i < c->cfg->n_nics; i++) {
		rc = nic_open(&env, i, &c->nics[i], err);
		if (rc != 0)
			break;
		nic_probe(c->nics[i], c->log);
		nic_offload_cfg(c->nics[i], &c->cfg->nics[i], c->n_workers, oc);
		rc = offload_nic_add(c->offload, i, oc);
	}
	free(oc);
	return rc == 0 ? 0
		       : sl_err_set(
				 err, rc, NULL, "the NICs could not be set up: %s", strerror(-rc));
}

static int
add_vport(struct control *c, const struct config_port *cfg, struct sl_err *err)
{
	struct control_vport *v = &c->vports[cfg->id];
	int rc;

	memset(v, 0, sizeof(*v));
	v->cfg = *cfg;
	v->used = true;
	rc = ports_attach(c, v, &cfg->attach, err);
	if (rc != 0)
		memset(v, 0, sizeof(*v));
	return rc;
}

void
apply_say_rule(const struct config_rule *rule, struct sl_err *err)
{
	char place[64];

	snprintf(place, sizeof(place), "/switches/%u/rules/%u%s", rule->sw, rule->id,
		err->path[0] != '\0' ? "/" : "");
	sl_err_prefix(err, place);
}

static int
start_switch(struct control *c, uint16_t sw, struct sl_err *err)
{
	uint32_t i, id;
	int rc = rule_book_new(c, sw, &c->book[sw], err);

	for (i = 0; rc == 0 && i < c->cfg->n_tables; i++) {
		if (c->cfg->tables[i].sw == sw)
			rc = rule_book_table_default(c->book[sw], c->cfg->tables[i].id,
				&c->cfg->tables[i].fallback, err);
	}
	for (i = 0; rc == 0 && i < c->cfg->n_rules; i++) {
		if (c->cfg->rules[i].sw != sw)
			continue;
		rc = rule_book_add(c->book[sw], &c->cfg->rules[i], true, &id, err);
		if (rc != 0)
			apply_say_rule(&c->cfg->rules[i], err);
	}
	if (rc == 0 && dp_rule_counts_new(c->dp, sw, rule_book_max(c->book[sw])) != 0)
		rc = sl_err_set(err, ENOMEM, NULL, "out of memory for rule counters");
	return rc;
}

int
apply_start(struct control *c, struct sl_err *err)
{
	uint16_t i;
	int rc = start_nics(c, err);

	if (rc == 0)
		rc = failover_new(c, err);
	for (i = 0; rc == 0 && i < c->cfg->n_ports; i++) {
		char path[48];

		rc = add_vport(c, &c->cfg->ports[i], err);
		snprintf(path, sizeof(path), "port %s", c->cfg->ports[i].name);
		if (rc != 0 && err->path[0] == '\0')
			sl_err_prefix(err, path);
	}
	for (i = 0; rc == 0 && i < c->cfg->n_switches; i++)
		rc = start_switch(c, i, err);
	if (rc == 0)
		rc = extensions_start(c, err);
	if (rc == 0 && publish(c, true) != 0)
		rc = sl_err_set(err, ENOMEM, NULL, "out of memory");
	return rc;
}

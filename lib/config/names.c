// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

// Names and ids of one switch, for the text syntax of rules.

static int
port_id(void *ctx, const char *name)
{
	const struct config_names *n = ctx;

	for (uint16_t i = 0; i < n->cfg->n_ports; i++) {
		if (n->cfg->ports[i].sw == n->sw && strcmp(n->cfg->ports[i].name, name) == 0)
			return n->cfg->ports[i].id;
	}
	return -ENOENT;
}

static const char *
port_name(void *ctx, uint16_t id)
{
	const struct config_names *n = ctx;

	for (uint16_t i = 0; i < n->cfg->n_ports; i++) {
		if (n->cfg->ports[i].sw == n->sw && n->cfg->ports[i].id == id)
			return n->cfg->ports[i].name;
	}
	return NULL;
}

static int
class_id(void *ctx, const char *name)
{
	const struct config_names *n = ctx;

	for (uint16_t i = 0; i < n->cfg->n_classes; i++) {
		if (strcmp(n->cfg->classes[i].name, name) == 0)
			return i;
	}
	return -ENOENT;
}

static const char *
class_name(void *ctx, uint16_t id)
{
	const struct config_names *n = ctx;

	return id < n->cfg->n_classes ? n->cfg->classes[id].name : NULL;
}

// By name or, for tables without one, by number.
static int
table_id(void *ctx, const char *name)
{
	const struct config_names *n = ctx;
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	bool is_number = name[0] >= '0' && name[0] <= '9' && *end == '\0';

	for (uint16_t i = 0; i < n->cfg->n_tables; i++) {
		const struct config_table *t = &n->cfg->tables[i];

		if (t->sw == n->sw && (is_number ? t->id == number : strcmp(t->name, name) == 0))
			return t->id;
	}
	return -ENOENT;
}

static const char *
table_name(void *ctx, uint16_t id)
{
	const struct config_names *n = ctx;

	for (uint16_t i = 0; i < n->cfg->n_tables; i++) {
		const struct config_table *t = &n->cfg->tables[i];

		if (t->sw == n->sw && t->id == id && t->name[0] != '\0')
			return t->name;
	}
	return NULL;
}

void
config_flow_names(struct config_names *ctx, struct flow_names *out)
{
	*out = (struct flow_names){
		.ctx = ctx,
		.port_id = port_id,
		.port_name = port_name,
		.class_id = class_id,
		.class_name = class_name,
		.table_id = table_id,
		.table_name = table_name,
	};
}

const struct config_port *
config_port_by_name(const struct config *cfg, const char *name)
{
	for (uint16_t i = 0; i < cfg->n_ports; i++) {
		if (strcmp(cfg->ports[i].name, name) == 0)
			return &cfg->ports[i];
	}
	return NULL;
}

int
config_switch_by_name(const struct config *cfg, const char *name)
{
	for (uint16_t i = 0; i < cfg->n_switches; i++) {
		if (strcmp(cfg->switches[i].name, name) == 0)
			return i;
	}
	return -ENOENT;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/known.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define QUOTE_MAX 60 // bytes of the client's text that an error repeats

void
known_init(struct known *k, const char *name)
{
	k->n = k->listed = k->nameless = 0;
	k->list[0] = '\0';
	sl_near_init(&k->near, name != NULL ? name : "");
}

void
known_add(struct known *k, const char *name)
{
	const size_t used = strlen(k->list), len = strlen(name);

	if (len == 0) {
		k->nameless++;
		return;
	}
	sl_near_try(&k->near, name);
	if (k->n++ == k->listed && used + len + 3 <= sizeof(k->list)) {
		snprintf(k->list + used, sizeof(k->list) - used, "%s%s", k->listed > 0 ? ", " : "",
			name);
		k->listed++;
	}
}

int
known_fail(const struct known *k, const char *arg, const char *what, struct sl_err *err)
{
	const char *name = k->near.word;
	char more[48] = "";

	if (k->n + k->nameless == 0)
		return sl_err_set(err, ENOENT, arg, "there is no %s named \"%.*s\": there is none",
			what, QUOTE_MAX, name);
	if (k->nameless > 0)
		snprintf(more, sizeof(more), "%s%u without a name", k->n > 0 ? " and " : "",
			k->nameless);
	if (k->listed == k->n)
		return sl_err_set(err, ENOENT, arg, "there is no %s named \"%.*s\", there %s %s%s",
			what, QUOTE_MAX, name, k->n + k->nameless == 1 ? "is" : "are", k->list,
			more);
	if (k->near.best != NULL)
		return sl_err_set(err, ENOENT, arg,
			"there is no %s named \"%.*s\", is \"%s\" meant?", what, QUOTE_MAX, name,
			k->near.best);
	return sl_err_set(err, ENOENT, arg, "there is no %s named \"%.*s\", there are %u: %s, ..",
		what, QUOTE_MAX, name, k->n, k->list);
}

int
no_port(const struct control *c, const char *name, struct sl_err *err)
{
	struct known k;

	known_init(&k, name);
	for (unsigned i = 0; i < DP_VPORTS_MAX; i++) {
		if (c->vports[i].used)
			known_add(&k, c->vports[i].cfg.name);
	}
	return known_fail(&k, "port", "port", err);
}

int
no_vm(const struct control *c, const char *name, struct sl_err *err)
{
	struct known k;

	known_init(&k, name);
	for (unsigned i = 0; i < c->cfg->n_vms; i++)
		known_add(&k, c->cfg->vms[i].name);
	return known_fail(&k, "vm", "VM", err);
}

int
no_nic(const struct control *c, const char *name, struct sl_err *err)
{
	struct known k;

	known_init(&k, name);
	for (unsigned i = 0; i < c->cfg->n_nics; i++)
		known_add(&k, c->cfg->nics[i].name);
	return known_fail(&k, "nic", "NIC", err);
}

int
no_switch(const struct control *c, const char *name, struct sl_err *err)
{
	struct known k;

	known_init(&k, name);
	for (unsigned i = 0; i < c->cfg->n_switches; i++)
		known_add(&k, c->cfg->switches[i].name);
	return known_fail(&k, "switch", "switch", err);
}

int
no_class(const struct control *c, const char *name, struct sl_err *err)
{
	struct known k;

	known_init(&k, name);
	for (unsigned i = 0; i < c->cfg->n_classes; i++)
		known_add(&k, c->cfg->classes[i].name);
	return known_fail(&k, "class", "class", err);
}

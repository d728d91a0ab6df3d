// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_RELOAD_H
#define SLUICE_CONTROL_RELOAD_H

#include <jansson.h>

#include "state.h"

// What the files of a reload share. A reload has two halves: what can fail comes first and can be
// undone (new rules, new and changed attachments); what cannot fail follows (properties, removals),
// and one publish puts all in force. Thread safety: owner thread only (control).

struct reload {
	struct control *c;
	struct config *next;
	bool dry;
	bool resizes;    // the workers' caches, prepared
	json_t *changes; // notes for people
	struct reload_rule {
		uint16_t sw;
		uint32_t id;
	} * added; // rules, to be deleted again on failure
	uint32_t n_added;
	uint32_t *gone[DP_SWITCHES_MAX]; // rules that next does not have
	uint32_t n_gone[DP_SWITCHES_MAX];
	uint16_t opened[DP_VPORTS_MAX]; // vports that are new
	uint16_t n_opened;
	struct config_port
		taken[DP_VPORTS_MAX]; // as they were: vports whose attachment was taken off
	uint16_t n_taken;
	struct extension *bound[CONFIG_EXTENSIONS_MAX * DP_SWITCHES_MAX]; // of next, in its order
	bool opened_now[CONFIG_EXTENSIONS_MAX * DP_SWITCHES_MAX];         // which of them are new
};

// The command `config reload`, by that file (check: only judges it), with the outcome in the log.
int reload_file(
	struct control *c, const char *file, bool check, json_t *changes, struct sl_err *err);
void reload_when_asked(struct control *c); // by control_reload()

void reload_note(struct reload *r, const char *what, const char *name);

// reload_rules.c
int reload_rules_first(struct reload *r, struct sl_err *err);
void reload_rules_undo(struct reload *r);
void reload_rules_second(struct reload *r);

// reload_extensions.c
int reload_extensions_first(struct reload *r, struct sl_err *err);
void reload_extensions_undo(struct reload *r);
void reload_extensions_second(struct reload *r);

// reload_ports.c
int reload_ports_first(struct reload *r, struct sl_err *err);
void reload_ports_undo(struct reload *r);
// Removals, while the old configuration still holds.
void reload_ports_remove(struct reload *r);
// Properties of those that stay.
void reload_ports_second(struct reload *r);

#endif

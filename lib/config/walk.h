// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONFIG_WALK_H
#define SLUICE_CONFIG_WALK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "fields.h"

// The parse in three passes over one struct: walk (JSON to values, by the field table), check (what
// names what), rules (texts of matches and actions). All report into the same list of faults.
// Thread safety: owner thread only.

#define WALK_PATH_MAX 256

// A rule's or table's text, kept until all that it may name is known.
struct walk_text {
	json_t *match;   // referenced
	json_t *actions; // referenced
};

struct walk {
	struct config *cfg;
	const struct config *old; // may be NULL
	const char *origin;
	struct config_faults *faults;
	unsigned n_faults;        // in all, also those that the list has no room for
	char path[WALK_PATH_MAX]; // JSON pointer of what is being read
	size_t path_len;
	uint16_t sw;                   // index of the switch that is being read
	bool vms_given;                // "vms" is there: ports may name only those
	struct walk_text *rule_texts;  // one for each rule
	struct walk_text *table_texts; // one for each table (actions)
};

// One fault at the current path (or at the path below it that `at` says, "/vf"; NULL: itself).
void walk_fault(struct walk *w, const char *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
// "text", "a number", ..: what value is, for messages.
const char *walk_kind(const json_t *value);
// Goes one step down; returns what walk_up needs.
size_t walk_down(struct walk *w, const char *key);
size_t walk_down_index(struct walk *w, size_t index);
void walk_up(struct walk *w, size_t mark);

void walk_object(struct walk *w, const struct object_type *type, const json_t *value, void *base);
// One value of a general kind.
void walk_value(struct walk *w, const struct field *f, const json_t *value, void *base);
// Adds an element; NULL (with a fault) when there are too many.
void *walk_append(struct walk *w, const struct list_type *list);

void check_standby(struct walk *w, uint16_t nic); // standby.c; at the NIC's place
void check_standby_port(struct walk *w, const struct config_port *port); // at the port's
void check_miss(struct walk *w, const struct config_port *port);         // through_vm.c; likewise
void check_all(struct walk *w);
void assign_port_ids(struct walk *w);
void keep_vm_order(struct walk *w); // when all is checked, before rules name VMs
void parse_rules(struct walk *w);
void parse_policies(struct walk *w); // after keep_vm_order too

#endif

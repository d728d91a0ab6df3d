// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_ASKED_H
#define SLUICE_CONTROL_ASKED_H

#include "base/err.h"
#include "config/config.h"
#include "rules/rules.h"

// What the rules of a switch ask besides a packet's key (rules/rules.h): each extension, and each
// match on what is inside a tunnel, has a bit while a rule asks it. Those that ask the same share
// it. Thread safety: owner thread only (control).

struct asked_list { // zero: nothing is asked
	struct asked {
		char name[CONFIG_NAME_MAX];    // of the extension
		struct flow_inner_match inner; // asked: this, and no extension
		uint32_t rules;                // that ask it, 0: free
	} list[RULES_ASK_EXTENSIONS];
};

// A rule comes: fails with nothing changed. -ENOSPC.
int asked_add(struct asked_list *l, const struct config_rule *rule, struct sl_err *err);
// A rule that came goes.
void asked_drop(struct asked_list *l, const struct config_rule *rule);
// RULES_ASK_* of a rule that came.
uint16_t asked_bits(const struct asked_list *l, const struct config_rule *rule);

// A match on what is inside needs a tunnel outside: adds to the match that one mask can say of it,
// so that other packets do not meet the rule, in the host or in a NIC.
void asked_narrow(const struct flow_inner_match *inner, struct flow_match *m);

// The extension that RULES_ASK_EXTENSION(i) asks; NULL: none.
const char *asked_extension(const struct asked_list *l, unsigned i);
// What it asks of the inside of tunnels; .asked is false: nothing.
const struct flow_inner_match *asked_inner(const struct asked_list *l, unsigned i);

#endif

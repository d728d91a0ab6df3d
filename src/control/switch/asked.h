// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_ASKED_H
#define SLUICE_CONTROL_ASKED_H

#include "base/err.h"
#include "config/config.h"
#include "rules/rules.h"

// What the rules of a switch ask besides a packet's key (rules/rules.h): each extension, and each
// match on what is inside a tunnel, has a place, which is a bit, while a rule asks it. Those that
// ask the same share it. A place all of whose rules leave (rule_book.h, rule_book_leaves) is for
// new ones already, so that rules can be replaced where there is no place more. Thread safety:
// owner thread only (control).

struct asked {
	char name[CONFIG_NAME_MAX];    // of the extension
	struct flow_inner_match inner; // asked: this, and no extension
	uint32_t rules;                // that ask it, 0: free
	uint32_t leaving;              // of those
};

struct asked_list { // zero: nothing is asked
	struct asked list[RULES_ASK_EXTENSIONS];
	struct asked left[RULES_ASK_EXTENSIONS]; // its rules leave, and the place is another's
};

struct asked_places { // of one rule
	uint8_t extension, inner;
};

// A rule comes: fails with nothing changed. -ENOSPC.
int asked_add(struct asked_list *l, const struct config_rule *rule, struct asked_places *at,
	struct sl_err *err);
// A rule that came goes; leaves: as asked_leave was told last. Where it was alone, the place is
// again that of those that left it to the rule, if they have not gone.
void asked_drop(struct asked_list *l, const struct config_rule *rule, const struct asked_places *at,
	bool leaves);
// A rule that came will go, or stays after all; each alternates.
void asked_leave(struct asked_list *l, const struct config_rule *rule,
	const struct asked_places *at, bool on);
// RULES_ASK_* of a rule that came.
uint16_t asked_bits(const struct config_rule *rule, const struct asked_places *at);

// A match on what is inside needs a tunnel outside: adds to the match that one mask can say of it,
// so that other packets do not meet the rule, in the host or in a NIC.
void asked_narrow(const struct flow_inner_match *inner, struct flow_match *m);

// The extension that RULES_ASK_EXTENSION(i) asks; NULL: none.
const char *asked_extension(const struct asked_list *l, unsigned i);
// What it asks of the inside of tunnels; .asked is false: nothing.
const struct flow_inner_match *asked_inner(const struct asked_list *l, unsigned i);

#endif

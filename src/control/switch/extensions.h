// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_EXTENSIONS_H
#define SLUICE_CONTROL_EXTENSIONS_H

#include "ext/chain.h"
#include "state.h"

// The extensions of the switches, in order. Edits are in force once published; an extension that
// is taken out is closed by the publish that no worker has it after. Thread safety: owner thread
// only (control).

struct extension {
	struct config_extension cfg;
	struct ext *ext;
	bool from_config;       // else added live
	struct extension *next; // of those that are closed later
};

// Opens those of the configuration.
int extensions_start(struct control *c, struct sl_err *err);
void extensions_fini(struct control *c); // no worker runs

// Opens cfg and puts it before the one of that name (NULL: at the end). -EEXIST, -ENOSPC, -ENOENT
// (before), what ext_open says. Fails with nothing changed.
int extensions_add(struct control *c, const struct config_extension *cfg, const char *before,
	struct sl_err *err);
// -ENOENT, -EBUSY (a rule matches by it).
int extensions_remove(struct control *c, uint16_t sw, const char *name, struct sl_err *err);
// before: of the same point, NULL: to the end. -ENOENT, -EINVAL.
int extensions_move(
	struct control *c, uint16_t sw, const char *name, const char *before, struct sl_err *err);

// The i-th of a switch, in order; NULL behind the last.
const struct extension *extensions_get(const struct control *c, uint16_t sw, unsigned i);
const struct extension *extensions_find(const struct control *c, uint16_t sw, const char *name);
// Its place among those of its point, from 1.
unsigned extensions_order(const struct control *c, const struct extension *x);

// For reload_extensions.c: one that is bound nowhere yet; and the whole list of a switch anew,
// where those that are left out are closed later.
int extension_open(struct control *c, const struct config_extension *cfg, struct extension **out,
	struct sl_err *err);
void extension_close(struct extension *x);
void extensions_set(struct control *c, uint16_t sw, struct extension *const *list, unsigned n);

// For a snapshot. False: there is none (those that rules match by are not of it).
bool extensions_chain(const struct control *c, uint16_t sw, struct ext_chain *out);
// The extension of that name that rules can match by; NULL: there is none. name may be NULL.
struct ext *extensions_matcher(const struct control *c, uint16_t sw, const char *name);
// No worker has what was taken out before the last publish. After each publish.
void extensions_retire(struct control *c);
// One of them answers otherwise now: all flows are to be decided anew. True every 10 ms at most.
bool extensions_ask_again(struct control *c);

#endif

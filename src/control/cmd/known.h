// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_KNOWN_H
#define SLUICE_CONTROL_KNOWN_H

#include "base/near.h"
#include "state.h"

// "There is no port named vm9": and which there are, or, where they are many, which is nearest.
// Thread safety: owner thread only (control).

#define KNOWN_LIST_MAX 128 // bytes of names that an error lists

struct known {
	struct sl_near near;
	unsigned n, listed, nameless;
	char list[KNOWN_LIST_MAX];
};

void known_init(struct known *k, const char *name); // borrowed
// One that there is; "": it has no name. Borrowed.
void known_add(struct known *k, const char *name);
// Sets the error, its place is the argument: "there is no WHAT named .."; -ENOENT.
int known_fail(const struct known *k, const char *arg, const char *what, struct sl_err *err);

// The same for what the configuration has. name NULL: was not given.
int no_port(const struct control *c, const char *name, struct sl_err *err);
int no_vm(const struct control *c, const char *name, struct sl_err *err);
int no_nic(const struct control *c, const char *name, struct sl_err *err);
int no_switch(const struct control *c, const char *name, struct sl_err *err);
int no_class(const struct control *c, const char *name, struct sl_err *err);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_PROFILE_H
#define EMUNIC_PROFILE_H

#include <stddef.h>

#include "mood/moods.h"

// Profiles: limits and moods (moods.h) as a family of real NICs has them (profile=NAME).
//
// One table says what each accepts and its figures, each with the source that it was read from.
// Items and actions are those of the driver's feature matrix in DPDK 22.11 (doc/guides/nics/
// features/*.ini, "rte_flow items" and "rte_flow actions"); all others that this NIC knows are
// refused (refuse=). A limit that the table has no source for is assumed: it keeps the default of
// its argument. Arguments behind profile= override it. config/EMUNIC-PROFILES.md is made from the
// table (ninja update-docs).
// Thread safety: any thread (constants).

struct emu_profile_figure {
	const char *key, *value; // as moods.h has them
	const char *source;
};

struct emu_profile {
	const char *name;
	const char *models;  // for people
	const char *items;   // that it accepts, as the matrix names them, each between spaces
	const char *actions; // likewise
	const char *source;  // of both
	struct emu_profile_figure figures[6]; // up to a key of NULL
};

// The i-th profile; NULL after the last.
const struct emu_profile *emu_profile(unsigned int i);

// Sets the moods that the profile has, and no others. Returns 0, or -EINVAL with a sentence in why.
int emu_profile_apply(const char *name, struct emu_moods *m, char *why, size_t why_len);

#endif

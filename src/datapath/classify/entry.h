// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_ENTRY_H
#define SLUICE_DATAPATH_ENTRY_H

#include <assert.h>
#include <string.h>

#include "act/act.h"
#include "lcore.h"

// A flow's cache entry as the packet path uses it: the program is its value, and the hint says what
// the common case asks of a program, so that it touches one cache line of the flow. Whoever changes
// a program in an entry, or its flags, tells the hint. Thread safety: owner thread only.

#define ENTRY_RULE_MASK 0xffffu // number of the first rule
#define ENTRY_OUT_SHIFT 16      // vport, 8 bits
#define ENTRY_OUT_MASK (0xffu << ENTRY_OUT_SHIFT)
#define ENTRY_PLAIN (1u << 24)   // act_is_plain
#define ENTRY_RULED (1u << 25)   // there is a first rule
#define ENTRY_RULES (1u << 26)   // and there are more
#define ENTRY_MAC_DEP (1u << 27) // DP_PROG_MAC_DEP
#define ENTRY_TOLD (1u << 31)    // flags are not 0, or ENTRY_WAITS (report.h)
#define ENTRY_WAITS (1u << 28)   // to be told, as soon as there is room for it
#define ENTRY_FIELDS (1u << 29)  // decisions on the flow depend on per-packet fields (fields.h)
static_assert(DP_VPORTS_MAX <= 256, "a vport is 8 bits of a hint");

static inline struct cache_more *
entry_more(const struct dp_worker *w, const struct cache_entry *e)
{
	return cache_more(e, w->cache_apart);
}

static inline struct dp_program *
entry_program(const struct dp_worker *w, const struct cache_entry *e)
{
	return (void *)entry_more(w, e)->value;
}

static inline uint16_t
entry_out(const struct cache_entry *e)
{
	return (uint16_t)((e->hint & ENTRY_OUT_MASK) >> ENTRY_OUT_SHIFT);
}

// Its program was changed.
static inline void
entry_changed(const struct dp_worker *w, struct cache_entry *e)
{
	const struct dp_program *prog = entry_program(w, e);
	uint32_t hint = e->hint & (ENTRY_TOLD | ENTRY_WAITS);

	hint |= act_is_plain(prog) ? ENTRY_PLAIN : 0;
	hint |= (uint32_t)(prog->out & 0xff) << ENTRY_OUT_SHIFT;
	hint |= prog->n_rules != 0 ? ENTRY_RULED | prog->rule[0] : 0;
	hint |= prog->n_rules > 1 ? ENTRY_RULES : 0;
	hint |= prog->flags & DP_PROG_MAC_DEP ? ENTRY_MAC_DEP : 0;
	hint |= prog->fields != 0 ? ENTRY_FIELDS : 0;
	e->hint = hint;
}

static inline void
entry_set_program(const struct dp_worker *w, struct cache_entry *e, const struct dp_program *prog)
{
	memcpy(entry_more(w, e)->value, prog, sizeof(*prog));
	entry_changed(w, e);
}

static inline void
entry_set_flags(const struct dp_worker *w, struct cache_entry *e, uint16_t flags)
{
	entry_more(w, e)->flags = flags;
	e->hint = (e->hint & ~ENTRY_TOLD) | (flags != 0 ? ENTRY_TOLD : 0);
}

#endif

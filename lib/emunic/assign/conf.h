// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_ASSIGN_CONF_H
#define EMUNIC_ASSIGN_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "mood/moods.h"

// What a queue group is told, as text ("key=value,key=value"; rte_pmd_emunic.h says what each key
// means) and as figures.
// Thread safety: any thread (no state).

#define EMU_ASSIGN_MAX_FLOWS (1U << 20)
#define EMU_MIX UINT16_MAX // no overflow queue: kinds are mixed

struct emu_assign_conf {
	uint16_t n_queues;
	uint16_t queues[EMU_MAX_QUEUES];
	uint32_t alike;       // RTE_PMD_EMUNIC_ALIKE_*
	uint32_t heavy;       // kbit/s from which a flow gets a queue alone
	uint32_t light;       // kbit/s below which it gives it back; 0: half of heavy
	uint32_t shared_load; // kbit/s on a shared queue above which a kind takes another; 0: never
	uint32_t window;      // ms over which rates are taken
	uint32_t hold;        // ms for which a flow has to be heavy, or light
	uint32_t idle;        // ms after which a flow is forgotten
	uint32_t exclusive_max; // queues with one flow; 0: no limit
	uint32_t shared_max;    // queues with several; 0: no limit
	uint32_t flows;         // that are known at most
	uint16_t overflow;      // queue of those for whose kind there is none, or EMU_MIX
};

void emu_assign_defaults(struct emu_assign_conf *conf);

// Changes what text names; all of it or, with -EINVAL and a sentence in why, nothing.
int emu_assign_parse(struct emu_assign_conf *conf, const char *text, char *why, size_t why_len);

// The same as text that emu_assign_parse takes. len of 1,400 is enough for any.
void emu_assign_text(const struct emu_assign_conf *conf, char *out, size_t len);

// "source+dscp", or "none".
void emu_assign_alike_text(uint32_t alike, char *out, size_t len);

#endif

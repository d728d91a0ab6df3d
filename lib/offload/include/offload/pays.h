// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_PAYS_H
#define SLUICE_OFFLOAD_PAYS_H

#include <stdbool.h>
#include <stdint.h>

// Which rules are worth their entries of a NIC ahead of traffic, and which have their flows placed
// one by one for less.
//
// Problem: one entry of a rule carries any number of flows, and new ones from the first packet on;
// but many rules have next to no traffic, and each holds an entry, with those that cover the rules
// above it. Idea: as long as the table has room, all rules are there. When flows wait for entries,
// an entry is worth what it carries, whoever holds it: a rule stays while it carries as much with
// each of its entries as the least flow that has one (the margin; capacity.c finds it). What a rule
// carries is told by its own counter, of all its packets wherever they went, so that it need not be
// in the NIC to be judged. Where there is not room for all rules, those go first that carry most
// for an entry, and while flows want entries none that carries nothing. As a flow's, its rate is
// the greater one of two time scales, and it has to be clearly better to come back, clearly worse
// to go, two times in a row. Cost: a hash and some sums for each rule and round. Refuses: to judge
// more than AHEAD_PAYS_MAX rules of a NIC (the others are there), and what it has known for less
// than two rounds. Thread safety: owner thread only (control).

#define AHEAD_PAYS_MAX 4096
#define AHEAD_PAYS_CALM_NS UINT64_C(3000000000)  // room for so long, and all rules are there again
#define AHEAD_PAYS_BACK_NS UINT64_C(30000000000) // first pause of what has no counter, doubled

struct ahead_pays;

int ahead_pays_new(struct ahead_pays **out); // 0 or -ENOMEM
void ahead_pays_free(struct ahead_pays *p);
// A round begins. margin and wanted: as offload_nic_margin says. No rule goes as long as no flow
// wants an entry. room: entries that all of them may have.
void ahead_pays_begin(
	struct ahead_pays *p, uint64_t now_ns, double margin, bool wanted, uint32_t room);
// Each rule of the switch that may be ahead of traffic, once in a round. key: its name, which no
// other rule has. bytes: its counter. entries: that it has in the NIC with its covers, 0: none.
// counted: the counter goes on while the rule is not in the NIC.
void ahead_pays_rule(
	struct ahead_pays *p, uint64_t key, uint64_t bytes, uint32_t entries, bool counted);
// The rules that were not named since are forgotten. True: what pays has changed.
bool ahead_pays_end(struct ahead_pays *p);
// Is the rule to be ahead of traffic? One that is not known is while there is room.
bool ahead_pays(const struct ahead_pays *p, uint64_t key);

#endif

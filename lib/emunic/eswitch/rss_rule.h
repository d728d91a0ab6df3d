// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_RSS_RULE_H
#define EMUNIC_RSS_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "mood/moods.h"
#include "eswitch/rss.h"

// The RSS of a rule: which packets, hashed how, to which queues.
//
// A rule with no key of its own takes the port's and with it its table (rss.h); one that has a key
// is hashed bit by bit, which costs some hundred cycles a packet and no 36 KB a rule. As rte_flow
// defines them, the symmetric Toeplitz hash takes source XOR destination for both, and the simple
// one XORs the 32-bit words of the same bytes.
// Thread safety: made by the host, read by the firmware, under the NIC's gate. Shared by reference.

enum emu_rss_func { EMU_RSS_TOEPLITZ, EMU_RSS_SYMMETRIC, EMU_RSS_XOR };

struct emu_rss_rule {
	uint32_t refs;
	uint8_t func; // enum emu_rss_func
	bool own_key;
	uint16_t n_queues;
	uint64_t types; // RTE_ETH_RSS_*
	uint8_t key[EMU_RSS_KEY_LEN];
	uint16_t queues[EMU_MAX_QUEUES];
};

// The queue for p, and its hash where the types cover it (*hashed). One that they do not cover goes
// to the first queue. port: the RSS of the port.
uint16_t emu_rss_rule_queue(const struct emu_rss_rule *r, const struct emu_rss *port,
	const struct emu_pkt *p, uint32_t *hash, bool *hashed);

// Lets go of one reference; the last one frees it. NULL is allowed.
void emu_rss_rule_put(struct emu_rss_rule *r);

#endif

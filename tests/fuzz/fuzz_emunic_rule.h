// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_FUZZ_EMUNIC_RULE_H
#define SLUICE_TESTS_FUZZ_EMUNIC_RULE_H

#include <stddef.h>
#include <stdint.h>

#include <rte_flow.h>

// From the bytes of a fuzzer to rules of rte_flow: any item, any action, any attribute, in any
// order, with their structs filled from the input, and not more wrong than C allows a caller to be:
// every pointer is NULL or leads to a whole struct. Each struct is an allocation of its own, so
// that a driver that reads past one is seen.
// Thread safety: owner thread only.

struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

#define FUZZ_ITEMS 10
#define FUZZ_ACTIONS 8
#define FUZZ_BLOCKS 128

struct fuzz_rule {
	struct rte_flow_attr attr;
	struct rte_flow_item items[FUZZ_ITEMS + 1];
	struct rte_flow_action actions[FUZZ_ACTIONS + 1];
	void *blocks[FUZZ_BLOCKS]; // all that the above points to
	unsigned int n_blocks;
};

// The next byte, the next n bytes; zeros when there are no more.
uint8_t fuzz_byte(struct fuzz_input *in);
void fuzz_bytes(struct fuzz_input *in, void *to, size_t n);

void fuzz_rule_read(struct fuzz_input *in, struct fuzz_rule *rule);
void fuzz_rule_free(struct fuzz_rule *rule);

#endif

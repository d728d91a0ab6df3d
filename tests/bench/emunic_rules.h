// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_EMUNIC_RULES_H
#define SLUICE_BENCH_EMUNIC_RULES_H

#include <stdint.h>

struct rte_flow_error;

// The rules that `bench emunic` measures with: 16 shapes (which prefixes of the addresses, and
// whether the destination port, matter), as many rules of each, all of one priority. Rule i owns a
// /24 of the source and of the destination addresses, so that its packet matches no other rule.
// The shape of number 15 is the one that dpdk-test-flow-perf inserts with --ether --ipv4 --udp.
// Thread safety: any thread (no state).

#define BENCH_SHAPES 16
#define BENCH_RULES_MAX 65536
#define BENCH_FRAME 64

// Creates rule i on an ethdev, ingress: to the queue, or DROP where there is none (negative).
// Returns 0 or -errno.
int bench_rule_create(uint16_t port, uint32_t i, int queue, struct rte_flow_error *error);

// The same in the switch: what enters by what that ethdev represents goes to what `to` represents.
int bench_rule_create_transfer(
	uint16_t port, uint32_t i, uint16_t to, struct rte_flow_error *error);

// A UDP packet that rule i matches; of i from BENCH_RULES_MAX on no rule.
void bench_rule_frame(uint32_t i, uint8_t *frame);

#endif

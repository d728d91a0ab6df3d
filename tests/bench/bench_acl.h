// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_ACL_H
#define SLUICE_BENCH_ACL_H

#include <stdint.h>

#include "classbench.h"

// The same rules and headers through rte_acl, with its best algorithm on this CPU, in bursts of 32.
// Mean cycles of a look-up; below 0 when it cannot be built (said on stderr). Thread safety: init
// only.
double bench_acl_cycles(const struct rules_entry *rules, uint32_t n_rules,
	const struct classbench_header *headers, uint32_t n_headers, uint32_t lookups);

#endif

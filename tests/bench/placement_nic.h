// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_PLACEMENT_NIC_H
#define SLUICE_BENCH_PLACEMENT_NIC_H

#include <stdbool.h>
#include <stdint.h>

// The NIC of the placement benchmark, the same for all policies: an operation takes 1 ms, and of
// insertions at most 5,000 a second begin. Operations end in the order in which they were given, so
// one queue of them is enough. Thread safety: owner thread only.

#define NIC_OP_NS 1000000ULL
#define NIC_INSERT_NS 200000ULL // between the starts of two insertions

struct nic_op {
	uint64_t done_ns;
	uint32_t flow;
	uint32_t tag; // the policy's
	bool insert;
};

struct nic_model {
	struct nic_op *ops; // a ring
	uint32_t first, n, size;
	uint64_t next_insert_ns, last_done_ns;
	uint64_t inserted;
};

int nic_model_init(struct nic_model *n);
void nic_model_fini(struct nic_model *n);
// Gives an operation at time ns. 0 or -ENOMEM.
int nic_model_put(struct nic_model *n, uint64_t ns, uint32_t flow, uint32_t tag, bool insert);
// The next one that has ended by time ns; false: none.
bool nic_model_get(struct nic_model *n, uint64_t ns, struct nic_op *op);
// When the next one ends; UINT64_MAX: none is under way.
uint64_t nic_model_next(const struct nic_model *n);

#endif

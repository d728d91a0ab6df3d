// SPDX-License-Identifier: BSD-3-Clause
#include "qos/account.h"

static uint64_t
read_counter(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

struct qos_held
qos_account_held(const struct qos_account *const *accounts, unsigned n)
{
	uint64_t packets = 0, bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		packets += read_counter(&accounts[i]->charged_packets) -
			   read_counter(&accounts[i]->released_packets);
		bytes += read_counter(&accounts[i]->charged_bytes) -
			 read_counter(&accounts[i]->released_bytes);
	}
	return (struct qos_held){.packets = (int64_t)packets, .bytes = (int64_t)bytes};
}

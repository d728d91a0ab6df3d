// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_GUEST_PORT_H
#define SLUICE_TESTS_GUEST_PORT_H

#include <stdint.h>

// What the guests that are no machines share. Thread safety: owner thread only.

struct rte_mempool;

// One queue each way, of so many descriptors or what the device has. 0, or below 0.
int guest_port_start(uint16_t port, struct rte_mempool *pool, uint16_t descriptors);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_LOAD_H
#define SLUICE_FLOW_LOAD_H

#include <stdint.h>
#include <string.h>

// Integers as they lie in a packet, at any address. Thread safety: any thread (no state).

static inline uint16_t
load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif

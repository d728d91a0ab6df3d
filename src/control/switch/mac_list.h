// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_MAC_LIST_H
#define SLUICE_CONTROL_MAC_LIST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// The learned addresses of one switch: a dense list with an index by (address, VLAN). Open
// addressing, at most half full; a removal closes its gap (Knuth 6.4, algorithm R). Cost: O(1)
// each, about 40 bytes an address. Thread safety: owner thread only (control); `used` is written by
// workers too.

struct mac_learned {
	uint8_t addr[6];
	uint16_t vlan, vport;
	_Atomic uint32_t *used; // tick of the last use
};

struct mac_list {
	struct mac_learned *list;
	uint32_t n, cap;
	uint32_t *slot; // [mask + 1]; index in list plus 1, 0: free
	uint32_t mask;  // 0: there is no index yet
	uint64_t seed;
};

void mac_list_init(struct mac_list *l, uint64_t seed);
// Frees the list, not what `used` points to.
void mac_list_fini(struct mac_list *l);
struct mac_learned *mac_list_find(const struct mac_list *l, const uint8_t addr[6], uint16_t vlan);
// One that is not there yet; vport and used are the caller's to set. NULL: out of memory.
struct mac_learned *mac_list_add(struct mac_list *l, const uint8_t addr[6], uint16_t vlan);
// The last of the list takes the place of the one removed.
void mac_list_del(struct mac_list *l, uint32_t i);

#endif

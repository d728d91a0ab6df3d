// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_VLAN_H
#define SLUICE_DATAPATH_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/snapshot.h"
#include "flow/key.h"

// VLAN modes of ports (IEEE 802.1Q), on the tags alone: what a frame's tags mean at the port where
// it comes in, and what they have to be where it goes out. Thread safety: any thread.

#define VLAN_TAGS_MAX 4

struct vlan_tags { // outermost first
	uint8_t n;
	uint16_t vid[VLAN_TAGS_MAX];
};

void vlan_tags_of_key(const struct flow_key *key, struct vlan_tags *out);
// The VLAN that the frame is in: 0 stands for none.
uint16_t vlan_outer(const struct vlan_tags *t);
bool vlan_push(struct vlan_tags *t, uint16_t vid); // false: no room
void vlan_pop(struct vlan_tags *t);

// Turns the tags of a frame that came in at v into those that it has inside the switch. False: the
// port is not a member.
bool vlan_ingress(const struct dp_vport *v, struct vlan_tags *t);
// Turns the tags inside the switch into those that the frame leaves v with. False: as above.
bool vlan_egress(const struct dp_vport *v, struct vlan_tags *t);
// For a frame in VLAN vid: is v a member, and does it want the outer tag removed?
bool vlan_member(const struct dp_vport *v, uint16_t vid, bool *untag);

#endif

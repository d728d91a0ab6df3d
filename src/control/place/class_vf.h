// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_CLASS_VF_H
#define SLUICE_CONTROL_CLASS_VF_H

#include <jansson.h>

#include "place/ahead_steps.h"

// Class rules whose target is a VM's VF: what comes in by a NIC and belongs to the class goes to
// the VF with no host, new flows too. It is no decision of its own: where the rules of the switch
// send such packets to that VF, and nowhere else, their parts within the class go into the NIC
// ahead of traffic, as with rules_ahead, and nothing but these. The first policy rule that matches
// a flow is its rule here too: what a rule above may match stays with the host.
//
// With rules_ahead all that can be ahead of traffic is, and these with it.
// Thread safety: owner thread only (control).

#define CLASS_VF_ENTRIES 256 // of a NIC, where rules_ahead gives none

bool class_vf_any(const struct control *c);
// Leaves of a port's steps what is in such classes; the rest is the host's. 0 or -ENOMEM.
int class_vf_filter(const struct control *c, uint16_t vport, struct ahead_list *list);
// Does a rule ahead of traffic from vport to vport `out` carry packets of the class?
bool class_vf_has(const struct control *c, const struct config_policy *p, uint16_t vport,
	uint16_t out, const struct flow_match *match);
// Does it carry nothing but those?
bool class_vf_within(const struct control *c, const struct config_policy *p, uint16_t vport,
	uint16_t out, const struct flow_match *match);

#endif

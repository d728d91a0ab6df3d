// SPDX-License-Identifier: BSD-3-Clause
#include "classify/vlan.h"

#include <string.h>

#define VID_MASK 0x0fff

void
vlan_tags_of_key(const struct flow_key *key, struct vlan_tags *out)
{
	memset(out, 0, sizeof(*out));
	while (out->n < 2 && (key->vlan[out->n] & FLOW_VLAN_PRESENT)) {
		out->vid[out->n] = key->vlan[out->n] & VID_MASK;
		out->n++;
	}
}

uint16_t
vlan_outer(const struct vlan_tags *t)
{
	return t->n != 0 ? t->vid[0] : 0;
}

bool
vlan_push(struct vlan_tags *t, uint16_t vid)
{
	if (t->n == VLAN_TAGS_MAX)
		return false;
	memmove(&t->vid[1], &t->vid[0], sizeof(t->vid[0]) * t->n);
	t->vid[0] = vid;
	t->n++;
	return true;
}

void
vlan_pop(struct vlan_tags *t)
{
	if (t->n == 0)
		return;
	t->n--;
	memmove(&t->vid[0], &t->vid[1], sizeof(t->vid[0]) * t->n);
}

static bool
in_trunk(const struct dp_vport *v, uint16_t vid)
{
	return v->trunk == NULL || (v->trunk[vid / 64] >> (vid % 64) & 1) != 0;
}

bool
vlan_ingress(const struct dp_vport *v, struct vlan_tags *t)
{
	uint16_t vid = vlan_outer(t);

	if (v->vlan_mode == DP_VLAN_TRUNK)
		return in_trunk(v, vid);
	if (vid == 0) {
		// Untagged, or a tag that carries a priority alone.
		if (t->n != 0)
			t->vid[0] = v->vlan;
		else
			vlan_push(t, v->vlan);
		return true;
	}
	return vid == v->vlan || (v->vlan_mode == DP_VLAN_NATIVE && in_trunk(v, vid));
}

bool
vlan_member(const struct dp_vport *v, uint16_t vid, bool *untag)
{
	*untag = false;
	if (v->vlan_mode == DP_VLAN_TRUNK)
		return in_trunk(v, vid);
	*untag = vid == v->vlan;
	return *untag || (v->vlan_mode == DP_VLAN_NATIVE && in_trunk(v, vid));
}

bool
vlan_egress(const struct dp_vport *v, struct vlan_tags *t)
{
	bool untag;

	if (!vlan_member(v, vlan_outer(t), &untag))
		return false;
	if (untag)
		vlan_pop(t);
	return true;
}

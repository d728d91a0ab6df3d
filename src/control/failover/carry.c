// SPDX-License-Identifier: BSD-3-Clause
#include "failover/carry.h"

#include <stdio.h>

#include "device/ports.h"
#include "failover/failover.h"

void
carry_where(
	const struct control *c, const struct config_attachment *a, uint16_t *nic, uint16_t *port)
{
	const bool vf = a->kind == CONFIG_ATTACH_VF;

	*nic = failover_carrier(c, a->nic);
	*port = !vf ? 0 : 1 + (*nic == a->nic ? a->vf : config_standby_vf(a));
}

bool
carry_is_of(const struct control_vport *v, uint16_t nic)
{
	const struct config_attachment *a = &v->cfg.attach;

	return v->used && a->nic == nic &&
	       (a->kind == CONFIG_ATTACH_NIC || a->kind == CONFIG_ATTACH_VF);
}

void
carry_text(const struct control *c, const struct control_vport *v, char *buf, size_t len)
{
	const struct config_attachment *a = &v->cfg.attach;
	uint16_t nic, port;

	if (v->port == NULL) {
		snprintf(buf, len, "-");
	} else if (a->kind != CONFIG_ATTACH_NIC && a->kind != CONFIG_ATTACH_VF) {
		ports_attachment_text(c, a, buf, len);
	} else {
		carry_where(c, a, &nic, &port);
		if (port == 0)
			snprintf(buf, len, "%s", c->nics[nic]->name);
		else
			snprintf(buf, len, "%s/vf%u", c->nics[nic]->name, port - 1u);
	}
}

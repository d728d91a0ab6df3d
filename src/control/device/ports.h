// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_PORTS_H
#define SLUICE_CONTROL_PORTS_H

#include "state.h"

// Vports and their attachments: opening, wrapping into the packet path's ports, closing. A change
// is in force once it is published; a port is closed only after the snapshot without it. Thread
// safety: owner thread only (control).

// Opens the attachment of a vport that has none. 0, or -errno with err (nothing changed).
int ports_attach(struct control *c, struct control_vport *v, const struct config_attachment *a,
	struct sl_err *err);
// Takes the attachment off (after this the caller publishes) and gives it back for ports_close.
struct dp_port *ports_detach(struct control *c, struct control_vport *v);
// No worker uses it any more: drops by name what is held for it, closes it.
void ports_close(struct control *c, struct control_vport *v, struct dp_port *port);

// The same for a vport whose NIC is about to be another one (failover/carry.h): opens what carries
// it there, beside what does now; c->ports has it, the vport does not.
int ports_open_nic(
	struct control *c, struct control_vport *v, struct dp_port **out, struct sl_err *err);
// Closes one that no worker uses any more, while another one carries the vport.
void ports_close_device(struct control *c, struct dp_port *port);

// Its MTU changed: tells the device, which may refuse (that is logged).
void ports_set_mtu(struct control *c, struct control_vport *v);

const char *ports_attach_name(enum config_attach kind); // "vhost-user"
// "nic0/vf1", "/run/x.sock", devargs.
void ports_attachment_text(
	const struct control *c, const struct config_attachment *a, char *buf, unsigned long len);

#endif

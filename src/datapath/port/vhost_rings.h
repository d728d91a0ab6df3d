// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_VHOST_RINGS_H
#define SLUICE_DATAPATH_VHOST_RINGS_H

#include "port/vhost.h"

// The rings of our own of a guest, between rte_vhost, which has them set up and asks how far they
// are, and vring.h.
//
// Thread safety: owner thread only (rte_vhost's event thread, with no worker inside the gate).

// A guest has set its device up: its rings begin where rte_vhost says. False: they are not for us.
bool vhost_rings_come(struct vhost_port *v, int vid, uint64_t features);
// After one of its messages: likewise; what is broken stays so.
bool vhost_rings_look(struct vhost_port *v, int vid, uint64_t features);
// rte_vhost knows how far each ring is: it may go on by itself, or tell it.
void vhost_rings_give_back(struct vhost_port *v, int vid);
// What is broken is not any more.
void vhost_rings_mend(struct vhost_port *v);
// rte_vhost has no memory table of a new connection, nor after a message that should have set one
// and failed, and crashes when it is asked for it then. To be told of each message before rte_vhost
// handles it, and when that is done.
void vhost_rings_message(struct vhost_port *v, int vid, const void *msg, bool done);
void vhost_rings_unmapped(struct vhost_port *v, int vid);
// Is the message the one after a migration, which asks to tell the network where the guest is?
// *mac: its address as the first 6 bytes.
bool vhost_message_rarp(const void *msg, uint64_t *mac);

#endif

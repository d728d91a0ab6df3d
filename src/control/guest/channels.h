// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_CHANNELS_H
#define SLUICE_CONTROL_CHANNELS_H

#include "state.h"

struct guest_rate;

// A VM's own channel to the switch: a Unix socket of its configuration (vms/hint_socket), which its
// QEMU joins to a virtio-serial port. The guest gives hints for its own flows there, in the same
// JSON-RPC lines as sluicectl, with a table of commands of its own and nothing else. What comes is
// hostile: few sessions, short lines, names of its own ports only, and so many changes a second.
// What is followed is the policy's to say (vports/hints).
// Thread safety: owner thread only (control).

#define CHANNEL_SESSIONS 4
#define CHANNEL_LINE_MAX 4096
#define CHANNEL_CHANGES 32 // of hints, at once; and as many a second

int channels_new(struct control *c);
void channels_fini(struct control *c);
// Opens and closes sockets so that they are those of c->cfg. A VM whose settings are as they were
// keeps its sessions. -errno of the first that could not be opened: the others are.
int channels_apply(struct control *c, struct sl_err *err);
// Readable when there is something to do.
int channels_fd(const struct control *c);
void channels_poll(struct control *c);
// What the VM has said of late, by its socket or its VF.
struct guest_rate *channels_rate(struct control *c, uint16_t vm);

#endif

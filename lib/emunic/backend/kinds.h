// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_KINDS_H
#define EMUNIC_BACKEND_KINDS_H

#include "backend/backend.h"

// The operations of each built-in kind; one source file each, named after it. They are constants.
// Thread safety: any thread.
const struct emu_backend_ops *emu_backend_sink(void);
const struct emu_backend_ops *emu_backend_generator(void);
const struct emu_backend_ops *emu_backend_replay(void);
const struct emu_backend_ops *emu_backend_ethdev(void);
const struct emu_backend_ops *emu_backend_vhost(void);

#endif

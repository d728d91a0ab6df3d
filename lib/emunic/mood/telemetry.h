// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_TELEMETRY_H
#define EMUNIC_TELEMETRY_H

#include <stdint.h>

#include <rte_common.h>
#include <rte_telemetry.h>

struct emu_nic;

// Commands on DPDK's telemetry socket (DPDK programmer's guide, "Telemetry Library").
//
// They run in telemetry's thread, find a NIC by its name and go on with it, while the application
// may remove it: a command and the removal of a NIC exclude each other.
// Thread safety: any thread.

struct emu_tel_command {
	const char *name;
	telemetry_cb run;
};

// Runs the one of n commands that cmd names.
int emu_tel_run(const struct emu_tel_command *commands, unsigned int n, const char *cmd,
	const char *params, struct rte_tel_data *d);
void emu_tel_add_number(struct rte_tel_data *d, const char *name, uint64_t value);
// The answer to a command that is refused. What it quotes of the command may be anything; it stays
// JSON.
int emu_tel_refuse(struct rte_tel_data *d, const char *fmt, ...) __rte_format_printf(2, 3);
// Takes nic=NAME off the front of *params: the NIC, and one of its ports. NULL after d has the
// error.
struct emu_nic *emu_tel_nic(const char **params, uint16_t *port_id, struct rte_tel_data *d);
// Around the removal of a NIC's ports. The thread that removes may be the one of a command.
void emu_tel_lock(void);
void emu_tel_unlock(void);

#endif

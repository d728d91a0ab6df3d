// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_COMMANDS_H
#define SLUICE_CONTROL_COMMANDS_H

#include <jansson.h>

#include "ctl/command.h"
#include "state.h"

// The handlers of the control commands, one file for each noun (cmd_NOUN.c); names, arguments and
// help are in ctl/commands.c. Thread safety: owner thread only (control).

int commands_bind(struct ctl_command **out, struct sl_err *err);

#define COMMAND(name)                                                                              \
	int name(void *app, struct ctl_call *call, const json_t *args, json_t **result,            \
		struct sl_err *err)

COMMAND(cmd_status);
COMMAND(cmd_port_list);
COMMAND(cmd_port_show);
COMMAND(cmd_port_attach);
COMMAND(cmd_port_detach);
COMMAND(cmd_vm_list);
COMMAND(cmd_vm_show);
COMMAND(cmd_vm_hint);
COMMAND(cmd_rule_list);
COMMAND(cmd_rule_show);
COMMAND(cmd_rule_add);
COMMAND(cmd_rule_replace);
COMMAND(cmd_rule_del);
COMMAND(cmd_flow_list);
COMMAND(cmd_flow_show);
COMMAND(cmd_flow_explain);
COMMAND(cmd_queue_list);
COMMAND(cmd_ring_list);
COMMAND(cmd_nic_list);
COMMAND(cmd_nic_show);
COMMAND(cmd_nic_fail);
COMMAND(cmd_nic_recover);
COMMAND(cmd_nic_restart);
COMMAND(cmd_offload_status);
COMMAND(cmd_offload_show);
COMMAND(cmd_offload_top);
COMMAND(cmd_policy_list);
COMMAND(cmd_extension_list);
COMMAND(cmd_extension_add);
COMMAND(cmd_extension_remove);
COMMAND(cmd_extension_move);
COMMAND(cmd_trace_packet);
COMMAND(cmd_trace_flow);
COMMAND(cmd_trace_live);
COMMAND(cmd_mac_list);
COMMAND(cmd_mac_flush);
COMMAND(cmd_stats);
COMMAND(cmd_worker_list);
COMMAND(cmd_worker_show);
COMMAND(cmd_worker_balance);
COMMAND(cmd_worker_move);
COMMAND(cmd_worker_unpin);
COMMAND(cmd_config_show);
COMMAND(cmd_config_reload);
COMMAND(cmd_config_schema);
COMMAND(cmd_log_show);
COMMAND(cmd_log_level);
COMMAND(cmd_shutdown);

#endif

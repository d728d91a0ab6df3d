// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/commands.h"

#include "ctl/commands.h"

static const struct ctl_binding bindings[] = {
	{"status", cmd_status},
	{"port list", cmd_port_list},
	{"port show", cmd_port_show},
	{"port attach", cmd_port_attach},
	{"port detach", cmd_port_detach},
	{"vm list", cmd_vm_list},
	{"vm show", cmd_vm_show},
	{"vm hint", cmd_vm_hint},
	{"rule list", cmd_rule_list},
	{"rule show", cmd_rule_show},
	{"rule add", cmd_rule_add},
	{"rule replace", cmd_rule_replace},
	{"rule del", cmd_rule_del},
	{"flow list", cmd_flow_list},
	{"flow show", cmd_flow_show},
	{"flow explain", cmd_flow_explain},
	{"queue list", cmd_queue_list},
	{"ring list", cmd_ring_list},
	{"nic list", cmd_nic_list},
	{"nic show", cmd_nic_show},
	{"nic fail", cmd_nic_fail},
	{"nic recover", cmd_nic_recover},
	{"nic restart", cmd_nic_restart},
	{"offload status", cmd_offload_status},
	{"offload show", cmd_offload_show},
	{"offload top", cmd_offload_top},
	{"policy list", cmd_policy_list},
	{"extension list", cmd_extension_list},
	{"extension add", cmd_extension_add},
	{"extension remove", cmd_extension_remove},
	{"extension move", cmd_extension_move},
	{"trace packet", cmd_trace_packet},
	{"trace flow", cmd_trace_flow},
	{"trace live", cmd_trace_live},
	{"mac list", cmd_mac_list},
	{"mac flush", cmd_mac_flush},
	{"stats", cmd_stats},
	{"worker list", cmd_worker_list},
	{"worker show", cmd_worker_show},
	{"worker balance", cmd_worker_balance},
	{"worker move", cmd_worker_move},
	{"worker unpin", cmd_worker_unpin},
	{"config show", cmd_config_show},
	{"config reload", cmd_config_reload},
	{"config schema", cmd_config_schema},
	{"log show", cmd_log_show},
	{"log level", cmd_log_level},
	{"shutdown", cmd_shutdown},
	{NULL, NULL},
};

int
commands_bind(struct ctl_command **out, struct sl_err *err)
{
	return ctl_commands_bind(bindings, out, err);
}

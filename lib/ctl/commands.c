// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/commands.h"

#include <stddef.h>
#include <string.h>

// clang-format off
// Two arguments that come back often.
#define ARG_SWITCH {"switch", CTL_STR, .complete = "switch", \
	.help = "name of the switch (needed only where there are several)"}
#define ARG_LIMIT {"limit", CTL_INT, .max = 10000000, \
	.help = "at most so many (default 100, 0: all)"}

static const struct ctl_command commands[] = {
	{.name = "status",
		.help = "what runs: version, uptime, workers, switches, NICs, flows by place",
		.fields = "version pid uptime_s config workers switches ports vms flows"},

	{.name = "port list",
		.help = "the vports, what carries them, counters (hw_: by an embedded switch)",
		.fields = "name switch vm attachment state queues vlan rx_packets tx_packets "
			"hw_rx_packets hw_tx_packets rx_bytes tx_bytes hw_rx_bytes hw_tx_bytes "
			"dropped",
		.args = {ARG_SWITCH,
			{"vm", CTL_STR, .complete = "vm", .help = "only the vports of this VM"}}},
	{.name = "port show",
		.help = "one vport: properties, attachment, counters, drops by name, memory held",
		.fields = "name switch id vm attachment state mtu vlan",
		.args = {{"port", CTL_STR, true, true, .complete = "port",
				.help = "name of the vport"}}},
	{.name = "port attach", .writes = true,
		.help = "give a vport an attachment; its rules and counters stay",
		.fields = "name attachment state",
		.args = {{"port", CTL_STR, true, true, .complete = "port",
				.help = "name of the vport"},
			{"kind", CTL_STR, true, true, .complete = "nic|vf|vhost-user|ethdev",
				.help = "kind of attachment"},
			{"nic", CTL_STR, .complete = "nic",
				.help = "name of the NIC (nic and vf)"},
			{"vf", CTL_INT, .max = 65535, .help = "number of the VF"},
			{"path", CTL_STR, .complete = "file",
				.help = "path of the vhost-user socket"},
			{"mode", CTL_STR, .complete = "server|client",
				.help = "vhost-user: who makes the socket (default server: "
					"sluice)"},
			{"dev", CTL_STR, .help = "DPDK device arguments (ethdev)"},
			{"queues", CTL_INT, .max = 1024,
				.help = "queue pairs (vhost-user, ethdev; default 1)"}}},
	{.name = "port detach", .writes = true,
		.help = "take a vport's attachment away; packets to it are dropped by name",
		.fields = "name attachment state",
		.args = {{"port", CTL_STR, true, true, .complete = "port",
				.help = "name of the vport"}}},

	{.name = "vm list",
		.help = "the VMs, their vports, flows by place and packet memory",
		.fields = "name ports flows queues entries held_bytes"},
	{.name = "vm show",
		.help = "one VM: vports, queues and NIC entries that it holds, hints, packet "
			"memory",
		.fields = "name ports flows queues entries held_bytes",
		.args = {{"vm", CTL_STR, true, true, .complete = "vm",
				.help = "name of the VM"}}},
	{.name = "vm hint", .writes = true,
		.help = "what a VM asks for its own flows; followed where its vport has hints on",
		.fields = "vm match place flows refused",
		.args = {{"vm", CTL_STR, true, true, .complete = "vm",
				.help = "name of the VM"},
			{"match", CTL_STR, true, true,
				.help = "which of its flows"},
			{"place", CTL_STR, .complete = "raise|lower",
				.help = "raise: a queue or table entry before others; lower: "
					"after them"},
			{"clear", CTL_BOOL, .help = "forget the hint with this match"}}},

	{.name = "rule list",
		.help = "the rules with their counters and how they stand in each NIC",
		.fields = "id name switch table priority match actions packets bytes hardware",
		.args = {ARG_SWITCH,
			{"table", CTL_STR, .complete = "table",
				.help = "only this table (name or number)"},
			ARG_LIMIT}},
	{.name = "rule show",
		.help = "one rule: text, counters, placements that come from it, each NIC's state",
		.fields = "id name switch table priority match actions packets bytes hardware",
		.args = {{"rule", CTL_STR, true, true, .complete = "rule",
				.help = "name or number"},
			ARG_SWITCH}},
	{.name = "rule add", .writes = true,
		.help = "add a rule, live; flows in hardware are re-decided",
		.fields = "id name software hardware",
		.args = {{"match", CTL_STR, true, true,
				.help = "\"tcp dport=80\", \"any\""},
			{"actions", CTL_STR, true, true,
				.help = "\"output=vm1\", \"drop\""},
			ARG_SWITCH,
			{"table", CTL_STR, .complete = "table",
				.help = "name or number (default 0)"},
			{"priority", CTL_INT, .max = 65535,
				.help = "the highest wins (default 0)"},
			{"name", CTL_STR, .help = "unique in its switch"},
			{"wait", CTL_BOOL,
				.help = "answer when no placement contradicts the rules"}}},
	{.name = "rule del", .writes = true,
		.help = "remove a rule, live; flows in hardware are re-decided",
		.fields = "id name software hardware",
		.args = {{"rule", CTL_STR, true, true, .complete = "rule",
				.help = "name or number"},
			ARG_SWITCH,
			{"wait", CTL_BOOL,
				.help = "answer when no placement contradicts the rules"}}},

	{.name = "flow list",
		.help = "the flows: where each is handled, in which state, and why",
		.fields = "id port vm match place queue state reason packets bytes rate_bps age_s",
		.args = {{"port", CTL_STR, .complete = "port",
				.help = "only flows that came from this vport"},
			{"vm", CTL_STR, .complete = "vm", .help = "only flows from or to this VM"},
			ARG_SWITCH,
			{"place", CTL_STR,
				.complete = "eswitch|exclusive-queue|shared-queue|ring|software",
				.help = "only flows at this place"},
			{"state", CTL_STR,
				.complete = "software|wanted|installing|placed|removing|refused",
				.help = "only flows in this state"},
			{"match", CTL_STR, .help = "only flows that this match text hits"},
			{"sort", CTL_STR, .complete = "bytes|packets|rate",
				.help = "largest first (default bytes)"},
			ARG_LIMIT}},
	{.name = "flow show",
		.help = "one flow: key, traits, place at each device, hardware and software "
			"counters",
		.fields = "id port vm match place queue state reason",
		.args = {{"flow", CTL_STR, true, true,
				.help = "id of the flow (flow list)"}}},
	{.name = "flow explain",
		.help = "why flows are where they are: rule, traits, limits, refusals, next try",
		.fields = "id match place state reason",
		.args = {{"flow", CTL_STR, true, true,
				.help = "id of a flow, or a match text"}}},

	{.name = "queue list",
		.help = "each NIC queue: free, default, shared or exclusive, by whom, how loaded",
		.fields = "nic port kind queue use owner flows packets bytes dropped rate_bps",
		.args = {{"nic", CTL_STR, .complete = "nic", .help = "only this NIC"},
			{"kind", CTL_STR, .complete = "rx|tx|vf", .help = "only this kind"},
			{"use", CTL_STR,
				.complete = "free|default|shared|exclusive|standby|monitor|stopped",
				.help = "only queues in this use"}}},
	{.name = "ring list",
		.help = "the software rings: class, target, fill, drops",
		.fields = "target class level weight depth held enqueued dequeued dropped flows",
		.args = {{"port", CTL_STR, .complete = "port",
				.help = "only rings towards this vport"},
			{"class", CTL_STR, .complete = "class", .help = "only this class"}}},

	{.name = "offload status",
		.help = "each NIC: what it can do, entries and queues used, orders, refusals by "
			"reason",
		.fields = "nic driver rules rule_limit queues queues_free orders pending refused",
		.args = {{"nic", CTL_STR, .complete = "nic", .help = "only this NIC"}}},
	{.name = "offload top",
		.help = "the flows that gain or would gain most from hardware",
		.fields = "id match place state rate_bps saved_pps reason",
		.args = {ARG_LIMIT}},

	{.name = "extension list",
		.help = "the extensions in their order, and what they have counted",
		.fields = "switch name at order kind version path args packets dropped faults "
			"live counters",
		.args = {ARG_SWITCH}},
	{.name = "extension add", .writes = true,
		.help = "bind an extension, live; flows in hardware are re-decided",
		.fields = "switch name at order software hardware",
		.args = {{"name", CTL_STR, true, true, .help = "unique in its switch"},
			{"path", CTL_STR, true, true, .complete = "file",
				.help = "shared object (path as the server sees it); a bare name is "
					"looked for beside sluiced"},
			{"at", CTL_STR, .complete = "ingress|egress|monitor",
				.help = "where in the path (default ingress)"},
			{"args", CTL_STR,
				.help = "its arguments: \"drop=tcp/23,udp/53 count=true\""},
			{"before", CTL_STR, .complete = "extension",
				.help = "stands before this one (default: last)"},
			ARG_SWITCH,
			{"wait", CTL_BOOL,
				.help = "answer when no placement contradicts it"}}},
	{.name = "extension remove", .writes = true,
		.help = "unbind an extension after its last packet, live",
		.fields = "switch name at order software hardware",
		.args = {{"name", CTL_STR, true, true, .complete = "extension",
				.help = "name of the extension"},
			ARG_SWITCH,
			{"wait", CTL_BOOL,
				.help = "answer when no placement contradicts what is left"}}},
	{.name = "extension move", .writes = true,
		.help = "change the order of a point's extensions, live",
		.fields = "switch name at order software hardware",
		.args = {{"name", CTL_STR, true, true, .complete = "extension",
				.help = "name of the extension"},
			{"before", CTL_STR, .complete = "extension",
				.help = "stands before this one of the same point (default: "
					"last)"},
			ARG_SWITCH,
			{"wait", CTL_BOOL,
				.help = "answer when no placement contradicts it"}}},

	{.name = "mac list",
		.help = "learned addresses",
		.fields = "switch vlan mac port age_s",
		.args = {ARG_SWITCH,
			{"port", CTL_STR, .complete = "port",
				.help = "only those behind this vport"},
			ARG_LIMIT}},
	{.name = "mac flush", .writes = true,
		.help = "forget learned addresses",
		.fields = "flushed",
		.args = {ARG_SWITCH,
			{"port", CTL_STR, .complete = "port",
				.help = "only those behind this vport"},
			{"vlan", CTL_INT, .max = 4095, .help = "only those of this VLAN"}}},

	{.name = "stats",
		.help = "the ledger: received, sent, dropped by name, held; in all, per vport, "
			"per device",
		.fields = "packets conserved place_packets bytes flows refused ports devices",
		.args = {{"settle", CTL_BOOL,
				.help = "flush NIC counters and answer when two snapshots "
					"agree"}}},
	{.name = "worker list",
		.help = "the worker lcores: load, bursts, cache fill, cycles per packet",
		.fields = "worker lcore ports packets busy_pct cycles_per_packet cache_flows "
			"naps"},

	{.name = "config show",
		.help = "the configuration in force, with its defaults",
		.fields = ""},
	{.name = "config reload", .writes = true,
		.help = "read the file again and apply what changed; a bad file changes nothing",
		.fields = "file changed applied",
		.args = {{"file", CTL_STR, .positional = true, .complete = "file",
				.help = "another file than at start (path as the server sees it)"},
			{"check", CTL_BOOL, .help = "judge it and say what would change, only"}}},
	{.name = "config schema",
		.help = "the JSON schema of the configuration file",
		.fields = ""},

	{.name = "log show",
		.help = "the last lines of the log",
		.fields = "time level text",
		.args = {{"lines", CTL_INT, .max = 65536, .help = "how many (default 50)"},
			{"level", CTL_STR, .complete = "err|warn|info|debug",
				.help = "only lines of this level or worse"}}},
	{.name = "log level", .writes = true,
		.help = "set the level of the log",
		.fields = "level",
		.args = {{"level", CTL_STR, true, true, .complete = "err|warn|info|debug",
				.help = "new level"}}},

	{.name = "shutdown", .writes = true,
		.help = "end sluiced: ports are stopped, offloaded rules removed",
		.fields = ""},
	{.name = "help",
		.help = "the commands and their arguments",
		.fields = "name help",
		.args = {{"command", CTL_STR, .positional = true, .complete = "command",
				.help = "only this command (\"flow list\")"}}},
	{.name = NULL},
};
// clang-format on

const struct ctl_command *
ctl_commands(void)
{
	return commands;
}

const struct ctl_command *
ctl_command_find(const struct ctl_command *table, const char *name)
{
	for (; table->name != NULL; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

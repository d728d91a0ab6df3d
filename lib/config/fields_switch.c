// SPDX-License-Identifier: BSD-3-Clause
// The part of the field table that is of switches: their ports, tables, rules and extensions.
#include "field_table.h"

// clang-format off
static const char *const attach_kinds[] = {"none", "nic", "vf", "vhost-user", "ethdev", NULL};
static const char *const vhost_modes[] = {"server", "client", NULL};
static const char *const vhost_rings[] = {"own", "rte_vhost", NULL};
#define KIND(kind) (1u << CONFIG_ATTACH_##kind)

static const struct field attach_fields[] = {
	{"kind", FIELD_ENUM, AT(config_attachment, kind), .words = attach_kinds, .required = true,
		.help = "what carries the port's packets"},
	{"nic", FIELD_CODEC, .codec = CODEC_NIC, .required = true, .only = KIND(NIC) | KIND(VF),
		.help = "name of the NIC"},
	{"vf", FIELD_UINT, AT(config_attachment, vf), .min = 0, .max = 1023, .required = true,
		.only = KIND(VF), .help = "number of the VF; the switch holds its representor"},
	{"standby_vf", FIELD_UINT, AT(config_attachment, standby_vf), .min = 0,
		.max = CONFIG_SAME_VF, .dflt = "65535", .only = KIND(VF),
		.help = "VF of the NIC's standby that takes over; 65535: the one of the same "
			"number"},
	{"path", FIELD_TEXT, AT(config_attachment, path), .min = 1, .required = true,
		.only = KIND(VHOST), .help = "socket of the guest"},
	{"mode", FIELD_ENUM, AT(config_attachment, client), .words = vhost_modes,
		.dflt = "\"server\"", .only = KIND(VHOST),
		.help = "server: sluice makes the socket; client: sluice connects, and reconnects"},
	{"rings", FIELD_ENUM, AT(config_attachment, library_rings), .words = vhost_rings,
		.dflt = "\"own\"", .only = KIND(VHOST),
		.help = "who moves packets through the guest's rings: own: sluice, where they are "
			"split rings of virtio 1.0 or later that no migration follows, else "
			"DPDK's rte_vhost; rte_vhost: always that"},
	{"dev", FIELD_TEXT, AT(config_attachment, dev), .min = 1, .required = true,
		.only = KIND(ETHDEV), .help = "DPDK device arguments, `net_memif0,role=server,..`"},
	{"queues", FIELD_UINT, AT(config_attachment, queues), .min = 1, .max = 128, .dflt = "1",
		.only = KIND(VHOST) | KIND(ETHDEV), .help = "queue pairs"},
	{.key = NULL},
};

static const char *const vlan_modes[] = {"trunk", "access", "native", NULL};
#define MODE(mode) (1u << CONFIG_VLAN_##mode)

static const struct field vlan_fields[] = {
	{"mode", FIELD_ENUM, AT(config_port, vlan_mode), .words = vlan_modes, .dflt = "\"trunk\"",
		.help = "trunk: tagged frames of vids; access: untagged frames, in VLAN vid; "
			"native: both"},
	{"vid", FIELD_UINT, AT(config_port, vlan), .min = 1, .max = 4094, .required = true,
		.only = MODE(ACCESS) | MODE(NATIVE), .help = "VLAN of untagged frames"},
	{"vids", FIELD_CODEC, .codec = CODEC_VIDS, .only = MODE(TRUNK) | MODE(NATIVE),
		.dflt = "[\"1-4094\"]", .help = "VLANs that may pass tagged"},
	{.key = NULL},
};

static bool
no_attachment(const void *base)
{
	return ((const struct config_attachment *)base)->kind == CONFIG_ATTACH_NONE;
}

static uint32_t
attach_variant(const void *base)
{
	return 1u << ((const struct config_attachment *)base)->kind;
}

static uint32_t
vlan_variant(const void *base)
{
	return 1u << ((const struct config_port *)base)->vlan_mode;
}

static const struct object_type attach_type = {"attach",
	"What carries a port's packets; a port may have none and get one later.", .fields = attach_fields,
	.optional = true, .is_absent = no_attachment, .variant = attach_variant,
	.variants = attach_kinds};
static const struct object_type vlan_type = {"vlan", "VLANs of a port.", .fields = vlan_fields,
	.variant = vlan_variant, .variants = vlan_modes};

static const char *const miss_ways[] = {"representor", "vm", NULL};

static const struct field port_fields[] = {
	{"name", FIELD_NAME, AT(config_port, name), .required = true,
		.help = "what rules call it; unique in the file"},
	{"vm", FIELD_CODEC, .codec = CODEC_VM,
		.help = "the VM that owns it; without one it is an uplink"},
	{"attach", FIELD_OBJECT, AT(config_port, attach), .object = &attach_type,
		.help = "what carries its packets"},
	{"vlan", FIELD_OBJECT, .offset = 0, .object = &vlan_type, .help = "VLANs"},
	{"mac_check", FIELD_BOOL, AT(config_port, mac_check), .dflt = "false",
		.help = "anti-spoof: drop frames from it whose source is not in macs"},
	{"ip_check", FIELD_BOOL, AT(config_port, ip_check), .dflt = "false",
		.help = "anti-spoof: drop packets from it whose source is not in ips"},
	{"macs", FIELD_CODEC, .codec = CODEC_MACS, .help = "its addresses (at most 8)"},
	{"ips", FIELD_CODEC, .codec = CODEC_IPS, .help = "its addresses and prefixes (at most 16)"},
	{"miss", FIELD_ENUM, AT(config_port, miss_vm), .words = miss_ways,
		.dflt = "\"representor\"",
		.help = "where the NIC sends what comes from its VF and meets nothing in its table "
			"(vm_tables): representor; vm: to the VF with a tag that only the NIC can "
			"make, for a program of the guest that passes it on by a vhost-user port of "
			"the VM, where it counts as coming from this port"},
	{"mtu", FIELD_UINT, AT(config_port, mtu), .min = 68, .max = 9600, .dflt = "1500",
		.help = "largest IP packet to it"},
	{"storm_pps", FIELD_UINT, AT(config_port, storm_pps), .min = 0, .max = UINT32_MAX,
		.scaled = true, .dflt = "0",
		.help = "broadcast, multicast and unknown unicast packets a second, 0: no limit"},
	{"rate_bps", FIELD_UINT, AT(config_port, rate_bps), .min = 0, .max = UINT64_C(1) << 40,
		.scaled = true, .dflt = "0",
		.help = "bit/s of what comes in by it at most: what is above is dropped by name, and its flows stay out of "
			"embedded switches, where nothing would count them; 0: no limit"},
	{"burst_bytes", FIELD_UINT, AT(config_port, burst_bytes), .min = 0, .max = 1 << 30,
		.scaled = true, .dflt = "0",
		.help = "bytes that may come at once; 0: of a tenth of a second, at least 64000"},
	{"hints", FIELD_BOOL, AT(config_port, hints), .dflt = "false",
		.help = "its VM's hints are followed"},
	{"max_queues", FIELD_UINT, AT(config_port, max_queues), .min = 0, .max = 1024,
		.dflt = "4", .help = "hardware queues that flows to it may hold alone"},
	{"max_entries", FIELD_UINT, AT(config_port, max_entries), .min = 0, .max = 1 << 24,
		.dflt = "0", .help = "NIC table entries of its flows, 0: no limit"},
	{.key = NULL},
};

static const struct field table_fields[] = {
	{"id", FIELD_UINT, AT(config_table, id), .min = 0, .max = 63, .required = true,
		.help = "number; packets begin in table 0 and go upward"},
	{"name", FIELD_NAME, AT(config_table, name), .dflt = "\"\"", .help = "what rules call it"},
	{"default", FIELD_CODEC, .codec = CODEC_FALLBACK, .dflt = "\"drop\"",
		.help = "actions for what no rule matches: `drop`, `normal`, `goto=NAME`"},
	{.key = NULL},
};

static const struct field rule_fields[] = {
	{"name", FIELD_NAME, AT(config_rule, name), .dflt = "\"\"",
		.help = "unique in its switch; may be left out"},
	{"table", FIELD_CODEC, .codec = CODEC_TABLE, .dflt = "0", .help = "name or number"},
	{"priority", FIELD_UINT, AT(config_rule, priority), .min = 0, .max = 65535, .dflt = "0",
		.help = "the highest wins; of equal ones the first"},
	{"match", FIELD_CODEC, .codec = CODEC_MATCH, .dflt = "\"any\"",
		.help = "which packets: `vm=vm1 ip_dst=10.0.0.0/8 tcp dport=80`, "
			"`eth_dst=learned`, `extension=NAME`, `vni=5 inner_tcp inner_dport=22`"},
	{"actions", FIELD_CODEC, .codec = CODEC_ACTIONS, .required = true,
		.help = "what happens to them: `output=uplink`, `class=bulk normal`, `drop`"},
	{.key = NULL},
};

static const char *const extension_points[] = {"ingress", "egress", "monitor", "match", NULL};

static const struct field extension_fields[] = {
	{"name", FIELD_NAME, AT(config_extension, name), .required = true,
		.help = "what commands and counters call it; unique in its switch"},
	{"path", FIELD_TEXT, AT(config_extension, path), .min = 1, .required = true,
		.help = "shared object, built for `ext/abi.h`; a bare name is looked for beside the "
			"program"},
	{"at", FIELD_ENUM, AT(config_extension, at), .words = extension_points,
		.dflt = "\"ingress\"",
		.help = "ingress: before the rules; egress: once for each output; monitor: is shown "
			"packets and judges none; match: rules match by it (`extension=NAME`)"},
	{"args", FIELD_CODEC, .codec = CODEC_ARGS, .dflt = "{}",
		.help = "its arguments, as it says itself; values are text, numbers, true, false or "
			"lists of them (at most 32 in all)"},
	{.key = NULL},
};

static const struct object_type port_type = {
	"port", "A vport: what rules name; it is stable, attachments come and go.", .fields = port_fields};
static const struct object_type table_type = {"table", "A rule table.", .fields = table_fields};
static const struct object_type rule_type = {"rule", "A rule.", .fields = rule_fields};
static const struct object_type extension_type = {"extension",
	"Code of others in the packet path; extensions of one point run in the order of the file.",
	.fields = extension_fields};

#define IN_SWITCH(type) .in_switch = true, .sw = offsetof(struct type, sw)

static void
init_port(void *element)
{
	((struct config_port *)element)->vm = -1;
}

static void
init_rule(void *element)
{
	((struct config_rule *)element)->vm = -1;
}

static const struct list_type port_list = {
	LIST(ports, config_port, CONFIG_PORTS_MAX, "ports"), IN_SWITCH(config_port),
	.init = init_port};
static const struct list_type table_list = {
	LIST(tables, config_table, 64 * CONFIG_SWITCHES_MAX, "tables"), IN_SWITCH(config_table)};
static const struct list_type rule_list = {
	LIST(rules, config_rule, CONFIG_RULES_MAX, "rules"), IN_SWITCH(config_rule),
	.init = init_rule};

static const struct list_type extension_list = {
	LIST(extensions, config_extension, CONFIG_EXTENSIONS_MAX * CONFIG_SWITCHES_MAX,
		"extensions"), IN_SWITCH(config_extension)};

static const char *const offload_modes[] = {"split", "share", NULL};

static const struct field switch_fields[] = {
	{"name", FIELD_NAME, AT(config_switch, name), .required = true, .help = "name"},
	{"id", FIELD_UINT, AT(config_switch, id), .min = 0, .max = 65535, .dflt = "0",
		.help = "1 to 65535, stable over reloads; 0: its place in the list, from 1"},
	{"mac_limit", FIELD_UINT, AT(config_switch, mac_limit), .min = 0, .max = 1 << 20,
		.dflt = "4096", .help = "most learned addresses"},
	{"mac_age_s", FIELD_UINT, AT(config_switch, mac_age_s), .min = 0, .max = 86400,
		.dflt = "300", .help = "a learned address that is silent this long is forgotten, "
			"0: never"},
	{"max_rules", FIELD_UINT, AT(config_switch, max_rules), .min = 1, .max = CONFIG_RULES_MAX,
		.dflt = "16384", .help = "most rules, with those that are added live"},
	{"mode", FIELD_ENUM, AT(config_switch, mode), .words = offload_modes, .dflt = "\"split\"",
		.help = "when queues run out: split: less important flows go to software rings; "
			"share: all stay on hardware queues, some together"},
	{"ports", FIELD_LIST, .list = &port_list, .object = &port_type, .help = "its vports"},
	{"tables", FIELD_LIST, .list = &table_list, .object = &table_type,
		.dflt = "[{\"id\": 0, \"name\": \"main\", \"default\": \"drop\"}]",
		.help = "its rule tables"},
	{"rules", FIELD_LIST, .list = &rule_list, .object = &rule_type, .help = "its rules"},
	{"extensions", FIELD_LIST, .list = &extension_list, .object = &extension_type,
		.help = "its extensions"},
	{.key = NULL},
};

const struct object_type config_switch_type = {"switch", "A virtual switch.", .fields = switch_fields};
const struct list_type config_switch_list = {
	LIST(switches, config_switch, CONFIG_SWITCHES_MAX, "switches")};
// clang-format on

// SPDX-License-Identifier: BSD-3-Clause
#include "fields.h"

#include <stddef.h>
#include <string.h>

#define TOP(member) .offset = offsetof(struct config, member)
#define AT(type, member)                                                                           \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)

// clang-format off
static const struct field control_fields[] = {
	{"socket", FIELD_TEXT, AT(config, socket), .min = 1,
		.dflt = "\"/run/sluice/sluice.sock\"",
		.help = "control socket, for the user of sluiced only (mode 0600)"},
	{"readonly_socket", FIELD_TEXT, AT(config, socket_ro), .dflt = "\"\"",
		.help = "a second one that refuses commands that change things; empty: none"},
	{.key = NULL},
};

static const char *const log_levels[] = {"err", "warn", "info", "debug", NULL};

static const struct field log_fields[] = {
	{"level", FIELD_ENUM, AT(config, log_level), .words = log_levels, .dflt = "\"info\"",
		.help = "least important lines that are logged"},
	{.key = NULL},
};

static const struct field balance_fields[] = {
	{"enabled", FIELD_BOOL, AT(config, balance.enabled), .dflt = "true",
		.help = "receive queues move between workers when the load is uneven"},
	{"interval_ms", FIELD_UINT, AT(config, balance.interval_ms), .min = 100, .max = 3600000,
		.dflt = "10000", .help = "the load of so long is looked at, then the next; a queue that "
			"moved stays for four of them"},
	{"load_pct", FIELD_UINT, AT(config, balance.load_pct), .min = 1, .max = 100, .dflt = "70",
		.help = "nothing moves before a worker is busy for so much of the interval"},
	{"gain_pct", FIELD_UINT, AT(config, balance.gain_pct), .min = 1, .max = 99, .dflt = "15",
		.help = "nothing moves unless the load of the busiest worker falls by so much of itself"},
	{.key = NULL},
};
static const struct object_type balance_type = {"balance",
	"How receive queues are dealt out to workers again.", .fields = balance_fields};

static const struct field datapath_fields[] = {
	{"flows", FIELD_UINT, AT(config, flows), .min = 1024, .max = 16777216, .scaled = true,
		.dflt = "131072", .help = "flow cache entries of each worker"},
	{"idle_ms", FIELD_UINT, AT(config, idle_ms), .min = 100, .max = 3600000, .dflt = "10000",
		.help = "a software flow without packets for this long leaves the cache"},
	{"insert_budget", FIELD_UINT, AT(config, insert_budget), .min = 0, .max = 100000000,
		.scaled = true, .dflt = "200000",
		.help = "new flows a second that a worker's full cache takes in the place of flows of "
			"one packet or idle for 1 s; in the place of flows in use it takes 1 of 64; 0: no "
			"limit"},
	{"mbufs", FIELD_UINT, AT(config, mbufs), .min = 1024, .max = 4194304, .scaled = true,
		.dflt = "16384", .help = "packet buffers of each pool"},
	{"sleep_after", FIELD_UINT, AT(config, sleep_after), .min = 0, .max = 1000000,
		.dflt = "64", .help = "empty polls before a worker naps, 0: never"},
	{"tx_hold_us", FIELD_UINT, AT(config, tx_hold_us), .min = 0, .max = 1000, .dflt = "0",
		.help = "microseconds that a packet may wait in a worker for others to the same "
			"transmit queue, until there are 32; 0: only for those of the same poll"},
	{"balance", FIELD_OBJECT, .offset = 0, .object = &balance_type,
		.help = "queues move between workers"},
	{.key = NULL},
};

static const char *const share_words[] = {
	"vm", "rate-limit", "priority", "qos-class", "none", NULL};
static const char *const class_targets[] = {"queues", "engine", "vf", NULL};
static const char *const scale_words[] = {"greater", "fast", "slow", NULL};
static const char *const hint_words[] = {"any", "raise", "lower", NULL};
#define BPS(member) AT(config_policy, member), .min = 0, .max = UINT64_C(1) << 50, .scaled = true

static const struct field policy_fields[] = {
	{"name", FIELD_NAME, AT(config_policy, name), .required = true,
		.help = "what `flow explain` calls it; unique"},
	{"vm", FIELD_TEXT, AT(config_policy, vm_name), .dflt = "\"\"",
		.help = "flows from or to this VM; empty: of any"},
	{"port", FIELD_TEXT, AT(config_policy, port_name), .dflt = "\"\"",
		.help = "flows that come in by this port; empty: by any"},
	{"match", FIELD_TEXT, AT(config_policy, match_text), .dflt = "\"\"",
		.help = "flows that a rule with this match would match, `tcp dport=443`; empty: all"},
	{"class", FIELD_TEXT, AT(config_policy, class_name), .dflt = "\"\"",
		.help = "flows that the rules give this class; empty: any"},
	{"priority", FIELD_UINT, AT(config_policy, priority), .min = 0, .max = CONFIG_ANY_LEVEL,
		.dflt = "255", .help = "flows whose class has this level; 255: any"},
	{"hint", FIELD_ENUM, AT(config_policy, hint), .words = hint_words, .dflt = "\"any\"",
		.help = "flows that their VM gave this hint"},
	{"min_bps", FIELD_UINT, BPS(min_bps), .dflt = "0",
		.help = "flows of at least this rate, until they are below three quarters of it"},
	{"max_bps", FIELD_UINT, BPS(max_bps), .dflt = "0",
		.help = "flows below this rate; 0: of any"},
	{"min_limit_bps", FIELD_UINT, BPS(min_limit_bps), .dflt = "0",
		.help = "flows that the rules limit to at least this rate; 0: limited or not"},
	{"max_limit_bps", FIELD_UINT, BPS(max_limit_bps), .dflt = "0",
		.help = "flows that the rules limit to at most this rate; 0: limited or not"},
	{"scale", FIELD_ENUM, AT(config_policy, scale), .words = scale_words,
		.dflt = "\"greater\"",
		.help = "which rate min_bps and max_bps mean: fast (half-life 0.2 s), slow (5 s), or "
			"the greater of the two"},
	{"min_age_ms", FIELD_UINT, AT(config_policy, min_age_ms), .min = 0, .max = 86400000,
		.dflt = "0", .help = "flows known for at least this long"},
	{"max_age_ms", FIELD_UINT, AT(config_policy, max_age_ms), .min = 0, .max = 86400000,
		.dflt = "0", .help = "flows known for less than this; 0: of any age"},
	{"dscp", FIELD_TEXT, AT(config_policy, dscp_text), .dflt = "\"\"",
		.help = "flows whose packets came to the host with one of these code points, "
			"`ef,af41,8-15`; empty: any"},
	{"places", FIELD_TEXTS, AT(config_policy, place_text[0]), .min = 1, .max = CONFIG_PLACES,
		.count = offsetof(struct config_policy, n_places),
		.help = "places that they may have: `eswitch`, `exclusive-queue`, `shared-queue`, "
			"`ring`, `software`; a queue before `eswitch` is tried first; left out: all"},
	{"share", FIELD_ENUM, AT(config_policy, share), .words = share_words, .dflt = "\"vm\"",
		.help = "what flows of one shared queue have in common: their VM, a rate limit "
			"within a factor of two, the level of their class, their class; none: they "
			"share with nobody"},
	{"heavy_bps", FIELD_UINT, BPS(heavy_bps), .dflt = "0",
		.help = "as /offload/heavy_bps, for these flows; 0: as for all"},
	{"light_bps", FIELD_UINT, BPS(light_bps), .dflt = "0",
		.help = "as /offload/light_bps, for these flows; 0: as for all"},
	{"least_bps", FIELD_UINT, BPS(least_bps), .dflt = "0",
		.help = "below this they are not worth a place in hardware; 0: as for all"},
	{"hints", FIELD_BOOL, AT(config_policy, hints), .dflt = "true",
		.help = "their VMs' hints count"},
	{"dscp_raise", FIELD_TEXT, AT(config_policy, raise_text), .dflt = "\"\"",
		.help = "code points that count as the hint `raise`, where no hint was given "
			"otherwise: `ef,va`"},
	{"dscp_lower", FIELD_TEXT, AT(config_policy, lower_text), .dflt = "\"\"",
		.help = "code points that count as the hint `lower`: `cs1,le`"},
	{"strict_order", FIELD_BOOL, AT(config_policy, strict_order), .dflt = "false",
		.help = "no packet may be overtaken, so that they stay out of embedded switches"},
	{"queues", FIELD_TEXT, AT(config_policy, queues_text), .dflt = "\"\"",
		.help = "queues that they are kept to, `4-7`; empty: any"},
	{"own_queues", FIELD_BOOL, AT(config_policy, own_queues), .dflt = "false",
		.help = "nobody else gets those queues"},
	{"class_rule", FIELD_BOOL, AT(config_policy, class_rule), .dflt = "false",
		.help = "one rule in the NIC spreads them all over `queues` by RSS, new flows too, and "
			"the host has no work for each; for what a NIC can tell: `port` (or a `vm`'s "
			"own), `match`, `dscp`"},
	{"class_target", FIELD_ENUM, AT(config_policy, class_target), .words = class_targets,
		.dflt = "\"queues\"",
		.help = "of a class_rule: queues, by RSS; engine: the NIC's assignment engine gives "
			"heavy flows a queue alone and puts light ones of a kind (share) together "
			"(by RSS where it has none); vf: where the switch's rules send them to a VF of "
			"`vm`, the NIC does so with no host"},
	{.key = NULL},
};

static const struct object_type policy_type = {"policy",
	"A rule of the placement policy; the first that matches a flow is its rule.",
	.fields = policy_fields};
static const struct list_type policy_list = {
	.array = offsetof(struct config, policies), .count = offsetof(struct config, n_policies),
	.count_size = sizeof(((struct config *)0)->n_policies),
	.size = sizeof(struct config_policy), .max = CONFIG_POLICIES_MAX,
	.what = "policy rules"};

static const struct field offload_fields[] = {
	{"enabled", FIELD_BOOL, AT(config_offload, enabled), .dflt = "true",
		.help = "move flows to hardware queues, VFs and rings at all"},
	{"heavy_bps", FIELD_UINT, AT(config_offload, heavy_bps), .min = 1, .max = UINT64_C(1) << 50,
		.scaled = true, .dflt = "\"10M\"",
		.help = "a flow above this is heavy: it wants a queue of its own"},
	{"light_bps", FIELD_UINT, AT(config_offload, light_bps), .min = 0, .max = UINT64_C(1) << 50,
		.scaled = true, .dflt = "\"5M\"", .help = "below this it is light again"},
	{"min_bps", FIELD_UINT, AT(config_offload, min_bps), .min = 0, .max = UINT64_C(1) << 50,
		.scaled = true, .dflt = "\"64k\"",
		.help = "below this a flow is not worth a queue or a ring"},
	{"eswitch_min_bps", FIELD_UINT, AT(config_offload, eswitch_min_bps), .min = 0,
		.max = UINT64_C(1) << 50, .scaled = true, .dflt = "0",
		.help = "below this a flow is not worth an entry of an embedded switch; 0: every "
			"flow is, as long as none that is worth more wants it"},
	{"idle_ms", FIELD_UINT, AT(config_offload, idle_ms), .min = 0, .max = 3600000,
		.dflt = "0",
		.help = "a placed flow without packets for this long leaves; 0: after 2 s on a queue, "
			"in an embedded switch when another flow wants its entry"},
	{"residency_ms", FIELD_UINT, AT(config_offload, residency_ms), .min = 0, .max = 3600000,
		.dflt = "0",
		.help = "a placed flow stays at least this long; 0: 200 ms on a queue, in an embedded "
			"switch four times what an operation of the NIC takes"},
	{"retry_ms", FIELD_UINT, AT(config_offload, retry_ms), .min = 100, .max = 3600000,
		.dflt = "30000",
		.help = "a kind of rule that a NIC refused, or that did nothing in it, is tried again "
			"after this, then after twice as long, up to 32 times as long"},
	{"tick_ms", FIELD_UINT, AT(config_offload, tick_ms), .min = 1, .max = 10000, .dflt = "1",
		.help = "how often flows are judged"},
	{"shared_flows", FIELD_UINT, AT(config_offload, shared_flows), .min = 1, .max = 65535,
		.dflt = "64", .help = "flows that one shared queue takes"},
	{"orders_per_tick", FIELD_UINT, AT(config_offload, orders_per_tick), .min = 1,
		.max = 65536, .dflt = "64", .help = "most orders to the NICs in a tick"},
	{"vm_tables", FIELD_BOOL, AT(config_offload, vm_tables), .dflt = "false",
		.help = "each port of a NIC has a table of its own in the embedded switch: one rule "
			"jumps there, what misses it goes to the port's representor; needs two entries "
			"a port, and groups and jumps of the NIC"},
	{"miss_key_s", FIELD_UINT, AT(config_offload, miss_key_s), .min = 1, .max = 86400,
		.dflt = "600",
		.help = "the key of the tags of misses that go through a VM is replaced after this"},
	{"rules_ahead", FIELD_UINT, AT(config_offload, rules_ahead), .min = 0, .max = 65536,
		.dflt = "0",
		.help = "entries of each NIC that rules of the switch may take ahead of traffic, "
			"with what has to cover the rules above them; 0: none, flows are placed "
			"one by one"},
	{"policy", FIELD_LIST, .list = &policy_list, .object = &policy_type,
		.help = "rules for kinds of flows; the first that matches wins"},
	{.key = NULL},
};

static const struct field class_fields[] = {
	{"name", FIELD_NAME, AT(config_class, name), .required = true,
		.help = "what rules call it (`class=NAME`)"},
	{"level", FIELD_UINT, AT(config_class, level), .min = 0, .max = 7, .dflt = "1",
		.help = "strict priority: level 0 is served first"},
	{"weight", FIELD_UINT, AT(config_class, weight), .min = 1, .max = 1000, .dflt = "1",
		.help = "share within its level"},
	{"depth", FIELD_UINT, AT(config_class, depth), .min = 16, .max = 65536, .dflt = "512",
		.help = "packets in each of its rings, a power of two"},
	{.key = NULL},
};

static const struct field nic_fields[] = {
	{"name", FIELD_NAME, AT(config_nic, name), .required = true,
		.help = "what attachments call it"},
	{"dev", FIELD_TEXT, AT(config_nic, dev), .min = 1, .required = true,
		.help = "DPDK device arguments: `0000:3b:00.0,representor=vf[0-3]` or "
			"`net_emunic0,vfs=4,representor=vf[0-3]`"},
	{"queues", FIELD_UINT, AT(config_nic, queues), .min = 1, .max = 1024, .dflt = "8",
		.help = "receive queues (and transmit queues) of the PF that are set up"},
	{"default_queues", FIELD_UINT, AT(config_nic, default_queues), .min = 1, .max = 1024,
		.dflt = "1",
		.help = "of these the default (RSS) set, from queue 0; the others are for flows"},
	{"vf_queues", FIELD_UINT, AT(config_nic, vf_queues), .min = 1, .max = 1024, .dflt = "4",
		.help = "queues of each representor"},
	{"vf_default_queues", FIELD_UINT, AT(config_nic, vf_default_queues), .min = 1,
		.max = 1024, .dflt = "1", .help = "of these the default set"},
	{"vfs", FIELD_UINT, AT(config_nic, vfs), .min = 0, .max = 1024, .dflt = "0",
		.help = "VFs that ports may use"},
	{"rule_limit", FIELD_UINT, AT(config_nic, rule_limit), .min = 0, .max = 1 << 24,
		.dflt = "0", .help = "most rules to put into it, 0: learned from the NIC"},
	{"standby_for", FIELD_NAME, AT(config_nic, standby_for), .dflt = "\"\"",
		.help = "name of a NIC before it in the list: it is not used until that one "
			"fails, and then has its ports, its VFs and its rules; empty: it is used "
			"from the start"},
	{"recover_ms", FIELD_UINT, AT(config_nic, recover_ms), .min = 0, .max = 3600000,
		.dflt = "2000",
		.help = "after a failure its link has to be up for so long before it has its "
			"ports back from its standby; 0: only `nic recover` gives them back"},
	{.key = NULL},
};

static const struct field vm_fields[] = {
	{"name", FIELD_NAME, AT(config_vm, name), .required = true, .help = "name of the VM"},
	{"hint_socket", FIELD_TEXT, AT(config_vm, hint_socket), .dflt = "\"\"",
		.help = "Unix socket by which the VM may give hints for its own flows (with QEMU: the "
			"other end of a virtio-serial port)"},
	{"hint_owner", FIELD_TEXT, AT(config_vm, hint_owner), .dflt = "\"\"",
		.help = "`user` or `user:group` that owns that socket; left out: sluiced's own"},
	{"hint_mode", FIELD_TEXT, AT(config_vm, hint_mode), .min = 3, .dflt = "\"0600\"",
		.help = "its mode, octal"},
	{"min_queues", FIELD_UINT, AT(config_vm, min_queues), .min = 0, .max = 1024, .dflt = "0",
		.help = "hardware queues alone that it is guaranteed; lent while it has no flow for "
			"them"},
	{"max_queues", FIELD_UINT, AT(config_vm, max_queues), .min = 0, .max = 1024, .dflt = "0",
		.help = "queues that its flows may hold alone, receive and transmit, 0: no limit but "
			"that of its ports"},
	{"min_entries", FIELD_UINT, AT(config_vm, min_entries), .min = 0, .max = 1 << 24,
		.dflt = "0",
		.help = "table entries of each NIC that it is guaranteed; lent while it has no flow "
			"for them"},
	{"max_entries", FIELD_UINT, AT(config_vm, max_entries), .min = 0, .max = 1 << 24,
		.dflt = "0", .help = "NIC table entries of its flows in all, 0: no limit"},
	{"min_inserts", FIELD_UINT, AT(config_vm, min_inserts), .min = 0, .max = 10000000,
		.scaled = true, .dflt = "0",
		.help = "insertions a second that it is guaranteed: its flows go first until it has "
			"had them"},
	{"max_inserts", FIELD_UINT, AT(config_vm, max_inserts), .min = 0, .max = 10000000,
		.scaled = true, .dflt = "0",
		.help = "insertions a second for its flows at most, 0: no limit"},
	{.key = NULL},
};

static const char *const attach_kinds[] = {"none", "nic", "vf", "vhost-user", "ethdev", NULL};
static const char *const vhost_modes[] = {"server", "client", NULL};
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
		.help = "which packets: `vm=vm1 ip_dst=10.0.0.0/8 tcp dport=80`"},
	{"actions", FIELD_CODEC, .codec = CODEC_ACTIONS, .required = true,
		.help = "what happens to them: `output=uplink`, `class=bulk normal`, `drop`"},
	{.key = NULL},
};

static const char *const extension_points[] = {"ingress", "egress", "monitor", NULL};

static const struct field extension_fields[] = {
	{"name", FIELD_NAME, AT(config_extension, name), .required = true,
		.help = "what commands and counters call it; unique in its switch"},
	{"path", FIELD_TEXT, AT(config_extension, path), .min = 1, .required = true,
		.help = "shared object, built for `ext/abi.h`; a bare name is looked for beside the "
			"program"},
	{"at", FIELD_ENUM, AT(config_extension, at), .words = extension_points,
		.dflt = "\"ingress\"",
		.help = "ingress: before the rules; egress: once for each output; monitor: is shown "
			"packets and judges none"},
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

#define LIST(member, type, limit, plural)                                                          \
	.array = offsetof(struct config, member), .count = offsetof(struct config, n_##member),    \
	.count_size = sizeof(((struct config *)0)->n_##member), .size = sizeof(struct type),       \
	.max = (limit), .what = (plural)
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

static const struct object_type control_type = {
	"control", "Control sockets (JSON-RPC 2.0; `sluicectl`).", .fields = control_fields};
static const struct object_type log_type = {"log", "Logging.", .fields = log_fields};
static const struct object_type datapath_type = {"datapath", "The workers.", .fields = datapath_fields};
static const struct object_type offload_type = {"offload",
	"When flows move to hardware; rates may be text: `10M`, `64k`, `1G`.", .fields = offload_fields};
static const struct object_type class_type = {
	"class", "A QoS class; the first is the default.", .fields = class_fields};
static const struct object_type nic_type = {
	"nic", "A NIC whose queues, VFs and embedded switch are managed.", .fields = nic_fields};
static const struct object_type vm_type = {"vm", "A VM or container.", .fields = vm_fields};
static const struct object_type switch_type = {"switch", "A virtual switch.", .fields = switch_fields};

static const struct list_type class_list = {
	LIST(classes, config_class, CONFIG_CLASSES_MAX, "classes"), .embedded = true};
static const struct list_type nic_list = {LIST(nics, config_nic, CONFIG_NICS_MAX, "NICs")};
static const struct list_type vm_list = {LIST(vms, config_vm, CONFIG_PORTS_MAX, "VMs")};
static const struct list_type switch_list = {
	LIST(switches, config_switch, CONFIG_SWITCHES_MAX, "switches")};

static const struct field top_fields[] = {
	{"control", FIELD_OBJECT, .offset = 0, .object = &control_type, .help = "control sockets"},
	{"log", FIELD_OBJECT, .offset = 0, .object = &log_type, .help = "logging"},
	{"eal", FIELD_TEXTS, AT(config, eal[0]), .min = 1, .max = 16,
		.count = offsetof(struct config, n_eal),
		.help = "further EAL arguments, `--no-huge`"},
	{"drivers", FIELD_TEXTS, AT(config, drivers[0]), .min = 1, .max = 8,
		.count = offsetof(struct config, n_drivers),
		.help = "DPDK drivers to load, `librte_net_emunic.so`; looked for beside the "
			"program too"},
	{"datapath", FIELD_OBJECT, .offset = 0, .object = &datapath_type, .help = "the workers"},
	{"offload", FIELD_OBJECT, TOP(offload), .object = &offload_type,
		.help = "when flows move to hardware"},
	{"classes", FIELD_LIST, .list = &class_list, .object = &class_type,
		.dflt = "[{\"name\": \"default\"}]", .help = "QoS classes"},
	{"nics", FIELD_LIST, .list = &nic_list, .object = &nic_type, .help = "NICs"},
	{"vms", FIELD_LIST, .list = &vm_list, .object = &vm_type,
		.help = "the VMs; left out: those that ports name"},
	{"switches", FIELD_LIST, .list = &switch_list, .object = &switch_type, .help = "switches"},
	{.key = NULL},
};

static const struct object_type top_type = {
	"the file", "Everything has a default but what is marked required.", .fields = top_fields};
// clang-format on

const struct object_type *
config_fields(void)
{
	return &top_type;
}

uint64_t
config_uint_get(const void *at, size_t size)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (size) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		memcpy(&v16, at, size);
		return v16;
	case 4:
		memcpy(&v32, at, size);
		return v32;
	default:
		memcpy(&v64, at, sizeof(v64));
		return v64;
	}
}

void
config_uint_put(void *at, size_t size, uint64_t value)
{
	uint8_t v8 = (uint8_t)value;
	uint16_t v16 = (uint16_t)value;
	uint32_t v32 = (uint32_t)value;
	const void *from = size == 1   ? (void *)&v8
			   : size == 2 ? (void *)&v16
			   : size == 4 ? (void *)&v32
				       : (void *)&value;

	memcpy(at, from, size);
}

uint32_t
config_list_count(const struct config *cfg, const struct list_type *list)
{
	return (uint32_t)config_uint_get((const char *)cfg + list->count, list->count_size);
}

void *
config_list_at(const struct config *cfg, const struct list_type *list, uint32_t i)
{
	const char *array = (const char *)cfg + list->array;
	char *first;

	if (list->embedded)
		return (char *)(uintptr_t)array + i * list->size;
	memcpy(&first, array, sizeof(first));
	return first + i * list->size;
}

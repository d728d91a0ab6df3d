// SPDX-License-Identifier: BSD-3-Clause
// The field table, but for the part of switches (fields_switch.c).
#include "field_table.h"

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
		.dflt = "131072", .help = "flow cache entries of each worker; a reload changes it while packets "
			"flow, with both caches' memory taken until the flows have moved"},
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
			"`ring`, `software`, the best first: a queue before `eswitch` is taken by who "
			"is worth one (min_bps; alone: heavy_bps) and the eswitch by all others, and "
			"while none is free; of the two queues the flow's weight decides, but where "
			"`shared-queue` comes first one alone is for when none can be shared; left "
			"out: all"},
	{"share", FIELD_ENUM, AT(config_policy, share), .words = share_words, .dflt = "\"vm\"",
		.help = "what flows of one shared queue have in common: their VM, a rate limit "
			"within share_ratio_pct, the level of their class, their class; none: they "
			"share with nobody"},
	{"share_ratio_pct", FIELD_UINT, AT(config_policy, share_ratio_pct), .min = 101,
		.max = 10000, .dflt = "200",
		.help = "with share `rate-limit`: the greatest limit on a queue is at most this much "
			"of the least one (200: twice)"},
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
	{"max_queues", FIELD_UINT, AT(config_policy, max_queues), .min = 0, .max = 1024,
		.dflt = "0",
		.help = "queues that each VM may have alone for these flows, receive and transmit; 0: "
			"no limit but the VM's"},
	{"max_entries", FIELD_UINT, AT(config_policy, max_entries), .min = 0, .max = 1 << 24,
		.dflt = "0",
		.help = "NIC table entries that each VM may have for these flows; 0: no limit but the "
			"VM's"},
	{"max_inserts", FIELD_UINT, AT(config_policy, max_inserts), .min = 0, .max = 10000000,
		.scaled = true, .dflt = "0",
		.help = "insertions a second that each VM may have for these flows; 0: no limit but "
			"the VM's"},
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
	LIST(policies, config_policy, CONFIG_POLICIES_MAX, "policy rules")};

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
		.dflt = "256",
		.help = "most entries of each NIC that rules of the switch may take ahead of traffic, "
			"with what has to cover the rules above them, and at most half of "
			"`rule_limit`; when the table is full, only rules that carry more with "
			"them than single flows would; 0: none, flows are placed one by one"},
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
	{"rate_bps", FIELD_UINT, AT(config_class, rate_bps), .min = 0, .max = UINT64_C(1) << 40,
		.scaled = true, .dflt = "0",
		.help = "bit/s of all its packets at most: what is above is dropped by name, and its flows stay out of "
			"embedded switches, where nothing would count them; 0: no limit"},
	{"burst_bytes", FIELD_UINT, AT(config_class, burst_bytes), .min = 0, .max = 1 << 30,
		.scaled = true, .dflt = "0",
		.help = "bytes that may come at once; 0: of a tenth of a second, at least 64000"},
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
	{"rate_bps", FIELD_UINT, AT(config_vm, rate_bps), .min = 0, .max = UINT64_C(1) << 40,
		.scaled = true, .dflt = "0",
		.help = "bit/s of all that its ports send at most: what is above is dropped by name, and its flows stay out of "
			"embedded switches, where nothing would count them; 0: no limit"},
	{"burst_bytes", FIELD_UINT, AT(config_vm, burst_bytes), .min = 0, .max = 1 << 30,
		.scaled = true, .dflt = "0",
		.help = "bytes that may come at once; 0: of a tenth of a second, at least 64000"},
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

static const struct list_type class_list = {
	LIST(classes, config_class, CONFIG_CLASSES_MAX, "classes"), .embedded = true};
static const struct list_type nic_list = {LIST(nics, config_nic, CONFIG_NICS_MAX, "NICs")};
static const struct list_type vm_list = {LIST(vms, config_vm, CONFIG_PORTS_MAX, "VMs")};

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
	{"switches", FIELD_LIST, .list = &config_switch_list, .object = &config_switch_type,
		.help = "switches"},
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

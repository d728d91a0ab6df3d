// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "flow/text.h"

// The configuration: strict JSON in, one immutable struct out. The file is judged as a whole,
// without EAL: syntax (line, column and the line itself), then types, ranges, unknown and duplicate
// keys, then what names what (JSON pointer). One field table (fields.c) drives the parser, the
// defaults, the dump, the JSON schema and the reference page.
//
// Ids: switches have the id that the file gives; vports, classes, VMs and NICs are numbered in the
// order of the file, but a reload keeps the vport id of a vport that has the same switch and name,
// and the place of a VM, also of one that is gone (config_parse takes the old struct). Thread
// safety: owner thread only while parsing, afterwards any thread (immutable).

#define CONFIG_NAME_MAX 32  // with the NUL; letters, digits, - _ . and not a digit first
#define CONFIG_PATH_MAX 108 // of a Unix socket
#define CONFIG_DEVARGS_MAX 1024
#define CONFIG_PORTS_MAX 256
#define CONFIG_NICS_MAX 16
#define CONFIG_SWITCHES_MAX 16
#define CONFIG_CLASSES_MAX 16
#define CONFIG_RULES_MAX 65536
#define CONFIG_EXTENSIONS_MAX 16 // of one switch
#define CONFIG_EXTENSION_ARGS_MAX 32
#define CONFIG_EXTENSION_VALUE_MAX 96 // with the NUL

enum config_attach {
	CONFIG_ATTACH_NONE,
	CONFIG_ATTACH_NIC,
	CONFIG_ATTACH_VF,
	CONFIG_ATTACH_VHOST,
	CONFIG_ATTACH_ETHDEV
};
enum config_extension_point {
	CONFIG_EXT_INGRESS,
	CONFIG_EXT_EGRESS,
	CONFIG_EXT_MONITOR,
	CONFIG_EXT_MATCH
};
enum config_vlan_mode { CONFIG_VLAN_TRUNK, CONFIG_VLAN_ACCESS, CONFIG_VLAN_NATIVE };
enum config_offload_mode { CONFIG_OFFLOAD_SPLIT, CONFIG_OFFLOAD_SHARE };

struct config_class {
	char name[CONFIG_NAME_MAX];
	uint8_t level;                  // strict, 0 first
	uint16_t weight;                // within the level
	uint32_t depth;                 // packets in each ring, power of two
	uint64_t rate_bps, burst_bytes; // of all its packets; 0: no limit, the default
};

struct config_nic {
	char name[CONFIG_NAME_MAX];
	char dev[CONFIG_DEVARGS_MAX]; // "0000:3b:00.0,..." or "net_emunic0,..."
	uint16_t queues;              // receive (and transmit) queues of the PF that sluice sets up
	uint16_t default_queues;      // of these the default RSS set, from queue 0; the rest is for
				      // assigned flows
	uint16_t vf_queues;           // queues of each representor
	uint16_t vf_default_queues;
	uint16_t vfs;                      // VFs that the ports below may use
	uint32_t rule_limit;               // 0: learned from the NIC
	char standby_for[CONFIG_NAME_MAX]; // the NIC that it takes over from, "": none
	uint32_t recover_ms; // a NIC that failed is taken again when its link was up for so long;
			     // 0: by command only
};

#define CONFIG_SAME_VF UINT16_MAX

struct config_attachment {
	enum config_attach kind;
	uint16_t nic; // index in nics, for nic and vf
	uint16_t vf;
	uint16_t standby_vf; // VF of the NIC's standby that takes over, CONFIG_SAME_VF: of the same
			     // number
	char path[CONFIG_PATH_MAX];   // vhost-user
	bool client;                  // vhost-user: sluice connects, and reconnects
	bool library_rings;           // vhost-user: packets by rte_vhost's bursts in any case
	uint16_t queues;              // queue pairs of vhost-user and ethdev
	char dev[CONFIG_DEVARGS_MAX]; // ethdev
};

struct config_port { // a vport
	uint16_t id; // below CONFIG_PORTS_MAX, stable over reloads
	char name[CONFIG_NAME_MAX];
	uint16_t sw; // index in switches
	int16_t vm;  // index in vms, -1: an uplink
	struct config_attachment attach;
	enum config_vlan_mode vlan_mode;
	uint16_t vlan;      // access or native VID
	uint64_t trunk[64]; // bit n of the 4096: VID n is allowed (all ones by default; for access
			    // only `vlan`, for native `vlan` too)
	bool mac_check;     // anti-spoof: only these sources
	bool ip_check;
	uint8_t n_macs;
	uint8_t macs[8][6];
	uint8_t n_ips;
	struct {
		uint8_t addr[16];
		uint8_t l3; // FLOW_L3_IPV4 or FLOW_L3_IPV6
		uint8_t prefix;
	} ips[16];
	uint16_t mtu;
	uint64_t rate_bps, burst_bytes; // of all that it sends; 0: no limit, the default
	uint32_t storm_pps;   // broadcast, multicast and unknown unicast a second, 0: no limit
	bool hints;           // its VM's hints are followed
	bool miss_vm;         // what misses its table in the NIC comes through its VM
	uint16_t max_queues;  // hardware queues that flows to it may hold alone
	uint32_t max_entries; // NIC table entries of its flows, 0: no limit
};

struct config_vm {
	char name[CONFIG_NAME_MAX];
	char hint_socket[CONFIG_PATH_MAX];    // "": none
	char hint_owner[2 * CONFIG_NAME_MAX]; // "user", "user:group", "": sluiced's own
	char hint_mode[8];                    // octal
	uint64_t rate_bps, burst_bytes;       // of all that its ports send
	// Its part of the hardware (offload/vm.h); max 0: no limit.
	uint32_t min_queues, max_queues, min_entries, max_entries, min_inserts, max_inserts;
};

// Values are those of RULES_ASK_SRC and RULES_ASK_DST.
#define CONFIG_LEARNED_SRC 0x0001u // at the port that the packet came by
#define CONFIG_LEARNED_DST 0x0002u

struct config_rule {
	uint32_t id;                // index of its counters in its switch; unique in the switch
	char name[CONFIG_NAME_MAX]; // "" or unique in the switch
	uint16_t sw;
	uint16_t table;
	uint16_t priority;
	int16_t vm;       // match on VM: index in vms (one entry for each of its ports), -1: none
	uint16_t learned; // CONFIG_LEARNED_*: the address has to be a learned one
	char extension[CONFIG_NAME_MAX]; // that has to match, "": none
	struct flow_inner_match inner;   // of what is inside a tunnel
	struct flow_match match;
	struct flow_actions actions;
};

struct config_table {
	uint16_t sw;
	uint16_t id;
	char name[CONFIG_NAME_MAX];
	struct flow_actions fallback; // "default"
};

struct config_extension { // in the order of the file
	uint16_t sw;
	char name[CONFIG_NAME_MAX]; // unique in the switch
	char path[256];
	enum config_extension_point at;
	uint8_t n_args;
	struct config_extension_arg { // a list is one name several times
		char name[CONFIG_NAME_MAX];
		char value[CONFIG_EXTENSION_VALUE_MAX];
	} args[CONFIG_EXTENSION_ARGS_MAX];
};

struct config_switch {
	uint16_t id; // 1 to 65535
	char name[CONFIG_NAME_MAX];
	uint32_t mac_limit; // learned addresses
	uint32_t mac_age_s; // 0: never
	uint32_t max_rules;
	enum config_offload_mode mode; // "split" (default) or "share"
};

struct config_offload {
	bool enabled;
	uint64_t heavy_bps;       // a flow above this is heavy: it wants a queue of its own
	uint64_t light_bps;       // below this it is light again (hysteresis)
	uint64_t min_bps;         // below this a flow is not worth a queue or a ring
	uint64_t eswitch_min_bps; // below this a flow is not worth an embedded switch's entry
	uint32_t idle_ms;      // a placed flow without packets for this long leaves; 0: automatic
	uint32_t retry_ms;     // a kind of rule that a NIC refused is tried again after this
	uint32_t residency_ms; // a placed flow stays at least this long; 0: automatic
	uint32_t tick_ms;
	uint16_t shared_flows;    // flows that one shared queue takes
	uint32_t orders_per_tick; // bound on the work of a tick
	bool vm_tables;           // a table of the embedded switch for each port
	uint32_t miss_key_s;      // keys of tagged misses are replaced after this
	uint32_t rules_ahead;     // entries of each NIC for rules ahead of traffic, 0: none
};

struct config_balance { // of receive queues among workers
	bool enabled;
	uint32_t interval_ms;
	uint16_t load_pct; // of the busiest worker: nothing moves below it
	uint16_t gain_pct; // by which its load has to fall
};

#define CONFIG_POLICIES_MAX 64
#define CONFIG_PLACES 5 // numbers as enum offload_path: software, ring, shared, exclusive, eswitch

enum config_share { // as enum offload_share
	CONFIG_SHARE_VM,
	CONFIG_SHARE_RATE_LIMIT,
	CONFIG_SHARE_PRIORITY,
	CONFIG_SHARE_CLASS,
	CONFIG_SHARE_NONE
};
enum config_scale { // as enum offload_scale
	CONFIG_SCALE_GREATER,
	CONFIG_SCALE_FAST,
	CONFIG_SCALE_SLOW
};
enum config_hint { CONFIG_HINT_ANY, CONFIG_HINT_RAISE, CONFIG_HINT_LOWER };
enum config_class_target { CONFIG_CLASS_QUEUES, CONFIG_CLASS_ENGINE, CONFIG_CLASS_VF };
#define CONFIG_ANY_LEVEL 255
#define CONFIG_DSCP_MAX 96

struct config_policy { // a rule of the placement policy, in the order of the file
	char name[CONFIG_NAME_MAX];
	// Which flows: as it was written, and as what it names turned out to be.
	char vm_name[CONFIG_NAME_MAX], port_name[CONFIG_NAME_MAX], class_name[CONFIG_NAME_MAX];
	char match_text[256];
	int16_t vm, cls;  // index, -1: any
	int32_t vport;    // id, -1: any
	uint16_t sw;      // whose names the match uses
	uint8_t priority; // level of the class, CONFIG_ANY_LEVEL: any
	enum config_hint hint;
	bool has_match;
	struct flow_match match;
	uint64_t min_bps, max_bps, min_limit_bps, max_limit_bps; // 0: any
	enum config_scale scale;
	uint32_t min_age_ms, max_age_ms; // 0: any
	char dscp_text[CONFIG_DSCP_MAX];
	uint64_t dscp; // bit n: code point n; 0: any
	// What holds for them.
	uint8_t n_places; // 0: all, as usual
	char place_text[CONFIG_PLACES][20];
	uint8_t places[CONFIG_PLACES];
	enum config_share share;
	uint64_t heavy_bps, light_bps, least_bps; // 0: as for all
	uint32_t share_ratio_pct;
	uint32_t max_queues, max_entries, max_inserts; // of each VM; 0: no limit
	bool hints, strict_order, own_queues;
	bool class_rule; // the NIC spreads them over the queues
	enum config_class_target class_target;
	char raise_text[CONFIG_DSCP_MAX], lower_text[CONFIG_DSCP_MAX];
	uint64_t dscp_raise, dscp_lower; // code points that are a hint
	char queues_text[16];
	uint16_t queue_first, queue_last; // UINT16_MAX: any
};

struct config {
	char socket[CONFIG_PATH_MAX];
	char socket_ro[CONFIG_PATH_MAX]; // "" : none
	enum sl_log_level log_level;
	char eal[16][256]; // extra EAL arguments
	uint8_t n_eal;
	char drivers[8][CONFIG_DEVARGS_MAX]; // shared objects of DPDK drivers to load, found beside
					     // the program too
	uint8_t n_drivers;
	uint32_t flows;         // cache entries of each worker
	uint32_t idle_ms;       // a software flow without packets for this long leaves the cache
	uint32_t insert_budget; // flows a second that a full cache takes; 0: all
	uint32_t mbufs;         // packet buffers of each pool
	uint32_t sleep_after;   // empty polls before a worker naps, 0: never
	uint32_t tx_hold_us;    // that packets wait for others, 0: for those of the same poll
	struct config_balance balance;
	struct config_offload offload;
	uint8_t n_classes; // class 0 is the default; there is always one
	struct config_class classes[CONFIG_CLASSES_MAX];
	uint16_t n_policies;
	struct config_policy *policies; // of the placement policy
	uint16_t n_nics, n_switches, n_ports, n_vms, n_tables, n_extensions;
	uint32_t n_rules;
	struct config_nic *nics;
	struct config_switch *switches;
	struct config_port *ports;
	struct config_vm *vms;
	struct config_table *tables;
	struct config_rule *rules;
	struct config_extension *extensions;
};

// The mistakes of a file, at most CONFIG_FAULTS_MAX of them: one line each.
#define CONFIG_FAULTS_MAX 20
struct config_faults {
	unsigned n;
	bool more; // there are more than the list holds
	struct sl_err list[CONFIG_FAULTS_MAX];
};

// Reads and judges a file. old may be NULL. On failure *out is NULL and err says where and what was
// expected: the first of the faults.
int config_load(
	const char *path, const struct config *old, struct config **out, struct sl_err *err);
// The same from text; origin is its name in messages.
int config_parse(const char *text, size_t len, const char *origin, const struct config *old,
	struct config **out, struct sl_err *err);
// The same with all faults that one pass finds (text names them; a wrong type or name hides what
// depends on it).
int config_load_all(const char *path, const struct config *old, struct config **out,
	struct config_faults *faults);
int config_parse_all(const char *text, size_t len, const char *origin, const struct config *old,
	struct config **out, struct config_faults *faults);
void config_free(struct config *cfg);

// Names and ids of one switch for the text syntax of rules; fills *out, which borrows cfg.
struct config_names {
	const struct config *cfg;
	uint16_t sw; // index
};
void config_flow_names(struct config_names *ctx, struct flow_names *out);
// A rule given as text (from a file or from `rule add`): takes the word vm=NAME out of the match
// itself. Sets sw, vm, match and actions of *out only; err has the path "match" or "actions".
int config_rule_parse(const struct config *cfg, uint16_t sw, const char *match, const char *actions,
	struct config_rule *out, struct sl_err *err);
// Arguments of an extension given as text: "drop=tcp/23,udp/53 count=true" (added to *out, which is
// zero behind its arguments). -EINVAL with path "args".
int config_extension_args(const char *text, struct config_extension *out, struct sl_err *err);
// The match of a rule as people write it; cfg has what it names.
void config_rule_match_format(
	const struct config *cfg, const struct config_rule *rule, struct sl_strbuf *out);
// A goto must lead to a higher table than the one it stands in. -EINVAL with path "actions".
int config_goto_check(uint16_t table, const struct flow_actions *actions, struct sl_err *err);

// Index of the NIC that stands by for nic, and of the one that nic stands by for; -1: none.
int config_standby_of(const struct config *cfg, uint16_t nic);
int config_primary_of(const struct config *cfg, uint16_t nic);
// The VF of the standby for an attachment to a VF.
uint16_t config_standby_vf(const struct config_attachment *a);
const struct config_port *config_port_by_name(const struct config *cfg, const char *name);
int config_switch_by_name(const struct config *cfg, const char *name); // index or -ENOENT

// The effective configuration, defaults filled in, as the JSON that would yield it (free()).
char *config_dump(const struct config *cfg);
// Generated documents (free()): JSON schema (draft 2020-12) and the reference page in Markdown.
char *config_schema(void);
char *config_reference(void);

#endif

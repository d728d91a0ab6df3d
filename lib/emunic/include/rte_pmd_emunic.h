// SPDX-License-Identifier: BSD-3-Clause
#ifndef RTE_PMD_EMUNIC_H
#define RTE_PMD_EMUNIC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What the emulated NIC can do beyond ethdev and rte_flow. Applications find these by dlsym, so
// that they start without it.
//
// port_id is any port of the NIC, a PF or a representor; side is "wire" (that of the first PF),
// "wireK" or "vfN". All return -ENODEV when the port is not of an emulated NIC, -ENOTSUP in a
// secondary process, and -EINVAL when it has no such side.
// Thread safety: any thread, but no two calls for the same side at once, and none while the NIC is
// being removed.

// Puts another backend behind a side while the NIC runs. text is as in the device arguments
// ("[KIND,key=value,...]" or without brackets); NULL or "" unplugs the side. The new backend is
// opened before the old one is closed; on an error the old one stays and -errno tells why (the
// sentence is in the log).
int rte_pmd_emunic_backend_swap(uint16_t port_id, const char *side, const char *text);

// Takes what is plugged in at a side to another side, of another emulated NIC or of the same, while
// both run: nothing closes, a guest on a vhost-user socket sees nothing of it. What it sends waits
// with it meanwhile. From a VF to a VF its RSS goes along (rte_pmd_emunic_vf_rss_set and
// rte_pmd_emunic_vf_reta_set): what was set at the VF that it goes to is forgotten, and the one
// that it leaves has the default again. The NIC that it leaves must not be removed while it is in
// use at the other. -ENOENT: nothing is plugged in at side; -EBUSY: something is at to_side;
// -ENOTSUP: the kind ethdev stays with its NIC.
int rte_pmd_emunic_backend_move(
	uint16_t port_id, const char *side, uint16_t to_port_id, const char *to_side);

// While on is 1, what the host sends to the side stays in the transmit queues of the port that
// represents it, until on is 0 or a backend is moved there: nothing is lost while its guest is on
// its way.
int rte_pmd_emunic_side_hold(uint16_t port_id, const char *side, int on);

// 1 when a finite backend (replay, generator with a count) has played all it has, else 0.
int rte_pmd_emunic_side_finished(uint16_t port_id, const char *side);

// Changes limits and moods of the NIC while it runs: "key=value,key=value" with the keys of the
// device arguments that are listed under "limits and moods". All of text takes effect, or none
// does and why has a sentence (-EINVAL).
int rte_pmd_emunic_set(uint16_t port_id, const char *text, char *why, size_t why_len);

// The receive queues that RSS spreads a VF's packets over, in the proportion in which they are
// named; n (at most 128) of 0 to 127, and 0: all that its guest has enabled. A queue that the guest
// has not enabled is passed over. -EINVAL: no such VF, or a figure above these.
int rte_pmd_emunic_vf_reta_set(uint16_t port_id, uint16_t vf, const uint16_t *queues, uint16_t n);
// What was named, by either side: queues has room for RTE_PMD_EMUNIC_RETA. Returns n.
#define RTE_PMD_EMUNIC_RETA 128
int rte_pmd_emunic_vf_reta_get(uint16_t port_id, uint16_t vf, uint16_t *queues);

// The receive queues of a VF: as many as its guest has enabled by now, or one where what is plugged
// in knows none; at most n of them are put into out. Returns how many it has, 0: nothing is plugged
// in. -EINVAL: no such VF.
struct rte_pmd_emunic_vf_queue {
	uint64_t packets; // that went to it
	uint8_t rss;      // 1: RSS spreads packets over it
};
int rte_pmd_emunic_vf_queues(
	uint16_t port_id, uint16_t vf, struct rte_pmd_emunic_vf_queue *out, uint16_t n);

// RSS of a VF: its types (RTE_ETH_RSS_* of the PF's flow_type_rss_offloads; 0: none, all packets go
// to queue 0), and its key of RTE_PMD_EMUNIC_RSS_KEY bytes, or NULL: that stays. The VF's own
// driver may do the same (RTE_PMD_EMUNIC_MBOX_RSS_SET). -EINVAL: no such VF, or a type that is not
// one of these; -ENOMEM.
#define RTE_PMD_EMUNIC_RSS_KEY 40
int rte_pmd_emunic_vf_rss_set(uint16_t port_id, uint16_t vf, uint64_t types, const uint8_t *key);
int rte_pmd_emunic_vf_rss_get(uint16_t port_id, uint16_t vf, uint64_t *types, uint8_t *key);

// A VF's message to its PF is this frame, sent by the VF untagged and not longer than the MTU, all
// numbers in network byte order, len bytes of data behind it. The NIC takes it out at the VF's
// edge. The answer is the same frame with the bit RTE_PMD_EMUNIC_MBOX_ANSWER in type and an errno,
// or 0, in result.
#define RTE_PMD_EMUNIC_MBOX_ETHERTYPE 0x88b5 // IEEE 802, local experimental ethertype 1
#define RTE_PMD_EMUNIC_MBOX_MAGIC 0x456d4278 // "EmBx"
#define RTE_PMD_EMUNIC_MBOX_VERSION 1
#define RTE_PMD_EMUNIC_MBOX_DATA 64
#define RTE_PMD_EMUNIC_MBOX_ANSWER 0x80

// Messages of these types are for the NIC itself and no event: the VF's own driver sets its RSS. It
// changes its VF only; an answer of EINVAL changed nothing, one of ENOTSUP says that there is no
// such type.
#define RTE_PMD_EMUNIC_MBOX_NIC 0x70      // this one and those above
#define RTE_PMD_EMUNIC_MBOX_RSS_SET 0x70  // data: 8 bytes of RTE_ETH_RSS_*, and the key or nothing
#define RTE_PMD_EMUNIC_MBOX_RETA_SET 0x71 // data: a queue in each byte; none: all alike
#define RTE_PMD_EMUNIC_MBOX_RSS_GET 0x72  // the answer's data are as those of RSS_SET, with the key
#define RTE_PMD_EMUNIC_MBOX_RETA_GET 0x73 // as those of RETA_SET; E2BIG: the PF named more than 64

struct rte_pmd_emunic_mbox_frame {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t ethertype;
	uint16_t result;
	uint32_t magic;
	uint8_t version;
	uint8_t type; // below 0x70 what it means is between guest and application
	uint16_t len;
	uint32_t id; // the answer has the same
};

// What a callback of the PF for RTE_ETH_EVENT_VF_MBOX finds at its ret_param. It runs in EAL's
// interrupt thread. answer is what the VF is told: 0 or -errno; -ENOTSUP when nobody sets it.
struct rte_pmd_emunic_mbox_event {
	uint16_t vf;
	uint16_t len;
	uint32_t id;
	int32_t answer;
	uint8_t type;
	uint8_t data[RTE_PMD_EMUNIC_MBOX_DATA];
};

// Limits what a VF may send into the NIC to so many Mbit/s, 0: no limit; as rate= does for one
// side. What is above it waits with the VF. -EINVAL: no such VF, or above 400000.
int rte_pmd_emunic_vf_rate_set(uint16_t port_id, uint16_t vf, uint32_t mbps);

// ---- Misses: where packets go that meet no transfer rule
//
// A VF's misses are what came from it and met no rule, and, where group is not 0, what came from
// anywhere and met none in that group of the transfer domain (its own flow table, which a rule
// jumped to). They go to the representor and the PF, as ever, or to the VF itself, with a tag: its
// guest passes the frame unchanged over its port of the switch, and the switch judges the tag and
// knows where the frame came from. rte_pmd_emunic_miss.h has the layout, and functions for the
// switch. What the host itself sends is no miss. While the VF is down, its misses go to the
// representor. A tagged frame that its guest sends back into the VF is dropped by name. A tagged
// frame may be RTE_PMD_EMUNIC_MISS_TAG bytes above the MTU.
enum rte_pmd_emunic_miss_way {
	RTE_PMD_EMUNIC_MISS_TO_REPRESENTOR,
	RTE_PMD_EMUNIC_MISS_TO_VM,
};

struct rte_pmd_emunic_vf_miss {
	uint8_t way;    // enum rte_pmd_emunic_miss_way; only for TO_VM:
	uint8_t key_id; // what the tags say of the key
	uint32_t group;
	uint8_t key[16]; // of this VF only, from a good random source; the NIC tells it nobody
};

// 0, or -errno with a sentence in why: -EINVAL no such VF, way, or a key of zeros; -EBUSY another
// VF has the group or the key.
int rte_pmd_emunic_vf_miss_set(uint16_t port_id, uint16_t vf,
	const struct rte_pmd_emunic_vf_miss *conf, char *why, size_t why_len);

// ---- Queue groups: the NIC assigns flows to queues by itself
//
// A group is a set of receive queues of one host port (the PF or a representor). An ingress rule of
// that port sends packets to it by QUEUE with the index RTE_PMD_EMUNIC_GROUP + group. Of all flows
// that come so the NIC tracks the rate, gives a heavy one a queue alone, and puts light ones of a
// kind together; the host sends the rule once, and no message for a flow.
//
// A flow is what has the same side that it entered by, VLANs, MAC addresses, ethertype, IP
// addresses, protocol and L4 ports (a fragment has none). It moves to another queue only when what
// is before it in the old one was taken by the application, so nothing is reordered within it; a
// flow that leaves a queue that is stopped does not wait. A flow whose queue is stopped moves at
// its next packet; when all queues of a group are stopped, its packets are dropped as for a stopped
// queue. A port that is stopped forgets its flows and keeps its groups. Rules and RETA should send
// nothing else to the queues of a group.
//
// port_id is the host port itself; group is below RTE_PMD_EMUNIC_GROUPS. All return -ENOENT when
// there is no such group. Thread safety: any thread.
#define RTE_PMD_EMUNIC_GROUP 0x8000
#define RTE_PMD_EMUNIC_GROUPS 64 // of a port

// What makes two light flows of one kind: any of
#define RTE_PMD_EMUNIC_ALIKE_SOURCE 0x01      // the side that they entered by: wire or VF
#define RTE_PMD_EMUNIC_ALIKE_VLAN 0x02        // the outer VLAN id
#define RTE_PMD_EMUNIC_ALIKE_PCP 0x04         // and its priority
#define RTE_PMD_EMUNIC_ALIKE_DSCP 0x08        // the DSCP of the outer IP header
#define RTE_PMD_EMUNIC_ALIKE_DESTINATION 0x10 // the IP address that they go to
#define RTE_PMD_EMUNIC_ALIKE_MARK 0x20        // the MARK that a rule gave them: any class of yours
// Their rate, in classes: flows of one differ by at most a factor of
#define RTE_PMD_EMUNIC_ALIKE_RATE 0x40
#define RTE_PMD_EMUNIC_RATE_STEP 4
// Class 0 is what has not been measured yet or is below this (bit/s), class n begins at this times
// RTE_PMD_EMUNIC_RATE_STEP to the power of n - 1. A flow leaves its class when its rate is a
// quarter beyond its bounds, so that one whose rate is about a bound stays where it is.
#define RTE_PMD_EMUNIC_RATE_FIRST 64000

// Makes a group, or changes the figures that text names of one that is in use: "key=value,..." of
//   queues=LIST       its queues, as in 1-3+7; a queue is in one group only
//   alike=LIST        kinds, as in source+dscp+rate, or none: all light flows may share (none)
//   heavy=KBPS        a flow of this rate and more gets a queue alone (100000),
//   light=KBPS          and gives it back below this one; 0: half of heavy (0)
//   hold=MS             after it was so for this time (20)
//   window=MS         rates are taken over this time, and half of a rate is that of the last (10)
//   shared_load=KBPS  a kind whose queue carries more takes another free one; 0: never (1000000)
//   exclusive_max=N   queues that have a flow alone; 0: all but one, or all with overflow=QUEUE (0)
//   shared_max=N      queues that flows share; 0: no limit, so the first kinds may take all (0);
//                       a lower figure holds for the kinds that come then
//   overflow=mix      a kind for which no queue is left goes to the one with least load (mix), or
//   overflow=QUEUE      to this queue, of no group, until there is one: the way to the host's rings
//   idle=MS           a flow without packets is forgotten (2000)
//   flows=N           that the NIC knows at once, to 1048576; beyond that an old light one gives
//                       way, or the new one goes unmeasured; fixed once the group is made (4096)
// All of text takes effect, or none does (-EINVAL) and why has a sentence. -EBUSY: a queue is of
// another group. -ENOMEM.
int rte_pmd_emunic_group_set(
	uint16_t port_id, uint16_t group, const char *text, char *why, size_t why_len);

// -EBUSY, with the number of rules in why, while rules send to it.
int rte_pmd_emunic_group_del(uint16_t port_id, uint16_t group, char *why, size_t why_len);

struct rte_pmd_emunic_group {
	char text[1400];  // all its figures, as rte_pmd_emunic_group_set takes them
	uint32_t rules;   // that send to it
	uint32_t flows;   // known now
	uint64_t packets; // that came to it
	uint64_t moves;   // of flows, from one queue to another
	uint64_t mixed;   // flows that had to share with another kind, or overflow, when they came
	uint64_t evicted; // that gave way to new ones
	uint64_t unmeasured; // packets of flows for which there was no room
};
int rte_pmd_emunic_group_get(uint16_t port_id, uint16_t group, struct rte_pmd_emunic_group *out);

// A kind of flows. What alike does not name is zero.
struct rte_pmd_emunic_kind {
	uint16_t source; // 0: the wire; 1 + n: VF n
	uint16_t vlan;
	uint8_t pcp;
	uint8_t dscp;
	uint8_t ip_version; // of destination: 4, 6, or 0
	uint8_t rate_class; // of the steps of RTE_PMD_EMUNIC_ALIKE_RATE
	uint32_t mark;
	uint8_t destination[16]; // IPv4: the first four bytes
};

enum rte_pmd_emunic_queue_state {
	RTE_PMD_EMUNIC_QUEUE_FREE,
	RTE_PMD_EMUNIC_QUEUE_EXCLUSIVE,
	RTE_PMD_EMUNIC_QUEUE_SHARED,  // by flows of kind, and maybe others (mixed)
	RTE_PMD_EMUNIC_QUEUE_STOPPED, // the port has not started it
};

struct rte_pmd_emunic_queue {
	uint16_t queue;
	uint8_t state; // enum rte_pmd_emunic_queue_state
	uint8_t mixed; // flows of other kinds share it too
	struct rte_pmd_emunic_kind kind;
	uint32_t flows;    // that go to it
	uint32_t assigned; // that are to go to it: some may not have come yet, some not have left
	uint64_t bps;
	uint64_t packets; // that the group sent to it
};

// Its queues, at most n. Returns how many it has.
int rte_pmd_emunic_group_queues(
	uint16_t port_id, uint16_t group, struct rte_pmd_emunic_queue *out, uint16_t n);

struct rte_pmd_emunic_flow {
	uint16_t source; // 0: the wire; 1 + n: VF n
	uint16_t vlan[2];
	uint16_t ether_type;         // host order, as are
	uint16_t src_port, dst_port; // these
	uint8_t proto;
	uint8_t ip_version; // 4, 6, or 0: not IP
	uint8_t src[16], dst[16];
	uint8_t src_mac[6], dst_mac[6];
	struct rte_pmd_emunic_kind kind;
	uint16_t queue;
	uint16_t next_queue; // that it waits to move to, or queue
	uint8_t state;       // of its queue, EXCLUSIVE or SHARED; FREE: it is in the overflow queue
	uint64_t bps;
	uint64_t packets, bytes;
	uint64_t queue_ns; // for so long in its queue
	uint64_t age_ns;   // known for so long
};

// The flows that it knows, at most n from *next (begin with 0) on, which becomes where to go on.
// Returns how many; 0: that was all. A flow that is not there from the first call to the last may
// be missing.
int rte_pmd_emunic_group_flows(uint16_t port_id, uint16_t group, uint32_t *next,
	struct rte_pmd_emunic_flow *out, uint32_t n);

#ifdef __cplusplus
}
#endif

#endif

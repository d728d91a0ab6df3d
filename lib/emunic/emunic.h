// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_EMUNIC_H
#define EMUNIC_EMUNIC_H

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include <ethdev_driver.h>
#include <rte_log.h>

#include "backend/backend.h"
#include "backend/gen_flows.h"
#include "devargs.h"
#include "port/mailbox.h"
#include "eswitch/meter.h"
#include "eswitch/miss.h"
#include "eswitch/packet.h"
#include "port/rate.h"
#include "eswitch/rss.h"
#include "eswitch/table.h"

// The emulated NIC: one embedded switch between its sides (the wire and the VFs) and its host
// ports (the PF and the representors).
//
//              application (any DPDK program)
//      PF ethdev         rep 0 ethdev      rep 1 ethdev     host ports: RSS, ingress rules, rings
//   ------+-----------------+-----------------+----------
//         |    embedded switch: transfer rules, else      |  run by the firmware: a thread, a
//         |    port <-> the side that it represents       |  service, or the caller's bursts
//   ------+-----------------+-----------------+----------
//       wire               vf0               vf1           sides: backends
//
// Host port i represents side i: 0 is the PF and the wire, 1 + n is VF n and its representor. A NIC
// of several physical ports (ports=) has a PF and a wire for each, in one switch; those after the
// first come last. VFs, the mailbox and the ledger are the first PF's.
//
// Where packets are lost they get a name (enum emu_drop, and per side full and down), and the
// NIC's ledger holds at all times at which nothing moves:
//   received (wire, vf, host) + originated + copies
//     = sent (wire, vf, host) + consumed + sum(drops) + held (in rings);
// what is originated and consumed are the mailbox's frames.
//
// Thread safety: one gate per NIC. The firmware holds it for one burst of one side or queue at a
// time; the host holds it to change anything. Receive and transmit bursts do not take it: they
// touch their queue's ring and their own counters only.
//
// Secondary processes (DPDK programmer's guide, "Multi-process Support") attach to the ports: the
// NIC, its sides, ports and queues are in shared memory, and so is the gate. They may look and move
// packets. The firmware, the backends behind the sides and all pointers to functions are the
// primary's; what backends tell is copied into the sides for the others, every 10 ms.

#define EMU_MAX_PORTS EMU_SLOTS
#define EMU_RETA_SIZE 512
#define EMU_MAX_MACS 16
#define EMU_MAX_MCAST 64
#define EMU_VLANS 4096
#define EMU_L2_OVERHEAD (14 + 2 * 4) // Ethernet and two tags, over the MTU
#define EMU_VF_RETA 128
#define EMU_MIN_MTU 68
#define EMU_PTYPES 128
#define EMU_MAX_MTU 9600
#define EMU_MAX_FRAME (EMU_MAX_MTU + EMU_L2_OVERHEAD)
#define EMU_MAX_LRO 65535
#define EMU_MIN_DESC 32
#define EMU_MAX_DESC 16384
#define EMU_DEFAULT_DESC 1024

extern int emunic_logtype; // RTE_LOG_REGISTER's, as every DPDK library has one
#define EMU_LOG(level, fmt, ...)                                                                   \
	rte_log(RTE_LOG_##level, emunic_logtype, "EMUNIC: " fmt "\n", ##__VA_ARGS__)

enum emu_drop {
	EMU_DROP_RULE,             // a rule's DROP
	EMU_DROP_JUMP_LOOP,        // jumped from group to group without end
	EMU_DROP_PASS_LIMIT,       // was let pass by one rule after the other
	EMU_DROP_JUMP_MISS,        // met no rule in the group that it jumped to (jump_miss_drop=)
	EMU_DROP_ISOLATED,         // no rule sends it to a queue, and the port is isolated
	EMU_DROP_MALFORMED,        // no whole Ethernet header
	EMU_DROP_MTU,              // longer than the MTU of the port that it enters or leaves by
	EMU_DROP_MAC_FILTER,       // not for the port, which is not promiscuous
	EMU_DROP_VLAN_FILTER,      // of a VLAN that the port has not let in
	EMU_DROP_HOST_STOPPED,     // the host port is stopped, or there is none
	EMU_DROP_RX_MISSED,        // the receive ring is full
	EMU_DROP_RX_NOMBUF,        // the queue's mempool is empty
	EMU_DROP_RX_TOO_LONG,      // needs several buffers, and the queue does not scatter
	EMU_DROP_RX_QUEUE_STOPPED, // the queue is stopped or does not exist
	EMU_DROP_RX_QUEUE_STALLED, // the queue stands still (stall=)
	EMU_DROP_VF_QUEUE_STALLED, // and so does the VF's
	EMU_DROP_WIRE_LOSS,        // the wire lost it (loss=)
	EMU_DROP_BAD_OFFLOAD,      // asks for a checksum or segmentation that its headers forbid
	EMU_DROP_MBOX_FLOOD,       // a message of a VF above its rate (mbox_rate=)
	EMU_DROP_MBOX_MALFORMED,   // a frame of the mailbox's type that is no message
	EMU_DROP_MISS_LOOP,        // a tagged miss that its VF sent back
	EMU_DROP_NO_BUFFER,        // the NIC's own memory is used up
	EMU_DROP_PORT_STOP,        // was in a ring when its port or queue was stopped or closed
	EMU_DROP_METER,            // a meter's policy
	EMU_DROP_TTL,              // DEC_TTL left nothing of its time to live
	EMU_DROP_EDIT,             // an action could not be done to it
	EMU_DROPS
};

struct emu_nic;
struct emu_port;
struct emu_segments;

// One receive queue of a host port.
struct emu_rxq {
	struct rte_ring *ring;
	struct rte_mempool *pool;
	struct emu_port *port;
	uint64_t offloads;
	uint16_t id;
	uint16_t n_desc;
	uint16_t room; // bytes of packet that one buffer takes
	uint16_t port_id;
	bool started;
	bool deferred;
	bool drop_en;
	bool strip;          // takes VLAN tags out of packets
	int event_fd;        // receive interrupts; -1: none
	bool armed;          // somebody sleeps, or is about to
	uint64_t interrupts; // that were raised
	// Written by the application's thread.
	alignas(64) uint64_t packets;
	uint64_t bytes;
	// Written by the firmware.
	alignas(64) uint64_t missed;
	uint64_t nombuf;
	unsigned int n_staged;
	void *staged[EMU_BURST]; // packets (struct emu_pkt), or the buffers that they are in
};

// One transmit queue of a host port.
struct emu_txq {
	struct rte_ring *ring;
	struct emu_port *port;
	uint64_t offloads;
	uint16_t id;
	uint16_t n_desc;
	bool started;
	bool deferred;
	struct emu_rate rate; // of the firmware: how fast it takes from the ring
	// Written by the application's thread.
	alignas(64) uint64_t packets;
	uint64_t bytes;
};

struct emu_queue_totals {
	uint64_t packets, bytes, missed, nombuf;
};

// A host port: the PF or a representor. It is the private data of its ethdev.
struct emu_port {
	struct emu_nic *nic;
	struct emu_side *side; // that it represents
	struct rte_eth_dev *dev;
	uint16_t index; // in nic->ports, and of the side
	uint16_t slot;  // of moods (mood/slots.h)
	bool pf;        // its side is a wire; else it is a representor
	uint16_t max_queues;
	bool started;
	bool rss_on;
	bool no_mark; // the application negotiated rx metadata without the mark
	bool no_flag; // or without the flag
	bool promiscuous;
	bool all_multicast;
	bool lsc; // the application wants link events
	uint64_t rx_offloads;
	bool vlan_filter;
	uint64_t vlans[EMU_VLANS / 64];   // let in
	uint32_t tx_rate[EMU_MAX_QUEUES]; // Mbit/s, 0: no limit
	int rx_event[EMU_MAX_QUEUES];     // eventfds of receive interrupts, -1: none
	uint16_t n_rxq, n_txq;
	struct emu_rxq *rxq[EMU_MAX_QUEUES];
	struct emu_txq *txq[EMU_MAX_QUEUES];
	uint16_t reta[EMU_RETA_SIZE];
	struct rte_ether_addr macs[EMU_MAX_MACS];   // ethdev's list; [0] is the port's own
	struct rte_ether_addr filter[EMU_MAX_MACS]; // the same, for the firmware
	struct rte_ether_addr mcast[EMU_MAX_MCAST];
	uint32_t n_mcast;
	struct emu_age_list aged; // to be told
	bool aged_event;          // an event is due, and
	bool aged_told;           // no other until the list was read
	LIST_HEAD(, rte_flow_action_handle) handles;
	uint32_t n_handles;
	struct emu_async *async; // flow_async.h; NULL: rte_flow_configure was not called
	LIST_HEAD(, rte_flow_pattern_template) patterns;
	LIST_HEAD(, rte_flow_actions_template) action_templates;
	LIST_HEAD(, rte_flow_template_table) tables;
	struct emu_meters meters;
	struct emu_groups *groups; // assign/groups.h; NULL: none
	bool isolated;             // receives nothing but what ingress rules send to a queue
	struct emu_table ingress, egress;
	struct emu_rule_list rules; // created on this port, of all domains
	char flow_error[1024];      // the last rte_flow message that was made for its case
	struct emu_queue_totals rx_gone, tx_gone; // of queues that were released
	struct emu_queue_totals rx_base[EMU_MAX_QUEUES], tx_base[EMU_MAX_QUEUES];
	struct emu_queue_totals rx_gone_base, tx_gone_base; // at the last stats reset
	struct emu_rss rss;
};

// A wire or a VF.
struct emu_side {
	struct emu_backend *backend; // NULL: nothing is plugged in
	struct emu_wire *wire;       // NULL: it is a VF
	struct rte_mempool *landing; // that its packets may land in (port/landing.h), or NULL
	char name[8];                // "wire", "wireK", "vfN"
	uint16_t index;
	uint16_t slot;   // of moods (mood/slots.h)
	uint16_t mtu;    // of both the side and the host port that represents it
	bool armed;      // its host port was started once, so it is polled
	bool admin_down; // set_link_down
	bool pulled;     // link_down=
	bool held;       // what the host sends to it waits in the transmit queues
	bool link;       // as last announced
	bool link_changed;
	bool stalls;                   // a VF, some of whose receive queues stand still (stall=)
	bool still;                    // a VF whose only transmit queue does
	struct emu_rate rate;          // at which it may send into the NIC (rate=)
	uint64_t rx_packets, rx_bytes; // into the NIC
	uint64_t tx_packets, tx_bytes; // out of the NIC
	uint64_t drop_full, drop_down;
	struct emu_backend_stats gone; // of backends that were swapped out
	struct emu_backend_stats told; // of all its backends, as last told
	bool finished;                 // likewise
	// Of a VF.
	uint16_t n_queues;   // receive queues that it has at the moment
	struct emu_rss *rss; // as its own driver set it, or NULL: vf_rss of the NIC
	uint16_t n_reta;     // queues that were named; 0: all alike, and reta is nothing
	uint16_t reta[EMU_VF_RETA];
	uint64_t queue_packets[EMU_MAX_VF_QUEUES];
	struct emu_mail_slot mail;
	struct emu_miss miss;
	unsigned int n_out;
	struct rte_mbuf *out[EMU_BURST]; // collected for one tx of the backend
};

struct emu_gate {
	pthread_mutex_t lock;
	uint32_t wanted; // host threads that wait for it
};

// What is on a wire (wire.h).
struct emu_wire {
	struct emu_rng rng;
	struct rte_mbuf *held_in, *held_out; // that wait for the one behind them, until
	uint64_t held_until;                 // TSC
	uint64_t late;                       // that ever waited
};

struct emu_nic {
	char name[RTE_DEV_NAME_MAX_LEN];
	struct emu_devargs args;
	struct emu_moods moods; // as they are now
	int socket_id;
	uint16_t n_sides; // VFs and wires
	uint16_t domain;  // switch domain
	uint16_t n_started;
	uint16_t refs; // host ports that are not closed
	struct emu_gate gate;
	struct rte_mempool *pool; // where backends' packets live
	struct emu_wire wires[EMU_MAX_WIRES];
	struct emu_mailbox mailbox;
	struct emu_rss vf_rss; // over the queues of each VF that has set none

	struct emu_side *sides;
	struct emu_port *ports[EMU_MAX_PORTS]; // NULL where there is no representor, or no more

	struct emu_rules rules;
	struct emu_table transfer;
	uint32_t n_transfer;   // rules of that domain, in all groups
	uint64_t rule_changes; // rules that came and went, so far
	uint16_t misses_to_vm; // VFs whose misses go to the VM
	struct emu_ages ages;
	pthread_mutex_t insert_lock; // one insertion at a time, as long as it may sleep
	uint64_t insert_next_ns;     // when insert_rate allows the next one, and
	uint64_t insert_done_ns;     // when that before it is done; CLOCK_MONOTONIC
	uint64_t reading;            // of the rule counters, by counter_lag

	// The ledger, with what queues that are gone had.
	uint64_t drops[EMU_DROPS];
	uint64_t copies;
	uint64_t eswitch_packets, eswitch_bytes;
	struct emu_queue_totals host_rx_gone, host_tx_gone;

	// The firmware and the burst that it works on.
	pthread_t thread;
	bool thread_runs;
	bool thread_stop;
	uint32_t service;
	bool service_added;
	bool run_inline;
	uint64_t link_check_at; // TSC
	bool alarm_set;
	bool gone; // remove_ms= came true
	struct emu_pkt work[EMU_BURST];
	unsigned int n_spent; // buffers that are done with in it (rx.h)
	struct rte_mbuf *spent[2 * EMU_BURST];
	uint32_t ptypes[EMU_PTYPES]; // RTE_PTYPE_*, by layers
};

// It is shared by processes. One that dies inside leaves it to the others.
void emu_gate_init(struct emu_gate *g);
// Host side of the gate. Any thread that is not the firmware.
void emu_gate_enter(struct emu_gate *g);
void emu_gate_leave(struct emu_gate *g);
// Firmware side: lets waiting hosts go first.
void emu_gate_enter_fw(struct emu_gate *g);
bool emu_gate_try(struct emu_gate *g);

static inline void
emu_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t
emu_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

// nic.c: the NIC as a whole. Every function that returns an error has logged it.
int emu_nic_create(
	const char *name, const struct emu_devargs *args, int socket_id, struct emu_nic **out);
// Asks the backend of a side what it has to tell. Under the gate; the primary process.
void emu_side_ask(struct emu_side *side);
int emu_nic_open_backends(struct emu_nic *nic);
// Opens text and puts it behind the side, closing what was there. NULL text: unplugs.
// What is wrong, or a remark, is in why too.
int emu_nic_set_backend(
	struct emu_nic *nic, struct emu_side *side, const char *text, char *why, size_t why_len);
// Takes what is behind a side to a side of another NIC (or of the same), which is empty, as it is;
// lets go of what is held there. 0, -ENOENT: nothing is plugged in, -EBUSY: it is not empty,
// -ENOTSUP: this kind cannot leave its NIC.
int emu_nic_move_backend(
	struct emu_nic *from, struct emu_side *side, struct emu_nic *to, struct emu_side *dest);
// What the host sends to the side waits, and its link is up, or no more. Under the gate.
void emu_side_hold(struct emu_nic *nic, struct emu_side *side, bool on);
void emu_nic_unref(struct emu_nic *nic);

// mood_nic.c: changes moods while the NIC runs, all that text ("key=value,key=value") names or
// none. Returns 0 or -errno with a sentence in why.
int emu_nic_set_moods(struct emu_nic *nic, const char *text, char *why, size_t why_len);
// Makes m what holds. Under the gate.
void emu_nic_apply_moods(struct emu_nic *nic, const struct emu_moods *m);
// Sets the time at which the device is gone, by remove_ms, or takes it back. Not under the gate.
void emu_nic_plan_removal(struct emu_nic *nic);
void emu_nic_cancel_removal(struct emu_nic *nic);
// Brings the number of the reading of the rule counters up to date. Under the gate.
void emu_nic_read_counters(struct emu_nic *nic);

// port.c and its neighbours: the ethdev operations.
int emu_port_init(struct rte_eth_dev *dev, struct emu_nic *nic, uint16_t index);
int emu_port_close(struct rte_eth_dev *dev);
// In a secondary process: the port of the primary, to look at and to move packets with.
void emu_port_attach(struct rte_eth_dev *dev);
bool emu_is_port(const struct rte_eth_dev *dev);
void emu_port_link(const struct emu_port *port, struct rte_eth_link *link);
// Whether the link of the host port at the side is up.
bool emu_side_link(const struct emu_side *side);

// host.c: what comes to a host port, and the bursts of the application. The packets belong to the
// callee afterwards. At most EMU_BURST; under the gate.
void emu_host_deliver(
	struct emu_nic *nic, struct emu_port *port, struct emu_pkt **pkts, unsigned int n);
// Gives p to the queue that act (QUEUE or RSS) says, behind all that is staged for it.
void emu_host_queue(struct emu_nic *nic, struct emu_port *port, struct emu_pkt *p,
	const struct emu_actions *act);
uint16_t emu_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t n);
uint16_t emu_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t n);

// eswitch.c: takes packets that entered at a side or a host port to where they belong.
void emu_switch(
	struct emu_nic *nic, uint16_t port, bool host, struct rte_mbuf **mbufs, unsigned int n);
// Takes one packet to the side or host port that act says.
void emu_switch_out(struct emu_nic *nic, struct emu_pkt *p, const struct emu_actions *act);
void emu_drop(struct emu_nic *nic, enum emu_drop why, struct rte_mbuf *m);
// The next segment of a packet that stands for several, as a packet of its own. False when there
// is none, or no memory for it.
bool emu_next_segment(struct emu_nic *nic, struct emu_segments *s, struct emu_pkt *out);
// Gives one finished packet to a side; emu_side_flush sends what was collected. Add passes by what
// the wire does to packets.
void emu_side_push(struct emu_nic *nic, struct emu_side *side, struct rte_mbuf *m);
void emu_side_add(struct emu_side *side, struct rte_mbuf *m);
void emu_side_flush(struct emu_side *side);
bool emu_side_up(const struct emu_side *side);

// firmware.c: what it does; firmware_run.c: what makes it run.
int emu_firmware_start(struct emu_nic *nic);
void emu_firmware_stop(struct emu_nic *nic);
// Chooses who runs it, at every port start.
void emu_firmware_arm(struct emu_nic *nic);
// One round over all sides and queues; returns the packets moved.
unsigned int emu_firmware_round(struct emu_nic *nic);
void emu_firmware_inline(struct emu_nic *nic);
// Returns when no event is being told to the application by a thread that took it before the call;
// what is still to be told comes later. Not under the gate.
void emu_firmware_settle_events(struct emu_nic *nic);
// What runs it now, for people: "a thread", "a service core", "bursts" (of the application, inline)
// or, before the first port is started, "nothing yet".
const char *emu_firmware_runs(const struct emu_nic *nic);
// Looks at all links now, for the host.
void emu_firmware_links(struct emu_nic *nic);

#endif

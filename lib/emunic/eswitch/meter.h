// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_METER_H
#define EMUNIC_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <rte_meter.h>
#include <rte_mtr.h>

#include "eswitch/packet.h"

// Meters of a port (rte_mtr; DPDK programmer's guide, "Traffic Metering and Policing API"), by
// DPDK's own rte_meter: srTCM (RFC 2697) and trTCM (RFC 2698), by bytes of the frame or by packets.
//
// A meter has a profile (its rates) and a policy (what becomes of each colour: drop it, or let it
// pass, perhaps with another colour). A rule names it by METER. A packet begins green; a meter of
// use_prev_mtr_color sees the colour that the one before it gave. Colours from DSCP or VLAN
// priority are refused.
// Thread safety: host and firmware, under the NIC's gate.

#define EMU_MAX_METERS 4096 // of a port, and as many profiles and policies

struct rte_eth_dev;

struct emu_meter_profile {
	LIST_ENTRY(emu_meter_profile) list;
	uint32_t id;
	uint32_t users; // meters
	enum rte_mtr_algorithm alg;
	bool packets; // by packets, else by bytes
	union {
		struct rte_meter_srtcm_profile srtcm;
		struct rte_meter_trtcm_profile trtcm;
	};
};

struct emu_meter_policy {
	LIST_ENTRY(emu_meter_policy) list;
	uint32_t id;
	uint32_t users; // meters
	bool drop[RTE_COLORS];
	uint8_t color[RTE_COLORS]; // that a packet has afterwards
};

struct emu_meter {
	LIST_ENTRY(emu_meter) list;
	uint32_t id;
	uint32_t users; // rules
	bool shared;
	bool enabled;
	bool aware; // of the colour that a packet already has
	struct emu_meter_profile *profile;
	struct emu_meter_policy *policy;
	uint64_t stats_mask;
	struct rte_mtr_stats stats;
	union {
		struct rte_meter_srtcm srtcm;
		struct rte_meter_trtcm trtcm;
	};
};

struct emu_meters {
	LIST_HEAD(, emu_meter_profile) profiles;
	LIST_HEAD(, emu_meter_policy) policies;
	LIST_HEAD(, emu_meter) meters;
	uint32_t n_profiles, n_policies, n_meters;
};

// The meter of a port by its number, or NULL.
struct emu_meter *emu_meter_find(struct emu_meters *ms, uint32_t id);

// Gives p its colour. False: the policy drops that.
bool emu_meter_run(struct emu_meter *m, struct emu_pkt *p);

// Starts a meter with full buckets, after it was made or its profile changed.
int emu_meter_config(struct emu_meter *m);

// Frees all that a port has; its rules are gone.
void emu_meters_free(struct emu_meters *ms);

// ethdev's mtr_ops_get.
int emu_port_mtr_ops(struct rte_eth_dev *dev, void *ops);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_EVENT_H
#define SLUICE_DATAPATH_EVENT_H

#include <stdint.h>

#include "flow/key.h"

// Worker -> control: small events in one bounded single-producer ring per worker. A full ring is
// counted, never waited for. Thread safety: any thread (plain values); see worker.h for the rings.

#define DP_NO_DSCP 0xff // no IP

enum dp_event_type {
	DP_EV_FLOW, // a flow is busy (above report_rate) for the first time, or reports again (at
		    // most every 100 ms)
	DP_EV_FLOW_GONE, // a flow that was reported left the cache
	DP_EV_MAC,       // a source MAC is not known at this port
};

struct dp_event {
	uint8_t type; // enum dp_event_type
	uint8_t worker;
	uint8_t path;     // FLOW: 0 software, 1 ring (as enum offload_path)
	uint8_t dscp;     // FLOW: of the packet that made it report; DP_NO_DSCP: not known
	uint32_t packets; // since the last report
	uint64_t bytes;
	struct flow_key
		key; // MAC: switch_id, vport, vlan[0] (VID only) and eth_src hold what was seen
};

#endif

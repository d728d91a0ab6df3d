// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_LIMITS_H
#define SLUICE_DATAPATH_LIMITS_H

// Sizes of the packet path. Thread safety: any thread (constants).

#define DP_BURST 64 // packets of one receive burst
#define DP_WORKERS_MAX 16
#define DP_VPORTS_MAX 256
#define DP_PORTS_MAX 512
#define DP_QUEUES_MAX 256 // transmit or receive queues of a port
#define DP_SWITCHES_MAX 16
#define DP_TXBUF 64 // packets gathered for a transmit queue before they are sent
#define DP_NONE 0xffff

// A placement's MARK: generation above, index below. 20 bits, below mlx5's limit.
#define DP_LANE_INDEX_BITS 14
#define DP_LANE_GEN_BITS 6
#define DP_LANES_MAX (1u << DP_LANE_INDEX_BITS)
#define DP_LANE_GEN_MAX ((1u << DP_LANE_GEN_BITS) - 2) // so that no mark reaches 0xfffff0
#define DP_MARK_MAX (DP_LANE_GEN_MAX << DP_LANE_INDEX_BITS | (DP_LANES_MAX - 1))

#endif

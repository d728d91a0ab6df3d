// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_ORDER_H
#define SLUICE_DATAPATH_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cache/cache.h"
#include "flow/key.h"

// Control -> worker: orders in one bounded single-producer ring per worker; what an order points to
// stays control's, and `done` tells when the worker has let go of it. Thread safety: any thread
// (plain values); done is written by the worker (release), read by control (acquire).

enum dp_order_type {
	DP_ORD_SET_HOST, // the flow `key` is handled as flags (DP_PROG_HOST_RING) and txq say; kept
			 // when it is decided anew
	DP_ORD_MOVE_MODE,  // `mode` from now on (see below); done when the first loop in it has
			   // ended
	DP_ORD_DUMP,       // fill `dump` with up to its size entries from its cursor on; done
	DP_ORD_SYNC,       // done at the next burst boundary, when all counters are published
	DP_ORD_TRACE,      // carries `trace` through the stages; done when its record is made
	DP_ORD_LIVE,       // traces as `live` says from now on, NULL: not any more; done
	DP_ORD_RESIZE,     // the cache that dp_resize_prepare made takes the present one over; done
			   // at once, the entries come later (datapath/resize.h)
	DP_ORD_DRAIN_PORT, // drop by name what is held for dp_port `port` (rings, buffers); done
};

// The order of polling while flows move between queues of this worker, so that no packet of a flow
// is overtaken. A packet that was received earlier lies in the old queue; the queue that is read
// FIRST and handled LAST cannot overtake.
enum dp_move_mode {
	DP_MOVE_NONE,
	DP_MOVE_IN,  // default -> assigned: assigned queues are read first, handled after the
		     // default queues were emptied
	DP_MOVE_OUT, // assigned -> default: the other way round
};

struct dp_trace_job; // datapath/trace.h
struct dp_live;      // likewise

// A chunk: n may be below size, also 0, while there is more.
struct dp_flow_dump {
	uint32_t cursor, size, n;
	bool more;
	struct cache_flow *entries; // [size], copies
};

struct dp_order {
	uint8_t type; // enum dp_order_type
	uint8_t flags;
	uint8_t mode; // enum dp_move_mode
	uint16_t txq;
	struct flow_key key;
	struct dp_flow_dump *dump;
	struct dp_port *port;
	struct dp_trace_job *trace;
	struct dp_live *live;
	_Atomic uint32_t *done; // incremented; may be NULL
};

#endif

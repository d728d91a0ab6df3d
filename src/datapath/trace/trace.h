// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_TRACE_TRACE_H
#define SLUICE_DATAPATH_TRACE_TRACE_H

#include "datapath/trace.h"
#include "lcore.h"

// The worker's side of datapath/trace.h. Thread safety: owner thread only.

struct output_way; // out/output.h

// Orders.
void trace_job(struct dp_worker *w, struct dp_trace_job *job);
void trace_live(struct dp_worker *w, struct dp_live *live); // NULL: off

// Hooks; each is called where w->tracing is not NULL only.
// Before the stages: picks out what the live trace wants, and hands all on in the order of arrival.
// False: it has nothing to do with the burst.
bool trace_split(struct dp_worker *w, struct rte_mbuf **pkts, uint16_t n, uint16_t origin);
// After classify. False: the burst is not traced. True: it has been carried out.
bool trace_rest(struct dp_worker *w, struct dp_burst *b);
// A packet leaves. True: it is taken (dry run).
bool trace_output(struct dp_worker *w, const struct dp_port *p, struct rte_mbuf *m,
	const struct dp_packet *where, uint16_t owner);
// Is what happens now not to be learned from?
bool trace_is_dry(const struct dp_worker *w);

#endif

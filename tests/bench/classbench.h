// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_CLASSBENCH_H
#define SLUICE_BENCH_CLASSBENCH_H

#include <stdint.h>

#include "rules/rules.h"

// Reads rule sets and header traces in the format of ClassBench (Taylor, Turner, IEEE/ACM ToN
// 2007), plain or gzipped. TCP flags are ignored, as in the traces' expected results.
//   rules:   @sip/len TAB dip/len TAB lo : hi TAB lo : hi TAB proto/mask ...   first match wins
//   headers: sip dip sport dport proto [rule]   rule: 1 is the first, 0 none
// Thread safety: any thread.

struct classbench_header {
	struct flow_key key;
	uint32_t rule; // expected
};

// Rules of table 0 with id and order of their line (0 first) and a class action of the line number.
// The caller frees *out. Returns the number, or -errno (-EBADMSG: a line of another form).
int classbench_rules(const char *path, struct rules_entry **out);
int classbench_headers(const char *path, struct classbench_header **out);

#endif

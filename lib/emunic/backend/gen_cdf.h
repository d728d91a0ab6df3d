// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_GEN_CDF_H
#define EMUNIC_BACKEND_GEN_CDF_H

#include <stddef.h>

// A cumulative distribution read from a CSV file with the columns bytes,cdf: a header line, then
// rows in which neither column falls, the last with cdf 1. Between rows it is linear.
// Thread safety: init only.

#define EMU_GEN_CDF_POINTS_MAX 4096

struct emu_gen_cdf {
	size_t n;
	double bytes[EMU_GEN_CDF_POINTS_MAX];
	double share[EMU_GEN_CDF_POINTS_MAX];
};

// Returns 0 or -errno with a sentence that names file and line.
int emu_gen_cdf_read(const char *file, struct emu_gen_cdf *out, char *why, size_t why_len);

// The size below which a share u, in (0, 1], of the flows lies; at least 1.
double emu_gen_cdf_inverse(const struct emu_gen_cdf *c, double u);

#endif

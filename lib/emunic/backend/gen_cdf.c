// SPDX-License-Identifier: BSD-3-Clause
#include "backend/gen_cdf.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Reads one row "bytes,cdf"; false when it is none or falls below the row before it.
static bool
read_row(struct emu_gen_cdf *c, const char *line)
{
	char *end;
	double bytes = strtod(line, &end), share;

	if (end == line || *end != ',')
		return false;
	line = end + 1;
	share = strtod(line, &end);
	if (end == line || end[strspn(end, " \r\n")] != '\0')
		return false;
	if (!isfinite(bytes) || !(bytes >= 0) || !(share >= 0 && share <= 1))
		return false;
	if (c->n > 0 && (bytes < c->bytes[c->n - 1] || share < c->share[c->n - 1]))
		return false;
	c->bytes[c->n] = bytes;
	c->share[c->n] = share;
	c->n++;
	return true;
}

static int
read_rows(FILE *in, const char *file, struct emu_gen_cdf *out, char *why, size_t why_len)
{
	char line[128];
	unsigned int number = 1;

	if (fgets(line, sizeof(line), in) == NULL || strncmp(line, "bytes,cdf", 9) != 0) {
		snprintf(
			why, why_len, "generator: %s does not begin with the line bytes,cdf", file);
		return -EINVAL;
	}
	while (fgets(line, sizeof(line), in) != NULL) {
		number++;
		if (line[strspn(line, " \r\n")] == '\0')
			continue;
		if (out->n == EMU_GEN_CDF_POINTS_MAX) {
			snprintf(why, why_len, "generator: %s has more than %u rows", file,
				EMU_GEN_CDF_POINTS_MAX);
			return -E2BIG;
		}
		if (!read_row(out, line)) {
			snprintf(why, why_len,
				"generator: %s line %u is not \"bytes,cdf\" at or above the line "
				"before it, with cdf from 0 to 1",
				file, number);
			return -EINVAL;
		}
	}
	if (out->n == 0 || out->share[out->n - 1] < 0.9999) {
		snprintf(why, why_len, "generator: %s does not end with cdf 1", file);
		return -EINVAL;
	}
	return 0;
}

int
emu_gen_cdf_read(const char *file, struct emu_gen_cdf *out, char *why, size_t why_len)
{
	FILE *in = fopen(file, "re");
	int rc;

	out->n = 0;
	if (in == NULL) {
		rc = -errno;
		snprintf(why, why_len, "generator: cannot open %s: %s", file, strerror(-rc));
		return rc;
	}
	rc = read_rows(in, file, out, why, why_len);
	fclose(in);
	return rc;
}

double
emu_gen_cdf_inverse(const struct emu_gen_cdf *c, double u)
{
	double span, size;
	size_t i = 0;

	while (i < c->n - 1 && c->share[i] < u)
		i++;
	size = c->bytes[i];
	if (i > 0 && u < c->share[i]) {
		span = c->share[i] - c->share[i - 1];
		size = c->bytes[i - 1] +
		       (c->bytes[i] - c->bytes[i - 1]) * (u - c->share[i - 1]) / span;
	}
	return size < 1 ? 1 : size;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "rte_pmd_emunic_miss.h"

// The judgement of frames that a guest hands in. The first bytes say where the frame is cut into
// pieces and what is done to it; the rest is the frame. As it comes it must be refused: nobody who
// has not the key makes a tag. With a tag by the key it must be taken, once; with any change to
// what the tag covers it must be refused, and the window stay. Each piece is memory of its own, so
// that a read past an end is seen.

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARGS 8
#define PIECES 4
#define MACS RTE_PMD_EMUNIC_MISS_MACS
#define TAG RTE_PMD_EMUNIC_MISS_TAG

static const uint8_t key[RTE_PMD_EMUNIC_MISS_KEY] = "0123456789abcde";

// Judges a copy of the frame, cut up.
static int
judge(const uint8_t *frame, size_t len, const uint8_t *cuts, struct rte_pmd_emunic_miss_window *w,
	struct rte_pmd_emunic_miss *out)
{
	struct iovec iov[PIECES];
	size_t at = 0;
	int ret;

	for (unsigned int i = 0; i < PIECES; i++) {
		size_t part = i + 1 < PIECES && cuts[i] < len - at ? cuts[i] : len - at;

		iov[i].iov_len = part;
		iov[i].iov_base = malloc(part > 0 ? part : 1);
		if (iov[i].iov_base == NULL)
			abort();
		memcpy(iov[i].iov_base, frame + at, part);
		at += part;
	}
	ret = rte_pmd_emunic_miss_open(key, 7, iov, PIECES, w, out);
	for (unsigned int i = 0; i < PIECES; i++)
		free(iov[i].iov_base);
	return ret;
}

// The frame with a tag as the NIC would make it.
static void
seal(uint8_t *tagged, const uint8_t *frame, size_t len, uint64_t number)
{
	const struct rte_pmd_emunic_miss m = {
		.key_id = 1, .vf = 7, .origin = 3, .len = (uint16_t)len, .number = number};
	const struct iovec whole = {tagged, len + TAG};

	memcpy(tagged, frame, MACS);
	rte_pmd_emunic_miss_write(tagged + MACS, &m);
	memcpy(tagged + MACS + TAG, frame + MACS, len - MACS);
	rte_pmd_emunic_miss_put(tagged + MACS + RTE_PMD_EMUNIC_MISS_HASH, 8,
		rte_pmd_emunic_miss_hash(key, &whole, 1, m.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_pmd_emunic_miss_window w = {0}, before;
	struct rte_pmd_emunic_miss out;
	uint8_t *tagged;
	size_t len, at;

	if (size < ARGS + MACS + 2 || size > 9600)
		return 0;
	len = size - ARGS;
	if (judge(data + ARGS, len, data, &w, &out) == 0 || w.top != 0)
		abort();
	tagged = malloc(len + TAG);
	if (tagged == NULL)
		abort();
	seal(tagged, data + ARGS, len, 1 + data[4]);
	if (judge(tagged, len + TAG, data, &w, &out) != 0 || out.origin != 3 || out.len != len ||
		judge(tagged, len + TAG, data, &w, &out) != -EALREADY)
		abort();
	at = (data[5] | data[6] << 8) % (len + TAG);
	before = w;
	seal(tagged, data + ARGS, len, 300);
	tagged[at] ^= data[7];
	if ((judge(tagged, len + TAG, data, &w, &out) == 0) != (data[7] == 0) ||
		(data[7] != 0 && memcmp(&w, &before, sizeof(w)) != 0))
		abort();
	tagged[at] ^= data[7];
	if (at < len + TAG && judge(tagged, at, data, &before, &out) == 0)
		abort();
	free(rte_pmd_emunic_miss_strip(tagged) - TAG);
	return 0;
}

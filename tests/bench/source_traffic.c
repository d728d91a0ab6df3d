// SPDX-License-Identifier: BSD-3-Clause
#include "source_traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ORDER (1u << 22) // draws of a Zipf order: 16 MB, read one after the other
#define LONGEST 1518     // of a captured frame: 1500 bytes, Ethernet and one tag
#define TOS_AT 15
#define RECORD_MAX (1u << 20)

void
traffic_start(struct traffic *t, uint32_t flows, uint64_t seed)
{
	static const uint8_t head[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17};
	uint8_t frame[TRAFFIC_FRAME] = {0};

	memset(t, 0, sizeof(*t));
	t->state = seed;
	t->flows = flows;
	t->distinct = flows;
	memcpy(frame, head, sizeof(head));
	memcpy(t->head, frame, sizeof(frame));
	t->sum = 0x4500 + 1 + (64 << 8 | 17);
}

void
traffic_dscp(struct traffic *t, uint8_t dscp)
{
	memcpy((uint8_t *)t->head + TOS_AT, &(uint8_t){(uint8_t)(dscp << 2)}, 1);
	t->sum += (uint32_t)dscp << 2;
}

// The first flow at which the sum of all before it and its own reaches the point.
static uint32_t
flow_at(const double *sums, uint32_t n, double point)
{
	uint32_t low = 0, high = n - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (sums[mid] < point)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int
traffic_zipf(struct traffic *t)
{
	double *sums = malloc(t->flows * sizeof(*sums)), sum = 0;
	uint32_t *order = malloc(ORDER * sizeof(*order));
	uint8_t *seen = calloc(t->flows, 1);
	uint32_t i;
	int rc = -ENOMEM;

	if (sums == NULL || order == NULL || seen == NULL)
		goto out;
	for (i = 0; i < t->flows; i++)
		sums[i] = sum += 1.0 / (i + 1);
	t->distinct = 0;
	for (i = 0; i < ORDER; i++) {
		double point = sum * traffic_draw(&t->state, UINT32_MAX) / UINT32_MAX;

		order[i] = flow_at(sums, t->flows, point);
		t->distinct += seen[order[i]] == 0;
		seen[order[i]] = 1;
	}
	t->order = order;
	t->order_n = ORDER;
	order = NULL;
	rc = 0;
out:
	free(order);
	free(sums);
	free(seen);
	return rc;
}

static int
take_frame(struct traffic *t, uint32_t *room, const uint8_t *data, uint32_t got, uint32_t len)
{
	struct traffic_frame *f;

	if (t->n_capture == *room) {
		*room = *room == 0 ? 4096 : 2 * *room;
		f = aligned_alloc(64, *room * sizeof(*f));
		if (f == NULL)
			return -ENOMEM;
		if (t->capture != NULL)
			memcpy(f, t->capture, t->n_capture * sizeof(*f));
		free(t->capture);
		t->capture = f;
	}
	f = &t->capture[t->n_capture++];
	memset(f, 0, sizeof(*f));
	f->len = (uint16_t)(len < TRAFFIC_FRAME ? TRAFFIC_FRAME : len);
	f->head = (uint16_t)(got < TRAFFIC_HEAD ? got : TRAFFIC_HEAD);
	memcpy(f->data, data, f->head);
	return 0;
}

static int
read_records(struct traffic *t, gzFile file, bool swap, uint8_t *data)
{
	uint32_t head[4], room = 0;
	int rc = 0;

	while (rc == 0 && gzread(file, head, sizeof(head)) == (int)sizeof(head)) {
		uint32_t got = swap ? __builtin_bswap32(head[2]) : head[2];
		uint32_t len = swap ? __builtin_bswap32(head[3]) : head[3];

		if (got > RECORD_MAX)
			return -EINVAL;
		if (gzread(file, data, got) != (int)got)
			break; // a record that the file ends in is none
		len = len > got ? len : got;
		if (len <= LONGEST && got >= 14)
			rc = take_frame(t, &room, data, got, len);
	}
	return rc != 0 || t->n_capture > 0 ? rc : -EINVAL;
}

int
traffic_capture(struct traffic *t, const char *path)
{
	gzFile file = gzopen(path, "rb");
	uint8_t *data = malloc(RECORD_MAX);
	int rc = -EINVAL;
	uint32_t head[6];
	bool swap;

	if (file == NULL || data == NULL) {
		rc = data == NULL ? -ENOMEM : errno != 0 ? -errno : -ENOMEM;
		goto out;
	}
	if (gzread(file, head, sizeof(head)) != (int)sizeof(head))
		goto out;
	swap = head[0] == 0xd4c3b2a1 || head[0] == 0x4d3cb2a1;
	if (!swap && head[0] != 0xa1b2c3d4 && head[0] != 0xa1b23c4d)
		goto out;
	rc = ((swap ? __builtin_bswap32(head[5]) : head[5]) & 0xffff) == 1
		     ? read_records(t, file, swap, data)
		     : -EINVAL;
out:
	if (file != NULL)
		gzclose(file);
	free(data);
	return rc;
}

void
traffic_end(struct traffic *t)
{
	free((void *)(uintptr_t)t->order);
	free(t->capture);
	t->order = NULL;
	t->capture = NULL;
}

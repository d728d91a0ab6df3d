// SPDX-License-Identifier: BSD-3-Clause
#include "backend/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pcap/pcap.h>

#include <rte_common.h>

#include "backend/gzip.h"

struct reader {
	const char *file;
	const struct emu_capture_limits *limits;
	struct emu_capture *out;
	char *why;
	size_t why_len;
	struct timeval last;  // the last timestamp that is one
	uint64_t last_due_ns; // when its record is due
	bool any;             // there was one
	bool differ;          // two of them differ
	uint64_t shortened;   // frames cut to the limit
	bool cut;             // the file ends within its gzip stream
};

static int
open_regular(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static int
open_stream(struct reader *r, FILE **out)
{
	int fd = open_regular(r->file);
	int rc;

	*out = fd >= 0 ? emu_gzip_open(fd, &r->cut) : NULL;
	if (*out != NULL)
		return 0;
	rc = -errno;
	snprintf(r->why, r->why_len, "replay: cannot open %s: %s", r->file,
		rc == -EINVAL ? "it is not a regular file" : strerror(-rc));
	return rc;
}

// Nanoseconds from one timestamp to the next, within what is played. Both are the file's own
// claims: any value.
static uint64_t
played_gap(const struct timeval *from, const struct timeval *to)
{
	double gap = ((double)to->tv_sec - (double)from->tv_sec) * 1e9 +
		     ((double)to->tv_usec - (double)from->tv_usec);

	if (gap <= 0)
		return 0;
	return gap >= EMU_CAPTURE_GAP_MAX_NS ? EMU_CAPTURE_GAP_MAX_NS : (uint64_t)gap;
}

static uint64_t
due_of(struct reader *r, const struct timeval *ts)
{
	size_t n = r->out->n;
	uint64_t before = n > 0 ? r->out->records[n - 1].due_ns : 0;
	uint64_t due;

	if (ts->tv_sec == 0 && ts->tv_usec == 0)
		return n > 0 ? before + EMU_CAPTURE_GAP_NONE_NS : 0;
	due = r->any ? RTE_MAX(before, r->last_due_ns + played_gap(&r->last, ts)) : before;
	if (r->any && (ts->tv_sec != r->last.tv_sec || ts->tv_usec != r->last.tv_usec))
		r->differ = true;
	r->any = true;
	r->last = *ts;
	r->last_due_ns = due;
	return due;
}

static int
out_of_memory(struct reader *r)
{
	snprintf(r->why, r->why_len,
		"replay: %s takes more than %" PRIu64 " MiB in memory, memory=MIB sets the limit",
		r->file, r->limits->memory >> 20);
	return -EFBIG;
}

// Makes room for one more record of this many bytes.
static int
grow(struct reader *r, uint32_t held)
{
	struct emu_capture *c = r->out;
	void *p;

	if ((c->n + 1) * sizeof(*c->records) + c->data_len + held > r->limits->memory)
		return out_of_memory(r);
	if (c->n == c->records_max) {
		size_t max = RTE_MAX(c->records_max * 2, (size_t)4096);

		p = realloc(c->records, max * sizeof(*c->records));
		if (p == NULL)
			return out_of_memory(r);
		c->records = p;
		c->records_max = max;
	}
	if (c->data_len + held > c->data_max) {
		uint64_t max = RTE_MAX(c->data_max * 2, c->data_len + held + (1u << 20));

		p = realloc(c->data, max);
		if (p == NULL)
			return out_of_memory(r);
		c->data = p;
		c->data_max = max;
	}
	return 0;
}

static int
add_record(struct reader *r, const struct pcap_pkthdr *h, const uint8_t *bytes)
{
	struct emu_capture *c = r->out;
	uint32_t held = RTE_MIN(h->caplen, r->limits->frame_max);
	uint32_t length = RTE_MAX(h->caplen, h->len);
	int rc = grow(r, held);

	if (rc != 0)
		return rc;
	r->shortened += length > r->limits->frame_max;
	if (held > 0)
		memcpy(c->data + c->data_len, bytes, held);
	c->records[c->n] = (struct emu_record){
		.due_ns = due_of(r, &h->ts),
		.offset = c->data_len,
		.held = held,
		.length = RTE_MIN(length, r->limits->frame_max),
	};
	c->data_len += held;
	c->n++;
	return 0;
}

static int
check_link_type(struct reader *r, pcap_t *pcap)
{
	int type = pcap_datalink(pcap);
	const char *name = pcap_datalink_val_to_name(type);
	const char *words = pcap_datalink_val_to_description(type);

	if (type == DLT_EN10MB)
		return 0;
	snprintf(r->why, r->why_len,
		"replay: %s holds %s packets (link type %s, %d), only Ethernet is played", r->file,
		words != NULL ? words : "unknown", name != NULL ? name : "unknown", type);
	return -EPROTONOSUPPORT;
}

static int
read_records(struct reader *r, pcap_t *pcap)
{
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	int rc = check_link_type(r, pcap);

	while (rc == 0) {
		int got = pcap_next_ex(pcap, &h, &bytes);

		if (got == PCAP_ERROR_BREAK)
			break;
		if (got == 1) {
			rc = add_record(r, h, bytes);
			continue;
		}
		if (r->out->n == 0) {
			snprintf(r->why, r->why_len, "replay: %s has no whole record: %s", r->file,
				pcap_geterr(pcap));
			return -EBADMSG;
		}
		r->out->damaged = 1;
		snprintf(r->why, r->why_len,
			"replay: %s goes wrong after record %zu (%s); the records before are "
			"played",
			r->file, r->out->n, pcap_geterr(pcap));
		break;
	}
	return rc;
}

static void
settle(struct reader *r)
{
	struct emu_capture *c = r->out;

	if (!r->differ)
		for (size_t i = 0; i < c->n; i++)
			c->records[i].due_ns = i * EMU_CAPTURE_GAP_NONE_NS;
	if (c->damaged == 0 && r->cut) {
		c->damaged = 1;
		snprintf(r->why, r->why_len,
			"replay: %s ends within its gzip stream, after record %zu; the records "
			"before are played",
			r->file, c->n);
	} else if (c->damaged == 0 && r->shortened > 0) {
		snprintf(r->why, r->why_len,
			"replay: %" PRIu64 " frames of %s are cut to %u bytes, the longest that "
			"the NIC's buffers can hold",
			r->shortened, r->file, r->limits->frame_max);
	}
}

int
emu_capture_load(const char *file, const struct emu_capture_limits *limits, struct emu_capture *out,
	char *why, size_t why_len)
{
	struct reader r = {
		.file = file, .limits = limits, .out = out, .why = why, .why_len = why_len};
	char error[PCAP_ERRBUF_SIZE];
	FILE *in = NULL;
	pcap_t *pcap;
	int rc;

	*out = (struct emu_capture){0};
	rc = open_stream(&r, &in);
	if (rc != 0)
		return rc;
	pcap = pcap_fopen_offline_with_tstamp_precision(in, PCAP_TSTAMP_PRECISION_NANO, error);
	if (pcap == NULL) {
		fclose(in);
		snprintf(why, why_len, "replay: %s is no capture: %s", file, error);
		return -EBADMSG;
	}
	rc = read_records(&r, pcap);
	pcap_close(pcap); // and the stream with it
	if (rc != 0)
		emu_capture_free(out);
	else
		settle(&r);
	return rc;
}

void
emu_capture_free(struct emu_capture *c)
{
	free(c->records);
	free(c->data);
	*c = (struct emu_capture){0};
}

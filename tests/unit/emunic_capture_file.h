// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_CAPTURE_FILE_H
#define EMUNIC_CAPTURE_FILE_H

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

#include "emunic_support.h"

// Captures for tests, made byte by byte, and a replay backend that plays them to the end.

#define PCAP_MAGIC 0xa1b2c3d4u
#define ETHERNET 1

// A file that is written piece by piece and removed at the end of its test.
struct file {
	char path[40];
	uint8_t data[1 << 16];
	size_t len;
};

static inline void
put(struct file *f, const void *data, size_t len)
{
	assert_true(f->len + len <= sizeof(f->data));
	memcpy(f->data + f->len, data, len);
	f->len += len;
}

static inline void
put32(struct file *f, uint32_t v)
{
	put(f, &v, sizeof(v));
}

static inline void
begin_pcap(struct file *f, uint32_t link_type)
{
	f->len = 0;
	put32(f, PCAP_MAGIC);
	put32(f, 4u << 16 | 2); // version 2.4
	put32(f, 0);
	put32(f, 0);
	put32(f, 65535);
	put32(f, link_type);
}

// A record whose bytes are all its number; held of length bytes were captured.
static inline void
put_record(struct file *f, uint8_t number, uint64_t us, uint32_t held, uint32_t length)
{
	put32(f, us / 1000000);
	put32(f, us % 1000000);
	put32(f, held);
	put32(f, length);
	for (uint32_t i = 0; i < held; i++)
		put(f, &number, 1);
}

static inline void
save(struct file *f, bool gz)
{
	gzFile out;
	int fd;

	snprintf(f->path, sizeof(f->path), "/tmp/emunic_capture_XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	if (!gz) {
		assert_int_equal(write(fd, f->data, f->len), (ssize_t)f->len);
		close(fd);
		return;
	}
	out = gzdopen(fd, "wb");
	assert_non_null(out);
	assert_int_equal(gzwrite(out, f->data, f->len), (int)f->len);
	assert_int_equal(gzclose(out), Z_OK);
}

static inline struct emu_backend *
open_file(struct emu_test *t, const struct file *f, const char *more)
{
	char text[600];

	snprintf(text, sizeof(text), "[replay,file=%s%s]", f->path, more);
	return emu_test_open(t, text);
}

// Plays to the end, sleeping as next_event says. due_us, when given, gets when each packet came.
static inline unsigned int
play(struct emu_backend *b, uint64_t *bytes, uint64_t *due_us, unsigned int max)
{
	struct rte_mbuf *pkts[EMU_BURST];
	struct timespec ts;
	uint64_t first = 0;
	unsigned int n = 0;

	*bytes = 0;
	while (!b->ops->finished(b)) {
		uint64_t next = b->ops->next_event(b);
		uint16_t got;

		ts = (struct timespec){next / 1000000000, next % 1000000000};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		got = b->ops->rx(b, pkts, EMU_BURST);
		assert_true(got > 0);
		clock_gettime(CLOCK_MONOTONIC, &ts);
		next = ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
		first = n == 0 ? next : first;
		for (uint16_t i = 0; i < got; i++, n++) {
			*bytes += rte_pktmbuf_pkt_len(pkts[i]);
			if (due_us != NULL && n < max)
				due_us[n] = next - first;
		}
		rte_pktmbuf_free_bulk(pkts, got);
	}
	assert_true(b->ops->next_event(b) == UINT64_MAX);
	assert_int_equal(b->ops->rx(b, pkts, EMU_BURST), 0);
	return n;
}

#endif

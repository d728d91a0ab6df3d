// SPDX-License-Identifier: BSD-3-Clause
#include "backend/gzip.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include <rte_common.h>

#define ID1 0x1f
#define ID2 0x8b
#define WINDOW_BITS (15 + 16) // the largest window, with gzip's header and trailer

struct gz {
	int fd;
	bool *cut;
	bool file_over;   // all of it is in the buffer
	bool member_over; // and its checksum was right
	z_stream z;       // its input: what of the buffer is not used yet
	uint8_t buf[1 << 17];
};

static bool
begins_member(const uint8_t *p, size_t len)
{
	return len >= 2 && p[0] == ID1 && p[1] == ID2;
}

static int
refill(struct gz *g)
{
	ssize_t n;

	if (g->z.avail_in > 0)
		memmove(g->buf, g->z.next_in, g->z.avail_in);
	g->z.next_in = g->buf;
	n = read(g->fd, g->buf + g->z.avail_in, sizeof(g->buf) - g->z.avail_in);
	if (n < 0)
		return -errno;
	g->z.avail_in += n;
	g->file_over = n == 0;
	return 0;
}

// Goes on from the end of one member to the next; false: there is none.
static bool
next_member(struct gz *g)
{
	if (!begins_member(g->z.next_in, g->z.avail_in)) {
		if (g->z.avail_in == 1 && *g->z.next_in == ID1)
			*g->cut = true;
		return false;
	}
	inflateReset(&g->z);
	g->member_over = false;
	return true;
}

// Unpacks what there is room for. Returns 0 (with room left: all is unpacked) or -errno.
static int
unpack(struct gz *g)
{
	while (g->z.avail_out > 0) {
		int rc = 0;

		// One byte does not tell whether it begins a member.
		while (rc == 0 && g->z.avail_in < 2 && !g->file_over)
			rc = refill(g);
		if (rc != 0)
			return rc;
		if (g->member_over && !next_member(g))
			return 0;
		rc = inflate(&g->z, Z_NO_FLUSH);
		g->member_over = rc == Z_STREAM_END;
		if (rc == Z_BUF_ERROR) { // it asks for more, and there is none
			*g->cut = true;
			return 0;
		}
		if (rc != Z_OK && rc != Z_STREAM_END)
			return -EIO;
	}
	return 0;
}

static ssize_t
gz_read(void *cookie, char *out, size_t size)
{
	struct gz *g = cookie;
	uint32_t room = RTE_MIN(size, 1u << 30);
	int rc;

	g->z.next_out = (uint8_t *)out;
	g->z.avail_out = room;
	rc = unpack(g);
	// What came before an error comes first; the next read has the error again.
	if (rc == 0 || g->z.avail_out < room)
		return room - g->z.avail_out;
	errno = -rc;
	return -1;
}

static int
gz_close(void *cookie)
{
	struct gz *g = cookie;

	inflateEnd(&g->z);
	close(g->fd);
	free(g);
	return 0;
}

static FILE *
open_gz(int fd, bool *cut)
{
	static const cookie_io_functions_t io = {.read = gz_read, .close = gz_close};
	struct gz *g = calloc(1, sizeof(*g));
	FILE *out;

	if (g == NULL)
		return NULL;
	g->fd = fd;
	g->cut = cut;
	if (inflateInit2(&g->z, WINDOW_BITS) != Z_OK) {
		free(g);
		errno = ENOMEM;
		return NULL;
	}
	out = fopencookie(g, "rb", io);
	if (out == NULL) {
		inflateEnd(&g->z);
		free(g);
	}
	return out;
}

FILE *
emu_gzip_open(int fd, bool *cut)
{
	uint8_t start[2];
	ssize_t n = pread(fd, start, sizeof(start), 0);
	FILE *out = NULL;
	int why;

	if (n >= 0)
		out = begins_member(start, n) ? open_gz(fd, cut) : fdopen(fd, "rb");
	why = errno;
	if (out == NULL)
		close(fd);
	errno = why;
	return out;
}

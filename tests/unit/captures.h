// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_CAPTURES_H
#define SLUICE_TESTS_CAPTURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <zlib.h>

// Every frame of the real captures beside the repository (SLUICE_SHARED, or ../shared from its top
// level). Read here and not by a library, so that a record that lies is still a frame.
// Thread-safety: owner thread only.

#define CAPTURE_PATH 1024
#define CAPTURE_FRAME_MAX 262144

struct capture_file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, sigfigs, snaplen, linktype;
};

struct capture_record {
	uint32_t sec, usec, incl_len, orig_len;
};

// what names the frame, for messages. len: at most CAPTURE_FRAME_MAX.
typedef void capture_frame_fn(void *ctx, const char *what, uint8_t *frame, uint32_t len);

static inline void
capture_dir(char *out, size_t len, const char *sub)
{
	const char *env = getenv("SLUICE_SHARED");
	const char *slash = strrchr(__FILE__, '/');

	if (env != NULL && env[0] != '\0')
		snprintf(out, len, "%s/data/%s", env, sub);
	else // __FILE__ is absolute, or relative to the build directory, where tests run
		snprintf(out, len, "%.*s/../../../shared/data/%s",
			slash != NULL ? (int)(slash - __FILE__) : 1, slash != NULL ? __FILE__ : ".",
			sub);
}

static inline unsigned int
capture_file(const char *path, capture_frame_fn *fn, void *ctx)
{
	struct capture_file_header head;
	struct capture_record rec;
	char what[CAPTURE_PATH + 64];
	unsigned int frames = 0;
	uint8_t *frame;
	gzFile in = gzopen(path, "rb");

	if (in == NULL)
		fail_msg("%s does not open", path);
	frame = malloc(CAPTURE_FRAME_MAX);
	assert_non_null(frame);
	assert_int_equal(gzread(in, &head, sizeof(head)), sizeof(head));
	if (head.magic != 0xa1b2c3d4 && head.magic != 0xa1b23c4d)
		fail_msg("%s is no little-endian pcap", path);
	assert_int_equal(head.linktype, 1); // Ethernet
	while (gzread(in, &rec, sizeof(rec)) == (int)sizeof(rec)) {
		int got;

		assert_true(rec.incl_len <= CAPTURE_FRAME_MAX);
		// A record that is cut by the end of the file: what is there is still a frame.
		got = gzread(in, frame, rec.incl_len);
		assert_true(got >= 0);
		frames++;
		snprintf(what, sizeof(what), "%s, frame %u", path, frames);
		fn(ctx, what, frame, (uint32_t)got);
	}
	gzclose(in);
	free(frame);
	return frames;
}

static inline bool
capture_is(const char *name)
{
	const char *dot = strstr(name, ".pcap");

	return dot != NULL && (strcmp(dot, ".pcap") == 0 || strcmp(dot, ".pcap.gz") == 0);
}

// All captures of a folder of the data; skips the test where it is not there.
static inline void
capture_each(const char *sub, capture_frame_fn *fn, void *ctx)
{
	char dir[CAPTURE_PATH / 2], path[CAPTURE_PATH];
	const struct dirent *entry;
	unsigned int files = 0, frames = 0;
	DIR *d;

	capture_dir(dir, sizeof(dir), sub);
	d = opendir(dir);
	if (d == NULL) {
		print_message("skipped: there is no %s\n", dir);
		skip();
		return;
	}
	while ((entry = readdir(d)) != NULL) {
		if (!capture_is(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		frames += capture_file(path, fn, ctx);
		files++;
	}
	closedir(d);
	assert_true(files > 0);
	assert_true(frames > 1000);
}

#endif

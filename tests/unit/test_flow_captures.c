// SPDX-License-Identifier: BSD-3-Clause
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

#include "ref_flow_parse.h"

// Every frame of the real captures beside the repository (SLUICE_SHARED, or ../shared from its top
// level), whole and as captured, against the reference parser.

#define PATH_MAX_BYTES 1024
#define FRAME_MAX 262144
#define PCAP_MAGIC_US 0xa1b2c3d4
#define PCAP_MAGIC_NS 0xa1b23c4d
#define LINKTYPE_ETHERNET 1

struct pcap_file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, sigfigs, snaplen, linktype;
};

struct pcap_record {
	uint32_t sec, usec, incl_len, orig_len;
};

static void
shared_dir(char *out, size_t len, const char *sub)
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

static unsigned
check_file(const char *path, struct sl_rng *rng)
{
	static const uint32_t field_sets[] = {0, UINT32_MAX};
	struct pcap_file_header head;
	struct pcap_record rec;
	char what[PATH_MAX_BYTES + 64];
	unsigned frames = 0;
	uint8_t *frame;
	uint32_t len;
	gzFile in = gzopen(path, "rb");

	if (in == NULL)
		fail_msg("%s does not open", path);
	frame = malloc(FRAME_MAX);
	assert_non_null(frame);
	assert_int_equal(gzread(in, &head, sizeof(head)), sizeof(head));
	if (head.magic != PCAP_MAGIC_US && head.magic != PCAP_MAGIC_NS)
		fail_msg("%s is no little-endian pcap", path);
	assert_int_equal(head.linktype, LINKTYPE_ETHERNET);
	while (gzread(in, &rec, sizeof(rec)) == (int)sizeof(rec)) {
		len = rec.incl_len;
		// A record that is cut by the end of the file: what is there is still a frame.
		assert_true(len <= FRAME_MAX);
		len = (uint32_t)gzread(in, frame, len);
		if (len > UINT16_MAX) // longer than an mbuf segment can be
			len = UINT16_MAX;
		frames++;
		snprintf(what, sizeof(what), "%s, frame %u", path, frames);
		ref_flow_check(what, frame, len, field_sets[frames % 2], rng);
	}
	gzclose(in);
	free(frame);
	return frames;
}

static bool
is_capture(const char *name)
{
	const char *dot = strstr(name, ".pcap");

	return dot != NULL && (strcmp(dot, ".pcap") == 0 || strcmp(dot, ".pcap.gz") == 0);
}

static void
check_dir(const char *sub)
{
	struct sl_rng rng = {.state = 1};
	char dir[PATH_MAX_BYTES / 2], path[PATH_MAX_BYTES];
	const struct dirent *entry;
	unsigned files = 0, frames = 0;
	DIR *d;

	shared_dir(dir, sizeof(dir), sub);
	d = opendir(dir);
	if (d == NULL) {
		print_message("skipped: there is no %s\n", dir);
		skip();
		return;
	}
	while ((entry = readdir(d)) != NULL) {
		if (!is_capture(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		frames += check_file(path, &rng);
		files++;
	}
	closedir(d);
	assert_true(files > 0);
	assert_true(frames > 1000);
}

static void
test_pcap(void **state)
{
	check_dir("pcap");
}

static void
test_dos(void **state)
{
	check_dir("dos");
}

static void
test_malformed(void **state)
{
	check_dir("malformed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_dos),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests_name("flow_captures", tests, NULL, NULL);
}

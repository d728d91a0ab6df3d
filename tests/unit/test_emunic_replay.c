// SPDX-License-Identifier: BSD-3-Clause
// Playing captures: as many packets as the file holds, at their times, at their lengths; files that
// are cut, empty, foreign or huge. The real captures of ../shared/data are played where they are.
#include "emunic_support.h"
#include "emunic_capture_file.h"

#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

static void
refused(struct emu_test *t, const struct file *f, const char *contains)
{
	char text[600];

	snprintf(text, sizeof(text), "[replay,file=%s]", f->path);
	emu_test_refused(t, text, contains);
}

// Cut records come at their original length, with zeros; long ones come as chains; none is lost.
static void
test_lengths(void **state)
{
	static const uint32_t lengths[][2] = {
		{60, 60}, {0, 0}, {1, 1}, {0, 70}, {40, 1514}, {2100, 9000}, {70, 60}};
	struct emu_backend_stats stats;
	struct rte_mbuf *m;
	struct emu_backend *b;
	struct file f;
	struct emu_test t;

	begin_pcap(&f, ETHERNET);
	for (size_t i = 0; i < RTE_DIM(lengths); i++)
		put_record(&f, i + 1, 1000000 + i, lengths[i][0], lengths[i][1]);
	for (int gz = 0; gz < 2; gz++) {
		emu_test_begin(&t, 63);
		save(&f, gz);
		b = open_file(&t, &f, ",speed=0");
		assert_string_equal(t.why, "");
		for (size_t i = 0; i < RTE_DIM(lengths); i++) {
			uint32_t held = lengths[i][0], len = RTE_MAX(held, lengths[i][1]);
			uint8_t whole[9000];
			const uint8_t *p;

			assert_int_equal(b->ops->rx(b, &m, 1), 1);
			rte_mbuf_sanity_check(m, 1);
			assert_int_equal(rte_pktmbuf_pkt_len(m), len);
			p = rte_pktmbuf_read(m, 0, len, whole);
			for (uint32_t k = 0; k < len; k++)
				assert_int_equal(p[k], k < held ? i + 1 : 0);
			rte_pktmbuf_free(m);
		}
		assert_true(b->ops->finished(b));
		b->ops->stats(b, &stats);
		assert_int_equal(stats.rx_packets, RTE_DIM(lengths));
		assert_int_equal(stats.rx_errors, 0);
		b->ops->close(b);
		unlink(f.path);
		emu_test_end(&t);
	}
}

// A claim of 4 GB is cut to what the buffers hold, and said.
static void
test_claims(void **state)
{
	struct emu_backend *b;
	struct rte_mbuf *m;
	struct file f;
	struct emu_test t;

	begin_pcap(&f, ETHERNET);
	put_record(&f, 7, 1000000, 60, UINT32_MAX);
	save(&f, false);
	emu_test_begin(&t, 63);
	b = open_file(&t, &f, "");
	assert_non_null(strstr(t.why, "are cut to"));
	assert_int_equal(b->ops->rx(b, &m, 1), 1);
	assert_int_equal(rte_pktmbuf_pkt_len(m), 15 * 2048);
	rte_pktmbuf_free(m);
	b->ops->close(b);
	unlink(f.path);
	emu_test_end(&t);
}

// Gaps are kept, cut to 1 s, divided by the speed; a step back is no gap.
static void
test_times(void **state)
{
	static const uint64_t at[] = {50000000, 50020000, 50010000, 50060000, 900000000, 900000500};
	static const uint64_t due[] = {0, 20000, 20000, 70000, 1070000, 1070500};
	uint64_t came[6], bytes;
	struct emu_backend *b;
	struct file f;
	struct emu_test t;

	emu_test_begin(&t, 63);
	begin_pcap(&f, ETHERNET);
	for (int i = 0; i < 6; i++)
		put_record(&f, i, at[i], 60, 60);
	save(&f, false);
	b = open_file(&t, &f, ",speed=2");
	usleep(20000); // the clock has not started
	assert_int_equal(play(b, &bytes, came, 6), 6);
	for (int i = 0; i < 6; i++)
		assert_in_range(
			came[i], due[i] / 2 - RTE_MIN(due[i] / 2, 1000u), due[i] / 2 + 250000);
	b->ops->close(b);
	unlink(f.path);
	emu_test_end(&t);
}

// Without timestamps, all or some, 10,000 packets a second: the distances of next_event are exact.
static void
test_no_times(void **state)
{
	static const uint64_t at[2][4] = {{0, 0, 0, 0}, {7000000, 0, 0, 7000500}};
	static const uint64_t gap[2][4] = {{0, 0, 100, 100}, {0, 0, 100, 300}};
	struct emu_backend *b;
	struct rte_mbuf *m;
	struct file f;
	struct emu_test t;

	emu_test_begin(&t, 63);
	for (int k = 0; k < 2; k++) {
		uint64_t next = 0, before;

		begin_pcap(&f, ETHERNET);
		for (int i = 0; i < 4; i++)
			put_record(&f, i, at[k][i], 60, 60);
		save(&f, false);
		b = open_file(&t, &f, "");
		for (int i = 0; i < 4; i++) {
			before = next;
			next = b->ops->next_event(b);
			if (i > 1)
				assert_int_equal(next - before, gap[k][i] * 1000);
			while (b->ops->rx(b, &m, 1) == 0)
				usleep(10);
			rte_pktmbuf_free(m);
		}
		assert_true(b->ops->finished(b));
		b->ops->close(b);
		unlink(f.path);
	}
	emu_test_end(&t);
}

// A loop goes on with the first record, later than the last.
static void
test_loop(void **state)
{
	struct emu_backend *b;
	struct rte_mbuf *m;
	struct file f;
	struct emu_test t;

	emu_test_begin(&t, 63);
	begin_pcap(&f, ETHERNET);
	for (int i = 0; i < 3; i++)
		put_record(&f, i, 1000000 + i * 100, 60, 60);
	save(&f, false);
	b = open_file(&t, &f, ",loop=1,speed=1000");
	for (int i = 0; i < 1000; i++) {
		while (b->ops->rx(b, &m, 1) == 0)
			;
		assert_int_equal(*rte_pktmbuf_mtod(m, uint8_t *), i % 3);
		rte_pktmbuf_free(m);
		assert_false(b->ops->finished(b));
	}
	b->ops->close(b);
	unlink(f.path);
	emu_test_end(&t);
}

// With buffers for a part of the packets only, all come in the end.
static void
test_no_buffers(void **state)
{
	struct rte_mbuf *held[7], *m;
	struct emu_backend *b;
	struct file f;
	struct emu_test t;
	unsigned int n = 0;

	emu_test_begin(&t, 7);
	begin_pcap(&f, ETHERNET);
	for (int i = 0; i < 100; i++)
		put_record(&f, i, 1000000 + i, 60, 60);
	save(&f, false);
	b = open_file(&t, &f, ",speed=0");
	while (!b->ops->finished(b)) {
		uint16_t got = b->ops->rx(b, held, 7);

		assert_true(got == 7 || b->ops->finished(b));
		assert_true(got < 7 || b->ops->rx(b, &m, 1) == 0);
		for (uint16_t i = 0; i < got; i++)
			assert_int_equal(*rte_pktmbuf_mtod(held[i], uint8_t *), n++);
		rte_pktmbuf_free_bulk(held, got);
	}
	assert_int_equal(n, 100);
	b->ops->close(b);
	unlink(f.path);
	emu_test_end(&t);
}

// A file cut anywhere: the whole records before the cut are played, and it is said.
static void
test_truncated(void **state)
{
	struct emu_backend_stats stats;
	struct emu_backend *b;
	struct file f;
	struct emu_test t;
	uint64_t bytes;

	emu_test_begin(&t, 63);
	begin_pcap(&f, ETHERNET);
	for (int i = 0; i < 10; i++)
		put_record(&f, i, 1000000 + i, 60, 60);
	for (size_t cut = 1; cut < 76; cut += 5) {
		f.len = 24 + 10 * 76 - cut;
		save(&f, false);
		b = open_file(&t, &f, ",speed=0");
		assert_non_null(strstr(t.why, "goes wrong after record 9"));
		assert_int_equal(play(b, &bytes, NULL, 0), 9);
		b->ops->stats(b, &stats);
		assert_int_equal(stats.rx_errors, 1);
		b->ops->close(b);
		unlink(f.path);
	}
	emu_test_end(&t);
}

static void
test_refused(void **state)
{
	struct file f;
	struct emu_test t;

	emu_test_begin(&t, 63);
	emu_test_refused(&t, "[replay]", "file= is missing");
	emu_test_refused(&t, "[replay,file=]", "file takes");
	emu_test_refused(&t, "[replay,file=/nowhere/x.pcap]", "No such file");
	emu_test_refused(&t, "[replay,file=/tmp]", "not a regular file");
	emu_test_refused(&t, "[replay,file=/dev/zero]", "not a regular file");
	emu_test_refused(&t, "[replay,file=/x,speed=0.0001]", "neither 0 nor at least");
	emu_test_refused(&t, "[replay,file=/x,speed=-1]", "a number from 0");
	f.len = 0;
	save(&f, false);
	refused(&t, &f, "is no capture");
	unlink(f.path);
	for (int i = 0; i < 3000; i++)
		put(&f, "GET / ", 6);
	save(&f, false);
	refused(&t, &f, "is no capture");
	unlink(f.path);
	begin_pcap(&f, 113);
	put_record(&f, 1, 1, 60, 60);
	save(&f, false);
	refused(&t, &f, "LINUX_SLL");
	unlink(f.path);
	begin_pcap(&f, ETHERNET);
	put(&f, "abc", 3);
	save(&f, false);
	refused(&t, &f, "no whole record");
	unlink(f.path);
	emu_test_end(&t);
}

// Above the limit: refused with the option that raises it.
static void
test_memory(void **state)
{
	char path[] = "/tmp/emunic_big_XXXXXX", text[100];
	int fd = mkstemp(path);
	struct file f;
	struct emu_test t;

	emu_test_begin(&t, 63);
	begin_pcap(&f, ETHERNET);
	assert_int_equal(write(fd, f.data, f.len), (ssize_t)f.len);
	f.len = 0;
	put_record(&f, 1, 1, 30000, 30000);
	for (int i = 0; i < 40; i++)
		assert_int_equal(write(fd, f.data, f.len), (ssize_t)f.len);
	close(fd);
	snprintf(text, sizeof(text), "[replay,file=%s,memory=1]", path);
	emu_test_refused(&t, text, "memory=MIB");
	unlink(path);
	emu_test_end(&t);
}

// An empty capture is one: nothing to play, and it is over.
static void
test_empty(void **state)
{
	struct emu_backend *b;
	struct rte_mbuf *m;
	struct file f;
	struct emu_test t;

	emu_test_begin(&t, 63);
	begin_pcap(&f, ETHERNET);
	save(&f, false);
	b = open_file(&t, &f, ",loop=1");
	assert_true(b->ops->finished(b));
	assert_true(b->ops->next_event(b) == UINT64_MAX);
	assert_int_equal(b->ops->rx(b, &m, 1), 0);
	b->ops->close(b);
	unlink(f.path);
	emu_test_end(&t);
}

// pcapng: section, interface with nanoseconds, an enhanced packet, a simple one (no timestamp).
static void
test_pcapng(void **state)
{
	struct emu_backend *b;
	struct rte_mbuf *pkts[4];
	struct file f = {.len = 0};
	struct emu_test t;

	emu_test_begin(&t, 63);
	put32(&f, 0x0a0d0d0a), put32(&f, 28), put32(&f, 0x1a2b3c4d), put32(&f, 1);
	put32(&f, UINT32_MAX), put32(&f, UINT32_MAX), put32(&f, 28);
	put32(&f, 1), put32(&f, 32), put32(&f, ETHERNET), put32(&f, 0);
	put32(&f, 9 | 1 << 16), put32(&f, 9), put32(&f, 0), put32(&f, 32);
	for (uint32_t i = 0; i < 2; i++) {
		put32(&f, 6), put32(&f, 36), put32(&f, 0), put32(&f, 0);
		put32(&f, 1000 + i * 300), put32(&f, 4), put32(&f, 90), put32(&f, i), put32(&f, 36);
	}
	put32(&f, 3), put32(&f, 20), put32(&f, 4), put32(&f, 2), put32(&f, 20);
	save(&f, false);
	b = open_file(&t, &f, "");
	assert_string_equal(t.why, "");
	for (unsigned int n = 0; n < 3;)
		n += b->ops->rx(b, pkts + n, 4);
	assert_true(b->ops->finished(b));
	assert_int_equal(rte_pktmbuf_pkt_len(pkts[0]), 90);
	assert_int_equal(rte_pktmbuf_pkt_len(pkts[2]), 4);
	assert_int_equal(*rte_pktmbuf_mtod(pkts[2], uint8_t *), 2);
	rte_pktmbuf_free_bulk(pkts, 3);
	b->ops->close(b);
	unlink(f.path);
	emu_test_end(&t);
}

// Random damage to a good file: refused or played, never a fault.
static void
test_damage(void **state)
{
	unsigned int seed = time(NULL);
	struct emu_backend *b;
	struct file f, g;
	struct emu_test t;
	uint64_t bytes;

	srand(seed);
	emu_test_begin(&t, 63);
	begin_pcap(&f, ETHERNET);
	for (int i = 0; i < 10; i++)
		put_record(&f, i, 1000000 + i, 60, 60);
	for (int round = 0; round < 1000; round++) {
		char text[100];

		g.len = 0;
		put(&g, f.data, f.len);
		for (int k = rand() % 4; k >= 0; k--)
			g.data[rand() % g.len] = rand();
		save(&g, false);
		snprintf(text, sizeof(text), "[replay,speed=0,file=%s]", g.path);
		if (emu_backend_open(&t.env, text, &b, t.why, sizeof(t.why)) == 0) {
			if (play(b, &bytes, NULL, 0) > g.len / 16)
				fail_msg("seed %u, round %d", seed, round);
			b->ops->close(b);
		}
		unlink(g.path);
	}
	emu_test_end(&t);
}

// Records in a file and the bytes they had on the wire, counted without libpcap.
static unsigned int
count_records(const char *path, uint64_t *bytes)
{
	gzFile in = gzopen(path, "rb");
	uint8_t skip[65536];
	uint32_t h[6];
	unsigned int n = 0;

	*bytes = 0;
	assert_non_null(in);
	assert_int_equal(gzread(in, h, 24), 24);
	while (gzread(in, h, 16) == 16) {
		uint32_t left = h[2];

		while (left > 0 && gzread(in, skip, RTE_MIN(left, sizeof(skip))) > 0)
			left -= RTE_MIN(left, sizeof(skip));
		n++;
		*bytes += RTE_MAX(h[2], h[3]);
	}
	gzclose(in);
	return n;
}

// ../shared beside the repository; the build may be anywhere.
static const char *
shared_folder(char *path, size_t len)
{
	const char *given = getenv("SLUICE_SHARED");
	const char *slash = strrchr(__FILE__, '/');

	if (given != NULL)
		return given;
	snprintf(path, len, "%.*s../../../shared", slash != NULL ? (int)(slash - __FILE__ + 1) : 0,
		__FILE__);
	return path;
}

static void
test_real_captures(void **state)
{
	static const char *const folders[] = {"pcap", "dos", "malformed"};
	char text[600], path[512];
	const char *root = shared_folder(path, sizeof(path));
	glob_t found = {0};
	struct emu_test t;

	for (size_t i = 0; i < RTE_DIM(folders); i++) {
		snprintf(text, sizeof(text), "%s/data/%s/*.pcap*",
			root != NULL ? root : "../shared", folders[i]);
		glob(text, i > 0 ? GLOB_APPEND : 0, NULL, &found);
	}
	if (found.gl_pathc == 0) {
		print_message(
			"skipped: no captures in %s/data (SLUICE_SHARED names the folder)\n", root);
		skip();
	}
	emu_test_begin(&t, 2047);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		uint64_t wire_bytes, bytes;
		unsigned int records = count_records(found.gl_pathv[i], &wire_bytes);
		struct emu_backend *b;

		snprintf(text, sizeof(text), "[replay,speed=0,file=%s]", found.gl_pathv[i]);
		b = emu_test_open(&t, text);
		assert_string_equal(t.why, "");
		assert_int_equal(play(b, &bytes, NULL, 0), records);
		assert_int_equal(bytes, wire_bytes);
		b->ops->close(b);
	}
	globfree(&found);
	emu_test_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_no_times),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_no_buffers),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_real_captures),
	};

	if (emu_test_eal("test_emunic_replay") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Playing captures that are gzip files: cut ones, those of several members, and damaged ones.
#include "emunic_support.h"
#include "emunic_capture_file.h"

#include <sys/stat.h>

// A gzip stream cut anywhere, in its last bytes as well: what could be read is played or the file
// is refused, and it is said.
static void
test_truncated_gz(void **state)
{
	struct emu_backend *b;
	struct file f;
	struct emu_test t;
	struct stat st;
	uint64_t bytes;
	unsigned int played = 0;

	emu_test_begin(&t, 63);
	begin_pcap(&f, ETHERNET);
	for (int i = 0; i < 200; i++)
		put_record(&f, rand(), 1000000 + i, 60, 60);
	save(&f, true);
	assert_int_equal(stat(f.path, &st), 0);
	for (off_t cut = st.st_size - 1; cut > 0; cut -= cut > st.st_size - 20 ? 1 : 37) {
		char text[100];

		assert_int_equal(truncate(f.path, cut), 0);
		snprintf(text, sizeof(text), "[replay,speed=0,file=%s]", f.path);
		if (emu_backend_open(&t.env, text, &b, t.why, sizeof(t.why)) != 0) {
			assert_null(b);
			assert_string_not_equal(t.why, "");
			continue;
		}
		assert_string_not_equal(t.why, "");
		played = RTE_MAX(played, play(b, &bytes, NULL, 0));
		b->ops->close(b);
	}
	assert_true(played > 100);
	unlink(f.path);
	emu_test_end(&t);
}

static void
append(const struct file *f, const void *data, size_t len)
{
	FILE *out = fopen(f->path, "ab");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(out);
}

// One more member of gzip, whose file is cut by as many bytes at its end.
static void
append_member(const struct file *f, const void *data, size_t len, size_t cut)
{
	struct stat st;
	gzFile out = gzopen(f->path, "ab");

	assert_non_null(out);
	assert_int_equal(gzwrite(out, data, len), (int)len);
	assert_int_equal(gzclose(out), Z_OK);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(truncate(f->path, st.st_size - cut), 0);
}

static void
plays(struct emu_test *t, const struct file *f, unsigned int records, const char *said)
{
	struct emu_backend *b = open_file(t, f, ",speed=0");
	uint64_t bytes;

	if (said[0] == '\0')
		assert_string_equal(t->why, "");
	else
		assert_non_null(strstr(t->why, said));
	assert_int_equal(play(b, &bytes, NULL, 0), records);
	b->ops->close(b);
	unlink(f->path);
}

// Members follow each other, anywhere in a record; padding behind the last is none. A member that
// is cut, its first byte alone as well, is said, and so is one whose checksum is wrong.
static void
test_gz_members(void **state)
{
	static const uint8_t zeros[600];
	const size_t half = 24 + 5 * 76 + 30; // within the sixth record
	struct file f, whole;
	struct emu_test t;

	emu_test_begin(&t, 63);
	begin_pcap(&whole, ETHERNET);
	for (int i = 0; i < 10; i++)
		put_record(&whole, i, 1000000 + i, 60, 60);
	memcpy(f.data, whole.data, half);
	f.len = half;

	save(&f, true);
	append_member(&f, whole.data + half, whole.len - half, 0);
	append_member(&f, "", 0, 0);
	plays(&t, &f, 10, "");

	save(&f, true);
	append_member(&f, whole.data + half, whole.len - half, 0);
	append(&f, zeros, sizeof(zeros));
	plays(&t, &f, 10, "");

	save(&f, true);
	append_member(&f, whole.data + half, whole.len - half, 8);
	plays(&t, &f, 10, "ends within its gzip stream, after record 10");

	save(&whole, true);
	append(&whole, "\x1f", 1);
	plays(&t, &whole, 10, "ends within its gzip stream, after record 10");

	save(&whole, true);
	append_member(&whole, "", 0, 8);
	append(&whole, "\1\1\1\1\0\0\0", 8);
	plays(&t, &whole, 10, "goes wrong after record 10");
	emu_test_end(&t);
}

// Random damage to the packed bytes: refused or played, never a fault, and mostly noticed.
static void
test_gz_damage(void **state)
{
	unsigned int seed = time(NULL), noticed = 0;
	struct file f, packed;
	struct emu_test t;
	FILE *in;

	srand(seed);
	emu_test_begin(&t, 63);
	begin_pcap(&f, ETHERNET);
	for (int i = 0; i < 50; i++)
		put_record(&f, rand(), 1000000 + i, 60, 60);
	save(&f, true);
	in = fopen(f.path, "rb");
	assert_non_null(in);
	packed.len = fread(packed.data, 1, sizeof(packed.data), in);
	fclose(in);
	unlink(f.path);
	for (int round = 0; round < 500; round++) {
		struct file g = packed;
		struct emu_backend *b;
		uint64_t bytes;
		char text[100];

		for (int k = rand() % 4; k >= 0; k--)
			g.data[10 + rand() % (g.len - 10)] = rand(); // behind what makes it gzip's
		save(&g, false);
		snprintf(text, sizeof(text), "[replay,speed=0,file=%s]", g.path);
		if (emu_backend_open(&t.env, text, &b, t.why, sizeof(t.why)) == 0) {
			play(b, &bytes, NULL, 0);
			b->ops->close(b);
		}
		noticed += t.why[0] != '\0';
		unlink(g.path);
	}
	if (noticed < 450)
		fail_msg("seed %u: %u of 500 noticed", seed, noticed);
	emu_test_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated_gz),
		cmocka_unit_test(test_gz_members),
		cmocka_unit_test(test_gz_damage),
	};

	if (emu_test_eal("test_emunic_gzip") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// sluice-hint: the guest's end of its channel to the switch (README, Hints). One request as a
// JSON-RPC line, one line of answer; libc only, so that it runs in any guest.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_CHANNEL "/dev/virtio-ports/sluice.hint"
#define LINE_MAX_BYTES 65536
#define ANSWER_MS 5000

static const char usage[] =
	"usage: sluice-hint [--channel PATH] COMMAND\n"
	"  set MATCH raise|lower   suggest a place for this VM's own flows that match\n"
	"  clear MATCH             take a hint back\n"
	"  list                    the hints that were given\n"
	"MATCH is for example \"ip_dst=192.0.2.7 tcp dport=443\". PATH is the virtio-serial port\n"
	"(" DEFAULT_CHANNEL ") or a Unix socket.\n"
	"exit code: 0 done, 1 the switch refused or did not answer, 2 wrong arguments\n";

static int
open_channel(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;

	if (stat(path, &st) != 0)
		return -1;
	if (!S_ISSOCK(st.st_mode))
		return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		int code = errno;

		close(fd);
		errno = code;
		return -1;
	}
	return fd;
}

// A text as a JSON string (RFC 8259, section 7).
static void
add_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char ch = (unsigned char)*text;

		if (ch == '"' || ch == '\\')
			fprintf(out, "\\%c", ch);
		else if (ch < 0x20)
			fprintf(out, "\\u%04x", ch);
		else
			fputc(ch, out);
	}
	fputc('"', out);
}

static char *
make_request(long id, int argc, char **argv)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	// A line of its own first: what a guest that died left half said is ended by it.
	fprintf(out, "\n{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"hint %s\",\"params\":{", id,
		argv[0]);
	if (argc > 1) {
		fputs("\"match\":", out);
		add_string(out, argv[1]);
	}
	if (argc > 2) {
		fputs(",\"place\":", out);
		add_string(out, argv[2]);
	}
	fputs("}}\n", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// A virtio-serial port with nobody at its other end takes nothing.
static bool
send_all(int fd, const char *text)
{
	const long end = now_ms() + ANSWER_MS;
	size_t left = strlen(text);

	while (left > 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EAGAIN) {
			if (now_ms() < end) {
				poll(&p, 1, 20);
				continue;
			}
			errno = ETIMEDOUT;
			return false;
		}
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return true;
}

// The answer with this id; others are late ones, to somebody who did not wait. False with errno.
static bool
get_answer(int fd, long id, char *line)
{
	const long end = now_ms() + ANSWER_MS;
	char mine[48];
	size_t len = 0;

	snprintf(mine, sizeof(mine), "\"id\":%ld", id);
	while (now_ms() < end) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char *nl;
		ssize_t n;

		if (poll(&p, 1, (int)(end - now_ms())) <= 0)
			continue;
		n = read(fd, line + len, LINE_MAX_BYTES - 1 - len);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
			errno = n == 0 ? ECONNRESET : errno;
			return false;
		}
		len += n > 0 ? (size_t)n : 0;
		line[len] = '\0';
		while ((nl = strchr(line, '\n')) != NULL) {
			const char *found;

			*nl = '\0';
			found = strstr(line, mine);
			if (found != NULL &&
				(found[strlen(mine)] == ',' || found[strlen(mine)] == '}'))
				return true;
			len -= (size_t)(nl + 1 - line);
			memmove(line, nl + 1, len + 1);
		}
		if (len == LINE_MAX_BYTES - 1)
			len = 0;
	}
	errno = ETIMEDOUT;
	return false;
}

static bool
arguments_ok(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[0], "set") == 0)
		return strcmp(argv[2], "raise") == 0 || strcmp(argv[2], "lower") == 0;
	return (argc == 2 && strcmp(argv[0], "clear") == 0) ||
	       (argc == 1 && strcmp(argv[0], "list") == 0);
}

int
main(int argc, char **argv)
{
	char line[LINE_MAX_BYTES];
	const char *path = DEFAULT_CHANNEL;
	const long id = now_ms() ^ ((long)getpid() << 20);
	char *request;
	int fd;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "--channel") == 0) {
		path = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (!arguments_ok(argc - 1, argv + 1)) {
		fputs(usage, stderr);
		return 2;
	}
	fd = open_channel(path);
	if (fd < 0) {
		fprintf(stderr, "sluice-hint: %s: %s\n", path, strerror(errno));
		return 1;
	}
	request = make_request(id, argc - 1, argv + 1);
	if (request == NULL || !send_all(fd, request) || !get_answer(fd, id, line)) {
		fprintf(stderr, "sluice-hint: no answer from the switch: %s\n", strerror(errno));
		free(request);
		return 1;
	}
	free(request);
	puts(line);
	close(fd);
	// In a result these bytes could stand in a string only, and there with backslashes.
	return strstr(line, "\"error\":{") != NULL ? 1 : 0;
}

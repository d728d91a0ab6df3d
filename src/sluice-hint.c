// SPDX-License-Identifier: BSD-3-Clause
// sluice-hint: the guest's end of its channel to the switch (README, Hints). One request as a
// JSON-RPC line, one line of answer; libc only, so that it runs in any guest.
//
// By the mailbox of a VF (--mailbox IFACE) a message is a frame that the NIC takes out at the VF's
// edge: nothing is needed but that network device. What became of it is asked for afterwards.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_CHANNEL "/dev/virtio-ports/sluice.hint"
#define LINE_MAX_BYTES 65536
#define ANSWER_MS 5000

static const char usage[] =
	"usage: sluice-hint [--channel PATH | --mailbox IFACE] COMMAND\n"
	"  set MATCH raise|lower   suggest a place for this VM's own flows that match\n"
	"  clear MATCH             take a hint back\n"
	"  list                    the hints that were given\n"
	"MATCH is for example \"ip_dst=192.0.2.7 tcp dport=443\". PATH is the virtio-serial port\n"
	"(" DEFAULT_CHANNEL ") or a Unix socket. IFACE is the network device of a\n"
	"VF, whose NIC has a mailbox (needs CAP_NET_RAW; MATCH at most 64 bytes; no list).\n"
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

// Whether there is something to read, by the end at the latest: poll would wait for ever for one
// that is past.
static bool
wait_input(int fd, long end)
{
	const long left = end - now_ms();
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return left > 0 && poll(&p, 1, (int)left) > 0;
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
		char *nl;
		ssize_t n;

		if (!wait_input(fd, end))
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

// ---- the mailbox of a VF

#define MAIL_ETHERTYPE 0x88b5
#define MAIL_MAGIC 0x456d4278
#define MAIL_ANSWER 0x80
#define MAIL_DATA_MAX 64
#define MAIL_TRIES 3 // a frame may be lost
#define MAIL_WAIT_MS 500

enum mail_type { MAIL_RAISE = 1, MAIL_LOWER, MAIL_CLEAR, MAIL_OUTCOME };

struct mail {
	uint8_t dst[6], src[6];
	uint16_t ethertype, result;
	uint32_t magic;
	uint8_t version, type;
	uint16_t len;
	uint32_t id;
	uint8_t data[MAIL_DATA_MAX];
};

_Static_assert(offsetof(struct mail, data) == 28, "as it is on the wire");

static int
open_mailbox(const char *iface, struct mail *m)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(MAIL_ETHERTYPE)};
	struct ifreq req = {0};
	int fd;

	if (strlen(iface) >= sizeof(req.ifr_name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(req.ifr_name, iface, strlen(iface) + 1);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(MAIL_ETHERTYPE));
	if (fd < 0)
		return -1;
	addr.sll_ifindex = (int)if_nametoindex(iface);
	if (addr.sll_ifindex == 0 || ioctl(fd, SIOCGIFHWADDR, &req) != 0 ||
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		int code = errno;

		close(fd);
		errno = code;
		return -1;
	}
	memcpy(m->src, req.ifr_hwaddr.sa_data, sizeof(m->src));
	return fd;
}

// The NIC's answer to one message: 0 or an errno; -1 with errno when there is none.
static int
ask(int fd, const struct mail *m)
{
	struct mail in;
	unsigned i;

	for (i = 0; i < MAIL_TRIES; i++) {
		const long end = now_ms() + MAIL_WAIT_MS;

		if (send(fd, m, sizeof(*m), 0) < 0)
			return -1;
		while (now_ms() < end) {
			ssize_t n;

			if (!wait_input(fd, end))
				continue;
			n = recv(fd, &in, sizeof(in), 0);
			if (n >= (ssize_t)offsetof(struct mail, data) && in.magic == m->magic &&
				in.id == m->id && in.type == (m->type | MAIL_ANSWER))
				return ntohs(in.result);
		}
	}
	errno = ETIMEDOUT;
	return -1;
}

static const char *
why(int code)
{
	switch (code) {
	case EPERM:
		return "hints of this port are not followed";
	case EINVAL:
		return "the switch does not understand the match, or it names a port that is not "
		       "the VM's";
	case ENOENT:
		return "the VM has no such hint, or what became of it is not known any more";
	case ENOSPC:
		return "the VM has as many hints as it can have";
	case EBUSY:
		return "too many changes at a time: try again later";
	case ENOTSUP:
		return "the NIC's mailbox takes no hints";
	default:
		return strerror(code);
	}
}

static int
by_mailbox(const char *iface, char **argv)
{
	const bool set = strcmp(argv[0], "set") == 0;
	const uint32_t id = (uint32_t)now_ms() ^ (uint32_t)getpid() << 16;
	const long end = now_ms() + ANSWER_MS;
	struct mail m = {.dst = {255, 255, 255, 255, 255, 255},
		.ethertype = htons(MAIL_ETHERTYPE),
		.magic = htonl(MAIL_MAGIC),
		.version = 1,
		.id = htonl(id),
		.len = htons((uint16_t)strlen(argv[1]))};
	int fd = open_mailbox(iface, &m), code;

	if (fd < 0) {
		fprintf(stderr, "sluice-hint: %s: %s\n", iface, strerror(errno));
		return 1;
	}
	m.type = !set ? MAIL_CLEAR : strcmp(argv[2], "raise") == 0 ? MAIL_RAISE : MAIL_LOWER;
	memcpy(m.data, argv[1], strlen(argv[1]));
	code = ask(fd, &m);
	// It is in hand: what becomes of it? A message of its own each time.
	m.type = MAIL_OUTCOME;
	m.len = htons(sizeof(id));
	memset(m.data, 0, sizeof(m.data));
	memcpy(m.data, &(uint32_t){htonl(id)}, sizeof(id));
	for (bool asked = false; code == 0 ? !asked : code == EAGAIN && now_ms() < end;
		asked = true) {
		if (code == EAGAIN)
			poll(NULL, 0, 5);
		m.id = htonl(ntohl(m.id) + 1);
		code = ask(fd, &m);
	}
	close(fd);
	if (code != 0) {
		fprintf(stderr, "sluice-hint: %s\n",
			code < 0 ? "no answer from the NIC" : why(code));
		return 1;
	}
	printf("%s: in force\n", argv[1]);
	return 0;
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
	const char *path = DEFAULT_CHANNEL, *iface = NULL;
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
	if (argc > 2 && strcmp(argv[1], "--mailbox") == 0) {
		iface = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (!arguments_ok(argc - 1, argv + 1) ||
		(iface != NULL &&
			(argc < 3 || strlen(argv[2]) > MAIL_DATA_MAX || argv[2][0] == '\0'))) {
		fputs(usage, stderr);
		return 2;
	}
	if (iface != NULL)
		return by_mailbox(iface, argv + 1);
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

// SPDX-License-Identifier: BSD-3-Clause
#include "vhost_front.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define NEED_REPLY 8u
#define HEAD 12u   // bytes of a message before its payload
#define HEADER 12u // struct virtio_net_hdr_v1

struct message {
	uint32_t request, flags, size;
	uint64_t word[2 + 4 * 4];
} __attribute__((packed));

uint64_t
front_say(struct front *f, uint32_t request, int fd, const uint64_t *word, unsigned n)
{
	bool asks = request == FRONT_GET_FEATURES || request == FRONT_GET_VRING_BASE;
	struct message m = {request, 1 | (asks ? 0 : NEED_REPLY), n * 8, {0}};
	struct iovec iov = {&m, HEAD + n * 8};
	alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {0};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	// Each region of a memory has a descriptor of its own.
	unsigned fds = request == FRONT_SET_MEM_TABLE ? (unsigned)word[0] : 1;
	int all[4] = {fd, fd, fd, fd};

	assert_true(HEAD + n * 8 <= sizeof(m));
	memcpy(m.word, word, n * 8);
	if (fd >= 0) {
		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(fds * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), all, fds * sizeof(int));
	}
	if (sendmsg(f->s, &h, MSG_NOSIGNAL) < 0)
		return UINT64_MAX;
	if (recv(f->s, &m, HEAD + 8, MSG_WAITALL) <= 0)
		return UINT64_MAX;
	assert_int_equal(m.request, request);
	return m.word[0];
}

void
front_make(struct front *f)
{
	unsigned i;

	memset(f, 0, sizeof(*f));
	f->s = -1;
	f->mem = memfd_create("guest", MFD_CLOEXEC);
	assert_true(f->mem >= 0);
	assert_int_equal(ftruncate(f->mem, FRONT_SIZE), 0);
	f->at = mmap(NULL, FRONT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->mem, 0);
	assert_true(f->at != MAP_FAILED);
	for (i = 0; i < FRONT_RINGS; i++) {
		f->ring[i].desc = (void *)(f->at + FRONT_SIZE - (i + 1) * FRONT_RING);
		f->ring[i].avail = (void *)(f->at + FRONT_AVAIL(i));
		f->ring[i].used = (void *)(f->at + FRONT_AVAIL(i) + 4096);
	}
}

void
front_free(struct front *f)
{
	front_close(f);
	munmap(f->at, FRONT_SIZE);
	close(f->mem);
}

void
front_connect(struct front *f, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct message m = {FRONT_SET_PROTOCOL_FEATURES, 1, 8, {1 << 3}};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	f->s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(f->s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	FRONT_SAY(f, FRONT_GET_FEATURES, -1, 0);
	// REPLY_ACK first: all that follows is answered.
	assert_int_equal(send(f->s, &m, HEAD + 8, MSG_NOSIGNAL), HEAD + 8);
}

void
front_close(struct front *f)
{
	if (f->s >= 0)
		close(f->s);
	f->s = -1;
}

uint64_t
front_memory(struct front *f, unsigned regions)
{
	uint64_t word[1 + 4 * 4] = {regions}, size = FRONT_SIZE / regions;
	unsigned i;

	for (i = 0; i < regions; i++) {
		word[1 + 4 * i] = i * size;
		word[2 + 4 * i] = size;
		word[3 + 4 * i] = FRONT_BASE + i * size;
		word[4 + 4 * i] = i * size; // in the file
	}
	return front_say(f, FRONT_SET_MEM_TABLE, f->mem, word, 1 + 4 * regions);
}

void
front_call(struct front *f, unsigned ring)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_int_equal(FRONT_SAY(f, FRONT_SET_VRING_CALL, event, ring), 0);
	close(event);
}

void
front_enable(struct front *f, unsigned ring, bool enable)
{
	assert_int_equal(
		FRONT_SAY(f, FRONT_SET_VRING_ENABLE, -1, ring | (uint64_t)enable << 32), 0);
}

bool
front_begin(struct front *f, uint64_t features)
{
	uint64_t answer = FRONT_SAY(f, FRONT_SET_FEATURES, -1, features);

	if (answer == UINT64_MAX)
		return false;
	assert_int_equal(answer, 0);
	assert_int_equal(front_memory(f, 1), 0);
	return true;
}

void
front_ring_start(struct front *f, unsigned i)
{
	uint64_t at = FRONT_BASE + FRONT_SIZE - (i + 1) * FRONT_RING;
	uint64_t avail = FRONT_BASE + FRONT_AVAIL(i);
	int kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_int_equal(FRONT_SAY(f, FRONT_SET_VRING_NUM, -1, i | (uint64_t)FRONT_DESC << 32), 0);
	assert_int_equal(
		FRONT_SAY(f, FRONT_SET_VRING_BASE, -1, i | (uint64_t)f->ring[i].used->idx << 32),
		0);
	assert_int_equal(FRONT_SAY(f, FRONT_SET_VRING_ADDR, -1, i, at, avail + 4096, avail, 0), 0);
	front_call(f, i);
	assert_int_equal(FRONT_SAY(f, FRONT_SET_VRING_KICK, kick, i), 0);
	close(kick);
	front_enable(f, i, true);
}

bool
front_start(struct front *f, unsigned n)
{
	unsigned i;

	if (!front_begin(f, FRONT_FEATURES))
		return false;
	for (i = 0; i < n; i++)
		front_ring_start(f, i);
	return true;
}

void
front_stop(struct front *f, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		uint64_t base = FRONT_SAY(f, FRONT_GET_VRING_BASE, -1, i);

		assert_int_equal(base, i | (uint64_t)f->ring[i].used->idx << 32);
	}
}

static void
offer(struct front *f, unsigned ring, uint32_t len, uint16_t flags)
{
	struct front_ring *r = &f->ring[ring];
	uint16_t i = r->offered % FRONT_DESC;

	r->desc[i] = (struct vring_desc){
		.addr = (ring * FRONT_DESC + i) * FRONT_BUF, .len = len, .flags = flags};
	r->avail->ring[i] = i;
	__atomic_store_n(&r->avail->idx, ++r->offered, __ATOMIC_RELEASE);
}

void
front_room(struct front *f, unsigned ring)
{
	while ((uint16_t)(f->ring[ring].offered - f->ring[ring].seen) < FRONT_DESC)
		offer(f, ring, FRONT_BUF, VRING_DESC_F_WRITE);
}

bool
front_send(struct front *f, unsigned ring, const void *packet, uint32_t len)
{
	struct front_ring *r = &f->ring[ring];
	uint8_t *at = f->at + (ring * FRONT_DESC + r->offered % FRONT_DESC) * FRONT_BUF;

	if ((uint16_t)(r->offered - r->seen) == FRONT_DESC)
		return false;
	assert_true(HEADER + len <= FRONT_BUF);
	memset(at, 0, HEADER);
	memcpy(at + HEADER, packet, len);
	offer(f, ring, HEADER + len, 0);
	return true;
}

const uint8_t *
front_take(struct front *f, unsigned ring, uint32_t *len)
{
	struct front_ring *r = &f->ring[ring];
	struct vring_used_elem e;

	if (r->seen == __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE))
		return NULL;
	e = r->used->ring[r->seen % FRONT_DESC];
	assert_int_equal(e.id, r->seen % FRONT_DESC); // in the order in which it was offered
	assert_true(e.len >= HEADER && e.len <= FRONT_BUF);
	r->seen++;
	*len = e.len - HEADER;
	return f->at + (ring * FRONT_DESC + e.id) * FRONT_BUF + HEADER;
}

uint16_t
front_sent(struct front *f, unsigned ring)
{
	struct front_ring *r = &f->ring[ring];
	uint16_t n = (uint16_t)(__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - r->seen);

	r->seen = (uint16_t)(r->seen + n);
	return n;
}

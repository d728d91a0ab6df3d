// SPDX-License-Identifier: BSD-3-Clause
#include "backend/vhost_conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_log.h>
#include <rte_version.h>
#include <rte_vhost.h>

// How long rte_vhost's thread waits for the firmware, which holds a connection for one burst.
#define LET_GO_MS 5000

// Neither carried by the emulated NIC nor expressible in an mbuf: UDP fragmentation offload, and
// segments with congestion marks.
#define NOT_OFFERED                                                                                \
	(1ULL << VIRTIO_NET_F_HOST_UFO | 1ULL << VIRTIO_NET_F_GUEST_UFO |                          \
		1ULL << VIRTIO_NET_F_HOST_ECN | 1ULL << VIRTIO_NET_F_GUEST_ECN)

struct registry {
	pthread_mutex_t lock;
	struct emu_vhost_socket *sockets;
};

// Made at the first use, kept to the end of the process: rte_vhost's callbacks carry no context.
static struct registry *_Atomic the_registry;

static struct registry *
registry_get(void)
{
	struct registry *r = atomic_load(&the_registry), *fresh;

	if (r != NULL)
		return r;
	fresh = calloc(1, sizeof(*fresh));
	if (fresh == NULL)
		return NULL;
	pthread_mutex_init(&fresh->lock, NULL);
	if (atomic_compare_exchange_strong(&the_registry, &r, fresh))
		return fresh;
	pthread_mutex_destroy(&fresh->lock);
	free(fresh);
	return r;
}

static struct emu_vhost_socket *
find_path(struct registry *r, const char *path)
{
	struct emu_vhost_socket *s;

	pthread_mutex_lock(&r->lock);
	for (s = r->sockets; s != NULL && strcmp(s->path, path) != 0;)
		s = s->next;
	pthread_mutex_unlock(&r->lock);
	return s;
}

// The socket stays while a callback of it runs: close waits for that.
static struct emu_vhost_socket *
find_vid(int vid)
{
	struct registry *r = registry_get();
	char path[EMU_VHOST_PATH_MAX];

	if (r == NULL || rte_vhost_get_ifname(vid, path, sizeof(path)) != 0)
		return NULL;
	return find_path(r, path);
}

static struct emu_vhost_conn *
find_conn(struct emu_vhost_socket *s, int vid)
{
	for (unsigned int i = 0; i < EMU_VHOST_CONNS; i++)
		if (s->conns[i].vid == vid)
			return &s->conns[i];
	return NULL;
}

static void
clear_conn(struct emu_vhost_conn *c)
{
	c->vid = -1;
	c->ready = false;
	for (unsigned int i = 0; i < EMU_VHOST_PAIRS_MAX; i++)
		atomic_store_explicit(&c->rx_on[i], false, memory_order_relaxed);
}

// The latch is shut: makes a ready connection active, if there is one.
static void
activate(struct emu_vhost_socket *s)
{
	for (unsigned int i = 0; i < EMU_VHOST_CONNS; i++) {
		if (!s->conns[i].ready)
			continue;
		s->active = &s->conns[i];
		s->epoch++;
		emu_latch_open(&s->latch);
		return;
	}
}

static int
on_connection(int vid)
{
	struct emu_vhost_socket *s = find_vid(vid);
	struct emu_vhost_conn *c;

	if (s == NULL)
		return -1;
	pthread_mutex_lock(&s->lock);
	c = find_conn(s, -1);
	if (c != NULL)
		c->vid = vid;
	pthread_mutex_unlock(&s->lock);
	return c != NULL ? 0 : -1;
}

static int
on_device(int vid)
{
	struct emu_vhost_socket *s = find_vid(vid);
	uint64_t tso = 1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6;
	struct emu_vhost_conn *c;
	uint64_t features;

	if (s == NULL || rte_vhost_get_negotiated_features(vid, &features) != 0)
		return -1;
	pthread_mutex_lock(&s->lock);
	c = find_conn(s, vid);
	if (c != NULL) {
		c->pairs = RTE_MIN(rte_vhost_get_vring_num(vid) / 2, EMU_VHOST_PAIRS_MAX);
		c->sums = features & 1ULL << VIRTIO_NET_F_GUEST_CSUM;
		c->segments = c->sums && (features & tso) == tso;
		c->ready = true;
		if (s->active == NULL)
			activate(s);
	}
	pthread_mutex_unlock(&s->lock);
	return c != NULL ? 0 : -1;
}

static void
on_device_gone(int vid)
{
	struct emu_vhost_socket *s = find_vid(vid);
	struct emu_vhost_conn *c;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	c = find_conn(s, vid);
	if (c != NULL) {
		c->ready = false;
		if (c == s->active) {
			if (!emu_latch_shut(&s->latch, LET_GO_MS))
				// the driver's own log type: it is the same for the same name
				rte_log(RTE_LOG_ERR, (uint32_t)rte_log_register("pmd.net.emunic"),
					"EMUNIC: %s: the firmware held the guest for %d ms\n",
					s->path, LET_GO_MS);
			s->active = NULL;
			activate(s);
		}
	}
	pthread_mutex_unlock(&s->lock);
}

static void
on_connection_gone(int vid)
{
	struct emu_vhost_socket *s = find_vid(vid);
	struct emu_vhost_conn *c;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	c = find_conn(s, vid);
	if (c != NULL)
		clear_conn(c);
	pthread_mutex_unlock(&s->lock);
}

// Even numbers are the guest's receive queues. rte_vhost holds its locks of the queues here.
static int
on_queue(int vid, uint16_t queue, int enable)
{
	struct emu_vhost_socket *s = find_vid(vid);
	struct emu_vhost_conn *c;

	if (s == NULL || queue % 2 != 0 || queue / 2 >= EMU_VHOST_PAIRS_MAX)
		return 0;
	pthread_mutex_lock(&s->lock);
	c = find_conn(s, vid);
	if (c != NULL)
		atomic_store_explicit(&c->rx_on[queue / 2], enable != 0, memory_order_relaxed);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

// Finds out whether a server can listen here, since rte_vhost tells no reason and removes the file
// of whoever holds the name. A socket that nobody listens at is a left-over, and removed.
static int
try_to_listen(const char *path, char *why, size_t why_len)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		rc = -errno;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (rc == 0 && lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			rc = -EEXIST;
		else if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 ||
			 errno != ECONNREFUSED)
			rc = -EADDRINUSE;
		else
			unlink(path);
	}
	if (rc == 0 && bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		rc = -errno;
	if (rc == 0)
		unlink(path);
	if (fd >= 0)
		close(fd);
	if (rc != 0)
		snprintf(why, why_len, "vhost-user: cannot listen at %s: %s", path, strerror(-rc));
	return rc;
}

static int
enter_registry(struct emu_vhost_socket *s)
{
	struct registry *r = registry_get();
	int rc = 0;

	if (r == NULL)
		return -ENOMEM;
	// Asks rte_vhost for nothing, but fails where nobody has registered the path. Not under the
	// lock: the callbacks take it while they hold rte_vhost's.
	if (rte_vhost_driver_disable_features(s->path, 0) == 0)
		return -EEXIST;
	pthread_mutex_lock(&r->lock);
	for (struct emu_vhost_socket *i = r->sockets; i != NULL; i = i->next)
		if (strcmp(i->path, s->path) == 0)
			rc = -EEXIST;
	if (rc == 0) {
		s->next = r->sockets;
		r->sockets = s;
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}

static void
leave_registry(struct emu_vhost_socket *s)
{
	struct registry *r = registry_get();
	struct emu_vhost_socket **at;

	pthread_mutex_lock(&r->lock);
	for (at = &r->sockets; *at != NULL && *at != s;)
		at = &(*at)->next;
	if (*at != NULL)
		*at = s->next;
	pthread_mutex_unlock(&r->lock);
}

static int
start(struct emu_vhost_socket *s, bool client, uint16_t pairs)
{
	static const struct rte_vhost_device_ops ops = {
		.new_connection = on_connection,
		.new_device = on_device,
		.vring_state_changed = on_queue,
		.destroy_device = on_device_gone,
		.destroy_connection = on_connection_gone,
	};
	uint64_t refused = NOT_OFFERED | (pairs == 1 ? 1ULL << VIRTIO_NET_F_MQ : 0);

	if (rte_vhost_driver_register(s->path, client ? RTE_VHOST_USER_CLIENT : 0) != 0)
		return -EIO;
	if (rte_vhost_driver_disable_features(s->path, refused) == 0 &&
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
		rte_vhost_driver_set_max_queue_num(s->path, pairs) == 0 &&
#endif
		rte_vhost_driver_callback_register(s->path, &ops) == 0 &&
		rte_vhost_driver_start(s->path) == 0)
		return 0;
	rte_vhost_driver_unregister(s->path);
	return -EIO;
}

int
emu_vhost_socket_open(
	struct emu_vhost_socket *s, bool client, uint16_t pairs, char *why, size_t why_len)
{
	int rc = enter_registry(s);

	if (rc != 0) {
		snprintf(why, why_len, "vhost-user: %s %s", s->path,
			rc == -EEXIST ? "is in use in this process already" : "finds no memory");
		return rc;
	}
	emu_latch_shut(&s->latch, 0);
	pthread_mutex_init(&s->lock, NULL);
	for (unsigned int i = 0; i < EMU_VHOST_CONNS; i++)
		clear_conn(&s->conns[i]);
	rc = client ? 0 : try_to_listen(s->path, why, why_len);
	if (rc == 0) {
		rc = start(s, client, pairs);
		if (rc != 0)
			snprintf(why, why_len,
				"vhost-user: %s: the vhost library does not start it (its log "
				"tells "
				"why)",
				s->path);
	}
	if (rc != 0) {
		leave_registry(s);
		pthread_mutex_destroy(&s->lock);
	}
	return rc;
}

void
emu_vhost_socket_close(struct emu_vhost_socket *s)
{
	rte_vhost_driver_unregister(s->path);
	leave_registry(s);
	pthread_mutex_destroy(&s->lock);
}

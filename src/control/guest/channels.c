// SPDX-License-Identifier: BSD-3-Clause
#include "guest/channels.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ctl/server.h"
#include "guest/guest_commands.h"

#define MESSAGES_AT_ONCE 4

struct channels {
	int epoll;
	struct guest_channel *list[CONFIG_PORTS_MAX]; // by index in cfg->vms
	struct guest_rate rate[CONFIG_PORTS_MAX];     // likewise
};

int
channels_new(struct control *c)
{
	c->channels = calloc(1, sizeof(*c->channels));
	if (c->channels == NULL)
		return -ENOMEM;
	c->channels->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->channels->epoll >= 0)
		return 0;
	free(c->channels);
	c->channels = NULL;
	return -errno;
}

static void
channel_close(struct channels *s, uint16_t vm)
{
	struct guest_channel *g = s->list[vm];

	s->list[vm] = NULL;
	if (g == NULL)
		return;
	ctl_server_free(g->server); // its descriptor leaves the epoll set with it
	free(g);
}

void
channels_fini(struct control *c)
{
	uint16_t i;

	if (c->channels == NULL)
		return;
	for (i = 0; i < CONFIG_PORTS_MAX; i++)
		channel_close(c->channels, i);
	close(c->channels->epoll);
	free(c->channels);
	c->channels = NULL;
}

// "user" or "user:group". A user alone brings its own group.
static int
find_owner(const char *text, struct ctl_access *out, struct sl_err *err)
{
	const char *colon = strchr(text, ':');
	char user[sizeof(((struct config_vm *)NULL)->hint_owner)];
	const struct passwd *pw;
	const struct group *gr;

	if (text[0] == '\0')
		return 0;
	memcpy(user, text, strlen(text) + 1);
	if (colon != NULL)
		user[colon - text] = '\0';
	pw = getpwnam(user);
	if (pw == NULL)
		return sl_err_set(err, ENOENT, NULL, "there is no user \"%s\"", user);
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	if (colon == NULL)
		return 0;
	gr = getgrnam(colon + 1);
	if (gr == NULL)
		return sl_err_set(err, ENOENT, NULL, "there is no group \"%s\"", colon + 1);
	out->gid = gr->gr_gid;
	return 0;
}

static int
channel_open(struct control *c, uint16_t vm, struct sl_err *err)
{
	const struct config_vm *cfg = &c->cfg->vms[vm];
	struct ctl_access access = {.mode = (mode_t)strtoul(cfg->hint_mode, NULL, 8),
		.uid = (uid_t)-1,
		.gid = (gid_t)-1};
	struct epoll_event e = {.events = EPOLLIN};
	struct guest_channel *g = calloc(1, sizeof(*g));
	int rc;

	if (g == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	g->control = c;
	g->vm = vm;
	g->cfg = *cfg;
	rc = find_owner(cfg->hint_owner, &access, err);
	if (rc == 0)
		rc = ctl_server_new(guest_commands(), g, c->log, &g->server);
	if (rc == 0) {
		ctl_server_set_limits(g->server, CHANNEL_SESSIONS, CHANNEL_LINE_MAX);
		rc = ctl_server_listen_for(g->server, cfg->hint_socket, false, &access, err);
	}
	if (rc == 0) {
		e.data.ptr = g;
		rc = epoll_ctl(c->channels->epoll, EPOLL_CTL_ADD, ctl_server_fd(g->server), &e) == 0
			     ? 0
			     : -errno;
	}
	if (rc == 0) {
		c->channels->list[vm] = g;
		return 0;
	}
	ctl_server_free(g->server);
	free(g);
	return sl_err_set(err, rc, NULL, "the hint socket of %s: %s", cfg->name, strerror(abs(rc)));
}

static bool
same_channel(const struct config_vm *a, const struct config_vm *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->hint_socket, b->hint_socket) == 0 &&
	       strcmp(a->hint_owner, b->hint_owner) == 0 && strcmp(a->hint_mode, b->hint_mode) == 0;
}

int
channels_apply(struct control *c, struct sl_err *err)
{
	struct channels *s = c->channels;
	int first = 0, rc;
	uint16_t i;

	// Closed first: another VM may have got the path.
	for (i = 0; i < CONFIG_PORTS_MAX; i++) {
		if (s->list[i] != NULL &&
			(i >= c->cfg->n_vms || !same_channel(&s->list[i]->cfg, &c->cfg->vms[i])))
			channel_close(s, i);
	}
	for (i = 0; i < c->cfg->n_vms; i++) {
		if (s->list[i] != NULL || c->cfg->vms[i].hint_socket[0] == '\0')
			continue;
		rc = channel_open(c, i, err);
		first = first != 0 ? first : rc;
	}
	return first;
}

struct guest_rate *
channels_rate(struct control *c, uint16_t vm)
{
	return &c->channels->rate[vm];
}

int
channels_fd(const struct control *c)
{
	return c->channels->epoll;
}

void
channels_poll(struct control *c)
{
	struct epoll_event ev[16];
	int n = epoll_wait(c->channels->epoll, ev, 16, 0), i;

	for (i = 0; i < n; i++) {
		struct guest_channel *g = ev[i].data.ptr;

		ctl_server_poll(g->server, MESSAGES_AT_ONCE);
	}
}

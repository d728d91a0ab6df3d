// SPDX-License-Identifier: BSD-3-Clause
// Any bytes on the control socket: the server goes on, and all that it says is JSON, a line each.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/server.h"

struct target {
	char dir[32];
	struct sockaddr_un addr;
	struct ctl_command *table;
	struct ctl_server *server;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
answer(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	if (json_object_size(args) > 2)
		return -22;
	*result = json_deep_copy(args);
	return 0;
}

static int
later(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	ctl_call_reply(call, json_object());
	return CTL_LATER;
}

static void
start(struct target *t)
{
	struct ctl_binding bindings[64] = {{NULL, NULL}};
	struct sl_err err;
	unsigned n = 0;

	memcpy(t->dir, "/tmp/sluice-fuzz-XXXXXX", 24);
	sl_err_init(&err);
	for (const struct ctl_command *c = ctl_commands(); c->name != NULL && n < 63; c++) {
		if (strcmp(c->name, "help") == 0)
			continue;
		bindings[n] = (struct ctl_binding){c->name, n % 2 != 0 ? answer : later};
		n++;
	}
	t->addr.sun_family = AF_UNIX;
	if (mkdtemp(t->dir) == NULL || ctl_commands_bind(bindings, &t->table, &err) != 0 ||
		ctl_server_new(t->table, NULL, NULL, &t->server) != 0)
		abort();
	snprintf(t->addr.sun_path, sizeof(t->addr.sun_path), "%s/s", t->dir);
	if (ctl_server_listen(t->server, t->addr.sun_path, false, &err) != 0)
		abort();
}

static void
check_answers(const char *text, size_t len)
{
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		json_t *msg;

		if (nl == NULL)
			return; // the rest did not fit into our buffer
		msg = json_loadb(text, (size_t)(nl - text), JSON_REJECT_DUPLICATES, NULL);
		if (msg == NULL ||
			!json_object_get(msg, "result") == !json_object_get(msg, "error"))
			abort();
		json_decref(msg);
		len -= (size_t)(nl - text) + 1;
		text = nl + 1;
	}
}

// One client, that sends all in two pieces, reads what comes, and goes.
static void
attack(struct target *t, const uint8_t *data, size_t size)
{
	char buf[65536];
	size_t half = size / 2;
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *)&t->addr, sizeof(t->addr)) != 0)
		abort();
	ctl_server_poll(t->server, 100);
	(void)!send(fd, data, half, MSG_NOSIGNAL);
	ctl_server_poll(t->server, 3);
	(void)!send(fd, data + half, size - half, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	for (unsigned i = 0; i < 8; i++)
		ctl_server_poll(t->server, 100);
	n = recv(fd, buf, sizeof(buf), 0);
	if (n > 0)
		check_answers(buf, (size_t)n);
	close(fd);
	ctl_server_poll(t->server, 100);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target t = {.server = NULL};

	start(&t);
	attack(&t, data, size);
	ctl_server_free(t.server);
	free(t.table);
	return rmdir(t.dir) == 0 ? 0 : (abort(), 0);
}

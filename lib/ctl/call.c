// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "server_state.h"

// Sends a line; what does not fit any more ends the session.
static void
send_line(struct ctl_server *s, struct ctl_session *c, const json_t *id, char *line)
{
	uint64_t now = sl_now(s->clock);
	struct sl_err err = {.code = -EMSGSIZE};

	if (line != NULL && ctl_session_put(c, line, strlen(line), now)) {
		free(line);
		return;
	}
	snprintf(err.text, sizeof(err.text),
		line != NULL ? "the answer is above %u MiB: ask for less (limit)" : "out of memory",
		CTL_OUT_MAX >> 20);
	free(line);
	line = ctl_answer_error(id, &err);
	if (line == NULL || !ctl_session_put(c, line, strlen(line), now))
		c->dead = true;
	free(line);
}

void
ctl_send_error(
	struct ctl_server *s, struct ctl_session *c, const json_t *id, const struct sl_err *err)
{
	send_line(s, c, id, ctl_answer_error(id, err));
}

void
ctl_send_fault(struct ctl_server *s, struct ctl_session *c, int code, const char *text)
{
	json_t *id = json_null();
	struct sl_err err;

	sl_err_init(&err);
	sl_err_set(&err, code, NULL, "%s", text);
	ctl_send_error(s, c, id, &err);
}

struct ctl_call *
ctl_call_new(struct ctl_server *s, struct ctl_session *c, json_t *id)
{
	struct ctl_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	*call = (struct ctl_call){.server = s, .session = c, .id = id, .next = s->calls};
	if (s->calls != NULL)
		s->calls->prev = call;
	s->calls = call;
	c->later++;
	return call;
}

static void
call_end(struct ctl_call *call)
{
	struct ctl_server *s = call->server;

	if (call->session != NULL)
		call->session->later--;
	if (call->prev != NULL)
		call->prev->next = call->next;
	else if (s != NULL)
		s->calls = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	if (s != NULL && !s->polling)
		ctl_server_wake(s); // the session may be read again, or be closed
	json_decref(call->id);
	free(call);
}

void
ctl_call_reply(struct ctl_call *call, json_t *result)
{
	if (call->session != NULL && call->id != NULL)
		send_line(
			call->server, call->session, call->id, ctl_answer_result(call->id, result));
	else
		json_decref(result);
	call_end(call);
}

void
ctl_call_fail(struct ctl_call *call, const struct sl_err *err)
{
	if (call->session != NULL && call->id != NULL)
		ctl_send_error(call->server, call->session, call->id, err);
	call_end(call);
}

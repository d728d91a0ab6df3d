// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/in_force.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "apply/apply.h"
#include "ctl/server.h"
#include "pending.h"
#include "place/ahead.h"
#include "place/placements.h"

#define WAIT_MS 30000

struct waiting {
	struct ctl_call *call;
	json_t *answer;
};

// Operations until no NIC says otherwise than the switch.
static uint32_t
pending(const struct control *c)
{
	return placements_contradicted(c) + ahead_pending(c);
}

static bool
wait_step(struct control *c, void *state, bool expired)
{
	struct waiting *w = state;
	uint32_t n = pending(c);
	char text[32];

	if (n > 0 && !expired)
		return false;
	snprintf(text, sizeof(text), "pending %u", n);
	json_object_set_new(w->answer, "hardware", json_string(n == 0 ? "in-force" : text));
	ctl_call_reply(w->call, w->answer);
	free(w);
	return true;
}

int
in_force(struct control *c, struct ctl_call *call, bool wait, json_t *answer, json_t **result,
	struct sl_err *err)
{
	const uint64_t begun = sl_now(&c->clock);
	struct waiting *w;
	uint32_t n;
	char text[32];

	if (apply_decisions(c) != 0) {
		json_decref(answer);
		return sl_err_set(err, ENOMEM, NULL,
			"out of memory: the change is kept and comes into force with the next one");
	}
	n = pending(c);
	snprintf(text, sizeof(text), "pending %u", n);
	json_object_set_new(answer, "software", json_string("in-force"));
	json_object_set_new(answer, "software_us",
		json_integer((json_int_t)((sl_now(&c->clock) - begun) / SL_NS_PER_US)));
	json_object_set_new(answer, "hardware", json_string(n == 0 ? "in-force" : text));
	if (wait && n > 0) {
		w = calloc(1, sizeof(*w));
		if (w != NULL && pending_add(c, wait_step, w, WAIT_MS) == 0) {
			w->call = call;
			w->answer = answer;
			return CTL_LATER;
		}
		free(w);
	}
	*result = answer;
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_version.h>

#include "cmd/answer.h"
#include "cmd/commands.h"

COMMAND(cmd_status)
{
	struct control *c = app;
	struct offload_stats os;
	json_t *places = json_object(), *nics = json_array();
	unsigned ports = 0, i;

	offload_stats_get(c->offload, &os);
	for (i = 0; i < OFFLOAD_PATHS; i++)
		json_object_set_new(places, offload_path_name(i), json_integer(os.by_path[i]));
	for (i = 0; i < DP_VPORTS_MAX; i++)
		ports += c->vports[i].used;
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] != NULL)
			json_array_append_new(nics, json_string(c->nics[i]->name));
	}
	*result = json_pack("{ss ss si sI ss si si si si so so}", "version", SLUICE_VERSION, "dpdk",
		rte_version(), "pid", (int)getpid(), "uptime_s",
		(json_int_t)((sl_now(&c->clock) - c->started_ns) / SL_NS_PER_S), "config",
		c->config_path, "workers", (int)c->n_workers, "switches", (int)c->cfg->n_switches,
		"ports", (int)ports, "vms", (int)c->cfg->n_vms, "nics", nics, "flows", places);
	return 0;
}

COMMAND(cmd_shutdown)
{
	struct control *c = app;

	c->shutdown_asked = true;
	*result = json_pack("{ss}", "status", "ending");
	return 0;
}

struct log_ctx {
	json_t *items;
	enum sl_log_level max;
	uint64_t offset_ns; // monotonic to wall time
};

static void
log_line(void *ctx, uint64_t time_ns, enum sl_log_level level, const char *line)
{
	struct log_ctx *l = ctx;
	char text[32] = "";
	struct tm tm;
	time_t t = (time_t)(time_ns / SL_NS_PER_S);

	if (level > l->max)
		return;
	if (gmtime_r(&t, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_array_append_new(l->items, json_pack("{ss ss ss}", "time", text, "level",
						sl_log_level_name(level), "text", line));
}

COMMAND(cmd_log_show)
{
	struct control *c = app;
	struct log_ctx l = {.max = SL_LOG_DEBUG};
	const char *level = arg_str(args, "level");

	if (level != NULL && sl_log_level_parse(level, &l.max) != 0)
		return sl_err_set(
			err, EINVAL, "level", "\"%s\" is not err, warn, info or debug", level);
	l.items = json_array();
	sl_log_tail(c->log, (unsigned)arg_int(args, "lines", 50), log_line, &l);
	*result = json_items(l.items, 0);
	return 0;
}

COMMAND(cmd_log_level)
{
	struct control *c = app;
	enum sl_log_level level;

	if (sl_log_level_parse(arg_str(args, "level"), &level) != 0)
		return sl_err_set(err, EINVAL, "level", "\"%s\" is not err, warn, info or debug",
			arg_str(args, "level"));
	sl_log_set_level(c->log, level);
	*result = json_pack("{ss}", "level", sl_log_level_name(level));
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "ext/loader.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "ext.h"

#define LINE 64 // bytes of a cache line

static const char *const points[SLUICE_EXT_POINTS] = {
	[SLUICE_EXT_INGRESS] = "ingress",
	[SLUICE_EXT_EGRESS] = "egress",
	[SLUICE_EXT_MONITOR] = "monitor",
	[SLUICE_EXT_MATCH] = "match",
};

const char *
ext_point_name(enum sluice_ext_point at)
{
	return (unsigned)at < SLUICE_EXT_POINTS ? points[at] : "?";
}

int
ext_point_of(const char *name)
{
	int i;

	for (i = 0; i < SLUICE_EXT_POINTS; i++) {
		if (strcmp(points[i], name) == 0)
			return i;
	}
	return -EINVAL;
}

static void
ask_again(void *ctx)
{
	struct ext *e = ctx;

	atomic_store_explicit(&e->again, true, memory_order_release);
}

bool
ext_wants_again(struct ext *e)
{
	return atomic_load_explicit(&e->again, memory_order_relaxed) &&
	       atomic_exchange(&e->again, false);
}

// ---- what a file may be

static int
open_file(struct ext *e, struct sl_err *err)
{
	const struct sluice_extension *(*get)(void);
	const char *why;
	void *symbol;

	e->handle = dlopen(e->path, RTLD_NOW | RTLD_LOCAL);
	if (e->handle == NULL) {
		why = dlerror();
		return sl_err_set(
			err, ENOENT, "path", "%s", why != NULL ? why : "the file does not open");
	}
	symbol = dlsym(e->handle, SLUICE_EXT_SYMBOL);
	if (symbol == NULL)
		return sl_err_set(err, EINVAL, "path",
			"%s is no extension: it has no function " SLUICE_EXT_SYMBOL "()", e->path);
	memcpy(&get, &symbol, sizeof(get)); // POSIX: dlsym gives functions as objects
	e->ops = get();
	return e->ops != NULL ? 0
			      : sl_err_set(err, EINVAL, "path",
					"%s: " SLUICE_EXT_SYMBOL "() gave nothing", e->path);
}

static int
check(const struct ext *e, struct sl_err *err)
{
	const struct sluice_extension *o = e->ops;

	if (o->abi != SLUICE_EXT_ABI)
		return sl_err_set(err, EINVAL, "path",
			"%s was built for version %u of the extension ABI, this is version %u",
			e->path, o->abi, SLUICE_EXT_ABI);
	if (o->size < sizeof(*o))
		return sl_err_set(err, EINVAL, "path",
			"%s describes itself in %u bytes, %zu are needed", e->path, o->size,
			sizeof(*o));
	if (o->name == NULL || o->version == NULL || o->init == NULL || o->fini == NULL ||
		o->flow == NULL || o->burst == NULL)
		return sl_err_set(err, EINVAL, "path",
			"%s lacks one of: name, version, init, fini, flow, burst", e->path);
	if (o->worker_bytes > EXT_WORKER_BYTES_MAX)
		return sl_err_set(err, EINVAL, "path",
			"%s wants %u bytes for each worker, above %u", e->path, o->worker_bytes,
			EXT_WORKER_BYTES_MAX);
	if ((o->points & 1u << e->at) == 0)
		return sl_err_set(err, EINVAL, "at", "%s cannot be bound at %s", o->name,
			ext_point_name(e->at));
	return 0;
}

// ---- memory

static int
copy_args(struct ext *e, const struct ext_spec *spec)
{
	unsigned i;

	e->args = calloc(spec->n_args + 1u, sizeof(*e->args));
	if (e->args == NULL)
		return -ENOMEM;
	for (i = 0; i < spec->n_args; i++) {
		e->args[i].name = strdup(spec->args[i].name);
		e->args[i].value = strdup(spec->args[i].value);
		e->n_args++;
		if (e->args[i].name == NULL || e->args[i].value == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int
give_memory(struct ext *e)
{
	size_t bytes = ((size_t)e->ops->worker_bytes + LINE - 1) / LINE * LINE;
	unsigned i;

	e->counts = aligned_alloc(LINE, e->host.workers * sizeof(*e->counts));
	e->memory = calloc(e->host.workers, sizeof(*e->memory));
	if (e->counts == NULL || e->memory == NULL)
		return -ENOMEM;
	memset(e->counts, 0, e->host.workers * sizeof(*e->counts));
	for (i = 0; i < e->host.workers && bytes > 0; i++) {
		e->memory[i] = aligned_alloc(LINE, bytes);
		if (e->memory[i] == NULL)
			return -ENOMEM;
		memset(e->memory[i], 0, bytes);
	}
	return 0;
}

static void
release(struct ext *e)
{
	unsigned i;

	for (i = 0; e->memory != NULL && i < e->host.workers; i++)
		free(e->memory[i]);
	for (i = 0; i < e->n_args; i++) {
		free((char *)(uintptr_t)e->args[i].name);
		free((char *)(uintptr_t)e->args[i].value);
	}
	free(e->memory);
	free(e->counts);
	free(e->args);
	if (e->handle != NULL)
		dlclose(e->handle);
	free(e->path);
	free(e);
}

// ---- open and close

static int
begin(struct ext *e, struct sl_err *err)
{
	char why[SL_ERR_TEXT_MAX / 2] = "";
	int rc = e->ops->init(&e->host, e->args, e->n_args, &e->self, why, sizeof(why));

	if (rc == 0)
		return 0;
	why[sizeof(why) - 1] = '\0';
	return sl_err_set(err, rc, "args", "%s did not start: %s", e->ops->name,
		why[0] != '\0' ? why : strerror(rc < 0 ? -rc : rc));
}

int
ext_open(const struct ext_spec *spec, struct ext **out, struct sl_err *err)
{
	struct ext *e = calloc(1, sizeof(*e));
	int rc;

	*out = NULL;
	if (e == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	strlcpy(e->name, spec->name, sizeof(e->name));
	e->at = spec->at;
	e->path = strdup(spec->path);
	e->host = (struct sluice_ext_host){
		.ctx = e, .workers = spec->workers, .at = spec->at, .ask_again = ask_again};
	if (e->path == NULL || copy_args(e, spec) != 0) {
		release(e);
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	}
	rc = open_file(e, err);
	if (rc == 0)
		rc = check(e, err);
	if (rc == 0 && give_memory(e) != 0)
		rc = sl_err_set(err, ENOMEM, NULL, "out of memory");
	if (rc == 0)
		rc = begin(e, err);
	if (rc != 0) {
		release(e);
		return rc;
	}
	*out = e;
	return 0;
}

void
ext_close(struct ext *e)
{
	if (e == NULL)
		return;
	e->ops->fini(e->self);
	release(e);
}

// ---- what people see

void
ext_info_get(const struct ext *e, struct ext_info *out)
{
	unsigned i;

	*out = (struct ext_info){
		.name = e->name,
		.path = e->path,
		.kind = e->ops->name,
		.version = e->ops->version,
		.at = e->at,
		.args = e->args,
		.n_args = e->n_args,
		.faults = atomic_load_explicit(&e->faults, memory_order_relaxed),
	};
	for (i = 0; i < e->host.workers; i++) {
		out->packets += atomic_load_explicit(&e->counts[i].packets, memory_order_relaxed);
		out->dropped += atomic_load_explicit(&e->counts[i].dropped, memory_order_relaxed);
	}
}

unsigned
ext_counters(const struct ext *e, struct sluice_ext_counter *out, unsigned max)
{
	unsigned n, i, k;

	if (e->ops->counters == NULL || max == 0)
		return 0;
	memset(out, 0, max * sizeof(*out));
	n = e->ops->counters(e->self, e->memory, e->host.workers, out, max);
	n = n < max ? n : max;
	for (i = 0; i < n; i++) {
		out[i].name[sizeof(out[i].name) - 1] = '\0';
		for (k = 0; out[i].name[k] != '\0'; k++) {
			if (!isgraph((unsigned char)out[i].name[k]))
				out[i].name[k] = '_';
		}
	}
	return n;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 1000
#define KEEP_MAX 65536

struct line {
	uint64_t time_ns; // wall clock
	enum sl_log_level level;
	char *text; // NULL: not yet used, or lost for want of memory
};

struct sl_log {
	_Atomic int level;
	pthread_mutex_t lock; // guards all below
	FILE *sink;
	unsigned keep;
	unsigned next;  // where the next line goes
	unsigned count; // lines kept, up to keep
	struct line ring[];
};

static const char *const level_names[] = {"err", "warn", "info", "debug"};

struct sl_log *
sl_log_new(enum sl_log_level level, unsigned keep)
{
	struct sl_log *log;

	if (keep == 0)
		keep = 1;
	if (keep > KEEP_MAX)
		keep = KEEP_MAX;
	log = calloc(1, sizeof(*log) + keep * sizeof(log->ring[0]));
	if (log == NULL)
		return NULL;
	if (pthread_mutex_init(&log->lock, NULL) != 0) {
		free(log);
		return NULL;
	}
	atomic_init(&log->level, (int)level);
	log->sink = stderr;
	log->keep = keep;
	return log;
}

void
sl_log_free(struct sl_log *log)
{
	unsigned i;

	if (log == NULL)
		return;
	for (i = 0; i < log->keep; i++)
		free(log->ring[i].text);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

void
sl_log_set_level(struct sl_log *log, enum sl_log_level level)
{
	atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

enum sl_log_level
sl_log_level_get(const struct sl_log *log)
{
	return (enum sl_log_level)atomic_load_explicit(&log->level, memory_order_relaxed);
}

void
sl_log_set_sink(struct sl_log *log, FILE *sink)
{
	pthread_mutex_lock(&log->lock);
	log->sink = sink;
	pthread_mutex_unlock(&log->lock);
}

int
sl_log_level_parse(const char *name, enum sl_log_level *out)
{
	unsigned i;

	for (i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum sl_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *
sl_log_level_name(enum sl_log_level level)
{
	if ((unsigned)level >= sizeof(level_names) / sizeof(level_names[0]))
		return "?";
	return level_names[level];
}

static void
write_line(FILE *sink, const struct timespec *now, enum sl_log_level level, const char *text)
{
	struct tm tm;
	char when[32];

	gmtime_r(&now->tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(sink, "%s.%03ldZ %-5s %s\n", when, now->tv_nsec / 1000000, sl_log_level_name(level),
		text);
	fflush(sink);
}

void
sl_vlog(struct sl_log *log, enum sl_log_level level, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES + 1];
	struct timespec now;
	struct line *line;
	char *p;

	if (log == NULL || level > sl_log_level_get(log))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	for (p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	pthread_mutex_lock(&log->lock);
	clock_gettime(CLOCK_REALTIME, &now); // inside the lock: times of the ring are in its order
	line = &log->ring[log->next];
	free(line->text);
	line->text = strdup(text);
	line->level = level;
	line->time_ns = (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
	log->next = (log->next + 1) % log->keep;
	if (log->count < log->keep)
		log->count++;
	if (log->sink != NULL)
		write_line(log->sink, &now, level, text);
	pthread_mutex_unlock(&log->lock);
}

void
sl_log(struct sl_log *log, enum sl_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sl_vlog(log, level, fmt, ap);
	va_end(ap);
}

void
sl_log_tail(struct sl_log *log, unsigned n, sl_log_line_fn fn, void *ctx)
{
	const struct line *line;
	unsigned i;

	pthread_mutex_lock(&log->lock);
	if (n > log->count)
		n = log->count;
	for (i = 0; i < n; i++) {
		line = &log->ring[(log->next + log->keep - n + i) % log->keep];
		fn(ctx, line->time_ns, line->level,
			line->text != NULL ? line->text : "(lost: out of memory)");
	}
	pthread_mutex_unlock(&log->lock);
}

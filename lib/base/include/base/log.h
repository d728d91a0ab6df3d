// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Log facade: leveled lines to one sink (stderr by default), the last lines kept in a ring for
// `sluicectl log`. Rooms in lib/ log nothing above debug; src/ logs a thing once. Workers never log
// while packets flow. Thread safety: any thread (one mutex; never on the packet path).

enum sl_log_level { SL_LOG_ERR, SL_LOG_WARN, SL_LOG_INFO, SL_LOG_DEBUG };

struct sl_log; // the process has one; made in main and given to who needs it

// keep: how many lines the ring holds (1 to 65536, else the nearest of these). Returns NULL when
// out of memory.
struct sl_log *sl_log_new(enum sl_log_level level, unsigned keep);
void sl_log_free(struct sl_log *log);
void sl_log_set_level(struct sl_log *log, enum sl_log_level level);
enum sl_log_level sl_log_level_get(const struct sl_log *log);
// Where lines go besides the ring: a stream of the caller, or NULL for the ring alone.
void sl_log_set_sink(struct sl_log *log, FILE *sink);
// -EINVAL when name is not err, warn, info or debug.
int sl_log_level_parse(const char *name, enum sl_log_level *out);
const char *sl_log_level_name(enum sl_log_level level);

// log may be NULL (nothing happens). A line longer than 1000 bytes is cut; control characters
// become '?'.
void sl_log(struct sl_log *log, enum sl_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void sl_vlog(struct sl_log *log, enum sl_log_level level, const char *fmt, va_list ap);

// Calls fn for the last n kept lines, oldest first; time_ns is wall-clock time. fn must not log.
typedef void (*sl_log_line_fn)(
	void *ctx, uint64_t time_ns, enum sl_log_level level, const char *line);
void sl_log_tail(struct sl_log *log, unsigned n, sl_log_line_fn fn, void *ctx);

#endif

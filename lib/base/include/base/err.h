// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

// One error idiom for all rooms: a function returns 0 or -errno, and where people read the outcome
// it also takes a `struct sl_err *` as its last output. The first error wins: setting an error that
// is already set keeps the old one, so an undo path cannot hide the cause. Every setter takes err
// == NULL and then only returns the code. Thread safety: owner thread only.

#define SL_ERR_PATH_MAX 160
#define SL_ERR_TEXT_MAX 400

struct sl_err {
	int code;                   // 0 or -errno
	char path[SL_ERR_PATH_MAX]; // where: a JSON pointer, "file:line:column", or ""
	char text[SL_ERR_TEXT_MAX]; // what was expected and what was found, one line
};

// Clears *err.
void sl_err_init(struct sl_err *err);

// Sets code, path and text unless an error is set already; path may be NULL. Returns -abs(code),
// for `return sl_err_set(err, EINVAL, "/ports/1", "%u is above %u", got, max);`
int sl_err_set(struct sl_err *err, int code, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

// Puts prefix before the path of an error that is set (to go from "/0/queues" to
// "/ports/0/queues").
void sl_err_prefix(struct sl_err *err, const char *prefix);

// "path: text" or "text", in buf; returns buf.
const char *sl_err_str(const struct sl_err *err, char *buf, unsigned long len);

#endif

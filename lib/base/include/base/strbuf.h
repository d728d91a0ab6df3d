// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BASE_STRBUF_H
#define SLUICE_BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

// Text that grows. An allocation failure or a passed limit is remembered (`failed`): that append
// and all later ones do nothing, so that a caller checks once at the end. Thread safety: owner
// thread only.

struct sl_strbuf {
	char *data; // always ends with NUL once anything was appended; NULL before
	size_t len; // without the NUL
	size_t cap;
	size_t limit; // greatest len; 0: none
	bool failed;
};

void sl_strbuf_init(struct sl_strbuf *sb, size_t limit);
void sl_strbuf_fini(struct sl_strbuf *sb);
void sl_strbuf_reset(struct sl_strbuf *sb); // empty again, not failed, memory kept
void sl_strbuf_add(struct sl_strbuf *sb, const char *text);
void sl_strbuf_addn(struct sl_strbuf *sb, const void *data, size_t len);
void sl_strbuf_addf(struct sl_strbuf *sb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
// Removes len bytes from the front.
void sl_strbuf_consume(struct sl_strbuf *sb, size_t len);
// The text ("" when nothing was added); valid until the next call.
const char *sl_strbuf_str(const struct sl_strbuf *sb);
// Gives the memory to the caller (free()), NULL when failed; the buffer is empty afterwards.
char *sl_strbuf_take(struct sl_strbuf *sb);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CTL_SESSION_H
#define SLUICE_CTL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"
#include "ctl/server.h"

// One connection: bytes in, lines out of them; answers in, bytes out. It knows no JSON.
//
// Nobody but the server frees a session, and only between messages: whoever finds it broken sets
// `dead`. Thread safety: owner thread only (control).

struct ctl_session {
	int fd;
	bool read_only;
	size_t max_line;
	bool asked;           // a request that could be served
	bool eof;             // the peer has sent all that it will
	bool closing;         // nothing more is read; closed once all is answered and sent
	bool dead;            // to be closed at once
	uint32_t events;      // what epoll watches for
	unsigned later;       // calls that are not answered yet
	uint64_t active_ns;   // last message
	uint64_t progress_ns; // last byte that the peer took while answers waited
	struct sl_strbuf in;
	size_t in_off;  // start of what is not consumed
	size_t in_scan; // up to here there is no newline
	struct sl_strbuf out;
	size_t out_off;
};

enum ctl_line {
	CTL_LINE_NONE, // not a whole one yet
	CTL_LINE_WHOLE,
	CTL_LINE_LONG, // above max_line: the session cannot go on
	CTL_LINE_HALF, // the peer closed in the middle of one
};

void ctl_session_init(struct ctl_session *c, int fd, bool read_only, size_t max_line, uint64_t now);
void ctl_session_fini(struct ctl_session *c); // closes fd

// Reads once, what is there, at most 64 KiB.
void ctl_session_read(struct ctl_session *c);
// The next line without its newline; valid until the next ctl_session_read.
enum ctl_line ctl_session_line(struct ctl_session *c, const char **line, size_t *len);
bool ctl_session_has_line(struct ctl_session *c);
// Adds an answer and its newline, sends what can be sent. False when it does not fit any more.
bool ctl_session_put(struct ctl_session *c, const char *text, size_t len, uint64_t now);
void ctl_session_flush(struct ctl_session *c, uint64_t now);
size_t ctl_session_waiting(const struct ctl_session *c); // bytes that the peer has not taken
// May a message be taken from it now?
bool ctl_session_ready(const struct ctl_session *c);

#endif

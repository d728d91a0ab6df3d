// SPDX-License-Identifier: BSD-3-Clause
#include "session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX 65536
#define KEEP_MAX 65536 // an empty buffer above this gives its memory back

void
ctl_session_init(struct ctl_session *c, int fd, bool read_only, size_t max_line, uint64_t now)
{
	*c = (struct ctl_session){.fd = fd,
		.read_only = read_only,
		.max_line = max_line,
		.active_ns = now,
		.progress_ns = now};
	sl_strbuf_init(&c->in, max_line + READ_MAX);
	sl_strbuf_init(&c->out, CTL_OUT_MAX);
}

void
ctl_session_fini(struct ctl_session *c)
{
	close(c->fd);
	sl_strbuf_fini(&c->in);
	sl_strbuf_fini(&c->out);
}

static void
empty(struct sl_strbuf *sb)
{
	if (sb->cap > KEEP_MAX)
		sl_strbuf_fini(sb);
	else
		sl_strbuf_reset(sb);
}

static void
drop_consumed(struct ctl_session *c)
{
	if (c->in_off == c->in.len)
		empty(&c->in);
	else
		sl_strbuf_consume(&c->in, c->in_off);
	c->in_scan = c->in_scan > c->in_off ? c->in_scan - c->in_off : 0;
	c->in_off = 0;
}

void
ctl_session_read(struct ctl_session *c)
{
	char buf[READ_MAX];
	ssize_t n;

	if (c->eof || c->closing || c->dead)
		return;
	drop_consumed(c);
	if (c->in.len > c->max_line)
		return;
	n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		sl_strbuf_addn(&c->in, buf, (size_t)n);
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->dead = true;
	if (c->in.failed)
		c->dead = true; // out of memory: this client is the one to go
}

// Offset of the newline that ends the current line, or in.len.
static size_t
line_end(struct ctl_session *c)
{
	const char *data = sl_strbuf_str(&c->in);
	const char *nl;

	if (c->in_scan < c->in_off)
		c->in_scan = c->in_off;
	nl = memchr(data + c->in_scan, '\n', c->in.len - c->in_scan);
	c->in_scan = nl != NULL ? (size_t)(nl - data) : c->in.len;
	return c->in_scan;
}

enum ctl_line
ctl_session_line(struct ctl_session *c, const char **line, size_t *len)
{
	size_t end = line_end(c);

	*line = sl_strbuf_str(&c->in) + c->in_off;
	*len = end - c->in_off;
	if (*len > c->max_line)
		return CTL_LINE_LONG;
	if (end < c->in.len) {
		c->in_off = end + 1;
		return CTL_LINE_WHOLE;
	}
	if (!c->eof || *len == 0)
		return CTL_LINE_NONE;
	c->in_off = end;
	return CTL_LINE_HALF;
}

bool
ctl_session_has_line(struct ctl_session *c)
{
	size_t end = line_end(c);

	return end < c->in.len || end - c->in_off > c->max_line || (c->eof && end > c->in_off);
}

size_t
ctl_session_waiting(const struct ctl_session *c)
{
	return c->out.len - c->out_off;
}

bool
ctl_session_ready(const struct ctl_session *c)
{
	return !c->dead && !c->closing && ctl_session_waiting(c) == 0 && c->later < CTL_LATER_MAX;
}

bool
ctl_session_put(struct ctl_session *c, const char *text, size_t len, uint64_t now)
{
	if (c->dead)
		return true; // nobody to tell
	if (ctl_session_waiting(c) + len + 1 > CTL_OUT_MAX)
		return false;
	if (ctl_session_waiting(c) == 0)
		c->progress_ns = now;
	sl_strbuf_consume(&c->out, c->out_off);
	c->out_off = 0;
	sl_strbuf_addn(&c->out, text, len);
	sl_strbuf_addn(&c->out, "\n", 1);
	if (c->out.failed)
		c->dead = true;
	ctl_session_flush(c, now);
	return true;
}

void
ctl_session_flush(struct ctl_session *c, uint64_t now)
{
	while (!c->dead && ctl_session_waiting(c) > 0) {
		ssize_t n = send(c->fd, c->out.data + c->out_off, ctl_session_waiting(c),
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			c->dead = true;
			return;
		}
		c->out_off += (size_t)n;
		c->progress_ns = now;
	}
	empty(&c->out);
	c->out_off = 0;
}

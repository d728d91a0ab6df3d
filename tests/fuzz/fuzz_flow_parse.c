// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "flow/parse.h"
#include "flow/tunnel.h"

// The first two bytes say which fields the key holds and where the frame is cut into two segments;
// the rest is the frame. The segments are memory of their own, so that a read past an end is seen,
// and the parser has to find the same in one piece and in two, outside and inside of a tunnel.

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What is inside, of the two segments, is what is inside of them in one.
static void
check_inner(const struct rte_mbuf *cut, const struct flow_key *key, const struct flow_offsets *off,
	uint32_t fields, const uint8_t *data, uint32_t len)
{
	struct flow_inner a, b;
	struct rte_mbuf m;
	uint8_t *whole;

	memset(&m, 0, sizeof(m));
	memset(&a, 0, sizeof(a));
	memset(&b, 0xa5, sizeof(b));
	whole = malloc(len + 1);
	if (whole == NULL)
		abort();
	memcpy(whole + 1, data, len);
	m.buf_addr = whole;
	m.data_off = 1;
	m.data_len = (uint16_t)len;
	m.pkt_len = len;
	m.nb_segs = 1;
	if (flow_parse_inner(&m, key, off, fields, &a) !=
		flow_parse_inner(cut, key, off, fields, &b))
		abort();
	if (a.tunnel != b.tunnel || a.fault != b.fault || a.has_id != b.has_id || a.id != b.id ||
		a.header != b.header || a.l2 != b.l2 || !flow_key_equal(&a.key, &b.key) ||
		memcmp(&a.off, &b.off, sizeof(a.off)) != 0)
		abort();
	if (a.header > len || a.l2 > len || a.off.l3 > len || a.off.l4 > len || a.off.payload > len)
		abort();
	free(whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_offsets off_whole, off_cut;
	struct flow_key whole, cut;
	struct rte_mbuf seg[2];
	uint32_t fields, len, at;
	uint8_t *head, *tail;
	int fault;

	if (size < 2 || size > UINT16_MAX)
		return 0;
	fields = data[0];
	len = (uint32_t)size - 2;
	at = data[1] < len ? data[1] : len;
	fault = flow_parse_bytes(data + 2, len, 1, 2, fields, &whole, &off_whole);

	head = malloc(at + 1);
	tail = malloc(len - at + 1);
	if (head == NULL || tail == NULL)
		abort();
	memset(seg, 0, sizeof(seg));
	memcpy(head + 1, data + 2, at);
	memcpy(tail + 1, data + 2 + at, len - at);
	seg[0].buf_addr = head;
	seg[0].data_off = 1;
	seg[0].data_len = (uint16_t)at;
	seg[0].pkt_len = len;
	seg[0].nb_segs = 2;
	seg[0].next = &seg[1];
	seg[1].buf_addr = tail;
	seg[1].data_off = 1;
	seg[1].data_len = (uint16_t)(len - at);
	if ((int)flow_parse(&seg[0], 1, 2, fields, &cut, &off_cut) != fault ||
		!flow_key_equal(&whole, &cut) || memcmp(&off_whole, &off_cut, sizeof(off_cut)) != 0)
		abort();
	if (off_whole.l3 > len || off_whole.l4 > len || off_whole.payload > len)
		abort();
	if (fault == FLOW_OK)
		check_inner(&seg[0], &cut, &off_cut, fields, data + 2, len);
	free(head);
	free(tail);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "nic/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/hash.h"
#include "nic/flow_calls.h"

#define ETHERTYPE_LOCAL 0x88b5
#define FRAMES 3
#define FRAME_LEN 60
#define WAIT_MS 150 // for each frame

enum { TURN_FREE, TURN_TAKEN, TURN_OVER };

struct frame {
	struct rte_ether_hdr eth;
	uint8_t nonce[8];
	uint8_t pad[FRAME_LEN - sizeof(struct rte_ether_hdr) - 8];
};

_Static_assert(sizeof(struct frame) == FRAME_LEN, "no padding");

static void
trial_key(struct flow_key *key)
{
	flow_key_init(key, 0, 0);
	key->eth_type = rte_cpu_to_be_16(ETHERTYPE_LOCAL);
	memcpy(key->eth_src, "\x02sluA", 5); // locally administered
	memcpy(key->eth_dst, "\x02sluB", 5);
}

int
nic_trial_init(struct nic_trial *t, struct sl_err *err)
{
	struct flow_key key;
	int rc;

	trial_key(&key);
	t->way.ethdev = t->from;
	t->steer.ethdev = t->to;
	atomic_init(&t->turn, TURN_FREE);
	rc = translate_to_queue(&key, t->queue, t->mark, &t->steer.rule, err);
	return rc != 0 ? rc : translate_between_hosts(&key, t->from, t->to, &t->way.rule, err);
}

static void
nap(void)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

static bool
send_frame(struct nic_trial *t, uint64_t nonce)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->pool);
	struct flow_key key;
	struct frame *f;

	if (m == NULL)
		return false;
	f = (struct frame *)rte_pktmbuf_append(m, sizeof(*f));
	trial_key(&key);
	memset(f, 0, sizeof(*f));
	memcpy(&f->eth.src_addr, key.eth_src, sizeof(f->eth.src_addr));
	memcpy(&f->eth.dst_addr, key.eth_dst, sizeof(f->eth.dst_addr));
	f->eth.ether_type = key.eth_type;
	memcpy(f->nonce, &nonce, sizeof(f->nonce));
	if (rte_eth_tx_burst(t->from, 0, &m, 1) != 1) {
		rte_pktmbuf_free(m);
		return false;
	}
	t->originated++;
	return true;
}

static bool
is_ours(const struct rte_mbuf *m, uint64_t nonce)
{
	const struct frame *f = rte_pktmbuf_mtod(m, const struct frame *);

	return m->data_len >= sizeof(f->eth) + sizeof(f->nonce) &&
	       f->eth.ether_type == rte_cpu_to_be_16(ETHERTYPE_LOCAL) &&
	       memcmp(f->nonce, &nonce, sizeof(nonce)) == 0;
}

// Takes what lies in a queue; returns whether a frame of ours was among it, with its MARK in
// marked.
static bool
take(struct nic_trial *t, uint16_t queue, uint64_t nonce, bool *marked)
{
	struct rte_mbuf *m[16];
	bool found = false;
	uint16_t n, i;

	while ((n = rte_eth_rx_burst(t->to, queue, m, RTE_DIM(m))) > 0) {
		for (i = 0; i < n; i++) {
			if (is_ours(m[i], nonce)) {
				found = true;
				*marked = (m[i]->ol_flags & RTE_MBUF_F_RX_FDIR_ID) != 0 &&
					  m[i]->hash.fdir.hi == t->mark;
				t->consumed++;
			} else {
				t->dropped++;
			}
		}
		rte_pktmbuf_free_bulk(m, n);
	}
	return found;
}

static void
exchange(struct nic_trial *t)
{
	const uint64_t nonce = sl_hash_seed();
	bool found = false, marked = false, again;
	unsigned i, ms;

	for (i = 0; i < FRAMES && !found; i++) {
		if (!send_frame(t, nonce))
			break;
		for (ms = 0; ms < WAIT_MS && !found; ms++) {
			found = take(t, t->queue, nonce, &marked);
			if (!found)
				nap();
		}
	}
	// None of them is left behind for the workers to find.
	for (ms = 0; found && ms < WAIT_MS && t->consumed < t->originated; ms++) {
		nap();
		take(t, t->queue, nonce, &again);
	}
	t->way_works = found ? NIC_TRIAL_WORKS : NIC_TRIAL_DEAD; // of the second: judge()
	t->steer_works = !found ? NIC_TRIAL_DEAD : marked ? NIC_TRIAL_WORKS : NIC_TRIAL_NO_MARK;
	if (found)
		return;
	// It came by a default queue when only the steering failed.
	for (i = 0; i < t->defaults; i++) {
		if (take(t, (uint16_t)i, nonce, &marked))
			t->way_works = NIC_TRIAL_WORKS;
	}
}

static void
judge(struct nic_trial *t)
{
	if (t->originated == 0) {
		snprintf(t->why, sizeof(t->why), "no packet could be sent");
		t->way_works = t->steer_works = NIC_TRIAL_NONE;
		return;
	}
	if (t->way_works != NIC_TRIAL_DEAD)
		return;
	if (t->way.counted && t->way.packets > 0)
		t->way_works = NIC_TRIAL_WORKS; // to a queue that is none of ours
	else
		t->steer_works = NIC_TRIAL_NONE; // nothing ever came to it
}

void
nic_trial_run(struct nic_job *job)
{
	struct nic_trial *t = job->trial;
	int expected = TURN_FREE;
	bool tried = false;

	nic_flow_create(&t->steer);
	if (t->steer.flow == NULL) {
		t->steer_works = NIC_TRIAL_REFUSED;
		snprintf(t->why, sizeof(t->why), "%s", t->steer.text);
		return;
	}
	nic_flow_create(&t->way);
	if (t->way.flow == NULL) {
		t->way_works = NIC_TRIAL_REFUSED;
		snprintf(t->why, sizeof(t->why), "%s", t->way.text);
	} else if (atomic_compare_exchange_strong(&t->turn, &expected, TURN_TAKEN)) {
		exchange(t);
		tried = true;
		atomic_store(&t->turn, TURN_OVER);
	}
	if (t->way.flow != NULL)
		nic_flow_destroy(&t->way);
	nic_flow_destroy(&t->steer);
	if (tried)
		judge(t);
}

void
nic_trial_stop(struct nic_trial *t)
{
	int expected = TURN_FREE;

	if (atomic_compare_exchange_strong(&t->turn, &expected, TURN_OVER))
		return;
	while (atomic_load(&t->turn) != TURN_OVER)
		nap();
}

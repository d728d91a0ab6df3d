// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/miss.h"

#include <assert.h>
#include <stdio.h>

#include <rte_mbuf.h>

#include "emunic.h"
#include "eswitch/reframe.h"
#include "port/offload.h"
#include "port/vf.h"

#define FAIL(code, ...) (snprintf(why, why_len, __VA_ARGS__), -(code))
#define MAX_SEGMENTS 64 // of a packet that is tagged

static int
check(struct emu_nic *nic, uint16_t vf, const struct rte_pmd_emunic_vf_miss *conf, char *why,
	size_t why_len)
{
	static const uint8_t zeros[RTE_PMD_EMUNIC_MISS_KEY];

	if (conf->way == RTE_PMD_EMUNIC_MISS_TO_REPRESENTOR)
		return 0;
	if (conf->way != RTE_PMD_EMUNIC_MISS_TO_VM)
		return FAIL(EINVAL, "a miss goes to the representor (0) or the VM (1), not %u",
			conf->way);
	if (memcmp(conf->key, zeros, sizeof(zeros)) == 0)
		return FAIL(EINVAL, "the key is all zeros, which anybody can guess");
	for (uint16_t i = 0; i < nic->args.vfs; i++) {
		const struct emu_miss *other = &nic->sides[1 + i].miss;

		if (i == vf || other->conf.way != RTE_PMD_EMUNIC_MISS_TO_VM)
			continue;
		if (conf->group != 0 && other->conf.group == conf->group)
			return FAIL(EBUSY, "group %u is that of VF %u", conf->group, i);
		if (memcmp(other->conf.key, conf->key, sizeof(conf->key)) == 0)
			return FAIL(EBUSY, "the key is that of VF %u", i);
	}
	return 0;
}

int
emu_miss_set(struct emu_nic *nic, uint16_t vf, const struct rte_pmd_emunic_vf_miss *conf, char *why,
	size_t why_len)
{
	struct emu_miss *m;
	int ret;

	if (vf >= nic->args.vfs)
		return FAIL(EINVAL, "the NIC has %u VFs, so no VF %u", nic->args.vfs, vf);
	m = &nic->sides[1 + vf].miss;
	emu_gate_enter(&nic->gate);
	ret = nic->gone ? FAIL(ENODEV, "the device is gone (remove_ms)")
			: check(nic, vf, conf, why, why_len);
	if (ret == 0) {
		nic->misses_to_vm -= m->conf.way == RTE_PMD_EMUNIC_MISS_TO_VM;
		nic->misses_to_vm += conf->way == RTE_PMD_EMUNIC_MISS_TO_VM;
		// The numbers of a key go on where they were when its way is taken again.
		if (conf->way != RTE_PMD_EMUNIC_MISS_TO_VM) {
			m->conf.way = conf->way;
		} else {
			if (memcmp(m->conf.key, conf->key, sizeof(conf->key)) != 0)
				m->number = 0;
			m->conf = *conf;
		}
	}
	emu_gate_leave(&nic->gate);
	return ret;
}

static bool
goes_to_vm(const struct emu_side *side)
{
	return side->miss.conf.way == RTE_PMD_EMUNIC_MISS_TO_VM;
}

uint16_t
emu_miss_side(struct emu_nic *nic, const struct emu_pkt *p)
{
	uint32_t group = nic->transfer.n_rules > 0 ? p->missed : 0;
	uint16_t to = 0;

	if (p->key.layers & EMU_L_HOST) // the host has seen it
		return 0;
	// A rule that only counts or marks it leaves it where no rule would have.
	if (p->rule->fate != EMU_FATE_NONE)
		return 0;
	if (goes_to_vm(&nic->sides[p->key.port]))
		to = p->key.port;
	for (uint16_t i = 1; group != 0 && i <= nic->args.vfs; i++)
		if (goes_to_vm(&nic->sides[i]) && nic->sides[i].miss.conf.group == group)
			to = i;
	return to != 0 && emu_side_up(&nic->sides[to]) ? to : 0;
}

bool
emu_miss_loops(const struct emu_nic *nic, const struct emu_pkt *p)
{
	return !(p->key.layers & EMU_L_HOST) && goes_to_vm(&nic->sides[p->key.port]) &&
	       p->key.eth_type == rte_cpu_to_be_16(RTE_PMD_EMUNIC_MISS_ETHERTYPE);
}

struct macs {
	uint8_t bytes[RTE_PMD_EMUNIC_MISS_MACS];
};

static_assert(sizeof(struct macs) == 12, "bytes");

// How a tagged frame begins, and where its addresses were.
struct head {
	struct macs macs;
	union {
		uint8_t tag[RTE_PMD_EMUNIC_MISS_TAG];
		struct {
			uint8_t room[RTE_PMD_EMUNIC_MISS_TAG - RTE_PMD_EMUNIC_MISS_MACS];
			struct macs macs_before;
		};
	};
};

// Makes the tag, in the headroom that there is (emu_own): the MAC addresses move in front of it.
static void
seal(struct emu_side *side, struct emu_pkt *p)
{
	struct emu_miss *miss = &side->miss;
	const struct rte_pmd_emunic_miss m = {
		.key_id = miss->conf.key_id,
		.vf = side->index - 1,
		.origin = p->key.port,
		.len = p->m->pkt_len,
		.number = ++miss->number,
	};
	struct iovec iov[MAX_SEGMENTS];
	unsigned int n = 0;
	struct head *head;

	p->m->data_off -= RTE_PMD_EMUNIC_MISS_TAG;
	p->m->data_len += RTE_PMD_EMUNIC_MISS_TAG;
	p->m->pkt_len += RTE_PMD_EMUNIC_MISS_TAG;
	head = rte_pktmbuf_mtod(p->m, struct head *);
	head->macs = head->macs_before;
	rte_pmd_emunic_miss_write(head->tag, &m);
	for (struct rte_mbuf *s = p->m; s != NULL; s = s->next)
		iov[n++] = (struct iovec){rte_pktmbuf_mtod(s, void *), s->data_len};
	rte_pmd_emunic_miss_put(head->tag + RTE_PMD_EMUNIC_MISS_HASH, 8,
		rte_pmd_emunic_miss_hash(miss->conf.key, iov, n, m.len));
}

static void
give(struct emu_nic *nic, struct emu_side *side, struct emu_pkt *p)
{
	uint32_t headers = RTE_PMD_EMUNIC_MISS_MACS;

	if (p->l4_sum || p->ip_sum)
		headers = p->l2_len + p->l3_len + p->l4_len;
	if (p->m->pkt_len > (uint32_t)side->mtu + EMU_L2_OVERHEAD) {
		emu_drop(nic, EMU_DROP_MTU, p->m);
		return;
	}
	if (!emu_own(p, nic->pool, headers, RTE_PMD_EMUNIC_MISS_TAG)) {
		emu_drop(nic, EMU_DROP_NO_BUFFER, p->m);
		return;
	}
	if ((p->l4_sum || p->ip_sum) && !emu_fill_sums(p, p->m)) {
		emu_drop(nic, EMU_DROP_BAD_OFFLOAD, p->m);
		return;
	}
	if (p->m->nb_segs > MAX_SEGMENTS) {
		emu_drop(nic, EMU_DROP_EDIT, p->m);
		return;
	}
	seal(side, p);
	side->miss.tagged++;
	p->m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	p->m->hash.txadapter.txq = p->vf_queue;
	emu_side_push(nic, side, p->m);
}

void
emu_miss_deliver(struct emu_nic *nic, struct emu_side *side, struct emu_pkt **pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct emu_segments s;
		struct emu_pkt segment;

		emu_vf_choose_queue(nic, side, pkts[i]);
		if (unlikely(side->stalls) && emu_vf_stalled(nic, side, pkts[i]->vf_queue)) {
			emu_drop(nic, EMU_DROP_VF_QUEUE_STALLED, pkts[i]->m);
			continue;
		}
		if (!pkts[i]->gso) {
			give(nic, side, pkts[i]);
			continue;
		}
		emu_segments_init(&s, pkts[i]);
		while (emu_next_segment(nic, &s, &segment))
			give(nic, side, &segment);
		rte_pktmbuf_free(pkts[i]->m);
	}
	emu_side_flush(side);
}

// SPDX-License-Identifier: BSD-3-Clause
#include "port/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "emunic.h"
#include "port/vf.h"
#include "port/vf_rss.h"

static_assert(sizeof(struct rte_pmd_emunic_mbox_frame) == 28, "the frame has no padding");

static bool
is_message(const struct rte_mbuf *m)
{
	uint16_t type;

	return emu_get(m, 2 * RTE_ETHER_ADDR_LEN, &type, sizeof(type)) &&
	       type == rte_cpu_to_be_16(RTE_PMD_EMUNIC_MBOX_ETHERTYPE);
}

static bool
read_message(const struct rte_mbuf *m, struct emu_mail *mail)
{
	struct rte_pmd_emunic_mbox_frame f;
	struct rte_pmd_emunic_mbox_event *e = &mail->event;

	memset(mail, 0, sizeof(*mail));
	if (!emu_get(m, 0, &f, sizeof(f)) ||
		rte_be_to_cpu_32(f.magic) != RTE_PMD_EMUNIC_MBOX_MAGIC ||
		f.version != RTE_PMD_EMUNIC_MBOX_VERSION ||
		(f.type & RTE_PMD_EMUNIC_MBOX_ANSWER) != 0)
		return false;
	e->len = rte_be_to_cpu_16(f.len);
	if (e->len > sizeof(e->data) || !emu_get(m, sizeof(f), e->data, e->len))
		return false;
	e->type = f.type;
	e->id = rte_be_to_cpu_32(f.id);
	e->answer = -ENOTSUP; // unless somebody listens
	memcpy(mail->mac, f.src, sizeof(mail->mac));
	return true;
}

// Whether one more message of the VF fits its rate, which fills up to a burst.
static bool
within_rate(struct emu_nic *nic, struct emu_mail_slot *s)
{
	const uint64_t now = rte_get_tsc_cycles(), hz = rte_get_tsc_hz();
	uint64_t add;

	if (nic->moods.mbox_rate == 0)
		return true;
	add = RTE_MIN(now - s->at, hz * EMU_MBOX_OF_VF) * nic->moods.mbox_rate / hz;
	if (s->at == 0)
		s->tokens = EMU_MBOX_OF_VF;
	if (s->at == 0 || add > 0) {
		s->tokens = RTE_MIN(s->tokens + add, (uint64_t)EMU_MBOX_OF_VF);
		s->at = now;
	}
	if (s->tokens == 0)
		return false;
	s->tokens--;
	return true;
}

// The answer as a frame to the VF. Under the gate.
static void
answer(struct emu_nic *nic, const struct emu_mail *mail)
{
	const struct emu_port *pf = nic->ports[0];
	struct emu_side *side = &nic->sides[mail->side];
	struct rte_mbuf *m = rte_pktmbuf_alloc(nic->pool);
	struct rte_pmd_emunic_mbox_frame *f;
	const uint16_t len =
		RTE_MAX((size_t)RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN, sizeof(*f) + mail->reply);

	nic->mailbox.originated++;
	if (m == NULL) {
		nic->drops[EMU_DROP_NO_BUFFER]++;
		return;
	}
	f = (void *)rte_pktmbuf_append(m, len);
	memset(f, 0, len);
	f->len = rte_cpu_to_be_16(mail->reply);
	memcpy(f + 1, mail->event.data, mail->reply);
	memcpy(f->dst, mail->mac, sizeof(f->dst));
	if (pf != NULL)
		memcpy(f->src, pf->filter[0].addr_bytes, sizeof(f->src));
	f->ethertype = rte_cpu_to_be_16(RTE_PMD_EMUNIC_MBOX_ETHERTYPE);
	f->magic = rte_cpu_to_be_32(RTE_PMD_EMUNIC_MBOX_MAGIC);
	f->version = RTE_PMD_EMUNIC_MBOX_VERSION;
	f->type = mail->event.type | RTE_PMD_EMUNIC_MBOX_ANSWER;
	f->id = rte_cpu_to_be_32(mail->event.id);
	f->result = rte_cpu_to_be_16(abs(mail->event.answer));
	m->hash.txadapter.txq = 0;
	if (side->stalls && emu_vf_stalled(nic, side, 0)) {
		emu_drop(nic, EMU_DROP_VF_QUEUE_STALLED, m);
		return;
	}
	emu_side_push(nic, side, m);
	emu_side_flush(side);
}

// Takes the oldest message. Under the gate.
static bool
next_mail(struct emu_nic *nic, struct emu_mail *out)
{
	struct emu_mailbox *b = &nic->mailbox;

	if (b->n == 0) {
		b->alarm_set = false;
		return false;
	}
	*out = b->waiting[b->first];
	b->first = (b->first + 1) % EMU_MBOX_WAITING;
	b->n--;
	nic->sides[out->side].mail.waiting--;
	return true;
}

static void
tell_pf(void *arg)
{
	struct emu_nic *nic = arg;
	struct emu_mail mail;
	bool more = true;

	while (more) {
		struct rte_eth_dev *pf;

		emu_gate_enter(&nic->gate);
		more = next_mail(nic, &mail);
		pf = nic->ports[0] != NULL ? nic->ports[0]->dev : NULL;
		emu_gate_leave(&nic->gate);
		if (!more)
			break;
		if (mail.event.type >= RTE_PMD_EMUNIC_MBOX_NIC)
			emu_vf_rss_mail(nic, &mail);
		else if (pf != NULL)
			rte_eth_dev_callback_process(pf, RTE_ETH_EVENT_VF_MBOX, &mail.event);
		emu_gate_enter(&nic->gate);
		answer(nic, &mail);
		emu_gate_leave(&nic->gate);
	}
}

void
emu_mailbox_start(struct emu_nic *nic)
{
	nic->mailbox.alarm_set = nic->mailbox.n > 0 && rte_eal_alarm_set(1, tell_pf, nic) == 0;
}

static void
keep(struct emu_nic *nic, struct emu_side *side, struct emu_mail *mail)
{
	struct emu_mailbox *b = &nic->mailbox;

	mail->side = side->index;
	mail->event.vf = side->index - 1;
	b->waiting[(b->first + b->n++) % EMU_MBOX_WAITING] = *mail;
	b->consumed++;
	side->mail.waiting++;
	side->mail.messages++;
	if (!b->alarm_set)
		emu_mailbox_start(nic);
}

uint16_t
emu_mailbox_take(struct emu_nic *nic, struct emu_side *side, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct emu_mail mail;

		if (!is_message(pkts[i])) {
			pkts[kept++] = pkts[i];
		} else if (!within_rate(nic, &side->mail) || side->mail.waiting >= EMU_MBOX_OF_VF ||
			   nic->mailbox.n >= EMU_MBOX_WAITING) {
			emu_drop(nic, EMU_DROP_MBOX_FLOOD, pkts[i]);
		} else if (!read_message(pkts[i], &mail)) {
			emu_drop(nic, EMU_DROP_MBOX_MALFORMED, pkts[i]);
		} else {
			keep(nic, side, &mail);
			rte_pktmbuf_free(pkts[i]);
		}
	}
	return kept;
}

void
emu_mailbox_stop(struct emu_nic *nic)
{
	rte_eal_alarm_cancel(tell_pf, nic);
}

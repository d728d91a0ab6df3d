// SPDX-License-Identifier: BSD-3-Clause
#include "port/vf_rss.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_malloc.h>

#include "emunic.h"
#include "port/vf.h"

struct request {
	uint64_t types;
	uint8_t key[EMU_RSS_KEY_LEN];
};
static_assert(sizeof(struct request) == 48, "as rte_pmd_emunic.h says");
static_assert(sizeof(struct request) <= RTE_PMD_EMUNIC_MBOX_DATA, "it fits a message");

// Under the gate.
static const struct emu_rss *
in_force(const struct emu_nic *nic, const struct emu_side *side)
{
	return side->rss != NULL ? side->rss : &nic->vf_rss;
}

int
emu_vf_rss_set(struct emu_nic *nic, struct emu_side *side, uint64_t types, const uint8_t *key)
{
	struct emu_rss *fresh, *old;

	if (types & ~(uint64_t)EMU_RSS_TYPES)
		return -EINVAL;
	fresh = rte_malloc_socket("emunic vf rss", sizeof(*fresh), 64, nic->socket_id);
	if (fresh == NULL)
		return -ENOMEM;
	if (key != NULL)
		emu_rss_set_key(fresh, key);
	emu_gate_enter(&nic->gate);
	old = side->rss;
	if (key == NULL)
		*fresh = *in_force(nic, side);
	fresh->types = types;
	side->rss = fresh;
	emu_gate_leave(&nic->gate);
	rte_free(old);
	return 0;
}

void
emu_vf_rss_get(struct emu_nic *nic, const struct emu_side *side, uint64_t *types, uint8_t *key)
{
	emu_gate_enter(&nic->gate);
	*types = in_force(nic, side)->types;
	memcpy(key, in_force(nic, side)->key, EMU_RSS_KEY_LEN);
	emu_gate_leave(&nic->gate);
}

void
emu_vf_rss_move(struct emu_side *from, struct emu_side *to)
{
	rte_free(to->rss);
	to->rss = from->rss;
	from->rss = NULL;
	to->n_reta = from->n_reta;
	memcpy(to->reta, from->reta, sizeof(to->reta));
	from->n_reta = 0;
}

static int
set_reta(struct emu_nic *nic, struct emu_side *side, const uint8_t *data, uint16_t n)
{
	uint16_t queues[RTE_PMD_EMUNIC_MBOX_DATA];

	static_assert(RTE_PMD_EMUNIC_MBOX_DATA <= EMU_VF_RETA, "a table has room");
	for (uint16_t i = 0; i < n; i++) {
		if (data[i] >= EMU_MAX_VF_QUEUES)
			return -EINVAL;
		queues[i] = data[i];
	}
	emu_gate_enter(&nic->gate);
	emu_vf_set_reta(side, queues, n);
	emu_gate_leave(&nic->gate);
	return 0;
}

uint16_t
emu_vf_reta_get(struct emu_nic *nic, const struct emu_side *side, uint16_t *queues)
{
	uint16_t n;

	emu_gate_enter(&nic->gate);
	n = side->n_reta;
	memcpy(queues, side->reta, n * sizeof(queues[0]));
	emu_gate_leave(&nic->gate);
	return n;
}

static int
get_reta(struct emu_nic *nic, const struct emu_side *side, uint8_t *data, uint16_t *len)
{
	uint16_t queues[EMU_VF_RETA], n = emu_vf_reta_get(nic, side, queues);

	static_assert(EMU_MAX_VF_QUEUES <= UINT8_MAX, "a queue is a byte");
	if (n > RTE_PMD_EMUNIC_MBOX_DATA)
		return -E2BIG;
	for (uint16_t i = 0; i < n; i++)
		data[i] = (uint8_t)queues[i];
	*len = n;
	return 0;
}

void
emu_vf_rss_mail(struct emu_nic *nic, struct emu_mail *mail)
{
	struct rte_pmd_emunic_mbox_event *e = &mail->event;
	struct emu_side *side = &nic->sides[mail->side];
	struct request r;

	memcpy(&r, e->data, sizeof(r));
	if (e->type == RTE_PMD_EMUNIC_MBOX_RSS_SET) {
		bool whole = e->len == sizeof(r);

		e->answer = !whole && e->len != sizeof(r.types)
				    ? -EINVAL
				    : emu_vf_rss_set(nic, side, rte_be_to_cpu_64(r.types),
					      whole ? r.key : NULL);
	} else if (e->type == RTE_PMD_EMUNIC_MBOX_RETA_SET) {
		e->answer = set_reta(nic, side, e->data, e->len);
	} else if (e->type == RTE_PMD_EMUNIC_MBOX_RSS_GET) {
		emu_vf_rss_get(nic, side, &r.types, r.key);
		r.types = rte_cpu_to_be_64(r.types);
		memcpy(e->data, &r, sizeof(r));
		mail->reply = sizeof(r);
		e->answer = 0;
	} else if (e->type == RTE_PMD_EMUNIC_MBOX_RETA_GET) {
		e->answer = get_reta(nic, side, e->data, &mail->reply);
	} else {
		e->answer = -ENOTSUP;
	}
}

// SPDX-License-Identifier: BSD-3-Clause
#include "guest/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "guest/channels.h"
#include "guest/guest_commands.h"
#include "guest/mailbox_event.h"

#define WAITING 64 // a power of two
#define DRIVER "net_emunic"

struct mail {
	uint16_t nic, vf;
	uint8_t type, len;
	uint32_t id;
	int32_t outcome; // 0 or -errno, when it was taken
	char text[MAILBOX_DATA_MAX];
};

struct listener { // of a NIC's PF
	struct mailbox *mailbox;
	uint16_t nic, ethdev;
	bool on;
};

// One producer, EAL's interrupt thread, and one consumer, control. What was taken stays, with its
// outcome, until its place is needed.
struct mailbox {
	int wake_fd;
	_Atomic uint32_t put, taken;
	struct mail waiting[WAITING];
	struct mail done[WAITING]; // the last ones, for control only: the producer reuses `waiting`
	uint32_t n_done;
	struct listener listener[CONFIG_NICS_MAX];
};

// Of an earlier message of that VF, the latest with this id.
static int32_t
outcome_of(const struct mailbox *b, uint16_t nic, uint16_t vf, uint32_t id)
{
	const uint32_t taken = atomic_load_explicit(&b->taken, memory_order_acquire);
	uint32_t at = atomic_load_explicit(&b->put, memory_order_relaxed), i;

	for (i = 0; i < WAITING && at - i > 0; i++) {
		const struct mail *m = &b->waiting[(at - i - 1) % WAITING];

		if (m->type == 0 || m->nic != nic || m->vf != vf || m->id != id)
			continue;
		return (int32_t)(taken - (at - i)) >= 0 ? m->outcome : -EAGAIN;
	}
	return -ENOENT;
}

static int32_t
take_mail(const struct listener *l, const struct mailbox_event *ev)
{
	struct mailbox *b = l->mailbox;
	uint32_t at = atomic_load_explicit(&b->put, memory_order_relaxed);
	const uint64_t one = 1;
	struct mail *m;

	if (ev->type == MAILBOX_OUTCOME && ev->len == sizeof(uint32_t))
		return outcome_of(b, l->nic, ev->vf,
			(uint32_t)ev->data[0] << 24 | (uint32_t)ev->data[1] << 16 |
				(uint32_t)ev->data[2] << 8 | ev->data[3]);
	if (ev->type < MAILBOX_RAISE || ev->type > MAILBOX_CLEAR || ev->len == 0 ||
		ev->len > sizeof(m->text) || memchr(ev->data, '\0', ev->len) != NULL)
		return -EINVAL;
	if (at - atomic_load_explicit(&b->taken, memory_order_acquire) == WAITING)
		return -EBUSY;
	m = &b->waiting[at % WAITING];
	*m = (struct mail){.nic = l->nic,
		.vf = ev->vf,
		.type = ev->type,
		.len = (uint8_t)ev->len,
		.id = ev->id};
	memcpy(m->text, ev->data, ev->len);
	atomic_store_explicit(&b->put, at + 1, memory_order_release);
	if (write(b->wake_fd, &one, sizeof(one)) < 0)
		return 0; // its counter is at its limit: control is awake
	return 0;
}

static int
on_mail(uint16_t port, enum rte_eth_event_type type, void *arg, void *ret)
{
	struct mailbox_event *ev = ret;

	if (type == RTE_ETH_EVENT_VF_MBOX && ev != NULL)
		ev->answer = take_mail(arg, ev);
	return 0;
}

int
mailbox_new(struct control *c)
{
	struct mailbox *b = calloc(1, sizeof(*b));
	uint16_t i;

	if (b == NULL)
		return -ENOMEM;
	c->mailbox = b;
	b->wake_fd = c->wake_fd;
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		struct listener *l = &b->listener[i];

		if (c->nics[i] == NULL || strcmp(c->nics[i]->driver, DRIVER) != 0)
			continue;
		*l = (struct listener){
			.mailbox = b, .nic = i, .ethdev = c->nics[i]->ports[0].ethdev};
		l->on = rte_eth_dev_callback_register(
				l->ethdev, RTE_ETH_EVENT_VF_MBOX, on_mail, l) == 0;
	}
	return 0;
}

void
mailbox_fini(struct control *c)
{
	struct mailbox *b = c->mailbox;
	uint16_t i;

	for (i = 0; b != NULL && i < CONFIG_NICS_MAX; i++) {
		struct listener *l = &b->listener[i];

		// -EAGAIN: the interrupt thread is in it.
		while (l->on && rte_eth_dev_callback_unregister(
					l->ethdev, RTE_ETH_EVENT_VF_MBOX, on_mail, l) == -EAGAIN)
			usleep(100);
	}
	free(b);
	c->mailbox = NULL;
}

// The VM whose vport the VF carries; -1: none.
static int
vm_of(const struct control *c, uint16_t nic, uint16_t vf)
{
	uint16_t i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = &c->vports[i];

		if (v->used && v->port != NULL && v->port->nic == nic &&
			v->port->nic_port == 1 + vf)
			return v->cfg.vm;
	}
	return -1;
}

// A message whose outcome was not heard is sent again, with its id: it was done the first time if
// the one of that VF before it is the same.
static bool
was_done(const struct mailbox *b, const struct mail *m)
{
	uint32_t i;

	for (i = 1; i <= WAITING && i <= b->n_done; i++) {
		const struct mail *old = &b->done[(b->n_done - i) % WAITING];

		if (old->nic != m->nic || old->vf != m->vf)
			continue;
		return old->id == m->id && old->type == m->type && old->len == m->len &&
		       memcmp(old->text, m->text, m->len) == 0 && old->outcome == 0;
	}
	return false;
}

static int32_t
obey(struct control *c, const struct mail *m)
{
	const int8_t hint = m->type == MAILBOX_RAISE ? 1 : m->type == MAILBOX_LOWER ? -1 : 0;
	const int vm = vm_of(c, m->nic, m->vf);
	char text[sizeof(m->text) + 1] = "";
	uint32_t followed, refused;
	struct sl_err err;
	int rc;

	if (vm < 0)
		return -ENODEV;
	sl_err_init(&err);
	memcpy(text, m->text, m->len);
	rc = guest_hint(c, (uint16_t)vm, text, hint, &followed, &refused, &err);
	if (rc != 0)
		sl_log(c->log, SL_LOG_DEBUG, "a hint of %s by its VF: %s", c->cfg->vms[vm].name,
			err.text);
	if (m->type == MAILBOX_CLEAR && abs(rc) == ENOENT && was_done(c->mailbox, m))
		rc = 0;
	return rc != 0 ? -abs(rc) : followed == 0 && refused > 0 ? -EPERM : 0;
}

void
mailbox_poll(struct control *c)
{
	struct mailbox *b = c->mailbox;
	uint32_t at = atomic_load_explicit(&b->taken, memory_order_relaxed);

	while (at != atomic_load_explicit(&b->put, memory_order_acquire)) {
		struct mail *m = &b->waiting[at % WAITING];

		m->outcome = obey(c, m);
		b->done[b->n_done++ % WAITING] = *m;
		atomic_store_explicit(&b->taken, ++at, memory_order_release);
	}
}

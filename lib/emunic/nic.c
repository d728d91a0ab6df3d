// SPDX-License-Identifier: BSD-3-Clause
#include "emunic.h"
#include "port/landing.h"
#include "port/rx.h"
#include "port/vf.h"
#include "port/vf_rss.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_alarm.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#define POLITE_YIELDS 64

void
emu_gate_init(struct emu_gate *g)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&g->lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

// Secondary processes only read under it, so what one that died inside leaves is whole.
static bool
entered(struct emu_gate *g, int ret)
{
	if (ret == EOWNERDEAD)
		ret = pthread_mutex_consistent(&g->lock);
	return ret == 0;
}

void
emu_gate_enter(struct emu_gate *g)
{
	// Of a secondary process that dies as it waits the sign would stay.
	bool sign = rte_eal_process_type() == RTE_PROC_PRIMARY;

	__atomic_add_fetch(&g->wanted, sign, __ATOMIC_RELAXED);
	entered(g, pthread_mutex_lock(&g->lock));
	__atomic_sub_fetch(&g->wanted, sign, __ATOMIC_RELAXED);
}

void
emu_gate_leave(struct emu_gate *g)
{
	pthread_mutex_unlock(&g->lock);
}

// A mutex is not fair: without this a busy firmware would win it again and again.
void
emu_gate_enter_fw(struct emu_gate *g)
{
	for (int i = 0; i < POLITE_YIELDS; i++) {
		if (__atomic_load_n(&g->wanted, __ATOMIC_RELAXED) == 0)
			break;
		sched_yield();
	}
	entered(g, pthread_mutex_lock(&g->lock));
}

bool
emu_gate_try(struct emu_gate *g)
{
	return __atomic_load_n(&g->wanted, __ATOMIC_RELAXED) == 0 &&
	       entered(g, pthread_mutex_trylock(&g->lock));
}

static void
init_sides(struct emu_nic *nic, uint16_t vfs)
{
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		struct emu_side *side = &nic->sides[i];

		side->index = i;
		side->mtu = RTE_ETHER_MTU;
		side->slot = emu_slot_of(i, vfs);
		emu_side_name(side->slot, side->name, sizeof(side->name));
		if (emu_slot_is_wire(side->slot))
			side->wire = &nic->wires[emu_slot_number(side->slot)];
	}
}

static void
nic_free(struct emu_nic *nic)
{
	for (uint16_t i = 0; nic->sides != NULL && i < nic->n_sides; i++) {
		if (nic->sides[i].backend != NULL)
			nic->sides[i].backend->ops->close(nic->sides[i].backend);
		rte_free(nic->sides[i].rss);
	}
	for (unsigned int i = 0; i < EMU_MAX_WIRES; i++) {
		rte_pktmbuf_free(nic->wires[i].held_in);
		rte_pktmbuf_free(nic->wires[i].held_out);
	}
	emu_table_fini(&nic->transfer);
	emu_rules_fini(&nic->rules);
	rte_mempool_free(nic->pool);
	rte_free(nic->sides);
	rte_eth_switch_domain_free(nic->domain);
	emu_devargs_free(&nic->args);
	pthread_mutex_destroy(&nic->gate.lock);
	pthread_mutex_destroy(&nic->insert_lock);
	rte_free(nic);
}

int
emu_nic_create(
	const char *name, const struct emu_devargs *args, int socket_id, struct emu_nic **out)
{
	struct emu_nic *nic = rte_zmalloc_socket("emunic", sizeof(*nic), 64, socket_id);
	char pool[RTE_MEMPOOL_NAMESIZE];
	uint16_t domain;
	int ret;

	if (nic == NULL || rte_eth_switch_domain_alloc(&domain) != 0) {
		EMU_LOG(ERR, "%s: no %s", name, nic == NULL ? "memory" : "switch domain is free");
		rte_free(nic);
		return -ENOMEM;
	}
	snprintf(nic->name, sizeof(nic->name), "%s", name);
	TAILQ_INIT(&nic->ages.list);
	nic->domain = domain;
	nic->socket_id = socket_id;
	nic->n_sides = args->vfs + args->ports;
	emu_gate_init(&nic->gate);
	pthread_mutex_init(&nic->insert_lock, NULL);
	snprintf(pool, sizeof(pool), "emunic_%u", domain);
	nic->sides = rte_zmalloc_socket(
		"emunic sides", nic->n_sides * sizeof(*nic->sides), 64, socket_id);
	nic->pool = rte_pktmbuf_pool_create(
		pool, args->mbufs, 128, 0, RTE_MBUF_DEFAULT_BUF_SIZE, socket_id);
	ret = emu_rules_init(&nic->rules, args->moods.capacity, socket_id);
	if (nic->sides == NULL || nic->pool == NULL || ret != 0) {
		EMU_LOG(ERR, "%s: no memory for %u packet buffers and %u rules", name, args->mbufs,
			args->moods.capacity);
		nic_free(nic);
		return -ENOMEM;
	}
	init_sides(nic, args->vfs);
	emu_rx_init(nic);
	emu_rss_set_key(&nic->vf_rss, NULL);
	nic->vf_rss.types = EMU_RSS_TYPES;
	nic->args = *args;
	emu_nic_apply_moods(nic, &args->moods);
	*out = nic;
	return 0;
}

static void
add_stats(struct emu_backend_stats *sum, const struct emu_backend_stats *s)
{
	sum->rx_packets += s->rx_packets;
	sum->rx_bytes += s->rx_bytes;
	sum->tx_packets += s->tx_packets;
	sum->tx_bytes += s->tx_bytes;
	sum->rx_errors += s->rx_errors;
	sum->tx_errors += s->tx_errors;
}

int
emu_nic_set_backend(
	struct emu_nic *nic, struct emu_side *side, const char *text, char *why, size_t why_len)
{
	struct emu_backend_env env = {
		.nic = nic->name,
		.side = side->name,
		.pool = nic->pool,
		.mtu = side->mtu,
		.socket_id = nic->socket_id,
	};
	struct emu_backend *old, *fresh = NULL;
	int ret;

	why[0] = '\0';
	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		snprintf(why, why_len, "backends belong to the primary process: ask that one");
		return -ENOTSUP;
	}
	if (text != NULL) {
		ret = emu_backend_open(&env, text, &fresh, why, why_len);
		if (ret != 0) {
			if (why[0] == '\0')
				snprintf(why, why_len, "%s", rte_strerror(-ret));
			EMU_LOG(ERR, "%s: %s=[%s]: %s", nic->name, side->name, text, why);
			return ret;
		}
		if (why[0] != '\0')
			EMU_LOG(NOTICE, "%s: %s=[%s]: %s", nic->name, side->name, text, why);
	}
	emu_gate_enter(&nic->gate);
	old = side->backend;
	if (old != NULL) {
		struct emu_backend_stats stats = {0};

		old->ops->stats(old, &stats);
		add_stats(&side->gone, &stats);
		// Before its side is another's: whose mempool it is may free that from here on.
		emu_landing_end(old);
	}
	side->backend = fresh;
	emu_vf_set_stalls(nic, side);
	nic->link_check_at = 0;
	emu_gate_leave(&nic->gate);
	if (old != NULL)
		old->ops->close(old);
	return 0;
}

void
emu_side_hold(struct emu_nic *nic, struct emu_side *side, bool on)
{
	struct emu_port *port = nic->ports[side->index];
	struct rte_eth_link link;

	side->held = on;
	nic->link_check_at = 0; // which raises the event, if the link is another one now
	if (port == NULL)
		return;
	emu_port_link(port, &link);
	rte_eth_linkstatus_set(port->dev, &link);
}

static int
move_backend(struct emu_nic *from, struct emu_side *side, struct emu_nic *to, struct emu_side *dest)
{
	const struct emu_backend_env env = {
		.nic = to->name,
		.side = dest->name,
		.pool = to->pool,
		.mtu = dest->mtu,
		.socket_id = to->socket_id,
	};
	struct emu_backend *b = side->backend;
	struct emu_backend_stats stats = {0};

	if (b == NULL || dest->backend != NULL)
		return b == NULL ? -ENOENT : -EBUSY;
	if (b->ops->move == NULL)
		return -ENOTSUP;
	// It goes on counting where it is: what it has counted stays with the side that it leaves.
	b->ops->stats(b, &stats);
	add_stats(&side->gone, &stats);
	dest->gone.rx_packets -= stats.rx_packets;
	dest->gone.rx_bytes -= stats.rx_bytes;
	dest->gone.tx_packets -= stats.tx_packets;
	dest->gone.tx_bytes -= stats.tx_bytes;
	dest->gone.rx_errors -= stats.rx_errors;
	dest->gone.tx_errors -= stats.tx_errors;
	b->landing = NULL;
	b->ops->move(b, &env);
	side->backend = NULL;
	dest->backend = b;
	if (side->wire == NULL && dest->wire == NULL)
		emu_vf_rss_move(side, dest);
	// It stands still as the NIC says that it is behind now.
	b->still = NULL;
	emu_vf_set_stalls(from, side);
	emu_vf_set_stalls(to, dest);
	emu_side_hold(to, dest, false);
	from->link_check_at = to->link_check_at = 0;
	return 0;
}

int
emu_nic_move_backend(
	struct emu_nic *from, struct emu_side *side, struct emu_nic *to, struct emu_side *dest)
{
	// The same order whoever asks.
	struct emu_gate *first = from < to ? &from->gate : &to->gate;
	struct emu_gate *second = from < to ? &to->gate : &from->gate;
	int ret;

	emu_gate_enter(first);
	if (from != to)
		emu_gate_enter(second);
	ret = move_backend(from, side, to, dest);
	if (from != to)
		emu_gate_leave(second);
	emu_gate_leave(first);
	return ret;
}

void
emu_side_ask(struct emu_side *side)
{
	struct emu_backend *b = side->backend;
	struct emu_backend_stats s = {0};

	if (b != NULL)
		b->ops->stats(b, &s);
	add_stats(&s, &side->gone);
	side->told = s;
	side->finished = b != NULL && b->ops->finished != NULL && b->ops->finished(b);
}

int
emu_nic_open_backends(struct emu_nic *nic)
{
	char why[256];

	for (uint16_t i = 0; i < nic->n_sides; i++) {
		struct emu_side *side = &nic->sides[i];
		int ret;

		if (nic->args.backends[side->slot] == NULL)
			continue;
		ret = emu_nic_set_backend(
			nic, side, nic->args.backends[side->slot], why, sizeof(why));
		if (ret != 0)
			return ret;
	}
	return 0;
}

void
emu_nic_unref(struct emu_nic *nic)
{
	if (--nic->refs > 0)
		return;
	emu_firmware_stop(nic);
	nic_free(nic);
}

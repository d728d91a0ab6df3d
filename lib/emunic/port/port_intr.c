// SPDX-License-Identifier: BSD-3-Clause
#include "port/port.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_interrupts.h>
#include <rte_ring.h>

// Receive interrupts: one eventfd for each queue, which the application's epoll waits for
// (rte_eth_dev_rx_intr_ctl_q). An interrupt is for one time: it is switched off when it fires, and
// whoever sleeps next switches it on again, which fires at once when there is something. So a
// queue that is polled costs no system call.
// Source: DPDK programmer's guide, "Environment Abstraction Layer", Receive Interrupt Mode.

static int
fail(struct emu_port *port, const char *what, int ret)
{
	EMU_LOG(ERR, "%s: port %u: %s for receive interrupts: %s", port->nic->name,
		port->dev->data->port_id, what, strerror(-ret));
	emu_port_intr_stop(port);
	return ret;
}

int
emu_port_intr_check(const struct emu_port *port)
{
	if (port->nic->args.firmware != EMU_FW_INLINE)
		return 0;
	EMU_LOG(ERR,
		"%s: receive interrupts need a firmware that runs while the application sleeps: "
		"firmware=thread or service, not inline",
		port->nic->name);
	return -ENOTSUP;
}

static int
open_queue(struct emu_port *port, struct rte_intr_handle *handle, uint16_t i)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	port->rx_event[i] = fd;
	port->rxq[i]->event_fd = fd;
	ret = rte_intr_efds_index_set(handle, i, fd);
	if (ret == 0)
		ret = rte_intr_vec_list_index_set(handle, i, RTE_INTR_VEC_RXTX_OFFSET + i);
	return ret < 0 ? ret : 0;
}

int
emu_port_intr_start(struct emu_port *port)
{
	struct rte_intr_handle *handle;
	int ret = 0;

	if (!port->dev->data->dev_conf.intr_conf.rxq)
		return 0;
	handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (handle == NULL)
		return fail(port, "no handle", -ENOMEM);
	port->dev->intr_handle = handle;
	if (rte_intr_vec_list_alloc(handle, "emunic", port->n_rxq) != 0 ||
		rte_intr_type_set(handle, RTE_INTR_HANDLE_VDEV) != 0 ||
		rte_intr_nb_efd_set(handle, port->n_rxq) != 0 ||
		rte_intr_max_intr_set(handle, port->n_rxq + RTE_INTR_VEC_RXTX_OFFSET) != 0 ||
		rte_intr_efd_counter_size_set(handle, sizeof(uint64_t)) != 0)
		return fail(port, "no vectors", -ENOMEM);
	for (uint16_t i = 0; i < port->n_rxq && ret == 0; i++)
		ret = open_queue(port, handle, i);
	return ret != 0 ? fail(port, "no eventfd", ret) : 0;
}

void
emu_port_intr_stop(struct emu_port *port)
{
	struct rte_intr_handle *handle = port->dev->intr_handle;

	if (handle == NULL)
		return;
	for (uint16_t i = 0; i < port->n_rxq; i++) {
		if (port->rxq[i] != NULL) {
			__atomic_store_n(&port->rxq[i]->armed, false, __ATOMIC_RELAXED);
			port->rxq[i]->event_fd = -1;
		}
		if (port->rx_event[i] >= 0)
			close(port->rx_event[i]);
		port->rx_event[i] = -1;
	}
	rte_intr_vec_list_free(handle);
	rte_intr_instance_free(handle);
	port->dev->intr_handle = NULL;
}

static void
fire(struct emu_rxq *q)
{
	const uint64_t one = 1;
	ssize_t n;

	// It can fail only by being full, and then it is readable anyway.
	n = write(q->event_fd, &one, sizeof(one));
	(void)n;
	__atomic_add_fetch(&q->interrupts, 1, __ATOMIC_RELAXED);
}

void
emu_rxq_wake(struct emu_rxq *q)
{
	// Either this sees that the queue is armed, or who arms it sees the packets.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->armed, __ATOMIC_RELAXED) &&
		__atomic_exchange_n(&q->armed, false, __ATOMIC_ACQ_REL))
		fire(q);
}

int
emu_port_intr_enable(struct rte_eth_dev *dev, uint16_t queue)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_rxq *q = dev->data->rx_queues[queue];

	if (q == NULL || q->event_fd < 0)
		return -ENOTSUP;
	if (__atomic_load_n(&port->nic->run_inline, __ATOMIC_RELAXED)) {
		EMU_LOG(ERR, "%s: no service core runs the firmware, so there are no interrupts",
			port->nic->name);
		return -ENOTSUP;
	}
	__atomic_store_n(&q->armed, true, __ATOMIC_SEQ_CST);
	if (rte_ring_count(q->ring) > 0 && __atomic_exchange_n(&q->armed, false, __ATOMIC_ACQ_REL))
		fire(q);
	return 0;
}

int
emu_port_intr_disable(struct rte_eth_dev *dev, uint16_t queue)
{
	struct emu_rxq *q = dev->data->rx_queues[queue];

	if (q == NULL || q->event_fd < 0)
		return -ENOTSUP;
	__atomic_store_n(&q->armed, false, __ATOMIC_RELAXED);
	return 0;
}

# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of ethdev that the emulated NIC's wire may have behind it, under Debian's testpmd:

    testpmd (flowgen)   port 0 of net_emunic0             port 2 of net_emunic1
                             |                                 |
                            wire [ethdev, one end]            wire [ethdev, the other end]
                             +----- memif, vhost, veth, ... ---+

Ports 1 and 3 are the ethdevs behind the wires. All ports send all the time, so packets that a NIC
receives came through the other one's backend, or its own where that is a loop.
"""
import os
import socket
import subprocess

import pytest
from scapy.all import Ether, Raw, wrpcap

from sluice_harness import wait_for
from test_emunic_testpmd import pmd, xstats  # noqa: F401

pytestmark = pytest.mark.plain_only
ENOUGH = 100  # packets


@pytest.fixture
def veth():
    """Two ends of a cable, which go with the test."""
    ends = [f'sl{os.getpid() % 100000}{end}' for end in 'ab']
    subprocess.run(['ip', 'link', 'add', ends[0], 'type', 'veth', 'peer', 'name', ends[1]], check=True)
    for end in ends:
        subprocess.run(['ip', 'link', 'set', end, 'up'], check=True)
    yield ends
    subprocess.run(['ip', 'link', 'del', ends[0]], check=False)


def flowgen(pmd, *wires):  # noqa: F811
    """A testpmd with a NIC for each of these backends, all of whose ports send."""
    vdevs = [f'net_emunic{i},queues=1,mbufs=4096,wire=[ethdev,{w}]' for i, w in enumerate(wires)]
    t = pmd(*vdevs, args=['--forward-mode=flowgen', '--total-num-mbufs=16384', '--txd=256'])
    t.cmd('start')
    return t


def await_wire(t, nic, packets=ENOUGH, what='received'):
    """Packets that the NIC received from, or sent to, what is behind its wire."""
    wait_for(lambda: xstats(t, 2 * nic)[f'nic_{what}_wire'] >= packets, 60,
             f'net_emunic{nic} has {what} {packets} packets')


def test_null(pmd):  # noqa: F811
    t = flowgen(pmd, 'net_null0,size=100')
    await_wire(t, 0)
    await_wire(t, 0, what='sent')


def test_ring(pmd):  # noqa: F811
    t = flowgen(pmd, 'net_ring0')
    await_wire(t, 0)


def test_pcap(pmd, work):  # noqa: F811
    # More than enough: net_pcap loses the packet that it finds no buffer for.
    wrpcap(str(work / 'in.pcap'), [Ether(type=0x88b6) / Raw(bytes(50))] * (5 * ENOUGH))
    t = flowgen(pmd, f'net_pcap0,rx_pcap={work}/in.pcap,tx_pcap={work}/out.pcap')
    await_wire(t, 0)
    await_wire(t, 0, what='sent')
    wait_for(lambda: (work / 'out.pcap').stat().st_size > 60 * ENOUGH, 30, 'they are in the file')


def test_memif(pmd, work):  # noqa: F811
    at = f'socket={work}/memif.sock,socket-abstract=no,id=1'
    t = flowgen(pmd, f'net_memif0,role=server,{at}', f'net_memif1,role=client,{at}')
    for nic in range(2):
        await_wire(t, nic)


def test_vhost(pmd, work):  # noqa: F811
    t = flowgen(pmd, f'net_vhost0,iface={work}/v.sock', f'net_virtio_user0,path={work}/v.sock')
    for nic in range(2):
        await_wire(t, nic)


def test_af_packet(pmd, veth):  # noqa: F811
    t = flowgen(pmd, f'net_af_packet0,iface={veth[0]}', f'net_af_packet1,iface={veth[1]}')
    for nic in range(2):
        await_wire(t, nic)


def test_af_xdp(pmd, veth):  # noqa: F811
    """Its receive ring needs hugepages in DPDK 22.11, so here it sends."""
    t = flowgen(pmd, f'net_af_xdp0,iface={veth[0]}', f'net_af_packet1,iface={veth[1]}')
    await_wire(t, 1)


def test_tap(pmd):  # noqa: F811
    name = f'slt{os.getpid() % 100000}'
    t = flowgen(pmd, f'net_tap0,iface={name}')
    await_wire(t, 0, what='sent')
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((name, 0))

        def more():
            s.send(bytes(Ether(dst='02:00:00:00:00:01', type=0x88b6) / Raw(bytes(50))))
            return xstats(t)['nic_received_wire'] >= 20
        wait_for(more, 60, 'the NIC has what the kernel sent')

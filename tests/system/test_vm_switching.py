# SPDX-License-Identifier: BSD-3-Clause
"""Two real guests on a learning switch: one on a VF, one on vhost-user.

                 netns c (eth0) 10.0.0.3
                      | veth, af_packet
                 +----+-----+
    guest a      | sluiced  |      guest b
    eth0 10.0.0.1|  (sw0)   |      eth0 10.0.0.2
      |          +-+-+----+-+        |
    VF 0 ------- NIC |    +--- vhost-user
                     |
           representor, PF queues

A flow from a leaves by no NIC: it wants a receive queue of a's representor. A flow to a wants a
transmit queue of it. Flows count as heavy at the speed of an emulated guest.
"""
import re
import threading

import pytest

from sluice_harness import Nic, tcp_transfer, wait_for

pytestmark = pytest.mark.slow

QUEUE_PLACES = ('exclusive-queue', 'shared-queue', 'eswitch')


def config(work, veth):
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '1M', 'light_bps': '500k', 'min_bps': '10k', 'idle_ms': 5000},
        'nics': [{'name': 'nic0', 'queues': 4, 'default_queues': 1, 'vf_queues': 4,
                  'vf_default_queues': 1, 'vfs': 1,
                  'dev': 'net_emunic0,queues=4,vfs=1,rep_queues=4,representor=vf[0],wire=[sink],'
                         f'vf0=[vhost-user,path={work}/a.sock]'}],
        'switches': [{
            'name': 'sw0',
            'tables': [{'id': 0, 'name': 'main', 'default': 'normal'}],
            'ports': [
                {'name': 'a', 'vm': 'vma', 'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}},
                {'name': 'b', 'vm': 'vmb',
                 'attach': {'kind': 'vhost-user', 'path': f'{work}/b.sock'}},
                {'name': 'c', 'attach': {'kind': 'ethdev',
                                         'dev': f'net_af_packet0,iface={veth}'}},
            ]}],
    }


class Watch:
    """Where one flow has been, seen by asking again and again while something else runs."""

    def __init__(self, switch, match):
        self.switch = switch
        self.match = match
        self.seen = {}

    def look(self):
        for flow in self.switch.call('flow list', match=self.match)['items']:
            full = self.switch.call('flow show', flow=flow['id']) if flow['id'] else None
            for side in ('in', 'out') if full else ():
                place = full[side].get('place')
                if place:
                    self.seen.setdefault((side, place), full[side].get('queue'))
        return self.seen


def transfer(source, target, address, port, watch):
    """tcp_transfer with a look at the flow while it runs."""
    error = []

    def run():
        try:
            tcp_transfer(source, target, address, megabytes=8, port=port)
        except AssertionError as e:
            error.append(e)
    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        watch.look()
        thread.join(0.1)
    if error:
        raise error[0]


@pytest.fixture
def town(work, sluiced, guest, netns):
    """The switch, both guests up, and the namespace."""
    c = netns('c')
    veth = c.veth(address='10.0.0.3/24')
    switch = sluiced(config(work, veth))
    a, b = (guest(n, [Nic(f'{work}/{n}.sock', f'52:54:00:00:00:0{i}',
                          (f'10.0.0.{i}/24', f'fd00::{i}/64'))]) for i, n in ((1, 'a'), (2, 'b')))
    a.start(wait=False)
    b.start(wait=False)
    a.wait_boot()
    b.wait_boot()
    switch.wait_up()
    return switch, a, b, c


def test_two_guests(town):
    switch, a, b, c = town
    assert a.ping('10.0.0.2') == 3
    assert b.ping('10.0.0.1') == 3
    assert a.ping('fd00::2') == 3
    assert a.ping('10.0.0.3') == 3

    # Segmentation is the switch's business on both attachments.
    for vm in (a, b):
        assert {'csum', 'host-tso4', 'guest-tso4', 'mrg-rxbuf'} <= vm.virtio_features(), vm.name

    # From the VF: on a receive queue of its representor (or in the eswitch).
    watch = Watch(switch, 'tcp ip_src=10.0.0.1 ip_dst=10.0.0.2 dport=5001')
    transfer(a, b, '10.0.0.2', 5001, watch)
    queues = {place: queue for (side, place), queue in watch.seen.items()
              if side == 'in' and place in QUEUE_PLACES}
    assert queues, f'the flow of a was at {watch.seen}'
    for place, queue in queues.items():
        assert place == 'eswitch' or re.match(r'nic0/vf0/rx/[1-3]$', queue), queues

    # To the VF: on a transmit queue.
    watch = Watch(switch, 'tcp ip_src=10.0.0.2 ip_dst=10.0.0.1 dport=5002')
    transfer(b, a, '10.0.0.1', 5002, watch)
    queues = {place: queue for (side, place), queue in watch.seen.items()
              if side == 'out' and place in QUEUE_PLACES}
    assert queues, f'the flow of b was at {watch.seen}'
    for queue in queues.values():
        assert re.match(r'nic0/vf0/tx/[1-3]$', queue), queues
    devices = {d['port']: d for d in switch.call('stats')['devices']}
    assert devices['b']['rx_bytes'] > 1600 * devices['b']['rx_packets'], 'b sent no long packets'

    survive(switch, b, a, '10.0.0.1', c, '10.0.0.2')
    survive(switch, a, b, '10.0.0.2', c, '10.0.0.1')

    stats = switch.settled()
    assert stats['place_packets']['exclusive-queue'] + stats['place_packets']['shared-queue'] > 0
    assert switch.call('log show', level='err')['items'] == []


def survive(switch, victim, other, other_address, third, victim_address):
    """One guest dies while the other goes on; it comes back, and all is as before."""
    out = other.begin('ping -c 1000 -i 0.05 -W 1 10.0.0.3')
    before = switch.port(other.name)['rx_packets']
    wait_for(lambda: switch.port(other.name)['rx_packets'] > before + 5, 10, 'pings are sent')
    victim.kill()
    before = switch.port(other.name)
    wait_for(lambda: switch.port(victim.name)['state'] == 'down', 10, 'its port is down')
    wait_for(lambda: (switch.port(other.name)['rx_packets'] >= before['rx_packets'] + 20
                      and switch.port(other.name)['tx_packets'] >= before['tx_packets'] + 20),
             15, 'the other one is still answered')
    # What is for the dead one is dropped, by name.
    drops = sum(switch.call('stats')['packets']['dropped'].values())
    third.run('ping', '-c', 2, '-i', 0.2, '-W', 1, victim_address, check=False)
    dropped = switch.call('stats')['packets']['dropped']
    assert sum(dropped.values()) > drops, dropped
    victim.start()
    wait_for(lambda: switch.port(victim.name)['state'] == 'up', 20, 'its port is up again')
    other.run('killall -INT ping')
    _, text = other.finish(out, check=False)
    assert ' 0% packet loss' in text, text
    assert victim.ping(other_address) == 3
    assert other.ping(victim_address) == 3

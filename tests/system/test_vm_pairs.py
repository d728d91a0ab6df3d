# SPDX-License-Identifier: BSD-3-Clause
"""TCP with all of a guest's offloads between every two kinds of attachment, both ways.

    guest a: eth0 ── vhost-user ──┐            ┌── vhost-user ── eth0: guest b
             eth1 ── VF 0 ─ nic0 ─┼── sluiced ─┼─ nic0 ─ VF 1 ── eth1
                                  └────┬───────┘
                                 veth, af_packet
                                       |
                                netns c: eth0

First the workers carry all, then VF to VF may go through the embedded switch. Each pair has a
subnet of its own; the namespace checks every checksum and takes no large packets.
"""
import pytest

from sluice_harness import Nic, tcp_transfer

pytestmark = pytest.mark.slow

# (side 1, side 2): each is a guest and its interface.
PAIRS = [(('a', 0), ('b', 0)), (('a', 0), ('b', 1)), (('a', 1), ('b', 1)),
         (('a', 0), ('c', 0)), (('a', 1), ('c', 0))]
KIND = {('a', 0): 'vhost-user', ('b', 0): 'vhost-user', ('a', 1): 'VF', ('b', 1): 'VF',
        ('c', 0): 'ethdev'}


def addresses(side):
    """This side's addresses, one for each pair that it is in, as in a guest's arguments."""
    return [f'10.0.{n}.{1 + pair.index(side)}/24' for n, pair in enumerate(PAIRS) if side in pair]


def config(work, veth):
    def port(name, **attach):
        return {'name': name, 'vm': f'vm-{name[0]}', 'attach': attach}
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'enabled': False, 'heavy_bps': '1M', 'light_bps': '500k', 'min_bps': '10k'},
        'nics': [{'name': 'nic0', 'queues': 2, 'default_queues': 1, 'vf_queues': 3,
                  'vf_default_queues': 1, 'vfs': 2,
                  'dev': 'net_emunic0,queues=2,vfs=2,rep_queues=3,representor=vf[0-1],wire=[sink],'
                         f'vf0=[vhost-user,path={work}/a1.sock],'
                         f'vf1=[vhost-user,path={work}/b1.sock]'}],
        'switches': [{
            'name': 'sw0', 'tables': [{'id': 0, 'default': 'normal'}],
            'ports': [port('a0', kind='vhost-user', path=f'{work}/a0.sock'),
                      port('a1', kind='vf', nic='nic0', vf=0),
                      port('b0', kind='vhost-user', path=f'{work}/b0.sock'),
                      port('b1', kind='vf', nic='nic0', vf=1),
                      {'name': 'c', 'attach': {'kind': 'ethdev',
                                               'dev': f'net_af_packet0,iface={veth}'}}]}],
    }


class Namespace:
    """A namespace that transfers as a guest does."""

    def __init__(self, ns):
        self.ns = ns
        self.jobs = []

    def run(self, command, timeout=30):
        return self.ns.run('busybox', 'sh', '-c', command, timeout=timeout)

    def begin(self, command):
        self.jobs.append(self.ns.start(['busybox', 'sh', '-c', command],
                                       f'/tmp/{self.ns}-{len(self.jobs)}.log'))
        return len(self.jobs) - 1

    def finish(self, job, timeout=30):
        proc = self.jobs[job]
        code, text = proc.wait(timeout), proc.text()
        proc.log.unlink()
        assert code == 0, text
        return text


def test_every_pair(work, sluiced, guest, netns):
    ns = netns('c')
    veth = ns.veth()
    for address in addresses(('c', 0)):
        ns.ip('addr', 'add', address, 'dev', 'eth0')
    switch = sluiced(config(work, veth))
    sides = {'c': Namespace(ns)}
    for n, name in enumerate('ab'):
        sides[name] = guest(name, [Nic(f'{work}/{name}{i}.sock', f'52:54:00:00:0{n}:0{i}',
                                       tuple(addresses((name, i)))) for i in (0, 1)])
        sides[name].start(wait=False)
    for name in 'ab':
        sides[name].wait_boot()
        # Two interfaces on one wire: each speaks for its own addresses only.
        sides[name].run('for f in all default eth0 eth1; do '
                        'echo 1 >/proc/sys/net/ipv4/conf/$f/arp_ignore; '
                        'echo 2 >/proc/sys/net/ipv4/conf/$f/arp_announce; done; '
                        # As large as the window allows, however slow the sender is.
                        'echo 32 >/proc/sys/net/ipv4/tcp_min_tso_segs')
    switch.wait_up()
    for name in 'ab':
        for i in (0, 1):
            assert {'csum', 'guest-csum', 'host-tso4', 'guest-tso4', 'mrg-rxbuf'} \
                <= sides[name].virtio_features(i), (name, i)
    for n, pair in enumerate(PAIRS):
        for direction in (0, 1):
            source, target = pair[direction], pair[1 - direction]
            # How large TCP's packets are hangs on its window too, which a loss makes small.
            for attempt in range(4):
                before = switch.settled()
                bps = tcp_transfer(sides[source[0]], sides[target[0]], f'10.0.{n}.{2 - direction}',
                                   megabytes=2, port=6000 + 20 * n + 10 * direction + attempt)
                print(f'{KIND[source]} to {KIND[target]}: {bps / 1e6:.0f} Mbit/s')
                after = switch.settled()
                if sizes_are_large(before, after, source, target):
                    break
            else:
                pytest.fail(f'{source} to {target}: no large packets in {attempt + 1} transfers')
    # The same between the VFs in the embedded switch.
    switch.config['offload']['enabled'] = True
    switch.write_config(switch.config)
    switch.call('config reload')
    before = switch.call('stats')['place_packets']['eswitch']
    for source, target, port in (('a', 'b', 6100), ('b', 'a', 6101)):
        tcp_transfer(sides[source], sides[target], f'10.0.2.{2 if source == "a" else 1}',
                     megabytes=8, port=port)
    assert switch.settled()['place_packets']['eswitch'] > before + 100

    # Nothing was lost because of its shape.
    dropped = switch.settled()['packets']['dropped']
    assert not {k for k in dropped if 'malformed' in k or k in ('mtu', 'no-buffer')}, dropped


def sizes_are_large(before, after, source, target):
    """A guest sends large packets; a guest gets them large, a plain device within its MTU."""
    def grown(side, what):
        name = side[0] if side[0] == 'c' else f'{side[0]}{side[1]}'
        then, now = ({d['port']: d for d in stats['devices']}[name] for stats in (before, after))
        return [now[f'{what}_{k}'] - then[f'{what}_{k}'] for k in ('bytes', 'packets')]
    bytes_in, packets_in = grown(source, 'rx')
    bytes_out, packets_out = grown(target, 'tx')
    assert min(bytes_in, bytes_out) > 2 << 20
    if target[0] == 'c':
        assert bytes_out <= 1514 * packets_out
        # What is large has to be cut for it.
        return after['packets']['copies'] > before['packets']['copies']
    if source[0] == 'c':
        return True
    return bytes_in > 1600 * packets_in and bytes_out > 1600 * packets_out

# SPDX-License-Identifier: BSD-3-Clause
"""What real guests do to their vhost-user devices while packets flow, and what switches do.

    netns c 10.0.0.3 ── veth ──┐              ┌── a: vhost-user ── QEMU, eth0 10.0.0.1
    generator ── wire of nic0 ─┼── sluiced ───┤
    netns d 10.9.0.1 ── veth ──┘              └── o: vhost-user ── virtio-user, answers all

a's guest pings c and is pinged; the generator's flows go to it too, every second one by a software
ring, so that packets wait for it. d sends o numbered packets all the while: none of them may be
lost, come twice or late, whatever happens to a.
"""
import re
import signal
import time

import pytest

from sluice_harness import Nic, Numbered, Proc, foreign_build_dir, wait_for

pytestmark = pytest.mark.slow

OTHER = '02:00:00:00:00:0f'
DROPS = {'link-down', 'tx-full', 'ring-full', 'nic-rx_missed'}


def config(work, c, d, mode='server', queues=1):
    def port(name, **attach):
        return {'name': name, 'vm': f'vm{name}', 'attach': attach}
    return {
        'drivers': ['librte_net_emunic.so'],
        'classes': [{'name': 'default', 'depth': 256}, {'name': 'bulk', 'depth': 256}],
        'offload': {'enabled': False},
        'nics': [{'name': 'nic0', 'queues': 2, 'default_queues': 1,
                  'dev': 'net_emunic0,queues=2,wire=[sink]'}],
        'switches': [{
            'name': 'sw0', 'tables': [{'id': 0, 'default': 'normal'}],
            'rules': [
                {'match': 'port=d', 'actions': 'output=o'}, {'match': 'port=o', 'actions': 'output=d'},
                {'priority': 2, 'match': 'port=uplink ip ip_dst=0.0.0.0/0.0.0.1',
                 'actions': 'class=bulk ring output=a'},
                {'priority': 1, 'match': 'port=uplink', 'actions': 'output=a'}],
            'ports': [
                {'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                port('a', kind='vhost-user', path=f'{work}/a.sock', mode=mode, queues=queues),
                port('o', kind='vhost-user', path=f'{work}/o.sock'),
                port('c', kind='ethdev', dev=f'net_af_packet0,iface={c}'),
                port('d', kind='ethdev', dev=f'net_af_packet1,iface={d}')]}],
    }


class Town:
    """The switch, with the guest of o answering d; a's guest is the test's to start."""

    def __init__(self, work, sluiced, guest, netns, **options):
        self.work = work
        self.guest = guest
        self.c, self.d = netns('c'), netns('d')
        veths = self.c.veth(address='10.0.0.3/24'), self.d.veth(address='10.9.0.1/24')
        self.d.ip('neigh', 'add', '10.9.0.2', 'lladdr', OTHER, 'dev', 'eth0')
        self.server = options.get('mode') == 'client'
        self.switch = sluiced(config(work, *veths, **options), telemetry=True)
        self.other = Proc([foreign_build_dir() / 'tests' / 'support' / 'guest', '--lcores', '0@0',
                           '--no-huge', '-m', '128', '--no-shconf', '--no-pci', '--no-telemetry',
                           '--vdev', f'net_virtio_user0,path={work}/o.sock,queue_size=1024,mac={OTHER}', '--',
                           '--answer'], work / 'other.log', stdin=-1)
        self.other.wait_text('^ready$', 30)
        self.numbered = None

    def vm(self, name='a', **options):
        queues = options.pop('queues', 1)
        vm = self.guest(name, [Nic(f'{self.work}/a.sock', '52:54:00:00:00:01',
                                   ('10.0.0.1/24', 'fd00::1/64'), queues=queues,
                                   server=self.server)], **options)
        return vm

    def traffic(self):
        """All of it; a's guest is up."""
        self.switch.wait_up()
        self.switch.swap('generator,flows=64,seed=3,pps=1000,size=200,v6=0')
        self.numbered = Numbered(self.d, '10.9.0.2', self.work / 'numbered.log')
        self.served()

    def served(self):
        """Packets reach a's guest, by the ring and without, and its own are answered."""
        wait_for(lambda: 'up' == self.switch.port('a')['state'], 30, 'a is up')
        before = self.switch.port('a')['tx_packets']
        wait_for(lambda: self.switch.port('a')['tx_packets'] > before + 500, 30, 'packets to a')
        wait_for(self.pinged, 30, 'c pings a')

    def pinged(self):
        return ' 0% packet loss' in self.c.run('ping', '-c', 3, '-i', 0.2, '-W', 2, '10.0.0.1',
                                               check=False)

    def end(self):
        """o's packets were untouched, nothing is held, and the ledger is exact."""
        self.switch.swap('sink')
        self.numbered.all_came()
        stats = self.switch.settled()
        assert stats['packets']['held'] == 0, stats['packets']
        assert set(stats['packets']['dropped']) <= DROPS, stats['packets']
        assert self.switch.call('log show', level='err')['items'] == []


@pytest.fixture
def town(work, sluiced, guest, netns):
    made = []

    def make(**options):
        made.append(Town(work, sluiced, guest, netns, **options))
        return made[-1]
    yield make
    for t in made:
        t.other.kill()


def test_a_guest_is_stopped_and_goes_on(town):
    """QMP's stop: QEMU takes the rings back, and the port is down until `cont`."""
    t = town()
    vm = t.vm().start()
    t.traffic()
    for _ in range(2):
        vm.qmp('stop')
        wait_for(lambda: t.switch.port('a')['state'] == 'down', 10, 'a is down')
        lost = t.switch.port('uplink')['drops'].get('link-down', 0)
        wait_for(lambda: t.switch.port('uplink')['drops'].get('link-down', 0) > lost + 100, 10,
                 'drops by name')
        assert t.switch.port('a')['held_packets'] == 0
        assert t.switch.port('a')['rings'] == 'no guest'
        vm.qmp('cont')
        t.served()
        assert t.switch.port('a')['rings'] == 'own'
    t.end()


def test_a_guest_reboots(town):
    t = town()
    vm = t.vm(reboots=True).start()
    t.traffic()
    vm.reset()
    wait_for(lambda: t.switch.port('a')['state'] == 'down', 10, 'a is down')
    vm.wait_boot(150)  # under load TCG takes its time
    t.served()
    wait_for(lambda: vm.ping('10.0.0.3') == 3, 30, 'a pings c')
    t.end()


def test_a_guest_is_killed_with_packets_held(town):
    """QEMU hangs, its ring runs full and packets wait; then it is gone, and they with it."""
    t = town()
    vm = t.vm().start()
    t.traffic()
    vm.proc.signal(signal.SIGSTOP)
    wait_for(lambda: t.switch.port('uplink')['drops'].get('ring-full', 0) > 0, 30, 'a full ring')
    assert t.switch.port('a')['held_packets'] >= 256 - 64  # a burst may be in a worker's hand
    vm.kill()
    wait_for(lambda: t.switch.port('a')['state'] == 'down', 10, 'a is down')
    wait_for(lambda: t.switch.port('a')['held_packets'] == 0, 10, 'nothing waits for it')
    assert t.switch.port('uplink')['drops']['link-down'] >= 256 - 64
    vm.start()
    t.served()
    t.end()


def test_two_guests_on_one_socket(town):
    """Who was first keeps it, and is not disturbed; the other one waits until it has gone."""
    t = town()
    first = t.vm().start()
    t.traffic()
    second = t.vm('second').start()
    wait_for(lambda: t.switch.port('a')['guests_waited'] > 0, 30, 'the second one waits')
    wait_for(lambda: any('another guest' in line['text']
                         for line in t.switch.call('log show', level='warn')['items']), 10, 'a warning')
    wait_for(lambda: first.ping('10.0.0.3') == 3, 30, 'the first one pings c')
    assert second.ping('10.0.0.3', count=1) == 0
    assert t.switch.port('uplink')['drops'].get('link-down', 0) == 0
    first.kill()
    t.served()
    wait_for(lambda: second.ping('10.0.0.3') == 3, 30, 'the second one pings c')
    t.end()


@pytest.mark.parametrize('queues', [1, 2])
def test_a_guest_changes_its_number_of_queues(town, queues):
    """Two workers may poll the port; the guest goes from one pair of rings to two and back."""
    t = town(queues=queues)
    vm = t.vm(queues=2, programs=['ethtool']).start()
    t.traffic()
    for n in (2, 1, 2, 1):
        job = vm.begin('ping -c 40 -i 0.05 -W 2 10.0.0.3')
        vm.run(f'ethtool -L eth0 combined {n}')
        now = vm.run('ethtool -l eth0').split('Current')[1]
        assert re.search(rf'Combined:\s+{n}$', now, re.M), now
        vm.finish(job)
        t.served()
    t.end()


@pytest.mark.parametrize('mode', ['server', 'client'])
def test_the_switch_restarts_under_a_guest(town, mode):
    """Well or badly: the guest's traffic comes back by itself, and its packets are not mixed up."""
    t = town(mode=mode)
    vm = t.vm()
    vm.start()
    t.switch.wait_up('a', 'c')
    wait_for(t.pinged, 30, 'c pings a')
    job = vm.begin('ping -c 100000 -i 0.05 -W 2 10.0.0.3')
    for how in ('stop', 'kill'):
        getattr(t.switch, how)()
        time.sleep(0.5)  # the guest's ring fills up meanwhile
        t.switch.start()
        t.switch.wait_up('a', 'c', timeout=40)
        wait_for(t.pinged, 30, 'c pings a again')
        assert t.switch.port('a')['rings'] == 'own'
    vm.run('killall -INT ping')
    _, text = vm.finish(job, check=False)
    assert ' duplicates' not in text, text
    assert set(t.switch.settled()['packets']['dropped']) <= {'link-down', 'same-port', 'tx-full'}

# SPDX-License-Identifier: BSD-3-Clause
"""Misses of a VF's table that come through its VM: the NIC gives them to the VF with a tag, the
guest passes them on over virtio, and the switch takes each once, as a packet of the VF's port.

      wire (sink)
    +---+------------------------+
    |  nic0: tables of v0 and v1 |
    +---+----------------+-------+
      vf0 ── guest 0   vf1 ── guest 1        sluiced ── w: net_null
                └── g0 ──────────── └── g1 ────┘
"""
import os
import select
import subprocess
import time

import pytest

from sluice_harness import RpcError, wait_for
from sluice_harness.machine import build_dir, cores
from sluice_harness.proc import Proc


class Passer:
    """A guest with a VF and a virtio port (tests/support/passer.c)."""

    def __init__(self, work, n):
        self.out, write = os.pipe()
        self.proc = Proc([build_dir() / 'tests/support/passer', '--lcores', f'0@{cores()[-1]}',
                          '--no-huge', '--no-shconf', '--no-pci', '--no-telemetry', '-m', '64',
                          '--vdev', f'net_virtio_user0,path={work}/vf{n}.sock,queue_size=256',
                          '--vdev', f'net_virtio_user1,path={work}/g{n}.sock,queue_size=256'],
                         work / f'passer{n}.log', stdin=subprocess.PIPE, stdout=write)
        os.close(write)
        self.text = ''
        while self.line() != 'ready':
            pass

    def line(self, timeout=20.0):
        end = time.monotonic() + timeout
        while '\n' not in self.text:
            ready = select.select([self.out], [], [], max(0, end - time.monotonic()))[0]
            chunk = os.read(self.out, 4096).decode() if ready else ''
            assert chunk, f'the guest says nothing:\n{self.proc.tail()}'
            self.text += chunk
        line, self.text = self.text.split('\n', 1)
        return line

    def say(self, text):
        """Its counters after that."""
        self.proc.popen.stdin.write(text.encode() + b'\n')
        self.proc.popen.stdin.flush()
        words = self.line().split()
        assert words[0] == 'sent', words
        return dict(zip(words[::2], map(int, words[1::2])))

    def stop(self):
        self.proc.popen.stdin.close()
        self.proc.stop()
        os.close(self.out)


@pytest.fixture
def guests(work):
    started = []

    def start(*numbers):
        started.extend(Passer(work, n) for n in numbers)
        return started[-len(numbers):]
    yield start
    for g in started:
        g.stop()


def config(work, offload=None, nic='', rules=None, miss='vm'):
    vms = range(2)
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'tick_ms': 5, 'vm_tables': True, 'rules_ahead': 16, **(offload or {})},
        'nics': [{'name': 'nic0', 'queues': 2, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 2,
                  'dev': 'net_emunic0,queues=2,vfs=2,rep_queues=2,representor=vf[0-1],wire=[sink],' +
                         ','.join(f'vf{n}=[vhost-user,path={work}/vf{n}.sock]' for n in vms) + nic}],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      *({'name': f'v{n}', 'vm': f'vm{n}', 'miss': miss,
                         'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': n}} for n in vms),
                      *({'name': f'g{n}', 'vm': f'vm{n}',
                         'attach': {'kind': 'vhost-user', 'path': f'{work}/g{n}.sock'}}
                        for n in vms),
                      {'name': 'w', 'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}}],
            'rules': rules or [
                {'name': 'away', 'match': 'port=v0 udp dport=9', 'actions': 'output=w'},
                {'name': 'away1', 'match': 'port=v1 udp dport=9', 'actions': 'output=w'},
                {'name': 'out', 'match': 'port=v0 udp dport=80', 'actions': 'rate=40G output=uplink'},
                {'name': 'not-g', 'match': 'port=g0', 'actions': 'drop', 'priority': 9}]}]}


@pytest.fixture
def switch(sluiced, work):
    def start(**more):
        return sluiced(config(work, **more), telemetry=True)
    return start


def through(s, *ports):
    for port in ports:
        wait_for(lambda p=port: s.port(p)['miss'] == 'vm', 15, f'misses of {port} come by its VM')


def passed(s, g, n, port='w', dport=9):
    """Packets of the VF arrive, each once; how many of them came to the guest with a tag. The
    guest reads nothing while it sends: no more at a time than its ring has room for."""
    before, tagged = s.port(port)['tx_packets'], g.say('stats')['tagged']
    for done in range(0, n, 100):
        part = min(100, n - done)
        g.say(f'send {part} {dport}')
        wait_for(lambda want=before + done + part: s.port(port)['tx_packets'] >= want, 20,
                 f'{part} packets at {port}')
    assert s.port(port)['tx_packets'] == before + n
    return g.say('stats')['tagged'] - tagged


def miss_rule_gone(s, g):
    """The rule that takes misses to the representor is out of the table: a packet shows it."""
    def look():
        before = g.say('stats')['tagged'], s.port('w')['tx_packets']
        g.say('send 1')
        wait_for(lambda: s.port('w')['tx_packets'] > before[1], 10, 'it arrives')
        return g.say('stats')['tagged'] > before[0]
    wait_for(look, 10, 'a miss comes through the VM')


@pytest.mark.parametrize('nic', ['', ',jump_miss_drop=1'])
def test_each_miss_comes_once(switch, guests, nic):
    s = switch(nic=nic)
    assert s.port('v0')['miss'] == 'representor'
    [g, other] = guests(0, 1)
    s.wait_up()
    through(s, 'v0', 'v1')
    miss_rule_gone(s, g)
    v0, g0 = s.port('v0'), s.port('g0')
    assert passed(s, g, 300) == 300
    # They are packets of the VF's port: its rule, its flows, its line of the ledger.
    assert s.call('rule show', rule='away')['packets'] >= 300
    assert s.call('rule show', rule='not-g')['packets'] == 0
    flows = s.call('flow list', limit=0)['items']
    assert {f['port'] for f in flows} == {'v0'} and len(flows) == 16, flows
    assert s.port('v0')['rx_packets'] == v0['rx_packets']
    assert s.port('g0')['rx_packets'] == g0['rx_packets'] + 300
    assert s.port('g0')['drops'] == {} and s.port('v0')['drops'] == {}
    miss_rule_gone(s, other)
    assert passed(s, other, 50) == 50
    stats = s.settled()
    assert stats['packets']['originated'] >= 350 <= stats['packets']['consumed']
    assert any(line.split() == ['miss', 'vm'] for line in s.ctl('port', 'show', 'v0').splitlines())


def test_foul_play(switch, guests):
    """Changed, made up, handed in twice or by another VM: each has a name, and none passes."""
    s = switch()
    [g, other] = guests(0, 1)
    s.wait_up()
    through(s, 'v0', 'v1')
    miss_rule_gone(s, g)
    miss_rule_gone(s, g)

    def fails(name, n, port='g0'):
        wait_for(lambda: s.port(port)['drops'].get(name, 0) >= n, 10, f'{n} {name} at {port}')
        assert s.port(port)['drops'][name] == n, s.port(port)['drops']
    w = s.port('w')['tx_packets']
    g.say('mode change')
    g.say('send 20')
    fails('miss-forged', 20)
    g.say('mode origin')
    g.say('send 20')
    fails('miss-forged', 40)
    g.say('make 10')
    fails('miss-forged', 50)
    assert s.port('w')['tx_packets'] == w
    g.say('mode twice')
    g.say('send 30')
    wait_for(lambda: s.port('w')['tx_packets'] == w + 30, 10, 'one of each two passes')
    fails('miss-replayed', 30)
    kept = 64
    g.say(f'save {s.directory}/kept')
    other.say(f'load {s.directory}/kept')
    fails('miss-foreign', kept, 'g1')
    g.say('mode drop')
    g.say('send 5')
    wait_for(lambda: g.say('stats')['tagged'] >= 77, 10, 'they came to the guest')
    assert s.port('w')['tx_packets'] == w + 30
    s.settled()


def test_keys_change_under_traffic(switch, guests):
    s = switch(offload={'miss_key_s': 1})
    [g] = guests(0)
    wait_for(lambda: s.port('g0')['state'] == 'up', 10, 'up')
    through(s, 'v0')
    miss_rule_gone(s, g)
    g.say('send 64')
    wait_for(lambda: g.say('stats')['tagged'] >= 64, 10, 'tags')
    end = time.monotonic() + 4  # several keys
    while time.monotonic() < end:
        passed(s, g, 200)
    assert s.port('g0')['drops'] == {}
    g.say(f'save {s.directory}/old')
    g.say('again')
    wait_for(lambda: s.port('g0')['drops'].get('miss-replayed', 0) == 64, 10, 'not again')

    def stale():
        g.say(f'load {s.directory}/old')
        return s.port('g0')['drops'].get('miss-stale', 0) >= 64
    wait_for(stale, 20, 'the key is no longer taken')
    s.settled()


def test_flows_get_entries(switch, guests):
    """What the rules decide for a miss goes into the VM's table, and comes no more."""
    s = switch(offload={'rules_ahead': 0}, rules=[
        {'name': 'out', 'match': 'port=v0 udp', 'actions': 'output=uplink'}])
    [g] = guests(0)
    wait_for(lambda: s.port('g0')['state'] == 'up', 10, 'up')
    through(s, 'v0')

    def placed():
        g.say('send 32 80')
        return len([f for f in s.call('flow list', limit=0)['items']
                    if f['place'] == 'eswitch' and f['state'] == 'placed']) == 16
    wait_for(placed, 20, 'the flows have entries')
    before = g.say('stats')
    out = s.call('stats')['nics'][0]['sent_wire']
    g.say('send 100 80')
    wait_for(lambda: s.call('stats')['nics'][0]['sent_wire'] >= out + 100, 10, 'they leave')
    assert g.say('stats')['tagged'] == before['tagged']
    s.settled()


def test_no_way_back_is_seen(switch, guests):
    """Without the guest's port, or by a reload, misses go to the representor, and it is said why."""
    s = switch()
    wait_for(lambda: 'vhost-user port' in s.port('v0').get('miss_reason', ''), 10, 'why not')
    [g] = guests(0)
    through(s, 'v0')
    miss_rule_gone(s, g)
    s.call('port detach', port='g0')
    wait_for(lambda: s.port('v0')['miss'] == 'representor', 10, 'the way is taken back')
    n = s.port('v0')['rx_packets']
    passed(s, g, 100)
    assert s.port('v0')['rx_packets'] == n + 100
    s.call('port attach', port='g0', kind='vhost-user', path=f'{s.directory}/g0b.sock')
    assert 'vhost-user port' in s.port('v0')['miss_reason']
    config = s.config
    for p in config['switches'][0]['ports']:
        p.pop('miss', None)
    s.write_config(config)
    s.call('config reload')
    assert 'miss_reason' not in s.port('v0')
    s.settled()


def test_what_is_needed(switch):
    s = switch(miss='representor')
    for port, more, words in ((1, {}, 'needs /offload/vm_tables'), (0, {}, 'that a VF carries'),
                              (3, {}, 'that a VF carries'), (1, {'miss': 'both'}, 'representor')):
        c = config(s.directory, miss='representor')
        c['control'] = s.config['control']
        c['switches'][0]['ports'][port].update({'miss': 'vm', **more})
        c['offload']['vm_tables'] = words != 'needs /offload/vm_tables'
        s.write_config(c)
        with pytest.raises(RpcError, match=words):
            s.call('config reload')
    c = config(s.directory)
    c['control'] = s.config['control']
    c['switches'][0]['ports'] = [p for p in c['switches'][0]['ports'] if p['name'] != 'g1']
    s.write_config(c)
    with pytest.raises(RpcError, match='VM "vm1" that is attached by vhost-user'):
        s.call('config reload')

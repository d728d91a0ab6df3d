# SPDX-License-Identifier: BSD-3-Clause
"""Guests that hang, die and come back; several switches and NICs in one process.

    generator ── wire of nic0 ── uplink ── sluiced ── g: vhost-user ── testpmd (a guest)
                                              └────── w: net_null
"""
import signal
from collections import Counter

import pytest
from scapy.all import IP, UDP, Ether, Raw

from sluice_harness import Frames, Testpmd, wait_for

ME, YOU = '02:00:00:00:00:01', '02:00:00:00:00:02'


def nic(n=0, **more):
    return {'name': f'nic{n}', 'queues': 4, 'default_queues': 1,
            'dev': f'net_emunic{n},queues=4,wire=[sink]', **more}


def null(name, n):
    return {'name': name, 'attach': {'kind': 'ethdev', 'dev': f'net_null{n},no-rx=1'}}


def config(work, rules, mode='server'):
    return {
        'drivers': ['librte_net_emunic.so'],
        'classes': [{'name': 'default', 'depth': 256}, {'name': 'bulk', 'depth': 256}],
        'offload': {'enabled': False},
        'nics': [nic()],
        'switches': [{'name': 'sw0', 'rules': rules, 'ports': [
            {'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
            {'name': 'g', 'vm': 'vmg', 'attach': {'kind': 'vhost-user', 'path': f'{work}/g.sock',
                                                  'mode': mode}},
            null('w', 0)]}],
    }


# Every second flow is the guest's, by a software ring or not.
def halves(actions):
    return [{'match': 'ip ip_dst=0.0.0.0/0.0.0.1', 'actions': f'{actions}output=g'},
            {'match': 'ip ip_dst=0.0.0.1/0.0.0.1', 'actions': f'{actions}output=w'}]


@pytest.fixture
def pmd(work):
    """Starts testpmd as a guest that takes all it gets."""
    started = []

    def start(name='guest', options=''):
        t = Testpmd(work, eal=[f'--vdev=net_virtio_user0,path={work}/g.sock,queue_size=256{options}'],
                    args=['--forward-mode=rxonly'], huge=False, name=name)
        started.append(t)
        t.cmd('start')
        return t
    yield start
    for t in started:
        if t.proc.running:
            t.proc.signal(signal.SIGCONT)
        t.stop()


def generate(switch, pps=20000):
    switch.swap(f'generator,flows=64,seed=3,pps={pps},size=200,v6=0')


def goes_on(switch, port, packets=1000):
    before = switch.port(port)['tx_packets']
    wait_for(lambda: switch.port(port)['tx_packets'] > before + packets, 10, f'packets to {port}')


def still(switch, port):
    """The port gets nothing while the other one does."""
    before = switch.port(port)['tx_packets']
    goes_on(switch, 'w')
    return switch.port(port)['tx_packets'] == before


@pytest.mark.parametrize('actions,name', [('', 'tx-full'), ('class=bulk ring ', 'ring-full')])
def test_a_guest_that_hangs(work, sluiced, pmd, actions, name):
    """It stops taking packets: they are dropped by name, and its ring only is full."""
    switch = sluiced(config(work, halves(actions)), telemetry=True)
    guest = pmd()
    switch.wait_up()
    generate(switch)
    goes_on(switch, 'g')
    guest.proc.signal(signal.SIGSTOP)
    wait_for(lambda: switch.port('uplink')['drops'].get(name, 0) > 500, 10, f'{name} drops')
    wait_for(lambda: still(switch, 'g'), 10, 'nothing goes to the guest')
    rings = {(r['target'], r['class']): r for r in switch.call('ring list')['items']}
    if actions:
        # Now and then the worker has a burst of them (64) in its hand, to try again.
        assert 256 - 64 <= rings['g', 'bulk']['held'] <= 256 and rings['g', 'bulk']['dropped'] > 0
        wait_for(lambda: switch.port('g')['held_packets'] == 256, 5, 'what is held is charged')
        assert switch.port('g')['held_bytes'] > 0
    others = [r for (target, _), r in rings.items() if target != 'g']
    assert not any(r['dropped'] for r in others), others
    assert switch.port('uplink')['drops'].keys() == {name}

    guest.proc.signal(signal.SIGCONT)
    goes_on(switch, 'g')
    switch.swap('sink')
    stats = switch.settled()
    assert stats['packets']['held'] == 0
    assert set(stats['packets']['dropped']) <= {name, 'nic-rx_missed'}, stats['packets']
    got = switch.port('g')['tx_packets']
    wait_for(lambda: guest.port_stats(0)['RX-packets'] >= got, 5, 'the guest has what was sent')


def test_a_guest_that_dies_with_a_full_ring(work, sluiced, pmd):
    switch = sluiced(config(work, halves('class=bulk ring ')), telemetry=True)
    guest = pmd()
    switch.wait_up()
    generate(switch)
    goes_on(switch, 'g')
    guest.proc.signal(signal.SIGSTOP)
    wait_for(lambda: switch.port('uplink')['drops'].get('ring-full', 0) > 0, 10, 'a full ring')
    guest.proc.kill()
    wait_for(lambda: switch.port('g')['state'] == 'down', 10, 'its port is down')
    wait_for(lambda: switch.port('uplink')['drops'].get('link-down', 0) > 256, 10, 'drops by name')
    assert switch.port('g')['held_packets'] == 0
    goes_on(switch, 'w')
    pmd('again')
    switch.wait_up()
    goes_on(switch, 'g')
    switch.swap('sink')
    switch.settled()


def test_the_port_of_a_hanging_guest_is_detached(work, sluiced, pmd):
    """What its ring holds has that name, and nothing waits for the guest."""
    switch = sluiced(config(work, halves('class=bulk ring ')), telemetry=True)
    guest = pmd()
    switch.wait_up()
    generate(switch)
    goes_on(switch, 'g')
    guest.proc.signal(signal.SIGSTOP)
    wait_for(lambda: switch.port('uplink')['drops'].get('ring-full', 0) > 0, 10, 'a full ring')
    switch.call('port detach', port='g')

    def named():
        drops = switch.port('uplink')['drops']
        return drops.get('port-removed', 0) + drops.get('no-attachment', 0) >= 256
    wait_for(named, 10, 'a worker has dropped by name what the ring held')
    goes_on(switch, 'w')
    switch.swap('sink')
    switch.settled()


def test_sluice_is_the_client(work, sluiced, pmd):
    """The guest makes the socket; it may come later, and again."""
    switch = sluiced(config(work, halves(''), mode='client'), telemetry=True)
    generate(switch)
    goes_on(switch, 'w')
    for name in ('first', 'second'):
        guest = pmd(name, ',server=1')
        wait_for(lambda: switch.port('g')['state'] == 'up', 15, 'the guest is there')
        goes_on(switch, 'g')
        guest.proc.kill()
        (work / 'g.sock').unlink(missing_ok=True)
        wait_for(lambda: switch.port('g')['state'] == 'down', 10, 'the guest is gone')
        goes_on(switch, 'w')
    switch.swap('sink')
    switch.settled()


def test_two_switches(sluiced):
    """The same names of tables, addresses and VLANs on both, and nothing passes between them."""
    ports = ['a', 'b']
    switch = sluiced({'switches': [
        {'name': f'sw{n}', 'id': n, 'tables': [{'id': 0, 'default': 'normal'}],
         'rules': [{'name': 'no-dns', 'priority': 1, 'match': 'udp dport=53',
                    'actions': 'drop' if n == 1 else 'normal'}],
         'ports': [{'name': f'{p}{n}'} for p in ports]} for n in (1, 2)]})
    frames = Frames(switch)
    frames.target('b1', 'b2')
    dns = Ether(src=ME, dst=YOU) / IP() / UDP(dport=53) / Raw(b'dns')
    other = Ether(src=ME, dst=YOU) / IP() / UDP(dport=80) / Raw(b'other')
    frames.play('a1', [dns, other, other])
    frames.play('a2', [dns, dns, other])
    assert Counter(frames.got('b1')) == Counter([bytes(other)] * 2)
    assert Counter(frames.got('b2')) == Counter([bytes(dns)] * 2 + [bytes(other)])
    assert frames.drops('a1') == {'rule-drop': 1} and frames.drops('a2') == {}
    macs = wait_for(lambda: (lambda m: len(m) == 2 and m)(switch.call('mac list')['items']), 5,
                    'both have learned')
    assert {(m['switch'], m['mac'], m['port']) for m in macs} == {('sw1', ME, 'a1'),
                                                                  ('sw2', ME, 'a2')}
    counts = {(r['switch'], r['name']): r['packets'] for r in switch.call('rule list')['items']}
    assert counts == {('sw1', 'no-dns'): 1, ('sw2', 'no-dns'): 2}
    switch.call('mac flush', switch='sw1')
    assert [m['switch'] for m in switch.call('mac list')['items']] == ['sw2']
    assert switch.ctl('rule', 'show', 'no-dns', check=False).returncode == 1  # of which switch?
    switch.ctl('rule', 'show', 'no-dns', '--switch', 'sw2')
    switch.settled()


def test_two_nics(sluiced):
    """From wire to wire over two NICs: a flow has a place at each."""
    cfg = {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '500k', 'light_bps': '200k', 'min_bps': '1k'},
        'nics': [nic(0), nic(1)],
        'switches': [{'name': 'sw0', 'ports': [
            {'name': f'up{n}', 'attach': {'kind': 'nic', 'nic': f'nic{n}'}} for n in (0, 1)],
            'rules': [{'match': f'port=up{n}', 'actions': f'output=up{1 - n}'} for n in (0, 1)]}],
    }
    switch = sluiced(cfg, telemetry=True)
    switch.wait_up()
    switch.swap('generator,flows=20,seed=1,pps=5000,size=300', nic='net_emunic0')
    switch.swap('generator,flows=20,seed=2,pps=5000,size=300,src=10.9.0.0/16', nic='net_emunic1')

    def placed():
        for f in switch.call('flow list', state='placed')['items']:
            full = switch.call('flow show', flow=f['id'])
            ends = full['in'], full['out']
            if all('queue' in e['place'] for e in ends):
                return ends
        return None
    into, out = wait_for(placed, 10, 'a flow with a queue at both NICs')
    assert {into['device'], out['device']} == {'nic0', 'nic1'}
    assert '/rx/' in into['queue'] and '/tx/' in out['queue']
    names = {n['nic'] for n in switch.call('offload status')['items'] if n['rules'] > 0}
    assert names == {'nic0', 'nic1'}
    for n in (0, 1):
        switch.swap('sink', nic=f'net_emunic{n}')
    stats = switch.settled()
    first, second = stats['nics']
    assert first['sent_wire'] > 0 and second['sent_wire'] > 0


def test_containers_on_memif(work, sluiced):
    """One testpmd with an interface on each of two ports sends its packets round and round."""
    def memif(n, role):
        return f'net_memif{n},role={role},id={n},socket={work}/m.sock,socket-abstract=no'
    switch = sluiced({'switches': [{'name': 'sw0', 'rules': [
        {'match': 'port=a', 'actions': 'output=b'}, {'match': 'port=b', 'actions': 'output=a'}],
        'ports': [{'name': n, 'attach': {'kind': 'ethdev', 'dev': memif(i, 'server')}}
                  for i, n in enumerate('ab')]}]})
    assert switch.port('a')['state'] == 'down'
    with Testpmd(work, eal=[f'--vdev={memif(n, "client")}' for n in (0, 1)], huge=False) as pmd:
        switch.wait_up()

        # A memif client gives buffers when it is polled: what comes before that is tx-full.
        def goes_round():
            pmd.cmd('start tx_first')
            try:
                return wait_for(lambda: min(switch.port(p)['tx_packets'] for p in 'ab') > 10000, 2)
            except AssertionError:
                pmd.cmd('stop')
                return False
        wait_for(goes_round, 10, 'packets go round')
        pmd.cmd('stop')
        stats = switch.settled()
        for n, name in enumerate('ab'):
            sent = next(p['delivered'] for p in stats['ports'] if p['name'] == name)
            assert pmd.port_stats(n)['RX-packets'] <= sent
        assert set(stats['packets']['dropped']) <= {'tx-full'}, stats['packets']
    wait_for(lambda: switch.port('a')['state'] == 'down', 10, 'the container is gone')

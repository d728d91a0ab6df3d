# SPDX-License-Identifier: BSD-3-Clause
"""Receive queues go between two workers while numbered packets flow.

    FILE -- wire of nic0 -- uplink, 4 receive queues, RSS -- sluiced, 2 workers -- out: a file

Each flow's packets leave in the order of their numbers, none is missing that the NIC, and the ring
to the worker that sends, had room for while a worker was kept from the CPU; and the ledger balances,
whoever polls a queue when.
"""
import collections
import contextlib
import shutil
import struct

import pytest

from sluice_harness import RpcError, Sluiced, read_capture, short_dir, wait_for, write_capture
from sluice_harness.machine import lcores

FLOWS = 64
PACKETS = 240000
RATE = 20000  # a second


def frame(flow, number):
    payload = struct.pack('!II', flow, number)
    udp = struct.pack('!HHHH', 1000 + flow, 2000 + 7 * flow, 8 + len(payload), 0) + payload
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                     bytes([10, 0, 0, flow]), bytes([10, 1, flow, 1]))
    total = sum(struct.unpack('!10H', ip))
    total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack('!H', ~(total + (total >> 16)) & 0xffff) + ip[12:]
    return b'\x02\0\0\0\0\x02' + b'\x02\0\0\0\0\x01' + b'\x08\0' + ip + udp


def config(work, **balance):
    return {
        'drivers': ['librte_net_emunic.so'],
        'datapath': {'balance': balance},
        'nics': [{'name': 'nic0', 'queues': 4, 'default_queues': 4,
                  'dev': 'net_emunic0,queues=4,vfs=0,wire=[sink]'}],
        'offload': {'enabled': False},
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'out', 'attach': {
                          'kind': 'ethdev', 'dev': f'net_pcap0,tx_pcap={work}/out.pcap'}}],
            'rules': [{'match': 'port=uplink', 'actions': 'output=out'}]}]}


@pytest.fixture
def two_workers():
    """Starts a switch with two workers and this balancing."""
    with contextlib.ExitStack() as stack:
        work = short_dir('balance')
        stack.callback(shutil.rmtree, work, ignore_errors=True)

        def start(**balance):
            s = stack.enter_context(Sluiced(work, config(work, **balance), eal=['--lcores', lcores(3)],
                                            telemetry=True))
            s.wait_up('uplink', 'out')
            return s
        yield start


def play(switch):
    path = switch.directory / 'in.pcap'
    frames = [frame(n % FLOWS, n // FLOWS) for n in range(PACKETS)]
    write_capture(path, frames)
    switch.swap(f'replay,file={path},speed={RATE / 1e6}')  # they are 1 us apart in the file


def polls(switch, worker):
    return sorted(q['queue'] for q in switch.call('worker show', worker=worker)['queues']
                  if q['port'] == 'uplink')


def all_in_order(switch):
    """The packets that came out; each flow's are in order, and what is missing is accounted for."""
    def played():
        return switch.port('uplink')['rx_packets'] + missed(switch) >= PACKETS
    wait_for(played, 120, f'{PACKETS} packets: {switch.port("uplink")}')
    stats = switch.settled()
    full = stats['software']['dropped'].pop('handover-full', 0)
    assert not any(stats['software']['dropped'].values()), stats['software']
    received = switch.port('uplink')['rx_packets']
    switch.call('port detach', port='out')
    last = collections.defaultdict(lambda: -1)
    out = read_capture(switch.directory / 'out.pcap')
    for data in out:
        flow, number = struct.unpack('!II', data[42:50])
        assert number > last[flow], f'flow {flow}: {number} after {last[flow]}'
        last[flow] = number
    assert len(out) == received - full
    return len(out)


def missed(switch):
    """What the NIC had no room for, while its poller was kept from the CPU."""
    xstats = switch.telemetry('/ethdev/xstats,0')['/ethdev/xstats']
    return sum(v for k, v in xstats.items() if k.startswith('nic_drop_'))


def test_uneven_load(two_workers):
    """All queues are put on one worker: balancing sees it and gives the other its part, with no
    packet out of order; then it is content."""
    s = two_workers(enabled=False, interval_ms=200, load_pct=1, gain_pct=20)
    for queue in range(4):
        if queue in polls(s, 1):
            moved = s.call('worker move', port='uplink', queue=queue, worker=0)
            assert (moved['from'], moved['worker'], moved['outcome']) == (1, 0, 'moved')
    assert polls(s, 0) == [0, 1, 2, 3] and polls(s, 1) == []
    play(s)
    planned = wait_for(lambda: (lambda b: b if b['plan'] else None)(s.call('worker balance')), 30,
                       'a plan')
    assert not planned['enabled'] and planned['verdict'] == 'queues should move', planned
    assert planned['after_pct'] < planned['before_pct'], planned
    assert {m['from'] for m in planned['plan']} == {0}, planned
    assert not [m for m in planned['moves'] if m['by'] == 'load'], 'a dry run moves nothing'
    s.config['datapath']['balance']['enabled'] = True
    s.write_config(s.config)
    assert 'balance of queues changed' in s.call('config reload')['changed']
    seen = wait_for(lambda: (lambda b: b if b['rounds'] else None)(s.call('worker balance')), 60,
                    'balancing')
    wait_for(lambda: polls(s, 1) and polls(s, 0), 30, f'both have queues: {seen}')
    all_in_order(s)
    by_load = [m for m in s.call('worker balance')['moves'] if m['by'] == 'load']
    assert 'moved' in [m['outcome'] for m in by_load], by_load
    for m in by_load:
        assert m['unpolled_us'] < 1000000, m


def test_back_and_forth(two_workers):
    """Each queue moves again and again by hand while packets flow."""
    s = two_workers(enabled=False)
    play(s)
    moves = 0
    while s.port('uplink')['rx_packets'] + missed(s) < PACKETS:
        queue = moves % 4
        s.call('worker move', port='uplink', queue=queue, worker=int(queue in polls(s, 0)))
        moves += 1
        if moves == 20:  # the caches of both have them by now
            flows = [str(f['match']) for f in s.call('flow list', limit=0)['items']]
            assert flows and len(set(flows)) == len(flows), flows
    assert moves > 20
    all_in_order(s)
    ended = s.call('worker balance')['moves']
    assert {m['outcome'] for m in ended} == {'moved'}, ended


def test_a_restart_of_the_nic(two_workers):
    """The queues of its ports stay with their workers, and pinned."""
    s = two_workers(enabled=False)
    s.call('worker move', port='uplink', queue=0, worker=1, pin=True)
    for queue in polls(s, 0):
        s.call('worker move', port='uplink', queue=queue, worker=1)
    s.call('nic restart', nic='nic0')
    assert polls(s, 1) == [0, 1, 2, 3]
    assert [q['pinned'] for q in s.call('worker show', worker=1)['queues']
            if q['port'] == 'uplink' and q['queue'] == 0] == [True]


def test_pins_and_refusals(two_workers):
    """A queue that a person has pinned stays, and what cannot be is refused with its reason."""
    s = two_workers(enabled=True, interval_ms=100, load_pct=1, gain_pct=5)
    for queue in range(4):
        s.call('worker move', port='uplink', queue=queue, worker=0, pin=True)
    play(s)
    rounds = s.call('worker balance')
    assert rounds['rounds'] == 0 and not rounds['plan'], rounds
    wait_for(lambda: s.call('worker show', worker=0)['packets'] > PACKETS // 4, 60, 'packets')
    assert polls(s, 0) == [0, 1, 2, 3]
    assert all(q['pinned'] for q in s.call('worker show', worker=0)['queues'])
    assert not s.call('worker unpin', port='uplink', queue=3)['pinned']
    for args, reason in (
            ({'port': 'uplink', 'queue': 4, 'worker': 1}, 'uplink has 4 receive queues, 0 to 3'),
            ({'port': 'uplink', 'queue': 1, 'worker': 2}, 'there is no worker 2, the last one is 1'),
            ({'port': 'uplink', 'queue': 1, 'worker': 0}, 'worker 0 has it already'),
            ({'port': 'nowhere', 'queue': 1, 'worker': 0}, 'nowhere')):
        with pytest.raises(RpcError, match=reason):
            s.call('worker move', **args)
    assert 'uplink' in s.ctl('worker', 'show', '0')
    assert 'verdict' in s.ctl('worker', 'balance')
    all_in_order(s)

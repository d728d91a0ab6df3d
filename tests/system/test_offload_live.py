# SPDX-License-Identifier: BSD-3-Clause
"""Where flows are handled, on the emulated NIC, while traffic flows.

                    generator or capture
                            | wire
      +---------------------+----------------------+
      |  nic0: embedded switch, queues of the PF   |
      +---+------------+---------------+-----------+
        vf0 (sink)   vf1 (sink)     sluiced ── w, x: net_null or files

To v0 and v1 the embedded switch can carry a flow; to w and x it is a queue, a ring or software.
"""
import json
import random
import struct
from collections import Counter, defaultdict

import pytest
from scapy.all import IP, UDP, Ether, Raw

from sluice_harness import RpcError, read_capture, wait_for

PLACES = ['eswitch', 'exclusive-queue', 'shared-queue', 'ring', 'software']


def config(rules, ports=(), offload=None, capacity=256, queues=6, **more):
    def null(name, n):
        return {'name': name, 'vm': f'vm-{name}',
                'attach': {'kind': 'ethdev', 'dev': f'net_null{n},no-rx=1'}}
    return {
        'drivers': ['librte_net_emunic.so'],
        'classes': [{'name': 'default', 'depth': 4096}, {'name': 'bulk', 'depth': 4096}],
        'offload': {'heavy_bps': '500k', 'light_bps': '200k', 'min_bps': '1k', 'idle_ms': 1000,
                    'residency_ms': 50, 'tick_ms': 10, **(offload or {})},
        'nics': [{'name': 'nic0', 'queues': queues, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 2,
                  'dev': f'net_emunic0,queues={queues},vfs=2,rep_queues=2,representor=vf[0-1],'
                         f'capacity={capacity},wire=[sink],vf0=[sink],vf1=[sink]'}],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      *({'name': f'v{n}', 'vm': f'vm-v{n}',
                         'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': n}} for n in (0, 1)),
                      *(ports or (null('w', 0), null('x', 1)))],
            'tables': [{'id': 0, 'default': 'drop'}],
            'rules': rules, **more}],
    }


# The lowest two bits of the destination choose the port.
HASH = [{'name': f'to-{port}', 'match': f'ip ip_dst=0.0.0.{n}/0.0.0.3', 'actions': f'output={port}'}
        for n, port in enumerate(['v0', 'v1', 'w', 'x'])]


@pytest.fixture
def switch(sluiced):
    def start(*args, **more):
        started = sluiced(config(*args, **more), telemetry=True)
        started.wait_up()
        return started
    return start


def generate(switch, flows, pps, **more):
    options = {'flows': flows, 'seed': 7, 'pps': pps, 'size': 300, 'skew': 1.1, 'v6': 0, **more}
    switch.swap('generator,' + ','.join(f'{k}={v}' for k, v in options.items()))


def flows(switch, **filters):
    return switch.call('flow list', limit=0, **filters)['items']


def finish(switch):
    """The end of the traffic; the sums."""
    switch.swap('sink')
    return switch.settled()


def test_every_place(switch):
    s = switch(HASH, capacity=60, offload={'min_bps': '80k'})
    generate(s, 300, 20000)

    def carried():
        stats = s.call('stats')
        return all(stats['place_packets'][p] > 200 for p in PLACES)
    wait_for(carried, 20, 'packets at every place')
    for place in PLACES:
        some = wait_for(lambda p=place: flows(s, place=p), 5, f'a flow at {place}')
        assert {f['place'] for f in some} == {place}
        if place in PLACES[:3]:
            assert {f['state'] for f in some} <= {'placed', 'installing', 'removing'}, place
    for f in flows(s, place='eswitch'):
        assert f['to'] in ('v0', 'v1'), f
    for f in flows(s, place='exclusive-queue') + flows(s, place='shared-queue'):
        assert f['to'] in ('w', 'x') and f['queue'].startswith('nic0/pf/rx/'), f

    # Queues: what one says of itself and what its flows say is the same.
    queues = {q['queue']: q for q in s.call('queue list', kind='rx')['items'] if q['port'] == 'pf'}
    assert queues[0]['use'] == 'default'
    assert {q['use'] for n, q in queues.items() if n} <= {'exclusive', 'shared', 'free'}
    assert any(q['use'] == 'exclusive' and q['flows'] == 1 for q in queues.values())
    status = s.call('offload status')['items'][0]
    # One may be under way beyond what is known to fit: the size is tried anew now and then.
    assert 0 < status['rules'] <= 61 and status['queues_free'] < status['queues']
    assert all(q['packets'] > 0 for q in queues.values() if q['use'] == 'exclusive')

    stats = finish(s)
    assert stats['nics'][0]['eswitch_packets'] == stats['place_packets']['eswitch']
    assert sum(stats['place_packets'].values()) == stats['nics'][0]['received_wire'] \
        - stats['packets']['dropped'].get('nic-rx_missed', 0), stats
    assert stats['bytes']['eswitch'] > 0 and stats['bytes']['queues'] > 0
    assert stats['flows']['seen'] >= 250


def test_idle_flows_leave(switch):
    s = switch(HASH)
    generate(s, 50, 10000, count=20000)
    wait_for(lambda: flows(s, place='eswitch') and flows(s, place='exclusive-queue'), 10,
             'placed flows')
    wait_for(lambda: s.call('stats')['nics'][0]['wire_finished'], 10, 'the end of the traffic')
    wait_for(lambda: not flows(s, state='placed'), 10, 'no flow is placed')
    wait_for(lambda: s.call('offload status')['items'][0]['rules'] == 0, 5, 'no rule is left')
    assert {q['use'] for q in s.call('queue list')['items']} == {'default', 'free'}
    # What they carried is not forgotten.
    stats = s.settled()
    assert sum(stats['place_packets'].values()) == 20000
    assert stats['packets']['sent'] == 20000, stats['packets']
    ports = {p['name']: p for p in s.call('port list')['items']}
    assert ports['uplink']['hw_rx_packets'] == stats['place_packets']['eswitch'] > 0, ports
    assert ports['v0']['hw_tx_packets'] + ports['v1']['hw_tx_packets'] \
        == ports['uplink']['hw_rx_packets'], ports
    assert ports['uplink']['hw_rx_packets'] + ports['uplink']['rx_packets'] == 20000, ports


def test_a_deny_is_obeyed_in_hardware(switch):
    s = switch(HASH)
    generate(s, 40, 10000)
    to = {p: wait_for(lambda p=p, where=where: [f for f in flows(s, place=where, sort='rate')
                                                if f['to'] == p], 10, f'a flow to {p} at {where}')
          for p, where in (('v0', 'eswitch'), ('w', 'exclusive-queue'))}
    assert to

    # Software and lanes obey at the reply: nothing more comes out at w.
    answer = s.call('rule add', match='ip_dst=0.0.0.2/0.0.0.3', actions='drop', priority=9,
                    name='deny-w')
    still = s.port('w')['tx_packets']
    assert answer['software'] == 'in-force'
    before = s.port('uplink')['drops'].get('rule-drop', 0)
    wait_for(lambda: s.port('uplink')['drops'].get('rule-drop', 0) > before + 100
             or s.call('rule show', rule='deny-w')['hardware'].startswith(('1', '2', '3')), 10,
             'it hits')
    assert s.port('w')['tx_packets'] == still

    # The embedded switch obeys when --wait answers: nothing more comes out at vf0.
    answer = json.loads(s.ctl('--json', 'rule', 'add', 'ip_dst=0.0.0.0/0.0.0.3', 'drop',
                              '--priority', 9, '--name', 'deny-v0', '--wait'))
    assert answer['hardware'] == 'in-force', answer

    def to_v0():
        return [f for f in flows(s, place='eswitch') if f['to'] == 'v0']

    def sent():
        stats = s.call('stats')
        return stats['nics'][0]['sent_vf'], stats['nics'][0]['received_wire']
    assert to_v0() == []
    s.call('rule add', match='ip_dst=0.0.0.1/0.0.0.3', actions='drop', priority=9, name='deny-v1',
           wait=True)
    vf, wire = sent()
    wait_for(lambda: sent()[1] > wire + 1000, 10, 'traffic goes on')
    assert sent()[0] == vf, 'a packet came out of a VF after the deny'

    # And back.
    for name in ('deny-v0', 'deny-v1', 'deny-w'):
        assert s.call('rule del', rule=name, wait=True)['hardware'] == 'in-force'
    wait_for(to_v0, 10, 'the flows are back in the embedded switch')
    wait_for(lambda: s.port('w')['tx_packets'] > still, 10, 'packets at w again')
    finish(s)


def test_another_output_for_flows_in_hardware(switch):
    """A rule that turns flows away from where hardware sends them."""
    s = switch(HASH)
    generate(s, 40, 10000)
    wait_for(lambda: any(f['to'] == 'v0' for f in flows(s, place='eswitch')), 10, 'eswitch')
    for n in range(6):
        port = ['v1', 'w', 'x', 'v0', 'w', 'v1'][n]
        s.call('rule add', match='ip_dst=0.0.0.0/0.0.0.3', actions=f'output={port}',
               priority=10 + n, name=f'turn{n}', wait=True)
        got = s.port(port)['tx_packets'] if port in 'wx' else None
        found = wait_for(lambda p=port: [f for f in flows(s, match='ip_dst=0.0.0.0/0.0.0.3')
                                         if f['to'] == p], 10, f'flows to {port}')
        assert not [f for f in flows(s, match='ip_dst=0.0.0.0/0.0.0.3', place='eswitch')
                    if f['to'] != port and f['state'] == 'placed'], found
        if got is not None:
            wait_for(lambda p=port, g=got: s.port(p)['tx_packets'] > g + 100, 10, f'at {port}')
    finish(s)


def test_a_full_table(switch):
    s = switch([{'match': 'any', 'actions': 'output=v0'}], capacity=8)
    generate(s, 60, 10000, skew=0)
    wait_for(lambda: s.call('stats')['refused'].get('table-full', 0) > 20, 10, 'table full')
    assert len(flows(s, place='eswitch', state='placed')) <= 8

    def waits():
        """A flow that waits, and still does when it was explained."""
        for f in [f for f in flows(s) if 'table' in f['reason']][-5:]:
            shown = s.call('flow explain', flow=f['id'])
            text = s.ctl('flow', 'explain', f['id'])
            if 'full' in shown['in']['reason'] and 'full' in text:
                return shown
        return None
    shown = wait_for(waits, 10, 'a flow that waits for an entry')
    assert shown['rule'] and shown['rule'][0].endswith('-> output=v0'), shown
    # An entry that gets free goes to the next one: kill half of the residents by a rule.
    first = {f['id'] for f in flows(s, place='eswitch', state='placed')}
    s.call('rule add', match='udp', actions='drop', priority=5)
    wait_for(lambda: {f['id'] for f in flows(s, place='eswitch', state='placed')} - first, 10,
             'others moved in')
    finish(s)


def test_reasons(switch):
    """Why a flow is not in hardware."""
    rules = [{'match': 'ip ip_dst=0.0.0.1/0.0.0.3', 'actions': 'flood'},
             {'match': 'tcp ip_dst=0.0.0.0/0.0.0.3', 'priority': 2, 'actions': 'goto=flags'},
             {'table': 'flags', 'match': 'tcp tcp_flags=+syn-ack', 'actions': 'drop',
              'priority': 2},
             {'table': 'flags', 'match': 'any', 'actions': 'output=v0'},
             {'match': 'ip ip_dst=0.0.0.0/0.0.0.3', 'actions': 'output=v0'},
             {'match': 'ip ip_dst=0.0.0.2/0.0.0.3', 'actions': 'set_eth_dst=02:00:00:00:00:05 '
                                                               'output=v0'},
             {'match': 'ip ip_dst=0.0.0.3/0.0.0.3', 'actions': 'output=x'}]
    s = switch(rules, queues=2, offload={'shared_flows': 1},
               tables=[{'id': 0, 'default': 'drop'}, {'id': 1, 'name': 'flags'}])
    generate(s, 60, 5000, udp=50)

    def reason(match, word, **more):
        def look():
            return [f for f in flows(s, match=match, **more) if f['id'] and word in f['reason']]
        return wait_for(look, 10, f'a flow {match} with {word}')
    reason('ip ip_dst=0.0.0.1/0.0.0.3', 'actions')
    reason('tcp ip_dst=0.0.0.0/0.0.0.3', 'tcp-flags')
    wait_for(lambda: flows(s, match='udp ip_dst=0.0.0.0/0.0.0.3', place='eswitch'), 10,
             'no such flow of UDP waits')
    reason('ip ip_dst=0.0.0.3/0.0.0.3', 'queue')
    with pytest.raises(RpcError, match='no flow'):
        s.call('flow explain', flow='ip ip_dst=192.0.2.1')
    with pytest.raises(RpcError, match='not known'):
        s.call('flow show', flow='f4000000')
    with pytest.raises(RpcError):
        s.call('flow show', flow='x')
    got = s.call('flow explain', flow='tcp ip_dst=0.0.0.0/0.0.0.3', all=True)
    assert got['items'] and all('in' in f for f in got['items'])
    finish(s)


def test_fields_keep_only_those_out_that_can_meet_them(switch):
    """A rule that reads TCP flags of port 22 keeps no other flow on the host."""
    s = switch([{'match': 'tcp dport=22 tcp_flags=+syn-ack', 'actions': 'drop', 'priority': 2},
                {'match': 'ip', 'actions': 'output=v0'}])
    generate(s, 60, 5000)
    wait_for(lambda: flows(s, match='tcp dport=80', place='eswitch'), 20, 'flows in hardware')

    def all_say_so():
        known = [f for f in flows(s, match='tcp dport=22') if f['id']]
        return known and all('depends on tcp-flags' in f['reason'] for f in known)
    wait_for(all_say_so, 20, 'the reason')
    assert not flows(s, match='tcp dport=22', place='eswitch')
    assert not [f for f in flows(s, match='tcp dport=80') if 'depends' in f['reason']]
    finish(s)


def test_offload_is_turned_off_and_on(switch):
    s = switch(HASH)
    generate(s, 40, 10000)
    wait_for(lambda: flows(s, state='placed'), 10, 'placed flows')
    cfg = {**s.config, 'offload': {**s.config['offload'], 'enabled': False}}
    s.write_config(cfg)
    s.call('config reload')
    wait_for(lambda: not [f for f in flows(s) if f['place'] in PLACES[:3]], 10, 'all on the host')
    wait_for(lambda: s.call('offload status')['items'][0]['rules'] == 0, 5, 'no rules')
    s.write_config(s.config)
    s.call('config reload')
    wait_for(lambda: flows(s, place='eswitch') and flows(s, place='exclusive-queue'), 10, 'again')
    finish(s)


def test_share_keeps_flows_on_queues(switch):
    s = switch(HASH, mode='share')
    generate(s, 100, 10000)
    wait_for(lambda: len(flows(s, place='shared-queue')) > 20, 10, 'flows share queues')
    stats = finish(s)
    assert stats['place_packets']['ring'] == 0


def sequence(flows_n, packets, phases, gap_us, seed):
    """Records (time, frame) of UDP flows to w and x; each frame has its flow and its number. Which
    flows are heavy changes from phase to phase."""
    rng = random.Random(seed)
    heads = []
    for n in range(flows_n):
        head = bytes(Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02')
                     / IP(src=f'10.0.0.{n + 1}', dst=f'10.1.0.{2 + n % 2}', len=20 + 8 + 200)
                     / UDP(sport=1000 + n, dport=2000, len=208, chksum=0) / Raw(b''))
        heads.append(head)
    number, out = Counter(), []
    for phase in range(phases):
        weights = [1 / (1 + rng.randrange(flows_n)) ** 1.5 for _ in heads]
        for n in rng.choices(range(flows_n), weights, k=packets // phases):
            out.append(heads[n] + struct.pack('>II', n, number[n]) + b'x' * 192)
            number[n] += 1
    return out, number


def write_timed(path, frames, gap_us):
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for i, frame in enumerate(frames):
            us = i * gap_us
            f.write(struct.pack('<IIII', 1 + us // 1000000, us % 1000000, len(frame), len(frame)))
            f.write(frame)


def check_order(frames, number, lossless):
    """Every flow's packets are there, once, in their order. Returns how many others came first."""
    last = defaultdict(lambda: -1)
    seen = Counter()
    late = []
    for frame in frames:
        flow, n = struct.unpack_from('>II', frame, 42)
        if n < last[flow]:
            late.append(f'flow {flow}: {n} came after {last[flow]}')
        last[flow] = max(n, last[flow])
        seen[flow] += 1
    if lossless:
        assert seen == number
    return late


def test_order_within_a_flow(switch, work):
    """Flows to a port that is a file, while they move between software, rings and queues."""
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    ports = [{'name': n, 'vm': f'vm-{n}', 'hints': True,
              'attach': {'kind': 'ethdev', 'dev': f'net_pcap{i},tx_pcap={work}/{n}.pcap'}}
             for i, n in enumerate('wx')]
    s = switch(HASH, ports=ports, queues=3, offload={'residency_ms': 20, 'heavy_bps': '300k',
                                                     'light_bps': '100k'})
    frames, number = sequence(24, 40000, 8, 100, seed)
    write_timed(work / 'in.pcap', frames, 100)
    s.swap(f'replay,file={work}/in.pcap')
    paths = set()
    turn = 0
    while not s.call('stats')['nics'][0]['wire_finished']:
        # Besides their rates, a VM's hints and rules that name a class move flows.
        turn += 1
        s.call('vm hint', vm='vm-w', match=f'udp sport={1000 + turn % 12 * 2}',
               place='raise' if turn % 3 else 'lower')
        name = f'turn{turn % 3}'
        if any(r['name'] == name for r in s.call('rule list')['items']):
            s.call('rule del', rule=name)
        else:
            s.call('rule add', match=f'udp sport={1000 + turn * 7 % 24} '
                                     f'ip_dst=10.1.0.{2 + turn % 2}', priority=5, name=name,
                   actions=f'class=bulk output={"wx"[turn % 2]}')
        paths |= {f['place'] for f in flows(s)}
        wait_for(lambda t=turn: s.call('stats')['nics'][0]['wire_played'] > t * 1000
                 or s.call('stats')['nics'][0]['wire_finished'], 10, 'it plays')
    stats = s.settled()
    for name in 'wx':
        s.call('port detach', port=name)
    got = [read_capture(work / f'{n}.pcap') for n in 'wx']
    lost = stats['packets']['dropped']
    assert not check_order(got[0] + got[1], number, not lost)
    assert sum(map(len, got)) + sum(lost.values()) == len(frames), lost
    assert {'exclusive-queue', 'ring'} <= paths, paths
    assert min(stats['place_packets'][p] for p in PLACES[1:]) > 50, stats['place_packets']


def test_flows_to_a_vf_over_transmit_queues(sluiced, work):
    """From another NIC to a VF: flows move between transmit queues of its representor."""
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    cfg = config([{'match': 'any', 'actions': 'output=v0'}], queues=4,
                 ports=[{'name': 'src', 'attach': {'kind': 'nic', 'nic': 'nic1'}}], offload={'residency_ms': 20})
    nic = cfg['nics'][0]
    nic['dev'] = nic['dev'].replace('vf0=[sink]', f'vf0=[ethdev,net_pcap9,tx_pcap={work}/v0.pcap]')
    nic['dev'] = nic['dev'].replace('rep_queues=2', 'rep_queues=4')
    nic['vf_queues'] = 4
    frames, number = sequence(16, 20000, 5, 100, seed)
    write_timed(work / 'in.pcap', frames, 100)
    cfg['nics'].append({'name': 'nic1', 'queues': 1, 'default_queues': 1,
                        'dev': 'net_emunic1,queues=1,wire=[sink]'})
    s = sluiced(cfg, telemetry=True)
    s.wait_up()
    s.swap(f'replay,file={work}/in.pcap', nic='net_emunic1')
    paths = set()

    def ended():
        for f in flows(s):
            if f['id']:
                paths.add(s.call('flow show', flow=f['id'])['out'].get('place'))
        return s.call('stats')['nics'][1]['wire_finished']
    wait_for(ended, 20, 'the end of the capture')
    stats = s.settled()
    assert {'exclusive-queue'} <= paths, paths
    s.stop()
    lost = stats['packets']['dropped']
    late = check_order(read_capture(work / 'v0.pcap'), number, not lost)
    assert not late, late


# SPDX-License-Identifier: BSD-3-Clause
"""Two NICs in use at a time, each with its own table, queues and decisions.

      generator            generator
          | wire               | wire
    +-----+------+       +-----+------+
    |    nic0    |       |    nic1    |     entries: 8 in nic0, 48 in nic1
    +-----+------+       +-----+------+
       vf0 (sink)           vf0 (sink)

What comes by a wire for the VF of the same NIC its embedded switch can carry; what is for the other
NIC's VF has a receive queue of the one and a transmit queue of the other.
"""
import pytest

from sluice_harness import wait_for

ENTRIES = (8, 48)
# An even address stays on its NIC, an odd one goes to the other.
RULES = [{'name': f'{way}{n}', 'match': f'port=up{n} ip ip_dst=0.0.0.{bit}/0.0.0.1',
          'actions': f'output=v{to}'}
         for n in (0, 1) for way, bit, to in (('stay', 0, n), ('cross', 1, 1 - n))]


def config():
    def nic(n):
        return {'name': f'nic{n}', 'queues': 6, 'default_queues': 1, 'vf_queues': 4,
                'vf_default_queues': 1, 'vfs': 1,
                'dev': f'net_emunic{n},queues=6,vfs=1,rep_queues=4,representor=vf0,'
                       f'capacity={ENTRIES[n]},wire=[sink],vf0=[sink]'}
    ports = [{'name': f'up{n}', 'attach': {'kind': 'nic', 'nic': f'nic{n}'}} for n in (0, 1)]
    ports += [{'name': f'v{n}', 'vm': f'vm{n}', 'attach': {'kind': 'vf', 'nic': f'nic{n}', 'vf': 0}}
              for n in (0, 1)]
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '300k', 'light_bps': '100k', 'min_bps': '1k', 'residency_ms': 50,
                    'tick_ms': 10, 'rules_ahead': 0},
        'nics': [nic(0), nic(1)],
        'switches': [{'name': 'sw0', 'tables': [{'id': 0, 'default': 'drop'}], 'ports': ports,
                      'rules': RULES}],
    }


@pytest.fixture
def switch(sluiced):
    started = sluiced(config(), telemetry=True)
    started.wait_up()
    return started


def generate(s, n, flows, pps, **more):
    options = {'flows': flows, 'seed': 7 + n, 'pps': pps, 'size': 300, 'skew': 0, 'v6': 0, **more}
    s.swap('generator,' + ','.join(f'{k}={v}' for k, v in options.items()), nic=f'net_emunic{n}')


def flows(s, **filters):
    return [f for f in s.call('flow list', limit=0, **filters)['items'] if f['id']]


def rules_in(s, n):
    info = f'/emunic/info,nic=net_emunic{n}'
    return s.telemetry(info)['/emunic/info']['rules']


def finish(s):
    for n in (0, 1):
        s.swap('sink', nic=f'net_emunic{n}')
    stats = s.settled()
    wire = sum(nic['received_wire'] for nic in stats['nics'])
    lost = sum(n for name, n in stats['packets']['dropped'].items() if name.startswith('nic-'))
    assert sum(stats['place_packets'].values()) == wire - lost, stats
    total = stats['packets']
    assert total['received'] == total['sent'] + sum(total['dropped'].values()) + total['held'], total
    return stats


def test_limits_of_their_own(switch):
    s = switch
    for n in (0, 1):
        generate(s, n, 120, 8000)

    def placed(n):
        return len(flows(s, place='eswitch', state='placed', port=f'up{n}'))
    # The small table is full, and its size is known; the other has what that one has not.
    table = wait_for(lambda: (t := s.call('offload show', nic='nic0')['table'])['limit'] == 8 and t,
                     20, 'the size of nic0 is learned')
    assert table['limit'] == 8
    wait_for(lambda: placed(1) > 20, 20, 'more in nic1 than nic0 could have')
    assert placed(0) <= 8 and rules_in(s, 0) <= 8 < rules_in(s, 1) <= 48
    full = wait_for(lambda: [f for f in flows(s, port='up0') if 'table full: 8 of 8' in f['reason']
                             or 'table full: 7 of 8' in f['reason']], 10, 'who waits for nic0')
    assert {f['port'] for f in full} == {'up0'}
    assert not [f for f in flows(s, port='up1') if 'of 8' in f['reason']]
    # One is bad for a while: what the other has is not touched.
    before = s.call('offload show', nic='nic1')['insertions']
    answer = s.telemetry('/emunic/set,nic=net_emunic0,fail_errno=95,fail_next=100000')
    assert 'error' not in answer['/emunic/set'], answer
    s.call('rule add', match='port=up0 tcp', actions='drop', priority=9, wait=True)
    wait_for(lambda: s.call('offload show', nic='nic0')['insertions']['unsupported'] > 0, 20,
             'nic0 refuses')
    after = s.call('offload show', nic='nic1')['insertions']
    assert after['unsupported'] == before['unsupported'] == 0, after
    wait_for(lambda: placed(1) > 20, 20, 'nic1 goes on')  # what the new rule does not touch, too
    finish(s)


def test_one_flow_at_both(switch):
    """From one NIC to the other: a place at each, by its own account."""
    s = switch
    generate(s, 0, 6, 3000)

    def both():
        for f in flows(s, port='up0'):
            shown = s.call('flow show', flow=f['id'])
            if f['to'] == 'v1' and shown['in']['place'] == shown['out']['place'] == 'exclusive-queue':
                return f, shown
        return None
    flow, shown = wait_for(both, 20, 'a queue alone at both ends')
    assert shown['in']['queue'].startswith('nic0/pf/rx/'), shown['in']
    assert shown['out']['queue'].startswith('nic1/vf0/tx/'), shown['out']
    text = s.ctl('flow', 'explain', flow['id'])
    assert shown['in']['queue'] in text and shown['out']['queue'] in text, text
    owned = {(q['nic'], q['port'], q['kind'], q['queue']): q['flows']
             for q in s.call('queue list', use='exclusive')['items']}
    assert owned[('nic0', 'pf', 'rx', int(shown['in']['queue'].split('/')[-1]))] == 1
    assert owned[('nic1', 'vf0', 'tx', int(shown['out']['queue'].split('/')[-1]))] == 1
    finish(s)

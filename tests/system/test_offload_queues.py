# SPDX-License-Identifier: BSD-3-Clause
"""Queues of NICs: every one is known, RSS keeps to the default ones, and flows get better and worse
ones as their traffic changes.

              generator
                  | wire
      +-----------+-------------+
      |  nic0: 6 queues, 2 by   |
      |  RSS; two VFs           |
      +---+-------+-------------+
        vf0     vf1     sluiced ── w: net_null
       (sink) (a guest)
"""
from collections import Counter

import pytest

from sluice_harness import wait_for

TO_W = [{'name': 'all', 'match': 'any', 'actions': 'output=w'}]


def config(offload=None, vf1='sink', queues=6, default=2):
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '300k', 'light_bps': '150k', 'min_bps': '1k', 'residency_ms': 50,
                    'tick_ms': 10, **(offload or {})},
        'nics': [{'name': 'nic0', 'queues': queues, 'default_queues': default, 'vf_queues': 3,
                  'vf_default_queues': 1, 'vfs': 2,
                  'dev': f'net_emunic0,queues={queues},vfs=2,rep_queues=3,representor=vf[0-1],'
                         f'wire=[sink],vf0=[sink],vf1=[{vf1}]'}],
        'switches': [{
            'name': 'sw0', 'tables': [{'id': 0, 'default': 'drop'}], 'rules': TO_W,
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      *({'name': f'v{n}', 'vm': f'vm{n}',
                         'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': n}} for n in (0, 1)),
                      {'name': 'w', 'vm': 'vmw', 'max_queues': 16,
                       'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}}]}],
    }


@pytest.fixture
def switch(sluiced):
    def start(**more):
        started = sluiced(config(**more), telemetry=True)
        started.wait_up()
        return started
    return start


def generate(s, flows, pps, **more):
    options = {'flows': flows, 'seed': 7, 'pps': pps, 'size': 300, 'skew': 0, 'v6': 0, **more}
    s.swap('generator,' + ','.join(f'{k}={v}' for k, v in options.items()))


def flows(s, **filters):
    return [f for f in s.call('flow list', limit=0, **filters)['items'] if f['id']]


def queues(s, **filters):
    return {(q['port'], q['kind'], q['queue']): q for q in s.call('queue list', **filters)['items']}


def finish(s):
    """The end of the traffic; each packet is somewhere."""
    s.swap('sink')
    stats = s.settled()
    lost = sum(n for name, n in stats['packets']['dropped'].items() if name.startswith('nic-'))
    assert sum(stats['place_packets'].values()) == stats['nics'][0]['received_wire'] - lost, stats
    return stats


def test_every_queue_is_known(switch):
    """Of the PF and its representors, to receive and to send, and of the VFs themselves."""
    s = switch()
    known = queues(s)
    workers = s.call('worker list')['items']
    rx = [('pf', 'rx', q) for q in range(6)] + [(v, 'rx', q) for v in ('vf0', 'vf1')
                                               for q in range(3)]
    tx = [(p, 'tx', q) for p, kind, q in rx]
    vf = [(v, 'vf', 0) for v in ('vf0', 'vf1')]
    assert sorted(known) == sorted(rx + tx + vf), sorted(known)
    for (port, kind, queue), q in known.items():
        n = {'rx': 2 if port == 'pf' else 1, 'tx': len(workers), 'vf': 1}[kind]
        assert q['use'] == ('default' if queue < n else 'free'), q
        assert (q['flows'], q['owner'], q['worker'] is None) == (0, '-', kind == 'vf'), q
    for kind, all_of_it in ('rx', rx), ('tx', tx), ('vf', vf):
        assert sorted(queues(s, kind=kind)) == sorted(all_of_it)
    text = s.ctl('queue', 'list', '--kind', 'vf')
    assert len(text.splitlines()) == 3 and 'vf1' in text, text
    told = {(q['port'], q['kind']): q for q in s.call('offload show', nic='nic0')['queues']}
    assert told[('vf1', 'vf')]['default'] == 1 and told[('pf', 'rx')]['free'] == 4, told
    # What goes to a VF is in its queue's counter.
    s.call('rule add', match='any', actions='output=v0', priority=3, wait=True)
    generate(s, 10, 2000)
    wait_for(lambda: queues(s)[('vf0', 'vf', 0)]['packets'] > 500, 10, 'packets of the VF')
    finish(s)

    def counted():
        v0 = s.port('v0')
        return queues(s)[('vf0', 'vf', 0)]['packets'] == v0['tx_packets'] + v0['hw_tx_packets']
    wait_for(counted, 10, 'counters of rules ahead are read')


def test_rss_keeps_to_the_default_queues(switch):
    """What no rule steers comes by the default queues, all of them, and by no assigned one."""
    host = {'name': 'host', 'match': 'udp', 'places': ['software']}
    s = switch(offload={'policy': [host]})
    generate(s, 60, 6000, udp=70)
    wait_for(lambda: flows(s, place='exclusive-queue') and flows(s, place='shared-queue')
             and s.call('stats')['place_packets']['software'] > 8000, 20, 'both kinds')
    stats = finish(s)
    got = {q: n['packets'] for (p, kind, q), n in queues(s, kind='rx').items() if p == 'pf'}
    steered = [f for f in flows(s) if ' tcp ' in f['match'] + ' ']
    assert all(got[q] > 500 for q in range(2)), got
    assert 0 < sum(got[q] for q in range(2, 6)) <= sum(f['packets'] for f in steered), got
    # Beside what came by the wire, the probe of the start.
    assert 0 <= sum(got.values()) - stats['nics'][0]['received_wire'] \
        <= stats['packets']['consumed'], (got, stats)
    assert not [f for f in flows(s, match='udp') if f['place'] != 'software']


def test_better_and_worse_queues(switch):
    """alone -> shared -> ring and back, as the traffic changes; who waits is told."""
    s = switch(queues=4, default=1, offload={'shared_flows': 2})

    def places():
        return Counter(f['place'] for f in flows(s) if f['rate_bps'] > 2000)

    def become(flows_n, pps, wanted, what):
        generate(s, flows_n, pps)
        return wait_for(lambda: (p := places()) and wanted(p) and p, 20, what)
    become(2, 2000, lambda p: p == {'exclusive-queue': 2}, 'two alone')
    first = {f['id'] for f in flows(s, place='exclusive-queue')}
    become(2, 60, lambda p: p == {'shared-queue': 2}, 'both share')
    assert {f['id'] for f in flows(s, place='shared-queue')} >= first
    # One queue may be shared, by two flows; the heavy ones have the others, the rest the ring.
    become(12, 6000, lambda p: p['ring'] >= 8 and p['exclusive-queue'] >= 2, 'more than fit')
    waits = wait_for(lambda: [w for w in s.call('offload show', nic='nic0')['waiting']
                              if w['wants'] == 'exclusive-queue' and w['flows'] >= 8], 10,
                     'who waits for what')
    assert {(w['port'], w['kind']) for w in waits} == {('pf', 'rx')}, waits
    assert waits[0]['because'] in ('no-free-queue', 'budget') and waits[0]['rate_bps'] > 0, waits
    # In text, in the words that people read.
    text = s.ctl('offload', 'show', 'nic0')
    assert 'WANTS' in text and waits[0]['heaviest'][0] == 'f', text
    become(2, 2000, lambda p: p == {'exclusive-queue': 2}, 'alone again')
    owners = [q for q in queues(s, use='exclusive').values()]
    assert [q['flows'] for q in owners] == [1] * len(owners) and len(owners) >= 2, owners
    finish(s)


def test_a_queue_first_and_then_the_eswitch(switch):
    """The order of a policy rule's places: who finds no queue is carried by the embedded switch."""
    first = {'name': 'first', 'vm': 'vm0', 'places': ['exclusive-queue', 'eswitch']}
    s = switch(queues=4, default=1, offload={'policy': [first]})
    s.call('rule add', match='any', actions='output=v0', priority=3, wait=True)
    generate(s, 10, 6000)

    def places():
        return Counter(f['place'] for f in flows(s) if f['rate_bps'] > 2000)
    wait_for(lambda: places() == {'exclusive-queue': 3, 'eswitch': 7}, 20, 'three alone, seven not')
    told = s.call('flow show', flow=flows(s, place='eswitch')[0]['id'])['in']
    assert told['wanted'] == 'exclusive-queue' and told['state'] == 'placed', told
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'policy': [
        {**first, 'places': ['eswitch', 'exclusive-queue']}]}})
    s.call('config reload')
    wait_for(lambda: places() == {'eswitch': 10}, 20, 'all in the eswitch')
    finish(s)

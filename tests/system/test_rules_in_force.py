# SPDX-License-Identifier: BSD-3-Clause
"""From when on a rule is obeyed, while packets flow: the packet after the reply of `rule add` obeys
in software and on a lane, the one after `--wait` in the embedded switch of a NIC that takes 1 ms
for each rule.

                 generator
                     | wire
      +--------------+--------------+
      |  nic0: 1 ms for each rule   |
      +---+---------------+---------+
        vf0 (sink)     sluiced ── lane, soft: net_null

To v0 the embedded switch carries the flows, to `lane` the lanes of queues; those to `soft` pass a
table that reads a field of each packet, and so stay in software. Every round turns the traffic of
one of them off and on again; after the reply not one packet may come out, while others do.
"""
import pytest

from sluice_harness import wait_for

ROUNDS = 15


@pytest.fixture
def switch(sluiced):
    s = sluiced({
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '500k', 'light_bps': '200k', 'min_bps': '1k', 'idle_ms': 1000,
                    'residency_ms': 50, 'tick_ms': 5},
        'nics': [{'name': 'nic0', 'queues': 8, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 1,
                  'dev': 'net_emunic0,queues=8,vfs=1,rep_queues=2,representor=vf[0-0],'
                         'insert_us=1000,wire=[sink],vf0=[sink]'}],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'v0', 'vm': 'v0', 'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}},
                      *({'name': n, 'vm': n, 'max_queues': 8, 'attach': {
                          'kind': 'ethdev', 'dev': f'net_null{i},no-rx=1'}}
                        for i, n in enumerate(['lane', 'soft']))],
            'tables': [{'id': 0, 'default': 'drop'}, {'id': 1, 'default': 'drop'}],
            'rules': [{'match': 'ip_dst=0.0.0.0/0.0.0.1', 'actions': 'output=v0'},
                      {'match': 'ip_dst=0.0.0.1/0.0.0.3', 'actions': 'output=lane'},
                      {'match': 'ip_dst=0.0.0.3/0.0.0.3', 'actions': 'goto=1'},
                      {'match': 'frag=no', 'table': 1, 'actions': 'output=soft'}]}]},
        telemetry=True)
    s.wait_up()
    s.swap('generator,flows=60,seed=7,pps=10000,size=300,skew=0,v6=0')
    return s


def flows(s, port, *places):
    return [f for f in s.call('flow list', limit=0)['items']
            if f['to'] == port and f['place'] in places and f['state'] == 'placed']


def received(s):
    return s.call('stats')['nics'][0]['received_wire']


def rounds(s, match, out, ready, wait, took=None):
    """Denies and allows. out() counts what comes out there; returns the answers. took: gets the
    microseconds that each took to be in force."""
    answers = []
    for n in range(ROUNDS):
        wait_for(ready, 20, f'round {n}: the flows are where they belong')
        before = out()
        wait_for(lambda b=before: out() > b, 10, f'round {n}: packets come out')
        answer = s.call('rule add', match=match, actions='drop', priority=9, name='deny', wait=wait)
        came = out()
        wire = received(s)
        assert answer['software'] == 'in-force', answer
        answers.append(answer['hardware'])
        if took is not None:
            took.append(answer['software_us'])
        wait_for(lambda w=wire: received(s) > w + 400, 20, f'round {n}: traffic goes on')
        assert out() == came, f'round {n}: packets came out after the reply'
        allowed = s.call('rule del', rule='deny', wait=wait)
        assert allowed['software'] == 'in-force'
        wait_for(lambda c=came: out() > c, 20, f'round {n}: packets come out again')
    return answers


def test_software(switch):
    def soft():
        known = [f for f in switch.call('flow list', limit=0)['items'] if f['to'] == 'soft']
        return known and all(f['place'] == 'software' for f in known)
    rounds(switch, 'ip_dst=0.0.0.3/0.0.0.3', lambda: switch.port('soft')['tx_packets'], soft, False)
    switch.swap('sink')
    switch.settled()


def test_among_ten_thousand_rules(sluiced):
    """The same with 10,000 rules before the one that the packets meet, in the host; the answer
    tells how long it took to be in force."""
    others = [{'match': f'ip_src=10.{i // 250}.{i % 250}.0/24 udp dport={1 + i % 997}', 'priority': 5,
               'actions': 'drop'} for i in range(10000)]
    s = sluiced({
        'drivers': ['librte_net_emunic.so'], 'offload': {'rules_ahead': 0},
        'nics': [{'name': 'nic0', 'queues': 2, 'default_queues': 1,
                  'dev': 'net_emunic0,queues=2,vfs=0,wire=[sink]'}],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'soft', 'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}}],
            'rules': [*others, {'match': 'port=uplink frag=no', 'actions': 'output=soft'}]}]},
        telemetry=True)
    s.wait_up()
    assert len(s.call('rule list', limit=0)['items']) == 10001
    s.swap('generator,flows=60,seed=7,pps=10000,size=300,skew=0,v6=0')
    took = []
    rounds(s, 'port=uplink', lambda: s.port('soft')['tx_packets'], lambda: True, False, took)
    s.swap('sink')
    s.settled()
    assert len(took) == ROUNDS and all(us > 0 for us in took)
    print(f'in force after {sorted(took)} us')


def test_lanes(switch):
    rounds(switch, 'ip_dst=0.0.0.1/0.0.0.3', lambda: switch.port('lane')['tx_packets'],
           lambda: len(flows(switch, 'lane', 'exclusive-queue', 'shared-queue')) >= 5, False)
    switch.swap('sink')
    stats = switch.settled()
    # How many depends on how soon each round is over: some by each.
    lanes = stats['place_packets']['exclusive-queue'] + stats['place_packets']['shared-queue']
    assert lanes > 20 * ROUNDS, stats['place_packets']


def test_the_embedded_switch(switch):
    def out():
        return switch.call('stats')['nics'][0]['sent_vf']

    def ready():
        return len(flows(switch, 'v0', 'eswitch')) >= 10
    assert set(rounds(switch, 'ip_dst=0.0.0.0/0.0.0.1', out, ready, True)) == {'in-force'}
    # Without --wait the answer does not claim what is not so yet: at 1 ms each, ten rules or more
    # cannot have been replaced when it comes.
    wait_for(ready, 20, 'the flows are in the embedded switch again')
    answer = switch.call('rule add', match='ip_dst=0.0.0.0/0.0.0.1', actions='drop', priority=9)
    assert answer['software'] == 'in-force' and answer['hardware'].startswith('pending '), answer
    switch.swap('sink')
    switch.settled()

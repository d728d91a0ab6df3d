# SPDX-License-Identifier: BSD-3-Clause
"""The switch's rules in the NIC ahead of traffic: in step with the switch while rules change under
traffic, covered where the NIC cannot decide as the switch does, counted apart and summed.

                    generator or replay
                            | wire
      +---------------------+----------------------+
      |  nic0: embedded switch                     |
      +---+------------+---------------------------+
        vf0 (sink)   vf1 (sink)     sluiced ── w: net_null
"""
import json

import pytest

from sluice_harness import RpcError, wait_for

RULES = [
    {'name': 'to-v0', 'match': 'ip ip_dst=0.0.0.0/0.0.0.3', 'actions': 'output=v0'},
    {'name': 'to-v1', 'match': 'ip ip_dst=0.0.0.1/0.0.0.3', 'actions': 'output=v1'},
    {'name': 'to-w', 'match': 'ip ip_dst=0.0.0.2/0.0.0.3', 'actions': 'output=w'},
]


@pytest.fixture
def switch(sluiced):
    def start(rules=tuple(RULES), offload=None, nic='', uplink=None, rule_limit=0, **more):
        s = sluiced({
            'drivers': ['librte_net_emunic.so'],
            'offload': {'tick_ms': 5, 'rules_ahead': 64, **(offload or {})},
            'nics': [{'name': 'nic0', 'queues': 4, 'default_queues': 1, 'vf_queues': 2,
                      'vf_default_queues': 1, 'vfs': 2, 'rule_limit': rule_limit,
                      'dev': 'net_emunic0,queues=4,vfs=2,rep_queues=2,representor=vf[0-1],'
                             f'wire=[sink],vf0=[sink],vf1=[sink]{nic}'}],
            'switches': [{
                'name': 'sw0',
                'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'},
                           **(uplink or {})},
                          *({'name': f'v{n}', 'vm': f'vm{n}',
                             'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': n}} for n in (0, 1)),
                          {'name': 'w', 'vm': 'vmw',
                           'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}}],
                'tables': [{'id': 0, 'default': 'drop'}, {'id': 1, 'default': 'drop'}],
                'rules': list(rules), **more}]},
            telemetry=True)
        s.wait_up()
        return s
    return start


def generate(s, flows=60, pps=10000, **more):
    options = {'flows': flows, 'seed': 7, 'pps': pps, 'size': 300, 'skew': 0, 'v6': 0, **more}
    s.swap('generator,' + ','.join(f'{k}={v}' for k, v in options.items()))


def rule(s, name):
    return s.call('rule show', rule=name)


def at(s, name, port='uplink'):
    """How the rule stands at a port of nic0."""
    [nic] = rule(s, name)['nics']
    return next((p for p in nic['ports'] if p['port'] == port), None)


def sent(s, port):
    """Packets out by the port, by the host or by the NIC alone."""
    p = s.port(port)
    return p['tx_packets'] + p['hw_tx_packets']


def in_place(s, *names):
    wait_for(lambda: all(rule(s, n)['nics'] and at(s, n)['state'] == 'whole' for n in names), 10,
             f'{names} are whole in the NIC')


def test_carries_flows_that_the_host_never_sees(switch):
    s = switch()
    in_place(s, 'to-v0', 'to-v1')
    # The default of the table is below it, and drops in the NIC: so it is covered.
    assert at(s, 'to-w')['state'] == 'to-host' and 'not on this NIC' in at(s, 'to-w')['reason']
    generate(s, flows=200)
    wait_for(lambda: rule(s, 'to-v0')['hardware_packets'] > 500, 10, 'hardware carries to-v0')
    s.swap('sink')
    stats = s.settled()
    names = ['to-v0', 'to-v1', 'to-w']
    wait_for(lambda: sum(rule(s, n)['hardware_packets'] for n in names) +
             stats['nics'][0]['dropped'] >= stats['place_packets']['eswitch'], 10,
             'all counters are read')
    for name in names[:2]:
        r = rule(s, name)
        assert r['software_packets'] == 0 and r['packets'] == r['hardware_packets'] > 0, r
    assert rule(s, 'to-w')['hardware_packets'] == 0 < rule(s, 'to-w')['software_packets']
    assert {f['to'] for f in s.call('flow list', limit=0)['items']} == {'w'}
    for name, port in ('to-v0', 'v0'), ('to-v1', 'v1'):
        wait_for(lambda n=name, p=port: rule(s, n)['packets'] == sent(s, p), 10, f'{port} counts')


def test_deny_and_allow_under_traffic(switch):
    """After --wait not one packet passes that a new rule denies, and each round counts exactly."""
    s = switch(nic=',insert_us=1000')
    in_place(s, 'to-v0')
    generate(s)

    def out():
        return s.call('stats')['nics'][0]['sent_vf']

    def received():
        return s.call('stats')['nics'][0]['received_wire']
    s.call('rule del', rule='to-v1', wait=True)
    for n in range(8):
        before = out()
        wait_for(lambda b=before: out() > b, 10, f'round {n}: packets come out')
        answer = s.call('rule add', match='ip ip_dst=0.0.0.0/0.0.0.1', actions='drop', priority=9,
                        name='deny', wait=True)
        assert answer['hardware'] == 'in-force', answer
        came, wire = out(), received()
        assert at(s, 'deny')['state'] == 'whole'
        wait_for(lambda w=wire: received() > w + 400, 20, f'round {n}: traffic goes on')
        assert out() == came, f'round {n}: packets came out after the reply'
        wait_for(lambda: rule(s, 'deny')['hardware_packets'] > 0, 10, 'the NIC drops')
        s.call('rule del', rule='deny', wait=True)
    s.swap('sink')
    s.settled()


def test_what_the_nic_cannot_do_is_covered(switch):
    """A rule with a meter and one on TCP flags, above one that the NIC carries."""
    s = switch([{'name': 'metered', 'match': 'udp dport=1000-60000', 'priority': 9,
                 'actions': 'rate=1G output=v0'},
                {'name': 'wide', 'match': 'ip', 'actions': 'output=v1'}])
    in_place(s, 'wide')
    assert at(s, 'metered')['state'] == 'to-host'
    assert 'rate' in at(s, 'metered')['reason']
    generate(s, flows=100)
    wait_for(lambda: rule(s, 'wide')['hardware_packets'] > 200 and
             rule(s, 'metered')['software_packets'] > 200, 10, 'both see packets')
    s.swap('sink')
    s.settled()
    assert rule(s, 'metered')['hardware_packets'] == 0
    for name, port in ('metered', 'v0'), ('wide', 'v1'):
        wait_for(lambda n=name, p=port: rule(s, n)['packets'] == sent(s, p), 10, f'{port} counts')


def test_a_full_table_leaves_it_to_the_host(switch):
    s = switch([{'match': f'port=uplink ip ip_dst=0.0.0.{n}/0.0.0.31', 'actions': 'output=v0',
                 'name': f'r{n}'} for n in range(32)], nic=',capacity=10')

    def stands():
        return [at(s, f'r{n}') for n in range(32)]
    # Two entries are those of v0 and v1, for the default of the table.
    wait_for(lambda: [p['state'] for p in stands()].count('whole') == 8, 10, 'it is full')
    assert all('entries' in p['reason'] for p in stands() if p['state'] != 'whole')
    generate(s, flows=200)
    wait_for(lambda: sent(s, 'v0') > 2000, 10, 'packets come out')
    s.swap('sink')
    stats = s.settled()
    came = stats['nics'][0]['received_wire'] - stats['packets']['dropped'].get('nic-rx_missed', 0)
    assert stats['nics'][0]['sent_vf'] == came
    assert 0 < sum(rule(s, f'r{n}')['hardware_packets'] for n in range(32)) < came


def test_by_itself(switch):
    """With no setting all rules are there as long as there is room for them."""
    s = switch(offload={'rules_ahead': None})
    in_place(s, 'to-v0', 'to-v1')
    generate(s)
    wait_for(lambda: rule(s, 'to-v0')['hardware_packets'] > 1000, 10, 'the NIC carries packets')
    s.swap('sink')
    s.settled()


def test_what_carries_most_goes_first(switch):
    """40 rules that nothing meets, above one that carries a quarter of all, and 16 entries for them
    and for single flows: the one is there, for all of its flows, and none of the 40."""
    s = switch([*({'match': f'ip ip_dst=240.0.{n}.1', 'actions': 'output=v1', 'name': f'r{n}'}
                  for n in range(40)),
                {'match': 'ip ip_dst=0.0.0.0/0.0.0.3', 'actions': 'output=v0', 'name': 'busy'}],
               offload={'rules_ahead': None}, nic=',capacity=16', rule_limit=16)
    generate(s, flows=400)
    in_place(s, 'busy')
    wait_for(lambda: not any(at(s, f'r{n}')['entries'] for n in range(40)), 10, 'none is there')
    assert 'carry more' in at(s, 'r0')['reason'], at(s, 'r0')
    before = rule(s, 'busy')
    wait_for(lambda: rule(s, 'busy')['hardware_packets'] > before['hardware_packets'] + 2000, 10,
             'it carries on')
    # The other flows are dropped in the NIC one by one, in the entries that are left.
    wait_for(lambda: s.call('offload status')['items'][0]['rules'] >= 12, 10, 'single flows')
    s.swap('sink')
    s.settled()


def test_a_reload_and_no_rules_ahead(switch):
    s = switch()
    in_place(s, 'to-v0', 'to-v1')
    config = dict(s.config)
    config['offload'] = {**config['offload'], 'rules_ahead': 0}
    s.write_config(config)
    s.call('config reload')
    wait_for(lambda: at(s, 'to-v0')['entries'] == 0, 10, 'they are taken out')
    config['offload']['rules_ahead'] = 64
    s.write_config(config)
    s.call('config reload')
    in_place(s, 'to-v0', 'to-v1')


def test_words(switch):
    s = switch()
    in_place(s, 'to-v0')
    assert 'nic0 whole' in s.ctl('rule', 'list')
    assert 'whole' in s.ctl('rule', 'show', 'to-v0')
    with pytest.raises(RpcError, match='70000 is above 65536'):
        s.write_config({**s.config, 'offload': {'rules_ahead': 70000}})
        s.call('config reload')


# ---- class rules

WEB = {'name': 'web', 'port': 'uplink', 'match': 'udp dport=1000-65535', 'queues': '2-3',
       'class_rule': True}


def class_rules(s):
    return s.call('offload status')['items'][0]['class_rules']


def test_a_class_rule_serves_new_flows(switch):
    s = switch([{'name': 'all', 'match': 'any', 'actions': 'output=w'}],
               offload={'rules_ahead': 0, 'policy': [WEB], 'min_bps': '1k', 'heavy_bps': '100k',
                        'light_bps': '50k'})
    wait_for(lambda: [r['state'] for r in class_rules(s)] == ['in', 'in'], 10,
             'it is in, for IPv4 and IPv6')
    for r in class_rules(s):
        assert (r['policy'], r['port'], r['queues']) == ('web', 'uplink', '2-3'), r
    uses = {q['queue']: q['use'] for q in s.call('queue list', kind='rx')['items']
            if q['port'] == 'pf'}
    assert uses[2] == uses[3] == 'group', uses
    generate(s, flows=100)

    def served():
        return [f for f in s.call('flow list', limit=0)['items'] if 'class rule web' in f['reason']]
    wait_for(lambda: len(served()) > 5, 10, 'flows are known to be served')
    one = s.call('flow explain', flow=served()[0]['id'])
    assert 'nic' in str(one), one
    assert {(f['carried_at'], f['carried_by']) for f in served()} == \
        {('queue-group', 'class rule web')}, served()
    s.swap('sink')
    stats = s.settled()
    queues = {q['queue']: q['packets'] for q in s.call('queue list', kind='rx')['items']
              if q['port'] == 'pf'}
    assert queues[2] > 0 and queues[3] > 0, queues
    assert stats['nics'][0]['received_wire'] == s.port('w')['tx_packets'] + \
        stats['packets']['dropped'].get('nic-rx_missed', 0)
    # Without it its queues are others' again.
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'policy': []}})
    s.call('config reload')
    wait_for(lambda: not class_rules(s) and
             {q['use'] for q in s.call('queue list', kind='rx')['items']
              if q['port'] == 'pf'} == {'default', 'free'}, 10, 'the queues are free')


def test_what_a_policy_above_may_match_is_not_taken(switch):
    heavy = {'name': 'heavy', 'match': 'udp dport=2000-3000', 'min_bps': '1M'}
    s = switch([{'name': 'all', 'match': 'any', 'actions': 'output=w'}],
               offload={'rules_ahead': 0, 'policy': [heavy, WEB]})
    wait_for(lambda: [r['policy'] for r in class_rules(s) if r['state'] == 'in'].count('web') == 2,
             10, 'it is in, for IPv4 and IPv6')
    assert any(r['queues'] == '0-0' for r in class_rules(s)), class_rules(s)


ENGINE = {**WEB, 'match': 'tcp', 'class_target': 'engine', 'heavy_bps': '2M', 'light_bps': '1M'}


def queues_of(s):
    return {q['queue']: q for q in s.call('queue list', kind='rx')['items'] if q['port'] == 'pf'}


def test_a_class_rule_by_the_nics_engine(switch):
    """The NIC gives the heavy flow of the class a queue alone, with no order for it."""
    s = switch([{'name': 'all', 'match': 'any', 'actions': 'output=w'}],
               offload={'rules_ahead': 0, 'policy': [ENGINE], 'min_bps': '1k'})
    wait_for(lambda: {(r['by'], r['state']) for r in class_rules(s)} == {('engine', 'in')}, 10,
             'the group has its rules')
    [group] = s.call('offload show', nic='nic0')['engine']
    assert group['figures'] == 'queues=2-3,alike=destination,heavy=2000,light=1000,shared_max=1', group
    generate(s, flows=30, pps=3000, skew=2)

    def alone():
        return sorted(queues_of(s)[q]['engine'] for q in (2, 3)) == ['alone', 'shared']
    wait_for(alone, 20, 'one queue has a heavy flow alone, one is shared')
    [heavy] = [q for q in (2, 3) if queues_of(s)[q]['engine'] == 'alone']
    # How many the engine has there is read from time to time.
    wait_for(lambda: (queues_of(s)[heavy]['use'], queues_of(s)[heavy]['flows']) == ('group', 1),
             10, 'its one flow is counted')
    top = s.call('flow list', limit=1, sort='rate')['items'][0]
    told = s.call('flow explain', flow=top['id'])
    assert f"queue {heavy}, alone" in str(told) and 'class rule web' in str(told), told
    s.swap('sink')
    s.settled()
    # Other figures while it runs; then by RSS, and then not at all.
    for policy, by, figures in (([{**ENGINE, 'heavy_bps': '5M'}], 'engine', 'heavy=5000'),
                                ([{**ENGINE, 'class_target': 'queues'}], 'rss', None),
                                ([ENGINE], 'engine', 'heavy=2000'), ([], None, None)):
        s.write_config({**s.config, 'offload': {**s.config['offload'], 'policy': policy}})
        s.call('config reload')
        wait_for(lambda b=by: {(r['by'], r['state']) for r in class_rules(s)} ==
                 ({(b, 'in')} if b else set()), 10, f'class rules by {by}')
        wait_for(lambda f=figures: [str(f) in g['figures'] for g in s.call(
            'offload show', nic='nic0')['engine']] == ([True] if f else []), 10, f'{figures}')
    wait_for(lambda: {q['use'] for q in queues_of(s).values()} == {'default', 'free'}, 10,
             'the queues are free')


def test_two_class_rules_cannot_share_a_queue_of_the_engine(switch):
    """The second spreads by RSS, and says why."""
    other = {**ENGINE, 'name': 'other', 'match': 'udp', 'queues': '3'}
    s = switch([{'name': 'all', 'match': 'any', 'actions': 'output=w'}],
               offload={'rules_ahead': 0, 'policy': [ENGINE, other]})

    def by():
        return {r['policy']: r for r in class_rules(s) if r['state'] == 'in'}
    wait_for(lambda: {n: r['by'] for n, r in by().items()} == {'web': 'engine', 'other': 'rss'},
             10, 'one has the engine')
    assert 'queue' in by()['other']['reason'], by()


def test_groups_that_begin_at_one_queue(switch):
    """The engine knows a group by its first queue: a reload gives it other queues, and a second
    class rule that begins there has none."""
    s = switch([{'name': 'all', 'match': 'any', 'actions': 'output=w'}],
               offload={'rules_ahead': 0, 'policy': [ENGINE]})
    other = {**ENGINE, 'name': 'other', 'match': 'udp'}

    def stands():
        return ({r['policy']: r['by'] for r in class_rules(s) if r['state'] == 'in'},
                [g['figures'].split(',')[0] for g in s.call('offload show', nic='nic0')['engine']])
    wait_for(lambda: stands() == ({'web': 'engine'}, ['queues=2-3']), 10, 'both queues')
    for queues, figures in ('2', 'queues=2-2'), ('2-3', 'queues=2-3'):
        s.write_config({**s.config, 'offload': {**s.config['offload'], 'policy': [
            {**ENGINE, 'queues': queues}]}})
        s.call('config reload')
        wait_for(lambda f=figures: stands() == ({'web': 'engine'}, [f]), 10, figures)
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'policy': [
        ENGINE, {**other, 'queues': '2'}]}})
    s.call('config reload')
    wait_for(lambda: stands() == ({'web': 'engine', 'other': 'rss'}, ['queues=2-3']), 10, 'one has')
    wait_for(lambda: ['begins at queue 2' in r['reason'] for r in class_rules(s)
                      if r['policy'] == 'other'] == [True, True], 10, 'and says why')


def test_a_class_rule_to_a_vf(switch):
    """A class of flows goes to the VM's VF with no host, where the switch's rules say so; what is
    not of the class, or may be of a policy rule above, comes by the host."""
    vf = {'name': 'fast', 'vm': 'vm0', 'match': 'tcp', 'class_rule': True, 'class_target': 'vf'}
    s = switch(offload={'rules_ahead': 0, 'policy': [vf], 'eswitch_min_bps': '1G'})

    def fast():
        return next(r for r in class_rules(s) if r['policy'] == 'fast')
    wait_for(lambda: fast()['state'] == 'in', 10, 'it is in')
    assert at(s, 'to-v0')['state'] in ('whole', 'partly') and fast()['by'] == 'vf'
    assert at(s, 'to-v1')['state'] == 'not' and 'class rule' in at(s, 'to-v1')['reason']
    generate(s, flows=60)
    wait_for(lambda: fast()['packets'] > 500 and s.port('v0')['tx_packets'] > 0 and
             s.port('v1')['tx_packets'] > 100, 20, 'the class by the NIC, others by the host')
    s.swap('sink')
    s.settled()
    flows = s.call('flow list', limit=0)['items']
    assert not any(f['to'] == 'v0' and ' tcp ' in f['match'] and f['packets'] > 0 and
                   f['place'] == 'eswitch' for f in flows)
    assert s.port('v1')['hw_tx_packets'] == 0 < s.port('v0')['hw_tx_packets']
    for name, port in ('to-v0', 'v0'), ('to-v1', 'v1'), ('to-w', 'w'):
        wait_for(lambda n=name, p=port: rule(s, n)['packets'] == sent(s, p), 10, f'{port} counts')
    above = {'name': 'slow', 'match': 'tcp', 'max_bps': '1k'}
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'policy': [above, vf]}})
    s.call('config reload')
    wait_for(lambda: fast()['state'] == 'in' and fast()['entries'] > 0, 10, 'behind its cover')
    before, host = fast()['packets'], s.port('v0')['tx_packets']
    generate(s, flows=60)
    wait_for(lambda: s.port('v0')['tx_packets'] > host + 500, 20, 'all come by the host')
    s.swap('sink')
    s.settled()
    assert fast()['packets'] == before
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'policy': []}})
    s.call('config reload')
    wait_for(lambda: at(s, 'to-v0')['entries'] == 0, 10, 'it is taken out')


def test_a_class_rule_by_dscp_serves(switch):
    """Rules do not read the DSCP, so that keys have none: what the packets say counts."""
    web = {**WEB, 'match': 'udp', 'dscp': '0'}
    s = switch([{'name': 'all', 'match': 'any', 'actions': 'output=w'}],
               offload={'rules_ahead': 0, 'policy': [web], 'min_bps': '1k', 'heavy_bps': '100k',
                        'light_bps': '50k'})
    wait_for(lambda: {r['state'] for r in class_rules(s)} == {'in'}, 10, 'it is in')
    generate(s, flows=50)
    wait_for(lambda: len([f for f in s.call('flow list', limit=0)['items']
                          if 'class rule web' in f['reason']]) > 5, 10, 'flows are served')
    other = {**web, 'dscp': 'ef'}
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'policy': [other]}})
    s.call('config reload')
    wait_for(lambda: not any('class rule' in f['reason']
                             for f in s.call('flow list', limit=0)['items']), 10,
             'that is none of theirs')
    s.swap('sink')
    s.settled()


def test_class_rules_that_no_nic_can_say(switch):
    s = switch()
    for more, words in (({'min_bps': '1M'}, 'a NIC tells flows by'),
                        ({'queues': ''}, 'needs queues'),
                        ({'class_target': 'gpu'}, '"engine"'),
                        ({'class_target': 'vf'}, 'to whose VF'),
                        ({'class_target': 'vf', 'vm': 'vm0'}, 'have no meaning'),
                        ({'class_target': 'vf', 'vm': 'vm0', 'queues': '', 'strict_order': True},
                         'keeps flows out'),
                        ({'class_rule': False, 'class_target': 'engine'}, 'needs that')):
        s.write_config({**s.config, 'offload': {'policy': [{**WEB, **more}]}})
        with pytest.raises(RpcError, match=words):
            s.call('config reload')


def test_flows_that_a_rule_serves_give_their_entries_back(switch):
    s = switch(offload={'rules_ahead': 0})
    generate(s, flows=60)
    wait_for(lambda: len(s.call('flow list', limit=0, place='eswitch')['items']) > 20, 10,
             'flows are in the NIC one by one')
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'rules_ahead': 64}})
    s.call('config reload')
    in_place(s, 'to-v0', 'to-v1')
    wait_for(lambda: not s.call('flow list', limit=0, place='eswitch')['items'], 10,
             'no flow has an entry of its own')
    # The list tells who carries them, by place and rule; the others are carried by nobody.
    by = {'v0': ('eswitch', 'rule to-v0'), 'v1': ('eswitch', 'rule to-v1'), 'w': ('-', '-')}
    seen = s.call('flow list', limit=0)['items']
    assert {f['to'] for f in seen} >= set(by), seen
    assert all((f['carried_at'], f['carried_by']) == by[f['to']]
               for f in seen if f['to'] in by), seen
    head, *rows = s.ctl('flow', 'list', '--limit', 0).splitlines()
    assert 'CARRIED' in head and any('rule to-v0' in r for r in rows), head
    s.swap('sink')
    s.settled()


@pytest.mark.parametrize('ahead', [0, 64])
def test_what_single_flows_carry_is_their_rules(switch, ahead):
    """Each packet counts once for the rule that decided it, whatever carried it."""
    s = switch(offload={'rules_ahead': 0})
    generate(s, flows=40)
    wait_for(lambda: len([f for f in s.call('flow list', limit=0, place='eswitch')['items']
                          if f['state'] == 'placed' and f['packets'] > 20]) > 15, 10,
             'flows are carried by their own entries')
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'rules_ahead': ahead}})
    s.call('config reload')
    before = rule(s, 'to-v0')['hardware_packets']
    wait_for(lambda: rule(s, 'to-v0')['hardware_packets'] > before + 500, 10, 'to-v0 counts')
    s.swap('sink')
    s.settled()
    for name, port in ('to-v0', 'v0'), ('to-v1', 'v1'), ('to-w', 'w'):
        wait_for(lambda n=name, p=port: rule(s, n)['packets'] == sent(s, p), 10, f'{port} counts')


# ---- a table for each port

def status(s):
    return s.call('offload status')['items'][0]


def test_a_table_for_each_port(switch):
    """Single flows, rules and misses, each in the table of the port that they come in by."""
    s = switch(offload={'vm_tables': True, 'rules_ahead': 32})
    in_place(s, 'to-v0', 'to-v1')
    assert status(s)['tables'] == 'per-port'
    # Behind the rules ahead there is one that no rule but a flow's own can take.
    s.call('rule add', name='exact', match='udp ip_dst=0.0.0.0/0.0.0.3', actions='rate=10G output=v0',
           priority=5, wait=True)
    generate(s, flows=100)
    wait_for(lambda: rule(s, 'to-v1')['hardware_packets'] > 300 and s.port('v0')['tx_packets'] > 100,
             10, 'rules carry, misses come to the host')
    s.call('rule del', rule='exact', wait=True)
    wait_for(lambda: rule(s, 'to-v0')['hardware_packets'] > 300, 10, 'to-v0 is carried again')
    before = at(s, 'to-v0')['packets']
    config = json.loads(json.dumps(s.config))
    config['switches'][0]['rules'] = [r for r in RULES if r['name'] != 'to-v1']
    config['switches'][0]['ports'] = [p for p in config['switches'][0]['ports']
                                      if p['name'] != 'v1']
    s.write_config(config)
    s.call('config reload')
    wait_for(lambda: at(s, 'to-v0')['packets'] > before + 100, 10, 'v0 goes on')
    s.swap('sink')
    s.settled()


def test_a_port_that_goes_touches_no_others_rules(switch):
    s = switch(offload={'vm_tables': True, 'rules_ahead': 32, 'heavy_bps': '100G',
                        'light_bps': '99G', 'min_bps': '98G'})  # no flow has its own
    generate(s)

    def nic():
        return s.telemetry('/emunic/info,nic=net_emunic0')['/emunic/info']

    def at_rest():
        wait_for(lambda: status(s)['tables'] == 'per-port' and not any(
            p['state'] == 'pending' for n in ('to-v0', 'to-w') for p in rule(s, n)['nics'][0]['ports'])
            and len({nic()['rules_made'] for _ in range(20)}) == 1, 10, 'nothing is under way')
    in_place(s, 'to-v0', 'to-v1')
    s.call('rule del', rule='to-v1', wait=True)  # it names the port
    in_place(s, 'to-v0')
    at_rest()
    before, there = at(s, 'to-v0')['packets'], nic()
    config = json.loads(json.dumps(s.config))
    config['switches'][0]['rules'] = [r for r in RULES if r['name'] != 'to-v1']
    config['switches'][0]['ports'] = [p for p in config['switches'][0]['ports']
                                      if p['name'] != 'v1']
    s.write_config(config)
    s.call('config reload')
    wait_for(lambda: nic()['rules'] < there['rules'], 10, "what v1's table had is destroyed")
    wait_for(lambda: at(s, 'to-v0')['packets'] > before + 500, 10, 'v0 goes on')
    # Not one rule was made: those that are there were there before.
    assert nic()['rules_made'] == there['rules_made'], (there, nic())
    assert nic()['rules'] > there['rules'] // 2, (there, nic())
    s.swap('sink')
    s.settled()


def test_single_flows_in_tables(switch):
    s = switch(offload={'vm_tables': True, 'rules_ahead': 0})
    wait_for(lambda: status(s)['tables'] == 'per-port', 10, 'tables are there')
    generate(s, flows=40)
    wait_for(lambda: len([f for f in s.call('flow list', limit=0, place='eswitch')['items']
                          if f['state'] == 'placed' and f['packets'] > 20]) > 15, 10,
             'flows are carried by their own entries')
    s.swap('sink')
    stats = s.settled()
    assert stats['place_packets']['eswitch'] > 300
    s.write_config({**s.config, 'offload': {**s.config['offload'], 'vm_tables': False}})
    s.call('config reload')
    wait_for(lambda: status(s)['tables'] == 'flat', 10, 'one table')


def test_flows_leave_a_table_that_goes(switch):
    """Under traffic the flows that have a rule in a port's table get one in the flat table, before
    the way into the other goes: none is left to a rule that does nothing."""
    s = switch(offload={'vm_tables': True, 'rules_ahead': 0})
    wait_for(lambda: status(s)['tables'] == 'per-port', 10, 'tables are there')
    generate(s, flows=40)

    def carried():
        return {f['id']: f['packets']
                for f in s.call('flow list', limit=0, place='eswitch')['items']
                if f['state'] == 'placed'}
    wait_for(lambda: len(carried()) > 15 and min(carried().values()) > 20, 10,
             'flows are carried by their own entries')
    for tables in False, True:  # back again they stay: the flat table comes before the way in
        s.write_config({**s.config, 'offload': {**s.config['offload'], 'vm_tables': tables}})
        s.call('config reload')
        wait_for(lambda t=tables: status(s)['tables'] == ('per-port' if t else 'flat'), 10,
                 'the ways in change')
        wait_for(lambda: s.call('offload status')['pending'] == 0 and len(carried()) > 15, 10,
                 'flows have their entries')
        before, host = carried(), s.call('stats')['place_packets']['eswitch']
        wait_for(lambda h=host: s.call('stats')['place_packets']['eswitch'] > h + 20000, 20,
                 'the NIC goes on')  # two seconds: a rule that does nothing is found in one
        after = carried()
        assert all(after.get(i, 0) > n for i, n in before.items()), (before, after)
        assert s.call('offload show', nic='nic0')['table']['dead_rules'] == 0
    s.swap('sink')
    s.settled()

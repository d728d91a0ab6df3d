# SPDX-License-Identifier: BSD-3-Clause
"""What NICs do badly, and what becomes of the flows; every packet is accounted for.

               generator
                   | wire
      +------------+-------------+
      |  nic0: embedded switch,  |   moods: refusals, rules that do nothing, counters that lag
      |  queues of the PF        |
      +---+---------+------------+
        vf0       vf1       sluiced ── w: net_null
       (sink)    (sink)

To v0 and v1 the embedded switch can carry a flow; to w it is a queue, a ring or software.
"""
import json

import pytest

from sluice_harness import RpcError, wait_for

HASH = [{'name': f'to-{port}', 'match': f'ip ip_dst=0.0.0.{n}/0.0.0.{mask}',
         'actions': f'output={port}'}
        for n, mask, port in ((0, 3, 'v0'), (1, 3, 'v1'), (2, 2, 'w'))]
TO_V0 = [{'name': 'all', 'match': 'any', 'actions': 'output=v0'}]


def config(rules=HASH, offload=None, dev='', queues=6, vms=None, **more):
    cfg = {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '500k', 'light_bps': '200k', 'min_bps': '1k',
                    'residency_ms': 50, 'tick_ms': 10, **(offload or {})},
        'nics': [{'name': 'nic0', 'queues': queues, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 2,
                  'dev': f'net_emunic0,queues={queues},vfs=2,rep_queues=2,representor=vf[0-1],'
                         f'wire=[sink],vf0=[sink],vf1=[sink]{dev}'}],
        'switches': [{
            'name': 'sw0', 'tables': [{'id': 0, 'default': 'drop'}], 'rules': rules,
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      *({'name': f'v{n}', 'vm': f'vm-v{n}',
                         'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': n}} for n in (0, 1)),
                      {'name': 'w', 'vm': 'vm-w', 'max_queues': 16,
                       'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}}], **more}],
    }
    if vms:
        cfg['vms'] = [{'name': n, **vms.get(n, {})} for n in ('vm-v0', 'vm-v1', 'vm-w')]
    return cfg


@pytest.fixture
def switch(sluiced):
    def start(*args, **more):
        started = sluiced(config(*args, **more), telemetry=True)
        started.wait_up()
        return started
    return start


def generate(s, flows, pps, **more):
    options = {'flows': flows, 'seed': 7, 'pps': pps, 'size': 300, 'skew': 0, 'v6': 0, **more}
    s.swap('generator,' + ','.join(f'{k}={v}' for k, v in options.items()))


def flows(s, **filters):
    return [f for f in s.call('flow list', limit=0, **filters)['items'] if f['id']]


def mood(s, text):
    answer = s.telemetry(f'/emunic/set,nic=net_emunic0,{text}')['/emunic/set']
    assert 'error' not in answer, answer


def shown(s):
    return s.call('offload show', nic='nic0')


def reload(s, **changes):
    s.write_config({**s.config, **changes})
    return s.call('config reload')


def finish(s):
    """The end of the traffic; each packet is somewhere."""
    s.swap('sink')
    stats = s.settled()
    nic = stats['nics'][0]
    assert sum(stats['place_packets'].values()) == nic['received_wire'] \
        - sum(n for name, n in stats['packets']['dropped'].items() if name.startswith('nic-')), stats
    return stats


@pytest.mark.parametrize('code, means, state', [
    (28, 'full', 'wanted'), (12, 'full', 'wanted'), (95, 'unsupported', 'refused'),
    (22, 'unsupported', 'refused'), (11, 'transient', 'refused'), (5, 'transient', 'refused'),
], ids=['ENOSPC', 'ENOMEM', 'ENOTSUP', 'EINVAL', 'EAGAIN', 'EIO'])
def test_error_classes(switch, code, means, state):
    s = switch(TO_V0, offload={'retry_ms': 400})
    mood(s, f'fail_errno={code},fail_next=100000')
    generate(s, 12, 4000)
    wait_for(lambda: shown(s)['insertions'][means] > 0, 10, f'the answer is {means}')
    insertions = shown(s)['insertions']
    assert not any(insertions[m] for m in ('full', 'unsupported', 'transient', 'gone')
                   if m != means), insertions
    flow = wait_for(lambda: [f for f in flows(s) if f['state'] == state], 10, state)[0]
    if means == 'full':
        assert 'table full: 0 of 0' in flow['reason'], flow
    else:
        wait_for(lambda: 'next try in' in s.call('flow show', flow=flow['id'])['in']['reason'], 5,
                 'it says when')
    if means == 'unsupported':
        kinds = [k for k in shown(s)['shapes'] if k['state'] == 'refused']
        assert kinds and all(k['failures'] >= 1 and k['retry_in_s'] is not None
                             for k in kinds), kinds
    # The NIC is better: what waited for it gets there by itself.
    mood(s, 'fail_next=0')
    wait_for(lambda: len(flows(s, place='eswitch', state='placed')) == 12, 30, 'all in hardware')
    assert not [k for k in shown(s)['shapes'] if k['state'] == 'refused'
                and k['shape'].startswith('to-port')]
    finish(s)


def test_a_rule_that_does_nothing(switch):
    """Accepted, and its packets go on coming to the host."""
    s = switch(TO_V0, offload={'retry_ms': 60000})
    mood(s, 'dead_next=1')
    generate(s, 1, 2000)
    wait_for(lambda: shown(s)['table']['dead_rules'] == 1, 20, 'it is found out')
    kind = [k for k in shown(s)['shapes'] if k['shape'].startswith('to-port')][0]
    assert kind['state'] == 'does nothing' and 10 < kind['retry_in_s'] <= 60, kind
    assert 'packets came to the host' in kind['words'], kind
    flow = wait_for(lambda: [f for f in flows(s) if 'does nothing in this NIC' in f['reason']], 10,
                    'the reason')[0]
    text = s.ctl('flow', 'explain', flow['id'])
    assert 'does nothing in this NIC' in text and 'next try in' in text, text
    # A new start for the shape: the rule works by now.
    reload(s, offload={**s.config['offload'], 'retry_ms': 50000})
    wait_for(lambda: flows(s, place='eswitch', state='placed'), 10, 'in hardware')
    before = s.call('stats')['nics'][0]['eswitch_packets']
    wait_for(lambda: s.call('stats')['nics'][0]['eswitch_packets'] > before + 200, 10, 'carried')
    assert shown(s)['table']['dead_rules'] == 1
    finish(s)


def test_a_queue_rule_that_does_nothing(switch):
    s = switch([{'match': 'any', 'actions': 'output=w'}], offload={'retry_ms': 500})
    mood(s, 'dead_next=100000')
    generate(s, 1, 2000)
    wait_for(lambda: shown(s)['table']['dead_rules'] >= 1, 20, 'it is found out')
    mood(s, 'dead_next=0')
    # Tried again after a while, and it works.
    wait_for(lambda: flows(s, place='exclusive-queue', state='placed'), 20, 'on its queue')
    wait_for(lambda: s.call('stats')['place_packets']['exclusive-queue'] > 200, 20, 'carried')
    wait_for(lambda: not [k for k in shown(s)['shapes'] if k['state'] == 'does nothing'], 20,
             'the shape is trusted again')
    finish(s)


def test_lagging_counters_are_no_lie(switch):
    """Counters that are three seconds old say nothing against a rule."""
    s = switch(TO_V0, dev=',counter_lag=3000')
    generate(s, 20, 4000)
    wait_for(lambda: len(flows(s, place='eswitch', state='placed')) == 20, 10, 'placed')
    start = s.call('stats')['nics'][0]['eswitch_packets']
    wait_for(lambda: s.call('stats')['nics'][0]['eswitch_packets'] > start + 20000, 30, '5 s')
    assert shown(s)['table']['dead_rules'] == 0
    assert shown(s)['insertions']['removed'] == 0
    finish(s)


def test_a_full_table(switch):
    s = switch(TO_V0, dev=',capacity=12')
    generate(s, 60, 8000)
    wait_for(lambda: shown(s)['table']['limit'] == 12, 10, 'the size is learned')
    show = shown(s)
    assert show['insertions']['full'] >= 1 and show['insertions']['p50_us'] > 0, show
    assert [k for k in show['shapes'] if k['state'] == 'full'], show['shapes']
    waits = wait_for(lambda: [w for w in shown(s)['waiting'] if w['wants'] == 'eswitch'], 10,
                     'somebody waits')
    assert {w['because'] for w in waits} <= {'table-full', 'budget'}, waits
    text = s.ctl('offload', 'show', 'nic0')
    for word in ('SHAPE', 'to-port ipv4 udp, in by the PF', 'p99', 'WANTS', 'EXCLUSIVE'):
        assert word in text, text
    with pytest.raises(RpcError, match='no NIC named "nic9"'):
        s.call('offload show', nic='nic9')
    finish(s)


def test_limits_of_vms(switch):
    """Entries are lent, taken back, and cut; live, and named."""
    s = switch(HASH[:2] + [{'name': 'rest', 'match': 'any', 'actions': 'drop'}],
               dev=',capacity=16', vms={'vm-v1': {'min_entries': 6}})
    generate(s, 80, 8000)

    def entries(vm):
        return s.call('vm show', vm=vm)['hardware']['entries']
    wait_for(lambda: entries('vm-v1')['has'] >= 6, 20, 'its guarantee')
    assert {k: v for k, v in entries('vm-v1').items() if k != 'has'} == {
        'guaranteed': 6, 'max': None}
    assert s.call('offload status')['items'][0]['vms']['vm-v1']['guaranteed'] == 6
    vms = [{'name': 'vm-v0', 'max_entries': 3}, {'name': 'vm-v1'}, {'name': 'vm-w'}]
    reload(s, vms=vms)
    wait_for(lambda: entries('vm-v0')['has'] <= 3, 10, 'cut')
    wait_for(lambda: [f for f in flows(s) if f['to'] == 'v0'
                      and 'of 3 table entries (max_entries of the VM)' in f['reason']], 10, 'named')
    bad = [{'name': 'vm-v0', 'max_entries': 3, 'min_entries': 4}, *vms[1:]]
    with pytest.raises(RpcError, match='4 is above the maximum, 3'):
        reload(s, vms=bad)
    assert entries('vm-v0')['max'] == 3
    finish(s)


def test_limits_in_policy_rules(switch):
    """What each VM may have for the flows of a rule: the first that matches, live, and named."""
    s = switch()
    generate(s, 60, 12000)
    wait_for(lambda: len(flows(s, place='eswitch')) > 20, 20, 'placed')

    def policy(*rules):
        reload(s, offload={**s.config['offload'], 'policy': list(rules)})

    def entries(rule, vm):
        listed = {p['name']: p for p in s.call('policy list')['items']}
        return listed[rule]['vms'].get(vm, {}).get('entries', 0)
    half = {'name': 'odd', 'match': 'ip_src=0.0.0.1/0.0.0.1', 'max_entries': 2}
    policy(half, {'name': 'rest', 'match': 'ip', 'max_entries': 3})
    for vm in ('vm-v0', 'vm-v1'):
        wait_for(lambda v=vm: (entries('odd', v), entries('rest', v)) == (2, 3), 20, f'cut: {vm}')
    wait_for(lambda: len(flows(s, place='eswitch', state='placed')) == 10, 10, 'so the NIC has it')
    wait_for(lambda: [f for f in flows(s) if 'its VM has 3 of the 3 table entries that the policy '
                      'rule "rest" lets it have' in f['reason']], 10, 'named')
    with pytest.raises(RpcError, match='-1 is below 0') as refused:
        policy({**half, 'max_entries': -1})
    assert '/offload/policy/0/max_entries' in str(refused.value.data), refused.value.data
    assert entries('rest', 'vm-v0') == 3, 'nothing has changed'
    # Queues alone: of w, which has no way through the embedded switch.
    wait_for(lambda: rings(s)['exclusive-queue'] >= 2, 10, 'some are alone')
    policy({'name': 'one', 'vm': 'vm-w', 'max_queues': 1})
    wait_for(lambda: rings(s)['exclusive-queue'] == 1, 20, 'one is')
    assert 'one' in s.ctl('policy', 'list')
    policy()
    wait_for(lambda: len(flows(s, place='eswitch', state='placed')) > 20
             and rings(s)['exclusive-queue'] >= 2, 20, 'as before')
    assert s.call('policy list')['items'] == []
    finish(s)


def test_a_rate_keeps_flows_where_it_is_counted(switch):
    """A port gets a rate under traffic: its flows leave the embedded switch, which would let them pass
    beside it, and what is above is dropped by name; without it they are back."""
    s = switch()
    generate(s, 30, 8000)
    wait_for(lambda: flows(s, place='eswitch', state='placed'), 20, 'placed')
    sw = s.config['switches'][0]
    slow = {**sw, 'ports': [{**sw['ports'][0], 'rate_bps': '2M', 'burst_bytes': 4000},
                            *sw['ports'][1:]]}
    reload(s, switches=[slow])
    wait_for(lambda: not flows(s, place='eswitch'), 10, 'out of it')
    carried = s.call('stats')['nics'][0]['eswitch_packets']
    flow = wait_for(lambda: [f for f in flows(s) if f['to'] == 'v0' and 'has a rate' in f['reason']],
                    10, 'the reason')[0]
    assert 'has a rate, which the host keeps' in s.ctl('flow', 'explain', flow['id'])

    def dropped():
        return s.port('uplink')['drops'].get('port-rate', 0)
    first = dropped()
    wait_for(lambda: dropped() > first + 2000, 20, 'most is above it')
    assert s.call('stats')['nics'][0]['eswitch_packets'] == carried, 'nothing passes beside it'
    reload(s, switches=[sw])
    wait_for(lambda: flows(s, place='eswitch', state='placed'), 20, 'back')
    stats = finish(s)
    assert stats['packets']['dropped']['port-rate'] == dropped() > 2000


def test_counters_of_vms(switch):
    """Of host and NIC in sum, and drops by name: as the ports say."""
    s = switch(HASH[:2] + [{'name': 'rest', 'match': 'any', 'actions': 'drop'}], dev=',capacity=8')
    generate(s, 40, 8000)
    wait_for(lambda: flows(s, place='eswitch', state='placed'), 10, 'placed')
    wait_for(lambda: s.call('vm show', vm='vm-v0')['to']['hardware_packets'] > 200, 20, 'carried')
    finish(s)

    def agree():
        for name in ('v0', 'v1', 'w'):
            vm, port = s.call('vm show', vm=f'vm-{name}'), s.port(name)
            for way, kind in (('from', 'rx'), ('to', 'tx')):
                for unit in ('packets', 'bytes'):
                    host, hw = port[f'{kind}_{unit}'], port[f'hw_{kind}_{unit}']
                    if (vm[way][f'software_{unit}'], vm[way][f'hardware_{unit}'],
                            vm[way][unit], vm[f'{kind}_{unit}']) != (host, hw, host + hw,
                                                                     host + hw):
                        return False
            if vm['dropped'] != port['dropped'] or vm['drops'] != port['drops']:
                return False
        return True
    wait_for(agree, 5, 'they agree')
    listed = {v['name']: v for v in s.call('vm list')['items']}
    assert listed['vm-v0']['tx_packets'] == s.call('vm show', vm='vm-v0')['to']['packets'] > 200
    assert 'hardware packets' in s.ctl('vm', 'show', 'vm-v0')


def rings(s):
    return {p: len(flows(s, place=p)) for p in ('exclusive-queue', 'shared-queue', 'ring')}


def test_queues_run_out_and_come_back(switch):
    """ring -> shared -> exclusive and back, as the VM's and the queues' limits change."""
    s = switch([{'match': 'any', 'actions': 'output=w'}], queues=4,
               offload={'shared_flows': 4, 'heavy_bps': '300k', 'light_bps': '100k'},
               vms={'vm-w': {'max_queues': 16}})
    generate(s, 24, 6000)
    wait_for(lambda: rings(s)['ring'] > 0 and rings(s)['exclusive-queue'] > 0, 20, 'exhausted')
    waits = shown(s)['waiting']
    assert any(w['wants'] in ('exclusive-queue', 'shared-queue') for w in waits), waits
    base = [{'name': n} for n in ('vm-v0', 'vm-v1')]
    reload(s, vms=[*base, {'name': 'vm-w', 'max_queues': 1}])
    wait_for(lambda: rings(s)['exclusive-queue'] == 1 and rings(s)['shared-queue'] > 0, 20,
             'from exclusive to shared')
    reload(s, vms=[*base, {'name': 'vm-w', 'max_queues': 3}])
    wait_for(lambda: rings(s)['exclusive-queue'] >= 2, 20, 'and back')
    # Fewer flows: those that were in the ring are on queues.
    generate(s, 3, 3000, seed=8)
    wait_for(lambda: {f['place'] for f in flows(s) if f['rate_bps'] > 100000}
             == {'exclusive-queue'}, 20, 'alone')
    finish(s)


def test_policy_under_traffic(switch):
    """Rules of the policy come and go while packets flow: each takes force on flows that are placed."""
    s = switch()
    generate(s, 24, 8000)
    wait_for(lambda: flows(s, place='eswitch') and flows(s, place='exclusive-queue'), 20, 'placed')

    def policy(*rules):
        reload(s, offload={**s.config['offload'], 'policy': list(rules)})
    only = {'name': 'shared', 'vm': 'vm-w', 'places': ['shared-queue']}
    policy(only)
    wait_for(lambda: not flows(s, place='exclusive-queue') and flows(s, place='shared-queue'), 10,
             'none is alone')
    policy({**only, 'name': 'alone', 'places': ['exclusive-queue']})
    wait_for(lambda: not flows(s, place='shared-queue') and flows(s, place='exclusive-queue'), 10,
             'none shares')
    policy({'name': 'host', 'vm': 'vm-v0', 'places': ['software']})
    wait_for(lambda: {f['place'] for f in flows(s) if f['to'] == 'v0'} == {'software'}, 10, 'host')
    one = [f for f in flows(s) if f['to'] == 'v0'][0]
    assert s.call('flow show', flow=one['id'])['policy'] == 'host'
    # By code point: the generator's packets have none set, which is code point 0.
    policy({'name': 'ef', 'dscp': 'ef', 'places': ['software']},
           {'name': 'be', 'vm': 'vm-v1', 'dscp': 'cs0', 'places': ['software']})
    wait_for(lambda: {f['place'] for f in flows(s) if f['to'] == 'v1'} == {'software'}
             and flows(s, place='eswitch'), 10, 'by DSCP')
    for bad, words in (('af44', '"af44" is no code point or range'), ('9-3', '"9-3" is no code')):
        with pytest.raises(RpcError, match=words):
            policy({'name': 'x', 'dscp': bad})
    policy()
    wait_for(lambda: flows(s, place='exclusive-queue')
             and {f['to'] for f in flows(s, place='eswitch')} == {'v0', 'v1'}, 20, 'as before')
    finish(s)


def carried(s):
    """Packets of each flow that rules of the NIC carried."""
    return {f['id']: s.call('flow show', flow=f['id'])['packets_by_place']['eswitch']
            for f in flows(s)}


@pytest.mark.parametrize('dev', ['', ',stop_flush=1'], ids=['keeps', 'loses'])
def test_port_restart(switch, dev):
    """The ports of a NIC stop and start under traffic: each flow's rule is made anew, and hit."""
    s = switch(TO_V0, dev=dev)
    generate(s, 10, 4000)
    wait_for(lambda: len(flows(s, place='eswitch', state='placed')) == 10, 10, 'placed')
    ids, made = {f['id'] for f in flows(s)}, shown(s)['insertions']['installed']
    answer = s.ctl_json('nic', 'restart', 'nic0')
    assert (answer['state'], answer['link']) == ('active', 'up'), answer
    wait_for(lambda: len(flows(s, place='eswitch', state='placed')) == 10, 20, 'placed again')
    assert {f['id'] for f in flows(s)} == ids, 'the same flows'
    assert shown(s)['insertions']['installed'] >= made + 10, 'by rules that are new'
    assert s.telemetry('/emunic/info,nic=net_emunic0')['/emunic/info']['rules'] == 10
    before = carried(s)
    wait_for(lambda: all(n > before[f] + 20 for f, n in carried(s).items()), 20, 'each is hit')
    with pytest.raises(RpcError, match='no NIC named "nic9"'):
        s.call('nic restart', nic='nic9')
    finish(s)


def test_a_port_that_goes_and_comes(switch):
    s = switch(TO_V0)
    generate(s, 10, 4000)
    wait_for(lambda: len(flows(s, place='eswitch', state='placed')) == 10, 10, 'placed')
    s.call('port detach', port='v0')
    wait_for(lambda: not flows(s, place='eswitch'), 10, 'nothing leads there')
    s.call('port attach', port='v0', kind='vf', nic='nic0', vf=0)
    wait_for(lambda: len(flows(s, place='eswitch', state='placed')) == 10, 20, 'placed again')
    before = s.call('stats')['nics'][0]['eswitch_packets']
    wait_for(lambda: s.call('stats')['nics'][0]['eswitch_packets'] > before + 500, 10, 'carried')
    finish(s)


def test_vm_removal_under_traffic(switch):
    s = switch()
    generate(s, 40, 8000)
    wait_for(lambda: {f['to'] for f in flows(s, place='eswitch', state='placed')} == {'v0', 'v1'}
             and flows(s, place='exclusive-queue'), 20, 'placed')
    cfg = json.loads(json.dumps(s.config))
    sw = cfg['switches'][0]
    sw['ports'] = [p for p in sw['ports'] if p['name'] != 'v1']
    sw['rules'] = [r for r in sw['rules'] if r['name'] != 'to-v1']
    s.write_config(cfg)
    s.call('config reload')
    wait_for(lambda: not [f for f in flows(s, place='eswitch') if f['to'] == 'v1'], 10, 'gone')
    assert [f for f in flows(s, place='eswitch') if f['to'] == 'v0'], 'others stay'
    s.write_config(s.config)
    s.call('config reload')
    wait_for(lambda: [f for f in flows(s, place='eswitch') if f['to'] == 'v1'], 20, 'back')
    finish(s)

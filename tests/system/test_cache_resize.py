# SPDX-License-Identifier: BSD-3-Clause
"""/datapath/flows by a reload, under traffic: the workers' caches get another size.

    generator ── wire of nic0 ── uplink ── sluiced ── v0, v1: vf0, vf1 (sinks)
                                              └────── w, x: net_null
"""
import copy
import resource

import pytest

from sluice_harness import RpcError, wait_for

NULL = 'net_null{},no-rx=1'


def base(offload):
    def null(name, n):
        return {'name': name, 'vm': f'vm-{name}',
                'attach': {'kind': 'ethdev', 'dev': NULL.format(n)}}
    return {
        'drivers': ['librte_net_emunic.so'],
        'datapath': {'flows': 4096},
        'offload': offload,
        'nics': [{'name': 'nic0', 'queues': 8, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 2,
                  'dev': 'net_emunic0,queues=8,vfs=2,rep_queues=2,representor=vf[0-1],'
                         'wire=[sink],vf0=[sink],vf1=[sink]'}],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      *({'name': f'v{n}', 'vm': f'vm-v{n}',
                         'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': n}} for n in (0, 1)),
                      null('w', 0), null('x', 1)],
            'tables': [{'id': 0, 'default': 'drop'}],
            # The lowest two bits of the destination choose the port.
            'rules': [{'name': f'to-{port}', 'match': f'ip ip_dst=0.0.0.{n}/0.0.0.3',
                       'actions': f'output={port}'}
                      for n, port in enumerate(['v0', 'v1', 'w', 'x'])],
        }],
    }


def with_flows(cfg, n):
    cfg = copy.deepcopy(cfg)
    cfg['datapath']['flows'] = n
    return cfg


def reload(switch, cfg, **args):
    switch.write_config({**cfg, 'control': switch.config['control']})
    return switch.call('config reload', **args)['changed']


def worker(switch):
    return switch.call('worker show', worker=0)


def resized(switch, cfg, n):
    """Reloads with n flows and waits until they have moved. What the worker says then."""
    was = worker(switch)['cache_size']
    changed = reload(switch, with_flows(cfg, n))
    assert changed == [f"flows in each worker's cache: {was} to {n}"], changed

    def over():
        now = worker(switch)
        return now if (now['cache_size'], now['cache_moving']) == (n, 0) else None
    now = wait_for(over, 20, f'caches of {n} flows')
    wait_for(lambda: switch.log.read_text().count(f'caches are for {n} flows now'), 20, 'the end')
    return now


def generate(switch, **options):
    options = {'seed': 7, 'size': 300, 'v6': 0, 'skew': 0, **options}
    switch.swap('generator,' + ','.join(f'{k}={v}' for k, v in options.items()))


def finish(switch, missed=False):
    """The end of the traffic: no packet was lost, and the sums are right. missed: but for those that
    a NIC has no room for while the machine has other things to do."""
    switch.swap('sink')
    stats = switch.settled()
    assert stats['conserved'], stats
    assert set(stats['packets']['dropped']) <= ({'nic-rx_missed'} if missed else set()), stats
    return stats


def test_established_flows_stay(sluiced):
    """They are neither decided anew nor lost, whether the cache grows or shrinks around them."""
    cfg = base({'enabled': False})
    s = sluiced(cfg, telemetry=True)
    s.wait_up()
    generate(s, flows=300, pps=2000)
    before = wait_for(lambda: (w := worker(s))['cache_flows'] >= 300 and w, 20, 'all flows')
    assert before['cache_size'] == 4096 and before['cache_flows'] == 300
    for n in (131072, 1024, 1000000, 2048):
        now = resized(s, cfg, n)
        # With what the flows bring: about 150 bytes each.
        assert 130 * n < now['cache_bytes'] < 200 * n + 10000, now
        assert (now['cache_flows'], now['misses'], now['evicted']) == (
            300, before['misses'], before['evicted'])
    listed = s.call('flow list', limit=0)['items']
    assert len(listed) == 300
    stats = finish(s)
    # What the flows counted before and after, and in between.
    total = sum(f['packets'] for f in s.call('flow list', limit=0)['items'])
    assert total == stats['packets']['received'] == stats['packets']['sent']
    assert stats['flows']['seen'] == 300, stats['flows']


def test_placed_flows_stay_where_they_are(sluiced):
    cfg = base({'heavy_bps': '200k', 'light_bps': '50k', 'min_bps': '1k', 'idle_ms': 5000,
                'residency_ms': 50, 'tick_ms': 10})
    s = sluiced(cfg, telemetry=True)
    s.wait_up()
    generate(s, flows=10, pps=2000)  # 480 kbit/s each

    def places():
        return sorted((f['match'], f['place'], f.get('queue')) for f in
                      s.call('flow list', limit=0)['items'] if f['state'] == 'placed')
    def all_placed():
        now = places()
        best = {place for _, place, _ in now} == {'eswitch', 'exclusive-queue'}
        return now if best and len(now) == 10 else None
    before = wait_for(all_placed, 20, 'all flows have a place of their own')
    for n in (65536, 1024, 4096):
        resized(s, cfg, n)
        assert places() == before
    stats = finish(s)
    assert stats['place_packets']['eswitch'] > 0 and stats['flows']['seen'] == 10, stats


@pytest.mark.plain_only  # where memory ends, a sanitizer ends the process
def test_refused(sluiced):
    cfg = base({'enabled': False})
    s = sluiced(cfg, telemetry=True)
    s.wait_up()
    generate(s, flows=100, pps=5000)
    before = wait_for(lambda: (w := worker(s))['cache_flows'] == 100 and w, 20, 'all flows')
    # A dry run says what would be, and whether there is room for it.
    assert reload(s, with_flows(cfg, 8192), check=True) == [
        "flows in each worker's cache: 4096 to 8192"]
    assert worker(s)['cache_size'] == 4096
    pid, limit = s.proc.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, limit))
    for args in ({'check': True}, {}):
        with pytest.raises(RpcError, match='caches of 16000000 flows: .* MB .*memory') as refusal:
            reload(s, with_flows(cfg, '16M'), **args)
        assert refusal.value.data == {'path': '/datapath/flows'}
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
    now = worker(s)
    assert now['cache_size'] == 4096 and now['cache_flows'] == 100
    assert s.call('config show')['datapath']['flows'] == 4096
    # Another part of the file that fails: nothing is half applied.
    bad = with_flows(cfg, 8192)
    bad['switches'][0]['ports'].append({'name': 'y', 'attach': {'kind': 'ethdev',
                                                                'dev': 'net_nothing0'}})
    with pytest.raises(RpcError, match='could not be opened'):
        reload(s, bad)
    assert worker(s)['cache_size'] == 4096
    assert resized(s, cfg, 8192)['misses'] == before['misses']
    finish(s)


def test_one_after_the_other(sluiced):
    """A change that comes before the last one has ended is refused and changes nothing."""
    cfg = base({'enabled': False})
    s = sluiced(cfg, telemetry=True)
    s.wait_up()
    generate(s, flows=3000, pps=20000)
    wait_for(lambda: worker(s)['cache_flows'] >= 2900, 20, 'flows')
    in_force, refused = 4096, 0
    for i in range(40):
        n = (300000, 4096)[in_force == 300000]
        try:
            reload(s, with_flows(cfg, n))
            in_force = n
        except RpcError as e:
            assert 'still under way' in str(e) and e.data == {'path': '/datapath/flows'}, e
            refused += 1
        if i % 4 == 0:
            assert len(s.call('flow list', limit=0)['items']) >= 2900
        assert s.call('config show')['datapath']['flows'] == in_force
    print(f'{refused} of 40 were refused')
    wait_for(lambda: worker(s)['cache_size'] == in_force and not worker(s)['cache_moving'], 20,
             'the last one')
    finish(s, missed=True)

# SPDX-License-Identifier: BSD-3-Clause
"""A NIC fails, its standby takes over, and back.

        wire of nic0          wire of nic1 (stands by)
             |                      |
      +------+-------+       +------+-------+
      |     nic0     |       |     nic1     |
      +-+--------+---+       +-+--------+---+
       vf0      vf1 . . . . . vf0      vf1     what uses the VFs moves: vm0 sends, vm1 is a sink
                sluiced: uplink, vm0, vm1
"""
import re

import pytest

from sluice_harness import Nic, RpcError, wait_for

PACKETS = 'generator,flows=200,seed=5,pps=40000,size=200,skew=1.1,v6=0'


def config(vf0='sink', capacity=(1024, 1024), recover_ms=200, nics=2, dev='', **offload):
    def nic(n):
        sides = f'wire=[sink],vf0=[{vf0}],vf1=[sink]' if n == 0 else 'wire=[sink]'
        return {'name': f'nic{n}', 'queues': 4, 'default_queues': 1, 'vf_queues': 2,
                'vf_default_queues': 1, 'vfs': 2, 'recover_ms': recover_ms,
                **({'standby_for': 'nic0'} if n else {}),
                'dev': f'net_emunic{n},queues=4,vfs=2,rep_queues=2,representor=vf[0-1],'
                       f'capacity={capacity[n]},{sides}{dev}'}
    return {
        'drivers': ['librte_net_emunic.so'],
        'datapath': {'mbufs': 8192},
        'offload': {'min_bps': '1k', 'heavy_bps': '500k', 'light_bps': '200k', **offload},
        'nics': [nic(n) for n in range(nics)],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      *({'name': f'vm{n}', 'vm': f'vm{n}',
                         'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': n}} for n in (0, 1))],
            'rules': [{'match': 'port=vm0', 'actions': 'output=uplink'},
                      {'match': 'port=uplink', 'actions': 'output=vm1'}]}]}


@pytest.fixture
def switch(sluiced):
    def start(*args, **more):
        started = sluiced(config(*args, **more), telemetry=True)
        started.wait_up()
        return started
    return start


def mood(s, text, nic='net_emunic0'):
    answer = s.telemetry(f'/emunic/set,nic={nic},{text}')
    assert 'error' not in str(answer), answer


def nic(s, name='nic0'):
    return s.call('nic show', nic=name)


def carried_by(s):
    return {p['name']: p['carried_by'] for p in s.call('port list')['items']}


ON_0 = {'uplink': 'nic0', 'vm0': 'nic0/vf0', 'vm1': 'nic0/vf1'}
ON_1 = {'uplink': 'nic1', 'vm0': 'nic1/vf0', 'vm1': 'nic1/vf1'}


def rules(s, name):
    return nic(s, name)['rules']


def at_rest(s, on, off):
    """Rules are where they should be, and nowhere else."""
    wait_for(lambda: not nic(s)['switching'] and rules(s, on) > 100 and rules(s, off) == 0
             and nic(s, off)['rules_left'] == 0, 20, f'all rules are in {on}')


def lost(stats):
    return sum(n for name, n in stats['packets']['dropped'].items())


def finish(s, nics=(0, 1)):
    """The end of the traffic; the sums, which are exact."""
    for n in nics:
        for side in ('wire', 'vf0'):
            s.swap('sink', nic=f'net_emunic{n}', side=side)
    stats = s.settled()
    total = stats['packets']
    assert total['received'] == total['sent'] + lost(stats) + total['held'], total
    return stats


def test_the_standby_stands_still(switch):
    s = switch(PACKETS)
    at_rest(s, 'nic0', 'nic1')
    assert carried_by(s) == ON_0
    shown = {n['name']: n for n in s.call('nic list')['items']}
    assert (shown['nic0']['role'], shown['nic0']['state']) == ('primary', 'active'), shown
    assert (shown['nic1']['role'], shown['nic1']['state']) == ('standby', 'standby'), shown
    assert shown['nic1']['link'] == 'stopped' and shown['nic0']['partner'] == 'nic1'
    assert {q['use'] for q in s.call('queue list', nic='nic1')['items']} == {'standby'}
    for line in s.ctl('nic', 'list').splitlines()[1:]:
        assert 'active' in line or 'standby' in line
    with pytest.raises(RpcError, match='is standby'):
        s.call('nic recover', nic='nic1')
    with pytest.raises(RpcError, match='only a NIC that carries its ports can be restarted'):
        s.call('nic restart', nic='nic1')
    assert s.call('nic restart', nic='nic0')['state'] == 'active'
    at_rest(s, 'nic0', 'nic1')
    with pytest.raises(RpcError, match='stands by for nic0'):
        s.call('port detach', port='vm1')
        s.call('port attach', port='vm1', kind='vf', nic='nic1', vf=1)
    finish(s)


@pytest.mark.parametrize('dev', ['', ',stop_flush=1'], ids=['keeps', 'loses'])
def test_link_loss_and_back(switch, dev):
    """Also where a port that stops loses its rules: it does not stop before they are out."""
    s = switch(PACKETS, dev=dev)
    at_rest(s, 'nic0', 'nic1')
    before = rules(s, 'nic0')
    mood(s, 'link_down=wire')
    at_rest(s, 'nic1', 'nic0')
    assert carried_by(s) == ON_1
    assert rules(s, 'nic1') >= before // 2
    shown = nic(s)
    assert (shown['state'], shown['why']) == ('failed', 'its link is down'), shown
    assert shown['counters_unread'] == 0, 'the last counters of all rules were read'
    flow = s.call('flow list', place='eswitch', limit=1)['items'][0]['id']
    told = s.call('flow explain', flow=flow)['in']
    assert told['device'] == 'nic1' and told['moved'].startswith('nic0 failed '), told
    assert 'its link is down' in told['moved'] and 're-targeted to nic1/vf0' in told['moved']
    assert 're-targeted to nic1/vf0' in s.ctl('flow', 'explain', flow)

    # Nothing is lost on the way back.
    mid = s.call('stats')['packets']
    drops = lost({'packets': mid})
    mood(s, 'link_down=none')
    wait_for(lambda: nic(s)['state'] in ('recovering', 'active'), 5, 'its link is seen')
    at_rest(s, 'nic0', 'nic1')
    assert carried_by(s) == ON_0 and nic(s, 'nic1')['state'] == 'standby'
    stats = finish(s)
    assert lost(stats) == drops, (mid, stats['packets'])
    assert s.call('flow explain', flow=flow)['in'].get('moved') is None
    assert nic(s)['switches'] == 2
    # What the NICs' rules carried is what the flows and the ports say.
    hw = sum(n['eswitch_packets'] for n in stats['nics'])
    assert hw > 0
    wait_for(lambda: s.port('vm0')['hw_rx_packets'] == s.port('uplink')['hw_tx_packets'] == hw, 5,
             'all that rules of both NICs carried is counted for the ports')


def test_device_removal(switch):
    s = switch(PACKETS)
    at_rest(s, 'nic0', 'nic1')
    mood(s, 'remove_ms=1')
    wait_for(lambda: nic(s)['state'] == 'failed' and not nic(s)['switching'], 20, 'it is over')
    wait_for(lambda: rules(s, 'nic1') > 100, 10, 'the rules are in the standby')
    assert carried_by(s) == ON_1
    shown = nic(s)
    assert shown['link'] == 'gone' and shown['why'].startswith('the device is gone'), shown
    assert shown['rules_left'] == 0 and shown['counters_unread'] > 100, shown
    with pytest.raises(RpcError, match='at a restart only'):
        s.call('nic recover', nic='nic0')
    with pytest.raises(RpcError, match='nic0 is gone'):
        s.call('nic restart', nic='nic0')
    sent = s.call('stats')['nics'][1]['sent_wire']
    wait_for(lambda: s.call('stats')['nics'][1]['sent_wire'] > sent + 1000, 10, 'traffic goes on')
    # The standby has nobody to go to: it stays, and is taken again when its link is back.
    mood(s, 'link_down=wire', 'net_emunic1')
    wait_for(lambda: nic(s, 'nic1')['state'] == 'failed', 5, 'that one fails too')
    assert carried_by(s) == ON_1
    mood(s, 'link_down=none', 'net_emunic1')
    wait_for(lambda: nic(s, 'nic1')['state'] == 'active', 5, 'it is back')
    finish(s)


def test_by_command_with_no_loss(switch):
    s = switch(PACKETS, recover_ms=0)
    # And what comes by the wire, where the sender waits while the link is down.
    s.swap(PACKETS.replace('seed=5', 'seed=6').replace('pps=40000', 'pps=1000'), side='wire')
    at_rest(s, 'nic0', 'nic1')
    drops = lost(s.call('stats'))  # from before the workers ran: the generator was there first
    shown = s.ctl_json('nic', 'fail', 'nic0')
    assert (shown['state'], shown['why']) == ('failed', 'by command'), shown
    at_rest(s, 'nic1', 'nic0')
    assert carried_by(s) == ON_1 and nic(s)['link'] == 'stopped'
    with pytest.raises(RpcError, match='taken out already'):
        s.call('nic fail', nic='nic0')
    with pytest.raises(RpcError, match='cannot take over: it is failed'):
        s.call('nic fail', nic='nic1')
    vf = s.call('stats')['nics'][1]['received_vf']
    wait_for(lambda: s.call('stats')['nics'][1]['received_vf'] > vf + 5000, 10, 'traffic')
    s.call('nic recover', nic='nic0')
    at_rest(s, 'nic0', 'nic1')
    assert carried_by(s) == ON_0
    stats = finish(s)
    assert lost(stats) == drops, stats['packets']


def test_different_limits(switch):
    """The standby's table is small: the heaviest are in it, the others on the host."""
    s = switch(PACKETS, capacity=(1024, 64))
    at_rest(s, 'nic0', 'nic1')
    mood(s, 'link_down=wire')
    wait_for(lambda: 40 < rules(s, 'nic1') <= 64 and not nic(s)['switching'], 20, 'a full table')
    wait_for(lambda: s.call('stats')['refused'].get('table-full', 0) > 20, 10, 'it says so')

    def top_is_in_it():
        flows = s.call('flow list', limit=0, sort='bytes')['items']
        return [f['place'] for f in flows if f['id']][:10].count('eswitch') >= 8
    wait_for(top_is_in_it, 10, 'the heaviest are in it')
    mood(s, 'link_down=none')
    at_rest(s, 'nic0', 'nic1')
    finish(s)


def test_the_standby_comes_back(switch):
    """The standby carries and loses its link; when that is up again it stands still, with none of
    its ports polled, and can be needed again."""
    s = switch(PACKETS, recover_ms=60000)
    for _ in range(2):
        at_rest(s, 'nic0', 'nic1')
        mood(s, 'link_down=wire')
        at_rest(s, 'nic1', 'nic0')
        mood(s, 'link_down=none')
        wait_for(lambda: nic(s)['state'] == 'recovering', 5, 'nic0 could carry')
        mood(s, 'link_down=wire', 'net_emunic1')
        at_rest(s, 'nic0', 'nic1')
        assert carried_by(s) == ON_0
        mood(s, 'link_down=none', 'net_emunic1')
        wait_for(lambda: nic(s, 'nic1')['state'] == 'standby' and not nic(s, 'nic1')['switching'],
                 20, 'nic1 stands by')
    finish(s)


def test_both_fail(switch):
    """Nobody can carry: each says why, nothing is under way, and the first that is back has all."""
    s = switch(PACKETS, recover_ms=60000)
    at_rest(s, 'nic0', 'nic1')
    mood(s, 'link_down=wire', 'net_emunic1')
    mood(s, 'link_down=wire')
    wait_for(lambda: nic(s, 'nic1')['state'] == 'failed' and not nic(s)['switching'], 30, 'both')
    shown = nic(s), nic(s, 'nic1')
    assert [n['state'] for n in shown] == ['failed', 'failed'], shown
    assert all('link' in n['why'] for n in shown) and shown[0]['switches'] == 1, shown
    mood(s, 'link_down=none')
    at_rest(s, 'nic0', 'nic1')
    assert carried_by(s) == ON_0 and nic(s)['state'] == 'active'
    finish(s)


def test_a_link_that_flaps(switch):
    """Up and down in less than recover_ms: the standby keeps what it has."""
    s = switch(PACKETS, recover_ms=3000)
    at_rest(s, 'nic0', 'nic1')
    mood(s, 'link_down=wire')
    wait_for(lambda: nic(s)['state'] == 'failed' and not nic(s)['switching'], 20, 'switched')
    for _ in range(5):
        mood(s, 'link_down=none')
        wait_for(lambda: nic(s)['state'] == 'recovering', 5, 'up')
        mood(s, 'link_down=wire')
        wait_for(lambda: nic(s)['state'] == 'failed', 5, 'down')
        assert carried_by(s) == ON_1
    assert nic(s)['switches'] == 1
    mood(s, 'link_down=none')
    wait_for(lambda: nic(s)['state'] == 'recovering', 5, 'up')
    s.call('nic recover', nic='nic0')
    at_rest(s, 'nic0', 'nic1')
    finish(s)


def test_rules_ahead_of_traffic_go_along(switch):
    """The switch's own rules leave the NIC before what they name does, and come to the other."""
    s = switch(PACKETS, recover_ms=0, rules_ahead=64)

    wait_for(lambda: s.call('stats')['nics'][0]['eswitch_packets'] > 2000, 10, 'they carry')
    drops = lost(s.call('stats'))
    s.call('nic fail', nic='nic0')
    assert carried_by(s) == ON_1
    wait_for(lambda: s.call('stats')['nics'][1]['eswitch_packets'] > 2000, 10, 'they carry there')
    s.call('nic recover', nic='nic0')
    assert carried_by(s) == ON_0
    before = s.call('stats')['nics'][0]['eswitch_packets']
    wait_for(lambda: s.call('stats')['nics'][0]['eswitch_packets'] > before + 2000, 10, 'and back')
    stats = finish(s)
    assert lost(stats) == drops, stats['packets']


def does_not_start(s):
    mood(s, 'fail_start=1000000')
    with pytest.raises(RpcError, match='the device did not start'):
        s.call('nic restart', nic='nic0')


def test_a_nic_that_does_not_start(switch):
    """As if it were gone; then as when its link is back."""
    s = switch(PACKETS)
    at_rest(s, 'nic0', 'nic1')
    does_not_start(s)
    at_rest(s, 'nic1', 'nic0')
    assert carried_by(s) == ON_1
    shown = nic(s)
    assert (shown['state'], shown['link'], shown['counters_unread']) == ('failed', 'stopped', 0), shown
    assert shown['why'].startswith('it does not start again (the device did not start'), shown
    assert '`nic restart` tries at once' in shown['advice'] and shown['next_try_s'] >= 0, shown
    assert '`nic restart` tries at once' in s.ctl('nic', 'show', 'nic0')
    flow = s.call('flow list', place='eswitch', limit=1)['items'][0]['id']
    told = s.call('flow explain', flow=flow)['in']
    assert told['device'] == 'nic1' and 'does not start again' in told['moved'], told
    with pytest.raises(RpcError, match='the device did not start'):
        s.call('nic restart', nic='nic0')
    assert nic(s)['next_try_s'] > 0.5, 'the pauses get longer'
    with pytest.raises(RpcError, match='the device did not start'):
        s.call('nic recover', nic='nic0')

    # Nothing is lost on the way back.
    drops = lost(s.call('stats'))
    mood(s, 'fail_start=0')
    shown = s.call('nic restart', nic='nic0')
    assert shown['next_try_s'] is None and shown['link'] == 'up', shown
    at_rest(s, 'nic0', 'nic1')
    assert carried_by(s) == ON_0 and nic(s, 'nic1')['state'] == 'standby'
    assert nic(s)['why'] == nic(s)['advice'] == '-' and nic(s)['switches'] == 2
    stats = finish(s)
    assert lost(stats) == drops, stats['packets']
    hw = sum(n['eswitch_packets'] for n in stats['nics'])
    wait_for(lambda: s.port('vm0')['hw_rx_packets'] == s.port('uplink')['hw_tx_packets'] == hw, 5,
             'all that rules of both NICs carried is counted for the ports')


def test_it_starts_later_with_no_partner(switch):
    """Tried again by itself, in vain at first; nothing is put into it meanwhile."""
    s = switch(PACKETS, nics=1)
    wait_for(lambda: rules(s, 'nic0') > 100, 20, 'placed')
    mood(s, 'fail_start=2')  # this one, and the next
    with pytest.raises(RpcError, match='the device did not start'):
        s.call('nic restart', nic='nic0')
    shown = nic(s)
    assert (shown['role'], shown['state'], shown['link']) == ('alone', 'failed', 'stopped'), shown
    assert 0 <= shown['next_try_s'] <= 1 and shown['rules'] == 0, shown
    assert set(carried_by(s).values()) == {'-'}
    with pytest.raises(RpcError, match='does not start again: see `nic show`'):
        s.call('port attach', port='vm1', kind='vf', nic='nic0', vf=1)
    wait_for(lambda: nic(s)['next_try_s'] is not None and nic(s)['next_try_s'] > 1, 10, 'twice')
    assert nic(s)['rules'] == 0
    wait_for(lambda: nic(s)['state'] == 'active', 10, 'it starts')
    wait_for(lambda: rules(s, 'nic0') > 100, 20, 'all is made anew')
    assert carried_by(s) == ON_0
    assert nic(s)['why'] == nic(s)['advice'] == '-' and nic(s)['next_try_s'] is None
    before = s.call('stats')['nics'][0]['eswitch_packets']
    wait_for(lambda: s.call('stats')['nics'][0]['eswitch_packets'] > before + 2000, 10, 'traffic')
    finish(s, [0])


def test_it_does_not_start_and_the_standby_comes_later(switch):
    s = switch(PACKETS)
    at_rest(s, 'nic0', 'nic1')
    s.call('nic fail', nic='nic1')
    does_not_start(s)
    assert set(carried_by(s).values()) == {'-'} and nic(s)['switches'] == 0
    assert nic(s, 'nic1')['advice'] == '`nic recover` takes it into use'
    s.call('nic recover', nic='nic1')
    wait_for(lambda: carried_by(s) == ON_1, 10, 'the standby has them')
    at_rest(s, 'nic1', 'nic0')
    mood(s, 'fail_start=0')
    at_rest(s, 'nic0', 'nic1')  # with no command: after its pause
    assert carried_by(s) == ON_0
    finish(s)


def test_no_standby(switch):
    s = switch(PACKETS, nics=1)
    assert nic(s)['role'] == 'alone'
    with pytest.raises(RpcError, match='has no standby'):
        s.call('nic fail', nic='nic0')
    with pytest.raises(RpcError, match='no NIC named'):
        s.call('nic show', nic='nic7')


def guests_config(work):
    """v has VF 0 of nic0, and of nic1 when that has failed; g has virtio only."""
    cfg = config(vf0=f'vhost-user,path={work}/v.sock', recover_ms=100)
    sw = cfg['switches'][0]
    sw['ports'] = [*sw['ports'][:2],
                   {'name': 'g', 'vm': 'g',
                    'attach': {'kind': 'vhost-user', 'path': f'{work}/g.sock'}}]
    sw['rules'] = [{'match': 'any', 'actions': 'normal'}]
    return cfg


@pytest.mark.slow
def test_guests_keep_their_connection(sluiced, work, guest):
    """Two real guests through the loss of a NIC and its return, one on a VF, the other on virtio: a
    TCP connection goes on with every line, and an echo that is missing was dropped by name."""
    s = sluiced(guests_config(work), telemetry=True)
    g = guest('g', [Nic(f'{work}/g.sock', '52:54:00:00:00:01', ('10.0.0.1/24',))])
    v = guest('v', [Nic(f'{work}/v.sock', '52:54:00:00:00:02', ('10.0.0.2/24',))])
    for vm in (g, v):
        vm.start(wait=False)
    for vm in (g, v):
        vm.wait_boot()
    wait_for(lambda: g.ping('10.0.0.2', 1) == 1, 20, 'they reach each other')
    drops = lost(s.call('stats'))

    # nc would end the connection with its own input.
    got = v.begin('tail -f /dev/null | nc -l -p 5001 >/tmp/got')
    wait_for(lambda: ':1389' in v.run('cat /proc/net/tcp /proc/net/tcp6'), 20, 'it listens')
    sent = g.begin('(n=0; until [ -e /tmp/enough ]; do echo $n; echo $n >>/tmp/sent; n=$((n + 1)); usleep 5000; done) '
                   '| nc 10.0.0.2 5001')
    echo = g.begin('ping -i 0.02 10.0.0.2 >/tmp/echo')

    def goes_on():
        lines = int(v.run('wc -l </tmp/got'))
        wait_for(lambda: int(v.run('wc -l </tmp/got')) > lines + 20, 30, 'the connection goes on')
    goes_on()
    mood(s, 'link_down=wire')
    wait_for(lambda: nic(s)['state'] == 'failed' and not nic(s)['switching'], 20, 'it is over')
    assert carried_by(s)['vm0'] == 'nic1/vf0'
    goes_on()
    mood(s, 'link_down=none')
    wait_for(lambda: nic(s)['switches'] == 2 and not nic(s)['switching'], 20, 'and back')
    assert carried_by(s)['vm0'] == 'nic0/vf0'
    goes_on()
    g.run('touch /tmp/enough; killall -INT ping')
    g.finish(sent)
    g.finish(echo)
    v.run('killall tail')
    v.finish(got)
    assert v.run('md5sum </tmp/got') == g.run('md5sum </tmp/sent')
    numbers = [int(n) for n in re.findall(r'seq=(\d+)', g.run('cat /tmp/echo'))]
    assert len(set(numbers)) == len(numbers), 'each answer came once'
    # The last one may have been on its way.
    missing = numbers[-1] + 1 - len(numbers)
    stats = s.settled()
    assert stats['conserved'] and missing <= lost(stats) - drops, (missing, stats['packets'])

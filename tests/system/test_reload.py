# SPDX-License-Identifier: BSD-3-Clause
"""Changes of a live switch: by a new file, and by commands.

    generator ── wire of nic0 ── uplink ── sluiced ── v0: vf0 (a sink)
                                              ├────── w:  net_null
                                              └────── what a test adds

Offload is off here, so that counters of ports tell at once what the rules say; what a change does
to flows in hardware is in test_offload_live.py.
"""
import copy
import errno
import json
import os
import random
import signal
import subprocess

import pytest

from sluice_harness import RpcClient, RpcError, wait_for
from sluice_harness.sluiced import program

NULL = 'net_null{},no-rx=1'


def base():
    return {
        'log': {'level': 'info'},
        'drivers': ['librte_net_emunic.so'],
        'offload': {'enabled': False},
        'nics': [{'name': 'nic0', 'queues': 2, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 2,
                  'dev': 'net_emunic0,queues=2,vfs=2,rep_queues=2,representor=vf[0-1],'
                         'wire=[generator,flows=20,seed=1,pps=5000,size=200],vf0=[sink]'}],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'v0', 'vm': 'vm0', 'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}},
                      {'name': 'w', 'attach': {'kind': 'ethdev', 'dev': NULL.format(0)}}],
            'rules': [{'name': 'down', 'priority': 5, 'match': 'port=uplink',
                       'actions': 'output=v0'},
                      {'name': 'other', 'priority': 1, 'match': 'any', 'actions': 'drop'}],
        }],
    }


def tx(switch, port):
    return switch.port(port)['tx_packets']


def flows_to(switch, port, not_to=()):
    """Packets go to that port, and none more to the others."""
    still = {p: tx(switch, p) for p in not_to}
    before = tx(switch, port)
    wait_for(lambda: tx(switch, port) > before + 300, 10, f'packets to {port}')
    assert {p: tx(switch, p) for p in not_to} == still


def drop_grows(switch, port, name):
    def count():
        return switch.port(port)['drops'].get(name, 0)
    before = count()
    wait_for(lambda: count() > before + 100, 10, f'{name} of {port}')


def reload(switch, cfg, *args):
    switch.write_config({**cfg, 'control': switch.config['control']})
    return switch.call('config reload', **dict.fromkeys(args, True))


@pytest.fixture
def switch(sluiced):
    started = sluiced(base(), telemetry=True)
    started.wait_up()
    flows_to(started, 'v0', ['w'])
    return started


def test_rules(switch):
    cfg = base()
    rules = cfg['switches'][0]['rules']
    rules[0]['actions'] = 'output=w'
    got = reload(switch, cfg)
    assert got['applied'] and got['changed'], got
    flows_to(switch, 'w', ['v0'])

    # A rule that stays keeps its counters; rules that were added live stay too.
    live = switch.call('rule add', match='udp', actions='drop', priority=9, name='live')
    kept = {r['name']: r for r in switch.call('rule list')['items']}
    assert kept['down']['packets'] > 0
    rules[1]['actions'] = 'output=v0'
    rules.append({'name': 'tcp', 'priority': 7, 'match': 'tcp', 'actions': 'output=v0'})
    reload(switch, cfg)
    now = {r['name']: r for r in switch.call('rule list')['items']}
    assert now['down']['id'] == kept['down']['id']
    assert now['down']['packets'] >= kept['down']['packets']
    assert now['live']['id'] == live['id']
    wait_for(lambda: switch.call('rule show', rule='tcp')['packets'] > 100, 10, 'the new rule hits')
    wait_for(lambda: switch.call('rule show', rule='live')['packets'] > 100, 10, 'the live one too')
    drop_grows(switch, 'uplink', 'rule-drop')

    reload(switch, base())
    switch.call('rule del', rule='live')
    assert [r['name'] for r in switch.call('rule list')['items']] == ['down', 'other']
    flows_to(switch, 'v0', ['w'])
    assert reload(switch, base())['changed'] == []


def test_a_full_table_is_replaced(sluiced):
    """All rules at once, of as many as there may be, and what is for one rule more."""
    cfg = base()
    sw = cfg['switches'][0]
    sw['max_rules'] = 40

    def rules(kind):
        return [{'name': f'{kind}{i}', 'priority': 7, 'match': f'{kind} dport={i + 1}',
                 'actions': 'drop'} for i in range(39)]
    sw['rules'] = [{'name': 'down', 'priority': 5, 'match': 'port=uplink', 'actions': 'output=v0'},
                   *rules('tcp')]
    switch = sluiced(cfg, telemetry=True)
    switch.wait_up()
    flows_to(switch, 'v0', ['w'])
    for kind in ('udp', 'tcp', 'udp'):
        sw['rules'][0]['actions'] = f'output={"w" if kind == "udp" else "v0"}'
        sw['rules'][1:] = rules(kind)
        reload(switch, cfg)
        assert {r['name'] for r in switch.call('rule list')['items']} == {
            r['name'] for r in sw['rules']}
        flows_to(switch, 'w' if kind == 'udp' else 'v0', ['v0' if kind == 'udp' else 'w'])
    with pytest.raises(RpcError, match='its 40 rules|room for 40'):
        switch.call('rule add', match='icmp', actions='drop')
    # With a rule that was added live the file is one too long. A dry run says so as well, and where.
    last = sw['rules'].pop()
    reload(switch, cfg)
    switch.call('rule add', match='icmp', actions='drop')
    sw['rules'].append(last)
    for args in (('check',), ()):
        with pytest.raises(RpcError, match='its 40 rules') as refusal:
            reload(switch, cfg, *args)
        assert refusal.value.data == {'path': '/switches/0/rules/39'}
    assert len(switch.call('rule list')['items']) == 40
    flows_to(switch, 'w', ['v0'])


def test_the_signal_reloads(switch):
    """SIGHUP: the file as a whole or not at all, with a line in the log."""
    cfg = base()
    cfg['switches'][0]['rules'][0]['actions'] = 'output=w'
    switch.write_config({**cfg, 'control': switch.config['control']})
    os.kill(switch.proc.pid, signal.SIGHUP)
    switch.proc.wait_text('reloaded, 1 changes')
    flows_to(switch, 'w', ['v0'])
    cfg['switches'][0]['rules'][0]['actions'] = 'output=v0'
    cfg['switches'][0]['rules'][1]['actions'] = 'output=nowhere'
    switch.write_config({**cfg, 'control': switch.config['control']})
    os.kill(switch.proc.pid, signal.SIGHUP)
    switch.proc.wait_text('refused: .*nowhere')
    flows_to(switch, 'w', ['v0'])
    assert switch.proc.running


def test_the_signal_while_it_starts(switch):
    """A file that was changed while it was read is read again: here it comes through a pipe."""
    switch.stop()
    path = switch.config_path
    text = path.read_text()
    path.unlink()
    os.mkfifo(path)
    switch.start(wait=False)

    def open_pipe():
        assert switch.proc.running
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as e:
            assert e.errno == errno.ENXIO, e  # nobody reads yet
            return None
    with os.fdopen(wait_for(open_pipe, 20, 'the file is read'), 'w', encoding='utf-8') as pipe:
        os.kill(switch.proc.pid, signal.SIGHUP)
        path.unlink()
        cfg = base()
        cfg['switches'][0]['rules'][0]['actions'] = 'output=w'
        switch.write_config({**cfg, 'control': switch.config['control']})
        pipe.write(text)
    switch.wait_ready()
    switch.proc.wait_text('reloaded, 1 changes')
    flows_to(switch, 'w', ['v0'])


def test_tables(switch):
    cfg = base()
    cfg['switches'][0]['tables'] = [{'id': 0, 'default': 'drop'},
                                    {'id': 1, 'name': 'second', 'default': 'drop'}]
    rules = cfg['switches'][0]['rules']
    rules[0]['actions'] = 'goto=second'
    rules.append({'name': 'end', 'table': 'second', 'match': 'any', 'actions': 'output=w'})
    reload(switch, cfg)
    flows_to(switch, 'w', ['v0'])
    del rules[-1]
    cfg['switches'][0]['tables'][1]['default'] = 'normal'
    reload(switch, cfg)
    flows_to(switch, 'v0')  # unknown addresses are flooded
    cfg['switches'][0]['tables'][1]['default'] = 'drop'
    reload(switch, cfg)
    drop_grows(switch, 'uplink', 'no-rule')


def test_properties(switch):
    cfg = base()
    uplink, v0, _ = cfg['switches'][0]['ports']
    v0['mtu'] = 100
    reload(switch, cfg)
    assert switch.port('v0')['mtu'] == 100
    drop_grows(switch, 'uplink', 'mtu')
    del v0['mtu']
    uplink.update(mac_check=True, macs=['02:00:00:00:00:77'])
    reload(switch, cfg)
    drop_grows(switch, 'uplink', 'mac-spoof')
    del uplink['mac_check'], uplink['macs']
    uplink.update(ip_check=True, ips=['192.0.2.1'])
    reload(switch, cfg)
    drop_grows(switch, 'uplink', 'ip-spoof')
    del uplink['ip_check'], uplink['ips']
    uplink['vlan'] = {'mode': 'access', 'vid': 10}
    v0['vlan'] = {'mode': 'trunk', 'vids': ['11-20']}
    reload(switch, cfg)
    drop_grows(switch, 'uplink', 'vlan-filter')
    v0['vlan'] = {'mode': 'access', 'vid': 10}
    reload(switch, cfg)
    flows_to(switch, 'v0')
    reload(switch, base())
    flows_to(switch, 'v0')


def test_ports_come_and_go(switch, work):
    cfg = base()
    ports, rules = cfg['switches'][0]['ports'], cfg['switches'][0]['rules']
    ports.append({'name': 'x', 'vm': 'vmx', 'attach': {'kind': 'ethdev', 'dev': NULL.format(1)}})
    rules[0]['actions'] = 'output=x'
    got = reload(switch, cfg)
    assert any('x' in c for c in got['changed']), got
    switch.wait_up('x')
    flows_to(switch, 'x', ['v0', 'w'])
    assert switch.call('vm show', vm='vmx')['ports']

    # Another attachment for a port that stays: its counters go on.
    before = tx(switch, 'x')
    ports[-1]['attach'] = {'kind': 'vhost-user', 'path': f'{work}/x.sock'}
    reload(switch, cfg)
    assert switch.port('x')['state'] == 'down'
    assert tx(switch, 'x') >= before
    drop_grows(switch, 'uplink', 'link-down')
    ports[-1]['attach'] = {'kind': 'vf', 'nic': 'nic0', 'vf': 1}
    reload(switch, cfg)
    del ports[-1]['attach']
    reload(switch, cfg)
    drop_grows(switch, 'uplink', 'no-attachment')
    assert not (work / 'x.sock').exists()

    reload(switch, base())
    assert [p['name'] for p in switch.call('port list')['items']] == ['uplink', 'v0', 'w']
    flows_to(switch, 'v0', ['w'])
    # The uplink leaves, and comes back.
    cfg = base()
    del cfg['switches'][0]['ports'][0], cfg['switches'][0]['rules'][0]
    reload(switch, cfg)
    reload(switch, base())
    flows_to(switch, 'v0', ['w'])


def test_attach_and_detach(switch, work):
    assert switch.call('port detach', port='v0')['state'] == 'detached'
    drop_grows(switch, 'uplink', 'no-attachment')
    with pytest.raises(RpcError, match='has no attachment'):
        switch.call('port detach', port='v0')
    with pytest.raises(RpcError, match='no NIC named'):
        switch.call('port attach', port='v0', kind='vf', nic='nic9', vf=0)
    with pytest.raises(RpcError, match='2 VFs'):
        switch.call('port attach', port='v0', kind='vf', nic='nic0', vf=2)
    with pytest.raises(RpcError, match='uplink has it'):
        switch.call('port attach', port='v0', kind='nic', nic='nic0')
    with pytest.raises(RpcError, match='could not be opened'):
        switch.call('port attach', port='v0', kind='ethdev', dev='net_nothing0')
    with pytest.raises(RpcError):
        switch.call('port attach', port='v0', kind='vhost-user', path=f'{work}/no/such/dir/s')
    drop_grows(switch, 'uplink', 'no-attachment')

    before = tx(switch, 'v0')
    switch.call('port attach', port='v0', kind='vf', nic='nic0', vf=0)
    flows_to(switch, 'v0')
    assert tx(switch, 'v0') > before, 'counters of a port outlive its attachment'
    with pytest.raises(RpcError, match='has an attachment'):
        switch.call('port attach', port='v0', kind='vf', nic='nic0', vf=1)
    for _ in range(3):
        switch.call('port detach', port='v0')
        switch.call('port attach', port='v0', kind='ethdev', dev=NULL.format(5))
        flows_to(switch, 'v0')
        switch.call('port detach', port='v0')
        switch.call('port attach', port='v0', kind='vhost-user', path=f'{work}/v0.sock')
        assert (work / 'v0.sock').exists()
        drop_grows(switch, 'uplink', 'link-down')
    # A port of ours, used twice at once, is refused.
    switch.call('port detach', port='v0')
    with pytest.raises(RpcError):
        switch.call('port attach', port='v0', kind='ethdev', dev=NULL.format(0))
    switch.call('port detach', port='uplink')
    switch.swap('sink')
    stats = switch.settled()
    assert stats['packets']['dropped'].get('no-attachment', 0) > 0


def attachment(switch, port):
    return switch.port(port)['attachment']


def test_live_attachments(switch):
    """They stay where the file has none; what the file contradicts goes, and the answer says so."""
    live = NULL.format(6)
    cfg = base()
    cfg['switches'][0]['ports'].append({'name': 'x'})
    cfg['switches'][0]['rules'][0]['actions'] = 'output=x'
    reload(switch, cfg)
    switch.call('port attach', port='x', kind='ethdev', dev=live)
    flows_to(switch, 'x', ['v0'])
    assert reload(switch, cfg)['changed'] == []
    cfg['switches'][0]['ports'][-1]['mtu'] = 900
    for _ in range(2):
        reload(switch, cfg)
        assert attachment(switch, 'x') == live
    flows_to(switch, 'x', ['v0'])
    # Another port of the file is to have the device: it has, at once.
    cfg['switches'][0]['ports'].append({'name': 'y', 'attach': {'kind': 'ethdev', 'dev': live}})
    got = reload(switch, cfg, 'check')['changed']
    assert f'attachment changed: x (undoes what was done live: {live})' in got, got
    assert attachment(switch, 'x') == live
    assert reload(switch, cfg)['changed'] == got
    assert (attachment(switch, 'x'), attachment(switch, 'y')) == ('none', live)
    # What the file attaches is attached as it says.
    switch.call('port detach', port='y')
    got = reload(switch, cfg)['changed']
    assert got == ['attachment changed: y (undoes what was done live: none)'], got
    assert attachment(switch, 'y') == live
    # A file that fails leaves a live attachment as it is.
    switch.call('port attach', port='x', kind='ethdev', dev=NULL.format(7))
    bad = copy.deepcopy(cfg)
    bad['switches'][0]['ports'][-1]['attach'] = {'kind': 'ethdev', 'dev': NULL.format(7)}
    bad['switches'][0]['ports'].append({'name': 'z', 'attach': {'kind': 'ethdev',
                                                                'dev': 'net_nothing0'}})
    with pytest.raises(RpcError, match='could not be opened'):
        reload(switch, bad)
    assert (attachment(switch, 'x'), attachment(switch, 'y')) == (NULL.format(7), live)
    flows_to(switch, 'x', ['v0'])


def edit(path, value):
    """A file that differs from base() in one place; value None: the key goes."""
    def change(cfg):
        at = cfg
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        elif isinstance(at, list) and path[-1] == 'append':
            at.append(value)
        else:
            at[path[-1]] = value
        return json.dumps(cfg)
    return change


PORTS = ('switches', 0, 'ports')
BAD = {
    # what is wrong: (the file, the place that is said, what else is said)
    'syntax': (lambda c: json.dumps(c)[:-1], ':1:', 'ends too early'),
    'line': (lambda c: json.dumps(c, indent=1).replace('"info"', 'info'), ':3:', 'info'),
    'twice': (lambda c: json.dumps(c).replace('{', '{"log": {}, ', 1), ':1:', 'twice'),
    'type': (edit(('offload', 'enabled'), 'yes'), '/offload/enabled', 'true or false'),
    'range': (edit((*PORTS, 1, 'mtu'), 10), '/switches/0/ports/1/mtu', 'below 68'),
    'unknown': (edit((*PORTS, 1, 'colour'), 1), '/switches/0/ports/1/colour', 'unknown key'),
    'nic': (edit((*PORTS, 1, 'attach', 'nic'), 'nic7'), '/switches/0/ports/1/attach/nic',
            'no NIC "nic7"'),
    'vf': (edit((*PORTS, 1, 'attach', 'vf'), 2), '/switches/0/ports/1/attach/vf', '2 VFs'),
    'vfs': (edit(('nics', 0, 'vfs'), 3), '/nics/0/vfs', '3'),
    'match': (edit(('switches', 0, 'rules', 0, 'match'), 'ip_dst=10.0.0.300'),
              '/switches/0/rules/0/match', 'ip_dst=10.0.0.300'),
    'action': (edit(('switches', 0, 'rules', 1, 'actions'), 'output=nobody'),
               '/switches/0/rules/1/actions', 'no port of this name'),
    'two ports': (edit((*PORTS, 'append'), {'name': 'w'}), '/switches/0/ports/3/name', '"w"'),
    'two users': (edit((*PORTS, 'append'), {'name': 'y', 'attach': {'kind': 'vf', 'nic': 'nic0',
                                                                    'vf': 0}}),
                  '/switches/0/ports/3', ''),
}


@pytest.mark.parametrize('case', BAD)
def test_check_says_where(case, work):
    make, place, words = BAD[case]
    (work / 'bad.json').write_text(make(base()))
    run = subprocess.run([program('sluiced'), '--check', work / 'bad.json'], capture_output=True,
                         text=True, timeout=10, check=False)
    assert run.returncode == 2, run
    assert len(run.stderr.splitlines()) == 1, run.stderr
    assert place in run.stderr and words in run.stderr, run.stderr
    # The same as it starts, before EAL.
    run = subprocess.run([program('sluiced'), '--no-pci', '--', '--config', work / 'bad.json'],
                         capture_output=True, text=True, timeout=10, check=False)
    assert run.returncode == 2 and place in run.stderr, run


def test_a_bad_file_changes_nothing(switch, work):
    """Neither one that cannot be read nor one whose devices cannot be opened."""
    def everything():
        counts = ('packets', 'bytes', 'hardware')
        rules = [{k: v for k, v in r.items() if not k.endswith(counts)}
                 for r in switch.call('rule list')['items']]
        ports = [{k: p[k] for k in ('name', 'id', 'attachment', 'state', 'mtu', 'vlan')}
                 for p in switch.call('port list')['items']]
        return switch.call('config show'), rules, ports

    before = everything()
    for case, (make, place, words) in BAD.items():
        switch.config_path.write_text(make({**base(), 'control': switch.config['control']}))
        run = switch.ctl('config', 'reload', check=False)
        assert run.returncode == 1, (case, run)
        assert len(run.stderr.splitlines()) == 1, (case, run.stderr)
        assert place in run.stderr and words in run.stderr, (case, run.stderr)
    for case, change in {
        'device': {'name': 'y', 'attach': {'kind': 'ethdev', 'dev': 'net_pcap7,rx_pcap=/none'}},
        'driver': {'name': 'y', 'attach': {'kind': 'ethdev', 'dev': 'net_nothing0'}},
        'queues': {'name': 'y', 'attach': {'kind': 'ethdev', 'queues': 2,
                                           'dev': 'net_pcap8,tx_pcap=/dev/null'}},
    }.items():
        cfg = base()
        good = {'name': 'good', 'attach': {'kind': 'ethdev', 'dev': NULL.format(8)}}
        cfg['switches'][0]['ports'] += [good, change]
        cfg['switches'][0]['rules'] = [{'name': 'new', 'match': 'any', 'actions': 'output=good'}]
        with pytest.raises(RpcError) as refusal:
            reload(switch, cfg)
        assert refusal.value.data == {'path': '/switches/0/ports/4/attach'}, case
        assert everything() == before, case
    # What only a restart can change is refused, with that reason.
    for path, value in ((('datapath',), {'mbufs': 4096}), (('control', 'socket'), f'{work}/s2'),
                        (('classes',), [{'name': 'a'}, {'name': 'b'}]),
                        (('nics', 0, 'rule_limit'), 5), (('switches', 0, 'name'), 'sw9')):
        cfg = json.loads(edit(path, value)({**base(), 'control': dict(switch.config['control'])}))
        switch.write_config(cfg)
        with pytest.raises(RpcError, match='at a restart only'):
            switch.call('config reload')
    switch.config_path.unlink()
    with pytest.raises(RpcError, match='No such file'):
        switch.call('config reload')
    assert everything() == before
    flows_to(switch, 'v0', ['w'])


def test_a_dry_run_changes_nothing(switch):
    cfg = base()
    cfg['switches'][0]['ports'].append({'name': 'x', 'attach': {'kind': 'ethdev',
                                                                'dev': NULL.format(1)}})
    cfg['switches'][0]['rules'][0]['actions'] = 'output=x'
    cfg['datapath'] = {'tx_hold_us': 50}
    got = reload(switch, cfg, 'check')
    assert got['applied'] is False and len(got['changed']) >= 3, got
    assert 'datapath settings changed' in got['changed'], got
    assert len(switch.call('port list')['items']) == 3
    flows_to(switch, 'v0', ['w'])
    assert reload(switch, cfg)['changed'] == got['changed']


def test_many_reloads_under_traffic(switch, work):
    """Random files one after the other; no packet is lost without a name."""
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    rng = random.Random(seed)
    attachments = [None, {'kind': 'ethdev', 'dev': NULL.format(3)},
                   {'kind': 'vhost-user', 'path': f'{work}/r.sock'},
                   {'kind': 'vf', 'nic': 'nic0', 'vf': 1}]
    for _ in range(25):
        cfg = copy.deepcopy(base())
        ports, rules = cfg['switches'][0]['ports'], cfg['switches'][0]['rules']
        names = ['v0', 'w']
        if rng.random() < 0.7:
            attach = rng.choice(attachments)
            ports.insert(rng.randrange(len(ports) + 1),
                         {'name': 'r', **({'attach': attach} if attach else {})})
            names.append('r')
        if rng.random() < 0.3:
            next(p for p in ports if p['name'] == 'w')['mtu'] = rng.choice([68, 100, 9000])
        rules[0]['actions'] = rng.choice([f'output={rng.choice(names)}', 'normal', 'flood', 'drop',
                                          'push_vlan=5 output=w', 'rate=1M output=v0'])
        for n in range(rng.randrange(20)):
            rules.append({'priority': rng.randrange(10), 'match': f'udp dport={n}',
                          'actions': rng.choice(['drop', 'flood', f'output={names[-1]}'])})
        rng.shuffle(rules)
        reload(switch, cfg)
        before = switch.port('uplink')['rx_packets']
        wait_for(lambda: switch.port('uplink')['rx_packets'] > before, 5, 'packets come in')
    reload(switch, base())
    flows_to(switch, 'v0', ['w'])
    switch.swap('sink')
    switch.settled()
    with RpcClient(switch.socket) as c:
        assert c.call('log show', level='err')['items'] == []

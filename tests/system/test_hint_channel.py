# SPDX-License-Identifier: BSD-3-Clause
"""A VM's own channel to the switch: hints for its own flows, and nothing else.

        generator
            | wire
      +-----+-----+
      |   nic0    |
      +-----+-----+
            | PF queues
         sluiced ── g: guest, vhost-user (vm-g)       channel: Unix socket ── QEMU ── /dev/vport0p2
                 ── w: net_null (vm-w)                channel: Unix socket
"""
import json
import os
import socket
import stat

import pytest

from sluice_harness import Nic, RpcClient, RpcError, wait_for


def config(work, **vm_g):
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '500k', 'light_bps': '200k', 'min_bps': '1k', 'tick_ms': 10,
                    'residency_ms': 50},
        'nics': [{'name': 'nic0', 'queues': 6, 'default_queues': 1, 'vfs': 0,
                  'dev': 'net_emunic0,queues=6,wire=[sink]'}],
        'vms': [{'name': 'vm-g', 'hint_socket': f'{work}/g.hint', **vm_g},
                {'name': 'vm-w', 'hint_socket': f'{work}/w.hint'}],
        'switches': [{
            'name': 'sw0', 'tables': [{'id': 0, 'default': 'drop'}],
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'g', 'vm': 'vm-g', 'hints': True,
                       'attach': {'kind': 'vhost-user', 'path': f'{work}/g.sock'}},
                      {'name': 'w', 'vm': 'vm-w', 'hints': True,
                       'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}}],
            'rules': [{'name': 'to-g', 'match': 'port=uplink ip ip_dst=0.0.0.0/0.0.0.1',
                       'actions': 'output=g'},
                      {'name': 'to-w', 'match': 'port=uplink ip ip_dst=0.0.0.1/0.0.0.1',
                       'actions': 'output=w'}]}],
    }


def generate(switch):
    switch.swap('generator,flows=8,seed=7,pps=4000,size=300,skew=0,v6=0')


def flows_to(switch, port):
    return [f for f in switch.call('flow list', limit=0)['items'] if f['to'] == port]


def alone(switch, port):
    """The flows to the port that have a queue of their own: a hint moves a flow by one step."""
    return [f for f in flows_to(switch, port) if f['place'] == 'exclusive-queue']


def test_own_flows_only(sluiced, work):
    s = sluiced(config(work, hint_mode='0660'), telemetry=True)
    assert stat.S_IMODE(os.stat(f'{work}/g.hint').st_mode) == 0o660
    assert stat.S_IMODE(os.stat(f'{work}/w.hint').st_mode) == 0o600
    s.wait_up('w')
    generate(s)
    wait_for(lambda: alone(s, 'w'), 20, 'a flow to w on a queue')
    with RpcClient(f'{work}/g.hint') as g, RpcClient(f'{work}/w.hint') as w:
        # What g says of w's flows holds for none of them.
        assert g.call('hint set', match='any', place='lower')['flows'] == len(flows_to(s, 'g'))
        assert alone(s, 'w')
        assert w.call('hint set', match='ip', place='lower')['flows'] == len(flows_to(s, 'w')) > 0
        wait_for(lambda: not alone(s, 'w'), 10, 'no queue alone for w')
        assert w.call('hint list')['items'] == [{'match': 'ip', 'place': 'lower'}]
        assert g.call('hint list')['items'] == [{'match': 'any', 'place': 'lower'}]
        w.call('hint clear', match='ip')
        wait_for(lambda: alone(s, 'w'), 10, 'queues for w again')

        # A reload keeps the sessions of those whose settings stay, and closes the socket that goes.
        s.write_config(dict(s.config, vms=[{'name': 'vm-w', 'hint_socket': f'{work}/w.hint'},
                                           {'name': 'vm-g'}]))
        s.call('config reload')
        assert w.call('hint list')['items'] == []
        assert not os.path.exists(f'{work}/g.hint')
    s.swap('sink')
    assert s.settled()['conserved']


def test_a_vm_that_goes_takes_its_hints_along(sluiced, work):
    s = sluiced(config(work))
    with RpcClient(f'{work}/w.hint') as w:
        w.call('hint set', match='ip', place='raise')
    whole = s.config
    less = json.loads(json.dumps(whole))
    del less['vms'][1], less['switches'][0]['ports'][2], less['switches'][0]['rules'][1]
    s.write_config(less)
    s.call('config reload')
    assert not os.path.exists(f'{work}/w.hint')
    s.write_config(whole)
    s.call('config reload')
    with RpcClient(f'{work}/w.hint') as w:
        assert w.call('hint list')['items'] == []


def test_hostile(sluiced, work):
    s = sluiced(config(work))
    with RpcClient(f'{work}/w.hint') as w:
        for method, params in (('shutdown', {}), ('rule add', {'match': 'any', 'actions': 'drop'}),
                               ('flow list', {}), ('vm hint', {'vm': 'vm-g', 'match': 'any'})):
            with pytest.raises(RpcError, match='there is no command') as error:
                w.call(method, **params)
            assert error.value.code == -32601
        for match in ('port=g', 'port=uplink', '#', 'port=#1', 'port=#200', 'ip_dst=x', 'a' * 3000):
            with pytest.raises(RpcError):
                w.call('hint set', match=match, place='raise')
        assert w.call('hint set', match='port=w', place='raise')['refused'] == 0
        # More changes than a second may have.
        with pytest.raises(RpcError, match='changes a second'):
            for _ in range(100):
                w.call('hint set', match='port=w', place='raise')
        # A line that is too long ends the session, not the switch.
        w.send_raw(b'[' * 5000 + b'\n')
        assert 'at most 4096 bytes' in json.loads(w.read_line())['error']['message']
    others = [RpcClient(f'{work}/w.hint') for _ in range(4)]
    wait_for(lambda: all(o.call('hint list') for o in others), 5, 'four sessions')
    with RpcClient(f'{work}/w.hint') as fifth:
        assert json.loads(fifth.read_line())['error']['message'] == 'too many sessions'
    for o in others:
        o.close()
    assert s.call('status')
    assert s.call('vm show', vm='vm-w')['hints'] == [{'match': 'port=w', 'place': 'raise'}]


@pytest.mark.parametrize('vm, words', [
    ({'hint_mode': '0999'}, '/vms/0/hint_mode: "0999" is not an octal mode'),
    ({'hint_owner': 'nobody-of-this-name'}, 'there is no user "nobody-of-this-name"'),
    ({'hint_socket': '/' + 'x' * 120}, '/vms/0/hint_socket: 121 bytes are above 107'),
    ({'hint_socket': '/nowhere/at/all.sock'}, '/nowhere/at'),
])
def test_wrong_settings(sluiced, work, vm, words):
    s = sluiced(config(work, **vm), wait=False)
    assert s.proc.wait(30) != 0
    assert words in s.proc.text(), s.proc.text()


@pytest.mark.slow
def test_from_a_guest(sluiced, work, guest):
    """The guest's agent, over virtio-serial, moves the guest's flows."""
    s = sluiced(config(work), telemetry=True)
    vm = guest('g', [Nic(f'{work}/g.sock', '52:54:00:00:00:01', ('10.0.0.1/24',))],
               channel=f'{work}/g.hint')
    vm.start()
    s.wait_up()
    generate(s)
    wait_for(lambda: alone(s, 'g'), 20, 'a flow to g has a queue alone')
    hint = 'sluice-hint --channel /dev/vport0p2'
    answer = json.loads(vm.run(f'{hint} set "ip" lower'))
    assert answer['result']['refused'] == 0, answer
    wait_for(lambda: not alone(s, 'g'),
             10, 'no flow to g has a queue alone')
    code, text = vm.run(f'{hint} set "port=w" raise', check=False)
    assert code == 1 and 'error' in text, text
    code, text = vm.run(f'{hint} set', check=False)
    assert code == 2 and 'usage' in text, text
    # The VM dies and comes back: its channel too, and what it said still holds.
    vm.kill()
    vm.start()
    assert json.loads(vm.run(f'{hint} list'))['result']['items'] \
        == [{'match': 'ip', 'place': 'lower'}]
    vm.run(f'{hint} clear "ip"')
    s.swap('sink')
    assert s.settled()['conserved']


def test_the_client_without_a_switch(work):
    from sluice_harness.proc import Proc
    from sluice_harness.machine import build_dir
    client = build_dir() / 'src' / 'sluice-hint'
    for argv, code, words in ((['list'], 1, 'No such file'), (['--help'], 0, 'usage'),
                              (['raise'], 2, 'usage'), (['set', 'any', 'up'], 2, 'usage')):
        proc = Proc([client, *argv], work / 'client.log')
        assert proc.wait() == code and words in proc.text(), (argv, proc.text())
    # Nobody answers: it gives up.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(f'{work}/silent')
        silent.listen()
        proc = Proc([client, '--channel', f'{work}/silent', 'list'], work / 'client.log')
        assert proc.wait(20) == 1 and 'no answer' in proc.text(), proc.text()

# SPDX-License-Identifier: BSD-3-Clause
"""The control socket under bad clients, and sluicectl.

    net_pcap source ── sluiced ── vf0 of an emulated NIC (a sink)
       (endless)          |
               control socket, read-only socket

Whatever a client does, traffic goes on and other clients are served.
"""
import json
import os
import pathlib
import re
import select
import socket
import subprocess

import pytest
from scapy.all import IP, UDP, Ether, Raw, wrpcap

from sluice_harness import RpcClient, RpcError, Sluiced, short_dir, wait_for
from sluice_harness.sluiced import program

LINE_MAX = 1 << 20


def config(work):
    return {
        'control': {'readonly_socket': f'{work}/ro.sock'},
        'drivers': ['librte_net_emunic.so'],
        'classes': [{'name': 'default'}, {'name': 'bulk'}],
        'nics': [{'name': 'nic0', 'queues': 4, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 1,
                  'dev': 'net_emunic0,queues=4,vfs=1,rep_queues=2,representor=vf[0],wire=[sink],'
                         'vf0=[sink]'}],
        'switches': [{
            'name': 'sw0',
            'ports': [
                {'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                {'name': 'v0', 'vm': 'vm0', 'hints': True,
                 'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}},
                {'name': 'src'},
            ],
            'rules': [{'name': 'all', 'priority': 1, 'match': 'port=src', 'actions': 'output=v0'},
                      {'name': 'none', 'match': 'tcp dport=9', 'actions': 'drop'}],
        }],
    }


@pytest.fixture(scope='module')
def live():
    """A switch that forwards all the time."""
    work = short_dir('control')
    frames = [Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02') / IP(src='10.0.0.1',
              dst=f'10.0.1.{i}') / UDP(sport=1000, dport=2000) / Raw(b'x' * 64) for i in range(8)]
    wrpcap(f'{work}/src.pcap', frames)
    with Sluiced(work, config(work)) as switch:
        attach_source(switch)
        moves(switch)
        yield switch


def attach_source(switch):
    switch.call('port attach', port='src', kind='ethdev',
                dev=f'net_pcap0,rx_pcap={switch.directory}/src.pcap,infinite_rx=1')
    switch.wait_up()


def moves(switch):
    """Packets go on arriving."""
    def count():
        return switch.port('src')['rx_packets'], switch.port('v0')['tx_packets']
    before = count()
    wait_for(lambda: all(now > then + 1000 for now, then in zip(count(), before)), 10,
             'packets go on')


@pytest.fixture
def client(live):
    with RpcClient(live.socket) as c:
        yield c


def answer(client):
    line = client.read_line()
    assert line, 'closed'
    return json.loads(line)


def refused(client, code):
    got = answer(client)
    assert 'result' not in got, got
    assert got['error']['code'] == code, got
    assert got['error']['message'], got
    return got


GARBAGE = [
    (b'hello\n', -32700),
    (b'\x00\xff\xfe\x01\n', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":\n', -32700),
    (b'[' * 5000 + b'\n', -32700),
    (b'"status"\n', -32600),
    (b'[]\n', -32600),
    (b'[{"jsonrpc":"2.0","id":1,"method":"status"}]\n', -32600),
    (b'{}\n', -32600),
    (b'{"jsonrpc":"1.0","id":1,"method":"status"}\n', -32600),
    (b'{"jsonrpc":"2.0","id":{},"method":"status"}\n', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":7}\n', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"no such thing"}\n', -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"port show"}\n', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"port show","params":{"port":7}}\n', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"port show","params":{"port":"a","b":1}}\n', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"port show","params":"a"}\n', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"flow list","params":{"limit":-1}}\n', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"flow list","params":{"limit":1e99}}\n', -32602),
]


@pytest.mark.parametrize('line,code', GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_answered_with_an_error(live, client, line, code):
    client.send_raw(line)
    refused(client, code)
    assert client.call('status')['switches'] == 1  # the session goes on


def test_frames_above_the_limit(live, client):
    client.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"' + b'a' * (LINE_MAX + 100))
    wait_for(lambda: refused(client, -32600), 5, 'the refusal')
    moves(live)
    with RpcClient(live.socket) as other:
        assert other.call('status')


def test_half_messages(live):
    whole = b'{"jsonrpc":"2.0","id":7,"method":"status"}\n'
    clients = []
    for cut in range(1, len(whole), 5):
        c = RpcClient(live.socket)
        c.send_raw(whole[:cut])
        clients.append((c, cut))
    moves(live)
    assert live.call('status')
    for i, (c, cut) in enumerate(clients):
        if i % 2:
            c.close()  # in the middle of a message
            continue
        c.send_raw(whole[cut:])
        assert answer(c)['id'] == 7
        c.close()
    # Byte by byte, and several at once.
    with RpcClient(live.socket) as c:
        for i in range(len(whole)):
            c.send_raw(whole[i:i + 1])
        assert answer(c)['result']
        c.send_raw(whole * 20)
        assert [answer(c)['id'] for _ in range(20)] == [7] * 20
    assert live.call('status')


def close_all(live, clients):
    """And waits for room, as sluicectl does."""
    for c in clients:
        c.close()
    live.ctl('status')


def test_a_hundred_idle_clients(live):
    clients = [RpcClient(live.socket) for _ in range(100)]
    moves(live)
    with RpcClient(live.socket) as c:
        assert c.call('status')
    assert all(c.call('status') for c in clients[::10])
    for c in clients:
        c.close()


def test_more_clients_than_it_takes(live):
    clients = []

    def connect():
        try:
            return RpcClient(live.socket)
        except BlockingIOError:  # the queue of the listening socket is full
            return None
    for _ in range(200):
        clients.append(wait_for(connect, 5, 'a connection', interval=0.001))
    moves(live)
    # Which ones it tells depends on how long it took: who is silent for a second may be closed.
    told = select.select([c.socket for c in clients], [], [], 10)[0]
    got = next(c for c in clients if c.socket in told).read_line()
    assert got == b'' or 'error' in json.loads(got), got
    close_all(live, clients)


def test_a_client_that_never_reads(live):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(str(live.socket))
        s.setblocking(False)
        request = b'{"jsonrpc":"2.0","id":1,"method":"config schema"}\n' * 200
        sent = 0
        try:
            while sent < 64 << 20:
                sent += s.send(request)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 64 << 20, 'it takes requests without end'
        moves(live)
        assert live.call('status')

        def closed():
            try:
                s.send(b'{}\n')
            except BlockingIOError:
                return False
            except (BrokenPipeError, ConnectionResetError):
                return True
            return False
        wait_for(closed, 20, 'a session that does not read is closed')
    moves(live)


def test_the_read_only_socket(live):
    for path, mode in ((live.socket, 0o600), (f'{live.directory}/ro.sock', None)):
        found = os.stat(path).st_mode & 0o777
        assert mode is None or found == mode, oct(found)
    with RpcClient(f'{live.directory}/ro.sock') as c:
        assert c.call('status')['ports'] == 3
        assert c.call('rule list')['items']
        for method, params in (('rule add', {'match': 'any', 'actions': 'drop'}),
                               ('rule del', {'rule': 'all'}), ('shutdown', {}),
                               ('port detach', {'port': 'src'}), ('config reload', {}),
                               ('mac flush', {}), ('log level', {'level': 'debug'}),
                               ('vm hint', {'vm': 'vm0', 'match': 'any', 'place': 'raise'})):
            with pytest.raises(RpcError) as refusal:
                c.call(method, **params)
            assert 'read-only' in str(refusal.value), refusal.value
    moves(live)


def test_a_second_sluiced(live, work):
    """It ends and says why, before it touches a device of the first."""
    cfg = config(work)
    cfg['control']['socket'] = str(live.socket)
    path = pathlib.Path(work) / 'second.json'
    path.write_text(json.dumps(cfg))
    inode = os.stat(live.socket).st_ino
    run = subprocess.run([program('sluiced'), '--lcores=0@0,1@0', '--no-huge', '-m', '64',
                          '--no-pci', '--no-shconf', f'--file-prefix={os.path.basename(work)}',
                          '--', '--config', path], capture_output=True, text=True, timeout=60,
                         check=False)
    assert run.returncode == 1, run
    assert f'{live.socket}: another process listens here: is sluiced running?' in run.stderr, run
    assert os.stat(live.socket).st_ino == inode
    moves(live)


def test_silent_clients_keep_nobody_out(live):
    """As many as the server takes, and more, that connect and say nothing."""
    clients = []

    def connect():
        try:
            return RpcClient(live.socket)
        except BlockingIOError:
            return None
    try:
        for _ in range(500):  # below the files that a process may have open, mostly 1024
            clients.append(wait_for(connect, 5, 'a connection', interval=0.001))
        live.ctl('status')
        assert live.call('status')  # a session that was there before keeps its place
        moves(live)
    finally:
        close_all(live, clients)


def test_a_request_of_100_mb(live, client):
    chunk = b'x' * (1 << 20)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(20)
        s.connect(str(live.socket))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(100):
                s.sendall(chunk)
    assert client.call('status')
    moves(live)


# ---- sluicectl

# Arguments for the commands that need some; what is not here is run as it is.
ARGUMENTS = {
    'port show': ['v0'],
    'port attach': ['spare', 'ethdev', '--dev', 'net_null7'],
    'port detach': ['spare'],
    'vm show': ['vm0'],
    'vm hint': ['vm0', 'ip ip_dst=10.0.1.1', '--place', 'raise'],
    'nic show': ['nic0'],
    'offload show': ['nic0'],
    'rule show': ['all'],
    'rule add': ['tcp dport=7777', 'drop', '--name', 'live', '--wait'],
    'rule replace': ['live', 'tcp dport=7778', 'drop', '--priority', '3'],
    'rule del': ['live'],
    'flow explain': ['port=src'],
    'extension add': ['tally', 'sluice_ext_ports.so', '--wait'],
    'extension move': ['tally'],
    'extension remove': ['tally', '--wait'],
    'trace packet': ['src', 'udp ip_dst=10.0.1.1'],
    'trace live': ['--count', '1'],
    'log level': ['debug'],
    'help': ['flow', 'list'],
}
SELF = {'help', 'completion bash'}  # answered without a server
# Need a NIC, or two: test_failover.py, test_offload_failures.py. Two workers: test_worker_balance.py.
ELSEWHERE = {'nic fail', 'nic recover', 'nic restart', 'worker move', 'worker unpin'}


def commands():
    run = subprocess.run([program('sluicectl'), 'help'], capture_output=True, text=True, check=True)
    after = run.stdout.split('\ncommands\n')[1].split('\n\n')[0]
    return re.findall(r'^  (\w+(?: \w+)?)  +\S', after, re.M)


def test_every_command_of_help_against_a_live_switch(work, sluiced):
    cfg = config(work)
    cfg['switches'][0]['ports'].append({'name': 'spare'})
    cfg['offload'] = {'min_bps': 1}
    frames = [Ether() / IP(src='10.0.0.1', dst='10.0.1.1') / UDP() / Raw(b'x' * 64)]
    wrpcap(f'{work}/src.pcap', frames)
    switch = sluiced(cfg)
    switch.call('port attach', port='src', kind='ethdev',
                dev=f'net_pcap0,rx_pcap={work}/src.pcap,infinite_rx=1')
    flow = wait_for(lambda: [f['id'] for f in switch.call('flow list')['items'] if f['id']], 10,
                    'a known flow')[0]
    names = commands()
    assert len(names) >= 29, names
    assert {'status', 'flow explain', 'ring list', 'shutdown'} <= set(names)
    names = [n for n in names if n not in SELF | ELSEWHERE | {'shutdown'}] + ['shutdown']
    for name in names:
        flow_named = [flow] if name in ('flow show', 'trace flow') else []
        words = [*name.split(), *ARGUMENTS.get(name, flow_named)]
        if name != 'shutdown':
            table = switch.ctl(*words)
            assert not table.lstrip().startswith('{') or name.startswith('config'), (name, table)
            assert table.strip() or name in ('log level',), name
            undo(switch, name)
        got = json.loads(switch.ctl('--json', *words))
        assert isinstance(got, dict), (name, got)
        if name == 'extension remove':
            undo(switch, name)  # extension move comes after it
    assert switch.proc.wait(20) == 0


def undo(switch, name):
    """So that a command can run a second time."""
    if name == 'rule add':
        switch.call('rule del', rule='live')
    elif name == 'rule del':
        switch.call('rule add', match='any', actions='drop', name='live')
    elif name == 'extension add':
        switch.call('extension remove', name='tally')
    elif name == 'extension remove':
        switch.call('extension add', name='tally', path='sluice_ext_ports.so')
    elif name == 'port attach':
        switch.call('port detach', port='spare')
    elif name == 'port detach':
        switch.call('port attach', port='spare', kind='ethdev', dev='net_null7')


# What is not there: what there is, or what may be meant.
NAMES = [
    (['port', 'show', 'vm9'], 'port: there is no port named "vm9", there are uplink, v0, src'),
    (['vm', 'show', 'db'], 'vm: there is no VM named "db", there is vm0'),
    (['nic', 'show', 'nic1'], 'nic: there is no NIC named "nic1", there is nic0'),
    (['rule', 'show', 'al'], 'rule: there is no rule named "al", there are all, none'),
    (['rule', 'del', '77'], 'rule: there is no rule named "77", there are all, none'),
    (['rule', 'list', '--table', '9'], 'table: there is no table named "9"'),
    (['rule', 'add', 'any', 'drop', '--table', '9'], 'table: there is no table named "9"'),
    (['worker', 'show', '9'], 'worker: there is no worker 9, the last one is 0'),
    (['rule', 'list', '--table', 'mian'], 'table: there is no table named "mian"'),
    (['rule', 'list', '--switch', 'sw9'], 'switch: there is no switch named "sw9", there is sw0'),
    (['ring', 'list', '--class', 'gold'],
     'class: there is no class named "gold", there are default, bulk'),
    (['flow', 'list', '--vm', 'x' * 300], 'vm: there is no VM named "' + 'x' * 60 + '", there is'),
    (['queue', 'list', '--use', 'grouped'], '"grouped" is none of free|default|shared|exclusive|group|'),
    (['rule', 'add', 'tcp dprot=80', 'drop'], 'no such word, the nearest is "dport"'),
]


@pytest.mark.parametrize('words,says', NAMES, ids=range(len(NAMES)))
def test_what_there_is_not(live, words, says):
    run = live.ctl(*words, check=False)
    assert run.returncode == 1 and run.stderr.startswith('sluicectl: '), run
    assert says in run.stderr, run.stderr


def test_many_names(live):
    """Of many, an error lists the first, or names the nearest."""
    names = [f'a-rule-of-many-{i:02}' for i in range(20)]
    for name in names:
        live.call('rule add', match='tcp dport=9', actions='drop', name=name)
    near = live.ctl('rule', 'show', 'a-rule-of-mayn-07', check=False).stderr
    far = live.ctl('rule', 'show', 'another', check=False).stderr
    for name in names:
        live.call('rule del', rule=name)
    assert near.endswith(', is "a-rule-of-many-07" meant?\n'), near
    assert re.search(r'there are 22: .*a-rule-of-many-00, .*, \.\.$', far.strip()), far
    assert len(far) < 300


def test_rules_without_a_name(live):
    """They are no names that could be meant, and an error does not hide that they are there."""
    rule = live.call('rule add', match='tcp dport=9', actions='drop')
    said = live.ctl('rule', 'show', 'al', check=False).stderr
    live.call('rule del', rule=str(rule['id']))
    assert said.endswith('there are all, none and 1 without a name\n'), said


def test_rule_replace(live):
    """A rule takes the place of another with no packet in between that sees neither."""
    rule = live.call('rule show', rule='all')
    live.call('rule add', match='port=src', actions='drop', name='catch', priority=0)
    for i in range(60):
        got = live.ctl_json('rule', 'replace', 'all', 'port=src',
                            'output=v0' if i % 2 else 'class=bulk output=v0')
        assert got['name'] == 'all' and got['software'] == 'in-force', got
    moves(live)
    caught = live.call('rule show', rule='catch')
    assert caught['packets'] == 0, caught
    now = live.call('rule show', rule='all')
    assert (now['actions'], now['priority']) == (rule['actions'], rule['priority']), now
    assert not now['live'] and now['packets'] > 0, now

    # what cannot be changes nothing
    for match, actions in (('port=src', 'output=nowhere'), ('colour=red', 'drop'),
                           ('port=src', 'goto=0')):
        with pytest.raises(RpcError):
            live.call('rule replace', rule='all', match=match, actions=actions)
        with pytest.raises(RpcError):
            live.call('rule replace', rule='nowhere', match='any', actions='drop')
    assert live.call('rule show', rule='all')['id'] == now['id']

    # the packet after the answer obeys
    live.call('rule replace', rule='all', match='port=src', actions='drop', priority=7, wait=True)
    seen = live.port('src')['rx_packets']
    wait_for(lambda: live.port('src')['rx_packets'] > seen + 1000, 10, 'packets come')
    sent, seen = live.port('v0')['tx_packets'], live.port('src')['rx_packets']
    wait_for(lambda: live.port('src')['rx_packets'] > seen + 5000, 10, 'packets come')
    assert live.port('v0')['tx_packets'] == sent
    assert live.call('rule show', rule='all')['priority'] == 7

    # and the file's rule is back with the file
    live.call('rule del', rule='catch')
    assert '1 rules added, 1 removed in sw0' in live.call('config reload')['changed']
    assert live.call('rule show', rule='all')['actions'] == rule['actions']
    moves(live)


def test_exit_codes(live, work):
    ctl = [program('sluicectl')]

    def code(*words, path=live.socket):
        run = subprocess.run([*ctl, '--socket', path, *words], capture_output=True, text=True,
                             timeout=20, check=False)
        assert run.returncode == 0 or len(run.stderr.strip().splitlines()) in (1, 2), run.stderr
        assert run.returncode == 0 or 'sluicectl' in run.stderr
        return run.returncode
    assert code('status') == 0
    assert code('port', 'show', 'nowhere') == 1
    assert code('rule', 'add', 'tcp dport=80', 'output=nowhere') == 1
    assert code('rule', 'add', 'colour=red', 'drop') == 1
    assert code('port', 'show') == 2
    assert code('status', '--no-such-option') == 2
    assert code('no', 'such') == 2
    assert code('status', path=f'{work}/nothing.sock') == 2


def test_help_of_every_command():
    for name in commands():
        run = subprocess.run([program('sluicectl'), 'help', *name.split()], capture_output=True,
                             text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert run.stdout.startswith(f'usage: sluicectl {name.removesuffix(" bash")}'), run.stdout


def test_sluicectl_links_no_dpdk():
    out = subprocess.run(['ldd', program('sluicectl')], capture_output=True, text=True, check=True)
    assert 'libjansson' in out.stdout
    assert 'librte' not in out.stdout, out.stdout


def test_completion_is_valid_bash(live, work):
    script = subprocess.run([program('sluicectl'), 'completion', 'bash'], capture_output=True,
                            text=True, check=True).stdout
    path = pathlib.Path(work) / 'completion'
    path.write_text(script)
    assert subprocess.run(['bash', '-n', path], check=False).returncode == 0
    ask = ('source "$1"; COMP_WORDS=("$2" --socket "$3" flow l); COMP_CWORD=4; '
           'COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}; '
           'f=$(complete -p sluicectl | sed "s/.*-F *\\([^ ]*\\).*/\\1/"); '
           '"$f" sluicectl l flow; printf "%s\\n" "${COMPREPLY[@]}"')
    run = subprocess.run(['bash', '-c', ask, 'bash', path, program('sluicectl'), live.socket],
                         capture_output=True, text=True, timeout=20, check=False,
                         env={**os.environ, 'PATH': f'{program("sluicectl").parent}:'
                                                    f'{os.environ["PATH"]}'})
    assert run.stdout.split() == ['list'], (run.stdout, run.stderr)

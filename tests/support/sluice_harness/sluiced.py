# SPDX-License-Identifier: BSD-3-Clause
"""sluiced under test, and sluicectl."""
import json
import pathlib
import socket
import subprocess

from .machine import build_dir
from .proc import Proc
from .rpc import RpcClient
from .wait import wait_for


def program(name):
    """A program of the build under test."""
    for path in (build_dir() / 'src' / name, build_dir() / name):
        if path.is_file():
            return path
    raise AssertionError(f'{name} is not built in {build_dir()}')


class Sluiced:
    """A running switch. config is a path or a dictionary; a dictionary is written to `directory`,
    with its control socket there. CPUs and memory are its own choice, unless `eal` says more. Its
    exit code is looked at when it stops. With telemetry, DPDK's telemetry socket is on, under
    `prefix` (--file-prefix)."""

    def __init__(self, directory, config, eal=(), netns=None, name='sluiced', wait=True,
                 telemetry=False, prefix=None):
        self.directory = pathlib.Path(directory)
        self.prefix = prefix or f'{self.directory.name}-{name}'
        self.config_path = self.directory / f'{name}.json'
        if isinstance(config, dict):
            control = {'socket': str(self.directory / f'{name}.sock'), **config.get('control', {})}
            config = {**config, 'control': control}
            self.write_config(config)
        else:
            self.config_path = pathlib.Path(config)
            config = json.loads(self.config_path.read_text())
        self.config = config
        self.socket = config.get('control', {}).get('socket', '/run/sluice/sluice.sock')
        words = ['--file-prefix', self.prefix] if telemetry or prefix else []
        words += [] if telemetry else ['--no-telemetry']
        self.argv = [program('sluiced'), '--no-pci', *words, *eal, '--', '--config',
                     self.config_path]
        self.netns = netns
        self.log = self.directory / f'{name}.log'
        self.proc = None
        self.rpc = None
        self.start(wait)

    def write_config(self, config):
        """Writes the file anew, for a reload. Flows are placed one by one unless the test says how
        many rules may be ahead of traffic; None: as many as sluice has by itself."""
        if isinstance(config.get('offload', {}), dict):
            offload = {'rules_ahead': 0, **config.get('offload', {})}
            if offload['rules_ahead'] is None:
                del offload['rules_ahead']
            config = {**config, 'offload': offload}
        self.config_path.write_text(json.dumps(config, indent=2))

    def start(self, wait=True):
        self.proc = Proc(self.argv, self.log, netns=self.netns)
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout=30.0):
        """Waits until it answers."""
        def answers():
            assert self.proc.running, f'sluiced ended with {self.proc.returncode}:\n' \
                                      f'{self.proc.tail(60)}'
            try:
                self.rpc = RpcClient(self.socket)
            except OSError:
                return False
            return self.rpc.call('status')
        try:
            return wait_for(answers, timeout, 'sluiced answers "status"')
        except BaseException:
            self.proc.kill()
            raise

    def call(self, method, **params):
        return self.rpc.call(method, **params)

    def telemetry(self, command):
        """The answer to one command on DPDK's telemetry socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(10)
            s.connect(f'/run/dpdk/{self.prefix}/dpdk_telemetry.v2')
            s.recv(65536)
            s.send(command.encode())
            return json.loads(s.recv(65536))

    def swap(self, backend, nic='net_emunic0', side='wire'):
        """Puts another backend behind a side of an emulated NIC (needs telemetry)."""
        answer = self.telemetry(f'/emunic/swap,nic={nic},side={side},[{backend}]')
        answer = answer['/emunic/swap']
        assert answer.get('side') == side, f'{backend}: {answer}'

    def settled(self):
        """The ledger at rest. It must balance, in all and in every line."""
        stats = self.call('stats', settle=True)
        assert stats['settled'], stats
        assert stats['conserved'], stats
        return stats

    def port(self, name):
        """The counters and the state of one port."""
        return self.call('port show', port=name)

    def wait_up(self, *names, timeout=20.0):
        """Waits until these ports, or all, carry packets."""
        def up():
            ports = {p['name']: p['state'] for p in self.call('port list')['items']}
            return all(ports[n] == 'up' for n in names or ports)
        wait_for(up, timeout, f'ports {names or "of all names"} are up')

    def ctl(self, *args, check=True, timeout=30):
        """sluicectl with these arguments: its output, or the whole result when check is False."""
        run = subprocess.run([program('sluicectl'), '--socket', self.socket, *map(str, args)],
                             capture_output=True, text=True, timeout=timeout, check=False)
        if not check:
            return run
        assert run.returncode == 0, f'sluicectl {args}: {run.returncode}\n{run.stdout}{run.stderr}'
        return run.stdout

    def ctl_json(self, *args):
        return json.loads(self.ctl('--json', *args))

    def kill(self):
        if self.rpc:
            self.rpc.close()
        self.proc.kill()

    def stop(self, timeout=20.0, code=0):
        """Ends it with SIGTERM. It must end in time, with this code, sanitizers silent."""
        if self.rpc:
            self.rpc.close()
            self.rpc = None
        was_running = self.proc.running
        got = self.proc.stop(timeout)
        assert was_running, f'sluiced had ended with {got}:\n{self.proc.tail(60)}'
        assert got == code, f'sluiced ended with {got}, not {code}:\n{self.proc.tail(60)}'

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.proc.stop()
            print(f'--- the end of {self.log}\n{self.proc.tail(60)}')

# SPDX-License-Identifier: BSD-3-Clause
"""sluiced under test, and sluicectl."""
import json
import pathlib
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
    exit code is looked at when it stops."""

    def __init__(self, directory, config, eal=(), netns=None, name='sluiced', wait=True):
        self.directory = pathlib.Path(directory)
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
        self.argv = [program('sluiced'), '--no-pci', '--no-telemetry', *eal, '--', '--config',
                     self.config_path]
        self.netns = netns
        self.log = self.directory / f'{name}.log'
        self.proc = None
        self.rpc = None
        self.start(wait)

    def write_config(self, config):
        """Writes the file anew, for a reload."""
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

# SPDX-License-Identifier: BSD-3-Clause
"""Throw-away network namespaces."""
import itertools
import subprocess

from .machine import RUN
from .proc import Proc

ENDS = itertools.count()


def ip(*args, netns=None):
    command = ['ip'] + (['-n', netns] if netns else []) + [str(a) for a in args]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise AssertionError(f'{" ".join(command)}: {run.stderr.strip()}')
    return run.stdout


class NetNs:
    """A namespace; its name carries the mark of the run, interfaces vanish with it."""

    def __init__(self, name):
        self.name = f'sl{RUN}-{name}'
        ip('netns', 'add', self.name)
        ip('link', 'set', 'lo', 'up', netns=self.name)

    def __str__(self):
        return self.name

    def ip(self, *args):
        return ip(*args, netns=self.name)

    def veth(self, inner='eth0', address=None, mac=None):
        """A veth pair: `inner` is up in this namespace; returns the name of the outer end, which
        stays in the caller's and carries the mark of the run.

        Checksum and segmentation offloads are off on both, so that frames are whole on the wire.
        """
        outer = f'sl{RUN}-{next(ENDS)}'  # 15 characters at most
        ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', self.name)
        for end, netns in ((outer, None), (inner, self.name)):
            prefix = ['ip', 'netns', 'exec', netns] if netns else []
            subprocess.run([*prefix, 'ethtool', '-K', end, 'tx', 'off', 'tso', 'off', 'gso', 'off',
                            'gro', 'off'], capture_output=True, check=True)
            subprocess.run([*prefix, 'sysctl', '-qw', f'net.ipv6.conf.{end}.accept_dad=0'],
                           capture_output=True, check=False)
        # The outer end belongs to the switch: the host itself says nothing on it.
        subprocess.run(['sysctl', '-qw', f'net.ipv6.conf.{outer}.disable_ipv6=1'],
                       capture_output=True, check=False)
        if mac:
            self.ip('link', 'set', inner, 'address', mac)
        if address:
            self.ip('addr', 'add', address, 'dev', inner)
        self.ip('link', 'set', inner, 'up')
        ip('link', 'set', outer, 'up')
        return outer

    def run(self, *argv, timeout=30, check=True, stdin=None):
        """Runs a command inside and returns its output."""
        run = subprocess.run(['ip', 'netns', 'exec', self.name, *map(str, argv)], text=True,
                             capture_output=True, timeout=timeout, check=False, input=stdin)
        if check and run.returncode:
            raise AssertionError(f'{argv} ended with {run.returncode}: {run.stdout}{run.stderr}')
        return run.stdout

    def start(self, argv, log):
        """Starts a process inside."""
        return Proc(argv, log, netns=self.name)

    def delete(self):
        subprocess.run(['ip', 'netns', 'del', self.name], capture_output=True, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()

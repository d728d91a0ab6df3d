# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd, driven through its prompt."""
import os
import re
import select
import subprocess
import time

from .machine import eal_memory, lcores, need
from .proc import Proc

PROMPT = 'testpmd> '
EVENTS = re.compile(r'\nPort \d+: link state change event\n')
ESCAPES = re.compile(r'\x1b\[[0-9;]*[A-Za-z]')


class Testpmd:
    """An interactive testpmd. `eal` are further EAL arguments (--vdev, -d), `args` its own.

    Memory comes from hugepages where there are enough, else from none.
    """

    __test__ = False  # not a test class, whatever its name

    def __init__(self, directory, eal=(), args=(), n_lcores=2, memory=256, env=None, name='testpmd',
                 huge=True, telemetry=False, shared=False):
        need('dpdk-testpmd')
        base = eal_memory(memory) if huge else ['-m', str(memory), '--no-huge', '--no-shconf']
        if shared:  # with secondary processes, or as one
            base = ['-m', str(memory)]
        argv = ['stdbuf', '-oL', 'dpdk-testpmd', '--lcores', lcores(n_lcores), *base, '--no-pci',
                *([] if telemetry else ['--no-telemetry']), *eal, '--', '-i', '--no-flush-rx',
                '--total-num-mbufs=16384', *args]
        self.read_fd, write_fd = os.pipe()
        self.output = ''
        self.proc = Proc(argv, directory / f'{name}.log', env=env, stdin=subprocess.PIPE,
                         stdout=write_fd)
        os.close(write_fd)
        self.transcript = open(directory / f'{name}.out', 'w', encoding='utf-8')
        try:
            self.banner = self.read_prompt(30)
        except BaseException:
            self.stop()
            raise

    def read_prompt(self, timeout):
        """Reads on until a prompt and returns what came before it."""
        end = time.monotonic() + timeout
        while PROMPT not in self.output:
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.read_fd], [], [], left)[0]
            chunk = os.read(self.read_fd, 65536) if ready else None
            if chunk is None:
                raise AssertionError(f'testpmd gave no prompt in {timeout} s:\n{self.output}'
                                     f'\n{self.proc.tail()}')
            if not chunk:
                raise AssertionError(f'testpmd ended:\n{self.output}\n{self.proc.tail()}')
            text = ESCAPES.sub('', chunk.decode(errors='replace')).replace('\r', '')
            self.transcript.write(text)
            self.transcript.flush()
            self.output += text
            # Its threads report links in the middle of what it prints, the prompt included.
            whole = EVENTS.sub('', self.output)
            if PROMPT in whole and PROMPT not in self.output:
                self.output = ''.join(EVENTS.findall(self.output)) + whole
        before, self.output = self.output.split(PROMPT, 1)
        return before

    def cmd(self, line, timeout=10.0):
        """Runs one command and returns what it printed, without the echo."""
        self.proc.popen.stdin.write(line.encode() + b'\n')
        self.proc.popen.stdin.flush()
        out = self.read_prompt(timeout)
        first, _, rest = out.partition('\n')
        return rest if line.strip() in first else out

    def port_stats(self, port):
        """The counters of `show port stats` as a dictionary, for example RX-packets."""
        out = self.cmd(f'show port stats {port}')
        return {k: int(v) for k, v in re.findall(r'([RT]X-\w+):\s+(\d+)', out)}

    def port_xstats(self, port):
        """All counters of `show port xstats`, those that are 0 as well."""
        out = self.cmd(f'show port xstats {port}')
        return {k: int(v) for k, v in re.findall(r'^(\w+): (\d+)$', out, re.MULTILINE)}

    def stop(self):
        if self.proc.running:
            try:
                self.proc.popen.stdin.write(b'stop\nquit\n')
                self.proc.popen.stdin.close()
                self.drain(5)
            except (BrokenPipeError, OSError):
                pass
        code = self.proc.stop()
        os.close(self.read_fd)
        self.transcript.close()
        return code

    def drain(self, timeout):
        """Reads until it ends, so that it never waits for us."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if select.select([self.read_fd], [], [], 0.1)[0]:
                chunk = os.read(self.read_fd, 65536)
                if not chunk:
                    return
                self.transcript.write(chunk.decode(errors='replace'))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

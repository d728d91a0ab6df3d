# SPDX-License-Identifier: BSD-3-Clause
"""A child process that cannot outlive the test."""
import contextlib
import ctypes
import os
import pathlib
import re
import signal
import subprocess

from .machine import RUN
from .wait import wait_for


LIBC = ctypes.PyDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Runs in the child before its program: the kernel kills it when its parent is gone."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def keep_priority(pid):
    """A process with a session of its own competes by the session's priority where the kernel groups
    sessions (sched(7), "The autogroup feature"), and its own counts for nothing. Who is started
    with `nice -n -15` hands that on."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice >= 0:
        return
    with contextlib.suppress(OSError):  # no such kernel, or it has ended already
        pathlib.Path(f'/proc/{pid}/autogroup').write_text(str(nice))


class Proc:
    """A process with its output in a log file."""

    def __init__(self, argv, log, env=None, netns=None, stdin=subprocess.DEVNULL, stdout=None,
                 cwd=None):
        self.argv = [str(a) for a in argv]
        self.log = pathlib.Path(log)
        command = ['ip', 'netns', 'exec', str(netns)] if netns else []
        command += self.argv
        environment = dict(os.environ, SLUICE_RUN=RUN, **(env or {}))
        with open(self.log, 'ab') as out:
            self.popen = subprocess.Popen(command, stdin=stdin, stdout=stdout or out, stderr=out,
                                          env=environment, cwd=cwd, start_new_session=True,
                                          preexec_fn=die_with_parent)
        keep_priority(self.popen.pid)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen.poll() is None

    @property
    def returncode(self):
        return self.popen.poll()

    def text(self):
        """What it has written so far."""
        return self.log.read_text(errors='replace')

    def tail(self, lines=30):
        return '\n'.join(self.text().splitlines()[-lines:])

    def wait_text(self, pattern, timeout=10.0):
        """Waits for a pattern in the log and returns the match; fails at once when it ends first.
        """
        def look():
            found = re.search(pattern, self.text(), re.M)
            if not found and not self.running:
                found = re.search(pattern, self.text(), re.M)
                if not found:
                    raise AssertionError(f'{self.argv[0]} ended with {self.returncode} before '
                                         f'{pattern!r}:\n{self.tail()}')
            return found
        return wait_for(look, timeout, f'{pattern!r} from {self.argv[0]}')

    def wait(self, timeout=10.0):
        """Waits for its end and returns its code."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.argv[0]} did not end within {timeout:g} s:\n'
                                 f'{self.tail()}') from None

    def signal(self, number):
        if self.running:
            os.killpg(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait(10)

    def stop(self, timeout=10.0):
        """Asks it to end, makes it end, and returns its code."""
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.popen.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

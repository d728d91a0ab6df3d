# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the system tests, and the end of everything they start."""
import pathlib
import shutil
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))

from sluice_harness import RUN, VM, NetNs, Sluiced, short_dir  # noqa: E402
from sluice_harness.sweep import sweep  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: takes more than a few seconds (virtual machines)')
    config.addinivalue_line('markers', 'plain_only: nothing new under sanitizers (foreign programs '
                                       'that load the NIC, or none of our programs at all)')
    # A plain kill ends the run as an interrupt does: with every fixture torn down.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))


def pytest_sessionfinish():
    sweep(RUN)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, 'report_' + call.when, outcome.get_result())


@pytest.fixture
def work(request):
    """A directory for this test. When the test fails, the ends of its logs are printed."""
    path = short_dir(request.node.name[:20].replace('[', '-').replace(']', ''))
    yield path
    report = getattr(request.node, 'report_call', None) or request.node.report_setup
    if report.failed:
        for log in sorted(path.glob('*')):
            if log.suffix in ('.log', '.out', '.qemu', '.console'):
                lines = log.read_text(errors='replace').splitlines()
                print(f'--- {log.name}', *lines[-40:], sep='\n')
    shutil.rmtree(path, ignore_errors=True)


def failed(request):
    report = getattr(request.node, 'report_call', None)
    return report is None or report.failed


@pytest.fixture
def sluiced(work, request):
    """Starts switches, sluiced(CONFIG, ...); those still running must end well with the test."""
    started = []

    def start(config, **options):
        options.setdefault('name', f'sluiced{len(started) or ""}')
        started.append(Sluiced(work, config, **options))
        return started[-1]

    yield start
    for switch in reversed(started):
        if failed(request):
            switch.kill()
        elif switch.proc.running:
            switch.stop()


@pytest.fixture
def guest(work):
    """Makes guests, guest(NAME, [Nic, ...]); start() boots one. They end with the test."""
    made = []

    def make(name, nics, **options):
        made.append(VM(work, name, nics, **options))
        return made[-1]

    yield make
    for vm in made:
        vm.stop()


@pytest.fixture
def netns():
    """Makes network namespaces, netns(NAME); they end with the test."""
    made = []

    def make(name):
        made.append(NetNs(name))
        return made[-1]

    yield make
    for ns in made:
        ns.delete()

# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the system tests, and the end of everything they start."""
import pathlib
import shutil
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))

from sluice_harness import RUN, short_dir  # noqa: E402
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

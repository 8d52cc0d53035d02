"""What holds for every test of the stacks: nothing leaks in, nothing is left out in silence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from callplane.testing import promtool

COMPLETE: Final = os.environ.get("CALLPLANE_COMPLETE") == "1"
# What Pulumi, Kubernetes clients and clouds would read of the developer's shell.
PREFIXES: Final = ("PULUMI_", "AWS_", "AZURE_", "ARM_", "KUBE")
for name in [name for name in os.environ if name.startswith(PREFIXES)]:
    del os.environ[name]
# An Output that is put into a text must fail, not become a warning inside a name.
os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "1"

gaps: Final[list[str]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped or hasattr(report, "wasxfail"):
        gaps.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if COMPLETE and gaps and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def promtool_program() -> Path:
    """Prometheus' own checker of rules; without it the test is left out, and said to be."""
    found = promtool.find()
    if found is None:
        pytest.skip(promtool.missing())
    return found

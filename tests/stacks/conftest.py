"""What holds for every test of the stacks: nothing leaks in, nothing is left out in silence."""

from __future__ import annotations

import os
from typing import Final

import pytest

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

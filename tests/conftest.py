"""What holds for every test: a closed machine, no silent gaps, capabilities decided at collection.

Pytest loads this file first. The network is closed by ``--allow-hosts`` in ``pyproject.toml``; here
the names are closed too, and what the developer's shell would leak into a test is taken away.

With ``CALLPLANE_COMPLETE=1`` a run in which anything was skipped, expected to fail, deselected or
left out fails, however green the rest is.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest

TESTS: Final = Path(__file__).parent
# These have an environment of their own, and never come here; see tests/tiers.py.
ELSEWHERE: Final = TESTS / "stacks"
COMPLETE: Final = os.environ.get("CALLPLANE_COMPLETE") == "1"

# A folder of this name holds tests that need the vendors' published contracts. Those are not part
# of the project; CALLPLANE_CONTRACTS says where they are.
VENDOR_FOLDER: Final = "vendor"
CONTRACTS: Final = os.environ.get("CALLPLANE_CONTRACTS", "")
CONTRACTS_MISSING: Final = not (CONTRACTS and Path(CONTRACTS).is_dir())

# Kamailio and SIPp are no part of the environment either; `make sbc-deps` provides them.
SBC_FOLDER: Final = "sbc"


def _why_without_sbc() -> str:
    if not (TESTS / SBC_FOLDER).is_dir():
        return ""
    from callplane.testing import sbc_programs

    return sbc_programs.missing()


SBC_MISSING: Final = _why_without_sbc()

# Nor is promtool, which the tests of alerts run; `make promtool` provides it.
PROMTOOL_FOLDER: Final = TESTS / "manifests" / "prometheus"


def _why_without_promtool() -> str:
    if not PROMTOOL_FOLDER.is_dir():
        return ""
    from callplane.testing import promtool

    return promtool.missing()


PROMTOOL_MISSING: Final = _why_without_promtool()

LEAKS: Final = frozenset(
    {
        "KUBECONFIG",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_TENANT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
        "NO_COLOR",
        "FORCE_COLOR",
        "COLUMNS",
        "LINES",
        *(f"{scheme}_proxy" for scheme in ("http", "https", "all", "no")),
        *(f"{scheme}_PROXY" for scheme in ("HTTP", "HTTPS", "ALL", "NO")),
        *(f"PG{name}" for name in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE", "SERVICE")),
    }
)
for leak in LEAKS:
    os.environ.pop(leak, None)
# A shell that runs the tests in its background has them ignore SIGINT, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile(
    "callplane",
    # The machine is shared; a slow example is no finding. Everything else about an example is
    # reproducible: a run that must be complete draws the same examples each time.
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=COMPLETE,
    print_blob=True,
)
hypothesis.settings.load_profile("callplane")

# looptime asks for the current loop before every test, synchronous ones too. Until somebody has
# set one, Python 3.11 answers by making a loop that nobody closes: a warning, and so a failure, in
# whichever test runs when it is collected.
asyncio.set_event_loop(None)

gaps: Final[list[str]] = []


@pytest.fixture(autouse=True, scope="session")
def _names_are_closed() -> Generator[None]:
    """Refuse to resolve names; a resolver is a way out of the machine as well."""
    resolve = socket.getaddrinfo

    def resolve_local(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (None, "", "localhost") and not _is_address(name):
            message = f"tests resolve no names, and {name!r} is one"
            raise socket.gaierror(socket.EAI_NONAME, message)
        return resolve(host, *arguments, **options)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket, "getaddrinfo", resolve_local)
    yield
    patch.undo()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = [f"complete: {'yes, nothing may be left out' if COMPLETE else 'no'}"]
    if CONTRACTS_MISSING:
        lines.append(f"left out: {VENDOR_FOLDER}/ folders, for CALLPLANE_CONTRACTS names no folder")
    if SBC_MISSING:
        lines.append(f"left out: tests/{SBC_FOLDER}, for {SBC_MISSING}")
    if PROMTOOL_MISSING:
        lines.append(f"left out: tests/manifests/prometheus, for {PROMTOOL_MISSING}")
    return lines


def pytest_configure(config: pytest.Config) -> None:
    if COMPLETE and CONTRACTS_MISSING:
        raise pytest.UsageError(
            "CALLPLANE_COMPLETE=1 needs the vendors' contracts: set CALLPLANE_CONTRACTS"
        )
    if COMPLETE and SBC_MISSING:
        raise pytest.UsageError(f"CALLPLANE_COMPLETE=1 needs the SIP tests: {SBC_MISSING}")
    if COMPLETE and PROMTOOL_MISSING:
        raise pytest.UsageError(f"CALLPLANE_COMPLETE=1 tests alerts: {PROMTOOL_MISSING}")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if collection_path == ELSEWHERE:
        return True
    if CONTRACTS_MISSING and collection_path.name == VENDOR_FOLDER and collection_path.is_dir():
        return True
    if SBC_MISSING and collection_path == TESTS / SBC_FOLDER:
        return True
    if PROMTOOL_MISSING and collection_path == PROMTOOL_FOLDER:
        return True
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A folder that is named and yields no test is a mistake, not an empty success."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS or config.option.keyword:
        return
    for argument in config.args:
        folder = (config.invocation_params.dir / argument.partition("::")[0]).resolve()
        if TESTS not in folder.parents or not folder.is_dir() or _left_out(folder):
            continue
        if not any(folder in item.path.parents for item in items):
            raise pytest.UsageError(f"{argument} exists and holds no test")


def _left_out(folder: Path) -> bool:
    without_contracts = CONTRACTS_MISSING and folder.name == VENDOR_FOLDER
    without_sbc = bool(SBC_MISSING) and folder == TESTS / SBC_FOLDER
    return (
        without_contracts or without_sbc or (bool(PROMTOOL_MISSING) and folder == PROMTOOL_FOLDER)
    )


def pytest_deselected(items: list[pytest.Item]) -> None:
    gaps.extend(f"deselected {item.nodeid}" for item in items)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        gaps.append(f"skipped {report.nodeid}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if hasattr(report, "wasxfail"):
        gaps.append(f"expected to fail {report.nodeid}")
    elif report.skipped:
        gaps.append(f"skipped {report.nodeid}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if COMPLETE and gaps and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COMPLETE and gaps:
        terminalreporter.section("left out, although CALLPLANE_COMPLETE=1", red=True)
        for gap in gaps:
            terminalreporter.line(gap)

"""What of the carrier contract does not apply to whom, printed at the end of a run."""

from __future__ import annotations

import pytest

from callplane.testing.carrier_contract import left_out_lines


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = left_out_lines()
    if lines:
        terminalreporter.section("promises that do not apply to a carrier")
        for line in lines:
            terminalreporter.line(line)

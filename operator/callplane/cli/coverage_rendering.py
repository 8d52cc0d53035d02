"""A coverage report as text, JSON or CSV. Called by `coverage_command`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from callplane.cli import output
from callplane.cli.cells import formula_free
from callplane.engine.emergency_at_carriers import Coverage
from callplane.engine.emergency_coverage import CoverageReport, CoveredNumber
from callplane.values import E164, ObjectKey

FORMAT = "callplane-coverage"
VERSION = 1
#: Rows of one report in text; --all, JSON and CSV have every one.
SHOWN_MAX = 50
COLUMNS = (
    "number",
    "holder",
    "declaredBy",
    "location",
    "site",
    "connection",
    "carrier",
    "system",
    "state",
    "reason",
)
WORDS = {
    Coverage.MISSING: "missing",
    Coverage.DIFFERENT: "different",
    Coverage.UNSEEN: "unseen",
    Coverage.BY_HAND: "by hand",
    Coverage.UNDECLARED: "undeclared",
    Coverage.ACCEPTED: "accepted",
}


def _number(number: E164, *, show: bool) -> str:
    return number.text if show else number.masked


def _key(key: ObjectKey | None) -> str:
    return f"{key.namespace}/{key.name}" if key is not None else ""


def as_text(report: CoverageReport, *, show: bool, show_all: bool) -> str:
    """Counts, totals, and what is not as it should be; `show` prints full numbers."""
    return "\n".join(_lines(report, show=show, show_all=show_all)) + "\n"


def _lines(report: CoverageReport, *, show: bool, show_all: bool) -> Iterable[str]:
    counts = [f"{number:,} {WORDS[state]}" for state, number in report.states.items()]
    yield (
        f"{output.count(len(report.numbers), 'number')} in use, observed "
        f"{report.observed_at:%Y-%m-%d %H:%M:%S} UTC by {report.observed_by}"
    )
    yield ", ".join(counts) or "nobody has a number"
    for name, totals in report.totals.items():
        yield ""
        heads = (name.upper(), "NUMBERS", *(WORDS[state].upper() for state in report.states))
        rows = [
            (
                total.name or "(none)",
                f"{total.numbers:,}",
                *(f"{total.states.get(state, 0):,}" for state in report.states),
            )
            for total in totals
        ]
        yield from output.table([heads, *rows])
    rows = list(_open_rows(report, show=show))
    if rows:
        yield ""
        shown = rows if show_all else rows[:SHOWN_MAX]
        yield from output.table([("NUMBER", "HOLDER", "SYSTEM", "STATE", "WHY"), *shown])
        if len(rows) > len(shown):
            yield f"and {len(rows) - len(shown):,} more; --all shows them"


def _open_rows(report: CoverageReport, *, show: bool) -> Iterable[tuple[str, ...]]:
    """What is not as it should be, system by system."""
    for each in report.numbers:
        for check in each.checks:
            if check.state is not Coverage.ACCEPTED:
                yield (
                    _number(each.number, show=show),
                    each.holder or "-",
                    str(check.system),
                    WORDS[check.state],
                    check.reason,
                )


def as_json(report: CoverageReport, *, show: bool) -> str:
    """The documented form (docs/coverage.md)."""
    return json.dumps(_to_json(report, show=show), indent=2, ensure_ascii=False) + "\n"


def _to_json(report: CoverageReport, *, show: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "observed": {
            "at": report.observed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "by": report.observed_by,
            "register": report.has_register,
        },
        "summary": {"numbers": len(report.numbers), "states": _states(report.states)},
        "totals": {
            name: [
                {
                    "name": total.name or None,
                    "numbers": total.numbers,
                    "states": _states(total.states),
                }
                for total in totals
            ]
            for name, totals in report.totals.items()
        },
        "numbers": [_number_json(each, show=show) for each in report.numbers],
        "remarks": list(report.remarks),
    }


def _states(states: Mapping[Coverage, int]) -> dict[str, int]:
    return {state.value: number for state, number in states.items()}


def _number_json(each: CoveredNumber, *, show: bool) -> dict[str, Any]:
    return {
        "number": _number(each.number, show=show),
        "holder": each.holder or None,
        "declaredBy": str(each.declared_by) if each.declared_by is not None else None,
        "location": _key(each.location) or None,
        "site": each.site or None,
        "connection": _key(each.connection),
        "carrier": _key(each.carrier) or None,
        "state": each.state.value,
        "checks": [
            {
                "system": str(check.system),
                "state": check.state.value,
                "reason": check.reason or None,
            }
            for check in each.checks
        ],
    }


def as_csv(report: CoverageReport, *, show: bool) -> str:
    """A header and a line a number and system (RFC 4180)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for each in report.numbers:
        for check in each.checks:
            cells = (
                each.holder,
                str(each.declared_by or ""),
                _key(each.location),
                each.site,
                _key(each.connection),
                _key(each.carrier),
                str(check.system),
                check.state.value,
                check.reason,
            )
            writer.writerow([_number(each.number, show=show), *map(formula_free, cells)])
    return text.getvalue()

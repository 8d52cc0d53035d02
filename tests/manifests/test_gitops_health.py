"""Argo CD's Lua and Flux's CEL, run over every list of conditions that the status code can write.

The expected answers come from how the pass ended, not from the conditions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import celpy
import lupa.lua54
import pytest
import yaml

from callplane.apis import registry
from callplane.apis.reasons import Reason
from callplane.deployment import gitops
from callplane.errors import Failed, Stalled, Waiting
from callplane.status.conditions import Circumstances, End, NotKnown, Succeeded, conditions

FLUX_ORDER = ("inProgress", "failed", "current")
NOW = datetime(2026, 11, 28, tzinfo=UTC)
ENDS: dict[str, End] = {
    "fine": Succeeded("all is well"),
    "drifted": Succeeded("seen", differences=("a number differs",)),
    "waiting": Waiting(Reason.SETTLING, "settling", after_seconds=1.0),
    "failed": Failed(Reason.PROVIDER_UNAVAILABLE, "no answer"),
    "stalled": Stalled(Reason.INVALID_SPEC, "cannot be"),
    "unknown": NotKnown("nothing seen", is_long=False),
    "unknown for long": NotKnown("nothing seen", is_long=True),
}
# What an end by itself means to Argo CD and to Flux; None keeps what was said before.
HEALTH = {
    "fine": ("Healthy", "current"),
    "drifted": ("Healthy", "current"),
    "waiting": ("Progressing", "inProgress"),
    "failed": ("Progressing", "inProgress"),
    "stalled": ("Degraded", "failed"),
    "unknown": None,
    "unknown for long": ("Progressing", ""),
}
#: Every circumstance by itself and with every other.
CIRCUMSTANCES = [
    Circumstances(**dict(zip((each.name for each in fields(Circumstances)), texts, strict=True)))
    for texts in itertools.product(*(("", f"says {each.name}") for each in fields(Circumstances)))
]
#: Cases that are tests of their own, so that a failure names one; the others run in one test.
SHOWN = [
    each for each in CIRCUMSTANCES if not (each.credentials or each.low_stock or each.fair_use)
]


@dataclass(frozen=True, slots=True)
class Case:
    """An object as the API server holds it, and what the two programs must make of it."""

    name: str
    body: dict[str, Any]
    argo: str
    flux: str


def cases(under: Sequence[Circumstances] = SHOWN) -> Iterator[Case]:
    """Every pair of passes, under these circumstances, looked at in time and late."""
    yield Case("new", _body([], -1), "Progressing", "inProgress")
    for (first, last), circumstances, late in itertools.product(
        itertools.product(("", *ENDS), ENDS), under, (False, True)
    ):
        before = _written([], ENDS[first], Circumstances()) if first else []
        after = _written(before, ENDS[last], circumstances)
        argo, flux = _expected(first, last)
        if circumstances.suspended:
            argo, flux = "Suspended", _ready_of(first)
        if late:
            argo, flux = "Progressing", "inProgress"
        name = f"{first or 'nothing'}, {last}, {circumstances}, {'late' if late else 'in time'}"
        yield Case(name, _body(after, 1 if late else 2), argo, flux)


def _written(
    before: list[dict[str, Any]], end: End, circumstances: Circumstances
) -> list[dict[str, Any]]:
    return conditions(before, end, circumstances, generation=2, now=NOW)


def _body(written: list[dict[str, Any]], observed: int) -> dict[str, Any]:
    status: dict[str, Any] = {"observedGeneration": observed}
    if written:
        status["conditions"] = written
    return {"metadata": {"name": "one", "generation": 2}, "status": status}


def _expected(first: str, last: str) -> tuple[str, str]:
    own = HEALTH[last]
    if own is not None:
        return own
    earlier = HEALTH[first] if first else None
    # Nothing known, and nothing known before: nobody can say more than "not yet".
    return earlier or ("Progressing", "")


def _ready_of(first: str) -> str:
    """Suspended keeps Ready and drops Reconciling and Stalled: Flux is content or waits."""
    return "current" if first in ("fine", "drifted") else ""


CASES = [pytest.param(case, id=case.name) for case in cases()]


def argo_cd(script: str, body: dict[str, Any]) -> str:
    """The health that a Lua script gives an object."""
    lua = lupa.lua54.LuaRuntime(unpack_returned_tuples=True)
    lua.globals()["obj"] = lua.table_from(body, recursive=True)
    return str(lua.execute(script)["status"])


def flux(expressions: dict[str, str], body: dict[str, Any]) -> str:
    """Which expression holds, asked in Flux's order; empty when it goes on waiting."""
    known = {name: celpy.json_to_cel(value) for name, value in body.items()}
    environment = celpy.Environment()
    for name in FLUX_ORDER:
        if environment.program(environment.compile(expressions[name])).evaluate(known):
            return name
    return ""


def wrong(script: str, expressions: dict[str, str]) -> list[str]:
    """The cases that the two make something else of."""
    return [
        case.name
        for case in cases()
        if (argo_cd(script, case.body), flux(expressions, case.body)) != (case.argo, case.flux)
    ]


@pytest.fixture(scope="module")
def shipped_script(root: Path) -> str:
    """The script as Argo CD reads it from the shipped ConfigMap."""
    shipped = yaml.safe_load((root / "manifests/gitops/argocd-cm.yaml").read_text())
    customizations = yaml.safe_load(shipped["data"]["resource.customizations"])
    return str(customizations["callplane.dev/*"]["health.lua"])


@pytest.fixture(scope="module")
def shipped_expressions(root: Path) -> list[dict[str, str]]:
    """The entries as Flux reads them."""
    shipped = yaml.safe_load((root / "manifests/gitops/flux-kustomization.yaml").read_text())
    return list(shipped["spec"]["healthCheckExprs"])


def test_all_pairs_of_ends_are_covered() -> None:
    assert len(CASES) == 1 + (len(ENDS) + 1) * len(ENDS) * len(SHOWN) * 2
    assert len(CIRCUMSTANCES) == 2 ** len(fields(Circumstances))
    assert {case.argo for case in cases()} == {"Healthy", "Progressing", "Degraded", "Suspended"}


@pytest.mark.parametrize("case", CASES)
def test_argo_cd_and_flux_see_how_the_pass_ended(
    case: Case, shipped_script: str, shipped_expressions: list[dict[str, str]]
) -> None:
    assert argo_cd(shipped_script, case.body) == case.argo
    assert flux(shipped_expressions[0], case.body) == case.flux


def test_no_other_circumstance_changes_what_they_see(
    shipped_script: str, shipped_expressions: list[dict[str, str]]
) -> None:
    """Each combination of circumstances, with each end that writes conditions of its own."""
    lua = lupa.lua54.LuaRuntime(unpack_returned_tuples=True)
    script = lua.eval(f"function(body) obj = body; {shipped_script} end")
    environment = celpy.Environment()
    programs = {
        name: environment.program(environment.compile(shipped_expressions[0][name]))
        for name in FLUX_ORDER
    }
    seen = set()
    for case in cases(CIRCUMSTANCES):
        kinds = tuple(each["type"] for each in case.body["status"].get("conditions", ()))
        statuses = tuple(each["status"] for each in case.body["status"].get("conditions", ()))
        look = (kinds, statuses, case.body["status"]["observedGeneration"])
        if look in seen:
            continue
        seen.add(look)
        body = lua.table_from(case.body, recursive=True)
        assert script(body)["status"] == case.argo, case.name
        known = {name: celpy.json_to_cel(value) for name, value in case.body.items()}
        holds = (name for name in FLUX_ORDER if programs[name].evaluate(known))
        assert next(holds, "") == case.flux, case.name
    assert len(seen) > 200


def test_flux_has_an_entry_for_every_kind(shipped_expressions: list[dict[str, str]]) -> None:
    assert [entry["kind"] for entry in shipped_expressions] == [k.name for k in registry.KINDS]
    assert all(entry["apiVersion"] == "callplane.dev/v1alpha1" for entry in shipped_expressions)
    same = [{k: entry[k] for k in gitops.FLUX_EXPRESSIONS} for entry in shipped_expressions]
    assert all(entry == gitops.FLUX_EXPRESSIONS for entry in same)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("status.observedGeneration ~= obj.metadata.generation", "false"),
        ('says("Suspended", "True")', "false"),
        ('says("Stalled", "True")', "false"),
        ('says("Reconciling", "True")', "false"),
        ('says("Ready", "True")', "found.Ready ~= nil"),
    ],
)
def test_a_script_without_a_check_is_caught(old: str, new: str) -> None:
    # Reconciling means Ready=False, which is Progressing too: only its message differs.
    changed = gitops.ARGO_CD_LUA.replace(old, new)
    assert changed != gitops.ARGO_CD_LUA
    found = wrong(changed, gitops.FLUX_EXPRESSIONS)
    assert (found == []) is ("Reconciling" in old)


@pytest.mark.parametrize("name", ["inProgress", "failed", "current"])
def test_an_expression_that_never_holds_is_caught(name: str) -> None:
    assert wrong(gitops.ARGO_CD_LUA, {**gitops.FLUX_EXPRESSIONS, name: "false"}) != []

"""`callplane apply`: what reaches the API server, and how the wait for the operator ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.cli import app, applying, connecting
from callplane.cluster import api_errors
from callplane.cluster.resource_kinds import callplane_kind
from callplane.engine import snapshot_files
from callplane.testing.fake_cluster import FakeCluster, Fault
from callplane.testing.planning_builders import Estate

READY = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "is fine"}
PROGRESSING = {"type": "Reconciling", "status": "True", "reason": "Progressing", "message": "soon"}


def stalled(reason: str) -> dict[str, str]:
    return {"type": "Stalled", "status": "True", "reason": reason, "message": "for a reason"}


class Stage:
    """A tree, a cluster, and an operator that answers as the test wants it to."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.cluster = FakeCluster()
        for namespace in ("platform", "sales"):
            metadata = {"name": namespace}
            self.cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.operator = self.cluster.as_manager("operator")
        self.tree = folder / "tree.yaml"
        self.snapshot = folder / "a.snapshot"
        self.estate = Estate()
        self.estate.stock(range(10))
        for name in ("anna", "ben"):
            self.estate.hire(name)
            self.estate.declare(name)
        #: Conditions by name of the object, in the order in which the operator says them.
        self.answers: dict[str, list[list[dict[str, str]]]] = {}
        self.waited = 0
        self._capsys = capsys

    def write(self) -> None:
        bodies = list(self.estate.manifests.values())
        bodies.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "graph"}})
        self.tree.write_text(yaml.safe_dump_all(bodies))
        snapshot_files.save(self.snapshot, self.estate.observations())

    def run(self, *options: str, code: int = 0) -> str:
        self.write()
        plan = () if "--no-plan" in options else ("--snapshot", str(self.snapshot))
        ended = app.run(["apply", str(self.tree), "--kubeconfig", "a", *plan, *options])
        printed = self._capsys.readouterr()
        assert ended == code, printed
        return printed.out + printed.err

    async def act(self, _: float) -> None:
        """What the operator does while the verb sleeps."""
        self.waited += 1
        assert self.waited < 50, "the wait does not end"
        for kind in ("teamstenants", "numberranges", "teamsusers"):
            for body in (await self.operator.list_all(callplane_kind(kind))).items:
                name = body["metadata"]["name"]
                said = self.answers.get(name, [[READY]])
                conditions = said.pop(0) if len(said) > 1 else said[0]
                status = {
                    "observedGeneration": body["metadata"]["generation"],
                    "conditions": conditions,
                }
                await self.operator.merge_patch(
                    callplane_kind(kind),
                    name=name,
                    namespace=body["metadata"]["namespace"],
                    patch={"status": status},
                    subresource="status",
                )


@pytest.fixture
def stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Stage:
    made = Stage(tmp_path, capsys)

    @asynccontextmanager
    async def reached(_: Path) -> AsyncIterator[FakeCluster]:
        yield made.cluster

    wait: Callable[..., Any] = applying.wait

    async def wait_without_time(objects: Any, keys: Any, waiting: Any) -> Any:
        clock = iter(range(10_000))
        instead = applying.Patience(
            waiting.timeout_seconds, lambda: float(next(clock)), made.act, waiting.report
        )
        return await wait(objects, keys, instead)

    monkeypatch.setattr(connecting, "cluster", reached)
    monkeypatch.setattr(applying, "wait", wait_without_time)
    return made


def applied(stage: Stage) -> list[str]:
    return [f"{request.kind.plural}/{request.name}" for request in stage.cluster.writes]


def test_everything_is_applied_connections_first_and_waited_for(stage: Stage) -> None:
    said = stage.run()
    assert applied(stage) == [
        "teamstenants/main",
        "numberranges/london",
        "teamsusers/anna",
        "teamsusers/ben",
    ]
    assert {request.verb for request in stage.cluster.writes} == {"apply"}
    assert "Plan: 2 changes on 2 of 4 objects" in said
    assert "passed over, apply them with kubectl: 1 Secret" in said
    assert said.rstrip().endswith("4 objects: 4 ready")


def test_progress_is_told_when_it_changes(stage: Stage) -> None:
    stage.answers["ben"] = [[PROGRESSING], [PROGRESSING], [PROGRESSING], [READY]]
    said = stage.run().splitlines()
    assert [line for line in said if line.startswith("4 objects:")] == [
        "4 objects: 4 in progress",
        "4 objects: 3 ready, 1 in progress",
        "4 objects: 4 ready",
    ]


def test_a_held_object_ends_with_3(stage: Stage) -> None:
    stage.answers["ben"] = [[stalled("ApprovalRequired")]]
    said = stage.run(code=3)
    assert "TeamsUser sales/ben  held  ApprovalRequired  for a reason" in said


def test_a_failed_object_ends_with_1_also_beside_held_ones(stage: Stage) -> None:
    stage.answers["anna"] = [[stalled("UserNotFound")]]
    stage.answers["ben"] = [[stalled("ApprovalRequired")]]
    said = stage.run(code=1)
    assert "TeamsUser sales/anna  failed  UserNotFound  for a reason" in said
    assert "ApprovalRequired" in said


def test_a_failure_that_the_next_pass_cures_is_none(stage: Stage) -> None:
    stage.answers["anna"] = [[stalled("NumberTaken")], [READY]]
    stage.run()


def test_what_takes_too_long_is_named(stage: Stage) -> None:
    stage.answers["ben"] = [[PROGRESSING]]
    said = stage.run("--timeout", "5s", code=1)
    assert "TeamsUser sales/ben  in progress  Progressing  soon" in said
    assert "not everything is Ready in time" in said


def test_every_refused_object_is_named_and_the_others_are_applied(stage: Stage) -> None:
    refusal = api_errors.Invalid("spec.first: is wrong", status=422, reason="Invalid")
    stage.cluster.faults.append(Fault(refusal, verb="apply", kind=callplane_kind("numberranges")))
    said = stage.run(code=1)
    assert "NumberRange platform/london: " in said
    assert "1 object of 4 refused; the others are applied" in said
    assert "teamsusers/ben" in applied(stage)


def test_a_conflict_says_how_to_take_over(stage: Stage) -> None:
    refusal = api_errors.Conflict("owned by flux", status=409, reason="Conflict")
    stage.cluster.faults.append(Fault(refusal, verb="apply", times=1))
    assert "--force-conflicts" in stage.run(code=1)


def test_an_invalid_tree_is_not_applied(stage: Stage) -> None:
    stage.estate.range("second", first=50, last=60)
    stage.run(code=1)
    assert applied(stage) == []


def test_without_a_plan_nothing_but_the_cluster_is_asked(stage: Stage) -> None:
    assert "Plan:" not in stage.run("--no-plan")


def test_what_the_server_owns_is_not_sent(stage: Stage) -> None:
    for body in stage.estate.manifests.values():
        body["metadata"]["resourceVersion"] = "7"
        body["metadata"]["uid"] = "of another cluster"
        body["status"] = {"observedGeneration": 1}
    stage.run("--no-plan")
    sent = [request.sent for request in stage.cluster.writes]
    assert all("status" not in body for body in sent)
    assert all(set(body["metadata"]) == {"name", "namespace"} for body in sent)

"""`callplane numbers`, `connections` and `plan show` over a register in memory."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.cli import app, connecting
from callplane.clock import SystemClock
from callplane.engine import snapshot_files
from callplane.engine.observations import trimmed
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan.change import Change, Operation, approval_digest
from callplane.plan.gate import GateRow, GateStatus
from callplane.store.memory import MemoryRegister
from callplane.store.ports import Commit, ConnectionRow, HolderRow, Move
from callplane.testing.fake_cluster import FakeCluster
from callplane.testing.planning_builders import (
    CONNECTION,
    TENANT_ID,
    Estate,
    declaring,
    holder,
    manifest,
    number,
    user_id,
)
from callplane.values import ConnectionId, DeclaringObject, HolderId, ObjectKey, Platform

URL = "--database-url=postgresql://localhost/memory"
TENANT = DeclaringObject("cluster-1", "TeamsTenant", "platform", "main", "uid-main")
Run = Callable[..., str]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> MemoryRegister:
    """The register that every verb of this module opens."""
    made = MemoryRegister()

    @asynccontextmanager
    async def opened(_: str) -> AsyncIterator[MemoryRegister]:
        yield made

    monkeypatch.setattr(connecting, "register", opened)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: str, code: int = 0) -> str:
        ended = app.run(list(arguments))
        printed = capsys.readouterr()
        assert ended == code, printed
        return printed.out if code == 0 else printed.out + printed.err

    return ran


async def held(register: MemoryRegister) -> int:
    row = await register.hold_connection(
        CONNECTION,
        declared_by=TENANT,
        now=SystemClock().now() - timedelta(minutes=3),
        stale_after_seconds=300,
        new_epoch=True,
    )
    assert isinstance(row, ConnectionRow)
    return row.epoch


async def given(register: MemoryRegister, name: str, index: int) -> None:
    """A number that somebody has, claimed and confirmed."""
    epoch = await held(register)
    claim = Move(
        number(index),
        expected=NumberState.FREE,
        to=NumberState.CLAIMED,
        cause=Cause.ALLOCATE,
        holder=holder(name),
        declared_by=declaring(name),
        range_name="platform/london",
        number_type="directRouting",
    )
    person = HolderRow(holder(name), CONNECTION, declaring(name), f"{name}@example.com", {}, {})
    now = SystemClock().now()
    await register.commit(
        CONNECTION, Commit(moves=(claim,), holders=(person,)), epoch=epoch, now=now
    )
    confirm = replace(
        claim, expected=NumberState.CLAIMED, to=NumberState.ASSIGNED, cause=Cause.CONFIRM
    )
    await register.commit(CONNECTION, Commit(moves=(confirm,)), epoch=epoch, now=now)
    await register.link_events()


# Numbers


def test_the_life_of_a_number_is_told(register: MemoryRegister, run: Run) -> None:
    asyncio.run(given(register, "anna", 1))
    lines = run("numbers", "history", number(1).text, URL).splitlines()
    assert lines[0] == f"{number(1)}: 2 events"
    assert [line.split()[2] for line in lines[2:]] == ["Allocate", "Confirm"]
    assert all("anna@example.com" in line and "TeamsUser sales/anna" in line for line in lines[2:])
    events = json.loads(run("numbers", "history", number(1).text, URL, "--json"))
    assert [(each["from"], each["to"]) for each in events] == [
        ("Free", "Claimed"),
        ("Claimed", "Assigned"),
    ]


def test_a_number_may_be_written_with_spaces(register: MemoryRegister, run: Run) -> None:
    asyncio.run(given(register, "anna", 1))
    assert "2 events" in run("numbers", "history", "+44 20 7946 0001", URL)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("+442079460009", "has never heard of"), ("anna", "is not an E.164 number")],
)
def test_an_unknown_number_is_an_error(
    register: MemoryRegister, run: Run, text: str, reason: str
) -> None:
    assert reason in run("numbers", "history", text, URL, code=1)


def test_the_register_is_exported_as_csv(register: MemoryRegister, run: Run) -> None:
    asyncio.run(given(register, "ben", 2))
    asyncio.run(given(register, "anna", 1))
    rows = list(csv.DictReader(io.StringIO(run("export", URL))))
    assert [(row["number"], row["userName"], row["state"]) for row in rows] == [
        (number(1).text, "anna@example.com", "Assigned"),
        (number(2).text, "ben@example.com", "Assigned"),
    ]
    assert rows[0]["range"] == "platform/london"
    assert rows[0]["quarantinedUntil"] == ""
    assert number(1).text not in run("export", URL, "--mask-numbers")


def test_csv_and_yaml_of_the_register_say_what_the_list_says(
    register: MemoryRegister, run: Run
) -> None:
    asyncio.run(given(register, "anna", 1))
    listed = json.loads(run("numbers", "list", URL, "--json"))
    assert yaml.safe_load(run("export", URL, "--format", "yaml")) == listed
    (row,) = csv.DictReader(io.StringIO(run("export", URL)))
    assert row == {name: value or "" for name, value in listed[0].items()}


async def elsewhere(register: MemoryRegister) -> None:
    """A number of a person in Webex, and one that is on order at a carrier."""
    webex = ConnectionId("webex", "org-1")
    carrier = ConnectionId("telnyx", "account")
    bruno = HolderId(Platform.WEBEX, "org-1", "bruno-Id")
    claim = Move(
        number(3),
        expected=NumberState.FREE,
        to=NumberState.CLAIMED,
        cause=Cause.ALLOCATE,
        holder=bruno,
        declared_by=declaring("bruno"),
        range_name="platform/webex",
        number_type="webex",
    )
    order = Move(
        number(4),
        expected=NumberState.FREE,
        to=NumberState.ORDERING,
        cause=Cause.ORDER,
        range_name="platform/front",
    )
    person = HolderRow(bruno, webex, declaring("bruno"), "bruno@example.com", {}, {})
    for connection, commit in (
        (webex, Commit(moves=(claim,), holders=(person,))),
        (carrier, Commit(moves=(order,))),
    ):
        now = SystemClock().now()
        row = await register.hold_connection(
            connection, declared_by=TENANT, now=now, stale_after_seconds=300, new_epoch=True
        )
        assert isinstance(row, ConnectionRow)
        await register.commit(connection, commit, epoch=row.epoch, now=now)


def test_numbers_of_every_platform_and_carrier_are_exported(
    register: MemoryRegister, run: Run
) -> None:
    asyncio.run(given(register, "anna", 1))
    asyncio.run(elsewhere(register))
    rows = list(csv.DictReader(io.StringIO(run("export", URL))))
    assert [(row["connection"], row["state"], row["type"], row["userName"]) for row in rows] == [
        (str(CONNECTION), "Assigned", "directRouting", "anna@example.com"),
        ("webex/org-1", "Claimed", "webex", "bruno@example.com"),
        ("telnyx/account", "Ordering", "", ""),
    ]
    listed = yaml.safe_load(run("export", URL, "--format", "yaml"))
    assert [row["range"] for row in listed] == [
        "platform/london",
        "platform/webex",
        "platform/front",
    ]


def test_an_empty_register_is_exported_with_its_header(register: MemoryRegister, run: Run) -> None:
    assert run("export", URL).startswith("number,state,")
    assert run("export", URL, "--format", "yaml") == "[]\n"


def test_text_that_would_run_as_a_formula_is_only_text(register: MemoryRegister, run: Run) -> None:
    asyncio.run(given(register, "=cmd", 1))
    (row,) = csv.DictReader(io.StringIO(run("export", URL)))
    assert row["userName"] == "'=cmd@example.com"
    assert row["number"] == number(1).text


def test_an_export_replaces_no_file(register: MemoryRegister, run: Run, tmp_path: Path) -> None:
    asyncio.run(given(register, "anna", 1))
    file = tmp_path / "register.csv"
    assert run("export", URL, "--to", str(file)) == ""
    assert file.read_bytes() == run("export", URL).encode()
    before = file.read_bytes()
    said = run("export", URL, "--format", "yaml", "--to", str(file), code=1)
    assert "is there already and was not replaced" in said
    assert file.read_bytes() == before
    assert "no such file" in run("export", URL, "--to", str(tmp_path / "no" / "a"), code=1)


def test_numbers_are_listed_by_range_and_state(register: MemoryRegister, run: Run) -> None:
    asyncio.run(given(register, "anna", 1))
    asyncio.run(given(register, "ben", 2))
    assert len(run("numbers", "list", URL).splitlines()) == 3
    listed = json.loads(run("numbers", "list", URL, "--state", "assigned", "--json"))
    assert [(each["number"], each["userName"]) for each in listed] == [
        (number(1).text, "anna@example.com"),
        (number(2).text, "ben@example.com"),
    ]
    assert json.loads(run("numbers", "list", URL, "--range", "platform/paris", "--json")) == []
    assert number(1).text not in run("numbers", "list", URL, "--mask-numbers")


def test_a_whole_history_verifies_and_leaves_a_checkpoint(
    register: MemoryRegister, run: Run, tmp_path: Path
) -> None:
    asyncio.run(given(register, "anna", 1))
    file = tmp_path / "checkpoint"
    shown = run("numbers", "verify", URL, "--save-checkpoint", str(file))
    assert shown.startswith("the history is whole: 2 events, 0 not chained yet")
    assert file.read_text().startswith("2:")
    asyncio.run(given(register, "ben", 2))
    run("numbers", "verify", URL, "--checkpoint", str(file))


def test_a_history_written_anew_does_not_verify(
    register: MemoryRegister, run: Run, tmp_path: Path
) -> None:
    asyncio.run(given(register, "anna", 1))
    register._links[0] = b"\0" * 32
    file = tmp_path / "checkpoint"
    shown = run("numbers", "verify", URL, "--save-checkpoint", str(file), code=1)
    assert "the history does not hold from event 1 on" in shown
    assert not file.exists()


def test_a_checkpoint_of_another_history_does_not_hold(
    register: MemoryRegister, run: Run, tmp_path: Path
) -> None:
    asyncio.run(given(register, "anna", 1))
    file = tmp_path / "checkpoint"
    file.write_text("2:" + "0" * 64 + "\n")
    assert "the history does not hold" in run(
        "numbers", "verify", URL, "--checkpoint", str(file), code=1
    )
    file.write_text("nonsense")
    assert "is no checkpoint" in run("numbers", "verify", URL, "--checkpoint", str(file), code=1)


# Rebuild


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Ten numbers: anna has the first, an unknown number has somebody, the others nobody."""
    estate = Estate()
    estate.range(last=9)
    estate.stock(range(8))
    estate.hire("anna", index=0)
    estate.hire("outside", index=500, ours=False)
    estate.cluster_objects.extend(trimmed(body) for body in estate.manifests.values())
    file = tmp_path / "a.snapshot"
    snapshot_files.save(file, estate.observations())
    return file


def rows(register: MemoryRegister) -> dict[str, str]:
    state = asyncio.run(register.load(CONNECTION))
    return {row.number.text: row.state.value for row in state.numbers}


def test_a_rebuild_is_shown_before_it_is_carried_out(
    register: MemoryRegister, run: Run, snapshot: Path
) -> None:
    arguments = ("numbers", "rebuild", "platform/main", URL, "--snapshot", str(snapshot))
    shown = run(*arguments)
    assert "nothing was written; carry it out with:" in shown
    assert rows(register) == {}
    digest = shown.rsplit("--confirm ", 1)[1].strip()
    run(*arguments, "--confirm", digest)
    found = rows(register)
    assert found.pop(number(0).text) == "Assigned"
    assert found == {number(index).text: "Quarantined" for index in range(1, 10)}
    (event,) = asyncio.run(register.history(number(3)))
    assert (event.cause, event.reason) == ("Rebuild", "unknown history")


def test_a_rebuild_that_was_not_confirmed_is_not_carried_out(
    register: MemoryRegister, run: Run, snapshot: Path
) -> None:
    arguments = ("numbers", "rebuild", "platform/main", URL, "--snapshot", str(snapshot))
    digest = run(*arguments).rsplit("--confirm ", 1)[1].strip()
    shown = run(*arguments, "--quarantine-days", "30", "--confirm", digest, code=1)
    assert "what was confirmed is not what would be written" in shown
    assert rows(register) == {}


def test_numbers_known_to_be_free_need_no_rest(
    register: MemoryRegister, run: Run, snapshot: Path, tmp_path: Path
) -> None:
    file = tmp_path / "free.txt"
    file.write_text(f"# never used\n{number(4)}\n{number(0)}  # anna has it\n\n")
    arguments = ["numbers", "rebuild", "platform/main", URL, "--snapshot", str(snapshot)]
    arguments += ["--known-free", str(file)]
    digest = run(*arguments).rsplit("--confirm ", 1)[1].strip()
    run(*arguments, "--confirm", digest)
    found = rows(register)
    assert number(4).text not in found
    assert found[number(0).text] == "Assigned"
    file.write_text("anna\n")
    assert f"{file}:1: 'anna' is not" in run(*arguments, code=1).replace("'+anna'", "'anna'")


def test_tenants_of_the_same_ranges_are_rebuilt_one_after_the_other(
    register: MemoryRegister, run: Run, snapshot: Path
) -> None:
    """A lost database is lost for all of them, and each is rebuilt by itself."""
    observations = snapshot_files.load(snapshot)
    (first,) = observations.connections
    second = ConnectionId("teams", "00000000-0000-4000-8000-00000000cccc")
    shown = tuple(
        replace(row, holder_id=user_id("bob") if row.number == number(3) else None)
        for row in first.numbers
    )
    other = replace(first, key=replace(first.key, name="other"), connection=second, numbers=shown)
    snapshot_files.save(snapshot, replace(observations, connections=(first, other)))
    for name in ("main", "other"):
        arguments = ("numbers", "rebuild", f"platform/{name}", URL, "--snapshot", str(snapshot))
        digest = run(*arguments).rsplit("--confirm ", 1)[1].strip()
        run(*arguments, "--confirm", digest)
    found = rows(register)
    assert found.pop(number(0).text) == "Assigned"
    assert found == {number(index).text: "Quarantined" for index in range(1, 10) if index != 3}
    (row,) = asyncio.run(register.load(second)).numbers
    assert (row.number, row.state) == (number(3), NumberState.ASSIGNED)
    assert row.holder == HolderId(Platform.TEAMS, second.external_id, user_id("bob"))


def test_a_rebuild_of_a_tenant_that_was_not_observed(
    register: MemoryRegister, run: Run, snapshot: Path
) -> None:
    arguments = ("numbers", "rebuild", "platform/other", URL, "--snapshot", str(snapshot))
    assert "was not observed; observed are: platform/main" in run(*arguments, code=1)


# Connections


def test_connections_show_who_works_them(register: MemoryRegister, run: Run) -> None:
    assert "no operator has worked a connection" in run("connections", "list", URL)
    asyncio.run(held(register))
    heads, row = run("connections", "list", URL).splitlines()
    assert heads.split() == ["CONNECTION", "OBJECT", "CLUSTER", "EPOCH", "HEARTBEAT"]
    assert f"teams/{TENANT_ID}" in row
    assert row.endswith("3 minutes ago")
    (listed,) = json.loads(run("connections", "list", URL, "--json"))
    assert (listed["installation"], listed["epoch"]) == ("cluster-1", 1)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster that every verb of this module reaches."""
    made = FakeCluster()

    @asynccontextmanager
    async def reached(_: Path) -> AsyncIterator[FakeCluster]:
        yield made

    monkeypatch.setattr(connecting, "cluster", reached)
    return made


def seed(cluster: FakeCluster, kind: str, name: str, spec: dict[str, Any], **body: Any) -> None:
    cluster.seed({**manifest(kind, name, spec, namespace="default"), **body})


def test_a_connection_is_taken_at_once(
    register: MemoryRegister, cluster: FakeCluster, run: Run
) -> None:
    asyncio.run(held(register))
    seed(cluster, "TeamsTenant", "main", Estate().manifests[_tenant_key()]["spec"])
    shown = run("connections", "take", "default/main", URL, "--kubeconfig", "a.kubeconfig")
    (row,) = asyncio.run(register.connections())
    assert row.declared_by.namespace == "default"
    assert row.installation != "cluster-1"
    assert row.epoch == 2
    assert "epoch 2" in shown


def test_a_carrier_is_taken_like_any_connection(
    register: MemoryRegister, cluster: FakeCluster, run: Run
) -> None:
    spec = {
        "type": "Simwood",
        "account": "930001",
        "credentials": {"user": "api", "secretRef": {"name": "carrier", "key": "secret"}},
    }
    seed(cluster, "Carrier", "main", spec)
    options = ("--kind", "Carrier", URL, "--kubeconfig", "a.kubeconfig")
    assert "epoch 1" in run("connections", "take", "default/main", *options)
    (row,) = asyncio.run(register.connections())
    assert row.connection == ConnectionId("simwood", "930001")


def _tenant_key() -> ObjectKey:
    return ObjectKey("TeamsTenant", "platform", "main")


@pytest.mark.parametrize("name", ["main", "/main", "platform/"])
def test_a_connection_is_named_with_its_namespace(
    register: MemoryRegister, cluster: FakeCluster, run: Run, name: str
) -> None:
    shown = run("connections", "take", name, URL, "--kubeconfig", "a", code=1)
    assert "name the object as NAMESPACE/NAME" in shown


def test_verbs_of_the_register_ask_for_the_database(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CALLPLANE_DATABASE_URL", raising=False)
    for verb in (("connections", "list"), ("numbers", "list"), ("numbers", "verify"), ("export",)):
        assert "--database-url or CALLPLANE_DATABASE_URL" in run(*verb, code=1)


def test_a_database_that_does_not_answer_is_one_line(run: Run) -> None:
    url = "--database-url=postgresql://127.0.0.1:1/nowhere"
    said = run("numbers", "list", url, code=1)
    assert said.startswith("Error: the number register does not answer: ")
    assert said.count("\n") == 1


# Held batches


def batch(count: int) -> tuple[str, list[GateRow]]:
    changes = [
        Change(
            CONNECTION,
            Operation.UNASSIGN_NUMBER,
            Platform.TEAMS,
            user_id(f"person{index}"),
            {"number": number(index).text, "type": "directRouting"},
            None,
        )
        for index in range(count)
    ]
    digest = approval_digest(change.change_id for change in changes)
    proposed = [
        GateRow(
            change,
            ObjectKey("TeamsUser", "sales", f"person{index}"),
            "platform/london",
            GateStatus.HELD,
            SystemClock().now(),
            digest,
        )
        for index, change in enumerate(changes)
    ]
    return digest, proposed


def test_a_held_batch_is_shown_whole_from_the_register(register: MemoryRegister, run: Run) -> None:
    digest, proposed = batch(300)

    async def hold() -> None:
        epoch = await held(register)
        await register.commit(
            CONNECTION, Commit(gate_rows=proposed), epoch=epoch, now=SystemClock().now()
        )

    asyncio.run(hold())
    lines = run("plan", "show", digest, URL).splitlines()
    assert lines[0] == f"300 changes of TeamsTenant platform/main (teams/{TENANT_ID})"
    assert sum("sales/person" in line and line.endswith("held") for line in lines) == 300
    found = json.loads(run("plan", "show", digest, URL, "--format", "json", "--mask-numbers"))
    assert {each["id"] for each in found["changes"]} == {row.change_id for row in proposed}
    assert number(7).text not in json.dumps(found)
    assert "no batch cp1:0" in run("plan", "show", "cp1:0", URL, code=1)


def test_a_held_batch_is_shown_from_its_change_plan(cluster: FakeCluster, run: Run) -> None:
    digest, proposed = batch(3)
    spec = {
        "connectionRef": {"kind": "TeamsTenant", "name": "main"},
        "digest": digest,
        "total": 5,
        "changes": [
            {
                "id": row.change_id,
                "operation": row.change.operation.value,
                "subject": {"platform": "teams", "id": row.change.subject},
                "from": dict(row.change.before or {}),
                "irreversible": False,
                "declaredBy": {"kind": "TeamsUser", "namespace": "sales", "name": "anna"},
            }
            for row in proposed
        ],
    }
    seed(cluster, "ChangePlan", "cp-1", spec)
    lines = run("plan", "show", digest, "--kubeconfig", "a").splitlines()
    assert lines[0] == "5 changes of TeamsTenant default/main"
    assert sum("sales/anna" in line for line in lines) == 3
    assert lines[-1] == "… and 2 more: --database-url shows all of them"


def test_show_asks_where_to_look(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALLPLANE_DATABASE_URL", raising=False)
    assert "--database-url for all of it, or --kubeconfig" in run("plan", "show", "cp1:0", code=1)


def test_other_connections_of_the_register_are_left_alone(
    register: MemoryRegister, run: Run, snapshot: Path
) -> None:
    """A number of another tenant stays as it is; one that both would have is refused as a whole."""
    other = ConnectionId("teams", "00000000-0000-4000-8000-00000000cccc")

    async def take() -> None:
        row = await register.hold_connection(
            other,
            declared_by=replace(TENANT, name="other"),
            now=SystemClock().now(),
            stale_after_seconds=300,
            new_epoch=True,
        )
        assert isinstance(row, ConnectionRow)
        move = Move(
            number(3),
            expected=NumberState.FREE,
            to=NumberState.RESERVED,
            cause=Cause.RESERVE,
            range_name="platform/other",
        )
        await register.commit(
            other, Commit(moves=(move,)), epoch=row.epoch, now=SystemClock().now()
        )

    asyncio.run(take())
    arguments = ("numbers", "rebuild", "platform/main", URL, "--snapshot", str(snapshot))
    digest = run(*arguments).rsplit("--confirm ", 1)[1].strip()
    observations = snapshot_files.load(snapshot)
    (main,) = observations.connections
    shown = tuple(
        replace(row, holder_id=user_id("bob")) if row.number == number(3) else row
        for row in main.numbers
    )
    contradicts = snapshot.with_name("contradicts.snapshot")
    both = replace(observations, connections=(replace(main, numbers=shown),))
    snapshot_files.save(contradicts, both)
    refused = (*arguments[:-1], str(contradicts))
    said = run(*refused, code=1)
    assert f"belongs to {other}; nothing was written" in said
    assert rows(register) == {}
    run(*arguments, "--confirm", digest)
    assert number(3).text not in rows(register)
    (kept,) = asyncio.run(register.load(other)).numbers
    assert (kept.number, kept.state) == (number(3), NumberState.RESERVED)

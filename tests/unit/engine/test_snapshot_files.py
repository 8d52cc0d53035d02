"""A saved snapshot reads back as it was, and anything else is refused with a reason."""

from __future__ import annotations

import gzip
import json
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from callplane.engine import carrier_changes, snapshot_files
from callplane.engine.observations import Observations, trimmed
from callplane.engine.snapshot_files import SnapshotUnreadable
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Change, Operation
from callplane.plan.gate import GateRow, GateStatus
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    EmergencyAddress,
    NumberOnCarrier,
    Price,
    TrunkRoute,
)
from callplane.resources.lines import NumberType, PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.store.ports import Intent
from callplane.testing.planning_builders import (
    CONNECTION,
    TAKEN_AT,
    Estate,
    holder,
    number,
    user_id,
)
from callplane.values import ConnectionId, ObjectKey, Platform


def carriers(estate: Estate) -> None:
    """Two accounts: what a listing shows and hides, with and without money."""
    account = ConnectionId("telnyx", "account-main")
    wanted = carrier_changes.port_in(account, number(6), losing_carrier="001")
    estate.carrier(
        "main",
        NumberOnCarrier(number(1)),
        NumberOnCarrier(
            number(2),
            CarrierNumberState.PENDING,
            "port-pending",
            TrunkRoute("1001", ("sip:a@example.com", "sip:b@example.com"), ""),
            EmergencyAddress("1 A Street", "London", "ZZ99 9ZZ", "GB", "Example", "B", "L", "P"),
            True,
            "cp-uid",
            Price(1_500_000, "GBP"),
        ),
        NumberOnCarrier(
            number(3),
            CarrierNumberState.BLOCKED,
            route=NOT_SHOWN,
            emergency_address=NOT_SHOWN,
            deletion_locked=NOT_SHOWN,
            marker=NOT_SHOWN,
        ),
        NumberOnCarrier(number(4), CarrierNumberState.LEAVING, route=TrunkRoute(foreign="to app")),
        intents=(
            Intent(
                wanted.change_id,
                account,
                4,
                carrier_changes.subject(account, number(6)),
                wanted.to_json(),
                "r-1",
                TAKEN_AT,
                operation="o-1",
                detail="asked for",
            ),
        ),
        claims=[
            replace(
                estate.claims[number(5)],
                number=number(4),
                connection=ConnectionId("telnyx", "account-main"),
            )
        ],
    )
    estate.carrier("spare", balance_micros=None, kind="BringYourOwn", credentials=None)


@pytest.fixture
def observations() -> Observations:
    """Every field of every row has a value that is not its default somewhere."""
    estate = Estate()
    estate.people["odd"] = Person(
        "id-odd", "odd@example.com", "GB", False, LicenceState.ABSENT, True
    )
    estate.hire("ann", index=1)
    estate.numbers[number(2)] = NumberOnPlatform(
        number(2), NumberType.CALLING_PLAN, "a queue", False, "loc-1", True, False, False
    )
    estate.configurations["odd"] = CallingConfiguration(
        user_id("odd"),
        AccountType.RESOURCE_ACCOUNT,
        False,
        True,
        (number(3), number(4)),
        (
            ("TeamsCallingPolicy", PolicyOnLine("Sales", PolicyOrigin.GROUP)),
            ("TenantDialPlan", PolicyOnLine("London")),
        ),
    )
    estate.claim(
        "ben",
        5,
        state=NumberState.TRANSFERRING,
        transfer_to=holder("ann"),
        quarantined_until=TAKEN_AT + timedelta(days=90),
        reason="a reason",
        version=7,
    )
    estate.claim("cid", 6, declared_by=None)
    undone = {"number": ["2026-11-02T08:00:00+00:00"]}
    estate.holders["ben"] = replace(estate.holders["ben"], undone=undone, version=9)
    before = {"number": number(1).text, "type": "directRouting"}
    change = Change(
        CONNECTION, Operation.UNASSIGN_NUMBER, Platform.TEAMS, user_id("ann"), before, None
    )
    estate.gate_rows.append(
        GateRow(
            change,
            ObjectKey("TeamsUser", "sales", "ann"),
            "platform/london",
            GateStatus.CONSUMED,
            TAKEN_AT,
            "cp1:" + "a" * 64,
            "approval-uid",
            TAKEN_AT + timedelta(hours=1),
            TAKEN_AT + timedelta(minutes=1),
            ("earlier",),
        )
    )
    carriers(estate)
    estate.cluster_objects.extend(trimmed(body) for body in estate.manifests.values())
    estate.labels["sales"] = {"team": "sales"}
    found = estate.observations()
    (connection,) = found.connections
    service = Person("service-1", "AutoAttendant/Main Line")
    return replace(found, connections=(replace(connection, services=(service,)),))


def test_what_was_saved_is_what_is_read(tmp_path: Path, observations: Observations) -> None:
    file = tmp_path / "a.snapshot"
    snapshot_files.save(file, observations)
    assert snapshot_files.load(file) == observations


def test_a_connection_without_a_register_stays_without(tmp_path: Path) -> None:
    estate = Estate(has_register=False)
    file = tmp_path / "a.snapshot"
    snapshot_files.save(file, estate.observations())
    assert not snapshot_files.load(file).has_register


def test_many_rows_are_kept_in_pieces(tmp_path: Path) -> None:
    estate = Estate()
    estate.people = {f"p{n}": Person(f"id-{n}", f"p{n}@example.com") for n in range(2500)}
    file = tmp_path / "a.snapshot"
    snapshot_files.save(file, estate.observations())
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [len(line["rows"]) for line in lines if line["kind"] == "people"] == [1000, 1000, 500]
    assert len(snapshot_files.load(file).connections[0].people) == 2500


def test_the_same_observations_are_the_same_bytes(
    tmp_path: Path, observations: Observations
) -> None:
    for name in ("a", "b"):
        snapshot_files.save(tmp_path / name, observations)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_only_the_owner_may_read_it(tmp_path: Path, observations: Observations) -> None:
    file = tmp_path / "a.snapshot"
    file.write_text("old")
    file.chmod(0o644)
    snapshot_files.save(file, observations)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["a.snapshot"]


def test_a_failed_save_leaves_the_old_file(
    tmp_path: Path, observations: Observations, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.snapshot"
    file.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("callplane.engine.snapshot_files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        snapshot_files.save(file, observations)
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.snapshot"]


def rewritten(file: Path, change: str, into: str) -> None:
    content = gzip.decompress(file.read_bytes()).decode()
    assert change in content
    file.write_bytes(gzip.compress(content.replace(change, into, 1).encode()))


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, observations: Observations) -> None:
    file = tmp_path / "a.snapshot"
    snapshot_files.save(file, observations)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SnapshotUnreadable, match="is no snapshot that can be read"):
        snapshot_files.load(file)
    lines = gzip.decompress(whole).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(lines[:-2] + lines[-1:])))
    with pytest.raises(SnapshotUnreadable, match="it was cut off"):
        snapshot_files.load(file)


@pytest.mark.parametrize("content", [b"", b"text", gzip.compress(b""), gzip.compress(b"[1]\n")])
def test_what_is_no_snapshot_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.snapshot"
    file.write_bytes(content)
    with pytest.raises(SnapshotUnreadable, match="callplane snapshot save"):
        snapshot_files.load(file)


def test_another_version_is_refused(tmp_path: Path, observations: Observations) -> None:
    file = tmp_path / "a.snapshot"
    snapshot_files.save(file, observations)
    rewritten(file, '"version":2', '"version":3')
    with pytest.raises(SnapshotUnreadable, match="it has version 3, and this reads 2"):
        snapshot_files.load(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SnapshotUnreadable, match="no such file"):
        snapshot_files.load(tmp_path / "nothing")


def test_a_file_of_the_version_before_is_read(tmp_path: Path) -> None:
    estate = Estate()
    estate.hire("ann", index=1)
    file = tmp_path / "a.snapshot"
    snapshot_files.save(file, estate.observations())
    rewritten(file, '"version":2', '"version":1')
    assert snapshot_files.load(file) == estate.observations()

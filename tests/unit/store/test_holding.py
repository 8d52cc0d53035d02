"""Who may work a connection: the rule as a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from callplane.store import holding
from callplane.store.holding import HoldRequest
from callplane.store.ports import ConnectionRow, HeldElsewhere
from callplane.testing.register_builders import (
    NOW,
    STALE_AFTER_SECONDS,
    TENANT,
    later,
    tenant_object,
)
from callplane.values import DeclaringObject

ROW = ConnectionRow(TENANT, "cluster-1", tenant_object(), 7, NOW, mirrored=40)
OTHER_CLUSTER = tenant_object(installation="cluster-2")
OTHER_OBJECT = tenant_object("fabrikam")
MADE_ANEW = replace(tenant_object(), uid="uid-of-the-next")


@dataclass(frozen=True, slots=True)
class Case:
    why: str
    epoch: int | None
    declared_by: DeclaringObject = ROW.declared_by
    row: ConnectionRow | None = ROW
    age_seconds: float = 0.0
    new_epoch: bool = False
    force: bool = False
    released: bool = False
    mirrored: int = 0


CASES = (
    Case("nobody had it", 1, row=None),
    Case("nobody had it, a leader asks", 1, row=None, new_epoch=True),
    Case("the same object keeps it", 7, age_seconds=9999, mirrored=40),
    Case("a new leader of it", 8, new_epoch=True, mirrored=40),
    Case("an object made anew has shown nothing", 7, declared_by=MADE_ANEW),
    Case("another cluster waits", None, declared_by=OTHER_CLUSTER),
    Case("a leader elsewhere waits too", None, declared_by=OTHER_CLUSTER, new_epoch=True),
    Case("another object waits", None, declared_by=OTHER_OBJECT),
    Case("not yet stale", None, declared_by=OTHER_CLUSTER, age_seconds=STALE_AFTER_SECONDS),
    Case("stale", 8, declared_by=OTHER_CLUSTER, age_seconds=STALE_AFTER_SECONDS + 0.1),
    Case("stale object", 8, declared_by=OTHER_OBJECT, age_seconds=STALE_AFTER_SECONDS + 0.1),
    Case("forced", 8, declared_by=OTHER_CLUSTER, force=True),
    Case("forced by its own", 7, force=True, mirrored=40),
    Case("released, epochs go on", 8, released=True),
    Case("released to another", 8, declared_by=OTHER_CLUSTER, released=True),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_decide(case: Case) -> None:
    now = later(seconds=case.age_seconds)
    request = HoldRequest(
        TENANT, case.declared_by, now, STALE_AFTER_SECONDS, case.new_epoch, case.force
    )
    answer = holding.decide(request, case.row, released=case.released)
    if case.epoch is None:
        assert answer == HeldElsewhere(ROW)
    else:
        assert answer == ConnectionRow(
            TENANT,
            case.declared_by.installation,
            case.declared_by,
            case.epoch,
            now,
            mirrored=case.mirrored,
        )


def test_hands_change_with_the_object() -> None:
    assert not holding.changes_hands(None, ROW)
    assert not holding.changes_hands(ROW, replace(ROW, epoch=8))
    assert not holding.changes_hands(ROW, replace(ROW, declared_by=MADE_ANEW))
    assert holding.changes_hands(ROW, replace(ROW, declared_by=OTHER_OBJECT))
    elsewhere = replace(ROW, installation="cluster-2", declared_by=OTHER_CLUSTER)
    assert holding.changes_hands(ROW, elsewhere)

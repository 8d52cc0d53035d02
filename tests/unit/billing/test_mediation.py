"""Call records: what is read, what is refused by row, what waits in suspense."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callplane.billing.mediation import Leg, RowError, SuspenseReason, objection, read_csv
from callplane.testing.billing_builders import CALLER, INGRESS, LANDLINE, SETUP

HEAD = "attempt_id,caller,dialled,ingress,setup,answered,released"
GOOD = (
    f"a-1,{CALLER},{LANDLINE},{INGRESS},2026-11-02T09:30:00Z,"
    "2026-11-02T09:30:05.250Z,2026-11-02T10:31:06+01:00"
)


def read(*rows: str, head: str = HEAD) -> list[Leg | RowError]:
    return list(read_csv([head, *rows], source="csv"))


def test_a_row_becomes_a_leg() -> None:
    (leg,) = read(GOOD.replace("+01:00", "+01:00"))
    assert isinstance(leg, Leg)
    assert leg.key == ("csv", "a-1", "1")
    assert leg.destination == "+442079460123"
    assert leg.released == datetime(2026, 11, 2, 9, 31, 6, tzinfo=UTC)
    # 60.75 s, rounded up once.
    assert leg.duration_seconds == 61


def test_a_call_that_was_not_answered_has_no_duration() -> None:
    (leg,) = read(GOOD.replace("2026-11-02T09:30:05.250Z", ""))
    assert isinstance(leg, Leg)
    assert (leg.answered, leg.duration_seconds) == (None, 0)


def test_every_fault_of_a_row_is_named_with_its_place() -> None:
    bad = f",{CALLER},,{INGRESS},yesterday,2026-11-02T09:30:05,2026-11-02T09:31:06Z"
    found = [str(each) for each in read(GOOD, bad)[1:]]
    assert found == [
        "row 3, attempt_id: is empty",
        "row 3, dialled: is empty",
        "row 3, setup: is no time with a zone, as in 2026-11-02T09:30:00Z",
        "row 3, answered: is no time with a zone, as in 2026-11-02T09:30:00Z",
    ]


@pytest.mark.parametrize(
    ("head", "messages"),
    [
        (HEAD.replace(",setup", ""), ["row 1, setup: the column is missing"]),
        (HEAD + ",price", ["row 1, price: no such column"]),
        (HEAD + ",setup", ["row 1, -: a column is there twice"]),
    ],
)
def test_a_header_that_does_not_fit_is_the_only_thing_said(head: str, messages: list[str]) -> None:
    assert [str(each) for each in read(GOOD, head=head)] == messages


@pytest.mark.parametrize("row", [GOOD + ",more", "a-1,b"])
def test_a_row_of_another_width_is_refused(row: str) -> None:
    assert [str(each) for each in read(row)] == [
        "row 2, -: has another number of columns than the header"
    ]


def test_an_unclosed_quote_is_no_csv() -> None:
    (error,) = read('a-1,"' + CALLER)
    assert isinstance(error, RowError)
    assert "is not CSV" in error.message


def test_a_direction_is_one_of_two() -> None:
    head = HEAD + ",direction"
    (inbound,) = read(GOOD + ",Inbound", head=head)
    assert isinstance(inbound, Leg)
    assert inbound.inbound
    (error,) = read(GOOD + ",sideways", head=head)
    assert str(error) == "row 2, direction: must be outbound or inbound"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"released": SETUP - timedelta(seconds=1)}, SuspenseReason.NEGATIVE_TIME),
        ({"answered": SETUP - timedelta(seconds=1)}, SuspenseReason.NEGATIVE_TIME),
        ({"answered": SETUP + timedelta(seconds=61)}, SuspenseReason.NEGATIVE_TIME),
        ({"released": SETUP + timedelta(days=8)}, SuspenseReason.ABSURD_TIME),
        ({"released": SETUP + timedelta(days=2)}, SuspenseReason.ABSURD_TIME),
        ({"setup": SETUP - timedelta(days=500)}, SuspenseReason.ABSURD_TIME),
        ({}, None),
    ],
)
def test_what_makes_no_sense_waits(
    changes: dict[str, datetime], reason: SuspenseReason | None
) -> None:
    (leg,) = read(GOOD)
    assert isinstance(leg, Leg)
    plain = replace(leg, setup=SETUP, answered=SETUP, released=SETUP + timedelta(seconds=60))
    now = SETUP + timedelta(days=1)
    assert objection(replace(plain, **changes), now=now) is reason

"""Messages between SBC and call control: what is written is read, and what is odd is refused."""

from __future__ import annotations

import contextlib
import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.callcontrol import messages
from callplane.callcontrol.messages import (
    Authorise,
    CallRecord,
    Cut,
    Extend,
    MalformedMessage,
    OutageFlag,
    Registered,
    Started,
    Verdict,
)
from callplane.sbc import rendering

ASKED = {
    "v": 1,
    "ev": "authorise",
    "i": 5,
    "l": 7,
    "attempt_id": "a-1",
    "boot_id": "b-1",
    "ingress": "Teams",
    "caller": "+442079460001",
    "dialled": "+441614960123",
}
RECORD = {
    "start_time": "1795391349.541",
    "end_time": "1795391351.1",
    "duration": "1.559",
    "attempt": "a-1",
    "class": "outbound",
    "account": "acme",
    "caller": "+442079460001",
    "dialled": "+441614960123",
    "ingress": "Teams",
    "reservation": "r-1",
}


def parsed(body: Any) -> messages.Event:
    return messages.parse_event(json.dumps(body))


def test_a_question() -> None:
    asked = parsed({**ASKED, "something_new": [1]})
    assert asked == Authorise(
        i=5,
        l=7,
        attempt_id="a-1",
        boot_id="b-1",
        ingress="Teams",
        caller="+442079460001",
        dialled="+441614960123",
    )


def test_a_record_is_in_integers() -> None:
    record = parsed({"v": 1, "ev": "cdr", "cdr": RECORD})
    assert isinstance(record, CallRecord)
    assert record.duration_milliseconds == 1559
    assert record.answered_at == datetime.fromtimestamp(1795391349, UTC).replace(microsecond=541000)
    assert record.released_at.microsecond == 100_000
    assert (record.call_class, record.reservation_id) == ("outbound", "r-1")


def test_records_have_the_names_that_the_configuration_gives_them() -> None:
    assert {*rendering.RECORD_FIELDS} == {*RECORD} - {"start_time", "end_time", "duration"}


def test_a_call_is_addressed_by_run_and_dialog() -> None:
    body = {"ev": "started", "attempt_id": "a", "boot_id": "b", "he": 1, "hi": 2}
    assert parsed(body) == Started("a", "b", 1, 2)


def test_a_phone_that_registers() -> None:
    body = {"ev": "registered", "user": "bob", "realm": "sip.example"}
    assert parsed(body) == Registered("bob", "sip.example")
    with pytest.raises(MalformedMessage, match="realm"):
        parsed({"ev": "registered", "user": "bob"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ev": "unheard-of"}, "ev"),
        ({"ev": None}, "ev"),
        ({"ev": []}, "ev"),
        ({"i": "5"}, "i"),
        ({"i": True}, "i"),
        ({"l": None}, "l"),
        ({"attempt_id": 5}, "attempt_id"),
        ({"caller": None}, "caller"),
        ({"ev": "cdr"}, "cdr"),
        ({"ev": "cdr", "cdr": {**RECORD, "duration": "-1"}}, "duration"),
        ({"ev": "cdr", "cdr": {**RECORD, "duration": 1.5}}, "duration"),
        ({"ev": "cdr", "cdr": {**RECORD, "start_time": "999999999999"}}, "start_time"),
        ({"ev": "cdr", "cdr": {**RECORD, "attempt": None}}, "attempt"),
    ],
)
def test_what_is_odd_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedMessage, match=f"^{field}: "):
        parsed({**ASKED, **change})


@pytest.mark.parametrize("text", ["", "[]", "5", "{", '{"ev":1}', b"\xff\xfe", "[" * 100_000])
def test_what_is_no_message(text: bytes | str) -> None:
    with pytest.raises(MalformedMessage):
        messages.parse_event(text)


def test_a_key_that_comes_twice_is_a_forgery() -> None:
    text = json.dumps(ASKED)[:-1] + ',"caller":"+442079460999"}'
    with pytest.raises(MalformedMessage, match="twice"):
        messages.parse_event(text)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(MalformedMessage):
        messages.parse_event(text)


@pytest.mark.parametrize(
    ("order", "body"),
    [
        (
            Verdict(1, 2, allow=True, max_seconds=60, account="acme", reservation_id="r"),
            {
                "op": "verdict",
                "i": 1,
                "l": 2,
                "allow": 1,
                "max_seconds": 60,
                "account": "acme",
                "reservation_id": "r",
                "on_net": 0,
            },
        ),
        (
            Verdict(1, 2, allow=False, reason="PoolExhausted"),
            {
                "op": "verdict",
                "i": 1,
                "l": 2,
                "allow": 0,
                "max_seconds": 0,
                "reason": "PoolExhausted",
                "on_net": 0,
            },
        ),
        (Extend("b", 1, 2, 60), {"op": "extend", "boot_id": "b", "he": 1, "hi": 2, "seconds": 60}),
        (Cut("b", 1, 2), {"op": "cut", "boot_id": "b", "he": 1, "hi": 2}),
        (
            OutageFlag("pbx", "+442079460001", 0),
            {"op": "outage", "ingress": "pbx", "caller": "+442079460001", "seconds": 0},
        ),
    ],
)
def test_orders_are_flat_and_their_numbers_are_numbers(
    order: messages.Order, body: dict[str, Any]
) -> None:
    assert json.loads(messages.to_json(order)) == body
    assert {*body} <= {"op", *(field.name for field in fields(order))}


@pytest.mark.parametrize("reason", ["", "two words", "Line\r\nVia: x", "x" * 41, "9"])
def test_a_refusal_has_a_reason_that_fits_a_status_line(reason: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        Verdict(1, 2, allow=False, reason=reason)


def test_an_allowance_has_seconds() -> None:
    with pytest.raises(ValueError, match="at least one second"):
        Verdict(1, 2, allow=True)

"""The hash chain: what is hashed, byte by byte, and what a verifier says."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from callplane.store import chain
from callplane.store.chain import GENESIS, ChainedEvent, Personal, Verifier
from callplane.store.ports import Checkpoint
from callplane.testing.register_builders import NOW, number

PERSONAL = Personal(b"0123456789abcdef", "teams/t/ann", "ann@contoso.example", "TeamsUser v/ann")
EVENT = ChainedEvent(
    sequence=1,
    number=number(1).text,
    at=NOW,
    cause="Allocate",
    from_state="Free",
    to_state="Claimed",
    connection=("teams", "tenant-1"),
    installation="cluster-1",
    reason="",
    personal_hashes=PERSONAL.hashes(),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_a_personal_field_is_hashed_with_salt_and_name() -> None:
    expected = hashlib.sha256(b"0123456789abcdef" + b"user_name:ann@contoso.example").hexdigest()
    assert PERSONAL.hashes()["user_name"] == expected
    assert list(PERSONAL.hashes()) == ["holder", "user_name", "declared_by"]


def test_equal_fields_hash_differently() -> None:
    same = Personal(b"0123456789abcdef", "x", "x", "x")
    assert len(set(same.hashes().values())) == 3
    assert same.hashes() != replace(same, salt=b"another salt of.").hashes()


def test_an_event_is_canonical_json() -> None:
    assert chain.canonical(EVENT).startswith(b'{"at":"2026-03-01T09:30:15.123456Z","cause":"All')
    elsewhere = replace(EVENT, at=NOW.astimezone(timezone(timedelta(hours=5))))
    assert chain.canonical(elsewhere) == chain.canonical(EVENT)
    whole_second = replace(EVENT, at=datetime(2026, 1, 1, tzinfo=UTC))
    assert b'"at":"2026-01-01T00:00:00.000000Z"' in chain.canonical(whole_second)


@given(reason=TEXT, installation=TEXT, sequence=st.integers(0, 2**53 - 1))
def test_canonical_is_what_rfc_8785_says(reason: str, installation: str, sequence: int) -> None:
    event = replace(EVENT, reason=reason, installation=installation, sequence=sequence)
    content = {
        "sequence": sequence,
        "number": event.number,
        "at": "2026-03-01T09:30:15.123456Z",
        "cause": "Allocate",
        "from": "Free",
        "to": "Claimed",
        "connection": ["teams", "tenant-1"],
        "installation": installation,
        "reason": reason,
        "personal": dict(EVENT.personal_hashes),
    }
    assert chain.canonical(event) == rfc8785.dumps(content)


def test_a_link_follows_from_the_one_before() -> None:
    first = chain.link(GENESIS, EVENT)
    assert first == hashlib.sha256(bytes(32) + chain.canonical(EVENT)).digest()
    assert chain.link(first, EVENT) != first


def verified(*events: ChainedEvent, checkpoints: tuple[Checkpoint, ...] = ()) -> Verifier:
    """A verifier that has seen these events, rightly linked."""
    verifier = Verifier(checkpoints)
    head = GENESIS
    for position, event in enumerate(events, start=1):
        head = chain.link(head, event)
        verifier.see(position, event.sequence, stored=head, event=event, personal=PERSONAL)
    return verifier


def events(count: int) -> list[ChainedEvent]:
    return [replace(EVENT, sequence=index) for index in range(1, count + 1)]


def test_a_whole_chain_verifies() -> None:
    report = verified(*events(3)).report(events=4, unlinked=1)
    assert (report.events, report.unlinked, report.first_broken) == (4, 1, None)
    assert report.details == ()
    assert len(report.head) == 64


def test_an_empty_chain_has_no_head() -> None:
    report = Verifier([Checkpoint(0, "")]).report(events=0, unlinked=0)
    assert (report.first_broken, report.head) == (None, "")


def test_one_change_is_one_detail() -> None:
    one, two, three = events(3)
    links = [chain.link(GENESIS, one)]
    links.append(chain.link(links[0], two))
    links.append(chain.link(links[1], three))
    verifier = Verifier([])
    for position, (event, stored) in enumerate(zip((one, two, three), links, strict=True), start=1):
        changed = replace(event, reason="x") if position == 2 else event
        verifier.see(position, position, stored=stored, event=changed, personal=None)
    report = verifier.report(events=3, unlinked=0)
    assert (report.first_broken, len(report.details), report.redacted) == (2, 1, 3)


@pytest.mark.parametrize(
    ("position", "gone", "word"),
    [(3, False, "links 2 to 2 are missing"), (2, True, "the event is missing")],
)
def test_gaps_are_named(position: int, gone: bool, word: str) -> None:
    verifier = verified(EVENT)
    after = replace(EVENT, sequence=7)
    verifier.see(position, 7, stored=bytes(32), event=None if gone else after, personal=PERSONAL)
    report = verifier.report(events=2, unlinked=0)
    assert (report.first_broken, report.details) == (7, (f"event 7: {word}",))


def test_details_end_somewhere() -> None:
    verifier = Verifier([])
    for position in range(1, 100):
        verifier.see(position, position, stored=bytes(32), event=EVENT, personal=None)
    report = verifier.report(events=99, unlinked=0)
    assert report.first_broken == 1
    assert len(report.details) == 10

"""Decks: what refuses one, how it is known, and what it changes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callplane.billing import deck_reading, decks
from callplane.billing.deck_comparing import Change, PricedCall, compare, money_effect
from callplane.billing.deck_reading import DeckTerms
from callplane.billing.decks import Examination, Reasons, digest_of, sort_key
from callplane.billing.mediation import RowError
from callplane.testing.billing_builders import BEGIN, SETUP, card, row

HEAD = "prefix,name,per_minute,currency,effective_from,effective_until"
TERMS = DeckTerms("GBP", "Europe/London", frozenset({"evening"}), access_from=BEGIN)
FIRST, SECOND = "2026-01-01", "2026-07-01"


def examined(lines: Iterable[str], terms: DeckTerms = TERMS) -> tuple[str, Examination, Reasons]:
    """What an import does with a file, without a database."""
    reasons = Reasons()
    rows = sorted(deck_reading.read(lines, terms, reasons), key=sort_key)
    examination = Examination(reasons, has_ends=any(each.until for each in rows))
    for each in rows:
        examination.take(each)
    return examination.finish(terms.currency), examination, reasons


def refused(*lines: str, head: str = HEAD, terms: DeckTerms = TERMS) -> list[str]:
    return [str(error) for error in examined([head, *lines], terms)[2].first]


def test_a_good_deck_is_read_whole() -> None:
    head = (
        "prefix,name,per_minute,per_minute:evening,connection_fee,increment,short_code,"
        "service_per_minute,service_per_call,effective_from"
    )
    lines = [
        "+44,United Kingdom,0.015,0.008,0.01,60/1,,,,2026-01-01",
        "118,Directories,0,,,,true,1.5,0.5,2026-07-01T00:00:00+01:00",
    ]
    reasons = Reasons()
    first, second = deck_reading.read([head, *lines], TERMS, reasons)
    assert reasons.count == 0
    assert replace(first.rate, name="to 44") == row(
        "44", 15_000, fee=10_000, counted="60/1", bands={"evening": 8_000}
    )
    assert (second.number, second.rate.prefix) == (3, "s118")
    assert second.rate.effective_from == datetime(2026, 6, 30, 23, tzinfo=UTC)
    assert second.rate.service is not None
    assert second.rate.service.per_call_micros == 500_000


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([f"44,UK,0.01,GBP,{FIRST},", f"44,UK,0.02,GBP,{FIRST},"],
         "row 3, prefix: prefix 44 of row 2 again from the same date"),
        ([f"44,UK,0.01,GBP,{FIRST},2026-08-01", f"44,UK,0.02,GBP,{SECOND},"],
         "row 3, prefix: prefix 44 of row 2 again before that has ended"),
        ([f"44,UK,0.01,GBP,{FIRST},", f"44,UK,0.02,GBP,{SECOND},2026-08-01",
          "44,UK,0.02,GBP,2026-08-01,"],
         "row 3, prefix: prefix 44 of row 2 again before that has ended"),
        ([f"44,UK,0.01,GBP,{FIRST},2026-06-30", f"44,UK,0.02,GBP,{SECOND},"],
         "row 3, prefix: a gap behind prefix 44 of row 2, which ended 2026-06-29T23:00:00+00:00"),
        ([f"44,UK,0.01,GBP,{FIRST},{SECOND}"],
         "row 2, effective_until: prefix 44 ends and nothing follows; leave the end empty"),
        ([f"44,UK,0.01,GBP,{SECOND},{FIRST}"],
         "row 2, effective_until: is not behind effective_from"),
        ([f"44,UK,0.01,EUR,{FIRST},"], "row 2, currency: 'EUR' is not the card's GBP"),
        ([f"44,=cmd|'/c calc'!A1,0.01,GBP,{FIRST},"],
         "row 2, name: begins like a formula of a spreadsheet"),
        ([f"44,UK,=1+1,GBP,{FIRST},"],
         "row 2, per_minute: begins like a formula of a spreadsheet"),
        ([f"44,UK,-0.01,GBP,{FIRST},"], "row 2, per_minute: a price is not negative"),
        ([f"44,UK,,GBP,{FIRST},"],
         "row 2, per_minute: is empty; a destination that is free says 0"),
        ([f"44,UK,1e3,GBP,{FIRST},"], "row 2, per_minute: '1e3' is no amount"),
        ([f"4x,UK,0.01,GBP,{FIRST},"], "row 2, prefix: must be 1 to 15 digits"),
        ([f"44,,0.01,GBP,{FIRST},"], "row 2, name: must be text of 1 to 64 characters"),
        (["44,UK,0.01,GBP,,"], "row 2, effective_from: is empty"),
        (["44,UK,0.01,GBP,soon,"], "row 2, effective_from: 'soon' is no day"),
        (["44,UK,0.01"], "row 2, -: 3 cells, the header has 6"),
        (["44,\"UK,0.01"], "is not CSV in UTF-8"),
        ([], "row 1, -: there are no prices"),
    ],
)  # fmt: skip
def test_each_fault_is_named_by_its_row(lines: list[str], reason: str) -> None:
    (found,) = refused(*lines)
    assert reason in found


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("prefix,name,effective_from", "per_minute: the column is missing"),
        ("prefix,name,per_minute,effective_from,colour", "colour: no such column"),
        ("prefix,name,per_minute,effective_from,per_minute:night", "the card has no such band"),
        ("prefix,name,per_minute,prefix,effective_from", "a column is there twice"),
        ("prefix,name,per_minute", "effective_from: neither a column nor a date for all rows"),
        ("", "the column is missing"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(head: str, reason: str) -> None:
    assert any(reason in error for error in refused("44,UK,0.01,x,y", head=head))


def test_service_charges_need_an_access_charge() -> None:
    head = "prefix,name,per_minute,effective_from,service_per_minute"
    terms = replace(TERMS, access_from=None)
    (error,) = refused(f"449,Premium,0,{FIRST},1.5", head=head, terms=terms)
    assert "begins before any access charge" in error
    assert not refused(f"449,Premium,0,{FIRST},1.5", head=head)


def test_one_date_for_all_rows() -> None:
    terms = replace(TERMS, effective_from=SETUP)
    _, examination, reasons = examined(["prefix,name,per_minute", "44,UK,0.01"], terms)
    assert (examination.first, reasons.count) == (SETUP, 0)


def test_the_first_hundred_reasons_and_how_many_more() -> None:
    lines = [f"{n},UK,nothing,GBP,{FIRST}," for n in range(1, 251)]
    _, _, reasons = examined([HEAD, *lines, *(f"9,UK,0.01,GBP,{FIRST}," for _ in range(3))])
    assert [error.row for error in reasons.first] == list(range(2, 102))
    assert reasons.more == 152


def test_reasons_come_by_row_whatever_found_them() -> None:
    reasons = Reasons(limit=3)
    for number in (9, 2, 7, 1, 8):
        reasons.add(RowError(number, "-", "x"))
    assert ([error.row for error in reasons.first], reasons.more) == ([1, 2, 7], 2)


def test_more_rows_than_allowed_are_refused() -> None:
    lines = [f"{n},UK,0.01,GBP,{FIRST}," for n in range(1, 5)]
    assert refused(*lines[:3], terms=replace(TERMS, rows_max=3)) == []
    (error,) = refused(*lines, terms=replace(TERMS, rows_max=3))
    assert error == "row 5, -: more than 3 rows, which deckRowsMax allows"


def test_the_digest_is_of_the_prices_alone() -> None:
    lines = [f"{n},UK,0.01,GBP,{FIRST}," for n in range(1, 9)]
    digest, examination, _ = examined([HEAD, *lines])
    random.Random(1).shuffle(lines)
    assert examined([HEAD, *lines])[0] == digest
    assert examined([HEAD, *lines[:-1]])[0] != digest
    assert examined([HEAD, *lines[:-1], lines[-1].replace("0.01", "0.02")])[0] != digest
    # The end of a price says nothing that the next row does not say.
    ends = [f"1,UK,0.01,GBP,{FIRST},{SECOND}", f"1,UK,0.02,GBP,{SECOND},"]
    without = [line.replace(f",{SECOND}", ",") if n == 0 else line for n, line in enumerate(ends)]
    assert examined([HEAD, *ends])[0] == examined([HEAD, *without])[0]
    assert (examination.rows, examination.prefixes) == (8, 8)
    rates = [each.rate for each in deck_reading.read([HEAD, *lines], TERMS, Reasons())]
    assert digest_of(rates, "GBP") == digest


def test_decks_are_compared_by_prefix() -> None:
    later = BEGIN + timedelta(days=9)
    old = [row("1", 5), row("2", 5), row("3", 5), row("4", 5), row("5", 5, counted="1/1")]
    new = [
        row("1", 4), row("1", 6, since=later), row("2", 4), row("4", 5),
        row("5", 4, counted="60/1"), row("6", 1),
    ]  # fmt: skip
    assert [(each.prefix, each.change) for each in compare(old, new)] == [
        ("1", Change.DEARER),
        ("2", Change.CHEAPER),
        ("3", Change.REMOVED),
        ("4", Change.SAME),
        ("5", Change.OTHER),
        ("6", Change.ADDED),
    ]


def test_the_money_effect_is_what_the_same_calls_would_cost() -> None:
    begins = SETUP + timedelta(days=20)
    old = card(row("44", 60_000, bands={"evening": 30_000}), row("33", 60_000))
    new = card(
        row("44", 90_000, bands={"evening": 30_000}, since=begins), row("3", 1, since=begins)
    )
    calls = [
        PricedCall("+442079460123", SETUP, 60, 0),
        PricedCall("+442079460123", SETUP, 60, 20),
        PricedCall("+442079460123", SETUP + timedelta(hours=12), 60, 0),
        PricedCall("+4915112345678", SETUP, 60, 0),
    ]
    effect = money_effect(calls, old=old, new=new, in_force=begins)
    assert (effect.calls, effect.old_micros, effect.new_micros) == (3, 130_000, 180_000)
    assert effect.by_name == Counter({"to 44": 50_000})
    gone = money_effect(calls, old=old, new=card(row("33", 1)), in_force=BEGIN)
    assert (gone.new_micros, gone.unpriced) == (0, Counter({"to 44": 3}))


class TestMutants:
    def test_a_reader_that_lets_formulas_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(deck_reading, "is_formula", lambda cell: False)
        assert refused(f"44,=1+1,0.01,GBP,{FIRST},") == []

    def test_an_examination_that_does_not_compare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(decks.Examination, "_compare", lambda self, before, row: None)
        assert refused(f"44,UK,0.01,GBP,{FIRST},", f"44,UK,0.02,GBP,{FIRST},") == []

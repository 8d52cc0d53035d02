"""`callplane rate import`: a deck into the database, and what it changes.

The file is read once, row by row, and sorted where it will lie; the walk over the sorted rows finds
what contradicts, the digest, and the difference from the prices in use. Only then are the rows
kept, all in one transaction. What is in use changes by a commit in git that names the new digest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callplane.apis.rate_cards import RateCard
from callplane.billing import deck_comparing, deck_reading, reading
from callplane.billing.deck_comparing import Change, MoneyEffect, PrefixChange, PricedCall
from callplane.billing.deck_reading import DeckTerms
from callplane.billing.decks import DeckRow, Examination, Reasons
from callplane.billing.tariff import CardError, RateRow
from callplane.cli import connecting, output
from callplane.errors import CallplaneError
from callplane.store.deck_ports import DeckHeader, Decks
from callplane.values import Period
from callplane.values.money import amount_text
from callplane.values.period import zone_named

if TYPE_CHECKING:
    from callplane.store.deck_ports import Staging

EXAMPLES_MAX = 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import found. `was_new`: the deck was not in the database before."""

    header: DeckHeader
    was_new: bool
    current: str
    changes: dict[Change, int]
    examples: tuple[PrefixChange, ...]
    month: str
    effect: MoneyEffect


@dataclass(slots=True)
class _Seen:
    """Remarks about rows that go by."""

    ends: bool = False
    changes: Counter[Change] = field(default_factory=Counter)
    examples: list[PrefixChange] = field(default_factory=list)

    def noting(self, rows: Iterable[DeckRow]) -> Iterator[DeckRow]:
        for row in rows:
            self.ends = self.ends or row.until is not None
            yield row


def load(
    file: Path,
    *,
    card: RateCard,
    decks: Decks,
    terms: DeckTerms,
    calls: list[PricedCall],
    month: str,
    now: datetime,
    keep: bool = True,
) -> Imported:
    """Import a file as a deck of a card. Raises CallplaneError with the reasons against it."""
    current, old_rows = _current(card, decks)
    reasons, seen = Reasons(), _Seen()
    with decks.staging() as staging:
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                staging.add(seen.noting(deck_reading.read(lines, terms, reasons)))
        except OSError as error:
            raise CallplaneError(f"{file}: {error.strerror}") from None
        examination = Examination(reasons, has_ends=seen.ends)
        for row in staging.in_order():
            examination.take(row)
        digest = examination.finish(terms.currency)
        if reasons.count or examination.first is None or examination.last is None:
            raise CallplaneError(refusal(file, reasons))
        header = DeckHeader(
            digest=digest,
            currency=terms.currency,
            rows=examination.rows,
            prefixes=examination.prefixes,
            first_from=examination.first,
            last_from=examination.last,
            imported_at=now,
        )
        _compare(seen, old_rows, staging)
        effect = _effect(card, decks, staging, calls, header.last_from)
        was_new = staging.keep(header) if keep else decks.find(digest) is None
    return Imported(
        header, was_new, current, dict(seen.changes), tuple(seen.examples), month, effect
    )


def refusal(file: Path, reasons: Reasons) -> str:
    """Why nothing was imported: the first hundred reasons, and how many more there are."""
    shown = [f"{file}: {each}" for each in reasons.first]
    if reasons.more:
        shown.append(f"and {output.count(reasons.more, 'more reason/more reasons')}")
    return "\n".join(["nothing was imported, what is in use stays as it is", *shown])


def _current(card: RateCard, decks: Decks) -> tuple[str, Iterator[RateRow]]:
    """The prices in use, by prefix and date, and what they are called."""
    if card.spec.deck is None:
        return "the card's own rows", iter(reading.rows_of(card))
    digest = card.spec.deck.digest
    return f"deck {digest[:12]}", decks.rates(digest)


def _compare(seen: _Seen, old: Iterator[RateRow], staging: Staging) -> None:
    for each in deck_comparing.compare(old, (row.rate for row in staging.in_order())):
        seen.changes[each.change] += 1
        if each.change is not Change.SAME and len(seen.examples) < EXAMPLES_MAX:
            seen.examples.append(each)


def _effect(
    card: RateCard, decks: Decks, staging: Staging, calls: list[PricedCall], in_force: datetime
) -> MoneyEffect:
    """The difference in money; only prefixes of numbers that were called are looked at."""
    prefixes = deck_comparing.prefixes_of(call.destination for call in calls)
    _, old_rows = _current(card, decks)
    try:
        old = reading.rate_card(card, [row for row in old_rows if row.prefix in prefixes])
        rates = (row.rate for row in staging.in_order())
        new = reading.rate_card(card, [rate for rate in rates if rate.prefix in prefixes])
    except CardError as error:
        raise CallplaneError(f"RateCard {card.namespace}/{card.name}: {error}") from None
    return deck_comparing.money_effect(calls, old=old, new=new, in_force=in_force)


def last_months_calls(
    url: str, accounts: list[str], *, zone: str, now: datetime
) -> tuple[str, list[PricedCall]]:
    """The month before this one, and what its calls of these accounts were priced for."""
    month = Period.of(Period.of(now, zone).start - timedelta(seconds=1), zone).label
    return month, asyncio.run(_calls(url, accounts, month))


async def _calls(url: str, accounts: list[str], month: str) -> list[PricedCall]:
    from callplane.cli.pools_command import month_label

    found: list[PricedCall] = []
    if not accounts:
        return found
    async with connecting.books(url) as opened:
        for account in accounts:
            for each in await opened.months(account):
                if month_label(each) == month:
                    rows = await opened.calls(account, each.period_start)
                    found += [
                        PricedCall(
                            row.destination, row.setup, row.duration_seconds, row.pool_seconds
                        )
                        for row in rows
                        if row.price is not None and row.pool_seconds < row.duration_seconds
                    ]
    return found


def text(found: Imported, *, zone: str, currency: str) -> Iterator[str]:
    """What an import says."""
    header = found.header
    days = [
        moment.astimezone(zone_named(zone)).date().isoformat()
        for moment in (header.first_from, header.last_from)
    ]
    since = days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"
    yield f"deck {header.digest}"
    yield (
        f"{header.rows:,} prices of {output.count(header.prefixes, 'prefix/prefixes')} in "
        f"{currency}, in force from {since}" + ("" if found.was_new else "; known before")
    )
    counts = [f"{count:,} {change.value}" for change, count in sorted(found.changes.items())]
    yield f"against {found.current}: {', '.join(counts)}"
    for each in found.examples:
        yield f"  {each.prefix} {each.change.value}: {_price(each.old)} → {_price(each.new)}"
    effect = found.effect
    yield (
        f"calls of {found.month}: {effect.calls:,} priced, {amount_text(effect.old_micros)} "
        f"{currency} as it is, {amount_text(effect.new_micros)} by the new deck, difference "
        f"{_signed(effect.difference_micros)}"
    )
    for name, micros in sorted(effect.by_name.items(), key=lambda each: -abs(each[1])):
        if micros:
            yield f"  to {name}: {_signed(micros)}"
    for name, count in sorted(effect.unpriced.items()):
        yield f"  to {name}: {output.count(count, 'call')} would have no price and be refused"


def _price(row: RateRow | None) -> str:
    if row is None:
        return "no price"
    fee = f" and {amount_text(row.connection_micros)} once" if row.connection_micros else ""
    return f"{amount_text(row.per_minute_micros)} a minute{fee}, {row.increment}"


def _signed(micros: int) -> str:
    return ("+" if micros > 0 else "") + amount_text(micros)


def as_json(found: Imported) -> dict[str, Any]:
    header, effect = found.header, found.effect
    return {
        "digest": header.digest,
        "currency": header.currency,
        "rows": header.rows,
        "prefixes": header.prefixes,
        "firstFrom": header.first_from.isoformat(),
        "lastFrom": header.last_from.isoformat(),
        "wasNew": found.was_new,
        "against": found.current,
        "changes": {change.value: count for change, count in sorted(found.changes.items())},
        "month": found.month,
        "calls": effect.calls,
        "amountNow": amount_text(effect.old_micros),
        "amountByDeck": amount_text(effect.new_micros),
        "difference": amount_text(effect.difference_micros),
        "unpriced": dict(sorted(effect.unpriced.items())),
    }

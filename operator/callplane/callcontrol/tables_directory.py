"""The directory over call control's tables: what the operator wrote last, held in memory.

Entries are read by version, whenever the database says that there is something new, and every few
seconds in any case. What was read once outlives the database: while it is away decisions stand on
what was known. An entry that cannot be understood leaves the one before it as it was, and is
counted; a line without its account is nobody's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from callplane.apis.call_privileges import CallPrivilege
from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.calling_plans import CallingPlan
from callplane.apis.destination_sets import DestinationSet
from callplane.apis.parsing import parse_lenient
from callplane.apis.rate_cards import RateCard
from callplane.billing import reading, tariff
from callplane.billing.terms import (
    DOMESTIC_ONLY,
    NO_CALLS,
    AccountTerms,
    Line,
    PlanTerms,
    Privilege,
)
from callplane.callcontrol.directory import Caller
from callplane.store.call_tables import LINE, NUMBER, PHONE, Passage
from callplane.store.deck_ports import Decks

#: Lines that are made in one go; answers to calls come in between.
GO: Final = 500

log = logging.getLogger(__name__)

EntryKey = tuple[str, str]


class NotUnderstood(ValueError):
    """An entry's content is not what this version reads."""


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A line, and what call control knows of it beside the decision's terms."""

    line: Line
    outside_line: str = ""
    #: Of a PBX: what callers show who show no number of it.
    main_number: str = ""


class TablesDirectory:
    """`Directory` over entries that `take` is given. `version` is that of the last passage."""

    def __init__(self, decks: Decks | None = None) -> None:
        self._decks = decks
        self._prepared: dict[str, tariff.RateCard] = {}
        self.version = 0
        self.is_known = False
        self.refused: dict[EntryKey, str] = {}
        self._contents: dict[EntryKey, Mapping[str, Any]] = {}
        self._accounts: dict[str, AccountTerms] = {}
        self._plans: dict[str, PlanTerms] = {}
        self._cards: dict[str, tariff.RateCard] = {}
        self._sets: dict[str, tariff.DestinationSet] = {}
        self._privileges: dict[str, Privilege] = {}
        self._lines: dict[str, KnownLine] = {}
        self._callers: dict[tuple[str, str], KnownLine] = {}
        self._holders: dict[str, KnownLine] = {}
        self._countries: set[tuple[str, str]] = set()
        self._trunks: dict[str, KnownLine] = {}
        self.phones: dict[str, Mapping[str, Any]] = {}

    # What is asked for every call

    def line(self, ingress: str, number: str) -> Line | None:
        found = self._callers.get((ingress, number))
        return found.line if found is not None else None

    def line_of(self, number: str) -> Line | None:
        found = self._holders.get(number)
        return found.line if found is not None else None

    def account(self, name: str) -> AccountTerms | None:
        return self._accounts.get(name)

    def is_ours(self, destination: str) -> bool:
        return (NUMBER, destination) in self._contents

    def has_called(self, account: str, country: str) -> bool:
        return (account, country) in self._countries

    def outside_line(self, ingress: str) -> str:
        found = self._trunks.get(ingress)
        return found.outside_line if found is not None else ""

    def trunk(self, ingress: str) -> Caller | None:
        found = self._trunks.get(ingress)
        return Caller(found.line, found.main_number) if found is not None else None

    # What changes

    def line_named(self, name: str) -> Line | None:
        found = self._lines.get(name)
        return found.line if found is not None else None

    def lines(self) -> Iterable[Line]:
        """Every line, for what is pushed to SBCs."""
        return [known.line for known in self._lines.values()]

    def note_countries(self, called: Iterable[tuple[str, str]]) -> None:
        """(account, country) of calls there were."""
        self._countries.update(called)

    async def take(self, passage: Passage) -> None:
        """Take what is new. Whoever asks meanwhile gets the state before or after, of each line.

        Raises StoreUnavailable when a deck cannot be read; nothing was taken then.
        """
        await self._prepare(passage)
        changed: set[EntryKey] = set()
        if passage.is_whole:
            there = {(one.entry.kind, one.entry.name) for one in passage.entries}
            for key in self._contents.keys() - there:
                del self._contents[key]
                changed.add(key)
        for stored in passage.entries:
            key = (stored.entry.kind, stored.entry.name)
            content = stored.entry.content
            if content is None:
                self._contents.pop(key, None)
            elif self._contents.get(key) == content:
                continue
            else:
                self._contents[key] = content
            changed.add(key)
        await self._make(changed)
        self.version = passage.version
        self.is_known = True

    async def _prepare(self, passage: Passage) -> None:
        """Make cards of decks, which are large, on a thread: calls are answered meanwhile."""
        self._prepared.clear()
        for stored in passage.entries:
            content = stored.entry.content
            if stored.entry.kind != "RateCard" or content is None or self._decks is None:
                continue
            found = parse_lenient({**content, "kind": "RateCard"}, kind="RateCard").resource
            if isinstance(found, RateCard) and found.spec.deck is not None:
                with suppress(ValueError, KeyError, TypeError):
                    made = await asyncio.to_thread(_of_deck, found, self._decks)
                    self._prepared[made.version] = made

    async def _make(self, changed: set[EntryKey]) -> None:
        """Make anew what changed and what stands on it."""
        makers = (
            ("RateCard", self._cards, self._card, ()),
            ("DestinationSet", self._sets, _set, ()),
            ("CallPrivilege", self._privileges, _privilege, ()),
            ("CallingAccount", self._accounts, self._account, (("card", "RateCard"),)),
            ("CallingPlan", self._plans, self._plan, (("set", "DestinationSet"),)),
        )
        for kind, made, make, needs in makers:
            names = {name for of, name in changed if of == kind}
            names |= self._standing_on(kind, needs, changed)
            for name in names:
                self._one((kind, name), made, make)
                changed.add((kind, name))
        for name in (name for of, name in changed if of == PHONE):
            self._one((PHONE, name), self.phones, dict)
        lines = {name for of, name in changed if of == LINE}
        lines |= self._standing_on(LINE, _LINE_NEEDS, changed)
        for count, name in enumerate(sorted(lines), start=1):
            self._line(name)
            if count % GO == 0:
                await asyncio.sleep(0)

    def _standing_on(
        self, kind: str, needs: Iterable[tuple[str, str]], changed: set[EntryKey]
    ) -> set[str]:
        kinds = {of for of, _ in changed}
        fields = [(field, of) for field, of in needs if of in kinds]
        if not fields:
            return set()
        return {
            name
            for (of, name), content in self._contents.items()
            if of == kind and any((to, content.get(field)) in changed for field, to in fields)
        }

    def _one(self, key: EntryKey, made: dict[str, Any], make: Any) -> None:
        content = self._contents.get(key)
        self.refused.pop(key, None)
        if content is None:
            made.pop(key[1], None)
            return
        try:
            made[key[1]] = make(content)
        except Exception as error:  # noqa: BLE001 - whatever one entry does, all others are made
            # What was understood last goes on; what was never understood is not there.
            self.refused[key] = f"{type(error).__name__}: {error}"
            log.error("an entry is not understood: %s %s: %s", *key, error)

    def _card(self, content: Mapping[str, Any]) -> tariff.RateCard:
        found = _resource(content, "RateCard")
        assert isinstance(found, RateCard)
        return self._prepared.get(reading.card_version(found)) or reading.rate_card(found)

    def _account(self, content: Mapping[str, Any]) -> AccountTerms:
        card = content.get("card")
        found = _resource(content, "CallingAccount")
        assert isinstance(found, CallingAccount)
        return reading.account_terms(found, None if card is None else self._cards[card])

    def _plan(self, content: Mapping[str, Any]) -> PlanTerms:
        found = _resource(content, "CallingPlan")
        assert isinstance(found, CallingPlan)
        return reading.plan_terms(found, self._sets[content["set"]])

    def _line(self, name: str) -> None:
        before = self._lines.pop(name, None)
        made: dict[str, KnownLine] = {}
        self._one((LINE, name), made, lambda content: self._known_line(name, content))
        known = made.get(name)
        if known is None and (LINE, name) in self._contents:
            known = before
        if before is not None and before is not known:
            for number in before.line.caller_ids:
                _drop(self._callers, (before.line.ingress, number), before)
                _drop(self._holders, number, before)
            _drop(self._trunks, before.line.ingress, before)
        if known is None:
            return
        self._lines[name] = known
        if known.main_number:
            self._trunks[known.line.ingress] = known
        for number in known.line.caller_ids:
            self._callers[known.line.ingress, number] = known
            self._holders[number] = known

    def _known_line(self, name: str, content: Mapping[str, Any]) -> KnownLine:
        plan, privilege = content.get("plan"), content.get("privilege")
        named = DOMESTIC_ONLY if privilege is None else self._privileges[privilege]
        account = self._accounts[content["account"]]
        channels = content.get("channels")
        if content.get("isTrunk") and channels is None:
            # Limits of a user are none of a PBX, behind which there are many.
            account = replace(account, line_calls=None, line_calls_per_minute=None)
        line = Line(
            name=name,
            account=account,
            ingress=content.get("ingress", ""),
            caller_ids=frozenset(content["numbers"]),
            plan=None if plan is None else self._plans[plan],
            privilege=NO_CALLS if content.get("receivesOnly") else named,
            suspended=bool(content.get("suspended")),
            channels=channels,
            byoc=bool(content.get("byoc")),
        )
        main = content["numbers"][0] if content.get("isTrunk") else ""
        outside_line = content.get("outsideLine", "")
        return KnownLine(line, outside_line, main)


_LINE_NEEDS: Final = (
    ("account", "CallingAccount"),
    ("plan", "CallingPlan"),
    ("privilege", "CallPrivilege"),
)


def _drop(index: dict[Any, KnownLine], key: Any, known: KnownLine) -> None:
    # Somebody else may have the number by now.
    if index.get(key) is known:
        del index[key]


def _of_deck(card: RateCard, decks: Decks) -> tariff.RateCard:
    assert card.spec.deck is not None
    return reading.rate_card(card, list(decks.rates(card.spec.deck.digest)) or None)


def _set(content: Mapping[str, Any]) -> tariff.DestinationSet:
    found = _resource(content, "DestinationSet")
    assert isinstance(found, DestinationSet)
    return reading.destination_set(found)


def _privilege(content: Mapping[str, Any]) -> Privilege:
    found = _resource(content, "CallPrivilege")
    assert isinstance(found, CallPrivilege)
    return reading.privilege(found)


def _resource(content: Mapping[str, Any], kind: str) -> object:
    parsed = parse_lenient({**content, "kind": kind}, kind=kind)
    if parsed.resource is None:
        raise NotUnderstood("; ".join(str(error) for error in parsed.errors))
    return parsed.resource

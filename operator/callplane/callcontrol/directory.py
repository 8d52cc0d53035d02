"""Who is calling: the line behind a question, by the party that pays.

A line is found by the connection a call comes in by and a number. The payer is the first of: the
user of a digest, the party that diverted, the party that transferred, the asserted identity, the
caller, the PBX itself. A number that names no line of that connection is passed over, so that a
caller who writes somebody else's number into a header gets nothing by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from callplane.billing.terms import AccountTerms, Line
from callplane.callcontrol.messages import Authorise
from callplane.numbering.destinations import destination_of

_ADDRESS: Final = re.compile(r"(?:sips?|tel):([^@;>\s]+)", re.IGNORECASE)


class Directory(Protocol):
    """Lines and numbers of ours, as call control's tables have them. Read from memory: it is asked
    for every call.
    """

    @property
    def is_known(self) -> bool:
        """Were the tables ever read? Before, nobody is known and nothing is said by that."""

    def line(self, ingress: str, number: str) -> Line | None:
        """The line that may call with this number, in E.164, from that connection."""

    def line_of(self, number: str) -> Line | None:
        """The line that holds this number, whatever connection it calls from."""

    def account(self, name: str) -> AccountTerms | None:
        """The account of that name."""

    def is_ours(self, destination: str) -> bool:
        """Is this a number of the register?"""

    def has_called(self, account: str, country: str) -> bool:
        """Has the account ever called that country?"""

    def outside_line(self, ingress: str) -> str:
        """What callers of that connection dial to get out; empty where nobody has said."""

    def trunk(self, ingress: str) -> Caller | None:
        """Who pays for callers of that PBX who show no number of it, and what they show."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The line that pays and the number it shows."""

    line: Line
    number: str


def caller_of(question: Authorise, directory: Directory) -> Caller | None:
    """Whose call this is, or None for a caller whom nobody knows."""
    for number in _candidates(question):
        line = directory.line(question.ingress, number)
        if line is not None:
            return Caller(line, number)
    return None if question.digest_user else directory.trunk(question.ingress)


def _candidates(question: Authorise) -> Iterator[str]:
    if question.digest_user:
        # The SBC has set the number of the phone itself; no header makes it another.
        yield destination_of(question.caller)
        return
    for header in (
        question.history_info,
        question.diversion,
        question.referred_by,
        question.asserted,
    ):
        for found in _ADDRESS.finditer(header):
            yield destination_of(found[1])
    yield destination_of(question.caller)


@dataclass
class MemoryDirectory:
    """Lines in dictionaries, replaced as a whole when the tables have changed."""

    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    numbers: frozenset[str] = frozenset()
    countries: set[tuple[str, str]] = field(default_factory=set)
    outside_lines: dict[str, str] = field(default_factory=dict)
    trunks: dict[str, Caller] = field(default_factory=dict)
    is_known: bool = True

    def line(self, ingress: str, number: str) -> Line | None:
        return self.lines.get((ingress, number))

    def line_of(self, number: str) -> Line | None:
        found = (line for (_, known), line in self.lines.items() if known == number)
        return next(found, None)

    def account(self, name: str) -> AccountTerms | None:
        found = (line.account for line in self.lines.values() if line.account.name == name)
        return next(found, None)

    def is_ours(self, destination: str) -> bool:
        return destination in self.numbers

    def has_called(self, account: str, country: str) -> bool:
        return (account, country) in self.countries

    def outside_line(self, ingress: str) -> str:
        return self.outside_lines.get(ingress, "")

    def trunk(self, ingress: str) -> Caller | None:
        return self.trunks.get(ingress)

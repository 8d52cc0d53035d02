"""The journal of some months, arranged for questions, and what tariffs and calendars say of it.

Everything is computed here anew from data; no rule of the product's is used.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Fact = dict[str, Any]
#: How long a message may be on its way, answers of the database included.
WAY = timedelta(seconds=12)


@dataclass(frozen=True)
class Finding:
    """Something that must not have been."""

    rule: str
    at: str
    text: str

    def __str__(self) -> str:
        return f"[{self.rule}] {self.at}: {self.text}"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def billable(increment: list[int], seconds: int) -> int:
    """What is counted of so many seconds: the first block, then whole steps."""
    first, step = increment
    if seconds <= 0:
        return 0
    counted = first
    while counted < seconds:
        counted += step
    return counted


def destination(dialled: str) -> str:
    if dialled.startswith("00"):
        return "+" + dialled[2:]
    return "+44" + dialled[1:] if dialled.startswith("0") else dialled


@dataclass(frozen=True)
class Tariff:
    """What a destination costs from an instant on: parts of (micro-units a minute, a call)."""

    increment: list[int]
    parts: list[tuple[int, int]]

    def charge(self, seconds: int, *, with_fee: bool) -> int:
        """Each part rounded half up by itself."""
        total = 0
        if seconds > 0:
            for minute, fee in self.parts:
                whole, rest = divmod(seconds * minute, 60)
                total += whole + (1 if rest >= 30 else 0) + (fee if with_fee else 0)
        return total

    def least(self) -> int:
        """What has to be there for the first block: rounded up, with room for each rounding."""
        seconds = self.increment[0]
        minute = sum(minute for minute, _ in self.parts)
        fees = sum(fee for _, fee in self.parts)
        return -(-seconds * minute // 60) + fees + len(self.parts) - 1


class Evidence:
    """Facts by what they are about."""

    def __init__(self, head: Fact, facts: list[Fact]) -> None:
        self.head = head
        self.numbers: dict[str, list[Any]] = head["numbers"]
        self.calls: dict[str, Fact] = {}
        self.commits: list[Fact] = []
        self.reads: dict[str, list[Fact]] = defaultdict(list)
        self.versions: dict[str, list[tuple[datetime, Fact]]] = defaultdict(list)
        self.months: list[Fact] = []
        self.suspended: dict[str, Fact] = {}
        self.twice: list[str] = []
        for fact in facts:
            self._take(fact)

    @classmethod
    def read(cls, path: Path) -> Evidence:
        head, *facts = map(json.loads, path.read_text(encoding="ascii").splitlines())
        return cls(head, facts)

    def _take(self, fact: Fact) -> None:
        match fact["kind"]:
            case "call":
                self.calls[fact["attempt"]] = fact
            case "commit":
                self.commits.append(fact)
            case "read":
                self.reads[fact["attempt"]].append(fact)
            case "terms":
                self.versions[fact["terms"]["name"]].append((moment(fact["at"]), fact["terms"]))
            case "month":
                self.months.append(fact)
            case "suspense":
                for record in fact["records"]:
                    if record["attempt_id"] in self.suspended:
                        self.twice.append(record["attempt_id"])
                    self.suspended[record["attempt_id"]] = record

    def terms(self, account: str, begin: datetime, end: datetime) -> list[Fact]:
        """The versions that were in force at any time between."""
        found = []
        versions = self.versions[account]
        for nth, (since, terms) in enumerate(versions):
            until = versions[nth + 1][0] if nth + 1 < len(versions) else None
            if since <= end and (until is None or until >= begin):
                found.append(terms)
        return found

    def line_of(self, number: str) -> tuple[str, int] | None:
        found = self.numbers.get(number)
        return (found[0], found[1]) if found else None

    def zone(self, account: str) -> ZoneInfo:
        return ZoneInfo(self.versions[account][0][1]["zone"])

    def month_of(self, account: str, at: datetime) -> str:
        """The month of an instant where the account is, as 2026-10."""
        return at.astimezone(self.zone(account)).strftime("%Y-%m")

    def label(self, month: Fact) -> str:
        """The month of a row of the books, by an instant in the middle of it."""
        return self.month_of(month["account"], moment(month["period"]) + timedelta(days=14))

    def tariff(self, number: str, at: datetime) -> Tariff | None:
        """The longest prefix that has begun; of its rows the newest."""
        best: Fact | None = None
        for row in self.head["card"]:
            if not number.startswith("+" + row["prefix"]) or moment(row["since"]) > at:
                continue
            place = (len(row["prefix"]), moment(row["since"]))
            if best is None or place > (len(best["prefix"]), moment(best["since"])):
                best = row
        if best is None:
            return None
        minute = best["minute"]
        if "evening" in best and _is_evening(at):
            minute = best["evening"]
        parts = [(minute, best.get("fee", 0))]
        if "service" in best:
            parts = [(minute + self.head["access"], 0), tuple(best["service"])]
        return Tariff(best.get("increment", [1, 1]), parts)

    def treatment(self, number: str) -> str:
        found = [
            (len(prefix), name)
            for prefix, name in self.head["set"].items()
            if number.startswith("+" + prefix)
        ]
        return max(found)[1] if found else "Outside"

    def rows(self) -> Iterator[tuple[Fact, Fact]]:
        for month in self.months:
            for row in month["calls"]:
                yield month, row


def _is_evening(at: datetime) -> bool:
    """Monday to Friday from seven in London, until seven the next morning."""
    local = at.astimezone(ZoneInfo("Europe/London"))
    began = local if local.hour >= 19 else local - timedelta(hours=7, minutes=0)
    if 7 <= local.hour < 19:
        return False
    return began.weekday() < 5

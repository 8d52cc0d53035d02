"""Calls that crossed a simulated system, for the logs it keeps of them.

Rows may come late, and twice; each simulator shows them in its vendor's words.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One leg. `begun` is its answer; a leg of no seconds was never answered. `user` is the
    system's id of the person; `late_seconds` after its end it can be read, `times` over.
    """

    id: str
    inbound: bool
    caller: str
    called: str
    begun: datetime.datetime
    seconds: int
    user: str = ""
    late_seconds: float = 0.0
    times: int = 1

    @property
    def ended(self) -> datetime.datetime:
        return self.begun + datetime.timedelta(seconds=self.seconds)


@dataclass(slots=True)
class CallLog:
    """What a system has seen, in the order in which it was told."""

    calls: list[LoggedCall] = field(default_factory=list)

    def add(self, *calls: LoggedCall) -> None:
        self.calls.extend(calls)

    def begun_within(
        self, start: datetime.datetime, end: datetime.datetime, *, now: datetime.datetime
    ) -> list[LoggedCall]:
        """Calls that began from `start` on and before `end`, as far as they can be read by now."""
        return [call for call in self._visible(now) if start <= call.begun < end]

    def ended_within(
        self, start: datetime.datetime, end: datetime.datetime, *, now: datetime.datetime
    ) -> list[LoggedCall]:
        """The same by their ends."""
        return [call for call in self._visible(now) if start <= call.ended < end]

    def _visible(self, now: datetime.datetime) -> list[LoggedCall]:
        found = []
        for call in self.calls:
            if call.ended + datetime.timedelta(seconds=call.late_seconds) <= now:
                found += [call] * call.times
        return found


def instant(text: str) -> datetime.datetime:
    """A time as queries write it, with a zone. Raises ValueError."""
    found = datetime.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found

"""What is asked of evidence: who charges an ingress, what others saw, how far each is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from callplane.billing.active_users import SeatPlatform
from callplane.billing.fees import Hosting
from callplane.billing.matching import Sighting
from callplane.store.books_ports import Payer


class EvidenceState(Enum):
    """Open: its record may still come. MissingCdr: it should have by now."""

    OPEN = "Open"
    CONFIRMED = "Confirmed"
    MISSING_CDR = "MissingCdr"


@dataclass(frozen=True, slots=True)
class StoredSighting:
    """A sighting and what became of it; `leg` is the (source, attempt, leg) it confirms."""

    sighting: Sighting
    state: EvidenceState
    leg: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class ActiveUser:
    """Who counts as a user of a month, and what showed it. A PBX counts as many as it declares."""

    platform: SeatPlatform
    identity: str
    evidence: str
    users: int = 1


class EvidenceBook(Protocol):
    """Sightings beside the books. Nothing here ever posts. Methods raise StoreUnavailable."""

    async def claim(
        self, ingresses: Sequence[str], source: str, *, now: datetime
    ) -> Mapping[str, str]:
        """Who charges these: the feed that was first there, or was appointed since."""
        ...

    async def appoint(self, ingress: str, source: str, *, now: datetime) -> None:
        """From now on this feed charges an ingress, and every other is evidence."""
        ...

    async def charging_sources(self) -> Mapping[str, str]: ...

    async def keep(self, sightings: Sequence[Sighting], *, now: datetime) -> int:
        """Keep sightings, each once however often it comes; how many were new?"""
        ...

    async def match(self, *, now: datetime) -> int:
        """Confirm what can be; what waited too long is MissingCdr. How many were confirmed?"""
        ...

    async def sightings(
        self, state: EvidenceState | None = None, *, limit: int = 1_000
    ) -> tuple[StoredSighting, ...]:
        """The oldest first."""
        ...

    async def note_active(
        self, payer: Payer, users: Sequence[ActiveUser], *, now: datetime
    ) -> None:
        """These were active in the payer's month. The first evidence of each stays, and so does
        the highest count of a PBX.
        """
        ...

    async def active_users(self, account: str, period_start: datetime) -> tuple[ActiveUser, ...]:
        """Of one month, by platform and identity."""
        ...

    async def note_hosting(self, payer: Payer, hosting: Hosting, *, now: datetime) -> None:
        """These were hosted in the payer's month. What was noted stays; the fee of a number is the
        last that was noted, and one that was ever hosted for us is.
        """
        ...

    async def hosting(self, account: str, period_start: datetime) -> Hosting | None:
        """What was hosted in a month, by number; None: nobody looked at it while it ran."""
        ...

    async def position(self, feed: str) -> str | None:
        """How far a feed was read, as it was remembered."""
        ...

    async def remember(self, feed: str, position: str, *, now: datetime) -> None: ...

    async def redact(self, *, before: datetime) -> int:
        """Take the digits out of sightings of calls before that."""
        ...

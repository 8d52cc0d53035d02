"""The hash chain over the history of numbers: how a link is computed, and how a chain is checked.

    link = SHA-256(previous link, 32 bytes || canonical JSON of the event)

The event carries salted hashes of its personal fields; values and salt lie beside it and can be
forgotten without breaking a link. Pure; called by both implementations of the register.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime

from callplane.numbering.lifecycle import NumberState
from callplane.store.ports import ChainReport, Checkpoint, NumberEvent
from callplane.values import E164, ConnectionId

GENESIS = bytes(32)
PERSONAL_FIELDS = ("holder", "user_name", "declared_by")
_DETAILS_MAX = 10


@dataclass(frozen=True, slots=True)
class ChainedEvent:
    """The part of an event that is hashed; `personal_hashes` is by name of the field, hex."""

    sequence: int
    number: str
    at: datetime
    cause: str
    from_state: str
    to_state: str
    connection: tuple[str, str]
    installation: str
    reason: str
    personal_hashes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Personal:
    """The personal fields of one event and the salt of their hashes, as kept until redaction."""

    salt: bytes
    holder: str
    user_name: str
    declared_by: str

    def hashes(self) -> dict[str, str]:
        """SHA-256 over salt, name of the field, colon, value; by name of the field, hex."""
        return {
            name: hashlib.sha256(self.salt + f"{name}:{getattr(self, name)}".encode()).hexdigest()
            for name in PERSONAL_FIELDS
        }


def canonical(event: ChainedEvent) -> bytes:
    """RFC 8785 for what an event consists of: text and one integer, so sorted keys suffice."""
    content = {
        "sequence": event.sequence,
        "number": event.number,
        "at": event.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "cause": event.cause,
        "from": event.from_state,
        "to": event.to_state,
        "connection": list(event.connection),
        "installation": event.installation,
        "reason": event.reason,
        "personal": dict(event.personal_hashes),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def link(previous: bytes, event: ChainedEvent) -> bytes:
    """The 32 bytes that follow `previous`."""
    return hashlib.sha256(previous + canonical(event)).digest()


def public_event(
    event: ChainedEvent, personal: Personal | None, stored_link: bytes | None
) -> NumberEvent:
    """The event as readers see it; redacted fields are empty."""
    return NumberEvent(
        sequence=event.sequence,
        number=E164(event.number),
        at=event.at,
        cause=event.cause,
        from_state=NumberState(event.from_state),
        to_state=NumberState(event.to_state),
        connection=ConnectionId(*event.connection),
        holder=personal.holder if personal else "",
        user_name=personal.user_name if personal else "",
        declared_by=personal.declared_by if personal else "",
        installation=event.installation,
        reason=event.reason,
        link=stored_link.hex() if stored_link else None,
    )


@dataclass(slots=True)
class Verifier:
    """Fed with the links in order of position, then asked for its report."""

    checkpoints: InitVar[Iterable[Checkpoint]]
    _expected: dict[int, str] = field(init=False)
    _head: bytes = GENESIS
    _position: int = 0
    _sequence: int = 0
    _redacted: int = 0
    _first_broken: int | None = None
    _details: list[str] = field(default_factory=list)

    def __post_init__(self, checkpoints: Iterable[Checkpoint]) -> None:
        self._expected = {each.position: each.link for each in checkpoints if each.position}

    def see(
        self,
        position: int,
        sequence: int,
        *,
        stored: bytes,
        event: ChainedEvent | None,
        personal: Personal | None,
    ) -> None:
        """One link of event `sequence`; `event` is None when the event itself is gone."""
        if position != self._position + 1:
            self._break(sequence, f"links {self._position + 1} to {position - 1} are missing")
        elif event is None:
            self._break(sequence, "the event is missing")
        elif link(self._head, event) != stored:
            self._break(sequence, "the link does not follow from the event")
        elif personal is not None and personal.hashes() != dict(event.personal_hashes):
            self._break(sequence, "the personal fields do not match their hashes")
        if self._expected.get(position, stored.hex()) != stored.hex():
            self._break(sequence, f"link {position} is not the checkpoint's")
        if personal is None:
            self._redacted += 1
        # Going on from the stored link tells one change from a chain that is all wrong.
        self._head, self._position, self._sequence = stored, position, sequence

    def _break(self, sequence: int, detail: str) -> None:
        if self._first_broken is None:
            self._first_broken = sequence
        if len(self._details) < _DETAILS_MAX:
            self._details.append(f"event {sequence}: {detail}")

    def see_unqueued(self, sequence: int) -> None:
        """An event that is neither linked nor waiting for it: no commit has made it."""
        self._break(sequence, "the event is neither linked nor waiting to be")

    def report(self, *, events: int, unlinked: int) -> ChainReport:
        """`events` and `unlinked` are what the implementation counted in the events themselves."""
        furthest = max(self._expected, default=0)
        if self._position < furthest:
            self._break(
                self._sequence + 1,
                f"the chain ends at link {self._position}, before the checkpoint at {furthest}",
            )
        return ChainReport(
            events=events,
            unlinked=unlinked,
            first_broken=self._first_broken,
            head=self._head.hex() if self._position else "",
            details=tuple(self._details),
            redacted=self._redacted,
        )

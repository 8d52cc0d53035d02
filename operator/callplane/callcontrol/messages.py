"""What SBC and call control say to one another, as frozen dataclasses. The same JSON travels over
evapi and over HTTP.

    SBC → call control      authorise, started, ended, failed, emergency,
                            registered, cdr                             (field `ev`)
    call control → SBC      verdict, extend, cut, outage, alive                 (field `op`)

Reading is total: text becomes a message, or `MalformedMessage` with the field and the reason.
Unknown fields are ignored, so that either side may be updated first; repeated keys are refused,
for they are how a forged field would look. `i` and `l` name a suspended transaction of the SBC and
go back unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

VERSION: Final = 1
#: Longest text of a field that we keep; a SIP header may be far longer.
TEXT_LIMIT_CHARACTERS: Final = 1024


class MalformedMessage(ValueError):
    """A message that cannot be read: which field, and why. Holds none of its text."""


#: No refusal by policy: the SBC answers it by its own fail policy. All other reasons are those of
#: the decision, and go to the caller's platform as they are.
OUTAGE: Final = "Outage"

_REASON: Final = re.compile(r"[A-Za-z]{1,40}")


@dataclass(frozen=True, slots=True)
class Authorise:
    """May this call go on? `caller` and `dialled` are as the SBC read them; headers are as sent.

    `ingress` is the peer the call came from: `Teams`, a trunk, or the user of a phone.
    """

    i: int
    l: int  # noqa: E741  The wire's name for the label of a transaction.
    attempt_id: str
    boot_id: str
    ingress: str
    caller: str
    dialled: str
    call_id: str = ""
    source: str = ""
    digest_user: str = ""
    asserted: str = ""
    diversion: str = ""
    history_info: str = ""
    referred_by: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """A granted call was answered; (boot_id, he, hi) addresses its dialog."""

    attempt_id: str
    boot_id: str
    he: int
    hi: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A hint that a call is over; its record decides. May be missing, or come three times."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class NotConnected:
    """A call was given up before it was answered."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class EmergencyAlert:
    """Somebody called an emergency service. It was not asked about and is on its way."""

    attempt_id: str
    ingress: str
    caller: str
    dialled: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A phone has registered by its digest; repeated at most every hour. `user` and `realm` are
    those of the digest.
    """

    user: str
    realm: str


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call that was answered: who, to whom, from when to when. Milliseconds as the SBC counts
    them; whoever bills rounds once. `call_class` is emergency, exempt, inbound, on-net, outbound or
    outage; `reservation_id` is empty for calls that were not asked about.
    """

    attempt_id: str
    call_class: str
    account: str
    caller: str
    dialled: str
    ingress: str
    reservation_id: str
    answered_at: datetime
    released_at: datetime
    duration_milliseconds: int


Event = Authorise | Started | Ended | NotConnected | EmergencyAlert | Registered | CallRecord


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to `Authorise`. `dialled` and `caller` are what the next peer is sent, in E.164;
    empty leaves them as they are. An allowed call has at least one second; one that is not allowed
    has a reason, which stands in a status line and is a word for that. Raises ValueError.
    """

    i: int
    l: int  # noqa: E741
    allow: bool
    max_seconds: int = 0
    account: str = ""
    reservation_id: str = ""
    reason: str = ""
    dialled: str = ""
    caller: str = ""
    on_net: bool = False
    #: Comes back in `failed` when the verdict was too late for its call.
    attempt_id: str = ""

    def __post_init__(self) -> None:
        if self.allow and self.max_seconds < 1:
            raise ValueError("a call that is allowed has at least one second")
        if not self.allow and not _REASON.fullmatch(self.reason):
            raise ValueError("a call that is not allowed has a reason, which is one word")


@dataclass(frozen=True, slots=True)
class Extend:
    """Let a call run for `seconds` from now on."""

    boot_id: str
    he: int
    hi: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Cut:
    """End a call now, on both sides."""

    boot_id: str
    he: int
    hi: int


@dataclass(frozen=True, slots=True)
class OutageFlag:
    """How long one bundled call of this caller from this peer may last while call control is
    silent; 0 withdraws it.
    """

    ingress: str
    caller: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Alive:
    """I read what I am sent. Without one the SBC stops sending, so that it never waits for us."""


Order = Verdict | Extend | Cut | OutageFlag | Alive

_EVENTS: Final[Mapping[str, type[Any]]] = {
    "authorise": Authorise,
    "started": Started,
    "ended": Ended,
    "failed": NotConnected,
    "emergency": EmergencyAlert,
    "registered": Registered,
}
_RECORD_NAMES: Final = {
    "attempt": "attempt_id",
    "class": "call_class",
    "account": "account",
    "caller": "caller",
    "dialled": "dialled",
    "ingress": "ingress",
    "reservation": "reservation_id",
}
_SECONDS: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?")


def parse_event(text: bytes | str) -> Event:
    """Read what an SBC sent. Raises MalformedMessage."""
    body = _object(text)
    kind = body.get("ev")
    if kind == "cdr":
        record = body.get("cdr")
        if not isinstance(record, dict):
            raise MalformedMessage("cdr: is no object")
        return parse_record(record)
    message = _EVENTS.get(kind) if isinstance(kind, str) else None
    if message is None:
        raise MalformedMessage("ev: names no message that we know")
    return message(**_values(message, body))  # type: ignore[no-any-return]


def parse_record(record: Mapping[str, Any]) -> CallRecord:
    """Read a record by the names that the SBC's configuration gives its fields. Times are text in
    seconds since 1970 with milliseconds. Raises MalformedMessage.
    """
    named = {ours: _text(record, theirs) for theirs, ours in _RECORD_NAMES.items()}
    started = _milliseconds(record, "start_time")
    ended = _milliseconds(record, "end_time")
    return CallRecord(
        **named,
        answered_at=_moment(started),
        released_at=_moment(ended),
        duration_milliseconds=_milliseconds(record, "duration"),
    )


def to_json(order: Order) -> bytes:
    """An order as the SBC reads it: flat, numbers as numbers, without empty fields."""
    body: dict[str, Any] = {"op": _OPERATIONS[type(order)]}
    for field in fields(order):
        value = getattr(order, field.name)
        if isinstance(value, bool):
            value = int(value)
        if value != "":
            body[field.name] = value
    return json.dumps(body, separators=(",", ":")).encode()


_OPERATIONS: Final[Mapping[type[Any], str]] = {
    Verdict: "verdict",
    Extend: "extend",
    Cut: "cut",
    OutageFlag: "outage",
    Alive: "alive",
}


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        body = json.loads(text, object_pairs_hook=_without_repetition)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise MalformedMessage("message: is no JSON") from None
    if not isinstance(body, dict):
        raise MalformedMessage("message: is no object")
    return body


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise MalformedMessage("message: has a key twice")
    return body


def _values(message: type[Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a message by their annotations, which are int or str."""
    values: dict[str, Any] = {}
    for field in fields(message):
        if field.type in ("int", int):
            values[field.name] = _integer(body, field.name)
        else:
            values[field.name] = _text(body, field.name, required=field.default == _NOTHING)
    return values


_NOTHING: Final = Authorise.__dataclass_fields__["caller"].default


def _integer(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedMessage(f"{name}: is no whole number")
    return value


def _text(body: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    value = body.get(name, None if required else "")
    if not isinstance(value, str):
        raise MalformedMessage(f"{name}: is no text")
    return value[:TEXT_LIMIT_CHARACTERS]


def _milliseconds(record: Mapping[str, Any], name: str) -> int:
    found = _SECONDS.fullmatch(_text(record, name))
    if found is None:
        raise MalformedMessage(f"{name}: is no time in seconds")
    return int(found[1]) * 1000 + int((found[2] or "0").ljust(3, "0")[:3])


def _moment(milliseconds: int) -> datetime:
    try:
        whole = datetime.fromtimestamp(milliseconds // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise MalformedMessage("start_time: is no moment in time") from None
    return whole.replace(microsecond=milliseconds % 1000 * 1000)

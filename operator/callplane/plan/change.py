"""One change to one external system, as data: what a plan is made of and what a person approves.

The change id names the effect and nothing else. Object names, namespaces, UIDs, times, revisions,
texts and order stay out of it, so the same effect has the same id in a pull request, in the
controller and after a failover.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from callplane.values import ConnectionId, Platform

CHANGE_VERSION = 1
DIGEST_PREFIX = "cp1:"
PLAN_NAME_DIGITS = 16
# RFC 8785 for what a change consists of: text, a small integer, a truth value, null, and ASCII keys
# of ours. So sorted keys suffice, at a sixth of what taking every kind of number apart costs.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


class Operation(Enum):
    """What is done; providers say which they can do. Order of members is the order within one
    holder.
    """

    CREATE_PERSON = "CreatePerson"
    UNASSIGN_NUMBER = "UnassignNumber"
    ASSIGN_NUMBER = "AssignNumber"
    SET_LOCATION = "SetEmergencyLocation"
    SET_POLICY = "SetPolicy"
    ORDER_NUMBER = "OrderNumber"
    PORT_NUMBER_IN = "PortNumberIn"
    SET_ROUTE = "SetRoute"
    SET_EMERGENCY_ADDRESS = "SetEmergencyAddress"
    SET_DELETION_LOCK = "SetDeletionLock"
    RELEASE_NUMBER = "ReleaseNumber"


class Cause(Enum):
    """Why a change is planned: the declaration moved, or the system did. Shown, never part of the
    id.
    """

    DECLARED = "declared"
    DRIFT = "drift"


Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """`before` and `after` are flat JSON objects, or None for nothing.

    number operations:  {"number": "+44…", "type": "directRouting"} and, when assigning, "location";
                        in Webex also "licence" and "extension" (see `plan.companions`)
    person:             {"firstName": "…", "lastName": "…"}; the subject is the address
    location:           {"number": "+44…", "location": "<id>"}
    policy:             {"type": "TeamsCallingPolicy", "name": "…"}
    at a carrier:       {"number": "+44…"} with the route, the address or the lock as flat fields
    """

    connection: ConnectionId
    operation: Operation
    platform: Platform
    subject: str
    before: Fields | None
    after: Fields | None
    irreversible: bool = False
    cause: Cause = field(default=Cause.DECLARED, compare=False)
    _known_id: str = field(default="", init=False, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The content the id is computed from."""
        return {
            "v": CHANGE_VERSION,
            "connection": [self.connection.provider, self.connection.external_id],
            "op": self.operation.value,
            "subject": [self.platform.value, self.subject],
            "from": None if self.before is None else dict(self.before),
            "to": None if self.after is None else dict(self.after),
            "irreversible": self.irreversible,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Change:
        """The reverse of `to_json`. Raises KeyError or ValueError on content of another version."""
        if content["v"] != CHANGE_VERSION:
            raise ValueError(f"a change of version {content['v']} is not known here")
        return cls(
            connection=ConnectionId(*content["connection"]),
            operation=Operation(content["op"]),
            platform=Platform(content["subject"][0]),
            subject=content["subject"][1],
            before=content["from"],
            after=content["to"],
            irreversible=content["irreversible"],
        )

    @property
    def change_id(self) -> str:
        """SHA-256 over the canonical JSON (RFC 8785) of the content, lower-case hex."""
        if not self._known_id:
            # Asked for again and again by the gate; a change never changes, so once is enough.
            known = hashlib.sha256(_canonical(self.to_json()).encode()).hexdigest()
            object.__setattr__(self, "_known_id", known)
        return self._known_id

    @property
    def number(self) -> str | None:
        """The number this change is about, where it is about one."""
        for side in (self.after, self.before):
            if side is not None and "number" in side:
                return side["number"]
        return None

    @property
    def sort_key(self) -> tuple[str, str, int, str]:
        detail = (self.after or self.before or {}).get("type", "")
        return (str(self.connection), self.subject, list(Operation).index(self.operation), detail)


def approval_digest(change_ids: Iterable[str]) -> str:
    """The digest a person approves: `cp1:` and the SHA-256 of the sorted change ids, joined by
    newlines.
    """
    joined = "\n".join(sorted(set(change_ids)))
    return DIGEST_PREFIX + hashlib.sha256(joined.encode()).hexdigest()


def plan_name(digest: str) -> str:
    """The name of the ChangePlan object of an approval digest."""
    return "cp-" + digest.removeprefix(DIGEST_PREFIX)[:PLAN_NAME_DIGITS]

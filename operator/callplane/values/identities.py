"""Who and what things are: the identities that outlive objects, clusters and names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Platform(Enum):
    """A calling platform on which a holder exists."""

    TEAMS = "teams"
    WEBEX = "webex"
    SIP = "sip"
    CARRIER = "carrier"


@dataclass(frozen=True, slots=True, order=True)
class ConnectionId:
    """One external system: the provider and the id that the provider itself uses for the
    customer.
    """

    provider: str
    external_id: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.external_id}"


@dataclass(frozen=True, slots=True)
class HolderId:
    """Whoever holds a number: platform, tenant or organisation id, and the provider's immutable
    user id.

    A user name is never part of it: a leaver's name given to a new person is a new holder.
    """

    platform: Platform
    tenant_id: str
    user_id: str

    @property
    def sort_key(self) -> tuple[str, str, str]:
        return (self.platform.value, self.tenant_id, self.user_id)

    @property
    def connection(self) -> ConnectionId:
        """The system that the holder is in."""
        return ConnectionId(self.platform.value, self.tenant_id)

    def __str__(self) -> str:
        return f"{self.platform.value}/{self.tenant_id}/{self.user_id}"


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """One object of the Kubernetes API, by kind and name; what the queue holds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class DeclaringObject:
    """The replaceable object that declares a holder: cluster (`installation`), kind, name and
    UID.
    """

    installation: str
    kind: str
    namespace: str
    name: str
    uid: str

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

"""What the engine needs of a cluster, as small protocols.

`client.KubernetesClient` and `callplane.testing.fake_cluster.FakeCluster` both satisfy
`ObjectStore`. Bodies are plain dicts exactly as the API server speaks them; they belong to the
caller once returned. Every method raises a type of `api_errors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from callplane.cluster.resource_kinds import ResourceKind

if TYPE_CHECKING:
    from callplane.cluster.events import ObjectEvent
    from callplane.cluster.secret_reading import SecretReading

Body = dict[str, Any]
JsonPatch = Sequence[dict[str, Any]]

FIELD_MANAGER = "callplane"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing. All pages of one attempt share `resource_version`."""

    items: list[Body]
    resource_version: str
    starts_over: bool = False
    """The listing had to begin again (410): what earlier pages brought is to be thrown away."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete listing at one resourceVersion."""

    items: list[Body]
    resource_version: str


@dataclass(frozen=True, slots=True)
class ApiResource:
    """One line of discovery: a kind the server serves."""

    plural: str
    kind: str
    namespaced: bool
    subresources: frozenset[str] = frozenset()


class ObjectReader(Protocol):
    """Reads of objects."""

    async def get(self, kind: ResourceKind, *, name: str, namespace: str | None = None) -> Body:
        """One object, or NotFound."""
        ...

    def list_pages(
        self,
        kind: ResourceKind,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        limit: int = 500,
    ) -> AsyncIterator[Page]:
        """All objects of a kind, page by page; see `Page.starts_over`."""
        ...

    async def list_all(
        self,
        kind: ResourceKind,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        limit: int = 500,
    ) -> Listing:
        """All objects of a kind at one resourceVersion, restarts hidden."""
        ...

    async def api_resources(self, *, group: str, version: str) -> list[ApiResource]:
        """What the server serves of one group version; empty where the group is unknown."""
        ...


class ObjectWriter(Protocol):
    """Writes of objects. Each returns the object as the server has it afterwards."""

    async def create(self, kind: ResourceKind, *, body: Body) -> Body:
        """Create the object; AlreadyExists when the name is taken."""
        ...

    async def replace(
        self, kind: ResourceKind, *, body: Body, subresource: str | None = None
    ) -> Body:
        """Replace the object; with a resourceVersion in the body, Conflict when it has moved on."""
        ...

    async def delete(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None = None,
        uid: str | None = None,
    ) -> Body:
        """Delete the object; with `uid`, Conflict when another object has taken the name."""
        ...

    async def json_patch(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None = None,
        operations: JsonPatch,
        subresource: str | None = None,
    ) -> Body:
        """Apply RFC 6902 operations; Invalid when a `test` does not hold."""
        ...

    async def merge_patch(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None = None,
        patch: Body,
        subresource: str | None = None,
    ) -> Body:
        """Apply an RFC 7386 merge patch; `metadata.resourceVersion` in it is a lock (Conflict)."""
        ...

    async def apply(
        self,
        kind: ResourceKind,
        *,
        body: Body,
        force: bool = True,
        subresource: str | None = None,
    ) -> Body:
        """Server-side apply as field manager `callplane`; creates a missing object."""
        ...


class ObjectStore(ObjectReader, ObjectWriter, Protocol):
    """Reads and writes together."""


class SecretReader(Protocol):
    """Reads one key of one Secret by name: never a list, never a watch."""

    async def read(self, *, namespace: str, name: str, key: str) -> SecretReading:
        """The value, or which part is missing. Forbidden and Unavailable are raised."""
        ...


class EventSink(Protocol):
    """Takes events for people; never blocks, never fails. Status is the truth, events are news."""

    def emit(self, event: ObjectEvent) -> None:
        """Take the event; it may be folded into an earlier one or dropped by the limiter."""
        ...


class WriteFence(Protocol):
    """Whether a write begun now would certainly end while we still lead."""

    def may_write(self, write_timeout_seconds: float) -> bool:
        """True when now + `write_timeout_seconds` lies before the Lease's deadline."""
        ...

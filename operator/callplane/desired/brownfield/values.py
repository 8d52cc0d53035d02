"""What an import is made of, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callplane.apis.carriers import Carrier
from callplane.apis.model import API_VERSION, Resource
from callplane.desired import references
from callplane.desired.declarations import PlatformObject
from callplane.resources.carriers import NumberOnCarrier, TrunkRoute
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.values import E164, ObjectKey

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ObservedPlatform:
    """A tenant or organisation, complete listings of it, and the folder that its files go to."""

    connection: PlatformObject
    folder: str
    people: Sequence[Person] = ()
    numbers: Sequence[NumberOnPlatform] = ()
    configurations: Sequence[CallingConfiguration] = ()
    services: Sequence[Person] = ()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.connection.kind, self.connection.namespace, self.connection.name)


@dataclass(frozen=True, slots=True)
class ObservedCarrier:
    """An account and all its numbers. `route` is where its manifest sends calls, as the carrier
    shows it (None: not managed), `locks` whether it locks numbers against deletion, `watches`
    whether it only plans and reports.
    """

    connection: Carrier
    folder: str
    numbers: Sequence[NumberOnCarrier] = ()
    route: TrunkRoute | None = None
    locks: bool = False
    watches: bool = False

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("Carrier", self.connection.namespace, self.connection.name)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the manifests go. `namespace` is that of all of them; empty, each goes beside its
    connection. `known` is every object that is declared already; `labels` are those of namespaces.
    """

    namespace: str = ""
    known: Sequence[Resource] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def namespace_for(self, connection: Resource) -> str:
        return self.namespace or connection.namespace

    def admits(self, target: Resource, namespace: str) -> bool:
        """May objects of that namespace name the target?"""
        return references.consents(target, namespace, self.labels.get(namespace, {}))


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything that one import takes over."""

    platforms: Sequence[ObservedPlatform]
    carriers: Sequence[ObservedCarrier]
    place: Place


@dataclass(frozen=True, slots=True)
class Document:
    """One manifest. `path` is relative to the folder of the import."""

    path: str
    body: Body

    @property
    def key(self) -> ObjectKey:
        metadata = self.body["metadata"]
        return ObjectKey(self.body["kind"], metadata["namespace"], metadata["name"])


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was observed and is not stated, and why; `number` where it is about one."""

    subject: str
    reason: str
    number: E164 | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Ranges and numbers first, then people and services, each sorted; the same input gives the
    same draft. `declared` counts holders with a number whom an object declares already.
    """

    documents: tuple[Document, ...]
    left_out: tuple[LeftOut, ...]
    declared: int


def document(path: str, kind: str, name: str, *, namespace: str, spec: Body) -> Document:
    metadata = {"name": name, "namespace": namespace}
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    return Document(path, body)


def reference(target: Resource, *, namespace: str) -> Body:
    """How an object of that namespace names the target."""
    found = {"name": target.name}
    if target.namespace != namespace:
        found["namespace"] = target.namespace
    return found

"""What a plan is computed on: everything that was read of connections, register and cluster.

`wiring.observing` reads it live, `engine.snapshot_files` keeps it in a file. It holds no secrets:
objects of a cluster are kept with their spec and as much metadata as a plan needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from callplane.apis import registry
from callplane.resources.carriers import Balance, NumberOnCarrier
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.store.ports import RegisterState
from callplane.values import ConnectionId, ObjectKey

Body = dict[str, Any]

#: What a plan needs of an object's metadata.
_METADATA = ("name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp")


@dataclass(frozen=True, slots=True)
class ConnectionObservation:
    """One connection to a platform at one moment; every listing in it is complete.

    `services` are what has numbers and is in no directory of people, by `service_key`. `register`
    is None when no database was asked.
    """

    key: ObjectKey
    connection: ConnectionId
    people: tuple[Person, ...]
    numbers: tuple[NumberOnPlatform, ...]
    configurations: tuple[CallingConfiguration, ...]
    register: RegisterState | None
    services: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class CarrierObservation:
    """One account with a carrier at one moment, all its numbers; none of a carrier that cannot be
    asked.
    """

    key: ObjectKey
    connection: ConnectionId
    numbers: tuple[NumberOnCarrier, ...]
    balance: Balance | None
    register: RegisterState | None


@dataclass(frozen=True, slots=True)
class Observations:
    """`taken_by` is user@host. `objects` are the cluster's objects of our kinds (`trimmed`)."""

    taken_at: datetime
    taken_by: str
    connections: tuple[ConnectionObservation, ...]
    installation: str = ""
    objects: tuple[Body, ...] = ()
    namespace_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    carriers: tuple[CarrierObservation, ...] = ()

    @property
    def has_register(self) -> bool:
        registers = [each.register for each in self.connections]
        registers += [each.register for each in self.carriers]
        return all(register is not None for register in registers)


def trimmed(body: Mapping[str, Any]) -> Body:
    """An object as far as a plan needs it: no status, no managed fields, our annotations only."""
    metadata = body.get("metadata") or {}
    kept = {name: metadata[name] for name in _METADATA if metadata.get(name) is not None}
    annotations = {
        name: text
        for name, text in (metadata.get("annotations") or {}).items()
        if name.startswith("callplane.dev/")
    }
    if annotations:
        kept["annotations"] = annotations
    return {
        "apiVersion": body.get("apiVersion"),
        "kind": body.get("kind"),
        "metadata": kept,
        "spec": body.get("spec"),
    }


def key_of(body: Mapping[str, Any]) -> ObjectKey:
    metadata = body["metadata"]
    return ObjectKey(body["kind"], metadata.get("namespace", ""), metadata["name"])


def of_our_kinds(bodies: Iterable[Mapping[str, Any]]) -> tuple[Body, ...]:
    """Trimmed objects of kinds that this version knows."""
    return tuple(trimmed(body) for body in bodies if body.get("kind") in registry.BY_NAME)

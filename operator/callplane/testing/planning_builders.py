"""A tenant on paper: manifests and what was observed of the people in them, for tests of plans.

    estate = Estate()
    estate.hire("anna", number=1)          # in the directory, with a number of ours
    estate.hire("ben")                     # in the directory, without a number
    estate.declare("anna", phoneNumber={"none": {}})
    plan = await estate.plan()

Everything is in one namespace, `sales`; the tenant `main` and the range `london` with the numbers
+44 20 7946 0000 and on are in `platform` and let everybody in.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from callplane.apis.parsing import parse_strict
from callplane.engine import planning
from callplane.engine.observations import (
    Body,
    CarrierObservation,
    ConnectionObservation,
    Observations,
    key_of,
)
from callplane.engine.planning_world import Declared
from callplane.numbering.lifecycle import NumberState
from callplane.plan.document import Plan
from callplane.plan.gate import GateRow
from callplane.resources.carriers import Balance, NumberOnCarrier, Price
from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.store.ports import HolderRow, Intent, NumberRow, RegisterState
from callplane.values import (
    E164,
    ConnectionId,
    DeclaringObject,
    HolderId,
    ObjectKey,
    Platform,
)
from callplane.wiring.judging import carrier_skills, judge

TENANT_ID = "00000000-0000-4000-8000-00000000aaaa"
CONNECTION = ConnectionId("teams", TENANT_ID)
TENANT_KEY = ObjectKey("TeamsTenant", "platform", "main")
TAKEN_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
INSTALLATION = "cluster-1"
NAMESPACE = "sales"


def number(index: int) -> E164:
    """One of a thousand numbers that belong to nobody."""
    return E164(f"+442079460{index:03}")


def user_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def holder(name: str) -> HolderId:
    return HolderId(Platform.TEAMS, TENANT_ID, user_id(name))


def declaring(name: str, namespace: str = NAMESPACE) -> DeclaringObject:
    return DeclaringObject(INSTALLATION, "TeamsUser", namespace, name, f"uid-{namespace}-{name}")


def manifest(kind: str, name: str, spec: Mapping[str, Any], *, namespace: str) -> Body:
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": dict(spec),
    }


def declared(body: Body) -> Declared:
    """A manifest as the command line reads it. It must be valid."""
    parsed = parse_strict(body)
    assert not parsed.errors, [str(error) for error in parsed.errors]
    return Declared(key_of(body), body, parsed.resource, "tree.yaml")


@dataclass(slots=True)
class Estate:
    """The tree (`manifests` by key), what it lost (`gone`), and what was observed."""

    people: dict[str, Person] = field(default_factory=dict)
    numbers: dict[E164, NumberOnPlatform] = field(default_factory=dict)
    configurations: dict[str, CallingConfiguration] = field(default_factory=dict)
    claims: dict[E164, NumberRow] = field(default_factory=dict)
    holders: dict[str, HolderRow] = field(default_factory=dict)
    gate_rows: list[GateRow] = field(default_factory=list)
    manifests: dict[ObjectKey, Body] = field(default_factory=dict)
    gone: list[Body] = field(default_factory=list)
    cluster_objects: list[Body] = field(default_factory=list)
    further: list[ConnectionObservation] = field(default_factory=list)
    carriers: list[CarrierObservation] = field(default_factory=list)
    has_register: bool = True
    labels: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tenant()
        self.range()

    # The tree

    def put(self, kind: str, name: str, spec: Mapping[str, Any], *, namespace: str) -> None:
        body = manifest(kind, name, spec, namespace=namespace)
        self.manifests[key_of(body)] = body

    def tenant(self, **spec: Any) -> None:
        client_id = "00000000-0000-4000-8000-00000000bbbb"
        secret = {"clientId": client_id, "secretRef": {"name": "graph", "key": "secret"}}
        content = {
            "tenantId": TENANT_ID,
            "credentials": {"clientSecret": secret},
            "allowedNamespaces": [{"selector": {}}],
            **spec,
        }
        self.put("TeamsTenant", "main", content, namespace="platform")

    def range(self, name: str = "london", *, first: int = 0, last: int = 99, **spec: Any) -> None:
        content = {
            "first": number(first).text,
            "last": number(last).text,
            "route": "DirectRouting",
            "allowedNamespaces": [{"selector": {}}],
            **spec,
        }
        self.put("NumberRange", name, content, namespace="platform")

    def declare(self, name: str, *, namespace: str = NAMESPACE, **spec: Any) -> None:
        """A number of `london` unless told otherwise; None leaves a field out."""
        content = {
            "tenantRef": {"name": "main", "namespace": "platform"},
            "userPrincipalName": f"{name}@example.com",
            "phoneNumber": {"rangeRef": {"name": "london", "namespace": "platform"}},
            **spec,
        }
        content = {key: value for key, value in content.items() if value is not None}
        self.put("TeamsUser", name, content, namespace=namespace)

    def remove(self, kind: str, name: str, *, namespace: str = NAMESPACE) -> None:
        """In the base revision, and gone from the tree."""
        self.gone.append(self.manifests.pop(ObjectKey(kind, namespace, name)))

    # What is observed

    def stock(self, indices: Iterable[int]) -> None:
        """Numbers of the tenant's inventory that nobody has."""
        for index in indices:
            row = NumberOnPlatform(number(index), NumberType.DIRECT_ROUTING)
            self.numbers.setdefault(row.number, row)

    def hire(
        self, name: str, *, index: int | None = None, ours: bool = True, **person: Any
    ) -> None:
        """Somebody in the directory, licensed and ready, perhaps with a number; `ours` is one that
        the register has for them by their object.
        """
        self.people[name] = Person(
            user_id(name), f"{name}@example.com", **{"usage_location": "GB", **person}
        )
        self.configurations[name] = CallingConfiguration(user_id(name))
        if index is not None:
            self.give(name, index, ours=ours)

    def give(
        self, name: str, index: int, *, ours: bool = True, location: str | None = None
    ) -> None:
        held = number(index)
        self.numbers[held] = NumberOnPlatform(
            held, NumberType.DIRECT_ROUTING, user_id(name), location_id=location
        )
        if ours:
            self.claim(name, index)

    def claim(
        self, name: str, index: int, *, state: NumberState = NumberState.ASSIGNED, **row: Any
    ) -> None:
        """A row of the register, and the holder's beside it."""
        held = number(index)
        fields: dict[str, Any] = {
            "range_name": "platform/london",
            "number_type": "directRouting",
            "declared_by": declaring(name),
            "transfer_to": None,
            "quarantined_until": None,
            "reason": "",
            "updated_at": TAKEN_AT,
            "version": 1,
            **row,
        }
        self.claims[held] = NumberRow(
            number=held, connection=CONNECTION, state=state, holder=holder(name), **fields
        )
        applied = {"number": {"number": held.text, "type": "directRouting"}}
        self.holders[name] = HolderRow(
            holder(name), CONNECTION, fields["declared_by"], f"{name}@example.com", applied, {}
        )

    def policies(self, name: str, **named: str) -> None:
        self.configurations[name] = CallingConfiguration(
            user_id(name),
            policies=tuple((policy, PolicyOnLine(value)) for policy, value in named.items()),
        )

    def carrier(
        self,
        name: str = "main",
        *rows: NumberOnCarrier,
        kind: str = "Telnyx",
        balance_micros: int | None = 5_000_000,
        claims: Iterable[NumberRow] = (),
        intents: Iterable[Intent] = (),
        **spec: Any,
    ) -> None:
        """An account with a carrier, declared and observed with these numbers."""
        account = f"account-{name}"
        content = {
            "type": kind,
            "account": account,
            "credentials": {"user": "api", "secretRef": {"name": "carrier", "key": "secret"}},
            "allowedNamespaces": [{"selector": {}}],
            **spec,
        }
        self.put("Carrier", name, content, namespace="platform")
        money = Balance(Price(balance_micros, "GBP")) if balance_micros is not None else None
        state = RegisterState(tuple(claims), (), tuple(intents), (), 1)
        self.carriers.append(
            CarrierObservation(
                key=ObjectKey("Carrier", "platform", name),
                connection=ConnectionId(kind.lower(), account),
                numbers=rows,
                balance=money,
                register=state if self.has_register else None,
            )
        )

    # The plan

    def observations(self) -> Observations:
        state = RegisterState(
            numbers=tuple(self.claims.values()),
            holders=tuple(self.holders.values()),
            open_intents=(),
            gate_rows=tuple(self.gate_rows),
            sequence=1,
        )
        connection = ConnectionObservation(
            key=TENANT_KEY,
            connection=CONNECTION,
            people=tuple(self.people.values()),
            numbers=tuple(self.numbers.values()),
            configurations=tuple(self.configurations.values()),
            register=state if self.has_register else None,
        )
        return Observations(
            taken_at=TAKEN_AT,
            taken_by="anna@workstation",
            connections=(connection, *self.further),
            installation=INSTALLATION,
            objects=tuple(self.cluster_objects),
            namespace_labels=self.labels,
            carriers=tuple(self.carriers),
        )

    def inputs(self) -> planning.PlanInputs:
        return planning.PlanInputs(
            observations=self.observations(),
            declared=[declared(body) for body in self.manifests.values()],
            judge=judge,
            skills=carrier_skills,
            removed=[declared(body) for body in self.gone],
            base="main" if self.gone else "",
        )

    async def plan(self) -> Plan:
        return await planning.compute(self.inputs())

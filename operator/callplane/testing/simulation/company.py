"""The people of the company and what they want, as git has it, and how git gets into the cluster.

`Company` knows who works where and can do what people do: hire, move, rename, let go, swap numbers,
change policies, answer a held batch. What happens when is for `happenings` to draw.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from callplane.apis import registry
from callplane.cluster import api_errors
from callplane.cluster.resource_kinds import NAMESPACES, ResourceKind, callplane_kind
from callplane.simulators.graph import seeding
from callplane.simulators.graph.seeding import PersonSeed, RangeSeed, TenantSeed, WorldSeed
from callplane.testing.simulation import vendors
from callplane.testing.simulation.estate import PLATFORM, Estate
from callplane.testing.simulation.graph_line import URL

DOMAIN = "company.example"
TEAMS = ("sales", "support", "engineering")
TENANT = "company"
LOCATION_IDS = (
    "10c00000-0000-4000-8000-000000000001",
    "10c00000-0000-4000-8000-000000000002",
)
POLICIES = {
    "OnlineVoiceRoutingPolicy": ("UK-Domestic", "UK-International"),
    "TeamsCallingPolicy": ("AllowCalling", "DisallowCalling"),
    "TeamsEmergencyCallingPolicy": ("UK-Emergency", "UK-Emergency-2"),
    "CallingLineIdentity": ("Main-Number",),
}
LONDON, MANCHESTER, LEEDS = "+442079460000", "+441614960000", "+441134960000"
SPARE_NAMES = 400
MANAGED = (
    "TeamsTenant",
    "WebexOrganization",
    "Carrier",
    "NumberRange",
    "PhoneNumber",
    "TeamsUser",
    "WebexUser",
    "EmergencyLocation",
)
"""Kinds that are pruned when git has them no more."""

Spec = dict[str, Any]
GitKey = tuple[str, str, str]
"""Kind, namespace and name of an object in git."""


@dataclass(slots=True)
class Employee:
    """One person. `entry` is the object in git that declares them in Teams, `user_id` their account
    there; `webex_entry` is the object that declares them in Webex, under `webex_email`.
    """

    name: str
    upn: str
    user_id: str = ""
    entry: GitKey | None = None
    webex_entry: GitKey | None = None
    webex_email: str = ""
    has_left: bool = False


@dataclass(slots=True)
class Company:
    """`git` is what everybody agreed on; `sync` brings it into the cluster, as Flux does."""

    estate: Estate
    chance: random.Random
    git: dict[GitKey, Spec] = field(default_factory=dict)
    employees: list[Employee] = field(default_factory=list)
    foreigners: list[str] = field(default_factory=list)
    answers: int = 0
    secret: str = seeding.DEFAULT_SECRET
    spare: list[str] = field(default_factory=list)

    # Git and the cluster.

    async def sync(self) -> None:
        """Apply what git has and prune what it has no more, in any order."""
        deeds: list[tuple[str, GitKey]] = [("apply", key) for key in sorted(self.git)]
        deeds += [("prune", key) for key in self._in_cluster() if key not in self.git]
        self.chance.shuffle(deeds)
        for deed, key in deeds:
            if deed == "prune":
                await self.delete(key)
            else:
                await self._apply(key)

    def _in_cluster(self) -> list[GitKey]:
        return sorted(
            (body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
            for body in self.estate.state.objects.values()
            if body["kind"] in MANAGED
        )

    async def _apply(self, key: GitKey) -> None:
        known = self.body(key)
        if known is not None and known["spec"] == self.git[key]:
            return
        await self.create(key, self.git[key])

    async def create(self, key: GitKey, spec: Spec) -> None:
        """`kubectl apply` of one object; a namespace that ends takes nothing."""
        kind, namespace, name = key
        body = {
            "apiVersion": "callplane.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        try:
            await self.estate.user.apply(kind_of(kind), body=body)
        except api_errors.ClusterError as error:
            self.estate.journal.note("script", what=f"apply of {key} was refused: {error}")

    async def delete(self, key: GitKey) -> None:
        kind, namespace, name = key
        try:
            await self.estate.user.delete(kind_of(kind), name=name, namespace=namespace)
        except api_errors.NotFound:
            return

    async def annotate(self, key: GitKey, **annotations: str) -> None:
        kind, namespace, name = key
        marks = {f"callplane.dev/{mark.replace('_', '-')}": v for mark, v in annotations.items()}
        patch = {"metadata": {"annotations": marks}}
        try:
            await self.estate.user.merge_patch(
                kind_of(kind), name=name, namespace=namespace, patch=patch
            )
        except api_errors.NotFound:
            return

    def body(self, key: GitKey) -> dict[str, Any] | None:
        kind, namespace, name = key
        return self.estate.state.objects.get((kind_of(kind), namespace, name))

    # Who is who.

    def declared(self, *, team: str | None = None) -> list[Employee]:
        """People whom git declares, in a stable order."""
        return [
            person
            for person in self.employees
            if person.entry is not None and team in (None, person.entry[1])
        ]

    def spec_of(self, person: Employee) -> Spec:
        assert person.entry is not None
        return self.git[person.entry]

    def edit(self, person: Employee, **fields: Any) -> None:
        """A commit that changes one declaration; None takes a field out."""
        assert person.entry is not None
        spec = {**self.git[person.entry], **fields}
        self.git[person.entry] = {name: value for name, value in spec.items() if value is not None}

    def holder_of(self, number: str) -> str | None:
        row = self.estate.graph.tenant().numbers.get(number)
        return row.assignment_target_id if row is not None else None

    def number_of(self, person: Employee) -> str | None:
        teams = self.estate.graph.tenant().teams.get(person.user_id)
        numbers = [number for number, _ in teams.telephone_numbers] if teams is not None else []
        return numbers[0] if numbers else None

    def hire(self, *, licensed: bool = True) -> Employee:
        """An account in the directory."""
        name = self.spare.pop(0)
        person = Employee(name, f"{name}@{DOMAIN}")
        person.user_id = self.estate.portal.add_user(person.upn, licensed=licensed)
        self.employees.append(person)
        self.estate.journal.note("directory", name=person.upn, id=person.user_id, event="added")
        return person

    def declare(self, person: Employee, team: str, number: Spec | None, **more: Any) -> None:
        """Put the person into git."""
        name = person.name
        while ("TeamsUser", team, name) in self.git:
            name += "x"
        person.entry = ("TeamsUser", team, name)
        spec = {
            "tenantRef": {"name": TENANT, "namespace": PLATFORM},
            "userPrincipalName": person.upn,
            "phoneNumber": number,
            **more,
        }
        self.git[person.entry] = {key: value for key, value in spec.items() if value is not None}

    def move(self, person: Employee, team: str, name: str) -> None:
        """The same declaration elsewhere or under another name, in one commit."""
        assert person.entry is not None
        spec = self.git.pop(person.entry)
        person.entry = ("TeamsUser", team, name)
        self.git[person.entry] = spec

    def forget(self, person: Employee) -> None:
        """Take the person out of git."""
        if person.entry is not None:
            self.git.pop(person.entry, None)
        person.entry = None

    # The answer to held batches.

    def held_plans(self) -> list[dict[str, Any]]:
        return [
            body
            for body in self.estate.state.list_objects(kind_of("ChangePlan"), namespace=None)
            if (body.get("status") or {}).get("state") == "Held"
        ]

    async def answer(
        self,
        plan: dict[str, Any],
        decision: str,
        *,
        days: float = 1.0,
        namespace: str = PLATFORM,
        by_ids: bool = False,
    ) -> None:
        """Somebody reads a ChangePlan and says so."""
        self.answers += 1
        expires_at = self.estate.clock.now() + timedelta(days=days)
        connection = plan["spec"]["connectionRef"]
        spec: Spec = {
            "connectionRef": {"kind": connection["kind"], "name": connection["name"]},
            "decision": decision,
            "approvedBy": "maria",
            "expiresAt": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if by_ids:
            spec["changeIds"] = [change["id"] for change in plan["spec"]["changes"]]
        else:
            spec["digest"] = plan["spec"]["digest"]
        await self.create(("ChangeApproval", namespace, f"answer-{self.answers}"), spec)

    # The first day.

    async def found(self, limits: Spec) -> None:
        """Namespaces, the connection, ranges and the first declarations."""
        for namespace in (PLATFORM, *TEAMS):
            self.estate.user.seed(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            )
        await self.estate.put_secret(self.secret)
        await self.estate.put_secrets(vendors.secrets())
        everybody = [{"name": team} for team in TEAMS]
        for index, location in enumerate(LOCATION_IDS, start=1):
            self.git["EmergencyLocation", PLATFORM, f"office-{index}"] = {
                "address": {
                    "organisation": "Example Ltd",
                    "building": str(index),
                    "street": "Example Street",
                    "town": "London",
                    "country": "GB",
                    "postcode": "ZZ99 9ZZ",
                },
                "teamsLocationId": location,
                "webexLocation": "London",
                "allowedNamespaces": everybody,
            }
        self.git["TeamsTenant", PLATFORM, TENANT] = {
            "tenantId": self.estate.graph.tenant().id,
            "credentials": {
                "clientSecret": {
                    "clientId": seeding.DEFAULT_CLIENT_ID,
                    "secretRef": {"name": "graph", "key": "secret"},
                }
            },
            "endpoint": {"graph": URL, "authority": URL},
            "writesPerSecond": 10,
            "driftInterval": "15m",
            "changeLimits": limits,
            "allowedNamespaces": everybody,
        }
        self.git["WebexOrganization", PLATFORM, vendors.WEBEX] = {
            **vendors.organization_spec(),
            "changeLimits": limits,
            "allowedNamespaces": everybody,
        }
        for carrier in (*vendors.CARRIERS, vendors.BRING_YOUR_OWN):
            self.git["Carrier", PLATFORM, carrier] = {
                **vendors.carrier_spec(carrier),
                "changeLimits": limits,
                "allowedNamespaces": everybody,
            }
        self._range("london", LONDON, 45, quarantine={"days": 3})
        self._range("manchester", MANCHESTER, 25, emergencyLocationRef={"name": "office-1"})
        for person in self.employees:
            where = {"name": "london" if self.chance.random() < 0.6 else "manchester"}
            number: Any = {"rangeRef": {**where, "namespace": PLATFORM}}
            held = self.number_of(person)
            if held is not None:
                number = {"e164": held} if self.chance.random() < 0.5 else number
            self.declare(person, self.chance.choice(TEAMS), number)
        await self.sync()

    def _range(self, name: str, first: str, size: int, **more: Any) -> None:
        self.git["NumberRange", PLATFORM, name] = {
            "first": first,
            "last": number_after(first, size - 1),
            "route": "DirectRouting",
            "allowedNamespaces": [{"name": team} for team in TEAMS],
            **more,
        }

    def declare_number(self, number: str, carrier: str, **more: Any) -> GitKey:
        """Put a number at a carrier into git; it may be used in Teams and in Webex."""
        key = ("PhoneNumber", PLATFORM, f"n{number[1:]}")
        self.git[key] = {
            "e164": number,
            "route": "DirectRouting",
            "carrierRef": {"name": carrier},
            "quarantine": {"days": 1},
            "allowedNamespaces": [{"name": team} for team in TEAMS],
            **more,
        }
        return key

    def numbers_declared(self) -> list[GitKey]:
        """Numbers of carriers that git has, in a stable order."""
        return sorted(key for key in self.git if key[0] == "PhoneNumber")

    def webex_number_of(self, person: Employee) -> str | None:
        """The number that somebody really has in Webex."""
        organisation = self.estate.vendors.webex.organisation()
        found = organisation.person_id(person.webex_email)
        for row in organisation.numbers.rows():
            if found is not None and row.owner is not None and row.owner.id == found:
                return row.number
        return None

    def open_webex_account(self, person: Employee) -> None:
        """An account in the organisation, under an address that nobody has had."""
        webex = self.estate.vendors.webex
        known = len(webex.organisation().people.rows())
        person.webex_email = email = f"{person.name}.{known}@{DOMAIN}"
        account = webex.portal().add_user(email)
        self.estate.journal.note("directory", name=f"webex/{email}", id=account, event="added")

    def declare_in_webex(self, person: Employee, number: Spec) -> None:
        """Put the person into git as somebody in Webex."""
        if not person.webex_email:
            self.open_webex_account(person)
        team = person.entry[1] if person.entry is not None else TEAMS[0]
        person.webex_entry = ("WebexUser", team, f"{person.name}-webex")
        self.git[person.webex_entry] = {
            "organizationRef": {"name": vendors.WEBEX, "namespace": PLATFORM},
            "email": person.webex_email,
            "location": "London",
            "phoneNumber": number,
        }

    def grow(self, name: str, more: int) -> None:
        """A range gets larger at its end."""
        key = ("NumberRange", PLATFORM, name)
        self.git[key] = {**self.git[key], "last": number_after(self.git[key]["last"], more)}


def number_after(first: str, count: int) -> str:
    return f"+{int(first[1:]) + count}"


def kind_of(kind: str) -> ResourceKind:
    return NAMESPACES if kind == "Namespace" else callplane_kind(registry.kind_named(kind).plural)


def world_seed(chance: random.Random, *, people: int) -> WorldSeed:
    """The tenant as it was before anybody declared anything: some have numbers, some are strangers.

    The names of the first people are `first01` and on, those of the strangers `stranger1` and on.
    """
    seeds = [
        PersonSeed(
            f"first{index:02d}@{DOMAIN}",
            licensed=index % 11 != 0,
            number=number_after(LONDON, index) if index % 4 == 0 else None,
            policies={"TeamsCallingPolicy": "AllowCalling"} if index % 3 == 0 else {},
        )
        for index in range(1, people + 1)
    ]
    seeds += [
        PersonSeed(f"stranger{index}@{DOMAIN}", number=number_after(block, 40 - index))
        for index, block in enumerate((LONDON, LONDON, LEEDS, LEEDS), start=1)
    ]
    return WorldSeed(
        seed=chance.randrange(10**6),
        tenants=(
            TenantSeed(
                domain=DOMAIN,
                people=tuple(seeds),
                ranges=(
                    RangeSeed(LONDON, 90),
                    RangeSeed(MANCHESTER, 60),
                    RangeSeed(LEEDS, 45),
                    *(
                        RangeSeed(facts.first, vendors.NUMBERS_EACH)
                        for facts in vendors.CARRIERS.values()
                    ),
                    RangeSeed(vendors.OWN_FIRST, vendors.NUMBERS_EACH),
                ),
                policies={**seeding.DEFAULT_POLICIES, **POLICIES},
                locations=LOCATION_IDS,
                settings={
                    "operation_seconds": 2.0,
                    "read_lag_seconds": 2.0,
                    "listing_lag_seconds": 10.0,
                    "policy_lag_seconds": 3.0,
                    "licence_lag_seconds": 900.0,
                },
            ),
        ),
    )

"""People and services of an import: whoever has a number, stated as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from callplane.apis.emergency_locations import EmergencyLocation
from callplane.apis.teams_tenants import TeamsTenant
from callplane.desired import references
from callplane.desired.brownfield.naming import Names, slug
from callplane.desired.brownfield.values import (
    Body,
    Document,
    LeftOut,
    ObservedPlatform,
    Place,
    document,
    reference,
)
from callplane.desired.declarations import is_person, person_key
from callplane.resources.lines import PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    NumberOnPlatform,
    Person,
)
from callplane.resources.webex import EXTENSION, LICENCE
from callplane.values import ObjectKey

SERVICE = "ServiceLine"


@dataclass(frozen=True, slots=True)
class Held:
    """A number with the person or service that has it, and the kind that states them."""

    kind: str
    holder: Person
    row: NumberOnPlatform


def drafts(
    platform: ObservedPlatform, place: Place, names: Names, left_out: list[LeftOut]
) -> tuple[list[Document], int]:
    """An object for everybody with a number whom nothing declares; how many are declared."""
    found = _Holders(platform)
    declared = _declared(platform.key, place)
    stated: list[Held] = []
    already = 0
    for row in sorted(platform.numbers, key=lambda row: row.number):
        if row.holder_id is None:
            continue
        held = found.of(row)
        if isinstance(held, LeftOut):
            left_out.append(held)
        elif _keys(held.holder) & declared:
            already += 1
        else:
            stated.append(held)
    writer = _Writer(platform, place)
    namespace = place.namespace_for(platform.connection)
    documents = []
    for name, held in _named(stated, names, namespace):
        folder = f"services/{name}" if held.kind == SERVICE else f"people/{name[0]}/{name}"
        path = f"{platform.folder}/{folder}.yaml"
        spec = writer.spec(held)
        documents.append(document(path, held.kind, name, namespace=namespace, spec=spec))
    left_out.extend(writer.locations_left_out())
    return documents, already


def _declared(connection: ObjectKey, place: Place) -> set[str]:
    """What objects call the people and services that they declare on the connection."""
    return {
        person_key(each)
        for each in place.known
        if is_person(each) and connection in references.targets(each)
    }


def _keys(holder: Person) -> set[str]:
    """Whatever an object may call them."""
    user_id, name = holder.user_id, holder.user_principal_name
    return {user_id, user_id.lower(), name, name.lower()}


class _Holders:
    """Who has the numbers of one platform."""

    def __init__(self, platform: ObservedPlatform) -> None:
        self._is_teams = isinstance(platform.connection, TeamsTenant)
        self._people = {each.user_id: each for each in platform.people if not each.deleted}
        self._services = {each.user_id: each for each in platform.services}
        self._named = Counter(each.user_principal_name for each in platform.services)
        self._configurations = {each.user_id: each for each in platform.configurations}
        self._primaries = Counter(row.holder_id for row in platform.numbers if row.is_primary)

    def of(self, row: NumberOnPlatform) -> Held | LeftOut:
        """The holder of a number; a reason where no object can state them with it."""
        assert row.holder_id is not None
        holder = self._people.get(row.holder_id) or self._services.get(row.holder_id)
        kind = self._kind(row)
        reason = self._objection(row, kind, holder)
        if holder is None or kind is None or reason:
            subject = holder.user_principal_name if holder else f"holder {row.holder_id}"
            return LeftOut(subject, reason, row.number)
        return Held(kind, holder, row)

    def _kind(self, row: NumberOnPlatform) -> str | None:
        configuration = self._configurations.get(row.holder_id or "")
        is_account = (
            configuration is not None and configuration.account_type is AccountType.RESOURCE_ACCOUNT
        )
        if is_account or row.holder_id in self._services:
            return SERVICE
        if not row.held_by_user:
            return None
        return "TeamsUser" if self._is_teams else "WebexUser"

    def _objection(self, row: NumberOnPlatform, kind: str | None, holder: Person | None) -> str:
        if kind is None:
            return "holds the number and is no person, and no service that a ServiceLine states"
        if holder is None:
            return "holds the number and is not in the directory"
        if not row.is_primary:
            return f"has this as a further number, and a {kind} states one"
        if self._primaries[row.holder_id] > 1:
            return "has more than one primary number, and nobody knows which one counts"
        if self._named[holder.user_principal_name] > 1:
            return "has a name that several services have, and a ServiceLine goes by the name"
        return ""


class _Writer:
    """Specs of the holders of one platform."""

    def __init__(self, platform: ObservedPlatform, place: Place) -> None:
        self._platform = platform
        self._namespace = place.namespace_for(platform.connection)
        self._configurations = {each.user_id: each for each in platform.configurations}
        self._is_teams = isinstance(platform.connection, TeamsTenant)
        self._locations = _locations(place, self._namespace, in_teams=self._is_teams)
        self._unstated: Counter[str] = Counter()
        self._unclear: Counter[str] = Counter()

    def spec(self, held: Held) -> Body:
        connection = reference(self._platform.connection, namespace=self._namespace)
        configuration = self._configurations.get(held.holder.user_id)
        number = {"e164": held.row.number.text}
        spec: Body
        if held.kind == SERVICE:
            spec = {**self._service(held, connection), "phoneNumber": number}
        elif self._is_teams:
            name = held.holder.user_principal_name
            spec = {"tenantRef": connection, "userPrincipalName": name, "phoneNumber": number}
        else:
            spec = {"organizationRef": connection, **_in_webex(held, configuration)}
        if self._is_teams or held.kind != SERVICE:
            self._locate(held, spec)
        tenant = self._platform.connection
        if held.kind == "TeamsUser" and isinstance(tenant, TeamsTenant):
            policies = _policies(configuration, tenant)
            if policies:
                spec["policies"] = policies
        return spec

    def _service(self, held: Held, connection: Body) -> Body:
        name = held.holder.user_principal_name
        if self._is_teams:
            return {"teams": {"tenantRef": connection, "userPrincipalName": name}}
        service, _, called = name.partition("/")
        return {"webex": {"organizationRef": connection, "service": service, "name": called}}

    def _locate(self, held: Held, spec: Body) -> None:
        location_id = held.row.location_id or ""
        found = self._locations.get(location_id.lower() if self._is_teams else location_id, [])
        if any(each.spec.address != found[0].spec.address for each in found):
            self._unclear[location_id] += 1
        elif found:
            spec["emergencyLocationRef"] = reference(found[0], namespace=self._namespace)
        elif location_id and self._is_teams:
            self._unstated[location_id] += 1

    def locations_left_out(self) -> Iterator[LeftOut]:
        """Emergency locations in Teams that no object names (in Webex people name their own), and
        those by whose name or id objects state several places.
        """
        for location_id, count in sorted(self._unclear.items()):
            reason = (
                f"is where {count} imported numbers are, and several EmergencyLocations with "
                "different addresses are called that: none is stated for them; name one in each"
            )
            yield LeftOut(f"location {location_id}", reason)
        for location_id, count in sorted(self._unstated.items()):
            reason = (
                f"is the emergency location of {count} imported numbers, and no EmergencyLocation "
                f"that admits namespace {self._namespace} has this teamsLocationId: it stays as "
                "it is, and nothing watches over it; state one with its address, and import once "
                "more"
            )
            yield LeftOut(f"location {location_id}", reason)


def _in_webex(held: Held, configuration: CallingConfiguration | None) -> Body:
    """What lists tell of a Calling user; what they dial and show is read person by person, so it
    is not managed.
    """
    spec: Body = {"email": held.holder.user_principal_name}
    found = dict(configuration.policies) if configuration is not None else {}
    if held.row.location_id:
        spec["location"] = held.row.location_id
    if LICENCE.detail in found:
        spec["licence"] = found[LICENCE.detail].name
    spec["phoneNumber"] = {"e164": held.row.number.text}
    if EXTENSION.detail in found:
        spec["extension"] = found[EXTENSION.detail].name
    return spec


def _locations(
    place: Place, namespace: str, *, in_teams: bool
) -> dict[str, list[EmergencyLocation]]:
    """Declared locations that may be named from the namespace, by what the platform calls them."""
    found: dict[str, list[EmergencyLocation]] = {}
    declared = (each for each in place.known if isinstance(each, EmergencyLocation))
    for each in sorted(declared, key=lambda each: (each.namespace, each.name)):
        there = each.spec.teams_location_id if in_teams else each.spec.webex_location
        if there is not None and place.admits(each, namespace):
            found.setdefault(there.lower() if in_teams else there, []).append(each)
    return found


def _policies(configuration: CallingConfiguration | None, tenant: TeamsTenant) -> list[Body]:
    """Policies that are assigned directly, and an empty name where the tenant's default would set
    one that the person does not have.
    """
    found: Mapping[str, PolicyOnLine] = dict(configuration.policies) if configuration else {}
    stated = {
        policy_type: policy.name
        for policy_type, policy in found.items()
        if policy.origin is PolicyOrigin.DIRECT
    }
    for default in tenant.spec.default_policies:
        policy = found.get(default.type)
        if policy is None or policy.origin is PolicyOrigin.GROUP:
            stated.setdefault(default.type, "")
    return [{"type": policy_type, "name": stated[policy_type]} for policy_type in sorted(stated)]


def _named(stated: Sequence[Held], names: Names, namespace: str) -> list[tuple[str, Held]]:
    """Each with an object name: the short user name where nobody else has it, else all of it."""
    ordered = sorted(stated, key=lambda each: (each.holder.user_principal_name, each.row.number))
    short = Counter((each.kind, _short(each)) for each in ordered)
    named = []
    for held in ordered:
        name = _short(held)
        if short[held.kind, name] > 1 or names.is_taken(held.kind, namespace, name):
            name = slug(held.holder.user_principal_name)
        name = name or f"user-{slug(held.holder.user_id)}".strip("-")
        named.append((names.take(held.kind, namespace, name), held))
    return named


def _short(held: Held) -> str:
    """The part of an address before its @, or what a service is called."""
    name = held.holder.user_principal_name
    return slug(name.partition("@")[0] if "@" in name else name.partition("/")[2] or name)

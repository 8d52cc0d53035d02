"""Rules on what objects name: that it is among the objects at hand, consents, and fits the use.

A tree of files need not hold everything that a cluster has, so an unresolved reference is a warning
here; the controller waits for it. What is there and does not fit is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.calling_plans import CallingPlan
from callplane.apis.change_approvals import ChangeApproval
from callplane.apis.change_plans import ChangePlan
from callplane.apis.emergency_locations import EmergencyLocation
from callplane.apis.model import Resource
from callplane.apis.number_ranges import FOREIGN_ROUTES, NumberRange, NumberUse, Route
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.provider_incidents import ProviderIncident
from callplane.apis.references import NamespaceConsent, ObjectRef
from callplane.apis.service_lines import ServiceLine, ServiceLineSpec
from callplane.apis.sip_phones import SipPhone
from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.apis.webex_organizations import WebexOrganization
from callplane.apis.webex_users import WebexUser
from callplane.numbering import allocation
from callplane.numbering.number_index import NumberIndex
from callplane.rules.findings import Finding, Rule, Severity, label
from callplane.values import E164

UNRESOLVED = Rule(
    "reference-unresolved",
    (
        "TeamsUser",
        "WebexUser",
        "SipPhone",
        "PbxTrunk",
        "ServiceLine",
        "NumberRange",
        "PhoneNumber",
        "ProviderIncident",
        "ChangePlan",
        "ChangeApproval",
        "CallingAccount",
        "CallingPlan",
    ),
    "The named object is not here, or does not consent to be named from this namespace.",
    Severity.WARNING,
)
NUMBER_UNDECLARED = Rule(
    "number-undeclared",
    ("TeamsUser", "WebexUser", "SipPhone", "PbxTrunk"),
    "A number named by itself needs a NumberRange or PhoneNumber that holds it and consents.",
    Severity.WARNING,
)
NOT_FOR_PEOPLE = Rule(
    "number-not-for-people",
    ("TeamsUser", "WebexUser", "SipPhone", "PbxTrunk"),
    "Numbers for services are not given to people.",
)
NOT_FOR_SERVICES = Rule(
    "number-not-for-services",
    ("ServiceLine",),
    "Numbers for people are not given to services.",
)
NOT_FOR_TEAMS = Rule(
    "route-not-for-teams",
    ("TeamsUser",),
    "Numbers of this route cannot be used in Teams.",
)
NOT_FOR_WEBEX = Rule(
    "route-not-for-webex",
    ("WebexUser",),
    "Numbers of this route cannot be used in Webex.",
)
NOT_FOR_SBC = Rule(
    "route-not-for-sbc",
    ("SipPhone", "PbxTrunk", "ServiceLine"),
    "Numbers of this route cannot be used at the SBC.",
)
RANGE_TOO_SMALL = Rule(
    "range-too-small",
    ("NumberRange",),
    "More people get a number from the range than it has numbers to give.",
    Severity.WARNING,
)
PERSON_NOT_ALLOWED = Rule(
    "person-not-allowed",
    ("TeamsUser", "WebexUser"),
    "The connection lets this namespace declare some people only, and this person is none of them.",
)
LOCATION_WITHOUT_ID = Rule(
    "location-without-teams-id",
    ("EmergencyLocation",),
    "A location that Teams users rely on needs its id in Teams.",
    Severity.WARNING,
)

LOCATION_WITHOUT_PLACE = Rule(
    "location-without-webex-location",
    ("EmergencyLocation",),
    "A location that Webex users rely on needs the Webex location with its address.",
    Severity.WARNING,
)
OTHER_PLACE = Rule(
    "location-of-another-address",
    ("WebexUser",),
    "Webex sends the address of the location, so both must be one.",
)

RULES = (
    UNRESOLVED,
    NUMBER_UNDECLARED,
    NOT_FOR_PEOPLE,
    NOT_FOR_SERVICES,
    NOT_FOR_TEAMS,
    NOT_FOR_WEBEX,
    NOT_FOR_SBC,
    RANGE_TOO_SMALL,
    PERSON_NOT_ALLOWED,
    LOCATION_WITHOUT_ID,
    LOCATION_WITHOUT_PLACE,
    OTHER_PLACE,
)

_TEAMS_ROUTES = frozenset({Route.DIRECT_ROUTING, *FOREIGN_ROUTES})
_WEBEX_ROUTES = frozenset({Route.DIRECT_ROUTING, Route.WEBEX})
_SBC_ROUTES = frozenset({Route.DIRECT_ROUTING, Route.SIP})

#: No labels are known of a namespace that is not here; selectors are then taken to match.
Labels = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class World:
    """The objects at hand by kind, namespace and name, and what is known of namespaces."""

    objects: Mapping[tuple[str, str, str], Resource]
    namespace_labels: Labels

    @classmethod
    def of(cls, resources: Sequence[Resource], namespace_labels: Labels) -> World:
        objects = {
            (resource.kind, resource.namespace, resource.name): resource for resource in resources
        }
        return cls(objects, namespace_labels)

    def resolve(self, kind: str, reference: ObjectRef, *, namespace: str) -> Resource | None:
        """The object that `reference` names from `namespace`; None when missing or unwilling."""
        owner = reference.namespace or namespace
        found = self.objects.get((kind, owner, reference.name))
        return found if found is not None and self.consents(found, namespace) else None

    def consents(self, owner: Resource, namespace: str) -> bool:
        if owner.namespace == namespace:
            return True
        spec: Any = getattr(owner, "spec", None)
        entries: Sequence[NamespaceConsent] = getattr(spec, "allowed_namespaces", ())
        return any(self.lets_in(entry, namespace) for entry in entries)

    def lets_in(self, entry: NamespaceConsent, namespace: str) -> bool:
        labels = self.namespace_labels.get(namespace)
        if labels is None and entry.selector is not None:
            return True
        return entry.admits(namespace, labels or {})


def check(resources: Sequence[Resource], *, namespace_labels: Labels) -> Iterator[Finding]:
    """Everything about references between the objects at hand."""
    world = World.of(resources, namespace_labels)
    inventory = _Inventory.of(resources)
    for resource in resources:
        yield from _unresolved(resource, world)
        if isinstance(resource, TeamsUser | WebexUser | SipPhone):
            yield from _check_user(resource, world, inventory)
        if isinstance(resource, PbxTrunk):
            yield from _check_trunk(resource, world, inventory)
        if isinstance(resource, TeamsUser | WebexUser):
            yield from _not_allowed(resource, world)
        if isinstance(resource, WebexUser):
            yield from _other_place(resource, world)
        if isinstance(resource, ServiceLine):
            yield from _check_service(resource, world)
    yield from _too_small(resources)
    yield from _without_id(resources, world)


def _unresolved(resource: Resource, world: World) -> Iterator[Finding]:
    for path, kind, reference in _references(resource):
        if world.resolve(kind, reference, namespace=resource.namespace) is None:
            target = f"{kind} {reference.namespace or resource.namespace}/{reference.name}"
            message = f"{target} is not here or does not consent"
            yield UNRESOLVED.finding(resource, path, message)


def _references(resource: Resource) -> Iterator[tuple[str, str, ObjectRef]]:
    match resource:
        case TeamsUser(spec=spec) | WebexUser(spec=spec) | SipPhone(spec=spec):
            yield _connection(resource)
            if spec.phone_number and spec.phone_number.range_ref:
                yield "spec.phoneNumber.rangeRef", "NumberRange", spec.phone_number.range_ref
            if spec.phone_number and spec.phone_number.phone_number_ref:
                path = "spec.phoneNumber.phoneNumberRef"
                yield path, "PhoneNumber", spec.phone_number.phone_number_ref
            if spec.emergency_location_ref:
                path = "spec.emergencyLocationRef"
                yield path, "EmergencyLocation", spec.emergency_location_ref
            yield from _call_terms(spec)
        case PbxTrunk(spec=spec):
            yield "spec.sbcRef", "SessionBorderController", spec.sbc_ref
            for index, reference in enumerate(spec.number_range_refs):
                yield f"spec.numberRangeRefs[{index}]", "NumberRange", reference
            if spec.emergency_location_ref:
                path = "spec.emergencyLocationRef"
                yield path, "EmergencyLocation", spec.emergency_location_ref
            yield from _call_terms(spec)
        case ServiceLine(spec=spec):
            yield from _service_references(spec)
        case NumberRange(spec=spec) | PhoneNumber(spec=spec):
            if spec.carrier_ref:
                yield "spec.carrierRef", "Carrier", spec.carrier_ref
            if spec.emergency_location_ref:
                path = "spec.emergencyLocationRef"
                yield path, "EmergencyLocation", spec.emergency_location_ref
            yield from _call_terms(spec)
        case CallingAccount(spec=spec):
            if spec.rate_card_ref:
                yield "spec.rateCardRef", "RateCard", spec.rate_card_ref
        case CallingPlan(spec=spec):
            yield "spec.destinationSetRef", "DestinationSet", spec.destination_set_ref
        case ProviderIncident(spec=spec) | ChangePlan(spec=spec) | ChangeApproval(spec=spec):
            connection = spec.connection_ref
            yield "spec.connectionRef", connection.kind.value, ObjectRef(name=connection.name)
        case _:
            return


_CALL_TERMS = (
    ("account_ref", "spec.accountRef", "CallingAccount"),
    ("calling_plan_ref", "spec.callingPlanRef", "CallingPlan"),
    ("call_privilege_ref", "spec.callPrivilegeRef", "CallPrivilege"),
)


def _call_terms(spec: Any) -> Iterator[tuple[str, str, ObjectRef]]:
    """Who pays, and what may be dialled; kinds differ in which of these they have."""
    for attribute, path, kind in _CALL_TERMS:
        reference = getattr(spec, attribute, None)
        if reference is not None:
            yield path, kind, reference


def _service_references(spec: ServiceLineSpec) -> Iterator[tuple[str, str, ObjectRef]]:
    if spec.teams is not None:
        yield "spec.teams.tenantRef", "TeamsTenant", spec.teams.tenant_ref
    if spec.webex is not None:
        yield "spec.webex.organizationRef", "WebexOrganization", spec.webex.organization_ref
    if spec.sip is not None:
        yield "spec.sip.sbcRef", "SessionBorderController", spec.sip.sbc_ref
    if spec.phone_number and spec.phone_number.range_ref:
        yield "spec.phoneNumber.rangeRef", "NumberRange", spec.phone_number.range_ref
    if spec.phone_number and spec.phone_number.phone_number_ref:
        path = "spec.phoneNumber.phoneNumberRef"
        yield path, "PhoneNumber", spec.phone_number.phone_number_ref
    if spec.emergency_location_ref:
        yield "spec.emergencyLocationRef", "EmergencyLocation", spec.emergency_location_ref
    yield from _call_terms(spec)


def _check_service(service: ServiceLine, world: World) -> Iterator[Finding]:
    for path, kind, reference in _service_references(service.spec):
        owner = world.resolve(kind, reference, namespace=service.namespace)
        if isinstance(owner, NumberRange | PhoneNumber) and owner.spec.use is NumberUse.USER:
            yield NOT_FOR_SERVICES.finding(service, path, f"{label(owner)} is for people")
        if isinstance(owner, NumberRange | PhoneNumber) and service.spec.sip is not None:
            yield from _wrong_route(service, path, owner)


def _connection(user: TeamsUser | WebexUser | SipPhone) -> tuple[str, str, ObjectRef]:
    if isinstance(user, TeamsUser):
        return "spec.tenantRef", "TeamsTenant", user.spec.tenant_ref
    if isinstance(user, SipPhone):
        return "spec.sbcRef", "SessionBorderController", user.spec.sbc_ref
    return "spec.organizationRef", "WebexOrganization", user.spec.organization_ref


@dataclass(frozen=True, slots=True)
class _Inventory:
    """Which object declares a number."""

    resources: Sequence[Resource]
    index: NumberIndex

    @classmethod
    def of(cls, resources: Sequence[Resource]) -> _Inventory:
        """A number that is stated by itself or in a list goes before a block around it."""
        holding = [each for each in resources if isinstance(each, NumberRange | PhoneNumber)]
        ordered = sorted(holding, key=_is_block)
        return cls(ordered, NumberIndex(ordered))

    def owner(self, number: E164) -> Resource | None:
        places = self.index.holding(number)
        return self.resources[places[0]] if places else None


def _is_block(resource: Resource) -> bool:
    return isinstance(resource, NumberRange) and resource.spec.numbers is None


def _check_user(
    user: TeamsUser | WebexUser | SipPhone, world: World, inventory: _Inventory
) -> Iterator[Finding]:
    source = user.spec.phone_number
    if source is None:
        return
    owner: Resource | None = None
    path = "spec.phoneNumber"
    if source.range_ref:
        path += ".rangeRef"
        owner = world.resolve("NumberRange", source.range_ref, namespace=user.namespace)
    elif source.phone_number_ref:
        path += ".phoneNumberRef"
        owner = world.resolve("PhoneNumber", source.phone_number_ref, namespace=user.namespace)
    elif source.e164:
        path += ".e164"
        owner = inventory.owner(E164(source.e164))
        if owner is None or not world.consents(owner, user.namespace):
            message = "no NumberRange or PhoneNumber here holds this number and consents"
            yield NUMBER_UNDECLARED.finding(user, path, message)
            owner = None
    if isinstance(owner, NumberRange | PhoneNumber):
        if owner.spec.use is NumberUse.SERVICE:
            message = f"{label(owner)} is for services"
            yield NOT_FOR_PEOPLE.finding(user, path, message)
        yield from _wrong_route(user, path, owner)


_ROUTES: Mapping[str, tuple[frozenset[Route], Rule]] = {
    "TeamsUser": (_TEAMS_ROUTES, NOT_FOR_TEAMS),
    "WebexUser": (_WEBEX_ROUTES, NOT_FOR_WEBEX),
}


def _wrong_route(
    resource: Resource, path: str, owner: NumberRange | PhoneNumber
) -> Iterator[Finding]:
    routes, rule = _ROUTES.get(resource.kind, (_SBC_ROUTES, NOT_FOR_SBC))
    if owner.spec.route not in routes:
        message = f"{label(owner)} has route {owner.spec.route.value}"
        yield rule.finding(resource, path, message)


def _check_trunk(trunk: PbxTrunk, world: World, inventory: _Inventory) -> Iterator[Finding]:
    """The ranges and numbers behind a PBX are for people, and reach it over our own trunks."""
    drawn: list[tuple[str, Resource | None]] = [
        (
            f"spec.numberRangeRefs[{index}]",
            world.resolve("NumberRange", reference, namespace=trunk.namespace),
        )
        for index, reference in enumerate(trunk.spec.number_range_refs)
    ]
    for index, text in enumerate(trunk.spec.numbers):
        owner, path = inventory.owner(E164(text)), f"spec.numbers[{index}]"
        if owner is None or not world.consents(owner, trunk.namespace):
            message = "no NumberRange or PhoneNumber here holds this number and consents"
            yield NUMBER_UNDECLARED.finding(trunk, path, message)
        else:
            drawn.append((path, owner))
    for path, found in drawn:
        if not isinstance(found, NumberRange | PhoneNumber):
            continue
        if found.spec.use is NumberUse.SERVICE:
            yield NOT_FOR_PEOPLE.finding(trunk, path, f"{label(found)} is for services")
        yield from _wrong_route(trunk, path, found)


def _not_allowed(user: TeamsUser | WebexUser, world: World) -> Iterator[Finding]:
    """Pinned ids need the directory; only what names can tell is said."""
    _, kind, reference = _connection(user)
    in_teams = isinstance(user, TeamsUser)
    name = user.spec.user_principal_name if isinstance(user, TeamsUser) else user.spec.email
    owner = world.resolve(kind, reference, namespace=user.namespace)
    if not isinstance(owner, TeamsTenant | WebexOrganization) or name is None:
        return
    if owner.namespace == user.namespace:
        return
    entries = [
        entry for entry in owner.spec.allowed_namespaces if world.lets_in(entry, user.namespace)
    ]
    if not any(entry.users is None or entry.users.admits_name(name) for entry in entries):
        path = "spec.userPrincipalName" if in_teams else "spec.email"
        message = f"{label(owner)} does not let this namespace declare this person"
        yield PERSON_NOT_ALLOWED.finding(user, path, message)


def _other_place(user: WebexUser, world: World) -> Iterator[Finding]:
    reference, stated = user.spec.emergency_location_ref, user.spec.location
    if reference is None or stated is None:
        return
    found = world.resolve("EmergencyLocation", reference, namespace=user.namespace)
    place = found.spec.webex_location if isinstance(found, EmergencyLocation) else None
    if place is not None and place != stated:
        message = f"help would be sent to the address of {place}, and the person is at {stated}"
        yield OTHER_PLACE.finding(user, "spec.location", message)


def _too_small(resources: Sequence[Resource]) -> Iterator[Finding]:
    wanted = Counter(
        (user.spec.phone_number.range_ref.namespace or user.namespace, reference.name)
        for user in resources
        if isinstance(user, TeamsUser | WebexUser | SipPhone)
        and user.spec.phone_number
        and (reference := user.spec.phone_number.range_ref)
    )
    for resource in resources:
        if not isinstance(resource, NumberRange):
            continue
        demand = wanted[(resource.namespace, resource.name)]
        kept = sum(reservation.holder is None for reservation in resource.spec.reservations)
        supply = allocation.count(resource.spec.spans) - kept
        if demand > supply:
            message = f"{demand} people get a number from here, and {supply} can be given"
            yield RANGE_TOO_SMALL.finding(resource, "spec", message)


def _without_id(resources: Sequence[Resource], world: World) -> Iterator[Finding]:
    """Locations that people rely on, and that their platform does not know."""
    in_teams: Counter[tuple[str, str]] = Counter()
    in_webex: Counter[tuple[str, str]] = Counter()
    for user in resources:
        if not isinstance(user, TeamsUser | WebexUser):
            continue
        reference = user.spec.emergency_location_ref
        if reference and world.resolve("EmergencyLocation", reference, namespace=user.namespace):
            relied_on = in_teams if isinstance(user, TeamsUser) else in_webex
            relied_on[(reference.namespace or user.namespace, reference.name)] += 1
    for location in resources:
        if not isinstance(location, EmergencyLocation):
            continue
        key = (location.namespace, location.name)
        if (count := in_teams[key]) and not location.spec.teams_location_id:
            message = f"{count} Teams users rely on this location, which has no id in Teams"
            yield LOCATION_WITHOUT_ID.finding(location, "spec.teamsLocationId", message)
        if (count := in_webex[key]) and not location.spec.webex_location:
            message = f"{count} Webex users rely on this location, which names none in Webex"
            yield LOCATION_WITHOUT_PLACE.finding(location, "spec.webexLocation", message)

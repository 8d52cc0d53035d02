"""The manifests that say what a Teams tenant already has, so that taking it over changes nothing.

`callplane import` calls `draft` with what was observed and what is declared already. Numbers are
stated one by one and never drawn from a range: an import must not depend on which number a range
would give next. What cannot be stated is named with its reason, and nothing is left out in silence.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callplane.apis.emergency_locations import EmergencyLocation
from callplane.apis.model import API_VERSION, Resource
from callplane.apis.number_ranges import LISTED_NUMBERS_MAX, RANGE_SIZE_MAX, NumberRange, Route
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.desired import references
from callplane.desired.teams_users import NUMBER_TYPES_IN_TEAMS, person_key
from callplane.numbering import plan_table
from callplane.resources.lines import PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    NumberOnPlatform,
    Person,
)
from callplane.values import E164, NumberSpan, ObjectKey

Body = dict[str, Any]
_ROUTES = {number_type: route for route, number_type in NUMBER_TYPES_IN_TEAMS.items()}
_NO_NAME = re.compile(r"[^a-z0-9]+")
_NAME_LENGTH_MAX = 200
#: One number alone is listed with others of its sort; from two on it is a block.
_BLOCK_SIZE_MIN = 2


@dataclass(frozen=True, slots=True)
class Observed:
    """Complete listings of one tenant."""

    people: Sequence[Person]
    numbers: Sequence[NumberOnPlatform]
    configurations: Sequence[CallingConfiguration]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the manifests go: the tenant they refer to and the namespace they are in.

    `known` is every object that is declared already; `labels` are those of `namespace`.
    """

    tenant: TeamsTenant
    namespace: str
    known: Sequence[Resource] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


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
    """Ranges first, then people, each sorted; the same input gives the same draft.

    `declared` counts people with a number whom an object declares already.
    """

    documents: tuple[Document, ...]
    left_out: tuple[LeftOut, ...]
    declared: int


def draft(observed: Observed, place: Place) -> Draft:
    """Every number in a range, and every person with a number stated as they are."""
    left_out: list[LeftOut] = []
    ranges = [*_ranges(observed.numbers, place, left_out)]
    people, declared = _people(observed, place, left_out)
    return Draft((*ranges, *people), tuple(left_out), declared)


def _document(place: Place, path: str, kind: str, name: str, spec: Body) -> Document:
    metadata = {"name": name, "namespace": place.namespace}
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    return Document(f"{place.tenant.name}/{path}", body)


def _taken_names(place: Place, kind: str) -> set[str]:
    return {
        each.name for each in place.known if each.kind == kind and each.namespace == place.namespace
    }


# Numbers


@dataclass(frozen=True, slots=True, order=True)
class _Sort:
    """What the numbers of one range have in common."""

    route: Route
    use: str
    country: str
    number_class: str


def _ranges(
    numbers: Iterable[NumberOnPlatform], place: Place, left_out: list[LeftOut]
) -> Iterator[Document]:
    spans = _declared_spans(place.known)
    by_sort: dict[_Sort, list[E164]] = defaultdict(list)
    for row in sorted(numbers, key=lambda row: row.number):
        if _is_within(row.number, spans):
            continue
        sort = _sort(row)
        if isinstance(sort, str):
            left_out.append(LeftOut("a number", sort, row.number))
        else:
            by_sort[sort].append(row.number)
    taken = _taken_names(place, "NumberRange")
    for sort in sorted(by_sort):
        for content, first in _blocks(by_sort[sort]):
            name = _free_name(taken, f"{'list' if 'numbers' in content else 'block'}-{first[1:]}")
            spec = {**content, "route": sort.route.value, "use": sort.use, "country": sort.country}
            yield _document(place, f"numbers/{name}.yaml", "NumberRange", name, spec)


def _declared_spans(known: Iterable[Resource]) -> dict[int, list[NumberSpan]]:
    """Spans that are declared already, by the length of their numbers."""
    spans: dict[int, list[NumberSpan]] = defaultdict(list)
    for each in known:
        own: tuple[NumberSpan, ...] = ()
        if isinstance(each, NumberRange):
            own = each.spec.spans
        elif isinstance(each, PhoneNumber):
            own = (NumberSpan(E164(each.spec.e164), E164(each.spec.e164)),)
        for span in own:
            spans[len(span.first.text)].append(span)
    for listed in spans.values():
        listed.sort()
    return spans


def _is_within(number: E164, spans: Mapping[int, list[NumberSpan]]) -> bool:
    """Declared spans do not overlap: only the last one that begins before the number can hold
    it.
    """
    listed = spans.get(len(number.text), [])
    low, high = 0, len(listed)
    while low < high:
        middle = (low + high) // 2
        if listed[middle].first <= number:
            low = middle + 1
        else:
            high = middle
    return low > 0 and number in listed[low - 1]


def _sort(row: NumberOnPlatform) -> _Sort | str:
    """What a range of the number says; a reason where no range can hold it."""
    if row.managed_by:
        return f"is managed by {row.managed_by}, not here"
    route = _ROUTES.get(row.number_type)
    if route is None:
        return f"has the type {row.number_type.value}, which no range in Teams has"
    for country, plan in sorted(plan_table.PLANS.items()):
        if plan.is_admissible(row.number):
            use = "User" if row.assignable_to_users else "Service"
            return _Sort(route, use, country, plan.class_of(row.number).value)
    return "is a number that no number plan here holds"


def _blocks(numbers: Sequence[E164]) -> Iterator[tuple[Body, str]]:
    """Runs of consecutive numbers as blocks, single ones in lists; each with its first number."""
    single: list[str] = []
    for run in _runs(numbers):
        if len(run) < _BLOCK_SIZE_MIN:
            single.extend(number.text for number in run)
        else:
            yield {"first": run[0].text, "last": run[-1].text}, run[0].text
    for start in range(0, len(single), LISTED_NUMBERS_MAX):
        piece = single[start : start + LISTED_NUMBERS_MAX]
        yield {"numbers": piece}, piece[0]


def _runs(numbers: Sequence[E164]) -> Iterator[list[E164]]:
    run: list[E164] = []
    for number in sorted(set(numbers), key=lambda each: (len(each.text), each)):
        if run and (len(run) == RANGE_SIZE_MAX or not _follows(run[-1], number)):
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _follows(before: E164, number: E164) -> bool:
    return len(number.text) == len(before.text) and number.digits == before.digits + 1


# People


def _people(
    observed: Observed, place: Place, left_out: list[LeftOut]
) -> tuple[list[Document], int]:
    """A TeamsUser for everybody with a number whom nothing declares; how many are declared."""
    people = {each.user_id: each for each in observed.people if not each.deleted}
    configurations = {each.user_id: each for each in observed.configurations}
    primaries = Counter(row.holder_id for row in observed.numbers if row.is_primary)
    declared = _declared_people(place)
    stated: list[tuple[Person, NumberOnPlatform]] = []
    already = 0
    for row in sorted(observed.numbers, key=lambda row: row.number):
        if row.holder_id is None:
            continue
        person = people.get(row.holder_id)
        configuration = configurations.get(row.holder_id)
        reason = _why_nobody(row, person, configuration)
        if not reason and primaries[row.holder_id] > 1:
            reason = "has more than one primary number, and nobody knows which one counts"
        if person is None or reason:
            subject = person.user_principal_name if person else f"holder {row.holder_id}"
            left_out.append(LeftOut(subject, reason, row.number))
        elif {person.user_id.lower(), person.user_principal_name.lower()} & declared:
            already += 1
        else:
            stated.append((person, row))
    locations = _locations(place)
    documents = []
    without: Counter[str] = Counter()
    for name, (person, row) in _named(stated, _taken_names(place, "TeamsUser")):
        spec = _person_spec(person, row, place)
        location = locations.get((row.location_id or "").lower())
        if location is not None:
            spec["emergencyLocationRef"] = _reference(place, location)
        elif row.location_id:
            without[row.location_id] += 1
        policies = _policies(configurations.get(person.user_id), place.tenant)
        if policies:
            spec["policies"] = policies
        documents.append(_document(place, f"people/{name[0]}/{name}.yaml", "TeamsUser", name, spec))
    for location_id, count in sorted(without.items()):
        reason = (
            f"is the emergency location of {count} imported numbers, and no EmergencyLocation that "
            f"admits namespace {place.namespace} has this teamsLocationId: it stays as it is, and "
            "nothing watches over it; state one with its address, and import once more"
        )
        left_out.append(LeftOut(f"location {location_id}", reason))
    return documents, already


def _why_nobody(
    row: NumberOnPlatform, person: Person | None, configuration: CallingConfiguration | None
) -> str:
    """Why the holder of a number is no TeamsUser; empty when they are one."""
    if not row.held_by_user:
        return "holds the number and is no person; a ServiceLine states a service"
    if person is None:
        return "holds the number and is not in the directory"
    if configuration is not None and configuration.account_type is AccountType.RESOURCE_ACCOUNT:
        return "is a resource account; a ServiceLine states a service"
    if not row.is_primary:
        return "has this as a further number, and a TeamsUser states one"
    return ""


def _declared_people(place: Place) -> set[str]:
    tenant = (place.tenant.namespace, place.tenant.name)
    return {
        person_key(each.spec)
        for each in place.known
        if isinstance(each, TeamsUser)
        and (each.spec.tenant_ref.namespace or each.namespace, each.spec.tenant_ref.name) == tenant
    }


def _locations(place: Place) -> dict[str, EmergencyLocation]:
    """Declared locations that may be named from the namespace, by their id in Teams."""
    admitting = (
        each
        for each in place.known
        if isinstance(each, EmergencyLocation)
        and each.spec.teams_location_id is not None
        and references.consents(each, place.namespace, place.labels)
    )
    ordered = sorted(admitting, key=lambda each: (each.namespace, each.name), reverse=True)
    return {(each.spec.teams_location_id or "").lower(): each for each in ordered}


def _reference(place: Place, target: Resource) -> Body:
    reference = {"name": target.name}
    if target.namespace != place.namespace:
        reference["namespace"] = target.namespace
    return reference


def _person_spec(person: Person, row: NumberOnPlatform, place: Place) -> Body:
    return {
        "tenantRef": _reference(place, place.tenant),
        "userPrincipalName": person.user_principal_name,
        "phoneNumber": {"e164": row.number.text},
    }


def _policies(configuration: CallingConfiguration | None, tenant: TeamsTenant) -> list[Body]:
    """Policies that are assigned directly, and an empty name where the tenant's default would set
    one that the person does not have.
    """
    found: dict[str, PolicyOnLine] = dict(configuration.policies) if configuration else {}
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


def _named(
    stated: Sequence[tuple[Person, NumberOnPlatform]], taken: set[str]
) -> list[tuple[str, tuple[Person, NumberOnPlatform]]]:
    """Each with an object name: the short user name where nobody else has it, else all of it."""
    ordered = sorted(stated, key=lambda each: (each[0].user_principal_name, each[1].number))
    short = Counter(_slug(person.user_principal_name.partition("@")[0]) for person, _ in ordered)
    named = []
    for person, row in ordered:
        name = _slug(person.user_principal_name.partition("@")[0])
        if short[name] > 1 or name in taken:
            name = _slug(person.user_principal_name)
        name = name or f"user-{_slug(person.user_id)}".strip("-")
        named.append((_free_name(taken, name), (person, row)))
    return named


def _slug(text: str) -> str:
    return _NO_NAME.sub("-", text.lower())[:_NAME_LENGTH_MAX].strip("-")


def _free_name(taken: set[str], wanted: str) -> str:
    """The wanted name, or with the first number behind it that makes it one of its own."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}-{count}"
    taken.add(name)
    return name

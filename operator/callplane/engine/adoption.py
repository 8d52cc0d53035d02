"""Which edits of manifests would accept what a system shows: `callplane plan --adopt-drift`.

Only drift is adopted: what the system changed and git did not. A change that git asks for is no
drift, and is left to the operator. What cannot be said in a manifest, or must not be (that help is
sent nowhere), is refused with its reason. Nothing is written here; `cli.adopting` edits the files
and plans on them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from callplane.apis.carriers import Carrier
from callplane.apis.emergency_locations import CivicAddress, EmergencyLocation
from callplane.apis.model import Resource
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.webex_users import WebexUser
from callplane.desired import references
from callplane.desired.declarations import PersonObject, is_person
from callplane.desired.webex_users import CALLER_IDS
from callplane.plan.change import Cause, Change, Operation
from callplane.plan.document import ObjectPlan, Plan
from callplane.resources.webex import CALLER_ID, EXTENSION, LICENCE, OUTGOING
from callplane.values import E164, ObjectKey


@dataclass(frozen=True, slots=True)
class Entry:
    """A step of a path into a list whose entries are told apart by one key: `type`, say."""

    key: str
    value: str


Step = str | Entry


@dataclass(frozen=True, slots=True)
class Edit:
    """Give what `path` names a new value; None takes the key away. Mappings on the way that are not
    there are made; so is an entry of a list, which then has its own key and the value.
    """

    path: tuple[Step, ...]
    value: Any


@dataclass(frozen=True, slots=True)
class Adopted:
    """One difference that edits accept. `drifted` shows it, `edits` are of object `key`: the same,
    or one that it refers to.
    """

    drifted: ObjectKey
    key: ObjectKey
    edits: tuple[Edit, ...]
    says: str


@dataclass(frozen=True, slots=True)
class Refused:
    """One difference that no manifest can accept, or should."""

    drifted: ObjectKey
    says: str
    reason: str


@dataclass(slots=True)
class Proposals:
    adopted: list[Adopted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    #: Changes that git asks for: left to the operator.
    declared: int = 0


_NUMBER: Final = frozenset({Operation.ASSIGN_NUMBER, Operation.UNASSIGN_NUMBER})
_AT_CARRIER: Final = frozenset(
    {Operation.SET_ROUTE, Operation.SET_EMERGENCY_ADDRESS, Operation.SET_DELETION_LOCK}
)
_CALLER_IDS: Final[Mapping[str, str]] = {name: kind.value for kind, name in CALLER_IDS.items()}

_WEBEX_FIELDS: Final[Mapping[str, str]] = {
    LICENCE.detail: "licence",
    EXTENSION.detail: "extension",
    CALLER_ID.detail: "callerId",
}


def drift_of(plan: ObjectPlan) -> list[Change]:
    """What the system changed and git did not."""
    return [each.change for each in plan.changes if each.change.cause is Cause.DRIFT]


def propose(plan: Plan, resources: Iterable[Resource]) -> Proposals:
    """Edits for every difference that drifted; in the order of the plan."""
    known = _Known({ObjectKey(each.kind, each.namespace, each.name): each for each in resources})
    found = Proposals()
    at_carriers: list[tuple[ObjectKey, Change]] = []
    for each in plan.objects:
        drift = drift_of(each)
        found.declared += len(each.changes) - len(drift)
        resource = known.by_key.get(each.key)
        if resource is None or each.removed:
            continue
        at_carriers += [(each.key, c) for c in drift if c.operation in _AT_CARRIER]
        if is_person(resource):
            for outcome in _of_person(each.key, resource, drift, known):
                _take(found, outcome)
    for outcome in _of_numbers(at_carriers, known):
        _take(found, outcome)
    return found


def _take(found: Proposals, outcome: Adopted | Refused) -> None:
    if isinstance(outcome, Adopted):
        found.adopted.append(outcome)
    else:
        found.refused.append(outcome)


@dataclass(frozen=True, slots=True)
class _Known:
    by_key: Mapping[ObjectKey, Resource]

    def source(self, number: E164) -> ObjectKey | None:
        """What states the number; one that is stated by itself counts before its range."""
        found = None
        for key, each in sorted(self.by_key.items()):
            if isinstance(each, PhoneNumber) and each.spec.e164 == number.text:
                return key
            if isinstance(each, NumberRange) and any(number in span for span in each.spec.spans):
                found = key
        return found

    def locations(self, attribute: str, text: str) -> list[ObjectKey]:
        """By name, the first EmergencyLocation of each address with that id or name in a system:
        several where one name stands for several places.
        """
        found: dict[ObjectKey, CivicAddress] = {}
        for key, each in sorted(self.by_key.items()):
            if not isinstance(each, EmergencyLocation):
                continue
            has = getattr(each.spec, attribute) or ""
            if has.casefold() == text.casefold() and each.spec.address not in found.values():
                found[key] = each.spec.address
        return list(found)


def _reference(to: ObjectKey, *, namespace: str) -> dict[str, str]:
    return {"name": to.name, **({"namespace": to.namespace} if to.namespace != namespace else {})}


# People and services


def _of_person(
    key: ObjectKey, person: PersonObject, drift: Sequence[Change], known: _Known
) -> Iterator[Adopted | Refused]:
    numbers = [change for change in drift if change.operation in _NUMBER]
    if numbers:
        yield _number(key, numbers, known)
    for change in drift:
        if change.operation is Operation.SET_LOCATION:
            yield _location(key, person, change, known)
        elif change.operation is Operation.SET_POLICY:
            if isinstance(person, WebexUser):
                yield _webex_setting(key, change)
            else:
                yield _policy(key, change)


def _number(key: ObjectKey, changes: Sequence[Change], known: _Known) -> Adopted | Refused:
    before = next((c.before for c in changes if c.operation is Operation.UNASSIGN_NUMBER), None)
    path = ("spec", "phoneNumber")
    if before is None:
        return Adopted(key, key, (Edit(path, {"none": {}}),), "no number")
    number = E164(before["number"])
    source = known.source(number)
    if source is None:
        reason = (
            "no NumberRange or PhoneNumber here states it; declare one that does, with consent for "
            f"namespace {key.namespace}"
        )
        return Refused(key, f"number {number.masked}", reason)
    wanted: dict[str, Any] = {"e164": number.text}
    if source.kind == "PhoneNumber":
        wanted = {"phoneNumberRef": _reference(source, namespace=key.namespace)}
    return Adopted(key, key, (Edit(path, wanted),), f"number {number.masked}")


def _location(
    key: ObjectKey, person: PersonObject, change: Change, known: _Known
) -> Adopted | Refused:
    shown = (change.before or {}).get("location", "")
    if not shown:
        reason = (
            "the system has no emergency location for the number any more; accepting that would "
            "send help nowhere, so that the operator sets it again"
        )
        return Refused(key, "emergency location", reason)
    says = f"emergency location {shown}"
    is_webex = isinstance(person, WebexUser)
    candidates = known.locations("webex_location" if is_webex else "teams_location_id", shown)
    found = candidates[0] if len(candidates) == 1 else None
    edits: list[Edit] = []
    if isinstance(person, WebexUser) and person.spec.location is not None:
        edits.append(Edit(("spec", "location"), shown))
    needs_location = not edits or person.spec.emergency_location_ref is not None
    if found is None and needs_location:
        if candidates:
            reason = f"several EmergencyLocations are called {shown}; name one"
            return Refused(key, says, reason)
        name = "webexLocation" if is_webex else "teamsLocationId"
        reason = f"no EmergencyLocation here has {name} {shown}; declare the address that it is"
        return Refused(key, says, reason)
    if found is not None:
        reference = _reference(found, namespace=key.namespace)
        edits.append(Edit(("spec", "emergencyLocationRef"), reference))
    return Adopted(key, key, tuple(edits), says)


def _policy(key: ObjectKey, change: Change) -> Adopted:
    fields = change.after or change.before or {}
    policy, name = fields["type"], (change.before or {}).get("name", "")
    edit = Edit(("spec", "policies", Entry("type", policy), "name"), name)
    return Adopted(key, key, (edit,), f"{policy} {name or 'by default'}")


def _webex_setting(key: ObjectKey, change: Change) -> Adopted | Refused:
    name = (change.after or change.before or {}).get("type", "")
    shown = (change.before or {}).get("name", "")
    if name == OUTGOING.detail:
        reason = (
            "what may be dialled comes from a CallPrivilege, which others may share: change that, "
            "or name another one"
        )
        return Refused(key, "outgoing permissions", reason)
    fields = {
        LICENCE.detail: "licence",
        EXTENSION.detail: "extension",
        CALLER_ID.detail: "callerId",
    }
    value = _CALLER_IDS.get(shown, "") if name == CALLER_ID.detail else shown
    says = f"{fields.get(name, name)} {shown or 'none'}"
    if not value or name not in fields:
        reason = "a manifest cannot say that; take the field out, and it is managed no more"
        return Refused(key, says, reason)
    return Adopted(key, key, (Edit(("spec", fields[name]), value),), says)


# Numbers at carriers


def _of_numbers(
    drift: Sequence[tuple[ObjectKey, Change]], known: _Known
) -> Iterator[Adopted | Refused]:
    """A carrier's trunk is one for all of its numbers, so their routes are judged together."""
    routes: dict[ObjectKey, list[tuple[ObjectKey, Change]]] = {}
    addresses: dict[ObjectKey, list[Change]] = {}
    for key, change in drift:
        if change.operation is Operation.SET_ROUTE:
            routes.setdefault(_carrier(key, known) or key, []).append((key, change))
        elif change.operation is Operation.SET_EMERGENCY_ADDRESS:
            addresses.setdefault(key, []).append(change)
        else:
            reason = (
                "the lock keeps the number from being deleted by mistake; deletionLock of its "
                "Carrier stops locking all of its numbers"
            )
            yield Refused(key, f"unlocked {E164(change.subject).masked}", reason)
    for carrier, changes in routes.items():
        yield from _route(carrier, changes, known)
    for key, found in addresses.items():
        yield _address(key, found, known)


def _carrier(key: ObjectKey, known: _Known) -> ObjectKey | None:
    resource = known.by_key.get(key)
    if isinstance(resource, NumberRange | PhoneNumber) and resource.spec.carrier_ref is not None:
        return references.target("Carrier", resource.spec.carrier_ref, namespace=key.namespace)
    return None


def _route(
    carrier: ObjectKey, changes: Sequence[tuple[ObjectKey, Change]], known: _Known
) -> Iterator[Adopted | Refused]:
    shown = {
        tuple(sorted((name, text) for name, text in (c.before or {}).items() if name != "number"))
        for _, c in changes
    }
    route = dict(next(iter(shown))) if len(shown) == 1 else {}
    reason = ""
    if not isinstance(known.by_key.get(carrier), Carrier):
        reason = f"{carrier} is not among these manifests"
    elif len(shown) > 1:
        reason = f"{carrier} has one trunk for all of its numbers, and they go different ways"
    elif not route or "foreign" in route:
        reason = "calls go nowhere, or where a trunk of ours cannot be: no manifest can say that"
    for key, change in changes:
        says = f"route of {E164(change.subject).masked}"
        if reason:
            yield Refused(key, says, reason)
            continue
        trunk: dict[str, Any] = {"name": route["trunk"]} if "trunk" in route else {}
        if "endpoints" in route:
            trunk["endpoints"] = route["endpoints"].split()
        yield Adopted(key, carrier, (Edit(("spec", "trunk"), trunk),), says)


def _address(key: ObjectKey, changes: Sequence[Change], known: _Known) -> Adopted | Refused:
    numbers = ", ".join(sorted(E164(change.subject).masked for change in changes)[:5])
    says = f"emergency address of {numbers}"
    if any(change.before is None for change in changes):
        reason = (
            "the carrier has no address any more; accepting that would send help nowhere, so that "
            "the operator sets it again"
        )
        return Refused(key, says, reason)
    found = {_location_with(change.before or {}, known) for change in changes}
    location = next(iter(found)) if len(found) == 1 else None
    if location is None:
        reason = "no EmergencyLocation here has this address; declare one, and name it"
        return Refused(key, says, reason)
    reference = _reference(location, namespace=key.namespace)
    return Adopted(key, key, (Edit(("spec", "emergencyLocationRef"), reference),), says)


def _location_with(shown: Mapping[str, str], known: _Known) -> ObjectKey | None:
    """The EmergencyLocation at that address. Carriers write addresses in ways of their own; the
    plan on the edited manifests tells whether it is the very one.
    """
    for key, each in sorted(known.by_key.items()):
        if not isinstance(each, EmergencyLocation):
            continue
        address = each.spec.address
        if (
            _squeezed(address.postcode) == _squeezed(shown.get("postcode", ""))
            and _squeezed(address.town) == _squeezed(shown.get("town", ""))
            and _squeezed(address.street) in _squeezed(" ".join(shown.values()))
        ):
            return key
    return None


def _squeezed(text: str) -> str:
    return "".join(text.casefold().split())

"""Numbers of an import: what carriers and platforms show of one number becomes one number.

Numbers of one owner, route, use, country and class are put together: runs as blocks, single ones in
lists, and one that is alone of its sort as a PhoneNumber.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from callplane.apis.model import Resource
from callplane.apis.number_ranges import (
    LISTED_NUMBERS_MAX,
    RANGE_SIZE_MAX,
    NumberRange,
    NumberUse,
    Route,
)
from callplane.apis.phone_numbers import PhoneNumber
from callplane.desired.brownfield.naming import Names
from callplane.desired.brownfield.values import (
    Body,
    Document,
    Estate,
    LeftOut,
    ObservedCarrier,
    ObservedPlatform,
    document,
    reference,
)
from callplane.desired.teams_users import NUMBER_TYPES_IN_TEAMS
from callplane.numbering import plan_table
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    NumberOnCarrier,
    TrunkRoute,
)
from callplane.resources.lines import NumberType
from callplane.resources.platforms import AccountType, NumberOnPlatform
from callplane.values import E164, NumberSpan

# An inventory does not say whose trunks Direct Routing uses; only ours need no bolt-on.
_ROUTES = {
    number_type: route
    for route, number_type in NUMBER_TYPES_IN_TEAMS.items()
    if route is not Route.FOREIGN_DIRECT_ROUTING
}
#: One number alone is listed with others of its sort; from two on it is a block.
_BLOCK_SIZE_MIN = 2
_NOT_IN_USE = {
    CarrierNumberState.PENDING: "is not in use at the carrier yet",
    CarrierNumberState.UNKNOWN: "has a state at the carrier that is not known here",
    CarrierNumberState.LEAVING: "is leaving the carrier",
}


@dataclass(frozen=True, slots=True, order=True)
class Sort:
    """What the numbers of one range have in common; `owner` is the place of the carrier in the
    import, -1 for none.
    """

    namespace: str
    folder: str
    owner: int
    route: Route
    use: str
    country: str
    number_class: str


@dataclass(slots=True)
class Sighting:
    """Everything that was seen of one number."""

    platforms: list[tuple[ObservedPlatform, NumberOnPlatform]] = field(default_factory=list)
    carriers: list[tuple[int, NumberOnCarrier]] = field(default_factory=list)

    @property
    def first(self) -> tuple[ObservedPlatform, NumberOnPlatform] | None:
        """Where it has a holder, else where it was seen first."""
        held = (seen for seen in self.platforms if seen[1].holder_id is not None)
        return next(held, self.platforms[0] if self.platforms else None)


def drafts(estate: Estate, names: Names, left_out: list[LeftOut]) -> Iterator[Document]:
    """Ranges and PhoneNumbers for all numbers that no object declares yet."""
    declared = DeclaredNumbers(estate.place.known)
    sorting = _Sorting(estate)
    by_sort: dict[Sort, list[E164]] = defaultdict(list)
    for number, sighting in sorted(_sightings(estate).items()):
        if number in declared:
            continue
        sort = sorting.sort(number, sighting)
        if isinstance(sort, str):
            left_out.append(LeftOut("a number", sort, number))
        else:
            by_sort[sort].append(number)
    left_out.extend(sorting.apart())
    for sort in sorted(by_sort):
        yield from _of_sort(sort, by_sort[sort], estate, names)


def _sightings(estate: Estate) -> dict[E164, Sighting]:
    found: dict[E164, Sighting] = defaultdict(Sighting)
    for platform in estate.platforms:
        for row in platform.numbers:
            found[row.number].platforms.append((platform, row))
    for position, carrier in enumerate(estate.carriers):
        for owned in carrier.numbers:
            found[owned.number].carriers.append((position, owned))
    return found


class DeclaredNumbers:
    """Numbers that objects declare already."""

    def __init__(self, known: Iterable[Resource]) -> None:
        self._spans: dict[int, list[NumberSpan]] = defaultdict(list)
        for each in known:
            own: tuple[NumberSpan, ...] = ()
            if isinstance(each, NumberRange):
                own = each.spec.spans
            elif isinstance(each, PhoneNumber):
                own = (NumberSpan(E164(each.spec.e164), E164(each.spec.e164)),)
            for span in own:
                self._spans[len(span.first.text)].append(span)
        for listed in self._spans.values():
            listed.sort()

    def __contains__(self, number: object) -> bool:
        """Declared spans do not overlap: only the last one that begins before the number can hold
        it.
        """
        if not isinstance(number, E164):
            return False
        listed = self._spans.get(len(number.text), [])
        after = bisect.bisect_right(listed, number, key=lambda span: span.first)
        return after > 0 and number in listed[after - 1]


class _Sorting:
    """Sorts numbers one by one, and remembers those whose carrier is not stated."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._services = {
            (platform.key, row.user_id)
            for platform in estate.platforms
            for row in platform.configurations
            if row.account_type is AccountType.RESOURCE_ACCOUNT
        }
        self._apart: Counter[tuple[int, str]] = Counter()

    def sort(self, number: E164, sighting: Sighting) -> Sort | str:
        """What a range of the number says; a reason where no range can hold it."""
        for _, row in sighting.platforms:
            if row.managed_by:
                return f"is managed by {row.managed_by}, not here"
        plan = next((p for p in plan_table.PLANS.values() if p.is_admissible(number)), None)
        if plan is None:
            return "is a number that no number plan here holds"
        owned = [seen for seen in sighting.carriers if seen[1].state not in _NOT_IN_USE]
        if not owned and sighting.carriers and not sighting.platforms:
            position, row_there = sighting.carriers[0]
            carrier = self._estate.carriers[position]
            return f"{_NOT_IN_USE[row_there.state]} ({carrier.key})"
        seen = sighting.first
        home = seen[0] if seen is not None else self._estate.carriers[owned[0][0]]
        namespace = self._estate.place.namespace_for(home.connection)
        owner = self._owner(sighting, namespace)
        route = _route(sighting, owner)
        if route is None:
            return "has a type that no range in Teams has"
        number_class = plan.class_of(number).value
        use = self._use(sighting)
        return Sort(namespace, home.folder, owner, route, use, plan.country, number_class)

    def _use(self, sighting: Sighting) -> str:
        seen = sighting.first
        if seen is None:
            return NumberUse.USER.value
        platform, row = seen
        is_service = not row.held_by_user or (platform.key, row.holder_id) in self._services
        for_users = row.assignable_to_users and not is_service
        return (NumberUse.USER if for_users else NumberUse.SERVICE).value

    def _owner(self, sighting: Sighting, namespace: str) -> int:
        """The carrier to state, -1 where stating it would change something there or is not
        allowed.
        """
        carriers = self._estate.carriers
        owned = [seen for seen in sighting.carriers if seen[1].state not in _NOT_IN_USE]
        if len(owned) > 1:
            others = " and ".join(str(carriers[position].key) for position, _ in owned[1:])
            self._apart[owned[0][0], f"{others} has them too, and nobody can say which counts"] += 1
            return -1
        for position, row in sighting.carriers:
            carrier = carriers[position]
            reason = _NOT_IN_USE.get(row.state) or _difference(carrier, row)
            if not self._estate.place.admits(carrier.connection, namespace):
                reason = f"the Carrier does not admit namespace {namespace}"
            if reason:
                self._apart[position, reason] += 1
            else:
                return position
        return -1

    def apart(self) -> Iterator[LeftOut]:
        """Carriers that are not stated for some of their numbers, with the reason."""
        for (position, reason), count in sorted(self._apart.items()):
            numbers = "1 number" if count == 1 else f"{count:,} numbers"
            text = f"is not stated as the owner of {numbers}, which stay as they are: {reason}"
            yield LeftOut(str(self._estate.carriers[position].key), text)


def _difference(carrier: ObservedCarrier, row: NumberOnCarrier) -> str:
    """What the Carrier's manifest would change about a number; empty for nothing."""
    if carrier.watches or row.state is not CarrierNumberState.ACTIVE:
        return ""
    if carrier.route is not None and row.route not in (carrier.route, NOT_SHOWN):
        to = _words(row.route) if isinstance(row.route, TrunkRoute) else "nowhere"
        return f"their calls go {to}, and the Carrier's trunk is {_words(carrier.route)}"
    if carrier.locks and row.deletion_locked is False:
        return "they can be deleted there, and the Carrier's deletionLock would lock them"
    return ""


def _words(route: TrunkRoute) -> str:
    return route.foreign or " ".join((route.trunk, *route.endpoints)).strip() or "nowhere"


def _route(sighting: Sighting, owner: int) -> Route | None:
    """Teams tells routes apart; in Webex a number of a carrier of ours comes over our own trunk.
    None for a type of Teams that no route has.
    """
    for _, row in sighting.platforms:
        if row.number_type is not NumberType.WEBEX:
            return _ROUTES.get(row.number_type)
    return Route.WEBEX if sighting.platforms and owner < 0 else Route.DIRECT_ROUTING


# From numbers to documents


def _of_sort(
    sort: Sort, numbers: Sequence[E164], estate: Estate, names: Names
) -> Iterator[Document]:
    common: Body = {"route": sort.route.value, "use": sort.use, "country": sort.country}
    if sort.owner >= 0:
        owner = estate.carriers[sort.owner].connection
        common["carrierRef"] = reference(owner, namespace=sort.namespace)
    for content, first in _blocks(numbers):
        kind = "PhoneNumber" if "e164" in content else "NumberRange"
        word = next(word for field, word in _WORDS.items() if field in content)
        name = names.take(kind, sort.namespace, f"{word}-{first[1:]}")
        yield document(
            f"{sort.folder}/numbers/{name}.yaml",
            kind,
            name,
            namespace=sort.namespace,
            spec={**content, **common},
        )


_WORDS: Mapping[str, str] = {"first": "block", "numbers": "list", "e164": "number"}


def _blocks(numbers: Sequence[E164]) -> Iterator[tuple[Body, str]]:
    """Runs of consecutive numbers as blocks, single ones in lists; each with its first number."""
    single: list[str] = []
    for run in _runs(numbers):
        if len(run) < _BLOCK_SIZE_MIN:
            single.extend(number.text for number in run)
        else:
            yield {"first": run[0].text, "last": run[-1].text}, run[0].text
    if len(single) == 1:
        yield {"e164": single[0]}, single[0]
        return
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

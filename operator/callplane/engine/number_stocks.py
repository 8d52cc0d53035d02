"""What a declaration draws its number from, as far as claiming cares: a range, or a PhoneNumber."""

from __future__ import annotations

from dataclasses import dataclass

from callplane.apis.number_ranges import (
    FOREIGN_ROUTES,
    NumberRange,
    NumberReservation,
    NumberUse,
)
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.apis.references import ObjectRef
from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import PhoneNumberSource
from callplane.desired import references
from callplane.desired.declarations import NUMBER_TYPES, WORDS
from callplane.engine import acquiring, reservations
from callplane.engine.gathering import (
    DEPENDENCY_LOOK_SECONDS,
    Gathered,
    consenting,
)
from callplane.engine.scope import Scope
from callplane.errors import Stalled, Waiting
from callplane.numbering.lifecycle import HELD, NumberState
from callplane.resources.lines import NumberType
from callplane.store.ports import NumberRow
from callplane.values import E164, NumberSpan, ObjectKey, Platform


@dataclass(frozen=True, slots=True)
class Stock:
    """The range or single number that a declaration draws from, as far as claiming cares."""

    key: ObjectKey
    generation: int
    platform: Platform
    use: NumberUse
    reservations: tuple[NumberReservation, ...]
    source: NumberRange | PhoneNumber

    @property
    def name(self) -> str:
        return f"{self.key.namespace}/{self.key.name}"

    @property
    def number_type(self) -> NumberType:
        """What its numbers are on the platform. Raises KeyError where the route does not fit."""
        return NUMBER_TYPES[self.platform][self.source.spec.route]

    @property
    def location(self) -> tuple[ObjectRef, str] | None:
        """The emergency location its holders inherit, with the namespace of the reference."""
        reference = self.source.spec.emergency_location_ref
        return (reference, self.key.namespace) if reference is not None else None

    @property
    def spans(self) -> tuple[NumberSpan, ...]:
        """Its numbers, in order."""
        if isinstance(self.source, NumberRange):
            return self.source.spec.spans
        number = E164(self.source.spec.e164)
        return (NumberSpan(number, number),)

    def __contains__(self, number: E164) -> bool:
        if isinstance(self.source, PhoneNumber):
            return self.source.spec.e164 == number.text
        return any(number in span for span in self.source.spec.spans)


async def stock_of(scope: Scope, declared: PhoneNumberSource, platform: Platform) -> Stock:
    """What the number is drawn from; a stated number needs something that holds it and consents."""
    if declared.range_ref is not None:
        return _stock_of(await consenting(scope, "NumberRange", declared.range_ref), platform)
    if declared.phone_number_ref is not None:
        phone = await consenting(scope, "PhoneNumber", declared.phone_number_ref)
        assert isinstance(phone, PhoneNumber)
        if not _somebody_has(scope, E164(phone.spec.e164)):
            acquiring.check(scope, phone)
        return _stock_of(phone, platform)
    number = E164(declared.e164 or "")
    labels = await scope.engine.labels_of(scope.key.namespace)
    for cached in scope.engine.cache.holding(number):
        if cached.resource is None or cached.is_deleting:
            continue
        if references.consents(cached.resource, scope.key.namespace, labels):
            return _stock_of(cached.resource, platform)
    raise Waiting(
        Reason.DEPENDENCY_NOT_READY,
        f"no NumberRange or PhoneNumber that admits namespace {scope.key.namespace} holds "
        f"{number.masked}",
        after_seconds=DEPENDENCY_LOOK_SECONDS / 20,
    )


def _stock_of(resource: object, platform: Platform) -> Stock:
    assert isinstance(resource, NumberRange | PhoneNumber)
    is_range = isinstance(resource, NumberRange)
    return Stock(
        key=ObjectKey(
            "NumberRange" if is_range else "PhoneNumber", resource.namespace, resource.name
        ),
        generation=resource.generation,
        platform=platform,
        use=resource.spec.use,
        reservations=reservations.of(resource),
        source=resource,
    )


def check_use(stock: Stock, gathered: Gathered, *, is_service: bool) -> None:
    """Raises Stalled where the numbers are for others, or cannot be used on the platform."""
    if (stock.use is NumberUse.SERVICE) is not is_service:
        said = "for people, not for services" if is_service else "for services, not for people"
        raise Stalled(Reason.NUMBER_USE_MISMATCH, f"{stock.key} is {said}")
    route, connection = stock.source.spec.route, gathered.connection
    if isinstance(connection, TeamsTenant) and route in FOREIGN_ROUTES:
        entitled = {entitlement.value for entitlement in connection.spec.entitlements}
        if route.value not in entitled:
            raise Stalled(
                Reason.ENTITLEMENT_MISSING,
                f"{stock.key} has route {route.value}; the TeamsTenant's entitlements lack it",
            )
    if route not in NUMBER_TYPES[stock.platform]:
        raise Stalled(
            Reason.UNSUPPORTED,
            f"{stock.key} has a route that {WORDS[stock.platform].name} cannot use",
        )


def _somebody_has(scope: Scope, number: E164) -> bool:
    """On any platform that is worked here: whoever has a number keeps it while it is ported."""
    runtimes = scope.engine.connections.values()
    return any(is_in_use(runtime.mirror.numbers.get(number)) for runtime in runtimes)


def is_in_use(row: NumberRow | None) -> bool:
    """Was the number ours when somebody last had it? One on its way in or out may not be."""
    return row is not None and row.state in {*HELD, NumberState.QUARANTINED}

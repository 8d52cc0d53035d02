"""Rules on the numbers of one object: the country's plan, the block's shape, reservations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber, ReleasePolicy
from callplane.numbering import plan_table
from callplane.rules.findings import Finding, Rule, Severity
from callplane.values import E164

COUNTRY_UNKNOWN = Rule(
    "country-unknown",
    ("NumberRange", "PhoneNumber"),
    "The country has no number plan here, so nothing can be said about its numbers.",
)
NUMBER_NOT_IN_PLAN = Rule(
    "number-not-in-plan",
    ("NumberRange", "PhoneNumber"),
    "The country's number plan has no such number, or none that anybody can hold.",
)
RANGE_MIXES_CLASSES = Rule(
    "range-mixes-classes",
    ("NumberRange",),
    "A block lies in one class of numbers; one that spans two is a typing error.",
)
RESERVATION_OUTSIDE = Rule(
    "reservation-outside-range",
    ("NumberRange",),
    "A reservation keeps back a number that the range does not have.",
)
ACKNOWLEDGED_WITHOUT_RELEASE = Rule(
    "acknowledged-without-release",
    ("PhoneNumber",),
    "A release is acknowledged while releasePolicy says Keep; nothing will be released.",
    Severity.WARNING,
)

RULES = (
    COUNTRY_UNKNOWN,
    NUMBER_NOT_IN_PLAN,
    RANGE_MIXES_CLASSES,
    RESERVATION_OUTSIDE,
    ACKNOWLEDGED_WITHOUT_RELEASE,
)


def check_range(resource: NumberRange) -> Iterator[Finding]:
    """Everything that one range shows by itself."""
    spec = resource.spec
    plan = plan_table.plan_of(spec.country)
    if plan is None:
        yield _unknown_country(resource, spec.country)
    else:
        for path, number in _numbers_of(resource):
            if objection := plan.objection(number):
                yield NUMBER_NOT_IN_PLAN.finding(resource, path, f"{number.masked} {objection}")
        for span in spec.spans:
            if plan.objection(span.first) or not plan.covers(span.last):
                # Already said above; a number of another plan has no class in this one.
                continue
            classes = {plan.class_of(span.first), plan.class_of(span.last)}
            if len(classes) > 1:
                names = " and ".join(sorted(entry.value for entry in classes))
                message = f"the block mixes {names} numbers"
                yield RANGE_MIXES_CLASSES.finding(resource, "spec.last", message)
    for index, reservation in enumerate(spec.reservations):
        if not any(E164(reservation.number) in span for span in spec.spans):
            message = f"{E164(reservation.number).masked} is not a number of this range"
            path = f"spec.reservations[{index}].number"
            yield RESERVATION_OUTSIDE.finding(resource, path, message)


def check_number(resource: PhoneNumber) -> Iterator[Finding]:
    """Everything that one PhoneNumber shows by itself."""
    spec = resource.spec
    plan = plan_table.plan_of(spec.country)
    number = E164(spec.e164)
    if plan is None:
        yield _unknown_country(resource, spec.country)
    elif objection := plan.objection(number):
        yield NUMBER_NOT_IN_PLAN.finding(resource, "spec.e164", f"{number.masked} {objection}")
    if spec.release_acknowledgement and spec.release_policy is ReleasePolicy.KEEP:
        message = "has no effect while releasePolicy is Keep"
        path = "spec.releaseAcknowledgement"
        yield ACKNOWLEDGED_WITHOUT_RELEASE.finding(resource, path, message)


def _numbers_of(resource: NumberRange) -> Sequence[tuple[str, E164]]:
    spec = resource.spec
    if spec.numbers is not None:
        listed = enumerate(spec.numbers)
        return [(f"spec.numbers[{index}]", E164(number)) for index, number in listed]
    ends = (("spec.first", spec.first), ("spec.last", spec.last))
    return [(path, E164(number)) for path, number in ends if number is not None]


def _unknown_country(resource: NumberRange | PhoneNumber, country: str) -> Finding:
    known = ", ".join(sorted(plan_table.PLANS))
    message = f"there is no number plan for country {country}; known are {known}"
    return COUNTRY_UNKNOWN.finding(resource, "spec.country", message)

"""NumberRange: a block of numbers that we own, from which users get theirs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.call_terms import HostingAccountRef
from callplane.apis.constraints import Constraint
from callplane.apis.drift import Drift
from callplane.apis.fields import Count, Timestamp
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import NamespaceConsent, ObjectRef
from callplane.values import E164, NumberSpan

#: A range is searched and counted number by number, so it has an end.
RANGE_SIZE_MAX = 100_000
LISTED_NUMBERS_MAX = 1_000


class Route(StrEnum):
    """How calls of a number reach the telephone network."""

    DIRECT_ROUTING = "DirectRouting"
    CALLING_PLAN = "CallingPlan"
    OPERATOR_CONNECT = "OperatorConnect"
    FOREIGN_DIRECT_ROUTING = "ForeignDirectRouting"
    WEBEX = "Webex"
    SIP = "Sip"


#: Calls of these reach the platform over somebody else's network, past our SBC and its trunks.
#: Provisioning them is a bolt-on, and they have no part in a pool of minutes (R35).
FOREIGN_ROUTES = frozenset(
    {Route.CALLING_PLAN, Route.OPERATOR_CONNECT, Route.FOREIGN_DIRECT_ROUTING}
)


class NumberUse(StrEnum):
    """What a number is for: people, or services such as a queue."""

    USER = "User"
    SERVICE = "Service"


class Reservation(Model):
    """Keeps the number back from everybody but one."""

    holder: Annotated[
        fields.Text256 | None,
        Field(description="User principal name or object id of whom it is kept for."),
    ] = None
    until: Annotated[
        Timestamp | None,
        Field(description="When the reservation ends; never when left out."),
    ] = None
    reason: Annotated[fields.Text256, Field(description="Why it is kept back, for humans.")] = ""


class NumberReservation(Reservation):
    """A number of a range that allocation leaves alone."""

    number: Annotated[fields.E164Text, Field(description="The number that is kept back.")]


class Redirect(Model):
    """Where calls to a number go while it rests, until somebody has it again."""

    to: Annotated[
        fields.E164Text,
        Field(description="A number of ours that somebody has: a service's or a colleague's."),
    ]
    until: Annotated[
        Timestamp | None,
        Field(description="When the redirect ends; when it is taken out, if left out."),
    ] = None
    reason: Annotated[fields.Text256, Field(description="Why, for humans.")] = ""


class NumberRedirect(Redirect):
    """A number of a range whose calls go elsewhere while it rests."""

    number: Annotated[fields.E164Text, Field(description="The number that rests.")]


class Quarantine(Model):
    """The rest of a number after use."""

    days: Annotated[
        Count,
        Field(
            description="Days that a number rests before somebody else may have it. Default 90.",
            ge=0,
            le=3650,
        ),
    ] = 90


class LowStock(Model):
    """When to warn that few numbers are left; the warning shows where either limit is reached."""

    invariants = (
        Constraint(
            cel="has(self.minFree) || has(self.minFreePercent)",
            message="at least one of minFree or minFreePercent must be set",
            check=lambda low: low.min_free is not None or low.min_free_percent is not None,
        ),
    )

    min_free: Annotated[
        Count | None,
        Field(description="Warn below this many free numbers.", ge=0, le=RANGE_SIZE_MAX),
    ] = None
    min_free_percent: Annotated[
        Count | None,
        Field(description="Warn below this percentage of free numbers.", ge=0, le=100),
    ] = None


def _ends_are_ordered(spec: NumberRangeSpec) -> bool:
    if spec.first is None or spec.last is None:
        return True
    return len(spec.first) == len(spec.last) and spec.first <= spec.last


def _is_small_enough(spec: NumberRangeSpec) -> bool:
    if spec.first is None or spec.last is None or len(spec.first) != len(spec.last):
        return True
    return int(spec.last) - int(spec.first) < RANGE_SIZE_MAX


class NumberRangeSpec(Model):
    """The numbers, how they are routed and what may be done with them."""

    invariants = (
        Constraint(
            cel=(
                "(has(self.first) && has(self.last) && !has(self.numbers))"
                " || (!has(self.first) && !has(self.last) && has(self.numbers))"
            ),
            message="exactly one of first and last together or numbers must be set",
            check=lambda spec: (
                (spec.first is not None) == (spec.last is not None) == (spec.numbers is None)
            ),
            alternatives=(("first", "last"), ("numbers",)),
        ),
        Constraint(
            cel=(
                "!has(self.first) || !has(self.last) || (size(self.first) == size(self.last)"
                " && self.first <= self.last)"
            ),
            message="first must not be greater than last, and both must have the same length",
            field_path=".first",
            check=_ends_are_ordered,
        ),
        Constraint(
            cel=(
                "!has(self.first) || !has(self.last) || size(self.first) != size(self.last)"
                " || int(self.last.substring(1)) - int(self.first.substring(1))"
                f" < {RANGE_SIZE_MAX}"
            ),
            message=f"a range holds at most {RANGE_SIZE_MAX} numbers",
            field_path=".last",
            check=_is_small_enough,
        ),
        constraints.immutable("first", optional=True),
        constraints.set_once("carrier_ref"),
        constraints.unique_entries("numbers"),
        constraints.well_formed_keys("tags"),
        constraints.unique_entries("reservations", key="number"),
        constraints.unique_entries("interim_redirects", key="number"),
    )

    first: Annotated[
        fields.E164Text | None, Field(description="First number of the block. Immutable.")
    ] = None
    last: Annotated[
        fields.E164Text | None,
        Field(description="Last number of the block; it may grow, and shrink to live claims."),
    ] = None
    numbers: Annotated[
        tuple[fields.E164Text, ...] | None,
        Field(
            description="The numbers one by one, where they are no block.",
            min_length=1,
            max_length=LISTED_NUMBERS_MAX,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = None
    carrier_ref: Annotated[
        ObjectRef | None,
        Field(
            description=(
                "The carrier that has these numbers. May be added later; immutable once set."
            )
        ),
    ] = None
    route: Annotated[
        Route, Field(description="How calls of these numbers reach the telephone network.")
    ]
    use: Annotated[
        NumberUse, Field(description="Whether the numbers are for people or for services.")
    ] = NumberUse.USER
    country: Annotated[
        fields.Country, Field(description="Country whose number plan the numbers follow.")
    ] = "GB"
    reservations: Annotated[
        tuple[NumberReservation, ...],
        Field(
            description="Numbers that allocation leaves alone.",
            max_length=LISTED_NUMBERS_MAX,
            json_schema_extra=fields.list_map("number"),
        ),
    ] = ()
    interim_redirects: Annotated[
        tuple[NumberRedirect, ...],
        Field(
            description="Numbers whose holder has left, and who answers their calls meanwhile.",
            max_length=LISTED_NUMBERS_MAX,
            json_schema_extra=fields.list_map("number"),
        ),
    ] = ()
    quarantine: Annotated[Quarantine, Field(description="The rest of a number after use.")] = Field(
        default_factory=Quarantine
    )
    low_stock: Annotated[
        LowStock | None, Field(description="When to warn that few numbers are left.")
    ] = None
    emergency_location_ref: Annotated[
        ObjectRef | None,
        Field(description="Where holders of these numbers are, unless they say otherwise."),
    ] = None
    account_ref: HostingAccountRef = None
    site: Annotated[
        fields.DnsLabel | None, Field(description="Site that the numbers belong to.")
    ] = None
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    tags: Annotated[
        dict[fields.TagKey, fields.TagValue],
        Field(description="Free labels for reports.", max_length=32),
    ] = Field(default_factory=dict)
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(
            description="Other namespaces whose users may have these numbers; none when empty.",
            max_length=64,
        ),
    ] = ()

    @property
    def spans(self) -> tuple[NumberSpan, ...]:
        """The numbers as sorted spans. Raises ValueError for a spec that breaks its invariants."""
        if self.numbers is not None:
            listed = sorted(E164(number) for number in self.numbers)
            return tuple(NumberSpan(number, number) for number in listed)
        if self.first is None or self.last is None:
            raise ValueError("a range needs first and last, or numbers")
        return (NumberSpan(E164(self.first), E164(self.last)),)


class NumberRangeStatus(Status):
    """How many numbers there are and what they do."""

    total: Annotated[Count | None, Field(description="Numbers in the range.", ge=0)] = None
    free: Annotated[Count | None, Field(description="Numbers that anybody may get.", ge=0)] = None
    claimed: Annotated[Count | None, Field(description="Numbers that holders have.", ge=0)] = None
    reserved: Annotated[
        Count | None,
        Field(description="Numbers kept back: reserved, or redirected and at rest no more.", ge=0),
    ] = None
    quarantined: Annotated[
        Count | None, Field(description="Numbers that rest after use.", ge=0)
    ] = None
    redirected: Annotated[
        Count | None, Field(description="Resting numbers whose calls go elsewhere.", ge=0)
    ] = None
    days_to_empty: Annotated[
        Count | None,
        Field(
            description="Days until none is free, at the pace of the last month; with lowStock.",
            ge=0,
        ),
    ] = None
    at_carrier: Annotated[
        Count | None, Field(description="Numbers of the range that the carrier has for us.", ge=0)
    ] = None
    next_free: Annotated[
        fields.E164Text | None, Field(description="The number that would be given next.")
    ] = None
    drifted: Annotated[
        Count | None,
        Field(description="Numbers that differ at the carrier and are not written.", ge=0),
    ] = None
    drift: Annotated[
        tuple[Drift, ...],
        Field(
            description="Differences at the carrier that were seen and not written; the first 64.",
            max_length=64,
            json_schema_extra=fields.list_map("field"),
        ),
    ] = ()


class NumberRange(Resource):
    """A block of telephone numbers that users and services get theirs from."""

    kind: str = "NumberRange"
    spec: NumberRangeSpec
    status: NumberRangeStatus = Field(default_factory=NumberRangeStatus)


KIND = Kind(
    name="NumberRange",
    plural="numberranges",
    short_names=("nr",),
    model=NumberRange,
    columns=(
        Column("First", ".spec.first"),
        Column("Last", ".spec.last"),
        *READY_COLUMNS,
        Column("Free", ".status.free", type="integer"),
        Column("Quarantined", ".status.quarantined", type="integer"),
        Column("Total", ".status.total", type="integer"),
        Column("Route", ".spec.route", priority=1),
        MESSAGE,
        AGE,
    ),
)

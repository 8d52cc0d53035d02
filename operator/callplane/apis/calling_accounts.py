"""CallingAccount: who pays for calls, under which switches and up to which ceiling."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.constraints import Constraint
from callplane.apis.fields import Count, Day, Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import NamespaceConsent, ObjectRef, SecretKeyRef


class Enforcement(StrEnum):
    """Whether refusals are enforced or only written down."""

    OBSERVE = "Observe"
    ENFORCE = "Enforce"


class Overspend(StrEnum):
    """What happens to bundled calls when the pool is empty."""

    ALLOW = "Allow"
    BLOCK = "Block"


class WhenPoolEmpty(StrEnum):
    """Which calls of plan holders stop when the pool is empty and overspend is blocked."""

    BLOCK_ALL = "BlockAll"
    BLOCK_BUNDLED = "BlockBundled"


class OnExhaustion(StrEnum):
    """What happens to a call during which the pool runs dry."""

    FINISH = "Finish"
    CUT = "Cut"


class OnOutage(StrEnum):
    """What bundled calls do while nobody can count their minutes."""

    ALLOW = "Allow"
    REFUSE = "Refuse"


class OnNet(StrEnum):
    """How calls between our own numbers are charged."""

    FREE = "Free"
    RATE = "Rate"


class CapScope(StrEnum):
    """Which calls the cap of a day stops."""

    NEW = "New"
    NEW_AND_LIVE = "NewAndLive"


class TaxTreatment(StrEnum):
    """Why an account bears tax or none."""

    STANDARD = "Standard"
    REVERSE_CHARGE = "ReverseCharge"
    EXEMPT = "Exempt"
    OUT_OF_SCOPE = "OutOfScope"


class HostingStarts(StrEnum):
    """From when on a hosted number bears its fee."""

    ORDER = "Order"
    ACCEPTANCE = "Acceptance"
    ACTIVATION = "Activation"


class Grace(Model):
    """Uncharged time of calls during which the pool ran dry."""

    per_call: Annotated[
        fields.DurationText, Field(description="So long for one call. Default 60m.")
    ] = "60m"
    per_period_percent: Annotated[
        Count,
        Field(
            description="For all calls, so much of the month's minutes. Default 5.", ge=0, le=100
        ),
    ] = 5


class CallLimits(Model):
    """Limits against fraud. Emergency and exempt calls know none of them."""

    daily_cap: Annotated[
        fields.Amount, Field(description="Money that calls may cost in a day. Default 50.")
    ] = "50"
    daily_cap_scope: Annotated[
        CapScope, Field(description="New stops new calls; NewAndLive also ends those that are up.")
    ] = CapScope.NEW
    max_price_per_minute: Annotated[
        fields.Amount,
        Field(description="Dearer calls are refused unless a privilege says more. Default 0.20."),
    ] = "0.20"
    concurrent_calls: Annotated[
        Count | None, Field(description="Calls of the account at once.", ge=1, le=100_000)
    ] = None
    concurrent_calls_per_user: Annotated[
        Count, Field(description="Calls of one user at once. Default 2.", ge=1, le=10_000)
    ] = 2
    calls_per_minute_per_user: Annotated[
        Count, Field(description="Calls a user may begin in a minute. Default 10.", ge=1, le=10_000)
    ] = 10
    max_call: Annotated[fields.DurationText, Field(description="Longest call. Default 4h.")] = "4h"


class TaxRate(Model):
    """A rate of tax from a day on."""

    name: Annotated[fields.Text64, Field(description="As statements call it.", min_length=1)]
    percent: Annotated[fields.Percent, Field(description="The rate, like 20 or 17.5.")]
    effective_from: Annotated[Day, Field(description="First day of the rate.")]


class Tax(Model):
    """Tax on what is billed. Prices are without tax."""

    invariants = (constraints.unique_entries("rates", key="effective_from"),)

    treatment: Annotated[TaxTreatment, Field(description="Why the account bears tax or none.")] = (
        TaxTreatment.STANDARD
    )
    rates: Annotated[
        tuple[TaxRate, ...],
        Field(
            description="The rate and its days; without one no tax is computed.",
            max_length=32,
            json_schema_extra=fields.list_map("effectiveFrom"),
        ),
    ] = ()


class SeatFees(Model):
    """Monthly fees a user, by platform."""

    teams: Annotated[fields.Amount, Field(description="For a user in Teams.")] = "0"
    webex: Annotated[fields.Amount, Field(description="For a user in Webex.")] = "0"
    sip: Annotated[fields.Amount, Field(description="For a registered phone.")] = "0"
    pbx: Annotated[fields.Amount, Field(description="For a declared user of a PBX.")] = "0"


class Package(Model):
    """Monthly fees from a day on."""

    effective_from: Annotated[Day, Field(description="First day of these fees.")]
    platform_fee: Annotated[fields.Amount, Field(description="For the platform.")] = "0"
    hosting_fee: Annotated[fields.Amount, Field(description="For each hosted number.")] = "0"
    bolt_on_fee: Annotated[
        fields.Amount, Field(description="For provisioning over other carriers.")
    ] = "0"
    seat_fees: Annotated[SeatFees | None, Field(description="For each user.")] = None
    hosting_starts: Annotated[
        HostingStarts, Field(description="From when on a number bears its fee.")
    ] = HostingStarts.ACCEPTANCE


class NotificationTarget(Model):
    """Where notices are sent, beside Events and metrics."""

    name: Annotated[fields.DnsLabel, Field(description="Unique in this account.")]
    url: Annotated[fields.Url, Field(description="Address that gets a signed POST.")]
    secret_ref: Annotated[
        SecretKeyRef, Field(description="Where the key is that signs what is sent.")
    ]


def _is_bounded(spec: CallingAccountSpec) -> bool:
    spends = spec.pay_as_you_go or spec.rate_card_billing or spec.overspend is Overspend.ALLOW
    return not spends or (spec.ceiling is not None and spec.rate_card_ref is not None)


class CallingAccountSpec(Model):
    """The currency, the switches and the limits."""

    invariants = (
        constraints.immutable("currency"),
        constraints.immutable("time_zone", optional=True),
        Constraint(
            cel=(
                "!(self.payAsYouGo || self.rateCardBilling || self.overspend == 'Allow')"
                " || (has(self.ceiling) && has(self.rateCardRef))"
            ),
            message="overspend, rateCardBilling and payAsYouGo need a ceiling and a rateCardRef",
            check=_is_bounded,
        ),
        constraints.unique_entries("ceiling_notices"),
        constraints.unique_entries("pool_notices"),
        constraints.unique_entries("packages", key="effective_from"),
        constraints.unique_entries("notification_targets", key="name"),
    )

    currency: Annotated[fields.Currency, Field(description="Currency of every amount. Immutable.")]
    time_zone: Annotated[
        fields.TimeZone,
        Field(description="Where days and months begin. Default Europe/London. Immutable."),
    ] = "Europe/London"
    suspend: Annotated[Flag, Field(description="Stops outbound calls but exempt ones.")] = False
    enforcement: Annotated[
        Enforcement,
        Field(description="Observe writes down what would be refused and refuses nothing."),
    ] = Enforcement.ENFORCE
    overspend: Annotated[
        Overspend,
        Field(description="Whether bundled calls go on at the standard rate without minutes."),
    ] = Overspend.BLOCK
    rate_card_billing: Annotated[
        Flag, Field(description="Whether holders of a plan may call what no bundle covers.")
    ] = False
    pay_as_you_go: Annotated[
        Flag, Field(description="Whether people without a plan may call by the card.")
    ] = False
    rate_card_ref: Annotated[ObjectRef | None, Field(description="The standard rate.")] = None
    ceiling: Annotated[
        fields.Amount | None,
        Field(description="The most that calls of a month may cost. A raise counts at once."),
    ] = None
    ceiling_notices: Annotated[
        tuple[Annotated[Count, Field(ge=1, le=100)], ...],
        Field(
            description="Percentages of the ceiling at which a notice is given. Default 80.",
            max_length=10,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = (80,)
    pool_notices: Annotated[
        tuple[Annotated[Count, Field(ge=1, le=100)], ...],
        Field(
            description="Percentages of the minutes at which a notice is given.",
            max_length=10,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = (50, 80, 100)
    notification_targets: Annotated[
        tuple[NotificationTarget, ...],
        Field(
            description="Webhooks that are told of notices, each at most once.",
            max_length=5,
            json_schema_extra=fields.list_map("name"),
        ),
    ] = ()
    when_pool_empty: Annotated[
        WhenPoolEmpty,
        Field(description="Which calls of plan holders stop; exempt numbers never do."),
    ] = WhenPoolEmpty.BLOCK_ALL
    on_exhaustion: Annotated[
        OnExhaustion,
        Field(description="Whether a call goes on, uncharged, when the pool runs dry."),
    ] = OnExhaustion.FINISH
    grace: Annotated[Grace, Field(description="How long it may go on.")] = Field(
        default_factory=Grace
    )
    on_outage: Annotated[
        OnOutage,
        Field(description="Whether bundled calls may begin, for 10 minutes, during an outage."),
    ] = OnOutage.ALLOW
    on_net: Annotated[
        OnNet, Field(description="Whether calls between our own numbers are free.")
    ] = OnNet.FREE
    limits: Annotated[CallLimits, Field(description="Limits against fraud.")] = Field(
        default_factory=CallLimits
    )
    tax: Annotated[Tax, Field(description="Tax on what is billed.")] = Field(default_factory=Tax)
    packages: Annotated[
        tuple[Package, ...],
        Field(
            description="Monthly fees; the newest that has begun is in force.",
            max_length=32,
            json_schema_extra=fields.list_map("effectiveFrom"),
        ),
    ] = ()
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(
            description="Other namespaces whose users this account pays for; none when empty.",
            max_length=64,
        ),
    ] = ()


class CallingAccount(Resource):
    """Who pays for calls: switches, ceiling, limits, tax and fees."""

    kind: str = "CallingAccount"
    spec: CallingAccountSpec
    status: Status = Field(default_factory=Status)


KIND = Kind(
    name="CallingAccount",
    plural="callingaccounts",
    short_names=("acct",),
    model=CallingAccount,
    columns=(
        Column("Currency", ".spec.currency"),
        Column("Overspend", ".spec.overspend"),
        *READY_COLUMNS,
        Column("Ceiling", ".spec.ceiling"),
        Column("Enforcement", ".spec.enforcement", priority=1),
        MESSAGE,
        AGE,
    ),
)

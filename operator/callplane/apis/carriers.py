"""Carrier: an account with a carrier, whose numbers we look after; a connection."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import connections, constraints, fields
from callplane.apis.connections import ChangeLimits
from callplane.apis.constraints import Constraint
from callplane.apis.fields import Count, Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ManagementPolicy, NamespaceConsent, SecretKeyRef


class CarrierType(StrEnum):
    """Whose account it is."""

    SIMWOOD = "Simwood"
    TELNYX = "Telnyx"
    TWILIO = "Twilio"
    DIDWW = "Didww"
    BRING_YOUR_OWN = "BringYourOwn"


class Commercial(StrEnum):
    """Who pays the carrier: we for our customer, or the customer by themselves."""

    HOSTED = "Hosted"
    BRING_YOUR_OWN = "BringYourOwn"


class CarrierCredentials(Model):
    """How we sign in to the account."""

    user: Annotated[
        fields.Text256, Field(description="User or key name, where the carrier has one.")
    ] = ""
    secret_ref: Annotated[
        SecretKeyRef, Field(description="Where the password, token or API key is.")
    ]


class CarrierEndpoint(Model):
    """An address other than the carrier's public one; a simulator, for instance."""

    url: Annotated[fields.Url, Field(description="Base address of the carrier's interface.")]
    ca_bundle: Annotated[
        str | None,
        Field(
            description="Certificates (PEM) to trust beside the system's for this address.",
            max_length=65536,
        ),
    ] = None


class Trunk(Model):
    """Where the carrier sends calls of our numbers: at our session border controllers."""

    name: Annotated[
        fields.Text256, Field(description="Id or name of the trunk, as the carrier has it.")
    ] = ""
    endpoints: Annotated[
        tuple[fields.SipEndpoint, ...],
        Field(
            description=(
                "SIP addresses in the order in which they are tried, for carriers that route a "
                "number by address; %e164 stands for the number."
            ),
            max_length=8,
        ),
    ] = ()


class PurchaseLimit(Model):
    """What may be bought without asking a human; above it a purchase waits for an approval."""

    numbers: Annotated[
        Count,
        Field(
            description=(
                "Most numbers that the account may own, those on order included. Default 0: every "
                "purchase waits."
            ),
            ge=0,
            le=1_000_000,
        ),
    ] = 0
    setup: Annotated[
        fields.Amount | None,
        Field(description="Most that one number may cost to set up, where the search tells it."),
    ] = None
    monthly: Annotated[
        fields.Amount | None,
        Field(description="Most that one number may cost a month, where the search tells it."),
    ] = None


class Purchasing(Model):
    """Whether numbers are bought from here at all."""

    enabled: Annotated[
        Flag, Field(description="Buy and port numbers. Default false: nothing costs money.")
    ] = False
    limit: Annotated[
        PurchaseLimit, Field(description="What may be bought without asking a human.")
    ] = Field(default_factory=PurchaseLimit)


class HostingFee(Model):
    """What we charge for keeping a number, each month."""

    amount: Annotated[
        fields.Amount, Field(description="Amount in the currency's main unit, in quotes.")
    ]
    currency: Annotated[fields.Currency, Field(description="Currency code.")] = "GBP"


class CarrierSpec(Model):
    """An account, how to reach it and how carefully to use it."""

    invariants = (
        constraints.immutable("type"),
        constraints.immutable("account"),
        Constraint(
            cel="self.type == 'BringYourOwn' || has(self.credentials)",
            message="credentials must be set, except for type BringYourOwn",
            field_path=".credentials",
            check=lambda spec: (
                spec.type is CarrierType.BRING_YOUR_OWN or spec.credentials is not None
            ),
        ),
        Constraint(
            cel=(
                "self.type != 'BringYourOwn' || !has(self.commercial)"
                " || self.commercial == 'BringYourOwn'"
            ),
            message="type BringYourOwn is commercially BringYourOwn too",
            field_path=".commercial",
            check=lambda spec: (
                spec.type is not CarrierType.BRING_YOUR_OWN
                or spec.commercial in (None, Commercial.BRING_YOUR_OWN)
            ),
        ),
        Constraint(
            cel=(
                "self.type != 'BringYourOwn' || !has(self.purchasing)"
                " || !has(self.purchasing.enabled) || !self.purchasing.enabled"
            ),
            message="numbers cannot be bought from a carrier of type BringYourOwn",
            field_path=".purchasing.enabled",
            check=lambda spec: (
                spec.type is not CarrierType.BRING_YOUR_OWN or not spec.purchasing.enabled
            ),
        ),
        connections.DRIFT_INTERVAL_BOUNDS,
    )

    type: Annotated[CarrierType, Field(description="Which carrier. Immutable.")]
    commercial: Annotated[
        Commercial | None,
        Field(
            description=(
                "Who pays the carrier. Default Hosted, and BringYourOwn for type BringYourOwn."
            )
        ),
    ] = None
    account: Annotated[
        fields.AccountId,
        Field(description="Account id at the carrier; any name of yours. Immutable."),
    ]
    credentials: Annotated[
        CarrierCredentials | None, Field(description="How we sign in to the account.")
    ] = None
    endpoint: Annotated[
        CarrierEndpoint | None, Field(description="An address other than the public one.")
    ] = None
    trunk: Annotated[
        Trunk | None,
        Field(description="Where calls of our numbers go; not managed when left out."),
    ] = None
    purchasing: Annotated[
        Purchasing, Field(description="Whether numbers are bought from here at all.")
    ] = Field(default_factory=Purchasing)
    hosting_fee: Annotated[
        HostingFee | None, Field(description="What we charge for keeping a number, each month.")
    ] = None
    deletion_lock: Annotated[
        Flag,
        Field(description="Lock our numbers against deletion, where the carrier can. Default on."),
    ] = True
    writes_per_second: Annotated[
        Count, Field(description="Most writes a second. Default 1.", ge=1, le=1000)
    ] = 1
    drift_reads_per_second: Annotated[Count, connections.most_drift_reads(2)] = 2
    max_in_flight: Annotated[Count, connections.most_in_flight(2)] = 2
    drift_interval: Annotated[fields.DurationText, connections.time_between_listings("1h")] = "1h"
    change_limits: connections.LimitsOfChanges = Field(default_factory=ChangeLimits)
    management_policy: Annotated[
        ManagementPolicy,
        Field(description="Manage writes to the account; Observe only plans and reports."),
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all writes to the account.")] = False
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(
            description="Other namespaces whose numbers may be at this carrier; none when empty.",
            max_length=64,
        ),
    ] = ()

    @property
    def drift_interval_seconds(self) -> float:
        return fields.duration_seconds(self.drift_interval)

    @property
    def who_pays(self) -> Commercial:
        """Who pays the carrier, the default filled in."""
        if self.commercial is not None:
            return self.commercial
        is_own = self.type is CarrierType.BRING_YOUR_OWN
        return Commercial.BRING_YOUR_OWN if is_own else Commercial.HOSTED


class CarrierStatus(Status):
    """How the account is doing."""

    last_observed_time: connections.LastObservedTime = None
    owned: Annotated[Count | None, Field(description="Numbers that the account owns.", ge=0)] = None
    ordering: Annotated[
        Count | None, Field(description="Numbers on order or being ported in.", ge=0)
    ] = None
    balance: Annotated[
        fields.Text64 | None, Field(description="What can be spent now, with its currency.")
    ] = None
    commercial: Annotated[
        Commercial | None, Field(description="Who pays the carrier, the default filled in.")
    ] = None
    unsupported: Annotated[
        tuple[fields.Text64, ...],
        Field(description="What this carrier cannot do.", max_length=16),
    ] = ()
    held_changes: connections.HeldChanges = None
    held_batches: connections.HeldBatches = ()
    installation: Annotated[fields.Text64 | None, connections.installation_of("account")] = None
    epoch: Annotated[Count | None, connections.epoch_of("account")] = None
    register_sequence: connections.RegisterSequence = None


class Carrier(Resource):
    """An account with a carrier, whose numbers Callplane looks after."""

    kind: str = "Carrier"
    spec: CarrierSpec
    status: CarrierStatus = Field(default_factory=CarrierStatus)


KIND = Kind(
    name="Carrier",
    plural="carriers",
    short_names=("car",),
    model=Carrier,
    columns=(
        Column("Type", ".spec.type"),
        Column("Account", ".spec.account"),
        *READY_COLUMNS,
        Column("Owned", ".status.owned", type="integer"),
        Column("Held", ".status.heldChanges", type="integer"),
        Column("Balance", ".status.balance"),
        Column("Commercial", ".status.commercial", priority=1),
        MESSAGE,
        AGE,
    ),
    is_connection=True,
)

"""PhoneNumber: one number stated by itself, outside any range."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.call_terms import HostingAccountRef
from callplane.apis.constraints import Constraint
from callplane.apis.drift import Drift
from callplane.apis.fields import Flag, Timestamp
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.number_ranges import NumberUse, Quarantine, Redirect, Reservation, Route
from callplane.apis.references import (
    ConnectionRef,
    NamespaceConsent,
    ObjectRef,
    SecretKeyRef,
)


class Acquisition(StrEnum):
    """How we come by the number."""

    OWNED = "Owned"
    ORDER = "Order"
    PORT_IN = "PortIn"


class ReleasePolicy(StrEnum):
    """Whether the number may ever be given back to its carrier."""

    KEEP = "Keep"
    RELEASE = "Release"


class NumberState(StrEnum):
    """Where a number is in its life, as the register says."""

    FREE = "Free"
    RESERVED = "Reserved"
    CLAIMED = "Claimed"
    ASSIGNED = "Assigned"
    TRANSFERRING = "Transferring"
    QUARANTINED = "Quarantined"
    ORDERING = "Ordering"
    PORTING_IN = "PortingIn"
    RELEASE_PENDING = "ReleasePending"
    RELEASED = "Released"


class ReleaseAcknowledgement(Model):
    """The second key of a release: a human repeats the number and names a date."""

    number: Annotated[fields.E164Text, Field(description="The number, written out once more.")]
    date: Annotated[fields.Day, Field(description="The day of the acknowledgement.")]


class PortInTerms(Model):
    """What another carrier has to be told so that it lets a number go."""

    losing_carrier: Annotated[
        fields.Text64,
        Field(description="Code of the carrier that has the number; CUPID in the UK."),
    ] = ""
    losing_carrier_name: Annotated[
        fields.Text256, Field(description="Name of the carrier that has the number.")
    ] = ""
    account: Annotated[
        fields.Text64, Field(description="Account number there, exactly as that carrier has it.")
    ] = ""
    postcode: Annotated[
        fields.Text64, Field(description="Billing postcode there, exactly as that carrier has it.")
    ] = ""
    contact_email: Annotated[
        fields.Text256, Field(description="Who answers questions about the port.")
    ]
    authorisation_code_ref: Annotated[
        SecretKeyRef | None,
        Field(description="Where the porting code (PAC) of a mobile number is, in the namespace."),
    ] = None
    wanted_on: Annotated[
        fields.Day | None, Field(description="The day on which the number should come over.")
    ] = None
    not_before: Annotated[
        fields.Day | None, Field(description="The port is not asked for before this day.")
    ] = None
    resubmits: Annotated[
        fields.Text64,
        Field(description="The carrier's id of a refused port that this one corrects."),
    ] = ""


class PhoneNumberSpec(Model):
    """The number, how it is routed and whether it may ever be given back."""

    invariants = (
        constraints.immutable("e164"),
        constraints.set_once("carrier_ref"),
        Constraint(
            cel=("!has(self.acquisition) || self.acquisition == 'Owned' || has(self.carrierRef)"),
            message="carrierRef must say where the number is ordered or ported to",
            field_path=".carrierRef",
            check=lambda spec: (
                spec.acquisition is Acquisition.OWNED or spec.carrier_ref is not None
            ),
        ),
        Constraint(
            cel=("(has(self.acquisition) && self.acquisition == 'PortIn') == has(self.portIn)"),
            message="portIn must be set for acquisition PortIn, and only then",
            field_path=".portIn",
            check=lambda spec: (
                (spec.acquisition is Acquisition.PORT_IN) == (spec.port_in is not None)
            ),
        ),
        Constraint(
            cel=(
                "!has(self.releaseAcknowledgement)"
                " || self.releaseAcknowledgement.number == self.e164"
            ),
            message="releaseAcknowledgement.number must repeat e164",
            field_path=".releaseAcknowledgement.number",
            check=lambda spec: (
                spec.release_acknowledgement is None
                or spec.release_acknowledgement.number == spec.e164
            ),
        ),
        constraints.well_formed_keys("tags"),
    )

    e164: Annotated[fields.E164Text, Field(description="The number. Immutable.")]
    acquisition: Annotated[
        Acquisition,
        Field(
            description=(
                "How we come by the number. Owned: it is ours already. Order buys it from the "
                "carrier, PortIn brings it from another carrier."
            )
        ),
    ] = Acquisition.OWNED
    carrier_ref: Annotated[
        ObjectRef | None,
        Field(
            description=(
                "The carrier that has the number, or is to have it. May be added later; immutable "
                "once set."
            )
        ),
    ] = None
    port_in: Annotated[
        PortInTerms | None, Field(description="What the carrier that has the number is told.")
    ] = None
    route: Annotated[
        Route, Field(description="How calls of the number reach the telephone network.")
    ]
    use: Annotated[
        NumberUse, Field(description="Whether the number is for a person or for a service.")
    ] = NumberUse.USER
    country: Annotated[
        fields.Country, Field(description="Country whose number plan the number follows.")
    ] = "GB"
    reservation: Annotated[
        Reservation | None, Field(description="Keeps the number back from everybody but one.")
    ] = None
    interim_redirect: Annotated[
        Redirect | None,
        Field(description="Who answers its calls while it rests after its holder has left."),
    ] = None
    quarantine: Annotated[Quarantine, Field(description="The rest of the number after use.")] = (
        Field(default_factory=Quarantine)
    )
    emergency_location_ref: Annotated[
        ObjectRef | None,
        Field(description="Where the holder of the number is, unless they say otherwise."),
    ] = None
    account_ref: HostingAccountRef = None
    release_policy: Annotated[
        ReleasePolicy,
        Field(
            description=(
                "Keep never gives the number back. Release does so after the quarantine, once it "
                "is acknowledged."
            )
        ),
    ] = ReleasePolicy.KEEP
    release_acknowledgement: Annotated[
        ReleaseAcknowledgement | None,
        Field(description="The second key of a release; it names the number and a date."),
    ] = None
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    tags: Annotated[
        dict[fields.TagKey, fields.TagValue],
        Field(description="Free labels for reports.", max_length=32),
    ] = Field(default_factory=dict)
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(
            description="Other namespaces whose users may have the number; none when empty.",
            max_length=64,
        ),
    ] = ()


class DeclaredBy(Model):
    """The object that declares the holder of a number."""

    kind: Annotated[fields.Text64, Field(description="Kind of the object.")]
    namespace: Annotated[fields.DnsLabel, Field(description="Namespace of the object.")]
    name: Annotated[fields.DnsName, Field(description="Name of the object.")]


class OrderProgress(Model):
    """How far an order, or a port, has come."""

    reference: Annotated[fields.Text64, Field(description="Our reference at the carrier.")] = ""
    state: Annotated[
        fields.Text64,
        Field(description="Drafted, Submitted, Pending, Dated, Correctable, Accepted, Rejected."),
    ] = ""
    carrier_id: Annotated[fields.Text256, Field(description="The carrier's own id of it.")] = ""
    due_on: Annotated[
        fields.Day | None, Field(description="The day that a port is agreed or wanted for.")
    ] = None
    detail: Annotated[fields.Text1024, Field(description="The carrier's own words.")] = ""
    code: Annotated[fields.Text64, Field(description="The carrier's own code.")] = ""


class AtCarrier(Model):
    """What the carrier says of the number."""

    state: Annotated[
        fields.Text64,
        Field(description="Active, Pending, Blocked, Leaving, Unknown or NotOwned."),
    ] = ""
    state_text: Annotated[fields.Text256, Field(description="The carrier's own word for it.")] = ""
    trunk: Annotated[fields.Text256, Field(description="Trunk that its calls go to.")] = ""
    emergency_address: Annotated[
        Flag | None, Field(description="Whether the carrier has an emergency address for it.")
    ] = None
    deletion_locked: Annotated[
        Flag | None, Field(description="Whether it is locked against deletion there.")
    ] = None
    monthly_fee: Annotated[
        fields.Text64, Field(description="What the carrier takes for it each month.")
    ] = ""


class PhoneNumberStatus(Status):
    """Where the number is in its life and who has it."""

    state: Annotated[NumberState | None, Field(description="Where the number is in its life.")] = (
        None
    )
    connection: Annotated[
        ConnectionRef | None, Field(description="The connection on which it is assigned.")
    ] = None
    held_by: Annotated[
        DeclaredBy | None, Field(description="The object that declares its holder.")
    ] = None
    quarantined_until: Annotated[
        Timestamp | None, Field(description="When its rest ends, while it rests.")
    ] = None
    redirected_to: Annotated[
        fields.E164Text | None, Field(description="Where its calls go while it rests.")
    ] = None
    carrier: Annotated[
        AtCarrier | None, Field(description="What the carrier says of the number.")
    ] = None
    order: Annotated[OrderProgress | None, Field(description="How far its order has come.")] = None
    port_in: Annotated[OrderProgress | None, Field(description="How far its port has come.")] = None
    candidates: Annotated[
        tuple[fields.E164Text, ...],
        Field(description="What a search found in place of a number that was sold.", max_length=10),
    ] = ()
    release_needs: Annotated[
        tuple[fields.Text256, ...],
        Field(description="What a release still needs, each key by itself.", max_length=16),
    ] = ()
    drift: Annotated[
        tuple[Drift, ...],
        Field(
            description="Differences at the carrier that were seen and not written.",
            max_length=16,
            json_schema_extra=fields.list_map("field"),
        ),
    ] = ()


class PhoneNumber(Resource):
    """One telephone number stated by itself, for a person or a service to have."""

    kind: str = "PhoneNumber"
    spec: PhoneNumberSpec
    status: PhoneNumberStatus = Field(default_factory=PhoneNumberStatus)


KIND = Kind(
    name="PhoneNumber",
    plural="phonenumbers",
    short_names=("pn",),
    model=PhoneNumber,
    columns=(
        Column("Number", ".spec.e164"),
        Column("State", ".status.state"),
        *READY_COLUMNS,
        Column("Held-By", ".status.heldBy.name"),
        Column("Route", ".spec.route", priority=1),
        MESSAGE,
        AGE,
    ),
)

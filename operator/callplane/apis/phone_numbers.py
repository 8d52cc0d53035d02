"""PhoneNumber: one number stated by itself, outside any range."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.constraints import Constraint
from callplane.apis.fields import Timestamp
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.number_ranges import NumberUse, Quarantine, Reservation, Route
from callplane.apis.references import ConnectionRef, NamespaceConsent, ObjectRef


class Acquisition(StrEnum):
    """How we come by the number."""

    OWNED = "Owned"


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


class PhoneNumberSpec(Model):
    """The number, how it is routed and whether it may ever be given back."""

    invariants = (
        constraints.immutable("e164"),
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
        Acquisition, Field(description="How we come by the number; Owned: it is ours already.")
    ] = Acquisition.OWNED
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
    quarantine: Annotated[Quarantine, Field(description="The rest of the number after use.")] = (
        Field(default_factory=Quarantine)
    )
    emergency_location_ref: Annotated[
        ObjectRef | None,
        Field(description="Where the holder of the number is, unless they say otherwise."),
    ] = None
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

"""WebexUser: a person in Webex Calling, with number, extension, licence and what they may dial."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from callplane.apis import constraints, fields
from callplane.apis.call_terms import PLAN_NEEDS_ACCOUNT, AccountRef, CallingPlanRef
from callplane.apis.constraints import Constraint
from callplane.apis.drift import DriftOfHolder
from callplane.apis.fields import Count, Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ConnectionRef, ManagementPolicy, ObjectRef
from callplane.apis.teams_users import NumberOnUser, OnDelete, PhoneNumberSource

LocationName = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class CallerId(StrEnum):
    """What people who are called see."""

    DIRECT_LINE = "DirectLine"
    LOCATION_NUMBER = "LocationNumber"


class NewPerson(Model):
    """Names of a person who is to be created."""

    first_name: Annotated[fields.Text64, Field(description="First name.", min_length=1)]
    last_name: Annotated[fields.Text64, Field(description="Last name.", min_length=1)]


class WebexUserSpec(Model):
    """A person and what they should have. What is left out is not managed."""

    invariants = (
        constraints.exactly_one("email", "person_id"),
        constraints.immutable("organization_ref"),
        constraints.immutable("person_id", optional=True),
        Constraint(
            cel="!has(self.create) || has(self.email)",
            message="create needs email",
            field_path=".create",
            check=lambda spec: spec.create is None or spec.email is not None,
        ),
        PLAN_NEEDS_ACCOUNT,
    )

    organization_ref: Annotated[
        ObjectRef, Field(description="The WebexOrganization that the person is in. Immutable.")
    ]
    email: Annotated[
        fields.UserName | None,
        Field(
            description=(
                "The person's address. It may change only to another address of the same person."
            )
        ),
    ] = None
    person_id: Annotated[
        fields.WebexId | None, Field(description="The person's id in Webex. Immutable.")
    ] = None
    create: Annotated[
        NewPerson | None,
        Field(
            description=(
                "Create the person when the organisation has nobody of that address. Leave it out "
                "where a directory brings people in. Nobody is ever deleted."
            )
        ),
    ] = None
    location: Annotated[
        LocationName | None,
        Field(
            description=(
                "Name of the Webex location that the person calls from; needed for whoever gets a "
                "number. Webex cannot move a person who has Calling to another one."
            )
        ),
    ] = None
    licence: Annotated[
        fields.Text64 | None,
        Field(
            description=(
                "Name of the Calling licence, whole or what follows its dash, like Professional. "
                "Left out: any will do, and who has none gets Professional with a number."
            )
        ),
    ] = None
    phone_number: Annotated[
        PhoneNumberSource | None,
        Field(description="The person's number. Left out: observed, never changed."),
    ] = None
    extension: Annotated[
        fields.Extension | None,
        Field(description="Extension, without the location's routing prefix."),
    ] = None
    caller_id: Annotated[
        CallerId | None,
        Field(description="The number that people who are called see."),
    ] = None
    account_ref: AccountRef = None
    calling_plan_ref: CallingPlanRef = None
    call_privilege_ref: Annotated[
        ObjectRef | None,
        Field(
            description=(
                "What the person may dial. Webex itself hears of International, Premium and "
                "DirectoryEnquiries; it tells no other destinations apart."
            )
        ),
    ] = None
    emergency_location_ref: Annotated[
        ObjectRef | None,
        Field(
            description=(
                "Where the person is, for emergency calls; else as the range says. In Webex this "
                "is the address of the location, so its webexLocation must be that one."
            )
        ),
    ] = None
    on_delete: Annotated[
        OnDelete,
        Field(
            description=(
                "When the object is deleted: Quarantine takes the number away and lets it rest; "
                "Detach leaves everything as it is."
            )
        ),
    ] = OnDelete.QUARANTINE
    management_policy: Annotated[
        ManagementPolicy,
        Field(description="Manage writes; Observe only plans and reports."),
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all writes for this person.")] = False


class WebexUserStatus(Status):
    """What the person has."""

    connection: Annotated[
        ConnectionRef | None, Field(description="The connection that works this object.")
    ] = None
    person_id: Annotated[
        fields.WebexId | None, Field(description="The person's id in Webex, once resolved.")
    ] = None
    phone_number: Annotated[
        NumberOnUser | None, Field(description="The primary number that the person has.")
    ] = None
    direct_numbers: Annotated[
        Count | None,
        Field(description="Direct numbers assigned to the person, alternates included.", ge=0),
    ] = None
    extension: Annotated[
        fields.Text64 | None, Field(description="The extension that the person has.")
    ] = None
    location: Annotated[
        fields.Text256 | None, Field(description="The location that the number is at.")
    ] = None
    licence: Annotated[
        fields.Text256 | None, Field(description="The Calling licence that the person has.")
    ] = None
    drift: DriftOfHolder = ()


class WebexUser(Resource):
    """A person in Webex Calling, with the number and the calling settings they should have."""

    kind: str = "WebexUser"
    spec: WebexUserSpec
    status: WebexUserStatus = Field(default_factory=WebexUserStatus)


KIND = Kind(
    name="WebexUser",
    plural="webexusers",
    short_names=("wu",),
    model=WebexUser,
    columns=(
        Column("User", ".spec.email"),
        Column("Number", ".status.phoneNumber.e164"),
        Column("Extension", ".status.extension"),
        *READY_COLUMNS,
        Column("Synced", '.status.conditions[?(@.type=="Synced")].status', priority=1),
        Column("Direct", ".status.directNumbers", type="integer", priority=1),
        MESSAGE,
        AGE,
    ),
)

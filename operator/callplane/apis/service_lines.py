"""ServiceLine: an inbound number on a service, such as an auto attendant or a queue."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from callplane.apis import constraints, fields
from callplane.apis.call_terms import AccountRef
from callplane.apis.drift import DriftOfHolder
from callplane.apis.fields import Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ConnectionRef, ManagementPolicy, ObjectRef
from callplane.apis.teams_users import NumberOnUser, OnDelete, PhoneNumberSource

ServiceName = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class WebexServiceKind(StrEnum):
    """Services of Webex Calling that have numbers."""

    AUTO_ATTENDANT = "AutoAttendant"
    CALL_QUEUE = "CallQueue"
    HUNT_GROUP = "HuntGroup"


class TeamsService(Model):
    """A resource account in Teams, behind which an auto attendant or call queue stands."""

    tenant_ref: Annotated[ObjectRef, Field(description="The TeamsTenant that the account is in.")]
    user_principal_name: Annotated[
        fields.UserName, Field(description="User principal name of the resource account.")
    ]


class WebexService(Model):
    """A service in Webex Calling."""

    organization_ref: Annotated[
        ObjectRef, Field(description="The WebexOrganization that the service is in.")
    ]
    service: Annotated[WebexServiceKind, Field(description="What kind of service it is.")]
    name: Annotated[ServiceName, Field(description="Name of the service.")]


class SipService(Model):
    """A SIP address that the SBC sends calls to, such as a conference bridge or a recorder."""

    sbc_ref: Annotated[
        ObjectRef, Field(description="The SessionBorderController that sends the calls.")
    ]
    uri: Annotated[
        fields.SipUri,
        Field(description="The address, like sip:desk@192.0.2.65:5060; the SBC resolves no names."),
    ]


class ServiceLineSpec(Model):
    """A service and the number it is called by. It receives calls and makes none."""

    invariants = (
        constraints.exactly_one("teams", "webex", "sip"),
        constraints.immutable("teams", optional=True),
        constraints.immutable("webex", optional=True),
        constraints.immutable("sip", optional=True),
    )

    teams: Annotated[
        TeamsService | None, Field(description="A resource account in Teams. Immutable.")
    ] = None
    webex: Annotated[
        WebexService | None, Field(description="A service in Webex Calling. Immutable.")
    ] = None
    sip: Annotated[
        SipService | None, Field(description="A SIP address behind the SBC. Immutable.")
    ] = None
    phone_number: Annotated[
        PhoneNumberSource | None,
        Field(
            description=(
                "The number, of a range or PhoneNumber for services. Left out: observed, never "
                "changed."
            )
        ),
    ] = None
    emergency_location_ref: Annotated[
        ObjectRef | None,
        Field(description="Where the service is, for systems that want it with a number."),
    ] = None
    account_ref: AccountRef = None
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
        ManagementPolicy, Field(description="Manage writes; Observe only plans and reports.")
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all writes for this service.")] = False


class ServiceLineStatus(Status):
    """What the service has."""

    connection: Annotated[
        ConnectionRef | None, Field(description="The connection that works this object.")
    ] = None
    holder_id: Annotated[
        fields.Text256 | None, Field(description="Id of the service in its system.")
    ] = None
    phone_number: Annotated[
        NumberOnUser | None, Field(description="The number that the service has.")
    ] = None
    drift: DriftOfHolder = ()


class ServiceLine(Resource):
    """An inbound number on a service: in Teams, in Webex or at a SIP address."""

    kind: str = "ServiceLine"
    spec: ServiceLineSpec
    status: ServiceLineStatus = Field(default_factory=ServiceLineStatus)


KIND = Kind(
    name="ServiceLine",
    plural="servicelines",
    short_names=("sl",),
    model=ServiceLine,
    columns=(
        Column("Number", ".status.phoneNumber.e164"),
        *READY_COLUMNS,
        MESSAGE,
        AGE,
    ),
)

"""EmergencyLocation: a civic address that emergency services are sent to, and its ids elsewhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from callplane.apis import fields
from callplane.apis.fields import Count
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import NamespaceConsent

RequiredText = Annotated[fields.Text256, Field(min_length=1)]


class CivicAddress(Model):
    """An address as the emergency services need it."""

    organisation: Annotated[
        fields.Text256 | None, Field(description="Name of the organisation at the address.")
    ] = None
    building: Annotated[
        fields.Text256 | None, Field(description="Name or number of the building.")
    ] = None
    street: Annotated[RequiredText, Field(description="Street.")]
    locality: Annotated[
        fields.Text256 | None, Field(description="Village or part of the town.")
    ] = None
    town: Annotated[RequiredText, Field(description="Post town.")]
    county: Annotated[fields.Text256 | None, Field(description="County.")] = None
    postcode: Annotated[fields.Text64, Field(description="Postcode.", min_length=2)]
    country: Annotated[fields.Country, Field(description="Country code.")] = "GB"


class EmergencyLocationSpec(Model):
    """The address and its id in each system that knows it."""

    address: Annotated[CivicAddress, Field(description="Where help is sent to.")]
    place: Annotated[
        fields.Text256 | None, Field(description="Floor, wing or room within the address.")
    ] = None
    teams_location_id: Annotated[
        fields.Guid | None,
        Field(
            description=(
                "Id of this location in Teams. Locations are made in the Teams admin centre or "
                "PowerShell; Microsoft Graph cannot make them."
            )
        ),
    ] = None
    webex_location: Annotated[
        fields.Text256 | None,
        Field(
            description=(
                "Name of the Webex location with this address. Webex sends the address of the "
                "location that a number is at."
            )
        ),
    ] = None
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(
            description="Other namespaces that may refer to this location; none when empty.",
            max_length=64,
        ),
    ] = ()


class Coverage(Model):
    """Who relies on the location."""

    ranges: Annotated[Count, Field(description="Ranges that name it.", ge=0)] = 0
    numbers: Annotated[Count, Field(description="PhoneNumbers that name it.", ge=0)] = 0
    users: Annotated[Count, Field(description="People that name it.", ge=0)] = 0
    accepted: Annotated[
        Count,
        Field(description="Numbers in use that a platform shows with it, as last listed.", ge=0),
    ] = 0


class EmergencyLocationStatus(Status):
    """Who relies on the location and which systems know it."""

    coverage: Annotated[Coverage | None, Field(description="Who relies on the location.")] = None
    teams_location_id: Annotated[
        fields.Guid | None, Field(description="The id in Teams that is in use.")
    ] = None
    webex_location: Annotated[
        fields.Text256 | None, Field(description="The Webex location that is in use.")
    ] = None


class EmergencyLocation(Resource):
    """An address that emergency services are sent to, with its id in each system."""

    kind: str = "EmergencyLocation"
    spec: EmergencyLocationSpec
    status: EmergencyLocationStatus = Field(default_factory=EmergencyLocationStatus)


KIND = Kind(
    name="EmergencyLocation",
    plural="emergencylocations",
    short_names=("el",),
    model=EmergencyLocation,
    columns=(
        Column("Town", ".spec.address.town"),
        Column("Postcode", ".spec.address.postcode"),
        *READY_COLUMNS,
        Column("Users", ".status.coverage.users", type="integer"),
        Column("Teams-Id", ".spec.teamsLocationId", priority=1),
        MESSAGE,
        AGE,
    ),
)

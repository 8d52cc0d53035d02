"""ProviderIncident: somebody else's outage, shown on what it touches, with our writes frozen."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.constraints import Constraint
from callplane.apis.fields import Count, Timestamp
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ConnectionRef


class Freeze(StrEnum):
    """Which writes stop while the incident lasts."""

    DESTRUCTIVE = "Destructive"
    ALL = "All"
    NONE = "None"


class IncidentUpdate(Model):
    """One piece of news."""

    time: Annotated[Timestamp, Field(description="When the news came.")]
    text: Annotated[fields.Text1024, Field(description="The news.", min_length=1)]


class ProviderIncidentSpec(Model):
    """Whose outage it is, since when, and what we stop meanwhile."""

    invariants = (
        constraints.immutable("connection_ref"),
        Constraint(
            cel="!has(self.resolvedAt) || timestamp(self.resolvedAt) >= timestamp(self.since)",
            message="resolvedAt must not be before since",
            field_path=".resolvedAt",
            check=lambda spec: spec.resolved_at is None or spec.resolved_at >= spec.since,
        ),
    )

    connection_ref: Annotated[
        ConnectionRef,
        Field(description="The connection that suffers, in this namespace. Immutable."),
    ]
    scope: Annotated[
        fields.Text256, Field(description="What is affected, in the provider's words.")
    ] = ""
    text: Annotated[
        fields.Text1024, Field(description="What has happened, in a sentence.", min_length=1)
    ]
    since: Annotated[Timestamp, Field(description="When it began.")]
    resolved_at: Annotated[
        Timestamp | None,
        Field(description="When it ended. The freeze ends with it, or with the object."),
    ] = None
    updates: Annotated[
        tuple[IncidentUpdate, ...],
        Field(description="News, oldest first.", max_length=100),
    ] = ()
    freeze: Annotated[
        Freeze,
        Field(
            description=(
                "Destructive stops removals and replacements; All stops every write; None only "
                "shows the incident."
            )
        ),
    ] = Freeze.DESTRUCTIVE


class ProviderIncidentStatus(Status):
    """What the incident touches."""

    affected_objects: Annotated[
        Count | None, Field(description="Objects that show the incident.", ge=0)
    ] = None
    frozen_changes: Annotated[
        Count | None,
        Field(description="Changes that wait for the end of the incident.", ge=0),
    ] = None


class ProviderIncident(Resource):
    """An outage at a provider: shown on affected objects, with destructive changes paused."""

    kind: str = "ProviderIncident"
    spec: ProviderIncidentSpec
    status: ProviderIncidentStatus = Field(default_factory=ProviderIncidentStatus)


KIND = Kind(
    name="ProviderIncident",
    plural="providerincidents",
    short_names=("pi",),
    model=ProviderIncident,
    columns=(
        Column("Connection", ".spec.connectionRef.name"),
        Column("Freeze", ".spec.freeze"),
        *READY_COLUMNS,
        Column("Since", ".spec.since", type="date"),
        Column("Resolved", ".spec.resolvedAt", type="date"),
        Column("Text", ".spec.text", priority=1),
        MESSAGE,
        AGE,
    ),
)

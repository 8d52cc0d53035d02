"""WebexOrganization: a Webex organisation in which we give people numbers; a connection."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from callplane.apis import connections, constraints, fields
from callplane.apis.connections import ChangeLimits
from callplane.apis.fields import Count, Flag, Timestamp
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ConnectionConsent, ManagementPolicy, SecretKeyRef


class ServiceAppCredentials(Model):
    """A service app that an administrator of the organisation has authorised."""

    client_id: Annotated[
        str,
        Field(description="Client id of the service app.", min_length=1, max_length=128),
    ]
    client_secret_ref: Annotated[
        SecretKeyRef, Field(description="Where the client secret of the service app is.")
    ]
    refresh_token_ref: Annotated[
        SecretKeyRef,
        Field(description="Where the refresh token is that its authorisation in Control Hub gave."),
    ]


class WebexCredentials(Model):
    """How we sign in to the organisation."""

    service_app: Annotated[
        ServiceAppCredentials, Field(description="Sign in as an authorised service app.")
    ]


class WebexEndpoint(Model):
    """Addresses other than Cisco's public ones; a simulator, for instance."""

    api: Annotated[
        fields.Url, Field(description="Base address of the Webex API, with the version.")
    ] = "https://webexapis.com/v1"
    ca_bundle: Annotated[
        str | None,
        Field(
            description="Certificates (PEM) to trust beside the system's for this address.",
            max_length=65536,
        ),
    ] = None


class WebexOrganizationSpec(Model):
    """An organisation, how to reach it and how carefully to change it."""

    invariants = (
        constraints.immutable("org_id"),
        connections.DRIFT_INTERVAL_BOUNDS,
    )

    org_id: Annotated[
        fields.Guid,
        Field(description="Organisation id, as Control Hub shows it. Immutable."),
    ]
    credentials: Annotated[
        WebexCredentials, Field(description="How we sign in to the organisation.")
    ]
    endpoint: Annotated[
        WebexEndpoint, Field(description="Addresses other than Cisco's public ones.")
    ] = Field(default_factory=WebexEndpoint)
    writes_per_second: Annotated[
        Count,
        Field(description="Most writes a second to the organisation. Default 3.", ge=1, le=1000),
    ] = 3
    reads_per_second: Annotated[
        Count,
        Field(description="Most reads a second from the organisation. Default 10.", ge=1, le=1000),
    ] = 10
    drift_reads_per_second: Annotated[Count, connections.most_drift_reads(5)] = 5
    max_in_flight: Annotated[Count, connections.most_in_flight(4)] = 4
    drift_interval: Annotated[fields.DurationText, connections.time_between_listings("10m")] = "10m"
    change_limits: connections.LimitsOfChanges = Field(default_factory=ChangeLimits)
    management_policy: Annotated[
        ManagementPolicy,
        Field(description="Manage writes to the organisation; Observe only plans and reports."),
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all writes to the organisation.")] = False
    allowed_namespaces: Annotated[
        tuple[ConnectionConsent, ...],
        Field(
            description="Other namespaces that may use this organisation; none when empty.",
            max_length=64,
        ),
    ] = ()

    @property
    def drift_interval_seconds(self) -> float:
        return fields.duration_seconds(self.drift_interval)


class WebexSnapshotSummary(Model):
    """What the last complete listing held."""

    numbers: Annotated[Count, Field(description="Numbers in the organisation.", ge=0)] = 0
    users: Annotated[Count, Field(description="People in the organisation.", ge=0)] = 0
    user_configurations: Annotated[
        Count, Field(description="People whose calling settings were listed.", ge=0)
    ] = 0
    complete: Annotated[
        Flag, Field(description="False while the listing is incomplete or suspect.")
    ] = False


class WebexOrganizationStatus(Status):
    """How the organisation is doing."""

    last_observed_time: connections.LastObservedTime = None
    snapshot: Annotated[
        WebexSnapshotSummary | None, Field(description="What that listing held.")
    ] = None
    credentials_expire_at: Annotated[
        Timestamp | None,
        Field(
            description=(
                "When the refresh token ends unless it is used before; the condition "
                "CredentialsExpiring warns from 14 days ahead."
            )
        ),
    ] = None
    users: Annotated[
        Count | None, Field(description="WebexUsers declared on this organisation.", ge=0)
    ] = None
    claims: Annotated[
        Count | None, Field(description="Numbers claimed by holders of this organisation.", ge=0)
    ] = None
    foreign: connections.Foreign = None
    orphaned: connections.Orphaned = None
    held_changes: connections.HeldChanges = None
    held_batches: connections.HeldBatches = ()
    installation: Annotated[fields.Text64 | None, connections.installation_of("organisation")] = (
        None
    )
    epoch: Annotated[Count | None, connections.epoch_of("organisation")] = None
    register_sequence: connections.RegisterSequence = None


class WebexOrganization(Resource):
    """A Webex organisation in which Callplane gives people numbers and calling settings."""

    kind: str = "WebexOrganization"
    spec: WebexOrganizationSpec
    status: WebexOrganizationStatus = Field(default_factory=WebexOrganizationStatus)


KIND = Kind(
    name="WebexOrganization",
    plural="webexorganizations",
    short_names=("wo",),
    model=WebexOrganization,
    columns=(
        Column("Organization", ".spec.orgId"),
        *READY_COLUMNS,
        Column("Users", ".status.users", type="integer"),
        Column("Held", ".status.heldChanges", type="integer"),
        Column("Observed", ".status.lastObservedTime", type="date"),
        Column("Credentials", ".status.credentialsExpireAt", priority=1),
        Column("Policy", ".spec.managementPolicy", priority=1),
        MESSAGE,
        AGE,
    ),
    is_connection=True,
)

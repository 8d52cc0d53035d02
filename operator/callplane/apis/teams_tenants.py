"""TeamsTenant: a Microsoft 365 tenant in which we assign numbers and policies; a connection."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import connections, constraints, fields
from callplane.apis.connections import ChangeLimits
from callplane.apis.fields import Count, Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ConnectionConsent, ManagementPolicy, SecretKeyRef


class Entitlement(StrEnum):
    """Number types of another supplier, whose automation is a bolt-on."""

    CALLING_PLAN = "CallingPlan"
    OPERATOR_CONNECT = "OperatorConnect"
    FOREIGN_DIRECT_ROUTING = "ForeignDirectRouting"


class ClientSecretCredentials(Model):
    """An application that proves itself with a client secret."""

    client_id: Annotated[fields.Guid, Field(description="Application (client) id.")]
    secret_ref: Annotated[SecretKeyRef, Field(description="Where the client secret is.")]


class CertificateCredentials(Model):
    """An application that proves itself with a certificate."""

    client_id: Annotated[fields.Guid, Field(description="Application (client) id.")]
    secret_ref: Annotated[
        SecretKeyRef, Field(description="Where the certificate with its private key (PFX) is.")
    ]
    passphrase_ref: Annotated[
        SecretKeyRef | None, Field(description="Where the passphrase of the private key is.")
    ] = None


class WorkloadIdentityCredentials(Model):
    """An application that trusts the operator's own service account (federated identity)."""

    client_id: Annotated[fields.Guid, Field(description="Application (client) id.")]
    token_file: Annotated[
        fields.TokenFile | None,
        Field(
            description=(
                "File with the projected token, in a folder that the operator's settings allow; "
                "the operator's own token file when left out."
            )
        ),
    ] = None


class TeamsCredentials(Model):
    """How we sign in to the tenant."""

    invariants = (constraints.exactly_one("client_secret", "certificate", "workload_identity"),)

    client_secret: Annotated[
        ClientSecretCredentials | None, Field(description="Sign in with a client secret.")
    ] = None
    certificate: Annotated[
        CertificateCredentials | None, Field(description="Sign in with a certificate.")
    ] = None
    workload_identity: Annotated[
        WorkloadIdentityCredentials | None,
        Field(description="Sign in with the operator's federated identity."),
    ] = None


class TeamsEndpoint(Model):
    """Addresses other than Microsoft's public ones; a simulator, for instance."""

    graph: Annotated[
        fields.Url, Field(description="Base address of Microsoft Graph, without the version.")
    ] = "https://graph.microsoft.com"
    authority: Annotated[
        fields.Url, Field(description="Base address of the token service, without the tenant.")
    ] = "https://login.microsoftonline.com"
    ca_bundle: Annotated[
        str | None,
        Field(
            description="Certificates (PEM) to trust beside the system's for these addresses.",
            max_length=65536,
        ),
    ] = None


class PolicyAssignment(Model):
    """One Teams policy by type and name."""

    type: Annotated[fields.PolicyType, Field(description="Policy type, like TeamsCallingPolicy.")]
    name: Annotated[
        fields.PolicyName,
        Field(description="Policy name; empty removes the direct assignment."),
    ]


class TeamsTenantSpec(Model):
    """A tenant, how to reach it and how carefully to change it."""

    invariants = (
        constraints.immutable("tenant_id"),
        constraints.unique_entries("default_policies", key="type"),
        constraints.unique_entries("entitlements"),
        connections.DRIFT_INTERVAL_BOUNDS,
    )

    tenant_id: Annotated[fields.Guid, Field(description="Directory (tenant) id. Immutable.")]
    credentials: Annotated[TeamsCredentials, Field(description="How we sign in to the tenant.")]
    endpoint: Annotated[
        TeamsEndpoint, Field(description="Addresses other than Microsoft's public ones.")
    ] = Field(default_factory=TeamsEndpoint)
    writes_per_second: Annotated[
        Count,
        Field(description="Most writes a second to the tenant. Default 3.", ge=1, le=1000),
    ] = 3
    reads_per_second: Annotated[
        Count,
        Field(description="Most reads a second from the tenant. Default 10.", ge=1, le=1000),
    ] = 10
    drift_reads_per_second: Annotated[Count, connections.most_drift_reads(5)] = 5
    max_in_flight: Annotated[Count, connections.most_in_flight(4)] = 4
    drift_interval: Annotated[fields.DurationText, connections.time_between_listings("10m")] = "10m"
    default_policies: Annotated[
        tuple[PolicyAssignment, ...],
        Field(
            description="Policies for every TeamsUser of this tenant that does not name the type.",
            max_length=32,
            json_schema_extra=fields.list_map("type"),
        ),
    ] = ()
    entitlements: Annotated[
        tuple[Entitlement, ...],
        Field(
            description=(
                "Number types that may be automated beside our own. Ranges of a type that is not "
                "named are observed and never written."
            ),
            max_length=3,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = ()
    change_limits: connections.LimitsOfChanges = Field(default_factory=ChangeLimits)
    management_policy: Annotated[
        ManagementPolicy,
        Field(description="Manage writes to the tenant; Observe only plans and reports."),
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all writes to the tenant.")] = False
    allowed_namespaces: Annotated[
        tuple[ConnectionConsent, ...],
        Field(
            description="Other namespaces that may use this tenant; none when empty.",
            max_length=64,
        ),
    ] = ()

    @property
    def drift_interval_seconds(self) -> float:
        return fields.duration_seconds(self.drift_interval)


class SnapshotSummary(Model):
    """What the last complete listing held."""

    numbers: Annotated[Count, Field(description="Numbers in the tenant.", ge=0)] = 0
    users: Annotated[Count, Field(description="Users in the directory.", ge=0)] = 0
    user_configurations: Annotated[Count, Field(description="Users that Teams knows.", ge=0)] = 0
    complete: Annotated[
        Flag, Field(description="False while the listing is incomplete or suspect.")
    ] = False


class TeamsTenantStatus(Status):
    """How the tenant is doing."""

    last_observed_time: connections.LastObservedTime = None
    snapshot: Annotated[SnapshotSummary | None, Field(description="What that listing held.")] = None
    users: Annotated[
        Count | None, Field(description="TeamsUsers declared on this tenant.", ge=0)
    ] = None
    claims: Annotated[
        Count | None, Field(description="Numbers claimed by holders of this tenant.", ge=0)
    ] = None
    foreign: connections.Foreign = None
    orphaned: connections.Orphaned = None
    held_changes: connections.HeldChanges = None
    held_batches: connections.HeldBatches = ()
    installation: Annotated[fields.Text64 | None, connections.installation_of("tenant")] = None
    epoch: Annotated[Count | None, connections.epoch_of("tenant")] = None
    register_sequence: connections.RegisterSequence = None


class TeamsTenant(Resource):
    """A Microsoft 365 tenant in which Callplane assigns numbers and policies to people."""

    kind: str = "TeamsTenant"
    spec: TeamsTenantSpec
    status: TeamsTenantStatus = Field(default_factory=TeamsTenantStatus)


KIND = Kind(
    name="TeamsTenant",
    plural="teamstenants",
    short_names=("tt",),
    model=TeamsTenant,
    columns=(
        Column("Tenant", ".spec.tenantId"),
        *READY_COLUMNS,
        Column("Users", ".status.users", type="integer"),
        Column("Held", ".status.heldChanges", type="integer"),
        Column("Observed", ".status.lastObservedTime", type="date"),
        Column("Policy", ".spec.managementPolicy", priority=1),
        MESSAGE,
        AGE,
    ),
    is_connection=True,
)

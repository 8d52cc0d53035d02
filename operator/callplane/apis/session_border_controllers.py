"""SessionBorderController: the SBC at which phones register and PBXes are connected; a connection.

Nobody signs in to it from here. What it is to do is rendered into its configuration and asked of
call control, so the register of numbers is itself the record of what its lines have.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from callplane.apis import connections, constraints, fields
from callplane.apis.connections import ChangeLimits
from callplane.apis.fields import Count, Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ManagementPolicy, NamespaceConsent


class SessionBorderControllerSpec(Model):
    """The domain of its lines, and how carefully they are changed."""

    #: Nobody signs in, and nothing of somebody else's is written or listed: these are no settings.
    credentials: ClassVar[None] = None
    endpoint: ClassVar[None] = None
    writes_per_second: ClassVar[int] = 1000
    drift_reads_per_second: ClassVar[int] = 1000
    max_in_flight: ClassVar[int] = 64
    drift_interval_seconds: ClassVar[float] = 600.0

    invariants = (constraints.immutable("domain"),)

    domain: Annotated[
        fields.SipDomain,
        Field(
            description=(
                "The SIP domain that phones register in: the realm of their digests. Immutable."
            )
        ),
    ]
    change_limits: connections.LimitsOfChanges = Field(default_factory=ChangeLimits)
    management_policy: Annotated[
        ManagementPolicy, Field(description="Manage changes lines; Observe only plans and reports.")
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all changes of lines.")] = False
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(
            description="Other namespaces that may have lines here; none when empty.",
            max_length=64,
        ),
    ] = ()


class LinesSummary(Model):
    """What the register holds for the SBC."""

    numbers: Annotated[Count, Field(description="Numbers that its lines have.", ge=0)] = 0
    users: Annotated[Count, Field(description="Lines that were looked at.", ge=0)] = 0
    user_configurations: Annotated[Count, Field(description="The same lines.", ge=0)] = 0
    complete: Annotated[Flag, Field(description="False until the register was read.")] = False


class SessionBorderControllerStatus(Status):
    """How its lines are doing."""

    last_observed_time: connections.LastObservedTime = None
    snapshot: Annotated[
        LinesSummary | None, Field(description="What the register holds for the SBC.")
    ] = None
    users: Annotated[
        Count | None, Field(description="Phones and trunks declared on this SBC.", ge=0)
    ] = None
    claims: Annotated[
        Count | None, Field(description="Numbers claimed by lines of this SBC.", ge=0)
    ] = None
    foreign: connections.Foreign = None
    orphaned: connections.Orphaned = None
    held_changes: connections.HeldChanges = None
    held_batches: connections.HeldBatches = ()
    installation: Annotated[fields.Text64 | None, connections.installation_of("SBC")] = None
    epoch: Annotated[Count | None, connections.epoch_of("SBC")] = None
    register_sequence: connections.RegisterSequence = None


class SessionBorderController(Resource):
    """An SBC at which phones register, PBXes are connected and SIP addresses are reached."""

    kind: str = "SessionBorderController"
    spec: SessionBorderControllerSpec
    status: SessionBorderControllerStatus = Field(default_factory=SessionBorderControllerStatus)


KIND = Kind(
    name="SessionBorderController",
    plural="sessionbordercontrollers",
    short_names=("sbc",),
    model=SessionBorderController,
    columns=(
        Column("Domain", ".spec.domain"),
        *READY_COLUMNS,
        Column("Lines", ".status.users", type="integer"),
        Column("Claims", ".status.claims", type="integer"),
        Column("Held", ".status.heldChanges", type="integer"),
        Column("Policy", ".spec.managementPolicy", priority=1),
        MESSAGE,
        AGE,
    ),
    is_connection=True,
)

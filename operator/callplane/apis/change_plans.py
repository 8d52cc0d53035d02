"""ChangePlan: a batch of gated changes that waits for a human; written by the operator only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.fields import Count, Flag, Timestamp
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.phone_numbers import DeclaredBy
from callplane.apis.references import ConnectionRef

#: More changes than this are counted here and printed whole by `callplane plan show`.
INLINE_CHANGES_MAX = 200


class HoldReason(StrEnum):
    """The limit that a batch ran into."""

    MAX_COUNT = "MaxCount"
    MAX_PERCENT = "MaxPercent"
    MAX_PERCENT_OF_RANGE = "MaxPercentOfRange"
    IRREVERSIBLE = "Irreversible"


class PlanState(StrEnum):
    """What has become of a batch."""

    HELD = "Held"
    APPROVED = "Approved"
    DETACHED = "Detached"
    COMPLETED = "Completed"
    WITHDRAWN = "Withdrawn"


class ChangeSubject(Model):
    """Who or what a change is about, as the provider knows it."""

    platform: Annotated[fields.Text64, Field(description="Platform of the subject.")]
    id: Annotated[fields.Text256, Field(description="The platform's immutable id, or the number.")]


class PlannedChange(Model):
    """One change of the batch."""

    id: Annotated[fields.Hex64, Field(description="Change id: a hash of what the change does.")]
    operation: Annotated[fields.Text64, Field(description="What is done.")]
    subject: Annotated[ChangeSubject, Field(description="Who or what it is done to.")]
    before: Annotated[
        dict[fields.Text64, fields.Text256] | None,
        Field(alias="from", description="What is there now.", max_length=8),
    ] = None
    after: Annotated[
        dict[fields.Text64, fields.Text256] | None,
        Field(alias="to", description="What will be there.", max_length=8),
    ] = None
    irreversible: Annotated[Flag, Field(description="True when the change cannot be undone.")] = (
        False
    )
    declared_by: Annotated[
        DeclaredBy | None, Field(description="The object that asks for the change.")
    ] = None
    summary: Annotated[
        fields.Text1024, Field(description="The change in one line, for humans.")
    ] = ""


class OperationCount(Model):
    """How many changes of one operation a batch holds."""

    operation: Annotated[fields.Text64, Field(description="What is done.")]
    count: Annotated[Count, Field(description="How often.", ge=0)]


class ChangePlanSpec(Model):
    """The batch as it was frozen; it never changes."""

    invariants = (
        constraints.immutable_whole("a plan is frozen; a new batch is a new ChangePlan"),
        constraints.unique_entries("counts", key="operation"),
        constraints.unique_entries("changes", key="id"),
    )

    connection_ref: Annotated[
        ConnectionRef, Field(description="The connection that would change, in this namespace.")
    ]
    digest: Annotated[
        fields.Digest, Field(description="Approval digest: a hash of the change ids.")
    ]
    closed_at: Annotated[Timestamp | None, Field(description="When the batch was frozen.")] = None
    limits_exceeded: Annotated[
        tuple[HoldReason, ...],
        Field(
            description="The limits that the batch ran into.",
            max_length=4,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = ()
    explanation: Annotated[
        fields.Text1024, Field(description="The limits with their figures, for humans.")
    ] = ""
    total: Annotated[Count, Field(description="Changes in the batch.", ge=1)]
    counts: Annotated[
        tuple[OperationCount, ...],
        Field(
            description="Changes by operation.",
            max_length=32,
            json_schema_extra=fields.list_map("operation"),
        ),
    ] = ()
    changes: Annotated[
        tuple[PlannedChange, ...],
        Field(
            description=(
                f"The first {INLINE_CHANGES_MAX} changes; `callplane plan show DIGEST` prints all."
            ),
            max_length=INLINE_CHANGES_MAX,
            json_schema_extra=fields.list_map("id"),
        ),
    ] = ()


class ChangePlanStatus(Status):
    """What has become of the batch."""

    state: Annotated[PlanState | None, Field(description="What has become of the batch.")] = None
    pending: Annotated[Count | None, Field(description="Changes that still wait.", ge=0)] = None
    approved: Annotated[Count | None, Field(description="Changes approved and not run.", ge=0)] = (
        None
    )
    done: Annotated[Count | None, Field(description="Changes that have run.", ge=0)] = None
    withdrawn: Annotated[
        Count | None, Field(description="Changes that nothing asks for any more.", ge=0)
    ] = None
    stale: Annotated[
        Count | None, Field(description="Changes whose starting point had moved.", ge=0)
    ] = None
    approved_by: Annotated[
        tuple[fields.Text256, ...],
        Field(
            description="Names of the ChangeApprovals that count.",
            max_length=32,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = ()


class ChangePlan(Resource):
    """Gated changes that wait for a human; the operator writes it, a ChangeApproval answers it."""

    kind: str = "ChangePlan"
    spec: ChangePlanSpec
    status: ChangePlanStatus = Field(default_factory=ChangePlanStatus)


KIND = Kind(
    name="ChangePlan",
    plural="changeplans",
    short_names=("cp",),
    model=ChangePlan,
    columns=(
        Column("Connection", ".spec.connectionRef.name"),
        Column("State", ".status.state"),
        Column("Changes", ".spec.total", type="integer"),
        Column("Pending", ".status.pending", type="integer"),
        Column("Digest", ".spec.digest"),
        *(Column(column.name, column.json_path, priority=1) for column in READY_COLUMNS),
        MESSAGE,
        AGE,
    ),
)

"""ChangeApproval: one human answer to gated changes; it counts in its connection's namespace."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.fields import Count, Timestamp
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ConnectionRef

CHANGE_IDS_MAX = 2_000

#: An approval is an answer to what was just seen; `expiresAt` lies at most this far ahead.
APPROVAL_DAYS_MAX = 7


class Decision(StrEnum):
    """The answer."""

    APPROVE = "Approve"
    DETACH = "Detach"


class ChangeApprovalSpec(Model):
    """The answer and what it is about; it never changes."""

    invariants = (
        constraints.exactly_one("digest", "change_ids"),
        constraints.immutable_whole("an approval cannot be changed; make another one"),
        constraints.unique_entries("change_ids"),
    )

    connection_ref: Annotated[
        ConnectionRef, Field(description="The connection that may change, in this namespace.")
    ]
    digest: Annotated[
        fields.Digest | None, Field(description="Digest of an existing ChangePlan.")
    ] = None
    change_ids: Annotated[
        tuple[fields.Hex64, ...] | None,
        Field(
            description="The changes one by one, as `callplane plan --approval` writes them.",
            min_length=1,
            max_length=CHANGE_IDS_MAX,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = None
    decision: Annotated[
        Decision,
        Field(
            description=(
                "Approve lets the changes run. Detach lets the objects go and leaves every "
                "number where it is."
            )
        ),
    ]
    approved_by: Annotated[
        fields.Text256,
        Field(description="Who answers; the user who makes the object.", min_length=1),
    ]
    expires_at: Annotated[
        Timestamp,
        Field(description=f"When the answer ends; at most {APPROVAL_DAYS_MAX} days ahead."),
    ]
    reason: Annotated[fields.Text1024, Field(description="Why, for the record.")] = ""


class ChangeApprovalStatus(Status):
    """What the answer has let through."""

    matched: Annotated[Count | None, Field(description="Changes that the answer covers.", ge=0)] = (
        None
    )
    consumed: Annotated[
        Count | None, Field(description="Changes that have run by this answer.", ge=0)
    ] = None
    unknown: Annotated[
        Count | None, Field(description="Change ids that nothing proposes.", ge=0)
    ] = None


class ChangeApproval(Resource):
    """One human answer to gated changes: Approve or Detach."""

    kind: str = "ChangeApproval"
    spec: ChangeApprovalSpec
    status: ChangeApprovalStatus = Field(default_factory=ChangeApprovalStatus)


KIND = Kind(
    name="ChangeApproval",
    plural="changeapprovals",
    short_names=("ca",),
    model=ChangeApproval,
    columns=(
        Column("Connection", ".spec.connectionRef.name"),
        Column("Decision", ".spec.decision"),
        Column("By", ".spec.approvedBy"),
        *READY_COLUMNS,
        Column("Consumed", ".status.consumed", type="integer"),
        Column("Expires", ".spec.expiresAt"),
        MESSAGE,
        AGE,
    ),
)

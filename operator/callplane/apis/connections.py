"""What every connection has in its spec and its status, whatever it connects to.

The fields are types with their descriptions and not a base class, so that each kind keeps its own
order of fields; `engine.connection_status` reads the first and writes the second.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from callplane.apis import fields
from callplane.apis.constraints import Constraint
from callplane.apis.fields import Count, Timestamp
from callplane.apis.model import Model

# Spec

DRIFT_INTERVAL_BOUNDS = Constraint(
    cel=(
        "!has(self.driftInterval) || (duration(self.driftInterval) >= duration('1s')"
        " && duration(self.driftInterval) <= duration('168h'))"
    ),
    message="driftInterval must be between 1s and 168h",
    field_path=".driftInterval",
    check=lambda spec: 1 <= spec.drift_interval_seconds <= 168 * 3600,
)


def most_drift_reads(default: int) -> Any:
    """The field of a spec that bounds the reads of drift checks."""
    return Field(
        description=f"Most reads a second for periodic drift checks. Default {default}.",
        ge=1,
        le=1000,
    )


def most_in_flight(default: int) -> Any:
    """The field of a spec that bounds requests that are open at one time."""
    return Field(description=f"Most requests open at one time. Default {default}.", ge=1, le=256)


def time_between_listings(default: str) -> Any:
    """The field of a spec with the pause between two listings."""
    text = f"Time between two full listings that look for drift. Default {default}."
    return Field(description=text)


class ChangeLimits(Model):
    """The gate: how much may be removed or replaced before a human is asked."""

    invariants = (
        Constraint(
            cel=(
                "duration(has(self.settle) ? self.settle : '5s')"
                " <= duration(has(self.settleMax) ? self.settleMax : '60s')"
            ),
            message="settle must not be longer than settleMax",
            field_path=".settle",
            check=lambda limits: limits.settle_seconds <= limits.settle_max_seconds,
        ),
    )

    max_count: Annotated[
        Count,
        Field(
            description="Gated changes that may run unapproved within the window. Default 25.",
            ge=0,
            le=1_000_000,
        ),
    ] = 25
    max_percent: Annotated[
        Count,
        Field(
            description="The same, in percent of the claims of a connection or range. Default 10.",
            ge=0,
            le=100,
        ),
    ] = 10
    floor: Annotated[
        Count,
        Field(
            description="Up to this many changes the percentage is not looked at. Default 5.",
            ge=0,
            le=1_000_000,
        ),
    ] = 5
    window: Annotated[
        fields.DurationText,
        Field(description="How far back unapproved changes are counted. Default 24h."),
    ] = "24h"
    settle: Annotated[
        fields.DurationText,
        Field(description="Quiet time after the last change that closes a batch. Default 5s."),
    ] = "5s"
    settle_max: Annotated[
        fields.DurationText,
        Field(description="Time after the first change that closes a batch. Default 60s."),
    ] = "60s"

    @property
    def window_seconds(self) -> float:
        return fields.duration_seconds(self.window)

    @property
    def settle_seconds(self) -> float:
        return fields.duration_seconds(self.settle)

    @property
    def settle_max_seconds(self) -> float:
        return fields.duration_seconds(self.settle_max)


LimitsOfChanges = Annotated[
    ChangeLimits,
    Field(description="How much may be removed or replaced before a human is asked."),
]

# Status


class HeldBatch(Model):
    """A batch of changes that waits for a human."""

    digest: Annotated[fields.Digest, Field(description="Approval digest of the batch.")]
    plan: Annotated[fields.Text256, Field(description="Name of its ChangePlan.")] = ""
    changes: Annotated[Count, Field(description="Changes in the batch.", ge=0)] = 0
    since: Annotated[Timestamp | None, Field(description="When the batch was closed.")] = None


LastObservedTime = Annotated[
    Timestamp | None, Field(description="When the last complete listing began.")
]
Foreign = Annotated[
    Count | None, Field(description="Assigned numbers that nothing declares.", ge=0)
]
Orphaned = Annotated[
    Count | None, Field(description="Claims whose declaring object is gone.", ge=0)
]
HeldChanges = Annotated[Count | None, Field(description="Changes that wait for an approval.", ge=0)]
HeldBatches = Annotated[
    tuple[HeldBatch, ...],
    Field(
        description="The batches that wait for an approval, oldest first.",
        max_length=32,
        json_schema_extra=fields.list_map("digest"),
    ),
]
RegisterSequence = Annotated[
    Count | None,
    Field(
        description="Last event of the number register, mirrored to tell a restored database.",
        ge=0,
    ),
]


def installation_of(word: str) -> Any:
    """The field of a status that names the cluster; `word` is what messages call the connection."""
    return Field(description=f"Cluster that holds this {word}.")


def epoch_of(word: str) -> Any:
    """The field of a status with the leader's epoch."""
    return Field(description=f"Epoch of the leader that holds this {word}.", ge=0)

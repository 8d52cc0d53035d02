"""The base of every API model: frozen, camelCase outside, snake_case inside, all described."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from callplane.apis.constraints import Constraint

GROUP = "callplane.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Model(BaseModel):
    """Unknown fields are ignored here; `parsing.parse_strict` forbids them for files."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        protected_namespaces=(),
    )

    invariants: ClassVar[tuple[Constraint, ...]] = ()

    def to_manifest(self) -> dict[str, Any]:
        """The JSON form with camelCase keys; unset optional fields are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Metadata(Model):
    """The part of Kubernetes' ObjectMeta that we read; the rest is listed, not refused."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    finalizers: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    generate_name: str | None = None
    self_link: str | None = None
    owner_references: Any = None
    managed_fields: Any = None


class Condition(Model):
    """One entry of `status.conditions`, as the Kubernetes API conventions define it."""

    type: Annotated[
        str,
        Field(
            description="What the condition is about, such as Ready or Stalled.",
            max_length=64,
            pattern="^[A-Z][A-Za-z]*$",
        ),
    ]
    status: Annotated[
        str,
        Field(
            description="True, False or Unknown.",
            json_schema_extra={"enum": ["True", "False", "Unknown"]},
            max_length=7,
        ),
    ]
    observed_generation: Annotated[
        int | None,
        Field(description="The generation of the spec that the condition speaks of.", ge=-1),
    ] = None
    last_transition_time: Annotated[
        datetime | None, Field(description="When `status` last changed.")
    ] = None
    reason: Annotated[
        str,
        Field(
            description="One word for the cause, stable across versions.",
            max_length=64,
            pattern="^([A-Z][A-Za-z0-9]*)?$",
        ),
    ] = ""
    message: Annotated[
        str, Field(description="The cause in a sentence, for a human.", max_length=4096)
    ] = ""


class Status(Model):
    """What every kind reports."""

    observed_generation: Annotated[
        int, Field(description="The generation last acted on; -1 before the first pass.", ge=-1)
    ] = -1
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            description=(
                "Ready is always present; Reconciling and Stalled only while true; Synced, "
                "Drifted, Suspended and ProviderIncident where they say something."
            ),
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    last_handled_reconcile_at: Annotated[
        str | None,
        Field(
            description="Annotation callplane.dev/reconcile-requested-at, as last acted on.",
            max_length=128,
        ),
    ] = None

    def condition(self, condition_type: str) -> Condition | None:
        """The condition of that type, or None when it is absent."""
        return next((entry for entry in self.conditions if entry.type == condition_type), None)


class Resource(Model):
    """A whole object: what users write, what the server keeps, what we report.

    Subclasses narrow `spec` and `status`. Objects built in code may leave the type out.
    """

    api_version: str = API_VERSION
    kind: str = ""
    metadata: Metadata = Field(default_factory=Metadata)

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def generation(self) -> int:
        return self.metadata.generation

    @property
    def is_being_deleted(self) -> bool:
        return self.metadata.deletion_timestamp is not None

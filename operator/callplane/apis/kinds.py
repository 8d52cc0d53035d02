"""What the registry and the CRD generator know of a kind beside its model."""

from __future__ import annotations

from dataclasses import dataclass

from callplane.apis.model import API_VERSION, GROUP, Resource


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column; those of priority 1 show only with `kubectl get -o wide`."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of the API: its names, its model and how kubectl prints it.

    `is_connection` marks the kinds that stand for an external system; `is_referable` those that
    other objects name and that therefore carry `allowedNamespaces`.
    """

    name: str
    plural: str
    short_names: tuple[str, ...]
    model: type[Resource]
    columns: tuple[Column, ...]
    is_connection: bool = False

    @property
    def singular(self) -> str:
        return self.name.lower()

    @property
    def crd_name(self) -> str:
        return f"{self.plural}.{GROUP}"

    @property
    def api_version(self) -> str:
        return API_VERSION

    @property
    def is_referable(self) -> bool:
        spec = self.model.model_fields["spec"].annotation
        return "allowed_namespaces" in getattr(spec, "model_fields", {})


READY_COLUMNS = (
    Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
    Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
)
MESSAGE = Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1)
AGE = Column("Age", ".metadata.creationTimestamp", type="date")

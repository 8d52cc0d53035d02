"""What a rule says about an object: which rule, which field, and why, for a human.

`callplane validate` prints findings with file and line; the controller turns the errors among them
into `Stalled` with reason `InvalidSpec`. Messages name objects and never a full number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from callplane.apis.model import Resource
from callplane.apis.parsing import Parsed

SCHEMA_RULE = "schema"


class Severity(Enum):
    """An error keeps an object from being worked; a warning is only shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why one field of one object is not right."""

    rule_id: str
    kind: str
    namespace: str
    name: str
    field_path: str
    message: str
    severity: Severity = Severity.ERROR

    @property
    def sort_key(self) -> tuple[str, str, str, str, str, str]:
        return (
            self.kind,
            self.namespace,
            self.name,
            self.field_path,
            self.rule_id,
            self.message,
        )

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.kind} {self.namespace}/{self.name}" if self.name else self.kind
        field = f" {self.field_path}:" if self.field_path else ""
        return f"{where}:{field} {self.message} [{self.rule_id}]"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's identity and what it guards against; documentation is made from these."""

    id: str
    kinds: tuple[str, ...]
    description: str
    severity: Severity = Severity.ERROR

    def finding(self, resource: Resource, field_path: str, message: str) -> Finding:
        """A finding of this rule about `resource`."""
        return Finding(
            rule_id=self.id,
            kind=resource.kind,
            namespace=resource.namespace,
            name=resource.name,
            field_path=field_path,
            message=message,
            severity=self.severity,
        )


def of_parsing(parsed: Parsed) -> list[Finding]:
    """What reading a manifest found, in the form that rules have."""
    return [
        Finding(SCHEMA_RULE, parsed.kind, parsed.namespace, parsed.name, error.path, error.message)
        for error in parsed.errors
    ]


def label(resource: Resource) -> str:
    """How messages name an object."""
    return f"{resource.kind} {resource.namespace}/{resource.name}"


def precedence(resource: Resource) -> tuple[bool, float, str, str, str]:
    """Sorts the object first that keeps what two claim: the older one, then by name.

    Manifests have no creation time; they come after what a cluster already holds.
    """
    created = resource.metadata.creation_timestamp
    return (
        created is None,
        created.timestamp() if created else 0.0,
        resource.namespace,
        resource.name,
        resource.kind,
    )

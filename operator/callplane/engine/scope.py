"""What one pass carries from step to step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callplane.apis.model import Resource
from callplane.apis.reasons import Reason
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import CachedObject
from callplane.errors import Stalled
from callplane.status.conditions import Circumstances
from callplane.values import DeclaringObject, ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine


class Parked(Exception):
    """The pass waits for a write token; nothing is reported, the budget brings its key back."""


class Gone(Exception):
    """The object went away during the pass: there is nobody to report to."""


@dataclass(slots=True)
class Scope:
    """One pass over one object. `status` collects what the kind reports beside conditions."""

    engine: Engine
    cached: CachedObject
    priority: Priority
    status: dict[str, Any] = field(default_factory=dict)
    circumstances: Circumstances = field(default_factory=Circumstances)

    @property
    def key(self) -> ObjectKey:
        return self.cached.key

    @property
    def resource(self) -> Resource:
        """The object as its model. Raises Stalled InvalidSpec with every reason against it."""
        if self.cached.resource is None:
            reasons = "; ".join(str(error) for error in self.cached.errors)
            raise Stalled(Reason.INVALID_SPEC, reasons)
        return self.cached.resource

    @property
    def declaring(self) -> DeclaringObject:
        """This object as the register names it."""
        return DeclaringObject(
            installation=self.engine.installation,
            kind=self.key.kind,
            namespace=self.key.namespace,
            name=self.key.name,
            uid=self.cached.uid,
        )

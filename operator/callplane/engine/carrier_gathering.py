"""Gather for numbers at a carrier: the Carrier that an object names, at work and consenting, and
whether anything may be written there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from callplane.apis.carriers import Carrier
from callplane.apis.provider_incidents import Freeze, ProviderIncidentSpec
from callplane.apis.reasons import Reason
from callplane.apis.references import ManagementPolicy, ObjectRef
from callplane.engine.carrier_connections import CarrierRuntime
from callplane.engine.gathering import CONNECTION_LOOK_SECONDS, consenting
from callplane.engine.provider_incidents import freeze_of
from callplane.engine.scope import Parked, Scope
from callplane.errors import Stalled, Waiting
from callplane.plan.change import Change
from callplane.plan.gate_policy import is_gated
from callplane.providers.carrier_protocol import CarrierAction
from callplane.values import ObjectKey

INCIDENT_LOOK_SECONDS = 300.0
CHANGED_LOOK_SECONDS = 0.5
_STRENGTH = {Freeze.NONE: 0, Freeze.DESTRUCTIVE: 1, Freeze.ALL: 2}


@dataclass(frozen=True, slots=True)
class CarrierSide:
    """What a pass of a number stands on at its carrier."""

    carrier: Carrier
    runtime: CarrierRuntime
    incident: ProviderIncidentSpec | None
    writable: bool

    @property
    def is_frozen(self) -> bool:
        """Is anything that takes away frozen?"""
        return self.incident is not None and self.incident.freeze is not Freeze.NONE


async def gather(scope: Scope, reference: ObjectRef) -> CarrierSide:
    """Raises Waiting while the carrier is missing, not ready or does not consent."""
    carrier = await consenting(scope, "Carrier", reference)
    assert isinstance(carrier, Carrier)
    key = ObjectKey("Carrier", carrier.namespace, carrier.name)
    runtime = scope.engine.carriers.get(key)
    if runtime is None or not runtime.is_ready:
        if _starts_again(scope, key, runtime):
            raise Parked
        raise Waiting(
            Reason.DEPENDENCY_NOT_READY,
            f"{key} is not ready",
            after_seconds=CONNECTION_LOOK_SECONDS,
        )
    incident = incident_of(scope, carrier)
    suspended = (
        f"Carrier {carrier.namespace}/{carrier.name} is suspended" if carrier.spec.suspend else ""
    )
    scope.circumstances = replace(
        scope.circumstances,
        suspended=suspended,
        incident=incident.text if incident is not None else "",
    )
    manages = carrier.spec.management_policy is ManagementPolicy.MANAGE
    return CarrierSide(
        carrier, runtime, incident, writable=manages and not (suspended or runtime.health.restored)
    )


def _starts_again(scope: Scope, key: ObjectKey, runtime: CarrierRuntime | None) -> bool:
    """Was the carrier Ready when it last said so, and is only not at work yet in this process?"""
    cached = scope.engine.cache.get(key)
    if cached is None or cached.is_deleting or cached.ready != "True":
        return False
    return runtime is None or not (runtime.health.breaker or runtime.health.lost_to)


def incident_of(scope: Scope, carrier: Carrier) -> ProviderIncidentSpec | None:
    """The open incident of this carrier, in its own namespace, that freezes most."""
    return freeze_of(scope.engine, carrier)


def check_incident(side: CarrierSide, *, takes_away: bool) -> None:
    """Raises Waiting while an incident freezes this kind of write."""
    incident = side.incident
    if incident is None or incident.freeze is Freeze.NONE:
        return
    if incident.freeze is Freeze.ALL or takes_away:
        raise Waiting(
            Reason.FROZEN_BY_INCIDENT,
            f"{incident.text}: writes wait until the incident ends",
            after_seconds=INCIDENT_LOOK_SECONDS,
        )


def check_still_writable(scope: Scope, side: CarrierSide, change: Change) -> None:
    """A pass may have waited long since it looked at the carrier: what was suspended, limited or
    frozen meanwhile is not written. Raises Waiting.
    """
    cached = scope.engine.cache.get(side.runtime.key)
    carrier = cached.resource if cached is not None else None
    is_as_it_was = isinstance(carrier, Carrier) and carrier.spec == side.carrier.spec
    if not is_as_it_was or side.runtime.health.restored:
        raise Waiting(
            Reason.PROGRESSING,
            f"{side.runtime.key} has changed while the pass was under way; looking again",
            after_seconds=CHANGED_LOOK_SECONDS,
        )
    incident = incident_of(scope, side.carrier)
    takes_away = change.before is not None and is_gated(change)
    check_incident(replace(side, incident=incident), takes_away=takes_away)


def require(side: CarrierSide, action: CarrierAction) -> None:
    """Raises Stalled with the reason and the manual step for what the carrier cannot do."""
    unsupported = side.runtime.provider.capabilities.unsupported.get(action)
    if unsupported is not None:
        raise Stalled(
            Reason.UNSUPPORTED, f"{unsupported.reason}; by hand: {unsupported.manual_step}"
        )

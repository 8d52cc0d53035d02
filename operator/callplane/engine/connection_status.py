"""What every connection takes from its spec and shows in its status, whatever it connects to.

Called by the passes `platforms` and `carriers`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from callplane.apis.carriers import CarrierSpec
from callplane.apis.session_border_controllers import SessionBorderControllerSpec
from callplane.apis.teams_tenants import TeamsTenantSpec
from callplane.apis.webex_organizations import WebexOrganizationSpec
from callplane.engine.connection_core import ConnectionCore, ConnectionLimits
from callplane.engine.scope import Scope
from callplane.plan.change import plan_name
from callplane.plan.gate import ChangeLimits

Spec = CarrierSpec | SessionBorderControllerSpec | TeamsTenantSpec | WebexOrganizationSpec
FRESHNESS_SECONDS = 60.0


def limits_of(spec: Spec) -> ConnectionLimits:
    """The parts of a spec that the connection's loops obey."""
    limits = spec.change_limits
    return ConnectionLimits(
        writes_per_second=spec.writes_per_second,
        drift_reads_per_second=spec.drift_reads_per_second,
        max_in_flight=spec.max_in_flight,
        drift_interval_seconds=spec.drift_interval_seconds,
        change_limits=ChangeLimits(
            max_count=limits.max_count,
            max_percent=limits.max_percent,
            floor=limits.floor,
            window_seconds=limits.window_seconds,
            settle_seconds=limits.settle_seconds,
            settle_max_seconds=limits.settle_max_seconds,
        ),
    )


def show(scope: Scope, runtime: ConnectionCore) -> None:
    """What waits for a person, who works the connection, and how fresh it is.

    The time of the last listing and the register's sequence: once a listing, at most once a minute.
    But a sequence that lies ahead of the register, which a person has confirmed by now, goes at
    once: it would ask for the next confirmation after every restart.
    """
    held = runtime.mirror.held_digests()
    scope.status["heldChanges"] = sum(len(rows) for rows in held.values())
    scope.status["heldBatches"] = [
        {"digest": digest, "plan": plan_name(digest), "changes": len(rows)}
        for digest, rows in sorted(held.items(), key=lambda item: item[1][0].proposed_at)
    ][:32]
    scope.status["installation"] = scope.engine.installation
    scope.status["epoch"] = runtime.mirror.epoch
    listed_at = runtime.health.last_complete_listing
    if listed_at is None or runtime.health.restored:
        return
    shown = scope.cached.status.get("lastObservedTime")
    is_behind = int(scope.cached.status.get("registerSequence") or 0) > runtime.mirror.sequence
    if shown is not None and not is_behind:
        age = listed_at - datetime.fromisoformat(shown)
        if age < timedelta(seconds=FRESHNESS_SECONDS):
            return
    scope.status["lastObservedTime"] = listed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    scope.status["registerSequence"] = runtime.mirror.sequence

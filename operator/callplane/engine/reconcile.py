"""One pass over one object: the main path of the product.

    gather → desired → observe → plan → guard → apply → report

Every cause runs the same pass, whatever happened before: an edit, a retry, a drift check, a
deletion. What the steps are is the kind's own module; how an end becomes status is here.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from callplane.apis.reasons import Reason
from callplane.desired.declarations import PERSON_KINDS, PLATFORM_KINDS
from callplane.engine import (
    call_privileges,
    call_terms,
    carriers,
    change_approvals,
    change_plans,
    emergency_locations,
    number_ranges,
    pass_traces,
    pbx_trunks,
    people,
    phone_numbers,
    platforms,
    provider_incidents,
)
from callplane.engine.keyed_queue import Priority
from callplane.engine.register_mirror import ReadAnew
from callplane.engine.reporting import report
from callplane.engine.scope import Gone, Parked, Scope
from callplane.errors import Failed, Verdict, Waiting, scrub
from callplane.status.conditions import End, NotKnown, Succeeded
from callplane.store.ports import EpochLost, MoveRefused, StoreUnavailable
from callplane.tracing import current
from callplane.values import ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

Steps = Callable[[Scope], Awaitable[Succeeded | NotKnown]]

log = logging.getLogger(__name__)

REFUSED_LOOK_SECONDS = 1.0
LOST_LOOK_SECONDS = 30.0
# What could not be observed is looked at again, if no listing does so sooner.
NOT_KNOWN_LOOK_SECONDS = 120.0
# How soon a pass is tried again that found the Lease not held.
FENCE_LOOK_SECONDS = 1.0

PASSES: dict[str, Steps] = {
    **dict.fromkeys(PLATFORM_KINDS, platforms.run),
    **dict.fromkeys(PERSON_KINDS, people.run),
    "PbxTrunk": pbx_trunks.run,
    "Carrier": carriers.run,
    "NumberRange": number_ranges.run,
    "PhoneNumber": phone_numbers.run,
    "CallPrivilege": call_privileges.run,
    "EmergencyLocation": emergency_locations.run,
    "CallingAccount": call_terms.run_account,
    "CallingPlan": call_terms.run_plan,
    "RateCard": call_terms.run_card,
    "DestinationSet": call_terms.run_alone,
    "ProviderIncident": provider_incidents.run,
    "ChangePlan": change_plans.run,
    "ChangeApproval": change_approvals.run,
}


async def reconcile(engine: Engine, key: ObjectKey, priority: Priority) -> None:
    """Run the pass of one key and schedule the next look.

    Only an error of the report itself propagates.
    """
    cached = engine.cache.get(key)
    if cached is None:
        await forget(engine, key)
        return
    if not engine.fence.may_write(0.0):
        # Somebody else may lead by now: nothing is ours to write, the status of objects neither.
        engine.queue.add_later(key, priority, FENCE_LOOK_SECONDS)
        return
    engine.waiters.begin(key)
    scope = Scope(engine, cached, priority)
    try:
        end = await run_steps(scope)
        pass_traces.ended(end)
        look_seconds = engine.progress.look_seconds(key, end)
        if look_seconds is None and engine.fence.may_write(0.0):
            await report(scope, end)
    except Parked:
        current().note(verdict="Parked")
        return
    except Gone:
        current().note(verdict="Gone")
        engine.queue.forget(key)
        return
    schedule(engine, key, end)
    if look_seconds is not None:
        engine.queue.add_later(key, Priority.RETRY, look_seconds)


async def forget(engine: Engine, key: ObjectKey) -> None:
    """The object is gone: nobody is left who wants what it had proposed."""
    engine.queue.forget(key)
    engine.progress.forget(key)
    for runtime in engine.all_at_work():
        # A gate that cannot be asked now is asked again after the next listing; one that another
        # installation works is not ours to ask.
        with contextlib.suppress(EpochLost, StoreUnavailable):
            await runtime.gate.withdraw(key)
    if key.kind in PLATFORM_KINDS:
        await platforms.vanished(engine, key)
    if key.kind == "Carrier":
        await carriers.vanished(engine, key)


async def run_steps(scope: Scope) -> End:
    """The kind's steps, and their end as a value."""
    try:
        return await PASSES[scope.key.kind](scope)
    except ReadAnew as error:
        return Waiting(Reason.PROGRESSING, str(error), after_seconds=REFUSED_LOOK_SECONDS)
    except StoreUnavailable as error:
        return Failed(Reason.REGISTER_UNAVAILABLE, f"the number register does not answer: {error}")
    except MoveRefused as refused:
        # Somebody else has moved the number since we read its row: read it again, then look again.
        for runtime in scope.engine.all_at_work():
            runtime.refresh_register()
        message = f"{refused.number.masked} has moved in the register; looking again"
        return Waiting(Reason.PROGRESSING, message, after_seconds=REFUSED_LOOK_SECONDS)
    except EpochLost:
        message = "another installation has taken the connection"
        return Waiting(Reason.CONNECTION_HELD_ELSEWHERE, message, after_seconds=LOST_LOOK_SECONDS)
    except Verdict as verdict:
        return verdict
    except (Parked, Gone):
        raise
    except Exception as error:
        # A defect of ours: said where people look, and tried again, never a silent old status.
        log.exception("the pass of %s failed", scope.key)
        text = scrub(f"{type(error).__name__}: {error}")
        return Failed(Reason.INTERNAL_ERROR, f"a defect of the operator, see its log: {text}")


def schedule(engine: Engine, key: ObjectKey, end: End) -> None:
    """When to look again: waiting says when, a failure backs off, a stall waits for an input."""
    engine.telemetry.verdict(key.kind, getattr(end, "reason", "Unknown"))
    if isinstance(end, Failed):
        engine.queue.failed(key)
        return
    engine.queue.succeeded(key)
    if isinstance(end, Waiting):
        engine.queue.add_later(key, Priority.RETRY, end.after_seconds)
    elif isinstance(end, NotKnown):
        engine.queue.add_later(key, Priority.DRIFT, NOT_KNOWN_LOOK_SECONDS)

"""Giving a number back to its carrier: two keys, a waiting period, and a person's approval.

The keys are `releasePolicy: Release` and an acknowledgement that repeats the number and names its
day. Beside them the number must have rested, nobody may hold it, and nothing may be frozen. Each
key that is missing is named; what is irreversible always waits in the gate.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta

from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.provider_incidents import Freeze
from callplane.apis.reasons import Reason
from callplane.engine import (
    carrier_changes,
    carrier_drift,
    carrier_memory,
    carrier_orders,
    carrier_settings,
    carrier_writing,
    release_keys,
)
from callplane.engine.carrier_gathering import CarrierSide, require
from callplane.engine.carrier_memory import TakenOff
from callplane.engine.release_keys import Missing
from callplane.engine.scope import Scope
from callplane.errors import Failed, Stalled, Waiting
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan.change import Change, Operation
from callplane.providers.carrier_protocol import CarrierAction, CarrierRefused
from callplane.providers.protocol import ProviderError
from callplane.resources.carriers import EmergencyAddress, NumberOnCarrier
from callplane.status.conditions import Succeeded
from callplane.store.ports import Commit, Intent, Move, NumberRow
from callplane.values import E164

# Waiting for these, a number is kept; any other wait may be for a step of its release.
_KEPT = frozenset({Reason.RELEASE_WAITING, Reason.SETTLING})


async def advance(
    scope: Scope,
    side: CarrierSide,
    phone: PhoneNumber,
    row: NumberRow | None,
    observed: NumberOnCarrier,
) -> Succeeded:
    """The manifest asks for the release of a number that we own."""
    number = observed.number
    require(side, CarrierAction.RELEASE)
    if row is not None and row.state is NumberState.RELEASED:
        raise Stalled(
            Reason.RELEASE_REFUSED,
            f"{number.masked} was given back and the carrier shows it again; set releasePolicy "
            "Keep to take it back",
        )
    try:
        return await _release(scope, side, phone, row, observed)
    except (Stalled, Waiting) as verdict:
        # The number is kept, whatever for: nobody may be left with one that helps nobody.
        if isinstance(verdict, Stalled) or verdict.reason in _KEPT:
            await put_back(scope, side, phone, number, row)
        raise


async def _release(
    scope: Scope,
    side: CarrierSide,
    phone: PhoneNumber,
    row: NumberRow | None,
    observed: NumberOnCarrier,
) -> Succeeded:
    """keys → gate → take off what hangs on it → send → see it gone"""
    number = observed.number
    missing = await release_keys.missing(scope, side, phone, row)
    release_keys.show(scope, missing)
    if missing:
        await side.runtime.gate.withdraw(scope.key)
        raise release_keys.verdict(scope, number, missing)
    if not side.writable:
        carrier_drift.show_life(scope, observed="owned", desired="released")
        return Succeeded("not released", differences=(f"{number.masked} would be released",))
    carrier_orders.refuse_again(scope, side, number, None)
    change = carrier_changes.release(side.runtime.connection, number)
    await carrier_writing.pass_gate(scope, side, [change])
    await _check_nobody(scope, side, number)
    await _detach(scope, side, observed)
    now = scope.engine.clock.now()
    rest = replace(
        _move(scope, number, NumberState.FREE, NumberState.QUARANTINED), quarantined_until=now
    )
    await side.runtime.mirror.commit(Commit(moves=(rest,)), now=now)
    write = carrier_writing.Write(
        change,
        move=_move(scope, number, NumberState.QUARANTINED, NumberState.RELEASE_PENDING),
        undo=_kept(scope, number),
        last_look=lambda: _check_still_nobody(scope, number, row),
    )

    async def call(intent: Intent) -> None:
        await side.runtime.provider.release(number)

    try:
        intent, _ = await carrier_writing.send(scope, side, write, call)
    except CarrierRefused as refused:
        raise await _refused(scope, side, number, "", refused) from refused
    await settle(scope, side, intent)
    return Succeeded(f"{number.masked} was given back", reason=Reason.RELEASED)


async def settle(scope: Scope, side: CarrierSide, intent: Intent) -> None:
    """Is the number gone? Raises Waiting while that is not sure."""
    number = E164(intent.change["subject"][1])
    try:
        observed = await side.runtime.read_number(number)
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, f"read-back failed: {error}") from error
    if observed is None:
        move = _move(scope, number, NumberState.RELEASE_PENDING, NumberState.RELEASED)
        await carrier_writing.confirm(scope, side, intent, move=move)
        return
    if carrier_orders.may_still_appear(scope, side, intent):
        raise Waiting(
            Reason.OPERATION_RUNNING,
            f"giving {number.masked} back was sent and is not seen yet",
            after_seconds=carrier_orders.FIRST_LOOK_SECONDS,
        )
    await carrier_writing.close(scope, side, intent, undo=_kept(scope, number), detail="never seen")


async def _check_nobody(scope: Scope, side: CarrierSide, number: E164) -> None:
    """Every platform is asked for this very number before any of it is gone: somebody may have got
    it there since the last listing, and what is released does not come back. Raises Waiting while
    one cannot be asked, Stalled where somebody has it.
    """
    soon = scope.engine.clock.now() + timedelta(seconds=release_keys.LOOK_SECONDS)
    missing = []
    for runtime in list(scope.engine.connections.values()):
        try:
            await runtime.read_number(number)
        except ProviderError:
            missing.append(Missing(f"an answer of {runtime.key}, who has the number there", soon))
            continue
        has_it = runtime.shows(number) or any(
            number in row.numbers for row in runtime.snapshot.configurations.rows()
        )
        if has_it:
            missing.append(Missing(f"that its holder in {runtime.key} gives the number up"))
    if any(each.until is None for each in missing):
        await side.runtime.gate.withdraw(scope.key)
    if missing:
        # An approval outlasts a platform that is away for a while.
        release_keys.show(scope, missing)
        raise release_keys.verdict(scope, number, missing)


def _check_still_nobody(scope: Scope, number: E164, row: NumberRow | None) -> None:
    """Platforms were asked and settings taken off since the keys were looked at: somebody may name
    the number by now. Raises Stalled or Waiting.
    """
    missing = release_keys.in_the_way(scope, number, row)
    if missing:
        release_keys.show(scope, missing)
        raise release_keys.verdict(scope, number, missing)


async def _detach(scope: Scope, side: CarrierSide, observed: NumberOnCarrier) -> None:
    """What hangs on the number goes first, in this order: several carriers refuse otherwise. Each
    step is a write like any other; the gate was passed by the release that it belongs to.
    """
    runtime, number = side.runtime, observed.number
    connection, address = runtime.connection, observed.emergency_address
    steps: list[Change] = []
    if (
        isinstance(address, EmergencyAddress)
        and runtime.can(CarrierAction.EMERGENCY_ADDRESS)
        and runtime.provider.capabilities.address_detachable
    ):
        steps.append(carrier_changes.without_address(connection, observed))
    if observed.deletion_locked is True and runtime.can(CarrierAction.DELETION_LOCK):
        steps.append(carrier_changes.without_lock(connection, observed))
    for step in steps:
        await _remember(scope, side, observed)
        await _take_off(scope, side, number, step)


async def _remember(scope: Scope, side: CarrierSide, observed: NumberOnCarrier) -> None:
    """What the number has, before any of it is taken off; a second look may show less of it."""
    known = side.runtime.taken_off.get(observed.number, TakenOff())
    shown = observed.emergency_address
    what = TakenOff(
        shown if isinstance(shown, EmergencyAddress) else known.address,
        known.locked or observed.deletion_locked is True,
    )
    side.runtime.taken_off[observed.number] = what
    await carrier_memory.remember_taken_off(
        side.runtime.mirror, observed.number, what, now=scope.engine.clock.now()
    )


async def _take_off(scope: Scope, side: CarrierSide, number: E164, step: Change) -> None:
    provider = side.runtime.provider

    async def call(intent: Intent) -> None:
        if step.operation is Operation.SET_EMERGENCY_ADDRESS:
            await provider.set_emergency_address(number, None)
        else:
            await provider.set_deletion_lock(number, locked=False)

    write = carrier_writing.Write(step, gated=False)
    try:
        intent, _ = await carrier_writing.send(scope, side, write, call)
    except CarrierRefused as refused:
        what = f"{carrier_changes.describe(step)}: "
        raise await _refused(scope, side, number, what, refused) from refused
    await carrier_settings.settle(scope, side, intent)


async def _refused(
    scope: Scope, side: CarrierSide, number: E164, what: str, refused: CarrierRefused
) -> Stalled:
    """A plain no. It is not asked again and again, for each time would take the address off."""
    detail = what + carrier_orders.words(str(refused), refused.code)
    reason = Reason.RELEASE_REFUSED
    text = carrier_orders.rejection(scope, reason, detail)
    await carrier_orders.remember_refusal(scope, side, number, text)
    return Stalled(reason, f"the carrier keeps {number.masked}: {detail}")


async def put_back(
    scope: Scope,
    side: CarrierSide,
    phone: PhoneNumber | None,
    number: E164,
    row: NumberRow | None = None,
) -> None:
    """A number that is kept has its emergency address and its lock: those that are declared, else
    those that a release took off. Raises Waiting until each is seen. `phone` is None where its
    object is gone.
    """
    incident = side.incident
    if not side.writable or (incident is not None and incident.freeze is Freeze.ALL):
        return
    off = side.runtime.taken_off.get(number, TakenOff())
    declared = carrier_settings.WantedSettings(None, None, lock=False)
    if phone is not None:
        # Why the number is kept is the news; what was taken off goes back all the same.
        with contextlib.suppress(Stalled, Waiting):
            rows = [row] if row is not None else []
            declared = await carrier_settings.wanted(scope, side, phone, rows)
    settings = replace(
        declared,
        route=None,
        address=declared.address or off.address,
        lock=declared.lock or off.locked,
    )
    try:
        observed = await side.runtime.read_number(number)
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, f"reading {number.masked}: {error}") from error
    if observed is not None:
        for change in carrier_settings.differences(side, [observed], settings):
            await carrier_settings.write(scope, side, change, settings)
    await forget_taken_off(scope, side, number)


async def forget_taken_off(scope: Scope, side: CarrierSide, number: E164) -> None:
    """Nothing of the number is off any more, or nothing can be done about it."""
    await carrier_memory.put_back(side.runtime.mirror, number, now=scope.engine.clock.now())
    side.runtime.taken_off.pop(number, None)


def _move(scope: Scope, number: E164, before: NumberState, to: NumberState) -> Move:
    causes = {
        NumberState.RELEASE_PENDING: Cause.REQUEST_RELEASE,
        NumberState.QUARANTINED: Cause.REST_FOR_RELEASE,
        NumberState.RELEASED: Cause.RELEASE,
    }
    return Move(
        number=number,
        expected=before,
        to=to,
        cause=causes[to],
        declared_by=scope.declaring,
        range_name=f"{scope.key.namespace}/{scope.key.name}",
    )


def _kept(scope: Scope, number: E164) -> Move:
    """The number was not given back: its rest is over, and it is free again."""
    return Move(
        number=number,
        expected=NumberState.RELEASE_PENDING,
        to=NumberState.QUARANTINED,
        cause=Cause.KEEP,
        range_name=f"{scope.key.namespace}/{scope.key.name}",
        quarantined_until=scope.engine.clock.now(),
    )

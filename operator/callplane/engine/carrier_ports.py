"""Acquisition PortIn: a number comes from another carrier, on the day that carrier agrees to.

It runs as an order does: committed first, found again by its reference, never sent on a guess. The
days and weeks that it takes are Waiting, with the carrier's own words.
"""

from __future__ import annotations

import datetime

from callplane.apis.phone_numbers import PhoneNumber, PortInTerms
from callplane.apis.reasons import Reason
from callplane.cluster.secret_reading import SecretFound
from callplane.engine import (
    carrier_changes,
    carrier_drift,
    carrier_moves,
    carrier_orders,
    carrier_writing,
)
from callplane.engine.carrier_gathering import CarrierSide, check_incident, require
from callplane.engine.scope import Scope
from callplane.errors import Failed, Stalled, Waiting
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.providers.carrier_protocol import CarrierAction, CarrierRefused
from callplane.providers.protocol import ProviderError
from callplane.resources.carriers import PortIn, PortRequest, PortState
from callplane.status.conditions import Succeeded
from callplane.store.ports import Intent, IntentState, NumberRow
from callplane.values import E164

PORT_LOOK_SECONDS = 1800.0
DAY_LOOK_SECONDS = 6 * 3600.0
SECRET_LOOK_SECONDS = 60.0
_ENDS = frozenset({PortState.REJECTED, PortState.CANCELLED, PortState.CORRECTABLE})


async def advance(
    scope: Scope, side: CarrierSide, phone: PhoneNumber, row: NumberRow | None
) -> Succeeded:
    """The number is not ours, and nothing of its port is under way: ask for it on its day."""
    number = E164(phone.spec.e164)
    terms = phone.spec.port_in
    assert terms is not None
    require(side, CarrierAction.PORT_IN)
    carrier_orders.check_not_lost(side, number)
    carrier_orders.refuse_again(scope, side, number, row)
    carrier_orders.check_buys(side, number)
    check_day(scope, terms.not_before, number)
    if not side.writable:
        carrier_drift.show_life(scope, observed="elsewhere", desired="ported in")
        return Succeeded("not asked for", differences=(f"{number.masked} would be ported in",))
    check_incident(side, takes_away=False)
    code = await _authorisation_code(scope, terms)
    change = carrier_changes.port_in(
        side.runtime.connection, number, losing_carrier=terms.losing_carrier
    )
    await carrier_writing.pass_gate(scope, side, [change])
    write = carrier_writing.Write(
        change,
        move=carrier_moves.begin(scope, row, number, NumberState.PORTING_IN, Cause.PORT_IN),
        undo=None
        if carrier_moves.keeps_its_state(row)
        else carrier_moves.cancel(
            scope, number, NumberState.PORTING_IN, "the port was not asked for"
        ),
    )

    async def call(intent: Intent) -> PortIn:
        return await side.runtime.provider.port_in(_request(intent, number, terms, code))

    try:
        intent, port = await carrier_writing.send(scope, side, write, call)
    except CarrierRefused as refused:
        reason = carrier_orders.reason_of(refused.obstacle, Reason.PORT_REJECTED)
        detail = carrier_orders.words(str(refused), refused.code)
        text = carrier_orders.rejection(scope, reason, detail)
        await carrier_orders.remember_refusal(scope, side, number, text)
        raise Stalled(reason, f"{number.masked} cannot be ported so: {detail}") from refused
    await _take(scope, side, intent, port)
    raise Waiting(Reason.PROGRESSING, "ported; looking at the number", after_seconds=0.0)


def check_day(scope: Scope, not_before: datetime.date | None, number: E164) -> None:
    """The date gate: nothing is asked for before the day that the manifest names."""
    now = scope.engine.clock.now()
    if not_before is None or now.date() >= not_before:
        return
    opens = datetime.datetime.combine(not_before, datetime.time(), tzinfo=datetime.UTC)
    seconds = min((opens - now).total_seconds(), DAY_LOOK_SECONDS)
    raise Waiting(
        Reason.PORT_PENDING,
        f"{number.masked} is not asked for before {not_before:%Y-%m-%d}",
        after_seconds=max(seconds, 1.0),
    )


async def _authorisation_code(scope: Scope, terms: PortInTerms) -> str:
    reference = terms.authorisation_code_ref
    if reference is None:
        return ""
    reading = await scope.engine.secrets.read(
        namespace=scope.key.namespace, name=reference.name, key=reference.key
    )
    if not isinstance(reading, SecretFound):
        raise Waiting(
            Reason.SECRET_NOT_FOUND,
            f"Secret {scope.key.namespace}/{reference.name} with key {reference.key} is not there",
            after_seconds=SECRET_LOOK_SECONDS,
        )
    return reading.value.reveal().decode("utf-8", errors="replace").strip()


def _request(intent: Intent, number: E164, terms: PortInTerms, code: str) -> PortRequest:
    return PortRequest(
        carrier_orders.reference_of(intent),
        number,
        losing_carrier=terms.losing_carrier,
        losing_carrier_name=terms.losing_carrier_name,
        account=terms.account,
        postcode=terms.postcode,
        contact_email=terms.contact_email,
        authorisation_code=code,
        wanted_on=terms.wanted_on,
        resubmits=terms.resubmits,
    )


async def settle(
    scope: Scope, side: CarrierSide, phone: PhoneNumber | None, intent: Intent
) -> None:
    """A port under way: look for it, for weeks if need be; `phone` is None where its object is
    gone.
    """
    number = E164(intent.change["subject"][1])
    declared = phone.spec.port_in if phone is not None else None
    terms = declared or PortInTerms(contact_email="")
    request = _request(intent, number, terms, await _authorisation_code(scope, terms))
    try:
        found = await side.runtime.guarded(side.runtime.provider.find_port(request))
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, f"looking for the port: {error}") from error
    port = found.row
    if port is not None and not _is_an_older_one(intent, port):
        await _take(scope, side, intent, port)
        return
    if carrier_orders.may_still_appear(scope, side, intent):
        raise Waiting(
            Reason.OPERATION_RUNNING,
            f"the port of {number.masked} was asked for and is not seen yet",
            after_seconds=carrier_orders.FIRST_LOOK_SECONDS,
        )
    undo = carrier_moves.undone(
        scope, side, number, NumberState.PORTING_IN, "the port was never seen"
    )
    await carrier_writing.close(scope, side, intent, undo=undo, detail="never seen")


def _is_an_older_one(intent: Intent, port: PortIn) -> bool:
    """A carrier that keeps no reference shows the port that this one corrects, until it has it."""
    return bool(intent.operation) and bool(port.port_id) and port.port_id != intent.operation


async def _take(scope: Scope, side: CarrierSide, intent: Intent, port: PortIn) -> None:
    """What a port's state means. Raises Waiting while it runs, Stalled when it was refused."""
    number = port.number
    show(side, port)
    if port.state is PortState.DONE:
        move = carrier_moves.arrived(scope, side, number, NumberState.PORTING_IN)
        await carrier_writing.confirm(scope, side, intent, move=move)
        side.runtime.touch(number)
        return
    said = carrier_orders.words(port.detail, port.code)
    if port.state in _ENDS:
        said = f"{said}; correct portIn (resubmits: {port.port_id})"
        reason = carrier_orders.reason_of(port.obstacle, Reason.PORT_REJECTED)
        text = carrier_orders.rejection(scope, reason, said)
        undo = carrier_moves.undone(scope, side, number, NumberState.PORTING_IN, text)
        await carrier_writing.close(
            scope, side, intent, IntentState.REFUSED, undo=undo, detail=said
        )
        await carrier_orders.remember_refusal(scope, side, number, text)
        raise Stalled(
            reason,
            f"the port of {number.masked} was refused: {said}",
        )
    day = f", for {port.due_on:%Y-%m-%d}" if port.due_on is not None else ""
    raise Waiting(
        Reason.PORT_PENDING,
        f"the port of {number.masked} is under way{day}" + (f": {said}" if said else ""),
        after_seconds=max(carrier_orders.look_seconds(scope, intent), 2.0)
        if port.state is PortState.SUBMITTED
        else PORT_LOOK_SECONDS,
    )


def show(side: CarrierSide, port: PortIn) -> None:
    """How far it has come: this pass, or the next one that reports, says so."""
    shown = {
        "reference": port.reference,
        "state": port.state.value.capitalize(),
        "carrierId": port.port_id,
        "detail": port.detail,
        "code": port.code,
    }
    if port.due_on is not None:
        shown["dueOn"] = port.due_on.isoformat()
    side.runtime.progress[port.number] = {"portIn": shown}

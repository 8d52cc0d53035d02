"""PbxTrunk: a customer's PBX and the many numbers behind it.

A PBX has every number of its ranges that nobody else has, and those that it names. Nothing is
written to it; a claim is all there is, so a number is assigned as soon as the register says so.
Whoever names a number of its ranges gets it without a rest, which is how people are moved off a PBX
one by one; taking numbers away from the PBX itself goes through the gate like everybody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.reasons import Reason
from callplane.apis.teams_users import PhoneNumberSource
from callplane.cluster import finalizers
from callplane.desired.sip_lines import trunk_key
from callplane.engine import (
    call_lines,
    claims,
    gathering,
    guarding,
    holder_locations,
    holders,
    leaving,
    number_stocks,
    reservations,
    transfers,
)
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.finalizing import ensure_finalizer
from callplane.engine.gathering import Gathered
from callplane.engine.intents import quarantine_days
from callplane.engine.keyed_queue import Priority
from callplane.engine.number_ranges import refuse
from callplane.engine.number_stocks import Stock
from callplane.engine.object_cache import CachedObject
from callplane.engine.scope import Gone, Scope
from callplane.errors import Stalled, Verdict, Waiting
from callplane.numbering.lifecycle import HELD, Cause, NumberState
from callplane.plan.change import Change
from callplane.plan.gate import GateRow
from callplane.rules import sip_lines, validation
from callplane.status.conditions import Succeeded
from callplane.store.ports import Commit, HolderRow, Move, NumberRow
from callplane.values import E164, HolderId, Platform

TRANSFER_LOOK_SECONDS = 30.0
#: Numbers of its ranges may become free without anybody telling: it looks again.
LOOK_SECONDS = 600.0
#: Moves in one transaction.
BATCH = 500


@dataclass(slots=True)
class Wanted:
    """What the PBX is to have: numbers that it names, with what each is drawn from, and ranges."""

    named: dict[E164, Stock] = field(default_factory=dict)
    ranges: list[Stock] = field(default_factory=list)
    problems: list[Stalled | Waiting] = field(default_factory=list)
    is_whole: bool = True

    def holds(self, number: E164) -> bool:
        return number in self.named or any(number in stock for stock in self.ranges)


async def run(scope: Scope) -> Succeeded:
    """Claim what is free, ask for what is named, give up what is not wanted any more."""
    if scope.cached.is_deleting:
        await _leave(scope)
        raise Gone
    trunk = scope.resource
    assert isinstance(trunk, PbxTrunk)
    check_rules(scope, trunk)
    gathered = await gathering.gather(scope, trunk)
    text = scope.engine.fair_use.get(scope.key, "")
    scope.circumstances = replace(scope.circumstances, fair_use=text)
    writable = gathering.may_write(scope, trunk, gathered)
    text = scope.engine.fair_use.get(scope.key, "")
    scope.circumstances = replace(scope.circumstances, fair_use=text)
    holder = gathered.runtime.holder(trunk_key(trunk.spec.trunk))
    check_declared_once(scope, gathered, holder)
    await gathering.named_location(scope, trunk.spec.emergency_location_ref, None)
    wanted = await wanted_numbers(scope, gathered, trunk)
    scope.engine.queue.add_later(scope.key, Priority.DRIFT, LOOK_SECONDS)
    if not writable:
        _show(scope, gathered, holder, wanted)
        return Succeeded("observed, never written", reason=Reason.OBSERVE_ONLY)
    await ensure_finalizer(scope)
    await _declare(scope, gathered, holder)
    await _take_named(scope, gathered, holder, wanted)
    await _take_free(scope, gathered, holder, wanted)
    await _confirm(scope, gathered, holder)
    _show(scope, gathered, holder, wanted)
    _say(scope, gathered, trunk, holder)
    holder_locations.tell_carrier(scope, held_by(gathered, holder))
    unwanted = [row for row in held_by(gathered, holder) if is_given_up(row, wanted)]
    await _give_up(scope, gathered, unwanted)
    _show(scope, gathered, holder, wanted)
    _say(scope, gathered, trunk, holder)
    if wanted.problems:
        raise _joined(wanted.problems)
    return Succeeded(f"has {scope.status['numbers']} numbers")


def _say(scope: Scope, gathered: Gathered, trunk: PbxTrunk, holder: HolderId) -> None:
    """Who pays and what may be dialled does not wait for an answer to what is given up."""
    numbers = [row.number for row in held_by(gathered, holder)]
    call_lines.say_trunk(scope, trunk, holder, numbers)


def check_rules(scope: Scope, trunk: PbxTrunk) -> None:
    """The rules that `callplane validate` runs; of two that cannot be told apart, the later one is
    refused.
    """
    others = [
        cached.resource
        for cached in scope.engine.cache.of_kind("PbxTrunk")
        if cached.key != scope.key and cached.resource is not None and not cached.is_deleting
    ]
    findings = validation.validate_one(trunk)
    findings += [
        finding
        for finding in sip_lines.check([trunk, *others])
        if (finding.namespace, finding.name) == (scope.key.namespace, scope.key.name)
        and finding.rule_id == sip_lines.PEERS_OVERLAP.id
    ]
    refuse(findings)


def held_by(gathered: Gathered, holder: HolderId) -> list[NumberRow]:
    rows = gathered.runtime.mirror.rows_of(holder)
    return [row for row in rows if row.holder == holder and row.state in HELD]


def check_declared_once(scope: Scope, gathered: Gathered, holder: HolderId) -> None:
    row = gathered.runtime.mirror.holders.get(holder)
    owner = row.declared_by if row is not None else None
    if owner is None or owner.uid == scope.cached.uid:
        return
    other = scope.engine.live(owner.uid)
    if other is not None and _names(other, holder):
        raise Stalled(
            Reason.DECLARED_TWICE,
            f"{scope.key} and {other.key} declare the same trunk; {other.key} has it",
        )


def _names(cached: CachedObject, holder: HolderId) -> bool:
    resource = cached.resource
    return isinstance(resource, PbxTrunk) and trunk_key(resource.spec.trunk) == holder.user_id


async def wanted_numbers(scope: Scope, gathered: Gathered, trunk: PbxTrunk) -> Wanted:
    """A number or a range that cannot be had does not keep the PBX from the others."""
    found = Wanted()
    for reference in trunk.spec.number_range_refs:
        try:
            stock = await number_stocks.stock_of(
                scope, PhoneNumberSource(range_ref=reference), Platform.SIP
            )
            number_stocks.check_use(stock, gathered, is_service=False)
            found.ranges.append(stock)
        except (Stalled, Waiting) as verdict:
            found.problems.append(verdict)
            found.is_whole = False
    for text in trunk.spec.numbers:
        try:
            stock = await number_stocks.stock_of(scope, PhoneNumberSource(e164=text), Platform.SIP)
            number_stocks.check_use(stock, gathered, is_service=False)
            found.named[E164(text)] = stock
        except (Stalled, Waiting) as verdict:
            found.problems.append(verdict)
            found.is_whole = False
    return found


async def _declare(scope: Scope, gathered: Gathered, holder: HolderId) -> None:
    rows, moves = holders.claim_of_holder(scope, gathered, holder)
    if rows or moves:
        await _commit(scope, gathered.runtime, Commit(moves=moves, holders=rows))


async def _take_named(scope: Scope, gathered: Gathered, holder: HolderId, wanted: Wanted) -> None:
    for number, stock in wanted.named.items():
        try:
            awaited = await claims.secure(scope, gathered, holder, stock, number)
        except (Stalled, Waiting) as verdict:
            wanted.problems.append(verdict)
            continue
        if awaited is not None:
            wanted.problems.append(
                Waiting(
                    Reason.NUMBER_IN_TRANSFER,
                    f"{number.masked} is being given up by {awaited.declared_by}",
                    after_seconds=TRANSFER_LOOK_SECONDS,
                )
            )


async def _take_free(scope: Scope, gathered: Gathered, holder: HolderId, wanted: Wanted) -> None:
    moves: list[Move] = []
    for stock in wanted.ranges:
        rows: list[NumberRow] = []
        for span in stock.spans:
            rows += await scope.engine.register.numbers_in(span.first, span.last)
        moves += free_moves(scope, holder, stock, rows)
    blind = next(gathering.unlisted(scope), None)
    if moves and blind is not None:
        wanted.problems.append(gathering.not_listed(blind))
        return
    for batch in _batches(moves):
        await _commit(scope, gathered.runtime, Commit(moves=batch))


def free_moves(
    scope: Scope, holder: HolderId, stock: Stock, rows: Sequence[NumberRow]
) -> Iterator[Move]:
    """Claims of the free numbers of a range, and of those that rest after this very PBX."""
    known = {row.number: row for row in rows}
    kept_back = reservations.in_force(stock.reservations, scope.engine.clock.now())
    for number in (number for span in stock.spans for number in span):
        row = known.get(number)
        if row is None and number not in kept_back and not _is_seen(scope, number):
            yield _claim(scope, holder, stock, number, NumberState.FREE)
        elif row is not None and row.state is NumberState.QUARANTINED and row.holder == holder:
            yield _claim(scope, holder, stock, number, row.state)


def _is_seen(scope: Scope, number: E164) -> bool:
    """Does any platform show the number on somebody whom nothing declares?"""
    return any(runtime.shows(number) for runtime in scope.engine.connections.values())


def _claim(scope: Scope, holder: HolderId, stock: Stock, number: E164, state: NumberState) -> Move:
    is_free = state is NumberState.FREE
    return Move(
        number=number,
        expected=state,
        to=NumberState.CLAIMED,
        cause=Cause.ALLOCATE if is_free else Cause.RETURN_TO_HOLDER,
        expected_holder=None if is_free else holder,
        holder=holder,
        declared_by=scope.declaring,
        range_name=stock.name,
        number_type=stock.number_type.value,
    )


async def _confirm(scope: Scope, gathered: Gathered, holder: HolderId) -> None:
    """Nothing has to be written anywhere: what is claimed is assigned."""
    moves = [
        replace(_same(row), to=NumberState.ASSIGNED, cause=Cause.CONFIRM)
        for row in held_by(gathered, holder)
        if row.state is NumberState.CLAIMED
    ]
    for batch in _batches(moves):
        await _commit(scope, gathered.runtime, Commit(moves=batch))


def _same(row: NumberRow) -> Move:
    return Move(
        number=row.number,
        expected=row.state,
        to=row.state,
        cause=Cause.TAKE_OVER,
        expected_holder=row.holder,
        holder=row.holder,
        declared_by=row.declared_by,
        range_name=row.range_name,
        number_type=row.number_type,
    )


# What the PBX gives up


def is_given_up(row: NumberRow, wanted: Wanted) -> bool:
    if row.state is NumberState.TRANSFERRING:
        return row.number not in wanted.named
    # While what it draws from is not known whole, an absence proves nothing.
    return wanted.is_whole and not wanted.holds(row.number)


async def _give_up(scope: Scope, gathered: Gathered, rows: Sequence[NumberRow]) -> None:
    """Through the gate, all or none; each goes to whom it is kept for, or rests."""
    runtime = gathered.runtime
    rows = [row for row in rows if not await _is_kept(scope, gathered, row)]
    if not rows:
        await runtime.gate.withdraw(scope.key)
        return
    changes = {row.number: unassignment(runtime, row) for row in rows}
    everything = tuple(changes.values())
    transfers.let_receivers_ask(scope, gathered, everything)
    guarding.check_incident(scope, gathered, everything)
    await guarding.pass_gate(scope, gathered, everything)
    receivers = []
    for some in _batches(rows):
        moves, grants = [], []
        for row in some:
            days = quarantine_days(scope, row)
            move, receiver = transfers.after_unassign(scope, gathered, row, quarantine_days=days)
            moves.append(move)
            receivers.append(receiver)
            grants.append(_grant(runtime, changes[row.number]))
        await _commit(scope, runtime, Commit(moves=tuple(moves), gate_rows=tuple(grants)))
    for receiver in receivers:
        if receiver is not None:
            scope.engine.queue.add(receiver, Priority.USER)


async def _is_kept(scope: Scope, gathered: Gathered, row: NumberRow) -> bool:
    """Whoever the number was kept for is gone: it stays where it is."""
    if row.state is not NumberState.TRANSFERRING:
        return False
    if transfers.live_claimant(scope, gathered, row.transfer_to) is not None:
        return False
    await transfers.cancel(scope, gathered, row)
    return True


def unassignment(runtime: ConnectionRuntime, row: NumberRow) -> Change:
    holder = runtime.mirror.holders[row.holder] if row.holder is not None else None
    assert holder is not None
    return leaving.unassignment(runtime, holder, row)


def _grant(runtime: ConnectionRuntime, change: Change) -> GateRow:
    consumed = runtime.gate.consumed(change)
    if consumed is None:
        raise Waiting(Reason.PLAN_STALE, "its grant is gone; proposing it anew", after_seconds=0.5)
    return consumed


# Deletion


async def _leave(scope: Scope) -> None:
    """As with people: handed over, detached, or given up through the gate."""
    if not finalizers.has_finalizer(scope.cached.body, finalizers.PROVIDER_CLEANUP):
        return
    runtime, row = leaving.find(scope)
    if runtime is None:
        await leaving.without_connection(scope)
    elif row is None:
        await runtime.gate.withdraw(scope.key)
    else:
        await _let_numbers_go(scope, runtime, row)
    await leaving.let_go(scope)


async def _let_numbers_go(scope: Scope, runtime: ConnectionRuntime, row: HolderRow) -> None:
    for other in others(scope, runtime, row.holder):
        await leaving.hand_over(scope, runtime, row, other)
        scope.engine.queue.add(other.key, Priority.DEPENDENCY)
        return
    gathered = leaving.ready(scope, runtime)
    if gathered is None or leaving.detaches(scope, gathered):
        await leaving.detach(scope, runtime, row)
        return
    await _give_up(scope, gathered, held_by(gathered, row.holder))
    await leaving.forget_holder(scope, runtime, row)


def others(scope: Scope, runtime: ConnectionRuntime, holder: HolderId) -> Iterator[CachedObject]:
    """Live objects that declare the same trunk of the same SBC."""
    for cached in scope.engine.cache.of_kind("PbxTrunk"):
        is_other = cached.uid != scope.cached.uid and not cached.is_deleting
        if is_other and _names(cached, holder) and leaving.is_there(scope, runtime, cached):
            yield cached


# Report


def _show(scope: Scope, gathered: Gathered, holder: HolderId, wanted: Wanted) -> None:
    held = held_by(gathered, holder)
    total = sum(len(span) for stock in wanted.ranges for span in stock.spans)
    inside = sum(1 for row in held if any(row.number in stock for stock in wanted.ranges))
    connection = gathered.connection
    scope.status["connection"] = {"kind": connection.kind, "name": connection.name}
    scope.status["holderId"] = holder.user_id
    scope.status["numbers"] = len(held)
    scope.status["elsewhere"] = total - inside


def _joined(problems: Sequence[Stalled | Waiting]) -> Verdict:
    """All of them in one sentence; what needs a person goes before what ends by itself."""
    stalled = [problem for problem in problems if isinstance(problem, Stalled)]
    message = "; ".join(dict.fromkeys(problem.message for problem in stalled or problems))
    if stalled:
        return Stalled(stalled[0].reason, message)
    first = problems[0]
    assert isinstance(first, Waiting)
    return Waiting(first.reason, message, after_seconds=first.after_seconds)


async def _commit(scope: Scope, runtime: ConnectionRuntime, commit: Commit) -> None:
    await runtime.mirror.commit(commit, now=scope.engine.clock.now())


Entry = TypeVar("Entry", Move, NumberRow)


def _batches(entries: Sequence[Entry]) -> Iterator[tuple[Entry, ...]]:
    for start in range(0, len(entries), BATCH):
        yield tuple(entries[start : start + BATCH])

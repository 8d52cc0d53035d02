"""Which number a person is to have, and the claim to it in the register before anything is written.

The register decides. What is chosen here is only a proposal to it, and a refusal is looked at
again.
"""

from __future__ import annotations

from dataclasses import dataclass

from callplane.apis.number_ranges import (
    NumberRange,
)
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.apis.references import ObjectRef
from callplane.apis.service_lines import ServiceLine
from callplane.apis.teams_users import PhoneNumberSource
from callplane.desired.declarations import WORDS, PersonObject
from callplane.desired.teams_users import DesiredNumber
from callplane.engine import acquiring, reservations, transfers
from callplane.engine.allocation import RangeStock
from callplane.engine.gathering import (
    Gathered,
)
from callplane.engine.holders import claim_of_holder
from callplane.engine.number_stocks import Stock, check_use, is_in_use, stock_of
from callplane.engine.scope import Scope
from callplane.errors import Stalled, Waiting
from callplane.numbering.lifecycle import HELD, Cause, NumberState
from callplane.resources.lines import LineNumber
from callplane.resources.platforms import NumberOnPlatform
from callplane.store.ports import Commit, Move, MoveRefused, NumberRow
from callplane.values import E164, HolderId

ATTEMPTS = 50
# How a claim says that no assignment of it was ever seen: nobody can have called the number.
ALLOCATED = "allocated"


@dataclass(frozen=True, slots=True)
class WantedNumber:
    """The number part of the desired line; `waits_for_transfer` while another has it."""

    desired: DesiredNumber
    waits_for_transfer: NumberRow | None = None
    location: tuple[ObjectRef, str] | None = None


async def desired_number(
    scope: Scope, user: PersonObject, gathered: Gathered, holder: HolderId, *, writable: bool
) -> WantedNumber:
    """Resolve `spec.phoneNumber` to a number and, if `writable`, claim it."""
    declared = user.spec.phone_number
    if declared is None:
        return WantedNumber(DesiredNumber(managed=False))
    if declared.none is not None:
        return WantedNumber(DesiredNumber(managed=True, number=None))
    stock = await stock_of(scope, declared, holder.platform)
    check_use(stock, gathered, is_service=isinstance(user, ServiceLine))
    _check_not_outside(gathered, holder, stock, declared)
    number = _stated(declared, stock) or _kept(gathered, holder, stock)
    number = number or _kept_back_for(scope, gathered, holder, stock)
    if not writable:
        number = number or _preview(scope, gathered, holder, stock)
        return WantedNumber(_desired(number, stock), location=stock.location)
    if number is None:
        number = await _claim_next(scope, gathered, holder, stock)
        return WantedNumber(_desired(number, stock), location=stock.location)
    waits_for = await secure(scope, gathered, holder, stock, number)
    return WantedNumber(_desired(number, stock), waits_for, stock.location)


def _desired(number: E164, stock: Stock) -> DesiredNumber:
    return DesiredNumber(managed=True, number=LineNumber(number, stock.number_type))


def _check_not_outside(
    gathered: Gathered, holder: HolderId, stock: Stock, declared: PhoneNumberSource
) -> None:
    """A range that was shrunk below a number it once gave never renumbers its holder."""
    if declared.range_ref is None:
        return
    for row in gathered.runtime.mirror.rows_of(holder):
        is_theirs = row.holder == holder and row.state in HELD
        if is_theirs and row.range_name == stock.name and row.number not in stock:
            raise Stalled(
                Reason.SHRUNK_BELOW_CLAIMS,
                f"{row.number.masked} was given by {stock.key} and lies outside it now; nothing "
                "is changed: let the range hold it again, or state another number or range",
            )


def _stated(declared: PhoneNumberSource, stock: Stock) -> E164 | None:
    if declared.e164 is not None:
        return E164(declared.e164)
    return E164(stock.source.spec.e164) if isinstance(stock.source, PhoneNumber) else None


def _kept(gathered: Gathered, holder: HolderId, stock: Stock) -> E164 | None:
    """A number of the range that the holder has, is getting, had until lately, or was seen with."""
    rows = [row for row in gathered.runtime.mirror.rows_of(holder) if row.number in stock]
    # A number that is in use goes before one that was only claimed, however the two came about.
    for row in sorted(rows, key=lambda row: row.state is not NumberState.ASSIGNED):
        if row.holder != holder or row.state not in (NumberState.CLAIMED, NumberState.ASSIGNED):
            continue
        observed = gathered.runtime.snapshot.number(row.number)
        if row.state is NumberState.CLAIMED and not _may_have(observed, holder):
            # It turned out to be somebody else's before it was ever assigned: another one will do.
            continue
        return row.number
    for row in rows:
        if row.transfer_to == holder:
            return row.number
    for seen in gathered.runtime.snapshot.numbers_of(holder.user_id):
        row_of_number = gathered.runtime.mirror.numbers.get(seen.number)
        if seen.number in stock and (row_of_number is None or row_of_number.holder == holder):
            return seen.number
    for row in rows:
        if row.state is not NumberState.QUARANTINED or row.holder != holder:
            continue
        if _may_have(gathered.runtime.snapshot.number(row.number), holder):
            return row.number
    return None


def _may_have(observed: NumberOnPlatform | None, holder: HolderId) -> bool:
    return observed is None or observed.holder_id in (None, holder.user_id)


def _allocate(scope: Scope, gathered: Gathered, stock: Stock) -> E164:
    """The next free number, marked as being claimed. Raises Stalled RangeExhausted."""
    runtime = gathered.runtime

    reserved = reservations.in_force(stock.reservations, scope.engine.clock.now())

    def build() -> RangeStock:
        source = stock.source
        assert isinstance(source, NumberRange)
        return RangeStock(source.spec.spans)

    def is_free(number: E164) -> bool:
        return number not in reserved and runtime.is_free(number)

    candidates = runtime.stock(stock.key, stock.generation, build)
    number = candidates.next(is_free)
    if number is None:
        # Numbers that were passed over may have become free since: once more from the lowest.
        candidates.refill()
        number = candidates.next(is_free)
    if number is None:
        scope.engine.waiters.wait_for_range(scope.key, stock.name)
        raise Stalled(
            Reason.RANGE_EXHAUSTED,
            f"{stock.key} has no free number; extend it, or wait for numbers that rest",
        )
    runtime.begin_claim(number)
    return number


def _preview(scope: Scope, gathered: Gathered, holder: HolderId, stock: Stock) -> E164:
    """What somebody who is only observed would get: the same at every look while it is free."""
    runtime = gathered.runtime
    number = runtime.previews.get(holder)
    if number is None or number not in stock or not runtime.is_free(number):
        number = _allocate(scope, gathered, stock)
        runtime.end_claim(number)
        runtime.previews[holder] = number
    return number


async def _claim_next(scope: Scope, gathered: Gathered, holder: HolderId, stock: Stock) -> E164:
    for _ in range(ATTEMPTS):
        number = _allocate(scope, gathered, stock)
        is_free_still = True
        try:
            await _commit_claim(scope, gathered, holder, (stock, number, Cause.ALLOCATE))
            is_free_still = False
            return number
        except MoveRefused:
            # Another connection of the same range was quicker; the next candidate is tried.
            is_free_still = False
            continue
        finally:
            gathered.runtime.end_claim(number, is_free_still=is_free_still, of=stock.key)
    raise Waiting(
        Reason.PROGRESSING,
        f"numbers of {stock.key} are being claimed by others",
        after_seconds=1.0,
    )


async def _commit_claim(
    scope: Scope, gathered: Gathered, holder: HolderId, claimed: tuple[Stock, E164, Cause]
) -> None:
    stock, number, cause = claimed
    mirror = gathered.runtime.mirror
    row = mirror.numbers.get(number)
    rows, moves = claim_of_holder(scope, gathered, holder)
    claim = Move(
        number=number,
        expected=row.state if row is not None else NumberState.FREE,
        to=NumberState.CLAIMED,
        cause=cause,
        expected_holder=row.holder if row is not None else None,
        holder=holder,
        declared_by=scope.declaring,
        range_name=stock.name,
        number_type=stock.number_type.value,
        reason=ALLOCATED if cause is Cause.ALLOCATE else "",
    )
    moves = tuple(move for move in moves if move.number != number)
    await mirror.commit(Commit(moves=(*moves, claim), holders=rows), now=scope.engine.clock.now())


async def secure(
    scope: Scope, gathered: Gathered, holder: HolderId, stock: Stock, number: E164
) -> NumberRow | None:
    """Make the number ours; returns its row while another live holder gives it up."""
    runtime = gathered.runtime
    row = runtime.mirror.numbers.get(number)
    elsewhere = scope.engine.row_elsewhere(number, runtime) if row is None else None
    if isinstance(stock.source, PhoneNumber) and not is_in_use(row or elsewhere):
        acquiring.check(scope, stock.source)
    if row is None:
        row = elsewhere
        if row is not None:
            return await _secure_elsewhere(scope, gathered, holder, row)
        _check_observed(scope, gathered, holder, number)
        _check_reserved(scope, gathered, stock, holder, number)
        observed = runtime.snapshot.number(number)
        if observed is not None and observed.holder_id == holder.user_id:
            return None
        try:
            await _commit_claim(scope, gathered, holder, (stock, number, Cause.ALLOCATE))
        except MoveRefused as refused:
            if refused.row is not None and refused.row.connection == runtime.connection:
                # It came over from another platform, and this is the first that we hear of it.
                runtime.mirror.take(refused.row)
                raise
            raise _taken(scope, number, refused.row) from refused
        return None
    if row.holder == holder and row.state in HELD:
        if row.state is NumberState.TRANSFERRING:
            await transfers.cancel(scope, gathered, row)
        return None
    if row.state is NumberState.QUARANTINED:
        if row.holder != holder:
            raise _resting(scope, number, row)
        await _commit_claim(scope, gathered, holder, (stock, number, Cause.RETURN_TO_HOLDER))
        return None
    if row.transfer_to == holder:
        return row
    if await transfers.begin(scope, gathered, row, receiver=holder):
        return runtime.mirror.numbers.get(number)
    raise _taken(scope, number, row)


async def _secure_elsewhere(
    scope: Scope, gathered: Gathered, holder: HolderId, row: NumberRow
) -> NumberRow:
    """The number is on another platform: it comes over when its holder there gives it up."""
    if row.state is NumberState.QUARANTINED:
        raise _resting(scope, row.number, row)
    if row.transfer_to == holder:
        return row
    if await transfers.begin(scope, gathered, row, receiver=holder):
        return scope.engine.row_elsewhere(row.number, gathered.runtime) or row
    raise _taken(scope, row.number, row)


def _check_observed(scope: Scope, gathered: Gathered, holder: HolderId, number: E164) -> None:
    """Nobody whom nothing declares loses a number, on whichever platform they have it. A platform
    that cannot be read holds up nobody here: one customer's expired credentials must not stop
    another's joiners. What takes whole ranges, or gives numbers back, waits for every platform.
    """
    observed = gathered.runtime.snapshot.number(number)
    if observed is not None and observed.holder_id == holder.user_id:
        return
    elsewhere = gathered.runtime.seen_elsewhere(number)
    if not _may_have(observed, holder):
        place = f"the {WORDS[holder.platform].connection}"
    elif elsewhere is not None:
        place = str(elsewhere.key)
    else:
        return
    scope.engine.waiters.wait_for_number(scope.key, number, None)
    raise Stalled(
        Reason.FOREIGN,
        f"{number.masked} is assigned in {place} to somebody whom nothing declares; free it "
        "there, or declare its holder",
    )


def _check_reserved(
    scope: Scope, gathered: Gathered, stock: Stock, holder: HolderId, number: E164
) -> None:
    entry = reservations.in_force(stock.reservations, scope.engine.clock.now()).get(number)
    if entry is None or reservations.is_for(entry, _names(scope, gathered, holder)):
        return
    raise Stalled(
        Reason.NUMBER_RESERVED,
        f"{number.masked} is reserved in {stock.key}"
        + (f": {entry.reason}" if entry.reason else ""),
    )


def _names(scope: Scope, gathered: Gathered, holder: HolderId) -> list[str]:
    person = gathered.runtime.snapshot.person(holder.user_id)
    return [holder.user_id, *([person.user_principal_name] if person is not None else [])]


def _kept_back_for(scope: Scope, gathered: Gathered, holder: HolderId, stock: Stock) -> E164 | None:
    """The number of the range that is reserved for this very person."""
    names = _names(scope, gathered, holder)
    reserved = reservations.in_force(stock.reservations, scope.engine.clock.now())
    for number, entry in sorted(reserved.items()):
        if reservations.is_for(entry, names) and gathered.runtime.is_free(number):
            return number
    return None


def _taken(scope: Scope, number: E164, row: NumberRow | None) -> Stalled:
    owner = row.declared_by if row is not None else None
    scope.engine.waiters.wait_for_number(scope.key, number, owner.key if owner else None)
    if owner is None:
        return Stalled(
            Reason.NUMBER_TAKEN,
            f"{number.masked} belongs to a holder that no object declares; declare that person, or "
            "take the number from them there",
        )
    return Stalled(
        Reason.NUMBER_TAKEN,
        f"{scope.key} and {owner} both want {number.masked}; {owner} has it",
    )


def _resting(scope: Scope, number: E164, row: NumberRow) -> Stalled:
    scope.engine.waiters.wait_for_number(scope.key, number, None)
    until = row.quarantined_until
    shown = f"until {until:%Y-%m-%d}" if until is not None else "without a known end"
    return Stalled(
        Reason.NUMBER_QUARANTINED, f"{number.masked} rests {shown} after its last holder"
    )

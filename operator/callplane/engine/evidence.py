"""Observe: what the system shows, from the snapshot where it can be believed, else by targeted
reads.

Also the judge of our own writes: an order that was accepted proves nothing, what a read shows does.
"""

from __future__ import annotations

from callplane.apis.reasons import Reason
from callplane.engine.claims import WantedNumber
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Scope
from callplane.errors import Failed
from callplane.numbering.lifecycle import NumberState
from callplane.plan import effects
from callplane.plan.change import Change, Operation
from callplane.plan.observation import Unknown, observed_line
from callplane.providers.protocol import ProviderError
from callplane.resources.lines import Line
from callplane.resources.platforms import CallingConfiguration
from callplane.status.conditions import NotKnown
from callplane.values import E164, HolderId

# How old a setting may be that only a read of the person shows.
UNLISTED_AGE_SECONDS = 3600.0
ON_A_LINE = frozenset({NumberState.ASSIGNED, NumberState.TRANSFERRING})


async def observe(
    scope: Scope,
    gathered: Gathered,
    holder: HolderId,
    wanted: WantedNumber,
    *,
    unlisted: frozenset[str] = frozenset(),
) -> Line | NotKnown:
    """The holder's line now. NotKnown while the system cannot be read or contradicts itself.

    `unlisted` are the settings that matter and that no listing shows.
    """
    runtime = gathered.runtime
    try:
        await _refresh_numbers(runtime, holder, wanted)
        configuration = await _configuration(runtime, holder.user_id, unlisted)
    except ProviderError as error:
        if not _has_anything(runtime, holder.user_id):
            raise Failed(Reason.PROVIDER_UNAVAILABLE, str(error)) from error
        return NotKnown(f"cannot be read now: {error}", is_long=runtime.is_stale_long)
    line = observed_line(holder, configuration, runtime.snapshot.numbers_of(holder.user_id))
    if isinstance(line, Unknown):
        return NotKnown(line.message, is_long=runtime.is_stale_long)
    return line


async def _refresh_numbers(
    runtime: ConnectionRuntime, holder: HolderId, wanted: WantedNumber
) -> None:
    """Read again every number of this holder that one of our writes has made stale, and every one
    that is theirs and that no listing shows: an absence in a listing is never enough to write on.
    """
    snapshot = runtime.snapshot
    rows = runtime.mirror.rows_of(holder)
    numbers = {row.number for row in rows}
    if wanted.desired.number is not None:
        numbers.add(wanted.desired.number.number)
    stale = {number for number in numbers if snapshot.numbers.is_dirty(number)}
    held = {row.number for row in rows if row.holder == holder and row.state in ON_A_LINE}
    missing = {number for number in held if snapshot.number(number) is None}
    for number in sorted(stale | missing):
        await runtime.read_number(number)


async def _configuration(
    runtime: ConnectionRuntime, user_id: str, unlisted: frozenset[str]
) -> CallingConfiguration | None:
    """From the snapshot when it has one; that a listing has none is never enough to write on, nor
    that it says nothing of a setting.
    """
    entry = runtime.snapshot.configurations.get(user_id)
    if entry is not None and entry.row is not None and not unlisted:
        return entry.row
    if entry is not None and entry.row is not None and not unlisted & entry.row.unlisted:
        read_at = runtime.unlisted_read_at.get(user_id, float("-inf"))
        if runtime.engine.clock.monotonic() - read_at < UNLISTED_AGE_SECONDS:
            return entry.row
    return await runtime.read_configuration(user_id)


def _has_anything(runtime: ConnectionRuntime, user_id: str) -> bool:
    return runtime.snapshot.person(user_id) is not None


async def shows_effect(runtime: ConnectionRuntime, change: Change, *, fresh: bool = False) -> bool:
    """Does the system show what the change was to bring about? `fresh` insists on a targeted read.

    Raises ProviderError when it cannot be read.
    """
    if change.operation is Operation.CREATE_PERSON:
        return await runtime.read_person(change.subject) is not None
    if change.operation is Operation.SET_POLICY:
        configuration = await runtime.read_configuration(change.subject)
        return effects.policy_shows(configuration, change)
    number = E164(change.number or "")
    if not fresh:
        entry = runtime.snapshot.numbers.get(number)
        if entry is not None and entry.row is not None and effects.number_shows(entry.row, change):
            return True
    if change.operation is Operation.UNASSIGN_NUMBER:
        return not await still_has(runtime, change.subject, number)
    return effects.number_shows(await runtime.read_number(number), change)


async def still_has(runtime: ConnectionRuntime, user_id: str, number: E164) -> bool:
    """Does somebody have a number, as a read of it shows? That nothing shows the number at all is
    no proof that nobody has it: the person's own record has to agree. Raises ProviderError.
    """
    row = await runtime.read_number(number)
    if row is not None:
        return row.holder_id == user_id
    configuration = await runtime.read_configuration(user_id)
    return configuration is not None and number in configuration.numbers

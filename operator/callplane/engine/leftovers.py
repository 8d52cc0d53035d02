"""Numbers that the register still gives a holder, that nobody wants for them, and that they do not
have.

An edit before the assignment was sent, or an administrator who took a number away that the spec no
longer names, leaves such rows. They are settled in the register alone; nothing is written to the
provider.
"""

from __future__ import annotations

from callplane.apis.reasons import Reason
from callplane.engine import evidence, intents, transfers
from callplane.engine.claims import ALLOCATED, WantedNumber
from callplane.engine.gathering import Gathered
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Scope
from callplane.errors import Failed, Waiting
from callplane.numbering.lifecycle import HELD, Cause, NumberState
from callplane.providers.protocol import ProviderError
from callplane.resources.lines import Line
from callplane.store.ports import Commit, Move, NumberRow
from callplane.values import HolderId

DISAGREEMENT_LOOK_SECONDS = 60.0


async def give_back(
    scope: Scope, gathered: Gathered, holder: HolderId, wanted: WantedNumber, observed: Line
) -> None:
    """Let go of every row that is neither wanted nor observed. An unmanaged number keeps its
    row. Raises Waiting while another read still shows the number.
    """
    if not wanted.desired.managed:
        return
    keep = {line.number for line in (wanted.desired.number, observed.number) if line is not None}
    for row in gathered.runtime.mirror.rows_of(holder):
        if row.holder == holder and row.state in HELD and row.number not in keep:
            if await settle_row(scope, gathered, row):
                continue
            raise Waiting(
                Reason.PROGRESSING,
                f"{row.number.masked} is to go, and reads do not agree whether it is there",
                after_seconds=DISAGREEMENT_LOOK_SECONDS,
            )


async def settle_row(scope: Scope, gathered: Gathered, row: NumberRow) -> bool:
    """Move one row on when a read shows that its holder does not have the number; says whether it
    did.
    """
    user_id = row.holder.user_id if row.holder is not None else ""
    try:
        if await evidence.still_has(gathered.runtime, user_id, row.number):
            return False
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, str(error)) from error
    await let_rest(scope, gathered, row)
    return True


async def let_rest(scope: Scope, gathered: Gathered, row: NumberRow) -> None:
    """The holder does not have the number: it rests, goes to whom it is kept for, or is free again
    when it was never sent.
    """
    now = scope.engine.clock.now()
    if row.state is NumberState.CLAIMED and row.reason == ALLOCATED:
        move = Move(
            number=row.number,
            expected=row.state,
            to=NumberState.FREE,
            cause=Cause.ABANDON,
            expected_holder=row.holder,
            range_name=row.range_name,
        )
        await gathered.runtime.mirror.commit(Commit(moves=(move,)), now=now)
        return
    days = intents.quarantine_days(scope, row)
    move, receiver = transfers.after_unassign(scope, gathered, row, quarantine_days=days)
    await gathered.runtime.mirror.commit(Commit(moves=(move,)), now=now)
    if receiver is not None:
        scope.engine.queue.add(receiver, Priority.USER)

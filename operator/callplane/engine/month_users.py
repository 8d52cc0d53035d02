"""Users of a month that is over whom its calls and registrations show, for they came after the
last look into it.

Whoever closes a month asks here first, the operator and the command line alike; else a statement
would depend on who closed it.
"""

from __future__ import annotations

from datetime import datetime

from callplane.engine import seats
from callplane.engine.seats import Declared
from callplane.store.books_ports import AccountMonth, Books, Payer
from callplane.store.call_tables import CallTables
from callplane.store.evidence_ports import ActiveUser, EvidenceBook


async def not_noted(
    books: Books,
    evidence: EvidenceBook,
    tables: CallTables,
    month: AccountMonth,
    *,
    declared: Declared,
) -> list[ActiveUser]:
    """Whom calls and registrations show, beside those that were noted while the month ran. Writes
    nothing.
    """
    key = (month.account, month.period_start)
    calls, registered = await books.calls(*key), await tables.registered(*key)
    if not calls and not registered:
        return []
    passage = await tables.read(0)
    return seats.seen_in_calls(
        month.account,
        [stored.entry for stored in passage.entries],
        declared=declared,
        calls=calls,
        registered=registered,
        noted=await evidence.active_users(*key),
    )


async def note(  # noqa: PLR0913 - what shows somebody and where it is written, all named
    books: Books,
    evidence: EvidenceBook,
    tables: CallTables,
    month: AccountMonth,
    *,
    zone: str,
    declared: Declared,
    now: datetime,
) -> None:
    """Write them down; repeating it changes nothing. `zone` is the account's."""
    users = await not_noted(books, evidence, tables, month, declared=declared)
    if users:
        payer = Payer.at(month.account, month.currency, zone, month.period_start)
        await evidence.note_active(payer, users, now=now)

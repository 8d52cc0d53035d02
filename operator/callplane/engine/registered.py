"""What the register says of a connection whose only record it is. Asked where one is started."""

from __future__ import annotations

from collections.abc import Iterable

from callplane.desired.sip_lines import is_trunk
from callplane.engine.evidence import ON_A_LINE
from callplane.store.ports import NumberRow
from callplane.values import E164, ConnectionId, Platform


def assigned(connection: ConnectionId, rows: Iterable[NumberRow]) -> dict[E164, str]:
    """Holders by number. Numbers behind a PBX are its own business: they are never sent to the
    provider, so it never hears of them.
    """
    if connection.provider != Platform.SIP.value:
        return {}
    return {
        row.number: row.holder.user_id
        for row in rows
        if row.state in ON_A_LINE
        and row.holder is not None
        and row.holder.platform is Platform.SIP
        and not is_trunk(row.holder.user_id)
    }

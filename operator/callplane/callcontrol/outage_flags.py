"""Tells SBCs whose bundled calls may go on while call control is silent, and for how long.

Each SBC keeps these flags in memory, so it is told everything when it connects and what changed
afterwards. What cannot be told now is told with the next connection.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from callplane.billing.fail_policy import UNSECURED_SECONDS_MAX, Outage, new_call
from callplane.billing.quotes import Mode
from callplane.billing.terms import Line
from callplane.callcontrol.evapi import is_up
from callplane.callcontrol.messages import OutageFlag
from callplane.callcontrol.ports import Send
from callplane.callcontrol.tables_directory import TablesDirectory

#: Flags in one go; answers to calls come in between.
GO: Final = 500


@dataclass
class OutageFlags:
    """What each SBC was told. `connected` and `changed` are called by whoever notices."""

    directory: TablesDirectory
    unsecured_seconds: int = UNSECURED_SECONDS_MAX
    _told: dict[Send, dict[tuple[str, str], int]] = field(default_factory=dict)
    _telling: set[asyncio.Task[None]] = field(default_factory=set)

    def connected(self, send: Send) -> None:
        """An SBC is there, and may have lost all it knew."""
        self._told[send] = {}
        self._start(send)

    def changed(self) -> None:
        """The directory is another one."""
        for send in self._told:
            self._start(send)

    def sends(self) -> list[Send]:
        """The ways to every SBC that was ever connected."""
        return list(self._told)

    def connections(self) -> int:
        """How many SBCs can be told something now."""
        return sum(is_up(send) for send in self._told)

    async def close(self) -> None:
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    def _start(self, send: Send) -> None:
        task = asyncio.create_task(self._tell(send))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, send: Send) -> None:
        told = self._told[send]
        wanted = self._wanted()
        changes = dict.fromkeys(told.keys() - wanted.keys(), 0)
        changes.update(
            (who, seconds) for who, seconds in wanted.items() if told.get(who) != seconds
        )
        for count, (who, seconds) in enumerate(changes.items(), start=1):
            try:
                send(OutageFlag(*who, seconds))
            except ConnectionError:
                return
            if seconds:
                told[who] = seconds
            else:
                told.pop(who, None)
            if count % GO == 0:
                await asyncio.sleep(0)

    def _wanted(self) -> dict[tuple[str, str], int]:
        """By ingress and caller, as lines are found when call control is asked: whoever writes the
        number of somebody else's line gets nothing by it.
        """
        return {
            (line.ingress, caller): seconds
            for line in self.directory.lines()
            if (seconds := self._seconds(line))
            for caller in line.caller_ids
        }

    def _seconds(self, line: Line) -> int:
        """How long one bundled call of the line may last by itself. Calls by a carrier that the
        customer pays are in no bundle.
        """
        if line.plan is None or line.byoc or line.suspended or line.account.suspended:
            return 0
        allowed = new_call(
            Mode.PLAN, Outage.CALL_CONTROL, allows_bundled=line.account.bundled_on_outage
        )
        return min(allowed.seconds or 0, self.unsecured_seconds)

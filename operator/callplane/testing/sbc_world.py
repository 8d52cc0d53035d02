"""One SBC with everything around it: its process, its peers, a call control that does as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from callplane.callcontrol import evapi
from callplane.callcontrol.messages import Authorise, Event, Order, Verdict
from callplane.callcontrol.ports import Send
from callplane.callcontrol.running import SbcPlace
from callplane.testing import polling, sbc_estates
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sip_endpoint import Endpoint

#: What a call control answers, or None for silence.
Decide = Callable[[Authorise], Verdict | None]
#: A bound on hanging: it takes a fifth of a second.
CONNECT_SECONDS = 20.0


def allow(seconds: int = 60, *, caller: str = "", dialled: str = "") -> Decide:
    """Allow every call for so long."""

    def decide(asked: Authorise) -> Verdict:
        return Verdict(
            asked.i,
            asked.l,
            allow=True,
            max_seconds=seconds,
            account="acme",
            reservation_id=f"r-{asked.attempt_id}",
            caller=caller,
            dialled=dialled,
            attempt_id=asked.attempt_id,
        )

    return decide


def silent(_: Authorise) -> None:
    """Hang: be connected, and answer nothing."""


@dataclass
class StandIn:
    """A call control: it notes what it hears, and decides as it was told."""

    decide: Decide
    heard: list[Event] = field(default_factory=list)
    send: Send | None = None

    async def handle(self, event: Event, send: Send) -> None:
        self.heard.append(event)
        self.send = send
        if isinstance(event, Authorise):
            verdict = self.decide(event)
            if verdict is not None:
                send(verdict)

    def order(self, order: Order) -> None:
        assert self.send is not None
        self.send(order)

    def asked(self) -> list[Authorise]:
        return [event for event in self.heard if isinstance(event, Authorise)]


@dataclass
class SbcWorld:
    """A peer exists from the moment it is asked for; call control only when it is started."""

    estate: LoopbackSbc
    kamailio: Kamailio
    stack: AsyncExitStack
    peers: dict[str, Endpoint] = field(default_factory=dict)

    async def at(self, address: str) -> Endpoint:
        if address not in self.peers:
            endpoint = Endpoint((address, self.estate.ports.peers))
            self.peers[address] = await self.stack.enter_async_context(endpoint)
        return self.peers[address]

    async def carriers(self) -> tuple[Endpoint, Endpoint, Endpoint]:
        """Alpha and bravo take emergency calls, charlie does not; bravo holds our numbers."""
        return (
            await self.at(sbc_estates.ALPHA),
            await self.at(sbc_estates.BRAVO),
            await self.at(sbc_estates.CHARLIE),
        )

    async def pbx(self, outside_line: str = "") -> Endpoint:
        return await self.at(sbc_estates.PBXES[outside_line])

    async def call_control(self, decide: Decide) -> StandIn:
        """Start a call control and wait until the SBC knows it."""
        stand_in = StandIn(decide)
        before = self.connected()
        address = self.estate.sbc().call_control
        task = asyncio.create_task(evapi.serve(address.address, address.port, stand_in.handle))
        self.stack.push_async_callback(_end, task)
        await asyncio.to_thread(
            polling.until,
            lambda: self.connected() > before,
            "the SBC knows its call control",
            seconds=CONNECT_SECONDS,
        )
        return stand_in

    def connected(self) -> int:
        """How many call controls the SBC believes to have."""
        return self.state("auth")

    def state(self, name: str) -> int:
        """One number of the SBC's own state; 0 when it was never set."""
        entries = self.kamailio.rpc("htable.dump", "state")
        values = {slot["name"]: slot["value"] for entry in entries for slot in entry["slot"]}
        return int(values.get(name, 0))

    def place(self) -> SbcPlace:
        """Where a call control finds the SBC and its spool."""
        address, spool = self.estate.sbc().call_control, self.kamailio.spool
        mark = spool.with_name("mark")
        return SbcPlace(address.address, address.port, spool, mark, pause_seconds=0.2)

    def uri(self, dialled: str) -> str:
        return f"sip:{dialled}@127.0.0.1:{self.estate.ports.core}"


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def around(estate: LoopbackSbc, kamailio: Kamailio) -> AsyncGenerator[SbcWorld]:
    """Start the SBC while nothing else is there, and end everything afterwards."""
    async with AsyncExitStack() as stack:
        stack.callback(kamailio.kill)
        await asyncio.to_thread(kamailio.start)
        yield SbcWorld(estate, kamailio, stack)

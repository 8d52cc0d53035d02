"""Numbers on their way in from another carrier: states that follow one another, and people between.

Each carrier names its states; how long one lasts is a setting. A rejection or a new date comes from
the portal, as it comes from people at the losing carrier.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callplane.simulators.carriers.rows import NumberRow, Port
from callplane.simulators.carriers.world import PORTAL, Account, CarrierWorld


@dataclass(frozen=True, slots=True)
class PortRequest:
    """What is asked: which numbers, what kind of port, the states ahead, the carrier's details."""

    numbers: Sequence[str]
    kind: str
    states: Sequence[str]
    details: Mapping[str, object]


def open_port(world: CarrierWorld, account: Account, request: PortRequest) -> Port:
    """Begin a port. It walks through its states; with the last the numbers are the account's."""
    port = Port(
        id=world.new_guid("port"),
        account=account.id,
        numbers=tuple(request.numbers),
        kind=request.kind,
        status="",
        created_at=world.timestamp(),
        details=dict(request.details),
    )
    account.ports[port.id] = port
    enter(world, port, states=request.states)
    return port


def enter(world: CarrierWorld, port: Port, *, states: Sequence[str]) -> None:
    """Put a port into the first of `states` and plan the next ones."""
    port.status = states[0]
    port.revision += 1
    port.events.append({"at": world.timestamp(), "status": port.status, "text": ""})
    if len(states) == 1:
        complete(world, port)
        return
    revision = port.revision

    def next_step(_: float) -> None:
        if port.is_open and port.revision == revision:
            enter(world, port, states=states[1:])

    world.later(world.now() + world.settings.port_step_seconds, next_step)


def halt(world: CarrierWorld, port: Port, *, status: str, text: str, closes: bool = True) -> None:
    """Stop a port where it is: rejected, cancelled, in need of a correction."""
    if not port.is_open:
        raise ValueError(f"port {port.id} is {port.status}")
    port.status = status
    port.revision += 1
    port.is_open = not closes
    port.events.append({"at": world.timestamp(), "status": status, "text": text})


def complete(world: CarrierWorld, port: Port) -> None:
    """Hand the ported numbers over, whoever had them."""
    port.is_open = False
    account = world.account(port.account)
    for e164 in port.numbers:
        row = world.stock.get(e164) or NumberRow(e164, is_on_sale=False, setup_minor=0)
        if row.owner == account.id:
            continue
        row = dataclasses.replace(row, owner=None, attributes={})
        world.hand_over(row, account, by=PORTAL, attributes={"source": "ported"})

"""The demo's telephone network: a real Kamailio, a peer that stands for Teams, and carriers.

    python -m callplane.testing.demo_switch PORT

`callplane demo` runs it beside itself and speaks JSON lines with it: it places calls, hangs up all
of them, and answers with what SIP answered. PORT is where the SBC waits for call control. The first
line says whether there is a Kamailio at all. Teams speaks TLS; this peer speaks UDP, on loopback.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from callplane.sbc.model import Sbc
from callplane.testing import sbc_estates, sbc_programs, sbc_world
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackPorts, LoopbackSbc
from callplane.testing.sip_endpoint import Call

#: The ingress of people in Teams, as call control knows it.
INGRESS = "Teams"


def say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def teams_in_place_of_a_pbx(sbc: Sbc) -> Sbc:
    """The first PBX under the name of Teams; numbers are nobody's in this SBC."""
    trunks = tuple(
        replace(trunk, name=INGRESS) if trunk.name == "pbx" else trunk for trunk in sbc.trunks
    )
    return replace(sbc, trunks=trunks, numbers=(), redirects=())


async def serve(port: int, folder: Path) -> None:
    estate = LoopbackSbc(
        ports=replace(LoopbackPorts.free(), call_control=port),
        # Nobody is silent on purpose in the story, and a laptop may be busy with all of it.
        verdict_milliseconds=sbc_estates.PATIENT_MILLISECONDS,
    )
    kamailio = Kamailio.rendered(teams_in_place_of_a_pbx(estate.sbc()), folder)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async with sbc_world.around(estate, kamailio) as world:
        await world.carriers()
        caller = await world.at(sbc_estates.PBXES[""])
        say(ready=True, spool=str(kamailio.spool))
        up: list[Call] = []
        while line := await reader.readline():
            order = json.loads(line)
            if order["do"] == "call":
                call = await caller.call(
                    world.uri(order["dialled"]), estate.core, caller=order["caller"]
                )
                if call.status == 200:
                    up.append(call)
                say(status=call.status, said=call.final.start.partition(" ")[2])
            elif order["do"] == "hang up":
                for call in up:
                    await call.bye()
                say(ended=len(up))
                up.clear()
            else:
                say(connected=world.connected())


def main() -> int:
    if reason := sbc_programs.missing():
        say(ready=False, reason=reason)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        asyncio.run(serve(int(sys.argv[1]), Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

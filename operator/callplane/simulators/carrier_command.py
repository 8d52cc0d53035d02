"""`python -m callplane.simulators simwood …`: a carrier in a process of its own.

Prints one line of JSON when it is ready (addresses, accounts) and runs until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import uvloop
import yaml

from callplane.simulators.carriers.running import running_carrier
from callplane.simulators.carriers.seeding import WorldSeed, world_seed_from
from callplane.simulators.carriers.surface import Surface
from callplane.simulators.carriers.world import CarrierWorld
from callplane.simulators.didww.surface import DidwwSurface
from callplane.simulators.didww.world import DidwwWorld
from callplane.simulators.simwood.surface import SimwoodSurface
from callplane.simulators.simwood.world import SimwoodWorld
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import TwilioWorld

CARRIERS: Final[Mapping[str, tuple[type[CarrierWorld], type[Surface]]]] = {
    "simwood": (SimwoodWorld, SimwoodSurface),
    "telnyx": (TelnyxWorld, TelnyxSurface),
    "twilio": (TwilioWorld, TwilioSurface),
    "didww": (DidwwWorld, DidwwSurface),
}


def add_parsers(worlds: Any) -> None:
    """Give each carrier its word on the command line. `worlds` is what add_subparsers returned."""
    for name in CARRIERS:
        parser = worlds.add_parser(name, help=f"the carrier {name}")
        parser.add_argument("--port", type=int, default=0, help="HTTP on loopback; 0 is any")
        parser.add_argument("--seed-file", type=Path, help="description of the world, YAML or JSON")
        parser.add_argument("--account", help="account id, when there is no seed file")
        parser.add_argument("--first", help="first number on sale, when there is no seed file")
        parser.add_argument("--numbers", type=int, default=1000, help="how many numbers")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a setting, such as order_seconds=2",
        )


def run(options: argparse.Namespace) -> int:
    """Run the carrier named on the command line. Returns the exit status."""
    make_world, make_surface = CARRIERS[options.world]
    try:
        world = make_world(seed=_seed(options))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(world, make_surface(), port=options.port))
    except (OSError, ValueError, yaml.YAMLError) as error:
        print(f"callplane simulators: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 1
    return 0


def _seed(options: argparse.Namespace) -> WorldSeed:
    document: dict[str, object] = {}
    if options.seed_file is not None:
        loaded = yaml.safe_load(options.seed_file.read_text(encoding="utf-8"))
        if not isinstance(loaded, dict):
            raise ValueError(f"{options.seed_file}: a mapping is wanted")
        document = dict(loaded)
        if options.account is not None or options.first is not None:
            raise ValueError("--account and --first describe a world without a seed file")
    else:
        document["accounts"] = [
            {"id": options.account or CARRIERS[options.world][0].default_account}
        ]
        first = options.first or "+442079460000"
        document["ranges"] = [{"first": first, "count": options.numbers}]
    settings = document.setdefault("settings", {})
    if isinstance(settings, dict):
        for text in options.set:
            name, separator, value = text.partition("=")
            if not separator:
                raise ValueError(f"--set {text}: NAME=VALUE is wanted")
            settings[name] = yaml.safe_load(value)
    return world_seed_from(document, str(options.seed_file or "command line"))


async def _serve(world: CarrierWorld, surface: Surface, *, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_carrier(world, surface, port=port) as carrier:
        print(json.dumps(carrier.document()), flush=True)  # noqa: T201 - the ready line is the product
        await stop.wait()

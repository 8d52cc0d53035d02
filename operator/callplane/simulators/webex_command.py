"""`python -m callplane.simulators webex …`: a Webex world in a process of its own.

Prints one line of JSON when it is ready (addresses, organisations) and runs until SIGTERM or
SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any, Final

import uvloop
import yaml

from callplane.simulators.webex import seeding
from callplane.simulators.webex.running import running_webex
from callplane.simulators.webex.world import WebexWorld

NAME: Final = "webex"


def add_parser(worlds: Any) -> None:
    """Give Webex its word on the command line. `worlds` is what add_subparsers returned."""
    parser = worlds.add_parser(NAME, help="a Webex organisation and its token service")
    parser.add_argument("--port", type=int, default=0, help="HTTP on loopback; 0 is any")
    parser.add_argument("--seed-file", type=Path, help="description of the world, YAML or JSON")
    parser.add_argument("--organisation", help="organisation id, when there is no seed file")
    parser.add_argument("--users", type=int, default=0, help="people of that organisation")
    parser.add_argument("--holders", type=int, default=0, help="how many of them have a number")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, such as writes_per_second=10",
    )


def run(options: argparse.Namespace) -> int:
    """Run the world described on the command line. Returns the exit status."""
    try:
        world = WebexWorld(seed=_seed(options))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(world, port=options.port))
    except (OSError, ValueError, yaml.YAMLError) as error:
        print(f"callplane simulators: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 1
    return 0


def _seed(options: argparse.Namespace) -> seeding.WorldSeed:
    document: dict[str, object] = {}
    if options.seed_file is not None:
        loaded = yaml.safe_load(options.seed_file.read_text(encoding="utf-8"))
        if not isinstance(loaded, dict):
            raise ValueError(f"{options.seed_file}: a mapping is wanted")
        document = dict(loaded)
        if options.organisation is not None or options.users:
            raise ValueError("--organisation and --users describe a world without a seed file")
    else:
        document["organisations"] = [
            {
                "id": options.organisation or seeding.DEFAULT_ORGANISATION_ID,
                "users": options.users,
                "holders": options.holders,
            }
        ]
    settings = document.setdefault("settings", {})
    if isinstance(settings, dict):
        for text in options.set:
            name, separator, value = text.partition("=")
            if not separator:
                raise ValueError(f"--set {text}: NAME=VALUE is wanted")
            settings[name] = yaml.safe_load(value)
    return seeding.world_seed_from(document, str(options.seed_file or "command line"))


async def _serve(world: WebexWorld, *, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_webex(world, port=port) as webex:
        print(json.dumps(webex.document()), flush=True)  # noqa: T201 - the ready line is the product
        await stop.wait()

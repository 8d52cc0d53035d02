"""`python -m callplane.simulators graph …`: a world in a process of its own.

Prints one line of JSON when it is ready (addresses, CA file, tenants) and runs until SIGTERM or
SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
import yaml

from callplane.simulators import carrier_command, webex_command
from callplane.simulators.graph import seeding
from callplane.simulators.graph.running import Ports, running_graph
from callplane.simulators.graph.world import GraphWorld


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator named on the command line. Returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.world in carrier_command.CARRIERS:
        return carrier_command.run(options)
    if options.world == webex_command.NAME:
        return webex_command.run(options)
    try:
        world = GraphWorld(seed=_seed(options))
    except (OSError, ValueError, yaml.YAMLError) as error:
        print(f"callplane simulators: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 1
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_serve(world, options))
        except OSError as error:
            print(f"callplane simulators: {error}", file=sys.stderr)  # noqa: T201 - as above
            return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m callplane.simulators")
    worlds = parser.add_subparsers(dest="world", required=True)
    graph = worlds.add_parser("graph", help="Microsoft Graph and its token service")
    graph.add_argument("--port", type=int, default=0, help="plain HTTP on loopback; 0 is any")
    graph.add_argument("--tls-port", type=int, default=0, help="TLS on loopback; 0 is any")
    graph.add_argument("--seed-file", type=Path, help="description of the world, YAML or JSON")
    graph.add_argument("--tenant", help="tenant id, when there is no seed file")
    graph.add_argument("--users", type=int, default=0, help="people of that tenant")
    graph.add_argument("--holders", type=int, default=0, help="how many of them have a number")
    graph.add_argument("--folder", type=Path, help="keeps the certificates; default temporary")
    graph.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, such as answer_delay_seconds=0.05",
    )
    carrier_command.add_parsers(worlds)
    webex_command.add_parser(worlds)
    return parser


def _seed(options: argparse.Namespace) -> seeding.WorldSeed:
    document: dict[str, object] = {}
    if options.seed_file is not None:
        loaded = yaml.safe_load(options.seed_file.read_text(encoding="utf-8"))
        if not isinstance(loaded, dict):
            raise ValueError(f"{options.seed_file}: a mapping is wanted")
        document = dict(loaded)
        if options.tenant is not None or options.users:
            raise ValueError("--tenant and --users describe a world without a seed file")
    else:
        document["tenants"] = [
            {
                "id": options.tenant or seeding.DEFAULT_TENANT_ID,
                "users": options.users,
                "holders": options.holders,
            }
        ]
    settings = document.setdefault("settings", {})
    if isinstance(settings, dict):
        settings.update(_setting(text) for text in options.set)
    return seeding.world_seed_from(document, str(options.seed_file or "command line"))


def _setting(text: str) -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"--set {text}: NAME=VALUE is wanted")
    return name, yaml.safe_load(value)


async def _serve(world: GraphWorld, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ports = Ports(plain=options.port, tls=options.tls_port)
    async with running_graph(world, ports=ports, folder=options.folder) as graph:
        print(json.dumps(graph.document()), flush=True)  # noqa: T201 - the ready line is the product
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())

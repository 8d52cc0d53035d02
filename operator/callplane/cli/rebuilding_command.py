"""The rebuild of `callplane numbers rebuild`: shown first, carried out on the digest of what was
shown.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import typer

from callplane.apis.model import Resource
from callplane.apis.parsing import parse_lenient
from callplane.cli import connecting, output
from callplane.cli.plan_command import observed
from callplane.clock import SystemClock
from callplane.engine.observations import ConnectionObservation, Observations
from callplane.engine.rebuilding_numbers import Rebuild, Rest, prepare, spans
from callplane.errors import CallplaneError
from callplane.store.ports import MoveRefused, Register
from callplane.values import E164

OWNERS = ("NumberRange", "PhoneNumber")


@dataclass(frozen=True, slots=True)
class Options:
    """What the person said."""

    tenant: str
    kubeconfig: Path | None
    snapshot: Path | None
    database_url: str
    quarantine_days: int
    known_free: Path | None
    confirm: str


def run(options: Options) -> None:
    """Show the rebuild; carry it out when its digest is confirmed."""
    observations = observed(options.snapshot, options.kubeconfig, options.database_url)
    observation = _observation(observations, options.tenant)
    owners = _owners(observations)
    if not owners:
        raise CallplaneError(
            "these observations hold no NumberRange, so nobody could say which numbers are ours: "
            "observe a cluster"
        )
    others = [each for each in observations.connections if each is not observation]
    asyncio.run(_rebuild(options, observation, owners, others))


def _observation(observations: Observations, tenant: str) -> ConnectionObservation:
    namespace, _, name = tenant.partition("/")
    for each in observations.connections:
        if (each.key.namespace, each.key.name) == (namespace, name):
            return each
    known = ", ".join(f"{each.key.namespace}/{each.key.name}" for each in observations.connections)
    raise CallplaneError(f"{tenant} was not observed; observed are: {known or 'none'}")


def _owners(observations: Observations) -> list[Resource]:
    parsed = (parse_lenient(body) for body in observations.objects if body["kind"] in OWNERS)
    return [each.resource for each in parsed if each.resource is not None]


async def _rebuild(
    options: Options,
    observation: ConnectionObservation,
    owners: list[Resource],
    others: list[ConnectionObservation],
) -> None:
    async with connecting.register(options.database_url) as register:
        rebuild = await _prepared(register, options, observation, owners, others)
        _show(rebuild, observation)
        if not options.confirm:
            typer.echo("nothing was written; carry it out with:")
            typer.echo(f"  --confirm {rebuild.digest}")
            return
        if options.confirm != rebuild.digest:
            raise CallplaneError(
                f"the digest is {rebuild.digest} by now: what was confirmed is not what would be "
                "written. Look at it again"
            )
        now = SystemClock().now()
        try:
            committed = await register.replace_from_observation(
                observation.connection,
                rebuild.observed,
                now=now,
                quarantined_until=now + timedelta(days=options.quarantine_days),
            )
        except MoveRefused as refused:
            raise _of_another(refused) from None
    typer.echo(f"rebuilt: {output.count(len(committed.numbers), 'row')} written")
    typer.echo(
        "The operator writes nothing until a person allows it, if the register is older than what "
        f"{observation.key} remembers: the tenant's Stalled condition names the annotation"
    )


async def _prepared(
    register: Register,
    options: Options,
    observation: ConnectionObservation,
    owners: list[Resource],
    others: list[ConnectionObservation],
) -> Rebuild:
    rows = [
        row for span in spans(owners) for row in await register.numbers_in(span.first, span.last)
    ]
    until = SystemClock().now() + timedelta(days=options.quarantine_days)
    try:
        return prepare(
            observation,
            owners=owners,
            rows={row.number: row for row in rows},
            others=others,
            rest=Rest(options.quarantine_days, until, _known_free(options.known_free)),
        )
    except MoveRefused as refused:
        raise _of_another(refused) from None


def _of_another(refused: MoveRefused) -> CallplaneError:
    owner = refused.row.connection if refused.row is not None else "another connection"
    return CallplaneError(f"{refused.number.masked} belongs to {owner}; nothing was written")


def _known_free(path: Path | None) -> frozenset[E164]:
    if path is None:
        return frozenset()
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise CallplaneError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    found = set()
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found.add(E164.from_provider(text))
        except ValueError as error:
            raise CallplaneError(f"{path}:{number}: {error}") from None
    return frozenset(found)


def _show(rebuild: Rebuild, observation: ConnectionObservation) -> None:
    typer.echo(f"{observation.key} ({observation.connection})")
    counts = Counter(f"{move.expected.value} → {move.to.value}" for move in rebuild.moves)
    rows = [
        (f"{rebuild.held:,}", "numbers are held by somebody in the tenant"),
        (f"{rebuild.resting:,}", f"are held by nobody and rest {rebuild.quarantine_days} days"),
        *((f"{count:,}", f"rows go {move}") for move, count in sorted(counts.items())),
    ]
    for line in output.table(rows, indent="  "):
        typer.echo(line)

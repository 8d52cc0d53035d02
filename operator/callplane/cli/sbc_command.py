"""`callplane sbc`: render a session border controller's configuration, drain a running one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from callplane.callcontrol import draining
from callplane.callcontrol.draining import Busy
from callplane.callcontrol.kamailio_rpc import KamailioRpc
from callplane.cli import (
    connecting,
    durations,
    manifests,
    output,
    validating,
    yaml_documents,
)
from callplane.cli.connecting import DatabaseUrl
from callplane.cli.yaml_documents import Positions, YamlProblem
from callplane.clock import SystemClock
from callplane.sbc import declared, reading, rendering
from callplane.sbc.model import Sbc

#: Digests of phones and the names of certificates: for the program and nobody else.
MODE = 0o600
LIMIT_MOST = timedelta(days=1)

File = Annotated[Path, typer.Argument(help="Values in YAML.", metavar="FILE")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Folder to write into; without it kamailio.cfg is printed."
    ),
]

Objects = Annotated[
    Path | None,
    typer.Option(help="Manifests whose trunks, numbers and redirects go in.", metavar="FOLDER"),
]
Name = Annotated[
    str,
    typer.Option("--sbc", help="The SessionBorderController among them.", metavar="NAMESPACE/NAME"),
]
Phones = Annotated[
    bool,
    typer.Option(
        "--phones",
        help="With --objects: digests of SipPhones from the database, where the operator put them.",
    ),
]
Limit = Annotated[str, typer.Option(help="Longest to wait, as in 90s, 30m or 2h.", metavar="TIME")]
Socket = Annotated[Path, typer.Argument(help="rpc.sock in the SBC's run folder.", metavar="SOCKET")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    sbc = typer.Typer(help="The session border controller.", no_args_is_help=True)
    sbc.command("render")(render)
    sbc.command("drain")(drain)
    sbc.command("resume")(resume)
    sbc.command("wait")(wait)
    app.add_typer(sbc, name="sbc")


def render(
    file: File,
    output: Output = None,
    objects: Objects = None,
    name: Name = "default/sbc",
    phones: Phones = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Turn values, and what manifests declare on their SBC, into the configuration of Kamailio.
    Nothing is written when anything is wrong.

    Exit codes: 0 rendered, 1 errors, all of them shown with their lines.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _refused(f"{file}: {error.strerror}") from None
    sbc, complaints = understand(content)
    if sbc is None:
        raise _refused(*(f"{file}:{complaint}" for complaint in complaints))
    if objects is not None:
        digests = connecting.phone_digests(database_url) if phones else {}
        sbc = _with_declared(sbc, objects, name, digests)
    elif phones:
        raise _refused("--phones is about SipPhones of --objects")
    files = rendering.render(sbc)
    if output is None:
        typer.echo(files["kamailio.cfg"], nl=False)
        return
    try:
        write(files, output)
    except OSError as error:
        raise _refused(f"{error.filename}: {error.strerror}") from None
    typer.echo(f"{len(files)} files in {output}", err=True)


def _with_declared(sbc: Sbc, folder: Path, name: str, digests: Mapping[str, str]) -> Sbc:
    namespace, slash, object_name = name.partition("/")
    if not (namespace and slash and object_name):
        raise _refused(f"--sbc {name}: is NAMESPACE/NAME of a SessionBorderController")
    tree = manifests.read([str(folder)], namespace=namespace)
    now = SystemClock().now()
    found = validating.errors(validating.findings(tree, now=now))
    if found:
        raise _refused(*(str(each) for each in found))
    whole, problems = declared.with_declared(
        sbc, tree.resources, name=(namespace, object_name), now=now, digests=digests
    )
    if whole is None:
        raise _refused(*(f"{folder}: {problem}" for problem in problems))
    return whole


def drain(
    socket: Socket,
    limit: Limit = "2h",
    end_after: Annotated[
        str | None,
        typer.Option(
            help="End calls that are still up after this time; emergency and exempt calls, and"
            " calls back from such a service, go on.",
            metavar="TIME",
        ),
    ] = None,
    records: Annotated[
        str | None,
        typer.Option(
            help="Longest to wait for records to be taken after the last call.",
            metavar="TIME",
        ),
    ] = None,
) -> None:
    """Refuse new calls, emergency and exempt ones excepted, and wait until the last one has ended.

    Exit codes: 0 quiet, 1 calls are still up after the limit, or nobody answered.
    """
    waiting = replace(
        _patience(limit),
        end_seconds=None if end_after is None else _seconds(end_after, "--end-after"),
        records_seconds=None if records is None else _seconds(records, "--records"),
    )
    if waiting.end_seconds is not None and waiting.end_seconds >= waiting.limit_seconds:
        raise _refused(f"--end-after {end_after} has to be less than --limit {limit}")
    left = draining.drain(KamailioRpc(socket), waiting, _say)
    if not left.is_quiet:
        after = limit if left.calls or records is None else records
        raise _refused(f"not quiet after {after}: {_in_words(left)}; the spool has the records")


def wait(socket: Socket, limit: Limit = "2h") -> None:
    """Wait until the SBC has stopped, for what serves it until its end.

    Exit codes: 0 it is not there any more, 1 it still is after the limit.
    """
    if not draining.wait_until_gone(KamailioRpc(socket), _patience(limit)):
        raise _refused(f"the SBC is still there after {limit}")


def _patience(limit: str) -> draining.Patience:
    return draining.Patience(_seconds(limit, "--limit"), SystemClock().monotonic, time.sleep)


def _seconds(text: str, option: str) -> float:
    return durations.parse(text, option=option, most=LIMIT_MOST).total_seconds()


def resume(socket: Socket) -> None:
    """Take new calls again."""
    draining.set_draining(KamailioRpc(socket), wanted=False)


def _say(busy: Busy) -> None:
    typer.echo("quiet" if busy.is_quiet else _in_words(busy), err=True)


def _in_words(busy: Busy) -> str:
    ended = f", {output.count(busy.ended, 'call')} ended" if busy.ended else ""
    up, records = output.count(busy.calls, "call"), output.count(busy.records, "record")
    return f"{up} up, {records} to take{ended}"


def understand(content: bytes) -> tuple[Sbc | None, list[str]]:
    """The SBC, or complaints that begin with their line."""
    try:
        documents, repeated = yaml_documents.documents(content)
    except YamlProblem as problem:
        return None, [f"{problem.line}: {problem.message}"]
    complaints = [f"{key.line}: {key.key} is written twice" for key in repeated]
    if len(documents) != 1:
        return None, [*complaints, f"1: holds {len(documents)} documents where one is meant"]
    sbc, problems = reading.read(documents[0])
    positions = Positions(content)
    complaints += [f"{positions.line(0, None, problem.path)}: {problem}" for problem in problems]
    return (None, complaints) if complaints else (sbc, [])


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write each file beside its place first, then put all in place: never half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    written = list(_beside(files, folder))
    for new, place in written:
        new.replace(place)


def _beside(files: Mapping[str, str], folder: Path) -> Iterator[tuple[Path, Path]]:
    for name, text in files.items():
        new = folder / f".{name}.new"
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        yield new, folder / name


def _refused(*lines: str) -> typer.Exit:
    for line in lines:
        typer.echo(line, err=True)
    return typer.Exit(1)

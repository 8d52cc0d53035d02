"""`callplane sandbox`: a real Kubernetes API, PostgreSQL and the project's processes on one
machine.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from callplane.sandbox import binaries, foreign_clusters, lifecycle, postgres, processes
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.lifecycle import Sandbox, UpOptions

FOLLOW_SECONDS = 0.3

Name = Annotated[str, typer.Option("--name", help="Which sandbox; several may live side by side.")]

group = typer.Typer(
    help="A real Kubernetes API, PostgreSQL and Callplane on this machine, for development.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.add_typer(group, name="sandbox")


@group.command()
def up(
    name: Name = lifecycle.DEFAULT_NAME,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Use this existing cluster in place of an own one.")
    ] = None,
    yes_use_this_cluster: Annotated[
        bool, typer.Option(help="Consent to install the kinds into the cluster of --kubeconfig.")
    ] = False,
    audit: Annotated[
        bool, typer.Option(help="Log each request to the Kubernetes API, without its body.")
    ] = False,
) -> None:
    """Start a sandbox and return when it is ready. The first use may build programs for minutes."""
    if kubeconfig is not None and not yes_use_this_cluster:
        raise SandboxError(
            f"{kubeconfig} leads to {foreign_clusters.server(kubeconfig)}, a cluster that this "
            "sandbox did not make; say --yes-use-this-cluster to install the kinds there"
        )
    if kubeconfig is None and yes_use_this_cluster:
        raise SandboxError("--yes-use-this-cluster needs --kubeconfig to name the cluster")
    options = UpOptions(foreign_kubeconfig=kubeconfig, audit=audit)
    _describe(lifecycle.up(name, options, report=_say))


@group.command()
def status(
    name: Annotated[str | None, typer.Option("--name", help="Only this sandbox.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what runs. Exit code 1 when something that should run does not, or nothing is up."""
    wanted = lifecycle.names() if name is None else (name,)
    found = [sandbox for each in wanted if (sandbox := lifecycle.look(each)) is not None]
    if as_json:
        typer.echo(json.dumps([_document(sandbox) for sandbox in found], indent=2))
    elif not found:
        typer.echo("no sandbox is up" if name is None else f"sandbox {name} is not up")
    else:
        for sandbox in found:
            _describe(sandbox)
    if not found or any(sandbox.dead() for sandbox in found):
        raise typer.Exit(1)


@group.command()
def down(
    name: Name = lifecycle.DEFAULT_NAME,
    every: Annotated[bool, typer.Option("--all", help="Stop every sandbox.")] = False,
) -> None:
    """Stop a sandbox and remove everything it kept."""
    for each in lifecycle.names() if every else (name,):
        stopped = lifecycle.down(each, report=_say)
        typer.echo(f"sandbox {each} is down" if stopped else f"sandbox {each} was not up")


@group.command()
def logs(
    process: Annotated[
        str | None, typer.Argument(help="Which process; all of them if left out.")
    ] = None,
    name: Name = lifecycle.DEFAULT_NAME,
    lines: Annotated[int, typer.Option(min=0, help="How many lines of each, from the end.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
) -> None:
    """Show what the processes of a sandbox wrote."""
    sandbox = _require(name)
    files = {record.name: Path(record.log_file) for record in sandbox.processes}
    if process is not None:
        if process not in files:
            raise SandboxError(
                f"no process {process!r} in sandbox {name}: it has {', '.join(files)}"
            )
        files = {process: files[process]}
    positions = {each: _print_end(each, file, lines=lines) for each, file in files.items()}
    while follow:
        time.sleep(FOLLOW_SECONDS)
        for each, file in files.items():
            positions[each] = _print_since(each, file, position=positions[each])


@group.command()
def prepare() -> None:
    """Find or build the programs that a sandbox needs, so that later commands start at once."""
    found = binaries.find(binaries.Search(report=_say))
    postgres.installation()
    for program in (found.etcd, found.kube_apiserver, found.kube_controller_manager, found.kubectl):
        typer.echo(str(program))


PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


@group.command(context_settings={**PASS_THROUGH, "help_option_names": []})
def kubectl(context: typer.Context, name: Name = lifecycle.DEFAULT_NAME) -> None:
    """Run kubectl on the sandbox's cluster, as its administrator."""
    tool = _require(name).kubectl
    command = [*tool.command(), *context.args]
    os.execve(command[0], command, tool.environment())


@group.command(context_settings={**PASS_THROUGH, "help_option_names": []})
def psql(context: typer.Context, name: Name = lifecycle.DEFAULT_NAME) -> None:
    """Run psql on the sandbox's database."""
    program = str(postgres.installation() / "bin" / "psql")
    # The address holds the password, which must not stand in a process list.
    location = postgres.environment_of(_require(name).database_url)
    os.execve(program, [program, *context.args], processes.child_environment(location))


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _require(name: str) -> Sandbox:
    sandbox = lifecycle.look(name)
    if sandbox is None:
        raise SandboxError(f"sandbox {name} is not up")
    return sandbox


def _describe(sandbox: Sandbox) -> None:
    typer.echo(f"sandbox {sandbox.name} (started in {sandbox.started_in_seconds:.1f} s)")
    for record in sandbox.processes:
        verdict = "running" if processes.alive(record) else "DEAD"
        typer.echo(f"  {record.name:<24} {verdict:<8} process {record.pid}")
    for place, url in sandbox.addresses.items():
        typer.echo(f"  {place:<24} {url}")
    typer.echo(f"  kubeconfig               {sandbox.kubeconfig}")
    option = "" if sandbox.name == lifecycle.DEFAULT_NAME else f" --name {sandbox.name}"
    typer.echo(f"look around: callplane sandbox kubectl{option} get namespaces")
    typer.echo(f"             callplane sandbox psql{option}")
    typer.echo(f"             callplane sandbox logs{option} --follow")
    typer.echo(f"stop it:     callplane sandbox down{option}")


def _document(sandbox: Sandbox) -> dict[str, object]:
    return {
        "name": sandbox.name,
        "folder": str(sandbox.folder),
        "kubeconfig": str(sandbox.kubeconfig),
        "kubectl": str(sandbox.kubectl_program),
        "databaseUrl": sandbox.database_url,
        "addresses": sandbox.addresses,
        "startedInSeconds": sandbox.started_in_seconds,
        "processes": [
            {"name": record.name, "pid": record.pid, "running": processes.alive(record)}
            for record in sandbox.processes
        ],
    }


def _print_end(process: str, file: Path, *, lines: int) -> int:
    with file.open(errors="replace") as text:
        for line in deque(text, maxlen=lines):
            typer.echo(f"{process}: {line.rstrip()}")
        return text.tell()


def _print_since(process: str, file: Path, *, position: int) -> int:
    with file.open(errors="replace") as text:
        text.seek(position)
        for line in iter(text.readline, ""):
            typer.echo(f"{process}: {line.rstrip()}")
        return text.tell()
